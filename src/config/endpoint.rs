//! Recognises Coralogix's ingestion endpoints in kAudit's `http-api-uri`.
//!
//! Old forms are recognised as well. A URI may contain a secret, so a message repeats no part of it except a host of
//! Coralogix's.

use alloc::borrow::Cow;
use alloc::string::String;

use super::types::Shape;
use super::variables;

/// The domain of every region ends with one of these.
const DOMAINS: &[&str] =
    &["coralogix.com", "coralogix.us", "coralogix.in", "coralogixsg.com", "coralogixgov.us"];
/// The placeholder of the domain in Coralogix's documentation.
const PLACEHOLDER: &str = "<domain>";
/// The shapes of the current endpoints.
const SHAPES: [Shape; 3] = [Shape::Singles, Shape::Bulk, Shape::Otlp];
/// The path of the first endpoint.
const OLD_PATH: &str = "/api/v1/logs";

/// The service that a URI addresses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// An endpoint of Coralogix's.
    Coralogix {
        /// For an old URI, the current form without its path.
        modern: Option<String>,
        /// The domain is the placeholder of the documentation, or a variable.
        placeholder: bool,
        /// The shape that the endpoint accepts, if the path determines it.
        shape: Option<Shape>,
    },
    /// Another service.
    Other,
}

/// Classifies a URI; `None` if it is not an http or https URI.
pub(super) fn recognise(uri: &str) -> Option<Endpoint> {
    let uri = variables::replaced(uri.trim(), PLACEHOLDER);
    let (scheme, rest) = uri.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let (authority, path) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host.is_empty() || host.contains(char::is_whitespace) {
        return None;
    }
    let path = path.split(['?', '#']).next().unwrap_or("").trim_end_matches('/');
    let shape = SHAPES.into_iter().find(|shape| shape.path() == path);
    let placeholder = host == PLACEHOLDER || host.ends_with(&format!(".{PLACEHOLDER}"));
    // A variable may contain any host, so the path decides.
    let variable = matches!(uri, Cow::Owned(_));
    let unknown = variable && shape.is_none() && path != OLD_PATH;
    let coralogix = if placeholder { !unknown } else { DOMAINS.iter().any(|domain| is_below(&host, domain)) };
    if !coralogix {
        return Some(Endpoint::Other);
    }
    let (service, domain) = service(&host);
    let present = service == "ingress" && shape.is_some();
    let present = present || variable && (host == PLACEHOLDER || path.contains(PLACEHOLDER));
    let modern = (!present).then(|| format!("https://ingress.{domain}"));
    Some(Endpoint::Coralogix { modern, placeholder, shape })
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Splits a host: `api.eu2.coralogix.com` is `api` and `eu2.coralogix.com`.
fn service(host: &str) -> (&str, &str) {
    match host.split_once('.') {
        Some((service @ ("ingress" | "api" | "ng-api-http"), domain)) => (service, domain),
        _ => ("", host),
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, recognise};
    use crate::config::Shape;

    #[test]
    fn old_and_present_forms() {
        let old = |domain: &str| Some(format!("https://ingress.{domain}"));
        let (singles, bulk, otlp) = (Some(Shape::Singles), Some(Shape::Bulk), Some(Shape::Otlp));
        let table = [
            ("https://ingress.eu2.coralogix.com/logs/v1/singles", None, singles),
            ("https://ingress.us1.coralogix.com:443/logs/v1/bulk?x=y", None, bulk),
            ("HTTPS://Ingress.Coralogix.Us/logs/v1/singles/", None, singles),
            ("https://ingress.gov1.coralogixgov.us/logs/v1/bulk", None, bulk),
            ("https://ingress.eu2.coralogix.com:443/v1/logs", None, otlp),
            ("https://api.eu2.coralogix.com/v1/logs", old("eu2.coralogix.com"), otlp),
            ("https://api.coralogix.com/api/v1/logs", old("coralogix.com"), None),
            ("https://api.eu2.coralogix.com/logs/v1/bulk", old("eu2.coralogix.com"), bulk),
            ("https://api.cx498.coralogix.com/logs/v1/bulk", old("cx498.coralogix.com"), bulk),
            ("https://ingress.coralogix.in/api/v1/logs", old("coralogix.in"), None),
            ("http://user:pass@api.coralogixsg.com./logs/v1/singles", old("coralogixsg.com"), singles),
            ("https://coralogix.com", old("coralogix.com"), None),
            ("https://ingress.coralogix.com:${PORT:-443}/logs/v1/bulk", None, bulk),
            ("https://ingress.coralogix.com/logs/v1/$(KIND)", None, None),
        ];
        for (uri, modern, shape) in table {
            let expected = Endpoint::Coralogix { modern, placeholder: false, shape };
            assert_eq!(recognise(uri), Some(expected), "{uri}");
        }
    }

    #[test]
    fn the_placeholder_of_the_documentation_and_variables() {
        let old = Some("https://ingress.<domain>".to_owned());
        for (uri, modern, shape) in [
            ("https://api.<domain>/logs/v1/bulk", old.clone(), Some(Shape::Bulk)),
            ("https://api.${DOMAIN}/api/v1/logs", old, None),
            ("https://ingress.${DOMAIN}/logs/v1/bulk", None, Some(Shape::Bulk)),
            ("https://ingress.${DOMAIN}/v1/logs", None, Some(Shape::Otlp)),
            ("https://${HOST:-ingress}/logs/v1/bulk", None, Some(Shape::Bulk)),
        ] {
            let expected = Endpoint::Coralogix { modern, placeholder: true, shape };
            assert_eq!(recognise(uri), Some(expected), "{uri}");
        }
    }

    #[test]
    fn everything_else() {
        for uri in [
            "https://example.com/coralogix.com",
            "https://notcoralogix.com/",
            "https://coralogix.com.example.com",
            "https://${HOST}/",
            "http://collector:4318/v1/logs",
            "https://siem.${DOMAIN}/ingest",
        ] {
            assert_eq!(recognise(uri), Some(Endpoint::Other), "{uri}");
        }
        for uri in
            ["", "coralogix.com", "ftp://api.coralogix.com", "https://", "https:///x", "{{ uri }}", "${URI}"]
        {
            assert_eq!(recognise(uri), None, "{uri}");
        }
    }
}
