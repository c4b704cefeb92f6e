//! Names and labels of an entry, and the sample a summary shows: texts taken from a finding's fields, redacted and cut
//! to a label's length.

#![expect(clippy::inline_always, reason = "each kept record has seven labels, measured")]

use super::Note;
use super::shape::Shaper;
use crate::config::{Coralogix, Severity};
use crate::entry::{LABEL_CHARS, Labels};
use crate::finding::{Field, Fields, Kind};
use crate::record::{Tape, Value, plain_length};
use crate::redact::Redactor;
use crate::template::{Placeholder, Template};

/// What names are taken from.
pub(super) struct Source<'s, 'a> {
    pub fields: &'s Fields<'a>,
    /// Whether the body that the fields are of may leave as it came: each string in it is UTF-8 then.
    pub clean: bool,
    /// `None`: the record is not a finding.
    pub kind: Option<Kind>,
    /// What stands in the place of a finding's type when there is none.
    pub other: &'static str,
    pub integration: &'s str,
}

/// Where texts stand that are not the record's own, a label each.
pub(super) type Texts = [String; 7];

/// The name templates.
pub(super) struct Namer {
    application: Name,
    subsystem: Name,
    computer: Name,
}

/// A template, prepared.
enum Name {
    /// A field's text, or else a default.
    Field(Field, Fixed),
    /// A text for each kind of finding; of other records as the template says.
    Type([Fixed; Kind::ALL.len()], Template),
    Template(Template),
}

/// A text of the configuration's.
struct Fixed {
    text: String,
    plain: bool,
}

/// A label, and whether it may stand in a JSON string as it is.
#[derive(Clone, Copy)]
struct Label<'a> {
    text: &'a [u8],
    plain: bool,
}

impl Namer {
    pub fn new(config: &Coralogix) -> Self {
        Self {
            application: Name::new(&config.application_name),
            subsystem: Name::new(&config.subsystem_name),
            computer: Name::new(&config.computer_name),
        }
    }

    /// Names and labels, taken from the record as they stand there, or from `texts`.
    pub fn label<'a>(
        &'a self,
        source: &Source<'_, 'a>,
        redactor: &Redactor,
        texts: &'a mut Texts,
    ) -> Labels<'a> {
        let [application, subsystem, computer, category, class, method, thread] = texts;
        let application = self.application.label(source, redactor, application).or_kaudit();
        let subsystem = self.subsystem.label(source, redactor, subsystem).or_kaudit();
        let computer = self.computer.label(source, redactor, computer);
        let [category, class, method, thread] = match source.kind {
            None => [Label::NONE; 4],
            Some(kind) => {
                let of = |field, text| value(field, source, redactor, text).shown();
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
        let all = [application, subsystem, computer, category, class, method, thread];
        Labels {
            plain: all.iter().fold(true, |plain, label| plain & label.plain),
            application: application.text,
            subsystem: subsystem.text,
            computer: computer.text,
            category: category.text,
            class: class.text,
            method: method.text,
            thread: thread.text,
        }
    }
}

impl Name {
    fn new(template: &Template) -> Self {
        match template.alone() {
            Some((Placeholder::Field(field), default)) => Self::Field(field, Fixed::new(default.to_owned())),
            _ if template.is_of_type() => {
                let texts = core::array::from_fn(|index| {
                    let kind = Kind::ALL.get(index).map_or("", |kind| kind.word());
                    let mut text = String::new();
                    template.render(&mut text, |_, out| out.push_str(kind));
                    Fixed::new(text)
                });
                Self::Type(texts, template.clone())
            }
            _ => Self::Template(template.clone()),
        }
    }

    #[inline(always)]
    fn label<'a>(&'a self, source: &Source<'_, 'a>, redactor: &Redactor, text: &'a mut String) -> Label<'a> {
        let label = match (self, source.kind) {
            (Self::Field(field, default), _) => {
                let value = value(*field, source, redactor, text);
                if value.text.is_empty() { default.label() } else { value }
            }
            (Self::Type(texts, _), Some(kind)) => texts.get(kind as usize).map_or(Label::NONE, Fixed::label),
            (Self::Type(_, template) | Self::Template(template), _) => {
                Label::odd(render(template, source, redactor, text))
            }
        };
        label.shown()
    }
}

impl Fixed {
    fn new(text: String) -> Self {
        Self { plain: plain_length(text.as_bytes()) == text.len(), text }
    }

    fn label(&self) -> Label<'_> {
        Label { text: self.text.as_bytes(), plain: self.plain }
    }
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

    /// Coralogix refuses an entry without a name.
    fn or_kaudit(self) -> Self {
        if self.text.is_empty() { Self::plain(b"kaudit") } else { self }
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
    redactor: &Redactor,
    scratch: &'a mut String,
) -> Label<'a> {
    match source.fields.get(field) {
        Value::Null => Label::NONE,
        Value::Plain(text) if redactor.is_empty() => Label::plain(text),
        Value::Bytes(text) if redactor.is_empty() && source.clean => Label::odd(text),
        _ => Label::odd(odd_value(field, source.fields, redactor, scratch)),
    }
}

#[inline(never)]
fn odd_value<'a>(
    field: Field,
    fields: &Fields<'a>,
    redactor: &Redactor,
    scratch: &'a mut String,
) -> &'a [u8] {
    if redactor.is_empty() {
        return fields.utf8(field, scratch).unwrap_or_default();
    }
    scratch.clear();
    push(field, fields, redactor, scratch);
    scratch.as_bytes()
}

#[inline(never)]
fn render<'a>(
    template: &Template,
    source: &Source<'_, '_>,
    redactor: &Redactor,
    text: &'a mut String,
) -> &'a [u8] {
    text.clear();
    template.render(text, |placeholder, out| match placeholder {
        Placeholder::Field(field) => push(field, source.fields, redactor, out),
        Placeholder::Type => out.push_str(source.kind.map_or(source.other, Kind::word)),
        Placeholder::Integration => out.push_str(source.integration),
    });
    text.as_bytes()
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
    if redactor.is_empty() {
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

impl Shaper {
    /// What a summary or report remembers of this finding.
    pub(super) fn note(&self, source: &Source<'_, '_>, severity: Severity) -> Note {
        let mut texts = Texts::default();
        let labels = self.labels(source, &mut texts);
        Note { severity, labels: labels.each().map(Box::from), sample: self.sample(source.fields) }
    }

    /// The few fields that tell a finding's story.
    fn sample(&self, fields: &Fields<'_>) -> Tape<'static> {
        const TOLD: [Field; 14] = [
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
        let mut sample = Tape::map([]);
        for field in TOLD {
            let mut text = String::new();
            push(field, fields, &self.redactor, &mut text);
            text.truncate(clip(&text).len());
            match fields.integer(field) {
                _ if text.is_empty() => (),
                Some(number) if number.to_string() == text => sample.insert(field.name(), Tape::int(number)),
                _ => sample.insert(field.name(), Tape::str(text)),
            }
        }
        sample
    }
}
