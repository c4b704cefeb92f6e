//! Turns kAudit's own configuration, in any dialect, into the filter's document, and says what changed.
//!
//! The text is edited where something has to change and left alone elsewhere, so that comments stay. What comes out is
//! read again and must mean what the original means, but for what is listed: a migration that would change what is
//! filtered is refused.

use std::ops::Range;

use kaudit_filter::config::{self, Code, Config, Diagnostic, Files};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use crate::check::Report;

type Node<'s> = MarkedYaml<'s>;

/// The new document.
#[derive(Debug)]
pub struct Migrated {
    /// Its text.
    pub text: String,
    /// What was changed, in sentences for the user.
    pub changes: Vec<String>,
    /// What is to be said of the document, in `check`'s words.
    pub remarks: Report,
}

/// Migrates a file's text; `name` is its name.
///
/// # Errors
/// What keeps it from being migrated, in lines for the user: its own mistakes first.
pub fn migrate(name: &str, text: &str, files: &dyn Files) -> Result<Migrated, Vec<String>> {
    let reading = config::read(name, text, files);
    let Some(original) = reading.config else {
        return Err(reading.diagnostics.iter().map(ToString::to_string).collect());
    };
    let mut changes = Vec::new();
    let Source { text, own } = source(text, &mut changes)?;
    let text = one_map_targets(&text, &mut changes);
    let text = older_words(&text, &mut changes);
    let text = endpoints_and_secrets(&text, &mut changes);
    let text = if own { text } else { document(&text, name, &original, &mut changes) };
    let mut remarks = Report::default();
    remarks.file("kaudit.yaml", &text, files);
    let result = config::read("kaudit.yaml", &text, files);
    match result.config {
        Some(result) if meaning(&result) == meaning(&original) => Ok(Migrated { text, changes, remarks }),
        Some(_) => Err(vec![format!(
            "{name}: the new document would not mean the same, so nothing is written; please report this file's form"
        )]),
        None => Err(result.diagnostics.iter().map(ToString::to_string).collect()),
    }
}

/// All that decides about findings.
fn meaning(config: &Config) -> String {
    let mut config = config.clone();
    config.integrations.iter_mut().for_each(|integration| integration.line = 0);
    format!("{config:?}")
}

/// The text of the list, or of a document that is the filter's own already.
struct Source {
    text: String,
    own: bool,
}

fn source(text: &str, changes: &mut Vec<String>) -> Result<Source, Vec<String>> {
    let documents = Node::load_from_str(text).map_err(|error| vec![error.to_string()])?;
    for root in &documents {
        if let Some((key, inner)) = of_manifest(root) {
            changes.push(format!("the text under `{key}` was taken out of its ConfigMap"));
            return Ok(Source { text: inner.to_owned(), own: key == "kaudit.yaml" });
        }
        match &root.data {
            YamlData::Sequence(_) => return Ok(Source { text: without_markers(text), own: false }),
            YamlData::Mapping(_) if get(root, "kind").is_none() => {
                return Ok(Source { text: text.to_owned(), own: true });
            }
            _ => {}
        }
    }
    Err(vec!["no list of integrations was found".to_owned()])
}

/// The configuration that a manifest holds, with its key.
fn of_manifest<'n>(root: &'n Node<'_>) -> Option<(&'static str, &'n str)> {
    if let Some(YamlData::Sequence(items)) = get(root, "items").map(|items| &items.data) {
        return items.iter().find_map(of_manifest);
    }
    get(root, "kind").and_then(scalar).filter(|kind| *kind == "ConfigMap")?;
    let data = get(root, "data")?;
    ["kaudit.yaml", "audit-integration"]
        .into_iter()
        .find_map(|key| Some((key, get(data, key).and_then(scalar)?)))
}

/// A bare list's file without the lines that begin and end a document.
fn without_markers(text: &str) -> String {
    let lines = text.trim_start_matches('\u{feff}').lines();
    lines
        .filter(|line| !matches!(line.trim_end(), "---" | "..."))
        .map(|line| line.to_owned() + "\n")
        .collect()
}

fn get<'n, 's>(node: &'n Node<'s>, key: &str) -> Option<&'n Node<'s>> {
    let YamlData::Mapping(members) = &node.data else { return None };
    members.iter().find(|(name, _)| scalar(name) == Some(key)).map(|(_, value)| value)
}

fn scalar<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text),
        _ => None,
    }
}

/// The older dialect's targets, lists of one-key maps or of pairs, as maps.
fn one_map_targets(text: &str, changes: &mut Vec<String>) -> String {
    let Ok(documents) = Node::load_from_str(text) else { return text.to_owned() };
    let root = documents.first();
    let list = root.and_then(|root| get(root, "integrations").or(Some(root)));
    let Some(YamlData::Sequence(items)) = list.map(|list| &list.data) else { return text.to_owned() };
    let chars: Vec<char> = text.chars().collect();
    let mut out = chars.clone();
    let mut told = Vec::new();
    // From the end, so that what stands before keeps its place.
    for item in items.iter().rev() {
        let Some(target) = get(item, "target") else { continue };
        let YamlData::Sequence(parts) = &target.data else { continue };
        let line = target.span.start.line();
        let Some(members) = members(parts, &chars) else {
            told.push(format!(
                "line {line} of the list: several targets stay as they are; keep the one for Coralogix"
            ));
            continue;
        };
        let start = target.span.start.index();
        let indent = start - chars[..start].iter().rposition(|c| *c == '\n').map_or(0, |line| line + 1);
        let own_lines = chars[start - indent..start].iter().all(|c| *c == ' ');
        let end = start
            + chars[start..target.span.end.index()]
                .iter()
                .rposition(|c| !c.is_whitespace())
                .map_or(0, |last| last + 1);
        let map = if own_lines {
            members.join(&format!("\n{:indent$}", ""))
        } else {
            format!("{{{}}}", members.join(", "))
        };
        out.splice(start..end, map.chars());
        told.push(format!("line {line} of the list: the target, a list in the older dialect, is a map"));
    }
    told.reverse();
    changes.extend(told);
    out.into_iter().collect()
}

