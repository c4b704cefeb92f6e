//! The processing loop that every host has around the engine.

use kaudit_filter::config::{Config, Shape};
use kaudit_filter::entry::Entry;
use kaudit_filter::envelope::{Form, Grouper};
use kaudit_filter::record::Record;
use kaudit_filter::stats::{Reason, Stats};
#[cfg(feature = "compile")]
use kaudit_filter::{BuildError, explain::Explainer, explain::Explanation};
use kaudit_filter::{Filter, Time, Verdict};

/// A filter, and the envelopes that its entries are collected in.
///
/// A host passes each record to [`Session::record`], then drains [`Session::due`], and at the end of a chunk
/// [`Session::close`]. On shutdown it drains [`Session::finish`].
#[derive(Debug)]
pub struct Session<E = Filter> {
    engine: E,
    shape: Shape,
    envelopes: Envelopes,
}

/// The envelopes that are being filled.
#[derive(Debug)]
struct Envelopes {
    open: Grouper,
    /// The form of the shape's envelopes; `None`: entries are emitted one by one.
    form: Option<Form>,
    /// Whether the host wants envelopes.
    enabled: bool,
    /// Whether the host wants them in OTLP.
    resource_logs: bool,
}

/// The result of filtering, which a host emits or counts.
#[derive(Debug)]
pub enum Emission<'e> {
    /// An entry.
    Entry(&'e Entry<'e>),
    /// An entry was added to an open envelope.
    Grouped(&'e Entry<'e>),
    /// A complete envelope as JSON: the body of a request to `/logs/v1/bulk`, or in OTLP a `ResourceLogs` object.
    Envelope(Vec<u8>),
    /// The record stays in the stream unchanged.
    Passed,
    /// The finding is dropped, for this reason.
    Dropped(Reason),
    /// The finding is suppressed by a rate limit; a summary will count it.
    Suppressed,
}

/// The engine of a session: a filter, or one that explains its verdicts.
pub trait Engine {
    /// Returns the next summary or report that is due.
    fn due(&mut self, now: Time) -> Option<Entry<'_>>;

    /// Returns the next pending summary or report, due or not.
    fn finish(&mut self, now: Time) -> Option<Entry<'_>>;

    /// Returns the counters since the engine was made.
    fn stats(&self) -> &Stats;
}

impl<E: Engine> Session<E> {
    /// Returns a session that emits entries or envelopes, as the configuration's `shape` requires.
    pub fn new(engine: E, config: &Config) -> Self {
        let shape = config.coralogix.shape;
        let (open, form) = (Grouper::default(), Form::of(shape));
        let envelopes = Envelopes { open, form, enabled: true, resource_logs: true };
        Self { engine, shape, envelopes }
    }

    /// Emits entries in every shape: the agent's output builds the envelopes.
    #[must_use]
    pub fn without_envelopes(mut self) -> Self {
        self.envelopes.enabled = false;
        self
    }

    /// Emits entries in OTLP, and envelopes in the other shapes: the host groups the entries by resource.
    #[must_use]
    pub fn without_resource_logs(mut self) -> Self {
        self.envelopes.resource_logs = false;
        self
    }

    /// Returns the configured shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Returns the counters since the session began.
    pub fn stats(&self) -> &Stats {
        self.engine.stats()
    }

    /// Emits the summaries and reports that are due.
    #[inline]
    pub fn due(&mut self, now: Time, mut on: impl FnMut(Emission<'_>)) {
        while let Some(entry) = self.engine.due(now) {
            self.envelopes.emit(&entry, &mut on);
        }
    }

    /// Returns the next summary or report that is due, for a host that emits one at a time.
    #[inline]
    pub fn next_due(&mut self, now: Time) -> Option<Entry<'_>> {
        self.engine.due(now)
    }

