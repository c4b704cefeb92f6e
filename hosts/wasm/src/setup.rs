//! Builds the guest when the instance starts.

use kaudit_filter::Filter;
use kaudit_filter::config::Config;

use crate::abi;
use crate::reply::Guest;

/// The guest of the baked configuration; without one, of the configuration in a file.
///
/// # Errors
/// Each mistake on a line of its own.
pub(crate) fn guest() -> Result<Guest, String> {
    let (filter, config) = match abi::baked() {
        Some(baked) => Filter::from_baked(baked, abi::seed()).map_err(|error| error.to_string())?,
        None => from_file()?,
    };
    Ok(Guest::new(filter, config.coralogix.shape, abi::now()))
}

#[cfg(not(feature = "file"))]
fn from_file() -> Result<(Filter, Config), String> {
    Err("this module has no configuration; `kaudit-filter bake` gives it one".to_owned())
}

#[cfg(feature = "file")]
fn from_file() -> Result<(Filter, Config), String> {
    use kaudit_filter::config::{self, FileLoader};

    /// What the configuration may be called, the filter's own document first.
    const NAMES: [&str; 2] = ["kaudit.yaml", "audit-integration"];

    /// The files that a configuration names stand in the accessible directories, too.
    struct Accessible;

    impl FileLoader for Accessible {
        fn load(&self, path: &str) -> Result<String, String> {
            let bytes = abi::file(path).ok_or("not found in the directories of `accessible_paths`")?;
            String::from_utf8(bytes).map_err(|_| "not utf-8".to_owned())
        }
    }

    let (name, bytes) = NAMES.iter().find_map(|name| Some((*name, abi::file(name)?))).ok_or_else(|| {
        format!(
            "no configuration: neither `{}` is in the directories of `accessible_paths`",
            NAMES.join("` nor `")
        )
    })?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name}: not utf-8"))?;
    let reading = config::read(name, &text, &Accessible);
    let remarks: Vec<String> = reading.diagnostics.iter().map(ToString::to_string).collect();
    let config = reading.config.ok_or_else(|| remarks.join("\n"))?;
    remarks.iter().for_each(|remark| abi::say(format_args!("{remark}")));
    let filter = Filter::new(&config, abi::seed()).map_err(|error| format!("{name}: {error}"))?;
    Ok((filter, config))
}
