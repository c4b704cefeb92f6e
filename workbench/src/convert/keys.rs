//! The keys of a configuration, each with its position.

use kaudit_filter::config::{Config, FileLoader};
use saphyr::{LoadableYamlNode as _, YamlData};

use crate::migrate::inputs::{Input, MigrationInput, Refusal, lines_before, migration_input};
use crate::migrate::lines::Lines;
use crate::migrate::yaml::{Node, scalar};

/// A key of the input. The items of `severity` and `redact` are one key each, and so are a limit and a policy.
#[derive(Debug)]
pub struct Key {
    /// Its path: `integrations[0].data-filter.etype`.
    pub path: String,
    /// Its file and line.
    pub position: String,
    /// The index of its integration in [`Config::integrations`].
    pub integration: Option<usize>,
    /// Its value, if it is a text. It may be a secret.
    pub value: Option<String>,
}

impl Key {
    /// Returns the path without indices: `integrations[].data-filter.etype`.
    pub fn option(&self) -> String {
        let mut out = String::new();
        let mut rest = self.path.as_str();
        while let Some((before, after)) = rest.split_once('[') {
            out.push_str(before);
            out.push_str("[]");
            rest = after.split_once(']').map_or("", |(_, after)| after);
        }
        out + rest
    }
}

/// Returns the keys of a configuration and of the file of its `integrations-file`.
///
/// # Errors
/// The file has no list of integrations.
pub fn keys(input: &Input<'_>, config: &Config, files: &dyn FileLoader) -> Result<Vec<Key>, Refusal> {
    let mut keys = file_keys(input, config)?;
    let listed = keys.iter().find(|key| key.path == "integrations-file").and_then(|key| key.value.clone());
    if let Some(path) = listed
        && let Ok(text) = files.load(&path)
    {
        keys.extend(file_keys(&Input { name: &files.name(&path), text: &text }, config)?);
    }
    Ok(keys)
}

fn file_keys(input: &Input<'_>, config: &Config) -> Result<Vec<Key>, Refusal> {
    let MigrationInput { text, is_document } = migration_input(input.text, &mut Vec::new())?;
    let before = lines_before(&text, config);
    // A document that names another file for its list has no integration of its own.
    let own_list = !is_document || text.lines().any(|line| line.starts_with("integrations:"));
    let lines = Lines { file: input.name, before: if own_list { before } else { 0 } };
    let documents = Node::load_from_str(&text).map_err(|error| Refusal::Other(error.to_string()))?;
    let mut walk = Walk { lines, keys: Vec::new(), integrations: 0, integration: None };
    for root in &documents {
        match &root.data {
            YamlData::Sequence(items) => walk.integrations(items),
            YamlData::Mapping(_) => walk.members(root, ""),
            _ => {}
        }
    }
    Ok(walk.keys)
}

struct Walk<'l> {
    lines: Lines<'l>,
    keys: Vec<Key>,
    /// The number of integrations so far.
    integrations: usize,
    /// The index of the integration that is being read.
    integration: Option<usize>,
}

impl Walk<'_> {
    fn push(&mut self, path: &str, line: usize, value: Option<&str>) {
        self.keys.push(Key {
            path: path.to_owned(),
            position: self.lines.position(line),
            integration: self.integration,
            value: value.map(str::to_owned),
        });
    }

    fn members(&mut self, node: &Node<'_>, path: &str) {
        let YamlData::Mapping(members) = &node.data else { return };
        for (key, value) in members {
            self.member(key, value, path);
        }
    }

    fn member(&mut self, key: &Node<'_>, value: &Node<'_>, path: &str) {
        let Some(name) = scalar(key) else { return };
        let line = key.span.start.line();
        let child = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match (&value.data, child.as_str()) {
            // A merge key adds the members of its value.
            (YamlData::Mapping(_), _) if name == "<<" => self.members(value, path),
            (YamlData::Sequence(items), "integrations") => self.integrations(items),
            (YamlData::Sequence(items), "severity" | "redact") => {
                for (index, item) in items.iter().enumerate() {
                    self.push(&format!("{child}[{index}]"), item.span.start.line(), None);
                }
            }
            (YamlData::Sequence(items), _) if name == "target" => self.older_target(items, &child),
            (YamlData::Mapping(_), _) if name == "rate-limit" && path.ends_with(".target") => {
                self.push(&child, line, None);
            }
            (YamlData::Mapping(members), _) if !members.is_empty() => self.members(value, &child),
            _ => self.push(&child, line, scalar(value)),
        }
    }

    fn integrations(&mut self, items: &[Node<'_>]) {
        for (index, item) in items.iter().enumerate() {
            let YamlData::Mapping(members) = &item.data else { continue };
            let values_only =
                members.iter().all(|(key, _)| scalar(key).is_some_and(|key| key.starts_with("val-")));
            if !values_only {
                self.integration = Some(self.integrations);
                self.integrations += 1;
            }
            self.members(item, &format!("integrations[{index}]"));
            self.integration = None;
        }
    }

    /// Reads a target of the older dialect, a list of one-key maps or pairs.
    fn older_target(&mut self, parts: &[Node<'_>], path: &str) {
        for part in parts {
            match &part.data {
                YamlData::Mapping(_) => self.members(part, path),
                YamlData::Sequence(pair) => match &pair[..] {
                    [kind, map] if matches!(map.data, YamlData::Mapping(_)) => {
                        let path = format!("{path}.target-type");
                        self.push(&path, kind.span.start.line(), scalar(kind));
                        self.members(map, path.trim_end_matches(".target-type"));
                    }
                    [key, value] => self.member(key, value, path),
                    _ => {}
                },
                _ => {}
            }
        }
    }
}

/// Returns the Coralogix domains of the integrations that are sent.
pub fn domains(keys: &[Key], config: &Config) -> Vec<String> {
    let mut domains = Vec::new();
    for key in keys.iter().filter(|key| key.path.ends_with(".target.http-api-uri")) {
        let integration = key.integration.and_then(|index| config.integrations.get(index));
        let sent = integration.is_some_and(|integration| integration.applies && !integration.stopped);
        if let (true, Some(domain)) = (sent, key.value.as_deref().and_then(domain))
            && !domains.contains(&domain)
        {
            domains.push(domain);
        }
    }
    domains
}

/// Returns the domain of an account, such as `eu2.coralogix.com`, from a URI.
fn domain(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next()?;
    let domain = ["ingress.", "api."].iter().find_map(|prefix| host.strip_prefix(prefix))?;
    let is_domain = domain.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-'));
    (is_domain && domain.contains("coralogix")).then(|| domain.to_ascii_lowercase())
}

/// Returns whether a document has this key at its top level.
pub fn has(keys: &[Key], section: &str) -> bool {
    keys.iter().any(|key| key.path == section || key.path.starts_with(&format!("{section}.")))
}

#[cfg(test)]
mod tests {
    use super::domain;

    #[test]
    fn the_domain_of_an_account_is_part_of_its_uri() {
        for (uri, expected) in [
            ("https://ingress.eu2.coralogix.com/logs/v1/singles", Some("eu2.coralogix.com")),
            ("https://me:secret@api.coralogix.us:443/api/v1/logs", Some("coralogix.us")),
            ("https://api.<domain>/logs/v1/bulk", None),
            ("https://kaudit.example.com/logs", None),
        ] {
            assert_eq!(domain(uri).as_deref(), expected, "{uri}");
        }
    }
}
