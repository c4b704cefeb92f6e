//! A person's session: commands, and the requests that tools make of them.

use std::rc::Rc;

use crate::calendar::{MINUTE, SECOND};
use crate::cluster::{APPS, Cluster};
use crate::event::{Outcome, Request, Sink};
use crate::helm;
use crate::identity::Identity;
use crate::seed::Stream;
use crate::workloads::{App, Workloads};

/// A person's role, which decides the tools and the habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads pods and logs of one or two namespaces, deploys, sometimes enters a pod.
    Developer,
    /// Works on all namespaces, nodes and permissions, with kubectl and Helm.
    Platform,
    /// Browses with k9s, which lists and watches what it shows, and asks for permissions first.
    Browser,
    /// Has Lens open all day: lists and watches of everything, secrets included.
    Desktop,
    /// Opens port-forwards to databases and copies files.
    Analyst,
    /// Reads permissions once a fortnight: the same questions as an attacker's.
    Auditor,
}

/// What a person does repeatedly.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// The namespaces of the person's applications.
    pub namespaces: [String; 2],
    /// Whether the person enters pods.
    pub enters_pods: bool,
    /// Whether the person reads secrets.
    pub reads_secrets: bool,
}

/// A session in progress: `at` is the time of the next request.
pub(crate) struct Session<'s> {
    pub cluster: &'s Cluster,
    pub workloads: &'s Workloads,
    pub identity: Rc<Identity>,
    pub at: i64,
    pub random: &'s mut Stream,
    pub sink: &'s mut Sink,
}

/// A command of a person.
#[derive(Clone, Copy, Debug)]
enum Command {
    Pods,
    Describe,
    Logs,
    Deployments,
    Apply,
    RollOut,
    DeletePod,
    Exec,
    Forward,
    Secret,
    Nodes,
    Ask,
    Binding,
    Browse,
    Mistake,
    Refused,
}

use Command::{
    Apply, Ask, Binding, Browse, DeletePod, Deployments, Describe, Exec, Forward, Logs, Mistake, Nodes, Pods,
    Refused, RollOut, Secret,
};

/// Returns the commands of a role by their weight, of about a thousand. One in twenty fails, as published for people.
const fn commands(role: Role) -> &'static [(u32, Command)] {
    match role {
        Role::Developer => &[
            (260, Pods),
            (150, Describe),
            (240, Logs),
            (120, Deployments),
            (40, Apply),
            (30, RollOut),
            (25, DeletePod),
            (35, Exec),
            (10, Forward),
            (15, Secret),
            (3, Ask),
            (90, Mistake),
            (10, Refused),
        ],
        Role::Platform => &[
            (220, Pods),
            (150, Describe),
            (120, Logs),
            (110, Deployments),
            (120, Nodes),
            (60, Apply),
            (30, RollOut),
            (30, DeletePod),
            (35, Exec),
            (30, Secret),
            (12, Ask),
            (8, Binding),
            (90, Mistake),
            (3, Refused),
        ],
        Role::Browser | Role::Desktop => &[
            (500, Browse),
            (150, Logs),
            (100, Describe),
            (25, Exec),
            (15, DeletePod),
            (15, Forward),
            (15, Secret),
            (90, Mistake),
            (8, Refused),
        ],
        Role::Analyst => {
            &[(300, Pods), (150, Logs), (150, Forward), (60, Exec), (40, Mistake), (10, Refused)]
        }
        Role::Auditor => {
            &[(200, Pods), (200, Deployments), (200, Nodes), (60, Ask), (25, Mistake), (20, Refused)]
        }
    }
}

