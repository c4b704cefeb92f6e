//! The requests of a Helm upgrade.

use crate::calendar::DAY;
use crate::event::Request;
use crate::seed::Stream;
use crate::workloads::App;

/// The user agent.
pub(crate) const AGENT: &str = "Helm/3.19.0";

/// Returns the requests: the releases are read, a new one is written, objects are patched, and pods are waited for.
///
/// `other` is the path of a further object to patch.
pub(crate) fn upgrade(random: &mut Stream, app: App<'_>, at: i64, other: Option<&str>) -> Vec<Request> {
    let App { namespace, name } = app;
    let revision = at / DAY % 100;
    let release = format!("sh.helm.release.v1.{name}.v{revision}");
    let core = format!("/api/v1/namespaces/{namespace}");
    let deployment = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
    let query = "fieldManager=helm&force=false";
    let mut requests = vec![
        Request::new("get", "/version"),
        Request::new("list", format!("{core}/secrets?labelSelector=name%3D{name}%2Cowner%3Dhelm")),
        Request::new("get", format!("{core}/secrets/{release}")),
        Request::new("create", format!("{core}/secrets")).named(&release),
        Request::new("patch", format!("{core}/configmaps/{name}?{query}")),
        Request::new("patch", format!("{core}/services/{name}?{query}")),
        Request::new("patch", format!("{deployment}?{query}")),
    ];
    requests.extend(other.map(|path| Request::new("patch", format!("{path}?{query}"))));
    for _ in 0..random.between(3, 12) {
        requests.push(Request::new("get", &deployment));
    }
    requests.push(Request::new("update", format!("{core}/secrets/{release}")));
    requests
}
