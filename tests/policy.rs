//! Tests of policies as data.
//!
//! `tests/data/policy/NAME.yaml` is read, and `NAME.txt` contains its diagnostics, including advice, and then its
//! meaning. `BLESS=1` rewrites the expectations; review the changes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use kaudit_filter::audit::SourceKind;
use kaudit_filter::config::{Code, FileLoader, Level, NoFiles};
use kaudit_filter::policy::{CombineOp, Condition, Policy, PolicyResult, Rule, check, read};

struct Folder(PathBuf);

impl FileLoader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.join(path)).map_err(|_| "there is no such file".to_owned())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policy")
}

/// Returns the names of the cases with their texts.
fn cases() -> Vec<(String, String)> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let cases = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut cases: Vec<_> = cases.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect();
    cases.sort();
    cases
}

/// Returns the sources of events that the first line of a case names: `# source: gke`.
fn sources(text: &str) -> Vec<SourceKind> {
    let names = text.lines().next().and_then(|line| line.strip_prefix("# source: ")).unwrap_or_default();
    names.split_whitespace().map(|name| SourceKind::of(name).unwrap()).collect()
}

#[test]
fn expectations_are_met() {
    let mut failed = Vec::new();
    for (name, text) in cases() {
        let found = render(&check(&name, &text, &Folder(folder()), &sources(&text)));
        let expectation = folder().join(name.replace(".yaml", ".txt"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expectation, &found).unwrap();
        } else if fs::read_to_string(&expectation).unwrap_or_default() != found {
            failed.push(format!("{name} gives:\n{found}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The first and the last code of policies.
const CODES: [Code; 2] = [Code::PolicyMissing, Code::NeverFilled];

#[test]
fn every_code_has_a_case() {
    let mut found: BTreeSet<Code> = BTreeSet::new();
    for (name, text) in cases() {
        let result = check(&name, &text, &Folder(folder()), &sources(&text));
        found.extend(result.diagnostics.iter().map(kaudit_filter::config::Diagnostic::code));
    }
    let [first, last] = CODES;
    // The test of limits generates its policies.
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| {
            (first..=last).contains(code) && **code != Code::PolicyTooLarge && !found.contains(code)
        })
        .collect();
    assert!(missing.is_empty(), "no case of {missing:?}");
}

#[test]
fn an_agent_gets_no_advice() {
    let text = fs::read_to_string(folder().join("together.yaml")).unwrap();
    let levels = |result: PolicyResult| -> BTreeSet<Level> {
        result.diagnostics.iter().map(kaudit_filter::config::Diagnostic::level).collect()
    };
    assert_eq!(levels(read("x", &text, &NoFiles)), BTreeSet::from([Level::Warning]));
    assert_eq!(levels(check("x", &text, &NoFiles, &[])), BTreeSet::from([Level::Advice, Level::Warning]));
}

#[test]
fn a_policy_is_limited() {
    let plain = "{field: verb, match-op: '=', match-value: delete}";
    let rules = |count: usize, conditions: &dyn Fn(usize) -> String| -> String {
        let rule = |id| format!("- {{id: {id}, name: n{id}, conditions: [{}]}}\n", conditions(id));
        (1..=count).map(rule).collect()
    };
    let chain = |last: usize| {
        rules(last, &|id| if id == last { plain.to_owned() } else { format!("{{ref-id: {}}}", id + 1) })
    };
    let field = |id: usize| format!("{{field: ua-{id}, match-op: '=', match-value: a}}");
    let values = |count: usize| {
        let values: Vec<String> = (0..count).map(|number| format!("a{number}")).collect();
        let values = values.join(",");
        format!(
            "- {{id: 1, name: n, conditions: [{{field: username, match-op: in, match-value: [{values}]}}]}}"
        )
    };
    for (name, text, expected) in [
        ("rules", rules(4096, &|_| format!("{{ref-id: 1}}, {plain}")), "refers to itself"),
        ("too many rules", rules(4097, &|_| plain.to_owned()), "a policy of 4097 rules"),
        ("conditions", rules(1, &|_| vec![plain; 65].join(",")), "a rule of 65 conditions"),
        ("chain", chain(17), ""),
        ("too long a chain", chain(18), "a policy of 17 rules that refer to each other in a row"),
        ("fields", rules(256, &field), ""),
        ("too many fields", rules(257, &field), "a policy of 257 different fields"),
        ("values", values(65_536), ""),
        ("too many values", values(65_537), "a policy of 65537 values"),
        (
            "a long value",
            rules(1, &|_| plain.replace("delete", &"x".repeat(20_000))),
            "a value of 20000 bytes",
        ),
    ] {
        let result = read("x", &text, &NoFiles);
        let errors: Vec<String> = result
            .diagnostics
            .iter()
            .filter(|found| found.level() == Level::Error)
            .map(ToString::to_string)
            .collect();
        assert_eq!(errors.is_empty(), expected.is_empty(), "{name}: {errors:?}");
        assert!(errors.iter().all(|error| error.contains(expected)), "{name}: {errors:?}");
    }
}

proptest! {
    /// Reading a randomly edited policy ends, with an error if it is rejected.
    #[test]
    fn reading_an_edited_policy_ends(
        case in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[ -~\n\t\u{0}é\u{2028}]{0,3}"), 1..6),
    ) {
        let cases = cases();
        let mut text: Vec<char> = case.get(&cases).1.chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        prop_assert!(!render(&check("x", &text, &Folder(folder()), SourceKind::ALL)).is_empty());
    }
}

/// Writes the diagnostics, one per line, and the meaning of the policy.
fn render(result: &PolicyResult) -> String {
    let mut out = String::new();
    for diagnostic in &result.diagnostics {
        writeln!(out, "{} {diagnostic}", diagnostic.code().label()).unwrap();
    }
    let errors = result.diagnostics.iter().any(|diagnostic| diagnostic.level() == Level::Error);
    assert_eq!(result.policy.is_none(), errors, "a policy exactly when there is no error:\n{out}");
    for rule in result.policy.iter().flat_map(|policy| &policy.rules) {
        describe(result.policy.as_ref().unwrap(), rule, &mut out);
    }
    out
}

fn describe(policy: &Policy, rule: &Rule, out: &mut String) {
    let Rule { id, name, line, documentation, group, enforcement, severity, tags, .. } = rule;
    let status = if rule.status { "" } else { ", not reported" };
    writeln!(out, "line {line}: {id} ({name}){status}").unwrap();
    if !documentation.is_empty() || !group.is_empty() {
        writeln!(out, "  group {group:?}: {documentation:?}").unwrap();
    }
    if enforcement.is_some() || severity.is_some() || !tags.is_empty() {
        writeln!(out, "  {enforcement:?}, {severity:?}, {tags:?}").unwrap();
    }
    let op = if rule.combine_op == CombineOp::And { "and" } else { "or" };
    for condition in &rule.conditions {
        match condition {
            Condition::Test(test) => writeln!(out, "  {op} {test}").unwrap(),
            Condition::Ref { rule, negated } => {
                let not = if *negated { "not " } else { "" };
                writeln!(out, "  {op} {not}{}", policy.rules[*rule].id).unwrap();
            }
        }
    }
}
