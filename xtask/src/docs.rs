//! `cargo xtask docs`: builds the book into `dist/book/`, and checks its links.
//!
//! The book's source is a copy of the repository's own files, in which links lead to the same pages as in the repository.

mod links;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Done, cargo, files, root, run as sh, target_directory};

const MDBOOK: &str = "0.5.4";

/// The folders and files that the book contains or links to.
const CONTENTS: &[&str] = &["docs", "examples", "policies", "benches", "CHANGELOG.md"];

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
        // Unoptimised: an optimised build takes longer than the book gains from it.
        let mut install =
            cargo(&["install", "--quiet", "--debug", "mdbook", "--version", MDBOOK, "--locked"]);
        sh(install.args(["--no-default-features", "--features", "search", "--root"]).arg(tools))?;
    }
    Ok(program)
}

/// Copies the committed files: `docs` to the root of the book, other folders to their own paths.
fn assemble(book: &Path) -> Done {
    let failed = |error: std::io::Error| format!("{}: {error}", book.display());
    if book.exists() {
        fs::remove_dir_all(book).map_err(failed)?;
    }
    for file in files(CONTENTS)? {
        let bytes = fs::read(root().join(&file)).map_err(failed)?;
        let to = match file.strip_prefix("docs/") {
            Some("book.toml") => book.join("book.toml"),
            Some(page) => book.join("src").join(page),
            None => book.join("src").join(file.replace("README.md", "index.md")),
        };
        fs::create_dir_all(to.with_file_name("")).map_err(failed)?;
        let bytes = match String::from_utf8(bytes) {
            Ok(text) if to.extension().is_some_and(|extension| extension == "md") => {
                with_links(&file, &text).into_bytes()
            }
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        fs::write(to, bytes).map_err(failed)?;
    }
    Ok(())
}

/// Returns a page with the links that it has in the book.
fn with_links(file: &str, text: &str) -> String {
    let text = text.replace("README.md)", "index.md)").replace("README.md#", "index.md#");
    match file.strip_prefix("docs/") {
        Some(page) if !page.contains('/') => text.replace("](../", "]("),
        Some(_) => text,
        None => text.replace("../docs/", "../").replace("](docs/", "]("),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_same_page_in_the_book() {
        for (file, link, expected) in [
            ("docs/a.md", "[c](../examples/c/README.md#d)", "[c](examples/c/index.md#d)"),
            ("docs/a.md", "[b](reference/b.md)", "[b](reference/b.md)"),
            ("docs/reference/b.md", "[a](../a.md)", "[a](../a.md)"),
            (
                "examples/c/README.md",
                "[a](../../docs/a.md) [d](../d/README.md)",
                "[a](../../a.md) [d](../d/index.md)",
            ),
        ] {
            assert_eq!(with_links(file, link), expected);
        }
    }
}
