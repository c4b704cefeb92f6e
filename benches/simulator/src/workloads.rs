//! The requests that follow from a change: controllers, the scheduler and kubelets start and end pods.

use std::rc::Rc;

use crate::calendar::{MINUTE, SECOND};
use crate::cluster::{CONTROL_PLANE, Cluster, node_address};
use crate::event::{Outcome, Request, Sink};
use crate::identity::Identity;
use crate::seed::Stream;

/// The components of one version of Kubernetes.
#[derive(Debug)]
struct Components {
    scheduler: Rc<Identity>,
    replicasets: Rc<Identity>,
    deployments: Rc<Identity>,
    jobs: Rc<Identity>,
    cron: Rc<Identity>,
    slices: Rc<Identity>,
    nodes: Rc<Identity>,
    evictions: Rc<Identity>,
    namespaces: Rc<Identity>,
    tokens: Rc<Identity>,
    kubelets: Vec<Rc<Identity>>,
}

impl Components {
    fn new(version: &str, nodes: u32) -> Self {
        let controller = |name: &str| {
            let user = format!("system:serviceaccount:kube-system:{name}-controller");
            let agent = format!("kube-controller-manager/{version} (linux/amd64) kubernetes/8cc511e/{user}");
            Rc::new(Identity::new(&user, CONTROL_PLANE, &agent))
        };
        let kubelet = |node| {
            let agent = format!("kubelet/{version} (linux/amd64) kubernetes/8cc511e");
            Rc::new(Identity::new(&format!("system:node:worker-{node}"), &node_address(node), &agent))
        };
        let agent = format!("kube-scheduler/{version} (linux/amd64) kubernetes/8cc511e/scheduler");
        Self {
            scheduler: Rc::new(Identity::new("system:kube-scheduler", CONTROL_PLANE, &agent)),
            replicasets: controller("replicaset"),
            deployments: controller("deployment"),
            jobs: controller("job"),
            cron: controller("cronjob"),
            slices: controller("endpointslice"),
            nodes: controller("node"),
            evictions: controller("taint-eviction"),
            namespaces: controller("namespace"),
            tokens: controller("service-account"),
            kubelets: (0..nodes.max(1)).map(kubelet).collect(),
        }
    }
}

/// The components before and after the upgrade.
#[derive(Debug)]
pub(crate) struct Workloads {
    versions: [Components; 2],
    upgrade_at: i64,
}

/// An application of a namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct App<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
}

/// The number of pods of an application.
const REPLICAS: i64 = 3;

impl Workloads {
    /// Prepares the components of a cluster.
    pub fn new(cluster: &Cluster) -> Self {
        let components = |time| Components::new(cluster.version(time), cluster.size.nodes);
        Self { versions: [components(0), components(i64::MAX)], upgrade_at: cluster.upgrade_at }
    }

    fn at(&self, time: i64) -> &Components {
        &self.versions[usize::from(time >= self.upgrade_at)]
    }

    /// Replaces the pods of an application, after its deployment was patched.
    pub fn roll_out(&self, cluster: &Cluster, random: &mut Stream, app: App<'_>, at: i64, sink: &mut Sink) {
        let components = self.at(at);
        let App { namespace, name } = app;
        let set = format!("{name}-{:09x}", random.bits() & 0xf_ffff_ffff);
        let sets = format!("/apis/apps/v1/namespaces/{namespace}/replicasets");
        let status = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status");
        sink.send(random, &components.deployments, at, Request::new("create", &sets).named(&set));
        for replica in 0..REPLICAS {
            let at = at + random.between(1, 4) * SECOND + replica * 12 * SECOND;
            let pod = format!("{set}-{:05x}", random.bits() & 0xf_ffff);
            self.start(random, &components.replicasets, namespace, &pod, at, sink);
            let old = cluster.pod(namespace, name, replica, at);
            self.end(random, &components.replicasets, namespace, &old, at + 9 * SECOND, sink);
            sink.send(random, &components.deployments, at + 10 * SECOND, Request::new("update", &status));
            sink.send(
                random,
                &components.replicasets,
                at + 10 * SECOND,
                Request::new("update", format!("{sets}/{set}/status")),
            );
        }
    }

    /// Runs a job of a cron job's controller.
    pub fn run_job(&self, random: &mut Stream, app: App<'_>, at: i64, sink: &mut Sink) {
        let components = self.at(at);
        let App { namespace, name } = app;
        let jobs = format!("/apis/batch/v1/namespaces/{namespace}/jobs");
        let job = format!("{name}-{}", at / MINUTE);
        let pod = format!("{job}-{:05x}", random.bits() & 0xf_ffff);
        let end = at + random.between(20, 200) * SECOND;
        sink.send(random, &components.cron, at, Request::new("create", &jobs).named(&job));
        self.start(random, &components.jobs, namespace, &pod, at + SECOND, sink);
        sink.send(random, &components.jobs, end, Request::new("update", format!("{jobs}/{job}/status")));
        sink.send(
            random,
            &components.cron,
            end + SECOND,
            Request::new("update", format!("/apis/batch/v1/namespaces/{namespace}/cronjobs/{name}/status")),
        );
        self.end(random, &components.jobs, namespace, &pod, end + 2 * SECOND, sink);
    }

