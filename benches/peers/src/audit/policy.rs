//! The rules as a policy for the engine.

use std::fmt::Write as _;

use super::rules::{BLOCKS, Field, RULES, Test};

/// Returns the policy: blocks have the numbers from 1, rules those from 1001.
pub fn policy() -> String {
    let mut text = String::new();
    for (number, (name, all, tests)) in BLOCKS.iter().enumerate() {
        rule(&mut text, number + 1, name, false, *all, tests);
    }
    for (number, (name, tests)) in RULES.iter().enumerate() {
        rule(&mut text, number + 1001, name, true, true, tests);
    }
    text
}

fn rule(text: &mut String, id: usize, name: &str, reported: bool, all: bool, tests: &[Test]) {
    let op = if all { "and" } else { "or" };
    let _ =
        writeln!(text, "- id: {id}\n  name: {name}\n  status: {reported}\n  combine-op: {op}\n  conditions:");
    for test in tests {
        let condition = match test {
            Test::In(field, values) => condition(*field, "in", &list(values)),
            Test::NotIn(field, values) => condition(*field, "not-in", &list(values)),
            Test::Begins(field, values) => condition(*field, "'~'", &beginnings(values)),
            Test::NotBegins(field, values) => condition(*field, "'!~'", &beginnings(values)),
            Test::Code(code) => format!("field: status-code, match-op: '=', match-value: '{code}'"),
            Test::Succeeded => "field: status-code, match-op: '~', match-value: '^(2|101$)'".to_owned(),
            Test::Block(name) => format!("ref-id: {}", number(name)),
            Test::NotBlock(name) => format!("not-ref-id: {}", number(name)),
        };
        let _ = writeln!(text, "    - {{{condition}}}");
    }
}

fn condition(field: Field, op: &str, value: &str) -> String {
    let name = match field {
        Field::Principal => "principal",
        Field::Impersonated => "impersonated-principal",
        Field::Verb => "verb",
        Field::Uri => "uri",
        Field::Resource => "resource-type",
        Field::Subresource => "subresource",
        Field::Namespace => "resource-namespace",
        Field::Name => "resource-object-name",
        Field::Agent => "original-user-agent",
        Field::Address => "caller-ip",
    };
    format!("field: {name}, match-op: {op}, match-value: {value}")
}

fn list(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    format!("[{}]", quoted.join(", "))
}

fn beginnings(values: &[&str]) -> String {
    let escaped: Vec<String> = values.iter().map(|value| regex::escape(value)).collect();
    format!("'^({})'", escaped.join("|"))
}

/// Returns the number of a block.
fn number(name: &str) -> usize {
    let position = BLOCKS.iter().position(|block| block.0 == name);
    position.unwrap_or_else(|| panic!("no block `{name}`")) + 1
}
