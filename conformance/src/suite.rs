//! Runs every case on every host and reports all differences together.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::case::{Case, Need};
use crate::driver::{Driver, Outcome};
use crate::judge::judge;

/// The table of cases and hosts, and all failures.
#[derive(Debug)]
pub struct Report {
    hosts: Vec<&'static str>,
    /// Hosts that could not run at all.
    absent: BTreeSet<&'static str>,
    rows: Vec<(String, Vec<Cell>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Good,
    Skipped(&'static str),
    Wrong(Vec<String>),
}

/// Runs the cases whose names contain a part of `only`.
///
/// `only` consists of parts of names joined by commas; the prefix `-` excludes names; empty: all.
pub fn run(cases: &[Case], only: &str, drivers: &mut [Box<dyn Driver>]) -> Report {
    let hosts = drivers.iter().map(|driver| driver.name()).collect();
    let absent =
        drivers.iter().filter(|driver| driver.absent().is_some()).map(|driver| driver.name()).collect();
    let rows = cases
        .iter()
        .filter(|case| is_chosen(&case.name, only))
        .map(|case| {
            (case.name.clone(), drivers.iter_mut().map(|driver| cell(case, driver.as_mut())).collect())
        })
        .collect();
    Report { hosts, absent, rows }
}

/// Returns whether `only` selects a name, as in [`run`].
pub fn is_chosen(name: &str, only: &str) -> bool {
    let parts = || only.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut wanted = parts().filter(|part| !part.starts_with('-')).peekable();
    let unwanted = parts().filter_map(|part| part.strip_prefix('-')).any(|part| name.contains(part));
    !unwanted && (wanted.peek().is_none() || wanted.any(|part| name.contains(part)))
}

fn cell(case: &Case, driver: &mut dyn Driver) -> Cell {
    if let Some(reason) = driver.absent() {
        return Cell::Skipped(reason);
    }
    // A host that does not split a batch may have an expectation of its own.
    let whole = (!driver.capabilities().contains(&Need::Batch)).then(|| case.without_batches());
    let missing = case.needs().into_iter().find(|need| !driver.capabilities().contains(need));
    let case = whole.as_ref().unwrap_or(case);
    if let Some(reason) = missing.map(Need::reason).or_else(|| driver.skips(case)) {
        return Cell::Skipped(reason);
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| driver.run(case))).unwrap_or_else(|panic| {
        let text =
            panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Outcome::Crashed(format!("panicked: {}", text.unwrap_or("without a text")))
    });
    let wrong = match outcome {
        Outcome::Ran(run) => judge(case, &run),
        Outcome::Refused(remarks) => {
            std::iter::once("refused the configuration".to_owned()).chain(remarks).collect()
        }
        Outcome::Crashed(how) => vec![how],
    };
    if wrong.is_empty() { Cell::Good } else { Cell::Wrong(wrong) }
}

impl Report {
    /// Returns the table of cases and hosts, with the reason of each skip, and sums.
    pub fn table(&self) -> String {
        let reasons: BTreeSet<&str> = self
            .cells()
            .filter_map(|(_, _, cell)| match cell {
                Cell::Skipped(reason) => Some(*reason),
                _ => None,
            })
            .collect();
        let letter = |reason: &str| {
            let index = reasons.iter().position(|known| *known == reason).unwrap_or_default();
            format!("skip ({})", index + 1)
        };
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(4);
        let mut out = String::new();
        let line = |out: &mut String, first: &str, cells: &[String]| {
            let _ = write!(out, "{first:width$}");
            for (host, cell) in self.hosts.iter().zip(cells) {
                let _ = write!(out, "  {cell:width$}", width = host.len().max(8));
            }
            out.truncate(out.trim_end().len());
            out.push('\n');
        };
        line(&mut out, "case", &self.hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>());
        for (name, cells) in &self.rows {
            let cells: Vec<String> = cells
                .iter()
                .map(|cell| match cell {
                    Cell::Good => "ok".to_owned(),
                    Cell::Skipped(reason) => letter(reason),
                    Cell::Wrong(_) => "FAILED".to_owned(),
                })
                .collect();
            line(&mut out, name, &cells);
        }
        let _ = writeln!(out);
        for (index, reason) in reasons.iter().enumerate() {
            let _ = writeln!(out, "skip ({}): {reason}", index + 1);
        }
        for (at, host) in self.hosts.iter().enumerate() {
            let count = |is: fn(&Cell) -> bool| self.rows.iter().filter(|(_, cells)| is(&cells[at])).count();
            let _ = writeln!(
                out,
                "{host}: {} ok, {} skipped, {} failed",
                count(|cell| *cell == Cell::Good),
                count(|cell| matches!(cell, Cell::Skipped(_))),
                count(|cell| matches!(cell, Cell::Wrong(_)))
            );
        }
        out
    }

    /// Returns every difference, by case and host; empty: all hosts conform.
    pub fn failures(&self) -> String {
        let mut out = String::new();
        for (case, host, cell) in self.cells() {
            if let Cell::Wrong(wrong) = cell {
                let _ = writeln!(out, "{case} on {host}:");
                for what in wrong {
                    let _ = writeln!(out, "    {what}");
                }
            }
        }
        out
    }

