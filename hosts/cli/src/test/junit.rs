//! Results of tests as `JUnit`, for CI.

use kaudit_workbench::suite::TestResult;
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
    let mut messages = Vec::new();
    let mut details = Vec::new();
    for difference in &test.differences {
        let explanation = difference.explanation.as_deref().unwrap_or_default();
        let detail = format!("{}\n{explanation}", difference.lines.join("\n"));
        messages.push(format!("step on line {}", difference.line));
        details.push(detail.trim_end().to_owned());
    }
    if messages.is_empty() {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(messages.join(", ")).set_description(details.join("\n\n"));
    status
}
