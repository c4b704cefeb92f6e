//! An input of the filter's own, so that summaries and reports do not wait for the next chunk.
//!
//! As `filter_rewrite_tag` does, the filter creates a hidden input, an `emitter`, and appends events to it. They pass all
//! filters of their tag, the filters before this one included, which may change or drop them. So the events stay here, and
//! replace every chunk that arrives at this filter from that input: at the same position in the pipeline as the entries of
//! a chunk.
//!
//! The input is created by the filter's timer, after the agent has started. Decision: not in `cb_init`, where it would be a second
//! input while outputs are connected: an agent with one input and one output without `match` connects the two only if
//! there is no other input.
//!
//! Everything here runs in the thread of the engine, the timer's callback as well as the filter that it calls.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use super::service::offset;
use super::symbols::function;

/// Functions with equal signatures in 2.2 to 5.1, by `flb_input.h`, `flb_input_log.h`, `flb_storage.h`.
#[derive(Clone, Copy)]
struct Functions {
    new_input: unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_void, c_int) -> *mut c_void,
    set_property: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int,
    init_input: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    exit_input: unsafe extern "C" fn(*mut c_void, *mut c_void),
    destroy_input: unsafe extern "C" fn(*mut c_void),
    create_storage: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    append: unsafe extern "C" fn(*mut c_void, *const c_char, usize, *const c_void, usize) -> c_int,
}

impl Functions {
    fn find() -> Option<Self> {
        // SAFETY: the headers declare the same signatures in 2.2 to 5.1.
        unsafe {
            Some(Self {
                new_input: function(c"flb_input_new")?,
                set_property: function(c"flb_input_set_property")?,
                init_input: function(c"flb_input_instance_init")?,
                exit_input: function(c"flb_input_instance_exit")?,
                destroy_input: function(c"flb_input_instance_destroy")?,
                create_storage: function(c"flb_storage_input_create")?,
                append: function(c"flb_input_log_append")?,
            })
        }
    }
}

/// The input of one filter.
pub struct Emitter {
    host: Functions,
    config: NonNull<c_void>,
    /// `struct cio_ctx`, where inputs keep their chunks.
    storage: NonNull<c_void>,
    /// The input's name.
    alias: CString,
    /// Null until it is created.
    input: AtomicPtr<c_void>,
    /// Whether the input cannot be created, or its events do not arrive.
    failed: AtomicBool,
    /// The events that are on their way to the filter.
    sending: Mutex<Option<Vec<u8>>>,
}

/// Events that are not of a chunk.
#[derive(Debug)]
pub struct OwnEvents {
    /// The tag that they get.
    pub tag: CString,
    /// The events.
    pub events: Vec<u8>,
}

/// The result of sending events.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// They arrived at the filter, and continue with the events of the input.
    Arrived,
    /// The agent accepts no events now, for example because it stops.
    Refused(Vec<u8>),
    /// No later ones will arrive, either, for this reason.
    Failed(Vec<u8>, &'static str),
}