    /// Returns the next pending summary or report, due or not, for a host that emits one at a time.
    pub fn next_pending(&mut self, now: Time) -> Option<Entry<'_>> {
        self.engine.finish(now)
    }

    /// Emits all pending summaries and reports, and closes the envelopes.
    pub fn finish(&mut self, now: Time, mut on: impl FnMut(Emission<'_>)) {
        while let Some(entry) = self.engine.finish(now) {
            self.envelopes.emit(&entry, &mut on);
        }
        self.close(on);
    }

    /// Emits the envelopes that are open.
    pub fn close(&mut self, mut on: impl FnMut(Emission<'_>)) {
        while let Some(envelope) = self.envelopes.open.close() {
            on(Emission::Envelope(envelope));
        }
    }
}

impl Envelopes {
    #[inline]
    fn emit(&mut self, entry: &Entry<'_>, on: &mut impl FnMut(Emission<'_>)) {
        let is_wanted = |form: &Form| self.enabled && (self.resource_logs || *form == Form::Bulk);
        let Some(form) = self.form.filter(is_wanted) else { return on(Emission::Entry(entry)) };
        let full = self.open.push(entry, form);
        on(Emission::Grouped(entry));
        if let Some(envelope) = full {
            on(Emission::Envelope(envelope));
        }
    }
}

impl Session {
    /// Filters a record that arrives `now`; `on` is called for each finding in it, in order.
    #[inline]
    pub fn record(&mut self, record: Record<'_>, now: Time, mut on: impl FnMut(Emission<'_>)) {
        let Self { engine, envelopes, .. } = self;
        engine.process(record, now, |verdict| match verdict {
            Verdict::Kept(entry) => envelopes.emit(&entry, &mut on),
            Verdict::Passed => on(Emission::Passed),
            Verdict::Dropped(reason) => on(Emission::Dropped(reason)),
            Verdict::Suppressed => on(Emission::Suppressed),
        });
    }

    /// Emits the counts since an earlier state of [`Session::stats`], as an entry.
    pub fn statistics(&mut self, since: &Stats, now: Time, mut on: impl FnMut(Emission<'_>)) {
        let entry = self.engine.statistics(since, now);
        self.envelopes.emit(&entry, &mut on);
    }

    /// Continues with another configuration; limits, counts, counters and open envelopes are kept.
    ///
    /// # Errors
    /// The patterns are too large together; the configuration before stays in use.
    #[cfg(feature = "compile")]
    pub fn replace(&mut self, config: &Config, seed: u64) -> Result<(), BuildError> {
        self.engine.replace(config, seed)?;
        self.shape = config.coralogix.shape;
        self.envelopes.form = Form::of(self.shape);
        Ok(())
    }

    /// Returns whether the configuration has limits or count reports.
    pub fn may_suppress(&self) -> bool {
        self.engine.may_suppress()
    }

    /// Suppresses findings above their limits, or lets all pass.
    pub fn set_suppression_enabled(&mut self, enabled: bool) {
        self.engine.set_suppression_enabled(enabled);
    }
}

#[cfg(feature = "compile")]
impl Session<Explainer> {
    /// Filters a record that arrives `now`. Returns the explanation of each verdict, in order.
    pub fn explain(&mut self, record: Record<'_>, now: Time) -> Vec<Explanation> {
        self.engine.explain(record, now)
    }
}

impl Engine for Filter {
    #[inline]
    fn due(&mut self, now: Time) -> Option<Entry<'_>> {
        Self::due(self, now)
    }

    fn finish(&mut self, now: Time) -> Option<Entry<'_>> {
        Self::finish(self, now)
    }

    fn stats(&self) -> &Stats {
        Self::stats(self)
    }
}

#[cfg(feature = "compile")]
impl Engine for Explainer {
    fn due(&mut self, now: Time) -> Option<Entry<'_>> {
        Self::due(self, now)
    }

    fn finish(&mut self, now: Time) -> Option<Entry<'_>> {
        Self::finish(self, now)
    }

    fn stats(&self) -> &Stats {
        Self::stats(self)
    }
}

