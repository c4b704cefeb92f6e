//! The program as a process, in one test binary, so that all topics share their helpers.
//!
//! Tests that write programs and run them are binaries of their own: while a test of another thread starts a process, a
//! file that was just written cannot be run.

mod audit;
mod audit_policy;
mod check;
mod columns;
mod common;
mod coralogix;
mod coralogix_otlp;
mod coralogix_queries;
mod explain;
mod flags;
mod init;
mod manual;
mod metrics;
mod otlp;
mod pipe;
mod policy;
mod records;
mod run;
mod signals;
mod slips;
mod test;
