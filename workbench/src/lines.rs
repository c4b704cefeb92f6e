//! Lines of text for a terminal of 80 columns.

/// The columns of an explanation after its label: a line has at most 80 columns, also indented by `test`.
pub(crate) const AFTER_LABEL: usize = 64;

/// Splits a text into lines of at most `columns`, as far as its words permit. A value in backticks is one word.
///
/// The first line keeps the indentation of the text; the following ones are indented by four more columns if it has one.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let indent = text.len() - text.trim_start().len();
    let continued = if indent == 0 { 0 } else { indent + 4 };
    let mut lines: Vec<(usize, String)> = vec![(indent, " ".repeat(indent))];
    let mut quoted = false;
    let words = text.trim_start().split_inclusive(|c: char| {
        quoted ^= c == '`';
        c == ' ' && !quoted
    });
    for word in words {
        let width = width(word.trim_end());
        match lines.last_mut() {
            Some((used, line)) if *used <= continued || *used + width <= columns => {
                line.push_str(word);
                *used += width + (word.len() - word.trim_end().len());
            }
            _ => lines.push((continued + width + 1, " ".repeat(continued) + word)),
        }
    }
    lines.into_iter().map(|(_, line)| line.trim_end().to_owned()).collect()
}

/// Returns the number of columns of a text that may contain colours.
fn width(text: &str) -> usize {
    let mut visible = 0;
    let mut escape = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => escape = true,
            'm' if escape => escape = false,
            _ if escape => {}
            _ => visible += 1,
        }
    }
    visible
}

/// Quotes the user's text, in one line of at most 80 characters.
pub(crate) fn quote(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let mut quoted: String =
        text.chars().take(MAX_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_end_between_words_outside_backticks() {
        assert_eq!(wrapped("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrapped("a `b c d` e", 6), ["a", "`b c d`", "e"]);
        assert_eq!(wrapped("  yes no maybe", 10), ["  yes no", "      maybe"]);
        assert_eq!(wrapped("\u{1b}[32myes\u{1b}[0m no", 6), ["\u{1b}[32myes\u{1b}[0m no"]);
        assert_eq!(wrapped("", 6), [""]);
    }
}
