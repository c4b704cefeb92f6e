//! Configuration files: read with one limit, compared to notice a change.

use std::cell::RefCell;
use std::fmt;

use kaudit_filter::config::{self, Config, Diagnostic, FileLoader, Level, ReadResult};

#[cfg(not(target_family = "wasm"))]
pub use disk::{ReadError, SiblingFiles, read_text};

/// The greatest file, bytes. Kubernetes limits a `ConfigMap` to 1 MiB; a larger file is not a configuration.
pub const MAX_BYTES: u64 = 4 << 20;

/// A configuration file and those it names in `integrations-file`, by their texts.
///
/// Decision: texts are compared, not modification times. The files are small, and a `ConfigMap` mount swaps symlinks
/// within the second that is some file systems' resolution.
pub struct ConfigFile<D> {
    directory: D,
    name: String,
    text: Result<String, String>,
    /// The files that were requested while the configuration was read.
    others: RefCell<Vec<(String, Result<String, String>)>>,
}

/// A configuration, and warnings that do not prevent its use; or every mistake, one line each.
pub type Accepted = Result<(Config, Vec<String>), Vec<String>>;

impl<D: FileLoader + Clone> ConfigFile<D> {
    /// Reads the file of this path, which is in `directory`. An error appears when the configuration is read.
    pub fn load(name: &str, directory: D) -> Self {
        let text = directory.load(name.rsplit('/').next().unwrap_or(name));
        Self { directory, name: name.to_owned(), text, others: RefCell::default() }
    }

    /// Reads the files again. Returns them if any is different now.
    #[must_use]
    pub fn changed(&self) -> Option<Self> {
        let now = Self::load(&self.name, self.directory.clone());
        for (name, _) in &*self.others.borrow() {
            let _ = FileLoader::load(&now, name);
        }
        (now.text != self.text || now.others != self.others).then_some(now)
    }

    /// Returns the configuration.
    ///
    /// # Errors
    /// The file cannot be read, or every mistake in it.
    pub fn read(&self) -> Accepted {
        match &self.text {
            Ok(text) => accept(config::read(&self.name, text, self), ToString::to_string),
            Err(reason) => Err(vec![format!("{}: error: cannot read: {reason}", self.name)]),
        }
    }
}

impl<D: FileLoader> FileLoader for ConfigFile<D> {
    fn load(&self, name: &str) -> Result<String, String> {
        let text = self.directory.load(name);
        self.others.borrow_mut().push((name.to_owned(), text.clone()));
        text
    }
}

impl<D> fmt::Debug for ConfigFile<D> {
    /// Without the text: it may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Splits the reader's result into a configuration with warnings, or mistakes; `line` formats a diagnostic.
///
/// # Errors
/// There are mistakes: a line for each.
pub fn accept(reading: ReadResult, line: impl Fn(&Diagnostic) -> String) -> Accepted {
    let ReadResult { config, diagnostics, .. } = reading;
    let of_level =
        |level| diagnostics.iter().filter(|one| one.level() == level).map(&line).collect::<Vec<_>>();
    config.map(|config| (config, of_level(Level::Warning))).ok_or_else(|| of_level(Level::Error))
}

/// Returns the mistake of an option that is given together with `config_file`.
pub fn excluded(option: &str) -> String {
    format!("{option}: not allowed together with `config_file`; set it in the file")
}

/// Returns the mistake of an option that does not exist.
pub fn unknown(option: &str, known: &[&str]) -> String {
    format!("{option}: unknown option; known: {}", known.join(", "))
}

/// Returns the text of a file's content.
///
/// # Errors
/// It is longer than [`MAX_BYTES`], or not UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("larger than {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        format!("line {} is not UTF-8", valid.split(|byte| *byte == b'\n').count())
    })
}

#[cfg(not(target_family = "wasm"))]
mod disk {
    use std::fmt;
    use std::fs::File;
    use std::io::{self, Read as _};
    use std::path::{Path, PathBuf};

