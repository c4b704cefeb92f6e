//! The requirements of a WebAssembly guest: a directory with its configuration, and an operand stack.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The operand stack of a guest that compiles its patterns, bytes.
pub const STACK: u32 = 1 << 20;

/// The configuration that sends every finding. The guest sends nothing to a target, but each integration must have one.
const ACCEPT_ALL: &str = "integrations:
- {type: detections, target: {target-type: slack, slack-uri: 'https://localhost'}}
- {type: selections, target: {target-type: slack, slack-uri: 'https://localhost'}}
- {type: activity, target: {target-type: slack, slack-uri: 'https://localhost'}}
use: all
";

/// A private temporary directory with the configuration under the name that the guest expects, `kaudit.yaml`. Removed
/// when dropped.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// Creates a directory with a copy of a configuration file, or with a configuration that sends every finding.
    ///
    /// A baked guest does not read it.
    ///
    /// # Errors
    /// The file cannot be copied.
    pub fn new(config: Option<&Path>) -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kaudit-wasm-{}-{count}", std::process::id()));
        // Only for this user, and new: no other user has put a link there.
        DirBuilder::new().mode(0o700).create(&path)?;
        let directory = Self(path);
        let file = directory.0.join("kaudit.yaml");
        match config {
            Some(config) => fs::copy(config, file).map(drop),
            None => fs::write(file, ACCEPT_ALL),
        }?;
        Ok(directory)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // If this fails, the system removes it with other temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_directory_has_its_own_configuration_until_it_is_dropped() {
        let all = Directory::new(None).unwrap();
        let copy = Directory::new(Some(&all.path().join("kaudit.yaml"))).unwrap();
        let read = |directory: &Directory| fs::read_to_string(directory.path().join("kaudit.yaml")).unwrap();
        assert_eq!((read(&all).as_str(), read(&copy).as_str()), (ACCEPT_ALL, ACCEPT_ALL));
        let path = all.path().to_owned();
        drop(all);
        assert!(!path.exists() && copy.path().exists());
        assert!(Directory::new(Some(&path)).is_err());
    }
}
