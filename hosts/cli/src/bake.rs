//! `kaudit-filter bake`: writes a WebAssembly guest with its configuration.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::config;
use crate::outcome::Outcome;
use crate::output::cannot_write;
use crate::terminal::{error_line, note_line};

/// The name of the base module, in the directory of this program.
const BASE: &str = "kaudit-base.wasm";

/// Writes a module for Fluent Bit's wasm filter that contains a configuration
///
/// Checks the configuration, compiles its patterns to tables, and embeds both in a base module. The resulting module
/// reads no file and runs with the wasm filter's default heap and stack.
#[derive(clap::Args)]
pub struct Args {
    /// Configuration: a ConfigMap manifest, its `audit-integration` list, or the filter's own document
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,

    /// Write the module to this file
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Base module [default: kaudit-base.wasm in the directory of this program]
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let config = match config::load(Some(&args.config)) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    let base_file = args.base.clone().unwrap_or_else(default_base);
    let base = match fs::read(&base_file) {
        Ok(base) => base,
        Err(error) => {
            error_line(format_args!("{}: cannot read the base module: {error}", base_file.display()));
            return Outcome::Failed;
        }
    };
    let baked = match kaudit_filter::bake(&config) {
        Ok(baked) => baked,
        Err(error) => {
            error_line(format_args!("{}: error: {error}", args.config.display()));
            return Outcome::Mistakes;
        }
    };
    let module = match kaudit_bake::embed(&base, &baked) {
        Ok(module) => module,
        Err(error) => {
            error_line(format_args!("{}: {error}", base_file.display()));
            return Outcome::Failed;
        }
    };
    if let Err(error) = fs::write(&args.output, &module) {
        return cannot_write(&args.output, &error);
    }
    let [all, baked] = [module.len(), baked.len()].map(|bytes| bytes.div_ceil(1000));
    note_line(format_args!("{}: {all} kB, including {baked} kB of configuration", args.output.display()));
    Outcome::Done
}

fn default_base() -> PathBuf {
    env::current_exe().map_or_else(|_| BASE.into(), |program| program.with_file_name(BASE))
}
