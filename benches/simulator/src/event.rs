//! Audit events, and the identities that send their requests.

use std::rc::Rc;

use kaudit_measure::records::Object;

use crate::calendar::{MINUTE, SECOND};
use crate::identity::Identity;
use crate::seed::Stream;

/// The stage of a request at which its event was written. The audit policy of the simulation omits `RequestReceived`, and
/// for watches `ResponseStarted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "audit.k8s.io has these names")]
pub enum Stage {
    ResponseStarted,
    ResponseComplete,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The code of a success, by the verb.
    Success,
    /// An authorised connection: exec, attach or port-forward.
    Upgraded,
    /// The authoriser refused it.
    Forbidden,
    /// The user may not impersonate.
    ImpersonationRefused,
    /// The request had no valid credentials.
    Unauthorized,
    /// Admission refused it, such as in a namespace that is being deleted.
    AdmissionRefused,
    /// There is no such object.
    NotFound,
    /// The object was changed in the meantime.
    Conflict,
    /// There is such an object.
    AlreadyExists,
    /// The object is not valid.
    Invalid,
    /// A failure of the API server or of its storage.
    InternalError,
    /// The storage or a webhook did not answer.
    Timeout,
    /// The client exceeds its share.
    TooManyRequests,
}

impl Outcome {
    /// Returns code and reason.
    pub const fn code(self, verb: &str) -> (u32, &'static str) {
        match self {
            Self::Success => (if matches!(verb.as_bytes(), b"create") { 201 } else { 200 }, ""),
            Self::Upgraded => (101, ""),
            Self::Forbidden | Self::ImpersonationRefused | Self::AdmissionRefused => (403, "Forbidden"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::NotFound => (404, "NotFound"),
            Self::Conflict => (409, "Conflict"),
            Self::AlreadyExists => (409, "AlreadyExists"),
            Self::Invalid => (422, "Invalid"),
            Self::InternalError => (500, "InternalError"),
            Self::Timeout => (504, "Timeout"),
            Self::TooManyRequests => (429, "TooManyRequests"),
        }
    }

    /// Whether the authoriser or the authentication refused it.
    pub const fn is_unauthorised(self) -> bool {
        matches!(self, Self::Forbidden | Self::ImpersonationRefused | Self::Unauthorized)
    }
}

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The client: user, groups, address and user agent.
    pub identity: Rc<Identity>,
    /// `requestReceivedTimestamp`, microseconds since 1970.
    pub received: i64,
    /// `stageTimestamp`, microseconds since 1970.
    pub time: i64,
    /// The stage.
    pub stage: Stage,
    /// Whether the event at an earlier stage of the same request was written.
    pub is_second: bool,
    /// The audit id.
    pub id: [u64; 2],
    /// The verb.
    pub verb: &'static str,
    /// The URI, without JSON's escape sequences.
    pub uri: String,
    /// The name of a created object, which the URI does not contain.
    pub name: String,
    /// The outcome.
    pub outcome: Outcome,
    /// An annotation other than the authoriser's.
    pub annotation: Option<(&'static str, &'static str)>,
}

impl Event {
    /// Returns the object of the request.
    pub fn object(&self) -> Object<'_> {
        let object = Object::of(&self.uri);
        if object.name.is_empty() { Object { name: &self.name, ..object } } else { object }
    }

    /// Returns the arguments of an exec's command, joined by spaces.
    pub fn command(&self) -> String {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        let words = query.split('&').filter_map(|parameter| parameter.strip_prefix("command="));
        let words: Vec<String> = words.map(|word| word.replace('+', " ").replace("%2F", "/")).collect();
        words.join(" ")
    }
}

/// A request before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    verb: &'static str,
    uri: String,
    name: String,
    outcome: Outcome,
    lasting: i64,
    annotation: Option<(&'static str, &'static str)>,
}

impl Request {
    /// Returns a request that succeeds.
    pub fn new(verb: &'static str, uri: impl Into<String>) -> Self {
        Self {
            verb,
            uri: uri.into(),
            name: String::new(),
            outcome: Outcome::Success,
            lasting: 0,
            annotation: None,
        }
    }

    /// Sets the name of the created object.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the outcome.
    pub fn ending(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// Sets the duration of a session, in microseconds.
    pub fn lasting(self, lasting: i64) -> Self {
        Self { lasting, ..self }
    }

    /// Adds an annotation.
    pub fn annotated(self, key: &'static str, value: &'static str) -> Self {
        Self { annotation: Some((key, value)), ..self }
    }
}

/// Collects the events of requests.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub events: Vec<Event>,
}

impl Sink {
    /// Adds the events of a request: two of a session in a pod, one of any other.
    pub fn send(&mut self, random: &mut Stream, identity: &Rc<Identity>, at: i64, request: Request) {
        let latency = random.between(800, 12_000);
        let object = Object::of(&request.uri);
        let is_session = matches!(object.subresource, "exec" | "attach" | "portforward" | "log" | "proxy");
        let is_unauthenticated = request.outcome == Outcome::Unauthorized;
        let is_watch = request.verb == "watch" && request.outcome == Outcome::Success;
        let outcome = match object.subresource {
            "exec" | "attach" | "portforward" if request.outcome == Outcome::Success => Outcome::Upgraded,
            _ => request.outcome,
        };
        let event = Event {
            identity: Rc::clone(identity),
            received: at,
            time: at + latency,
            stage: Stage::ResponseComplete,
            is_second: false,
            id: [random.bits(), random.bits()],
            verb: request.verb,
            uri: request.uri,
            name: request.name,
            outcome,
            annotation: request.annotation,
        };
        if is_unauthenticated {
            self.events.push(Event { stage: Stage::ResponseStarted, ..event });
        } else if is_session {
            let end = at + latency + request.lasting.max(20_000);
            self.events.push(Event { stage: Stage::ResponseStarted, ..event.clone() });
            self.events.push(Event { time: end, is_second: true, ..event });
        } else if is_watch {
            // The API server ends watches at random after five to ten minutes.
            let time = at + random.between(5 * MINUTE, 10 * MINUTE) + random.between(0, SECOND);
            self.events.push(Event { time, ..event });
        } else {
            self.events.push(event);
        }
    }
}
