//! Builds the playground: the module, the JavaScript that goes with it, the page's own files and the examples, in one
//! HTML file that needs nothing else.
//!
//! `kaudit-playground-page MODULE PAGE`. Decision: a program of its own instead of a part of `xtask`, which every task
//! would otherwise wait for; and wasm-bindgen as a library instead of its program, so that Cargo keeps its version equal
//! to that in the module.

#![forbid(unsafe_code)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value};
use wasm_bindgen_cli_support::Bindgen;

/// What the page may weigh, bytes.
const MAX_BYTES: usize = 1_500_000;

/// The page's own files, in the order in which they run.
const SCRIPTS: &[&str] = &["editor.js", "share.js", "page.js"];

/// Example configurations: what the page calls them, and where they stand.
const CONFIGS: &[(&str, &str)] = &[
    ("The filter's own document", "examples/kaudit.yaml"),
    ("kAudit's ConfigMap", "examples/audit-integration.yaml"),
    ("One with six mistakes", "tests/data/config/six-mistakes.yaml"),
];

/// Example findings of each kind.
const FINDINGS: &[(&str, &str)] = &[
    ("detections", "examples/findings/detections.ndjson"),
    ("selections", "examples/findings/selections.ndjson"),
    ("counts", "examples/findings/selection-counts.ndjson"),
    ("activity", "examples/findings/activity.ndjson"),
    ("others", "hosts/playground/web/others.ndjson"),
];

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, page] = &arguments[..] else {
        eprintln!("usage: kaudit-playground-page MODULE PAGE");
        return ExitCode::from(2);
    };
    match build(module, page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kaudit-playground-page: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(module: &Path, page: &Path) -> Result<(), String> {
    let (glue, module) = bound(module)?;
    let scripts: Result<Vec<_>, _> = SCRIPTS.iter().map(|name| own(name)).collect();
    let mut text = own("page.html")?;
    for (place, part) in [
        ("{{style}}", own("page.css")?),
        ("{{examples}}", examples()?),
        ("{{module}}", packed(&module)?),
        ("{{glue}}", glue),
        ("{{script}}", format!("\"use strict\";\n{}", scripts?.join("\n"))),
    ] {
        if text.matches(place).count() != 1 {
            return Err(format!("page.html does not have one place `{place}`"));
        }
        if part.contains("</script") {
            return Err(format!("what stands at `{place}` would end its element"));
        }
        text = text.replace(place, &part);
    }
    if text.len() > MAX_BYTES {
        return Err(format!("the page weighs {} bytes, and may weigh {MAX_BYTES}", text.len()));
    }
    fs::write(page, text).map_err(|error| format!("{}: {error}", page.display()))
}

/// The JavaScript that goes with a module, as a classic script (a page from `file://` may import no module), and what
/// is left of the module.
fn bound(module: &Path) -> Result<(String, Vec<u8>), String> {
    let bind = || {
        let mut bindgen = Bindgen::new();
        bindgen.input_path(module).no_modules(true)?.typescript(false).omit_default_module_path(true);
        let mut output = bindgen.generate_output()?;
        Ok((output.js().to_owned(), output.wasm_mut().emit_wasm()))
    };
    bind().map_err(|error: Box<dyn std::error::Error>| format!("{}: {error}", module.display()))
}

/// The module as text, a third of its size.
fn packed(module: &[u8]) -> Result<String, String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(module).and_then(|()| encoder.finish());
    packed
        .map(|packed| STANDARD.encode(packed))
        .map_err(|error| format!("cannot compress the module: {error}"))
}

/// The examples as JSON that may stand in an HTML element.
fn examples() -> Result<String, String> {
    let texts = |files: &[(&str, &str)]| {
        let texts = files.iter().map(|(name, path)| Ok(((*name).to_owned(), Value::from(read(path)?))));
        texts.collect::<Result<Map<_, _>, String>>()
    };
    let examples = serde_json::json!({ "configs": texts(CONFIGS)?, "findings": texts(FINDINGS)? });
    Ok(examples.to_string().replace('<', "\\u003c"))
}

fn own(name: &str) -> Result<String, String> {
    read(&format!("hosts/playground/web/{name}"))
}

/// A file of the repository.
fn read(path: &str) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
}