impl Emitter {
    /// Returns what a filter needs for events of its own; the error is the reason why it has none.
    ///
    /// # Safety
    /// `config` is the `struct flb_config` that `cb_init` was given, and it is still the time of that call.
    pub unsafe fn new(config: *const c_void, name: &str) -> Result<Self, &'static str> {
        let host = Functions::find().ok_or("this Fluent Bit does not export the functions of an emitter")?;
        let config = NonNull::new(config.cast_mut()).ok_or("this Fluent Bit passes no configuration")?;
        // SAFETY: the caller's promise.
        let storage = unsafe { storage(config) }.ok_or("the storage of this Fluent Bit is not known")?;
        Ok(Self {
            host,
            config,
            storage,
            alias: CString::new(format!("emitter_for_{name}")).unwrap_or_default(),
            input: AtomicPtr::default(),
            failed: AtomicBool::new(false),
            sending: Mutex::new(None),
        })
    }

    /// Returns whether [`Sent::Failed`] was returned.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Sends events with a tag through the input. Without events, only the input is created.
    pub fn send(&self, tag: &CStr, events: Vec<u8>) -> Sent {
        if !self.open() {
            return Sent::Failed(events, "the emitter cannot be created");
        }
        if events.is_empty() {
            return Sent::Arrived;
        }
        *self.sending() = Some(events.clone());
        let input = self.input.load(Ordering::Relaxed);
        // SAFETY: the input is initialised, and the host destroys it only after all filters; it copies tag and events. It
        // calls the filter, which takes the events out of `sending`; no lock is held now.
        let appended = unsafe {
            (self.host.append)(input, tag.as_ptr(), tag.count_bytes(), events.as_ptr().cast(), events.len())
        };
        match (self.sending().take(), appended) {
            (None, _) => Sent::Arrived,
            (Some(events), 0) => {
                self.failed.store(true, Ordering::Relaxed);
                Sent::Failed(events, "an earlier filter drops the events of the emitter")
            }
            (Some(events), _) => Sent::Refused(events),
        }
    }

    /// Returns the events with which the filter replaces a chunk of this input; `None`: it is a chunk of another input.
    pub fn arrived(&self, input: *const c_void) -> Option<Vec<u8>> {
        let ours = self.input.load(Ordering::Relaxed);
        (!ours.is_null() && ptr::eq(ours, input)).then(|| self.sending().take().unwrap_or_default())
    }

    fn sending(&self) -> std::sync::MutexGuard<'_, Option<Vec<u8>>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates the input, in the order of `emitter_create` in `filter_rewrite_tag`; returns whether it exists.
    fn open(&self) -> bool {
        if !self.input.load(Ordering::Relaxed).is_null() {
            return true;
        }
        let (config, host) = (self.config.as_ptr(), self.host);
        // SAFETY: the configuration is valid until all filters have stopped. The strings end with zeros, and the host
        // copies them. An input that is not ready is destroyed at once, and nothing refers to it then.
        let input = unsafe {
            let input = (host.new_input)(config, c"emitter".as_ptr(), ptr::null_mut(), 0);
            let set =
                |key: &CStr, value: &CStr| (host.set_property)(input, key.as_ptr(), value.as_ptr()) == 0;
            let ready = !input.is_null()
                && set(c"alias", &self.alias)
                // The limit of `filter_rewrite_tag`.
                && set(c"mem_buf_limit", c"10M")
                && set(c"storage.type", c"memory")
                && (host.init_input)(input, config) == 0
                && (host.create_storage)(self.storage.as_ptr(), input) == 0;
            if !ready && !input.is_null() {
                (host.exit_input)(input, config);
                (host.destroy_input)(input);
            }
            if ready { input } else { ptr::null_mut() }
        };
        self.failed.store(input.is_null(), Ordering::Relaxed);
        self.input.store(input, Ordering::Relaxed);
        !input.is_null()
    }
}

/// Returns `cio` of the configuration: its offset differs from release to release.
///
/// It is the field before `storage_path`, whose offset is known. Two fields
/// further is `storage_sync`: if the table agrees, the fields between them are as in `flb_config.h` of 2.2 to 5.1.
///
/// # Safety
/// `config` is a `struct flb_config`.
unsafe fn storage(config: NonNull<c_void>) -> Option<NonNull<c_void>> {
    const POINTER: usize = size_of::<*const c_void>();
    let (path, sync) = (offset(c"storage.path")?, offset(c"storage.sync")?);
    let is_known = sync == path + 2 * POINTER && path >= POINTER && path % POINTER == 0;
    // SAFETY: the offset is inside of the structure, since a later one is, and aligned.
    is_known
        .then(|| unsafe { config.byte_add(path - POINTER).cast::<*mut c_void>().read() })
        .and_then(NonNull::new)
}
