//! Injected faults.

use std::collections::VecDeque;
use std::str::FromStr;

use kaudit_filter::Time;

/// A fault and its duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: Kind,
    span: Span,
}

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is answered with this status; its entries are discarded.
    Status(u16),
    /// The request is answered correctly, after a delay.
    Slow,
    /// The connection is closed without an answer; the entries are discarded.
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Nanoseconds(i64),
    Requests(u64),
}

impl FromStr for Fault {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or(
            "expected `429:10s`: a status from 400 to 599, `slow` or `reset`; then a duration in seconds, or a number of requests",
        )
    }
}

fn read(text: &str) -> Option<Fault> {
    let (kind, span) = text.split_once(':')?;
    let kind = match kind {
        "slow" => Kind::Slow,
        "reset" => Kind::Reset,
        status => Kind::Status(status.parse().ok().filter(|status| (400..600).contains(status))?),
    };
    let span = match span.strip_suffix('s') {
        Some(seconds) => {
            Span::Nanoseconds(i64::from(seconds.parse::<u32>().ok()?).checked_mul(1_000_000_000)?)
        }
        None => Span::Requests(span.parse().ok()?),
    };
    Some(Fault { kind, span })
}

/// A sequence of faults; the first begins with the first request.
pub struct Plan {
    faults: VecDeque<Fault>,
    /// The start time of the fault at the front.
    began: Option<Time>,
}

impl Plan {
    /// Returns a plan of these faults, in order.
    pub fn new(faults: Vec<Fault>) -> Self {
        Self { faults: faults.into(), began: None }
    }

    /// Returns the fault for a request that arrives `now`.
    pub fn next(&mut self, now: Time) -> Option<Kind> {
        while let Some(fault) = self.faults.front_mut() {
            let is_active = match &mut fault.span {
                Span::Nanoseconds(span) => {
                    let began = self.began.get_or_insert(now).nanos();
                    now.nanos().saturating_sub(began) < *span
                }
                Span::Requests(0) => false,
                Span::Requests(left) => {
                    *left -= 1;
                    true
                }
            };
            if is_active {
                return Some(fault.kind);
            }
            self.faults.pop_front();
            self.began = None;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_follow_one_another() {
        let faults = ["429:10s", "slow:0", "reset:2", "500:1s"].map(|text| text.parse().unwrap());
        let mut plan = Plan::new(faults.into());
        let at = |seconds: i64| Time::from_millis(1_700_000_000_000 + seconds * 1_000);
        let table = [
            (0, Some(Kind::Status(429))),
            (9, Some(Kind::Status(429))),
            (10, Some(Kind::Reset)),
            (10, Some(Kind::Reset)),
            (100, Some(Kind::Status(500))),
            (101, None),
            (102, None),
        ];
        for (seconds, expected) in table {
            assert_eq!(plan.next(at(seconds)), expected, "after {seconds} s");
        }
    }

    #[test]
    fn invalid_faults_are_rejected() {
        for text in [
            "",
            "429",
            "200:10s",
            "600:1",
            "fast:1",
            "429:",
            "429:-1",
            "429:-1s",
            "429:1m",
            "429:99999999999s",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
