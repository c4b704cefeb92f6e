//! The stage of a request at which its event is evaluated.
//!
//! The API server writes up to three events for a request. A failed authentication has `ResponseStarted` only. A
//! long-running request, such as an exec, has `ResponseStarted` when it begins and `ResponseComplete` when it ends, hours
//! later. All others have `ResponseComplete` or `Panic`.

use alloc::vec::Vec;

use siphasher::sip::SipHasher13;

use core::hash::Hasher as _;

/// A stage of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "audit.k8s.io has these names")]
pub enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

impl Stage {
    /// Every stage, in the order of time.
    pub const ALL: &[Self] =
        &[Self::RequestReceived, Self::ResponseStarted, Self::ResponseComplete, Self::Panic];

    /// Returns the name in an event.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }

    /// Returns the stage with this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|stage| stage.name() == name)
    }
}

/// The option `stages`: which events are evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StageOption {
    /// One event of each request: of a long-running one the first.
    #[default]
    First,
    /// The events of one stage.
    Only(Stage),
}

impl StageOption {
    /// The name of every value in a configuration.
    pub const NAMES: &[&str] = &["first", "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];
    /// Further names that are accepted.
    pub const ALIASES: &[&str] = &[];

    /// Returns the value with this name.
    pub fn of(name: &str) -> Option<Self> {
        if name == "first" { Some(Self::First) } else { Stage::of(name).map(Self::Only) }
    }
}

/// Whether an event is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evaluation {
    /// It is not: another event of the request is.
    Never,
    /// It is.
    Always,
    /// It is, and its request is remembered ([`RecentRequests`]): a second event may follow.
    Start,
    /// It is, unless the start of its request was. Audit policies may omit that stage.
    UnlessStarted,
}

impl Evaluation {
    /// Returns whether the event of a request is evaluated.
    ///
    /// `stage` is `None` if the event has no known stage; then it is evaluated, unless the option names another.
    pub fn of(stage: Option<Stage>, is_long_running: bool, code: Option<i64>, option: StageOption) -> Self {
        if let StageOption::Only(wanted) = option {
            return if stage == Some(wanted) { Self::Always } else { Self::Never };
        }
        match stage {
            Some(Stage::ResponseStarted) if code == Some(401) => Self::Always,
            Some(Stage::ResponseStarted) if is_long_running => Self::Start,
            Some(Stage::RequestReceived | Stage::ResponseStarted) => Self::Never,
            Some(Stage::ResponseComplete | Stage::Panic) if is_long_running => Self::UnlessStarted,
            Some(Stage::ResponseComplete | Stage::Panic) | None => Self::Always,
        }
    }
}

/// Whether the API server treats a request as long-running.
pub(super) fn is_long_running(verb: &str, subresource: &str, path: &str) -> bool {
    matches!(verb, "watch" | "proxy")
        || matches!(subresource, "attach" | "exec" | "proxy" | "log" | "portforward")
        || path.starts_with("/debug/pprof/")
}

/// The requests that were seen recently, in bounded memory.
///
/// Two generations of hashes: when the newer is full, the older is emptied and becomes the newer. So the last 49,152
/// requests are known, at most 98,304, in 1 MiB that is allocated when the first request is inserted. A request is
/// identified by its audit id and its user, since clients can choose the former.
pub(crate) struct RecentRequests {
    keys: [u64; 2],
    newer: Vec<u64>,
    older: Vec<u64>,
    /// The number of hashes in the newer generation.
    count: usize,
}

/// The number of slots of a generation, a power of two. Zero is an empty slot.
const SLOTS: usize = 64 * 1024;

/// The maximum number of hashes of a generation. Fuller tables need long probes.
const MAX_COUNT: usize = SLOTS / 4 * 3;

impl RecentRequests {
    /// Creates an empty set. Equal seeds give equal results; the hashes cannot be predicted without the seed.
    pub fn new(seed: u64) -> Self {
        Self { keys: [seed, !seed], newer: Vec::new(), older: Vec::new(), count: 0 }
    }

    /// Inserts a request, and returns whether it was new.
    pub fn insert(&mut self, id: &[u8], user: &[u8]) -> bool {
        let hash = self.hash(id, user);
        if find(&self.older, hash).is_none() {
            return false;
        }
        if self.newer.is_empty() {
            self.newer = vec![0; SLOTS];
        }
        if self.count >= MAX_COUNT {
            core::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
            self.newer.resize(SLOTS, 0);
            self.count = 0;
            if find(&self.older, hash).is_none() {
                return false;
            }
        }
        let Some(slot) = find(&self.newer, hash).and_then(|at| self.newer.get_mut(at)) else { return false };
        *slot = hash;
        self.count = self.count.saturating_add(1);
        true
    }

