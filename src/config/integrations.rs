//! Reads kAudit's list of integrations, and decides which of them the filter stands in for.

use std::collections::HashMap;

use super::advice::{self, Placed};
use super::patterns::Purpose;
use super::read::Reader;
use super::report::{Place, Report, quote};
use super::section::{Section, items, nearest};
use super::target::{self, Bare, Other, Target};
use super::values::{among, spell};
use super::yaml::{Node, Value};
use super::{DataFilter, Integration, RateLimits, Report as Reported, Shape};
use crate::error::Code;
use crate::finding::{Category, Confidence, Etype, Kind};

/// The path of the list, in the table and in messages of every dialect.
const PATH: &str = "integrations";
/// kAudit's own limit.
const MAX_NAME: usize = 15;

/// Section `use`.
pub(super) enum Use {
    /// Absent: the targets of Coralogix's.
    Coralogix,
    /// `all`
    All,
    /// These, each with its place.
    Names(Vec<(String, Place)>),
}

/// Section `rate-limit`, as far as the list needs it.
pub(super) struct Defaults<'d> {
    pub(super) limits: &'d RateLimits,
    /// `rate-limit.period` is given.
    pub(super) period_stated: bool,
    /// A finding's keys become fields of the store.
    pub(super) fields: bool,
    /// `coralogix.shape`.
    pub(super) shape: Shape,
}

/// An integration whose target is not yet decided.
struct Draft {
    path: String,
    begins: Place,
    integration: Integration,
    /// Where its name stands.
    at: Place,
    targets: Vec<Target>,
}

/// Reads the list. `scopes` are the documents in which the values of references stand.
pub(super) fn read(
    reader: &mut Reader,
    list: &Node,
    scopes: &[&Node],
    defaults: &Defaults<'_>,
    chosen: &Use,
) -> Vec<Integration> {
    let errors = reader.report.errors();
    let secrets = target::secrets(scopes);
    let items = items(&mut reader.report, list, PATH, "a list of integrations");
    let drafts = items.iter().enumerate();
    let drafts = drafts.filter_map(|(index, item)| draft(reader, index, item, &secrets, defaults));
    let drafts: Vec<Draft> = drafts.collect();
    let report = &mut reader.report;
    unique_names(report, &drafts);
    let sound = report.errors() == errors && !list.is_incomplete();
    if sound && drafts.is_empty() {
        report.say(
            Code::NoIntegration,
            list.at,
            PATH,
            "the list has no integration",
            "each needs `type` and `target`",
        );
    }
    known_names(report, &drafts, chosen, sound);
    let begins: Vec<_> = drafts.iter().map(|draft| (draft.begins, draft.path.clone())).collect();
    let integrations: Vec<_> = drafts.into_iter().map(|draft| decide(report, draft, chosen)).collect();
    if sound {
        something_applies(report, list, &integrations);
        let placed = begins.into_iter().zip(&integrations);
        let placed = placed.map(|((at, path), integration)| Placed { at, path, integration });
        advice::integrations(reader, &placed.collect::<Vec<_>>(), defaults.fields);
    }
    integrations
}

fn draft(
    reader: &mut Reader,
    index: usize,
    item: &Node,
    secrets: &HashMap<&str, &Node>,
    defaults: &Defaults<'_>,
) -> Option<Draft> {
    // An item that gives nothing but the values of references is no integration.
    if matches!(&item.value, Value::Map(members)
        if !members.is_empty() && members.iter().all(|member| member.key.starts_with("val-")))
    {
        return None;
    }
    let path = format!("{PATH}[{index}]");
    let section = Section::open(&mut reader.report, item, "integrations[]", path)?;
    section.check(&mut reader.report, None);
    for key in ["type", "target"] {
        if section.get(key).is_none() {
            section.missing(&mut reader.report, key);
        }
    }
    let kind = section.value(&mut reader.report, "type", Kind::of);
    let name = section.value(&mut reader.report, "name", name);
    let targets = target::read(&mut reader.report, &section, secrets, defaults);
    let filter = filter(reader, &section, kind);
    let kind = kind?;
    let name = name.unwrap_or_else(|| format!("{}-{}", kind.word(), index.saturating_add(1)));
    let integration = Integration {
        name,
        kind,
        stopped: false,
        applies: false,
        rate_limit: None,
        filter,
        line: item.at.line,
    };
    let at = section.get("name").map_or(item.at, |field| field.node.at);
    Some(Draft { path: section.path, begins: item.at, integration, at, targets })
}

fn name(text: &str) -> Option<String> {
    let name = text.trim();
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
    let fits = !name.is_empty() && name.chars().nth(MAX_NAME).is_none() && name.chars().all(allowed);
    fits.then(|| name.to_owned())
}

