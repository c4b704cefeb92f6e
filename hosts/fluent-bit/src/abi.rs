//! Fluent Bit's C interface: the raw declarations, and safe types around them.
//!
//! All of the plugin's `unsafe` is in this file.
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

mod export;

use std::any::Any;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Mutex, PoisonError};

use kaudit_filter::Time;
use kaudit_filter::entry::Out;

use crate::chunk::Outcome;

// ---- Raw declarations, by include/fluent-bit/flb_filter.h ----------------------------------------------------------

/// `struct mk_list`: a link of a circular list.
#[repr(C)]
struct List {
    prev: *const List,
    next: *const List,
}

/// `struct flb_kv`: one property.
#[repr(C)]
struct Property {
    key: *const c_char,
    value: *const c_char,
    link: List,
}

/// The beginning of `struct flb_filter_instance`, the same in 2.2 to 5.1 in builds with regular expressions.
#[repr(C)]
struct RawInstance {
    event_type: c_int,
    id: c_int,
    log_level: c_int,
    log_suppress_interval: c_int,
    name: [c_char; 32],
    alias: *const c_char,
    tag_match: *const c_char,
    tag_match_regex: *const c_void,
    parent_processor: *const c_void,
    context: *const c_void,
    data: *const c_void,
    plugin: *const c_void,
    properties: List,
}

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
    assert!(offset_of!(RawInstance, context) == 80);
    assert!(offset_of!(RawInstance, properties) == 104);
    assert!(offset_of!(Property, link) == 16);
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

/// `struct flb_time`.
#[repr(C)]
struct RawTime {
    seconds: i64,
    nanoseconds: i64,
}

// SAFETY: Fluent Bit's executable exports these functions with these signatures, 2.2 to 5.1.
unsafe extern "C" {
    fn flb_filter_get_property(key: *const c_char, instance: *const RawInstance) -> *const c_char;
    fn flb_filter_set_context(instance: *const RawInstance, context: *const c_void);
    fn flb_filter_name(instance: *const RawInstance) -> *const c_char;
    fn flb_log_print(level: c_int, file: *const c_char, line: c_int, format: *const c_char, ...);
    fn flb_time_get(time: *mut RawTime) -> c_int;
}

// ---- The callbacks: pointers become safe types, and panics are caught -----------------------------------------------

/// A plugin's callbacks, in safe types.
pub trait Plugin: Sized + Send {
    /// `cb_init`; `None`: the host must not start, and the log contains the reason.
    fn start(host: Instance) -> Option<Self>;
    /// `cb_filter`: writes the chunk's replacement to `out`.
    fn filter(&mut self, chunk: &[u8], now: Time, out: &mut Buffer) -> Outcome;
    /// [`Plugin::filter`] panicked, and the chunk passed.
    fn failed(&mut self, message: &str);
    /// `cb_exit`.
    fn stop(self);
}

/// The argument of `flb_filter_set_context`: the plugin's state.
///
/// It is locked, because a processor may call from other threads than the one that ran `cb_init`.
type Context<P> = Mutex<P>;

