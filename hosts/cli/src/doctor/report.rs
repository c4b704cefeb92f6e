//! The results of the checks of an agent.

use std::fmt::{self, Display};
use std::path::Path;

use kaudit_workbench::lines::wrapped;
use serde_json::{Value, json};

use crate::terminal::is_quiet;

/// Returns the reports of agents and pipelines as text; with `--quiet` only those with failures.
pub fn text(plugins: &Path, agents: &[AgentReport], pipelines: &[AgentReport]) -> String {
    let reports = agents.iter().chain(pipelines);
    let shown = reports.filter(|report| !is_quiet() || !report.passes()).map(ToString::to_string);
    let none = "no agent found; pass its program with --agent\n".to_owned();
    let shown: Vec<_> = agents.is_empty().then_some(none).into_iter().chain(shown).collect();
    if shown.is_empty() {
        return String::new();
    }
    format!("plugins in {}\n\n{}", plugins.display(), shown.join("\n"))
}

/// The result of one check, with its message.
pub enum CheckResult {
    Passed(String),
    /// Records may be lost in a failure.
    Warned(String),
    Failed(String),
}

impl CheckResult {
    /// Returns the mark, the level and the message.
    fn parts(&self) -> (&'static str, &'static str, &str) {
        match self {
            Self::Passed(text) => ("ok", "passed", text),
            Self::Warned(text) => ("!!", "warning", text),
            Self::Failed(text) => ("NO", "failed", text),
        }
    }
}

/// The results of all checks of one agent or pipeline.
pub struct AgentReport {
    /// The program of the agent, or the file of the pipeline.
    pub agent: String,
    /// The name and the version of an agent.
    pub version: Option<(&'static str, String)>,
    pub checks: Vec<(&'static str, CheckResult)>,
}

impl AgentReport {
    /// Returns whether no check failed.
    pub fn passes(&self) -> bool {
        !self.checks.iter().any(|(_, result)| matches!(result, CheckResult::Failed(_)))
    }

    /// Returns the results as JSON; `key` is the name of the member with the program or the file.
    pub fn json(&self, key: &str) -> Value {
        let checks = self.checks.iter().map(|(name, result)| {
            let (_, level, text) = result.parts();
            let passed = !matches!(result, CheckResult::Failed(_));
            json!({"check": name, "passed": passed, "result": level, "message": text})
        });
        json!({key: self.agent, "passed": self.passes(), "checks": checks.collect::<Vec<_>>()})
    }
}

impl Display for AgentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.agent)?;
        for (name, result) in &self.checks {
            let (mark, _, text) = result.parts();
            let mut lines = wrapped(text, COLUMNS - INDENT).into_iter();
            writeln!(f, "  {mark} {name:<11}{}", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(f, "{:INDENT$}{line}", "")?;
            }
        }
        Ok(())
    }
}

/// The width of the text output, and the width of the columns before a message.
const COLUMNS: usize = 80;
const INDENT: usize = 16;
