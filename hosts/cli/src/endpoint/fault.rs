//! Faults on demand: what an agent must survive.

use std::collections::VecDeque;
use std::str::FromStr;

use kaudit_filter::Time;

/// A fault, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: Kind,
    span: Span,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is answered with this status, and nothing of it is kept.
    Status(u16),
    /// It is answered as it should be, but late.
    Slow,
    /// The connection is cut before an answer, and nothing of the request is kept.
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
            "expected `429:10s`: a status from 400 to 599, `slow` or `reset`; then seconds, or a number of requests",
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

/// Faults one after the other; the first begins with the first request.
pub struct Plan {
    faults: VecDeque<Fault>,
    /// When the one at the front began.
    began: Option<Time>,
}

impl Plan {
    /// From the first to the last.
    pub fn new(faults: Vec<Fault>) -> Self {
        Self { faults: faults.into(), began: None }
    }

    /// What happens to a request that comes now.
    pub fn next(&mut self, now: Time) -> Option<Kind> {
        while let Some(fault) = self.faults.front_mut() {
            let holds = match &mut fault.span {
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
            if holds {
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
    fn what_is_no_fault_is_refused() {
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
