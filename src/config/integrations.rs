//! Reads kAudit's list of integrations and selects those the filter replaces.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::advice::{self, LocatedIntegration};
use super::option_type::OptionType;
use super::pattern_problem::Purpose;
use super::problems::{Problems, SourceSpan, quote};
use super::reader::ConfigReader;
use super::section::{Section, items, nearest};
use super::target::{self, IntegrationDefaults, LimitWithoutPeriod, ShapeMismatch, Target};
use super::types::{DataFilter, Integration, Report};
use super::values::format_duration;
use super::yaml::{Node, YamlValue};
use crate::error::Code;
use crate::finding::{Category, Confidence, Etype, Kind};

/// The path of the list, in the option table and in messages of every dialect.
const PATH: &str = "integrations";

/// Section `use`.
pub(super) enum UsedIntegrations {
    /// Absent: the integrations with a target of Coralogix's.
    Coralogix,
    /// `all`.
    All,
    /// A list of names, each with its position.
    Names(Vec<(String, SourceSpan)>),
}

/// An integration whose target is not yet chosen.
struct IntegrationDraft {
    path: String,
    item_at: SourceSpan,
    integration: Integration,
    /// The position of its name.
    at: SourceSpan,
    targets: Vec<Target>,
}

/// Reads the list.
///
/// `scopes` are the documents that contain the values of references.
pub(super) fn read(
    reader: &mut ConfigReader,
    list: &Node,
    scopes: &[&Node],
    defaults: &IntegrationDefaults<'_>,
    used: &UsedIntegrations,
) -> Vec<Integration> {
    let errors = reader.problems.errors();
    let reference_values = target::reference_values(scopes);
    let items = items(&mut reader.problems, list, PATH, OptionType::Integrations);
    let drafts = items.iter().enumerate();
    let drafts = drafts.filter_map(|(index, item)| draft(reader, index, item, &reference_values, defaults));
    let drafts: Vec<IntegrationDraft> = drafts.collect();
    let problems = &mut reader.problems;
    report_equal_names(problems, &drafts);
    let valid = problems.errors() == errors && !list.is_incomplete();
    if valid && drafts.is_empty() {
        problems.add(
            Code::NoIntegration,
            list.at,
            PATH,
            "the list has no integration",
            "each needs `type` and `target`",
        );
    }
    report_unknown_names(problems, &drafts, used, valid);
    let item_at: Vec<_> = drafts.iter().map(|draft| (draft.item_at, draft.path.clone())).collect();
    let integrations: Vec<_> = drafts.into_iter().map(|draft| choose_target(problems, draft, used)).collect();
    if valid {
        report_if_nothing_applies(problems, list, &integrations);
        let located = item_at.into_iter().zip(&integrations);
        let located = located.map(|((at, path), integration)| LocatedIntegration { at, path, integration });
        advice::integrations(problems, &located.collect::<Vec<_>>(), defaults.without_fields);
    }
    integrations
}

fn draft(
    reader: &mut ConfigReader,
    index: usize,
    item: &Node,
    reference_values: &BTreeMap<&str, &Node>,
    defaults: &IntegrationDefaults<'_>,
) -> Option<IntegrationDraft> {
    // An item that contains only the values of references is not an integration.
    if matches!(&item.value, YamlValue::Map(members)
        if !members.is_empty() && members.iter().all(|member| member.key.starts_with("val-")))
    {
        return None;
    }
    let path = format!("{PATH}[{index}]");
    let section = Section::from_node(&mut reader.problems, item, "integrations[]", path)?;
    section.check(&mut reader.problems, None);
    let kind = section.value(&mut reader.problems, "type", Kind::of);
    let name = section.text(&mut reader.problems, "name");
    let targets = target::read(&mut reader.problems, &section, reference_values, defaults);
    let filter = filter(reader, &section, kind);
    let kind = kind?;
    let name = name.unwrap_or_else(|| format!("{}-{}", kind.name(), index.saturating_add(1)));
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
    Some(IntegrationDraft { path: section.path, item_at: item.at, integration, at, targets })
}

fn filter(reader: &mut ConfigReader, integration: &Section<'_>, kind: Option<Kind>) -> DataFilter {
    let problems = &mut reader.problems;
    let section = integration.section(problems, "data-filter");
    section.check(problems, kind.map(Kind::name));
    let filter = DataFilter {
        etype: section.values(problems, "etype", Etype::of),
        category: section.values(problems, "category", Category::of),
        confidence: section.values(problems, "confidence", Confidence::of),
        report: section.value(problems, "report", Report::of).unwrap_or_default(),
        ..DataFilter::default()
    };
    DataFilter {
        entity_match: reader.pattern(&section, "entity-match", Purpose::Accept),
        entity_no_match: reader.pattern(&section, "entity-no-match", Purpose::Reject),
        rules_match: reader.pattern(&section, "rules-match", Purpose::Accept),
        rules_no_match: reader.pattern(&section, "rules-no-match", Purpose::Reject),
        ..filter
    }
}

