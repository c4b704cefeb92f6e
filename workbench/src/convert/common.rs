//! The results for keys that every agent treats alike.

use kaudit_filter::config::Integration;

use super::keys::{Key, has};
use super::report::{Fate, ReportLine};

/// Returns the fate of a key; `condition`: the result for a clause of a data filter.
pub fn fate(key: &Key, integration: Option<&Integration>, condition: &str) -> (Fate, String) {
    let option = key.option();
    let last = option.rsplit('.').next().unwrap_or_default();
    let (fate, text) = if last.starts_with("val-") {
        (Fate::Unused, "a secret; the configuration reads the key from the environment")
    } else if ["policy", "policy-file", "audit"].iter().any(|section| is_of(&option, section)) {
        (Fate::Lost, "only the filter evaluates audit events; they are dropped")
    } else if is_of(&option, "detect") {
        (Fate::Lost, "only the filter makes detections of audit events; the events are dropped")
    } else if option == "integrations[].target.stopped" && integration.is_some_and(|one| one.applies) {
        let stopped = integration.is_some_and(|one| one.stopped);
        (
            Fate::Converted,
            if stopped { "a stopped integration gets no finding" } else { "the integration runs" },
        )
    } else if let Some(integration) = integration {
        return of_integration(&option, last, integration, condition);
    } else {
        match option.as_str() {
            "use" => (Fate::Converted, "only these integrations are converted"),
            "integrations-file" => (Fate::Converted, "the list is part of the result"),
            _ => (Fate::Unused, "it has no effect on findings"),
        }
    };
    (fate, text.to_owned())
}

fn is_of(option: &str, section: &str) -> bool {
    option.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn of_integration(option: &str, last: &str, integration: &Integration, condition: &str) -> (Fate, String) {
    let (fate, text) = if !integration.applies {
        (Fate::Unused, "the target of this integration is not Coralogix")
    } else if integration.stopped {
        (Fate::Unused, "the integration is stopped")
    } else {
        match option {
            "integrations[].type" => {
                (Fate::Converted, "findings of this type are compared with the integration")
            }
            "integrations[].name" => (Fate::Converted, "the name that findings of the integration get"),
            "integrations[].target.target-type" => (Fate::Converted, "the destination is Coralogix"),
            "integrations[].target.http-api-token-header" => (Fate::Unused, "the agent sends its own header"),
            _ if last == "http-api-token" || last.starts_with("ref/") => {
                (Fate::Unused, "a secret; the configuration reads the key from the environment")
            }
            "integrations[].data-filter.report" => (Fate::Converted, "each finding is sent"),
            _ if option.starts_with("integrations[].data-filter.") => (Fate::Converted, condition),
            _ => (Fate::Unused, "it has no effect on findings"),
        }
    };
    (fate, text.to_owned())
}

/// Returns the line of a default that the input does not state.
pub fn unstated(keys: &[Key], option: &str, fate: Fate, text: &str) -> Option<ReportLine> {
    let line = ReportLine { fate, ..ReportLine::lost(&format!("{option} (the default)"), text) };
    (!has(keys, option)).then_some(line)
}
