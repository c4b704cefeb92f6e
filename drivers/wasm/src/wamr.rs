//! The guest in WAMR, Fluent Bit's runtime.

use std::cell::Cell;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::abi::{self, Module};
use crate::{FUNCTION, STACK, Start, TAG, clock};

/// A module.
#[derive(Debug)]
pub struct Wamr {
    module: Rc<Module>,
    /// Standard error of all instances. In memory, so that a guest that writes much does not wait for a reader.
    errors: File,
    /// The number of bytes of it that were returned.
    taken: Cell<u64>,
}

impl Wamr {
    /// Loads a module.
    ///
    /// # Errors
    /// WAMR refuses it.
    pub fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let errors = memfd_create(c"stderr", MemfdFlags::CLOEXEC).map_err(|error| error.to_string())?;
        Ok(Self { module: Rc::new(Module::load(bytes)?), errors: errors.into(), taken: Cell::new(0) })
    }
}

/// An instance.
#[derive(Debug)]
pub struct Instance {
    guest: abi::Instance,
    function: CString,
    tag: CString,
    record: Vec<u8>,
}

impl crate::Runtime for Wamr {
    type Instance = Instance;

    fn start(&self, start: &Start) -> Result<Instance, String> {
        abi::set_clock(clock(start.at));
        let (directory, stack) = (start.directory.as_deref(), start.stack.unwrap_or(STACK));
        let name = |text: &str| CString::new(text).map_err(|error| error.to_string());
        Ok(Instance {
            guest: abi::Instance::start(&self.module, directory, &self.errors, stack)?,
            function: name(FUNCTION)?,
            tag: name(TAG)?,
            record: Vec::new(),
        })
    }

    fn take_errors(&self) -> Vec<u8> {
        let read = || -> io::Result<Vec<u8>> {
            let length = self.errors.metadata()?.len() - self.taken.get();
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.errors.read_exact_at(&mut bytes, self.taken.get())?;
            self.taken.set(self.taken.get() + length);
            Ok(bytes)
        };
        read().unwrap_or_else(|error| error.to_string().into_bytes())
    }
}

impl crate::Instance for Instance {
    fn set_clock(&mut self, nanos: i64) {
        abi::set_clock(clock(nanos));
    }

    fn answer(&mut self, record: &[u8]) -> Result<Vec<u8>, String> {
        self.record.clear();
        self.record.extend_from_slice(record);
        self.record.push(0);
        self.guest.call(&self.function, &self.tag, &self.record)
    }
}
