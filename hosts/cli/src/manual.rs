//! `kaudit-filter completions` and `man`, both generated from the help.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use crate::outcome::Outcome;
use crate::output::{Destination, cannot_write};

/// Prints a completion script for a shell
///
/// For bash, in `~/.bashrc`: source <(kaudit-filter completions bash)
#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// Shell that runs the script
    #[arg(value_enum)]
    shell: Shell,

    #[command(flatten)]
    output: Destination,
}

/// Writes the manual pages
///
/// Writes one page for the program and one for each subcommand, into a folder such as /usr/local/share/man/man1.
/// Without a folder, the program's own page is printed: kaudit-filter man | man -l -
#[derive(clap::Args)]
pub struct ManArgs {
    /// Write the pages to this folder; created if it does not exist
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Runs `completions`.
///
/// # Errors
/// Standard output cannot be written.
pub fn completions(args: &CompletionsArgs, mut program: Command) -> io::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "kaudit-filter", &mut script);
    args.output.write(&script)
}

/// Runs `man`.
///
/// # Errors
/// Standard output cannot be written.
pub fn man(args: &ManArgs, program: &Command) -> io::Result<Outcome> {
    let Some(folder) = &args.output else {
        return Destination::default().write(&page(program.clone())?);
    };
    let written = fs::create_dir_all(folder).and_then(|()| {
        fs::write(folder.join("kaudit-filter.1"), page(program.clone())?)?;
        for command in program.get_subcommands() {
            let name = format!("kaudit-filter-{}", command.get_name());
            let named =
                command.clone().display_name(&name).bin_name(format!("kaudit-filter {}", command.get_name()));
            fs::write(folder.join(format!("{name}.1")), page(named)?)?;
        }
        Ok(())
    });
    Ok(written.map_or_else(|error| cannot_write(folder, &error), |()| Outcome::Done))
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.version(env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    Ok(page)
}
