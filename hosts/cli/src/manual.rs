//! `kaudit-filter completions` and `kaudit-filter man`: what shells and `man` know of this program, made of its own help.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::{Cli, Outcome, say};

/// Prints a completion script for a shell
///
/// For bash, in `~/.bashrc`: source <(kaudit-filter completions bash)
#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the manual pages
///
/// One for the program and one for each of its subcommands, into a folder such as /usr/local/share/man/man1. Without a
/// folder the program's own is printed: kaudit-filter man | man -l -
#[derive(clap::Args)]
pub struct ManArgs {
    /// The folder, which is made where it is not there
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs `completions`. An error is one of writing.
pub fn completions(args: &CompletionsArgs) -> io::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kaudit-filter", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}

/// Runs `man`. An error is one of writing to standard output.
pub fn man(args: &ManArgs) -> io::Result<Outcome> {
    let Some(folder) = &args.folder else {
        io::stdout().write_all(&page(Cli::command())?)?;
        return Ok(Outcome::Done);
    };
    let written = fs::create_dir_all(folder).and_then(|()| {
        fs::write(folder.join("kaudit-filter.1"), page(Cli::command())?)?;
        for command in Cli::command().get_subcommands() {
            let name = format!("kaudit-filter-{}", command.get_name());
            let named =
                command.clone().display_name(&name).bin_name(format!("kaudit-filter {}", command.get_name()));
            fs::write(folder.join(format!("{name}.1")), page(named)?)?;
        }
        Ok(())
    });
    if let Err(error) = written {
        say(format_args!("{}: cannot write: {error}", folder.display()));
        return Ok(Outcome::Failed);
    }
    Ok(Outcome::Done)
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.version(env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    Ok(page)
}