fn report_equal_names(problems: &mut Problems, drafts: &[IntegrationDraft]) {
    let mut seen = BTreeMap::new();
    for IntegrationDraft { path, integration, at, .. } in drafts {
        let path = &format!("{path}.name");
        if let Some(first) = seen.insert(integration.name.as_str(), integration.line) {
            let message = format!(
                "two integrations are called {}, the other on line {first}",
                quote(&integration.name)
            );
            problems.add(Code::SameName, *at, path, message, "give each a `name` of its own");
        }
    }
}

/// Reports names in `use` that no integration has.
///
/// Not if the list has errors: the integration may be one that was not read.
fn report_unknown_names(
    problems: &mut Problems,
    drafts: &[IntegrationDraft],
    used: &UsedIntegrations,
    valid: bool,
) {
    let UsedIntegrations::Names(names) = used else { return };
    for (name, at) in names.iter().filter(|_| valid) {
        if !drafts.iter().any(|draft| draft.integration.name == *name) {
            let known: Vec<_> = drafts.iter().map(|draft| quote(&draft.integration.name)).collect();
            let message = format!("no integration has the name {}", quote(name));
            // `detections-2` is not a misspelt `detections-1`.
            let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            let names = drafts.iter().map(|draft| draft.integration.name.as_str());
            let names = names.filter(|other| name.get(..stem(name)) != other.get(..stem(other)));
            let near = nearest(name, names);
            let help = near.map_or_else(
                || format!("the list has {}", known.join(", ")),
                |near| format!("did you mean {}?", quote(near)),
            );
            problems.add(Code::UnknownName, *at, "use", message, help);
        }
    }
}

/// Chooses one of an integration's targets, and reports warnings if it applies.
fn choose_target(problems: &mut Problems, draft: IntegrationDraft, used: &UsedIntegrations) -> Integration {
    let IntegrationDraft { mut integration, targets, .. } = draft;
    // Order: Coralogix before other services, running before stopped, then file order.
    let Some(target) = targets.into_iter().min_by_key(|target| (!target.coralogix, target.stopped)) else {
        return integration;
    };
    integration.applies = match used {
        UsedIntegrations::Coralogix => target.coralogix,
        UsedIntegrations::All => true,
        UsedIntegrations::Names(names) => names.iter().any(|(name, _)| *name == integration.name),
    };
    integration.stopped = target.stopped;
    integration.rate_limit = target.rate_limit;
    if let (Some(LimitWithoutPeriod { at, path }), Some(limit), true) =
        (target.limit_without_period, target.rate_limit, integration.applies)
    {
        let message = format!(
            "`{}` means {0} per {}, the default period",
            limit.limit,
            format_duration(limit.period_ns)
        );
        problems.add(
            Code::UnstatedPeriod,
            at,
            &path,
            message,
            "state it in the section `rate-limit`: `{period: 1s}`",
        );
    }
    if let (Some(ShapeMismatch { at, path, configured, accepted }), true) =
        (target.shape_mismatch, integration.applies)
    {
        let (given, other) = (configured.name(), accepted.name());
        let message = format!("the endpoint takes `{other}`, and `coralogix.shape` is {given}");
        let help = format!(
            "write `coralogix: {{shape: {other}}}` in the filter's own document, or `{}` here",
            configured.path()
        );
        problems.add(Code::EndpointShape, at, &path, message, help);
    }
    integration
}

fn report_if_nothing_applies(problems: &mut Problems, list: &Node, integrations: &[Integration]) {
    let mut applying = integrations.iter().filter(|integration| integration.applies).peekable();
    if applying.peek().is_none() {
        if !integrations.is_empty() {
            let message = "no integration applies: none has an `http-api` target of Coralogix's";
            let help = "choose with `use: all`, or `use:` and a list of names, in the filter's own document";
            problems.add(Code::NothingApplies, list.at, PATH, message, help);
        }
    } else if applying.all(|integration| integration.stopped) {
        let message = "every integration that applies is stopped, so no finding is sent";
        problems.add(Code::AllStopped, list.at, PATH, message, "remove `stopped: true` from one of them");
    }
}
