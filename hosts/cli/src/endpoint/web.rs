//! The files of the page, and responses.

use oxhttp::model::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use oxhttp::model::{Body, Response};

/// The files: path, type, contents.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("web/page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("web/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("web/page.js")),
    ("/icon.svg", "image/svg+xml", include_str!("web/icon.svg")),
];

/// The page displays text of unknown origin: only its own files are loaded, and scripts in it do not run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'";

/// Returns whether the page has a file of this path.
pub fn is_file(path: &str) -> bool {
    FILES.iter().any(|(known, ..)| *known == path)
}

/// Returns a file of the page.
pub fn file(path: &str) -> Response<Body> {
    let file = FILES.iter().find(|(known, ..)| *known == path);
    let (_, content_type, text) = file.copied().unwrap_or(FILES[0]);
    let mut response = respond(200, content_type, text.to_owned());
    if let Ok(policy) = POLICY.parse() {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Returns a response.
pub fn respond(status: u16, content_type: &str, body: impl Into<Body>) -> Response<Body> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, content_type);
    response.body(body.into()).unwrap_or_default()
}
