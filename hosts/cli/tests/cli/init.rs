//! `kaudit-filter init` and `migrate` as processes, followed by the proposed next commands.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::common::{self, program, run as ran};

#[test]
fn what_is_begun_is_sound() {
    for (agent, pipeline) in
        [("fluent-bit", "fluent-bit.yaml"), ("vector", "vector.yaml"), ("none", "kaudit.yaml")]
    {
        let folder = common::folder("init", agent);
        let path = folder.to_str().unwrap();
        let (code, out, err) = ran(&["init", "--agent", agent, "--domain", "us2.coralogix.com", path]);
        assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
        assert!(
            fs::read_to_string(folder.join(pipeline)).unwrap().contains("ingress.us2.coralogix.com"),
            "{agent}"
        );
        let (code, out, err) = ran(&["check", "--strict", path]);
        assert!(code == Some(0) && out.contains("no problems found"), "{out}{err}");
        let (code, out, err) = ran(&["test", &format!("{path}/tests")]);
        assert!(code == Some(0) && out.contains("2 tests, all passed"), "{out}{err}");
        // A second run overwrites no file.
        let (code, _, err) = ran(&["init", path]);
        assert!(code == Some(1) && err.contains("exists already"), "{err}");
    }
    let (code, _, err) = ran(&["init", "--domain", "example.com"]);
    assert!(code == Some(2) && err.contains("eu2.coralogix.com"), "{err}");
}

/// A pseudo-terminal, from the side of the user.
struct Terminal {
    user: File,
    printed: String,
}

impl Terminal {
    /// Starts the program on a new terminal.
    fn start(arguments: &[&str]) -> (Self, Child) {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let [stdin, stderr] = [(); 2].map(|()| ioctl_tiocgptpeer(&user, flags).unwrap());
        let child =
            program().args(arguments).stdin(stdin).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        (Self { user: user.into(), printed: String::new() }, child)
    }

    /// Waits for a text after the one before, and answers with a line.
    fn answer(&mut self, question: &str, line: &str) {
        let mut bytes = [0; 256];
        while !self.printed.contains(question) {
            // The end of the program is an error of its terminal.
            let length =
                self.user.read(&mut bytes).unwrap_or_else(|error| panic!("{error}: {}", self.printed));
            self.printed += &String::from_utf8_lossy(&bytes[..length]);
        }
        self.printed = self.printed.split_once(question).unwrap().1.to_owned();
        writeln!(self.user, "{line}").unwrap();
    }
}

#[test]
fn questions_are_asked_on_a_terminal_until_the_answer_is_valid() {
    let folder = common::folder("init", "terminal");
    let path = folder.to_str().unwrap();
    let (mut terminal, mut child) = Terminal::start(&["init", path]);
    terminal.answer("Agent: fluent-bit, vector or none [fluent-bit]: ", "logstash");
    terminal.answer("`logstash`: expected fluent-bit, vector or none", "vector");
    terminal.answer("Domain of the Coralogix account [eu1.coralogix.com]: ", "example.com");
    terminal.answer("`example.com`: expected the domain of a Coralogix account", "us2.coralogix.com");
    // An empty line is the default.
    terminal.answer("openshift, none [none]: ", "");
    terminal
        .answer("Findings to send: detections, selections, activity [detections,selections]: ", "selections");
    terminal.answer("Findings of one entity a minute [10]: ", "0");
    terminal.answer("`0`: expected a number from 1 to 100000", "25");
    terminal.answer("kaudit-filter run -c ", "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert!(read("vector.yaml").contains("ingress.us2.coralogix.com"));
    let document = read("kaudit.yaml");
    assert!(document.contains("type: selections") && !document.contains("type: detections"), "{document}");
    assert!(document.contains("rate-limit: 25}"), "{document}");
    assert_eq!(ran(&["check", "--strict", path]).0, Some(0));
    // A flag answers its question.
    let flags = ["--agent", "none", "--audit", "gke", "--findings", "selections", "--limit", "5"];
    let other = common::folder("init", "flags");
    let (mut terminal, mut child) =
        Terminal::start(&[&["init"], &flags[..], &[other.to_str().unwrap()]].concat());
    terminal.answer("Domain of the Coralogix account [eu1.coralogix.com]: ", "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let folder = common::folder("init", "link");
    fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("elsewhere.yaml", folder.join("kaudit.yaml")).unwrap();
    let (code, _, err) = ran(&["init", folder.to_str().unwrap()]);
    assert!(code == Some(1) && err.contains("kaudit.yaml: exists already"), "{err}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_migrated_document_passes_the_check() {
    let folder = common::folder("init", "migrate");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("kaudit.yaml");
    let _ = fs::remove_file(&file);
    let (code, out, err) = ran(&["migrate", "examples/audit-integration.yaml"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("rate-limit: {period: 1s}\n") && out.contains("# Policy findings"), "{out}");
    assert!(err.contains("changed: the list was moved under `integrations`"), "{err}");
    let (code, nothing, _) =
        ran(&["migrate", "examples/audit-integration.yaml", "-o", file.to_str().unwrap()]);
    assert_eq!((code, nothing.as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(&file).unwrap(), out);
    assert_eq!(ran(&["check", "--strict", file.to_str().unwrap()]).0, Some(0));
    let (code, out, err) = ran(&["migrate", "tests/data/config/six-mistakes.yaml"]);
    assert!(code == Some(1) && out.is_empty() && err.contains("six-mistakes.yaml:2:3\n"), "{err}");
}

#[test]
fn a_configuration_is_converted_for_agents_without_the_filter() {
    let folder = common::folder("init", "convert");
    for (target, part) in [
        ("otelcol", "  transform/kaudit:\n"),
        ("otel-integration", "\nopentelemetry-agent:\n"),
        ("vrl", "    type: remap\n"),
    ] {
        let (code, out, err) = ran(&["migrate", "examples/kaudit.yaml", "--to", target]);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains(part), "{out}");
        // The report has the position of every key, and the losses are comments of the result.
        let lost = "examples/kaudit.yaml:24: guard.max-entry-bytes: lost: ";
        assert!(err.contains(lost) && out.contains(&format!("# - {lost}")), "{err}");
        assert!(err.contains("examples/kaudit.yaml:45: integrations[0].type: converted: "), "{err}");
        assert!(err.trim_end().ends_with(" unused"), "{err}");
        let (_, _, quiet) = ran(&["migrate", "examples/kaudit.yaml", "--to", target, "--quiet"]);
        assert_eq!(quiet, "");

        let file = folder.join(format!("{target}.yaml"));
        let arguments = ["migrate", "examples/kaudit.yaml", "--to", target, "-o", file.to_str().unwrap()];
        assert_eq!(ran(&arguments).0, Some(0));
        assert_eq!(fs::read_to_string(&file).unwrap(), out);
        let (code, _, err) = ran(&arguments);
        assert!(code == Some(1) && err.contains("exists already; nothing was written"), "{err}");
    }
    let (code, out, err) = ran(&["migrate", "tests/data/config/six-mistakes.yaml", "--to", "vrl"]);
    assert!(code == Some(1) && out.is_empty() && err.contains("six-mistakes.yaml:2:3\n"), "{err}");
    let (code, _, err) = ran(&["migrate", "examples/kaudit.yaml", "--to", "logstash"]);
    assert!(code == Some(2) && err.contains("[possible values: otelcol, otel-integration, vrl]"), "{err}");
    let (_, script, _) = ran(&["completions", "bash"]);
    assert!(script.contains("otelcol otel-integration vrl"), "{script}");
}
