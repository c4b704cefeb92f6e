//! `kaudit-filter bench`: what it counts. How long things take is not for a test to say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const CONFIG: &str = r#"
integrations:
  - type: selections
    name: secrets
    target: {target-type: http-api, http-api-uri: "https://ingress.eu2.coralogix.com/logs/v1/singles"}
    data-filter: {entity-no-match: '^system:', rules-match: 'secret'}
  - type: selections
    name: the rest
    target: {target-type: http-api, http-api-uri: "https://ingress.eu2.coralogix.com/logs/v1/singles", rate-limit: 1}
    data-filter: {rules-no-match: 'no such <rule>', entity-no-match: 'o'}
"#;

/// Selections of one second: principal and rule.
const FINDINGS: [(&str, &str); 5] = [
    ("system:node", "secret read"),
    ("ann", "secret read"),
    ("bob", "exec"),
    ("eve", "exec"),
    ("eve", "exec"),
];

fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

fn file(name: &str, text: impl AsRef<[u8]>) -> String {
    let path = scratch(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn findings() -> String {
    let findings = FINDINGS.iter().map(|(principal, rule)| {
        format!(
            r#"{{"rule":"{rule}","verb":"get","principal":"{principal}","cluster":"c","time":1773740520000}}"#
        )
    });
    file("findings.ndjson", findings.collect::<Vec<_>>().join("\n"))
}

fn ran(command: &str, arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
        .current_dir(root)
        .arg(command)
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The report as JSON.
fn report(name: &str, arguments: &[&str]) -> Value {
    let json = scratch(name);
    let output =
        ran("bench", &[arguments, &["--format", "json", "--output", json.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stdout.is_empty());
    serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap()
}

fn verdicts(report: &Value, detail: usize) -> Vec<(String, u64)> {
    let verdicts = report["configurations"][0]["details"][detail]["verdicts"].as_array().unwrap().iter();
    verdicts
        .map(|one| (one["verdict"].as_str().unwrap().to_owned(), one["records"].as_u64().unwrap()))
        .collect()
}

#[test]
fn integrations_and_patterns_are_counted() {
    let config = file("counted.yaml", CONFIG);
    let report = report("counted.json", &["--config", &config, "--rounds", "1", &findings()]);
    assert_eq!(report["records"], 5);
    for detail in [0, 1] {
        let expected =
            [("kept", 2), ("dropped: entity-no-match", 1), ("dropped: rules-match", 1), ("suppressed", 1)];
        let expected = expected.map(|(word, count)| (word.to_owned(), count));
        assert_eq!(verdicts(&report, detail), expected);
    }
    let measured = &report["configurations"][0];
    let integrations = measured["integrations"].as_array().unwrap();
    let numbers = |one: &Value| ["claims", "kept", "suppressed"].map(|key| one[key].as_u64().unwrap());
    assert_eq!(integrations.iter().map(numbers).collect::<Vec<_>>(), [[1, 1, 0], [2, 1, 1]]);
    let mut patterns: Vec<_> = measured["patterns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let [found, decides, findings] =
                ["found", "decides", "findings"].map(|key| one[key].as_u64().unwrap());
            (one["pattern"].as_str().unwrap(), found, decides, findings)
        })
        .collect();
    patterns.sort_unstable();
    assert_eq!(
        patterns,
        [
            // Of the five, `system:node` would be claimed without it.
            ("^system:", 1, 1, 5),
            ("no such <rule>", 0, 0, 5),
            // `system:node` and `bob`.
            ("o", 2, 2, 5),
            // Without it the first would match all but `system:node`: the findings of `bob` and `eve`.
            ("secret", 2, 3, 5),
        ]
    );
}

#[test]
fn verdicts_equal_the_verdicts_of_a_run() {
    let config = file(
        "run.yaml",
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/job.yaml")).unwrap(),
    );
    let files = ["detections", "selections", "selection-counts", "activity"]
        .map(|kind| format!("examples/findings/{kind}.ndjson"));
    let mut arguments = vec!["--config", &config];
    arguments.extend(files.iter().map(String::as_str));
    let bench = report("run.json", &[&arguments[..], &["--rounds", "1"]].concat());
    let run = ran("run", &[&arguments[..], &["--clock", "record", "--summary", "json"]].concat());
    let account: Value = serde_json::from_str(said(&run).lines().last().unwrap()).unwrap();
    let found = verdicts(&bench, 0);
    let of = |word: &str| found.iter().find(|(verdict, _)| verdict == word).map_or(0, |(_, count)| *count);
    assert_eq!(of("kept"), account["kept"]["total"]);
    for (reason, count) in account["dropped"].as_object().unwrap().iter().filter(|(name, _)| *name != "total")
    {
        assert_eq!(of(&format!("dropped: {reason}")), *count, "{reason}");
    }
    assert_eq!(found.iter().map(|(_, count)| count).sum::<u64>(), account["records"]);
    assert_eq!(verdicts(&bench, 1), found);
}

#[test]
fn what_is_absent_is_named() {
    // The program alone in a directory: no driver is next to it.
    let directory = scratch("alone");
    fs::create_dir_all(&directory).unwrap();
    let program = directory.join("kaudit-filter");
    fs::copy(env!("CARGO_BIN_EXE_kaudit-filter"), &program).unwrap();
    let bench = |via: &str| {
        Command::new(&program)
            .args(["bench", "--generate", "300", "--rounds", "1", "--via", via])
            .output()
            .unwrap()
    };
    let all = bench("all");
    assert_eq!(all.status.code(), Some(0), "{}", said(&all));
    let table = String::from_utf8(all.stdout).unwrap();
    for via in ["fluent-bit", "vector"] {
        let reason = format!("--via {via}: driver program not found: `");
        assert!(table.contains(&format!("not measured: {reason}")), "{table}");
        let alone = bench(via);
        assert_eq!(alone.status.code(), Some(2));
        assert!(said(&alone).contains(&format!("kaudit-filter: {reason}")), "{}", said(&alone));
    }
}

#[test]
fn two_configurations_are_compared() {
    let first = file("first.yaml", CONFIG);
    let second = file("second.yaml", CONFIG.replace("'secret'", "'secret|exec'"));
    let page = scratch("page.html");
    let arguments =
        ["--config", &first, "--compare", &second, "--rounds", "6", "--report", page.to_str().unwrap()];
    let report = report("compared.json", &[&arguments[..], &[&findings()]].concat());
    assert_eq!(report["configurations"].as_array().unwrap().len(), 2);
    let differences = report["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 2);
    for one in differences {
        let interval: Vec<f64> =
            one["interval"].as_array().unwrap().iter().map(|end| end.as_f64().unwrap()).collect();
        let median = one["median"].as_f64().unwrap();
        assert!(interval[0] <= median && median <= interval[1], "{one}");
        assert_eq!(one["beyond_noise"].as_bool().unwrap(), interval[0] > 0.0 || interval[1] < 0.0, "{one}");
    }
    // The name of SVG's namespace is no address.
    let page = fs::read_to_string(page).unwrap().replace("http://www.w3.org/2000/svg", "");
    assert!(page.contains("<code>no such &lt;rule&gt;</code>"));
    // A dot for each round of `copy` and of two encodings with two configurations.
    assert_eq!(page.matches("<circle").count(), 5 * 6);
    for foreign in ["<script", "http:", "https:", "url(", "@import", "<link", "<img"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn few_rounds_judge_nothing() {
    let config = file("few.yaml", CONFIG);
    let report =
        report("few.json", &["--config", &config, "--compare", &config, "--rounds", "5", &findings()]);
    for one in report["differences"].as_array().unwrap() {
        assert_eq!((&one["interval"], &one["beyond_noise"]), (&Value::Null, &false.into()));
    }
}

#[test]
fn mistakes_are_reported() {
    let wrong = file("wrong.yaml", "colour: red\n");
    let findings = findings();
    for (arguments, code, words) in [
        (&["--config", &wrong, &findings][..], 1, "colour"),
        (&["no-such-file"], 2, "no-such-file: "),
        (&[], 2, "required arguments"),
        (&["--generate", "10", "--via", "carrier-pigeon"], 2, "unknown target `carrier-pigeon`"),
        (&["--generate", "10", "--load", "many"], 2, "expected records per second"),
        (&["--generate", "10", &findings], 2, "cannot be used with"),
        (&[&file("empty.ndjson", "")], 2, "no records to measure"),
        (&["--generate", "10", "--rounds", "1", "-o", "nowhere/x.json"], 2, "nowhere/x.json: cannot write"),
    ] {
        let output = ran("bench", arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    }
}
