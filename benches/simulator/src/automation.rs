//! Pipelines, changes from repositories, cron jobs, backups, node failures, and scanners from the internet.

use std::rc::Rc;

use crate::calendar::{DAY, HOUR, MINUTE, SECOND, hour};
use crate::cluster::{APPS, Cluster};
use crate::event::{Outcome, Request, Sink};
use crate::helm;
use crate::identity::Identity;
use crate::seed::{Purpose, Stream};
use crate::workloads::{App, Workloads};

/// The identities of a cluster's own automation. An operator lists them in the default policy as `operators-machines`.
pub const OWN_MACHINES: &[&str] = &[RUNNER, HOSTED];

const RUNNER: &str = "system:serviceaccount:ci:runner";
const HOSTED: &str = "ci-deployer@example.com";

/// The percentage of changes in each hour of a working day, UTC: Europe in the morning, America in the afternoon.
const ACTIVITY: [u32; 24] =
    [4, 2, 1, 1, 2, 5, 15, 50, 90, 100, 100, 70, 60, 90, 100, 95, 80, 60, 45, 35, 25, 15, 10, 6];

/// The clients of a cluster's automation.
#[derive(Debug)]
pub(crate) struct Automation {
    runner: Rc<Identity>,
    argo: Rc<Identity>,
    backup: Rc<Identity>,
}

impl Automation {
    /// Prepares the clients.
    pub fn new() -> Self {
        let client = |user: &str, address: &str, agent: &str| Rc::new(Identity::new(user, address, agent));
        Self {
            runner: client(RUNNER, "10.1.4.23", helm::AGENT),
            argo: client(
                "system:serviceaccount:argocd:argocd-application-controller",
                "10.1.3.9",
                "argocd-application-controller/v0.0.0 (linux/amd64) kubernetes/$Format",
            ),
            backup: client(
                "system:serviceaccount:velero:velero",
                "10.1.2.31",
                "velero-server/v1.17.1 (linux/amd64) 2b9bc1d-clean",
            ),
        }
    }

    /// Adds the requests of an hour.
    pub fn hour(&self, cluster: &Cluster, workloads: &Workloads, start: i64, sink: &mut Sink) {
        let mut random = Stream::new(cluster.seed, Purpose::Automation, &[cluster.index, start / HOUR]);
        let activity = ACTIVITY[usize::try_from(hour(start)).unwrap_or_default()];
        let activity = if cluster.is_working_day(start) { activity } else { activity / 10 };
        for _ in 0..3 {
            let at = start + random.between(0, HOUR);
            if random.below(100) < activity {
                self.deploy(cluster, workloads, &mut random, at, sink);
            }
        }
        if random.below(100) < activity {
            let at = start + random.between(0, 50 * MINUTE);
            self.sync(cluster, workloads, &mut random, at, sink);
        }
        if random.below(400) < activity {
            self.preview(cluster, workloads, &mut random, start + 7 * MINUTE, sink);
        }
        for quarter in 0..4 {
            let at = start + quarter * 15 * MINUTE + random.between(0, SECOND);
            let app = App { namespace: &cluster.namespaces[0], name: "report" };
            workloads.run_job(&mut random, app, at, sink);
        }
        if hour(start) == 1 {
            self.back_up(cluster, &mut random, start, sink);
        }
        for at in cluster.disturbances.iter().filter(|at| (start..start + HOUR).contains(*at)) {
            if random.permille(600) {
                workloads.fail_node(cluster, &mut random, *at, sink);
            }
        }
        if cluster.is_public && random.permille(130) {
            let at = start + random.between(0, 50 * MINUTE);
            scan(&mut random, at, sink);
        }
    }

    /// Returns the client of a pipeline: a pod, or a provider's machine, whose address is new in each run.
    fn pipeline(&self, cluster: &Cluster, random: &mut Stream) -> Rc<Identity> {
        if !cluster.has_hosted_runners {
            return Rc::clone(&self.runner);
        }
        let address = format!("198.19.{}.{}", random.below(250), random.below(250));
        Rc::new(Identity::new(HOSTED, &address, helm::AGENT))
    }

    /// Upgrades a Helm release.
    fn deploy(
        &self,
        cluster: &Cluster,
        workloads: &Workloads,
        random: &mut Stream,
        at: i64,
        sink: &mut Sink,
    ) {
        let client = self.pipeline(cluster, random);
        let namespace = cluster.any_namespace(random).to_owned();
        let app = *random.of(APPS);
        let app = App { namespace: &namespace, name: app };
        let ingress = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{}", app.name);
        let other = (at >= cluster.new_pipeline_at).then_some(ingress.as_str());
        let mut time = at;
        for request in helm::upgrade(random, app, at, other) {
            sink.send(random, &client, time, request);
            time += random.between(100_000, 2 * SECOND);
        }
        workloads.roll_out(cluster, random, app, at + 5 * SECOND, sink);
    }

