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
    let lines: Vec<&str> = text.lines().collect();
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
        written.push((at, found.iter().map(|line| format!("{:column$}{line}", "")).collect()));
    }
    let mut out: Vec<String> = Vec::new();
    for number in 0..=lines.len() {
        out.extend(written.iter().filter(|(at, _)| *at == number).flat_map(|(_, found)| found.clone()));
        let kept = lines.get(number).filter(|_| !removed.iter().any(|range| range.contains(&number)));
        out.extend(kept.map(|line| (*line).to_owned()));
    }
    out.join("\n") + "\n"
}

fn is_plain(place: &Place) -> bool {
    place.column.is_some() && !place.expectations.contains(&place.line)
}

/// Where the value of the key on this line ends: at the next line that is not indented deeper.
fn extent(lines: &[&str], line: usize, column: usize) -> usize {
    let deeper = |text: &&str| {
        let indent = text.len() - text.trim_start().len();
        !text.trim().is_empty() && indent > column
    };
    line + 1 + lines[line + 1..].iter().take_while(|text| deeper(text)).count()
}
