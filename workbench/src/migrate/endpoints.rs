//! Replaces old endpoints and removes secrets.

use std::ops::Range;

use kaudit_filter::config::{self, Code, Diagnostic, Shape};
use saphyr::{LoadableYamlNode as _, YamlData};

use super::lines::Lines;
use super::yaml::{Node, get, scalar};

/// Returns the shape that every endpoint of Coralogix's in a list accepts, if it is not the default.
pub fn shape(list: &str) -> Option<Shape> {
    let documents = Node::load_from_str(list).ok()?;
    let YamlData::Sequence(items) = &documents.first()?.data else { return None };
    let mut uris = items
        .iter()
        .filter_map(|item| scalar(get(get(item, "target")?, "http-api-uri")?))
        .filter(|uri| uri.contains("coralogix") || uri.contains("<domain>"))
        .map(|uri| uri.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/'))
        .peekable();
    uris.peek()?;
    uris.all(|uri| uri.ends_with("/logs/v1/bulk")).then_some(Shape::Bulk)
}

/// Replaces old endpoints and removes plain-text secrets, as `check` finds them.
pub fn replace(
    text: &str,
    shape: Option<Shape>,
    lines_of_file: &Lines<'_>,
    changes: &mut Vec<String>,
) -> String {
    let checked = config::check("", text, &config::NoFiles, &[]);
    let mut lines: Vec<Vec<char>> = text.split('\n').map(|line| line.chars().collect()).collect();
    let mut edits: Vec<(&Diagnostic, String)> = Vec::new();
    for remark in &checked.diagnostics {
        match remark.code() {
            Code::OldEndpoint => {
                let mut current = remark.help().split('`').nth(1).unwrap_or_default().to_owned();
                if shape == Some(Shape::Bulk) {
                    current = current.replace("/singles", "/bulk");
                }
                changes.push(format!(
                    "{}: the endpoint was replaced by the current one, `{current}`",
                    lines_of_file.position(remark.line())
                ));
                edits.push((remark, format!("\"{current}\"")));
            }
            Code::PlainSecret => {
                changes.push(format!(
                    "{}: a secret was removed; the agent has it, and the filter needs none",
                    lines_of_file.position(remark.line())
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
        let Some(user) = user_info(&line) else { return line };
        changes.push(format!(
            "{}: the user name and password in a URI were removed; the filter needs none",
            lines_of_file.position(number)
        ));
        [&line[..user.start], &line[user.end..]].concat()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the range of `user:password@` in the line's `http-api-uri`.
fn user_info(line: &str) -> Option<Range<usize>> {
    let start = line.find("http-api-uri")?;
    let start = start + line[start..].find("://")? + 3;
    let rest = &line[start..];
    let host = &rest[..rest.find(['/', '?', '#', ' ', '\'', '"', '}']).unwrap_or(rest.len())];
    Some(start..start + host.rfind('@')? + 1)
}