#[cfg(all(test, feature = "compile"))]
mod tests {
    use kaudit_filter::config::{NoFiles, read};

    use super::*;

    const CONFIG: &str = "coralogix: {shape: bulk}\nunrecognised: pass\nintegrations:\n- type: detections\n  target: \
                          {target-type: slack, slack-uri: 'https://example.com', rate-limit: 1}\n  data-filter: \
                          {entity-no-match: '^system:'}\nuse: all\n";

    fn session(shape: &str) -> Session {
        let text = CONFIG.replace("bulk", shape);
        let config = read("kaudit.yaml", &text, &NoFiles).config.expect("no mistakes");
        Session::new(Filter::new(&config, 7).expect("small patterns"), &config)
    }

    fn names(session: &mut Session) -> Vec<String> {
        let mut names = Vec::new();
        let mut on = |emission: Emission<'_>| {
            names.push(match emission {
                Emission::Entry(_) => "entry".to_owned(),
                Emission::Grouped(_) => "grouped".to_owned(),
                Emission::Envelope(json) => {
                    let json = String::from_utf8(json).expect("UTF-8");
                    let items = ["\"timestamp\":", "\"timeUnixNano\":"].map(|key| json.matches(key).count());
                    format!("envelope of {}", items[0] + items[1])
                }
                Emission::Passed => "passed".to_owned(),
                Emission::Dropped(reason) => reason.label().to_owned(),
                Emission::Suppressed => "suppressed".to_owned(),
            });
        };
        let now = Time::from_millis(1_600_000_000_000);
        for eid in ["a", "b", "system:c"] {
            let record = format!(
                r#"{{"etype":"principal","eid":"{eid}","category":"incident","time":1600000000000}}"#
            );
            session.record(Record::json(&record), now, &mut on);
        }
        session.record(Record::json("{}"), now, &mut on);
        session.due(now, &mut on);
        session.finish(now, &mut on);
        session.close(&mut on);
        names
    }

    #[test]
    fn what_is_emitted_depends_on_the_shape() {
        let verdicts = ["suppressed", "entity-no-match", "passed"];
        let all = |first: &'static str, last: &[&'static str]| [&[first], &verdicts[..], last].concat();
        assert_eq!(names(&mut session("singles")), all("entry", &["entry"]));
        assert_eq!(names(&mut session("bulk")), all("grouped", &["grouped", "envelope of 2"]));
        assert_eq!(names(&mut session("otlp")), all("grouped", &["grouped", "envelope of 2"]));
        assert_eq!(names(&mut session("bulk").without_envelopes()), all("entry", &["entry"]));
        assert_eq!(names(&mut session("otlp").without_resource_logs()), all("entry", &["entry"]));
        let bulk = names(&mut session("bulk").without_resource_logs());
        assert_eq!(bulk, all("grouped", &["grouped", "envelope of 2"]));
    }

    #[test]
    fn replacing_the_configuration_keeps_open_envelopes() {
        let mut session = session("bulk");
        let record = r#"{"etype":"principal","eid":"a","category":"incident","time":1600000000000}"#;
        let now = Time::from_millis(1_600_000_000_000);
        session.record(Record::json(record), now, |_| ());
        let config =
            read("kaudit.yaml", &CONFIG.replace("bulk", "singles"), &NoFiles).config.expect("no mistakes");
        session.replace(&config, 8).expect("small patterns");
        let mut envelopes = 0;
        session.close(|emission| envelopes += usize::from(matches!(emission, Emission::Envelope(_))));
        assert_eq!(envelopes, 1);
    }

    #[test]
    fn replacing_the_configuration_enables_no_envelopes() {
        let mut session = session("singles").without_envelopes();
        let config = read("kaudit.yaml", CONFIG, &NoFiles).config.expect("no mistakes");
        session.replace(&config, 8).expect("small patterns");
        assert_eq!(names(&mut session).last().map(String::as_str), Some("entry"));
    }
}
