//! Checks, explains and tests a configuration before it is deployed.
//!
//! [`check`] reports mistakes, [`explain`] prints the reasons for a verdict, [`suite`] runs tests, and [`options`]
//! lists all options. [`init`] writes a starting configuration, [`migrate`] converts one of
//! kAudit's, and [`convert`] either one to the configuration of an agent without the filter.
//!
//! Text in, text out: it reads no files and prints nothing, so that the program and a page in a browser return the same
//! results. The engine detects mistakes and returns verdicts; this crate formats them.

#![forbid(unsafe_code)]

pub mod check;
pub mod convert;
pub mod documents;
pub mod explain;
pub mod init;
pub mod lines;
pub mod migrate;
pub mod options;
mod snippet;
mod style;
pub mod suite;
mod template;
