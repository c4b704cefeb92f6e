//! The schema accepts valid configurations, and rejects detectable mistakes.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use kaudit_filter::config::{Code, DURATION_UNITS, Diagnostic, NoFiles, OPTIONS, OptionType, read};
use kaudit_workbench::options;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn validator() -> Validator {
    jsonschema::draft7::new(&options::schema()).unwrap()
}

fn to_json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(members) => {
            let key = |key: &Yaml<'_>| {
                to_json(key).as_str().map_or_else(|| to_json(key).to_string(), str::to_owned)
            };
            members.iter().map(|(name, value)| (key(name), to_json(value))).collect()
        }
        _ => Value::Null,
    }
}

#[test]
fn the_committed_schema_is_current() {
    let file = root().join("examples/kaudit.schema.json");
    let made = format!("{:#}\n", options::schema());
    if std::env::var_os("BLESS").is_some() {
        fs::write(file, made).unwrap();
    } else {
        // Not `assert_eq`, which prints both texts.
        let is_current = fs::read_to_string(file).unwrap() == made;
        assert!(is_current, "regenerate it: kaudit-filter schema > examples/kaudit.schema.json");
    }
}

#[test]
fn the_schema_accepts_valid_configurations() {
    let validator = validator();
    let mut accepted = 0;
    let folders = ["tests/data/config", "workbench/tests/data/check", "examples"];
    for folder in folders {
        for file in fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path()) {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let yaml = file.extension().is_some_and(|extension| extension == "yaml");
            let Some(document) =
                Yaml::load_from_str(&text).ok().filter(|_| yaml).and_then(|all| all.into_iter().next())
            else {
                continue;
            };
            let document = to_json(&document);
            let reading = read("file", &text, &NoFiles);
            if reading.config.is_some() && document.get("kind").is_none() {
                let errors: Vec<String> = validator
                    .iter_errors(&document)
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
                accepted += 1;
            }
        }
    }
    assert!(accepted > 7, "only {accepted} documents were tested");
}

#[test]
fn the_schema_rejects_mistakes() {
    let target = r#"{"target-type":"http-api","http-api-uri":"https://ingress.coralogix.in/logs/v1/bulk"}"#;
    let list = format!(r#""integrations":[{{"type":"detections","target":{target}}}]"#);
    let validator = validator();
    let accepts = |text: &str| {
        validator.is_valid(&serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}")))
    };
    assert!(accepts(&format!("{{{list}}}")));
    for wrong in [
        r#""guard":{"max-age":"tomorrow"}"#,
        r#""guard":{"max-entry-bytes":5}"#,
        r#""guard":{"max-agee":"1h"}"#,
        r#""coralogix":{"shape":"many"}"#,
        r#""severity":[{"severity":"fatal"}]"#,
        r#""severity":[{"rule":"a"}]"#,
        r#""rate-limit":{"period":5}"#,
        r#""unrecognised":"keep""#,
        r#""look-in":"log""#,
        r#""look-in":["a.b.c.d"]"#,
        r#""look-in":["a..b"]"#,
        r#""colour":"red""#,
    ] {
        assert!(!accepts(&format!("{{{wrong},{list}}}")), "{wrong}");
        assert!(read("wrong", &format!("{{{wrong},{list}}}"), &NoFiles).config.is_none(), "{wrong}");
    }
    for (kind, key, value) in [
        ("detections", "rules-match", "\"a\""),
        ("selections", "etype", "\"cluster\""),
        ("activity", "report", "\"count\""),
        ("detections", "confidence", "3"),
    ] {
        let text = format!(r#"[{{"type":"{kind}","target":{target},"data-filter":{{"{key}":{value}}}}}]"#);
        assert!(!accepts(&text), "{text}");
        let codes: Vec<Code> =
            read("wrong", &text, &NoFiles).diagnostics.iter().map(Diagnostic::code).collect();
        assert!(codes.contains(&Code::OtherType) || codes.contains(&Code::Value), "{codes:?}");
    }
}

/// The schema has the ranges and the names of the table.
#[test]
fn the_schema_has_the_limits_of_the_table() {
    let validator = validator();
    let list = json!([{"type": "detections", "target": {"target-type": "slack"}}]);
    let mut tried = 0;
    for option in OPTIONS {
        // A section of the document is enough: the schema of a type is the same everywhere.
        let (section, key) = option.split();
        if !["guard", "rate-limit", "coralogix"].contains(&section) {
            continue;
        }
        tried += 1;
        let is_valid =
            |value: Value| validator.is_valid(&json!({section: {key: value}, "integrations": list}));
        match option.value {
            OptionType::Integer { min, max, .. } => {
                assert!(is_valid(json!(min)) && is_valid(json!(max)), "{}", option.path);
                assert!(!is_valid(json!(min - 1)) && !is_valid(json!(max + 1)), "{}", option.path);
            }
            OptionType::Enum(names) => {
                assert!(names.names.iter().all(|name| is_valid(json!(name))), "{}", option.path);
                assert!(!is_valid(json!("unheard-of")), "{}", option.path);
            }
            OptionType::Template { max_chars, .. } => {
                assert!(is_valid(json!("é".repeat(max_chars))), "{}", option.path);
                assert!(!is_valid(json!("é".repeat(max_chars + 1))), "{}", option.path);
            }
            OptionType::Duration { .. } => {
                assert!(DURATION_UNITS.iter().all(|(unit, _)| is_valid(json!(format!("1{unit}")))));
                assert!(!is_valid(json!("1w")) && !is_valid(json!(1)), "{}", option.path);
            }
            other => panic!("{}: {other}", option.path),
        }
    }
    assert!(tried > 10, "only {tried} options were tried");
}

#[test]
fn every_option_is_in_the_reference_and_the_schema() {
    let (text, markdown, schema) = (options::text(""), options::markdown(""), options::schema().to_string());
    // Long texts are wrapped.
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for option in OPTIONS {
        let is_heading =
            |line: &str| line == option.path || line.starts_with(&format!("{} (default ", option.path));
        assert!(text.lines().any(is_heading) && joined.contains(&option.full_help()), "{}", option.path);
        assert!(markdown.contains(&format!("| `{}` |", option.path)), "{}", option.path);
        let key = option.path.rsplit('.').next().unwrap().trim_end_matches('*');
        assert!(schema.contains(key), "{}", option.path);
    }
    assert_eq!(options::json("guard").as_array().map(Vec::len), Some(5));
}
