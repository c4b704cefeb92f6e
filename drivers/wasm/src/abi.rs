//! WAMR's interface in C, called as Fluent Bit calls it. The only unsafe code.

#![expect(unsafe_code, reason = "WAMR's interface is in C")]

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use wamrx_sys as wamr;

/// The heap that Fluent Bit gives an instance by default, bytes.
pub const HEAP: u32 = 8 << 10;

thread_local! {
    /// The time of the guest's clock.
    static CLOCK: Cell<u64> = const { Cell::new(0) };
}

/// Sets the clock of this thread's guests, nanoseconds since 1970.
pub fn set_clock(nanos: u64) {
    CLOCK.set(nanos);
}

/// WASI's `clock_time_get` with our clock.
unsafe extern "C" fn clock_time_get(
    env: wamr::wasm_exec_env_t,
    _clock: u32,
    _precision: u64,
    time: *mut c_void,
) -> u32 {
    const FAULT: u32 = 21;
    // SAFETY: WAMR calls natives with the environment of the calling instance, and checks here that the eight bytes at
    // the pointer are in its memory.
    let fits =
        unsafe { wamr::wasm_runtime_validate_native_addr(wamr::wasm_runtime_get_module_inst(env), time, 8) };
    if !fits {
        return FAULT;
    }
    // SAFETY: just validated; a guest's pointer need not be aligned.
    unsafe { time.cast::<u64>().write_unaligned(CLOCK.get()) };
    0
}

/// Starts the runtime, once per process and never stopped, for this thread only.
fn begin() -> Result<(), String> {
    static BEGUN: OnceLock<(bool, ThreadId)> = OnceLock::new();
    let this = thread::current().id();
    match *BEGUN.get_or_init(|| (full_init(), this)) {
        (true, first) if first == this => Ok(()),
        (true, _) => Err("the runtime runs in another thread".to_owned()),
        (false, _) => Err("the runtime does not start".to_owned()),
    }
}

fn full_init() -> bool {
    let mut arguments = wamr::RuntimeInitArgs {
        mem_alloc_type: wamr::Alloc_With_System_Allocator,
        ..wamr::RuntimeInitArgs::default()
    };
    let natives = Box::leak(Box::new([wamr::NativeSymbol {
        symbol: c"clock_time_get".as_ptr(),
        func_ptr: clock_time_get as *mut c_void,
        signature: c"(iI*)i".as_ptr(),
        attachment: ptr::null_mut(),
    }]));
    // SAFETY: the arguments are complete; the natives are static, and the function has the given signature, preceded by
    // the environment. The last registration takes precedence.
    unsafe {
        wamr::wasm_runtime_full_init(&raw mut arguments)
            && wamr::wasm_runtime_register_natives(
                c"wasi_snapshot_preview1".as_ptr(),
                natives.as_mut_ptr(),
                1,
            )
    }
}

/// A loaded module.
#[derive(Debug)]
pub struct Module {
    handle: wamr::wasm_module_t,
    /// WAMR keeps pointers into them.
    _bytes: Vec<u8>,
}

impl Module {
    /// Loads a module.
    ///
    /// # Errors
    /// WAMR refuses it.
    pub fn load(mut bytes: Vec<u8>) -> Result<Self, String> {
        begin()?;
        let mut error = Words::default();
        let length = u32::try_from(bytes.len()).map_err(|_| "a module of 4 GB".to_owned())?;
        // SAFETY: the bytes live as long as the module, and their buffer does not move with the vector; the error is
        // written into a buffer of that length.
        let handle =
            unsafe { wamr::wasm_runtime_load(bytes.as_mut_ptr(), length, error.start(), Words::LENGTH) };
        if handle.is_null() { Err(error.text()) } else { Ok(Self { handle, _bytes: bytes }) }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: loaded once, and each instance holds on to it.
        unsafe { wamr::wasm_runtime_unload(self.handle) };
    }
}

/// A started instance.
#[derive(Debug)]
pub struct Instance {
    handle: wamr::wasm_module_inst_t,
    env: wamr::wasm_exec_env_t,
    _module: Rc<Module>,
}