    use kaudit_filter::config::FileLoader;

    use super::{MAX_BYTES, text};

    /// Loads files in the directory of a configuration file.
    #[derive(Clone, Debug)]
    pub struct SiblingFiles(PathBuf);

    impl SiblingFiles {
        /// Returns the files beside this one.
        pub fn of(file: &Path) -> Self {
            Self(file.to_owned())
        }
    }

    impl FileLoader for SiblingFiles {
        fn load(&self, name: &str) -> Result<String, String> {
            read_text(&self.0.with_file_name(name)).map_err(|error| error.to_string())
        }
    }

    /// The reason why a file's text is not available.
    #[derive(Debug)]
    pub enum ReadError {
        /// The system refuses it.
        Io(io::Error),
        /// The content is not a configuration: not a regular file, too large, not UTF-8.
        Content(String),
    }

    impl fmt::Display for ReadError {
        /// The system's error in lower case and without its number.
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Io(error) => {
                    let text = error.to_string();
                    f.write_str(&text.split(" (os error").next().unwrap_or_default().to_lowercase())
                }
                Self::Content(reason) => f.write_str(reason),
            }
        }
    }

    /// Reads a regular file of at most [`MAX_BYTES`]: a pipe or device could block the agent or never end.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read_text(path: &Path) -> Result<String, ReadError> {
        let is_regular = std::fs::metadata(path).map_err(ReadError::Io)?.is_file();
        if !is_regular {
            return Err(ReadError::Content("not a regular file".to_owned()));
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(ReadError::Io)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(ReadError::Io)?;
        text(bytes).map_err(ReadError::Content)
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    const CONFIG: &str = "integrations-file: list.yaml\nuse: all\n";
    const LIST: &str = "- {type: activity, target: {target-type: slack, slack-uri: 'https://example.com'}}\n";

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("kaudit-host-kit-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    }

    #[test]
    fn a_change_of_any_of_the_files_is_noticed() {
        let folder = folder("change");
        let (path, list) = (folder.join("kaudit.yaml"), folder.join("list.yaml"));
        fs::write(&path, CONFIG).expect("written");
        fs::write(&list, LIST).expect("written");
        let file = ConfigFile::load(&path.to_string_lossy(), SiblingFiles::of(&path));
        let (config, warnings) = file.read().expect("no mistakes");
        assert_eq!((config.integrations.len(), warnings), (1, Vec::<String>::new()));
        assert!(file.changed().is_none());
        fs::write(&list, LIST.repeat(2)).expect("written");
        let changed = file.changed().expect("another text");
        assert_eq!(changed.read().expect("no mistakes").0.integrations.len(), 2);
        fs::remove_file(&path).expect("removed");
        let gone = changed.changed().expect("another text");
        let name = path.to_string_lossy();
        assert_eq!(
            gone.read().err(),
            Some(vec![format!("{name}: error: cannot read: no such file or directory")])
        );
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn only_texts_of_limited_size_in_regular_files_are_read() {
        let folder = folder("kinds");
        let path = folder.join("kaudit.yaml");
        for (bytes, error) in [
            (vec![b' '; 4 << 20], None),
            (vec![b' '; (4 << 20) + 1], Some("larger than 4194304 bytes")),
            (b"a: 1\nb: \xff\n".to_vec(), Some("line 2 is not UTF-8")),
        ] {
            fs::write(&path, &bytes).expect("written");
            let read = read_text(&path).map_err(|error| error.to_string());
            assert_eq!(read.as_ref().err().map(String::as_str), error);
        }
        for (path, expected) in [
            (folder.as_path(), "not a regular file"),
            (Path::new("/dev/zero"), "not a regular file"),
            (Path::new("/nowhere"), "no such file or directory"),
        ] {
            assert_eq!(read_text(path).err().map(|error| error.to_string()), Some(expected.to_owned()));
        }
        fs::remove_dir_all(folder).expect("removed");
    }
}
