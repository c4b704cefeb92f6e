//! Rate limits: the generic cell rate algorithm (GCRA).
//! Each integration has a limit, and, where configured, each key within it.
//!
//! Time is an argument and may go backwards: a key never waits longer than one full burst takes to refill. The table of
//! keys is bounded for any input. Decision: no crate. `governor` brings atomics, a clock and an unbounded map; with
//! `&mut self` the algorithm is a comparison and an addition.
//!
//! A key of any length takes 38 to 75 bytes: 33 for each slot of the table, of which between 7/16 and 7/8 are
//! used. So a million keys take at most 75 MB. A key with suppressed findings takes more until its summary is sent: see
//! `PENDING` in `tests/allocations.rs`.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{By, RateLimit};
use crate::digest::{Digest, DigestMap, Secret};
use crate::time::Time;

/// The longest interval and burst, in nanoseconds: 146 years.
/// A longer one may end after the last instant of the clock, which is never reached: a limit of one a day with a burst
/// of a hundred thousand would admit everything.
const LONGEST_NS: u64 = 1 << 62;

/// The maximum bytes of a key in a summary.
const MAX_KEY_BYTES: usize = 256;

/// The minimum time between two sweeps of a full table for idle keys.
const SWEEP_NS: i64 = 1_000_000_000;

/// The rate limits of all integrations.
/// `N` is the caller's metadata of the findings suppressed under a key.
pub(crate) struct Limiter<N> {
    limits: Vec<Option<Limit<N>>>,
    secret: Secret,
    max_keys: usize,
    keys: usize,
    last_sweep: Time,
    summary_every_ns: i64,
    /// Pending summaries, in the order in which the first finding was suppressed.
    due: VecDeque<DueSummary>,
}

struct Limit<N> {
    rule: RateLimit,
    rate: Rate,
    whole: KeyState<N>,
    keyed: DigestMap<KeyState<N>>,
    /// The state that keys share if the table is full.
    others: KeyState<N>,
}

/// A rate limit in nanoseconds.
#[derive(Clone, Copy)]
struct Rate {
    /// The time from one finding to the next at the limit.
    interval_ns: u64,
    /// The time in which a whole burst refills; at most [`LONGEST_NS`].
    burst_ns: u64,
}

struct KeyState<N> {
    /// GCRA's theoretical arrival time of the next finding, in nanoseconds.
    theoretical_arrival_ns: i64,
    tally: Option<Box<SuppressedTally<N>>>,
}

struct DueSummary {
    at: Time,
    integration: usize,
    state_id: StateId,
}

/// Identifies one of the limiter states of an integration.
#[derive(Clone, Copy)]
enum StateId {
    Whole,
    Keyed(Digest),
    Others,
}

/// The key of a summary: the findings that share a limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LimiterKey {
    /// All findings of an integration.
    All,
    /// The findings of one key, truncated to 256 bytes.
    One(Box<str>),
    /// The findings whose keys did not fit into the table.
    /// Not a text, since any text can be a key.
    Others,
}

/// The findings suppressed under one key since the last summary.
pub(crate) struct SuppressedTally<N> {
    pub count: u64,
    pub first: Time,
    pub last: Time,
    pub meta: Option<N>,
    pub key: LimiterKey,
}

/// The rejection of a finding that exceeded its limit and was counted.
pub(crate) struct LimitExceeded<'l, 'k, N> {
    pub tally: &'l mut SuppressedTally<N>,
    /// The finding's key, not truncated.
    pub key: &'k [u8],
}

/// The state of a limit for a key.
#[cfg(feature = "compile")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LimitStatus {
    /// The number of findings that can pass now.
    pub free: u32,
    /// The time until the next finding can pass, in nanoseconds.
    pub wait_ns: u64,
    /// The number of findings suppressed since the last summary.
    pub suppressed: u64,
}

/// The data of a summary.
pub(crate) struct Summary<N> {
    pub integration: usize,
    pub by: By,
    pub tally: SuppressedTally<N>,
}

impl<N> Limiter<N> {
    /// Creates the limits of all integrations, `None` for those without one.
    pub fn new(
        limits: impl Iterator<Item = Option<RateLimit>>,
        max_keys: usize,
        summary_every_ns: u64,
        seed: u64,
    ) -> Self {
        let limit = |rule| Limit {
            rate: Rate::of(&rule),
            rule,
            whole: KeyState::default(),
            keyed: DigestMap::default(),
            others: KeyState::default(),
        };
        Self {
            limits: limits.map(|rule| rule.map(limit)).collect(),
            secret: Secret::new(seed),
            max_keys,
            keys: 0,
            last_sweep: Time::from_nanos(i64::MIN),
            summary_every_ns: i64::try_from(summary_every_ns).unwrap_or(i64::MAX),
            due: VecDeque::new(),
        }
    }

