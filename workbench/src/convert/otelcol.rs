//! Configuration of the OpenTelemetry Collector, and values of Coralogix's chart for it.

use kaudit_filter::config::{Config, Integration, OnStale, Severity, Shape, Unrecognised};
use kaudit_filter::finding::Kind;

use super::common;
use super::keys::{Key, domains};
use super::ottl::{self, Program};
use super::pattern::has_ascii_class;
use super::report::{Fate, ReportLine};
use super::selection::{PatternError, counts, running};
use crate::template::render;

/// The domain of an account that the input does not name.
const DOMAIN: &str = "${env:CORALOGIX_DOMAIN}";

/// Returns a complete configuration.
///
/// # Errors
/// A pattern that RE2 cannot express.
pub fn configuration(
    file: &str,
    config: &Config,
    keys: &[Key],
    losses: &str,
) -> Result<String, PatternError> {
    let domain = single_domain(config, keys);
    let environment = if domain.is_none() { " CORALOGIX_DOMAIN=eu2.coralogix.com" } else { "" };
    let domain = domain.as_deref().unwrap_or(DOMAIN);
    let components = components(
        &ottl::program(config)?,
        domain,
        "file_storage/kaudit",
        "  extensions: [file_storage/kaudit]\n",
        &escape,
    );
    let values = [
        ("file", file),
        ("environment", environment),
        ("losses", losses),
        ("components", components.trim_end()),
    ];
    Ok(rendered(include_str!("../../templates/otelcol.yaml"), &values))
}

/// Returns values of the chart `otel-integration`.
///
/// # Errors
/// A pattern that RE2 cannot express.
pub fn chart_values(file: &str, config: &Config, losses: &str) -> Result<String, PatternError> {
    // The chart renders its values as templates.
    let escape = |text: &str| escape(text).replace("{{", "{{ \"{{\" }}");
    let components =
        components(&ottl::program(config)?, "{{ .Values.global.domain }}", "file_storage", "", &escape);
    let indented = |line: &str| if line.is_empty() { String::new() } else { format!("    {line}") };
    let components: Vec<String> = components.trim_end().lines().map(indented).collect();
    let values = [("file", file), ("losses", losses), ("components", &components.join("\n"))];
    Ok(rendered(include_str!("../../templates/otel-integration.yaml"), &values))
}

/// Returns the domain, if all integrations that are sent have the same.
fn single_domain(config: &Config, keys: &[Key]) -> Option<String> {
    let [domain] = <[String; 1]>::try_from(domains(keys, config)).ok()?;
    Some(domain)
}

/// Escapes the dollar sign, which begins a reference to a variable.
fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

