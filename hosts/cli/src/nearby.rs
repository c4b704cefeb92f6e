//! The files that a configuration names, also where they are before they are mounted together.
//!
//! In a cluster, a pod has the filter's document and kAudit's list in one folder, each mounted from a `ConfigMap`. In a
//! repository the list is a key of a manifest, and the default policy is in `policies/` of the release. An agent reads
//! only the mounted files.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use host_kit::config::{SiblingFiles, read_text};
use kaudit_filter::config::FileLoader;
use kaudit_workbench::documents;

/// The folder of the policies in the repository and in a release.
const POLICIES: &str = "policies";

/// Loads the files that a configuration names.
#[derive(Debug)]
pub struct NearbyFiles {
    /// The configuration.
    file: PathBuf,
    siblings: SiblingFiles,
    /// The loaded files that have other names, by the names in the configuration.
    found: RefCell<BTreeMap<String, PathBuf>>,
}

impl NearbyFiles {
    /// Returns the files near a configuration.
    pub fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), siblings: SiblingFiles::of(file), found: RefCell::default() }
    }

    /// Returns the manifests that were loaded.
    pub fn manifests(&self) -> Vec<PathBuf> {
        self.found.borrow().values().cloned().collect()
    }

    /// Returns a manifest in the folder with a `ConfigMap` of this name, or one with this key, and its text.
    fn manifest(&self, name: &str) -> Option<(PathBuf, String)> {
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
        let is_yaml = |name: &Path| name.extension().is_some_and(|ext| ext == "yaml" || ext == "yml");
        let names = entries.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())));
        let mut names: Vec<PathBuf> = names.filter(|name| is_yaml(name)).collect();
        names.sort();
        names.into_iter().find_map(|other| {
            let path = self.file.with_file_name(other);
            let text = read_text(&path).ok()?;
            let documents = documents::parse(&text).ok()?;
            let found = documents.iter().any(|root| documents::has_config_map(root, name));
            found.then_some((path, text))
        })
    }

    /// Returns the policy of this name in `policies/` of the nearest folder above that has it, and its text.
    fn policy(&self, name: &str) -> Option<(PathBuf, String)> {
        let file = std::path::absolute(&self.file).ok()?;
        file.ancestors().skip(2).find_map(|folder| {
            let path = folder.join(POLICIES).join(name);
            Some((path.clone(), read_text(&path).ok()?))
        })
    }
}

impl FileLoader for NearbyFiles {
    fn load(&self, name: &str) -> Result<String, String> {
        self.siblings.load(name).or_else(|error| {
            let (path, text) = self.manifest(name).or_else(|| self.policy(name)).ok_or(error)?;
            self.found.borrow_mut().insert(name.to_owned(), path);
            Ok(text)
        })
    }

    fn name(&self, name: &str) -> String {
        match self.found.borrow().get(name) {
            // Names in messages are relative to the folder of the configuration.
            Some(path) if path.parent() == self.file.parent() => {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Some(path) => path.to_string_lossy().into_owned(),
            None => name.to_owned(),
        }
    }
}
