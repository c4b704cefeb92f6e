//! The results of the checks of an agent.

use std::fmt::{self, Display};
use std::path::Path;

use kaudit_workbench::lines::wrapped;
use serde_json::{Value, json};

use crate::terminal::is_quiet;

/// Returns the reports as text; with `--quiet` only those with failures.
pub fn text(plugins: &Path, reports: &[AgentReport]) -> String {
    if reports.is_empty() {
        return format!(
            "plugins in {}\n\nno agent found; pass its program with --agent\n",
            plugins.display()
        );
    }
    let shown = reports.iter().filter(|report| !is_quiet() || !report.passes());
    let shown: Vec<_> = shown.map(ToString::to_string).collect();
    if shown.is_empty() {
        return String::new();
    }
    format!("plugins in {}\n\n{}", plugins.display(), shown.join("\n"))
}

/// The result of one check, with its message.
pub enum CheckResult {
    Passed(String),
    Failed(String),
}

/// The results of all checks of one agent.
pub struct AgentReport {
    pub agent: String,
    pub checks: Vec<(&'static str, CheckResult)>,
}

impl AgentReport {
    /// Returns whether every check passed.
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|(_, result)| matches!(result, CheckResult::Passed(_)))
    }

    /// Returns the results as JSON.
    pub fn json(&self) -> Value {
        let checks = self.checks.iter().map(|(name, result)| {
            let (CheckResult::Passed(text) | CheckResult::Failed(text)) = result;
            json!({"check": name, "passed": matches!(result, CheckResult::Passed(_)), "message": text})
        });
        json!({"agent": self.agent, "passed": self.passes(), "checks": checks.collect::<Vec<_>>()})
    }
}

impl Display for AgentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.agent)?;
        for (name, result) in &self.checks {
            let (mark, text) = match result {
                CheckResult::Passed(text) => ("ok", text),
                CheckResult::Failed(text) => ("NO", text),
            };
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
