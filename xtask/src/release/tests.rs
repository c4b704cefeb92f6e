//! Tests the files of a release with artefacts of a few bytes: building the real ones takes minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::process::Command;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::*;

/// Artefacts of a platform, and the texts beside them.
fn delivery(platform: &Platform) -> (Vec<(String, Vec<u8>)>, Documents) {
    let names = image::FILES.into_iter().chain(["kaudit-fluent-bit-driver", "playground.html"]);
    let built =
        names.map(|name| (name.to_owned(), format!("{name} {}", platform.name).into_bytes())).collect();
    let texts = ["README.md", "LICENSE", "LICENCES.txt", "docs/from-kaudit.md"];
    (built, texts.map(|name| (name.to_owned(), format!("text of {name}\n"))).into())
}

/// Packs an image of both platforms.
fn image() -> Vec<u8> {
    let mut image = image::Image::new(VERSION);
    for platform in &PLATFORMS {
        let (built, documents) = delivery(platform);
        let layer = layer(&built, &documents, b"cp".to_vec(), b"licence".to_vec());
        image.platform(platform.architecture(), &layer).unwrap();
    }
    image.pack().unwrap()
}

/// Returns the files of an archive, with their modes.
fn unpacked(tar: &[u8]) -> BTreeMap<String, (Vec<u8>, u32)> {
    let mut archive = tar::Archive::new(tar);
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0), "{path}");
        files.insert(path, (bytes, entry.header().mode().unwrap()));
    }
    files
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

/// Returns a blob and its descriptor's media type, after a check of its digest and its size.
fn blob<'a>(
    layout: &'a BTreeMap<String, (Vec<u8>, u32)>,
    descriptor: &Value,
    media_type: &str,
) -> (String, &'a [u8]) {
    assert_eq!(descriptor["mediaType"], media_type);
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let path = format!("blobs/sha256/{digest}");
    let bytes = layout[&path].0.as_slice();
    assert_eq!((sum(bytes).as_str(), json!(bytes.len())), (digest, descriptor["size"].clone()));
    (path, bytes)
}

