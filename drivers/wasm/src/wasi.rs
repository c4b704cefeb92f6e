//! The functions of WASI that the guest imports, for a runtime without WASI: a clock, a file, standard error.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use wasmtime::{Caller, Error, Extern, Linker, Memory, Result};

/// The state that an instance can access.
#[derive(Debug)]
pub struct State {
    /// The time of the clock, nanoseconds since 1970.
    pub clock: u64,
    directory: Option<PathBuf>,
    /// Open files by their descriptors, from [`FIRST_FILE`] on: the bytes that are still to be read.
    files: Vec<Vec<u8>>,
    errors: Errors,
}

/// The standard error of the instances.
pub type Errors = Rc<RefCell<Vec<u8>>>;

impl State {
    /// Returns a state with one directory, or none.
    pub fn new(directory: Option<&Path>, clock: u64, errors: Errors) -> Self {
        Self { clock, directory: directory.map(Path::to_owned), files: Vec::new(), errors }
    }
}

const STANDARD_ERROR: u32 = 2;
const DIRECTORY: u32 = 3;
const FIRST_FILE: u32 = 4;

const SUCCESS: u32 = 0;
const BAD_DESCRIPTOR: u32 = 8;
const NO_ENTRY: u32 = 44;

/// Links the functions.
///
/// # Errors
/// None: the names differ.
pub fn link(linker: &mut Linker<State>) -> Result<()> {
    const WASI: &str = "wasi_snapshot_preview1";
    linker.func_wrap(WASI, "clock_time_get", |mut caller: Caller<'_, State>, _: u32, _: u64, to: u32| {
        let clock = caller.data().clock;
        write(&mut caller, to, &clock.to_le_bytes())
    })?;
    linker.func_wrap(WASI, "random_get", |mut caller: Caller<'_, State>, to: u32, length: u32| {
        // Constant, so that runs are reproducible.
        write(&mut caller, to, &vec![0; length as usize])
    })?;
    linker.func_wrap(WASI, "fd_close", |_: u32| SUCCESS)?;
    linker.func_wrap(
        WASI,
        "fd_prestat_get",
        |mut caller: Caller<'_, State>, fd: u32, to: u32| match caller
            .data()
            .directory
            .as_ref()
            .filter(|_| fd == DIRECTORY)
        {
            Some(_) => write(&mut caller, to, &[0; 8]),
            None => Ok(BAD_DESCRIPTOR),
        },
    )?;
    linker.func_wrap(WASI, "path_open", path_open)?;
    linker.func_wrap(WASI, "fd_read", fd_read)?;
    linker.func_wrap(WASI, "fd_write", fd_write)?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "WASI's")]
fn path_open(
    mut caller: Caller<'_, State>,
    fd: u32,
    _follow: u32,
    path: u32,
    length: u32,
    _how: u32,
    _rights: u64,
    _inherited: u64,
    _flags: u32,
    to: u32,
) -> Result<u32> {
    let name = String::from_utf8(read(&mut caller, path, length)?)?;
    let Some(directory) = caller.data().directory.as_ref().filter(|_| fd == DIRECTORY) else {
        return Ok(BAD_DESCRIPTOR);
    };
    let Ok(bytes) = fs::read(directory.join(name)) else { return Ok(NO_ENTRY) };
    let files = &mut caller.data_mut().files;
    files.push(bytes);
    let fd = FIRST_FILE + u32::try_from(files.len() - 1)?;
    write(&mut caller, to, &fd.to_le_bytes())
}

/// Fills the first part only, which WASI allows.
fn fd_read(mut caller: Caller<'_, State>, fd: u32, parts: u32, _: u32, to: u32) -> Result<u32> {
    let (start, length) = part(&mut caller, parts)?;
    let file = fd.checked_sub(FIRST_FILE).and_then(|index| caller.data_mut().files.get_mut(index as usize));
    let Some(file) = file else { return Ok(BAD_DESCRIPTOR) };
    let bytes: Vec<u8> = file.drain(..file.len().min(length as usize)).collect();
    write(&mut caller, start, &bytes)?;
    write(&mut caller, to, &u32::try_from(bytes.len())?.to_le_bytes())
}

/// Writes the first part only, which WASI allows.
fn fd_write(mut caller: Caller<'_, State>, fd: u32, parts: u32, _: u32, to: u32) -> Result<u32> {
    let (start, length) = part(&mut caller, parts)?;
    if fd != STANDARD_ERROR {
        return Ok(BAD_DESCRIPTOR);
    }
    let bytes = read(&mut caller, start, length)?;
    caller.data().errors.borrow_mut().extend(bytes);
    write(&mut caller, to, &length.to_le_bytes())
}

/// Returns the address and the length of a buffer in WASI's list of buffers.
fn part(caller: &mut Caller<'_, State>, at: u32) -> Result<(u32, u32)> {
    let bytes = read(caller, at, 8)?;
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte))
    };
    Ok((number(0..4), number(4..8)))
}

fn memory(caller: &mut Caller<'_, State>) -> Result<Memory> {
    caller.get_export("memory").and_then(Extern::into_memory).ok_or_else(|| Error::msg("no memory"))
}

fn read(caller: &mut Caller<'_, State>, at: u32, length: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    memory(caller)?.read(&*caller, at as usize, &mut bytes)?;
    Ok(bytes)
}

fn write(caller: &mut Caller<'_, State>, at: u32, bytes: &[u8]) -> Result<u32> {
    memory(caller)?.write(&mut *caller, at as usize, bytes)?;
    Ok(SUCCESS)
}
