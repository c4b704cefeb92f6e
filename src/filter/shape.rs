//! What leaves: an entry's time, what it says of summaries and counts, and what changes its text.

#![expect(clippy::inline_always, reason = "each kept record comes by here, measured")]

use super::labels::{self, Namer, Source, Texts};
use super::{Claim, Integration, Note, Sampled, own_ms};
use crate::config::{Config, Guard, Keys, Severity, Shape, TextForm};
use crate::counts;
use crate::entry::{Entry, Labels};
use crate::finding::{Field, Fields};
use crate::limit::{self, Summary};
use crate::pattern::{self, BuildError};
use crate::record::{Body, Event, Number, Tape, Value};
use crate::redact::Redactor;
use crate::stats::Stats;
use crate::time::{self, Time};

/// What shapes an entry, whatever it is of.
pub(super) struct Shaper {
    pub namer: Namer,
    pub redactor: Redactor,
    pub guard: Guard,
    keys: Keys,
    text: TextForm,
}

/// What redaction looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Redaction {
    /// The fields that rules name.
    Fields,
    /// Every string.
    Everything,
    /// Nothing: the text is made of redacted values.
    Done,
}

/// A finding's time, placed among those that Coralogix accepts.
pub(super) struct Placed {
    pub finding_ms: i64,
    pub entry_ms: i64,
    /// The mark and its word, when the two differ.
    pub off: Option<&'static str>,
    missing: bool,
}

impl Placed {
    /// The digits of an entry's time, where the finding gives it so.
    #[inline(always)]
    pub fn digits<'a>(&self, fields: &Fields<'a>) -> Option<&'a [u8; 13]> {
        match fields.get(Field::Time) {
            Value::Number(Number::Digits(digits)) if self.off.is_none() => digits.try_into().ok(),
            _ => None,
        }
    }

    #[inline(always)]
    pub fn mark(&self, entry: &mut Entry<'_>, stats: &mut Stats) {
        if self.off.is_some() || self.missing {
            mark_odd(self.off, self.missing, entry, stats);
        }
    }
}

#[inline(never)]
fn mark_odd(off: Option<&'static str>, missing: bool, entry: &mut Entry<'_>, stats: &mut Stats) {
    if let Some(word) = off {
        entry.mark("clamped", Tape::str(word));
        stats.clamped = stats.clamped.saturating_add(1);
    }
    if missing {
        entry.mark("time", Tape::str("missing"));
    }
}

impl Shaper {
    /// What tells the counts of one report apart.
    const DIMENSIONS: [Field; 4] = [Field::Cluster, Field::Principal, Field::Rule, Field::ResourceNamespace];

    pub fn new(config: &Config, source: &mut impl pattern::Source) -> Result<Self, BuildError> {
        Ok(Self {
            namer: Namer::new(&config.coralogix),
            redactor: Redactor::new(&config.redact, source)?,
            guard: config.guard.clone(),
            keys: config.coralogix.keys,
            text: match config.coralogix.shape {
                Shape::Singles => config.coralogix.text,
                // Coralogix takes nothing but a string in an envelope.
                Shape::Bulk => TextForm::String,
            },
        })
    }

