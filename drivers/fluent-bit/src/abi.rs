//! Fluent Bit's side of the plugin interface.
//!
//! It contains the structures in the layouts of its releases, the functions that its executable exports, and the calls
//! in Fluent Bit's order. All of the driver's `unsafe` is here.
//!
//! The layouts are offsets, from the headers of 2.2.3, 3.2.10 and 5.1.1, and not shared with the plugin, so that both
//! sides cannot contain the same mistake.

#![expect(unsafe_code, reason = "the plugin's interface is in C")]

mod cmetrics;
mod engine;
mod symbols;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use cmetrics::Cmt;
pub use engine::{Emitters, set_emitters};
use engine::{Timer, destroy_inputs, run_timer, take_timer};

/// The differences between releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `sizeof(struct flb_filter_plugin)`.
    plugin_bytes: usize,
    /// The offset of `context` in `struct flb_filter_instance`.
    ///
    /// A build without regular expressions lacks `match_regex` before it.
    context: usize,
    /// The functions that later releases export.
    later: &'static [&'static CStr],
}

/// The functions that are new since 2.2.
const SINCE_2_2: &[&CStr] = &[c"flb_log_event_decoder_read_groups", c"flb_router_config_parse"];
/// The function that is new since 3.2.
const SINCE_3_2: &[&CStr] = &[c"flb_router_config_parse"];

impl Layout {
    /// Layouts by name.
    pub const ALL: [(&str, Self); 4] = [
        ("2.2", Self { plugin_bytes: 80, context: 80, later: SINCE_2_2 }),
        ("3.2", Self { plugin_bytes: 88, context: 80, later: SINCE_3_2 }),
        ("3.2-no-regex", Self { plugin_bytes: 88, context: 72, later: SINCE_3_2 }),
        ("5.1", Self { plugin_bytes: 88, context: 80, later: &[] }),
    ];

    /// Returns the offset of the instance's list of properties.
    fn properties(self) -> usize {
        self.context + 24
    }

    /// Returns the offset of the instance's link in the list of all filters, after its config map.
    fn link(self) -> usize {
        self.properties() + 24
    }

    /// Returns the offset of the instance's metrics.
    fn metrics(self) -> usize {
        self.link() + 16
    }
}

/// The offset of `log_level` in `struct flb_filter_instance`.
const LOG_LEVEL: usize = 8;
/// The offsets of `config_map`, `cb_init`, `cb_filter` and `cb_exit` in `struct flb_filter_plugin`.
const CONFIG_MAP: usize = 24;
const CB_INIT: usize = 40;
const CB_FILTER: usize = 48;
const CB_EXIT: usize = 56;

/// `struct mk_list`.
#[repr(C)]
struct List {
    prev: *mut List,
    next: *mut List,
}

/// `struct flb_kv`.
#[repr(C)]
struct Property {
    key: *const c_char,
    value: *const c_char,
    link: List,
}

/// `struct flb_filter_instance` as bytes, followed by the driver's own data about it.
#[repr(C, align(8))]
struct RawInstance {
    bytes: [u8; 384],
    layout: Layout,
    options: Vec<(CString, CString)>,
    properties: Vec<Property>,
    metrics: Box<Cmt>,
}

type Init = unsafe extern "C" fn(*mut RawInstance, *const c_void, *const c_void) -> c_int;
type Exit = unsafe extern "C" fn(*mut c_void, *const c_void) -> c_int;
type Run = unsafe extern "C" fn(
    *const c_void,
    usize,
    *const c_char,
    c_int,
    *mut *mut c_void,
    *mut usize,
    *mut RawInstance,
    *const c_void,
    *mut c_void,
    *const c_void,
) -> c_int;

// ---- The functions that the executable exports ----------------------------------------------------------------------

static CLOCK: AtomicI64 = AtomicI64::new(0);
static LOG: Mutex<Vec<(i32, String)>> = Mutex::new(Vec::new());

/// Sets the clock that the plugin reads, nanoseconds since 1970.
pub fn set_clock(nanos: i64) {
    CLOCK.store(nanos, Ordering::Relaxed);
}

/// Returns and forgets the lines that the plugin logged, each with its `FLB_LOG_*`.
pub fn take_log() -> Vec<(i32, String)> {
    std::mem::take(&mut *LOG.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// As in Fluent Bit; keys are compared without regard to case.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_filter_get_property(
    key: *const c_char,
    instance: *const RawInstance,
) -> *const c_char {
    // SAFETY: the plugin passes a string, and the instance that it was given.
    let (key, options) = unsafe { (CStr::from_ptr(key), &(*instance).options) };
    let found = options.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(key.to_bytes()));
    found.map_or(ptr::null(), |(_, value)| value.as_ptr())
}

