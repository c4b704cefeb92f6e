//! The filter as a method: events go through [`Filter`], and its findings are the detections.

use std::path::PathBuf;

use kaudit_filter::config::{self, Config, FileLoader};
use kaudit_filter::entry::Entry;
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time, Verdict};
use serde_json::Value;

use super::detector::{Detection, Detector, Method};
use crate::event::Event;
use crate::json;
use crate::kind::DetectionKind;

/// Which findings of the filter count as detections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterUse {
    /// Detection findings: the section `detect`.
    Detections,
    /// Selections of a policy's rules.
    Selections,
}

/// A configuration of the filter as a method.
#[derive(Clone, Debug)]
pub struct FilterMethod {
    name: String,
    config: Config,
    usage: FilterUse,
}

/// Files that a configuration names, relative to its folder.
struct Folder(PathBuf);

impl FileLoader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(path)).map_err(|error| error.to_string())
    }
}

impl FilterMethod {
    /// Reads a configuration; `folder` contains the files that it names.
    ///
    /// Limits and counts are disabled, so that every finding is seen.
    ///
    /// # Errors
    /// The errors of the configuration, one in each line.
    pub fn new(name: &str, text: &str, folder: impl Into<PathBuf>, usage: FilterUse) -> Result<Self, String> {
        let read = config::read("simulator", text, &Folder(folder.into()));
        let lines: Vec<String> = read.diagnostics.iter().map(ToString::to_string).collect();
        let config = read.config.ok_or_else(|| lines.join("\n"))?;
        Filter::new(&config, 0).map_err(|error| error.to_string())?;
        Ok(Self { name: name.to_owned(), config, usage })
    }

    /// Returns the filter for a cluster.
    fn filter(&self, cluster: &str) -> Filter {
        let mut config = self.config.clone();
        if let Some(audit) = &mut config.audit {
            audit.fields.cluster = Some(cluster.to_owned());
        }
        let mut filter = Filter::new(&config, 0).expect("the same patterns were compiled before");
        filter.set_suppression_enabled(false);
        filter
    }
}

impl Method for FilterMethod {
    fn name(&self) -> &str {
        &self.name
    }

    fn detector(&self, cluster: &str) -> Box<dyn Detector> {
        let filter = self.filter(cluster);
        Box::new(State { filter, usage: self.usage, last: 0, line: String::new(), output: Vec::new() })
    }
}

struct State {
    filter: Filter,
    usage: FilterUse,
    last: i64,
    line: String,
    output: Vec<u8>,
}

impl Detector for State {
    fn event(&mut self, event: &Event, found: &mut Vec<Detection>) {
        let Self { filter, usage, line, output, .. } = self;
        line.clear();
        json::write(event, line);
        self.last = event.time / 1000;
        let now = Time::from_millis(self.last);
        filter.process(Record::json(&*line), now, |verdict| {
            if let Verdict::Kept(entry) = verdict {
                found.extend(detection(&entry, *usage, output));
            }
        });
        while let Some(entry) = filter.due(now) {
            found.extend(detection(&entry, *usage, output));
        }
    }

    fn finish(&mut self, found: &mut Vec<Detection>) {
        let now = Time::from_millis(self.last);
        while let Some(entry) = self.filter.finish(now) {
            found.extend(detection(&entry, self.usage, &mut self.output));
        }
    }
}

/// Returns the detection that an entry contains.
fn detection(entry: &Entry<'_>, usage: FilterUse, output: &mut Vec<u8>) -> Option<Detection> {
    output.clear();
    entry.write_json(output);
    let entry: Value = serde_json::from_slice(output).ok()?;
    let parsed: Value;
    let finding = match &entry["text"] {
        Value::String(text) => {
            parsed = serde_json::from_str(text).ok()?;
            &parsed
        }
        finding => finding,
    };
    let text = |keys: [&str; 2]| keys.iter().find_map(|key| finding[*key].as_str());
    let time_ms = finding["time"].as_i64()?;
    match usage {
        FilterUse::Detections => {
            let etype = finding["etype"].as_str()?;
            let kind = if finding["category"] == "incident" {
                DetectionKind::Incident
            } else {
                DetectionKind::of_short_doc(text(["short-doc", "short_doc"])?)
            };
            let principal =
                (etype != "cluster").then(|| finding["eid"].as_str().unwrap_or_default().to_owned());
            Some(Detection { time_ms, kind, principal })
        }
        FilterUse::Selections => {
            finding["rule"].as_str()?;
            let principal = text(["principal", "username"]).unwrap_or_default().to_owned();
            Some(Detection { time_ms, kind: DetectionKind::Other, principal: Some(principal) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms of kAudit's detections: nested, as the filter produces them, and flat, as Azure Sentinel shows them.
    #[test]
    fn detection_findings_are_read_in_every_form() {
        let text = "
guard: {max-age: 87600h}
integrations:
- {type: detections, target: {target-type: slack, slack-uri: 'https://example.com'}}
use: all
audit: {}
";
        let method =
            FilterMethod::new("filter", text, ".", FilterUse::Detections).expect("a valid configuration");
        let mut filter = method.filter("prod-eu-1");
        let nested = r#"{"eid":"jane","cluster":"c","period":180000,"reasons":[{"values":{"high":[4]},"doc":"change in count of unique remote commands in write access attempts","period":180000,"direction":"write"}],"confidence":"high","short-doc":"change in remote commands","doc":"unusual change in count of unique remote commands in access attempts","etype":"principal","time":1583075520000,"category":"anomaly","direction":"write"}"#;
        let flat = nested.replace("short-doc", "short_doc").replace("commands", "shells");
        let cluster =
            nested.replace(r#""etype":"principal""#, r#""etype":"cluster""#).replace("jane", "cluster");
        let incident = nested.replace("anomaly", "incident");
        for (record, kind, principal) in [
            (nested, DetectionKind::Commands, Some("jane")),
            (&flat, DetectionKind::Shells, Some("jane")),
            (&cluster, DetectionKind::Commands, None),
            (&incident, DetectionKind::Incident, Some("jane")),
        ] {
            let mut found = Vec::new();
            let now = Time::from_millis(1_583_075_520_000);
            filter.process(Record::json(record), now, |verdict| match verdict {
                Verdict::Kept(entry) => {
                    found.extend(detection(&entry, FilterUse::Detections, &mut Vec::new()));
                }
                verdict => panic!("{verdict:?}: {record}"),
            });
            let principal = principal.map(str::to_owned);
            assert_eq!(found, [Detection { time_ms: 1_583_075_520_000, kind, principal }], "{record}");
        }
    }
}
