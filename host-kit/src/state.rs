//! Pending entries in a file, which survive a stop of the agent.
//!
//! A host adds the entries that [`crate::Session::finish`] emits at its end ([`StateFile::add`]), and takes them
//! ([`StateFile::take`]) when its next run has an output for them. The entries are opaque; a file contains entries of one
//! form, such as `singles`, and a host takes only the form that it sends.
//!
//! Decision: at most once. [`StateFile::take`] removes the file before it returns the entries, so that none is sent
//! twice. The alternative, removing it after the agent has delivered them, needs an acknowledgement that agents do not
//! give to a filter; and an agent without storage of its own loses its chunks in a crash as well.
//!
//! The file is written beside its final name, flushed to the disk and renamed, so a crash leaves the
//! previous file or the new one. Entries contain names of a cluster: the mode is 0600.

mod format;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub use format::{Account, Pending};
use format::{parse, write};

/// The maximum size of a file, bytes. The default of 10,000 limiter keys with a summary of about 700 bytes each takes 7
/// MB.
pub const MAX_BYTES: usize = 32 << 20;

/// The file of one instance of a host.
///
/// A second instance of the process cannot claim the same file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
}

/// The files that instances of this process use.
static CLAIMED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

impl StateFile {
    /// Claims a file, which need not exist. Its folder must exist, and files can be created in it.
    ///
    /// # Errors
    /// The folder cannot be written to, the path is something else than a regular file, or another instance has claimed
    /// it.
    pub fn claim(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let name = path.file_name().ok_or_else(|| format!("`{shown}` has no file name"))?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = folder
            .canonicalize()
            .map_err(|error| format!("folder `{}`: {}", folder.display(), reason(&error)))?;
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(format!("`{shown}` is not a regular file"));
        }
        if !CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone()) {
            return Err(format!("`{shown}` is the file of another instance; each needs its own"));
        }
        let file = Self { path };
        write_through(&file.path, None)
            .map_err(|error| format!("cannot create files in `{}`: {}", folder.display(), reason(&error)))?;
        Ok(file)
    }

    /// Returns the account of the entries in the file; no file has none.
    ///
    /// # Errors
    /// The file cannot be read, or is refused ([`StateFile::take`]).
    pub fn account(&self, form: &str) -> Result<Account, String> {
        self.read(form).map(|pending| pending.account)
    }

    /// Removes the file and returns its entries.
    ///
    /// # Errors
    /// The file cannot be read or removed; then nothing may be sent. Or it is refused: damaged, written by something else
    /// or by a later version, or of another form; then it is renamed, and the error contains its new name.
    pub fn take(&self, form: &str) -> Result<Pending, String> {
        let pending = self.read(form)?;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.error("remove", &error)),
            _ => Ok(pending),
        }
    }

    /// Adds entries to those in the file. Returns the number of entries for which there was no space in [`MAX_BYTES`].
    ///
    /// # Errors
    /// The file cannot be written; the previous file remains. A file that is refused ([`StateFile::take`]) is renamed and
    /// does not prevent the new one.
    pub fn add(&self, form: &str, new: &Pending) -> Result<usize, String> {
        let old = self.read(form).unwrap_or_default();
        let account = old.account + new.account;
        let (content, left) = write(form, account, old.entries.iter().chain(&new.entries), MAX_BYTES);
        replace(&self.path, &content).map_err(|error| self.error("write", &error))?;
        Ok(left)
    }

    /// Reads the file, or renames it if it cannot be used.
    fn read(&self, form: &str) -> Result<Pending, String> {
        let mut content = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file.take(MAX_BYTES as u64 + 1).read_to_end(&mut content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pending::default()),
            Err(error) => Err(error),
        }
        .map_err(|error| self.error("read", &error))?;
        parse(&content, form).map_err(|reason| self.set_aside(&reason))
    }

    /// Renames a file that cannot be used; returns the message about it.
    fn set_aside(&self, refused: &str) -> String {
        let shown = self.path.display();
        // The last name is used again, so that there is a bounded number of files.
        let mut names = (1..10).map(|number| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".refused-{number}"));
            PathBuf::from(name)
        });
        let free =
            names.clone().find(|name| !name.exists()).or_else(|| names.next_back()).unwrap_or_default();
        match fs::rename(&self.path, &free) {
            Ok(()) => format!("`{shown}` refused: {refused}; renamed to `{}`", free.display()),
            Err(error) => format!("`{shown}` refused: {refused}; cannot rename it: {}", reason(&error)),
        }
    }

    fn error(&self, action: &str, error: &io::Error) -> String {
        format!("cannot {action} `{}`: {}", self.path.display(), reason(error))
    }
}

/// Replaces a file at once: a crash leaves the previous content or the new one. Only the user can read it.
///
/// # Errors
/// The file cannot be written; the previous one remains.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    write_through(path, Some(content))
}

/// Writes a temporary file beside a file and renames it to the file's name. Without content, removes it instead.
fn write_through(path: &Path, content: Option<&[u8]>) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // A crash may have left one.
    let _ = fs::remove_file(&temporary);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    let Some(content) = content else { return fs::remove_file(&temporary) };
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    // The rename is on the disk once the folder is; not every system can flush a folder.
    let folder = path.parent().map(File::open);
    if let Some(Ok(folder)) = folder {
        let _ = folder.sync_all();
    }
    Ok(())
}

impl Drop for StateFile {
    fn drop(&mut self) {
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.remove(&self.path);
        // An empty set may keep memory, which would be lost if the agent unloads a plugin.
        if claimed.is_empty() {
            *claimed = BTreeSet::new();
        }
    }
}

