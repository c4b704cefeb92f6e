//! The diagnostics of a configuration while it is edited.

use std::collections::BTreeMap;

use kaudit_filter::config::NoFiles;
use kaudit_workbench::check::CheckReport;
use serde_json::{Value, json};

/// The configuration's file name; messages of the page omit it.
pub(crate) const NAME: &str = "kaudit.yaml";

/// Returns the report of `kaudit-filter check --format json`, and under `explained` the explanation of each code in it.
pub fn of(text: &str) -> Value {
    let mut report = CheckReport::default();
    report.file(NAME, text, &NoFiles);
    let explained: BTreeMap<&str, &str> =
        report.remarks().iter().map(|remark| (remark.code().label(), remark.code().explanation())).collect();
    let mut answer = report.json();
    answer["explained"] = json!(explained);
    answer
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn each_code_is_explained() {
        let answer = of("integrations: []\n");
        let code = answer["remarks"][0]["code"].as_str().unwrap();
        assert_eq!((&answer["errors"], &answer["remarks"][0]["line"]), (&1.into(), &1.into()));
        assert!(answer["explained"][code].as_str().unwrap().contains("integration"), "{answer}");
    }
}
