//! Writes what was found into a file of tests in the place of what was expected, and touches nothing else in it.

use super::{Place, Ran};

impl Ran {
    /// Whether all that differs can be written into the file: a step on lines of its own, its records first.
    pub fn can_be_blessed(&self) -> bool {
        self.blessings.iter().all(|(place, _)| is_plain(place))
    }
}

/// The file's text with what the tests found.
pub fn blessed(text: &str, ran: &[Ran]) -> String {
    let whole: Vec<&str> = text.split_inclusive('\n').collect();
    let lines: Vec<&str> = text.lines().collect();
    let end = if whole.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut written: Vec<(usize, Vec<String>)> = Vec::new();
    let mut removed: Vec<std::ops::Range<usize>> = Vec::new();
    for (place, found) in ran.iter().flat_map(|ran| &ran.blessings).filter(|(place, _)| is_plain(place)) {
        let Some(column) = place.column else { continue };
        for line in &place.expectations {
            removed.push(line - 1..extent(&lines, line - 1, column));
        }
        let at = place
            .expectations
            .first()
            .map_or_else(|| extent(&lines, place.last - 1, column), |line| line - 1);
        written.push((at, found.iter().map(|line| format!("{:column$}{line}{end}", "")).collect()));
    }
    let mut out = String::new();
    for number in 0..=whole.len() {
        for found in written.iter().filter(|(at, _)| *at == number).flat_map(|(_, found)| found) {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push_str(end);
            }
            out.push_str(found);
        }
        let kept = whole.get(number).filter(|_| !removed.iter().any(|range| range.contains(&number)));
        out.extend(kept.copied());
    }
    out
}

fn is_plain(place: &Place) -> bool {
    place.column.is_some() && !place.expectations.contains(&place.line)
}

/// Where the value of the key on this line ends: behind the last line that is indented deeper, or is an item of a list
/// that is not. Between such lines may be empty ones and comments.
fn extent(lines: &[&str], line: usize, column: usize) -> usize {
    let mut end = line + 1;
    for (number, text) in (line + 1..).zip(&lines[line + 1..]) {
        let words = text.trim_start();
        let indent = text.len() - words.len();
        if words.is_empty() || (words.starts_with('#') && indent <= column) {
            continue;
        }
        if indent < column || (indent == column && !words.starts_with("- ")) {
            break;
        }
        end = number + 1;
    }
    end
}
