//! Fluent Bit's C interface: the raw declarations, and safe types around them.
//!
//! All of the plugin's `unsafe` is in this module.
//!
//! Fluent Bit opens `flb-filter_kaudit.so`, looks up the data symbol `filter_kaudit_plugin` and copies as many bytes of
//! it as its own `struct flb_filter_plugin` has. The structure grew at its end only, since 2.2 (which inserted
//! `cb_pre_run`), so one layout, followed by zeros, serves 2.2 and every later release.
//!
//! Decision: no `config_map`. Its array's stride changed in patch release 5.0.3, so an array built for one side is
//! misread on the other; and the host's check of options stops at the first unknown one, while the plugin reports every
//! mistake at once. The plugin therefore reads the instance's own list of properties ([`Instance::properties`]), and
//! only if that structure proves to be the one declared here.

#![expect(unsafe_code, reason = "Fluent Bit's interface is in C")]

mod buffer;
mod emitter;
mod export;
mod instance;
mod log_groups;
mod metrics;
mod raw;
mod service;
mod symbols;
#[cfg(test)]
mod tests;
mod timer;

use std::any::Any;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kaudit_filter::Time;
use kaudit_filter::entry::Out as _;

use crate::chunk::Outcome;

pub use buffer::Buffer;
use emitter::Emitter;
pub use emitter::{OwnEvents, Sent};
use instance::now;
pub use instance::{Instance, Level};
pub use log_groups::{LogGroups, log_groups};
pub use metrics::{Cmetrics, Metric};
use raw::{List, RawInstance};
use service::flush_interval;
use timer::Timer;

// ---- Raw declarations, by include/fluent-bit/flb_filter.h ----------------------------------------------------------

type Setup = unsafe extern "C" fn(*const RawInstance, *const c_void, *const c_void) -> c_int;
type Exit = unsafe extern "C" fn(*mut c_void, *const c_void) -> c_int;
type Run = unsafe extern "C" fn(
    data: *const c_void,
    bytes: usize,
    tag: *const c_char,
    tag_length: c_int,
    out_data: *mut *mut c_void,
    out_bytes: *mut usize,
    instance: *const RawInstance,
    input: *const c_void,
    context: *mut c_void,
    config: *const c_void,
) -> c_int;

/// `struct flb_filter_plugin` of 3.2 and later; 2.2 to 3.1 have no `cb_notification`. In 2.2 and later the host's copy
/// ends with a list's head that the host fills in.
#[repr(C)]
pub struct RawPlugin {
    event_type: c_int,
    flags: c_int,
    name: *const c_char,
    description: *const c_char,
    config_map: *const c_void,
    cb_pre_run: Option<Setup>,
    cb_init: Option<Setup>,
    cb_filter: Option<Run>,
    cb_exit: Option<Exit>,
    cb_notification: Option<Setup>,
    /// The list's head, and space for callbacks that a later release may add; null means "none".
    zeros: [usize; 8],
}

// The two supported generations: the fields that the plugin sets have the same offsets in both, and zeros follow them.
const SIZE_2_2: usize = 80;
const SIZE_3_2: usize = 88;
const _: () = {
    assert!(size_of::<usize>() == 8, "the layouts below are for 64-bit systems");
    assert!(offset_of!(RawPlugin, name) == 8);
    assert!(offset_of!(RawPlugin, config_map) == 24);
    assert!(offset_of!(RawPlugin, cb_init) == 40);
    assert!(offset_of!(RawPlugin, cb_filter) == 48);
    assert!(offset_of!(RawPlugin, cb_exit) == 56);
    assert!(offset_of!(RawPlugin, cb_notification) == SIZE_2_2 - size_of::<List>());
    assert!(offset_of!(RawPlugin, zeros) == SIZE_3_2 - size_of::<List>());
    assert!(size_of::<RawPlugin>() >= SIZE_3_2);
};

