//! Writes and measures entries with the encoder of an encoding.

use alloc::string::String;
use alloc::vec::Vec;

#[cfg(all(feature = "msgpack", feature = "otlp"))]
use super::log_group;
#[cfg(feature = "msgpack")]
use super::msgpack;
#[cfg(feature = "otlp")]
use super::otlp;
use super::out::{CallbackOut, Out};
use super::truncate::{self, Misfit};
use super::{Entry, Names, json};

impl Names {
    /// Sets the names, which are valid labels. The first two are not empty.
    pub fn set(&mut self, [application, subsystem, computer, cluster]: [&[u8]; 4]) {
        let first = [(&mut self.application, application), (&mut self.subsystem, subsystem)];
        let others = [(&mut self.computer, computer), (&mut self.cluster, cluster)];
        for (text, new) in first.into_iter().chain(others) {
            text.clear();
            text.extend_from_slice(new);
        }
        let names = [application, subsystem, computer];
        self.json.clear();
        json::names(names, &mut self.json);
        #[cfg(feature = "msgpack")]
        {
            self.msgpack.clear();
            msgpack::names(names, &mut self.msgpack);
        }
        #[cfg(feature = "otlp")]
        {
            self.otlp.clear();
            otlp::resource([application, subsystem, computer, cluster], &mut self.otlp);
        }
        #[cfg(all(feature = "msgpack", feature = "otlp"))]
        {
            self.log_group.clear();
            log_group::resource([application, subsystem, computer, cluster], &mut self.log_group);
        }
    }
}

impl Entry<'_> {
    /// Appends the text (body and marks) as JSON.
    pub fn write_text(&self, out: &mut impl Out) {
        json::text(self, out);
    }

    /// Appends the entry as one line of JSON, without the line break.
    pub fn write_json(&self, out: &mut impl Out) {
        json::entry(self, out);
    }

    /// Appends the head of a bulk envelope, with the entry's names.
    pub(crate) fn write_bulk_head(&self, out: &mut impl Out) {
        json::bulk_head(self, out);
    }

    /// Appends the entry as an item of a bulk envelope's `logEntries`.
    ///
    /// An item has no names, and its text is a string.
    pub fn write_bulk_item(&self, out: &mut impl Out) {
        json::bulk_item(self, out);
    }

    /// Appends the beginning of a `ResourceLogs` object, up to its first log record.
    #[cfg(feature = "otlp")]
    pub(crate) fn write_otlp_head(&self, out: &mut impl Out) {
        out.put(&self.labels.names.otlp);
    }

    /// Appends the entry as a `LogRecord` of OTLP in JSON.
    ///
    /// Its names are attributes of the resource, and not in it.
    #[cfg(feature = "otlp")]
    pub fn write_otlp_record(&self, out: &mut impl Out) {
        otlp::record(self, out);
    }

    /// Appends the text (body and marks) as a `MessagePack` map.
    #[cfg(feature = "msgpack")]
    pub fn write_msgpack_text(&self, out: &mut impl Out) {
        msgpack::text(self, out);
    }

    /// Returns the entry's names as attributes of an OTLP resource, a `MessagePack` map.
    #[cfg(all(feature = "msgpack", feature = "otlp"))]
    pub fn msgpack_resource(&self) -> &[u8] {
        &self.labels.names.log_group
    }

    /// Appends the times and the severity of an OTLP record, as four members of a `MessagePack` map.
    #[cfg(all(feature = "msgpack", feature = "otlp"))]
    pub fn write_msgpack_fields(&self, out: &mut impl Out) {
        log_group::fields(self, out);
    }

    /// Returns the number of labels that are not empty.
    #[cfg(all(feature = "msgpack", feature = "otlp"))]
    pub fn label_count(&self) -> usize {
        log_group::label_count(self)
    }

    /// Appends the labels that are not empty, as members of a `MessagePack` map.
    #[cfg(all(feature = "msgpack", feature = "otlp"))]
    pub fn write_msgpack_labels(&self, out: &mut impl Out) {
        log_group::labels(self, out);
    }

    /// Appends the entry as a `MessagePack` map.
    #[cfg(feature = "msgpack")]
    pub fn write_msgpack(&self, out: &mut impl Out) {
        msgpack::entry(self, out);
    }

    /// Returns the entry's size as JSON in bytes.
    pub(crate) fn length(&self) -> usize {
        let mut length = 0_usize;
        let mut put = |bytes: &[u8]| {
            length = length.saturating_add(bytes.len());
            true
        };
        json::entry(self, &mut CallbackOut::new(&mut put));
        length
    }

    /// Truncates the longest strings of the body to make the entry at most `max` bytes.
    ///
    /// The size of the entry as JSON.
    pub(crate) fn truncate_to(&mut self, max: usize) -> Result<(), Misfit> {
        truncate::to_size(self, max)
    }

    /// Returns the first bytes of the body as JSON text, at most `max`.
    pub(crate) fn json_prefix(&self, max: usize) -> String {
        let mut bytes: Vec<u8> = Vec::with_capacity(max);
        let mut put = |piece: &[u8]| {
            let left = max.saturating_sub(bytes.len());
            bytes.extend_from_slice(piece.get(..left).unwrap_or(piece));
            bytes.len() < max
        };
        json::prefix(self.body.view(), &mut CallbackOut::new(&mut put));
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}
