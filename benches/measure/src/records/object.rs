//! The object that a request's URI names.

/// The object that a URI names; empty parts are absent.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the names of Kubernetes")]
pub struct Object<'u> {
    pub group: &'u str,
    pub version: &'u str,
    pub namespace: &'u str,
    pub resource: &'u str,
    pub name: &'u str,
    pub subresource: &'u str,
}

impl<'u> Object<'u> {
    /// Returns the object of a URI; all parts of a URI outside the API are absent.
    pub fn of(uri: &'u str) -> Self {
        let mut parts = uri.split('?').next().unwrap_or_default().split('/').skip(1);
        let mut next = || parts.next().unwrap_or_default();
        let (group, version) = match next() {
            "api" => ("", next()),
            "apis" => (next(), next()),
            _ => return Self::default(),
        };
        let (mut namespace, mut resource, mut name) = ("", next(), next());
        let mut subresource = next();
        if resource == "namespaces" {
            namespace = name;
            if !matches!(subresource, "" | "status" | "finalize") {
                (resource, name, subresource) = (subresource, next(), next());
            }
        }
        Self { group, version, namespace, resource, name, subresource }
    }
}
