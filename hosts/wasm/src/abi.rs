//! The boundary to the host: WASI's functions, and in [`exports`] the functions that Fluent Bit calls.
//!
//! It contains all of the guest's `unsafe`.

#![expect(unsafe_code, reason = "WASI and Fluent Bit pass pointers")]

mod exports;

use std::fmt::Write as _;
use std::slice;

use kaudit_filter::Time;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
    fn fd_write(fd: u32, parts: *const Part, count: u32, written: *mut u32) -> u32;
    fn random_get(bytes: *mut u8, length: u32) -> u32;
}

#[cfg(feature = "file")]
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn fd_close(fd: u32) -> u32;
    fn fd_prestat_get(fd: u32, prestat: *mut [u32; 2]) -> u32;
    fn fd_read(fd: u32, parts: *const Part, count: u32, read: *mut u32) -> u32;
    fn path_open(
        directory: u32,
        follow: u32,
        path: *const u8,
        length: usize,
        how: u32,
        rights: u64,
        inherited: u64,
        flags: u32,
        fd: *mut u32,
    ) -> u32;
}

/// WASI's `ciovec`.
#[repr(C)]
struct Part {
    start: *const u8,
    length: usize,
}

const STANDARD_ERROR: u32 = 2;
const REALTIME: u32 = 0;
/// The requested precision of the clock: a microsecond.
const PRECISION: u64 = 1_000;

/// The guest's name in its messages.
const NAME: &str = "kaudit";

/// The wall clock.
pub(crate) fn now() -> Time {
    let mut nanos = 0;
    // SAFETY: WASI writes eight bytes, which are ours. If the clock fails, the time is 1970.
    unsafe { clock_time_get(REALTIME, PRECISION, &raw mut nanos) };
    Time::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// Returns a random seed for the tables of limiter keys.
pub(crate) fn seed() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: WASI writes exactly the given number of bytes, which are ours. Without randomness the seed is zero.
    unsafe { random_get(bytes.as_mut_ptr(), 8) };
    u64::from_le_bytes(bytes)
}

/// Prints a line on the agent's standard error.
pub(crate) fn say(message: std::fmt::Arguments<'_>) {
    let mut line = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(line, "{NAME}: {message}");
    let part = Part { start: line.as_ptr(), length: line.len() };
    let mut written = 0;
    // SAFETY: WASI reads one part, whose bytes are the line's, and writes four bytes. A failure cannot be reported.
    unsafe { fd_write(STANDARD_ERROR, &raw const part, 1, &raw mut written) };
}

/// Returns the file of that name in the first accessible directory that has one.
///
/// # Errors
/// The file exists and cannot be read.
#[cfg(feature = "file")]
pub(crate) fn file(name: &str) -> Result<Option<Vec<u8>>, String> {
    /// WASI's first descriptor after the three standard ones.
    const FIRST: u32 = 3;
    let is_directory = |fd: &u32| {
        let mut prestat = [0; 2];
        // SAFETY: WASI writes eight bytes, which are ours.
        unsafe { fd_prestat_get(*fd, &raw mut prestat) == 0 }
    };
    (FIRST..).take_while(is_directory).find_map(|directory| read(directory, name)).transpose()
}

#[cfg(feature = "file")]
fn read(directory: u32, name: &str) -> Option<Result<Vec<u8>, String>> {
    const FOLLOW_LINKS: u32 = 1;
    const RIGHT_TO_READ: u64 = 1 << 1;
    /// The number of bytes after which reading stops: enough for the check of the size to refuse the file.
    const MAX: usize = host_kit::config::MAX_BYTES as usize + 1;
    let mut fd = 0;
    // SAFETY: WASI reads the name, which is ours, and writes four bytes.
    let error = unsafe {
        path_open(directory, FOLLOW_LINKS, name.as_ptr(), name.len(), 0, RIGHT_TO_READ, 0, 0, &raw mut fd)
    };
    if error != 0 {
        return None;
    }
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let done = loop {
        let part = Part { start: buffer.as_mut_ptr(), length: buffer.len() };
        let mut length = 0;
        // SAFETY: WASI writes at most the buffer's length into the buffer, and four bytes.
        let error = unsafe { fd_read(fd, &raw const part, 1, &raw mut length) };
        if error != 0 {
            break Err(format!("WASI error {error}"));
        }
        match buffer.get(..length as usize) {
            Some(read) if !read.is_empty() && bytes.len() < MAX => bytes.extend_from_slice(read),
            _ => break Ok(bytes),
        }
    };
    // SAFETY: the descriptor is ours and not used again.
    unsafe { fd_close(fd) };
    Some(done)
}

/// The address and the length of a configuration, which `bake` writes; zero: there is none.
#[unsafe(no_mangle)]
static kaudit_baked: [usize; 2] = [0, 0];

/// Returns the baked configuration.
pub(crate) fn baked() -> Option<&'static [u8]> {
    // SAFETY: a static may be read; volatile, since `bake` changes the module's data after the compiler.
    let [start, length] = unsafe { (&raw const kaudit_baked).read_volatile() };
    // SAFETY: on the promise of `bake`, which put so many bytes there, in memory with no other owner, before the
    // instance was created.
    (start != 0).then(|| unsafe { slice::from_raw_parts(start as *const u8, length) })
}
