//! Names and labels of an entry, and the sample a summary shows: texts taken from a finding's fields, redacted and cut
//! to a label's length.

#![expect(clippy::inline_always, reason = "each kept record has seven labels, measured")]

use super::shape::Shaper;
use super::{Claim, Note, Sampled};
use crate::config::{Coralogix, Severity};
use crate::entry::{LABEL_CHARS, Labels, Names};
use crate::finding::{Field, Fields, Kind};
use crate::limit;
use crate::record::{Tape, Value};
use crate::redact::Redactor;
use crate::template::{Placeholder, Template};

/// What names are taken from. What is seldom called takes it by value, as with a [`Question`](crate::finding::Question).
#[derive(Clone, Copy)]
pub(super) struct Source<'s, 'a> {
    pub fields: &'s Fields<'a>,
    /// Whether the body that the fields are of may leave as it came: each string in it is UTF-8 then.
    pub clean: bool,
    /// `None`: the record is not a finding.
    pub kind: Option<Kind>,
    /// What stands in the place of a finding's type when there is none.
    pub other: &'static str,
    pub claim: Claim<'s>,
}

/// Where names and texts stand that are not the record's own. The default remembers no names.
#[derive(Default)]
pub(super) struct Texts {
    /// A place for each of some names that were made before.
    known: Box<[Known]>,
    /// Names that are made for one record.
    odd: Names,
    category: String,
    class: String,
    method: String,
    thread: String,
}

impl Texts {
    /// How many names are remembered: for a few clusters, each with three kinds of findings.
    const KNOWN: usize = 32;

    /// Those that live on from record to record.
    pub fn lasting() -> Self {
        Self { known: (0..Self::KNOWN).map(|_| Known::default()).collect(), ..Self::default() }
    }
}

/// Names, and what they were made of.
#[derive(Default)]
struct Known {
    kind: Option<Kind>,
    text: Vec<u8>,
    names: Names,
}

/// The name templates.
pub(super) struct Namer {
    application: Template,
    subsystem: Template,
    computer: Template,
    by: By,
}

/// What makes a difference to names, besides a finding's kind.
enum By {
    Nothing,
    /// As in nearly all configurations, where names tell the cluster.
    Field(Field),
    More,
}

/// A label, and whether it may stand in a JSON string as it is.
#[derive(Clone, Copy)]
struct Label<'a> {
    text: &'a [u8],
    plain: bool,
}

impl Namer {
    pub fn new(config: &Coralogix) -> Self {
        let Coralogix { application_name, subsystem_name, computer_name, .. } = config;
        let mut named = [application_name, subsystem_name, computer_name]
            .into_iter()
            .flat_map(Template::placeholders)
            .filter(|placeholder| *placeholder != Placeholder::Type);
        let one = named.next();
        let by = match one {
            None => By::Nothing,
            Some(Placeholder::Field(field)) if named.all(|other| Some(other) == one) => By::Field(field),
            Some(_) => By::More,
        };
        Self {
            application: application_name.clone(),
            subsystem: subsystem_name.clone(),
            computer: computer_name.clone(),
            by,
        }
    }

    /// Names and labels, taken from the record as they stand there, or from `texts`.
    #[inline(always)]
    pub fn label<'a>(
        &self,
        source: &Source<'_, 'a>,
        redactor: &Redactor,
        texts: &'a mut Texts,
    ) -> Labels<'a> {
        let Texts { known, odd, category, class, method, thread } = texts;
        let names = self.names(source, redactor, known, odd);
        let [category, class, method, thread] = match source.kind {
            None => [Label::NONE; 4],
            Some(kind) => {
                let rules = (!redactor.is_empty()).then_some(redactor);
                let of = |field, text| value(field, source, rules, text).shown();
                [
                    match kind {
                        Kind::Detection => of(Field::Category, category),
                        Kind::Selection => Label::plain(b"selection"),
                        Kind::Activity => Label::plain(b"activity"),
                    },
                    match kind {
                        Kind::Detection => of(Field::Etype, class),
                        Kind::Selection | Kind::Activity => of(Field::ResourceType, class),
                    },
                    of(kind.subject_field(), method),
                    of(source.fields.entity_field(kind), thread),
                ]
            }
        };
        Labels {
            names,
            plain: category.plain && class.plain && method.plain && thread.plain,
            category: category.text,
            class: class.text,
            method: method.text,
            thread: thread.text,
        }
    }

    /// The names, from those that were made before where they are the same.
    #[inline(always)]
    fn names<'n>(
        &self,
        source: &Source<'_, '_>,
        redactor: &Redactor,
        known: &'n mut [Known],
        odd: &'n mut Names,
    ) -> &'n Names {
        let text = match self.by {
            By::Nothing => Some(&b""[..]),
            By::Field(field) => match source.fields.get(field) {
                Value::Null => Some(&b""[..]),
                Value::Plain(text) => Some(text),
                Value::Bytes(text) if source.clean => Some(text),
                _ => None,
            },
            By::More => None,
        };
        let place = source
            .kind
            .zip(text)
            .and_then(|(kind, text)| Some((kind, text, known.get_mut(place(kind, text))?)));
        let Some((kind, text, known)) = place else {
            self.name(*source, redactor, odd);
            return odd;
        };
        if known.kind != Some(kind) || known.text != text {
            known.kind = Some(kind);
            known.text.clear();
            known.text.extend_from_slice(text);
            self.name(*source, redactor, &mut known.names);
        }
        &known.names
    }

    #[inline(never)]
    fn name(&self, source: Source<'_, '_>, redactor: &Redactor, names: &mut Names) {
        let source = &source;
        let [mut application, mut subsystem, mut computer] = [const { String::new() }; 3];
        let application = required(render(&self.application, source, redactor, &mut application));
        let subsystem = required(render(&self.subsystem, source, redactor, &mut subsystem));
        let computer = render(&self.computer, source, redactor, &mut computer);
        names.set([application, subsystem, computer]);
    }
}

