//! A filter for one run in a page: the verdict for each record, and the counters.

use host_kit::config::accept;
use host_kit::{Emission, Session, counters};
use kaudit_filter::config::{self, Config, NoFiles, Shape};
use kaudit_filter::envelope::Form;
use kaudit_filter::explain::{Explainer, Explanation, Outcome, Recognised};
use kaudit_filter::record::Record;
use kaudit_filter::{FindingTimes, Time};
use kaudit_workbench::explain;
use serde_json::{Map, Value, json};

use crate::remarks::NAME;

/// Seeds the tables of limiter keys. A user who constructs collisions slows down only their own page.
const SEED: u64 = 0;

/// A filter that explains its verdicts.
pub struct Trial {
    config: Config,
    session: Session<Explainer>,
    times: FindingTimes,
    /// The number of emitted entries.
    entries: u64,
}

impl Trial {
    /// Returns a new filter with the configuration in this text.
    ///
    /// # Errors
    /// The configuration has errors, a line for each.
    pub fn new(text: &str) -> Result<Self, String> {
        let read = accept(config::read(NAME, text, &NoFiles), ToString::to_string);
        let (config, _) = read.map_err(|mistakes| mistakes.join("\n"))?;
        let explainer = Explainer::new(&config, SEED).map_err(|error| error.to_string())?;
        let times = FindingTimes::new(&config);
        // Each entry is shown by itself.
        let session = Session::new(explainer, &config).without_envelopes();
        Ok(Self { config, session, times, entries: 0 })
    }

    /// Returns the time of the record's first finding that has one.
    pub fn time(&mut self, record: &str) -> Option<Time> {
        self.times.first(Record::json(record))
    }

    /// Filters a record that arrives `now`.
    ///
    /// Returns an object with the `verdicts`, one for each item of a batch, and the filter's `own` entries that are due.
    ///
    /// A verdict has the members `verdict` (`kept`, `dropped`, `suppressed` or `passed`), the `reason` of a drop and
    /// its meaning (`help`), the `fields` that decide, the `steps` to the verdict as rows of a label and a text,
    /// the `entry` of a kept record as JSON text and whether the record is `unrecognised`, and for an audit event the `rules` that select it, each with `id` and
    /// `name`. In the shape otlp, an entry's object also has the `ResourceLogs` object as which it is `sent`.
    pub fn take(&mut self, record: &str, now: Time) -> Value {
        let explanations = self.session.explain(Record::json(record), now);
        let verdicts: Vec<Value> =
            explanations.into_iter().map(|explanation| self.verdict(explanation)).collect();
        let mut own = Vec::new();
        self.session.due(now, |entry| own.extend(self::own(&entry, self.config.coralogix.shape)));
        self.entries += own.len() as u64;
        json!({ "verdicts": verdicts, "own": own })
    }

    fn verdict(&mut self, explanation: Explanation) -> Value {
        let fields: Map<String, Value> = explanation
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect();
        let mut answer = json!({
            "verdict": explain::outcome_name(&explanation.outcome),
            "fields": fields,
            "steps": explain::plain_rows(&explanation, &self.config),
        });
        if !explanation.rules.is_empty() {
            let rules = explain::selecting_rules(&explanation, &self.config);
            let rules = rules.into_iter().map(|rule| json!({"id": rule.id, "name": rule.name}));
            answer["rules"] = rules.collect();
        }
        match explanation.outcome {
            Outcome::Kept(entry) => {
                self.entries += 1;
                answer["entry"] = entry.into();
                answer["sent"] = explanation.resource_logs.into();
                answer["unrecognised"] = matches!(explanation.recognised, Recognised::Other { .. }).into();
            }
            Outcome::Dropped(reason) => {
                answer["reason"] = reason.label().into();
                answer["help"] = reason.help().into();
            }
            Outcome::Suppressed | Outcome::Passed => {}
        }
        answer
    }

    /// Returns the pending entries at the end: summaries and count reports.
    pub fn finish(&mut self, now: Time) -> Value {
        let mut own = Vec::new();
        self.session.finish(now, |entry| own.extend(self::own(&entry, self.config.coralogix.shape)));
        self.entries += own.len() as u64;
        own.into()
    }

    /// Returns the counters, named as in the program's `--summary json`, including zeros.
    ///
    /// `warning` states that most records are not recognised; it is null otherwise.
    pub fn account(&self) -> Value {
        let stats = self.session.stats();
        let mut account = counters::json(stats);
        account.insert("entries".to_owned(), self.entries.into());
        account.insert("warning".to_owned(), counters::unrecognised_warning(stats).into());
        account.into()
    }
}

