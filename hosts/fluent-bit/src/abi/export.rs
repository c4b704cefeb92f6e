//! The symbol that Fluent Bit looks up in the file.

use super::RawPlugin;
use crate::callbacks::Kaudit;

/// The description of the plugin.
#[unsafe(no_mangle)]
pub static filter_kaudit_plugin: RawPlugin = RawPlugin::of::<Kaudit>();