/// Runs a session.
pub(crate) fn run(session: &mut Session<'_>, role: Role, habits: &Habits, reviews: bool) {
    session.begin(role);
    if reviews {
        session.review();
    }
    if session.identity.agent == helm::AGENT {
        return session.upgrade();
    }
    let count = session.random.between(3, 18);
    for _ in 0..count {
        let is_own = role != Role::Platform && role != Role::Auditor && session.random.permille(900);
        let namespace = if is_own {
            habits.namespaces[usize::from(session.random.permille(250))].clone()
        } else {
            session.cluster.any_namespace(session.random).to_owned()
        };
        let mut command = *session.random.weighted(commands(role));
        if (matches!(command, Exec) && !habits.enters_pods)
            || (matches!(command, Secret) && !habits.reads_secrets)
        {
            command = Pods;
        }
        session.command(command, &namespace);
        session.pause(4, 90);
    }
}

/// Searches for the cause of a fault at night: logs, sessions in several pods, restarts.
pub(crate) fn investigate(session: &mut Session<'_>) {
    session.begin(Role::Developer);
    let namespace = session.cluster.any_namespace(session.random).to_owned();
    for command in [Pods, Describe, Logs, Logs, Nodes, Describe, Exec, Logs, Exec, DeletePod, Pods, Logs] {
        session.command(command, &namespace);
        session.pause(5, 120);
    }
}

