//! The settings with which Vector keeps events through failures.

use super::report::CheckResult;
use super::settings::{is_on, matches};
use super::version::at_least;
use super::yaml::{Node, items, member, members, plain, root};

/// A named check with its result.
type Check = (&'static str, CheckResult);

/// Checks the pipeline of the module.
pub fn check(text: &str, version: Option<&str>) -> Vec<Check> {
    let Some(root) = root(text) else { return Vec::new() };
    let filters: Vec<&str> =
        section(&root, "transforms").filter(|(_, one)| is_ours(one)).map(|(name, _)| name).collect();
    if filters.is_empty() {
        let text = "no `lua` transform with `require(\"kaudit\")` in this file; its settings are not checked"
            .to_owned();
        return vec![("filter", CheckResult::Warned(text))];
    }
    let sinks = sinks(&root, filters);
    vec![
        ("buffer", buffer(&sinks)),
        ("acks", acknowledgements(&root, &sinks)),
        ("secrets", secrets(text, &sinks, version)),
    ]
}

fn section<'n, 's>(root: &'n Node<'s>, key: &str) -> impl Iterator<Item = (&'n str, &'n Node<'s>)> {
    member(root, key).into_iter().flat_map(members)
}

fn is_ours(transform: &Node<'_>) -> bool {
    let source = member(transform, "source").and_then(plain).unwrap_or_default();
    member(transform, "type").and_then(plain).as_deref() == Some("lua") && source.contains("kaudit")
}

/// Sinks that need no buffer on disk: they write at once, or have no events.
const LOCAL: [&str; 4] = ["blackhole", "console", "file", "prometheus_exporter"];

/// Returns the remote sinks that get events of these transforms, through other transforms or not.
fn sinks<'n, 's>(root: &'n Node<'s>, filters: Vec<&'n str>) -> Vec<(&'n str, &'n Node<'s>)> {
    let mut origins = filters;
    let gets = |node: &Node<'_>, origins: &[&str]| {
        let inputs = member(node, "inputs").map(items).unwrap_or_default();
        let mut inputs = inputs.iter().filter_map(plain);
        // An output of a component is `name.output`.
        inputs.any(|input| {
            origins.iter().any(|name| {
                matches(&input, name) || input.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
            })
        })
    };
    loop {
        let next =
            section(root, "transforms").find(|(name, node)| !origins.contains(name) && gets(node, &origins));
        let Some((name, _)) = next else { break };
        origins.push(name);
    }
    let is_remote = |node| {
        let kind = member(node, "type").and_then(plain).unwrap_or_default();
        !LOCAL.contains(&kind.as_str())
    };
    section(root, "sinks").filter(|(_, node)| gets(node, &origins) && is_remote(node)).collect()
}

fn line(node: &Node<'_>) -> usize {
    node.span.start.line()
}

fn buffer(sinks: &[(&str, &Node<'_>)]) -> CheckResult {
    let kind = |sink| member(sink, "buffer").and_then(|buffer| member(buffer, "type")).and_then(plain);
    match sinks.iter().find(|(_, sink)| kind(sink).as_deref() != Some("disk")) {
        Some((name, sink)) => CheckResult::Warned(format!(
            "line {}: the events of the sink `{name}` wait in memory and are lost at a restart: write `buffer: {{type: \
             disk, max_size: 536870912, when_full: block}}` in it",
            line(sink)
        )),
        None if sinks.is_empty() => {
            CheckResult::Warned("no remote sink in this file gets the events of the transform".to_owned())
        }
        None => CheckResult::Passed("events wait on disk".to_owned()),
    }
}

/// The transform creates new events, so that a source gets its acknowledgement before the sink has sent them.
fn acknowledgements(root: &Node<'_>, sinks: &[(&str, &Node<'_>)]) -> CheckResult {
    let enabled = |node| {
        let setting = member(node, "acknowledgements")?;
        let value = member(setting, "enabled").unwrap_or(setting);
        plain(value).is_some_and(|value| is_on(&value)).then(|| line(setting))
    };
    let set = enabled(root).or_else(|| sinks.iter().find_map(|(_, sink)| enabled(sink)));
    match set {
        Some(line) => CheckResult::Warned(format!(
            "line {line}: `acknowledgements` end at the `lua` transform, which creates new events: a source gets its \
             acknowledgement before they are sent. A buffer on disk keeps them; remove the setting"
        )),
        None => CheckResult::Passed("none: they would end at the `lua` transform".to_owned()),
    }
}

fn secrets(text: &str, sinks: &[(&str, &Node<'_>)], version: Option<&str>) -> CheckResult {
    const BACKEND: &str = "write `secret: {kaudit: {type: directory, path: /etc/kaudit/secrets}}` and \
                           `SECRET[kaudit.PRIVATE_KEY]`";
    let substitutes = version.is_some_and(|version| !at_least(version, (0, 57)));
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with('#'));
    let variable = lines.find(|(_, line)| line.replace("$$", "").contains("${"));
    let token = |sink| {
        let auth = member(sink, "auth").and_then(|auth| member(auth, "token"));
        let headers = member(sink, "request").and_then(|request| member(request, "headers"));
        let header = headers
            .into_iter()
            .flat_map(members)
            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        auth.or(header.map(|(_, value)| value))
    };
    let is_literal =
        |node: &&Node<'_>| plain(node).is_some_and(|text| !text.contains("SECRET[") && !text.contains("${"));
    if let Some(token) = sinks.iter().filter_map(|(_, sink)| token(sink)).find(is_literal) {
        return CheckResult::Warned(format!("line {}: the key is in the file: {BACKEND}", line(token)));
    }
    match variable {
        Some((number, _)) if !substitutes => CheckResult::Warned(format!(
            "line {number}: from 0.57 on, Vector substitutes no variable unless it is started with \
             `--dangerously-allow-env-var-interpolation`; for a key, {BACKEND}"
        )),
        _ => CheckResult::Passed("no key and no variable in the file".to_owned()),
    }
}
