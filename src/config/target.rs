//! Reads an integration's targets, in the three forms that kAudit has used.
//!
//! Most values of a target are or may be secrets, so messages repeat only numbers and booleans.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::advice;
use super::endpoint::{self, Endpoint};
use super::option_type::OptionType;
use super::options;
use super::problems::{Problems, SourceSpan, quote};
use super::section::{Section, SectionField, describe_node, nearest_enum_value};
use super::types::{By, RateLimit, RateLimits, Shape};
use super::variables;
use super::yaml::{Node, YamlMember, YamlValue};
use crate::error::Code;

/// The path of a target in the option table.
const TABLE: &str = "integrations[].target";

/// The settings of other sections that the list needs.
pub(super) struct IntegrationDefaults<'d> {
    pub(super) limits: &'d RateLimits,
    /// `rate-limit.period` is given.
    pub(super) period_stated: bool,
    /// If a finding's keys become fields of the store: the setting of `coralogix` with which they do not.
    pub(super) without_fields: Option<&'static str>,
    /// `coralogix.shape`.
    pub(super) shape: Shape,
}

/// One destination of an integration.
pub(super) struct Target {
    pub(super) stopped: bool,
    /// The target is an `http-api` of Coralogix's.
    pub(super) coralogix: bool,
    pub(super) rate_limit: Option<RateLimit>,
    /// Present if the period of the limit is stated nowhere.
    pub(super) limit_without_period: Option<LimitWithoutPeriod>,
    /// Present if the URI is the endpoint of the other shape.
    pub(super) shape_mismatch: Option<ShapeMismatch>,
}

/// A URI whose endpoint accepts another shape than the configured one.
pub(super) struct ShapeMismatch {
    pub(super) at: SourceSpan,
    pub(super) path: String,
    pub(super) configured: Shape,
    /// The shape that the endpoint accepts.
    pub(super) accepted: Shape,
}

/// A rate limit whose period is stated nowhere.
pub(super) struct LimitWithoutPeriod {
    pub(super) at: SourceSpan,
    pub(super) path: String,
}

/// Collects the values of references, `val-…`, in all documents.
pub(super) fn reference_values<'n>(scopes: &[&'n Node]) -> BTreeMap<&'n str, &'n Node> {
    let mut reference_values = BTreeMap::new();
    let mut rest: Vec<&Node> = scopes.to_vec();
    while let Some(node) = rest.pop() {
        match &node.value {
            YamlValue::List(items) => rest.extend(items),
            YamlValue::Map(members) => {
                for YamlMember { key, node, .. } in members {
                    if key.starts_with("val-") {
                        reference_values.insert(key.as_str(), node);
                    }
                    rest.push(node);
                }
            }
            YamlValue::Scalar(_) | YamlValue::Invalid => {}
        }
    }
    reference_values
}

/// Reads the targets of an integration, without those that have errors.
pub(super) fn read(
    problems: &mut Problems,
    integration: &Section<'_>,
    reference_values: &BTreeMap<&str, &Node>,
    defaults: &IntegrationDefaults<'_>,
) -> Vec<Target> {
    let Some(field) = integration.get("target") else { return Vec::new() };
    let groups = match &field.node.value {
        YamlValue::Map(members) => vec![members.iter().map(SectionField::from).collect()],
        YamlValue::List(items) => group(problems, items, &integration.path_of("target")),
        _ => {
            let field = SectionField { secret: true, ..*field };
            integration.report_invalid_value(problems, &field, field.node);
            return Vec::new();
        }
    };
    let mut targets = Vec::new();
    for fields in groups {
        let path = integration.path_of("target");
        let fields: Vec<SectionField<'_>> = fields;
        let uri_referenced = fields.iter().any(|field| field.key == "ref/http-api-uri");
        let fields = fields
            .into_iter()
            .filter_map(|field| resolve(problems, &path, field, reference_values))
            .collect();
        let section = Section::from_fields(fields, field.node.at, TABLE, path);
        targets.extend(target(problems, &section, uri_referenced, defaults));
    }
    targets
}