impl RawPlugin {
    /// Returns the description of a plugin.
    const fn of<P: Plugin>() -> Self {
        Self {
            event_type: LOGS,
            flags: 0,
            name: c"kaudit".as_ptr(),
            description: c"Alcide kAudit findings as Coralogix log entries".as_ptr(),
            config_map: ptr::null(),
            cb_pre_run: None,
            cb_init: Some(init::<P>),
            cb_filter: Some(filter::<P>),
            cb_exit: Some(exit::<P>),
            cb_notification: None,
            zeros: [0; 8],
        }
    }
}

// SAFETY: the structure is never written to; its pointers are to constants and functions.
unsafe impl Sync for RawPlugin {}

/// `FLB_FILTER_LOGS`.
const LOGS: c_int = 1;
/// `FLB_FILTER_MODIFIED`: the output replaces the chunk; no output drops it.
const MODIFIED: c_int = 1;
/// `FLB_FILTER_NOTOUCH`: the chunk stays as it is.
const NOT_TOUCHED: c_int = 2;

// ---- The callbacks: pointers become safe types, and panics are caught -----------------------------------------------

/// A plugin's callbacks, in safe types.
pub trait Plugin: Sized + Send {
    /// `cb_init`; `None`: the host must not start, and the log contains the reason.
    fn start(host: Instance, now: Time) -> Option<Self>;
    /// `cb_filter`: writes the chunk's replacement to `out`.
    fn filter(&mut self, chunk: &[u8], tag: &CStr, now: Time, out: &mut Buffer) -> Outcome;
    /// [`Plugin::filter`] panicked, and the chunk passed.
    fn failed(&mut self, message: &str);
    /// Whether [`Plugin::due`] is to be called between chunks.
    fn has_emitter(&self) -> bool;
    /// A second has passed.
    fn tick(&mut self, now: Time);
    /// The events that are due, perhaps none, after [`Plugin::tick`]; `None`: there will be none.
    fn due(&mut self, now: Time) -> Option<OwnEvents>;
    /// The events of [`Plugin::due`] were sent or not.
    fn sent(&mut self, sent: Sent);
    /// `cb_exit`.
    fn stop(self, now: Time);
}

/// The argument of `flb_filter_set_context`.
struct Context<P> {
    /// The plugin's state. It is locked, because a processor may call from other threads than the one that ran
    /// `cb_init`.
    plugin: Mutex<P>,
    /// `None`: everything waits for the next chunk.
    timer: Option<Timer>,
    /// `None`: the plugin's own events leave with a chunk.
    emitter: Option<Emitter>,
}

