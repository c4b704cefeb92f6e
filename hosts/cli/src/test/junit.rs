//! Results of tests as `JUnit`, for CI.

use kaudit_workbench::suite::{Difference, TestResult};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

/// Returns the results as XML: a suite per file, and the differences of a test as one failure.
pub fn junit(results: &[TestResult]) -> Result<String, SerializeError> {
    let mut report = Report::new("kaudit-filter");
    for file in results.chunk_by(|one, next| one.file == next.file) {
        let mut suite = TestSuite::new(&file[0].file);
        suite.add_test_cases(file.iter().map(case));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(test: &TestResult) -> TestCase {
    let mut case = TestCase::new(&test.name, status(test));
    case.set_classname(&test.file);
    case.extra.insert("line".into(), test.line.to_string().into());
    case
}

fn status(test: &TestResult) -> TestCaseStatus {
    let step = |difference: &Difference| {
        let explanation = difference.explanation.as_deref().unwrap_or_default();
        let details = format!("{}\n{explanation}", difference.lines.join("\n"));
        (format!("step on line {}", difference.line), details.trim_end().to_owned())
    };
    let steps: Vec<_> = test.differences.iter().map(step).collect();
    let description = match &steps[..] {
        [] => return TestCaseStatus::success(),
        [(_, details)] => details.clone(),
        several => several
            .iter()
            .map(|(step, details)| format!("{step}:\n{details}"))
            .collect::<Vec<_>>()
            .join("\n\n"),
    };
    let message: Vec<_> = steps.into_iter().map(|(step, _)| step).collect();
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message.join(", ")).set_description(description);
    status
}
