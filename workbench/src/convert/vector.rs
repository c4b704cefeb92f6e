//! Configuration of Vector: a program in VRL, a filter, and throttles.

use std::fmt::Write as _;

use kaudit_filter::config::{Config, OnStale, RateLimit, Shape, Unrecognised};

use super::common;
use super::keys::{Key, domains};
use super::report::{Fate, ReportLine};
use super::selection::{PatternError, counts};
use super::vrl;
use crate::template::render;

/// Returns transforms and a sink; the user's sources are their input.
///
/// # Errors
/// A pattern that cannot be expressed.
pub fn configuration(
    file: &str,
    config: &Config,
    keys: &[Key],
    losses: &str,
) -> Result<String, PatternError> {
    let program = vrl::program(config)?;
    let indented = |line: &str| if line.is_empty() { String::new() } else { format!("      {line}") };
    let program: Vec<String> = program.lines().map(indented).collect();
    let Limits { transforms, inputs } = limits(config);
    let domain = match &domains(keys, config)[..] {
        [domain] => domain.clone(),
        _ => "<domain>".to_owned(),
    };
    // A dollar sign begins a variable, in comments, too.
    let values = [
        ("file", file.replace('$', "$$")),
        ("losses", losses.replace('$', "$$")),
        ("program", program.join("\n")),
        ("limits", transforms),
        ("inputs", inputs),
        ("domain", domain),
    ];
    let values = values.map(|(name, text)| (name, text.into()));
    let text = render(include_str!("../../templates/vector-vrl.yaml"), values);
    Ok(text.unwrap_or_else(|defect| format!("# defect: {defect}\n")))
}

/// The transforms that limit findings, and the outputs that are sent.
struct Limits {
    transforms: String,
    inputs: String,
}

fn limits(config: &Config) -> Limits {
    let mut routes = String::new();
    let mut throttles = String::new();
    let mut inputs = vec!["findings_limited._unmatched".to_owned()];
    for (number, integration) in vrl::limited(config) {
        let Some(RateLimit { limit, period_ns, .. }) = integration.rate_limit else { continue };
        let seconds = seconds(period_ns);
        let _ = write!(routes, "\n      limit_{number}: .kaudit.number == {number}");
        let _ = write!(
            throttles,
            "\n  findings_limit_{number}:\n    type: throttle\n    inputs: [findings_limited.limit_{number}]\n    \
             threshold: {limit}\n    window_secs: {seconds}\n    key_field: \"{{{{ kaudit.key }}}}\"\n    \
             internal_metrics: {{emit_events_discarded_per_key: true}}"
        );
        inputs.push(format!("findings_limit_{number}"));
    }
    if routes.is_empty() {
        return Limits { transforms: String::new(), inputs: "findings_sent".to_owned() };
    }
    let transforms = format!(
        "  # An integration with a limit has a throttle of its own.\n  findings_limited:\n    type: route\n    \
         inputs: [findings_sent]\n    route:{routes}{throttles}"
    );
    Limits { transforms, inputs: inputs.join(", ") }
}

