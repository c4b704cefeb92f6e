//! The measurements of criterion.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::shell::Done;

/// One measured case: its group, its name in it, and nanoseconds a record.
pub struct Measured {
    pub group: String,
    pub case: String,
    pub nanos: f64,
}

/// Reads what criterion left: `GROUP/…/new/{benchmark,estimates}.json`.
pub fn collect(folder: &Path) -> Done<Vec<Measured>> {
    let mut measured = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|error| format!("cannot read the measurements: {error}"))?;
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
            if path.ends_with("new") {
                measured.push(one(&path)?);
            } else {
                folders.push(path);
            }
        }
    }
    measured.sort_by(|a, b| (&a.group, &a.case).cmp(&(&b.group, &b.case)));
    Ok(measured)
}

fn one(folder: &Path) -> Done<Measured> {
    let read = |name: &str| -> Done<Value> {
        let text = fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    let (benchmark, estimates) = (read("benchmark.json")?, read("estimates.json")?);
    let records = benchmark["throughput"]["Elements"].as_f64().unwrap_or(1.0);
    let words =
        [&benchmark["function_id"], &benchmark["value_str"]].map(|word| word.as_str().unwrap_or_default());
    Ok(Measured {
        group: benchmark["group_id"].as_str().unwrap_or_default().to_owned(),
        case: words.join(" ").trim().to_owned(),
        nanos: estimates["median"]["point_estimate"].as_f64().unwrap_or(f64::NAN) / records,
    })
}