/// Returns an entry of the filter's own as an object with its JSON texts.
fn own(emission: &Emission<'_>, shape: Shape) -> Option<Value> {
    let Emission::Entry(entry) = emission else { return None };
    let mut json = Vec::new();
    entry.write_json(&mut json);
    let sent = (shape == Shape::Otlp).then(|| {
        let mut json = Vec::new();
        Form::ResourceLogs.write_one(entry, &mut json);
        String::from_utf8_lossy(&json).into_owned()
    });
    Some(json!({ "entry": String::from_utf8_lossy(&json), "sent": sent }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "integrations:
  - type: detections
    target: {target-type: http-api, http-api-uri: 'https://ingress.eu2.coralogix.com/logs/v1/singles', rate-limit: 1}
    data-filter: {entity-no-match: '^system:'}
";

    fn detection(eid: &str) -> String {
        format!(r#"{{"etype":"principal","eid":"{eid}","category":"incident","time":1773735300000}}"#)
    }

    #[test]
    fn each_record_has_a_verdict_and_the_counters_balance() {
        let now = Time::from_millis(1_773_735_300_000);
        let mut trial = Trial::new(CONFIG).unwrap();
        let answers: Vec<Value> = ["system:a", "johnD", "johnD", "no json"]
            .map(|eid| if eid == "no json" { eid.to_owned() } else { detection(eid) })
            .iter()
            .map(|record| trial.take(record, now)["verdicts"][0].take())
            .collect();
        let verdicts: Vec<&Value> = answers.iter().map(|answer| &answer["verdict"]).collect();
        assert_eq!(verdicts, ["dropped", "kept", "suppressed", "kept"]);
        assert_eq!(answers[0]["reason"], "entity-no-match");
        assert_eq!(answers[0]["fields"]["eid"], "system:a");
        assert!(
            answers[0]["steps"].to_string().contains("matches `system:` in `system:a`"),
            "{}",
            answers[0]["steps"]
        );
        let entry: Value = serde_json::from_str(answers[1]["entry"].as_str().unwrap()).unwrap();
        assert_eq!(entry["text"]["eid"], "johnD");
        let own = trial.finish(now);
        assert_eq!(own.as_array().unwrap().len(), 1);
        let account = trial.account();
        for (name, count) in
            [("records", 4), ("suppressed", 1), ("passed", 0), ("entries", 3), ("summarised", 1)]
        {
            assert_eq!(account[name], count, "{name}");
        }
        assert_eq!((&account["kept"]["total"], &account["dropped"]["total"]), (&json!(2), &json!(1)));
    }

    #[test]
    fn each_item_of_a_batch_has_a_verdict() {
        let now = Time::from_millis(1_773_735_300_000);
        let mut trial = Trial::new(CONFIG).unwrap();
        let batch = format!(r#"{{"records":[{},{{"a":1}},{}]}}"#, detection("system:a"), detection("johnD"));
        let answer = trial.take(&batch, now);
        let verdicts = answer["verdicts"].as_array().unwrap();
        assert_eq!(verdicts.iter().map(|it| &it["verdict"]).collect::<Vec<_>>(), ["dropped", "kept", "kept"]);
        for (verdict, path) in verdicts.iter().zip(["records[0]", "records[1]", "records[2]"]) {
            assert!(verdict["steps"].to_string().contains(&format!("in `{path}`")), "{verdict}");
        }
        let account = trial.account();
        for (name, count) in [("records", 1), ("batches", 1), ("batch-items", 3), ("entries", 2)] {
            assert_eq!(account[name], count, "{name}");
        }
        assert_eq!(trial.time(&batch), Some(now));
        assert_eq!(trial.time("{}"), None);
    }

    #[test]
    fn the_rules_that_select_an_event_are_listed() {
        let mut trial = Trial::new(include_str!("../web/policy.yaml")).unwrap();
        let events = include_str!("../web/audit-events.ndjson");
        let answers: Vec<Value> =
            events.lines().map(|event| trial.take(event, trial_time(event))["verdicts"].take()).collect();
        let rules = |answer: &Value| -> Vec<String> {
            let verdict = &answer[0];
            let ids = verdict["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap());
            [verdict["verdict"].as_str().unwrap()].into_iter().chain(ids).map(str::to_owned).collect()
        };
        let found: Vec<Vec<String>> = answers.iter().map(rules).collect();
        let expected: [&[&str]; 10] = [
            &["kept", "100"],
            &["dropped"],
            &["kept", "101"],
            &["dropped"],
            &["kept", "102"],
            &["kept", "101", "102"],
            &["dropped", "100"],
            &["kept", "103"],
            &["dropped"],
            &["dropped"],
        ];
        assert_eq!(found, expected);
        assert_eq!(
            (&answers[1][0]["reason"], &answers[3][0]["reason"]),
            (&json!("duplicate-stage"), &json!("no-rule"))
        );
        assert_eq!(answers[5].as_array().unwrap().len(), 2, "a verdict for each rule");
        assert!(answers[5][1]["steps"].to_string().contains("`refused request` selects the event"));
    }

    fn trial_time(event: &str) -> Time {
        let event: Value = serde_json::from_str(event).unwrap();
        Time::parse(event["requestReceivedTimestamp"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn a_configuration_with_errors_makes_no_filter() {
        let refused = Trial::new("integrations: []").err().unwrap();
        assert!(refused.starts_with("kaudit.yaml:1:"), "{refused}");
    }
}
