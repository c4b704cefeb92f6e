//! The Debian package: the program in the path, everything else of an archive in the directories of Debian.
//!
//! Decision: `ar` with three members is written here. The crate `ar` has had no release for years, and `cargo-deb` builds the
//! program itself, for the C library of the machine.

use std::fmt::Write as _;

use super::archive::{Archive, gzip};
use super::manual::Manual;
use crate::shell::Done;

/// The directory of the program and of the files that it loads, since it looks for its drivers beside itself.
const PROGRAMS: &str = "usr/lib/kaudit-filter";
/// The directory of documents and examples.
const DOCUMENTS: &str = "usr/share/doc/kaudit-filter";

/// The time of every file, seconds since 1970: 2020-01-01. Debian refuses packages with files of 1970.
const TIME: u64 = 1_577_836_800;
const MAINTAINER: &str = "kaudit-filter <kaudit-filter@users.noreply.github.com>";

/// The contents of a package.
pub struct Package {
    data: Archive,
}

impl Package {
    /// Returns a package with only the link of the program.
    pub fn new() -> Self {
        let mut data = Archive::new("").at(TIME);
        data.link("usr/bin/kaudit-filter", "../lib/kaudit-filter/kaudit-filter");
        Self { data }
    }

    /// Adds an artefact; a program is executable.
    pub fn artefact(&mut self, name: &str, bytes: Vec<u8>, program: bool) {
        self.data.file(&format!("{PROGRAMS}/{name}"), bytes, program);
    }

    /// Adds a document.
    pub fn document(&mut self, name: &str, text: &str) {
        self.data.file(&format!("{DOCUMENTS}/{name}"), text.as_bytes().into(), false);
    }

    /// Adds the examples of the repository.
    pub fn examples(&mut self, folder: &std::path::Path) -> Done {
        self.data.folder(&format!("{DOCUMENTS}/examples"), folder)
    }

    /// Adds the program's manual pages and the completion of its arguments in bash.
    pub fn manual(&mut self, manual: &Manual) -> Done {
        for (name, text) in &manual.pages {
            let page = gzip(text.as_bytes()).map_err(|error| format!("{name}: {error}"))?;
            self.data.file(&format!("usr/share/man/man1/{name}.gz"), page, false);
        }
        let completion = "usr/share/bash-completion/completions/kaudit-filter";
        self.data.file(completion, manual.completion.clone().into_bytes(), false);
        Ok(())
    }

    /// Returns the package of a version, for an architecture of Debian.
    pub fn pack(mut self, version: &str, architecture: &str) -> Done<Vec<u8>> {
        self.document("copyright", COPYRIGHT);
        let changes = gzip(changelog(version).as_bytes()).map_err(|error| format!("changelog: {error}"))?;
        self.data.file(&format!("{DOCUMENTS}/changelog.gz"), changes, false);
        self.data.directories();
        let mut control = Archive::new("").at(TIME);
        let text = self.control(version, architecture);
        control.file("control", text.into_bytes(), false);
        let members = [
            ("debian-binary", b"2.0\n".to_vec()),
            ("control.tar.gz", control.pack()?),
            ("data.tar.gz", self.data.pack()?),
        ];
        let mut package = b"!<arch>\n".to_vec();
        for (name, bytes) in members {
            let mut header = String::new();
            let _ =
                writeln!(header, "{name:<16}{TIME:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 100_644, bytes.len());
            package.extend(header.into_bytes());
            package.extend(&bytes);
            // Members begin at even offsets.
            if bytes.len() % 2 == 1 {
                package.push(b'\n');
            }
        }
        Ok(package)
    }

    fn control(&self, version: &str, architecture: &str) -> String {
        // Kibibytes, as Debian's policy defines the field.
        let size = self.data.size().div_ceil(1024);
        format!(
            "Package: kaudit-filter
Version: {version}
Architecture: {architecture}
Maintainer: {MAINTAINER}
Installed-Size: {size}
Depends: libc6 (>= 2.17)
Suggests: fluent-bit (>= 2.2), vector (>= 0.57)
Section: admin
Priority: optional
Homepage: {}
Description: filter for kAudit findings and Kubernetes audit events
 Turns kAudit findings and Kubernetes audit events into Coralogix log entries,
 inside Fluent Bit or Vector, or on the command line. It applies the data
 filters and rate limits of kAudit's own configuration.
 .
 The plugins are in /{PROGRAMS}.
",
            env!("CARGO_PKG_REPOSITORY")
        )
    }
}

/// Returns Debian's form of a changelog, whose entries are in CHANGES.md beside it.
fn changelog(version: &str) -> String {
    format!(
        "kaudit-filter ({version}) unstable; urgency=medium

  * CHANGES.md has the changes of this version.

 -- {MAINTAINER}  Wed, 01 Jan 2020 00:00:00 +0000
"
    )
}

/// The licence, in Debian's machine-readable form. LICENCES.txt beside it lists the licences of the components.
const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: kaudit-filter
Source: https://github.com/kaudit-filter/kaudit-filter

Files: *
Copyright: 2026 the authors of kaudit-filter, and of the components in LICENCES.txt
License: Apache-2.0
 On Debian systems, the full text of the Apache License 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
";
