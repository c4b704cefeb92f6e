//! Converts the older dialect's targets.

use saphyr::{LoadableYamlNode as _, YamlData};

use super::lines::Lines;
use super::yaml::{Node, get};

/// Converts the older dialect's targets, lists of one-key maps or pairs, to maps.
pub fn to_maps(text: &str, lines: &Lines<'_>, changes: &mut Vec<String>) -> String {
    let Ok(documents) = Node::load_from_str(text) else { return text.to_owned() };
    let root = documents.first();
    let list = root.and_then(|root| get(root, "integrations").or(Some(root)));
    let Some(YamlData::Sequence(items)) = list.map(|list| &list.data) else { return text.to_owned() };
    let chars: Vec<char> = text.chars().collect();
    let mut out = chars.clone();
    let mut messages = Vec::new();
    // From the end, so that earlier offsets stay valid.
    for item in items.iter().rev() {
        let Some(target) = get(item, "target") else { continue };
        let YamlData::Sequence(parts) = &target.data else { continue };
        let line = target.span.start.line();
        let Some(members) = target_members(parts, &chars) else {
            messages.push(format!(
                "{}: several targets are not converted; keep only the one for Coralogix",
                lines.position(line)
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
        messages.push(format!(
            "{}: the target was converted from the older dialect to a map",
            lines.position(line)
        ));
    }
    messages.reverse();
    changes.extend(messages);
    out.into_iter().collect()
}

/// Returns the members of an older target; `None`: there are several targets.
/// They are in the form in which they are written.
fn target_members(parts: &[Node<'_>], chars: &[char]) -> Option<Vec<String>> {
    let written = |node: &Node<'_>| -> String {
        let text: String = chars[node.span.start.index()..node.span.end.index()].iter().collect();
        // The parser's span of a quoted text includes the comment after it.
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