impl Session<'_> {
    fn pause(&mut self, low: i64, high: i64) {
        self.at += self.random.between(low * SECOND, high * SECOND);
    }

    /// Sends a request and moves on by the time until the next.
    fn send(&mut self, request: Request) {
        self.sink.send(self.random, &self.identity, self.at, request);
        self.at += self.random.between(30_000, 700_000);
    }

    fn call(&mut self, verb: &'static str, uri: impl Into<String>) {
        self.send(Request::new(verb, uri));
    }

    /// Discovery, and the requests with which a tool starts.
    fn begin(&mut self, role: Role) {
        for path in ["/api?timeout=32s", "/apis?timeout=32s"] {
            self.call("get", path);
        }
        let namespaces = self.cluster.namespaces.clone();
        match role {
            Role::Browser => {
                for _ in 0..self.random.between(8, 16) {
                    self.call("create", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
                }
                self.call("list", "/api/v1/namespaces?limit=500");
            }
            Role::Desktop => {
                for _ in &namespaces {
                    self.call("create", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews");
                }
                for resource in ["pods", "configmaps", "secrets", "services", "events", "nodes"] {
                    self.call("list", format!("/api/v1/{resource}?limit=500"));
                }
            }
            _ => {}
        }
    }

    /// Upgrades a release with Helm.
    fn upgrade(&mut self) {
        let namespace = self.cluster.any_namespace(self.random).to_owned();
        let app = App { namespace: &namespace, name: self.random.of::<&str>(APPS) };
        for request in helm::upgrade(self.random, app, self.at, None) {
            self.send(request);
        }
        self.workloads.roll_out(self.cluster, self.random, app, self.at, self.sink);
    }

    /// Asks for the permissions in every namespace, as `kubectl auth can-i --list` does.
    fn review(&mut self) {
        for _ in 0..self.cluster.namespaces.len() {
            self.call("create", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews");
            self.call("create", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
            self.pause(5, 30);
        }
        self.call("list", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?limit=500");
        self.call("list", "/apis/rbac.authorization.k8s.io/v1/rolebindings?limit=500");
    }

    fn command(&mut self, command: Command, namespace: &str) {
        let core = format!("/api/v1/namespaces/{namespace}");
        let apps = format!("/apis/apps/v1/namespaces/{namespace}");
        let app = *self.random.of(APPS);
        let pod = self.cluster.any_pod(self.random, namespace, self.at);
        match command {
            Pods => self.call("list", format!("{core}/pods?limit=500")),
            Describe => {
                self.call("get", format!("{core}/pods/{pod}"));
                self.call(
                    "list",
                    format!("{core}/events?fieldSelector=involvedObject.name%3D{pod}&limit=500"),
                );
            }
            Logs => {
                self.call("get", format!("{core}/pods/{pod}"));
                let lasting = self.random.between(SECOND / 10, 2 * MINUTE);
                let uri = format!("{core}/pods/{pod}/log?container=app&tailLines=100");
                self.send(Request::new("get", uri).lasting(lasting));
            }
            Deployments => self.call("list", format!("{apps}/deployments?limit=500")),
            Apply | RollOut => self.change(matches!(command, Apply), namespace, app),
            DeletePod => self.call("delete", format!("{core}/pods/{pod}")),
            Exec => self.exec(&core, &pod),
            Forward => {
                self.call("get", format!("{core}/pods/db-0"));
                let lasting = self.random.between(MINUTE, 60 * MINUTE);
                self.send(Request::new("create", format!("{core}/pods/db-0/portforward")).lasting(lasting));
            }
            Secret => self.call("get", format!("{core}/secrets/{app}-db")),
            Nodes => {
                self.call("list", "/api/v1/nodes?limit=500");
                self.call("list", "/apis/metrics.k8s.io/v1beta1/nodes");
            }
            Ask => self.call("create", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            Binding => {
                let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings");
                self.send(Request::new("create", path).named(format!("{app}-edit")));
            }
            Browse => {
                let resource = *self.random.of(&["pods", "services", "configmaps", "events", "pods", "pods"]);
                self.call("list", format!("{core}/{resource}?limit=500"));
                let query = "allowWatchBookmarks=true&timeoutSeconds=420&watch=true";
                self.call("watch", format!("{core}/{resource}?{query}"));
                self.call("get", format!("{core}/pods/{pod}"));
            }
            Mistake => {
                let request = Request::new("get", format!("{core}/pods/{app}")).ending(Outcome::NotFound);
                self.send(request);
            }
            Refused => self.refused(),
        }
    }

    /// Asks for something that the role does not allow, such as another team's objects.
    fn refused(&mut self) {
        let path = *self.random.of(&[
            "/api/v1/namespaces/kube-system/secrets?limit=500",
            "/api/v1/nodes?limit=500",
            "/api/v1/namespaces/kube-system/pods?limit=500",
            "/apis/apps/v1/deployments?limit=500",
        ]);
        let count = if self.random.permille(200) { 2 } else { 1 };
        for _ in 0..count {
            self.send(Request::new("list", path).ending(Outcome::Forbidden));
        }
    }

    fn change(&mut self, applies: bool, namespace: &str, app: &str) {
        let deployment = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{app}");
        self.call("get", deployment.clone());
        let outcome =
            *self.random.weighted(&[(94, Outcome::Success), (3, Outcome::Conflict), (3, Outcome::Invalid)]);
        let query =
            if applies { "?fieldManager=kubectl-client-side-apply&fieldValidation=Strict" } else { "" };
        self.send(Request::new("patch", format!("{deployment}{query}")).ending(outcome));
        if outcome == Outcome::Success {
            let app = App { namespace, name: app };
            self.workloads.roll_out(self.cluster, self.random, app, self.at, self.sink);
        }
    }

    fn exec(&mut self, core: &str, pod: &str) {
        let command = *self.random.weighted(&[
            (60, "sh"),
            (20, "bash"),
            (6, "ls"),
            (5, "env"),
            (4, "cat&command=%2Fetc%2Fapp%2Fconfig.yaml"),
            (3, "df&command=-h"),
            (2, "psql"),
        ]);
        // kubectl before 1.30 uses SPDY, a POST.
        let is_old = self.identity.agent.starts_with("kubectl/v1.29");
        let verb = if is_old { "create" } else { "get" };
        self.call("get", format!("{core}/pods/{pod}"));
        let lasting = self.random.between(2 * SECOND, 20 * MINUTE);
        let query = "container=app&stdin=true&stdout=true&tty=true";
        let uri = format!("{core}/pods/{pod}/exec?command={command}&{query}");
        self.send(Request::new(verb, uri).lasting(lasting));
    }
}
