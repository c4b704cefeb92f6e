//! How the cost of a record grows with the work: integrations, entities, rules, and the record's length.

#![forbid(unsafe_code)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kaudit_bench::records::{Profile, Records, START_MS};
use kaudit_bench::{AUDIT_JOB, Batch, Encoding, JOB, Worker, job_of, policy_of, selections};

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

/// From one rule to a thousand, none of which selects an event of the machines.
fn rules(criterion: &mut Criterion) {
    let batch = machines(Profile::AuditMetadata, 0, 200);
    let mut group = criterion.benchmark_group("scaling-rules");
    group.throughput(Throughput::Elements(batch.records.len() as u64));
    for count in [1, 3, 10, 30, 100, 300, 1000] {
        let mut worker = Worker::with_policy(AUDIT_JOB, &policy_of(count));
        assert_eq!(worker.all(&batch), 0);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| worker.all(&batch));
        });
    }
}

/// Returns events of the kubelets, which the default policy does not select.
fn machines(profile: Profile, bytes: usize, count: usize) -> Batch {
    let kubelet = |text: &str| text.contains(r#""username":"system:node:"#);
    Batch::events(profile, ENCODING, false, bytes, count, kubelet)
}

/// The lengths of events.
const EVENT_BYTES: [usize; 6] = [500, 1_000, 3_000, 10_000, 30_000, 100_000];

/// Events of kubelets, which the metadata decides, from those without a body to 100 kB.
fn event_length(criterion: &mut Criterion) {
    let batch = |bytes| match bytes {
        500 => short_events(),
        1_000 => machines(Profile::AuditMetadata, 0, 200),
        _ => machines(Profile::AuditBodies, bytes, (1_000_000 / bytes).min(200)),
    };
    dropped_events(criterion, "scaling-event-bytes", &EVENT_BYTES, &batch);
}

/// Deployments that an operator updates: the rules over bodies decide.
fn body_length(criterion: &mut Criterion) {
    let operator = |text: &str| text.contains("payments-operator") && text.contains(r#""verb":"update""#);
    let batch = |bytes: usize| {
        let count = (1_000_000 / bytes).min(200);
        Batch::events(Profile::AuditBodies, ENCODING, false, bytes, count, operator)
    };
    dropped_events(criterion, "scaling-body-bytes", &EVENT_BYTES[2..], &batch);
}

/// Measures batches of events that the default policy drops.
fn dropped_events(criterion: &mut Criterion, name: &str, lengths: &[usize], batch: &dyn Fn(usize) -> Batch) {
    let mut group = criterion.benchmark_group(name);
    for &bytes in lengths {
        let batch = batch(bytes);
        let mut worker = Worker::new(AUDIT_JOB);
        assert_eq!(worker.all(&batch), 0);
        group.throughput(Throughput::Elements(batch.records.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| worker.all(&batch));
        });
    }
}

/// Lease updates of 500 bytes, without annotations.
fn short_events() -> Batch {
    let event = |number: u64| {
        let text = format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{number:036}","stage":"ResponseComplete","requestURI":"/apis/coordination.k8s.io/v1/leases","verb":"update","user":{{"username":"system:node:worker-{number:03}"}},"sourceIPs":["10.0.0.1"],"userAgent":"kubelet/v1.34.2 (linux/amd64) kubernetes/8cc511e","objectRef":{{"resource":"leases","apiGroup":"coordination.k8s.io"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-03-01T00:00:00.000000Z"}}"#
        );
        assert!((480..520).contains(&text.len()), "{}", text.len());
        ENCODING.of(&text)
    };
    Batch { encoding: ENCODING, records: (0..200).map(event).collect() }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(30);
    targets = integrations, entities, length, rules, event_length, body_length
}
criterion_main!(benches);
