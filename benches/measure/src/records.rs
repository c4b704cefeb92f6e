//! Records generated from a seed: the same seed, profile and number of entities give the same records on every machine.
//!
//! Findings have the fields, lengths and spellings of kAudit's in their flat form, audit events the API server's; names are
//! invented.

mod audit;
mod object;

use crate::random::Random;
pub use crate::random::START_MS;
pub use object::Object;
use std::fmt::Write as _;

/// The kinds of generated records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Detections.
    Detections,
    /// Selections.
    Selections,
    /// Raw audit entries.
    Activity,
    /// Of a hundred, 5 detections, 35 selections and 60 audit entries.
    Mixed,
    /// Kubernetes audit events at the level `Metadata`, 90 % of them of machines.
    AuditMetadata,
    /// Kubernetes audit events at the level `RequestResponse`, of 2 to 10 kB; 1 % have 77 kB.
    AuditBodies,
}

impl Profile {
    /// Every profile, with its name on the command line.
    pub const ALL: [(&str, Self); 6] = [
        ("detections", Self::Detections),
        ("selections", Self::Selections),
        ("activity", Self::Activity),
        ("mixed", Self::Mixed),
        ("audit-metadata", Self::AuditMetadata),
        ("audit-bodies", Self::AuditBodies),
    ];
}

/// An infinite iterator of records as JSON text.
#[derive(Clone, Debug)]
pub struct Records {
    random: Random,
    profile: Profile,
    entities: u64,
    bytes: usize,
    time_ms: i64,
}

impl Records {
    /// Returns records of this number of distinct entities; 0 counts as 1.
    pub fn new(profile: Profile, entities: u64, seed: u64) -> Self {
        Self { random: Random(seed), profile, entities: entities.max(1), bytes: 0, time_ms: START_MS }
    }

    /// Sets the minimum length of a record, bytes. Events at the level `Metadata` remain as they are.
    #[must_use]
    pub fn of_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Returns an entity; three of ten are accounts of the cluster itself.
    fn entity(&mut self) -> String {
        let number = self.random.below(self.entities);
        match number % 10 {
            0 => format!("system:serviceaccount:team-{}:runner-{number}", number % 50),
            1 => format!("system:node:worker-{number}.example.internal"),
            2 => format!("system:kube-controller-{number}"),
            _ => format!("user-{number}@example.com"),
        }
    }

    fn detection(&mut self) -> String {
        let entity = self.entity();
        let etype = self.random.of(&["principal", "principal", "principal", "resource", "cluster"]);
        let category = self.random.of(&["anomaly", "anomaly", "anomaly", "incident"]);
        let confidence = self.random.of(&["high", "medium", "low"]);
        let direction = self.random.of(&["read", "write"]);
        let doc = self.random.of(&[
            "change in count of unique remote commands",
            "unusual secrets access",
            "first use of a user agent",
        ]);
        let cluster = self.random.of(CLUSTERS);
        let time = self.time_ms;
        format!(
            r#"{{"confidence":"{confidence}","etype":"{etype}","short_doc":"{doc}","cluster":"{cluster}","context_subresource_exec_command":"cat /etc/hosts; ls; ls /bin; sh","reasons_0_values_high":"4","timestamp":"{}","reasons_0_direction":"{direction}","direction":"{direction}","reasons_0_period":180000,"time":{time},"category":"{category}","period":180000,"eid":"{entity}","doc":"unusual {doc} in access attempts","reasons_0_doc":"{doc} in {direction} access attempts"}}"#,
            timestamp(time),
        )
    }

