//! `cargo xtask release`: builds the archives that users download, reproducibly.
//!
//! For each platform there are an archive with one folder `kaudit` and a Debian package, and for all of them a container
//! image; beside them the checksums, the manifest, the bill of materials and the changes. Everything is built for an old C
//! library, without symbols and without paths of this machine; an archive has no times and no owners. `--check` builds
//! everything a second time in another directory and compares.

mod archive;
mod bill;
mod build;
mod debian;
mod image;
mod links;
mod manual;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::shell::{Done, cargo, files, root, target_directory};
use archive::{Archive, sum};
use build::{PLATFORMS, Platform};

/// The directory of the archives.
const RELEASE: &str = "dist/release";

/// Builds the named platforms, or all; with `--check` twice.
pub fn run(arguments: &[String]) -> Done {
    let (options, names): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    let check = match options[..] {
        [] => false,
        [option] if option == "--check" => true,
        _ => return Err("the only option is --check".to_owned()),
    };
    let known = PLATFORMS.map(|platform| platform.name);
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("unknown platform `{unknown}`; one of {}", known.join(", ")));
    }
    let chosen: Vec<&Platform> = PLATFORMS
        .iter()
        .filter(|platform| names.is_empty() || names.iter().any(|name| *name == platform.name))
        .collect();

    let target = target_directory()?;
    let files = make(&chosen, &target.join("release-1"))?;
    if check {
        let again = make(&chosen, &target.join("release-2"))?;
        for (name, bytes) in &files {
            if again.get(name) != Some(bytes) {
                return Err(format!("{name}: the second build differs"));
            }
        }
        eprintln!("the second build is equal: {}", files.keys().cloned().collect::<Vec<_>>().join(", "));
    }
    let directory = root().join(RELEASE);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).map_err(|error| format!("{RELEASE}: {error}"))?;
    for (name, bytes) in &files {
        fs::write(directory.join(name), bytes).map_err(|error| format!("{RELEASE}/{name}: {error}"))?;
    }
    eprint!("{}", String::from_utf8_lossy(&files[SUMS]));
    Ok(())
}

const SUMS: &str = "SHA256SUMS";

/// Returns all files of the release, by their names.
fn make(platforms: &[&Platform], target: &Path) -> Done<BTreeMap<String, Vec<u8>>> {
    let bill = bill::make()?;
    let mut files = BTreeMap::new();
    let mut delivered = Vec::new();
    let mut image = image::Image::new(VERSION);
    let manual = manual::Manual::make(target)?;
    for platform in platforms {
        let built = build::run(platform, target)?;
        let (copier, licence) =
            image::copier(platform.machine(), target, &target_directory()?.join("tools"))?;
        let lines: Vec<String> = built
            .iter()
            .map(|(name, bytes)| format!("{} {} {} kaudit/{name}", platform.triple, sum(bytes), bytes.len()))
            .collect();
        let documents = documents(platform, &bill, &lines)?;
        delivered.extend(lines);
        let names = file_names(platform);
        files.insert(names.archive, archive(&built, &documents)?.pack()?);
        files.insert(
            names.debian,
            debian(&built, &documents, &manual)?.pack(VERSION, platform.architecture())?,
        );
        image.platform(platform.architecture(), &layer(&built, &documents, copier, licence))?;
    }
    files.insert(format!("kaudit-filter-{VERSION}-oci.tar"), image.pack()?);
    files.insert("manifest.json".to_owned(), manifest(&delivered)?.into_bytes());
    files.insert("sbom.cdx.json".to_owned(), bill.cyclonedx.into_bytes());
    files.insert("CHANGES.md".to_owned(), changes(&text("CHANGELOG.md")?, VERSION)?.into_bytes());
    let mut sums = String::new();
    for (name, bytes) in &files {
        let _ = writeln!(sums, "{}  {name}", sum(bytes));
    }
    files.insert(SUMS.to_owned(), sums.into_bytes());
    Ok(files)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Artefacts, by their names.
type Built = [(String, Vec<u8>)];
/// Texts, by their paths in the archive.
type Documents = Vec<(String, String)>;

/// The names of a platform's files in a release.
struct FileNames {
    archive: String,
    debian: String,
}

fn file_names(platform: &Platform) -> FileNames {
    FileNames {
        archive: format!("kaudit-filter-{VERSION}-{}.tar.gz", platform.name),
        debian: format!("kaudit-filter_{VERSION}_{}.deb", platform.architecture()),
    }
}

/// Returns the pages of the documentation and of the examples; the latter replace the pages of their folder.
fn pages() -> Done<Documents> {
    let mut pages = Documents::new();
    for file in files(&["docs", "examples"])? {
        let is_page = match file.strip_prefix("docs/") {
            Some(page) => page != "SUMMARY.md" && page != "book.toml",
            None => is_page(&file),
        };
        if is_page {
            let text = links::portable(&file, &text(&file)?);
            pages.push((file, text));
        }
    }
    Ok(pages)
}

fn is_page(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|end| end == "md")
}

