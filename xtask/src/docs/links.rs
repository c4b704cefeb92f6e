//! Checks that every link of a built site leads to a file of it, and to an anchor of that file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::shell::Done;

/// Checks the HTML files of a folder.
pub fn check(site: &Path) -> Done {
    let mut pages = BTreeMap::new();
    let mut files = BTreeSet::new();
    collect(site, site, &mut pages, &mut files).map_err(|error| format!("{}: {error}", site.display()))?;
    let mut faults = Vec::new();
    let mut count = 0;
    for (name, text) in &pages {
        for link in attributes(text, "href").chain(attributes(text, "src")) {
            count += 1;
            if let Some(fault) = fault(name, link, &pages, &files) {
                faults.push(format!("{}: {link}: {fault}", name.display()));
            }
        }
    }
    if !faults.is_empty() {
        faults.dedup();
        return Err(format!("broken links\n  {}", faults.join("\n  ")));
    }
    eprintln!("{count} links of {} pages lead to a file of the book", pages.len());
    Ok(())
}

/// Reads the pages, and lists all files, by their paths in the site.
fn collect(
    site: &Path,
    folder: &Path,
    pages: &mut BTreeMap<PathBuf, String>,
    files: &mut BTreeSet<PathBuf>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(site, &path, pages, files)?;
            continue;
        }
        let name = path.strip_prefix(site).unwrap_or(&path).to_owned();
        // The page of all chapters, for a printer, has the links of other folders; 404.html is served under any path.
        let is_page = path.extension().is_some_and(|extension| extension == "html");
        if is_page && !matches!(name.to_str(), Some("print.html" | "404.html")) {
            pages.insert(name.clone(), fs::read_to_string(&path)?);
        }
        files.insert(name);
    }
    Ok(())
}

/// Returns the values of an attribute.
fn attributes<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let start = format!(" {name}=\"");
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = rest.find(&start)? + start.len();
        let value = &rest[at..];
        let end = value.find('"')?;
        rest = &value[end..];
        Some(&value[..end])
    })
}

/// Returns the reason why a link leads nowhere.
fn fault(
    page: &Path,
    link: &str,
    pages: &BTreeMap<PathBuf, String>,
    files: &BTreeSet<PathBuf>,
) -> Option<&'static str> {
    if link.contains(':') || link.is_empty() {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let to = if path.is_empty() { page.to_owned() } else { resolved(&page.with_file_name(path)) };
    // A folder of examples is listed by the server.
    if !files.contains(&to) && !files.iter().any(|file| file.starts_with(&to)) {
        return Some("no such file");
    }
    let text = pages.get(&to).filter(|_| !anchor.is_empty())?;
    let has_anchor = attributes(text, "id").any(|id| id == anchor);
    (!has_anchor).then_some("no such heading")
}

/// Returns a path without `.` and `..`; outside the site it is `..`, which is no file.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if !resolved.pop() => return PathBuf::from(".."),
            Component::ParentDir | Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_without_a_file_or_heading_are_found() {
        let page = |text: &str| text.to_owned();
        let pages = BTreeMap::from([
            (PathBuf::from("a.html"), page(r#"<h1 id="top">"#)),
            (PathBuf::from("sub/b.html"), page("")),
        ]);
        let files: BTreeSet<PathBuf> =
            pages.keys().cloned().chain([PathBuf::from("sub/index.html"), PathBuf::from("x.yaml")]).collect();
        for (link, expected) in [
            ("https://example.com/x", None),
            ("../a.html", None),
            ("../a.html#top", None),
            ("../x.yaml", None),
            ("../sub/", None),
            ("#", None),
            ("c.html", Some("no such file")),
            ("../../a.html", Some("no such file")),
            ("../a.html#bottom", Some("no such heading")),
            ("#here", Some("no such heading")),
        ] {
            assert_eq!(fault(Path::new("sub/b.html"), link, &pages, &files), expected, "{link}");
        }
    }

    #[test]
    fn attributes_are_found() {
        let text = r#"<a href="x"><img src="y"><a class="z" href="w#v">"#;
        assert_eq!(attributes(text, "href").collect::<Vec<_>>(), ["x", "w#v"]);
    }
}