    /// Fails a node: its pods are evicted and started elsewhere, some of them twice.
    pub fn fail_node(&self, cluster: &Cluster, random: &mut Stream, at: i64, sink: &mut Sink) {
        let components = self.at(at);
        let node = format!("/api/v1/nodes/worker-{}", random.below(cluster.size.nodes));
        sink.send(random, &components.nodes, at, Request::new("patch", format!("{node}/status")));
        sink.send(random, &components.nodes, at + SECOND, Request::new("patch", &node));
        for _ in 0..random.between(15, 30) {
            let at = at + random.between(40, 240) * SECOND;
            let namespace = cluster.any_namespace(random);
            let pod = cluster.any_pod(random, namespace, at);
            let outcome =
                *random.weighted(&[(8, Outcome::Success), (1, Outcome::NotFound), (1, Outcome::Conflict)]);
            let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}");
            sink.send(random, &components.evictions, at, Request::new("delete", path).ending(outcome));
            let new = format!("{pod}-{:05x}", random.bits() & 0xf_ffff);
            self.start(random, &components.replicasets, namespace, &new, at + SECOND, sink);
        }
    }

    /// Deletes the contents of a namespace. Controllers that create objects in it meanwhile are refused by admission.
    pub fn clear_namespace(&self, random: &mut Stream, namespace: &str, at: i64, sink: &mut Sink) {
        let components = self.at(at);
        for (group, resource) in [
            ("/api/v1", "pods"),
            ("/api/v1", "secrets"),
            ("/api/v1", "configmaps"),
            ("/api/v1", "services"),
            ("/api/v1", "serviceaccounts"),
            ("/apis/apps/v1", "deployments"),
            ("/apis/apps/v1", "replicasets"),
            ("/apis/batch/v1", "jobs"),
            ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
        ] {
            let at = at + random.between(100_000, 4 * SECOND);
            let path = format!("{group}/namespaces/{namespace}/{resource}");
            sink.send(random, &components.namespaces, at, Request::new("deletecollection", path));
        }
        for _ in 0..random.between(1, 5) {
            let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
            let request = Request::new("create", path).named("default").ending(Outcome::AdmissionRefused);
            let at = at + random.between(SECOND, 8 * SECOND);
            sink.send(random, &components.tokens, at, request);
        }
    }

    fn start(
        &self,
        random: &mut Stream,
        owner: &Rc<Identity>,
        namespace: &str,
        pod: &str,
        at: i64,
        sink: &mut Sink,
    ) {
        let components = self.at(at);
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        let events = format!("/api/v1/namespaces/{namespace}/events");
        let app = pod.split('-').next().unwrap_or_default();
        let kubelet = Rc::clone(random.of(&components.kubelets));
        sink.send(random, owner, at, Request::new("create", &pods));
        let binding = format!("{pods}/{pod}/binding?timeout=30s");
        sink.send(random, &components.scheduler, at + 80_000, Request::new("create", binding).named(pod));
        sink.send(random, &components.scheduler, at + 90_000, Request::new("create", &events));
        for (delay, verb, path) in [
            (120_000, "get", format!("{pods}/{pod}")),
            (150_000, "create", format!("/api/v1/namespaces/{namespace}/serviceaccounts/{app}/token")),
            (400_000, "patch", format!("{pods}/{pod}/status")),
            (2_500_000, "create", events.clone()),
            (4_000_000, "patch", format!("{pods}/{pod}/status")),
            (4_100_000, "create", events),
        ] {
            sink.send(random, &kubelet, at + delay, Request::new(verb, path));
        }
        let slice = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{app}-x7k2p");
        let outcome = if random.permille(30) { Outcome::Conflict } else { Outcome::Success };
        sink.send(random, &components.slices, at + 4_300_000, Request::new("update", slice).ending(outcome));
    }

    fn end(
        &self,
        random: &mut Stream,
        owner: &Rc<Identity>,
        namespace: &str,
        pod: &str,
        at: i64,
        sink: &mut Sink,
    ) {
        let kubelet = Rc::clone(random.of(&self.at(at).kubelets));
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}");
        sink.send(random, owner, at, Request::new("delete", &path));
        sink.send(random, &kubelet, at + 900_000, Request::new("patch", format!("{path}/status")));
        sink.send(random, &kubelet, at + 1_200_000, Request::new("delete", path));
    }
}
