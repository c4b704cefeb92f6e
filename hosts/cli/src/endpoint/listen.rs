//! The value of `--listen`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};

/// Parses an address: `8080` and `:8080` are ports of this machine, `localhost:8080` is resolved.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let expected = "expected a port such as `8080`, or an address with a port such as `127.0.0.1:8080`";
    text.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_port_is_an_address_of_this_machine() {
        for (text, expected) in [
            ("8080", Some("127.0.0.1:8080")),
            (":8080", Some("127.0.0.1:8080")),
            ("0", Some("127.0.0.1:0")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("[::1]:80", Some("[::1]:80")),
            ("", None),
            ("127.0.0.1", None),
            ("70000", None),
            ("127.0.0.1:http:1", None),
        ] {
            let parsed = parse(text).map(|address| address.to_string());
            assert_eq!(parsed.as_deref().ok(), expected, "{text}: {parsed:?}");
        }
    }
}
