//! Names and labels of an entry, and the sample a summary shows: texts taken from a finding's fields, redacted and cut
//! to a label's length.

use memchr::memchr;

use super::shape::Shaper;
use super::{IntegrationRef, Note, Sampled};
use crate::config::{Coralogix, Severity};
use crate::entry::{LABEL_BYTES, LABEL_CHARS, Labels, Names};
use crate::finding::{Field, Fields, Kind};
use crate::limit;
use crate::record::{Document, Str, Value, escaped_length};
use crate::redact::Redactor;
use crate::template::{Placeholder, Template};

/// What names and labels are taken from.
#[derive(Clone, Copy)]
pub(super) struct Source<'s, 'a> {
    pub fields: &'s Fields<'a>,
    /// `None`: the record is not a finding.
    pub kind: Option<Kind>,
    /// The value of `{type}` when there is no kind.
    pub other: &'static str,
    pub integration: Option<IntegrationRef<'s>>,
}

/// Buffers of names and labels. The default caches no names.
#[derive(Default)]
pub(super) struct Texts {
    /// A slot for each of some names that were made before.
    cache: Box<[CachedNames]>,
    /// Names that are made for one record.
    uncached: Names,
    category: String,
    class: String,
    method: String,
    thread: String,
}

impl Texts {
    /// How many names are cached: for a few clusters, each with three kinds of findings.
    const CACHED: usize = 32;

    /// Buffers with a cache, which are reused from record to record.
    pub fn lasting() -> Self {
        Self { cache: (0..Self::CACHED).map(|_| CachedNames::default()).collect(), ..Self::default() }
    }
}

/// Names, and what they were made of.
#[derive(Default)]
struct CachedNames {
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

/// What names depend on, besides a finding's kind.
enum By {
    Nothing,
    /// One field, as in nearly all configurations, where it is the cluster.
    Field(Field),
    More,
}

/// The longest text that names are cached for, bytes.
const CACHED_TEXT: usize = 256;

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

    /// Names and labels, borrowed from the record or from `texts`.
    #[inline]
    pub fn label<'a>(
        &self,
        source: &Source<'_, 'a>,
        redactor: &Redactor,
        texts: &'a mut Texts,
    ) -> Labels<'a> {
        let Texts { cache, uncached, category, class, method, thread } = texts;
        let names = self.names(source, redactor, cache, uncached);
        let Some(kind) = source.kind else {
            return Labels { names, category: b"", class: b"", method: b"", thread: b"", plain: true };
        };
        let rules = redactor.rules();
        let of = |field, text| label(value(field, source.fields, rules, text));
        Labels {
            names,
            category: match kind {
                Kind::Detection => of(Field::Category, category),
                Kind::Selection => b"selection",
                Kind::Activity => b"activity",
            },
            class: match kind {
                Kind::Detection => of(Field::Etype, class),
                Kind::Selection | Kind::Activity => of(Field::ResourceType, class),
            },
            method: of(kind.subject_field(), method),
            thread: of(source.fields.entity_field(kind), thread),
            plain: rules.is_none() && source.fields.is_plain(),
        }
    }

    /// The names, from the cache if they are in it.
    #[inline]
    fn names<'n>(
        &self,
        source: &Source<'_, '_>,
        redactor: &Redactor,
        cache: &'n mut [CachedNames],
        uncached: &'n mut Names,
    ) -> &'n Names {
        let text = match self.by {
            By::Nothing => Some(&b""[..]),
            By::Field(field) => match source.fields.get(field) {
                Value::Absent | Value::Null => Some(&b""[..]),
                Value::Str(Str::Plain(text)) if text.len() <= CACHED_TEXT => Some(text),
                _ => None,
            },
            By::More => None,
        };
        let slot = source
            .kind
            .zip(text)
            .and_then(|(kind, text)| Some((kind, text, cache.get_mut(slot(kind, text))?)));
        let Some((kind, text, cached)) = slot else {
            self.name(*source, redactor, uncached);
            return uncached;
        };
        if cached.kind != Some(kind) || cached.text != text {
            cached.kind = Some(kind);
            cached.text.clear();
            cached.text.extend_from_slice(text);
            self.name(*source, redactor, &mut cached.names);
        }
        &cached.names
    }

    #[cold]
    fn name(&self, source: Source<'_, '_>, redactor: &Redactor, names: &mut Names) {
        let source = &source;
        let [mut application, mut subsystem, mut computer] = [const { String::new() }; 3];
        let application = required(render(&self.application, source, redactor, &mut application));
        let subsystem = required(render(&self.subsystem, source, redactor, &mut subsystem));
        let computer = render(&self.computer, source, redactor, &mut computer);
        names.set([application, subsystem, computer]);
    }
}