/// The members of a target in the older dialect, as they are written; `None`: there are several targets.
fn members(parts: &[Node<'_>], chars: &[char]) -> Option<Vec<String>> {
    let written = |node: &Node<'_>| -> String {
        let text: String = chars[node.span.start.index()..node.span.end.index()].iter().collect();
        // To the parser the comment behind a quoted text belongs to it.
        let text = text.trim_end();
        match text.chars().next().filter(|quote| matches!(quote, '\'' | '"')) {
            Some(quote) => text[..=text.rfind(quote).unwrap_or(text.len() - 1)].to_owned(),
            None => text.to_owned(),
        }
    };
    let all = |node: &Node<'_>| -> Option<Vec<String>> {
        let YamlData::Mapping(members) = &node.data else { return None };
        Some(members.iter().map(|(key, value)| format!("{}: {}", written(key), written(value))).collect())
    };
    let mut found: Vec<String> = Vec::new();
    for part in parts {
        match &part.data {
            YamlData::Mapping(_) => found.extend(all(part)?),
            YamlData::Sequence(pair) => match &pair[..] {
                [kind, map] if matches!(map.data, YamlData::Mapping(_)) => {
                    found.push(format!("target-type: {}", written(kind)));
                    found.extend(all(map)?);
                }
                [key, value] => found.push(format!("{}: {}", written(key), written(value))),
                _ => return None,
            },
            _ => return None,
        }
    }
    let types = found.iter().filter(|member| member.starts_with("target-type:")).count();
    (types == 1).then_some(found)
}

fn older_words(text: &str, changes: &mut Vec<String>) -> String {
    let new = text.replace("alcide.category/", "");
    if new != text {
        changes.push("`alcide.category/incident` and `…/anomaly` are `incident` and `anomaly`".to_owned());
    }
    new
}

/// Present endpoints for old ones, and no secret in plain text. `check` knows where they stand.
fn endpoints_and_secrets(text: &str, changes: &mut Vec<String>) -> String {
    let checked = config::check("", text, &config::NoFiles);
    let mut lines: Vec<Vec<char>> = text.split('\n').map(|line| line.chars().collect()).collect();
    let mut edits: Vec<(&Diagnostic, String)> = Vec::new();
    for remark in &checked.diagnostics {
        match remark.code() {
            Code::OldEndpoint => {
                let modern = remark.help().split('`').nth(1).unwrap_or_default();
                changes.push(format!(
                    "line {} of the list: the endpoint is Coralogix's present one, `{modern}`",
                    remark.line()
                ));
                edits.push((remark, format!("\"{modern}\"")));
            }
            Code::PlainSecret => {
                changes.push(format!(
                    "line {} of the list: a secret was taken out; the agent has it, the filter needs none",
                    remark.line()
                ));
                edits.push((remark, "\"\"".to_owned()));
            }
            _ => {}
        }
    }
    edits.sort_by_key(|(remark, _)| std::cmp::Reverse((remark.line(), remark.column())));
    for (remark, new) in edits {
        if let Some(line) = lines.get_mut(remark.line() - 1) {
            let start = (remark.column() - 1).min(line.len());
            let end = (start + remark.width()).min(line.len());
            line.splice(start..end, new.chars());
        }
    }
    let lines = (1..).zip(lines).map(|(number, line)| {
        let line: String = line.into_iter().collect();
        let Some(user) = user(&line) else { return line };
        changes.push(format!(
            "line {number} of the list: the name and password of a URI were taken out; the filter needs none"
        ));
        [&line[..user.start], &line[user.end..]].concat()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the `user:password@` of the line's `http-api-uri` stands.
fn user(line: &str) -> Option<Range<usize>> {
    let start = line.find("http-api-uri")?;
    let start = start + line[start..].find("://")? + 3;
    let rest = &line[start..];
    let host = &rest[..rest.find(['/', '?', '#', ' ', '\'', '"', '}']).unwrap_or(rest.len())];
    Some(start..start + host.rfind('@')? + 1)
}

/// The filter's document around a list.
fn document(list: &str, name: &str, original: &Config, changes: &mut Vec<String>) -> String {
    let mut lines = vec![format!("# Made by `kaudit-filter migrate` of {name}."), String::new()];
    if original.integrations.iter().any(|integration| integration.rate_limit.is_some()) {
        lines.push(
            "# What `rate-limit: 10` means. kAudit does not say; the filter takes it for ten a second."
                .to_owned(),
        );
        lines.push("rate-limit: {period: 1s}".to_owned());
        lines.push(String::new());
        changes.push(
            "the period of the rate limits is stated: `rate-limit: {period: 1s}`, the default".to_owned(),
        );
    }
    lines.push("integrations:".to_owned());
    lines.extend(
        list.trim_end()
            .lines()
            .map(|line| if line.trim().is_empty() { String::new() } else { format!("  {line}") }),
    );
    changes.push("the list stands under `integrations`".to_owned());
    lines.join("\n") + "\n"
}
