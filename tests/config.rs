//! Tests of configurations as data.
//!
//! `tests/data/config/NAME.yaml` is read, and `NAME.txt` contains its diagnostics and then its meaning. `BLESS=1`
//! rewrites the expectations; review the changes.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use kaudit_filter::config::{
    Code, Config, FileLoader, Integration, Level, NoFiles, ReadResult, read, restore_indentation,
};

const NANOSECONDS: u64 = 1_000_000;

struct Folder(PathBuf);

impl FileLoader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.join(path)).map_err(|_| "there is no such file".to_owned())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config")
}

/// Texts that no file can contain or no editor would keep, and time limits.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test checks that reading ends soon")]
fn hostile_texts() {
    let megabyte = 1 << 20;
    let list = "- type: activity\n  target: {target-type: http-api, http-api-uri: 'https://ingress.coralogix.in/logs/v1/singles'}\n";
    let deep = (0..200).map(|depth| format!("{:depth$}a:\n", "")).collect::<Vec<_>>().concat();
    let keys = (0..60_000).map(|number| format!("k{number}: 1\n")).collect::<Vec<_>>().concat();
    let items = "- a\n".repeat(megabyte / 4);
    let patterns = (0..1000)
        .map(|number| {
            format!("- {{type: activity, target: {{}}, data-filter: {{entity-match: '\\w{{{number}}}'}}}}\n")
        })
        .collect::<Vec<_>>()
        .concat();
    let cases: &[(&str, String, &str)] = &[
        ("a byte order mark", format!("\u{feff}{list}"), ""),
        ("carriage returns", format!("---\r\n{}", list.replace('\n', "\r\n")), ""),
        ("nothing", String::new(), "1:1: error: the file is empty"),
        ("comments alone", "# nothing\n---\n~\n".to_owned(), "1:1: error: the file is empty"),
        (
            "a nul",
            format!("{list}  name: a\0b\n"),
            "3:10: error: the control character U+0000 is not allowed",
        ),
        (
            "an escaped nul",
            format!("{list}  name: \"a\\0b\"\n"),
            "3:9: error: integrations[0].name: expected up to 15",
        ),
        ("too large a file", " ".repeat(megabyte + 1), "1:1: error: 1048577 bytes are too many"),
        (
            "too large a value",
            format!("{list}  name: {}", "x".repeat(megabyte / 2)),
            "3:9: error: integrations[0].name: a value of 524288 bytes",
        ),
        ("deep brackets", "[".repeat(megabyte), "1:256: error: nested more than 32 deep"),
        ("deep braces", "{a: ".repeat(megabyte / 4), "1:1021: error: nested more than 32 deep"),
        ("deep dashes", "- ".repeat(megabyte / 2), "1:65: error: nested more than 32 deep"),
        ("deep keys", deep, "33:33: error: nested more than 32 deep"),
        ("many keys", keys, "1:1: error: a map of 60000 keys"),
        ("many items", items, "1:1: error: integrations: a list of 262144 items"),
        (
            "many documents",
            "---\na\n".repeat(megabyte / 6),
            "2003:1: error: more than 1000 documents in one file",
        ),
        ("large patterns", patterns, "1:28: error: integrations[0].target: `target-type` is missing"),
        (
            "an alias of nothing",
            "a: *b\n".to_owned(),
            "1:4: error: anchors and aliases are not supported here",
        ),
        (
            "billion laughs",
            "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n".to_owned(),
            "1:1: error: a: unknown key `a`",
        ),
    ];
    for (name, text, start) in cases {
        let begun = Instant::now();
        let reading = read("x", text, &NoFiles);
        assert!(begun.elapsed() < Duration::from_secs(20), "{name} takes {:?}", begun.elapsed());
        let first = reading.diagnostics.first().map(|diagnostic| format!("{diagnostic}")).unwrap_or_default();
        let first = first.strip_prefix("x:").unwrap_or(&first);
        assert!(
            if start.is_empty() { first.is_empty() } else { first.starts_with(start) },
            "{name}: {first}"
        );
        assert_eq!(reading.config.is_some(), start.is_empty(), "{name}");
        assert!(reading.diagnostics.len() <= 200, "{name}: {} remarks", reading.diagnostics.len());
    }
}

#[test]
fn a_host_without_files_reports_it() {
    let reading = read("kaudit.yaml", "integrations-file: list.yaml", &NoFiles);
    let diagnostics: Vec<_> = reading.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(
        diagnostics,
        [
            "kaudit.yaml:1:20: error: integrations-file: `list.yaml` cannot be read: no file can be read here; \
             write the list under `integrations`"
        ]
    );
}

proptest! {
    /// Reading a randomly edited configuration ends, with an error if it is rejected.
    #[test]
    fn reading_an_edited_configuration_ends(
        case in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, "[ -~\n\t\u{0}é\u{2028}]{0,3}"), 1..6),
    ) {
        let name = case.get(&[
            "seed-sample",
            "own-document",
            "older-dialect",
            "configmap-list",
            "patterns-warned",
            "pattern-characters",
            "variables",
            "merge-keys",
            "indentation-lost-own",
        ]);
        let mut text: Vec<char> = fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap().chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        let rendered = render(&read("x", &text, &Folder(folder())));
        prop_assert!(rendered.lines().count() > 0);
    }
}

