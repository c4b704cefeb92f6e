//! What a record costs in the engine, step by step: each case does all that the one before it does, and more.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kaudit_bench::{Batch, Encoding, JOB, Worker};

/// The records' length: as they are made, and longer.
const SIZES: [(&str, usize, usize); 4] =
    [("as-made", 0, 200), ("2K", 2_000, 100), ("30K", 30_000, 20), ("1M", 1_000_000, 2)];

/// An integration that takes none of the records, which says so by a finding's kind or first word.
const NOBODY: &str = r#"
integrations:
  - type: detections
    target: {target-type: http-api, http-api-uri: "https://ingress.eu2.coralogix.com/logs/v1/singles"}
    data-filter: {etype: [cluster], entity-match: '^nobody$'}
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
                ("recognise", &dropped, NOBODY, 0),
                ("dropped", &dropped, JOB, 0),
                ("kept-unlimited", &kept, &unlimited(), count),
                ("kept", &kept, JOB, count),
            ] {
                let mut worker = Worker::new(job);
                group.bench_function(BenchmarkId::new(step, size), |bencher| {
                    bencher.iter(|| worker.all(black_box(batch)));
                });
                assert_eq!(worker.all(batch), leave, "{step}: all have one fate to the end");
            }
        }
    }
}

/// The job without its limits.
fn unlimited() -> String {
    JOB.replace(", rate-limit: 100000", "")
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(30);
    targets = engine
}
criterion_main!(benches);
