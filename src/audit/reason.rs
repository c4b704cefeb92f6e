//! The RBAC authoriser's reason for allowing a request.
//!
//! Its form is `RBAC: allowed by RoleBinding "B/ns" of Role "R" to User "u"`. Names are quoted as Go's `%q` does.

use alloc::string::String;

/// The binding and the role through which a request was allowed. The names are still quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant<'t> {
    /// The binding. A RoleBinding has its namespace after its name.
    pub binding: &'t str,
    pub role: &'t str,
    /// Whether the role is a ClusterRole. A RoleBinding may bind one.
    pub is_cluster_role: bool,
}

impl<'t> Grant<'t> {
    /// Finds the grant in a reason; `None` if RBAC did not allow the request.
    ///
    /// The text before `allowed by` is not required to be `RBAC: `, since EKS has access policies of its own. Names may
    /// contain any text in quotes, so the parts are read in order and not searched for.
    pub fn find(reason: &'t str) -> Option<Self> {
        const ALLOWED: &str = "allowed by ";
        let at = reason.find(ALLOWED)?.checked_add(ALLOWED.len())?;
        let rest = reason.get(at..)?;
        let rest = rest.strip_prefix("ClusterRoleBinding ").or_else(|| rest.strip_prefix("RoleBinding "))?;
        let (binding, rest) = split_quoted(rest)?;
        let rest = rest.strip_prefix(" of ")?;
        let (is_cluster_role, rest) = match rest.strip_prefix("ClusterRole ") {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix("Role ")?),
        };
        let (role, _) = split_quoted(rest)?;
        Some(Self { binding, role, is_cluster_role })
    }
}

/// Splits off a quoted string, without its quotes.
fn split_quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((text.get(..end)?, text.get(end.checked_add(1)?..)?))
}

/// Appends the content of a string that Go's `%q` quoted.
///
/// An invalid escape sequence is kept as it is.
pub(super) fn unquote(quoted: &str, out: &mut String) {
    let mut rest = quoted;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        let (char, after) = match chars.next() {
            Some('a') => ('\u{7}', chars.as_str()),
            Some('b') => ('\u{8}', chars.as_str()),
            Some('f') => ('\u{c}', chars.as_str()),
            Some('n') => ('\n', chars.as_str()),
            Some('r') => ('\r', chars.as_str()),
            Some('t') => ('\t', chars.as_str()),
            Some('v') => ('\u{b}', chars.as_str()),
            Some(same @ ('"' | '\\')) => (same, chars.as_str()),
            // `\x` is used for bytes that are not UTF-8, and for some control characters.
            Some('x') => hex(chars.as_str(), 2).unwrap_or(('\\', escape)),
            Some('u') => hex(chars.as_str(), 4).unwrap_or(('\\', escape)),
            Some('U') => hex(chars.as_str(), 8).unwrap_or(('\\', escape)),
            _ => ('\\', escape),
        };
        out.push(char);
        rest = after;
    }
    out.push_str(rest);
}

/// Returns the character of `digits` hexadecimal digits, and the text after them.
fn hex(text: &str, digits: usize) -> Option<(char, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    let number = number.chars().try_fold(0_u32, |sum, digit| Some(sum << 4 | digit.to_digit(16)?))?;
    let is_byte = digits == 2 && number >= 0x80;
    let char = if is_byte { None } else { char::from_u32(number) };
    Some((char.unwrap_or(char::REPLACEMENT_CHARACTER), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_found_in_reasons() {
        for (reason, expected) in [
            (
                r#"RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "system:masters""#,
                Some(("b", "r", true)),
            ),
            (
                r#"RBAC: allowed by RoleBinding "b/ns" of Role "r" to ServiceAccount "n/ns""#,
                Some(("b/ns", "r", false)),
            ),
            (
                r#"RBAC: allowed by RoleBinding "b/ns" of ClusterRole "admin" to User "u""#,
                Some(("b/ns", "admin", true)),
            ),
            (
                r#"EKS Access Policy: allowed by ClusterRoleBinding "arn:a+arn:b" of ClusterRole "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy" to User "AROA""#,
                Some((
                    "arn:a+arn:b",
                    "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                    true,
                )),
            ),
            // The binding's name contains the text that introduces a role.
            (
                r#"RBAC: allowed by ClusterRoleBinding "x\" of ClusterRole \"fake" of Role "real" to User "u""#,
                Some((r#"x" of ClusterRole "fake"#, "real", false)),
            ),
            ("", None),
            ("access granted by IAM permissions.", None),
            ("RBAC: clusterrole.rbac.authorization.k8s.io \"x\" not found", None),
            ("Access allowed by Azure RBAC Role Assignment 1 of Role 2 to user 3", None),
            (r#"RBAC: allowed by ClusterRoleBinding "b of ClusterRole"#, None),
        ] {
            let found = Grant::find(reason).map(|grant| {
                let (mut binding, mut role) = (String::new(), String::new());
                unquote(grant.binding, &mut binding);
                unquote(grant.role, &mut role);
                (binding, role, grant.is_cluster_role)
            });
            let expected =
                expected.map(|(binding, role, cluster)| (binding.to_owned(), role.to_owned(), cluster));
            assert_eq!(found, expected, "{reason}");
        }
    }

    #[test]
    fn go_quotes_are_resolved() {
        for (quoted, expected) in [
            (r"a\tb\\c\x00\u00a0\U0001f600", "a\tb\\c\0\u{a0}😀"),
            (r"\xff\ud800", "\u{fffd}\u{fffd}"),
            (r"\q\x1", r"\q\x1"),
            (r"end\", r"end\"),
        ] {
            let mut out = String::new();
            unquote(quoted, &mut out);
            assert_eq!(out, expected, "{quoted}");
        }
    }
}
