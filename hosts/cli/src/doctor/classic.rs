//! Fluent Bit's configuration in the classic format.

use super::settings::{Section, Settings};

/// Adds the sections of a file, and returns the files that it includes; `None`: it is not in this format.
pub fn add(text: &str, settings: &mut Settings) -> Option<Vec<String>> {
    let (mut includes, mut is_classic) = (Vec::new(), false);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if let Some(file) = line.strip_prefix("@INCLUDE ").or(line.strip_prefix("@include ")) {
            includes.push(file.trim().to_owned());
            is_classic = true;
        } else if let Some(kind) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            settings.sections.push(Section::new(kind, number));
            is_classic = true;
        } else if !line.starts_with('#') && !line.starts_with('@') {
            let value = line.split_once(char::is_whitespace);
            if let (Some((key, value)), Some(section)) = (value, settings.sections.last_mut()) {
                section.set(key, value.trim());
            }
        }
    }
    is_classic.then_some(includes)
}
