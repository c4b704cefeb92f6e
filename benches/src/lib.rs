//! The jobs and the records of the benchmarks.

#![forbid(unsafe_code)]

use std::fmt::Write as _;

use kaudit_filter::config::{self, Config, FileLoader, Shape};
use kaudit_filter::entry::Entry;
use kaudit_filter::envelope::Form;
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time, Verdict};
use kaudit_measure::records::{Profile, Records, START_MS};

pub use kaudit_measure::{Encoding, records};

/// The job, as an operator would write it.
pub const JOB: &str = include_str!("../job.yaml");

/// The job on audit events.
pub const AUDIT_JOB: &str = include_str!("../audit.yaml");

/// The default policy.
pub const POLICY: &str = include_str!("../../policies/default.yaml");

/// Loads a policy, which is the only file that a job names.
struct PolicyFile<'p>(&'p str);

impl FileLoader for PolicyFile<'_> {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(self.0.to_owned())
    }
}

/// Reads a configuration without mistakes; its policy file, if it names one, has this text.
///
/// # Panics
/// It has a mistake.
pub fn config(text: &str, policy: &str) -> Config {
    let reading = config::read("job.yaml", text, &PolicyFile(policy));
    reading.config.unwrap_or_else(|| panic!("{:#?}", reading.diagnostics))
}

/// A running filter.
///
/// Its clock advances by a millisecond with each record, so that no limit of the job is ever reached.
pub struct Worker {
    filter: Filter,
    shape: Shape,
    now_ms: i64,
    out: Vec<u8>,
}

impl Worker {
    /// Returns a filter for a configuration without mistakes; the first record arrives an hour after its creation.
    ///
    /// # Panics
    /// It has a mistake.
    pub fn new(job: &str) -> Self {
        Self::with_policy(job, POLICY)
    }

    /// Returns a filter for a configuration whose policy file has this text.
    ///
    /// # Panics
    /// One of them has a mistake.
    pub fn with_policy(job: &str, policy: &str) -> Self {
        let config = config(job, policy);
        let filter = Filter::new(&config, 7).expect("small patterns");
        let shape = config.coralogix.shape;
        Self { filter, shape, now_ms: START_MS + 3_600_000, out: Vec::with_capacity(4 << 20) }
    }

    /// Filters one record and appends its entry; returns whether there is one.
    pub fn process(&mut self, encoding: Encoding, record: &[u8]) -> bool {
        self.now_ms += 1;
        let mut out = std::mem::take(&mut self.out);
        let kept = self.decide(encoding, record, self.now_ms, &mut out);
        self.out = out;
        kept
    }

    /// Filters a record that arrives at this time and appends its entry to the buffer; returns whether there is one.
    pub fn decide(&mut self, encoding: Encoding, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> bool {
        let now = Time::from_millis(now_ms);
        let (mut kept, shape) = (false, self.shape);
        match encoding {
            Encoding::Json => self.filter.process(Record::json(record), now, |verdict| {
                if let Verdict::Kept(entry) = verdict {
                    kept = true;
                    write(shape, encoding, &entry, out);
                }
            }),
            Encoding::MsgPack => self.filter.process(Record::msgpack(record), now, |verdict| {
                if let Verdict::Kept(entry) = verdict {
                    kept = true;
                    write(shape, encoding, &entry, out);
                }
            }),
        }
        kept
    }

    /// Filters each record of a batch into a buffer that is emptied first; returns the number of kept records.
    ///
    /// Tools count the instructions of this function and its callees.
    #[inline(never)]
    pub fn all(&mut self, batch: &Batch) -> usize {
        self.out.clear();
        batch.records.iter().filter(|record| self.process(batch.encoding, record)).count()
    }
}

/// Writes an entry: in OTLP as JSON, in other shapes in the encoding of the records.
#[inline]
fn write(shape: Shape, encoding: Encoding, entry: &Entry<'_>, out: &mut Vec<u8>) {
    match (shape, encoding) {
        (Shape::Otlp, _) => Form::ResourceLogs.write_one(entry, out),
        (_, Encoding::Json) => entry.write_json(out),
        (_, Encoding::MsgPack) => entry.write_msgpack(out),
    }
}

/// Records of one verdict and encoding, filtered in rotation.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Their encoding.
    pub encoding: Encoding,
    /// The records.
    pub records: Vec<Vec<u8>>,
}

