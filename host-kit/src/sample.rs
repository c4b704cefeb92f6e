//! Explained samples of dropped records for the agent's log: at most one for each reason and interval.
//!
//! A sample is one line of at most [`MAX_BYTES`]: the reason, where the finding is in its record, and the clauses that
//! reject it with the text that they test. Values that the configuration's `redact` overwrites are overwritten here, too,
//! and no other part of the record is in a sample.
//!
//! The explanation is made of the record after its verdict, by a second set of the stages ([`Explainer`]), which is built
//! for the first sample: without samples it costs neither time nor memory.

use std::fmt::Write as _;

use kaudit_filter::Time;
use kaudit_filter::config::Config;
use kaudit_filter::explain::{Explainer, Explanation, MatchResult, Outcome, Recognised, Step};
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;

use crate::timer::Timer;

/// The maximum size of a sample, bytes.
pub const MAX_BYTES: usize = 512;

/// The maximum size of a value of the record in a sample, bytes.
const MAX_VALUE: usize = 80;

/// Chooses the records that are explained.
pub struct Sampler {
    config: Config,
    timer: Timer,
    /// The reasons that have a sample in this interval.
    sampled: Vec<Reason>,
    /// `None`: not built yet.
    explainer: Option<Explainer>,
}

impl Sampler {
    /// Returns a sampler for the filter of a configuration, with an interval in nanoseconds.
    pub fn new(config: Config, interval: i64) -> Self {
        Self { config, timer: Timer::new(interval), sampled: Vec::new(), explainer: None }
    }

    /// Begins the next interval if this one is over. A host calls it for each chunk.
    pub fn tick(&mut self, now: Time) {
        if self.timer.is_due(now) {
            self.sampled.clear();
        }
    }

    /// Continues with the configuration that replaced the filter's.
    pub fn replace(&mut self, config: Config) {
        (self.config, self.explainer) = (config, None);
    }

    /// Returns the line about a record that was dropped, if it is the first one for this reason in the interval.
    pub fn dropped(&mut self, record: Record<'_>, reason: Reason, now: Time) -> Option<String> {
        if self.sampled.contains(&reason) {
            return None;
        }
        self.sampled.push(reason);
        if self.explainer.is_none() {
            // The filter itself was built from this configuration, so its parts can be built as well.
            self.explainer = Explainer::new(&self.config, 0).ok();
        }
        let explanations = self.explainer.as_mut()?.explain(record, now);
        let explanation = explanations.iter().find(|one| one.outcome == Outcome::Dropped(reason))?;
        Some(line(explanation, reason))
    }
}

fn line(explanation: &Explanation, reason: Reason) -> String {
    let mut text = format!("sample: dropped: {}: ", reason.label());
    // Writing to a string cannot fail.
    let _ = match &explanation.recognised {
        Recognised::Finding { kind, path, .. } => write!(text, "{}{}", kind.name(), at(path)),
        Recognised::Other { because, path, .. } => write!(text, "not a finding{}: {because}", at(path)),
        Recognised::Event { path } => write!(text, "audit event{}: {}", at(path), reason.help()),
        Recognised::OwnOutput => write!(text, "an entry of the filter"),
    };
    if let Some(stale) = explanation.stale {
        let _ = write!(text, "; its time is {stale}");
    }
    explanation.integrations.iter().for_each(|step| push_step(step, &mut text));
    let text = text.replace(char::is_control, " ");
    shortened(&text, MAX_BYTES)
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" at `{}`", shortened(path, MAX_VALUE)) }
}

/// Adds the reason why an integration of the finding's type does not get it.
fn push_step(step: &Step, text: &mut String) {
    let name = &step.name;
    let _ = match (step.result, step.clauses.last()) {
        (MatchResult::Rejects(_), Some(clause)) => {
            let expected = shortened(&clause.expected, MAX_VALUE);
            let tested = shortened(&clause.tested, MAX_VALUE);
            write!(text, "; {name}: {} `{expected}` rejects `{tested}`", clause.name)
        }
        (MatchResult::Stopped, _) => write!(text, "; {name}: stopped"),
        (MatchResult::DoesNotApply, _) => write!(text, "; {name}: not for Coralogix"),
        _ => Ok(()),
    };
}

/// Returns the beginning of a text, with `…` if it is longer than `max` bytes.
fn shortened(text: &str, max: usize) -> String {
    const MORE: char = '…';
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max.saturating_sub(MORE.len_utf8()));
    text.get(..end).unwrap_or_default().chars().chain([MORE]).collect()
}