/// Source of the names: the image specification of OCI, 1.1 (image-layout.md, image-index.md, manifest.md, config.md).
#[test]
fn an_image_has_the_artefacts_of_each_platform() {
    let layout = unpacked(&image());
    assert_eq!(layout["oci-layout"].0, br#"{"imageLayoutVersion":"1.0.0"}"#);
    let mut read = BTreeSet::from(["oci-layout".to_owned(), "index.json".to_owned()]);
    let mut follow = |descriptor: &Value, kind: &str| {
        let (path, bytes) = blob(&layout, descriptor, &format!("application/vnd.oci.image.{kind}"));
        read.insert(path);
        bytes
    };
    let json_of = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
    let entry = json_of(&layout["index.json"].0);
    let named = &entry["manifests"][0];
    assert_eq!((entry["schemaVersion"].clone(), entry["manifests"].as_array().unwrap().len()), (json!(2), 1));
    assert_eq!(named["annotations"]["org.opencontainers.image.ref.name"], VERSION);
    let index = json_of(follow(named, "index.v1+json"));
    let mut architectures = Vec::new();
    for descriptor in index["manifests"].as_array().unwrap() {
        let manifest = json_of(follow(descriptor, "manifest.v1+json"));
        let config = json_of(follow(&manifest["config"], "config.v1+json"));
        assert_eq!(descriptor["platform"], json!({"architecture": config["architecture"], "os": "linux"}));
        assert_eq!(config["os"], "linux");
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.version"], VERSION);
        let [layer] = &manifest["layers"].as_array().unwrap()[..] else { panic!("{manifest}") };
        let tar = gunzip(follow(layer, "layer.v1.tar+gzip"));
        assert_eq!(
            config["rootfs"],
            json!({"type": "layers", "diff_ids": [format!("sha256:{}", sum(&tar))]})
        );
        let files: Vec<(String, u32)> =
            unpacked(&tar).into_iter().map(|(path, (_, mode))| (path, mode)).collect();
        let expected = [
            ("LICENCE.musl", 0o644),
            ("LICENCES.txt", 0o644),
            ("LICENSE", 0o644),
            ("cp", 0o755),
            ("flb-filter_kaudit.so", 0o644),
            ("kaudit-base.wasm", 0o644),
            ("kaudit-filter", 0o755),
            ("kaudit.so", 0o644),
            ("kaudit.wasm", 0o644),
        ];
        assert_eq!(files, expected.map(|(path, mode)| (path.to_owned(), mode)));
        architectures.push(config["architecture"].clone());
    }
    assert_eq!(architectures, ["amd64", "arm64"]);
    assert_eq!(read, layout.keys().cloned().collect(), "every blob is referred to");
    assert_eq!(image(), image(), "the second image is equal");
}

#[test]
fn a_debian_package_is_read_by_dpkg() {
    let platform = &PLATFORMS[1];
    let (built, documents) = delivery(platform);
    let pages =
        ["kaudit-filter.1", "kaudit-filter-run.1"].map(|name| (name.to_owned(), format!(".TH {name}\n")));
    let manual = manual::Manual { pages: pages.into(), completion: "complete kaudit-filter\n".to_owned() };
    let package =
        || debian(&built, &documents, &manual).unwrap().pack("1.2.3", platform.architecture()).unwrap();
    assert_eq!(package(), package(), "the second package is equal");
    let scratch = std::env::temp_dir().join(format!("kaudit-release-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    let file = scratch.join(file_names(platform).debian);
    fs::write(&file, package()).unwrap();
    let dpkg = |option: &str, more: &[&str]| {
        let output = Command::new("dpkg-deb").arg(option).arg(&file).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let field = |name: &str| dpkg("--field", &[name]).trim().to_owned();
    assert_eq!(["Package", "Version", "Architecture"].map(field), ["kaudit-filter", "1.2.3", "arm64"]);
    let contents = dpkg("--contents", &[]);
    for (name, mode) in [
        ("usr/bin/kaudit-filter -> ../lib/kaudit-filter/kaudit-filter", "lrwxrwxrwx"),
        ("usr/lib/kaudit-filter/kaudit-filter", "-rwxr-xr-x"),
        ("usr/lib/kaudit-filter/flb-filter_kaudit.so", "-rw-r--r--"),
        ("usr/share/doc/kaudit-filter/copyright", "-rw-r--r--"),
        ("usr/share/doc/kaudit-filter/examples/kaudit.yaml", "-rw-r--r--"),
        ("usr/share/man/man1/kaudit-filter-run.1.gz", "-rw-r--r--"),
        ("usr/share/bash-completion/completions/kaudit-filter", "-rw-r--r--"),
    ] {
        let line = contents
            .lines()
            .find(|line| line.ends_with(name))
            .unwrap_or_else(|| panic!("{name}: {contents}"));
        assert!(line.starts_with(&format!("{mode} 0/0 ")), "{line}");
    }
    assert!(!contents.contains("LICENSE"), "{contents}");
    let unpacked = scratch.join("unpacked");
    dpkg("--extract", &[unpacked.to_str().unwrap()]);
    let through_the_link = fs::read_to_string(unpacked.join("usr/bin/kaudit-filter")).unwrap();
    assert_eq!(through_the_link, "kaudit-filter linux-arm64");
    let page = fs::read(unpacked.join("usr/share/man/man1/kaudit-filter.1.gz")).unwrap();
    assert_eq!(gunzip(&page), b".TH kaudit-filter.1\n");
    fs::remove_dir_all(scratch).unwrap();
}

#[test]
fn links_of_pages_lead_to_files_of_the_archive_or_to_the_repository() {
    let mut documents = pages().unwrap();
    documents.push(("README.md".to_owned(), readme(&PLATFORMS[0]).unwrap()));
    for file in ["policies/default.yaml", "LICENSE"] {
        documents.push((file.to_owned(), text(file).unwrap()));
    }
    documents.push(("CHANGES.md".to_owned(), String::new()));
    let archive = unpacked(&gunzip(&archive(&[], &documents).unwrap().pack().unwrap()));
    let artefacts = ["kaudit-filter", "playground.html"];
    let mut outside = 0;
    for (page, (bytes, _)) in archive.iter().filter(|(page, _)| is_page(page)) {
        let page = page.strip_prefix("kaudit/").unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if target.contains("/blob/v") {
                outside += 1;
            }
            if target.is_empty() || target.contains(':') || target.starts_with('<') {
                continue;
            }
            let file = links::resolved(page, target);
            let path = format!("kaudit/{file}");
            let exists = archive.contains_key(&path)
                || archive.keys().any(|name| name.starts_with(&format!("{path}/")))
                || artefacts.contains(&file.as_str());
            assert!(exists, "{page}: {target}");
        }
    }
    assert!(outside > 0);
}

#[test]
fn the_program_cp_copies_files_and_reports_errors() {
    let scratch = std::env::temp_dir().join(format!("kaudit-cp-{}", std::process::id()));
    let target = scratch.join("target");
    fs::create_dir_all(&target).unwrap();
    let program = scratch.join("cp");
    let source = root().join("xtask/src/release/cp.c");
    let compiled =
        Command::new("cc").args(["-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(source).status();
    assert!(compiled.unwrap().success());
    let file = scratch.join("flb-filter_kaudit.so");
    let copy = |arguments: &[&Path]| {
        let output = Command::new(&program).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for content in [vec![1; 200_000], vec![2; 3]] {
        fs::write(&file, &content).unwrap();
        assert_eq!(copy(&[&file, &target]), (Some(0), String::new()));
        assert_eq!(fs::read(target.join("flb-filter_kaudit.so")).unwrap(), content);
    }
    let missing = scratch.join("missing");
    let refused = format!("cp: {}: No such file or directory\n", missing.display());
    assert_eq!(copy(&[&missing, &target]), (Some(1), refused));
    let (code, error) = copy(&[&file, &missing]);
    assert!(
        code == Some(1) && error.ends_with("flb-filter_kaudit.so: No such file or directory\n"),
        "{error}"
    );
    assert_eq!(copy(&[&file]), (Some(2), "usage: cp FILE... DIRECTORY\n".to_owned()));
    fs::remove_dir_all(scratch).unwrap();
}

#[test]
fn binstall_downloads_the_archives() {
    let metadata: toml::Table = text("hosts/cli/Cargo.toml").unwrap().parse().unwrap();
    let metadata = &metadata["package"]["metadata"]["binstall"];
    for platform in &PLATFORMS {
        let own = metadata["overrides"].get(platform.triple).unwrap_or(metadata);
        let url = own["pkg-url"].as_str().unwrap().replace("{ version }", VERSION);
        assert_eq!(url.rsplit('/').next(), Some(file_names(platform).archive.as_str()));
    }
    assert_eq!(metadata["bin-dir"].as_str(), Some("kaudit/{ bin }"));
}

#[test]
fn documents_name_the_files_of_this_version() {
    let names = file_names(&PLATFORMS[0]);
    let image = format!("oci-archive:kaudit-filter-{VERSION}-oci.tar:{VERSION}");
    for (file, expected) in [
        ("README.md", vec![&names.archive, &names.debian, &image]),
        ("examples/kubernetes/README.md", vec![&image]),
        ("RELEASE.md", vec![&names.archive]),
    ] {
        let text = text(file).unwrap();
        assert!(expected.iter().all(|name| text.contains(name.as_str())), "{file} lacks one of {expected:?}");
    }
}

#[test]
fn the_section_of_the_version_is_taken() {
    let changelog = "# Changelog\n\n## [Unreleased]\n\n- c\n\n## [0.2.0]\n\n- b\n\n## [0.1.0]\n\n- a\n";
    assert_eq!(changes(changelog, "0.2.0").unwrap(), "## [0.2.0]\n\n- b\n");
    assert_eq!(changes(changelog, "0.3.0").unwrap(), "## [Unreleased]\n\n- c\n");
    assert!(changes("# Changelog\n", "0.1.0").is_err());
}

#[test]
fn the_dockerfile_has_the_image_s_files() {
    let dockerfile = text("examples/kubernetes/Dockerfile").unwrap();
    let added = dockerfile.lines().find_map(|line| line.strip_prefix("ADD ")).unwrap();
    for platform in &PLATFORMS {
        let name = added.split(' ').next().unwrap().replace("${TARGETARCH}", platform.architecture());
        assert_eq!(name.replace("${VERSION}", VERSION), file_names(platform).archive);
    }
    let copied = dockerfile.lines().find(|line| line.starts_with("COPY ")).unwrap();
    for file in image::FILES {
        assert!(copied.split(' ').any(|word| word == format!("/kaudit/{file}")), "{file}: {copied}");
    }
}
