//! The driver's side.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::plugin::{Instance as _, Plugin};
use crate::round::{Halt, resident_kb, round};
use crate::{Filtered, Reply, Request, Stopped};

/// Answers requests until there are no more.
///
/// # Errors
/// The input or the output is broken.
pub fn serve<P: Plugin>(plugin: &mut P, requests: impl BufRead, mut replies: impl Write) -> io::Result<()> {
    let mut session = Session { plugin, instance: None, held: Vec::new() };
    for line in requests.lines() {
        let reply = match serde_json::from_str(&line?) {
            Ok(request) => session.reply(request).unwrap_or_else(Reply::Failed),
            Err(error) => Reply::Failed(format!("not a request: {error}")),
        };
        serde_json::to_writer(&mut replies, &reply)?;
        replies.write_all(b"\n")?;
        replies.flush()?;
    }
    Ok(())
}

struct Session<'a, P: Plugin> {
    plugin: &'a mut P,
    instance: Option<P::Instance>,
    held: Vec<(i64, P::Chunk)>,
}

impl<P: Plugin> Session<'_, P> {
    fn reply(&mut self, request: Request) -> Result<Reply, String> {
        const STOPPED: &str = "no instance is started";
        match request {
            Request::Start(start) => {
                // The agent has one at a time.
                self.instance = None;
                self.plugin.take_log();
                let started = self.plugin.start(&start);
                let log = self.plugin.take_log();
                Ok(match started {
                    Ok(instance) => {
                        self.instance = Some(instance);
                        Reply::Started(log)
                    }
                    Err(lines) => Reply::Refused([log, lines].concat()),
                })
            }
            Request::Chunk(chunk) => {
                let instance = self.instance.as_mut().ok_or(STOPPED)?;
                let filtered = instance.filter(chunk.at, &self.plugin.encode(&chunk)?)?;
                Ok(Reply::Chunk(Filtered { log: self.plugin.take_log(), ..filtered }))
            }
            Request::Stop => {
                let stopped = self.instance.take().ok_or(STOPPED)?.stop()?;
                Ok(Reply::Stopped(Stopped { log: self.plugin.take_log(), ..stopped }))
            }
            Request::Series => Ok(Reply::Series(self.instance.as_ref().ok_or(STOPPED)?.series())),
            Request::Hold(chunk) => {
                self.held.push((chunk.at, self.plugin.encode(&chunk)?));
                Ok(Reply::Held)
            }
            Request::Resident => resident_kb().map(Reply::Resident),
            Request::Round(start) => {
                self.instance = None;
                match round(self.plugin, &start, &self.held) {
                    Ok(round) => Ok(Reply::Round(round)),
                    Err(Halt::Refused(lines)) => Ok(Reply::Refused(lines)),
                    Err(Halt::Failed(error)) => Err(error),
                }
            }
        }
    }
}

/// A driver's arguments: options with a value each, and the plugin's file.
#[derive(Debug)]
pub struct Arguments {
    /// Values by option, `--` included.
    pub options: BTreeMap<String, String>,
    /// The plugin's file.
    pub module: PathBuf,
}

impl Arguments {
    fn parse(known: &[&str], mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let (mut options, mut module) = (BTreeMap::new(), None);
        while let Some(argument) = arguments.next() {
            if known.contains(&&*argument) {
                options.insert(argument, arguments.next()?);
            } else if module.replace(PathBuf::from(argument)).is_some() {
                return None;
            }
        }
        Some(Self { options, module: module.filter(|module| !module.as_os_str().is_empty())? })
    }
}

