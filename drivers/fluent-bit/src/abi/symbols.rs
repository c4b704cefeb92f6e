//! Functions that later releases of Fluent Bit export, and their absence in earlier ones.
//!
//! The driver's executable exports all of them. A plugin looks functions up with `dlsym`, so the driver has one of its own,
//! which finds none of the functions that are hidden.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// The handle of the search after the executable.
const RTLD_NEXT: *mut c_void = ptr::without_provenance_mut(usize::MAX);
/// Versions of the C library's own function, on x86-64 and aarch64.
const VERSIONS: [&CStr; 3] = [c"GLIBC_2.34", c"GLIBC_2.2.5", c"GLIBC_2.17"];

static HIDDEN: Mutex<&[&CStr]> = Mutex::new(&[]);

unsafe extern "C" {
    fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
}

/// Hides functions from lookups from now on.
pub fn hide(names: &'static [&'static CStr]) {
    *HIDDEN.lock().unwrap_or_else(PoisonError::into_inner) = names;
}

/// As in the C library, without the hidden functions.
#[unsafe(no_mangle)]
unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;
    // SAFETY: the caller passes a string.
    let wanted = unsafe { CStr::from_ptr(name) };
    if HIDDEN.lock().unwrap_or_else(PoisonError::into_inner).contains(&wanted) {
        return ptr::null_mut();
    }
    // SAFETY: the strings end with zeros, and the C library's function has this signature.
    unsafe {
        let found = VERSIONS.iter().map(|version| dlvsym(RTLD_NEXT, c"dlsym".as_ptr(), version.as_ptr()));
        let found = found.into_iter().find(|found| !found.is_null()).expect("the C library has the function");
        std::mem::transmute::<*mut c_void, Dlsym>(found)(handle, name)
    }
}

/// Exported since 3.1; plugins only look it up.
#[unsafe(no_mangle)]
extern "C" fn flb_log_event_decoder_read_groups() {}

/// Exported since 4.2; plugins only look it up.
#[unsafe(no_mangle)]
extern "C" fn flb_router_config_parse() {}
