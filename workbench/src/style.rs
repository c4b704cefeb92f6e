//! Optional terminal colours.

/// The meaning of a text, as its colour shows it.
#[derive(Clone, Copy)]
pub enum Style {
    Good,
    Bad,
    Neutral,
    Strong,
    Faint,
}

/// Adds colours if the flag is set.
#[derive(Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    /// Returns the text in the colour of a style.
    pub fn with(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Good => "32",
            Style::Bad => "31",
            Style::Neutral => "33",
            Style::Strong => "1",
            Style::Faint => "2",
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