/// The slot of a kind and a text in the cache. An attacker who chooses texts that share a slot has names made for each
/// record, and nothing more.
#[inline]
fn slot(kind: Kind, text: &[u8]) -> usize {
    let end = text.last_chunk().map_or(0, |last| u32::from_le_bytes(*last));
    // The golden ratio's odd neighbour spreads each bit of a word over the upper five of the product.
    ((end ^ (kind as u32) << 8).wrapping_mul(0x9e37_79b9) >> 27) as usize
}

/// Coralogix refuses an entry without a name.
fn required(name: &[u8]) -> &[u8] {
    if name.is_empty() { b"kaudit" } else { name }
}

/// A field's text, redacted, borrowed from the record or from `scratch`; empty if there is none.
#[inline]
pub(super) fn value<'a>(
    field: Field,
    fields: &Fields<'a>,
    rules: Option<&Redactor>,
    scratch: &'a mut String,
) -> &'a [u8] {
    let unchanged = |redactor: &Redactor| {
        // A text that contains an object may contain any field.
        let plain = match fields.get(field) {
            Value::Str(Str::Plain(text)) => memchr(b'{', text).is_none(),
            value => value.text().is_none(),
        };
        plain && !redactor.names(field)
    };
    match rules.filter(|redactor| !unchanged(redactor)) {
        None => fields.utf8(field, scratch).unwrap_or_default(),
        Some(redactor) => {
            scratch.clear();
            push(field, fields, redactor, scratch);
            scratch.as_bytes()
        }
    }
}

/// Truncates a text to 256 characters and 1,024 bytes of JSON; blank text yields an empty label.
#[inline]
fn label(text: &[u8]) -> &[u8] {
    match text.first() {
        // Not blank, and short enough whatever its bytes take in JSON.
        Some(b'!'..=b'~') if text.len() <= LABEL_BYTES / 6 => text,
        None => text,
        _ => any_label(text),
    }
}

#[cold]
fn any_label(text: &[u8]) -> &[u8] {
    let text = core::str::from_utf8(text).unwrap_or_default();
    let text = clip(text);
    if text.trim().is_empty() { b"" } else { text.as_bytes() }
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
            push_other(field, source.fields, redactor, out);
        }
        Placeholder::Field(field) => push(field, source.fields, redactor, out),
        Placeholder::Type => out.push_str(source.kind.map_or(source.other, Kind::word)),
        Placeholder::Integration => {
            out.push_str(source.integration.map_or("", IntegrationRef::name));
        }
    });
    label(text.as_bytes())
}

/// Appends a field's text, redacted; nothing when there is none.
pub(super) fn push(field: Field, fields: &Fields<'_>, redactor: &Redactor, out: &mut String) {
    let mut scratch = String::new();
    let Some(text) = fields.text(field, &mut scratch) else { return };
    if !redactor.applies(field, text) {
        return out.push_str(text);
    }
    let mut text = text.to_owned();
    redactor.field(field, &mut text);
    out.push_str(&text);
}

/// Appends the text of a field of a record that is not a finding, redacted by every rule: the meaning of its fields is not
/// known, and its body is redacted everywhere, too.
pub(super) fn push_other(field: Field, fields: &Fields<'_>, redactor: &Redactor, out: &mut String) {
    let mut scratch = String::new();
    let mut text = fields.text(field, &mut scratch).unwrap_or_default().to_owned();
    redactor.everything_in(&mut text);
    out.push_str(&text);
}

/// The beginning of a text: at most 256 characters that take at most 1,024 bytes in JSON.
fn clip(text: &str) -> &str {
    let mut size = 0_usize;
    let end = text.char_indices().enumerate().find(|(count, (_, character))| {
        size = size.saturating_add(escaped_length(character.encode_utf8(&mut [0; 4]).as_bytes()));
        *count >= LABEL_CHARS || size > LABEL_BYTES
    });
    match end {
        Some((_, (end, _))) => text.get(..end).unwrap_or(text),
        None => text,
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
    pub fn document(&self) -> Document<'static> {
        let mut sample = Document::map([]);
        let mut start = 0;
        for (index, (field, end)) in Self::FIELDS.into_iter().zip(self.ends).enumerate() {
            let end = usize::from(end);
            let text = self.text.get(start..end).unwrap_or_default();
            start = end;
            let is_number = self.numbers.wrapping_shr(u32::try_from(index).unwrap_or(0)) & 1 == 1;
            match text.parse() {
                _ if text.is_empty() => (),
                Ok(number) if is_number => sample.insert(field.name(), Document::int(number)),
                _ => sample.insert(field.name(), Document::str(text.to_owned())),
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
