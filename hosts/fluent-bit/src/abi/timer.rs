//! A timer of the engine, so that nothing that depends on the time waits for the next chunk.
//!
//! Its callback runs in the thread of the engine. Processors of inputs and outputs may run in other threads, and have none.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::symbols::function;

/// `FLB_SCHED_TIMER_CB_PERM`: a timer that repeats.
const REPEATED: c_int = 4;
/// The interval of the timer, milliseconds.
const INTERVAL: c_int = 1000;

/// The timer's callback; `data` is the pointer given to [`Timer::start`].
pub type Tick = unsafe extern "C" fn(config: *mut c_void, data: *mut c_void);

/// The timer of one filter, with functions of equal signatures in 2.2 to 5.1, by `flb_scheduler.h`.
pub struct Timer {
    scheduler: unsafe extern "C" fn() -> *mut c_void,
    create: unsafe extern "C" fn(*mut c_void, c_int, c_int, Tick, *mut c_void, *mut *mut c_void) -> c_int,
    destroy: unsafe extern "C" fn(*mut c_void) -> c_int,
    /// Null if it does not run.
    raw: AtomicPtr<c_void>,
}

impl Timer {
    /// Returns a timer that does not run yet; `None`: the host does not export the functions.
    pub fn find() -> Option<Self> {
        // SAFETY: the headers declare the same signatures in 2.2 to 5.1.
        unsafe {
            Some(Self {
                scheduler: function(c"flb_sched_ctx_get")?,
                create: function(c"flb_sched_timer_cb_create")?,
                destroy: function(c"flb_sched_timer_cb_destroy")?,
                raw: AtomicPtr::default(),
            })
        }
    }

    /// Starts the timer; returns whether it runs.
    ///
    /// # Safety
    /// `data` is valid for `tick` until [`Timer::stop`].
    pub unsafe fn start(&self, tick: Tick, data: *mut c_void) -> bool {
        let mut timer = ptr::null_mut();
        // SAFETY: the thread's scheduler is the engine's; the timer's address is writable, and `data` as promised.
        let created = unsafe {
            let scheduler = (self.scheduler)();
            !scheduler.is_null()
                && (self.create)(scheduler, REPEATED, INTERVAL, tick, data, &raw mut timer) == 0
        };
        self.raw.store(timer, Ordering::Relaxed);
        created
    }

    /// Stops the timer.
    pub fn stop(&self) {
        let timer = self.raw.swap(ptr::null_mut(), Ordering::Relaxed);
        if !timer.is_null() {
            // SAFETY: the timer was created by `start`, and is destroyed once; the host's scheduler exists until all
            // filters have stopped.
            unsafe { (self.destroy)(timer) };
        }
    }
}
