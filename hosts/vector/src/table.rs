//! Builds entries as Lua tables.
//!
//! A body that did not change is the event's own table, moved; a changed one is built from its document.

use kaudit_filter::config::{Shape, TextForm};
use kaudit_filter::entry::{Entry, OWN_KEY};
use kaudit_filter::record::{Body, Document, Event, Number};
use mlua::prelude::{LuaFunction, LuaResult, LuaTable, LuaValue};
use mlua::{Either, IntoLua as _, Lua};

use crate::clock;

/// Builds entries with `kaudit.lua`'s function.
///
/// A table constructor in a script allocates the table once, for all its keys.
pub struct Builder(pub LuaFunction);

impl Builder {
    /// Returns an entry as Vector's `log`.
    ///
    /// `record` is the table that the record was read from, and its packed form.
    pub fn entry(
        &self,
        lua: &Lua,
        shape: Shape,
        entry: &Entry<'_>,
        record: Option<(&LuaTable, &[u8])>,
    ) -> LuaResult<LuaTable> {
        // A finding inside the record is built from its document, as is a changed body.
        let record = match (entry.body(), record) {
            (Body::Verbatim(body), Some((table, packed))) if std::ptr::eq(body.bytes(), packed) => {
                Some(table)
            }
            _ => None,
        };
        // The names of an envelope's items are in the envelope.
        let name = |name| if shape == Shape::Singles { label(name) } else { None };
        let [category, class, method, thread] = entry.labels().map(|(_, text)| label(text));
        let labels = (category, class, method, thread, clock::date(entry.timestamp_ms()));
        let (application, subsystem, computer) =
            (name(entry.application()), name(entry.subsystem()), name(entry.computer()));
        let text = match (text(lua, entry, record)?, record) {
            (None, Some(record)) => Either::Left(record),
            (text, _) => Either::Right(text),
        };
        self.0.call((text, entry.severity() as u8, application, subsystem, computer, labels))
    }
}

fn label(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Returns the entry's `text`; `None`: it is the record's table.
fn text(lua: &Lua, entry: &Entry<'_>, record: Option<&LuaTable>) -> LuaResult<Option<LuaValue>> {
    if entry.text_form() == TextForm::String {
        let mut text = Vec::new();
        entry.write_text(&mut text);
        return lua.create_string(text)?.into_lua(lua).map(Some);
    }
    let body = match record {
        // The unchanged record: the table still has the packed contents.
        Some(_) if entry.marks().events.is_empty() => return Ok(None),
        Some(record) => record.clone(),
        None => map(lua, &entry.body().clone().into_document())?,
    };
    if !entry.marks().events.is_empty() {
        body.raw_set(OWN_KEY, map(lua, entry.marks())?)?;
    }
    body.into_lua(lua).map(Some)
}

/// Returns a map's events as a table.
///
/// Null, which Vector's tables cannot contain, becomes the empty string, as in Vector itself.
fn map(lua: &Lua, document: &Document<'_>) -> LuaResult<LuaTable> {
    let mut open: Vec<Open> = vec![Open { table: lua.create_table()?, key: LuaValue::Nil }];
    let mut events = document.events.iter();
    // The outermost map is open already.
    events.next();
    for event in events {
        let value = match event {
            Event::Key(key) => {
                if let Some(open) = open.last_mut() {
                    open.key = key.as_ref().into_lua(lua)?;
                }
                continue;
            }
            Event::Map(_) | Event::List(_) => {
                open.push(Open { table: lua.create_table()?, key: LuaValue::Nil });
                continue;
            }
            Event::End => match open.pop() {
                Some(done) if open.is_empty() => return Ok(done.table),
                Some(done) => done.table.into_lua(lua)?,
                None => break,
            },
            Event::Str(text) => text.as_ref().into_lua(lua)?,
            Event::Number(value) => number(lua, *value)?,
            Event::Bool(value) => LuaValue::Boolean(*value),
            Event::Null => "".into_lua(lua)?,
        };
        if let Some(open) = open.last_mut() {
            open.put(value)?;
        }
    }
    lua.create_table()
}

/// A table under construction.
struct Open {
    table: LuaTable,
    /// The key of a map's next value; nil in a list.
    key: LuaValue,
}

impl Open {
    fn put(&mut self, value: LuaValue) -> LuaResult<()> {
        match core::mem::replace(&mut self.key, LuaValue::Nil) {
            LuaValue::Nil => self.table.raw_push(value),
            key => self.table.raw_set(key, value),
        }
    }
}

/// Returns a number as a Lua integer if it is one and in range, otherwise as a float.
fn number(lua: &Lua, number: Number<'_>) -> LuaResult<LuaValue> {
    match number {
        Number::Int(value) => Ok(LuaValue::Integer(value)),
        Number::Float(value) => Ok(LuaValue::Number(value)),
        Number::Uint(_) | Number::Raw(_) => {
            let text = number.to_string();
            match (text.parse(), text.parse()) {
                (Ok(whole), _) => Ok(LuaValue::Integer(whole)),
                (_, Ok(float)) => Ok(LuaValue::Number(float)),
                _ => text.into_lua(lua),
            }
        }
    }
}
