//! A configuration and its patterns' tables as bytes, for a host without compiler.
//!
//! A host turns them into a [`Filter`] in microseconds.
//!
//! The bytes are a magic number, the configuration's length, the configuration and the tables. They are written and
//! read by the same version of the engine; another version rejects them.

#[cfg(feature = "bake")]
use alloc::{string::ToString as _, vec::Vec};

use crate::config::Config;
#[cfg(feature = "bake")]
use crate::config::Shape;
use crate::filter::Filter;
use crate::pattern::BuildError;
use crate::pattern::table::{TableReader, damaged};

/// The magic number of baked bytes: the format's name and the engine's version.
const MAGIC: &[u8] = concat!("kaudit baked ", env!("CARGO_PKG_VERSION"), "\0").as_bytes();

/// Bakes a configuration.
///
/// # Errors
/// A pattern cannot be converted to a table, the configuration evaluates audit events, or its shape is OTLP.
#[cfg(feature = "bake")]
pub fn bake(config: &Config) -> Result<Vec<u8>, BuildError> {
    if config.audit.is_some() {
        return Err(BuildError(
            "a baked guest evaluates no audit events: use kaudit.wasm with a configuration file".to_string(),
        ));
    }
    if config.coralogix.shape == Shape::Otlp {
        return Err(BuildError(
            "a wasm filter cannot send `coralogix.shape: otlp`: it returns only the body of a record; write singles or \
             bulk, or use the native plugin"
                .to_string(),
        ));
    }
    let mut source = crate::pattern::bake::PatternBaker::default();
    Filter::build(config, 0, &mut source)?;
    let config = postcard::to_allocvec(config).map_err(|error| BuildError(error.to_string()))?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u32::try_from(config.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&config);
    bytes.extend_from_slice(&source.tables);
    Ok(bytes)
}

impl Filter {
    /// Builds a filter from baked bytes, and returns its configuration as well.
    ///
    /// `seed` is as in [`Filter::new`].
    ///
    /// # Errors
    /// The bytes are damaged, or another version of the engine baked them.
    pub fn from_baked(bytes: &'static [u8], seed: u64) -> Result<(Self, Config), BuildError> {
        let (config, tables) = split(bytes).ok_or_else(damaged)?;
        let config: Config = postcard::from_bytes(config).map_err(|_| damaged())?;
        Ok((Self::build(&config, seed, &mut TableReader::new(tables))?, config))
    }
}

fn split(bytes: &'static [u8]) -> Option<(&'static [u8], &'static [u8])> {
    let (length, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}
