//! Copies of a configuration and of the files that it names, for a guest, which can read one directory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use host_kit::config::read_text;
use kaudit_driver::guest::Directory;
use kaudit_filter::config::{self, FileLoader};

use crate::nearby::NearbyFiles;

/// Loads files, and stores their texts by the names in the configuration.
struct NamedFiles {
    files: NearbyFiles,
    loaded: RefCell<BTreeMap<String, String>>,
}

impl FileLoader for NamedFiles {
    fn load(&self, name: &str) -> Result<String, String> {
        let text = self.files.load(name)?;
        self.loaded.borrow_mut().insert(name.to_owned(), text.clone());
        Ok(text)
    }
}

/// Returns a directory with a configuration and the files that it names.
///
/// A file outside of the configuration's folder is copied into the directory, and the copy of the configuration has its
/// new name.
///
/// # Errors
/// The configuration cannot be read, or the directory cannot be written.
pub fn copied(config: Option<&Path>) -> io::Result<Directory> {
    let Some(config) = config else { return Directory::new(None) };
    let mut text =
        read_text(config).map_err(|error| io::Error::other(format!("{}: {error}", config.display())))?;
    let files = NamedFiles { files: NearbyFiles::of(config), loaded: RefCell::default() };
    // The guest reports the mistakes.
    let _ = config::read(&config.to_string_lossy(), &text, &files);
    let mut copies = Vec::new();
    for (number, (name, content)) in files.loaded.into_inner().into_iter().enumerate() {
        let is_inside = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
        let copy = if is_inside { name.clone() } else { format!("named-{number}.yaml") };
        if !is_inside {
            text = text.replace(&name, &copy);
        }
        copies.push((copy, content));
    }
    let directory = Directory::new(Some(&text))?;
    copies.iter().try_for_each(|(copy, content)| directory.add(Path::new(copy), content))?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_inside_and_outside_of_the_folder_are_copied() {
        let folder = std::env::temp_dir().join(format!("kaudit-named-{}", std::process::id()));
        fs::create_dir_all(folder.join("agent")).unwrap();
        fs::write(folder.join("policy.yaml"), "[]\n").unwrap();
        fs::write(folder.join("agent/list.yaml"), "- {type: activity}\n").unwrap();
        let config = folder.join("agent/kaudit.yaml");
        fs::write(&config, "policy-file: ../policy.yaml\nintegrations-file: list.yaml\n").unwrap();
        let directory = copied(Some(&config)).unwrap();
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(read("kaudit.yaml"), "policy-file: named-0.yaml\nintegrations-file: list.yaml\n");
        assert_eq!(
            (read("named-0.yaml").as_str(), read("list.yaml").as_str()),
            ("[]\n", "- {type: activity}\n")
        );
        fs::remove_dir_all(&folder).unwrap();
        assert!(copied(Some(&config)).is_err());
    }
}
