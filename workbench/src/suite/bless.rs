//! Updates the expectations in a test file with the actual results.
//! The rest of the file is not changed.

use super::model::StepPosition;
use super::run::TestResult;

impl TestResult {
    /// Returns whether all differences can be written into the file.
    /// It needs steps with each key on a line of its own, and their records first.
    pub fn can_be_blessed(&self) -> bool {
        self.blessings.iter().all(|(position, _)| is_block(position))
    }
}

/// Returns the file's text with the actual results of the tests.
pub fn blessed(text: &str, results: &[TestResult]) -> String {
    let whole: Vec<&str> = text.split_inclusive('\n').collect();
    let lines: Vec<&str> = text.lines().collect();
    let end = if whole.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut written: Vec<(usize, Vec<String>)> = Vec::new();
    let mut removed: Vec<std::ops::Range<usize>> = Vec::new();
    for (position, actual) in
        results.iter().flat_map(|result| &result.blessings).filter(|(position, _)| is_block(position))
    {
        let Some(column) = position.column else { continue };
        for line in &position.expectations {
            removed.push(line - 1..value_end(&lines, line - 1, column));
        }
        let at = position
            .expectations
            .first()
            .map_or_else(|| value_end(&lines, position.last - 1, column), |line| line - 1);
        written.push((at, actual.iter().map(|line| format!("{:column$}{line}{end}", "")).collect()));
    }
    let mut out = String::new();
    for number in 0..=whole.len() {
        for actual in written.iter().filter(|(at, _)| *at == number).flat_map(|(_, actual)| actual) {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push_str(end);
            }
            out.push_str(actual);
        }
        let kept = whole.get(number).filter(|_| !removed.iter().any(|range| range.contains(&number)));
        out.extend(kept.copied());
    }
    out
}

fn is_block(position: &StepPosition) -> bool {
    position.column.is_some() && !position.expectations.contains(&position.line)
}

/// Returns the line after the value of the key on this line.
/// The value includes all lines that are indented more, or are items of a list that is not. There may be empty lines
/// and comments between them.
fn value_end(lines: &[&str], line: usize, column: usize) -> usize {
    let mut end = line + 1;
    for (number, text) in (line + 1..).zip(&lines[line + 1..]) {
        let content = text.trim_start();
        let indent = text.len() - content.len();
        if content.is_empty() || (content.starts_with('#') && indent <= column) {
            continue;
        }
        if indent < column || (indent == column && !content.starts_with("- ")) {
            break;
        }
        end = number + 1;
    }
    end
}
