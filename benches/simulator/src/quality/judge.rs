//! Detections compared with labels.

use super::detector::{Detection, PERIOD_MS};
use crate::attack::Label;

/// The result of a detector on one cluster's attacked period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Detections that an attack explains.
    pub hits: u32,
    /// Detections that no attack explains.
    pub misfires: u32,
    /// Each attack: its kind, whether it is slow, and the windows until the first detection, if any.
    pub attacks: Vec<JudgedAttack>,
}

/// The result for one attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedAttack {
    /// The kind's name.
    pub kind: &'static str,
    /// Whether it takes hours.
    pub slow: bool,
    /// The number of windows from its first event to its first detection; 1 is the window of that event.
    pub windows: Option<u32>,
    /// Whether a detection of an expected kind was reported.
    pub is_named: bool,
}

/// How long after its last event a detection is still of the attack: two windows, and the end of the current one.
const GRACE_MS: i64 = 3 * PERIOD_MS;

/// Compares the detections since `from_ms` with the labels.
///
/// A detection is of an attack if it reports one of its principals, or the cluster, between the attack's first event and
/// two windows after its last. The kind does not matter; `is_named` counts the expected kinds.
pub fn judge(detections: &[Detection], labels: &[Label], from_ms: i64) -> Judged {
    let mut judged = Judged::default();
    for label in labels {
        let own: Vec<&Detection> = detections.iter().filter(|found| is_of(found, label)).collect();
        let first = own.iter().map(|found| found.time_ms).min();
        judged.attacks.push(JudgedAttack {
            kind: label.kind,
            slow: label.slow,
            windows: first.map(|time| windows(label.start_ms, time)),
            is_named: own.iter().any(|found| label.expected.contains(&found.kind.name())),
        });
    }
    for found in detections.iter().filter(|found| found.time_ms >= from_ms) {
        if labels.iter().any(|label| is_of(found, label)) {
            judged.hits += 1;
        } else {
            judged.misfires += 1;
        }
    }
    judged
}

fn is_of(found: &Detection, label: &Label) -> bool {
    let is_in_time = (label.start_ms..=label.end_ms + GRACE_MS).contains(&found.time_ms);
    let is_entity = found.principal.as_ref().is_none_or(|principal| label.principals.contains(principal));
    is_in_time && is_entity
}

/// Returns the number of windows from the one that contains `start` to the one that ends at, or contains, `time`.
fn windows(start: i64, time: i64) -> u32 {
    let passed = (time - 1).div_euclid(PERIOD_MS) - start.div_euclid(PERIOD_MS) + 1;
    u32::try_from(passed.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::DetectionKind as D;

    fn label() -> Label {
        Label {
            attack: 0,
            kind: "exec-burst",
            technique: "T1609",
            slow: false,
            cluster: "prod-eu-1".to_owned(),
            principals: vec!["user-1@example.com".to_owned()],
            start: String::new(),
            end: String::new(),
            start_ms: 10 * PERIOD_MS + 5,
            end_ms: 11 * PERIOD_MS,
            events: 6,
            expected: vec!["remote-commands"],
        }
    }

    #[test]
    fn a_detection_is_of_an_attack_by_time_and_entity() {
        for (principal, time, kind, windows, is_named) in [
            (Some("user-1@example.com"), 11 * PERIOD_MS, D::Commands, Some(1), true),
            (Some("user-1@example.com"), 12 * PERIOD_MS, D::Secrets, Some(2), false),
            (None, 12 * PERIOD_MS, D::Commands, Some(2), true),
            (Some("user-1@example.com"), 10 * PERIOD_MS + 6, D::Commands, Some(1), true),
            (Some("user-2@example.com"), 11 * PERIOD_MS, D::Commands, None, false),
            (Some("user-1@example.com"), 10 * PERIOD_MS, D::Commands, None, false),
            (Some("user-1@example.com"), 15 * PERIOD_MS, D::Commands, None, false),
        ] {
            let found = Detection { time_ms: time, kind, principal: principal.map(str::to_owned) };
            let judged = judge(std::slice::from_ref(&found), &[label()], 0);
            let attack = JudgedAttack { kind: "exec-burst", slow: false, windows, is_named };
            assert_eq!(judged.attacks, [attack], "{found:?}");
            assert_eq!((judged.hits, judged.misfires), if windows.is_some() { (1, 0) } else { (0, 1) });
        }
    }

    #[test]
    fn detections_while_learning_do_not_count() {
        let found = Detection { time_ms: 5, kind: D::Commands, principal: None };
        assert_eq!(judge(&[found], &[], 6), Judged::default());
    }
}
