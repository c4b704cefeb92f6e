//! Every choice of `init` yields a configuration without problems and tests that pass.

use kaudit_filter::audit::SourceKind;
use kaudit_filter::config::{FileLoader, NoFiles, read};
use kaudit_workbench::check::CheckReport;
use kaudit_workbench::init::{Agent, Choices, files};
use kaudit_workbench::suite::{Coverage, Suite};

#[test]
fn every_choice_is_valid() {
    for number in 1..8_u32 {
        for agent in [Agent::FluentBit, Agent::Vector, Agent::None] {
            let choices = Choices {
                agent,
                domain: "eu2.coralogix.com".to_owned(),
                detections: number & 1 != 0,
                selections: number & 2 != 0,
                activity: number & 4 != 0,
                limit: 10 * number,
                audit: None,
            };
            let files = files(&choices).unwrap();
            let text = |name: &str| {
                files.iter().find(|(path, _)| *path == name).map(|(_, text)| text.as_str()).unwrap()
            };
            let mut report = CheckReport::default();
            report.file("kaudit.yaml", text("kaudit.yaml"), &NoFiles);
            assert!(report.remarks().is_empty(), "{}", report.text(false));
            let config = read("kaudit.yaml", text("kaudit.yaml"), &NoFiles).config.unwrap();
            let suite = Suite::read("tests", text("tests/kaudit.test.yaml"), &NoFiles).unwrap();
            let ran = suite.run(&config, &mut Coverage::default()).unwrap();
            assert_eq!(ran.len(), number.count_ones() as usize);
            assert!(ran.iter().all(|test| test.differences.is_empty()), "{ran:#?}");
            let (pipeline, key) = match agent {
                Agent::FluentBit => (text("fluent-bit.yaml"), "${CORALOGIX_KEY}"),
                Agent::Vector => (text("vector.yaml"), "SECRET[kaudit.PRIVATE_KEY]"),
                Agent::None => continue,
            };
            assert!(pipeline.contains("ingress.eu2.coralogix.com") && pipeline.contains(key), "{pipeline}");
            assert!(
                !pipeline.contains("eu1.coralogix.com/") && !pipeline.contains("CORALOGIX_DOMAIN"),
                "{pipeline}"
            );
        }
    }
}

#[test]
fn the_test_of_the_largest_limit_is_valid() {
    let choices = Choices {
        agent: Agent::None,
        domain: "eu2.coralogix.com".to_owned(),
        detections: false,
        selections: true,
        activity: false,
        limit: 100_000,
        audit: None,
    };
    let files = files(&choices).unwrap();
    let (_, text) = files.iter().find(|(path, _)| *path == "tests/kaudit.test.yaml").unwrap();
    Suite::read("tests", text, &NoFiles).unwrap();
}

struct Written(Vec<(&'static str, String)>);

impl FileLoader for Written {
    fn load(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.clone()).ok_or_else(|| format!("{path} is not written"))
    }
}

#[test]
fn audit_logs_alone_suffice() {
    for &source in SourceKind::ALL {
        for agent in [Agent::FluentBit, Agent::Vector] {
            let choices = Choices {
                agent,
                domain: "eu2.coralogix.com".to_owned(),
                detections: false,
                selections: false,
                activity: false,
                limit: 10,
                audit: Some(source),
            };
            let written = Written(files(&choices).unwrap());
            let text = |name: &str| written.load(name).unwrap();
            let mut report = CheckReport::default();
            report.file("kaudit.yaml", &text("kaudit.yaml"), &written);
            assert!(report.remarks().is_empty(), "{}", report.text(false));
            let config = read("kaudit.yaml", &text("kaudit.yaml"), &written).config.unwrap();
            let policy = &config.audit.as_ref().unwrap().policy;
            let reported = policy.rules.iter().filter(|rule| rule.status).count();
            assert_eq!(reported, if source == SourceKind::Gke { 46 } else { 50 }, "{}", source.name());
            let suite = Suite::read("tests", &text("tests/kaudit.test.yaml"), &NoFiles).unwrap();
            let ran = suite.run(&config, &mut Coverage::default()).unwrap();
            assert_eq!(ran.len(), 2);
            assert!(ran.iter().all(|test| test.differences.is_empty()), "{ran:#?}");
            // The path of a cloud's events to the agent is not known.
            let is_file = matches!(source, SourceKind::ApiServer | SourceKind::OpenShift);
            let pipelines =
                ["fluent-bit.yaml", "source.yaml"].map(|name| written.load(name).unwrap_or_default());
            let pipeline = pipelines.concat();
            assert_eq!(pipeline.contains("audit"), is_file, "{pipeline}");
            assert!(!pipeline.contains("/var/log/containers"), "{pipeline}");
        }
    }
}
