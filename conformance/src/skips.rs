//! The skips as data: which host skips which case for which reason, so that a lost capability fails the suite.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use crate::suite::Report;

/// A host and a case.
type Cell = (String, String);

/// Skips by host and case, each with its reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skips(BTreeMap<Cell, String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    skip: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    reason: String,
    hosts: Vec<String>,
    /// Names of cases by their groups.
    cases: BTreeMap<String, Vec<String>>,
}

/// One reason, the hosts that skip the same cases for it, and those cases.
type Folded<'a> = (&'a str, Vec<&'a str>, BTreeSet<&'a str>);

const HEAD: &str = "\
# The cases that each host skips, with the reason. `BLESS=1 cargo test -p conformance` writes this file; review the
# difference before you commit it. A host must run every case that is missing here, or the suite fails.
";

impl Skips {
    /// Reads a file's text.
    ///
    /// # Errors
    /// The text is not such a file, or it gives two reasons for one host and case.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut skips = BTreeMap::new();
        for Raw { reason, hosts, cases } in &file.skip {
            for host in hosts {
                for (group, names) in cases {
                    for name in names {
                        let cell = (host.clone(), format!("{group}/{name}"));
                        if let Some(other) = skips.insert(cell, reason.clone()) {
                            return Err(format!(
                                "{group}/{name} on {host} has two reasons: {other}; {reason}"
                            ));
                        }
                    }
                }
            }
        }
        Ok(Self(skips))
    }

    /// Returns the skips of a report.
    pub fn of(report: &Report) -> Self {
        let skipped = report.skips().filter_map(|(case, host, reason)| {
            reason.map(|reason| ((host.to_owned(), case.to_owned()), reason.to_owned()))
        });
        Self(skipped.collect())
    }

    /// Returns the skips to pin after a run: the skips of the report, and the pinned ones that the run did not check.
    ///
    /// In a run of all cases on all hosts these are only the skips of hosts that were not built.
    #[must_use]
    pub fn updated(&self, report: &Report, is_complete: bool) -> Self {
        let mut skips = self.clone();
        skips.0.retain(|cell, _| report.is_absent(&cell.0) || !is_complete && !report.has(&cell.1, &cell.0));
        skips.0.extend(Self::of(report).0);
        skips
    }

    /// Returns the lines in which the pinned skips differ from the skips of a run; empty: they are equal.
    ///
    /// `-` marks a pinned one that is not skipped (or for another reason), `+` one that is not pinned.
    pub fn differences(&self, report: &Report, is_complete: bool) -> String {
        let new = self.updated(report, is_complete);
        let only = |one: &Self, other: &Self| {
            let mut one = one.clone();
            one.0.retain(|cell, reason| other.0.get(cell) != Some(reason));
            one
        };
        let mut out = String::new();
        for (sign, skips) in [('-', only(self, &new)), ('+', only(&new, self))] {
            for (reason, hosts, cases) in skips.folded() {
                let cases: Vec<&str> = cases.into_iter().collect();
                let _ = writeln!(out, "{sign} {}: {reason}: {}", hosts.join(", "), cases.join(", "));
            }
        }
        out
    }

    /// Returns the file's text.
    pub fn text(&self) -> String {
        let quoted = |names: &[&str]| {
            names.iter().map(|name| toml::Value::from(*name).to_string()).collect::<Vec<_>>().join(", ")
        };
        let mut out = HEAD.to_owned();
        for (reason, hosts, cases) in self.folded() {
            let _ = writeln!(out, "\n[[skip]]\nreason = {}", toml::Value::from(reason));
            let _ = writeln!(out, "hosts = [{}]", quoted(&hosts));
            let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for case in cases {
                let (group, name) = case.split_once('/').unwrap_or(("", case));
                groups.entry(group).or_default().push(name);
            }
            for (group, names) in groups {
                let _ = writeln!(out, "cases.{group} = [{}]", quoted(&names));
            }
        }
        out
    }

    fn folded(&self) -> Vec<Folded<'_>> {
        let mut by_host: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for ((host, case), reason) in &self.0 {
            by_host.entry((reason, host)).or_default().insert(case);
        }
        let mut folded: Vec<Folded<'_>> = Vec::new();
        for ((reason, host), cases) in by_host {
            match folded.iter_mut().find(|(other, _, those)| *other == reason && *those == cases) {
                Some((_, hosts, _)) => hosts.push(host),
                None => folded.push((reason, vec![host], cases)),
            }
        }
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Need, parse};
    use crate::driver::{Driver, Outcome, Run};
    use crate::suite::run;

    /// A host that skips the cases that its name implies.
    struct Host(&'static str, &'static [Need], bool);

    impl Driver for Host {
        fn name(&self) -> &'static str {
            self.0
        }

        fn capabilities(&self) -> &'static [Need] {
            self.1
        }

        fn absent(&self) -> Option<&'static str> {
            self.2.then_some("not built")
        }

        fn run(&mut self, _: &Case) -> Outcome {
            Outcome::Ran(Run::default())
        }
    }

    const OWN: &str = "own = [{ has = { a = 1 } }]\n";

    fn report(only: &str, more: &[Host]) -> Report {
        let case = |name: &str, text: &str, rest: &str| {
            format!("[[case]]\nname = '{name}'\nrecord = [{{ text = '{text}', verdict = 'kept' }}]\n{rest}")
        };
        let head = "[default]\nconfig = ''\nnow = 2020-03-01T16:00:00Z\n";
        let first = [head, &case("a", "{}", OWN), &case("b", "{}", OWN), &case("c", "x", "")].concat();
        let second = [head, &case("a", "{}", OWN), &case("d", "{}", "")].concat();
        let cases = [parse("one", &first).unwrap(), parse("two", &second).unwrap()].concat();
        let mut drivers: Vec<Box<dyn Driver>> = Vec::new();
        for host in more {
            drivers.push(Box::new(Host(host.0, host.1, host.2)));
        }
        run(&cases, only, &mut drivers)
    }

    const NARROW: Host = Host("narrow", &[Need::Text], false);
    const OTHER: Host = Host("other", &[Need::Text], false);
    const PLAIN: Host = Host("plain", &[], false);
    const WIDE: Host = Host("wide", &[Need::Text, Need::Own], false);
    const ABSENT: Host = Host("narrow", &[Need::Text], true);

    const TEXT: &str = r#"
