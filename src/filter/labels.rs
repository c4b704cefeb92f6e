//! Names and labels of an entry, and the sample a summary shows: texts taken from a finding's fields, redacted and cut
//! to a label's length.

use super::{Note, Shaper};
use crate::config::{Coralogix, Severity};
use crate::entry::{LABEL_CHARS, Labels};
use crate::finding::{Field, Fields, Kind};
use crate::record::Tape;
use crate::redact::Redactor;
use crate::template::{Placeholder, Template};

/// What names are taken from.
pub(super) struct Source<'s, 'a> {
    pub fields: &'s Fields<'a>,
    /// `None`: the record is not a finding.
    pub kind: Option<Kind>,
    /// What stands in the place of a finding's type when there is none.
    pub other: &'static str,
    pub integration: &'a str,
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
    Field(Field, String),
    /// A text for each kind of finding; of other records as the template says.
    Type([String; Kind::ALL.len()], Template),
    Template(Template),
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
        let mut labels = Labels {
            application: self.application.text(source, redactor, application),
            subsystem: self.subsystem.text(source, redactor, subsystem),
            computer: self.computer.text(source, redactor, computer),
            ..Labels::default()
        };
        // Coralogix refuses an entry without a name.
        for required in [&mut labels.application, &mut labels.subsystem] {
            if required.is_empty() {
                *required = b"kaudit";
            }
        }
        if let Some(kind) = source.kind {
            let label = |field, scratch: &'a mut String| {
                shown(value(field, source.fields, redactor, scratch).unwrap_or_default())
            };
            let class_field = if kind == Kind::Detection { Field::Etype } else { Field::ResourceType };
            labels.category = match kind {
                Kind::Detection => label(Field::Category, category),
                Kind::Selection => b"selection",
                Kind::Activity => b"activity",
            };
            labels.class = label(class_field, class);
            labels.method = label(kind.subject_field(), method);
            labels.thread = label(source.fields.entity_field(kind), thread);
        }
        labels
    }
}

impl Name {
    fn new(template: &Template) -> Self {
        match template.alone() {
            Some((Placeholder::Field(field), default)) => Self::Field(field, default.to_owned()),
            _ if template.is_of_type() => {
                let texts = core::array::from_fn(|index| {
                    let kind = Kind::ALL.get(index).map_or("", |kind| kind.word());
                    let mut text = String::new();
                    template.render(&mut text, |_, out| out.push_str(kind));
                    text
                });
                Self::Type(texts, template.clone())
            }
            _ => Self::Template(template.clone()),
        }
    }

    fn text<'a>(&'a self, source: &Source<'_, 'a>, redactor: &Redactor, text: &'a mut String) -> &'a [u8] {
        shown(match (self, source.kind) {
            (Self::Field(field, default), _) => {
                value(*field, source.fields, redactor, text).unwrap_or(default.as_bytes())
            }
            (Self::Type(texts, _), Some(kind)) => {
                texts.get(kind as usize).map_or(b"", |text| text.as_bytes())
            }
            (Self::Type(_, template) | Self::Template(template), _) => {
                text.clear();
                template.render(text, |placeholder, out| match placeholder {
                    Placeholder::Field(field) => push(field, source.fields, redactor, out),
                    Placeholder::Type => out.push_str(source.kind.map_or(source.other, Kind::word)),
                    Placeholder::Integration => out.push_str(source.integration),
                });
                text.as_bytes()
            }
        })
    }
}

/// A field's text, redacted, where it stands in the record or else in `scratch`.
fn value<'a>(
    field: Field,
    fields: &Fields<'a>,
    redactor: &Redactor,
    scratch: &'a mut String,
) -> Option<&'a [u8]> {
    if redactor.is_empty() {
        return fields.utf8(field, scratch);
    }
    scratch.clear();
    push(field, fields, redactor, scratch);
    (!scratch.is_empty()).then_some(scratch.as_bytes())
}

/// What of a text becomes a label: its beginning, and nothing if nobody could see it.
#[inline]
fn shown(text: &[u8]) -> &[u8] {
    match text.first() {
        // Fewer bytes are fewer characters, too.
        Some(b'!'..=b'~') if text.len() <= LABEL_CHARS => text,
        _ => shown_of_odd(text),
    }
}

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
        let labels = self.namer.label(source, &self.redactor, &mut texts);
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
