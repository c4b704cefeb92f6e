//! The reference pages of the book, generated from the code's tables.

use std::fmt::Write as _;

use kaudit_filter::builtin_severities;
use kaudit_filter::config::{Code, Level, SeverityRow};
use kaudit_filter::entry::Mark;
use kaudit_filter::stats::{Reason, Stats};
use kaudit_workbench::options;
use serde_json::Value;

/// Returns each page: its file name, and its text.
///
/// `exit_codes` is the program's interface in `artefacts.toml`.
pub fn pages(exit_codes: &Value) -> [(&'static str, String); 7] {
    [
        ("check-codes.md", check_codes()),
        ("counters.md", counters()),
        ("drop-reasons.md", drop_reasons()),
        ("exit-codes.md", self::exit_codes(exit_codes)),
        ("marks.md", marks()),
        ("options.md", options()),
        ("severities.md", severities()),
    ]
}

/// A Markdown table.
struct Table(String);

impl Table {
    fn new(heads: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(heads.iter().copied());
        table.row(heads.iter().map(|_| "---"));
        table
    }

    fn row<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "| {} |", cells.join(" | "));
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn options() -> String {
    format!(
        "# Configuration keys\n\nThe keys of the filter's own document and, under `integrations`, of kAudit's list. `kaudit-filter options` prints the\n\
         same table, and `kaudit-filter schema` a JSON Schema for editors.\n\n{}",
        options::markdown("")
    )
}

fn drop_reasons() -> String {
    let mut table = Table::new(&["reason", "meaning"]);
    for reason in Reason::ALL {
        table.row([&*code(reason.label()), reason.help()]);
    }
    format!(
        "# Drop reasons\n\nEvery record that is not sent has one of these reasons in the statistics, the metrics and the output of\n\
         `explain`. `explain --reason` selects records by it. The names are a stable interface.\n\n{}",
        table.0
    )
}

fn marks() -> String {
    let mut table = Table::new(&["key", "meaning"]);
    for mark in Mark::ALL {
        table.row([&*code(mark.key()), mark.help()]);
    }
    format!(
        "# Keys under `kaudit_filter`\n\nEverything that the filter adds to a finding is under the key `kaudit_filter` of the entry's text. A query\n\
         finds it there: `kaudit_filter.clamped:\"too-old\"`, `_exists_:kaudit_filter.summary`. The keys are a stable interface.\n\n{}",
        table.0
    )
}

fn counters() -> String {
    let mut table = Table::new(&["group", "counters"]);
    for (group, counters) in Stats::default().counters() {
        let names: Vec<String> = counters.iter().map(|(name, _)| code(name)).collect();
        table.row([if group.is_empty() { "" } else { group }, &names.join(", ")]);
    }
    format!(
        "# Counters\n\nThe agent's log, `run --summary json`, the entry of `stats_entry` and Vector's `filter:stats()` have the same counters. In\n\
         the log a counter of a group has both names: `dropped.no-rule`. Records, batch items and the\n\
         detections that the filter derives are accounted for: `records` + `batch-items` + all of `detected` = all of `kept` +\n\
         all of `dropped` + `suppressed` + `passed` + `batches`.\n\n{}",
        table.0
    )
}

fn severities() -> String {
    let mut table = Table::new(&["row", "of findings with", "severity"]);
    for (index, row) in builtin_severities().iter().enumerate() {
        let severity = row.severity.map(|severity| format!("{severity:?}")).unwrap_or_default();
        table.row([&*(index + 1).to_string(), &*conditions(row), &*severity.to_lowercase()]);
    }
    format!(
        "# Built-in severities\n\nThe first row that matches determines the severity of an entry. The rows of `severity` in the configuration are tried before\n\
         these, and a rule of a policy may state a severity of its own. `explain` prints the row that matched.\n\n{}",
        table.0
    )
}

/// Returns the conditions of a row as they are written in a configuration.
fn conditions(row: &SeverityRow) -> String {
    let names = |key: &str, names: Vec<&str>| {
        (!names.is_empty()).then(|| code(&format!("{key}: {}", names.join(", "))))
    };
    let flag = |key: &str, value: Option<bool>| value.map(|value| code(&format!("{key}: {value}")));
    let pattern =
        |key: &str, value: &Option<String>| value.as_ref().map(|value| code(&format!("{key}: '{value}'")));
    let all = [
        names("type", row.kinds.iter().map(|kind| kind.name()).collect()),
        names("etype", row.etype.iter().map(|etype| etype.name()).collect()),
        names("category", row.category.iter().map(|category| category.name()).collect()),
        names("confidence", row.confidence.iter().map(|confidence| confidence.name()).collect()),
        flag("non-authorized", row.non_authorized),
        flag("count", row.count),
        pattern("entity", &row.entity),
        pattern("rule", &row.rule),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn check_codes() -> String {
    let mut page = "# Codes of `check`\n\nA number is never reused. `kaudit-filter check --explain K012` prints the same text.\n".to_owned();
    for level in [Level::Error, Level::Warning, Level::Advice] {
        let of_level = Code::ALL.iter().filter(|code| code.level() == level);
        let _ = write!(page, "\n## {}\n", title(level));
        for code in of_level {
            let _ = write!(
                page,
                "\n### {}: {}\n\n{}\n",
                code.label(),
                code.title(),
                explanation(code.explanation())
            );
        }
    }
    page
}

fn title(level: Level) -> &'static str {
    match level {
        Level::Error => "Errors: the configuration is rejected",
        Level::Warning => "Warnings: valid, but probably a mistake",
        Level::Advice => "Advice: printed by `check` only",
    }
}

/// Returns an explanation as Markdown: its examples, which are indented lines, as blocks of code.
fn explanation(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.trim_end().lines() {
        let is_example = line.starts_with(' ') || inside && line.is_empty();
        if is_example != inside {
            lines.push(if is_example { "```text".to_owned() } else { "```".to_owned() });
            inside = is_example;
        }
        lines.push(line.strip_prefix("    ").unwrap_or(line).to_owned());
    }
    if inside {
        lines.push("```".to_owned());
    }
    lines.join("\n")
}

fn exit_codes(codes: &Value) -> String {
    let mut table = Table::new(&["code", "meaning"]);
    for (number, meaning) in codes.as_object().into_iter().flatten() {
        table.row([&*code(number), meaning.as_str().unwrap_or_default()]);
    }
    format!("# Exit codes of `kaudit-filter`\n\nThe codes are a stable interface.\n\n{}", table.0)
}