impl Batch {
    /// Returns the first `count` mixed records that the job keeps, or drops; each at least `bytes` long as JSON.
    pub fn of(encoding: Encoding, kept: bool, bytes: usize, count: usize) -> Self {
        Self::first(JOB, Records::new(Profile::Mixed, 1000, 1).of_bytes(bytes), encoding, kept, count)
    }

    /// Returns the first `count` audit events that the default policy selects, or does not.
    ///
    /// `bytes` is the length of events with bodies; 0: as generated.
    pub fn events(
        profile: Profile,
        encoding: Encoding,
        kept: bool,
        bytes: usize,
        count: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Self {
        let records = Records::new(profile, 1000, 1).of_bytes(bytes).filter(|text| wanted(text));
        Self::first(AUDIT_JOB, records, encoding, kept, count)
    }

    /// Returns the first `count` records that a job keeps, or drops.
    fn first(
        job: &str,
        records: impl Iterator<Item = String>,
        encoding: Encoding,
        kept: bool,
        count: usize,
    ) -> Self {
        let mut worker = Worker::new(job);
        let records = records.map(|text| encoding.of(&text));
        let records = records.filter(|record| {
            worker.out.clear();
            worker.process(encoding, record) == kept
        });
        Self { encoding, records: records.take(count).collect() }
    }

    /// Returns records of JSON text as the MessagePack that Fluent Bit's inputs create for lines.
    fn as_lines(&self) -> Self {
        let line = |text: &Vec<u8>| {
            let text = str::from_utf8(text).expect("JSON");
            // They write the number of members after the members.
            let mut record = vec![0xdf, 0, 0, 0, 1];
            for string in ["log", text] {
                record.extend(rmp_serde::to_vec(string).expect("a string"));
            }
            record
        };
        Self { encoding: Encoding::MsgPack, records: self.records.iter().map(line).collect() }
    }
}

/// Returns a job with `count` integrations of selections, each with its own patterns, of which the last accepts all.
pub fn job_of(integrations: usize) -> String {
    let mut job = "guard: {max-age: 87600h, max-ahead: 87600h}\nintegrations:\n".to_owned();
    let target = r#"target: {target-type: http-api, http-api-uri: "https://ingress.eu2.coralogix.com/logs/v1/singles"}"#;
    for number in 1..integrations {
        let _ = writeln!(
            job,
            "  - {{type: selections, {target}, data-filter: {{entity-match: '^team-{number}:', rules-match: 'rule {number}$'}}}}"
        );
    }
    let _ = writeln!(job, "  - type: selections\n    {target}");
    job
}

/// Returns a policy of so many rules with the fields, operators and references of real ones, which select no event.
///
/// The rules refer to a building block.
pub fn policy_of(rules: usize) -> String {
    let mut policy = "- {id: 1, name: machines, status: false, conditions: [{field: principal, match-op: '~', match-value: '^system:'}]}\n".to_owned();
    for number in 0..rules {
        let conditions = match number % 8 {
            0 => format!(
                "{{field: resource-type, match-op: '=', match-value: widgets{number}}}, {{field: verb, match-op: in, match-value: [create, update, patch]}}, {{not-ref-id: 1}}"
            ),
            1 => format!(
                "{{field: resource-type, match-op: '=', match-value: secrets}}, {{field: verb, match-op: in, match-value: [get, list, watch]}}, {{field: resource-namespace, match-op: '=', match-value: team-{number}}}"
            ),
            2 => format!(
                "{{field: principal, match-op: in, match-value: [user{number}@example.org, user-{number}@example.net]}}, {{field: resource-namespace, match-op: '!=', match-value: team-{number}}}"
            ),
            3 => format!(
                "{{field: uri, match-op: '~', match-value: '^/apis/team{number}\\.example\\.com/'}}, {{field: status-code, match-op: '~', match-value: '^2'}}"
            ),
            4 => format!(
                "{{field: original-user-agent, match-op: '~', match-value: '(?i)^tool-{number}/'}}, {{field: resource-type, match-op: in, match-value: [pods, services]}}"
            ),
            5 => format!(
                "{{field: subresource, match-op: in, match-value: [exec, attach]}}, {{field: resource-object-name, match-op: '~', match-value: '^db-{number}-'}}, {{not-ref-id: 1}}"
            ),
            6 => format!(
                "{{field: user-groups, match-op: '=', match-value: 'group-{number}'}}, {{field: resource-type, match-op: in, match-value: [roles, clusterroles]}}"
            ),
            _ => format!(
                "{{field: caller-ip, match-op: cidr, match-value: [198.51.{}.{}/32]}}, {{field: verb, match-op: '!=', match-value: watch}}",
                number / 256,
                number % 256
            ),
        };
        let _ =
            writeln!(policy, "- {{id: {}, name: rule-{number}, conditions: [{conditions}]}}", number + 1001);
    }
    policy
}

/// Returns selections for a job of [`job_of`].
pub fn selections(count: usize) -> Batch {
    let records =
        Records::new(Profile::Selections, 1000, 1).take(count).map(|text| Encoding::MsgPack.of(&text));
    Batch { encoding: Encoding::MsgPack, records: records.collect() }
}

/// A case of the guard against slower code.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The configuration.
    pub job: String,
    /// The records of a round.
    pub batch: Batch,
}

