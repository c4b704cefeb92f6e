//! Name templates: `{cluster|kaudit}` is the finding's cluster, or `kaudit` where it has none.
//!
//! A template is parsed while the configuration is read; rendering cannot fail and a name is never empty.

use crate::finding::Field;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
enum Part {
    Literal(String),
    Placeholder { name: Placeholder, default: String },
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum Placeholder {
    /// A field of the finding.
    Field(Field),
    /// `{type}`: detections, selections, activity, or unrecognised.
    Type,
    /// `{integration}`: the name of the integration that claimed the finding.
    Integration,
}

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The byte of the template at which it goes wrong.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What is allowed.
    pub help: String,
}

impl Template {
    /// Reads a template. `{{` and `}}` stand for single braces.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            literal.push_str(before);
            let offset = text.len().saturating_sub(from.len());
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some((inside, after)) = from.strip_prefix('{').and_then(|from| from.split_once('}'))
            {
                if !literal.is_empty() {
                    parts.push(Part::Literal(core::mem::take(&mut literal)));
                }
                let (name, default) = inside.split_once('|').unwrap_or((inside, ""));
                let name = Placeholder::parse(name.trim(), offset)?;
                parts.push(Part::Placeholder { name, default: default.trim().to_owned() });
                rest = after;
            } else {
                return Err(TemplateError {
                    offset,
                    message: "a brace without its partner".to_owned(),
                    help: "write `{field}` or `{field|default}`, and `{{` or `}}` for a brace itself"
                        .to_owned(),
                });
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// `{cluster|kaudit}`
    pub(crate) fn builtin_application() -> Self {
        Self {
            parts: vec![Part::Placeholder {
                name: Placeholder::Field(Field::Cluster),
                default: "kaudit".to_owned(),
            }],
        }
    }

    /// `kaudit-{type}`
    pub(crate) fn builtin_subsystem() -> Self {
        Self {
            parts: vec![
                Part::Literal("kaudit-".to_owned()),
                Part::Placeholder { name: Placeholder::Type, default: String::new() },
            ],
        }
    }

    /// `{cluster}`
    pub(crate) fn builtin_computer() -> Self {
        Self {
            parts: vec![Part::Placeholder {
                name: Placeholder::Field(Field::Cluster),
                default: String::new(),
            }],
        }
    }

    /// What its placeholders stand for.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Placeholder { name, .. } => Some(*name),
        })
    }

    /// Appends the rendered name. `value` appends a placeholder's value, or nothing when there is none.
    pub(crate) fn render(&self, out: &mut String, mut value: impl FnMut(Placeholder, &mut String)) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Placeholder { name, default } => {
                    let before = out.len();
                    value(*name, out);
                    if out.len() == before {
                        out.push_str(default);
                    }
                }
            }
        }
    }
}

impl Placeholder {
    fn parse(name: &str, offset: usize) -> Result<Self, TemplateError> {
        match name {
            "type" => Ok(Self::Type),
            "integration" => Ok(Self::Integration),
            _ => Field::of(name).map(Self::Field).ok_or_else(|| {
                let names: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
                TemplateError {
                    offset,
                    message: format!("unknown field `{name}`"),
                    help: format!("one of type, integration, {}", names.join(", ")),
                }
            }),
        }
    }
}
