//! User agents: their products, and the rest that callers choose themselves.
//!
//! This is kAudit's derivation: each word of the form `name/version` is a product, and the words that remain are what
//! the caller supplied. Programs built with client-go add `(linux/amd64)`, which is a product named `linux`, and
//! `kubernetes/<hash>`, which is left out. kAudit cut the last character of the former (`amd6`); the filter does not.

use alloc::string::String;

/// The name of the product that every client-go program has.
const LIBRARY: &str = "kubernetes";

/// Calls `on_product` with the name and version of each product, and appends the other words to `rest`.
///
/// A name is passed as it is spelled. A product at the end of a list in parentheses leaves the parenthesis.
pub(super) fn split(agent: &str, on_product: &mut dyn FnMut(&str, &str), rest: &mut String) {
    let start = rest.len();
    // An opening parenthesis before a product that is followed by other words.
    let mut opening = false;
    for word in agent.split_ascii_whitespace() {
        let inner = word.strip_prefix('(').unwrap_or(word);
        let opens = inner.len() < word.len();
        let product = inner.trim_end_matches([';', ',']);
        let (product, closes) = match product.strip_suffix(')') {
            Some(product) => (product.trim_end_matches([';', ',']), true),
            None => (product, false),
        };
        let is_product =
            |&(name, version): &(&str, &str)| is_name(name) && (!version.is_empty() || name == LIBRARY);
        if let Some((name, version)) = product.split_once('/').filter(is_product) {
            if name != LIBRARY {
                on_product(name, version);
            }
            match (opens, closes) {
                (true, false) => opening = true,
                (false, true) if !opening && rest.len() > start => rest.push(')'),
                (false, true) => opening = false,
                _ => (),
            }
            continue;
        }
        if rest.len() > start {
            rest.push(' ');
        }
        if core::mem::take(&mut opening) {
            rest.push('(');
        }
        rest.push_str(word);
    }
}

/// Whether a text is a product's name: letters, digits, `.`, `_` and `-`, with one of the first two first.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Appends a product's name as keys and fields have it: in lower case, with hyphens.
pub(super) fn push_key(name: &str, out: &mut String) {
    out.extend(
        name.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(agent: &str) -> (Vec<String>, String) {
        let (mut products, mut rest) = (Vec::new(), String::new());
        split(
            agent,
            &mut |name, version| {
                let mut key = String::new();
                push_key(name, &mut key);
                products.push(format!("{key}={version}"));
            },
            &mut rest,
        );
        (products, rest)
    }

    #[test]
    fn products_are_separated_from_the_rest() {
        for (agent, products, rest) in [
            ("kubectl/v1.14.10 (windows/amd64) kubernetes/f5757a1", "kubectl=v1.14.10 windows=amd64", ""),
            (
                "kubectl.exe/v1.14.10 (windows/amd64) kubernetes/f5757a1",
                "kubectl-exe=v1.14.10 windows=amd64",
                "",
            ),
            (
                "kube-controller-manager/v1.14.9 (linux/amd64) kubernetes/502bfb3/system:serviceaccount:ns:name",
                "kube-controller-manager=v1.14.9 linux=amd64",
                "",
            ),
            ("v5/v0.0.0 (linux/amd64) kubernetes/$Format/leader-election", "v5=v0.0.0 linux=amd64", ""),
            (
                "test Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.example.com/bot.html)",
                "mozilla=5.0 googlebot=2.1",
                "test (compatible; +http://www.example.com/bot.html)",
            ),
            ("test sqlmap/1.0-dev", "sqlmap=1.0-dev", "test"),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0 Safari/537.36",
                "mozilla=5.0 applewebkit=537.36 chrome=80.0 safari=537.36",
                "(X11; Linux x86_64) (KHTML, like Gecko)",
            ),
            (
                "google-cloud-sdk gcloud/450.0.0 command/gcloud.x python/3.9 term/xterm (Linux 5.4)",
                "gcloud=450.0.0 command=gcloud.x python=3.9 term=xterm",
                "google-cloud-sdk (Linux 5.4)",
            ),
            ("(Foo/1; bar)", "foo=1", "(bar)"),
            ("(bar; Foo/1)", "foo=1", "(bar;)"),
            ("(Foo/1; Bar/2)", "foo=1 bar=2", ""),
            ("tool/v0 (linux/amd64) kubernetes/", "tool=v0 linux=amd64", ""),
            ("Custom-AsyncHttpClient", "", "Custom-AsyncHttpClient"),
            ("python-requests/2.31.0", "python-requests=2.31.0", ""),
            ("a/ /b ${jndi:ldap://x/y}", "", "a/ /b ${jndi:ldap://x/y}"),
            ("é/1 ()", "", "é/1 ()"),
            ("", "", ""),
        ] {
            let (found, remaining) = parts(agent);
            assert_eq!((found.join(" "), remaining.as_str()), (products.to_owned(), rest), "{agent}");
        }
    }
}
