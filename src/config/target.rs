//! Reads an integration's target, or targets, in the three forms that kAudit has had.
//!
//! Most of a target's values are secrets or may be, so no message repeats one, but numbers and truth values.

use std::collections::HashMap;

use super::advice;
use super::endpoint::{self, Endpoint};
use super::integrations::Defaults;
use super::read::BY;
use super::report::{Place, Report, quote};
use super::section::{Field, Section, nearest, shape};
use super::values::{COUNT, PERIODS, among, boolean, duration, whole};
use super::variables;
use super::yaml::{Member, Node, Value};
use super::{RateLimit, Shape};
use crate::error::Code;

/// Values without secrets: these are repeated in messages.
const PLAIN: &[&str] = &["rate-limit", "stopped", "syslog-port", "syslog-tcp"];
const TYPES: &[&str] = &["http-api", "slack", "syslog", "kafka", "azure", "aws-security-hub", "aws-s3"];

/// One destination of an integration.
pub(super) struct Target {
    pub(super) stopped: bool,
    /// An `http-api` of Coralogix's.
    pub(super) coralogix: bool,
    pub(super) rate_limit: Option<RateLimit>,
    /// The limit is a number whose period is stated nowhere.
    pub(super) bare: Option<Bare>,
    /// The URI is that of the other shape's endpoint.
    pub(super) other: Option<Other>,
}

/// The place of a URI whose endpoint takes another shape than the configured one.
pub(super) struct Other {
    pub(super) at: Place,
    pub(super) path: String,
    /// The shape that the endpoint takes.
    pub(super) shape: Shape,
}

/// Where a bare limit stands.
pub(super) struct Bare {
    pub(super) at: Place,
    pub(super) path: String,
}

/// The values of references, `val-…`, wherever they stand in the documents.
pub(super) fn secrets<'n>(scopes: &[&'n Node]) -> HashMap<&'n str, &'n Node> {
    let mut secrets = HashMap::new();
    let mut rest: Vec<&Node> = scopes.to_vec();
    while let Some(node) = rest.pop() {
        match &node.value {
            Value::List(items) => rest.extend(items),
            Value::Map(members) => {
                for Member { key, node, .. } in members {
                    if key.starts_with("val-") {
                        secrets.insert(key.as_str(), node);
                    }
                    rest.push(node);
                }
            }
            Value::Scalar(_) | Value::Bad => {}
        }
    }
    secrets
}

/// The targets of an integration; those with errors are left out.
pub(super) fn read(
    report: &mut Report,
    integration: &Section<'_>,
    secrets: &HashMap<&str, &Node>,
    defaults: &Defaults<'_>,
) -> Vec<Target> {
    let Some(field) = integration.get("target") else { return Vec::new() };
    let groups = match &field.node.value {
        Value::Map(members) => vec![members.iter().map(Field::from).collect()],
        Value::List(items) => group(report, items, &integration.path_of("target")),
        _ => {
            let field = Field { secret: true, ..*field };
            integration.refuse(report, &field, field.node);
            return Vec::new();
        }
    };
    let mut targets = Vec::new();
    for fields in groups {
        let path = integration.path_of("target");
        let fields: Vec<Field<'_>> = fields;
        let promised = fields.iter().any(|field| field.key == "ref/http-api-uri");
        let fields = fields.into_iter().filter_map(|field| resolve(report, &path, field, secrets)).collect();
        let section = Section::of(fields, field.node.at, "integrations[].target", path);
        targets.extend(target(report, &section, promised, defaults));
    }
    targets
}

/// The older dialect's list: maps of one key, pairs of a key and its value, or pairs of a type and its map. A further
/// type begins a further target.
fn group<'n>(report: &mut Report, items: &'n [Node], path: &str) -> Vec<Vec<Field<'n>>> {
    let mut groups: Vec<Vec<Field<'n>>> = Vec::new();
    for item in items {
        let fields = match &item.value {
            Value::Map(members) => members.iter().map(Field::from).collect(),
            Value::List(pair) => of_pair(pair),
            _ => Vec::new(),
        };
        if fields.is_empty() {
            let message = format!("expected a map of one key or a pair, found {}", shape(item));
            report.say(Code::TargetList, item.at, path, message, "write the target as one map");
        }
        for field in fields {
            match groups.last_mut() {
                Some(group) if field.key != "target-type" || !group.iter().any(is_type) => {
                    if group.iter().any(|other| other.key == field.key) {
                        let message = format!("duplicate key {}", quote(field.key));
                        report.say(Code::DuplicateKey, field.at, path, message, "remove one of the two");
                    } else {
                        group.push(field);
                    }
                }
                _ => groups.push(vec![field]),
            }
        }
    }
    groups
}

