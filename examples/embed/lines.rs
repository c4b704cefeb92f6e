//! Filters records from standard input to standard output, one per line, with the engine alone.
//!
//! `cargo run --example lines -- examples/kaudit.yaml < examples/findings/detections.ndjson`

use std::error::Error;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use kaudit_filter::config::{self, NoFiles};
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time, Verdict};

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: lines CONFIGURATION < RECORDS > ENTRIES")?;
    let read = config::read(&file, &fs::read_to_string(&file)?, &NoFiles);
    read.diagnostics.iter().for_each(|diagnostic| eprintln!("{diagnostic}"));
    let config = read.config.ok_or("the configuration cannot be used")?;
    let mut filter = Filter::new(&config, RandomState::new().hash_one(0))?;

    let (mut stdout, mut output) = (io::stdout().lock(), Vec::new());
    for record in io::stdin().lock().split(b'\n') {
        let record = record?;
        filter.process(Record::json(&record), now()?, |verdict| {
            match verdict {
                Verdict::Kept(entry) => entry.write_json(&mut output),
                Verdict::Passed => output.extend_from_slice(&record),
                Verdict::Dropped(_) | Verdict::Suppressed => return,
            }
            output.push(b'\n');
        });
        while let Some(entry) = filter.due(now()?) {
            entry.write_json(&mut output);
            output.push(b'\n');
        }
        stdout.write_all(&output)?;
        output.clear();
    }
    while let Some(entry) = filter.finish(now()?) {
        entry.write_json(&mut output);
        output.push(b'\n');
    }
    stdout.write_all(&output)?;
    let stats = filter.stats();
    eprintln!("{} records, {} kept, {} dropped", stats.records, stats.kept(), stats.dropped());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the host's clock")]
fn now() -> Result<Time, Box<dyn Error>> {
    Ok(Time::from_nanos(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?))
}