    /// Returns the number of keys in the table, and the maximum.
    pub fn fill(&self) -> (usize, usize) {
        (self.keys, self.max_keys)
    }

    /// Returns whether any integration has a limit.
    pub fn is_needed(&self) -> bool {
        self.limits.iter().any(Option::is_some)
    }

    /// Returns the limit of an integration.
    #[cfg(feature = "compile")]
    pub fn rule(&self, integration: usize) -> Option<RateLimit> {
        self.limits.get(integration)?.as_ref().map(|limit| limit.rule)
    }

    /// Returns whether a summary of this integration is pending.
    #[cfg(feature = "compile")]
    pub fn is_pending(&self, integration: usize) -> bool {
        self.due.iter().any(|due| due.integration == integration)
    }

    /// Takes over the states of another limiter. `indices` maps the integrations of `old` to the integrations of this
    /// limiter. For a removed integration with pending summaries a limit is added after all others.
    #[cfg(feature = "compile")]
    pub fn adopt(&mut self, old: Self, indices: &[Option<usize>]) {
        // Digests depend on the secret. This limiter has no key yet.
        self.secret = old.secret;
        for (limit, index) in old.limits.into_iter().zip(indices) {
            let Some(index) = index.filter(|_| limit.is_some()) else { continue };
            if self.limits.len() <= index {
                self.limits.resize_with(index.saturating_add(1), || None);
            }
            if let Some(limit_slot) = self.limits.get_mut(index) {
                *limit_slot = limit;
            }
        }
        self.keys = self.limits.iter().flatten().fold(0, |sum, limit| sum.saturating_add(limit.keyed.len()));
        for due in old.due {
            if let Some(integration) = indices.get(due.integration).copied().flatten() {
                self.due.push_back(DueSummary { integration, ..due });
            }
        }
    }

