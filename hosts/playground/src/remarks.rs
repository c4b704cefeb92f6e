//! What is said of a configuration while it is written.

use std::collections::BTreeMap;

use kaudit_filter::config::NoFiles;
use kaudit_workbench::check::CheckReport;
use serde_json::{Value, json};

/// What the configuration is called; messages of the page name no file.
pub(crate) const NAME: &str = "kaudit.yaml";

/// The report of `kaudit-filter check --format json`, and under `explained` what each code in it means, by code.
pub fn of(text: &str) -> Value {
    let mut report = CheckReport::default();
    report.file(NAME, text, &NoFiles);
    let explained: BTreeMap<&str, &str> =
        report.remarks().iter().map(|remark| (remark.code().label(), remark.code().explanation())).collect();
    let mut told = report.json();
    told["explained"] = json!(explained);
    told
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn each_code_is_explained() {
        let told = of("integrations: []\n");
        let code = told["remarks"][0]["code"].as_str().unwrap();
        assert_eq!((&told["errors"], &told["remarks"][0]["line"]), (&1.into(), &1.into()));
        assert!(told["explained"][code].as_str().unwrap().contains("integration"), "{told}");
    }
}
