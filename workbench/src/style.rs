//! Colours of a terminal, or none.

/// What a piece of text is, as far as a colour says it.
#[derive(Clone, Copy)]
pub enum Style {
    Good,
    Bad,
    Middling,
    Strong,
    Faint,
}

/// Paints, or leaves as it is.
#[derive(Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    /// The text in its colour.
    pub fn with(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Good => "32",
            Style::Bad => "31",
            Style::Middling => "33",
            Style::Strong => "1",
            Style::Faint => "2",
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
