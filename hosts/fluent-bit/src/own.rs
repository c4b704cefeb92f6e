//! Events of the filter's own that could not leave yet, and the file that keeps them while the agent is stopped.
//!
//! An entry of the file is one event. It leaves with the first chunk after the start, with the tag of that chunk.

use std::ffi::{CStr, CString};

use host_kit::state::{Account, Pending, StateFile};
use kaudit_filter::Time;
use kaudit_filter::config::Guard;

use crate::abi::OwnEvents;
use crate::chunk;

/// The events that could not leave yet.
pub struct Own {
    /// They are encoded.
    events: Vec<u8>,
    account: Account,
    /// The tag of the last chunk; empty before the first one.
    tag: CString,
    file: Option<StateFile>,
    /// Whether the file may contain events of an earlier run.
    restore: bool,
    /// The number of files that were refused.
    pub refused_files: u64,
}

impl Own {
    /// Returns no events, and the file of an earlier run, which is read with the first chunk.
    pub fn new(file: Option<StateFile>) -> Self {
        let restore = file.is_some();
        Self {
            events: Vec::new(),
            account: Account::default(),
            tag: CString::default(),
            file,
            restore,
            refused_files: 0,
        }
    }

    /// Returns the account of the events of an earlier run.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn restorable(&mut self, form: &str) -> Result<Account, String> {
        let Some(file) = &self.file else { return Ok(Account::default()) };
        file.account(form).inspect_err(|_| self.refused_files += 1)
    }

    /// Notes the tag of a chunk, and takes the events of an earlier run before the first one.
    ///
    /// # Errors
    /// The file cannot be used; its events are not sent.
    pub fn chunk(&mut self, tag: &CStr, form: &str, guard: &Guard, now: Time) -> Result<(), String> {
        if *self.tag != *tag {
            tag.clone_into(&mut self.tag);
        }
        let Some(file) = self.file.as_ref().filter(|_| self.restore) else { return Ok(()) };
        self.restore = false;
        let pending = file.take(form).inspect_err(|_| self.refused_files += 1)?;
        let (oldest, latest) = (now.millis() - guard.max_age_ms, now.millis() + guard.max_ahead_ms);
        for mut event in pending.entries {
            chunk::restamp(&mut event, |millis| (oldest..=latest).contains(&millis), now);
            self.events.extend(event);
        }
        self.account = self.account + pending.account;
        Ok(())
    }

    /// Returns the events, for a chunk; they stay until [`Own::sent`].
    pub fn events(&self) -> &[u8] {
        &self.events
    }

    /// Forgets the events that were sent; `left` have to wait.
    pub fn sent(&mut self, left: Vec<u8>) {
        self.events = left;
        self.arrived();
    }

    /// Forgets the account if no events are left.
    pub fn arrived(&mut self) {
        if self.events.is_empty() {
            self.account = Account::default();
        }
    }

    /// Returns all events for the emitter, [`Own::events`] included; `left` have to wait. Their account stays until
    /// they were sent.
    pub fn take(&mut self, all: Vec<u8>, left: Vec<u8>, account: Account) -> OwnEvents {
        self.account = self.account + account;
        self.events = left;
        OwnEvents { tag: self.tag.clone(), events: all }
    }

    /// Whether there was a chunk, so that events can have a tag.
    pub fn has_tag(&self) -> bool {
        !self.tag.is_empty()
    }

    /// Takes events back that the emitter could not send.
    pub fn unsent(&mut self, events: Vec<u8>) {
        // Nothing was added in the meantime: the emitter and chunks are in one thread.
        self.events.splice(..0, events);
    }

    /// Returns the message about the events that are left at the end, and stores them in the file; `None`: there are none.
    ///
    /// # Errors
    /// They are lost; the message.
    pub fn stop(&mut self, last: &[u8], account: Account, form: &str) -> Result<Option<String>, String> {
        if self.events.is_empty() && last.is_empty() {
            return Ok(None);
        }
        let account = self.account + account;
        let Some(file) = &self.file else {
            return Err(format!("shutdown: not sent: {account}; set `state_path` to keep them"));
        };
        let entries = [chunk::own_events(&self.events), chunk::own_events(last)].concat();
        let kept = file.add(form, &Pending { account, entries });
        match kept.map_err(|error| format!("shutdown: not sent: {account}: {error}"))? {
            0 => Ok(Some(format!("shutdown: kept for the next start: {account}"))),
            left => Err(format!(
                "shutdown: kept for the next start: {account}; {left} of their entries did not fit"
            )),
        }
    }
}
