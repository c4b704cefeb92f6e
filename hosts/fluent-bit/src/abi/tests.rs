//! Panics in every callback.

use super::instance::text;
use super::raw::RawTime;
use super::*;

/// A plugin that panics in every callback.
struct Broken;

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn logged() -> Vec<String> {
    std::mem::take(&mut *LOG.lock().expect("nothing panics with the lock"))
}

impl Plugin for Broken {
    fn start(host: Instance, _: Time) -> Option<Self> {
        assert!(host.property(c"start").is_some(), "at the start");
        Some(Self)
    }

    fn filter(&mut self, chunk: &[u8], _: &CStr, _: Time, out: &mut Buffer) -> Outcome {
        out.put(chunk);
        panic!("at byte {}", chunk.len());
    }

    fn failed(&mut self, message: &str) {
        LOG.lock().expect("a lock").push(message.to_owned());
        panic!("again");
    }

    fn has_emitter(&self) -> bool {
        false
    }

    fn tick(&mut self, _: Time) {
        panic!("each second");
    }

    fn due(&mut self, _: Time) -> Option<OwnEvents> {
        panic!("between chunks");
    }

    fn sent(&mut self, _: Sent) {
        panic!("after that");
    }

    fn stop(self, _: Time) {
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
