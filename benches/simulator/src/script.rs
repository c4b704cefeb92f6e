//! The requests of an attack, one after the other.

use std::rc::Rc;

use crate::calendar::SECOND;
use crate::cluster::Cluster;
use crate::event::{Outcome, Request, Sink};
use crate::identity::Identity;
use crate::seed::Stream;

/// An attack in progress: `at` is the time of the next request.
#[derive(Debug)]
pub struct Script<'s> {
    pub(crate) cluster: &'s Cluster,
    pub(crate) identity: Rc<Identity>,
    pub(crate) at: i64,
    pub(crate) random: &'s mut Stream,
    pub(crate) sink: &'s mut Sink,
}

impl Script<'_> {
    /// Waits, in seconds.
    pub(crate) fn pause(&mut self, low: i64, high: i64) {
        self.at += self.random.between(low * SECOND, high * SECOND);
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, request: Request) {
        self.sink.send(self.random, &self.identity, self.at, request);
        self.at += self.random.between(100_000, 1_500_000);
    }

    /// Sends a request that succeeds.
    pub(crate) fn call(&mut self, verb: &'static str, uri: impl Into<String>) {
        self.send(Request::new(verb, uri));
    }

    /// Creates an object.
    pub(crate) fn create(&mut self, uri: impl Into<String>, name: &str) {
        self.send(Request::new("create", uri).named(name));
    }

    /// Sends a request that the authoriser refuses.
    pub(crate) fn refused(&mut self, verb: &'static str, uri: impl Into<String>) {
        self.send(Request::new(verb, uri).ending(Outcome::Forbidden));
    }

    /// Executes a command in a pod; the words are encoded.
    pub(crate) fn exec(&mut self, namespace: &str, pod: &str, command: &str) {
        let query = format!("command={command}&container=app&stdout=true&stderr=true");
        let uri = format!("/api/v1/namespaces/{namespace}/pods/{pod}/exec?{query}");
        self.send(Request::new("get", uri).lasting(2 * SECOND));
    }

    /// Returns any namespace of an application.
    pub(crate) fn namespace(&mut self) -> String {
        self.cluster.any_namespace(self.random).to_owned()
    }

    /// Returns any pod of a namespace.
    pub(crate) fn pod(&mut self, namespace: &str) -> String {
        self.cluster.any_pod(self.random, namespace, self.at)
    }

    /// Sends the requests that follow as another client with the same user.
    pub(crate) fn with_agent(&mut self, agent: &str) {
        let Identity { username, address, attack, .. } = &*self.identity;
        let new = Identity { attack: *attack, ..Identity::new(username, address, agent) };
        self.identity = Rc::new(new);
    }

    /// Sends the requests that follow in the name of another user.
    pub(crate) fn with_impersonation(&mut self, user: &str) {
        self.identity = Rc::new((*self.identity).clone().acting_as(user));
    }

    /// Sends the requests that follow with the token of a service account.
    pub(crate) fn with_token(&mut self, account: &str) {
        let Identity { address, agent, attack, .. } = &*self.identity;
        let new = Identity { attack: *attack, ..Identity::new(account, address, agent) };
        self.identity = Rc::new(new);
    }
}
