//! What operators ask of a configuration before it runs: [`check`] says what is wrong with it, [`explain`] why a record
//! is kept or not, [`suite`] whether tests of it pass, [`options`] what there is to
//! configure; [`init`] begins a configuration and [`migrate`] brings one along.
//!
//! Text in, text out: no file is read here, and nothing printed, so that the program and a page in a browser give the
//! same answers. The engine decides what is a mistake and what becomes of a record; here it gets its form.

#![forbid(unsafe_code)]

pub mod check;
pub mod explain;
pub mod init;
pub mod migrate;
pub mod options;
mod style;
pub mod suite;
