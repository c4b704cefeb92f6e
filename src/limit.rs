//! Rate limits: the generic cell rate algorithm, for each integration and, where configured, for each key within it.
//!
//! Time is an argument and may go backwards: a key never waits longer than one full burst takes to refill. The table of
//! keys is bounded whatever an attacker sends. Decision: no crate. `governor` brings atomics, a clock and a map that
//! is not bounded; with `&mut self` the algorithm is a comparison and an addition.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::FixedState;

use crate::config::{By, RateLimit};
use crate::time::Time;

/// The key that stands for all that found no room in the table.
const OTHERS: &str = "(other keys)";

/// A longer key is remembered by its first bytes: what an attacker names cannot fill the memory.
const KEY_BYTES: usize = 128;

/// When the table is full, idle keys are looked for at most this often.
const SWEEP_NS: i64 = 1_000_000_000;

/// All limits. `N` is what the caller notes of the first finding suppressed under a key.
pub(crate) struct Limiter<N> {
    limits: Vec<Option<Limit<N>>>,
    max_keys: usize,
    keys: usize,
    swept: Time,
    summary_every: i64,
    /// Keys with suppressed findings, in the order in which the first was suppressed.
    due: VecDeque<Due>,
}

struct Limit<N> {
    rule: RateLimit,
    whole: State<N>,
    keyed: HashMap<Box<str>, State<N>, FixedState>,
    others: State<N>,
}

struct State<N> {
    /// When the next finding would arrive if all came at exactly the limit.
    arrival: i64,
    tally: Option<Box<Tally<N>>>,
}

struct Due {
    at: Time,
    integration: usize,
    place: Place<Box<str>>,
}

/// Which of an integration's states a finding falls under.
enum Place<K> {
    Whole,
    Keyed(K),
    Others,
}

impl Place<&str> {
    fn to_owned(&self) -> Place<Box<str>> {
        match *self {
            Self::Whole => Place::Whole,
            Self::Keyed(key) => Place::Keyed(key.into()),
            Self::Others => Place::Others,
        }
    }
}

/// What was suppressed under one key since the last summary.
pub(crate) struct Tally<N> {
    pub count: u64,
    pub first: Time,
    pub last: Time,
    pub note: Option<N>,
}

/// What a summary tells.
pub(crate) struct Summary<N> {
    pub integration: usize,
    pub by: By,
    pub key: Option<Box<str>>,
    pub tally: Tally<N>,
}

impl<N> Limiter<N> {
    /// One limit for each integration, `None` for those without.
    pub fn new(
        limits: impl Iterator<Item = Option<RateLimit>>,
        max_keys: usize,
        summary_every_ns: u64,
        seed: u64,
    ) -> Self {
        let limit = |rule| Limit {
            rule,
            whole: State::default(),
            keyed: HashMap::with_hasher(FixedState::with_seed(seed)),
            others: State::default(),
        };
        Self {
            limits: limits.map(|rule| rule.map(limit)).collect(),
            max_keys,
            keys: 0,
            swept: Time::from_nanos(i64::MIN),
            summary_every: i64::try_from(summary_every_ns).unwrap_or(i64::MAX),
            due: VecDeque::new(),
        }
    }

    /// What shares a limit within this integration; `None`: it has no limit.
    pub fn by(&self, integration: usize) -> Option<By> {
        self.limits.get(integration)?.as_ref().map(|limit| limit.rule.by)
    }

    /// Admits a finding, or counts it and gives its tally.
    pub fn admit(&mut self, integration: usize, key: &str, now: Time) -> Result<(), &mut Tally<N>> {
        let Some(limit) = self.limits.get(integration).and_then(Option::as_ref) else { return Ok(()) };
        let key = clip(key);
        let new = limit.rule.by != By::None && !limit.keyed.contains_key(key);
        if new && self.keys >= self.max_keys {
            self.sweep(now);
        }
        let room = self.keys < self.max_keys;
        let Some(limit) = self.limits.get_mut(integration).and_then(Option::as_mut) else { return Ok(()) };
        let (state, place) = if limit.rule.by == By::None {
            (&mut limit.whole, Place::Whole)
        } else if new && !room {
            (&mut limit.others, Place::Others)
        } else {
            if new {
                self.keys = self.keys.saturating_add(1);
                limit.keyed.insert(key.into(), State::default());
            }
            (limit.keyed.get_mut(key).unwrap_or(&mut limit.others), Place::Keyed(key))
        };
        if state.admit(&limit.rule, now) {
            return Ok(());
        }
        if state.tally.is_none() {
            let at = Time::from_nanos(now.nanos().saturating_add(self.summary_every));
            self.due.push_back(Due { at, integration, place: place.to_owned() });
        }
        let tally = state
            .tally
            .get_or_insert_with(|| Box::new(Tally { count: 0, first: now, last: now, note: None }));
        tally.count = tally.count.saturating_add(1);
        tally.last = now;
        Err(tally)
    }

    /// The next summary whose time has come; with `all`, the next whatever its time.
    pub fn summary(&mut self, now: Time, all: bool) -> Option<Summary<N>> {
        loop {
            let wait = self.due.front()?.at.nanos().saturating_sub(now.nanos());
            // Further ahead than one interval: time went backwards.
            if wait > 0 && wait <= self.summary_every && !all {
                return None;
            }
            let Due { integration, place, .. } = self.due.pop_front()?;
            let Some(limit) = self.limits.get_mut(integration).and_then(Option::as_mut) else { continue };
            let (state, key) = match place {
                Place::Whole => (Some(&mut limit.whole), None),
                Place::Others => (Some(&mut limit.others), Some(OTHERS.into())),
                Place::Keyed(key) => (limit.keyed.get_mut(&key), Some(key)),
            };
            if let Some(tally) = state.and_then(|state| state.tally.take()) {
                return Some(Summary { integration, by: limit.rule.by, key, tally: *tally });
            }
        }
    }

    /// Forgets keys that are as good as new: their burst is whole again and nothing is left to summarise.
    fn sweep(&mut self, now: Time) {
        let since = now.nanos().saturating_sub(self.swept.nanos());
        if (0..SWEEP_NS).contains(&since) {
            return;
        }
        self.swept = now;
        self.keys = 0;
        for limit in self.limits.iter_mut().flatten() {
            limit.keyed.retain(|_, state| state.tally.is_some() || state.arrival > now.nanos());
            self.keys = self.keys.saturating_add(limit.keyed.len());
        }
    }
}

impl<N> Default for State<N> {
    fn default() -> Self {
        Self { arrival: i64::MIN, tally: None }
    }
}

impl<N> State<N> {
    fn admit(&mut self, rule: &RateLimit, now: Time) -> bool {
        let now = now.nanos();
        let interval = rule.period_ns.checked_div(u64::from(rule.limit)).unwrap_or(u64::MAX);
        let interval = i64::try_from(interval).unwrap_or(i64::MAX);
        let full = interval.saturating_mul(i64::from(rule.burst));
        // Never further ahead than a burst spent at this moment: so a step back in time heals at once.
        let arrival = self.arrival.clamp(now, now.saturating_add(full));
        let next = arrival.saturating_add(interval);
        let admitted = next.saturating_sub(now) <= full;
        self.arrival = if admitted { next } else { arrival };
        admitted
    }
}

/// The key's beginning.
fn clip(key: &str) -> &str {
    if key.len() <= KEY_BYTES {
        return key;
    }
    key.get(..key.floor_char_boundary(KEY_BYTES)).unwrap_or(key)
}