unsafe extern "C" fn init<P: Plugin>(
    instance: *const RawInstance,
    _config: *const c_void,
    _data: *const c_void,
) -> c_int {
    let Some(instance) = Instance::new(instance) else { return -1 };
    match guarded(|| P::start(instance)) {
        Ok(Some(plugin)) => {
            let context = Box::into_raw(Box::new(Context::<P>::new(plugin)));
            // SAFETY: the instance is the one that the host is initialising. The context stays valid until `exit`.
            unsafe { flb_filter_set_context(instance.raw.as_ptr(), context.cast()) };
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
    _tag: *const c_char,
    _tag_length: c_int,
    out_data: *mut *mut c_void,
    out_bytes: *mut usize,
    _instance: *const RawInstance,
    _input: *const c_void,
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
    let mut plugin = context.lock().unwrap_or_else(PoisonError::into_inner);
    // An entry is about 1.5 times as long as its finding.
    let mut out = Buffer::of(bytes.saturating_add(bytes / 2));
    let outcome = guarded(|| plugin.filter(chunk, now(), &mut out)).unwrap_or_else(|message| {
        let _ = guarded(|| plugin.failed(&message));
        Outcome::Untouched
    });
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

unsafe extern "C" fn exit<P: Plugin>(context: *mut c_void, _config: *const c_void) -> c_int {
    if !context.is_null() {
        // SAFETY: the context is the one that `init` made; the host calls `exit` once, and nothing after it.
        let context = unsafe { Box::from_raw(context.cast::<Context<P>>()) };
        let _ = guarded(|| context.into_inner().unwrap_or_else(PoisonError::into_inner).stop());
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

// ---- The safe types -------------------------------------------------------------------------------------------------

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
}

// SAFETY: the host keeps the instance until after `exit`, and its logging and reading of properties are not bound to
// a thread.
unsafe impl Send for Instance {}

impl Instance {
    /// Takes the pointer that `cb_init` is given.
    fn new(raw: *const RawInstance) -> Option<Self> {
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
        Some(Self { raw, known })
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
unsafe fn text(start: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned())
}

/// The host's clock.
fn now() -> Time {
    let mut time = RawTime { seconds: 0, nanoseconds: 0 };
    // SAFETY: the host writes a `struct timespec` of two 64-bit numbers.
    unsafe { flb_time_get(&raw mut time) };
    Time::from_nanos(time.seconds.saturating_mul(1_000_000_000).saturating_add(time.nanoseconds))
}

/// Bytes that the host will free: allocated by the C library, and growing by doubling.
///
/// If memory runs out, [`Buffer::failed`] returns it at the end; the process is not aborted.
///
/// Decision: the first allocation is for a whole chunk of entries, since a buffer that grows from zero is copied once
/// more. Pages that are not written to take no memory.
pub struct Buffer {
    least: usize,
    start: *mut u8,
    length: usize,
    capacity: usize,
    failed: bool,
}

impl Buffer {
    /// Returns an empty buffer, whose first allocation will have at least `least` bytes.
    fn of(least: usize) -> Self {
        Self { least, start: ptr::null_mut(), length: 0, capacity: 0, failed: false }
    }

    /// Returns whether memory ran out, so that bytes are missing.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Reserves `more` further bytes; returns whether there is enough memory.
    pub fn reserve(&mut self, more: usize) -> bool {
        more <= self.capacity - self.length || self.grow(more)
    }

    #[cold]
    fn grow(&mut self, more: usize) -> bool {
        let needed = self.length.checked_add(more).filter(|_| !self.failed);
        let grown = needed.and_then(|needed| {
            let ample = needed.max(self.capacity.saturating_mul(2)).max(self.least);
            [ample, needed].into_iter().find_map(|capacity| {
                // SAFETY: `start` is null or was allocated here, and nothing else refers to it.
                let start = unsafe { libc::realloc(self.start.cast(), capacity) };
                (!start.is_null()).then_some((start.cast(), capacity))
            })
        });
        if let Some((start, capacity)) = grown {
            (self.start, self.capacity) = (start, capacity);
        } else {
            // Nothing is written any more, of any length.
            (self.failed, self.capacity) = (true, self.length);
        }
        grown.is_some()
    }

    /// Hands the bytes over to the host, which frees them.
    fn into_raw(self) -> (*mut u8, usize) {
        let raw = (self.start, self.length);
        std::mem::forget(self);
        raw
    }
}

impl Out for Buffer {
    fn put(&mut self, bytes: &[u8]) {
        if self.reserve(bytes.len()) {
            // SAFETY: `reserve` ensured space for the bytes after the first `length`; no slice of this memory exists.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.length), bytes.len()) };
            self.length += bytes.len();
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `start` is null or was allocated here and not handed over.
        unsafe { libc::free(self.start.cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin that panics in every callback.
    struct Broken;

    static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn logged() -> Vec<String> {
        std::mem::take(&mut *LOG.lock().expect("nothing panics with the lock"))
    }

    impl Plugin for Broken {
        fn start(host: Instance) -> Option<Self> {
            assert!(host.property(c"start").is_some(), "at the start");
            Some(Self)
        }

        fn filter(&mut self, chunk: &[u8], _: Time, out: &mut Buffer) -> Outcome {
            out.put(chunk);
            panic!("at byte {}", chunk.len());
        }

        fn failed(&mut self, message: &str) {
            LOG.lock().expect("a lock").push(message.to_owned());
            panic!("again");
        }

        fn stop(self) {
            panic!("at the end");
        }
    }

    #[test]
    fn panics_are_caught() {
        let mut instance = std::mem::MaybeUninit::<RawInstance>::zeroed();
        let raw: *const RawInstance = instance.as_mut_ptr();
        let (mut out, mut length) = (ptr::null_mut(), 0);
        let (chunk, none) = ([0_u8; 7], ptr::null());
        // SAFETY: the arguments of the callbacks are the host's; zeros are a valid instance.
        unsafe {
            assert_eq!(init::<Broken>(ptr::null(), none, none), -1, "no instance");
            assert_eq!(init::<Broken>(raw, none, none), -1);
            assert_eq!(logged(), Vec::<String>::new(), "log_level is off");
            (*instance.as_mut_ptr()).log_level = 1;
            assert_eq!(init::<Broken>(raw, none, none), -1);
            assert_eq!(logged(), ["[filter:kaudit:broken.0] failed to start: at the start"]);
            assert!((*raw).context.is_null(), "the host would call `cb_exit`");

            (*instance.as_mut_ptr()).data = raw.cast();
            assert_eq!(init::<Broken>(raw, none, none), 0);
            let context = (*raw).context.cast_mut();
            for _ in 0..2 {
                let (data, tag) = (chunk.as_ptr().cast(), c"tag".as_ptr());
                let (out, length) = (&raw mut out, &raw mut length);
                let code = filter::<Broken>(data, 7, tag, 3, out, length, raw, none, context, none);
                assert_eq!(code, NOT_TOUCHED, "the chunk passes");
                assert_eq!(logged(), ["at byte 7"]);
            }
            assert!(out.is_null() && length == 0);
            assert_eq!(exit::<Broken>(context, none), 0);
        }
    }

    #[test]
    fn exhausted_memory_is_reported() {
        let mut buffer = Buffer::of(2);
        buffer.put(b"text");
        buffer.reserve(usize::MAX / 2);
        assert!(buffer.failed());
        buffer.put(b"more");
        assert_eq!(buffer.length, 4, "nothing is written any more");
    }

    // The host's functions that the test needs: an option is set if the instance has `data`.

    #[unsafe(no_mangle)]
    unsafe extern "C" fn flb_filter_get_property(_: *const c_char, raw: *const RawInstance) -> *const c_char {
        // SAFETY: the test passes its instance.
        if unsafe { (*raw).data.is_null() } { ptr::null() } else { c"set".as_ptr() }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn flb_filter_set_context(raw: *mut RawInstance, context: *const c_void) {
        // SAFETY: the test passes its instance.
        unsafe { (*raw).context = context };
    }

    #[unsafe(no_mangle)]
    extern "C" fn flb_filter_name(_: *const RawInstance) -> *const c_char {
        c"broken.0".as_ptr()
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn flb_log_print(
        _: c_int,
        _: *const c_char,
        _: c_int,
        _: *const c_char,
        line: *const c_char,
    ) {
        // SAFETY: the format is `%s`.
        LOG.lock().expect("a lock").extend(unsafe { text(line) });
    }

    #[unsafe(no_mangle)]
    extern "C" fn flb_time_get(_: *mut RawTime) -> c_int {
        0
    }
}
