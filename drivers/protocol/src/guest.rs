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
    /// Creates a directory with a configuration, or with one that sends every finding.
    ///
    /// A baked guest does not read it.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub fn new(config: Option<&str>) -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kaudit-wasm-{}-{count}", std::process::id()));
        // Only for this user, and new: no other user has put a link there.
        DirBuilder::new().mode(0o700).create(&path)?;
        let directory = Self(path);
        directory.add(Path::new("kaudit.yaml"), config.unwrap_or(ACCEPT_ALL))?;
        Ok(directory)
    }

    /// Adds a file; `name` is its path in the directory.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&self, name: &Path, text: &str) -> io::Result<()> {
        let file = self.0.join(name);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(file, text)
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
        let other = Directory::new(Some("use: all\n")).unwrap();
        other.add(Path::new("policies/own.yaml"), "policy: []\n").unwrap();
        let read = |directory: &Directory, name| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(
            (read(&all, "kaudit.yaml").as_str(), read(&other, "kaudit.yaml").as_str()),
            (ACCEPT_ALL, "use: all\n")
        );
        assert_eq!(read(&other, "policies/own.yaml"), "policy: []\n");
        let path = all.path().to_owned();
        drop(all);
        assert!(!path.exists() && other.path().exists());
    }
}