#[cfg(test)]
mod tests {
    use kaudit_filter::config::{NoFiles, read};
    use kaudit_filter::{Filter, Verdict};

    use super::*;

    const NOW: Time = Time::from_millis(1_583_078_400_000);
    const MINUTE: i64 = 60_000_000_000;

    /// The samples of records, each at its own time.
    fn samples(config: &str, records: &[(i64, &str)]) -> Vec<String> {
        let config = read("kaudit.yaml", config, &NoFiles).config.expect("no mistakes");
        let mut filter = Filter::new(&config, 7).expect("small patterns");
        let mut sampler = Sampler::new(config, MINUTE);
        let mut lines = Vec::new();
        for (nanos, record) in records {
            let now = Time::from_nanos(NOW.nanos() + nanos);
            sampler.tick(now);
            let (record, mut dropped) = (Record::json(record), Vec::new());
            filter.process(record, now, |verdict| {
                if let Verdict::Dropped(reason) = verdict {
                    dropped.push(reason);
                }
            });
            lines.extend(dropped.into_iter().filter_map(|reason| sampler.dropped(record, reason, now)));
        }
        lines
    }

    const CONFIG: &str = "use: all\nunrecognised: drop\nintegrations:\n- name: main\n  type: detections\n  target: \
                          {target-type: slack, slack-uri: 'https://example.com'}\n  data-filter: {etype: [principal], \
                          entity-no-match: '^system:'}\n";

    fn detection(etype: &str, eid: &str) -> String {
        format!(r#"{{"etype":"{etype}","eid":"{eid}","category":"incident","time":1583078400000}}"#)
    }

    #[test]
    fn each_reason_has_one_sample_in_an_interval() {
        let (resource, system) = (detection("resource", "a"), detection("principal", "system:b"));
        let lines = samples(
            CONFIG,
            &[
                (0, &resource),
                (1, &resource),
                (2, &system),
                (3, "{}"),
                (MINUTE, &resource),
                (MINUTE, &system),
            ],
        );
        let etype = "sample: dropped: etype: detections; main: etype `principal` rejects `resource`";
        let entity = "sample: dropped: entity-no-match: detections; main: entity-no-match `^system:` rejects `system:b`";
        let other = "sample: dropped: unrecognised: not a finding: it has none of the keys of a finding: `etype` and \
                     `eid`, `rule`, or `id` and `verb`";
        assert_eq!(lines, [etype, entity, other, etype, entity]);
    }

    #[test]
    fn no_secret_and_no_other_part_of_the_record_is_in_a_sample() {
        const SECRET: &str = "hunter2-very-secret";
        let config = format!("{CONFIG}redact:\n- {{field: eid, pattern: '{SECRET}'}}\n");
        let body = format!(
            r#""authorization":"Bearer {SECRET}","token":"eyJhbGciOi","requestObject":{{"data":{{"password":"{SECRET}"}}}}"#
        );
        let entity = format!("system:{SECRET}");
        let finding = |etype: &str| detection(etype, &entity).replacen('{', &format!("{{{body},"), 1);
        let wrapped = format!(r#"{{"log":{:?}}}"#, finding("principal"));
        let records =
            [finding("resource"), finding("principal"), format!("{{{body}}}"), format!("{{{body}"), wrapped];
        let records: Vec<_> =
            (0..).zip(&records).map(|(at, record)| (at * MINUTE, record.as_str())).collect();
        let lines = samples(&config, &records);
        assert_eq!(lines.len(), records.len(), "{lines:#?}");
        for line in lines {
            for secret in [SECRET, "hunter2", "eyJhbGciOi", "Bearer", "password"] {
                assert!(!line.contains(secret), "{line}");
            }
        }
    }

    #[test]
    fn a_sample_is_one_bounded_line() {
        let long = detection("principal", &format!("system:\\n\\u001b[31m{}", "é".repeat(2000)));
        let names: String = (0..40)
            .map(|number| {
                CONFIG[CONFIG.find("- name").expect("an integration")..]
                    .replace("main", &format!("integration-{number}"))
            })
            .collect();
        let config = CONFIG[..CONFIG.find("- name").expect("an integration")].to_owned() + &names;
        let lines = samples(&config, &[(0, &long)]);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() <= MAX_BYTES && lines[0].ends_with('…'), "{}", lines[0]);
        assert!(!lines[0].contains(char::is_control), "{:?}", lines[0]);
    }
}
