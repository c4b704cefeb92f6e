//! Writes a starting configuration, a test, a schema and an agent pipeline.
//!
//! The configuration has no remarks from `check`, and its test passes.

use kaudit_filter::audit::SourceKind;
use kaudit_filter::config::{Code, Diagnostic, NoFiles};
use kaudit_filter::policy;

use crate::options;
use crate::template::render;

/// The choices for a starting configuration.
#[derive(Clone, Debug)]
pub struct Choices {
    /// The agent to write a pipeline for.
    pub agent: Agent,
    /// The domain of the Coralogix account, such as `eu2.coralogix.com`.
    pub domain: String,
    /// Whether detections are sent.
    pub detections: bool,
    /// Whether selections are sent.
    pub selections: bool,
    /// Whether activity is sent.
    pub activity: bool,
    /// The limit per entity and minute, for selections and for activity.
    pub limit: u32,
    /// The source of Kubernetes audit events from which selections are derived; `None`: kAudit's findings alone.
    pub audit: Option<SourceKind>,
}

impl Choices {
    /// Returns the agent that a pipeline is written for.
    ///
    /// There is none for a cloud's audit events: how they reach the agent depends on the cloud's export.
    pub fn agent(&self) -> Agent {
        match self.audit {
            None | Some(SourceKind::ApiServer | SourceKind::OpenShift) => self.agent,
            Some(SourceKind::Eks | SourceKind::Gke | SourceKind::Aks) => Agent::None,
        }
    }

    /// Returns the path of the API server's audit log.
    fn audit_log(&self) -> Option<&'static str> {
        match self.audit? {
            SourceKind::OpenShift => Some("/var/log/kube-apiserver/audit*.log"),
            SourceKind::ApiServer | SourceKind::Eks | SourceKind::Gke | SourceKind::Aks => {
                Some("/var/log/kubernetes/audit/*.log")
            }
        }
    }
}

/// An agent that a pipeline can be written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// Fluent Bit, with the native plugin.
    FluentBit,
    /// Vector, with the Lua module.
    Vector,
    /// No agent.
    None,
}

/// A file to write: its path in the output folder, and its text.
pub type File = (&'static str, String);

/// Returns the files of a starting configuration.
///
/// # Errors
/// A template and its values do not match: a defect, which the tests exclude.
pub fn files(choices: &Choices) -> Result<Vec<File>, String> {
    let Choices { domain, limit, .. } = choices;
    let audit = choices.audit.map(SourceKind::name);
    let findings = [
        ("audit", audit.into()),
        ("detections", choices.detections.into()),
        ("selections", (choices.selections || audit.is_some()).into()),
        ("activity", choices.activity.into()),
        ("limit", (*limit).into()),
    ];
    let configuration = findings.iter().cloned().chain([("domain", domain.as_str().into())]);
    // Two findings are suppressed.
    let tests = findings.iter().cloned().chain([("over_limit", (limit + 2).into())]);
    let mut files = vec![
        ("kaudit.yaml", render(include_str!("../templates/kaudit.yaml"), configuration)?),
        ("kaudit.schema.json", format!("{:#}\n", options::schema())),
        ("tests/kaudit.test.yaml", render(include_str!("../templates/kaudit.test.yaml"), tests)?),
    ];
    if let Some(source) = choices.audit {
        files.push(("policy.yaml", policy(source)));
    }
    let audit_log = choices.audit_log();
    match choices.agent() {
        Agent::FluentBit => {
            let file = "fluent-bit.yaml";
            let pipeline = FluentBit { file, origin: "", environment: "", domain, audit_log };
            files.push((pipeline.file, pipeline.text()?));
        }
        Agent::Vector => {
            let pipeline = Vector { file: "vector.yaml", source: "source.yaml", domain };
            files.push((pipeline.file, pipeline.text()?));
            let source = match audit_log {
                None => include_str!("../../examples/vector/source-file.yaml").to_owned(),
                Some(path) => {
                    render(include_str!("../templates/vector-audit.yaml"), [("audit_log", path.into())])?
                }
            };
            files.push((pipeline.source, source));
        }
        Agent::None => {}
    }
    Ok(files)
}

/// Returns the default policy, without the rules that no event of the source satisfies.
fn policy(source: SourceKind) -> String {
    let text = include_str!("../../policies/default.yaml");
    let checked = policy::check("policy.yaml", text, &NoFiles, &[source]);
    let impossible: Vec<usize> = checked
        .diagnostics
        .iter()
        .filter(|remark| remark.code() == Code::NeverFilled)
        .map(Diagnostic::line)
        .collect();
    let rules = checked.policy.map(|policy| policy.rules).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    for (number, line) in (1..).zip(&lines) {
        out.push_str(line);
        out.push('\n');
        let Some(at) = rules.iter().position(|rule| rule.line == number) else { continue };
        let end = rules.get(at + 1).map_or(lines.len() + 1, |next| next.line);
        if impossible.iter().any(|line| (number..end).contains(line)) {
            let remark =
                format!("  # Events of {} never satisfy the rule.\n  status: false\n", source.name());
            out.push_str(&remark);
        }
    }
    out
}

/// The values of Fluent Bit's pipeline. `examples/fluent-bit/tail.yaml` is rendered from the same template.
struct FluentBit<'a> {
    /// The name of the file.
    file: &'static str,
    /// The end of the first sentence.
    origin: &'a str,
    /// The environment variables before the key, in the command.
    environment: &'a str,
    domain: &'a str,
    /// The path of the audit log; `None`: the logs of kAudit's containers.
    audit_log: Option<&'a str>,
}

impl FluentBit<'_> {
    fn text(&self) -> Result<String, String> {
        let values = [
            ("file", self.file),
            ("origin", self.origin),
            ("environment", self.environment),
            ("domain", self.domain),
        ];
        let values = values.map(|(name, value)| (name, value.into()));
        let values = values.into_iter().chain([("audit_log", self.audit_log.into())]);
        render(include_str!("../templates/fluent-bit.yaml"), values)
    }
}

/// The values of Vector's pipeline. `examples/vector/singles.yaml` is rendered from the same template.
struct Vector<'a> {
    /// The name of the file.
    file: &'static str,
    /// The name of the file with the source.
    source: &'static str,
    domain: &'a str,
}

impl Vector<'_> {
    fn text(&self) -> Result<String, String> {
        let values = [("file", self.file), ("source", self.source), ("domain", self.domain)];
        let values = values.map(|(name, value)| (name, value.into()));
        render(include_str!("../templates/vector.yaml"), values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples that users copy, which other tests run in the agents.
    #[test]
    fn the_examples_are_rendered_from_the_templates() {
        let tail = FluentBit {
            file: "tail.yaml",
            origin: ": tail.conf in YAML",
            environment: "CORALOGIX_DOMAIN=eu2.coralogix.com ",
            domain: "${CORALOGIX_DOMAIN}",
            audit_log: None,
        };
        assert_eq!(tail.text().unwrap(), include_str!("../../examples/fluent-bit/tail.yaml"));
        let singles =
            Vector { file: "singles.yaml", source: "source-http.yaml", domain: "eu1.coralogix.com" };
        // The example also contains tests of its own configuration.
        let (pipeline, _) =
            include_str!("../../examples/vector/singles.yaml").split_once("\ntests:\n").unwrap();
        assert_eq!(singles.text().unwrap(), pipeline);
    }
}
