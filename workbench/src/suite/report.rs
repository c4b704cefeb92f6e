//! Test results as text and as JSON.

use serde_json::{Value, json};

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

/// Returns the results as JSON.
pub fn json(results: &[TestResult]) -> Value {
    let tests = results.iter().map(|test| {
        let differences = test.differences.iter().map(|difference| {
            json!({
                "line": difference.line,
                "difference": difference.lines,
                "explanation": difference.explanation,
            })
        });
        json!({
            "name": test.name,
            "file": test.file,
            "line": test.line,
            "passed": test.differences.is_empty(),
            "differences": differences.collect::<Vec<_>>(),
        })
    });
    let failed = results.iter().filter(|test| !test.differences.is_empty()).count();
    json!({"tests": results.len(), "failed": failed, "results": tests.collect::<Vec<_>>()})
}
