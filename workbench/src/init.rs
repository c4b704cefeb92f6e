//! Writes a starting configuration, a test, a schema and an agent pipeline.
//!
//! The configuration has no remarks from `check`, and its test passes.

use crate::options;

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
pub fn files(choices: &Choices) -> Vec<File> {
    let mut files = vec![
        ("kaudit.yaml", configuration(choices)),
        ("kaudit.schema.json", format!("{:#}\n", options::schema())),
        ("tests/kaudit.test.yaml", tests(choices)),
    ];
    match choices.agent {
        Agent::FluentBit => {
            let text = include_str!("../../examples/fluent-bit/tail.yaml");
            let text = text
                .replace("CORALOGIX_DOMAIN=eu2.coralogix.com ", "")
                .replace("tail.yaml", "fluent-bit.yaml");
            let text =
                text.replace(": tail.conf in YAML.", ".").replace("${CORALOGIX_DOMAIN}", &choices.domain);
            files.push(("fluent-bit.yaml", text));
        }
        Agent::Vector => {
            let address = format!("https://ingress.{}", choices.domain);
            // The example's tests depend on the example's configuration.
            let (pipeline, _) = VECTOR.split_once("\ntests:\n").unwrap_or((VECTOR, ""));
            let pipeline = pipeline.replace("https://ingress.eu1.coralogix.com", &address);
            let pipeline =
                pipeline.replace("source-http.yaml", "source.yaml").replace("singles.yaml", "vector.yaml");
            files.push(("vector.yaml", pipeline + "\n"));
            files.push(("source.yaml", include_str!("../../examples/vector/source-file.yaml").to_owned()));
        }
        Agent::None => {}
    }
    files
}

const VECTOR: &str = include_str!("../../examples/vector/singles.yaml");

fn configuration(choices: &Choices) -> String {
    let target = format!(
        "target-type: http-api, http-api-uri: \"https://ingress.{}/logs/v1/singles\"",
        choices.domain
    );
    let mut text = format!(
        "# yaml-language-server: $schema=kaudit.schema.json
# Made by `kaudit-filter init`. All keys: `kaudit-filter options`. Look at it after a change: `kaudit-filter check`.

# How an entry is named, from the finding's fields; after | stands what to take when there is none.
coralogix:
  application-name: \"{{cluster|kaudit}}\"
  subsystem-name: \"kaudit-{{type}}\"

# What `rate-limit: {limit}` below means: so many a minute for each entity. What is more is counted, and leaves as a summary.
rate-limit: {{period: 1m, by: entity}}

# What must not leave the cluster.
redact:
  - {{field: subresource-exec-command, pattern: '(?i)password=\\S+', replacement: 'password=***'}}

# The first integration that accepts a finding claims it. The filter sends nothing itself: keys are the agent's.
integrations:
",
        limit = choices.limit
    );
    if choices.detections {
        text += &[
            "  # Detections, but for those of low confidence and of the nodes' own accounts.\n  - type: detections\n    name: detections\n    target: {",
            &target,
            "}\n    data-filter: {confidence: [high, medium], entity-no-match: '^system:node:'}\n",
        ]
        .concat();
    }
    if choices.selections {
        text += &[
            "  # What the policy's rules match, but for the system's own accounts.\n  - type: selections\n    name: policy\n    target: {",
            &target,
            &format!(", rate-limit: {}}}\n    data-filter: {{entity-no-match: '^system:'}}\n", choices.limit),
        ]
        .concat();
    }
    if choices.activity {
        text += &[
            "  # Raw audit entries of people.\n  - type: activity\n    name: activity\n    target: {",
            &target,
            &format!(", rate-limit: {}}}\n    data-filter: {{entity-no-match: '^system:'}}\n", choices.limit),
        ]
        .concat();
    }
    text
}

fn tests(choices: &Choices) -> String {
    let mut text = "# What kaudit.yaml is to do: `kaudit-filter test tests`.
config: ../kaudit.yaml
now: 2026-03-17T12:00:00Z
tests:
"
    .to_owned();
    if choices.detections {
        text += "  - name: incidents of high confidence are critical, and low confidence stays away
    steps:
      - record: {etype: principal, eid: jane, category: incident, confidence: high, cluster: prod}
        kept: {severity: critical, applicationName: prod, subsystemName: kaudit-detections}
      - record: {etype: principal, eid: jane, category: anomaly, confidence: low}
        dropped: confidence
      - record: {etype: principal, eid: \"system:node:a\", category: anomaly, confidence: high}
        dropped: entity-no-match
";
    }
    let limited = |name: &str, record: &str| {
        format!(
            "  - name: {name} of one entity are limited, and those of the system are left out
    steps:
      - record: {{{record}, principal: jane, cluster: prod}}
        times: {}
        kept: {}
        suppressed: 2
      - record: {{{record}, principal: \"system:apiserver\"}}
        dropped: entity-no-match
      - at: 60s
        summary: {{key: jane, suppressed: 2}}
",
            choices.limit + 2,
            choices.limit
        )
    };
    if choices.selections {
        text += &limited("policy findings", "rule: exec into pod, verb: create");
    }
    if choices.activity {
        text += &limited("audit entries", "id: a, verb: get");
    }
    text
}