/// The `main` of a driver: parses its arguments, which are these options and the plugin's file, and passes them on.
/// Prints an error as one line.
pub fn run(name: &str, options: &[&str], driver: impl FnOnce(&Arguments) -> Result<(), String>) -> ExitCode {
    let usage = || {
        let options: Vec<_> = options.iter().map(|option| format!("[{option} VALUE] ")).collect();
        format!("usage: {name} {}MODULE", options.concat())
    };
    let arguments = Arguments::parse(options, std::env::args().skip(1)).ok_or_else(usage);
    match arguments.and_then(|arguments| driver(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves a plugin over standard input and output.
///
/// # Errors
/// One of them is broken.
pub fn serve_standard(plugin: &mut impl Plugin) -> Result<(), String> {
    serve(plugin, io::stdin().lock(), io::stdout().lock()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chunk, Instance, Level, Line, Record, Start, Timer};

    /// Passes each record on, and logs.
    struct Echo(Vec<Line>);

    impl Plugin for Echo {
        type Chunk = Vec<String>;
        type Instance = Echo;

        fn encode(&self, chunk: &Chunk) -> Result<Vec<String>, String> {
            let text = |record: &Record| match record {
                Record::Text(text) => Ok(text.clone()),
                other => Err(format!("not a text: {other:?}")),
            };
            chunk.records.iter().map(text).collect()
        }

        fn start(&mut self, start: &Start) -> Result<Echo, Vec<Line>> {
            self.0.extend(Line::of(Level::Info, "hello"));
            if start.options.is_empty() {
                Ok(Echo(Vec::new()))
            } else {
                Err(Line::of(Level::Error, "no\nnever"))
            }
        }

        fn take_log(&mut self) -> Vec<Line> {
            std::mem::take(&mut self.0)
        }
    }

    impl Instance for Echo {
        type Chunk = Vec<String>;

        fn filter(&mut self, _: i64, chunk: &Vec<String>) -> Result<Filtered, String> {
            let events = chunk
                .iter()
                .map(|text| crate::Event { body: text.clone(), ..crate::Event::default() })
                .collect();
            Ok(Filtered { events, ..Filtered::default() })
        }

        fn count(&mut self, _: i64, chunk: &Vec<String>, timer: &mut Timer) -> Result<u64, String> {
            Ok(timer.time(|| chunk.len() as u64))
        }
    }

    fn replies(requests: &str) -> Vec<Reply> {
        let mut out = Vec::new();
        serve(&mut Echo(Vec::new()), requests.as_bytes(), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_request_has_one_reply() {
        let hello = Line::of(Level::Info, "hello");
        let requests = r#"
            {"chunk":{"at":1,"records":[]}}
            {"start":{"options":[["a",1],["a",2]]}}
            {"start":{}}
            {"chunk":{"at":1,"records":[{"text":"x"}]}}
            {"chunk":{"at":1,"records":[{"hex":"ff"}]}}
            "stop"
            "stop"
            "dance""#;
        let requests: Vec<&str> = requests.trim().lines().map(str::trim).collect();
        let replies = replies(&requests.join("\n"));
        assert_eq!(replies.len(), requests.len());
        assert_eq!(replies[0], Reply::Failed("no instance is started".to_owned()));
        assert_eq!(replies[1], Reply::Refused([hello.clone(), Line::of(Level::Error, "no\nnever")].concat()));
        assert_eq!(replies[2], Reply::Started(hello));
        let Reply::Chunk(filtered) = &replies[3] else { panic!("{:?}", replies[3]) };
        assert_eq!(filtered.events[0].body, "x");
        assert_eq!(replies[4], Reply::Failed("not a text: Hex(Hex([255]))".to_owned()));
        assert_eq!(replies[5], Reply::Stopped(Stopped::default()));
        assert_eq!(replies[6], Reply::Failed("no instance is started".to_owned()));
        assert!(
            matches!(&replies[7], Reply::Failed(error) if error.starts_with("not a request: unknown variant"))
        );
    }

    #[test]
    fn a_round_counts_the_events_of_all_chunks_once() {
        let hold = r#"{"hold":{"at":1583078400000000000,"records":[{"text":"x"},{"text":"y"}]}}"#;
        let replies = replies(
            &[hold, hold, "\"resident\"", r#"{"round":{}}"#, r#"{"round":{"options":[["a",1]]}}"#].join("\n"),
        );
        assert_eq!(replies[..2], [Reply::Held, Reply::Held]);
        assert!(matches!(replies[2], Reply::Resident(1..)));
        assert!(matches!(replies[3], Reply::Round(crate::Round { events: 4, resident_kb: 1.., .. })));
        assert!(matches!(&replies[4], Reply::Refused(lines) if lines.len() == 3));
    }

    #[test]
    fn arguments_are_options_and_one_file() {
        let parse = |text: &str| {
            let arguments = Arguments::parse(&["--layout"], text.split(' ').map(str::to_owned))?;
            let layout = arguments.options.get("--layout").cloned().unwrap_or_default();
            Some(format!("{layout}:{}", arguments.module.display()))
        };
        assert_eq!(parse("a.so").as_deref(), Some(":a.so"));
        assert_eq!(parse("--layout 2.2 a.so").as_deref(), Some("2.2:a.so"));
        for wrong in ["", "--layout", "--layout 2.2", "a.so b.so", "--colour red a.so"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
