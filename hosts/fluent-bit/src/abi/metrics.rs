//! Counters and gauges in the agent's own endpoint, by `cmt_counter.h` and `cmt_gauge.h`.
//!
//! `cmt`, the metrics of the filter's instance, is created before `cb_init` and destroyed after `cb_exit`. Its series
//! are read by other threads, in 3.2 without a lock: a series may be created in `cb_init` only.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::NonNull;

use super::symbols::function;

type Create = unsafe extern "C" fn(
    cmt: *mut c_void,
    namespace: *const c_char,
    subsystem: *const c_char,
    name: *const c_char,
    help: *const c_char,
    labels: c_int,
    names: *mut *const c_char,
) -> *mut c_void;
type Set = unsafe extern "C" fn(
    metric: *mut c_void,
    timestamp: u64,
    value: f64,
    labels: c_int,
    values: *mut *const c_char,
) -> c_int;

/// The metrics of an instance.
#[derive(Clone, Copy)]
pub struct Cmetrics {
    cmt: NonNull<c_void>,
    now: unsafe extern "C" fn() -> u64,
    counter: (Create, Set),
    gauge: (Create, Set),
}

/// One metric of an instance.
#[derive(Clone, Copy)]
pub struct Metric {
    raw: NonNull<c_void>,
    set: Set,
    now: unsafe extern "C" fn() -> u64,
}

// SAFETY: the host keeps the metrics until after `exit`; the values of existing series are set atomically.
unsafe impl Send for Cmetrics {}
// SAFETY: as above.
unsafe impl Send for Metric {}

impl Cmetrics {
    /// Returns the metrics of an instance's `cmt`; `None`: the host does not export the functions.
    ///
    /// # Safety
    /// `cmt` is the instance's `struct cmt *`.
    pub unsafe fn new(cmt: NonNull<c_void>) -> Option<Self> {
        // SAFETY: the headers declare the same signatures in 2.2 to 5.1.
        unsafe {
            Some(Self {
                cmt,
                now: function(c"cfl_time_now")?,
                counter: (function(c"cmt_counter_create")?, function(c"cmt_counter_set")?),
                gauge: (function(c"cmt_gauge_create")?, function(c"cmt_gauge_set")?),
            })
        }
    }

    /// Creates a counter or a gauge; `None`: the host has no memory, or a metric of this name.
    pub fn create(
        self,
        namespace: &CStr,
        name: &CStr,
        help: &CStr,
        labels: &[CString],
        is_gauge: bool,
    ) -> Option<Metric> {
        let (create, set) = if is_gauge { self.gauge } else { self.counter };
        let mut names: Vec<*const c_char> = labels.iter().map(|label| label.as_ptr()).collect();
        let count = c_int::try_from(names.len()).ok()?;
        // SAFETY: `cmt` is valid until `exit`; the host copies the strings, which end with zeros.
        let raw = unsafe {
            let subsystem = c"".as_ptr();
            create(
                self.cmt.as_ptr(),
                namespace.as_ptr(),
                subsystem,
                name.as_ptr(),
                help.as_ptr(),
                count,
                names.as_mut_ptr(),
            )
        };
        Some(Metric { raw: NonNull::new(raw)?, set, now: self.now })
    }
}

impl Metric {
    /// Sets the value of a series, which begins with the first call for its label values.
    pub fn set(self, labels: &[CString], value: u64) {
        let mut values: Vec<*const c_char> = labels.iter().map(|label| label.as_ptr()).collect();
        let count = c_int::try_from(values.len()).unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "cmetrics has doubles; counts up to 2^53 are exact")]
        let value = value as f64;
        // SAFETY: the metric is valid until `exit`, and has this number of labels; the host copies the strings.
        unsafe { (self.set)(self.raw.as_ptr(), (self.now)(), value, count, values.as_mut_ptr()) };
    }
}
