//! `kaudit-filter options` and `kaudit-filter schema`: what there is to configure.

use std::io::{self, Write};

use clap::ValueEnum;
use kaudit_workbench::options;

use crate::{Outcome, say};

/// Lists every key of the configuration: what it does, what it takes, its default
///
/// The keys are those of the filter's own document and of kAudit's list, which stands in it under `integrations`.
#[derive(clap::Args)]
pub struct Args {
    /// How the list is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Only keys whose path begins so, such as `guard` or `integrations[].target`
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// A table, for pages
    Markdown,
    /// For programs
    Json,
}

/// Prints the JSON Schema of the filter's own document, by which editors complete and check it
///
/// Editors with a YAML language server take it from a comment at the top of the document:
///
///   # yaml-language-server: $schema=kaudit.schema.json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct SchemaArgs {}

/// Runs `options`. An error is one of writing.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let out = match args.format {
        Format::Text => options::text(&args.prefix),
        Format::Markdown => options::markdown(&args.prefix),
        Format::Json => format!("{:#}\n", options::json(&args.prefix)),
    };
    if options::text(&args.prefix).is_empty() {
        say(format_args!(
            "kaudit-filter: no key begins with `{}`; `kaudit-filter options` lists all",
            args.prefix
        ));
        return Ok(Outcome::Failed);
    }
    io::stdout().write_all(out.as_bytes())?;
    Ok(Outcome::Done)
}

/// Runs `schema`. An error is one of writing.
pub fn schema() -> io::Result<Outcome> {
    writeln!(io::stdout(), "{:#}", options::schema())?;
    Ok(Outcome::Done)
}
