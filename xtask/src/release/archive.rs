//! Reproducible archives, without owners and times of the build.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::GzBuilder;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::shell::{Done, read, root};

/// Files, directories and links by their paths, below one folder.
pub struct Archive {
    folder: &'static str,
    /// The time of every entry, seconds since 1970.
    time: u64,
    entries: BTreeMap<String, Entry>,
}

enum Entry {
    File { bytes: Vec<u8>, program: bool },
    Directory,
    Link { target: String },
}

impl Archive {
    /// Returns an empty archive. Without a folder (the empty text) paths have no prefix.
    pub fn new(folder: &'static str) -> Self {
        Self { folder, time: 0, entries: BTreeMap::new() }
    }

    /// Sets the time of every entry, in seconds since 1970, instead of 0.
    pub fn at(self, time: u64) -> Self {
        Self { time, ..self }
    }

    /// Adds a file; a program is executable.
    pub fn file(&mut self, path: &str, bytes: Vec<u8>, program: bool) {
        self.entries.insert(path.to_owned(), Entry::File { bytes, program });
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.entries.insert(path.to_owned(), Entry::Link { target: target.to_owned() });
    }

    /// Adds the files of a folder that are in the repository.
    pub fn folder(&mut self, name: &str, folder: &Path) -> Done {
        let listed = read(Command::new("git").args(["ls-files", "-z"]).current_dir(folder))?;
        for path in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            let bytes = fs::read(folder.join(path)).map_err(|error| format!("{name}/{path}: {error}"))?;
            self.file(
                &format!("{name}/{path}"),
                bytes,
                Path::new(path).extension().is_some_and(|end| end == "sh"),
            );
        }
        Ok(())
    }

    /// Adds an entry for every directory that contains another entry.
    pub fn directories(&mut self) {
        let paths: Vec<String> = self.entries.keys().cloned().collect();
        for directory in paths.iter().flat_map(|path| Path::new(path).ancestors().skip(1)) {
            let directory = directory.display().to_string();
            if !directory.is_empty() {
                self.entries.insert(directory, Entry::Directory);
            }
        }
    }

    /// Returns the number of bytes of all files.
    pub fn size(&self) -> usize {
        let size = |entry: &Entry| if let Entry::File { bytes, .. } = entry { bytes.len() } else { 0 };
        self.entries.values().map(size).sum()
    }

    /// Returns the archive, compressed with gzip.
    pub fn pack(&self) -> Done<Vec<u8>> {
        gzip(&self.tar()?).map_err(|error| format!("{}: {error}", self.folder))
    }

    /// Returns the archive.
    pub fn tar(&self) -> Done<Vec<u8>> {
        self.write().map_err(|error| format!("{}: {error}", root().display()))
    }

    fn write(&self) -> io::Result<Vec<u8>> {
        let mut builder = Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            let path = Path::new(self.folder).join(path);
            let mut header = Header::new_ustar();
            header.set_mtime(self.time);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            match entry {
                Entry::File { bytes, program } => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_size(bytes.len() as u64);
                    header.set_mode(if *program { 0o755 } else { 0o644 });
                    builder.append_data(&mut header, path, bytes.as_slice())?;
                }
                Entry::Directory => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(0o755);
                    builder.append_data(&mut header, path.join(""), io::empty())?;
                }
                Entry::Link { target } => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    builder.append_link(&mut header, path, target)?;
                }
            }
        }
        builder.into_inner()
    }
}

/// Compresses bytes with gzip, without a time.
pub fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    packed.finish()
}

/// Returns the SHA-256 checksum, in hexadecimal digits.
pub fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_files_has_no_effect() {
        let packed = |names: [&str; 2]| {
            let mut archive = Archive::new("kaudit");
            for name in names {
                archive.file(name, name.into(), name == "b");
            }
            archive.pack().unwrap()
        };
        assert_eq!(packed(["a", "b"]), packed(["b", "a"]));
        let bytes = packed(["a", "b"]);
        let mut unpacked = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
        let entries: Vec<(String, u32)> = unpacked
            .entries()
            .unwrap()
            .map(Result::unwrap)
            .map(|entry| (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap()))
            .collect();
        assert_eq!(entries, [("kaudit/a".to_owned(), 0o644), ("kaudit/b".to_owned(), 0o755)]);
    }
}
