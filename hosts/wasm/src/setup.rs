//! Builds the guest when the instance starts.

use kaudit_filter::Filter;
use kaudit_filter::config::{Config, Shape};

use crate::abi;
use crate::reply::Guest;

/// Returns the guest with the baked configuration; without one, with the configuration in a file.
///
/// # Errors
/// Each mistake on a line of its own.
pub(crate) fn guest() -> Result<Guest, String> {
    let (filter, config) = match abi::baked() {
        Some(baked) => Filter::from_baked(baked, abi::seed()).map_err(|error| error.to_string())?,
        None => from_file()?,
    };
    if config.coralogix.shape == Shape::Otlp {
        return Err(OTLP.to_owned());
    }
    Ok(Guest::new(filter, &config, abi::now()))
}

/// The mistake of a configuration with `shape: otlp`.
const OTLP: &str = "error: coralogix.shape: a wasm filter cannot send `otlp`: it returns only the body of a record, and \
                    Fluent Bit takes the attributes of OTLP from its metadata; write singles or bulk, or use the native \
                    plugin";

#[cfg(not(feature = "file"))]
fn from_file() -> Result<(Filter, Config), String> {
    Err("this module has no configuration; `kaudit-filter bake` gives it one".to_owned())
}

#[cfg(feature = "file")]
fn from_file() -> Result<(Filter, Config), String> {
    use host_kit::config::{accept, text};
    use kaudit_filter::config::{self, FileLoader};

    /// The possible names of the configuration file, the filter's own document first.
    const NAMES: [&str; 2] = ["kaudit.yaml", "audit-integration"];

    /// The directories of Fluent Bit's option `accessible_paths`.
    struct Accessible;

    impl FileLoader for Accessible {
        fn load(&self, path: &str) -> Result<String, String> {
            let bytes = abi::file(path)?.ok_or("not found in the directories of `accessible_paths`")?;
            text(bytes)
        }
    }

    let found = NAMES.iter().find_map(|name| Some((*name, abi::file(name).transpose()?)));
    let (name, bytes) = found.ok_or_else(|| {
        format!(
            "no configuration: neither `{}` is in the directories of `accessible_paths`",
            NAMES.join("` nor `")
        )
    })?;
    let text = bytes.and_then(text).map_err(|reason| format!("{name}: error: cannot read: {reason}"))?;
    let read = accept(config::read(name, &text, &Accessible), ToString::to_string);
    let (config, warnings) = read.map_err(|mistakes| mistakes.join("\n"))?;
    warnings.iter().for_each(|warning| abi::say(format_args!("{warning}")));
    let filter = Filter::new(&config, abi::seed()).map_err(|error| format!("{name}: {error}"))?;
    Ok((filter, config))
}
