//! What is said of a configuration while it is written.

use std::collections::BTreeMap;

use kaudit_filter::config::NoFiles;
use kaudit_workbench::check::Report;
use serde_json::{Value, json};

/// What the configuration is called; messages of the page name no file.
pub(crate) const NAME: &str = "kaudit.yaml";

/// The report of `kaudit-filter check --format json`, and under `explained` what each code in it means, by code.
pub fn of(text: &str) -> Value {
    let mut report = Report::default();
    report.file(NAME, text, &NoFiles);
    let explained: BTreeMap<&str, &str> =
        report.remarks().iter().map(|remark| (remark.code().label(), remark.code().explanation())).collect();
    let mut told = report.json();
    told["explained"] = json!(explained);
    told
}
