//! Runs the commands of the documentation as they are printed, from a clone and from a release archive.
//!
//! A block of `console` has commands, after `$ `, and what they print; a line `…` matches any lines. Blocks of `sh`
//! are not run: they need a cluster, an agent, a build or files of the user's own.

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
