//! Functions of Fluent Bit that the plugin can do without, looked up when it starts.
//!
//! A function that the plugin cannot do without is declared in the parent module instead: the file does not load
//! where it is missing.

use std::ffi::{CStr, c_void};
use std::mem::transmute_copy;
use std::ptr::NonNull;

/// Returns the address of a symbol that the host's executable exports.
pub fn address(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the name ends with a zero; looking it up runs no code of the host's.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// Returns a function that the host's executable exports.
///
/// # Safety
/// `F` is the type of a function pointer with the signature of this function in every release of Fluent Bit.
pub unsafe fn function<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>(), "`F` is a function pointer") };
    // SAFETY: the sizes are equal, and the caller promises that it is such a function.
    address(name).map(|address| unsafe { transmute_copy::<NonNull<c_void>, F>(&address) })
}