/// Returns a text as a YAML scalar in single quotes.
fn scalar(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn components(
    program: &Program,
    domain: &str,
    storage: &str,
    extensions: &str,
    escape: &dyn Fn(&str) -> String,
) -> String {
    let mut statements = Vec::new();
    for group in &program.groups {
        statements.push(format!("      # {}", group.comment));
        match group.condition {
            Some(condition) => {
                statements.push(format!("      - conditions: [{}]", scalar(&escape(condition))));
                statements.push("        statements:".to_owned());
            }
            None => statements.push("      - statements:".to_owned()),
        }
        let lines = group.statements.iter().map(|text| format!("          - {}", scalar(&escape(text))));
        statements.extend(lines);
    }
    let mut conditions = Vec::new();
    for (comment, condition) in &program.drops {
        conditions.push(format!("      # {comment}"));
        conditions.push(format!("      - {}", scalar(&escape(condition))));
    }
    let (statements, conditions) = (statements.join("\n"), conditions.join("\n"));
    let values = [
        ("statements", &*statements),
        ("conditions", &*conditions),
        ("domain", domain),
        ("storage", storage),
        ("extensions", extensions),
    ];
    rendered(include_str!("../../templates/otelcol-components.yaml"), &values)
}

/// Renders a template of this crate.
fn rendered(template: &str, values: &[(&'static str, &str)]) -> String {
    let values = values.iter().map(|(name, text)| (*name, (*text).into()));
    render(template, values).unwrap_or_else(|defect| format!("# defect: {defect}\n"))
}

/// Returns the fate of a key.
pub fn fate(key: &Key, config: &Config, keys: &[Key], chart: bool) -> (Fate, String) {
    let integration = key.integration.and_then(|index| config.integrations.get(index));
    let (fate, text): (Fate, &str) = match key.option().as_str() {
        "coralogix.application-name" => (Fate::Converted, "the resource attribute `cx.application.name`"),
        "coralogix.subsystem-name" => (Fate::Converted, "the resource attribute `cx.subsystem.name`"),
        "coralogix.computer-name" => {
            (Fate::Lost, "the resource keeps the `host.name` that other processors set")
        }
        "coralogix.shape" if config.coralogix.shape == Shape::Otlp => {
            (Fate::Converted, "the exporter sends OTLP")
        }
        "coralogix.shape" | "coralogix.text" => {
            (Fate::Unused, "the exporter sends OTLP; the body is the finding")
        }
        "coralogix.keys" => (Fate::Lost, "keys keep their spelling"),
        "severity[]" if is_verbose(key, config) => (Fate::Partly, VERBOSE),
        "severity[]" => (Fate::Converted, "a statement of transform/kaudit"),
        "guard.on-stale" if config.guard.on_stale == OnStale::Drop => {
            (Fate::Converted, "a condition of filter/kaudit")
        }
        "guard.max-age" | "guard.max-ahead" | "guard.on-stale" => {
            (Fate::Partly, "the time is compared with the time of processing; a clamped record is not marked")
        }
        "guard.max-entry-bytes" => (Fate::Lost, "large records are not truncated"),
        "rate-limit.period" | "rate-limit.by" | "rate-limit.burst" | "rate-limit.max-keys" => {
            (Fate::Lost, "no processor limits records by a key (contrib issue 35204)")
        }
        "rate-limit.summary-every" => (Fate::Lost, "nothing is suppressed, so there are no summaries"),
        "unrecognised" if config.unrecognised == Unrecognised::Drop => {
            (Fate::Converted, "a condition of filter/kaudit")
        }
        "unrecognised" => (Fate::Partly, "the record is sent, without a mark"),
        "look-in" => (Fate::Partly, "a path of one key, to a map or to text that begins with the finding"),
        "redact[]" => (
            Fate::Partly,
            "the field itself and its copy in `context`, of which a list or an object is overwritten whole; not other \
             copies of the value, and without a mark",
        ),
        "integrations[].target.rate-limit" if is_sent(integration) => {
            (Fate::Lost, "every finding is sent: no processor limits records by a key (contrib issue 35204)")
        }
        "integrations[].target.http-api-uri" if is_sent(integration) && chart => {
            (Fate::Unused, "the domain is `global.domain` of the chart")
        }
        "integrations[].target.http-api-uri" if is_sent(integration) => match domains(keys, config).len() {
            0 => (Fate::Partly, "no domain of Coralogix's: set the variable CORALOGIX_DOMAIN"),
            1 => (Fate::Converted, "the domain of coralogix/kaudit"),
            _ => (
                Fate::Lost,
                "there are several domains, and one exporter: set CORALOGIX_DOMAIN, or add an exporter",
            ),
        },
        "integrations[].data-filter.report" if integration.is_some_and(counts) && is_sent(integration) => (
            Fate::Lost,
            "findings that were counted are not sent; the connector `count` makes a metric of them",
        ),
        "integrations[].data-filter.entity-match"
        | "integrations[].data-filter.entity-no-match"
        | "integrations[].data-filter.rules-match"
        | "integrations[].data-filter.rules-no-match"
            if is_sent(integration) && key.value.as_deref().is_some_and(has_ascii_class) =>
        {
            (Fate::Partly, "RE2's `\\w`, `\\d`, `\\s` and `\\b` are ASCII, as they were in kAudit")
        }
        _ => return common::fate(key, integration, "a condition of its statement in transform/kaudit"),
    };
    (fate, text.to_owned())
}

const VERBOSE: &str = "the severity is verbose; OTLP has one number, 5, for debug and verbose";

/// Returns whether a row has the severity that OTLP does not distinguish.
fn is_verbose(key: &Key, config: &Config) -> bool {
    let index = key.path.trim_start_matches("severity[").trim_end_matches(']').parse::<usize>();
    let row = index.ok().and_then(|index| config.severity.get(index));
    row.is_some_and(|row| row.severity == Some(Severity::Verbose))
}

fn is_sent(integration: Option<&Integration>) -> bool {
    integration.is_some_and(|integration| integration.applies && !integration.stopped)
}

/// Returns the losses that no key of the input states.
pub fn defaults(config: &Config, keys: &[Key]) -> Vec<ReportLine> {
    let limited = running(config).any(|(_, integration)| integration.rate_limit.is_some());
    let mut out = Vec::new();
    out.extend(common::unstated(
        keys,
        "guard.max-entry-bytes",
        Fate::Lost,
        "large records are not truncated",
    ));
    let unmarked = "the time is compared with the time of processing; a clamped record is not marked";
    out.extend(common::unstated(keys, "guard.max-age", Fate::Partly, unmarked));
    if running(config).any(|(_, integration)| integration.kind == Kind::Activity) {
        let text = "verbose; OTLP has one number, 5, for debug and verbose";
        let line = ReportLine::lost("severity of activity (the default)", text);
        out.push(ReportLine { fate: Fate::Partly, ..line });
    }
    if limited {
        out.push(ReportLine::lost("summaries", "nothing is suppressed, so nothing reports it"));
    }
    out.push(ReportLine::lost(
        "batches",
        "a list of findings in one record is one record that is not a finding",
    ));
    let keys_read = "a finding is searched for in the body, and under its keys `log` and `message`";
    out.extend(common::unstated(keys, "look-in", Fate::Partly, keys_read));
    out.push(ReportLine::lost(
        "numbers",
        "a number in a log line becomes a double; above 2^53 it loses digits",
    ));
    out.push(ReportLine::lost("counters", "the Collector counts dropped records, without a reason for each"));
    out
}