fn is_type(field: &Field<'_>) -> bool {
    field.key == "target-type"
}

fn of_pair(pair: &[Node]) -> Vec<Field<'_>> {
    let [name, value] = pair else { return Vec::new() };
    let Value::Scalar(text) = &name.value else { return Vec::new() };
    match &value.value {
        Value::Map(members) => {
            let kind = Field { key: "target-type", at: name.at, node: name, secret: false };
            core::iter::once(kind).chain(members.iter().map(Field::from)).collect()
        }
        _ => vec![Field { key: &text.text, at: name.at, node: value, secret: false }],
    }
}

/// Puts the value of a reference in its place, and marks what no message may repeat.
fn resolve<'n>(
    report: &mut Report,
    path: &str,
    field: Field<'n>,
    secrets: &HashMap<&str, &'n Node>,
) -> Option<Field<'n>> {
    let Some(key) = field.key.strip_prefix("ref/") else {
        if let Value::Scalar(scalar) = &field.node.value {
            let path = format!("{path}.{}", field.key);
            advice::secret(report, &path, field.key, field.node.at, &scalar.text);
        }
        return Some(Field { secret: !PLAIN.contains(&field.key), ..field });
    };
    let path = format!("{path}.ref/{key}");
    let name = match &field.node.value {
        Value::Scalar(scalar) if scalar.text.starts_with("val-") => scalar.text.as_str(),
        _ => {
            let message = format!("expected the name of a `val-…` key, found {}", shape(field.node));
            report.say(
                Code::Reference,
                field.node.at,
                &path,
                message,
                "write `ref/http-api-token: val-token`",
            );
            return None;
        }
    };
    let Some(node) = secrets.get(name) else {
        let message = format!("no key {} is found, so the field stays unset", quote(name));
        report.say(
            Code::ReferenceUnset,
            field.node.at,
            &path,
            message,
            "give the key and its value anywhere in the same document",
        );
        return None;
    };
    if let Value::Scalar(scalar) = &node.value {
        advice::secret(report, &path, key, node.at, &scalar.text);
    }
    Some(Field { key, at: field.at, node, secret: true })
}

/// `promised`: the URI is given by a reference, whose value may not be there.
fn target(
    report: &mut Report,
    section: &Section<'_>,
    promised: bool,
    defaults: &Defaults<'_>,
) -> Option<Target> {
    let kind = target_type(report, section);
    section.check(report, kind);
    let stopped = section.value(report, "stopped", boolean).unwrap_or(false);
    let (rate_limit, bare) = rate_limit(report, section, defaults);
    section.value(report, "syslog-port", whole(1..=u16::MAX));
    section.value(report, "syslog-tcp", boolean);
    for field in section.fields() {
        let unread = !PLAIN.contains(&field.key) && field.key != "http-api-uri" && section.knows(field.key);
        if unread && !matches!(field.node.value, Value::Scalar(_)) {
            section.refuse(report, field, field.node);
        }
    }
    let (coralogix, other) = match kind {
        Some("http-api") => coralogix_uri(report, section, promised, defaults),
        _ => (false, None),
    };
    kind.map(|_| Target { stopped, coralogix, rate_limit, bare, other })
}

