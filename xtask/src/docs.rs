//! `cargo xtask docs`: builds the book into `dist/book/`, and checks its links.
//!
//! The book's source is a copy of the repository's own files under the same paths, so that a link works in both places:
//! on a page of the repository and on a page of the book.

mod links;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Done, cargo, files, root, run as sh, target_directory};

const MDBOOK: &str = "0.5.4";

/// The folders and files that the book contains or links to.
const CONTENTS: &[&str] = &[
    "docs",
    "examples",
    "policies",
    "benches/README.md",
    "benches/record",
    "tests/data/config",
    "CHANGELOG.md",
];

/// Builds the book.
pub fn run(arguments: &[String]) -> Done {
    if !arguments.is_empty() {
        return Err("there are no options".to_owned());
    }
    let target = target_directory()?;
    let book = target.join("book");
    assemble(&book)?;
    let output = root().join("dist/book");
    let mut command = Command::new(mdbook(&target.join("tools"))?);
    sh(command.arg("build").arg("--dest-dir").arg(&output).arg(&book))?;
    links::check(&output)?;
    eprintln!("dist/book/index.html");
    Ok(())
}

/// Installs mdBook, once.
fn mdbook(tools: &Path) -> Done<PathBuf> {
    let program = tools.join("bin/mdbook");
    if !program.exists() {
        let mut install = cargo(&["install", "--quiet", "mdbook", "--version", MDBOOK, "--locked"]);
        sh(install.args(["--no-default-features", "--features", "search", "--root"]).arg(tools))?;
    }
    Ok(program)
}

/// Copies the committed files, and makes `SUMMARY.md` relative to the root.
fn assemble(book: &Path) -> Done {
    let failed = |error: std::io::Error| format!("{}: {error}", book.display());
    if book.exists() {
        fs::remove_dir_all(book).map_err(failed)?;
    }
    let source = book.join("src");
    for file in files(CONTENTS)? {
        let to = source.join(&file);
        fs::create_dir_all(to.with_file_name("")).map_err(failed)?;
        fs::copy(root().join(file), to).map_err(failed)?;
    }
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).map_err(failed)?;
    fs::write(source.join("SUMMARY.md"), from_root(&summary)).map_err(failed)?;
    fs::rename(source.join("docs/book.toml"), book.join("book.toml")).map_err(failed)?;
    fs::remove_file(source.join("docs/SUMMARY.md")).map_err(failed)
}

/// Returns a page of `docs` with the links that it has in the root.
fn from_root(summary: &str) -> String {
    summary.replace("](", "](docs/").replace("](docs/../", "](")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_summary_begin_at_the_root() {
        let summary = "[a](a.md)\n- [b](reference/b.md)\n  - [c](../examples/c/README.md)\n";
        let expected = "[a](docs/a.md)\n- [b](docs/reference/b.md)\n  - [c](examples/c/README.md)\n";
        assert_eq!(from_root(summary), expected);
    }
}