/// As in Fluent Bit.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_filter_set_context(instance: *mut RawInstance, context: *mut c_void) {
    // SAFETY: the plugin passes the instance that it was given; the offset is within its bytes.
    unsafe { field(instance, (*instance).layout.context).cast::<*mut c_void>().write(context) };
}

/// As in Fluent Bit, for an instance without an alias.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_filter_name(_: *const RawInstance) -> *const c_char {
    c"kaudit.0".as_ptr()
}

/// As in Fluent Bit, but with one argument for the format.
///
/// Fluent Bit's function is variadic; the plugin's format is `%s`, and on 64-bit Linux the argument for it is passed
/// like a fifth parameter.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_log_print(
    level: c_int,
    _file: *const c_char,
    _line: c_int,
    format: *const c_char,
    text: *const c_char,
) {
    // SAFETY: the plugin passes two strings.
    let (format, text) = unsafe { (CStr::from_ptr(format), CStr::from_ptr(text)) };
    assert_eq!(format, c"%s", "the driver supports one format");
    let line = text.to_string_lossy().into_owned();
    LOG.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((level, line));
}

/// As in Fluent Bit, but the driver sets the time.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_time_get(time: *mut [i64; 2]) -> c_int {
    let nanos = CLOCK.load(Ordering::Relaxed);
    // SAFETY: the plugin passes a pointer to a `struct timespec`.
    unsafe { time.write([nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000)]) };
    0
}

/// Returns a pointer to a field of the instance.
unsafe fn field(instance: *mut RawInstance, offset: usize) -> *mut c_void {
    // SAFETY: the caller's promise; every offset in use is below the length of `bytes`, and a multiple of eight.
    unsafe { (&raw mut (*instance).bytes).byte_add(offset).cast() }
}

// ---- The safe types -------------------------------------------------------------------------------------------------

/// The plugin's file, loaded, and Fluent Bit's copy of its structure.
pub struct Library {
    plugin: Vec<u8>,
    layout: Layout,
}

/// The result of filtering a chunk.
#[derive(Debug)]
pub enum Reply {
    /// It stays unchanged.
    Untouched,
    /// It is dropped.
    Dropped,
    /// These bytes replace it.
    Replaced(Bytes),
}

/// Bytes that the plugin returned, which the driver frees.
#[derive(Debug)]
pub struct Bytes {
    start: *mut c_void,
    length: usize,
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the plugin returned this number of bytes and passed their ownership.
        unsafe { std::slice::from_raw_parts(self.start.cast::<u8>(), self.length) }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: the plugin allocated them with `malloc`, as Fluent Bit requires, and this is their only owner.
        unsafe { libc::free(self.start) };
    }
}

impl Library {
    /// Opens the file and copies the structure, as `flb_plugin_load` does. Like Fluent Bit's, the file stays open.
    pub fn open(path: &Path, layout: Layout) -> Result<Self, String> {
        let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
        // SAFETY: the strings end with zeros; opening the file runs only the plugin's own code.
        let plugin = unsafe {
            let handle = libc::dlopen(name.as_ptr(), libc::RTLD_LAZY);
            if handle.is_null() {
                return Err(CStr::from_ptr(libc::dlerror()).to_string_lossy().into_owned());
            }
            let symbol = libc::dlsym(handle, c"filter_kaudit_plugin".as_ptr());
            if symbol.is_null() {
                return Err("registration structure is missing `filter_kaudit_plugin`".to_owned());
            }
            std::slice::from_raw_parts(symbol.cast::<u8>(), layout.plugin_bytes).to_vec()
        };
        symbols::hide(layout.later);
        let library = Self { plugin, layout };
        if library.word(CONFIG_MAP) != 0 {
            return Err(
                "the plugin has a config map, which releases before or after 5.0.3 misread".to_owned()
            );
        }
        Ok(library)
    }

    fn word(&self, offset: usize) -> usize {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.plugin[offset..offset + 8]);
        usize::from_ne_bytes(bytes)
    }

    /// Creates an instance with these options, as `flb_filter_init` does; `None`: the plugin refused.
    pub fn start(&self, options: &[(String, String)]) -> Option<Filter> {
        let string = |text: &String| CString::new(text.as_bytes()).unwrap_or_default();
        let instance = Box::into_raw(Box::new(RawInstance {
            bytes: [0; 384],
            layout: self.layout,
            options: options.iter().map(|(key, value)| (string(key), string(value))).collect(),
            properties: Vec::new(),
            metrics: Box::default(),
        }));
        // SAFETY: the instance was just created, and nothing else refers to it; offsets are within its bytes; the
        // plugin's functions have these signatures, by Fluent Bit's headers.
        unsafe {
            field(instance, LOG_LEVEL).cast::<c_int>().write(3);
            link_properties(instance);
            let link = field(instance, self.layout.link()).cast::<List>();
            link.write(List { prev: link, next: link });
            let metrics = &raw const *(*instance).metrics;
            field(instance, self.layout.metrics()).cast::<*const Cmt>().write(metrics);
            let init: Init = std::mem::transmute::<usize, Init>(self.word(CB_INIT));
            let config = (&raw const engine::CONFIG).cast();
            let started = init(instance, config, ptr::null()) == 0;
            (*instance).metrics.seal();
            let filter = Filter {
                instance,
                timer: take_timer(),
                run: std::mem::transmute::<usize, Run>(self.word(CB_FILTER)),
                exit: std::mem::transmute::<usize, Exit>(self.word(CB_EXIT)),
            };
            started.then_some(filter)
        }
    }
}