    /// Admits a finding, or counts it as suppressed and returns its tally.
    /// `key` returns the finding's key for the property that has limits of its own.
    #[inline(always)]
    pub fn admit<'k>(
        &mut self,
        integration: usize,
        key: impl FnOnce(By) -> &'k [u8],
        now: Time,
    ) -> Result<(), LimitExceeded<'_, 'k, N>> {
        let Some(limit) = self.limits.get_mut(integration).and_then(Option::as_mut) else { return Ok(()) };
        let key = key(limit.rule.by);
        if limit.rule.by == By::None {
            return self
                .admit_other(integration, None, key, now)
                .map_err(|tally| LimitExceeded { tally, key });
        }
        let digest = self.secret.digest(key);
        let known = limit.keyed.get_mut(&digest);
        let new = known.is_none();
        // The hot path: one lookup.
        if known.is_some_and(|state| state.admit(limit.rate, now)) {
            return Ok(());
        }
        self.admit_other(integration, Some((digest, new)), key, now)
            .map_err(|tally| LimitExceeded { tally, key })
    }

    /// Admits or counts a finding with a new key, an exhausted key, or no key.
    /// `digest` has the key's digest and whether it is new.
    #[inline(never)]
    fn admit_other(
        &mut self,
        integration: usize,
        digest: Option<(Digest, bool)>,
        key: &[u8],
        now: Time,
    ) -> Result<(), &mut SuppressedTally<N>> {
        let is_new = digest.is_some_and(|(_, is_new)| is_new);
        if is_new && self.keys >= self.max_keys {
            self.sweep(now);
        }
        let has_room = self.keys < self.max_keys;
        let Some(limit) = self.limits.get_mut(integration).and_then(Option::as_mut) else { return Ok(()) };
        let (state, state_id) = match digest {
            None => (&mut limit.whole, StateId::Whole),
            Some(_) if is_new && !has_room => (&mut limit.others, StateId::Others),
            Some((digest, _)) => {
                if is_new {
                    self.keys = self.keys.saturating_add(1);
                }
                (limit.keyed.entry(digest).or_default(), StateId::Keyed(digest))
            }
        };
        // A key that the hot path rejected is rejected again.
        if state.admit(limit.rate, now) {
            return Ok(());
        }
        if state.tally.is_none() {
            let at = Time::from_nanos(now.nanos().saturating_add(self.summary_every_ns));
            self.due.push_back(DueSummary { at, integration, state_id });
        }
        let tally = state.tally.get_or_insert_with(|| {
            let key = match state_id {
                StateId::Whole => LimiterKey::All,
                StateId::Keyed(_) => LimiterKey::One(truncated_key(&String::from_utf8_lossy(key))),
                StateId::Others => LimiterKey::Others,
            };
            Box::new(SuppressedTally { count: 0, first: now, last: now, meta: None, key })
        });
        tally.count = tally.count.saturating_add(1);
        tally.last = now;
        Err(tally)
    }

    /// Returns whether a summary is pending.
    pub fn any_pending(&self) -> bool {
        !self.due.is_empty()
    }

    /// Returns the next summary that is overdue by at least `summary-every`.
    pub fn overdue(&mut self, now: Time) -> Option<Summary<N>> {
        let waits = now.nanos().saturating_sub(self.due.front()?.at.nanos());
        if waits < self.summary_every_ns { None } else { self.summary(now, false) }
    }

    /// Returns the state of the limit for a finding of this key at `now`.
    #[cfg(feature = "compile")]
    pub fn status(&self, integration: usize, key: &[u8], now: Time) -> LimitStatus {
        let Some(limit) = self.limits.get(integration).and_then(Option::as_ref) else {
            return LimitStatus::default();
        };
        let new = KeyState::default();
        let state = match limit.rule.by {
            By::None => &limit.whole,
            _ => limit.keyed.get(&self.secret.digest(key)).unwrap_or(if self.keys < self.max_keys {
                &new
            } else {
                &limit.others
            }),
        };
        state.status(limit.rate, now)
    }

    /// Returns the next summary that is due; with `all`, the next pending one.
    pub fn summary(&mut self, now: Time, all: bool) -> Option<Summary<N>> {
        loop {
            let wait = self.due.front()?.at.nanos().saturating_sub(now.nanos());
            // Due later than one interval from now: time went backwards.
            if wait > 0 && wait <= self.summary_every_ns && !all {
                return None;
            }
            let DueSummary { integration, state_id, .. } = self.due.pop_front()?;
            let Some(limit) = self.limits.get_mut(integration).and_then(Option::as_mut) else { continue };
            let state = match state_id {
                StateId::Whole => Some(&mut limit.whole),
                StateId::Others => Some(&mut limit.others),
                StateId::Keyed(digest) => limit.keyed.get_mut(&digest),
            };
            if let Some(tally) = state.and_then(|state| state.tally.take()) {
                return Some(Summary { integration, by: limit.rule.by, tally: *tally });
            }
        }
    }

    /// Removes idle keys: their burst is full again and no summary is pending.
    fn sweep(&mut self, now: Time) {
        let since = now.nanos().saturating_sub(self.last_sweep.nanos());
        if (0..SWEEP_NS).contains(&since) {
            return;
        }
        self.last_sweep = now;
        self.keys = 0;
        for limit in self.limits.iter_mut().flatten() {
            limit
                .keyed
                .retain(|_, state| state.tally.is_some() || state.theoretical_arrival_ns > now.nanos());
            self.keys = self.keys.saturating_add(limit.keyed.len());
        }
    }
}

impl<N> Default for KeyState<N> {
    fn default() -> Self {
        Self { theoretical_arrival_ns: i64::MIN, tally: None }
    }
}

impl<N> KeyState<N> {
    /// Returns the time until the theoretical arrival, at most a full burst.
    /// The bound corrects a backward clock step at once.
    #[inline]
    fn ahead(&self, burst_ns: u64, now: i64) -> u64 {
        if self.theoretical_arrival_ns > now {
            self.theoretical_arrival_ns.abs_diff(now).min(burst_ns)
        } else {
            0
        }
    }

    #[inline]
    fn admit(&mut self, Rate { interval_ns, burst_ns }: Rate, now: Time) -> bool {
        let now = now.nanos();
        let ahead = self.ahead(burst_ns, now);
        // A burst is at least one, so the difference is not negative.
        let admitted = ahead <= burst_ns.wrapping_sub(interval_ns);
        let next = if admitted { ahead.wrapping_add(interval_ns) } else { ahead };
        self.theoretical_arrival_ns = now.saturating_add_unsigned(next);
        admitted
    }
}

#[cfg(feature = "compile")]
impl<N> KeyState<N> {
    fn status(&self, Rate { interval_ns, burst_ns }: Rate, now: Time) -> LimitStatus {
        let now = now.nanos();
        let spent = self.ahead(burst_ns, now);
        let free = burst_ns.saturating_sub(spent).checked_div(interval_ns).unwrap_or(0);
        LimitStatus {
            free: u32::try_from(free).unwrap_or(u32::MAX),
            wait_ns: spent.saturating_add(interval_ns).saturating_sub(burst_ns),
            suppressed: self.tally.as_ref().map_or(0, |tally| tally.count),
        }
    }
}