/// Where the names of a kind and a text are remembered. Whoever chooses texts that share a place has names made anew,
/// and no more.
#[inline]
fn place(kind: Kind, text: &[u8]) -> usize {
    let end = text.last_chunk().map_or(0, |last| u32::from_le_bytes(*last));
    // The golden ratio's odd neighbour: each bit of a word reaches the upper five of the product.
    ((end ^ (kind as u32) << 8).wrapping_mul(0x9e37_79b9) >> 27) as usize
}

/// Coralogix refuses an entry without a name.
fn required(name: &[u8]) -> &[u8] {
    if name.is_empty() { b"kaudit" } else { name }
}

impl<'a> Label<'a> {
    const NONE: Self = Self::plain(b"");

    const fn plain(text: &'a [u8]) -> Self {
        Self { text, plain: true }
    }

    /// A text of which nothing is known.
    const fn odd(text: &'a [u8]) -> Self {
        Self { text, plain: false }
    }

    /// What of a text becomes a label: its beginning, and nothing if nobody could see it.
    #[inline(always)]
    fn shown(self) -> Self {
        match self.text.first() {
            // Fewer bytes are fewer characters, too.
            Some(b'!'..=b'~') if self.text.len() <= LABEL_CHARS => self,
            None => self,
            _ => Self { text: shown_of_odd(self.text), ..self },
        }
    }
}

/// A field's text, redacted, where it stands in the record or else in `scratch`; empty where there is none.
#[inline(always)]
fn value<'a>(
    field: Field,
    source: &Source<'_, 'a>,
    rules: Option<&Redactor>,
    scratch: &'a mut String,
) -> Label<'a> {
    let is_whole = || rules.is_none_or(|redactor| !redactor.names(field));
    match source.fields.get(field) {
        Value::Null => Label::NONE,
        Value::Plain(text) if is_whole() => Label::plain(text),
        Value::Bytes(text) if source.clean && is_whole() => Label::odd(text),
        _ => Label::odd(odd_value(field, source.fields, rules, scratch)),
    }
}

#[inline(never)]
fn odd_value<'a>(
    field: Field,
    fields: &Fields<'a>,
    rules: Option<&Redactor>,
    scratch: &'a mut String,
) -> &'a [u8] {
    let Some(redactor) = rules.filter(|redactor| redactor.names(field)) else {
        return fields.utf8(field, scratch).unwrap_or_default();
    };
    scratch.clear();
    push(field, fields, redactor, scratch);
    scratch.as_bytes()
}

/// A template's text, as a label is.
fn render<'t>(
    template: &Template,
    source: &Source<'_, '_>,
    redactor: &Redactor,
    text: &'t mut String,
) -> &'t [u8] {
    template.render(text, |placeholder, out| match placeholder {
        Placeholder::Field(field) if source.kind.is_none() => {
            // Nobody knows the fields of what is no finding: its body is overwritten everywhere, too.
            let mut scratch = String::new();
            let mut text = source.fields.text(field, &mut scratch).unwrap_or_default().to_owned();
            redactor.everything_in(&mut text);
            out.push_str(&text);
        }
        Placeholder::Field(field) => push(field, source.fields, redactor, out),
        Placeholder::Type => out.push_str(source.kind.map_or(source.other, Kind::word)),
        Placeholder::Integration => out.push_str(source.claim.name()),
    });
    Label::odd(text.as_bytes()).shown().text
}

#[inline(never)]
fn shown_of_odd(text: &[u8]) -> &[u8] {
    let text = core::str::from_utf8(text).unwrap_or_default();
    let text = clip(text);
    if text.trim().is_empty() { b"" } else { text.as_bytes() }
}

/// Appends a field's text, redacted; nothing when there is none.
pub(super) fn push(field: Field, fields: &Fields<'_>, redactor: &Redactor, out: &mut String) {
    let mut scratch = String::new();
    let Some(text) = fields.text(field, &mut scratch) else { return };
    if !redactor.names(field) {
        return out.push_str(text);
    }
    let mut text = text.to_owned();
    redactor.field(field, &mut text);
    out.push_str(&text);
}