/// Returns a system's error in lower case and without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for a test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("kaudit-state-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).expect("a temporary folder");
            Self(folder)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).expect("a folder");
            let mut names: Vec<_> = entries
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn pending(entries: &[&str]) -> Pending {
        let entries: Vec<_> = entries.iter().map(|entry| entry.as_bytes().to_vec()).collect();
        let account =
            Account { summaries: entries.len() as u64, suppressed: 5, detections: 1, ..Account::default() };
        Pending { account, entries }
    }

    #[test]
    fn entries_are_taken_once_and_added_to_an_earlier_run() {
        let folder = Folder::new("once");
        let path = folder.0.join("state");
        let file = StateFile::claim(&path).expect("a folder that can be written to");
        assert_eq!(folder.names(), Vec::<String>::new(), "claiming leaves no file");
        assert_eq!(file.take("singles"), Ok(Pending::default()), "no file, no entries");
        assert_eq!(file.add("singles", &pending(&["a", ""])), Ok(0));
        drop(file);
        let file = StateFile::claim(&path).expect("released");
        assert_eq!(file.add("singles", &pending(&["b"])), Ok(0));
        let account = Account { summaries: 3, suppressed: 10, detections: 2, ..Account::default() };
        assert_eq!(file.account("singles"), Ok(account));
        assert_eq!(folder.names(), ["state"], "no temporary file remains");
        let taken = file.take("singles").expect("a valid file");
        assert_eq!(taken, Pending { account, entries: vec![b"a".into(), b"".into(), b"b".into()] });
        assert_eq!(folder.names(), Vec::<String>::new());
        assert_eq!(file.take("singles"), Ok(Pending::default()), "nothing is taken twice");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_agents_user_can_read_a_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::new("mode");
        let path = folder.0.join("state");
        let file = StateFile::claim(&path).expect("a folder");
        file.add("singles", &pending(&["a"])).expect("written");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_path_is_claimed_once_and_must_be_usable() {
        let folder = Folder::new("claim");
        let path = folder.0.join("state");
        let first = StateFile::claim(&path).expect("a folder");
        let other = folder.0.join("..").join(folder.0.file_name().expect("a name")).join("state");
        let error = StateFile::claim(&other).expect_err("the same file by another path");
        assert!(error.ends_with("is the file of another instance; each needs its own"), "{error}");
        drop(first);
        StateFile::claim(&other).expect("released");
        fs::create_dir(folder.0.join("folder")).expect("a folder");
        for (path, expected) in [
            (folder.0.join("folder"), "is not a regular file"),
            (folder.0.join("missing/state"), "no such file or directory"),
            (PathBuf::from("/"), "has no file name"),
            (PathBuf::from("/proc/kaudit.state"), "cannot create files in `/proc`"),
        ] {
            let error = StateFile::claim(&path).expect_err("not usable");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_file_with_any_change_is_refused_and_kept_under_another_name() {
        let folder = Folder::new("damage");
        let path = folder.0.join("state");
        let file = StateFile::claim(&path).expect("a folder");
        file.add("singles", &pending(&["an entry", "b"])).expect("written");
        let content = fs::read(&path).expect("a file");
        let flipped = (0..content.len()).map(|at| {
            let mut content = content.clone();
            content[at] ^= 1;
            content
        });
        let cut = (0..content.len()).map(|length| content[..length].to_vec());
        let longer = [content.clone(), vec![0]].concat();
        for changed in flipped.chain(cut).chain([longer]) {
            let text = String::from_utf8_lossy(&changed).into_owned();
            assert!(parse(&changed, "singles").is_err(), "{text}");
        }
        for (content, expected) in [
            (&content[..content.len() - 1], "refused: damaged; renamed to `"),
            (b"kaudit-filter state 2\n".as_slice(), "refused: version 2, expected 1; renamed to `"),
            (b"[INPUT]\n".as_slice(), "refused: not a state file of kaudit-filter; renamed to `"),
            (b"".as_slice(), "refused: not a state file of kaudit-filter; renamed to `"),
        ] {
            fs::write(&path, content).expect("written");
            let error = file.take("singles").expect_err("refused");
            assert!(error.contains(expected), "{error}");
            assert!(!path.exists(), "kept beside");
        }
        file.add("singles", &pending(&["a"])).expect("written");
        let error = file.take("bulk").expect_err("another form");
        assert!(error.contains("its entries have the form singles, and bulk is configured"), "{error}");
        let names: Vec<_> = (1..6).map(|number| format!("state.refused-{number}")).collect();
        assert_eq!(folder.names(), names);
    }

    #[test]
    fn a_damaged_file_does_not_prevent_a_new_one() {
        let folder = Folder::new("new");
        let path = folder.0.join("state");
        let file = StateFile::claim(&path).expect("a folder");
        for _ in 0..12 {
            fs::write(&path, "damaged").expect("written");
            assert_eq!(file.add("singles", &pending(&["a"])), Ok(0));
            assert_eq!(file.take("singles"), Ok(pending(&["a"])));
        }
        assert_eq!(folder.names().len(), 9, "a bounded number of refused files");
    }

    #[test]
    fn the_size_is_bounded() {
        let folder = Folder::new("size");
        let path = folder.0.join("state");
        let file = StateFile::claim(&path).expect("a folder");
        let large = Pending { entries: vec![vec![b'x'; 1 << 20]; 33], account: Account::default() };
        assert_eq!(file.add("singles", &large), Ok(2));
        assert!(fs::metadata(&path).expect("a file").len() <= MAX_BYTES as u64);
        assert_eq!(file.take("singles").expect("a valid file").entries.len(), 31);
    }
}