fn filter(reader: &mut Reader, integration: &Section<'_>, kind: Option<Kind>) -> DataFilter {
    let report = &mut reader.report;
    let section = integration.section(report, "data-filter");
    section.check(report, kind.map(Kind::word));
    let mut filter = DataFilter {
        etype: section.values(report, "etype", Etype::of),
        category: section.values(report, "category", Category::of),
        confidence: section.values(report, "confidence", Confidence::of),
        ..DataFilter::default()
    };
    section.set(report, "report", &mut filter.report, among(REPORT));
    filter.entity_match = reader.pattern(&section, "entity-match", Purpose::Accept);
    filter.entity_no_match = reader.pattern(&section, "entity-no-match", Purpose::Reject);
    filter.rules_match = reader.pattern(&section, "rules-match", Purpose::Accept);
    filter.rules_no_match = reader.pattern(&section, "rules-no-match", Purpose::Reject);
    filter
}

fn unique_names(report: &mut Report, drafts: &[Draft]) {
    let mut seen = HashMap::new();
    for Draft { path, integration, at, .. } in drafts {
        let path = &format!("{path}.name");
        if let Some(first) = seen.insert(integration.name.as_str(), integration.line) {
            let message = format!(
                "two integrations are called {}, the other on line {first}",
                quote(&integration.name)
            );
            report.say(Code::SameName, *at, path, message, "give each a `name` of its own");
        }
    }
}

/// Reports the names in `use` that no integration has; where the list itself has errors, they may be only lost.
fn known_names(report: &mut Report, drafts: &[Draft], chosen: &Use, sound: bool) {
    let Use::Names(names) = chosen else { return };
    for (name, at) in names.iter().filter(|_| sound) {
        if !drafts.iter().any(|draft| draft.integration.name == *name) {
            let known: Vec<_> = drafts.iter().map(|draft| quote(&draft.integration.name)).collect();
            let message = format!("no integration is called {}", quote(name));
            // `detections-2` is no misspelt `detections-1`.
            let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            let names = drafts.iter().map(|draft| draft.integration.name.as_str());
            let names = names.filter(|other| name.get(..stem(name)) != other.get(..stem(other)));
            let near = nearest(name, names);
            let help = near.map_or_else(
                || format!("the list has {}", known.join(", ")),
                |near| format!("did you mean {}?", quote(near)),
            );
            report.say(Code::UnknownName, *at, "use", message, help);
        }
    }
}

/// Chooses among the targets of an integration, and says what its limit means where it applies.
fn decide(report: &mut Report, draft: Draft, chosen: &Use) -> Integration {
    let Draft { mut integration, targets, .. } = draft;
    // Coralogix's before another's, a running one before a stopped one, the first before the next.
    let Some(target) = targets.into_iter().min_by_key(|target| (!target.coralogix, target.stopped)) else {
        return integration;
    };
    integration.applies = match chosen {
        Use::Coralogix => target.coralogix,
        Use::All => true,
        Use::Names(names) => names.iter().any(|(name, _)| *name == integration.name),
    };
    integration.stopped = target.stopped;
    integration.rate_limit = target.rate_limit;
    if let (Some(Bare { at, path }), Some(limit), true) =
        (target.bare, target.rate_limit, integration.applies)
    {
        let message =
            format!("`{}` means {0} per {}, the default period", limit.limit, spell(limit.period_ns));
        report.say(
            Code::UnstatedPeriod,
            at,
            &path,
            message,
            "say so in section `rate-limit`: `{period: 1s}`",
        );
    }
    if let (Some(Other { at, path, shape }), true) = (target.other, integration.applies) {
        let (given, other) = match shape {
            Shape::Singles => ("bulk", "singles"),
            Shape::Bulk => ("singles", "bulk"),
        };
        let message = format!("the endpoint takes `{other}`, and `coralogix.shape` is {given}");
        let help = format!(
            "write `coralogix: {{shape: {other}}}` in the filter's own document, or `/logs/v1/{given}` here"
        );
        report.say(Code::EndpointShape, at, &path, message, help);
    }
    integration
}

fn something_applies(report: &mut Report, list: &Node, integrations: &[Integration]) {
    let mut applying = integrations.iter().filter(|integration| integration.applies).peekable();
    if applying.peek().is_none() {
        if !integrations.is_empty() {
            let message = "no integration applies: none has an `http-api` target of Coralogix's";
            let help = "choose with `use: all`, or `use:` and a list of names, in the filter's own document";
            report.say(Code::NothingApplies, list.at, PATH, message, help);
        }
    } else if applying.all(|integration| integration.stopped) {
        let message = "every integration that applies is stopped, so no finding is sent";
        report.say(Code::AllStopped, list.at, PATH, message, "remove `stopped: true` from one of them");
    }
}

const REPORT: &[(&str, Reported)] = &[("details", Reported::Details), ("count", Reported::Count)];
