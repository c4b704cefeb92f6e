//! Log records of OTLP in `MessagePack`, as Fluent Bit represents them: parts of a group and of its records.
//!
//! Source: `plugins/out_opentelemetry/opentelemetry_logs.c` of Fluent Bit. Numbers must be positive integers.

use super::out::Out;
use super::{Entry, Labels, msgpack, otlp};

/// Writes the attributes of a resource as a map.
pub(super) fn resource([application, subsystem, computer, cluster]: [&[u8]; 4], out: &mut impl Out) {
    let count = [application, subsystem, computer, cluster].iter().fold(0, count);
    out.put(&[0x80 | count]);
    msgpack::label(b"\xb3cx.application.name\xa0", application, out);
    msgpack::label(b"\xb1cx.subsystem.name\xa0", subsystem, out);
    msgpack::label(b"\xa9host.name\xa0", computer, out);
    msgpack::label(b"\xb0k8s.cluster.name\xa0", cluster, out);
}

fn count(sum: u8, label: &&[u8]) -> u8 {
    sum.wrapping_add(u8::from(!label.is_empty()))
}

/// Writes the times and the severity of a record as members of a map, the time first.
pub(super) fn fields(entry: &Entry<'_>, out: &mut impl Out) {
    // OTLP has no times before 1970.
    let nanos = |nanos: i64| nanos.max(0).to_be_bytes();
    out.put(b"\xa9timestamp\xcf");
    out.put(&nanos(entry.timestamp_ms.saturating_mul(1_000_000)));
    out.put(b"\xb2observed_timestamp\xcf");
    out.put(&nanos(entry.arrival_ns));
    let (severity, text) = otlp::severity(entry.severity);
    let mut number = *b"\xafseverity_number\0";
    let [.., last] = &mut number;
    *last = severity;
    out.put(&number);
    out.put(b"\xadseverity_text");
    msgpack::str(text, out);
}

/// Returns the number of members that [`labels`] writes.
pub(super) fn label_count(entry: &Entry<'_>) -> usize {
    let Labels { category, class, method, thread, .. } = entry.labels;
    usize::from([category, class, method, thread].iter().fold(0, count))
}

/// Writes the labels as members of a map.
pub(super) fn labels(entry: &Entry<'_>, out: &mut impl Out) {
    msgpack::labels(entry.labels, out);
}
