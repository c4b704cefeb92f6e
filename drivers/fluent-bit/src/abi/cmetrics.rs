//! Fluent Bit's metrics: counters and gauges with labels, as lib/cmetrics has them.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `struct cmt`: the metrics of one instance.
#[derive(Default)]
pub struct Cmt {
    #[expect(clippy::vec_box, reason = "the plugin has pointers to them")]
    metrics: Mutex<Vec<Box<Metric>>>,
    /// Whether series may be created: only while the instance is initialised.
    sealed: Mutex<bool>,
}

/// A counter or a gauge.
struct Metric {
    owner: *const Cmt,
    name: String,
    labels: Vec<String>,
    is_counter: bool,
    series: Mutex<BTreeMap<Vec<String>, f64>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cmt {
    /// Forbids new series: 3.2 reads them in another thread without a lock.
    pub fn seal(&self) {
        *locked(&self.sealed) = true;
    }

    /// Returns the values by series: `kaudit_records_total{name="kaudit.0",verdict="passed"}`.
    pub fn values(&self) -> BTreeMap<String, u64> {
        let mut values = BTreeMap::new();
        for metric in &*locked(&self.metrics) {
            for (labels, value) in &*locked(&metric.series) {
                let labels = metric.labels.iter().zip(labels).filter(|(_, value)| !value.is_empty());
                let labels: Vec<_> = labels.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "values are counts"
                )]
                values.insert(format!("{}{{{}}}", metric.name, labels.join(",")), *value as u64);
            }
        }
        values
    }
}

/// Copies an array of strings.
unsafe fn strings(start: *mut *const c_char, count: c_int) -> Vec<String> {
    let count = usize::try_from(count).expect("a number of labels");
    // SAFETY: the caller passes an array of this length with strings.
    unsafe { (0..count).map(|at| text(*start.add(at))).collect() }
}

unsafe fn text(start: *const c_char) -> String {
    // SAFETY: the caller passes a string.
    unsafe { CStr::from_ptr(start) }.to_str().expect("UTF-8").to_owned()
}

unsafe fn create(
    cmt: *mut c_void,
    (namespace, subsystem, name): (*const c_char, *const c_char, *const c_char),
    (labels, names): (c_int, *mut *const c_char),
    is_counter: bool,
) -> *mut c_void {
    // SAFETY: the plugin passes the pointer in its instance, three strings, and an array of strings.
    let (cmt, parts, labels) = unsafe {
        let parts = [text(namespace), text(subsystem), text(name)];
        (&*cmt.cast::<Cmt>(), parts, strings(names, labels))
    };
    let name = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("_");
    let mut metrics = locked(&cmt.metrics);
    assert!(metrics.iter().all(|metric| metric.name != name), "{name} is created twice");
    let metric = Metric { owner: cmt, name, labels, is_counter, series: Mutex::default() };
    metrics.push(Box::new(metric));
    metrics.last().map_or(ptr::null_mut(), |metric| (&raw const **metric).cast_mut().cast())
}

unsafe fn set(metric: *mut c_void, value: f64, labels: c_int, values: *mut *const c_char) -> c_int {
    // SAFETY: the plugin passes a metric that `create` returned, and an array of strings.
    let (metric, labels) = unsafe { (&*metric.cast::<Metric>(), strings(values, labels)) };
    assert_eq!(labels.len(), metric.labels.len(), "{}: one value for each label", metric.name);
    // SAFETY: the metrics exist as long as their owner.
    let sealed = *locked(unsafe { &(*metric.owner).sealed });
    let mut series = locked(&metric.series);
    let before = series.insert(labels, value);
    assert!(before.is_some() || !sealed, "{}: a new series after the start", metric.name);
    let decreased = metric.is_counter && before.is_some_and(|before| before > value);
    assert!(!decreased, "{}: a counter decreases", metric.name);
    0
}

/// As in cmetrics.
#[unsafe(no_mangle)]
unsafe extern "C" fn cmt_counter_create(
    cmt: *mut c_void,
    namespace: *const c_char,
    subsystem: *const c_char,
    name: *const c_char,
    _help: *const c_char,
    labels: c_int,
    names: *mut *const c_char,
) -> *mut c_void {
    // SAFETY: the plugin's promise.
    unsafe { create(cmt, (namespace, subsystem, name), (labels, names), true) }
}

/// As in cmetrics.
#[unsafe(no_mangle)]
unsafe extern "C" fn cmt_gauge_create(
    cmt: *mut c_void,
    namespace: *const c_char,
    subsystem: *const c_char,
    name: *const c_char,
    _help: *const c_char,
    labels: c_int,
    names: *mut *const c_char,
) -> *mut c_void {
    // SAFETY: the plugin's promise.
    unsafe { create(cmt, (namespace, subsystem, name), (labels, names), false) }
}

/// As in cmetrics.
#[unsafe(no_mangle)]
unsafe extern "C" fn cmt_counter_set(
    metric: *mut c_void,
    _timestamp: u64,
    value: f64,
    labels: c_int,
    values: *mut *const c_char,
) -> c_int {
    // SAFETY: the plugin's promise.
    unsafe { set(metric, value, labels, values) }
}

/// As in cmetrics.
#[unsafe(no_mangle)]
unsafe extern "C" fn cmt_gauge_set(
    metric: *mut c_void,
    _timestamp: u64,
    value: f64,
    labels: c_int,
    values: *mut *const c_char,
) -> c_int {
    // SAFETY: the plugin's promise.
    unsafe { set(metric, value, labels, values) }
}

/// As in cmetrics.
#[unsafe(no_mangle)]
extern "C" fn cfl_time_now() -> u64 {
    0
}
