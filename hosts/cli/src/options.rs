//! `kaudit-filter options` and `schema`: the reference of the configuration.

use std::io::{self, Write};

use clap::ValueEnum;
use kaudit_workbench::options;

use crate::outcome::{Outcome, eprintln_line};

/// Lists every configuration key with its effect, type and default
///
/// These are the keys of the filter's own document and, under `integrations`, of kAudit's list.
#[derive(clap::Args)]
pub struct Args {
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// List only keys whose path has this prefix, such as `guard` or `integrations[].target` [default: all]
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Text
    Text,
    /// A Markdown table
    Markdown,
    /// JSON
    Json,
}

/// Prints the JSON Schema of the filter's own document
///
/// Editors with a YAML language server use it to complete and validate the document, if it begins with this comment:
///
///   # yaml-language-server: $schema=kaudit.schema.json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct SchemaArgs {}

/// Runs `options`.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let out = match args.format {
        Format::Text => options::text(&args.prefix),
        Format::Markdown => options::markdown(&args.prefix),
        Format::Json => format!("{:#}\n", options::json(&args.prefix)),
    };
    if options::text(&args.prefix).is_empty() {
        eprintln_line(format_args!(
            "kaudit-filter: no key has the prefix `{}`; `kaudit-filter options` lists all keys",
            args.prefix
        ));
        return Ok(Outcome::Failed);
    }
    io::stdout().write_all(out.as_bytes())?;
    Ok(Outcome::Done)
}

/// Runs `schema`.
///
/// # Errors
/// Standard output cannot be written.
pub fn schema() -> io::Result<Outcome> {
    writeln!(io::stdout(), "{:#}", options::schema())?;
    Ok(Outcome::Done)
}