/// Links the circular list of the instance's options.
unsafe fn link_properties(instance: *mut RawInstance) {
    let link = List { prev: ptr::null_mut(), next: ptr::null_mut() };
    // SAFETY: the caller's promise that the instance is valid and borrowed by no other code; `properties` does not grow
    // after this, so its elements do not move.
    unsafe {
        let raw = &mut *instance;
        raw.properties = raw
            .options
            .iter()
            .map(|(key, value)| Property { key: key.as_ptr(), value: value.as_ptr(), link: List { ..link } })
            .collect();
        let head: *mut List = field(instance, (*instance).layout.properties()).cast();
        (*head).next = head;
        (*head).prev = head;
        for property in &mut (*instance).properties {
            let link = &raw mut property.link;
            (*link).prev = (*head).prev;
            (*link).next = head;
            (*(*head).prev).next = link;
            (*head).prev = link;
        }
    }
}

/// A running filter; dropping it is `flb_filter_exit`.
pub struct Filter {
    instance: *mut RawInstance,
    timer: Option<Timer>,
    run: Run,
    exit: Exit,
}

// SAFETY: Fluent Bit calls a processor's filter from any thread, so the plugin has to support it.
unsafe impl Send for Filter {}
// SAFETY: as above; its lock serialises concurrent calls.
unsafe impl Sync for Filter {}

impl Filter {
    /// Calls the filter with a chunk of an input, as `flb_filter_do` does.
    pub fn call(&self, chunk: &[u8]) -> Reply {
        self.call_from(ptr::null(), c"kaudit.test", chunk)
    }

    /// Lets a second pass: calls the filter's timer. Returns the events that it appended, after the filter; `None`: it
    /// has no timer.
    pub fn tick(&self) -> Option<Vec<u8>> {
        let mut events = Vec::new();
        run_timer(self.timer?, &mut |input, tag, chunk| match self.call_from(input, tag, chunk) {
            Reply::Untouched => events.extend(chunk),
            Reply::Dropped => {}
            Reply::Replaced(bytes) => events.extend(&*bytes),
        });
        Some(events)
    }

    /// Returns the values of the filter's metrics by series.
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        // SAFETY: the instance exists as long as the filter.
        unsafe { &(*self.instance).metrics }.values()
    }

    /// Calls the plugin's `cb_exit`, once; Fluent Bit calls it only if a context was set.
    pub fn exit(&mut self) {
        // SAFETY: the instance exists as long as the filter, and no call of the plugin is in progress.
        unsafe {
            let context = field(self.instance, (*self.instance).layout.context).cast::<*mut c_void>();
            let stopped = context.replace(ptr::null_mut());
            if !stopped.is_null() {
                (self.exit)(stopped, ptr::null());
            }
        }
    }

    fn call_from(&self, input: *const c_void, tag: &CStr, chunk: &[u8]) -> Reply {
        let (mut out, mut length) = (ptr::null_mut(), 0);
        // SAFETY: the chunk is readable for the call, and the two pointers are writable; the context is the plugin's
        // own.
        let code = unsafe {
            let context = field(self.instance, (*self.instance).layout.context).cast::<*mut c_void>().read();
            (self.run)(
                chunk.as_ptr().cast(),
                chunk.len(),
                tag.as_ptr(),
                c_int::try_from(tag.count_bytes()).expect("a short tag"),
                &raw mut out,
                &raw mut length,
                self.instance,
                input,
                context,
                (&raw const engine::CONFIG).cast(),
            )
        };
        match code {
            2 => Reply::Untouched,
            1 if length == 0 => Reply::Dropped,
            1 => Reply::Replaced(Bytes { start: out, length }),
            code => panic!("cb_filter returned {code}"),
        }
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        self.exit();
        destroy_inputs();
        // SAFETY: only this filter refers to the instance.
        drop(unsafe { Box::from_raw(self.instance) });
    }
}