fn clip(label: &str) -> &str {
    match label.char_indices().nth(LABEL_CHARS) {
        Some((end, _)) => label.get(..end).unwrap_or(label),
        None => label,
    }
}

/// The most bytes that are kept of one label or field of a pending summary or report.
const KEPT_BYTES: usize = 256;

/// The most bytes that are kept of a pending summary's labels together, and of its fields together. Texts of their usual
/// lengths are kept whole. Without it a key took up to 22 KB, chosen by the sender of the findings.
const KEPT_TOGETHER: usize = 1024;

/// Returns the greatest length to which texts may be cut so that they have at most [`KEPT_TOGETHER`] bytes in total: all
/// keep their beginnings, and short ones stay whole.
fn level(lengths: &[usize]) -> usize {
    let total =
        |level: usize| lengths.iter().fold(0, |sum: usize, length| sum.saturating_add(level.min(*length)));
    (0..=KEPT_BYTES).rev().find(|level| total(*level) <= KEPT_TOGETHER).unwrap_or(0)
}

/// Cuts UTF-8 to a length in bytes, at a character's boundary.
fn cut(text: &[u8], length: usize) -> &[u8] {
    let text = core::str::from_utf8(text).unwrap_or_default();
    text.get(..text.floor_char_boundary(length)).unwrap_or(text).as_bytes()
}

/// The fields of a suppressed finding that its summary shows, in one allocation of at most [`KEPT_TOGETHER`] bytes.
pub(super) struct Sample {
    text: Box<str>,
    /// Where each field's text ends.
    ends: [u16; Self::FIELDS.len()],
    /// A bit for each field that is a number.
    numbers: u16,
}

impl Sample {
    const FIELDS: [Field; 14] = [
        Field::Time,
        Field::Cluster,
        Field::Etype,
        Field::Eid,
        Field::Category,
        Field::Confidence,
        Field::ShortDoc,
        Field::Principal,
        Field::Rule,
        Field::Verb,
        Field::ResourceType,
        Field::ResourceNamespace,
        Field::ResourceName,
        Field::Id,
    ];

    /// Copies the fields, redacted before they are cut.
    fn of(fields: &Fields<'_>, redactor: &Redactor) -> Self {
        let mut texts = [const { String::new() }; Self::FIELDS.len()];
        let mut numbers = 0;
        for (index, (field, text)) in Self::FIELDS.into_iter().zip(&mut texts).enumerate() {
            push(field, fields, redactor, text);
            let is_number = fields.integer(field).is_some_and(|number| number.to_string() == *text);
            numbers |= u16::from(is_number).wrapping_shl(u32::try_from(index).unwrap_or(0));
        }
        let level = level(&texts.each_ref().map(String::len));
        let mut text = String::new();
        let mut ends = [0; Self::FIELDS.len()];
        for (field, end) in texts.iter().zip(&mut ends) {
            text.push_str(field.get(..field.floor_char_boundary(level)).unwrap_or_default());
            *end = u16::try_from(text.len()).unwrap_or(u16::MAX);
        }
        Self { text: text.into(), ends, numbers }
    }

    /// Returns the fields as a map.
    pub fn tape(&self) -> Tape<'static> {
        let mut sample = Tape::map([]);
        let mut start = 0;
        for (index, (field, end)) in Self::FIELDS.into_iter().zip(self.ends).enumerate() {
            let end = usize::from(end);
            let text = self.text.get(start..end).unwrap_or_default();
            start = end;
            let is_number = self.numbers.wrapping_shr(u32::try_from(index).unwrap_or(0)) & 1 == 1;
            match text.parse() {
                _ if text.is_empty() => (),
                Ok(number) if is_number => sample.insert(field.name(), Tape::int(number)),
                _ => sample.insert(field.name(), Tape::str(text.to_owned())),
            }
        }
        sample
    }
}

impl Shaper {
    /// Returns what a pending report keeps of its first finding.
    pub(super) fn note(&self, source: &Source<'_, '_>, severity: Severity) -> Note {
        let mut texts = Texts::default();
        let labels = self.labels(source, &mut texts).each();
        let level = level(&labels.map(<[u8]>::len));
        Note { severity, labels: labels.map(|label| cut(label, level).into()) }
    }

    /// Returns what a pending summary keeps of its first finding.
    pub(super) fn sampled(&self, source: &Source<'_, '_>, key: &[u8], severity: Severity) -> Sampled {
        let key = (!self.redactor.is_empty()).then(|| {
            let mut key = String::from_utf8_lossy(key).into_owned();
            self.redactor.everything_in(&mut key);
            limit::shown_key(&key)
        });
        let sample = Sample::of(source.fields, &self.redactor);
        Sampled { note: self.note(source, severity), key, sample }
    }
}
