//! Name templates: `{cluster|kaudit}` is the finding's cluster, or else `kaudit`.
//!
//! A template is parsed while the configuration is read. Rendering cannot fail.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use crate::finding::Field;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Template {
    parts: Vec<TemplatePart>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum TemplatePart {
    /// Text that is copied.
    Literal(String),
    /// A value.
    Placeholder {
        /// The value.
        name: Placeholder,
        /// The text if there is no value.
        default: String,
    },
}

/// The value that replaces a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum Placeholder {
    /// A field of the finding.
    Field(Field),
    /// `{type}`: detections, selections, activity, or unrecognised.
    Type,
    /// `{integration}`: the name of the integration that matched the finding.
    Integration,
}

/// A syntax error in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateError {
    /// The offset of the error in the template, in bytes.
    pub offset: usize,
    /// The error.
    pub message: String,
    /// The allowed syntax.
    pub help: String,
}

impl Template {
    /// Parses a template. `{{` and `}}` are escaped single braces.
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
                    parts.push(TemplatePart::Literal(core::mem::take(&mut literal)));
                }
                let (name, default) = inside.split_once('|').unwrap_or((inside, ""));
                let name = Placeholder::parse(name.trim(), offset)?;
                parts.push(TemplatePart::Placeholder { name, default: default.trim().to_owned() });
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
            parts.push(TemplatePart::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// Returns `{cluster|kaudit}`.
    pub(crate) fn builtin_application() -> Self {
        Self {
            parts: vec![TemplatePart::Placeholder {
                name: Placeholder::Field(Field::Cluster),
                default: "kaudit".to_owned(),
            }],
        }
    }

    /// Returns `kaudit-{type}`.
    pub(crate) fn builtin_subsystem() -> Self {
        Self {
            parts: vec![
                TemplatePart::Literal("kaudit-".to_owned()),
                TemplatePart::Placeholder { name: Placeholder::Type, default: String::new() },
            ],
        }
    }

    /// Returns `{cluster}`.
    pub(crate) fn cluster() -> Self {
        Self {
            parts: vec![TemplatePart::Placeholder {
                name: Placeholder::Field(Field::Cluster),
                default: String::new(),
            }],
        }
    }

    /// Returns the parts in order.
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// Returns the placeholders in order.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Literal(_) => None,
            TemplatePart::Placeholder { name, .. } => Some(*name),
        })
    }

    /// Appends the rendered name.
    ///
    /// `value` appends the value of a placeholder, or nothing if there is none.
    pub(crate) fn render(&self, out: &mut String, mut value: impl FnMut(Placeholder, &mut String)) {
        for part in &self.parts {
            match part {
                TemplatePart::Literal(text) => out.push_str(text),
                TemplatePart::Placeholder { name, default } => {
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