impl<P> Context<P> {
    fn plugin(&self) -> MutexGuard<'_, P> {
        self.plugin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

unsafe extern "C" fn init<P: Plugin>(
    instance: *const RawInstance,
    config: *const c_void,
    _data: *const c_void,
) -> c_int {
    // SAFETY: the host passes its configuration, or null.
    let flush = unsafe { flush_interval(config) };
    let Some(instance) = Instance::new(instance, flush) else { return -1 };
    match guarded(|| P::start(instance, now())) {
        Ok(Some(plugin)) => {
            let timer = instance.timer();
            let emitter = plugin.has_emitter().then(|| {
                timer.as_ref().map_err(|reason| *reason)?;
                // SAFETY: the host passes its configuration, and waits for this call.
                unsafe { Emitter::new(config, &instance.name()) }
            });
            if let Some(Err(reason)) = &emitter {
                let line = format!("summaries and reports leave with the next chunk: {reason}");
                instance.log(Level::Info, &line);
            }
            let (timer, emitter) = (timer.ok(), emitter.and_then(Result::ok));
            let context = Box::into_raw(Box::new(Context { plugin: Mutex::new(plugin), timer, emitter }));
            // SAFETY: the instance is the one that the host is initialising. The context stays valid until `exit`,
            // which stops the timer first.
            unsafe {
                instance.set_context(context.cast());
                if let Some(timer) = &(*context).timer
                    && !timer.start(tick::<P>, context.cast())
                {
                    instance
                        .log(Level::Warn, "no timer: summaries, reports and metrics wait for the next chunk");
                }
            }
            0
        }
        Ok(None) => -1,
        Err(message) => {
            instance.log(Level::Error, &format!("failed to start: {message}"));
            -1
        }
    }
}

unsafe extern "C" fn filter<P: Plugin>(
    data: *const c_void,
    bytes: usize,
    tag: *const c_char,
    _tag_length: c_int,
    out_data: *mut *mut c_void,
    out_bytes: *mut usize,
    _instance: *const RawInstance,
    input: *const c_void,
    context: *mut c_void,
    _config: *const c_void,
) -> c_int {
    if data.is_null() || context.is_null() || out_data.is_null() || out_bytes.is_null() {
        return NOT_TOUCHED;
    }
    // SAFETY: the context is the one that `init` made; the host passes it to no call after `exit`.
    let context = unsafe { &*context.cast::<Context<P>>() };
    // SAFETY: the host owns `bytes` readable bytes at `data` and changes none of them during the call.
    let chunk = unsafe { slice::from_raw_parts(data.cast::<u8>(), bytes) };
    // An entry is about 1.5 times as long as its finding.
    let mut out = Buffer::of(bytes.saturating_add(bytes / 2));
    let own = context.emitter.as_ref().and_then(|emitter| emitter.arrived(input));
    let outcome = if let Some(own) = own {
        out.put(&own);
        // Without memory the events stay as they arrived: the filters before this one may have changed them.
        if own.is_empty() || out.failed() { Outcome::Untouched } else { Outcome::Replaced }
    } else {
        // SAFETY: the host passes a string with a zero at its end.
        let tag = if tag.is_null() { c"" } else { unsafe { CStr::from_ptr(tag) } };
        let mut plugin = context.plugin();
        guarded(|| plugin.filter(chunk, tag, now(), &mut out)).unwrap_or_else(|message| {
            let _ = guarded(|| plugin.failed(&message));
            Outcome::Untouched
        })
    };
    let (start, length) = match outcome {
        Outcome::Untouched => return NOT_TOUCHED,
        Outcome::Dropped => (ptr::null_mut(), 0),
        Outcome::Replaced => out.into_raw(),
    };
    // SAFETY: the host passes two pointers for the result, not null as checked above.
    unsafe {
        *out_data = start.cast();
        *out_bytes = length;
    }
    MODIFIED
}

/// The timer's callback.
unsafe extern "C" fn tick<P: Plugin>(_config: *mut c_void, context: *mut c_void) {
    // SAFETY: the context is the one that `init` made; `exit` stops the timer before it frees the context. Only shared
    // references exist, since the emitter calls `filter`.
    let context = unsafe { &*context.cast::<Context<P>>() };
    let _ = guarded(|| context.plugin().tick(now()));
    let Some(emitter) = context.emitter.as_ref().filter(|emitter| !emitter.has_failed()) else { return };
    let due = guarded(|| context.plugin().due(now()));
    let Ok(Some(OwnEvents { tag, events })) = due else { return };
    // The plugin is not locked now: the host calls `filter`.
    let sent = emitter.send(&tag, events);
    let _ = guarded(|| context.plugin().sent(sent));
}

unsafe extern "C" fn exit<P: Plugin>(context: *mut c_void, _config: *const c_void) -> c_int {
    if !context.is_null() {
        // SAFETY: the context is the one that `init` made; the host calls `exit` once, and nothing after it.
        let Context { plugin, timer, .. } = *unsafe { Box::from_raw(context.cast::<Context<P>>()) };
        timer.iter().for_each(Timer::stop);
        let plugin = plugin.into_inner().unwrap_or_else(PoisonError::into_inner);
        let _ = guarded(|| plugin.stop(now()));
    }
    0
}

/// Runs the plugin's own code; returns the message of a panic as an error.
///
/// The state that the code uses is plain data that a panic cannot leave invalid in the sense of the language, so it may
/// be used again.
fn guarded<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload: Box<dyn Any + Send>| {
        let text = payload.downcast_ref::<&str>().copied();
        text.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
    })
}
