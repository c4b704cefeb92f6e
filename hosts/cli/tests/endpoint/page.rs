//! The files of the page.

use super::{Endpoint, header};

#[test]
fn the_page_makes_no_external_requests() {
    let endpoint = Endpoint::start(&[]);
    for (path, content_type) in [
        ("", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let response = minreq::get(format!("{}{path}", endpoint.url)).with_timeout(30).send().unwrap();
        assert_eq!((response.status_code, header(&response, "content-type")), (200, content_type));
        let policy = header(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = response.as_str().unwrap().replace("http://www.w3.org/2000/svg", "");
        assert!(!path.is_empty() || text.contains("test double"), "the page states its purpose");
        for foreign in ["http://", "https://", "@import", "innerHTML"] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
    assert_eq!(endpoint.stop().0, Some(0));
}
