//! Runs the commands of the documentation as they are printed, from a clone and from a release archive.
//!
//! A block of `console` has commands, after `$ `, and what they print; a line `…` matches any lines. Blocks of `sh`
//! need a cluster, an agent, a build or files of the user's own: they run with `data/tool.sh` in place of these tools, and
//! with the example findings as the user's.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages whose commands are run, in the order of the book.
const PAGES: &[&str] = &[
    "README.md",
    "docs/introduction.md",
    "docs/quick-start.md",
    "docs/installation.md",
    "docs/configuration.md",
    "docs/audit-events.md",
    "docs/not-in-coralogix.md",
    "docs/troubleshooting.md",
];

/// The folders of an archive that the commands use; a clone has everything.
const ARCHIVE: [&str; 3] = ["docs", "examples", "policies"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A command, and the lines that it prints.
struct Step {
    command: String,
    printed: Vec<String>,
}

/// Returns the commands of a page's `console` blocks.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = line.trim_start() == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { command: command.to_owned(), printed: Vec::new() });
        } else if let Some(step) = steps.last_mut().filter(|_| inside) {
            step.printed.push(line.to_owned());
        }
    }
    steps
}

/// Returns whether the lines are these, where `…` matches any lines. Empty lines at both ends do not count.
fn matches(expected: &[String], lines: &[&str]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return lines.is_empty() };
    if first == "…" {
        return (0..=lines.len()).any(|skipped| matches(rest, &lines[skipped..]));
    }
    lines.split_first().is_some_and(|(line, others)| line.trim_end() == first && matches(rest, others))
}

/// The tools that blocks of `sh` call.
const TOOLS: [&str; 10] =
    ["cargo", "curl", "docker", "fluent-bit", "helm", "kaudit-filter", "kubectl", "skopeo", "vector", "yq"];

/// Returns the blocks of `sh` in a page, without their indentation.
fn scripts(page: &str) -> Vec<String> {
    let mut scripts: Vec<String> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = line.trim() == "```sh";
            if inside {
                scripts.push(String::new());
            }
        } else if let Some(script) = scripts.last_mut().filter(|_| inside) {
            *script += line.trim_start();
            script.push('\n');
        }
    }
    scripts
}

