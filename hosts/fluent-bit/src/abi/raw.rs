//! Structures and functions of Fluent Bit, by include/fluent-bit/flb_filter.h.

use std::ffi::{c_char, c_int, c_void};
use std::mem::offset_of;

/// `struct mk_list`: a link of a circular list.
#[repr(C)]
pub struct List {
    pub prev: *const List,
    pub next: *const List,
}

/// `struct flb_kv`: one property.
#[repr(C)]
pub struct Property {
    pub key: *const c_char,
    pub value: *const c_char,
    pub link: List,
}

/// The beginning of `struct flb_filter_instance`, the same in 2.2 to 5.1 in builds with regular expressions.
#[repr(C)]
pub struct RawInstance {
    pub event_type: c_int,
    pub id: c_int,
    pub log_level: c_int,
    pub log_suppress_interval: c_int,
    pub name: [c_char; 32],
    pub alias: *const c_char,
    pub tag_match: *const c_char,
    pub tag_match_regex: *const c_void,
    pub parent_processor: *const c_void,
    pub context: *const c_void,
    pub data: *const c_void,
    pub plugin: *const c_void,
    pub properties: List,
    pub config_map: *const c_void,
    pub link: List,
    pub metrics: *mut c_void,
}

const _: () = {
    assert!(offset_of!(RawInstance, context) == 80);
    assert!(offset_of!(RawInstance, properties) == 104);
    assert!(offset_of!(RawInstance, metrics) == 144);
    assert!(offset_of!(Property, link) == 16);
};

/// `struct flb_time`.
#[repr(C)]
pub struct RawTime {
    pub seconds: i64,
    pub nanoseconds: i64,
}

// SAFETY: Fluent Bit's executable exports these functions with these signatures, 2.2 to 5.1.
unsafe extern "C" {
    pub fn flb_filter_get_property(key: *const c_char, instance: *const RawInstance) -> *const c_char;
    pub fn flb_filter_set_context(instance: *const RawInstance, context: *const c_void);
    pub fn flb_filter_name(instance: *const RawInstance) -> *const c_char;
    pub fn flb_log_print(level: c_int, file: *const c_char, line: c_int, format: *const c_char, ...);
    pub fn flb_time_get(time: *mut RawTime) -> c_int;
}
