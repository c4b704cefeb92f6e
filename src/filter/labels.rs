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
pub(super) struct Source<'a> {
    pub fields: &'a Fields<'a>,
    /// `None`: the record is not a finding.
    pub kind: Option<Kind>,
    /// What stands in the place of a finding's type when there is none.
    pub other: &'static str,
    pub integration: &'a str,
}

/// The name templates.
pub(super) struct Namer {
    application: Template,
    subsystem: Template,
    computer: Template,
}

impl Namer {
    pub fn new(config: &Coralogix) -> Self {
        Self {
            application: config.application_name.clone(),
            subsystem: config.subsystem_name.clone(),
            computer: config.computer_name.clone(),
        }
    }

    /// Fills in names and labels.
    pub fn label(&self, source: &Source<'_>, redactor: &Redactor, labels: &mut Labels) {
        labels.each().into_iter().for_each(String::clear);
        let name = |template: &Template, out: &mut String| {
            template.render(out, |placeholder, out| match placeholder {
                Placeholder::Field(field) => push(field, source.fields, redactor, out),
                Placeholder::Type => out.push_str(source.kind.map_or(source.other, Kind::word)),
                Placeholder::Integration => out.push_str(source.integration),
            });
        };
        name(&self.application, &mut labels.application);
        name(&self.subsystem, &mut labels.subsystem);
        name(&self.computer, &mut labels.computer);
        if let Some(kind) = source.kind {
            let fields = source.fields;
            match kind {
                Kind::Detection => push(Field::Category, fields, redactor, &mut labels.category),
                Kind::Selection => labels.category.push_str("selection"),
                Kind::Activity => labels.category.push_str("activity"),
            }
            let class = if kind == Kind::Detection { Field::Etype } else { Field::ResourceType };
            push(class, fields, redactor, &mut labels.class);
            push(kind.subject_field(), fields, redactor, &mut labels.method);
            push(fields.entity_field(kind), fields, redactor, &mut labels.thread);
        }
        for label in labels.each() {
            clip(label);
            // What nobody can see is nothing to search for.
            if label.trim().is_empty() {
                label.clear();
            }
        }
        for required in [&mut labels.application, &mut labels.subsystem] {
            if required.is_empty() {
                // Coralogix refuses an entry without a name.
                required.push_str("kaudit");
            }
        }
    }
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

fn clip(label: &mut String) {
    // Fewer bytes are fewer characters, too.
    if label.len() > LABEL_CHARS
        && let Some((end, _)) = label.char_indices().nth(LABEL_CHARS)
    {
        label.truncate(end);
    }
}

impl Shaper {
    /// What a summary or report remembers of this finding.
    pub(super) fn note(&self, source: &Source<'_>, severity: Severity) -> Note {
        let mut labels = Labels::default();
        self.namer.label(source, &self.redactor, &mut labels);
        Note { severity, labels, sample: self.sample(source.fields) }
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
            clip(&mut text);
            match fields.integer(field) {
                _ if text.is_empty() => (),
                Some(number) if number.to_string() == text => sample.insert(field.name(), Tape::int(number)),
                _ => sample.insert(field.name(), Tape::str(text)),
            }
        }
        sample
    }
}
