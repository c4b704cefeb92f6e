//! Reproducible archives, without times and owners.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::GzBuilder;
use tar::{Builder, EntryType, Header};

use crate::shell::{Done, read, root};

/// Files by their paths, below one folder.
pub struct Archive {
    folder: &'static str,
    files: BTreeMap<String, (Vec<u8>, bool)>,
}

impl Archive {
    /// Returns an empty archive.
    pub fn new(folder: &'static str) -> Self {
        Self { folder, files: BTreeMap::new() }
    }

    /// Adds a file; a program is executable.
    pub fn file(&mut self, path: &str, bytes: Vec<u8>, program: bool) {
        self.files.insert(path.to_owned(), (bytes, program));
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

    /// Returns the packed archive.
    pub fn pack(&self) -> Done<Vec<u8>> {
        self.tar()
            .and_then(|tar| {
                let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
                packed.write_all(&tar)?;
                packed.finish()
            })
            .map_err(|error| format!("{}: {error}", root().display()))
    }

    fn tar(&self) -> std::io::Result<Vec<u8>> {
        let mut builder = Builder::new(Vec::new());
        for (path, (bytes, program)) in &self.files {
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            header.set_mode(if *program { 0o755 } else { 0o644 });
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            builder.append_data(&mut header, format!("{}/{path}", self.folder), bytes.as_slice())?;
        }
        builder.into_inner()
    }
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
