//! How the cost of a record grows with the work: integrations, entities, and the record's length.

#![forbid(unsafe_code)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kaudit_bench::records::{Profile, Records, START_MS};
use kaudit_bench::{Batch, Encoding, JOB, Worker, job_of, selections};

const ENCODING: Encoding = Encoding::MsgPack;

/// From one integration to a thousand, of which the last accepts: each has patterns of its own.
fn integrations(criterion: &mut Criterion) {
    let batch = selections(200);
    let mut group = criterion.benchmark_group("scaling-integrations");
    group.throughput(Throughput::Elements(batch.records.len() as u64));
    for count in [1, 10, 100, 1000] {
        let mut worker = Worker::new(&job_of(count));
        assert_eq!(worker.all(&batch), batch.records.len());
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| worker.all(&batch));
        });
    }
}

/// From ten entities to a million, each with a limit of its own, all of them already in the limiter's table.
fn entities(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scaling-entities");
    for entities in [10, 1_000, 100_000, 1_000_000] {
        let mut worker = Worker::new(JOB);
        let mut records = Records::new(Profile::Selections, entities, 1);
        for text in records.by_ref().take(usize::try_from(entities).unwrap_or(usize::MAX)) {
            let record = Batch { encoding: ENCODING, records: vec![ENCODING.of(&text)] };
            worker.all(&record);
        }
        let records = records.take(2_000).map(|text| ENCODING.of(&text));
        let batch = Batch { encoding: ENCODING, records: records.collect() };
        group.throughput(Throughput::Elements(batch.records.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(entities), |bencher| {
            bencher.iter(|| worker.all(&batch));
        });
    }
}

/// From a short record to a megabyte.
fn length(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scaling-bytes");
    for bytes in [200, 1_000, 10_000, 100_000, 1_000_000] {
        let batch = match bytes {
            200 => short(),
            _ => Batch::of(ENCODING, true, bytes, (2_000_000 / bytes).min(200)),
        };
        let mut worker = Worker::new(JOB);
        assert_eq!(worker.all(&batch), batch.records.len());
        group.throughput(Throughput::Elements(batch.records.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| worker.all(&batch));
        });
    }
}

/// Records of 200 bytes of JSON, shorter than any that kAudit writes.
fn short() -> Batch {
    let record = |number: u64| {
        let time = START_MS + i64::try_from(number).unwrap_or(0);
        let head = format!(
            r#"{{"principal":"user-{number:03}@example.com","verb":"get","cluster":"prod-eu-1","time":{time},"id":"{number:036}","resource_type":"pods","resource_name":""#
        );
        let text = format!("{head}{:0>1$}\"}}", number, 198 - head.len());
        assert_eq!(text.len(), 200);
        ENCODING.of(&text)
    };
    Batch { encoding: ENCODING, records: (0..200).map(record).collect() }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(30);
    targets = integrations, entities, length
}
criterion_main!(benches);
