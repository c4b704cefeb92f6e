//! `kaudit-filter options` and `schema`: the reference of the configuration.

use std::io;

use clap::ValueEnum;
use kaudit_workbench::options;

use crate::outcome::Outcome;
use crate::output::Destination;
use crate::terminal::error_line;

/// Lists every configuration key with its effect, type and default
///
/// These are the keys of the filter's own document and, under `integrations`, of kAudit's list.
#[derive(clap::Args)]
pub struct Args {
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    output: Destination,

    /// List only keys whose path contains this text, such as `guard` or `max-age` [default: all]
    #[arg(value_name = "TEXT", default_value = "", hide_default_value = true)]
    part: String,
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
pub struct SchemaArgs {
    #[command(flatten)]
    output: Destination,
}

/// Runs `options`.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let out = match args.format {
        Format::Text => options::text(&args.part),
        Format::Markdown => options::markdown(&args.part),
        Format::Json => format!("{:#}\n", options::json(&args.part)),
    };
    if options::text(&args.part).is_empty() {
        error_line(format_args!(
            "kaudit-filter: no key contains `{}`; `kaudit-filter options` lists all keys",
            args.part
        ));
        return Ok(Outcome::Failed);
    }
    args.output.write(out.as_bytes())
}

/// Runs `schema`.
///
/// # Errors
/// Standard output cannot be written.
pub fn schema(args: &SchemaArgs) -> io::Result<Outcome> {
    args.output.write(format!("{:#}\n", options::schema()).as_bytes())
}