/// Reads the older dialect's list of targets.
///
/// Its items are maps of one key, pairs of a key and its value, or pairs of a type and its map. Another type begins
/// another target.
fn group<'n>(problems: &mut Problems, items: &'n [Node], path: &str) -> Vec<Vec<SectionField<'n>>> {
    let mut groups: Vec<Vec<SectionField<'n>>> = Vec::new();
    for item in items {
        let fields = match &item.value {
            YamlValue::Map(members) => members.iter().map(SectionField::from).collect(),
            YamlValue::List(pair) => of_pair(pair),
            _ => Vec::new(),
        };
        if fields.is_empty() {
            let message = format!("expected a map of one key or a pair, found {}", describe_node(item));
            problems.add(Code::TargetList, item.at, path, message, "write the target as one map");
        }
        for field in fields {
            match groups.last_mut() {
                Some(group) if field.key != "target-type" || !group.iter().any(is_type) => {
                    if group.iter().any(|other| other.key == field.key) {
                        let message = format!("duplicate key {}", quote(field.key));
                        problems.add(Code::DuplicateKey, field.at, path, message, "remove one of the two");
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

fn is_type(field: &SectionField<'_>) -> bool {
    field.key == "target-type"
}

fn of_pair(pair: &[Node]) -> Vec<SectionField<'_>> {
    let [name, value] = pair else { return Vec::new() };
    let YamlValue::Scalar(text) = &name.value else { return Vec::new() };
    match &value.value {
        YamlValue::Map(members) => {
            let kind = SectionField { key: "target-type", at: name.at, node: name, secret: false };
            core::iter::once(kind).chain(members.iter().map(SectionField::from)).collect()
        }
        _ => vec![SectionField { key: &text.text, at: name.at, node: value, secret: false }],
    }
}

/// Replaces a reference with its value, and marks values that may be secrets.
fn resolve<'n>(
    problems: &mut Problems,
    path: &str,
    field: SectionField<'n>,
    reference_values: &BTreeMap<&str, &'n Node>,
) -> Option<SectionField<'n>> {
    let Some(key) = field.key.strip_prefix("ref/") else {
        if let YamlValue::Scalar(scalar) = &field.node.value {
            let path = format!("{path}.{}", field.key);
            advice::secret(problems, &path, field.key, field.node.at, &scalar.text);
        }
        let secret = options::type_of(TABLE, field.key).is_none_or(OptionType::may_be_secret);
        return Some(SectionField { secret, ..field });
    };
    let path = format!("{path}.ref/{key}");
    let name = match &field.node.value {
        YamlValue::Scalar(scalar) if scalar.text.starts_with("val-") => scalar.text.as_str(),
        _ => {
            let message = format!("expected the name of a `val-…` key, found {}", describe_node(field.node));
            problems.add(
                Code::Reference,
                field.node.at,
                &path,
                message,
                "write `ref/http-api-token: val-token`",
            );
            return None;
        }
    };
    let Some(node) = reference_values.get(name) else {
        let message = format!("no key {} is found, so the field stays unset", quote(name));
        problems.add(
            Code::ReferenceUnset,
            field.node.at,
            &path,
            message,
            "give the key and its value anywhere in the same document",
        );
        return None;
    };
    if let YamlValue::Scalar(scalar) = &node.value {
        advice::secret(problems, &path, key, node.at, &scalar.text);
    }
    Some(SectionField { key, at: field.at, node, secret: true })
}

/// Reads one target.
///
/// `uri_referenced`: the URI is a reference, whose value may be absent.
fn target(
    problems: &mut Problems,
    section: &Section<'_>,
    uri_referenced: bool,
    defaults: &IntegrationDefaults<'_>,
) -> Option<Target> {
    let kind = target_type(problems, section);
    section.check(problems, kind);
    let stopped = section.boolean(problems, "stopped").unwrap_or(false);
    let (rate_limit, limit_without_period) = rate_limit(problems, section, defaults);
    section.integer::<u16>(problems, "syslog-port");
    section.boolean(problems, "syslog-tcp");
    for field in section.fields() {
        let is_text = matches!(section.type_of(field.key), Some(OptionType::Text | OptionType::Enum(_)));
        if is_text && !matches!(field.node.value, YamlValue::Scalar(_)) {
            section.report_invalid_value(problems, field, field.node);
        }
    }
    let (coralogix, shape_mismatch) = match kind {
        Some("http-api") => coralogix_uri(problems, section, uri_referenced, defaults),
        _ => (false, None),
    };
    kind.map(|_| Target { stopped, coralogix, rate_limit, limit_without_period, shape_mismatch })
}

/// Reads the type.
///
/// An error does not repeat it: in the older dialect's pairs a secret may be in its place.
fn target_type(problems: &mut Problems, section: &Section<'_>) -> Option<&'static str> {
    let field = section.get("target-type")?;
    let YamlValue::Scalar(scalar) = &field.node.value else { return None };
    let types = section.type_of("target-type")?.names();
    let kind = types.iter().find(|kind| **kind == scalar.text).copied();
    if kind.is_none() {
        let help = nearest_enum_value(&scalar.text, types);
        let help = help
            .map_or_else(|| format!("one of {}", types.join(", ")), |near| format!("did you mean `{near}`?"));
        problems.add(
            Code::TargetType,
            field.node.at,
            &section.path_of("target-type"),
            "unknown type of target",
            help,
        );
    }
    kind
}

/// Checks the URI.
///
/// Returns whether it is one of Coralogix's, and a mismatch with the configured shape.
fn coralogix_uri(
    problems: &mut Problems,
    section: &Section<'_>,
    uri_referenced: bool,
    defaults: &IntegrationDefaults<'_>,
) -> (bool, Option<ShapeMismatch>) {
    let Some(field) = section.get("http-api-uri") else {
        if !uri_referenced {
            section.report_missing(problems, "http-api-uri");
        }
        return (false, None);
    };
    let path = section.path_of("http-api-uri");
    let variable = match &field.node.value {
        YamlValue::Scalar(scalar) => variables::find(&scalar.text).map(|span| (span, scalar.text.as_str())),
        _ => None,
    };
    if let Some((span, text)) = &variable {
        let name = quote(&variables::name(text, span));
        let at = field.node.span_of(span.clone());
        if endpoint::recognise(text).is_none() {
            let message =
                format!("expected an http or https URI, found the variable {name}, which is not substituted");
            problems.add(Code::Value, at, &path, message, variables::HELP);
            return (false, None);
        }
        let message = format!("the variable {name} is not substituted");
        problems.add(Code::Variable, at, &path, message, variables::HELP);
    }
    let Some(Endpoint::Coralogix { modern, placeholder, shape }) =
        section.value(problems, "http-api-uri", endpoint::recognise)
    else {
        return (false, None);
    };
    if placeholder && variable.is_none() {
        let message = "`<domain>` has to be replaced";
        problems.add(
            Code::Placeholder,
            field.node.at,
            &path,
            message,
            "put in your Coralogix domain, such as `eu2.coralogix.com`",
        );
    }
    if let Some(modern) = modern {
        let message = "an old form of Coralogix's endpoint";
        let mut help = format!("let the agent send to `{modern}{}`", defaults.shape.path());
        if let Some(other) = shape.filter(|shape| *shape != defaults.shape) {
            let (path, other) = (other.path(), other.name());
            help = format!("{help}, or to `{modern}{path}` with `coralogix: {{shape: {other}}}`");
        }
        problems.add(Code::OldEndpoint, field.node.at, &path, message, help);
        return (true, None);
    }
    let configured = defaults.shape;
    let other = shape.filter(|shape| *shape != configured);
    (true, other.map(|accepted| ShapeMismatch { at: field.node.at, path, configured, accepted }))
}

fn rate_limit(
    problems: &mut Problems,
    target: &Section<'_>,
    defaults: &IntegrationDefaults<'_>,
) -> (Option<RateLimit>, Option<LimitWithoutPeriod>) {
    let Some(field) = target.get("rate-limit") else { return (None, None) };
    let limits = defaults.limits;
    let limit = RateLimit { limit: 0, period_ns: limits.period_ns, burst: 0, by: limits.by };
    if !matches!(field.node.value, YamlValue::Map(_)) {
        let number = limit_of(problems, target, "rate-limit");
        let limit_without_period = (!defaults.period_stated)
            .then(|| LimitWithoutPeriod { at: field.node.at, path: target.path_of("rate-limit") });
        let limit =
            number.map(|number| RateLimit { limit: number, burst: limits.burst.unwrap_or(number), ..limit });
        return (limit, limit_without_period);
    }
    let section = target.section(problems, "rate-limit");
    section.check(problems, None);
    if section.get("limit").is_none() {
        return (None, None);
    }
    let number = limit_of(problems, &section, "limit");
    let limit = RateLimit {
        period_ns: section.duration(problems, "period").unwrap_or(limit.period_ns),
        by: section.value(problems, "by", By::of).unwrap_or(limit.by),
        ..limit
    };
    let burst = section.integer(problems, "burst").or(limits.burst);
    let limit_without_period =
        section.get("period").is_none() && !section.has_merge_key() && !defaults.period_stated;
    let limit_without_period =
        limit_without_period.then(|| LimitWithoutPeriod { at: section.at, path: section.path.clone() });
    (
        number.map(|number| RateLimit { limit: number, burst: burst.unwrap_or(number), ..limit }),
        limit_without_period,
    )
}

/// Reads a limit.
///
/// 0 would reject every finding, for which there is `stopped`.
fn limit_of(problems: &mut Problems, section: &Section<'_>, key: &str) -> Option<u32> {
    let zero = |scalar: &str| scalar.trim().parse() == Ok(0u32);
    match section.get(key).map(|field| &field.node.value) {
        Some(YamlValue::Scalar(scalar)) if zero(&scalar.text) => {
            let at = section.get(key).map_or(section.at, |field| field.node.at);
            let message = "a limit of 0 lets nothing pass";
            problems.add(
                Code::ZeroLimit,
                at,
                &section.path_of(key),
                message,
                "to send nothing write `stopped: true`",
            );
            None
        }
        _ => section.integer(problems, key),
    }
}
