//! Output formats of test results: text for people, `JUnit` for CI.

use super::run::TestResult;
use crate::style::{Paint, Style};

/// Returns one line per test, the differences of failed tests, and a summary.
pub fn text(results: &[TestResult], colour: bool) -> String {
    let paint = Paint(colour);
    let mut lines = Vec::new();
    for test in results {
        let (style, label) =
            if test.differences.is_empty() { (Style::Good, "ok    ") } else { (Style::Bad, "FAILED") };
        lines.push(format!("{} {}:{} {}", paint.with(style, label), test.file, test.line, test.name));
        for difference in &test.differences {
            lines.push(format!("  step on line {}: - expected, + actual", difference.line));
            for line in &difference.lines {
                let style = if line.starts_with('-') { Style::Bad } else { Style::Good };
                lines.push(format!("    {}", paint.with(style, line)));
            }
            lines.extend(
                difference
                    .explanation
                    .iter()
                    .flat_map(|explanation| explanation.trim_end().lines())
                    .map(|line| format!("    {line}")),
            );
        }
    }
    let failed = results.iter().filter(|test| !test.differences.is_empty()).count();
    let tests = if results.len() == 1 { "1 test".to_owned() } else { format!("{} tests", results.len()) };
    lines.push(if failed == 0 {
        format!("{tests}, all passed")
    } else {
        format!("{tests}, {failed} failed")
    });
    lines.join("\n") + "\n"
}

/// Returns the results as a `JUnit` file.
pub fn junit(results: &[TestResult]) -> String {
    let failed = results.iter().filter(|test| !test.differences.is_empty()).count();
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        format!("<testsuites name=\"kaudit-filter\" tests=\"{}\" failures=\"{failed}\">", results.len()),
    ];
    let mut files: Vec<&str> = results.iter().map(|test| &*test.file).collect();
    files.dedup();
    for file in files {
        let tests: Vec<&TestResult> = results.iter().filter(|test| test.file == file).collect();
        let failed = tests.iter().filter(|test| !test.differences.is_empty()).count();
        lines.push(format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">",
            escape_xml(file),
            tests.len()
        ));
        for test in tests {
            let head = format!(
                "    <testcase name=\"{}\" classname=\"{}\" line=\"{}\"",
                escape_xml(&test.name),
                escape_xml(file),
                test.line
            );
            if test.differences.is_empty() {
                lines.push(format!("{head}/>"));
                continue;
            }
            lines.push(format!("{head}>"));
            for difference in &test.differences {
                let explanation = difference.explanation.as_deref().unwrap_or_default();
                let body = format!("{}\n{explanation}", difference.lines.join("\n"));
                lines.push(format!(
                    "      <failure message=\"step on line {}\">{}</failure>",
                    difference.line,
                    escape_xml(body.trim_end())
                ));
            }
            lines.push("    </testcase>".to_owned());
        }
        lines.push("  </testsuite>".to_owned());
    }
    lines.push("</testsuites>".to_owned());
    lines.join("\n") + "\n"
}

/// Escapes text for XML.
fn escape_xml(text: &str) -> String {
    let allowed = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c };
    let text: String = text.chars().map(allowed).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