/// Redactions of fields that most findings have, with patterns that do not match.
const REDACT: &str =
    "redact: [{field: resource-name, pattern: 'password=\\S+'}, {field: doc, pattern: '(?i)secret='}]\n";

/// Returns the wanted cases of the guard, by name.
///
/// They are each encoding and verdict, lines of text that stay text, redactions, OTLP, counted selections, one integration
/// and a thousand, and audit events. The others are not built.
pub fn counted(wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, job: &str, batch: &dyn Fn() -> Batch| {
        if wanted(&name) {
            cases.push(Case { name, job: job.to_owned(), batch: batch() });
        }
    };
    let text_job = format!("{JOB}coralogix: {{text: string}}\n");
    for (fate, kept) in [("kept", true), ("dropped", false)] {
        add(format!("lines-{fate}"), &text_job, &|| Batch::of(Encoding::Json, kept, 0, 50).as_lines());
    }
    for (name, encoding) in Encoding::ALL {
        for (fate, kept) in [("kept", true), ("dropped", false)] {
            add(format!("{name}-{fate}"), JOB, &|| Batch::of(encoding, kept, 0, 50));
        }
        let job = format!("{JOB}{REDACT}");
        add(format!("{name}-redactable"), &job, &|| Batch::of(encoding, true, 0, 50));
        let job = format!("{JOB}coralogix: {{shape: otlp}}\n");
        add(format!("{name}-otlp"), &job, &|| Batch::of(encoding, true, 0, 50));
    }
    let job = format!("{}    data-filter: {{report: count}}\n", job_of(1));
    add("counted-dropped".to_owned(), &job, &|| selections(50));
    for count in [1, 1000] {
        add(format!("integrations-{count}"), &job_of(count), &|| selections(50));
    }
    let machine = |text: &str| text.contains(r#""username":"system:"#);
    let person = |text: &str| text.contains(r#""username":"user-"#);
    let dropped = |encoding| Batch::events(Profile::AuditMetadata, encoding, false, 0, 50, machine);
    add("audit-lines-dropped".to_owned(), AUDIT_JOB, &|| dropped(Encoding::Json).as_lines());
    for (name, encoding) in Encoding::ALL {
        add(format!("audit-{name}-dropped"), AUDIT_JOB, &|| dropped(encoding));
        add(format!("audit-{name}-kept"), AUDIT_JOB, &|| {
            Batch::events(Profile::AuditMetadata, encoding, true, 0, 50, person)
        });
        add(format!("bodies-{name}-dropped"), AUDIT_JOB, &|| {
            Batch::events(Profile::AuditBodies, encoding, false, 0, 50, |_| true)
        });
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_requested_verdict() {
        for Case { name, job, batch } in counted(|_| true) {
            let kept = Worker::new(&job).all(&batch);
            let all = batch.records.len();
            assert_eq!((kept, all), (if name.ends_with("dropped") { 0 } else { all }, 50), "{name}");
        }
    }
}
