//! The functions that Fluent Bit calls, and the memory for their arguments.
//!
//! A WebAssembly instance has one thread, so its state is thread-local.

use std::cell::RefCell;
use std::{ptr, slice};

use super::{now, say};
use crate::reply::Guest;
use crate::setup;

thread_local! {
    static INBOX: RefCell<Inbox> = const { RefCell::new(Inbox { buffers: Vec::new(), used: 0 }) };
    static GUEST: RefCell<Option<Guest>> = const { RefCell::new(None) };
}

/// Where the host puts its arguments: a few buffers that are used again for every record. Decision: not the allocator.
/// Fluent Bit before 4.1 frees nothing until a chunk ends, and calling the allocator twice for each record costs more
/// than looking at a list.
struct Inbox {
    buffers: Vec<Vec<u64>>,
    used: usize,
}

impl Inbox {
    fn take(&mut self, bytes: usize) -> *mut u64 {
        let words = bytes / 8 + 1;
        self.used += 1;
        match self.buffers.get_mut(self.used - 1) {
            Some(buffer) if buffer.capacity() >= words => buffer.as_mut_ptr(),
            _ => self.make(words),
        }
    }

    /// Allocates where a buffer is too small; null if there is no memory. An allocation that aborts would trap, and
    /// Fluent Bit would lose the record.
    #[cold]
    fn make(&mut self, words: usize) -> *mut u64 {
        let missing = self.used.saturating_sub(self.buffers.len());
        if self.buffers.try_reserve(missing).is_err() {
            return ptr::null_mut();
        }
        self.buffers.resize_with(self.buffers.len().max(self.used), Vec::new);
        let buffer = &mut self.buffers[self.used - 1];
        match buffer.try_reserve_exact(words) {
            Ok(()) => buffer.as_mut_ptr(),
            Err(_) => ptr::null_mut(),
        }
    }
}

/// Allocates memory for an argument of the host; null if there is none. It stays the host's until the next answer is given.
#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut u64 {
    INBOX.with_borrow_mut(|inbox| inbox.take(size))
}

/// The host gives memory back; the inbox keeps it for the next record.
#[unsafe(no_mangle)]
extern "C" fn free(_: *mut u64) {}

/// Runs when the instance starts. A guest that cannot get ready says why and traps, so that Fluent Bit refuses to start
/// instead of losing records.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    std::panic::set_hook(Box::new(|panic| say(format_args!("{panic}"))));
    match setup::guest() {
        Ok(guest) => {
            if let Some(notice) = guest.notice() {
                say(format_args!("{notice}"));
            }
            GUEST.set(Some(guest));
        }
        Err(mistakes) => {
            for mistake in mistakes.lines() {
                say(format_args!("{mistake}"));
            }
            core::arch::wasm32::unreachable()
        }
    }
}

/// The filter function: a record of JSON text in, a JSON object or the empty text out, ended by a NUL.
///
/// # Safety
/// Fluent Bit's promise: `record` points at `length` bytes that it has written into memory it got from [`malloc`].
#[unsafe(no_mangle)]
unsafe extern "C" fn kaudit(
    _: *const u8,
    _: u32,
    _: u32,
    _: u32,
    record: *const u8,
    length: usize,
) -> *const u8 {
    // SAFETY: on Fluent Bit's promise; a null pointer, which it passes when it found no memory, comes without bytes.
    let record = if record.is_null() { &[] } else { unsafe { slice::from_raw_parts(record, length) } };
    INBOX.with_borrow_mut(|inbox| inbox.used = 0);
    GUEST.with_borrow_mut(|guest| match guest {
        Some(guest) => guest.answer(record, now()).as_ptr(),
        None => c"{}".as_ptr().cast(),
    })
}