    /// Applies what a repository contains.
    fn sync(&self, cluster: &Cluster, workloads: &Workloads, random: &mut Stream, at: i64, sink: &mut Sink) {
        let namespace = cluster.any_namespace(random).to_owned();
        let app = *random.of(APPS);
        for path in [
            format!("/api/v1/namespaces/{namespace}/configmaps/{app}"),
            format!("/api/v1/namespaces/{namespace}/services/{app}"),
            format!("/apis/apps/v1/namespaces/{namespace}/deployments/{app}"),
            format!("/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{app}"),
        ] {
            let path = format!("{path}?fieldManager=argocd-controller&force=true");
            let at = at + random.between(0, 3 * SECOND);
            sink.send(random, &self.argo, at, Request::new("patch", path));
        }
        workloads.roll_out(cluster, random, App { namespace: &namespace, name: app }, at + 4 * SECOND, sink);
    }

    /// Creates the namespace of a preview, and deletes it two hours later.
    fn preview(
        &self,
        cluster: &Cluster,
        workloads: &Workloads,
        random: &mut Stream,
        at: i64,
        sink: &mut Sink,
    ) {
        let client = self.pipeline(cluster, random);
        let name = format!("preview-{}", at / MINUTE % 100_000);
        let end = at + 2 * HOUR;
        let core = format!("/api/v1/namespaces/{name}");
        sink.send(random, &client, at, Request::new("create", "/api/v1/namespaces").named(&name));
        for (resource, object) in [("serviceaccounts", "api"), ("secrets", "api-db"), ("services", "api")] {
            let at = at + random.between(SECOND, 5 * SECOND);
            sink.send(
                random,
                &client,
                at,
                Request::new("create", format!("{core}/{resource}")).named(object),
            );
        }
        let deployments = format!("/apis/apps/v1/namespaces/{name}/deployments");
        sink.send(random, &client, at + 6 * SECOND, Request::new("create", deployments).named("api"));
        workloads.roll_out(cluster, random, App { namespace: &name, name: "api" }, at + 7 * SECOND, sink);
        sink.send(random, &client, end, Request::new("delete", core));
        workloads.clear_namespace(random, &name, end + SECOND, sink);
    }

    /// Lists everything, secrets included.
    fn back_up(&self, cluster: &Cluster, random: &mut Stream, at: i64, sink: &mut Sink) {
        let mut time = at;
        for namespace in &cluster.namespaces {
            for path in [
                format!("/api/v1/namespaces/{namespace}/secrets?limit=500"),
                format!("/api/v1/namespaces/{namespace}/configmaps?limit=500"),
                format!("/api/v1/namespaces/{namespace}/services?limit=500"),
                format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims?limit=500"),
                format!("/apis/apps/v1/namespaces/{namespace}/deployments?limit=500"),
                format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings?limit=500"),
            ] {
                sink.send(random, &self.backup, time, Request::new("list", path));
                time += random.between(50_000, SECOND);
            }
        }
        let path = "/apis/velero.io/v1/namespaces/velero/backups";
        sink.send(
            random,
            &self.backup,
            time,
            Request::new("create", path).named(format!("nightly-{}", at / DAY)),
        );
    }
}

/// Scans a public API server without credentials.
fn scan(random: &mut Stream, at: i64, sink: &mut Sink) {
    const PATHS: &[&str] = &[
        "/",
        "/login",
        "/.env",
        "/HNAP1",
        "/actuator/health",
        "/favicon.ico",
        "/robots.txt",
        "/api/v1/pods",
        "/api/v1/namespaces",
        "/metrics",
        "/owa/auth/logon.aspx",
    ];
    let agent = *random.of(&["Mozilla/5.0 zgrab/0.x", "python-requests/2.32.3", "Go-http-client/1.1"]);
    let net = *random.of(&["192.0.2", "203.0.113", "198.51.100"]);
    let address = format!("{net}.{}", 1 + random.below(120));
    let has_token = random.permille(200);
    let user = if has_token { "" } else { "system:anonymous" };
    let client = Rc::new(Identity::new(user, &address, agent));
    let outcome = if has_token { Outcome::Unauthorized } else { Outcome::Forbidden };
    let mut time = at;
    for _ in 0..random.between(1, 9) {
        let request = Request::new("get", *random.of(PATHS)).ending(outcome);
        sink.send(random, &client, time, request);
        time += random.between(200_000, 20 * SECOND);
    }
}
