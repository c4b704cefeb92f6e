//! Finds references to variables, such as `${NAME}`, in values.
//!
//! The filter substitutes none: a value is used as it is written.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::String;
use core::ops::Range;

/// The help for a reference.
pub(super) const HELP: &str = "write the value, or render the file first, for example with `envsubst`";

/// Returns the byte range of the first `${NAME}`, `${NAME:-default}` or `$(NAME)`.
pub(super) fn find(text: &str) -> Option<Range<usize>> {
    text.match_indices('$').find_map(|(start, _)| {
        if text.get(..start)?.ends_with('\\') {
            return None;
        }
        let rest = text.get(start.saturating_add(1)..)?;
        let close = match rest.chars().next()? {
            '{' => '}',
            '(' => ')',
            _ => return None,
        };
        let inner = rest.get(1..rest.find(close)?)?;
        let part = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let name = inner.get(..inner.find(|c| !part(c)).unwrap_or(inner.len()))?;
        let named = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
        let plain = name.len() == inner.len();
        let fits =
            named && (plain || close == '}' && inner.get(name.len()..)?.starts_with([':', '-', '?', '+']));
        // The dollar and both brackets.
        fits.then(|| start..start.saturating_add(inner.len()).saturating_add(3))
    })
}

/// Returns the name of a reference for a message.
///
/// It does not contain the default value, which may be a secret.
pub(super) fn name(text: &str, reference: &Range<usize>) -> String {
    let written = text.get(reference.clone()).unwrap_or("");
    match written.split_once([':', '-', '?', '+']) {
        Some((name, _)) => [name, "}"].concat(),
        None => written.to_owned(),
    }
}

/// Replaces every reference in a text.
pub(super) fn replaced<'t>(text: &'t str, by: &str) -> Cow<'t, str> {
    let Some(Range { start, end }) = find(text) else { return Cow::Borrowed(text) };
    let (mut out, mut rest) = (String::new(), text);
    let mut next = Some(start..end);
    while let Some(Range { start, end }) = next {
        out.push_str(rest.get(..start).unwrap_or(""));
        out.push_str(by);
        rest = rest.get(end..).unwrap_or("");
        next = find(rest);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{find, name, replaced};

    #[test]
    fn references_and_similar_texts() {
        for (text, expected) in [
            ("https://${HOST}/x", Some("${HOST}")),
            ("$(HOST)", Some("$(HOST)")),
            ("a${b:-c}d", Some("${b:-c}")),
            ("$1 ${_x9}", Some("${_x9}")),
            ("$é ${HOST", None),
            ("${}", None),
            ("a${1,3}", None),
            ("$(a|b)", None),
            ("${a|b}", None),
            (r"\${HOST}", None),
            ("$", None),
        ] {
            assert_eq!(find(text).map(|span| &text[span]), expected, "{text}");
        }
    }

    #[test]
    fn a_default_value_is_not_repeated() {
        for (text, expected) in [("${A:-secret}", "${A}"), ("${A-secret}", "${A}"), ("$(A)", "$(A)")] {
            assert_eq!(name(text, &find(text).unwrap()), expected);
        }
        assert_eq!(replaced("${A:-secret}.b/$(C)$", "x"), "x.b/x$");
        assert_eq!(replaced("a$", "x"), "a$");
    }
}
