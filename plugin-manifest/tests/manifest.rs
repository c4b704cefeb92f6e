//! Tests the committed manifest against the code, the built files and its schema.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::case::Need;
use conformance::driver::Driver as _;
use conformance::fluent_bit::FluentBit;
use conformance::program::Program;
use conformance::vector::{self, Mode, Vector};
use kaudit_driver::{Client, Start};
use kaudit_filter::config::OPTIONS;
use kaudit_filter::stats::Reason;
use object::{Object as _, ObjectSymbol as _};
use plugin_manifest::{File, manifest, of_release, reference_pages, text};
use serde_json::{Value, json};

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(here("manifest.json")).unwrap()).unwrap()
}

fn artefact<'a>(manifest: &'a Value, name: &str) -> &'a Value {
    let found = manifest["artefacts"].as_array().unwrap().iter().find(|artefact| artefact["name"] == name);
    found.unwrap_or_else(|| panic!("the manifest has no artefact `{name}`"))
}

fn words(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

fn option_names(artefact: &Value) -> Vec<&str> {
    artefact["options"].as_array().unwrap().iter().map(|option| option["name"].as_str().unwrap()).collect()
}

#[test]
fn the_committed_manifest_matches_the_code() {
    let stored = fs::read_to_string(here("manifest.json")).unwrap();
    let fresh = "cargo run -p plugin-manifest > plugin-manifest/manifest.json";
    assert!(stored == text(&manifest().unwrap()), "manifest.json is stale; regenerate it: {fresh}");
}

#[test]
fn the_reference_pages_match_the_code() {
    let folder = here("../docs/reference");
    let mut names = Vec::new();
    for (name, text) in reference_pages().unwrap() {
        let stored = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            stored == text,
            "{name} is stale; regenerate it: cargo run -p plugin-manifest reference docs/reference"
        );
        names.push(name.to_owned());
    }
    let mut stored: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    stored.sort();
    assert_eq!(stored, names, "every page of the folder is generated");
}