/// Returns the texts beside the artefacts of a platform, whose manifest has these lines.
fn documents(platform: &Platform, bill: &bill::Bill, lines: &[String]) -> Done<Documents> {
    let mut documents = pages()?;
    let others = [
        ("README.md", readme(platform)?),
        ("policies/default.yaml", text("policies/default.yaml")?),
        ("LICENSE", text("LICENSE")?),
        ("LICENCES.txt", bill.licences.clone()),
        ("LICENCES.rust.html", bill.library.clone()),
        ("CHANGES.md", changes(&text("CHANGELOG.md")?, VERSION)?),
        ("manifest.json", manifest(lines)?),
        ("manifest.schema.json", text("plugin-manifest/manifest.schema.json")?),
        ("sbom.cdx.json", bill.cyclonedx.clone()),
    ];
    documents.extend(others.map(|(name, text)| (name.to_owned(), text)));
    Ok(documents)
}

fn archive(built: &Built, documents: &Documents) -> Done<Archive> {
    let mut archive = Archive::new("kaudit");
    for (name, bytes) in built {
        archive.file(name, bytes.clone(), name_is_program(name));
    }
    archive.folder("examples", &root().join("examples"))?;
    for (name, text) in documents {
        archive.file(name, text.clone().into_bytes(), false);
    }
    Ok(archive)
}

fn debian(built: &Built, documents: &Documents, manual: &manual::Manual) -> Done<debian::Package> {
    let mut package = debian::Package::new();
    for (name, bytes) in built {
        package.artefact(name, bytes.clone(), name_is_program(name));
    }
    package.examples(&root().join("examples"))?;
    package.manual(manual)?;
    // Debian has the text of the licence.
    for (name, text) in documents.iter().filter(|(name, _)| *name != "LICENSE") {
        package.document(name, text);
    }
    Ok(package)
}

/// Returns the image's layer for a platform: plugins, the program, the program `cp`, and licences.
fn layer(built: &Built, documents: &Documents, copier: Vec<u8>, licence: Vec<u8>) -> Archive {
    let mut layer = Archive::new("");
    for (name, bytes) in built.iter().filter(|(name, _)| image::FILES.contains(&&**name)) {
        layer.file(name, bytes.clone(), name_is_program(name));
    }
    for (name, text) in documents.iter().filter(|(name, _)| name.starts_with("LICEN")) {
        layer.file(name, text.clone().into_bytes(), false);
    }
    layer.file("cp", copier, true);
    layer.file("LICENCE.musl", licence, false);
    layer
}

fn name_is_program(name: &str) -> bool {
    !name.contains('.')
}

fn text(file: &str) -> Done<String> {
    fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))
}

/// Returns the archive's own README, for a user without the repository.
fn readme(platform: &Platform) -> Done<String> {
    let text = text("plugin-manifest/README.archive.md")?;
    Ok(text.replace("{version}", env!("CARGO_PKG_VERSION")).replace("{platform}", platform.name))
}

/// Returns the changelog's section of this version or, before the release, its unreleased section.
fn changes(changelog: &str, version: &str) -> Done<String> {
    let sections: Vec<&str> = changelog.split("\n## ").skip(1).collect();
    let of = |title: String| sections.iter().find(|section| section.starts_with(&title));
    let section = of(format!("[{version}]")).or_else(|| of("[Unreleased]".to_owned()));
    let section = section.ok_or("CHANGELOG.md has no section of this version")?;
    Ok(format!("## {}\n", section.trim_end()))
}

/// Returns the manifest with these files.
fn manifest(lines: &[String]) -> Done<String> {
    let mut command = cargo(&["run", "--quiet", "--locked", "--package", "plugin-manifest", "--", "release"]);
    let failed = |error: &dyn std::fmt::Display| format!("cannot write the manifest: {error}");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| failed(&error))?;
    let mut stdin = child.stdin.take().ok_or("the manifest's program has no standard input")?;
    stdin.write_all(lines.join("\n").as_bytes()).map_err(|error| failed(&error))?;
    drop(stdin);
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if !output.status.success() {
        return Err(failed(&output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(&error))
}
