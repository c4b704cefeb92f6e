//! Prints the manifest.
//!
//! With the argument `release` it prints the manifest of a release, whose files it reads from standard input as lines
//! `PLATFORM SHA256 BYTES PATH`.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use plugin_manifest::File;

fn main() -> ExitCode {
    let manifest = match std::env::args().nth(1).as_deref() {
        None => plugin_manifest::manifest(),
        Some("release") => io::read_to_string(io::stdin())
            .map_err(|error| error.to_string())
            .and_then(|lines| lines.lines().map(parse_file).collect::<Result<Vec<_>, _>>())
            .and_then(|files| plugin_manifest::of_release(&files)),
        Some(other) => Err(format!("unknown argument `{other}`; expected `release` or nothing")),
    };
    let printed = manifest.and_then(|manifest| {
        let text = plugin_manifest::text(&manifest);
        io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
    });
    match printed {
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