    /// Names and labels; see [`Namer::label`].
    #[inline(never)]
    pub fn labels<'a>(&self, source: &Source<'_, 'a>, texts: &'a mut Texts) -> Labels<'a> {
        self.namer.label(source, &self.redactor, texts)
    }

    pub fn dimensions<'t>(&self, fields: &Fields<'_>, texts: &'t mut [String; 4]) -> [&'t str; 4] {
        for (field, text) in Self::DIMENSIONS.into_iter().zip(texts.iter_mut()) {
            text.clear();
            labels::push(field, fields, &self.redactor, text);
        }
        texts.each_ref().map(String::as_str)
    }

    /// What a summary says, and what is noted of the findings it speaks of.
    pub fn summary_text(
        &self,
        integrations: &[Integration],
        summary: Summary<Sampled>,
    ) -> Option<(Tape<'static>, Note)> {
        let Summary { integration, by, tally } = summary;
        let Sampled { note, key: redacted, sample } = tally.note?;
        let name = Claim { integrations, place: integration }.name();
        let mut text = Tape::map([("integration", Tape::str(name.to_owned())), ("by", Tape::str(by.word()))]);
        match tally.key {
            limit::Key::All => (),
            limit::Key::Others => text.insert("others", Tape { events: vec![Event::Bool(true)] }),
            limit::Key::One(key) => {
                let key = redacted.unwrap_or_else(|| {
                    // It may have been suppressed under a configuration without redactions.
                    let mut key = String::from(key);
                    self.redactor.everything_in(&mut key);
                    key.into()
                });
                text.insert("key", Tape::str(String::from(key)));
            }
        }
        text.insert("suppressed", Tape::uint(tally.count));
        text.insert("first", Tape::int(tally.first.millis()));
        text.insert("last", Tape::int(tally.last.millis()));
        text.insert("sample", sample.tape());
        Some((text, note))
    }

    /// A count report as kAudit writes them.
    pub fn report_text(start_ms: i64, dimensions: counts::Dimensions, count: u64) -> Tape<'static> {
        let mut text = Tape::map([]);
        // kAudit's own counts mix spellings: `resource_namespace` beside `count-period`.
        let keys = ["cluster", "principal", "rule", "resource_namespace"];
        if dimensions.is_none() {
            text.insert("others", Tape { events: vec![Event::Bool(true)] });
        }
        for (key, value) in keys.into_iter().zip(dimensions.into_iter().flatten()) {
            if !value.is_empty() {
                text.insert(key, Tape::str(String::from(value)));
            }
        }
        text.insert("time", Tape::int(start_ms));
        text.insert("timestamp", Tape::str(time::format(start_ms)));
        text.insert("count", Tape::uint(count));
        text.insert("count-period", Tape::int(counts::PERIOD_MS));
        text
    }

    #[inline(always)]
    pub fn time(&self, fields: &Fields<'_>, now: Time) -> Placed {
        match own_ms(fields) {
            Some(finding_ms) => self.placed(finding_ms, now),
            None => Placed { finding_ms: now.millis(), entry_ms: now.millis(), off: None, missing: true },
        }
    }

    #[inline(always)]
    pub fn placed(&self, finding_ms: i64, now: Time) -> Placed {
        let Guard { max_age_ms, max_ahead_ms, .. } = self.guard;
        let now_ms = now.millis();
        // From the oldest that is accepted to the one that is furthest ahead, in one comparison.
        let range = max_age_ms.wrapping_add(max_ahead_ms).cast_unsigned();
        if finding_ms.wrapping_sub(now_ms.wrapping_sub(max_age_ms)).cast_unsigned() <= range {
            return Placed { finding_ms, entry_ms: finding_ms, off: None, missing: false };
        }
        let word = if finding_ms < now_ms { "too-old" } else { "too-far-ahead" };
        Placed { finding_ms, entry_ms: now_ms, off: Some(word), missing: false }
    }

    pub fn entry<'a>(
        &self,
        timestamp_ms: i64,
        severity: Severity,
        labels: Labels<'a>,
        body: Body<'a>,
    ) -> Entry<'a> {
        Entry { timestamp_ms, digits: None, severity, labels, text: self.text, body, marks: Tape::default() }
    }

    /// Everything that may change the text, and the counts of it. `clean`: it may leave as it came; `own`: the filter's
    /// own key is in it.
    #[inline(always)]
    pub fn finish(
        &self,
        entry: &mut Entry<'_>,
        clean: bool,
        own: bool,
        redaction: Redaction,
        stats: &mut Stats,
    ) {
        let redact = match redaction {
            Redaction::Fields => {
                !self.redactor.is_empty() && (!clean || self.redactor.may_apply(&entry.body))
            }
            Redaction::Everything => !self.redactor.is_empty(),
            Redaction::Done => false,
        };
        if !clean || own || redact || self.keys == Keys::Snake {
            self.rewrite(entry, own, if redact { redaction } else { Redaction::Done }, stats);
        }
        if entry.fit(self.guard.max_entry_bytes) {
            stats.truncated = stats.truncated.saturating_add(1);
        }
    }

    #[inline(never)]
    fn rewrite(&self, entry: &mut Entry<'_>, own: bool, redaction: Redaction, stats: &mut Stats) {
        let mut tape = core::mem::replace(&mut entry.body, Body::Json(b"")).into_tape();
        let mut changed = 0_u64;
        if own {
            // Nobody knows the fields of what stands under the filter's own key.
            let mut previous = tape.take_own();
            changed = self.redactor.everything(&mut previous);
            entry.mark("previous", previous);
        }
        changed = changed.saturating_add(match redaction {
            Redaction::Fields => self.redactor.body(&mut tape),
            Redaction::Everything => self.redactor.everything(&mut tape),
            Redaction::Done => 0,
        });
        if changed > 0 {
            entry.mark("redacted", Tape::uint(changed));
            stats.redacted = stats.redacted.saturating_add(1);
        }
        if self.keys == Keys::Snake {
            tape.snake_keys();
        }
        entry.body = Body::Tape(tape);
    }

    /// Notes of the first finding that is held back what a summary will tell, and of all the highest severity.
    #[inline(never)]
    pub fn remember(
        &self,
        note: &mut Option<Sampled>,
        source: &Source<'_, '_>,
        key: &[u8],
        severity: Severity,
    ) {
        note.get_or_insert_with(|| self.sampled(source, key, severity)).note.further(severity);
    }
}