#[test]
fn the_manifest_has_every_option_and_reason() {
    let manifest = committed();
    let paths: Vec<&str> = manifest["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|option| option["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, OPTIONS.iter().map(|option| option.path).collect::<Vec<_>>());
    let labels: Vec<&str> = manifest["drop-reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, Reason::ALL.iter().map(|reason| reason.label()).collect::<Vec<_>>());
}

#[test]
fn the_manifest_and_a_release_s_manifest_match_the_schema() {
    let schema = serde_json::from_str(&fs::read_to_string(here("manifest.schema.json")).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mistakes = |manifest: &Value| -> Vec<String> {
        schema.iter_errors(manifest).map(|error| format!("{}: {error}", error.instance_path())).collect()
    };
    let manifest = committed();
    assert_eq!(mistakes(&manifest), Vec::<String>::new());
    let file = |path: &str| File {
        path: path.to_owned(),
        platform: "x86_64-unknown-linux-gnu".to_owned(),
        sha256: "0".repeat(64),
        bytes: 7,
    };
    let release = of_release(&[file("x86_64/kaudit.so"), file("aarch64/kaudit.so")]).unwrap();
    assert_eq!(mistakes(&release), Vec::<String>::new());
    assert_eq!(artefact(&release, "module")["files"][1]["path"], "aarch64/kaudit.so");
    assert_eq!(of_release(&[file("bin/other")]).unwrap_err(), "artefacts.toml has no `other`");

    // Mistakes are detected.
    for (pointer, value) in [
        ("/artefacts/0/interface/kind", json!("d")),
        ("/artefacts/0/agent/from", json!("two")),
        ("/options/0/types", json!(["text"])),
        ("/drop-reasons/0", json!({"label": "a"})),
        ("/version", json!("next")),
        ("/sbom/more", json!(1)),
    ] {
        let mut wrong = manifest.clone();
        match wrong.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => wrong["sbom"]["more"] = value,
        }
        assert_ne!(mistakes(&wrong), Vec::<String>::new(), "{pointer}");
    }
}

#[test]
fn defaults_are_of_the_types_that_are_named() {
    for option in committed()["options"].as_array().unwrap() {
        let Some(default) = option["default"].as_str() else { continue };
        let kind = match default {
            "true" | "false" => "boolean",
            list if list.starts_with('[') => "list",
            number if number.parse::<u64>().is_ok() => "integer",
            _ => "string",
        };
        assert!(words(&option["types"]).contains(&kind), "{option}");
    }
}

#[test]
fn capabilities_are_known_and_equal_the_hosts_declarations() {
    let manifest = committed();
    let known: Vec<&String> = manifest["capabilities"].as_object().unwrap().keys().collect();
    let artefacts = manifest["artefacts"].as_array().unwrap();
    let claims = |artefact: &Value, word: &str| {
        artefact["capabilities"].as_array().is_some_and(|words| words.contains(&json!(word)))
    };
    for artefact in artefacts {
        for word in artefact["capabilities"].as_array().into_iter().flatten() {
            assert!(known.iter().any(|known| *word == **known), "{}: {word}", artefact["name"]);
        }
    }
    for word in known {
        assert!(artefacts.iter().any(|artefact| claims(artefact, word)), "nothing has `{word}`");
    }
    let nowhere = Path::new("");
    let built = vector::Built { module: nowhere.to_owned(), driver: nowhere.to_owned() };
    // The newest layout: older agents lack what the shape otlp needs.
    let [_, _, plugin, _] = FluentBit::all(nowhere, nowhere, nowhere);
    let hosts: [(&str, &[Need]); 3] = [
        ("plugin", plugin.capabilities()),
        ("module", Vector::new(Mode::Text, &built, nowhere).capabilities()),
        ("program", Program::new(nowhere, nowhere).capabilities()),
    ];
    for (name, declared) in hosts {
        let artefact = artefact(&manifest, name);
        assert_eq!(claims(artefact, "summaries"), declared.contains(&Need::Own), "{name}");
        // Vector's module emits the items of envelopes, and its sink builds the envelope.
        let bulk = declared.contains(&Need::Bulk) || name == "module";
        assert_eq!(claims(artefact, "bulk"), bulk, "{name}");
        assert_eq!(claims(artefact, "otlp"), declared.contains(&Need::Otlp), "{name}");
    }
}

/// Returns the built files, by their names in the build.
fn built() -> (PathBuf, vector::Built) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package", "kaudit-fluent-bit"]);
    cargo.args(["--package", "kaudit-fluent-bit-driver"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().unwrap().success());
    (target.join("debug"), vector::build(target).unwrap())
}

#[test]
fn the_built_files_have_the_declared_interfaces_and_options() {
    let manifest = committed();
    let (debug, module) = built();

    let plugin = artefact(&manifest, "plugin");
    let library = debug.join("libflb_filter_kaudit.so");
    assert_eq!(exports(&library), words(&plugin["interface"]["exports"]));
    let mut driver = Client::start(&debug.join("kaudit-fluent-bit-driver"), &[library]).unwrap();
    let start = Start::new(0, [("colour", json!("red"))]);
    let refused = driver.start_instance(start).unwrap_err().to_string();
    assert_eq!(listed(&refused, "colour: unknown option; known: "), option_names(plugin), "{refused}");

    let described = artefact(&manifest, "module");
    assert_eq!(exports(&module.module), words(&described["interface"]["exports"]));
    let mut lua = Vector::new(Mode::Text, &module, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let refused = lua.ask(&json!({"colour": "red"}), Vec::new()).unwrap_err().to_string();
    assert_eq!(listed(&refused, "colour: unknown option; known: "), option_names(described), "{refused}");
    let script = fs::read_to_string(here("../hosts/vector/src/kaudit.lua")).unwrap();
    let defined = |start: &str| -> Vec<String> {
        let lines = script.lines().filter_map(|line| line.strip_prefix(start)?.split('(').next());
        let mut names: Vec<String> = lines.map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(defined("function Filter:"), words(&described["interface"]["methods"]));
    assert_eq!(defined("function kaudit."), words(&described["interface"]["functions"]));
}

#[test]
fn the_guest_s_interface_matches_its_source() {
    // Building a guest requires another toolchain; its interface is in two files.
    let read = |file: &str| fs::read_to_string(here("../hosts/wasm/src").join(file)).unwrap();
    let source = read("abi.rs") + &read("abi/exports.rs");
    let name = |line: &str| {
        let (_, rest) = line.split_once("fn ").or_else(|| line.split_once("static "))?;
        Some(rest.split(['(', ':']).next()?.to_owned())
    };
    let blocks: Vec<&str> = source.split("\n#[").collect();
    let mut exports: Vec<String> = blocks
        .iter()
        .filter_map(|block| name(block.strip_prefix("unsafe(no_mangle)]\n")?.lines().next()?))
        .collect();
    exports.sort();
    let imports = |file_only: bool| -> Vec<String> {
        let linked = blocks.windows(2).filter(|pair| pair[1].starts_with("link("));
        let chosen = linked.filter(|pair| !pair[0].starts_with("cfg(feature = \"file\")") || file_only);
        let body = chosen.filter_map(|pair| pair[1].split_once("{\n")?.1.split("\n}").next());
        let mut names: Vec<String> = body.flat_map(str::lines).filter_map(name).collect();
        names.sort();
        names
    };
    let manifest = committed();
    for (artefact_name, file) in [("wasm", true), ("wasm-base", false)] {
        let interface = &artefact(&manifest, artefact_name)["interface"];
        assert_eq!(words(&interface["exports"]), exports, "{artefact_name}");
        assert_eq!(words(&interface["imports"]), imports(file), "{artefact_name}");
    }
}

/// Returns the symbols that a shared object exports.
fn exports(library: &Path) -> Vec<String> {
    let bytes = fs::read(library).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let given = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.is_global());
    given.map(|symbol| symbol.name().unwrap().to_owned()).collect()
}

/// Returns the names after a prefix, to the end of their line.
fn listed<'a>(text: &'a str, words: &str) -> Vec<&'a str> {
    let line = text.lines().find_map(|line| Some(line.split_once(words)?.1));
    line.unwrap_or_default().split(", ").collect()
}
