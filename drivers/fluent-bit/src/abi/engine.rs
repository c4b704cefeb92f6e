//! Fluent Bit's engine as far as filters use it: one timer, and inputs that filters create.
//!
//! Everything belongs to the thread that starts an instance, as in Fluent Bit.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

/// The behaviour of the inputs that filters create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emitters {
    /// Their events pass the filters.
    Work,
    /// They accept no events, as when the agent stops.
    Refuse,
    /// An earlier filter drops their events.
    Drop,
    /// There is no timer, and they cannot be created.
    Absent,
}

impl Emitters {
    /// The behaviours by name.
    pub const ALL: [(&str, Self); 4] =
        [("works", Self::Work), ("refuses", Self::Refuse), ("drops", Self::Drop), ("absent", Self::Absent)];
}

/// A timer's callback.
type Tick = unsafe extern "C" fn(*mut c_void, *mut c_void);

/// `struct flb_sched_timer`.
#[derive(Clone, Copy)]
pub struct Timer {
    callback: Tick,
    data: *mut c_void,
}

/// `struct flb_input_instance`, of a plugin without options but those that filters set.
struct Input {
    properties: Vec<(String, String)>,
    initialised: bool,
    stored: bool,
}

/// A function that passes a chunk of an input through the filters.
pub type Deliver<'a> = dyn FnMut(*const c_void, &CStr, &[u8]) + 'a;

thread_local! {
    static EMITTERS: Cell<Emitters> = const { Cell::new(Emitters::Work) };
    static TIMER: Cell<Option<Timer>> = const { Cell::new(None) };
    #[expect(clippy::vec_box, reason = "the plugin has pointers to them")]
    static INPUTS: RefCell<Vec<Box<Input>>> = const { RefCell::new(Vec::new()) };
    static DELIVER: Cell<Option<*mut Deliver<'static>>> = const { Cell::new(None) };
}

/// Sets the behaviour of inputs that filters create from now on.
pub fn set_emitters(emitters: Emitters) {
    EMITTERS.set(emitters);
}

/// Returns the timer that the last instance created.
pub fn take_timer() -> Option<Timer> {
    TIMER.take()
}

/// Calls a timer's callback; the events that it appends pass `deliver`.
pub fn run_timer(timer: Timer, deliver: &mut Deliver<'_>) {
    // SAFETY: the pointer is forgotten before the function returns, so the lifetime does not matter; the instance that
    // created the timer exists, and destroys it before its data.
    unsafe {
        DELIVER.set(Some(std::mem::transmute::<&mut Deliver<'_>, &'static mut Deliver<'static>>(deliver)));
        (timer.callback)(ptr::null_mut(), timer.data);
    }
    DELIVER.set(None);
}

/// Destroys the inputs, as `flb_input_exit_all` does after all filters.
pub fn destroy_inputs() {
    INPUTS.take();
}

// ---- The configuration: a table of fields, and the storage before `storage_path` -------------------------------------

/// `struct flb_config`.
#[repr(C)]
pub struct Config {
    flush: f64,
    storage: *const c_void,
    storage_path: usize,
    storage_input_plugin: usize,
    storage_sync: usize,
}

// SAFETY: nothing writes to it, and its pointer is only compared.
unsafe impl Sync for Config {}

/// What `cio` points to; only its address is used.
static STORAGE: u8 = 0;

/// The configuration of the agent.
pub static CONFIG: Config = Config {
    flush: 2.0,
    storage: (&raw const STORAGE).cast(),
    storage_path: 0,
    storage_input_plugin: 0,
    storage_sync: 0,
};

/// `struct flb_service_config`.
#[repr(C)]
pub struct ServiceKey(*const c_char, c_int, usize);

// SAFETY: nothing writes to it; its pointers are to constants.
unsafe impl Sync for ServiceKey {}

/// As in Fluent Bit, with three of its keys.
#[unsafe(no_mangle)]
pub static service_configs: [ServiceKey; 4] = [
    ServiceKey(c"Flush".as_ptr(), 1, std::mem::offset_of!(Config, flush)),
    ServiceKey(c"storage.path".as_ptr(), 0, std::mem::offset_of!(Config, storage_path)),
    ServiceKey(c"storage.sync".as_ptr(), 0, std::mem::offset_of!(Config, storage_sync)),
    ServiceKey(ptr::null(), 0, 0),
];

// ---- The functions that the executable exports -----------------------------------------------------------------------

/// As in Fluent Bit; the scheduler is a timer's place.
#[unsafe(no_mangle)]
extern "C" fn flb_sched_ctx_get() -> *mut c_void {
    if EMITTERS.get() == Emitters::Absent { ptr::null_mut() } else { (&raw const STORAGE).cast_mut().cast() }
}

/// As in Fluent Bit, for one timer that repeats.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_sched_timer_cb_create(
    _scheduler: *mut c_void,
    kind: c_int,
    _milliseconds: c_int,
    callback: Tick,
    data: *mut c_void,
    out: *mut *mut c_void,
) -> c_int {
    assert_eq!(kind, 4, "a timer that repeats");
    let timer = Timer { callback, data };
    TIMER.set(Some(timer));
    // SAFETY: the plugin passes a pointer to a pointer.
    unsafe { out.write(Box::into_raw(Box::new(timer)).cast()) };
    0
}

/// As in Fluent Bit.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_sched_timer_cb_destroy(timer: *mut c_void) -> c_int {
    // SAFETY: the plugin passes a timer of its own, once.
    drop(unsafe { Box::from_raw(timer.cast::<Timer>()) });
    0
}

