//! What a configuration costs on given records.
//!
//! `kaudit-filter bench` is the front end: it reads records, starts plugins in their drivers, and writes the report.
//!
//! | module | contents |
//! |---|---|
//! | `encoding` | JSON and MessagePack |
//! | `random` | numbers from a seed |
//! | `records` | records generated from a seed |
//! | `corpus` | records in memory, in chunks as an agent passes them on |
//! | `engine` | the engine in this process: rounds, and each record separately |
//! | `patterns` | the cost and the effect of integrations and patterns |
//! | `report`, `table`, `page` | the results as JSON, as text and as HTML |

#![forbid(unsafe_code)]

mod corpus;
mod encoding;
mod engine;
mod page;
mod patterns;
pub mod random;
pub mod records;
mod report;
mod table;

pub use corpus::{Chunk, Corpus, Record};
pub use encoding::{Encoding, msgpack};
pub use engine::{Engine, RecordCost, RecordVerdict, copy, each_record};
pub use page::page;
pub use patterns::{IntegrationCost, PatternCost, integrations, patterns};
pub use report::{Compared, EngineDetail, Measured, Report, Target, VerdictCost};
