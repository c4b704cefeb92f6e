//! Links of pages that leave the archive: the repository has more files than a release.

/// The files of the repository that an archive contains, as prefixes of their paths.
const SHIPPED: [&str; 5] = ["docs/", "examples/", "policies/default.yaml", "LICENSE", "README.md"];

/// Returns the text of a page, in which links to files that an archive lacks lead to the repository at this version.
pub fn portable(page: &str, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let end = after.find(')').unwrap_or(after.len());
        let (target, after) = after.split_at(end);
        out.push_str(before);
        out.push_str("](");
        out.push_str(&link(page, target));
        rest = after;
    }
    out + rest
}

fn link(page: &str, target: &str) -> String {
    let (path, part) = target.split_at(target.find('#').unwrap_or(target.len()));
    if path.is_empty() || path.contains(':') || path.starts_with('<') {
        return target.to_owned();
    }
    match resolved(page, path).as_str() {
        "CHANGELOG.md" => path.replace("CHANGELOG.md", "CHANGES.md") + part,
        file if SHIPPED.iter().any(|shipped| file.starts_with(shipped)) => target.to_owned(),
        "docs" | "examples" => target.to_owned(),
        file => {
            let (repository, version) = (env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"));
            format!("{repository}/blob/v{version}/{file}{part}")
        }
    }
}

/// Returns the path of a link in the repository.
pub fn resolved(page: &str, path: &str) -> String {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
