//! OTTL and the Collector's processors, as far as conversions use them, written from their published documentation.
//!
//! It shares no code with the generator. Its results are the same as with the Collector's own packages `pkg/ottl`,
//! `filterprocessor` and `confmap` at 0.153, which were compared once: Go is not among the tools of this repository. It
//! is stricter than the Collector: an unknown path, function or component, a value of another type and a single dollar
//! sign are errors.

mod eval;
mod parse;

use serde_yaml_ng::Value as Yaml;

use eval::{Evaluator, execute, holds};
pub use eval::{Record, Value};
use parse::{Condition, Statement, condition, statement};

/// A pipeline of logs: a `transform`, a `filter` and a `groupbyattrs` processor.
pub struct Pipeline {
    groups: Vec<Group>,
    drops: Vec<Condition>,
    resource_keys: Vec<String>,
}

struct Group {
    conditions: Vec<Condition>,
    statements: Vec<Statement>,
}

impl Pipeline {
    /// Reads the processors of the pipeline `logs/kaudit` of a configuration.
    pub fn read(configuration: &Yaml) -> Self {
        let pipeline = &configuration["service"]["pipelines"]["logs/kaudit"];
        let processors: Vec<&str> =
            pipeline["processors"].as_sequence().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(processors, ["transform/kaudit", "filter/kaudit", "groupbyattrs/kaudit", "batch/kaudit"]);
        let processors = &configuration["processors"];
        let groups =
            texts_or_maps(&processors["transform/kaudit"]["log_statements"]).iter().map(group).collect();
        let drops = strings(&processors["filter/kaudit"]["log_conditions"]);
        Self {
            groups,
            drops: drops
                .iter()
                .map(|text| condition(text).unwrap_or_else(|error| panic!("{text}: {error}")))
                .collect(),
            resource_keys: strings(&processors["groupbyattrs/kaudit"]["keys"]),
        }
    }

    /// Processes a record that arrives at a time; `None`: it is dropped.
    ///
    /// Also returns the errors, which the Collector logs and ignores (`error_mode: ignore`).
    pub fn process(&self, mut record: Record, now_ns: i64) -> (Option<Record>, Vec<String>) {
        let mut errors = Vec::new();
        let evaluator = Evaluator { now_ns };
        for Group { conditions, statements } in &self.groups {
            let mut applies = conditions.is_empty();
            for condition in conditions {
                applies |= result(holds(&evaluator, condition, &record), &mut errors);
            }
            for statement in statements.iter().filter(|_| applies) {
                result(execute(&evaluator, statement, &mut record).map(|()| true), &mut errors);
            }
        }
        let dropped =
            self.drops.iter().any(|condition| result(holds(&evaluator, condition, &record), &mut errors));
        for key in &self.resource_keys {
            if let Some(value) = record.attributes.remove(key) {
                record.resource.insert(key.clone(), value);
            }
        }
        ((!dropped).then_some(record), errors)
    }
}

fn result(outcome: Result<bool, String>, errors: &mut Vec<String>) -> bool {
    outcome.unwrap_or_else(|error| {
        errors.push(error);
        false
    })
}

fn group(node: &Yaml) -> Group {
    let condition = |text: &String| condition(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let statement = |text: &String| statement(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    Group {
        conditions: strings(&node["conditions"]).iter().map(condition).collect(),
        statements: strings(&node["statements"]).iter().map(statement).collect(),
    }
}

fn texts_or_maps(node: &Yaml) -> Vec<Yaml> {
    node.as_sequence().cloned().unwrap_or_default()
}

fn strings(node: &Yaml) -> Vec<String> {
    texts_or_maps(node).iter().map(|item| expand(item.as_str().unwrap())).collect()
}

/// Expands a value of the Collector's configuration: `$$` is a dollar sign, `${env:NAME}` a variable.
pub fn expand(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else {
            let (name, after) = after
                .strip_prefix("{env:")
                .and_then(|after| after.split_once('}'))
                .unwrap_or_else(|| panic!("a single dollar sign: {text}"));
            out.extend(["<", name, ">"]);
            after
        };
    }
    out + rest
}
