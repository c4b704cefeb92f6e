//! The forms of results: for people, and that of `JUnit` for CI.

use super::run::Ran;
use crate::style::{Paint, Style};

/// Each test in a line, what differs in those that failed, and a line that sums up.
pub fn text(ran: &[Ran], colour: bool) -> String {
    let paint = Paint(colour);
    let mut lines = Vec::new();
    for test in ran {
        let (style, word) =
            if test.differences.is_empty() { (Style::Good, "ok    ") } else { (Style::Bad, "FAILED") };
        lines.push(format!("{} {}:{} {}", paint.with(style, word), test.file, test.line, test.name));
        for difference in &test.differences {
            lines.push(format!("  the step of line {}: - is expected, + was found", difference.line));
            for line in &difference.lines {
                let style = if line.starts_with('-') { Style::Bad } else { Style::Good };
                lines.push(format!("    {}", paint.with(style, line)));
            }
            lines.extend(
                difference
                    .why
                    .iter()
                    .flat_map(|why| why.trim_end().lines())
                    .map(|line| format!("    {line}")),
            );
        }
    }
    let failed = ran.iter().filter(|test| !test.differences.is_empty()).count();
    let tests = if ran.len() == 1 { "1 test".to_owned() } else { format!("{} tests", ran.len()) };
    lines.push(if failed == 0 {
        format!("{tests}, all passed")
    } else {
        format!("{tests}, {failed} failed")
    });
    lines.join("\n") + "\n"
}

/// The file that CI systems read.
pub fn junit(ran: &[Ran]) -> String {
    let failed = ran.iter().filter(|test| !test.differences.is_empty()).count();
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        format!("<testsuites name=\"kaudit-filter\" tests=\"{}\" failures=\"{failed}\">", ran.len()),
    ];
    let mut files: Vec<&str> = ran.iter().map(|test| &*test.file).collect();
    files.dedup();
    for file in files {
        let tests: Vec<&Ran> = ran.iter().filter(|test| test.file == file).collect();
        let failed = tests.iter().filter(|test| !test.differences.is_empty()).count();
        lines.push(format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">",
            xml(file),
            tests.len()
        ));
        for test in tests {
            let head = format!(
                "    <testcase name=\"{}\" classname=\"{}\" line=\"{}\"",
                xml(&test.name),
                xml(file),
                test.line
            );
            if test.differences.is_empty() {
                lines.push(format!("{head}/>"));
                continue;
            }
            lines.push(format!("{head}>"));
            for difference in &test.differences {
                let why = difference.why.as_deref().unwrap_or_default();
                let body = format!("{}\n{why}", difference.lines.join("\n"));
                lines.push(format!(
                    "      <failure message=\"the step of line {}\">{}</failure>",
                    difference.line,
                    xml(body.trim_end())
                ));
            }
            lines.push("    </testcase>".to_owned());
        }
        lines.push("  </testsuite>".to_owned());
    }
    lines.push("</testsuites>".to_owned());
    lines.join("\n") + "\n"
}

/// What XML cannot hold as it stands.
fn xml(text: &str) -> String {
    let allowed = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c };
    let text: String = text.chars().map(allowed).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