/// Runs the blocks of `sh` of every page in a folder, without tools; returns the calls of tools.
fn call(folder: &Path, pages: &[&str]) -> Vec<String> {
    let (tools, calls) = (folder.join("tools"), folder.join("calls"));
    fs::create_dir_all(&tools).unwrap();
    let tool = root().join("hosts/cli/tests/data/tool.sh");
    for name in TOOLS {
        symlink(&tool, tools.join(name)).unwrap();
    }
    if folder.join("kaudit-filter").symlink_metadata().is_ok() {
        fs::remove_file(folder.join("kaudit-filter")).unwrap();
        symlink(&tool, folder.join("kaudit-filter")).unwrap();
    }
    fs::copy(root().join("examples/findings/detections.ndjson"), folder.join("findings.ndjson")).unwrap();
    let path = format!("{}:{}", tools.display(), env::var("PATH").unwrap());
    for page in pages {
        for script in scripts(&fs::read_to_string(root().join(page)).unwrap()) {
            // An archive has no sources.
            if script.contains("cargo ") && !folder.join("xtask").exists() {
                continue;
            }
            let mut shell = Command::new("sh");
            let shell = shell.args(["-e", "-u", "-c", &script]).current_dir(folder).env("PATH", &path);
            let shell = shell.env("CALLS", &calls).env("PROGRAM", env!("CARGO_BIN_EXE_kaudit-filter"));
            let output = shell.output().unwrap();
            assert!(output.status.success(), "{page}:\n{script}{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    fs::read_to_string(calls).unwrap().lines().map(str::to_owned).collect()
}

/// Requires that the files and the tasks that the calls name exist.
fn assert_existing(folder: &Path, calls: &[String]) {
    let tasks = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    for call in calls {
        let mut words = call.split(' ').peekable();
        if let ["cargo", "xtask", task] = [(); 3].map(|()| words.next().unwrap_or_default()) {
            assert!(tasks.contains(&format!("\"{task}\"")), "{call}: no such task");
        }
        for word in
            call.split(' ').filter(|word| word.starts_with("examples/") || word.starts_with("policies/"))
        {
            assert!(folder.join(word).exists(), "{call}: {word} does not exist");
        }
    }
}

/// Returns a folder that has these of the repository's folders.
fn folder(name: &str, contents: &[String]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("documentation").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for name in contents {
        symlink(root().join(name), folder.join(name)).unwrap();
    }
    folder
}

/// Runs the commands of every page in a folder; returns how many there are.
fn run(folder: &Path, pages: &[&str]) -> usize {
    let programs = Path::new(env!("CARGO_BIN_EXE_kaudit-filter")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
    let mut count = 0;
    for page in pages {
        for Step { command, printed } in steps(&fs::read_to_string(root().join(page)).unwrap()) {
            let script = format!("exec 2>&1; {command}");
            let output = Command::new("sh")
                .args(["-c", &script])
                .current_dir(folder)
                .env("PATH", &path)
                .output()
                .unwrap();
            let output = String::from_utf8(output.stdout).unwrap();
            let lines: Vec<&str> = output.trim().lines().collect();
            let expected = printed.join("\n");
            let expected: Vec<String> = expected.trim().lines().map(str::to_owned).collect();
            assert!(matches(&expected, &lines), "{page}: $ {command}\nprinted:\n{output}");
            count += 1;
        }
    }
    count
}

#[test]
fn the_commands_work_in_a_clone() {
    let contents =
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let folder = folder("clone", &contents.collect::<Vec<_>>());
    assert!(run(&folder, PAGES) >= 9);
}

#[test]
fn the_commands_work_in_an_archive() {
    let folder = folder("archive", &ARCHIVE.map(str::to_owned));
    symlink(env!("CARGO_BIN_EXE_kaudit-filter"), folder.join("kaudit-filter")).unwrap();
    let own = "plugin-manifest/README.archive.md";
    assert!(run(&folder, &[&[own], PAGES].concat()) >= 11);
}

#[test]
fn the_scripts_call_tools_with_files_that_exist() {
    let all = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let clone = folder("scripts-clone", &all.filter(|name| name != "target").collect::<Vec<_>>());
    let calls = call(&clone, PAGES);
    assert_existing(&clone, &calls);
    for expected in [
        "cargo xtask demo",
        "cargo xtask dist program",
        "kubectl -n alcide-kaudit get configmap kaudit-integration-prod-eu -o yaml",
        "kaudit-filter run --config kaudit.yaml --clock record findings.ndjson",
    ] {
        assert!(calls.iter().any(|call| call == expected), "{expected}: {calls:#?}");
    }
    let archive = folder("scripts-archive", &ARCHIVE.map(str::to_owned));
    symlink(env!("CARGO_BIN_EXE_kaudit-filter"), archive.join("kaudit-filter")).unwrap();
    let calls = call(&archive, &[&["plugin-manifest/README.archive.md"], PAGES].concat());
    assert_existing(&archive, &calls);
    for expected in [
        "kaudit-filter run --via vector --config examples/kaudit.yaml examples/findings/detections.ndjson",
        "kaudit-filter endpoint --listen 127.0.0.1:8080",
        "kaudit-filter check kaudit.yaml",
    ] {
        assert!(calls.iter().any(|call| call == expected), "{expected}: {calls:#?}");
    }
}

#[test]
fn the_scripts_of_every_page_are_valid() {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(root()).output().unwrap();
    let mut count = 0;
    for page in String::from_utf8(listed.stdout).unwrap().lines() {
        for script in scripts(&fs::read_to_string(root().join(page)).unwrap()) {
            let output = Command::new("sh").args(["-n", "-c", &script]).output().unwrap();
            assert!(output.status.success(), "{page}:\n{script}{}", String::from_utf8_lossy(&output.stderr));
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn documents_have_no_mistakes() {
    let folder = folder("documents", &ARCHIVE.map(str::to_owned));
    let mut count = 0;
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for block in text.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()) {
            if !block.contains("\nintegrations:") {
                continue;
            }
            fs::write(folder.join("kaudit.yaml"), block).unwrap();
            let mut check = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"));
            let output =
                check.args(["check", "--strict", "kaudit.yaml"]).current_dir(&folder).output().unwrap();
            assert!(output.status.success(), "{page}: {}", String::from_utf8_lossy(&output.stdout));
            count += 1;
        }
    }
    assert!(count >= 2);
}

#[test]
fn each_row_of_the_comparison_has_a_public_source() {
    let text = fs::read_to_string(root().join("docs/comparison.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() >= 5, "{rows:#?}");
    for row in rows {
        let alternatives = row.split('|').nth(3).unwrap();
        assert!(alternatives.contains("](https://"), "{row}");
    }
}

#[test]
fn any_lines_may_be_left_out() {
    let expected = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (pattern, lines, is_match) in [
        ("a\n…\nc", vec!["a", "b", "c"], true),
        ("a\n…", vec!["a"], true),
        ("…\nb", vec!["a", "b", "b"], true),
        ("a", vec!["a", "b"], false),
        ("a\n…\nd", vec!["a", "b", "c"], false),
    ] {
        assert_eq!(matches(&expected(pattern), &lines), is_match, "{pattern}");
    }
}
