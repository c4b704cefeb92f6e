//! Recognises Coralogix's ingestion endpoints in kAudit's `http-api-uri`, old forms included.
//!
//! A URI may hold a secret, so nothing of it goes into a message but a host of Coralogix's.

/// Every region's domain ends with one of these.
const DOMAINS: &[&str] =
    &["coralogix.com", "coralogix.us", "coralogix.in", "coralogixsg.com", "coralogixgov.us"];
/// What Coralogix's pages write where the domain goes.
const PLACEHOLDER: &str = "<domain>";
/// The paths of the present endpoints.
const PATHS: &[&str] = &["/logs/v1/singles", "/logs/v1/bulk"];

/// What a URI is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// One of Coralogix's.
    Coralogix {
        /// The present form, when the URI is an old one.
        modern: Option<String>,
        /// The domain is still the placeholder of the documentation.
        placeholder: bool,
    },
    /// Another service's.
    Other,
}

/// Looks at a URI; `None` when it is no http or https URI.
pub(super) fn recognise(uri: &str) -> Option<Endpoint> {
    let (scheme, rest) = uri.trim().split_once("://")?;
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
    let placeholder = host == PLACEHOLDER || host.ends_with(&format!(".{PLACEHOLDER}"));
    if !placeholder && !DOMAINS.iter().any(|domain| is_below(&host, domain)) {
        return Some(Endpoint::Other);
    }
    let (service, domain) = service(&host);
    let path = path.split(['?', '#']).next().unwrap_or("").trim_end_matches('/');
    let modern = service == "ingress" && PATHS.contains(&path);
    let modern = (!modern).then(|| format!("https://ingress.{domain}/logs/v1/singles"));
    Some(Endpoint::Coralogix { modern, placeholder })
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `api.eu2.coralogix.com` is the service `api` of the domain `eu2.coralogix.com`.
fn service(host: &str) -> (&str, &str) {
    match host.split_once('.') {
        Some((service @ ("ingress" | "api" | "ng-api-http"), domain)) => (service, domain),
        _ => ("", host),
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, recognise};

    #[test]
    fn old_and_present_forms() {
        let singles = |domain: &str| Some(format!("https://ingress.{domain}/logs/v1/singles"));
        let table = [
            ("https://ingress.eu2.coralogix.com/logs/v1/singles", None),
            ("https://ingress.us1.coralogix.com:443/logs/v1/bulk?x=y", None),
            ("HTTPS://Ingress.Coralogix.Us/logs/v1/singles/", None),
            ("https://ingress.gov1.coralogixgov.us/logs/v1/bulk", None),
            ("https://api.coralogix.com/api/v1/logs", singles("coralogix.com")),
            ("https://api.eu2.coralogix.com/logs/v1/bulk", singles("eu2.coralogix.com")),
            ("https://api.cx498.coralogix.com/logs/v1/bulk", singles("cx498.coralogix.com")),
            ("https://ingress.coralogix.in/api/v1/logs", singles("coralogix.in")),
            ("http://user:pass@api.coralogixsg.com./logs/v1/singles", singles("coralogixsg.com")),
            ("https://coralogix.com", singles("coralogix.com")),
        ];
        for (uri, modern) in table {
            assert_eq!(recognise(uri), Some(Endpoint::Coralogix { modern, placeholder: false }), "{uri}");
        }
    }

    #[test]
    fn the_placeholder_of_the_documentation() {
        let modern = Some("https://ingress.<domain>/logs/v1/singles".to_owned());
        assert_eq!(
            recognise("https://api.<domain>/logs/v1/bulk"),
            Some(Endpoint::Coralogix { modern, placeholder: true })
        );
    }

    #[test]
    fn everything_else() {
        for uri in [
            "https://example.com/coralogix.com",
            "https://notcoralogix.com/",
            "https://coralogix.com.example.com",
        ] {
            assert_eq!(recognise(uri), Some(Endpoint::Other), "{uri}");
        }
        for uri in ["", "coralogix.com", "ftp://api.coralogix.com", "https://", "https:///x", "{{ uri }}"] {
            assert_eq!(recognise(uri), None, "{uri}");
        }
    }
}
