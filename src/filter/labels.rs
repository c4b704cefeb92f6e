//! Names and labels of an entry.
//! They are texts of a finding's fields, redacted and truncated to the length of a label.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use memchr::memchr;

use super::integration::IntegrationRef;
use crate::config::{Coralogix, Shape};
use crate::entry::{LABEL_BYTES, LABEL_CHARS, Labels, Names};
use crate::finding::{Field, Fields, Kind};
use crate::record::{Str, Value, escaped_length};
use crate::redact::Redactor;
use crate::template::{Placeholder, Template};

/// The values that names and labels are made from.
#[derive(Clone, Copy)]
pub(super) struct LabelSource<'s, 'a> {
    pub fields: &'s Fields<'a>,
    /// `None`: the record is not a finding.
    pub kind: Option<Kind>,
    /// The value of `{type}` if there is no kind.
    pub other: &'static str,
    pub integration: Option<IntegrationRef<'s>>,
}

/// Buffers of names and labels; the default has no cache.
#[derive(Default)]
pub(super) struct LabelBuffers {
    /// Names that were rendered before, by hash slot.
    cache: Box<[CachedNames]>,
    /// Names that are rendered for one record.
    uncached: Names,
    category: String,
    class: String,
    method: String,
    thread: String,
}

impl LabelBuffers {
    /// The number of cache slots: a few clusters with three kinds of findings each.
    const CACHE_SLOTS: usize = 32;

    /// Creates buffers with a cache, which are reused for every record.
    pub fn with_cache() -> Self {
        Self { cache: (0..Self::CACHE_SLOTS).map(|_| CachedNames::default()).collect(), ..Self::default() }
    }
}

/// Names, and the kind and field text that they were rendered from.
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
    /// The finding's cluster, which is an attribute of its own in OTLP.
    cluster: Option<Template>,
    inputs: NameInputs,
}

/// The values that the names depend on, besides the finding's kind.
enum NameInputs {
    Constant,
    /// One field; nearly all configurations use the cluster alone.
    Field(Field),
    Several,
}

impl NameInputs {
    fn of<'t>(templates: impl Iterator<Item = &'t Template>) -> Self {
        let mut named = templates
            .flat_map(Template::placeholders)
            .filter(|placeholder| *placeholder != Placeholder::Type);
        let one = named.next();
        match one {
            None => Self::Constant,
            Some(Placeholder::Field(field)) if named.all(|other| Some(other) == one) => Self::Field(field),
            Some(_) => Self::Several,
        }
    }
}

/// The longest field text for which names are cached, in bytes.
const MAX_CACHED_TEXT: usize = 256;

impl Namer {
    pub fn new(config: &Coralogix) -> Self {
        let Coralogix { application_name, subsystem_name, computer_name, shape, .. } = config;
        let cluster = (*shape == Shape::Otlp).then(Template::cluster);
        let names = [application_name, subsystem_name, computer_name].into_iter().chain(&cluster);
        Self {
            inputs: NameInputs::of(names),
            application: application_name.clone(),
            subsystem: subsystem_name.clone(),
            computer: computer_name.clone(),
            cluster,
        }
    }

    /// Returns names and labels, borrowed from the record or from `buffers`.
    #[inline]
    pub fn label<'a>(
        &self,
        source: &LabelSource<'_, 'a>,
        redactor: &Redactor,
        buffers: &'a mut LabelBuffers,
    ) -> Labels<'a> {
        let LabelBuffers { cache, uncached, category, class, method, thread } = buffers;
        let names = self.names(source, redactor, cache, uncached);
        let Some(kind) = source.kind else {
            return Labels { names, category: b"", class: b"", method: b"", thread: b"", plain: true };
        };
        let rules = redactor.rules();
        let of = |field, text| label(field_text(field, source.fields, rules, text));
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

    /// Returns the names, from the cache if possible.
    #[inline]
    fn names<'n>(
        &self,
        source: &LabelSource<'_, '_>,
        redactor: &Redactor,
        cache: &'n mut [CachedNames],
        uncached: &'n mut Names,
    ) -> &'n Names {
        let text = match self.inputs {
            NameInputs::Constant => Some(&b""[..]),
            NameInputs::Field(field) => match source.fields.get(field) {
                Value::Absent | Value::Null => Some(&b""[..]),
                Value::Str(Str::Plain(text)) if text.len() <= MAX_CACHED_TEXT => Some(text),
                _ => None,
            },
            NameInputs::Several => None,
        };
        let slot = source
            .kind
            .zip(text)
            .and_then(|(kind, text)| Some((kind, text, cache.get_mut(slot(kind, text))?)));
        let Some((kind, text, cached)) = slot else {
            self.render_names(*source, redactor, uncached);
            return uncached;
        };
        if cached.kind != Some(kind) || cached.text != text {
            cached.kind = Some(kind);
            cached.text.clear();
            cached.text.extend_from_slice(text);
            self.render_names(*source, redactor, &mut cached.names);
        }
        &cached.names
    }

    #[cold]
    fn render_names(&self, source: LabelSource<'_, '_>, redactor: &Redactor, names: &mut Names) {
        let source = &source;
        let [mut application, mut subsystem, mut computer, mut cluster] = [const { String::new() }; 4];
        let application = non_empty_name(render(&self.application, source, redactor, &mut application));
        let subsystem = non_empty_name(render(&self.subsystem, source, redactor, &mut subsystem));
        let computer = render(&self.computer, source, redactor, &mut computer);
        let cluster = match &self.cluster {
            Some(template) => render(template, source, redactor, &mut cluster),
            None => b"",
        };
        names.set([application, subsystem, computer, cluster]);
    }
}