    /// Returns the number of cases that were run by at least one host.
    pub fn ran(&self) -> usize {
        let ran = |cells: &[Cell]| cells.iter().any(|cell| !matches!(cell, Cell::Skipped(_)));
        self.rows.iter().filter(|(_, cells)| ran(cells)).count()
    }

    /// Returns the number of selected cases.
    pub fn chosen(&self) -> usize {
        self.rows.len()
    }

    /// Returns each case and each host that could run, with the reason if the host skipped the case.
    pub fn skips(&self) -> impl Iterator<Item = (&str, &str, Option<&'static str>)> {
        self.cells().filter(|(_, host, _)| !self.is_absent(host)).map(|(case, host, cell)| match cell {
            Cell::Skipped(reason) => (case, host, Some(*reason)),
            _ => (case, host, None),
        })
    }

    /// Returns whether a host could not run at all.
    pub fn is_absent(&self, host: &str) -> bool {
        self.absent.contains(host)
    }

    /// Returns whether the report contains this case and this host.
    pub fn has(&self, case: &str, host: &str) -> bool {
        self.hosts.contains(&host) && self.rows.iter().any(|(name, _)| name == case)
    }

    fn cells(&self) -> impl Iterator<Item = (&str, &str, &Cell)> {
        self.rows.iter().flat_map(|(name, cells)| {
            self.hosts.iter().zip(cells).map(move |(host, cell)| (name.as_str(), *host, cell))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::parse;
    use crate::driver::Run;

    /// A host that keeps nothing, panics at `panic` and refuses `refuse`.
    struct Deaf;

    impl Driver for Deaf {
        fn name(&self) -> &'static str {
            "deaf"
        }

        fn capabilities(&self) -> &'static [Need] {
            &[Need::Arrival]
        }

        fn skips(&self, case: &Case) -> Option<&'static str> {
            case.name.ends_with("shy").then_some("too shy")
        }

        fn run(&mut self, case: &Case) -> Outcome {
            match case.name.as_str() {
                "group/panic" => panic!("ouch"),
                "group/refuse" => Outcome::Refused(vec!["no".to_owned()]),
                _ => Outcome::Ran(Run::default()),
            }
        }
    }

    fn report(only: &str) -> Report {
        let mut text = "[default]\nconfig = ''\nnow = 2020-03-01T16:00:00Z\n".to_owned();
        for (name, record) in [
            ("good", "text = '{}', verdict = 'suppressed'"),
            ("wrong", "text = '{}', verdict = 'kept'"),
            ("text", "text = 'x', verdict = 'kept'"),
            ("shy", "text = '{}', verdict = 'kept'"),
            ("panic", "text = '{}', verdict = 'kept'"),
            ("refuse", "text = '{}', verdict = 'kept'"),
        ] {
            let _ = writeln!(text, "[[case]]\nname = '{name}'\nrecord = [{{ {record} }}]");
        }
        run(&parse("group", &text).unwrap(), only, &mut [Box::new(Deaf)])
    }

    #[test]
    fn the_table_has_every_cell() {
        let report = report("");
        assert_eq!(
            report.table(),
            "case          deaf\n\
             group/good    ok\n\
             group/wrong   FAILED\n\
             group/text    skip (1)\n\
             group/shy     skip (2)\n\
             group/panic   FAILED\n\
             group/refuse  FAILED\n\
             \n\
             skip (1): a record is not a JSON object, and the host passes decoded ones\n\
             skip (2): too shy\n\
             deaf: 1 ok, 2 skipped, 3 failed\n"
        );
        assert_eq!(
            report.failures(),
            "group/wrong on deaf:\n    expected 1 lines, found 0:\n\
             group/panic on deaf:\n    panicked: ouch\n\
             group/refuse on deaf:\n    refused the configuration\n    no\n"
        );
        assert_eq!((report.chosen(), report.ran()), (6, 4));
    }

    #[test]
    fn a_host_without_batches_has_the_unsplit_outcome() {
        let text = "[default]\nconfig = ''\nnow = 2020-03-01T16:00:00Z\n\
            [[case]]\nname = 'split'\nrecord = [{ text = '{}', batch = [{ verdict = 'kept' }, { verdict = 'kept' }] }]\n\
            [[case]]\nname = 'whole'\nrecord = [{ text = '{}', batch = [{ verdict = 'kept' }, { verdict = 'kept' }], \
            unsplit = { verdict = 'suppressed' } }]";
        let report = run(&parse("group", text).unwrap(), "", &mut [Box::new(Deaf)]);
        let table = report.table();
        assert!(table.contains("group/split  skip (1)") && table.contains("group/whole  ok"), "{table}");
    }

    #[test]
    fn cases_are_chosen_by_parts_of_their_names() {
        assert_eq!(report("good,panic").chosen(), 2);
        assert_eq!(report("-good").chosen(), 5);
        assert_eq!(report("group/,-good,-wrong").chosen(), 4);
    }
}