impl Instance {
    /// Creates an instance, which runs `_initialize`, with a file as its standard error.
    ///
    /// # Errors
    /// It traps, or there is no memory.
    pub fn start(
        module: &Rc<Module>,
        directory: Option<&Path>,
        errors: &File,
        stack: u32,
    ) -> Result<Self, String> {
        let directory = directory.map(|path| CString::new(path.as_os_str().as_encoded_bytes()));
        let directory = directory.transpose().map_err(|_| "a path with a NUL".to_owned())?;
        let mut directories: Vec<*const c_char> = directory.iter().map(|path| path.as_ptr()).collect();
        let count = u32::from(directory.is_some());
        let mut error = Words::default();
        let nothing = ptr::null_mut::<*const c_char>;
        // SAFETY: the directory outlives the instantiation, which opens it; the module lives as long as the instance. WAMR
        // does not close the standard files, and a number of a file that is closed is an error of a write.
        let handle = unsafe {
            wamr::wasm_runtime_set_wasi_args_ex(
                module.handle,
                directories.as_mut_ptr(),
                count,
                nothing(),
                0,
                nothing(),
                0,
                ptr::null_mut(),
                0,
                0,
                1,
                i64::from(errors.as_raw_fd()),
            );
            wamr::wasm_runtime_instantiate(module.handle, stack, HEAP, error.start(), Words::LENGTH)
        };
        if handle.is_null() {
            return Err(error.text());
        }
        // SAFETY: the instance lives.
        let env = unsafe { wamr::wasm_runtime_create_exec_env(handle, stack) };
        let instance = Self { handle, env, _module: Rc::clone(module) };
        if env.is_null() { Err("no memory for an environment".to_owned()) } else { Ok(instance) }
    }

    /// Calls the filter function with a tag and a record, as Fluent Bit does; both end with a NUL.
    ///
    /// # Errors
    /// The reason why Fluent Bit loses the record.
    pub fn call(&mut self, function: &CStr, tag: &CStr, record: &[u8]) -> Result<Vec<u8>, String> {
        debug_assert_eq!(record.last(), Some(&0), "the host counts the NUL");
        // SAFETY: the instance lives; the name ends with a NUL.
        let function = unsafe { wamr::wasm_runtime_lookup_function(self.handle, function.as_ptr()) };
        if function.is_null() {
            return Err("no such function".to_owned());
        }
        let tag = self.give(tag.to_bytes_with_nul());
        let copy = self.give(record);
        let low = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let mut arguments = [tag, low(TAG_LENGTH), 0, 0, copy, low(record.len() - 1)];
        // SAFETY: the instance lives, and the function takes six numbers and returns one.
        let called = unsafe { wamr::wasm_runtime_call_wasm(self.env, function, 6, arguments.as_mut_ptr()) };
        let reply = if called { self.string(arguments[0]) } else { Err(self.exception()) };
        for address in [tag, copy] {
            // SAFETY: the guest allocated it for this call.
            unsafe { wamr::wasm_runtime_module_free(self.handle, u64::from(address)) };
        }
        reply
    }

    /// Copies bytes to memory from the guest's `malloc`, and returns the address; 0: it has no memory.
    fn give(&mut self, bytes: &[u8]) -> u32 {
        // SAFETY: WAMR copies the given number of bytes from the pointer.
        let address = unsafe {
            wamr::wasm_runtime_module_dup_data(self.handle, bytes.as_ptr().cast(), bytes.len() as u64)
        };
        u32::try_from(address).unwrap_or(0)
    }

    /// Returns the string at an address.
    fn string(&mut self, address: u32) -> Result<Vec<u8>, String> {
        // SAFETY: the instance lives.
        let ends = unsafe { wamr::wasm_runtime_validate_app_str_addr(self.handle, u64::from(address)) };
        if address == 0 || !ends {
            return Err("an invalid reply".to_owned());
        }
        // SAFETY: just validated: within the instance's memory there is a NUL after the address, and no code writes
        // there until the instance is called again.
        let text = unsafe {
            let start = wamr::wasm_runtime_addr_app_to_native(self.handle, u64::from(address));
            CStr::from_ptr(start.cast())
        };
        Ok(text.to_bytes().to_vec())
    }

    fn exception(&mut self) -> String {
        // SAFETY: the instance lives, and so does the text of its last exception until it is cleared.
        unsafe {
            let text = CStr::from_ptr(wamr::wasm_runtime_get_exception(self.handle));
            let text = text.to_string_lossy().into_owned();
            wamr::wasm_runtime_clear_exception(self.handle);
            text
        }
    }
}

const TAG_LENGTH: usize = crate::TAG.len();

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: both were created once, and the environment is destroyed first.
        unsafe {
            if !self.env.is_null() {
                wamr::wasm_runtime_destroy_exec_env(self.env);
            }
            wamr::wasm_runtime_deinstantiate(self.handle);
        }
    }
}

/// The buffer into which WAMR writes an error.
struct Words([u8; Self::LENGTH as usize]);

impl Default for Words {
    fn default() -> Self {
        Self([0; Self::LENGTH as usize])
    }
}

impl Words {
    const LENGTH: u32 = 128;

    fn start(&mut self) -> *mut c_char {
        self.0.as_mut_ptr().cast()
    }

    fn text(&self) -> String {
        let text = CStr::from_bytes_until_nul(&self.0).unwrap_or_default();
        text.to_string_lossy().into_owned()
    }
}
