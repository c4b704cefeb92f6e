//! Splits a pasted text into records.
//!
//! A text is a sequence of JSON values, each on one line or on several, or in arrays; if it is not, each line is a
//! record, valid or not. Decision: no recovery after a syntax error, unlike the program: in a page the user sees the
//! broken line and corrects it.

use serde_json::value::RawValue;

/// Returns the records, each with the line, from 1, on which it begins.
pub fn split(text: &str) -> Vec<(usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let records = stream(text).unwrap_or_else(|| lines(text).collect());
    let mut line = 1;
    let mut at = 0;
    let placed = records.into_iter().map(|record| {
        // Both are parts of one text, in order.
        let start = record.as_ptr() as usize - text.as_ptr() as usize;
        line += text[at..start].matches('\n').count();
        at = start;
        (line, record)
    });
    placed.collect()
}

/// Returns the objects of a stream that consists of objects and arrays of objects only.
fn stream(text: &str) -> Option<Vec<&str>> {
    let mut records = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.ok()?.get();
        if value.starts_with('[') {
            records
                .extend(serde_json::from_str::<Vec<&RawValue>>(value).ok()?.into_iter().map(RawValue::get));
        } else {
            records.push(value);
        }
    }
    records.iter().all(|record| record.starts_with('{')).then_some(records)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_text_falls_into_records() {
        for (text, expected) in [
            ("", &[][..]),
            (" \n\n", &[]),
            ("{\"a\":1}\n\n{}\n", &[(1, "{\"a\":1}"), (3, "{}")]),
            ("\u{feff}{}{}", &[(1, "{}"), (1, "{}")]),
            ("{\n \"a\": [\n ]\n}\n{}", &[(1, "{\n \"a\": [\n ]\n}"), (5, "{}")]),
            ("[\n {},\n {\"b\":2}\n]\n{}", &[(2, "{}"), (3, "{\"b\":2}"), (5, "{}")]),
            ("[] []", &[]),
            ("{}\noh, no\n{\"a\":", &[(1, "{}"), (2, "oh, no"), (3, "{\"a\":")]),
            ("{}\r\n12\r\n", &[(1, "{}"), (2, "12")]),
            ("[1, {}]", &[(1, "[1, {}]")]),
        ] {
            assert_eq!(split(text), expected, "{text:?}");
        }
    }
}
