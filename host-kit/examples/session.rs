//! Filters records from standard input, one per line, and reloads the configuration file when it changes.
//!
//! `cargo run -p kaudit-host-kit --example session -- examples/kaudit.yaml < examples/findings/detections.ndjson`

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use host_kit::config::{ConfigFile, SiblingFiles};
use host_kit::counters::statistics_line;
use host_kit::timer::Timer;
use host_kit::{Emission, Session, seed};
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time};

/// The interval at which the files are compared, in nanoseconds.
const RELOAD_NANOS: i64 = 100_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("usage: session CONFIGURATION < RECORDS > ENTRIES")?;
    let mut file = ConfigFile::load(&name, SiblingFiles::of(Path::new(&name)));
    let (config, warnings) = file.read().map_err(|mistakes| mistakes.join("\n"))?;
    for warning in warnings {
        eprintln!("{warning}");
    }
    let mut session = Session::new(Filter::new(&config, seed())?, &config);
    let mut reload = Timer::new(RELOAD_NANOS);

    let (mut stdout, mut output) = (io::stdout().lock(), Vec::new());
    for record in io::stdin().lock().split(b'\n') {
        let (record, now) = (record?, now()?);
        if reload.is_due(now)
            && let Some(changed) = file.changed()
        {
            // A configuration with mistakes is reported, and the previous one stays in use.
            match changed.read() {
                Ok((config, _)) => session.replace(&config, seed())?,
                Err(mistakes) => mistakes.iter().for_each(|mistake| eprintln!("{mistake}")),
            }
            file = changed;
        }
        session.record(Record::json(&record), now, |emission| match emission {
            Emission::Passed => write_line(&mut output, &record),
            other => write(&mut output, other),
        });
        session.due(now, |emission| write(&mut output, emission));
        stdout.write_all(&output)?;
        stdout.flush()?;
        output.clear();
    }
    session.finish(now()?, |emission| write(&mut output, emission));
    stdout.write_all(&output)?;
    eprintln!("{}", statistics_line(session.stats(), &[]));
    Ok(())
}

/// Writes an entry or a complete envelope. All other emissions have no output of their own.
fn write(output: &mut Vec<u8>, emission: Emission<'_>) {
    match emission {
        Emission::Entry(entry) => {
            entry.write_json(output);
            output.push(b'\n');
        }
        Emission::Envelope(envelope) => write_line(output, &envelope),
        Emission::Grouped(_) | Emission::Passed | Emission::Dropped(_) | Emission::Suppressed => (),
    }
}

fn write_line(output: &mut Vec<u8>, line: &[u8]) {
    output.extend_from_slice(line);
    output.push(b'\n');
}

#[expect(clippy::disallowed_methods, reason = "the host's clock")]
fn now() -> Result<Time, Box<dyn Error>> {
    Ok(Time::from_nanos(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?))
}
