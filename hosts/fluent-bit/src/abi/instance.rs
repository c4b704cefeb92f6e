//! The host's side of one configured filter.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use kaudit_filter::Time;

use super::metrics::Cmetrics;
use super::raw::{
    List, Property, RawInstance, RawTime, flb_filter_get_property, flb_filter_name, flb_filter_set_context,
    flb_log_print, flb_time_get,
};
use super::timer::Timer;

/// The level of a log message; the numbers are `FLB_LOG_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Fluent Bit's own")]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
}

/// The host's side of one configured filter: its options and its log.
#[derive(Clone, Copy)]
pub struct Instance {
    raw: NonNull<RawInstance>,
    /// Whether the host's structure proved to be [`RawInstance`].
    known: bool,
    /// The interval in which the agent sends records, nanoseconds; `None`: it is not known.
    pub flush: Option<i64>,
}

// SAFETY: the host keeps the instance until after `exit`, and its logging and reading of properties are not bound to
// a thread.
unsafe impl Send for Instance {}

impl Instance {
    /// Takes the pointer that `cb_init` is given, and the agent's interval.
    pub fn new(raw: *const RawInstance, flush: Option<i64>) -> Option<Self> {
        /// Only its address is used.
        static PROBE: u8 = 0;
        let raw = NonNull::new(raw.cast_mut())?;
        let probe: *const c_void = (&raw const PROBE).cast();
        // SAFETY: the host stores the pointer and does nothing with it. It allocated the whole structure, which is far
        // longer than the declaration here, so the field can be read even if it is another one; the null pointer
        // restores it.
        let known = unsafe {
            flb_filter_set_context(raw.as_ptr(), probe);
            let known = (&raw const (*raw.as_ptr()).context).read() == probe;
            flb_filter_set_context(raw.as_ptr(), ptr::null());
            known
        };
        Some(Self { raw, known, flush })
    }

    /// Stores the argument of all later callbacks.
    ///
    /// # Safety
    /// The host passes it to `cb_filter` and `cb_exit`.
    pub unsafe fn set_context(&self, context: *const c_void) {
        // SAFETY: the host stores the pointer; the rest is the caller's promise.
        unsafe { flb_filter_set_context(self.raw.as_ptr(), context) };
    }

    /// An option's value, `${…}` already replaced by the host.
    pub fn property(&self, key: &CStr) -> Option<String> {
        // SAFETY: the instance is valid, see `Send`; the result is null or a string of the host's, copied at once.
        unsafe { text(flb_filter_get_property(key.as_ptr(), self.raw.as_ptr())) }
    }

    /// The names of all options that are set, in their order; `None`: this host's structure is not known.
    pub fn properties(&self) -> Option<Vec<String>> {
        if !self.known {
            return None;
        }
        let mut names = Vec::new();
        // SAFETY: the host has just stored a pointer where `context` is declared, so `properties` is where it is
        // declared too; the host's list is circular, each link but the head is inside a `Property`, and it does not
        // change while the host waits for `cb_init`.
        unsafe {
            let head = &raw const (*self.raw.as_ptr()).properties;
            let mut link = (*head).next;
            while link != head {
                let property = link.byte_sub(offset_of!(Property, link)).cast::<Property>();
                names.extend(text((*property).key));
                link = (*link).next;
            }
        }
        Some(names)
    }

    /// The instance's metrics; `None`: its structure is not known, or the host exports no functions for them.
    pub fn metrics(&self) -> Option<Cmetrics> {
        if !self.known {
            return None;
        }
        // SAFETY: the context proved to be where it is declared. The fields after it are read only up to `metrics`, and
        // the host allocated the whole structure, which is longer.
        let RawInstance { config_map, link: List { prev, next }, metrics, .. } = unsafe { self.raw.as_ref() };
        // The plugin has no options of its own for the host, and every instance is in a list: other values would mean
        // that the fields after `properties` are not those declared here.
        let is_aligned = metrics.addr() % align_of::<*const c_void>() == 0;
        let is_plausible = config_map.is_null() && !prev.is_null() && !next.is_null() && is_aligned;
        // SAFETY: as above.
        NonNull::new(*metrics).filter(|_| is_plausible).and_then(|metrics| unsafe { Cmetrics::new(metrics) })
    }

    /// Returns a timer.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn timer(&self) -> Result<Timer, &'static str> {
        if !self.known {
            return Err("the structures of this Fluent Bit are not known");
        }
        // SAFETY: where the structure is known, the field is a pointer.
        if !unsafe { (*self.raw.as_ptr()).parent_processor }.is_null() {
            return Err("the filter is a processor");
        }
        Timer::find().ok_or("this Fluent Bit does not export the functions of a timer")
    }

    /// The instance's alias, or its plugin's name and number.
    pub fn name(&self) -> String {
        // SAFETY: as in `property`.
        unsafe { text(flb_filter_name(self.raw.as_ptr())) }.unwrap_or_default()
    }

    /// Writes one line to the host's log, if the instance's `log_level` permits it.
    pub fn log(&self, level: Level, message: &str) {
        // SAFETY: the instance is valid, see `Send`; where the structure is known the field is an int.
        let wanted = !self.known || level as c_int <= unsafe { (*self.raw.as_ptr()).log_level };
        let line = format!("[filter:kaudit:{}] {message}", self.name()).replace(['\0', '\n', '\r'], " ");
        let Some(line) = CString::new(line).ok().filter(|_| wanted) else { return };
        // SAFETY: the format has exactly one string argument, which outlives the call.
        unsafe { flb_log_print(level as c_int, ptr::null(), 0, c"%s".as_ptr(), line.as_ptr()) };
    }
}

/// A copy of a C string.
///
/// # Safety
/// `start` is null or points to a string with a zero at its end.
pub unsafe fn text(start: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned())
}

/// The host's clock.
pub fn now() -> Time {
    let mut time = RawTime { seconds: 0, nanoseconds: 0 };
    // SAFETY: the host writes a `struct timespec` of two 64-bit numbers.
    unsafe { flb_time_get(&raw mut time) };
    Time::from_nanos(time.seconds.saturating_mul(1_000_000_000).saturating_add(time.nanoseconds))
}
