//! The settings of Fluent Bit that are checked, from either format.

use std::collections::BTreeMap;

/// The sections of a configuration, with the files that it includes.
#[derive(Debug, Default)]
pub struct Settings {
    pub sections: Vec<Section>,
}

/// A section; names of kinds and keys are in lower case.
#[derive(Debug)]
pub struct Section {
    pub kind: String,
    pub line: usize,
    /// The index of the input of a processor.
    pub input: Option<usize>,
    values: BTreeMap<String, String>,
}

impl Section {
    /// Returns a section without values.
    pub fn new(kind: &str, line: usize) -> Self {
        Self { kind: kind.to_ascii_lowercase(), line, input: None, values: BTreeMap::new() }
    }

    /// Sets a value.
    pub fn set(&mut self, key: &str, value: &str) {
        self.values.insert(key.to_ascii_lowercase(), value.to_owned());
    }

    /// Returns a value.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Returns the name of the plugin.
    pub fn name(&self) -> &str {
        self.get("name").unwrap_or_default()
    }
}

impl Settings {
    /// Returns the sections of a kind, with their indices.
    pub fn of<'s>(&'s self, kind: &str) -> impl Iterator<Item = (usize, &'s Section)> {
        self.sections.iter().enumerate().filter(move |(_, section)| section.kind == kind)
    }

    /// Returns a setting of the service; a later section has precedence.
    pub fn service(&self, key: &str) -> Option<&str> {
        self.of("service").filter_map(|(_, section)| section.get(key)).last()
    }
}

/// Returns whether a value is on, as agents spell it.
pub fn is_on(value: &str) -> bool {
    ["on", "true", "yes"].iter().any(|on| value.eq_ignore_ascii_case(on))
}

/// Returns whether a text matches a pattern in which `*` is any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(first) else { return false };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.filter_map(|at| text.get(at..)).any(|text| matches(rest, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_a_tag() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("kaudit.*", "kaudit.http", true),
            ("kaudit.*", "kaudit.*", true),
            ("kaudit.*", "kube.kaudit", false),
            ("*.http", "kaudit.http", true),
            ("k*t.*", "kaudit.x", true),
            ("kaudit", "kaudit.x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
