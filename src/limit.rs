//! Rate limits: the generic cell rate algorithm, for each integration and, where configured, for each key within it.
//!
//! Time is an argument and may go backwards: a key never waits longer than one full burst takes to refill. The table of
//! keys is bounded whatever an attacker sends. Decision: no crate. `governor` brings atomics, a clock and a map that
//! is not bounded; with `&mut self` the algorithm is a comparison and an addition.
//!
//! A key takes 38 to 75 bytes whatever its length: 33 for each place of the table, of which between seven in sixteen and
//! seven in eight are taken. So a million keys are at most 75 MB. A key with suppressed findings takes more until its
//! summary is sent: see `PENDING` in `tests/allocations.rs`.

use std::collections::VecDeque;

use crate::config::{By, RateLimit};
use crate::digest::{Digest, DigestMap, Secret};
use crate::time::Time;

/// Nanoseconds, 146 years. What is further ahead may be beyond the clock's end, which nothing reaches: a limit of one a
/// day with a burst of a hundred thousand would admit all.
const LONGEST: u64 = 1 << 62;

/// Of a key, a summary shows at most this many bytes.
const SHOWN_BYTES: usize = 256;

/// When the table is full, idle keys are looked for at most this often.
const SWEEP_NS: i64 = 1_000_000_000;

/// All limits. `N` is what the caller notes of the first finding suppressed under a key.
pub(crate) struct Limiter<N> {
    limits: Vec<Option<Limit<N>>>,
    secret: Secret,
    max_keys: usize,
    keys: usize,
    swept: Time,
    summary_every: i64,
    /// Keys with suppressed findings, in the order in which the first was suppressed.
    due: VecDeque<Due>,
}

struct Limit<N> {
    rule: RateLimit,
    pace: Pace,
    whole: State<N>,
    keyed: DigestMap<State<N>>,
    /// The state that all keys share which find no room in the table.
    others: State<N>,
}

/// A rule in nanoseconds.
#[derive(Clone, Copy)]
struct Pace {
    /// From one finding to the next.
    interval: u64,
    /// What a whole burst takes to refill; at most [`LONGEST`].
    full: u64,
}

struct State<N> {
    /// When the next finding would arrive if all came at exactly the limit.
    arrival: i64,
    tally: Option<Box<Tally<N>>>,
}

struct Due {
    at: Time,
    integration: usize,
    place: Place,
}

/// Which of an integration's states a finding falls under.
#[derive(Clone, Copy)]
enum Place {
    Whole,
    Keyed(Digest),
    Others,
}

/// The findings that share a limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// All of an integration.
    All,
    /// Those of one key, by the beginning of its text.
    One(Box<str>),
    /// Those whose keys found no room in the table. Not a text, since a text can be some key's own.
    Others,
}

/// What was suppressed under one key since the last summary.
pub(crate) struct Tally<N> {
    pub count: u64,
    pub first: Time,
    pub last: Time,
    pub note: Option<N>,
    pub key: Key,
}

/// A finding that was counted instead of admitted.
pub(crate) struct Refused<'l, 'k, N> {
    pub tally: &'l mut Tally<N>,
    /// Its whole key.
    pub key: &'k [u8],
}

/// What a limit has left for a key.
#[cfg(feature = "compile")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// How many pass at this moment.
    pub free: u32,
    /// How long until one passes, nanoseconds.
    pub wait_ns: u64,
    /// How many were suppressed since the last summary.
    pub suppressed: u64,
}

