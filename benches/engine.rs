//! The engine's cost per record, step by step: each case includes the previous one.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kaudit_bench::{Batch, Encoding, JOB, Worker};

/// The records' length: as generated, and longer.
const SIZES: [(&str, usize, usize); 4] =
    [("as-made", 0, 200), ("2K", 2_000, 100), ("30K", 30_000, 20), ("1M", 1_000_000, 2)];

/// An integration that matches none of the records, which the kind or first value of a finding decides.
const NO_MATCH: &str = r#"
integrations:
  - type: detections
    target: {target-type: http-api, http-api-uri: "https://ingress.eu2.coralogix.com/logs/v1/singles"}
    data-filter: {etype: [cluster], entity-match: '^no-such-name$'}
"#;

fn engine(criterion: &mut Criterion) {
    for (name, encoding) in Encoding::ALL {
        let mut group = criterion.benchmark_group(format!("engine-{name}"));
        for (size, bytes, count) in SIZES {
            let kept = Batch::of(encoding, true, bytes, count);
            let dropped = Batch::of(encoding, false, bytes, count);
            let mut out = Vec::with_capacity(4 << 20);

            group.throughput(Throughput::Elements(kept.records.len() as u64));
            group.bench_function(BenchmarkId::new("copy", size), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    kept.records.iter().for_each(|record| out.extend_from_slice(black_box(record)));
                });
            });
            for (step, batch, job, leave) in [
                ("recognise", &dropped, NO_MATCH, 0),
                ("dropped", &dropped, JOB, 0),
                ("kept-unlimited", &kept, &unlimited(), count),
                ("kept", &kept, JOB, count),
            ] {
                let mut worker = Worker::new(job);
                group.bench_function(BenchmarkId::new(step, size), |bencher| {
                    bencher.iter(|| worker.all(black_box(batch)));
                });
                assert_eq!(worker.all(batch), leave, "{step}: all records have the same verdict");
            }
        }
    }
}

/// Returns the job without its limits.
fn unlimited() -> String {
    JOB.replace(", rate-limit: 100000", "")
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(30);
    targets = engine
}
criterion_main!(benches);
