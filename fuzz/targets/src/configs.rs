//! Configurations that the targets run with.

use std::sync::OnceLock;

use kaudit_filter::config::{self, Config, NoFiles};
use kaudit_filter::{Filter, bake};

const INTEGRATIONS: &str = "
integrations:
- {type: detections, name: det, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
- {type: selections, name: sel, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
- {type: activity, name: act, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
";

const LIMITED: &str = "
rate-limit: {period: 1m, by: entity, max-keys: 2, summary-every: 1s}
integrations:
- {type: detections, name: det, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: 2}}
- {type: selections, name: counted, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}, data-filter: {report: count}}
- {type: activity, name: act, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: 1}}
";

/// Settings of the sequences and the encodings, with the integrations that they use.
const SEQUENCES: &[(&str, &str)] = &[
    ("", INTEGRATIONS),
    ("coralogix: {keys: snake, text: string}\nguard: {max-entry-bytes: 16384}", INTEGRATIONS),
    ("unrecognised: pass", LIMITED),
    ("coralogix: {shape: bulk}\nguard: {max-entry-bytes: 16384, on-stale: drop}", INTEGRATIONS),
    ("redact: [{field: doc, pattern: secret}, {field: context.uri, pattern: 'a'}]", INTEGRATIONS),
    ("unrecognised: drop\ncoralogix: {keys: snake}", LIMITED),
    (
        "redact: [{field: eid, pattern: e}]\nguard: {max-entry-bytes: 16384}\nlook-in: [log, eid, context.uri, a.b.c]",
        LIMITED,
    ),
    (
        "coralogix: {application-name: '{eid}', subsystem-name: '{short-doc|x}', computer-name: '{doc}'}\nguard: {max-entry-bytes: 16384}",
        INTEGRATIONS,
    ),
];

/// The token that `text` plants in records, and that its configurations overwrite.
pub const SECRET: &str = "Ky7vQ\"w/Zr-9 pX";

const REDACTION: &str = r#"pattern: 'Ky7vQ"w/Zr-9 pX', replacement: '***'"#;

/// Values of `look-in` for `text`.
const LOOK_IN: &[&str] = &["", "look-in: []", "look-in: [log, message.inner, '*']", "look-in: ['*']"];

/// The field that the redaction of `text` names, and other settings.
const REDACTIONS: &[(&str, &str)] = &[
    ("doc", ""),
    ("log", "coralogix: {text: string}"),
    ("eid", "coralogix: {application-name: '{eid}', computer-name: '{eid|x}'}"),
    ("context", "guard: {max-entry-bytes: 16384}"),
    ("doc", "coralogix: {keys: snake}\nguard: {max-entry-bytes: 16384}"),
    ("principal", "coralogix: {shape: bulk}"),
];

/// A configuration, baked at its first use.
pub struct Setting {
    text: String,
    baked: OnceLock<&'static [u8]>,
    /// The field that its redaction names, if it is one of `text`.
    pub field: &'static str,
}

impl Setting {
    fn new(text: String, field: &'static str) -> Self {
        Self { text, baked: OnceLock::new(), field }
    }

    /// Reads the configuration.
    pub fn config(&self) -> Config {
        let reading = config::read("fuzz.yaml", &self.text, &NoFiles);
        reading.config.unwrap_or_else(|| panic!("{:?}\n{}", reading.diagnostics, self.text))
    }

    /// Builds a filter and returns it with its configuration.
    ///
    /// Its output is limited to one entry per record, if the host accepts no more.
    pub fn filter(&self, single_output: bool) -> (Filter, Config) {
        let baked = self.baked.get_or_init(|| {
            let baked = bake(&self.config()).unwrap_or_else(|error| panic!("{error}\n{}", self.text));
            Vec::leak(baked)
        });
        let (mut filter, config) = Filter::from_baked(baked, 7).expect("bytes that were baked here");
        if single_output {
            filter.set_single_output();
        }
        (filter, config)
    }
}

/// Returns a configuration of the sequences by the number that selects it.
pub fn sequence(selector: u8) -> &'static Setting {
    static ALL: OnceLock<Vec<Setting>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let texts = SEQUENCES.iter().map(|(settings, integrations)| format!("{settings}\n{integrations}"));
        texts.map(|text| Setting::new(text, "")).collect()
    });
    &all[usize::from(selector) % all.len()]
}

/// Returns a configuration of `text` by the numbers that select its `look-in` and its redaction.
pub fn redacting(look_in: u8, redaction: u8) -> &'static Setting {
    static ALL: OnceLock<Vec<Setting>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let pairs = LOOK_IN.iter().flat_map(|look_in| REDACTIONS.iter().map(move |one| (look_in, one)));
        let settings = pairs.map(|(look_in, (field, more))| {
            let redact = format!("redact: [{{field: {field}, {REDACTION}}}]");
            Setting::new(format!("{look_in}\n{more}\n{redact}\n{INTEGRATIONS}"), field)
        });
        settings.collect()
    });
    let at =
        usize::from(look_in) % LOOK_IN.len() * REDACTIONS.len() + usize::from(redaction) % REDACTIONS.len();
    &all[at]
}
