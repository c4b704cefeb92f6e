//! A detection, and kAudit's record of it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::memory::of_text;
use super::statistic::{Direction, Statistic};
use super::windows::PERIOD_MS;
use crate::finding::{Category, Confidence, DetectionKind, Etype};
use crate::record::push_json_string;
use crate::time;

/// An unusual value of a series.
#[derive(Debug)]
pub(crate) struct Detection {
    pub(super) cluster: Box<str>,
    /// `None`: the cluster itself.
    pub(super) principal: Option<Box<str>>,
    pub(super) statistic: &'static Statistic,
    pub(super) direction: Direction,
    pub(super) confidence: Confidence,
    pub(super) value: u32,
    pub(super) values: Vec<Box<str>>,
    /// The end of the window.
    pub(super) end_ms: i64,
    /// The count that is usual.
    pub(crate) expected: u32,
    /// The time since the first event of the cluster.
    pub(crate) history_ms: i64,
}

impl Detection {
    /// Returns the kind.
    pub(crate) fn kind(&self) -> DetectionKind {
        self.statistic.kind
    }

    /// Returns the memory that the detection takes.
    pub(super) fn memory(&self) -> usize {
        let texts = self
            .values
            .iter()
            .chain(&self.principal)
            .fold(of_text(&self.cluster), |sum, text| sum.saturating_add(of_text(text)));
        texts.saturating_add(size_of::<Self>())
    }

    /// Writes kAudit's record of the detection, as JSON text.
    pub(crate) fn write(&self, out: &mut String) {
        let Self { statistic, direction, confidence, value, end_ms, .. } = self;
        let (etype, eid) = match &self.principal {
            Some(principal) => (Etype::Principal, &**principal),
            None => (Etype::Cluster, "cluster"),
        };
        out.clear();
        out.push('{');
        member("eid", eid, out);
        if !self.cluster.is_empty() {
            member("cluster", &self.cluster, out);
        }
        number("period", PERIOD_MS, out);
        key("reasons", out);
        out.push_str("[{");
        key("values", out);
        out.push('{');
        key(confidence.name(), out);
        out.push('[');
        out.push_str(itoa::Buffer::new().format(*value));
        out.push_str("]}");
        key("doc", out);
        out.push('"');
        for part in statistic.reason(*direction) {
            out.push_str(part);
        }
        out.push('"');
        number("period", PERIOD_MS, out);
        member("direction", direction.name(), out);
        out.push_str("}]");
        member("confidence", confidence.name(), out);
        member("short-doc", statistic.short_doc(*direction), out);
        self.write_context(out);
        member("doc", statistic.doc, out);
        member("etype", etype.name(), out);
        number("time", *end_ms, out);
        member("timestamp", &time::format(*end_ms), out);
        member("category", Category::Anomaly.name(), out);
        member("direction", direction.name(), out);
        out.push('}');
    }

    fn write_context(&self, out: &mut String) {
        let Some(name) = self.statistic.context_key() else { return };
        key("context", out);
        out.push('{');
        key(name, out);
        out.push('[');
        for (at, value) in self.values.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_json_string(value, out);
        }
        out.push_str("]}");
    }
}

fn key(name: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    push_json_string(name, out);
    out.push(':');
}

fn member(name: &str, value: &str, out: &mut String) {
    key(name, out);
    push_json_string(value, out);
}

fn number(name: &str, value: i64, out: &mut String) {
    key(name, out);
    out.push_str(itoa::Buffer::new().format(value));
}
