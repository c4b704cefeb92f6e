//! Events for the comparison of the implementations: each rule selects one, and each differs from it in one field.

use serde_json::{Map, Value, json};

use super::rules::{BLOCKS, Field, RULES, Test};

/// Every field.
const FIELDS: [Field; 10] = [
    Field::Principal,
    Field::Impersonated,
    Field::Verb,
    Field::Uri,
    Field::Resource,
    Field::Subresource,
    Field::Namespace,
    Field::Name,
    Field::Agent,
    Field::Address,
];

/// The values of an event, in the order of [`FIELDS`], and its status code.
#[derive(Clone)]
struct Probe([String; 10], u16);

/// Returns the events as JSON.
pub fn probes() -> Vec<String> {
    let mut probes = Vec::new();
    for (_, tests) in RULES {
        let mut first = Probe(Default::default(), 200);
        let defaults = [
            (Field::Principal, "user-1@example.com"),
            (Field::Verb, "get"),
            (Field::Uri, "/api/v1/things"),
            (Field::Resource, "things"),
            (Field::Namespace, "payments"),
            (Field::Agent, "browser/1"),
            (Field::Address, "203.0.113.1"),
        ];
        for (field, value) in defaults {
            first.set(field, value);
        }
        tests.iter().for_each(|test| first.satisfy(test));
        for field in FIELDS {
            for value in values(field) {
                let mut probe = first.clone();
                probe.set(field, &value);
                probes.push(probe);
            }
        }
        probes.extend([101, 199, 201, 300, 401, 403, 500].map(|code| Probe(first.0.clone(), code)));
        probes.push(first);
    }
    probes.iter().enumerate().map(|(number, probe)| probe.event(number)).collect()
}

/// Returns the values of a field in the rules, and others.
fn values(field: Field) -> Vec<String> {
    let tests = BLOCKS.iter().flat_map(|block| block.2).chain(RULES.iter().flat_map(|rule| rule.1));
    let mut values = vec![String::new(), "198.51.100.1".to_owned()];
    for test in tests {
        match test {
            Test::In(of, texts) | Test::NotIn(of, texts) if *of == field => {
                values.extend(texts.iter().map(ToString::to_string));
            }
            Test::Begins(of, texts) | Test::NotBegins(of, texts) if *of == field => {
                values.extend(texts.iter().map(|text| longer(field, text)));
            }
            _ => {}
        }
    }
    values.sort();
    values.dedup();
    values
}

/// Returns a value that begins with a text.
fn longer(field: Field, text: &str) -> String {
    if field != Field::Address {
        return format!("{text}x");
    }
    let parts = text.split('.').filter(|part| !part.is_empty()).chain(["1"; 4]).take(4);
    parts.collect::<Vec<_>>().join(".")
}

impl Probe {
    fn get(&self, field: Field) -> &str {
        FIELDS.iter().position(|known| *known == field).map_or("", |index| &self.0[index])
    }

    fn set(&mut self, field: Field, value: &str) {
        if let Some(index) = FIELDS.iter().position(|known| *known == field) {
            self.0[index] = value.to_owned();
        }
    }

    /// Makes a condition true, if it is not so by default.
    fn satisfy(&mut self, test: &Test) {
        match test {
            Test::In(field, texts) => self.set(*field, texts[0]),
            Test::Begins(field, texts) => self.set(*field, &longer(*field, texts[0])),
            Test::NotIn(field, texts) if texts.contains(&self.get(*field)) => self.set(*field, "other"),
            Test::Code(code) => self.1 = *code,
            Test::Block(name) => {
                let (_, all, tests) =
                    BLOCKS.iter().find(|block| block.0 == *name).expect("a block of the table");
                tests.iter().take(if *all { tests.len() } else { 1 }).for_each(|test| self.satisfy(test));
            }
            Test::NotIn(..) | Test::NotBegins(..) | Test::Succeeded | Test::NotBlock(_) => {}
        }
    }

    fn event(&self, number: usize) -> String {
        let object = |members: &[(&str, Field)]| {
            let members = members.iter().map(|(key, field)| (key, self.get(*field)));
            let members = members.filter(|(_, value)| !value.is_empty());
            Value::Object(
                members.map(|(key, value)| ((*key).to_owned(), json!(value))).collect::<Map<_, _>>(),
            )
        };
        json!({
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": format!("probe-{number}"),
            "stage": "ResponseComplete",
            "requestURI": self.get(Field::Uri),
            "verb": self.get(Field::Verb),
            "user": object(&[("username", Field::Principal)]),
            "impersonatedUser": object(&[("username", Field::Impersonated)]),
            "sourceIPs": [self.get(Field::Address)],
            "userAgent": self.get(Field::Agent),
            "objectRef": object(&[
                ("resource", Field::Resource),
                ("namespace", Field::Namespace),
                ("name", Field::Name),
                ("subresource", Field::Subresource),
            ]),
            "responseStatus": {"metadata": {}, "code": self.1},
            "requestReceivedTimestamp": "2026-03-01T00:00:00.000000Z",
        })
        .to_string()
    }
}
