//! What the program generates from its arguments: manual pages, and the completion of a shell.

use std::fs;
use std::path::Path;

use crate::shell::{Done, cargo, read, run};

/// The manual pages by their names, and bash's completion.
pub struct Manual {
    pub pages: Vec<(String, String)>,
    pub completion: String,
}

impl Manual {
    /// Runs the program, a build for this machine; its pages are written below a directory.
    pub fn make(target: &Path) -> Done<Self> {
        let folder = target.join("man");
        let _ = fs::remove_dir_all(&folder);
        let program = ["run", "--quiet", "--locked", "--package", "kaudit-filter-cli", "--"];
        run(cargo(&program).args(["man", "--output"]).arg(&folder))?;
        let completion = read(cargo(&program).args(["completions", "bash"]))?.stdout;
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut pages = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            pages.push((name, fs::read_to_string(&path).map_err(failed)?));
        }
        pages.sort();
        let completion = String::from_utf8(completion).map_err(|error| error.to_string())?;
        Ok(Self { pages, completion })
    }
}
