//! Fields of `struct flb_config`, whose offsets differ from release to release.
//!
//! The host's own table of the section `SERVICE` has the offsets of the fields that a user can set.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

use super::symbols::address;

/// `struct flb_service_config`: a key of the section `SERVICE`, and its field in `struct flb_config`.
#[repr(C)]
struct ServiceKey {
    key: *const c_char,
    value_type: c_int,
    offset: usize,
}

/// Returns the offset of a key's field in `struct flb_config`.
pub fn offset(wanted: &CStr) -> Option<usize> {
    let mut row = address(c"service_configs")?.cast::<ServiceKey>().as_ptr().cast_const();
    // SAFETY: the table ends with an entry without a key; keys are strings.
    unsafe {
        loop {
            let key = (*row).key;
            if key.is_null() {
                return None;
            }
            if CStr::from_ptr(key).to_bytes().eq_ignore_ascii_case(wanted.to_bytes()) {
                return Some((*row).offset);
            }
            row = row.add(1);
        }
    }
}

/// Returns the interval in which the agent sends records, nanoseconds; `None`: it is not known.
///
/// # Safety
/// `config` is a `struct flb_config`, or null.
pub unsafe fn flush_interval(config: *const c_void) -> Option<i64> {
    /// An hour; a larger number is not an interval.
    const MAX_SECONDS: f64 = 3600.0;
    let config = NonNull::new(config.cast_mut())?;
    let offset = offset(c"flush").filter(|offset| offset % align_of::<f64>() == 0)?;
    // SAFETY: the field is a double in 2.2 to 5.1, at this offset.
    let seconds = unsafe { config.byte_add(offset).cast::<f64>().read() };
    #[expect(clippy::cast_possible_truncation, reason = "at most an hour")]
    (seconds > 0.0 && seconds <= MAX_SECONDS).then_some((seconds * 1e9) as i64)
}
