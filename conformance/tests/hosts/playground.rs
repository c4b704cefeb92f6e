//! The playground as a host: the built page in a browser, and the module in it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use conformance::case::{Case, Need};
use conformance::driver::{Driver, Outcome, Run};
use kaudit_browser_driver::{Browser, build};
use kaudit_driver::flatten;
use serde_json::{Value, json};

/// The page in its browser.
pub struct Playground {
    browser: Browser,
}

impl Playground {
    /// Builds the page and opens it; the browser's files go into `scratch`.
    pub fn open(scratch: &Path) -> io::Result<Self> {
        let page = build()?;
        let mut browser = Browser::start(scratch)?;
        browser.open(&format!("file://{}", page.display()))?;
        Ok(Self { browser })
    }

    fn case(&mut self, case: &Case) -> io::Result<Run> {
        // A host replaces bytes that are not UTF-8; a page has only texts.
        let records = case
            .records
            .iter()
            .map(|record| json!({ "text": String::from_utf8_lossy(&record.bytes), "at": record.at_ms }));
        let records: Vec<Value> = records.collect();
        let answer =
            self.browser.eval(&format!("playground.filter({}, {})", json!(case.config), json!(records)))?;
        let mut run = Run { verdicts: Some(Vec::new()), ..Run::default() };
        for row in answer["rows"].as_array().into_iter().flatten() {
            let text = |name: &str| row[name].as_str().unwrap_or_default();
            match text("verdict") {
                "kept" | "own" => run.lines.push(row["sent"].as_str().unwrap_or(text("entry")).into()),
                "passed" => run.lines.push(text("text").into()),
                _ => {}
            }
            let verdict = match row["reason"].as_str() {
                Some(reason) => format!("dropped: {reason}"),
                None => text("verdict").to_owned(),
            };
            run.verdicts
                .iter_mut()
                .filter(|_| verdict != "own")
                .for_each(|verdicts| verdicts.push(verdict.clone()));
        }
        let mut stats = BTreeMap::new();
        flatten("", &answer["account"], &mut stats);
        run.stats = Some(stats);
        Ok(run)
    }
}

impl Driver for Playground {
    fn name(&self) -> &'static str {
        "playground"
    }

    fn capabilities(&self) -> &'static [Need] {
        &[Need::Arrival, Need::Text, Need::Bounds, Need::Otlp, Need::Own, Need::Batch]
    }

    fn run(&mut self, case: &Case) -> Outcome {
        match self.case(case) {
            Ok(run) => Outcome::Ran(run),
            // A configuration is refused by an exception that is a text; one of the module's is an object.
            Err(error) => Outcome::Crashed(error.to_string()),
        }
    }
}
