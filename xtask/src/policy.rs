//! The parts of `deny.toml` that need no network: licences, banned crates, sources.

use std::fs;

use serde_json::Value;
use toml::Table;

use crate::shell::{Done, metadata, root};

/// Checks every package in the lock file.
pub fn check() -> Done {
    let text = fs::read_to_string(root().join("deny.toml")).map_err(|error| format!("deny.toml: {error}"))?;
    let policy = Policy::parse(&text)?;
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().ok_or("cargo lists no packages")?;
    let nodes = metadata["resolve"]["nodes"].as_array().ok_or("cargo resolves no packages")?;
    let mut faults: Vec<String> = packages.iter().flat_map(|package| policy.faults(package)).collect();
    faults.extend(nodes.iter().flat_map(|node| policy.unwrapped(node)));
    if faults.is_empty() {
        eprintln!("{} packages meet deny.toml: licences, bans, sources", packages.len());
        return Ok(());
    }
    Err(format!("deny.toml does not allow\n  {}", faults.join("\n  ")))
}

struct Policy {
    licences: Vec<String>,
    /// Banned packages, each with the packages that may depend on it.
    banned: Vec<(String, Vec<String>)>,
}

/// The only source of dependencies.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

impl Policy {
    fn parse(text: &str) -> Done<Self> {
        let table: Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let list = |section: &str, key: &str| {
            let list =
                table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
            list.ok_or_else(|| format!("deny.toml has no list `{section}.{key}`"))
        };
        let licences = list("licenses", "allow")?.iter();
        let words = |value: &toml::Value| value.as_str().map(str::to_owned);
        let ban = |ban: &toml::Value| {
            let wrappers = ban.get("wrappers").and_then(toml::Value::as_array);
            Some((words(ban.get("crate")?)?, wrappers.into_iter().flatten().filter_map(words).collect()))
        };
        Ok(Self {
            licences: licences.filter_map(words).collect(),
            banned: list("bans", "deny")?.iter().filter_map(ban).collect(),
        })
    }

    /// Returns the faults of a package of cargo's metadata.
    fn faults(&self, package: &Value) -> Vec<String> {
        let name = package["name"].as_str().unwrap_or_default();
        let mut faults = Vec::new();
        match package["license"].as_str() {
            Some(licence) if self.permits(licence) => {}
            Some(licence) => faults.push(format!("{name}: licence `{licence}`")),
            None => faults.push(format!("{name}: no licence")),
        }
        if self.banned.iter().any(|(banned, wrappers)| banned == name && wrappers.is_empty()) {
            faults.push(format!("{name}: banned"));
        }
        // The workspace's own packages have no source.
        if let Some(source) = package["source"].as_str().filter(|source| *source != SOURCE) {
            faults.push(format!("{name}: source `{source}`"));
        }
        faults
    }

    /// Returns the banned packages that a node of cargo's graph depends on and may not.
    fn unwrapped(&self, node: &Value) -> Vec<String> {
        let name = package_name(&node["id"]);
        let needs: Vec<&str> =
            node["deps"].as_array().into_iter().flatten().map(|need| package_name(&need["pkg"])).collect();
        let breaches = self.banned.iter().filter(|(banned, wrappers)| {
            needs.contains(&banned.as_str()) && !wrappers.iter().any(|wrapper| wrapper == name)
        });
        breaches.map(|(banned, _)| format!("{name}: depends on `{banned}`, which is banned")).collect()
    }

    /// Whether an SPDX expression is met by allowed licences. What cannot be read is not.
    fn permits(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words: &[&str] = &spaced.split_whitespace().collect::<Vec<_>>();
        self.any(&mut words) && words.is_empty()
    }

    fn any(&self, words: &mut &[&str]) -> bool {
        let mut permitted = self.all(words);
        while let ["OR", rest @ ..] = words {
            *words = rest;
            permitted |= self.all(words);
        }
        permitted
    }

    fn all(&self, words: &mut &[&str]) -> bool {
        let mut permitted = self.one(words);
        while let ["AND", rest @ ..] = words {
            *words = rest;
            permitted &= self.one(words);
        }
        permitted
    }

    fn one(&self, words: &mut &[&str]) -> bool {
        let (licence, rest) = match *words {
            ["(", rest @ ..] => {
                *words = rest;
                let permitted = self.any(words);
                return match words {
                    [")", rest @ ..] => {
                        *words = rest;
                        permitted
                    }
                    _ => false,
                };
            }
            [licence, "WITH", exception, rest @ ..] => (format!("{licence} WITH {exception}"), rest),
            [licence, rest @ ..] => ((*licence).to_owned(), rest),
            [] => return false,
        };
        *words = rest;
        self.licences.contains(&licence)
    }
}

/// Returns the name in a package id, such as `registry+https://…#name@1.0.0`; in `path+file:///…/name#1.0.0` it is before
/// the `#`.
fn package_name(id: &Value) -> &str {
    let id = id.as_str().unwrap_or_default();
    let (source, fragment) = id.rsplit_once('#').unwrap_or_default();
    match fragment.split_once('@') {
        Some((name, _)) => name,
        None => source.rsplit('/').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_measured_against_the_policy() {
        let policy = Policy::parse(
            "licenses.allow = ['MIT', 'Zlib', 'Apache-2.0 WITH LLVM-exception']\nbans.deny = [{ crate = 'bad' }]",
        )
        .unwrap();
        for (name, licence, source, expected) in [
            ("a", Some("MIT"), None, ""),
            ("a", Some("GPL-3.0 OR MIT"), Some(SOURCE), ""),
            ("a", Some("GPL-3.0/MIT"), None, ""),
            ("a", Some("Apache-2.0 WITH LLVM-exception"), None, ""),
            ("a", Some("(GPL-3.0 OR MIT) AND Zlib"), None, ""),
            ("a", Some("GPL-3.0 OR (MIT AND Zlib)"), None, ""),
            ("a", Some("Apache-2.0"), None, "a: licence `Apache-2.0`"),
            ("a", Some("GPL-3.0 AND MIT"), None, "a: licence `GPL-3.0 AND MIT`"),
            ("a", Some("MIT MIT"), None, "a: licence `MIT MIT`"),
            ("a", Some("(MIT"), None, "a: licence `(MIT`"),
            ("a", None, None, "a: no licence"),
            ("bad", Some("MIT"), None, "bad: banned"),
            ("a", Some("MIT"), Some("git+https://example.org/a"), "a: source `git+https://example.org/a`"),
        ] {
            let package = serde_json::json!({ "name": name, "license": licence, "source": source });
            assert_eq!(policy.faults(&package).join("; "), expected, "{licence:?}");
        }
    }

    #[test]
    fn only_a_wrapper_may_depend_on_a_banned_package() {
        let policy =
            Policy::parse("licenses.allow = ['MIT']\nbans.deny = [{ crate = 'bad', wrappers = ['good'] }]")
                .unwrap();
        let bad = serde_json::json!({ "name": "bad", "license": "MIT" });
        assert_eq!(policy.faults(&bad), [""; 0]);
        let node =
            |id: &str| serde_json::json!({ "id": id, "deps": [{ "pkg": format!("{SOURCE}#bad@1.0.0") }] });
        assert_eq!(policy.unwrapped(&node(&format!("{SOURCE}#good@0.1.0"))), [""; 0]);
        for id in [format!("{SOURCE}#other@0.1.0"), "path+file:///somewhere/other#0.1.0".to_owned()] {
            assert_eq!(policy.unwrapped(&node(&id)), ["other: depends on `bad`, which is banned"]);
        }
    }
}