/// What a summary tells.
pub(crate) struct Summary<N> {
    pub integration: usize,
    pub by: By,
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
            pace: Pace::of(&rule),
            rule,
            whole: State::default(),
            keyed: DigestMap::default(),
            others: State::default(),
        };
        Self {
            limits: limits.map(|rule| rule.map(limit)).collect(),
            secret: Secret::new(seed),
            max_keys,
            keys: 0,
            swept: Time::from_nanos(i64::MIN),
            summary_every: i64::try_from(summary_every_ns).unwrap_or(i64::MAX),
            due: VecDeque::new(),
        }
    }

    /// Whether there is a limit at all.
    pub fn is_needed(&self) -> bool {
        self.limits.iter().any(Option::is_some)
    }

    /// This integration's limit.
    #[cfg(feature = "compile")]
    pub fn rule(&self, integration: usize) -> Option<RateLimit> {
        self.limits.get(integration)?.as_ref().map(|limit| limit.rule)
    }

    /// Whether a summary of this integration has not left yet.
    #[cfg(feature = "compile")]
    pub fn owes(&self, integration: usize) -> bool {
        self.due.iter().any(|due| due.integration == integration)
    }

    /// Takes over the states of another limiter; `places` says which integration here is which there. A place behind
    /// all limits is made for what has gone but for its summaries.
    #[cfg(feature = "compile")]
    pub fn adopt(&mut self, old: Self, places: &[Option<usize>]) {
        // Digests of another secret would be other keys. No key of this limiter has one yet.
        self.secret = old.secret;
        for (limit, place) in old.limits.into_iter().zip(places) {
            let Some(place) = place.filter(|_| limit.is_some()) else { continue };
            if self.limits.len() <= place {
                self.limits.resize_with(place.saturating_add(1), || None);
            }
            if let Some(slot) = self.limits.get_mut(place) {
                *slot = limit;
            }
        }
        self.keys = self.limits.iter().flatten().fold(0, |sum, limit| sum.saturating_add(limit.keyed.len()));
        for due in old.due {
            if let Some(integration) = places.get(due.integration).copied().flatten() {
                self.due.push_back(Due { integration, ..due });
            }
        }
    }

    /// Admits a finding, or counts it and gives its tally, with its key. `key` says what shares a limit with it.
    #[inline(always)]
    pub fn admit<'k>(
        &mut self,
        integration: usize,
        key: impl FnOnce(By) -> &'k [u8],
        now: Time,
    ) -> Result<(), Refused<'_, 'k, N>> {
        let Some(limit) = self.limits.get_mut(integration).and_then(Option::as_mut) else { return Ok(()) };
        let key = key(limit.rule.by);
        if limit.rule.by == By::None {
            return self.admit_other(integration, None, key, now).map_err(|tally| Refused { tally, key });
        }
        let digest = self.secret.digest(key);
        let known = limit.keyed.get_mut(&digest);
        let new = known.is_none();
        // The usual path: one lookup.
        if known.is_some_and(|state| state.admit(limit.pace, now)) {
            return Ok(());
        }
        self.admit_other(integration, Some((digest, new)), key, now).map_err(|tally| Refused { tally, key })
    }

    /// Admits a finding under a key that is new, or without one; or counts it. `digest` comes with whether it is new.
    #[inline(never)]
    fn admit_other(
        &mut self,
        integration: usize,
        digest: Option<(Digest, bool)>,
        key: &[u8],
        now: Time,
    ) -> Result<(), &mut Tally<N>> {
        let is_new = digest.is_some_and(|(_, is_new)| is_new);
        if is_new && self.keys >= self.max_keys {
            self.sweep(now);
        }
        let room = self.keys < self.max_keys;
        let Some(limit) = self.limits.get_mut(integration).and_then(Option::as_mut) else { return Ok(()) };
        let (state, place) = match digest {
            None => (&mut limit.whole, Place::Whole),
            Some(_) if is_new && !room => (&mut limit.others, Place::Others),
            Some((digest, _)) => {
                if is_new {
                    self.keys = self.keys.saturating_add(1);
                }
                (limit.keyed.entry(digest).or_default(), Place::Keyed(digest))
            }
        };
        // A key that was refused above is refused again.
        if state.admit(limit.pace, now) {
            return Ok(());
        }
        if state.tally.is_none() {
            let at = Time::from_nanos(now.nanos().saturating_add(self.summary_every));
            self.due.push_back(Due { at, integration, place });
        }
        let tally = state.tally.get_or_insert_with(|| {
            let key = match place {
                Place::Whole => Key::All,
                Place::Keyed(_) => Key::One(shown_key(&String::from_utf8_lossy(key))),
                Place::Others => Key::Others,
            };
            Box::new(Tally { count: 0, first: now, last: now, note: None, key })
        });
        tally.count = tally.count.saturating_add(1);
        tally.last = now;
        Err(tally)
    }

    /// Whether a summary has not left yet.
    pub fn owes_any(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next summary whose time came a whole interval ago.
    pub fn overdue(&mut self, now: Time) -> Option<Summary<N>> {
        let waits = now.nanos().saturating_sub(self.due.front()?.at.nanos());
        if waits < self.summary_every { None } else { self.summary(now, false) }
    }

    /// What a finding of this key would meet, were it to come now.
    #[cfg(feature = "compile")]
    pub fn look(&self, integration: usize, key: &[u8], now: Time) -> Room {
        let Some(limit) = self.limits.get(integration).and_then(Option::as_ref) else {
            return Room::default();
        };
        let new = State::default();
        let state = match limit.rule.by {
            By::None => &limit.whole,
            _ => limit.keyed.get(&self.secret.digest(key)).unwrap_or(if self.keys < self.max_keys {
                &new
            } else {
                &limit.others
            }),
        };
        state.room(limit.pace, now)
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
            let state = match place {
                Place::Whole => Some(&mut limit.whole),
                Place::Others => Some(&mut limit.others),
                Place::Keyed(digest) => limit.keyed.get_mut(&digest),
            };
            if let Some(tally) = state.and_then(|state| state.tally.take()) {
                return Some(Summary { integration, by: limit.rule.by, tally: *tally });
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
    /// How far ahead of now the next finding would arrive. Never further than a burst spent at this moment: so a step back
    /// in time heals at once.
    #[inline]
    fn ahead(&self, full: u64, now: i64) -> u64 {
        if self.arrival > now { self.arrival.abs_diff(now).min(full) } else { 0 }
    }

    #[inline]
    fn admit(&mut self, Pace { interval, full }: Pace, now: Time) -> bool {
        let now = now.nanos();
        let ahead = self.ahead(full, now);
        // A burst is at least one, so no difference is below zero.
        let admitted = ahead <= full.wrapping_sub(interval);
        let next = if admitted { ahead.wrapping_add(interval) } else { ahead };
        self.arrival = now.saturating_add_unsigned(next);
        admitted
    }
}

#[cfg(feature = "compile")]
impl<N> State<N> {
    fn room(&self, Pace { interval, full }: Pace, now: Time) -> Room {
        let now = now.nanos();
        let spent = self.ahead(full, now);
        let free = full.saturating_sub(spent).checked_div(interval).unwrap_or(0);
        Room {
            free: u32::try_from(free).unwrap_or(u32::MAX),
            wait_ns: spent.saturating_add(interval).saturating_sub(full),
            suppressed: self.tally.as_ref().map_or(0, |tally| tally.count),
        }
    }
}

impl Pace {
    fn of(rule: &RateLimit) -> Self {
        let interval = rule.period_ns.checked_div(u64::from(rule.limit)).unwrap_or(LONGEST).min(LONGEST);
        Self { interval, full: interval.saturating_mul(u64::from(rule.burst)).min(LONGEST) }
    }
}

/// Returns a key as a summary shows it: cut to 256 bytes, with `…` at the end of a key that was longer.
pub(crate) fn shown_key(key: &str) -> Box<str> {
    const CUT: &str = "…";
    if key.len() <= SHOWN_BYTES {
        return key.into();
    }
    let end = key.floor_char_boundary(SHOWN_BYTES.saturating_sub(CUT.len()));
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
    fn a_key_takes_as_much_as_is_said() {
        assert_eq!(size_of::<(Digest, State<()>)>(), 32);
    }

    #[test]
    fn admits_a_burst_and_then_the_rate() {
        // Limit a second, burst, times of arrival, which of them are admitted.
        let table: [(u32, u32, &[f64], &str); 7] = [
            (1, 1, &[0.0, 0.0, 0.99, 1.0, 1.5, 2.0], "+--+-+"),
            (2, 2, &[0.0, 0.0, 0.0, 0.5, 0.5, 1.0], "++-+-+"),
            (10, 1, &[0.0, 0.05, 0.1, 0.2, 0.2], "+-++-"),
            (1, 3, &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0], "+++-+-"),
            // A quiet time refills no more than one burst.
            (1, 2, &[0.0, 100.0, 100.0, 100.0], "+++-"),
            // Time goes backwards by an hour: at most one burst's refill is waited for.
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
        // At both ends of the clock nothing is out of range, and a step from one to the other heals at once.
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
    fn the_longest_burst_has_an_end() {
        let rule = RateLimit { limit: 1, period_ns: 86_400_000_000_000, burst: 100_000, by: By::None };
        let mut limiter = Limiter::<()>::new([Some(rule)].into_iter(), 1, 60_000_000_000, 7);
        // In 2026.
        let now = Time::from_nanos(1_773_748_800 * SECOND);
        let admitted = (0..100_001).filter(|_| limiter.admit(0, |_| &b""[..], now).is_ok()).count();
        assert_eq!(admitted, 53_375, "days, 146 years");
    }

    #[test]
    fn keys_are_limited_apart_and_bounded_together() {
        let mut limiter = limiter(1, 1, By::Entity, 3);
        for key in ["a", "b", "c"] {
            assert!(limiter.admit(0, |_| key.as_bytes(), at(0.0)).is_ok(), "{key}");
            assert!(limiter.admit(0, |_| key.as_bytes(), at(0.0)).is_err(), "{key}");
        }
        // The table is full of keys with a pending summary: all others share one state, whatever they are called.
        assert!(limiter.admit(0, |_| &b"(other keys)"[..], at(0.0)).is_ok());
        assert!(limiter.admit(0, |_| &b"e"[..], at(0.0)).is_err());
        assert_eq!(limiter.keys, 3);
        let mut summaries = Vec::new();
        while let Some(summary) = limiter.summary(at(60.0), false) {
            summaries.push((summary.tally.key, summary.tally.count));
        }
        let mut expected: Vec<_> = ["a", "b", "c"].map(|key| (Key::One(key.into()), 1)).into();
        expected.push((Key::Others, 1));
        assert_eq!(summaries, expected);
        // With their summaries sent, idle keys make room.
        assert!(limiter.admit(0, |_| &b"f"[..], at(61.0)).is_ok());
        assert_eq!(limiter.keys, 1);
    }

    #[test]
    fn a_long_key_counts_to_its_last_byte() {
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
            let Key::One(key) = summary.tally.key else { panic!("a key of its own") };
            assert!(key.ends_with("é…") && (254..=SHOWN_BYTES).contains(&key.len()), "{key}");
        }
        assert_eq!(&*shown_key(&"x".repeat(SHOWN_BYTES)), "x".repeat(SHOWN_BYTES));
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
    fn summaries_leave_on_time_or_at_the_end() {
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
        // An hour back: what waits further ahead than an interval is told now rather than in an hour.
        assert!(limiter.summary(Time::from_nanos(-3600 * SECOND), false).is_some());
        assert!(limiter.admit(0, |_| &b"a"[..], at(30.6)).is_err());
        assert!(limiter.summary(at(30.6), false).is_none());
        assert!(limiter.summary(at(30.6), true).is_some());
        assert!(limiter.summary(at(1e6), true).is_none());
    }
}
