//! Builds the playground as one self-contained HTML file.
//!
//! It contains the module, its JavaScript, the page's own files and the examples.
//!
//! `kaudit-playground-page MODULE PAGE`. Decision: a program of its own instead of a part of `xtask`, which would take
//! longer to build for every task; and wasm-bindgen as a library instead of its program, so that Cargo keeps both
//! versions equal.

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

/// The maximum size of the page, bytes.
const MAX_BYTES: usize = 1_500_000;

/// The page's own files, in the order in which they run.
const SCRIPTS: &[&str] = &["editor.js", "share.js", "page.js"];

/// Example configurations: their titles in the page, and their paths.
const CONFIGS: &[(&str, &str)] = &[
    ("The filter's own document", "examples/kaudit.yaml"),
    ("kAudit's ConfigMap", "examples/audit-integration.yaml"),
    ("A policy for audit events", "hosts/playground/web/policy.yaml"),
    ("One with six mistakes", "tests/data/config/six-mistakes.yaml"),
];

/// The default policy, and the configuration under which the page shows it.
const DEFAULT_POLICY: &str = "policies/default.yaml";
const WITH_DEFAULT_POLICY: &str = "\
integrations:
  - type: selections
    target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\", rate-limit: 10}
rate-limit: {period: 1m, by: entity}

policy:
";

/// Example audit events.
const EVENTS: &str = "hosts/playground/web/audit-events.ndjson";

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
    for (mark, part) in [
        ("{{style}}", own("page.css")?),
        ("{{examples}}", examples()?),
        ("{{module}}", packed(&module)?),
        ("{{glue}}", glue),
        ("{{script}}", format!("\"use strict\";\n{}", scripts?.join("\n"))),
    ] {
        if text.matches(mark).count() != 1 {
            return Err(format!("page.html must contain `{mark}` exactly once"));
        }
        if part.contains("</script") {
            return Err(format!("the text for `{mark}` would end its HTML element"));
        }
        text = text.replace(mark, &part);
    }
    if text.len() > MAX_BYTES {
        return Err(format!("the page has {} bytes; the limit is {MAX_BYTES}", text.len()));
    }
    fs::write(page, text).map_err(|error| format!("{}: {error}", page.display()))
}

/// Returns the JavaScript of a module, and the module without its custom sections.
///
/// The JavaScript is a classic script, since a page from `file://` may import no module.
fn bound(module: &Path) -> Result<(String, Vec<u8>), String> {
    let bind = || {
        let mut bindgen = Bindgen::new();
        bindgen.input_path(module).no_modules(true)?.typescript(false).omit_default_module_path(true);
        let mut output = bindgen.generate_output()?;
        Ok((output.js().to_owned(), output.wasm_mut().emit_wasm()))
    };
    bind().map_err(|error: Box<dyn std::error::Error>| format!("{}: {error}", module.display()))
}

/// Returns the module as text, compressed to a third of its size.
fn packed(module: &[u8]) -> Result<String, String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(module).and_then(|()| encoder.finish());
    packed
        .map(|packed| STANDARD.encode(packed))
        .map_err(|error| format!("cannot compress the module: {error}"))
}

/// Returns the examples as JSON that is valid inside an HTML element.
fn examples() -> Result<String, String> {
    let texts = |files: &[(&str, &str)]| {
        let texts = files.iter().map(|(name, path)| Ok(((*name).to_owned(), Value::from(read(path)?))));
        texts.collect::<Result<Map<_, _>, String>>()
    };
    let mut configs = texts(CONFIGS)?;
    configs.insert("The default policy".to_owned(), with_default_policy()?.into());
    let examples =
        serde_json::json!({ "configs": configs, "findings": texts(FINDINGS)?, "events": read(EVENTS)? });
    Ok(examples.to_string().replace('<', "\\u003c"))
}

/// Returns a configuration that contains the default policy, so that it can be edited.
fn with_default_policy() -> Result<String, String> {
    let mut text = WITH_DEFAULT_POLICY.to_owned();
    for line in read(DEFAULT_POLICY)?.lines() {
        text.push_str(if line.is_empty() { "" } else { "  " });
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

fn own(name: &str) -> Result<String, String> {
    read(&format!("hosts/playground/web/{name}"))
}

/// Reads a file of the repository.
fn read(path: &str) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
}
