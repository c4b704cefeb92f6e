//! `kaudit-filter bake`: a WASM guest with its configuration inside.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Outcome, config, say};

/// The base module's name; it stands beside the program.
const BASE: &str = "kaudit-base.wasm";

/// Write a module for Fluent Bit's wasm filter with a configuration inside
///
/// The configuration is checked, its patterns are compiled to tables, and both are put into a base module. The result
/// reads no file and runs with the wasm filter's default heap and stack.
#[derive(clap::Args)]
pub struct Args {
    /// Configuration: a ConfigMap manifest, its `audit-integration` list, or the filter's own document
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the module is written
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Base module [default: kaudit-base.wasm beside this program]
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
}

/// Reads, bakes, writes.
pub fn run(args: &Args) -> Outcome {
    let config = match config::load(Some(&args.config)) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    let failed = |file: &Path, what: &str, error: &io::Error| {
        say(format_args!("{}: cannot {what}: {error}", file.display()));
        Outcome::Failed
    };
    let base_file = args.base.clone().unwrap_or_else(beside_this_program);
    let base = match fs::read(&base_file) {
        Ok(base) => base,
        Err(error) => return failed(&base_file, "read the base module", &error),
    };
    let baked = match kaudit_filter::bake(&config) {
        Ok(baked) => baked,
        Err(error) => {
            say(format_args!("{}: error: {error}", args.config.display()));
            return Outcome::Mistakes;
        }
    };
    let module = match kaudit_bake::embed(&base, &baked) {
        Ok(module) => module,
        Err(error) => {
            say(format_args!("{}: {error}", base_file.display()));
            return Outcome::Failed;
        }
    };
    match fs::write(&args.output, &module) {
        Ok(()) => {
            let [all, baked] = [module.len(), baked.len()].map(|bytes| bytes.div_ceil(1000));
            say(format_args!("{}: {all} kB, of which the configuration is {baked}", args.output.display()));
            Outcome::Done
        }
        Err(error) => failed(&args.output, "write", &error),
    }
}

fn beside_this_program() -> PathBuf {
    env::current_exe().map_or_else(|_| BASE.into(), |program| program.with_file_name(BASE))
}
