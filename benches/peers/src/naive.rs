//! The naive implementation: a tree of values, a few regular expressions, and the entry as another tree.

use kaudit_bench::Encoding;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::gcra::Gcra;
use crate::peer::{Answer, Peer};

/// Trees and expressions.
pub struct Naive {
    encoding: Encoding,
    system: Regex,
    rules: Regex,
    sensitive: Regex,
    limits: [Gcra; 3],
}

impl Naive {
    /// With the job's expressions.
    pub fn new(encoding: Encoding) -> Self {
        let regex = |pattern: &str| Regex::new(pattern).expect("a pattern of the job");
        Self {
            encoding,
            system: regex("^system:"),
            rules: regex("^exec|unsafe$|secret"),
            sensitive: regex(SENSITIVE),
            limits: Default::default(),
        }
    }

    fn decide(&mut self, finding: Map<String, Value>, now_ms: i64) -> Option<Value> {
        let text = |key: &str| finding.get(key).and_then(Value::as_str).unwrap_or_default();
        let unauthorised = finding.get("non_authorized") == Some(&Value::Bool(true));
        let (limit, kind, entity, category, class, method, severity);
        if finding.contains_key("eid") && finding.contains_key("etype") {
            (limit, kind, entity) = (0, "detections", text("eid"));
            (category, class, method) = (text("category"), text("etype"), text("short_doc"));
            if !["principal", "resource"].contains(&class)
                || !["anomaly", "incident"].contains(&category)
                || !["high", "medium"].contains(&text("confidence"))
                || self.system.is_match(entity)
            {
                return None;
            }
            severity = match (category, text("confidence")) {
                ("incident", "high") => 6,
                ("incident", _) | (_, "high") => 5,
                _ => 4,
            };
        } else if finding.contains_key("rule") && finding.contains_key("verb") {
            (limit, kind, entity) = (1, "selections", text("principal"));
            (category, class, method) = ("selection", text("resource_type"), text("rule"));
            if self.system.is_match(entity) || !self.rules.is_match(method) {
                return None;
            }
            severity = if unauthorised || self.sensitive.is_match(method) { 5 } else { 4 };
        } else if finding.contains_key("id") && finding.contains_key("verb") {
            (limit, kind, entity) = (2, "activity", text("principal"));
            (category, class, method) = ("activity", text("resource_type"), text("verb"));
            if self.system.is_match(entity) {
                return None;
            }
            severity = if unauthorised { 4 } else { 2 };
        } else {
            return None;
        }
        if !self.limits[limit].admit(entity, now_ms) {
            return None;
        }
        Some(json!({
            "timestamp": finding.get("time").and_then(Value::as_i64).unwrap_or(now_ms),
            "severity": severity,
            "applicationName": text("cluster"),
            "subsystemName": format!("kaudit-{kind}"),
            "computerName": text("cluster"),
            "category": category,
            "className": class,
            "methodName": method,
            "threadId": entity,
            "text": finding,
        }))
    }
}

/// Rules that make a selection an error.
pub const SENSITIVE: &str = "(?i)secret|credential|token|exec|attach|shell|privilege|impersonat|escalat|anonymous|unsafe|cluster-?admin";

impl Peer for Naive {
    fn answer(&mut self, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Answer {
        let finding: Value = match self.encoding {
            Encoding::Json => serde_json::from_slice(record).unwrap_or_default(),
            Encoding::MsgPack => rmp_serde::from_slice(record).unwrap_or_default(),
        };
        let Value::Object(finding) = finding else { return Answer::NotKept };
        let Some(entry) = self.decide(finding, now_ms) else { return Answer::NotKept };
        match self.encoding {
            Encoding::Json => serde_json::to_writer(out, &entry).expect("a vector takes all"),
            Encoding::MsgPack => rmp_serde::encode::write(out, &entry).expect("a vector takes all"),
        }
        Answer::Kept
    }
}
