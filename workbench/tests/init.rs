//! Every choice of `init` yields a configuration without problems and tests that pass.

use kaudit_filter::config::{NoFiles, read};
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
            let pipeline = match agent {
                Agent::FluentBit => text("fluent-bit.yaml"),
                Agent::Vector => text("vector.yaml"),
                Agent::None => continue,
            };
            assert!(
                pipeline.contains("ingress.eu2.coralogix.com") && pipeline.contains("CORALOGIX_KEY"),
                "{pipeline}"
            );
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
    };
    let files = files(&choices).unwrap();
    let (_, text) = files.iter().find(|(path, _)| *path == "tests/kaudit.test.yaml").unwrap();
    Suite::read("tests", text, &NoFiles).unwrap();
}