impl Rate {
    fn of(rule: &RateLimit) -> Self {
        let interval_ns =
            rule.period_ns.checked_div(u64::from(rule.limit)).unwrap_or(LONGEST_NS).min(LONGEST_NS);
        Self { interval_ns, burst_ns: interval_ns.saturating_mul(u64::from(rule.burst)).min(LONGEST_NS) }
    }
}

/// Truncates a key to 256 bytes for a summary, with `…` if it was longer.
pub(crate) fn truncated_key(key: &str) -> Box<str> {
    const CUT: &str = "…";
    if key.len() <= MAX_KEY_BYTES {
        return key.into();
    }
    let end = key.floor_char_boundary(MAX_KEY_BYTES.saturating_sub(CUT.len()));
    [key.get(..end).unwrap_or_default(), CUT].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn limiter(limit: u32, burst: u32, by: By, max_keys: usize) -> Limiter<()> {
        let rule = RateLimit { limit, period_ns: 1_000_000_000, burst, by };
        Limiter::new([Some(rule), None].into_iter(), max_keys, 60_000_000_000, 7)
    }

    fn at(seconds: f64) -> Time {
        #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
        Time::from_nanos((seconds * 1e9) as i64)
    }

    #[test]
    fn a_key_has_the_documented_size() {
        assert_eq!(size_of::<(Digest, KeyState<()>)>(), 32);
    }

    #[test]
    fn admits_a_burst_and_then_the_rate() {
        // Limit a second, burst, times of arrival, which of them are admitted.
        let table: [(u32, u32, &[f64], &str); 7] = [
            (1, 1, &[0.0, 0.0, 0.99, 1.0, 1.5, 2.0], "+--+-+"),
            (2, 2, &[0.0, 0.0, 0.0, 0.5, 0.5, 1.0], "++-+-+"),
            (10, 1, &[0.0, 0.05, 0.1, 0.2, 0.2], "+-++-"),
            (1, 3, &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0], "+++-+-"),
            // Idle time refills no more than one burst.
            (1, 2, &[0.0, 100.0, 100.0, 100.0], "+++-"),
            // Time goes backwards by an hour: the wait is at most one burst's refill.
            (1, 1, &[3600.0, 0.0, 1.0, 2.0], "+-++"),
            (1, 1, &[-5.0, -4.5, -4.0], "+-+"),
        ];
        for (limit, burst, times, expected) in table {
            let mut limiter = limiter(limit, burst, By::None, 1);
            let admitted: String = times
                .iter()
                .map(|&time| if limiter.admit(0, |_| &b""[..], at(time)).is_ok() { '+' } else { '-' })
                .collect();
            assert_eq!(admitted, expected, "{limit}/s, burst {burst}, {times:?}");
        }
        // At both ends of the clock nothing overflows, and a step from one to the other is corrected at once.
        let mut limits = limiter(2, 2, By::None, 1);
        let admitted =
            [i64::MIN, i64::MIN, i64::MIN, i64::MAX - SECOND, i64::MAX - SECOND, i64::MAX - SECOND, i64::MIN];
        let admitted = admitted.map(|nanos| limits.admit(0, |_| &b""[..], Time::from_nanos(nanos)).is_ok());
        assert_eq!(admitted, [true, true, false, true, true, false, false]);
        assert!(limits.admit(0, |_| &b""[..], Time::from_nanos(i64::MIN + SECOND / 2)).is_ok());
        assert!(
            (0..1000).all(|_| limiter(1, 1, By::None, 1).admit(1, |_| &b""[..], at(0.0)).is_ok()),
            "no limit, all pass"
        );
    }

    #[test]
    fn the_longest_burst_is_bounded() {
        let rule = RateLimit { limit: 1, period_ns: 86_400_000_000_000, burst: 100_000, by: By::None };
        let mut limiter = Limiter::<()>::new([Some(rule)].into_iter(), 1, 60_000_000_000, 7);
        // In 2026.
        let now = Time::from_nanos(1_773_748_800 * SECOND);
        let admitted = (0..100_001).filter(|_| limiter.admit(0, |_| &b""[..], now).is_ok()).count();
        assert_eq!(admitted, 53_375, "days, 146 years");
    }

    #[test]
    fn keys_have_separate_limits_and_their_number_is_bounded() {
        let mut limiter = limiter(1, 1, By::Entity, 3);
        for key in ["a", "b", "c"] {
            assert!(limiter.admit(0, |_| key.as_bytes(), at(0.0)).is_ok(), "{key}");
            assert!(limiter.admit(0, |_| key.as_bytes(), at(0.0)).is_err(), "{key}");
        }
        // The table is full of keys with a pending summary: all other keys share one state.
        assert!(limiter.admit(0, |_| &b"(other keys)"[..], at(0.0)).is_ok());
        assert!(limiter.admit(0, |_| &b"e"[..], at(0.0)).is_err());
        assert_eq!(limiter.keys, 3);
        let mut summaries = Vec::new();
        while let Some(summary) = limiter.summary(at(60.0), false) {
            summaries.push((summary.tally.key, summary.tally.count));
        }
        let mut expected: Vec<_> = ["a", "b", "c"].map(|key| (LimiterKey::One(key.into()), 1)).into();
        expected.push((LimiterKey::Others, 1));
        assert_eq!(summaries, expected);
        // After their summaries, idle keys are removed.
        assert!(limiter.admit(0, |_| &b"f"[..], at(61.0)).is_ok());
        assert_eq!(limiter.keys, 1);
    }

    #[test]
    fn long_keys_differ_in_their_last_byte() {
        let mut limiter = limiter(1, 1, By::Entity, 10);
        let accounts = ["a", "b"]
            .map(|last| format!("system:serviceaccount:{}:{}{last}", "n".repeat(63), "é".repeat(200)));
        for account in &accounts {
            assert!(limiter.admit(0, |_| account.as_bytes(), at(0.0)).is_ok(), "{account}");
            assert!(limiter.admit(0, |_| account.as_bytes(), at(0.0)).is_err(), "{account}");
        }
        let summaries: Vec<_> = core::iter::from_fn(|| limiter.summary(at(60.0), false)).collect();
        assert_eq!(summaries.len(), 2);
        for summary in summaries {
            let LimiterKey::One(key) = summary.tally.key else { panic!("a key of its own") };
            assert!(key.ends_with("é…") && (254..=MAX_KEY_BYTES).contains(&key.len()), "{key}");
        }
        assert_eq!(&*truncated_key(&"x".repeat(MAX_KEY_BYTES)), "x".repeat(MAX_KEY_BYTES));
    }

    #[test]
    fn results_do_not_depend_on_the_seed() {
        let run = |seed: u64| {
            let rule = RateLimit { limit: 1, period_ns: 1_000_000_000, burst: 2, by: By::Entity };
            let mut limiter = Limiter::<()>::new([Some(rule)].into_iter(), 50, 10_000_000_000, seed);
            let mut events = Vec::new();
            for step in 0..5000_u32 {
                let now = Time::from_nanos(i64::from(step) * 20_000_000);
                let key = format!("key-{}", step.wrapping_mul(2_654_435_761) >> 25);
                events.push((limiter.admit(0, |_| key.as_bytes(), now).is_ok(), None));
                let summary = limiter.summary(now, false);
                events.push((false, summary.map(|summary| (summary.tally.key, summary.tally.count))));
            }
            events
        };
        assert_eq!(run(1), run(1));
        assert_eq!(run(1), run(2));
    }

    #[test]
    fn summaries_are_emitted_when_due_or_on_shutdown() {
        let mut limiter = limiter(1, 1, By::Entity, 10);
        let mut suppress = |key: &str, time| limiter.admit(0, |_| key.as_bytes(), at(time)).is_err();
        assert_eq!(
            [
                suppress("a", 0.0),
                suppress("a", 0.0),
                suppress("b", 30.0),
                suppress("b", 30.0),
                suppress("a", 30.5)
            ],
            [false, true, false, true, false]
        );
        assert!(limiter.summary(at(59.0), false).is_none());
        assert_eq!(limiter.summary(at(60.0), false).map(|summary| summary.tally.first), Some(at(0.0)));
        assert!(limiter.summary(at(60.0), false).is_none());
        // An hour back: a summary due later than one interval from now is returned at once.
        assert!(limiter.summary(Time::from_nanos(-3600 * SECOND), false).is_some());
        assert!(limiter.admit(0, |_| &b"a"[..], at(30.6)).is_err());
        assert!(limiter.summary(at(30.6), false).is_none());
        assert!(limiter.summary(at(30.6), true).is_some());
        assert!(limiter.summary(at(1e6), true).is_none());
    }
}