[[skip]]
reason = "a record is not a JSON object, and the host passes decoded ones"
hosts = ["plain"]
cases.one = ["c"]

[[skip]]
reason = "summaries or reports are expected, and the host cannot emit them"
hosts = ["narrow", "other", "plain"]
cases.one = ["a", "b"]
cases.two = ["a"]
"#;

    #[test]
    fn skips_are_folded_and_read_again() {
        let skips = Skips::of(&report("", &[NARROW, OTHER, PLAIN, WIDE]));
        assert_eq!(skips.text(), HEAD.to_owned() + TEXT);
        assert_eq!(Skips::parse(&skips.text()).unwrap(), skips);
        assert_eq!(skips.differences(&report("", &[NARROW, OTHER, PLAIN, WIDE]), true), "");
        let twice = TEXT.replace("plain\"]\ncases.one = [\"c\"]", "plain\"]\ncases.one = [\"a\"]");
        assert!(Skips::parse(&twice).unwrap_err().starts_with("one/a on plain has two reasons: "));
    }

    #[test]
    fn lost_and_gained_skips_are_reported() {
        let pinned = Skips::parse(TEXT).unwrap();
        let own = Need::Own.reason();
        let gained = report("", &[NARROW, Host("other", &[Need::Text, Need::Own], false), PLAIN, WIDE]);
        assert_eq!(pinned.differences(&gained, true), format!("- other: {own}: one/a, one/b, two/a\n"));
        let lost = report("", &[NARROW, OTHER, PLAIN, Host("wide", &[Need::Own], false)]);
        let text = Need::Text.reason();
        assert_eq!(pinned.differences(&lost, true), format!("+ wide: {text}: one/c\n"));
        assert_eq!(pinned.updated(&lost, true), Skips::of(&lost));
    }

    #[test]
    fn a_run_of_a_part_changes_only_that_part() {
        let pinned = Skips::parse(TEXT).unwrap();
        let part = report("one/", &[Host("plain", &[Need::Own], false)]);
        let own = Need::Own.reason();
        assert_eq!(pinned.differences(&part, false), format!("- plain: {own}: one/a, one/b\n"));
        let updated = pinned.updated(&part, false);
        assert_eq!(updated.0.len(), pinned.0.len() - 2);
        // A host that was not built is not checked, and its pinned skips stay.
        let absent = report("", &[ABSENT, OTHER, PLAIN, WIDE]);
        assert_eq!(pinned.differences(&absent, true), "");
        // In a run of everything, the remaining pinned skips belong to a host or case that does not exist.
        let renamed = report("", &[NARROW, OTHER, WIDE]);
        assert_eq!(pinned.differences(&renamed, true).lines().count(), 2);
    }
}
