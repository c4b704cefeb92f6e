//! The guest in WAMR, Fluent Bit's runtime.

use std::ffi::CString;
use std::rc::Rc;

use crate::abi::{self, Module};
use crate::{FUNCTION, Given, TAG};

/// A module.
#[derive(Debug)]
pub struct Wamr(Rc<Module>);

impl Wamr {
    /// Loads a module.
    ///
    /// # Errors
    /// WAMR refuses it.
    pub fn new(bytes: Vec<u8>) -> Result<Self, String> {
        Ok(Self(Rc::new(Module::load(bytes)?)))
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

    fn start(&self, given: &Given<'_>) -> Result<Instance, String> {
        abi::set_clock(given.clock);
        let name = |text: &str| CString::new(text).map_err(|error| error.to_string());
        Ok(Instance {
            guest: abi::Instance::start(&self.0, given.directory, given.stack)?,
            function: name(FUNCTION)?,
            tag: name(TAG)?,
            record: Vec::new(),
        })
    }
}

impl crate::Instance for Instance {
    fn set_clock(&mut self, nanos: u64) {
        abi::set_clock(nanos);
    }

    fn answer(&mut self, record: &[u8]) -> Result<Vec<u8>, String> {
        self.record.clear();
        self.record.extend_from_slice(record);
        self.record.push(0);
        self.guest.call(&self.function, &self.tag, &self.record)
    }

    fn spent(&mut self) -> u64 {
        0
    }
}