    /// Whether a request was inserted and is still known.
    pub fn contains(&self, id: &[u8], user: &[u8]) -> bool {
        let hash = self.hash(id, user);
        [&self.newer, &self.older].into_iter().any(|generation| find(generation, hash).is_none())
    }

    fn hash(&self, id: &[u8], user: &[u8]) -> u64 {
        let [one, two] = self.keys;
        let mut hasher = SipHasher13::new_with_keys(one, two);
        // The length separates the two texts.
        hasher.write(&id.len().to_le_bytes());
        hasher.write(id);
        hasher.write(user);
        hasher.finish().max(1)
    }
}

/// Returns the slot in which a hash would be inserted; `None` if it is in the table.
///
/// A table without slots contains nothing.
fn find(table: &[u64], hash: u64) -> Option<usize> {
    let mask = SLOTS.saturating_sub(1);
    let mut at = usize::try_from(hash & u64::try_from(mask).unwrap_or(0)).unwrap_or(0);
    loop {
        match table.get(at) {
            Some(0) | None => return Some(at),
            Some(slot) if *slot == hash => return None,
            Some(_) => at = at.saturating_add(1) & mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_of_each_request_is_evaluated() {
        use Evaluation::{Always, Never, Start, UnlessStarted};
        for (stage, long, code, expected) in [
            ("RequestReceived", false, None, Never),
            ("RequestReceived", true, None, Never),
            ("ResponseStarted", false, Some(401), Always),
            ("ResponseStarted", true, Some(401), Always),
            ("ResponseStarted", true, Some(101), Start),
            ("ResponseStarted", true, Some(403), Start),
            ("ResponseStarted", false, Some(200), Never),
            ("ResponseComplete", false, Some(200), Always),
            ("ResponseComplete", true, Some(101), UnlessStarted),
            ("Panic", false, Some(500), Always),
            ("Panic", true, Some(500), UnlessStarted),
            ("", false, None, Always),
        ] {
            let stage_value = Stage::of(stage);
            assert_eq!(
                Evaluation::of(stage_value, long, code, StageOption::First),
                expected,
                "{stage} {long}"
            );
            let only = StageOption::Only(Stage::ResponseComplete);
            let forced = if stage == "ResponseComplete" { Always } else { Never };
            assert_eq!(Evaluation::of(stage_value, long, code, only), forced, "{stage}");
        }
    }

    #[test]
    fn long_running_requests_are_as_in_the_api_server() {
        for (verb, subresource, path, expected) in [
            ("watch", "", "/api/v1/pods", true),
            ("get", "exec", "/api/v1/namespaces/a/pods/b/exec", true),
            ("create", "portforward", "", true),
            ("get", "log", "", true),
            ("get", "", "/debug/pprof/profile", true),
            ("get", "", "/debug/pprof", false),
            ("get", "status", "", false),
            ("list", "", "", false),
        ] {
            assert_eq!(is_long_running(verb, subresource, path), expected, "{verb} {subresource} {path}");
        }
    }

    #[test]
    fn recent_requests_are_known_and_old_ones_forgotten() {
        let mut recent = RecentRequests::new(7);
        assert!(!recent.contains(b"a", b"u"));
        assert_eq!(recent.newer.capacity(), 0, "memory is allocated on first use");
        assert!(recent.insert(b"a", b"u") && !recent.insert(b"a", b"u"));
        // The id alone is not unique, and the texts are separate.
        assert!(recent.insert(b"a", b"v") && recent.insert(b"au", b""));
        assert!(recent.contains(b"a", b"u") && !recent.contains(b"b", b"u"));
        for number in 0..MAX_COUNT {
            assert!(recent.insert(&number.to_le_bytes(), b""), "{number}");
        }
        assert!(recent.contains(b"a", b"u"), "the older generation is searched");
        for number in MAX_COUNT..2 * MAX_COUNT {
            recent.insert(&number.to_le_bytes(), b"");
        }
        assert!(!recent.contains(b"a", b"u"));
        assert!(recent.contains(&(2 * MAX_COUNT - 1).to_le_bytes(), b""));
        assert_eq!(recent.newer.len() + recent.older.len(), 2 * SLOTS);
    }
}