#[test]
fn expectations_are_met() {
    let folder = folder();
    let bless = std::env::var_os("BLESS").is_some();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .expect("the cases are there")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    names.sort();
    assert!(names.len() > 40, "only {} cases are found", names.len());
    let mut failed = Vec::new();
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII").to_owned();
        let text = fs::read_to_string(&path).expect("a readable case");
        let found = render(&read(&name, &text, &Folder(folder.clone())));
        assert!(!found.to_lowercase().contains("do-not-repeat-me"), "{name} contains a secret:\n{found}");
        let expectation = path.with_extension("txt");
        if bless {
            fs::write(&expectation, &found).expect("a writable expectation");
        } else if fs::read_to_string(&expectation).unwrap_or_default() != found {
            failed.push(format!("{name} gives:\n{found}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Restored indentation does not change the meaning of a configuration.
///
/// Each valid configuration of the cases is read without its indentation.
#[test]
fn restored_indentation_changes_no_meaning() {
    let mut restored = 0;
    for path in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Includes the cases that have already lost it.
        let text = restore_indentation(&text).unwrap_or(text);
        let reading = read("x", &text, &Folder(folder()));
        let flat: String = text.lines().flat_map(|line| [line.trim_start(), "\n"]).collect();
        let found = read("x", &flat, &Folder(folder()));
        if !found.diagnostics.iter().any(|diagnostic| diagnostic.code() == Code::IndentationLost) {
            continue;
        }
        assert_eq!(found.diagnostics.len(), 1, "{name}: {:?}", found.diagnostics);
        let again = read("x", &restore_indentation(&flat).unwrap(), &Folder(folder()));
        if let Some(config) = &reading.config {
            assert_eq!(format!("{:?}", Some(config)), format!("{:?}", again.config), "{name}");
            restored += 1;
        }
    }
    assert!(restored >= 6, "only {restored} are restored");
}

/// Writes the diagnostics, one per line, and the meaning of the configuration.
fn render(reading: &ReadResult) -> String {
    let mut out = String::new();
    for diagnostic in &reading.diagnostics {
        writeln!(out, "{diagnostic}").expect("a string takes all");
    }
    let errors = reading.diagnostics.iter().any(|diagnostic| diagnostic.level() == Level::Error);
    assert_eq!(reading.config.is_none(), errors, "a configuration exactly when there is no error:\n{out}");
    if let Some(config) = &reading.config {
        describe(config, &mut out);
    }
    out
}

fn describe(config: &Config, out: &mut String) {
    let Config { coralogix, guard, rate_limit, .. } = config;
    let mut line = |text: String| writeln!(out, "{text}").expect("a string takes all");
    line(format!("shape {:?}, text {:?}, keys {:?}", coralogix.shape, coralogix.text, coralogix.keys));
    line(format!(
        "guard {} ms back, {} ms ahead, {} bytes, {:?}; unrecognised {:?}",
        guard.max_age_ms, guard.max_ahead_ms, guard.max_entry_bytes, guard.on_stale, config.unrecognised
    ));
    line(format!(
        "limits by {:?}, {} keys, summary every {} ms",
        rate_limit.by,
        rate_limit.max_keys,
        rate_limit.summary_every_ns / NANOSECONDS
    ));
    if config.look_in != Config::default().look_in {
        let paths: Vec<String> = config.look_in.iter().map(|path| path.join(" > ")).collect();
        line(format!("look in {paths:?}"));
    }
    for row in &config.severity {
        line(format!(
            "severity {:?}: {:?} {:?} {:?} {:?} entity {:?} rule {:?} non-authorized {:?}",
            row.severity,
            row.kinds,
            row.etype,
            row.category,
            row.confidence,
            row.entity,
            row.rule,
            row.non_authorized
        ));
    }
    for redaction in &config.redact {
        line(format!("redact {}: {} -> {}", redaction.field, redaction.pattern, redaction.replacement));
    }
    config.integrations.iter().map(integration).for_each(&mut line);
}

fn integration(integration: &Integration) -> String {
    let mut out = format!("line {}: {} ({})", integration.line, integration.name, integration.kind.name());
    out += if integration.applies { " applies" } else { " does not apply" };
    if integration.stopped {
        out += ", stopped";
    }
    if let Some(limit) = &integration.rate_limit {
        let period = limit.period_ns / NANOSECONDS;
        write!(out, ", {} per {period} ms, burst {}, by {:?}", limit.limit, limit.burst, limit.by)
            .expect("a string takes all");
    }
    let filter = &integration.filter;
    let words: Vec<_> = (filter.etype.iter().map(|value| value.name()))
        .chain(filter.category.iter().map(|value| value.name()))
        .chain(filter.confidence.iter().map(|value| value.name()))
        .collect();
    if !words.is_empty() {
        write!(out, ", {}", words.join(" ")).expect("a string takes all");
    }
    let patterns = [
        ("entity-match", &filter.entity_match),
        ("entity-no-match", &filter.entity_no_match),
        ("rules-match", &filter.rules_match),
        ("rules-no-match", &filter.rules_no_match),
    ];
    for (name, pattern) in patterns {
        if let Some(pattern) = pattern {
            write!(out, ", {name} {pattern}").expect("a string takes all");
        }
    }
    if integration.kind.name() == "selections" {
        write!(out, ", {:?}", filter.report).expect("a string takes all");
    }
    out
}
