//! Prints the manifest.
//!
//! With the argument `release` it prints the manifest of a release, whose files it reads from standard input as lines
//! `PLATFORM SHA256 BYTES PATH`. With `reference FOLDER` it writes the reference pages of the book into the folder.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use plugin_manifest::File;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let manifest = match arguments[..] {
        [] => plugin_manifest::manifest(),
        ["reference", folder] => return end(write_pages(Path::new(folder))),
        ["release"] => io::read_to_string(io::stdin())
            .map_err(|error| error.to_string())
            .and_then(|lines| lines.lines().map(parse_file).collect::<Result<Vec<_>, _>>())
            .and_then(|files| plugin_manifest::of_release(&files)),
        _ => Err("expected `release`, `reference FOLDER` or no argument".to_owned()),
    };
    end(manifest.and_then(|manifest| {
        let text = plugin_manifest::text(&manifest);
        io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
    }))
}

fn write_pages(folder: &Path) -> Result<(), String> {
    for (name, text) in plugin_manifest::reference_pages()? {
        fs::write(folder.join(name), text)
            .map_err(|error| format!("{}: {error}", folder.join(name).display()))?;
    }
    Ok(())
}

fn end(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plugin-manifest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse_file(line: &str) -> Result<File, String> {
    let words: Vec<&str> = line.splitn(4, ' ').collect();
    let [platform, sha256, bytes, path] = words[..] else {
        return Err(format!("expected `PLATFORM SHA256 BYTES PATH`, found `{line}`"));
    };
    let bytes = bytes.parse().map_err(|_| format!("expected a number of bytes, found `{bytes}`"))?;
    Ok(File { path: path.to_owned(), platform: platform.to_owned(), sha256: sha256.to_owned(), bytes })
}
