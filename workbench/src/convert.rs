//! Converts kAudit's configuration, or the filter's, to configuration of agents that run without the filter.
//!
//! The OpenTelemetry Collector and Vector can select findings, rate their severity and name them. They have no
//! counterpart for other functions of the filter. A report states for each key of the input, with its position, its counterpart
//! or why it is lost; the losses are also comments of the result. Secrets are not copied: the result refers to
//! the environment or to a secret backend.

mod common;
mod keys;
mod otelcol;
mod ottl;
mod pattern;
mod report;
mod selection;
mod vector;
mod vrl;

use kaudit_filter::config::{Audit, Config, FileLoader};

use crate::check::CheckReport;
use crate::migrate::inputs::{Input, Refusal, configuration_of, policy_of};
use keys::{Key, keys};
pub use report::{Fate, ReportLine};

/// What a configuration is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Configuration of the OpenTelemetry Collector.
    Otelcol,
    /// Values of Coralogix's Helm chart for the Collector.
    OtelIntegration,
    /// Configuration of Vector with a program in VRL.
    Vrl,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 3] = [Self::Otelcol, Self::OtelIntegration, Self::Vrl];

    /// Returns the name of the target on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Otelcol => "otelcol",
            Self::OtelIntegration => "otel-integration",
            Self::Vrl => "vrl",
        }
    }
}

/// The result of a conversion.
#[derive(Debug)]
pub struct Converted {
    /// Its text.
    pub text: String,
    /// The fate of each key of the input, in its order; then losses without a key.
    pub report: Vec<ReportLine>,
}

/// Converts files: integrations, and perhaps a policy, in one file or in two.
///
/// # Errors
/// The mistakes of the files, or a reason against the conversion.
pub fn convert(inputs: &[Input<'_>], files: &dyn FileLoader, target: Target) -> Result<Converted, Refusal> {
    let policy = policy_of(inputs, files)?;
    let Some(input) = configuration_of(inputs)? else {
        let name = inputs.first().map_or("", |input| input.name);
        return Err(Refusal::Other(format!(
            "{name}: not converted: only the filter evaluates a policy; give the integrations, too"
        )));
    };
    let mut checked = CheckReport::default();
    let Some(mut config) = checked.read(input.name, input.text, files) else {
        return Err(Refusal::Mistakes(Box::new(checked)));
    };
    if policy.is_some() {
        config.audit = Some(config.audit.take().unwrap_or_else(Audit::default));
    }
    let keys = keys(input, &config, files)?;
    let mut report: Vec<ReportLine> = keys.iter().map(|key| line(key, &config, &keys, target)).collect();
    if let Some(policy) = &policy {
        let mut line =
            ReportLine::lost("audit-policy", "only the filter evaluates audit events; they are dropped");
        line.position = policy.rules.rules.first().map(|rule| format!("{}:{}", policy.name, rule.line));
        report.push(line);
    }
    report.extend(match target {
        Target::Otelcol | Target::OtelIntegration => otelcol::defaults(&config, &keys),
        Target::Vrl => vector::defaults(&config, &keys),
    });
    let losses = losses(&report);
    let file: String = input.name.chars().filter(|char| !char.is_control()).collect();
    let text = match target {
        Target::Otelcol => otelcol::configuration(&file, &config, &keys, &losses),
        Target::OtelIntegration => otelcol::chart_values(&file, &config, &losses),
        Target::Vrl => vector::configuration(&file, &config, &keys, &losses),
    };
    let text = text.map_err(|error| Refusal::Other(error.message(&keys)))?;
    Ok(Converted { text, report })
}

fn line(key: &Key, config: &Config, keys: &[Key], target: Target) -> ReportLine {
    let (fate, text) = match target {
        Target::Otelcol | Target::OtelIntegration => {
            otelcol::fate(key, config, keys, target == Target::OtelIntegration)
        }
        Target::Vrl => vector::fate(key, config, keys),
    };
    ReportLine { position: Some(key.position.clone()), path: key.path.clone(), fate, text }
}

/// Returns the losses as comments.
fn losses(report: &[ReportLine]) -> String {
    let mut lines = vec!["#".to_owned(), "# The filter does more than this:".to_owned()];
    let without_control = |line: String| line.chars().filter(|char| !char.is_control()).collect::<String>();
    let losses = report.iter().filter(|line| line.is_loss());
    lines.extend(losses.map(|line| format!("# - {}", without_control(line.to_string()))));
    lines.join("\n")
}
