//! The option reference and the JSON Schema, both made from `OPTIONS`.
//!
//! The schema is for editors: it has keys, words and ranges. `check` tests everything that needs more than one value or
//! a parser: patterns, templates, unique names.

use kaudit_filter::config::{OPTIONS, OptionDoc};
use serde_json::{Map, Value, json};

/// Returns the reference of the options whose path has this prefix.
pub fn text(prefix: &str) -> String {
    let mut lines = Vec::new();
    for option in selected(prefix) {
        let default =
            if option.default.is_empty() { String::new() } else { format!(" (default {})", option.default) };
        lines.push(format!("{}{default}", option.path));
        lines.push(format!("    {}", option.help));
        lines.push(format!("    {}", option.kind));
        if !option.only.is_empty() {
            lines.push(format!("    only of {}", option.only.join(" and ")));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Returns the reference as a Markdown table.
pub fn markdown(prefix: &str) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{}`", cell(text)) };
    let mut lines =
        vec!["| key | what it takes | default | what it does |".to_owned(), "|---|---|---|---|".to_owned()];
    lines.extend(selected(prefix).map(|option| {
        let only = if option.only.is_empty() {
            String::new()
        } else {
            format!(" Only of {}.", option.only.join(" and "))
        };
        format!(
            "| {} | {} | {} | {}{only} |",
            code(option.path),
            cell(option.kind),
            code(option.default),
            cell(option.help)
        )
    }));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Returns the reference as JSON.
pub fn json(prefix: &str) -> Value {
    let options = selected(prefix).map(|option| {
        json!({
            "path": option.path,
            "expects": option.kind,
            "default": option.default,
            "only": option.only,
            "help": option.help,
        })
    });
    options.collect()
}

fn selected(prefix: &str) -> impl Iterator<Item = &'static OptionDoc> {
    OPTIONS.iter().filter(move |option| option.path.starts_with(prefix))
}

/// Returns the JSON Schema of the filter's document and of kAudit's bare list.
pub fn schema() -> Value {
    let mut document = map_schema("", None);
    // An empty section is equivalent to an absent one.
    allow_null(&mut document);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "kaudit-filter's configuration",
        "description": "The filter's own document, or the list of kAudit's key `audit-integration`. Made by `kaudit-filter schema`.",
        "anyOf": [
            document,
            {"type": "array", "items": {"$ref": "#/definitions/integration"}},
        ],
        "definitions": {"integration": integration_schema()},
    })
}

/// Returns the schema of a map: the keys directly below the path `parent`.
/// Keys that only other kinds of integrations have are left out.
fn map_schema(parent: &str, kind: Option<&str>) -> Value {
    let mut properties = Map::new();
    // The values of references may appear anywhere.
    let mut patterns = Map::from_iter([("^val-".to_owned(), json!({}))]);
    let mut required = Vec::new();
    for option in OPTIONS {
        let (container, key) = option.path.rsplit_once('.').unwrap_or(("", option.path));
        if container != parent
            || kind.is_some_and(|kind| !option.only.is_empty() && !option.only.contains(&kind))
        {
            continue;
        }
        let schema = option_schema(option);
        match key.strip_suffix('*') {
            Some(start) => drop(patterns.insert(format!("^{start}"), schema)),
            None => drop(properties.insert(key.to_owned(), schema)),
        }
        // A reference may replace the key of another target.
        if option.help.ends_with("required.") && option.only.is_empty() {
            required.push(key);
        }
    }
    if parent.ends_with(".target") {
        patterns.insert("^ref/".to_owned(), json!({"type": "string", "pattern": "^val-"}));
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Returns the schema of an integration; its data filter depends on its type.
fn integration_schema() -> Value {
    let mut schema = map_schema("integrations[]", None);
    let kinds = ["detections", "selections", "activity"];
    schema["allOf"] = kinds
        .map(|kind| {
            let mut filter = map_schema("integrations[].data-filter", Some(kind));
            allow_null(&mut filter);
            json!({
                "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                "then": {"properties": {"data-filter": filter}},
            })
        })
        .to_vec()
        .into();
    schema["properties"]["data-filter"] = json!({"description": help_of("integrations[].data-filter")});
    schema["properties"]["target"] = json!({
        "description": help_of("integrations[].target"),
        "anyOf": [map_schema("integrations[].target", None), {"type": "array"}],
    });
    // An item may contain only the values of references.
    json!({"anyOf": [
        schema,
        {"type": "object", "minProperties": 1, "patternProperties": {"^val-": {}}, "additionalProperties": false},
    ]})
}

fn help_of(path: &str) -> &'static str {
    OPTIONS.iter().find(|option| option.path == path).map_or("", |option| option.help)
}

/// Returns the schema of an option's value.
fn option_schema(option: &OptionDoc) -> Value {
    let mut schema = type_schema(option);
    schema["description"] = option.help.into();
    if !option.default.is_empty() {
        schema["default"] = match default_items(option.default) {
            Some(items) => items.collect(),
            None => option.default.into(),
        };
    }
    schema
}

/// Returns the items of a default that is a list.
fn default_items(default: &'static str) -> Option<impl Iterator<Item = &'static str>> {
    default.strip_prefix('[')?.strip_suffix(']').map(|items| items.split(", "))
}

/// Derives a schema from the text of [`OptionDoc::kind`].
/// A text in none of the known forms is a list of words.
fn type_schema(option: &OptionDoc) -> Value {
    let kind = option.kind;
    if option.path == "integrations" {
        return json!({"type": "array", "items": {"$ref": "#/definitions/integration"}});
    }
    if kind == "a list of maps" {
        return json!({"type": ["array", "null"], "items": map_schema(&format!("{}[]", option.path), None)});
    }
    if let Some(most) = kind.strip_prefix("a list of at most ") {
        let most = most.split(' ').next().and_then(|most| most.parse::<u64>().ok()).unwrap_or(u64::MAX);
        let path = json!({"type": ["string", "number", "boolean"], "pattern": r"^[^.]+(\.[^.]+){0,2}$"});
        return json!({"type": "array", "maxItems": most, "items": path});
    }
    if kind == "a map" {
        let mut schema = map_schema(option.path, None);
        allow_null(&mut schema);
        return schema;
    }
    if let Some(number) = kind.strip_suffix(", or a map") {
        return json!({"anyOf": [integer_schema(number), map_schema(option.path, None)]});
    }
    if kind.starts_with("a whole number") || kind.starts_with("a port") {
        return integer_schema(kind);
    }
    if kind.starts_with("a duration") {
        return json!({"type": "string", "pattern": r"^\s*[0-9]+\s*(ms|s|m|h|d)\s*$"});
    }
    if kind.starts_with("true or false") {
        return json!({"enum": [true, false, "true", "false", "yes", "no", "on", "off"]});
    }
    if kind.starts_with("all, or a list of names") {
        return json!({"anyOf": [{"const": "all"}, {"type": "array", "items": {"type": ["string", "integer"]}}]});
    }
    if kind.starts_with("an http or https URI") {
        return json!({"type": "string", "pattern": "^\\s*[hH][tT][tT][pP][sS]?://"});
    }
    if let Some((number, _)) = kind.strip_prefix("up to ").and_then(|rest| rest.split_once(' ')) {
        let most = number.parse::<u64>().unwrap_or(u64::MAX);
        return json!({"type": ["string", "integer"], "maxLength": most});
    }
    if kind.starts_with("a template") {
        return json!({"type": "string", "maxLength": 256});
    }
    if ["a regular expression", "a field's name", "a file's name"].iter().any(|words| kind.starts_with(words))
    {
        return json!({"type": ["string", "number"]});
    }
    if kind == "a text" {
        return json!({"type": ["string", "number", "boolean"]});
    }
    match kind.strip_suffix(", or a list of them") {
        Some(kind) => {
            let word = enum_schema(kind);
            json!({"anyOf": [word, {"type": "array", "items": word}]})
        }
        None => enum_schema(kind),
    }
}

/// Returns the schema of `a, b or c`, with equivalent numbers after it.
fn enum_schema(kind: &str) -> Value {
    let (kind, numbers) = match (kind.split_once(" ("), kind.split_once(", or a number ")) {
        (Some((words, _)), _) => (words, json!([0, 1, 2, "0", "1", "2"])),
        (_, Some((words, _))) => (words, json!([1, 2, 3, 4, 5, 6, "1", "2", "3", "4", "5", "6"])),
        _ => (kind, json!([])),
    };
    let mut all: Vec<Value> =
        kind.split([',', ' ']).filter(|word| !matches!(*word, "" | "or")).map(Value::from).collect();
    if kind.starts_with("incident") {
        // The older dialect's names.
        all.extend(["alcide.category/incident", "alcide.category/anomaly"].map(Value::from));
    }
    if kind.starts_with("debug") {
        // Any capitalisation is accepted; these are the usual ones.
        let capital = |word: &str| {
            word.chars().next().map(|first| first.to_uppercase().collect::<String>() + &word[1..])
        };
        all.push("warning".into());
        all.extend(all.clone().iter().filter_map(|word| capital(word.as_str()?)).map(Value::from));
    }
    all.extend(numbers.as_array().cloned().unwrap_or_default());
    json!({"enum": all})
}

/// Returns the schema of `a integer_schema number from 1 to 100`, also as a text.
fn integer_schema(kind: &str) -> Value {
    let numbers: Vec<u64> = kind.split(' ').filter_map(|word| word.parse().ok()).collect();
    let mut schema = json!({"type": "integer"});
    if let [least, most] = numbers[..] {
        schema["minimum"] = least.into();
        schema["maximum"] = most.into();
    }
    json!({"anyOf": [schema, {"type": "string", "pattern": "^\\s*[0-9]+\\s*$"}]})
}

/// Allows null as an empty map.
fn allow_null(schema: &mut Value) {
    schema["type"] = json!(["object", "null"]);
}