    /// Returns a selection, or without a rule an audit entry.
    fn activity(&mut self, rule: Option<&str>) -> String {
        let entity = self.entity();
        let verb = self.random.of(&["get", "list", "create", "delete", "patch"]);
        let access = if matches!(verb, "get" | "list") { "read" } else { "write" };
        let resource = self.random.of(&["secrets", "pods", "rolebindings", "configmaps", "deployments"]);
        let namespace = self.random.of(&["kube-system", "payments", "crm", "monitoring"]);
        let name = self.random.below(10_000);
        let cluster = self.random.of(CLUSTERS);
        let (status, unauthorised) = if self.random.below(20) == 0 { (403, true) } else { (200, false) };
        let address = self.random.below(250);
        let time = self.time_ms;
        let rule = rule.map_or_else(String::new, |rule| format!(r#""rule":"{rule}","#));
        format!(
            r#"{{"principal":"{entity}","username":"{entity}","user_groups":"system:authenticated",{rule}"cluster":"{cluster}","verb":"{verb}","uri":"/api/v1/namespaces/{namespace}/{resource}/item-{name}","api_group":"","api_version":"v1","resource_type":"{resource}","resource_namespace":"{namespace}","resource_name":"item-{name}","subresource":"","access_type":"{access}","status_code":{status},"status_reason":"","non_authorized":{unauthorised},"caller_ip":"10.2.3.{address}","caller_ip_asn":"Example Networks","caller_ip_country":"AQ","id":"3b1f6b4e-8f0e-4f0e-9c3a-{:012x}","time":{time},"timestamp":"{}","original_user_agent":"kubectl/v1.31.4 (linux/amd64) kubernetes/a78aa47","ua_kubectl":"v1.31.4"}}"#,
            self.random.bits() >> 16,
            timestamp(time),
        )
    }
}

const CLUSTERS: &[&str] = &["prod-eu-1", "prod-us-1", "staging-eu"];
const RULES: &[&str] =
    &["secrets access", "exec into pod", "pod creation", "role binding", "anonymous unsafe"];

impl Iterator for Records {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Profile::AuditMetadata | Profile::AuditBodies = self.profile {
            let entity = self.random.below(self.entities);
            let bodies = self.profile == Profile::AuditBodies;
            let text = audit::event(&mut self.random, entity, self.time_ms, bodies, self.bytes);
            self.time_ms += 1;
            return Some(text);
        }
        let profile = match (self.profile, self.random.below(100)) {
            (Profile::Mixed, 0..5) => Profile::Detections,
            (Profile::Mixed, 5..40) => Profile::Selections,
            (Profile::Mixed, _) => Profile::Activity,
            (profile, _) => profile,
        };
        let mut text = match profile {
            Profile::Detections => self.detection(),
            Profile::Selections => {
                let rule = self.random.of(RULES);
                self.activity(Some(rule))
            }
            _ => self.activity(None),
        };
        self.time_ms += 1;
        if text.len() < self.bytes {
            text.truncate(text.len() - 1);
            text.push_str(r#","request_body":""#);
            while text.len() + 2 < self.bytes {
                let _ = write!(text, "spec.containers.{}=", self.random.below(1_000_000));
            }
            text.truncate(self.bytes - 2);
            text.push_str("\"}");
        }
        Some(text)
    }
}

/// Returns a time in kAudit's spelling; the generator never reaches April 2026.
fn timestamp(ms: i64) -> String {
    let second = (ms - START_MS) / 1000;
    let (day, hour) = (second / 86_400 % 31 + 1, second / 3600 % 24);
    format!("2026-03-{day:02}T{hour:02}:{:02}:{:02}+0000", second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use kaudit_filter::config::{Audit, Config};
    use kaudit_filter::record::Record;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_findings() {
        let mut config = Config::default();
        config.audit = Some(Audit::default());
        let mut times = kaudit_filter::FindingTimes::new(&config);
        for (name, profile) in Profile::ALL {
            let records: Vec<_> = Records::new(profile, 100, 7).take(200).collect();
            assert_eq!(records, Records::new(profile, 100, 7).take(200).collect::<Vec<_>>(), "{name}");
            assert_ne!(records, Records::new(profile, 100, 8).take(200).collect::<Vec<_>>(), "{name}");
            for record in &records {
                assert!(times.first(Record::json(record)).is_some(), "{record}");
            }
        }
    }

    #[test]
    fn events_have_the_lengths_and_the_users_of_a_cluster() {
        for (profile, mean, machines) in
            [(Profile::AuditMetadata, 850..950, 880..920), (Profile::AuditBodies, 4_000..6_000, 920..960)]
        {
            let records: Vec<_> = Records::new(profile, 1000, 1).take(10_000).collect();
            let events: Vec<serde_json::Value> =
                records.iter().map(|record| serde_json::from_str(record).expect("JSON")).collect();
            let bytes = records.iter().map(String::len).sum::<usize>() / records.len();
            let user = |event: &serde_json::Value| event["user"]["username"].as_str().map(str::to_owned);
            let own = events.iter().filter_map(user).filter(|user| user.starts_with("system:")).count() / 10;
            assert!(mean.contains(&bytes) && machines.contains(&own), "{profile:?}: {bytes}, {own}");
        }
    }

    #[test]
    fn records_have_the_wanted_length() {
        for bytes in [2_000, 1_000_000] {
            for record in Records::new(Profile::Mixed, 10, 1).of_bytes(bytes).take(20) {
                assert_eq!(record.len(), bytes);
                assert!(serde_json::from_str::<serde_json::Value>(&record).is_ok());
            }
        }
    }
}