/// Returns a period in seconds, with a fraction if it has one.
fn seconds(period_ns: u64) -> String {
    let (seconds, rest) = (period_ns / 1_000_000_000, period_ns % 1_000_000_000);
    let fraction = format!("{rest:09}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { seconds.to_string() } else { format!("{seconds}.{fraction}") }
}

const UNSUMMARISED: &str =
    "findings above the limit are dropped; a counter has their number, no summary is sent";

/// Returns the fate of a key.
pub fn fate(key: &Key, config: &Config, keys: &[Key]) -> (Fate, String) {
    let integration = key.integration.and_then(|index| config.integrations.get(index));
    let sent = integration.is_some_and(|one| one.applies && !one.stopped);
    let limit = integration.and_then(|integration| integration.rate_limit);
    let (fate, text): (Fate, &str) = match key.option().as_str() {
        "coralogix.application-name"
        | "coralogix.subsystem-name"
        | "coralogix.computer-name"
        | "coralogix.text"
        | "coralogix.keys" => (Fate::Converted, "a member of the entry"),
        "coralogix.shape" if config.coralogix.shape != Shape::Singles => {
            (Fate::Partly, "entries are sent to /logs/v1/singles")
        }
        "coralogix.shape" => (Fate::Converted, "the path of the sink"),
        "severity[]" => (Fate::Converted, "a branch of the program"),
        "guard.on-stale" if config.guard.on_stale == OnStale::Drop => (Fate::Converted, "`keep` is false"),
        "guard.max-age" | "guard.max-ahead" | "guard.on-stale" => {
            (Fate::Partly, "the time is compared with the time of processing; a clamped entry is not marked")
        }
        "guard.max-entry-bytes" => (Fate::Lost, "large entries are not truncated"),
        "rate-limit.period" | "rate-limit.by" => (Fate::Converted, "the window and the key of the throttles"),
        "rate-limit.burst" => (Fate::Lost, "a throttle admits its threshold at once"),
        "rate-limit.max-keys" => (Fate::Lost, "a throttle's table of keys has no maximum"),
        "rate-limit.summary-every" => (Fate::Lost, UNSUMMARISED),
        "unrecognised" if config.unrecognised == Unrecognised::Drop => (Fate::Converted, "`keep` is false"),
        "unrecognised" => (Fate::Partly, "the record is sent as an entry, without a mark"),
        "look-in" => (Fate::Partly, "a path of one key, to an object or to text with one finding"),
        "redact[]" => (
            Fate::Partly,
            "texts in the field itself and in its copy in `context`; not other copies of the value, and without a mark",
        ),
        "integrations[].target.rate-limit" if sent => match limit {
            Some(RateLimit { burst, limit, .. }) if burst != limit => (
                Fate::Partly,
                "a throttle, which admits its threshold at once instead of `burst`; no summaries",
            ),
            _ => (Fate::Partly, "a throttle; findings above the limit are dropped without a summary"),
        },
        "integrations[].target.http-api-uri" if sent => match domains(keys, config).len() {
            1 => (Fate::Converted, "the domain of the sink"),
            0 => (Fate::Partly, "no domain of Coralogix's: replace `<domain>` in the sink"),
            _ => (Fate::Lost, "there are several domains, and one sink: replace `<domain>`, or add a sink"),
        },
        "integrations[].data-filter.report" if sent && integration.is_some_and(counts) => (
            Fate::Lost,
            "findings that were counted are not sent; the transform `log_to_metric` makes a metric of them",
        ),
        _ => return common::fate(key, integration, "a condition of its branch in the program"),
    };
    (fate, text.to_owned())
}

/// Returns the losses that no key of the input states.
pub fn defaults(config: &Config, keys: &[Key]) -> Vec<ReportLine> {
    let mut out = Vec::new();
    out.extend(common::unstated(
        keys,
        "guard.max-entry-bytes",
        Fate::Lost,
        "large entries are not truncated",
    ));
    let unmarked = "the time is compared with the time of processing; a clamped entry is not marked";
    out.extend(common::unstated(keys, "guard.max-age", Fate::Partly, unmarked));
    if vrl::limited(config).next().is_some() {
        out.push(ReportLine::lost("summaries", UNSUMMARISED));
    }
    out.push(ReportLine::lost(
        "batches",
        "a list of findings in one record is one record that is not a finding",
    ));
    let keys_read =
        "a finding is searched for in `message` or the event, and under its keys `log` and `message`";
    out.extend(common::unstated(keys, "look-in", Fate::Partly, keys_read));
    out.push(ReportLine::lost("text", "keys are sorted, and numbers are written again"));
    out.push(ReportLine::lost("counters", "Vector counts dropped events, without a reason for each"));
    out
}
