//! Explanations equal verdicts: every case is run by the filter and by its explainer.

use std::path::Path;

use conformance::case::{self, Case};
use kaudit_filter::explain::{Change, Explainer, Explanation, MatchResult, Outcome, Recognised};
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;
use kaudit_filter::{Filter, Time, Verdict};

use crate::engine;

#[test]
fn an_explanation_ends_in_the_verdict() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cases = case::load(&root.join("tests/data/cases")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut explained = 0;
    for case in &cases {
        explained += run(case);
    }
    assert!(explained > 100, "only {explained} records were explained");
}

/// Runs a case; returns the number of its records.
fn run(case: &Case) -> usize {
    let config = engine::read(&case.config).unwrap();
    let mut filter = Filter::new(&config, 0).unwrap();
    let mut explainer = Explainer::new(&config, 0).unwrap();
    for record in &case.records {
        let now = Time::from_millis(record.at_ms);
        let all = explainer.explain(Record::json(&record.bytes), now);
        let place = |explanation: &Explanation| {
            format!("{}: {}\n{explanation:#?}", case.name, String::from_utf8_lossy(&record.bytes))
        };
        let mut explanations = all.iter();
        filter.process(Record::json(&record.bytes), now, |verdict| {
            let explanation = explanations.next().expect("an explanation for each verdict");
            let outcome = match verdict {
                Verdict::Kept(entry) => {
                    let mut json = Vec::new();
                    entry.write_json(&mut json);
                    let chosen = explanation.severity.as_ref();
                    assert!(
                        chosen.is_none_or(|chosen| chosen.severity == entry.severity()),
                        "{}",
                        place(explanation)
                    );
                    Outcome::Kept(String::from_utf8(json).unwrap())
                }
                Verdict::Dropped(reason) => Outcome::Dropped(reason),
                Verdict::Suppressed => Outcome::Suppressed,
                Verdict::Passed => Outcome::Passed,
            };
            assert_eq!(explanation.outcome, outcome, "{}", place(explanation));
            if let Err(what) = consistent(explanation) {
                panic!("{what}: {}", place(explanation));
            }
        });
        assert!(explanations.next().is_none(), "{}: no verdict for an explanation", case.name);
        while let Some(entry) = filter.due(now) {
            let mut json = [Vec::new(), Vec::new()];
            entry.write_json(&mut json[0]);
            explainer.due(now).unwrap().write_json(&mut json[1]);
            assert_eq!(json[0], json[1], "{}", case.name);
        }
        assert!(explainer.due(now).is_none(), "{}", case.name);
    }
    assert_eq!(explainer.stats(), filter.stats(), "{}", case.name);
    case.records.len()
}

/// Returns whether the steps lead to the outcome.
fn consistent(explanation: &Explanation) -> Result<(), &'static str> {
    let is = |right: bool, what| if right { Ok(()) } else { Err(what) };
    let matching = explanation.integrations.iter().filter(|step| step.result == MatchResult::Matches).count();
    let finding = matches!(explanation.recognised, Recognised::Finding { .. });
    for clause in explanation.integrations.iter().flat_map(|step| &step.clauses) {
        let holds = match clause.name {
            "entity-match" | "rules-match" => clause.matched.is_some(),
            "entity-no-match" | "rules-no-match" => clause.matched.is_none(),
            _ => clause.accepts,
        };
        is(holds == clause.accepts, "a pattern's match contradicts its clause")?;
    }
    match &explanation.outcome {
        Outcome::Kept(entry) if finding => {
            // A text may be a string.
            let entry = entry.replace('\\', "");
            is(matching == 1, "kept, and not matched by exactly one integration")?;
            is(
                explanation.limit.as_ref().is_none_or(|limit| limit.free > 0 && limit.wait_ns == 0),
                "kept, and no free limit",
            )?;
            is(explanation.severity.is_some(), "kept, and no severity row")?;
            is(
                explanation.stale.is_some() == explanation.changes.contains(&Change::Clamped),
                "stale and not clamped",
            )?;
            let redacted = explanation.changes.iter().any(|change| matches!(change, Change::Redacted { .. }));
            is(redacted == entry.contains("\"redacted\":"), "redacted, or not")?;
            let truncated =
                explanation.changes.iter().any(|change| matches!(change, Change::Truncated { .. }));
            is(truncated == entry.contains("\"truncated\":{\"bytes\":"), "truncated, or not")
        }
        Outcome::Kept(_) | Outcome::Passed | Outcome::Dropped(Reason::Unrecognised) => is(
            !finding && explanation.integrations.is_empty(),
            "not a finding, and matched against integrations",
        ),
        Outcome::Suppressed => {
            is(matching == 1, "suppressed, and not matched")?;
            is(
                explanation.limit.as_ref().is_some_and(|limit| limit.free == 0 && limit.wait_ns > 0),
                "suppressed, and limit free",
            )
        }
        Outcome::Dropped(Reason::Counted | Reason::Stale) => {
            is(matching == 1, "counted or stale, and not matched")
        }
        Outcome::Dropped(Reason::NoRule | Reason::Stage | Reason::DuplicateStage | Reason::LegacyEvent) => {
            is(
                matches!(explanation.recognised, Recognised::Event { .. })
                    && explanation.integrations.is_empty(),
                "no audit event, or matched against integrations",
            )
        }
        Outcome::Dropped(reason) => {
            is(matching == 0, "dropped, and matched")?;
            let steps = || explanation.integrations.iter();
            // The clause that rejected the last candidates: the last one that any integration reached.
            let furthest = steps().filter_map(|step| match step.result {
                MatchResult::Rejects(reason) => Some(reason),
                _ => None,
            });
            let furthest = furthest.max_by_key(|reason| *reason as u8);
            match reason {
                Reason::Stopped => {
                    is(steps().any(|step| step.result == MatchResult::Stopped), "none is stopped")
                }
                Reason::NoIntegration => is(furthest.is_none(), "an integration was checked"),
                // A stopped integration may have reached a later clause.
                _ => is(
                    steps().any(|step| step.result == MatchResult::Rejects(*reason)),
                    "no clause rejects with this reason",
                ),
            }
        }
    }
}