/// The type; an unknown one is not repeated, as in the older dialect's pairs a secret may stand in its place.
fn target_type(report: &mut Report, section: &Section<'_>) -> Option<&'static str> {
    let Some(field) = section.get("target-type") else {
        section.missing(report, "target-type");
        return None;
    };
    let Value::Scalar(scalar) = &field.node.value else { return None };
    let kind = TYPES.iter().find(|kind| **kind == scalar.text).copied();
    if kind.is_none() {
        let help = nearest(&scalar.text, TYPES.iter().copied());
        let help = help
            .map_or_else(|| format!("one of {}", TYPES.join(", ")), |near| format!("did you mean `{near}`?"));
        report.say(
            Code::TargetType,
            field.node.at,
            &section.path_of("target-type"),
            "unknown type of target",
            help,
        );
    }
    kind
}

/// Examines the URI: whether it is one of Coralogix's, and the shape that it takes if that is not the configured one.
fn coralogix_uri(
    report: &mut Report,
    section: &Section<'_>,
    promised: bool,
    defaults: &Defaults<'_>,
) -> (bool, Option<Other>) {
    let Some(field) = section.get("http-api-uri") else {
        if !promised {
            section.missing(report, "http-api-uri");
        }
        return (false, None);
    };
    let path = section.path_of("http-api-uri");
    let variable = match &field.node.value {
        Value::Scalar(scalar) => variables::find(&scalar.text).map(|span| (span, scalar.text.as_str())),
        _ => None,
    };
    if let Some((span, text)) = &variable {
        let name = quote(&variables::name(text, span));
        let place = field.node.place_of(span.clone());
        if endpoint::recognise(text).is_none() {
            let message =
                format!("expected an http or https URI, found the variable {name}, which is not substituted");
            report.say(Code::Value, place, &path, message, variables::HELP);
            return (false, None);
        }
        let message = format!("the variable {name} is not substituted");
        report.say(Code::Variable, place, &path, message, variables::HELP);
    }
    let Some(Endpoint::Coralogix { modern, placeholder, shape }) =
        section.value(report, "http-api-uri", endpoint::recognise)
    else {
        return (false, None);
    };
    if placeholder && variable.is_none() {
        let message = "`<domain>` has to be replaced";
        report.say(
            Code::Placeholder,
            field.node.at,
            &path,
            message,
            "put in your Coralogix domain, such as `eu2.coralogix.com`",
        );
    }
    if let Some(modern) = modern {
        let message = "an old form of Coralogix's endpoint";
        report.say(
            Code::OldEndpoint,
            field.node.at,
            &path,
            message,
            format!("let the agent send to `{modern}/{}`", defaults.shape.word()),
        );
        return (true, None);
    }
    let other = shape.filter(|shape| *shape != defaults.shape);
    (true, other.map(|shape| Other { at: field.node.at, path, shape }))
}

fn rate_limit(
    report: &mut Report,
    target: &Section<'_>,
    defaults: &Defaults<'_>,
) -> (Option<RateLimit>, Option<Bare>) {
    let Some(field) = target.get("rate-limit") else { return (None, None) };
    let limits = defaults.limits;
    let limit = RateLimit { limit: 0, period_ns: limits.period_ns, burst: 0, by: limits.by };
    if !matches!(field.node.value, Value::Map(_)) {
        let number = limit_of(report, target, "rate-limit");
        let bare =
            (!defaults.period_stated).then(|| Bare { at: field.node.at, path: target.path_of("rate-limit") });
        let limit =
            number.map(|number| RateLimit { limit: number, burst: limits.burst.unwrap_or(number), ..limit });
        return (limit, bare);
    }
    let section = target.section(report, "rate-limit");
    section.check(report, None);
    let Some(_) = section.get("limit") else {
        section.missing(report, "limit");
        return (None, None);
    };
    let number = limit_of(report, &section, "limit");
    let mut limit = limit;
    section.set(report, "period", &mut limit.period_ns, duration(PERIODS));
    section.set(report, "by", &mut limit.by, among(BY));
    let burst = section.value(report, "burst", whole(COUNT)).or(limits.burst);
    let bare = section.get("period").is_none() && !section.merges() && !defaults.period_stated;
    let bare = bare.then(|| Bare { at: section.at, path: section.path.clone() });
    (number.map(|number| RateLimit { limit: number, burst: burst.unwrap_or(number), ..limit }), bare)
}

/// A limit; 0, which would let nothing pass, is not what `stopped` is for.
fn limit_of(report: &mut Report, section: &Section<'_>, key: &str) -> Option<u32> {
    let zero = |scalar: &str| scalar.trim().parse() == Ok(0u32);
    match section.get(key).map(|field| &field.node.value) {
        Some(Value::Scalar(scalar)) if zero(&scalar.text) => {
            let at = section.get(key).map_or(section.at, |field| field.node.at);
            let message = "a limit of 0 lets nothing pass";
            report.say(
                Code::ZeroLimit,
                at,
                &section.path_of(key),
                message,
                "to send nothing write `stopped: true`",
            );
            None
        }
        _ => section.value(report, key, whole(COUNT)),
    }
}
