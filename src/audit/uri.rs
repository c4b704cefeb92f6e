//! Request URIs: their paths and queries.

use alloc::string::String;

/// Prefixes of the paths of the API, discovery and health, after which a `/` or the end has to follow.
const USUAL: &[&str] = &[
    "/api",
    "/apis",
    "/healthz",
    "/livez",
    "/readyz",
    "/metrics",
    "/version",
    "/openapi",
    "/openid/v1/jwks",
    "/swaggerapi",
    "/.well-known/openid-configuration",
    // Logins at OpenShift's oauth-server, and their discovery.
    "/.well-known/oauth-authorization-server",
    "/oauth/authorize",
    "/oauth/token",
];

/// Splits a URI into its path and its query.
pub(super) fn split(uri: &str) -> (&str, &str) {
    uri.split_once('?').unwrap_or((uri, ""))
}

/// Whether a path belongs to the API, to discovery or to health checks.
pub(super) fn is_usual(path: &str) -> bool {
    let starts = |prefix: &&str| {
        path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.is_empty() || path == "/" || path.starts_with("/swagger-2.0.0.") || USUAL.iter().any(starts)
}

/// Iterates over the parameters of a query, not decoded.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

/// Whether the decoded form of a key is `name`.
pub(super) fn is_key(key: &str, name: &str) -> bool {
    if key.contains(['%', '+']) { decoded(key) == name } else { key == name }
}

fn decoded(text: &str) -> String {
    let mut out = String::new();
    decode(text, &mut out);
    out
}

/// Appends a part of a query, with `+` and percent-encoding resolved.
///
/// An invalid sequence is kept as it is. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn decode(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some((plain, special, after)) = rest
        .find(['%', '+'])
        .and_then(|at| Some((rest.get(..at)?, rest.get(at..)?, rest.get(at.saturating_add(1)..)?)))
    {
        out.push_str(plain);
        rest = if special.starts_with('+') {
            out.push(' ');
            after
        } else {
            decode_percent(special, out)
        };
    }
    out.push_str(rest);
}

/// Appends the characters of adjacent percent sequences, and returns the text after them.
fn decode_percent<'t>(text: &'t str, out: &mut String) -> &'t str {
    let mut bytes = [0; 64];
    let mut length = 0_usize;
    let mut rest = text;
    while let Some(slot) = bytes.get_mut(length)
        && let Some((byte, after)) = percent_byte(rest)
    {
        *slot = byte;
        length = length.saturating_add(1);
        rest = after;
    }
    if length == 0 {
        out.push('%');
        return text.get(1..).unwrap_or_default();
    }
    let decoded = bytes.get(..length).unwrap_or_default();
    // A character may continue after the last byte that fits.
    let incomplete = if length == bytes.len() { incomplete_tail(decoded) } else { 0 };
    let kept = length.saturating_sub(incomplete);
    out.push_str(&String::from_utf8_lossy(decoded.get(..kept).unwrap_or_default()));
    text.get(kept.saturating_mul(3)..).unwrap_or_default()
}

/// Returns the number of bytes at the end that begin a character and do not complete it.
fn incomplete_tail(bytes: &[u8]) -> usize {
    match core::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            bytes.len().saturating_sub(error.valid_up_to())
        }
        _ => 0,
    }
}

/// Returns the byte of a percent sequence, and the text after it.
fn percent_byte(text: &str) -> Option<(u8, &str)> {
    let [b'%', high, low, ..] = text.as_bytes() else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    Some((byte, text.get(3..)?))
}

/// Whether the value of a parameter may be a credential.
///
/// `continue`, the position in a list, is opaque but no credential.
pub(super) fn is_secret(key: &str) -> bool {
    const WORDS: &[&str] =
        &["token", "secret", "passw", "credential", "signature", "apikey", "api_key", "api-key"];
    const NAMES: &[&str] = &["auth", "authorization", "code", "jwt", "pwd", "sig"];
    let key = decoded(key).to_ascii_lowercase();
    NAMES.contains(&key.as_str()) || WORDS.iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_queries_are_decoded() {
        for (text, expected) in [
            ("ls", "ls"),
            ("%2Fbin", "/bin"),
            ("a+b%20c", "a b c"),
            ("%2B", "+"),
            ("%26%3D%25", "&=%"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%e2%82%ac", "€"),
            ("%E2%82", "\u{fffd}"),
            ("%ff", "\u{fffd}"),
            ("%C3%A9t%C3%a9", "été"),
            ("", ""),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
        // Characters across the end of the buffer.
        for lead in 0..4 {
            let text = format!("{}{}", "a".repeat(lead), "€".repeat(100));
            let encoded = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
            assert_eq!(decoded(&encoded), text);
        }
        let invalid = "%ff".repeat(100);
        assert_eq!(decoded(&invalid), "\u{fffd}".repeat(100));
        assert_eq!(decoded(&"%E2%82".repeat(60)).chars().count(), 60);
    }

    #[test]
    fn parameters_are_split_before_they_are_decoded() {
        let (path, query) = split("/exec?command=a%26b&command=c%3Dd=e&&tty&x?y");
        assert_eq!(path, "/exec");
        let all: Vec<_> = parameters(query).collect();
        assert_eq!(all, [("command", "a%26b"), ("command", "c%3Dd=e"), ("tty", ""), ("x?y", "")]);
        assert!(is_key("comm%61nd", "command") && !is_key("commands", "command"));
    }

    #[test]
    fn usual_paths_are_in_the_api_discovery_and_health() {
        for path in [
            "",
            "/",
            "/api",
            "/api/",
            "/api/v1",
            "/apis/apps/v1",
            "/healthz",
            "/healthz/etcd",
            "/livez",
            "/readyz/ping",
            "/version",
            "/version/",
            "/openapi/v3/apis/apps/v1",
            "/openid/v1/jwks",
            "/metrics",
            "/metrics/slis",
            "/swagger-2.0.0.json",
            "/.well-known/openid-configuration",
            "/oauth/authorize",
        ] {
            assert!(is_usual(path), "{path}");
        }
        for path in [
            "/configs",
            "/debug/pprof",
            "/login/test",
            "/secrets/admin",
            "/.env",
            "/apiserver",
            "/healthzz",
            "//",
            "/API",
            "/versions",
            "/.well-known/security.txt",
            "/HNAP1",
            "/logs/kube-apiserver.log",
        ] {
            assert!(!is_usual(path), "{path}");
        }
    }

    #[test]
    fn parameters_with_credentials_are_recognised() {
        for key in
            ["token", "access_token", "id%5Ftoken", "X-Amz-Signature", "Password", "client_secret", "code"]
        {
            assert!(is_secret(key), "{key}");
        }
        for key in ["command", "continue", "container", "resourceVersion", "fieldManager", "timeout", "codec"]
        {
            assert!(!is_secret(key), "{key}");
        }
    }
}