/// As in Fluent Bit, for emitters.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_input_new(
    config: *mut c_void,
    name: *const c_char,
    _data: *mut c_void,
    _public_only: c_int,
) -> *mut c_void {
    assert!(ptr::eq(config.cast(), &raw const CONFIG), "the agent's configuration");
    // SAFETY: the plugin passes a string.
    assert_eq!(unsafe { CStr::from_ptr(name) }, c"emitter");
    let input = Box::new(Input { properties: Vec::new(), initialised: false, stored: false });
    INPUTS.with_borrow_mut(|inputs| {
        inputs.push(input);
        inputs.last_mut().map_or(ptr::null_mut(), |input| (&raw mut **input).cast())
    })
}

/// Calls a function with an input.
fn with_input<T>(input: *mut c_void, with: impl FnOnce(&mut Input) -> T) -> T {
    INPUTS.with_borrow_mut(|inputs| {
        let input = inputs.iter_mut().find(|one| ptr::eq((&raw const ***one).cast(), input));
        with(input.expect("an input that exists"))
    })
}

/// As in Fluent Bit.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_input_set_property(
    input: *mut c_void,
    key: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: the plugin passes two strings.
    let [key, value] =
        unsafe { [key, value].map(|text| CStr::from_ptr(text).to_string_lossy().into_owned()) };
    with_input(input, |input| input.properties.push((key, value)));
    0
}

/// As in Fluent Bit.
#[unsafe(no_mangle)]
extern "C" fn flb_input_instance_init(input: *mut c_void, _config: *mut c_void) -> c_int {
    with_input(input, |input| input.initialised = true);
    0
}

/// As in Fluent Bit; only inputs that are not ready are destroyed by a filter.
#[unsafe(no_mangle)]
extern "C" fn flb_input_instance_exit(_input: *mut c_void, _config: *mut c_void) {}

/// As in Fluent Bit.
#[unsafe(no_mangle)]
extern "C" fn flb_input_instance_destroy(input: *mut c_void) {
    INPUTS.with_borrow_mut(|inputs| inputs.retain(|one| !ptr::eq((&raw const **one).cast(), input)));
}

/// As in Fluent Bit.
#[unsafe(no_mangle)]
extern "C" fn flb_storage_input_create(storage: *mut c_void, input: *mut c_void) -> c_int {
    assert!(ptr::eq(storage.cast(), &raw const STORAGE), "the agent's storage");
    with_input(input, |input| input.stored = true);
    0
}

/// As in Fluent Bit: the events pass the filters before this function returns.
#[unsafe(no_mangle)]
unsafe extern "C" fn flb_input_log_append(
    input: *mut c_void,
    tag: *const c_char,
    tag_bytes: usize,
    events: *const c_void,
    bytes: usize,
) -> c_int {
    let ready = with_input(input, |input| input.initialised && input.stored && !input.properties.is_empty());
    assert!(ready, "an input that is ready");
    // SAFETY: the plugin passes a string and bytes; `run_timer` set the function and waits.
    unsafe {
        let (tag, events) = (CStr::from_ptr(tag), std::slice::from_raw_parts(events.cast::<u8>(), bytes));
        assert_eq!(tag.count_bytes(), tag_bytes);
        match (EMITTERS.get(), DELIVER.get()) {
            (Emitters::Refuse, _) => return -1,
            (Emitters::Work, Some(deliver)) => (*deliver)(input, tag, events),
            _ => {}
        }
    }
    0
}