/// Returns the cache slot of a kind and a text.
/// An attacker who chooses texts that share a slot only causes the names to be rendered for each record.
#[inline]
fn slot(kind: Kind, text: &[u8]) -> usize {
    let end = text.last_chunk().map_or(0, |last| u32::from_le_bytes(*last));
    // The odd integer next to 2^32 divided by the golden ratio spreads each bit over the upper five bits of the
    // product.
    ((end ^ (kind as u32) << 8).wrapping_mul(0x9e37_79b9) >> 27) as usize
}

/// Replaces an empty name, since Coralogix rejects an entry without one.
fn non_empty_name(name: &[u8]) -> &[u8] {
    if name.is_empty() { b"kaudit" } else { name }
}

/// Returns a field's text, redacted; empty if there is none.
/// The text is borrowed from the record or from `scratch`.
#[inline]
pub(super) fn field_text<'a>(
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
        plain && !redactor.covers(field)
    };
    match rules.filter(|redactor| !unchanged(redactor)) {
        None => fields.utf8(field, scratch).unwrap_or_default(),
        Some(redactor) => {
            scratch.clear();
            push_field(field, fields, redactor, scratch);
            scratch.as_bytes()
        }
    }
}

/// Truncates a text to 256 characters and 1,024 bytes of JSON.
/// Blank text yields an empty label.
#[inline]
fn label(text: &[u8]) -> &[u8] {
    match text.first() {
        // Not blank, and short enough even if every byte is escaped.
        Some(b'!'..=b'~') if text.len() <= LABEL_BYTES / 6 => text,
        None => text,
        _ => truncated_label(text),
    }
}

#[cold]
fn truncated_label(text: &[u8]) -> &[u8] {
    let text = core::str::from_utf8(text).unwrap_or_default();
    let text = truncate(text);
    if text.trim().is_empty() { b"" } else { text.as_bytes() }
}

/// Renders a template, truncated as a label is.
fn render<'t>(
    template: &Template,
    source: &LabelSource<'_, '_>,
    redactor: &Redactor,
    text: &'t mut String,
) -> &'t [u8] {
    template.render(text, |placeholder, out| match placeholder {
        Placeholder::Field(field) if source.kind.is_none() => {
            push_unrecognised(field, source.fields, redactor, out);
        }
        Placeholder::Field(field) => push_field(field, source.fields, redactor, out),
        Placeholder::Type => out.push_str(source.kind.map_or(source.other, Kind::name)),
        Placeholder::Integration => {
            out.push_str(source.integration.map_or("", IntegrationRef::name));
        }
    });
    label(text.as_bytes())
}

/// Appends a field's text, redacted; appends nothing if there is none.
pub(super) fn push_field(field: Field, fields: &Fields<'_>, redactor: &Redactor, out: &mut String) {
    let mut scratch = String::new();
    let Some(text) = fields.text(field, &mut scratch) else { return };
    if !redactor.applies(field, text) {
        return out.push_str(text);
    }
    let mut text = text.to_owned();
    redactor.redact_field(field, &mut text);
    out.push_str(&text);
}

/// Appends a field of a record that is not a finding, redacted by every rule.
/// The meaning of its fields is not known. Its body is redacted everywhere as well.
pub(super) fn push_unrecognised(field: Field, fields: &Fields<'_>, redactor: &Redactor, out: &mut String) {
    let mut scratch = String::new();
    let mut text = fields.text(field, &mut scratch).unwrap_or_default().to_owned();
    redactor.redact_all_in(&mut text);
    out.push_str(&text);
}

/// Truncates a text to 256 characters and 1,024 bytes of JSON.
fn truncate(text: &str) -> &str {
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
