//! Parses a test file; reports all mistakes at once, each with its position.

use kaudit_filter::Time;
use kaudit_filter::config::{self, FileLoader};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Value};

use super::mistake::Mistake;
use super::model::{Case, ConfigSource, Expected, Step, StepPosition, StepTime, Suite};
use super::values::{duration, is_reason, record, rule_id, scalar};
use crate::documents::json;

type Node<'s> = MarkedYaml<'s>;
type Members<'n, 's> = Vec<(&'n str, &'n Node<'s>, &'n Node<'s>)>;

const SUITE: &[&str] = &["config", "now", "bases", "tests"];
const CASE: &[&str] = &["name", "steps"];
const INPUT: &[&str] = &["at", "base", "record", "records", "file", "times"];
const EXPECTED: &[&str] = &["kept", "dropped", "suppressed", "passed", "rules", "summary", "report"];

/// The maximum number of repetitions of a step's records.
/// A limit is at most half of it, and a test exceeds the limit.
const MAX_REPETITIONS: u64 = 200_000;

impl Suite {
    /// Parses a test file; `files` loads the record files that it names.
    ///
    /// # Errors
    /// Every mistake.
    pub fn read(name: &str, text: &str, files: &dyn FileLoader) -> Result<Self, Vec<Mistake>> {
        let (mistakes, bases) = (Vec::new(), Map::new());
        let mut reader = SuiteReader { name, files, mistakes, now: Time::from_millis(0), bases };
        let suite = match Node::load_from_str(text) {
            Ok(documents) => {
                let suite = documents.first().and_then(|root| reader.suite(root));
                if documents.is_empty() {
                    let message = "the file is empty; expected `config`, `now` and `tests`".to_owned();
                    reader.mistakes.push(Mistake { line: 1, columns: (1, 1), message });
                }
                if let Some(second) = documents.get(1) {
                    reader.mistake(
                        second,
                        "only one document per file is allowed; move the second one to its own file",
                    );
                }
                suite
            }
            Err(error) => {
                let message = format!("not valid YAML: {}", error.info());
                let (line, column) = (error.marker().line(), error.marker().col() + 1);
                reader.mistakes.push(Mistake { line, columns: (column, 1), message });
                None
            }
        };
        suite.filter(|_| reader.mistakes.is_empty()).ok_or(reader.mistakes)
    }
}

struct SuiteReader<'r> {
    name: &'r str,
    files: &'r dyn FileLoader,
    mistakes: Vec<Mistake>,
    now: Time,
    /// Records that steps refer to, by name.
    bases: Map<String, Value>,
}

impl SuiteReader<'_> {
    fn mistake(&mut self, node: &Node<'_>, message: &str) {
        let (start, end) = (node.span.start, node.span.end);
        // A list or map may end on a later line.
        let width = if end.line() == start.line() { end.col().saturating_sub(start.col()).max(1) } else { 1 };
        let (line, columns) = (start.line(), (start.col() + 1, width));
        self.mistakes.push(Mistake { line, columns, message: message.to_owned() });
    }

    fn suite(&mut self, root: &Node<'_>) -> Option<Suite> {
        let members = self.members(root, &[SUITE])?;
        let get = |key: &str| members.iter().find(|(name, ..)| *name == key).map(|(_, _, node)| *node);
        let config = match get("config").map(scalar) {
            Some(Some(Value::String(text))) if text.contains('\n') => Some(ConfigSource::Inline(text)),
            Some(Some(Value::String(path))) => Some(ConfigSource::File(path)),
            _ => {
                self.mistake(
                    root,
                    "`config` is missing; expected the path of the configuration, or its text",
                );
                None
            }
        };
        match get("now").and_then(scalar) {
            Some(Value::String(text)) if Time::parse(&text).is_some() => self.now = Time::parse(&text)?,
            _ => self.mistake(
                root,
                "`now` is missing or not a time; expected the time of the first step, such as `2026-03-17T12:00:00Z`",
            ),
        }
        if let Some(bases) = get("bases") {
            match json(bases) {
                Value::Object(bases) if bases.values().all(Value::is_object) => self.bases = bases,
                _ => self.mistake(bases, "`bases`: expected a map from names to records, each a map"),
            }
        }
        let Some(tests) = get("tests") else {
            self.mistake(root, "`tests` is missing; expected a list of tests, each with `name` and `steps`");
            return None;
        };
        let items = self.items(tests);
        if matches!(&tests.data, YamlData::Sequence(_)) && items.is_empty() {
            self.mistake(tests, "`tests` is empty; expected a list of tests, each with `name` and `steps`");
        }
        let cases = items.iter().filter_map(|test| self.case(test)).collect();
        Some(Suite { name: self.name.to_owned(), config: config?, cases })
    }

    fn case(&mut self, node: &Node<'_>) -> Option<Case> {
        let members = self.members(node, &[CASE])?;
        let get = |key: &str| members.iter().find(|(name, ..)| *name == key).map(|(_, _, node)| *node);
        let Some(Value::String(name)) = get("name").and_then(scalar) else {
            self.mistake(node, "`name` is missing; expected the purpose of the test");
            return None;
        };
        let steps = get("steps").map(|steps| self.items(steps).to_vec()).unwrap_or_default();
        if steps.is_empty() {
            self.mistake(
                node,
                "`steps` is missing; expected a list of steps, each with records and their expected results",
            );
        }
        let mut last = self.now;
        let steps = steps.iter().filter_map(|step| {
            let step = self.step(step, last)?;
            if let StepTime::Time(time) = step.time {
                last = time;
            }
            Some(step)
        });
        Some(Case { name, line: node.span.start.line(), steps: steps.collect() })
    }

    fn step(&mut self, node: &Node<'_>, last: Time) -> Option<Step> {
        let members = self.members(node, &[INPUT, EXPECTED])?;
        let mut step = Step {
            position: position(node, &members),
            time: StepTime::Time(last),
            records: Vec::new(),
            expected: Expected::default(),
        };
        let mut times = 1;
        let base = members.iter().find(|(key, ..)| *key == "base").and_then(|(_, _, node)| self.base(node));
        let record = |node: &Node<'_>| record(node, base.as_ref());
        let has_records = members.iter().any(|(key, ..)| ["record", "records", "file"].contains(key));
        step.records
            .extend(base.as_ref().filter(|_| !has_records).map(|base| Value::from(base.clone()).to_string()));
        for (key, name, value) in members {
            match key {
                "base" => {}
                "at" => step.time = self.time(value).unwrap_or(step.time),
                "record" => step.records.push(record(value)),
                "records" => step.records.extend(self.items(value).iter().map(&record)),
                "file" => step.records.extend(self.file(value)),
                "times" => match scalar(value) {
                    Some(Value::Number(number))
                        if number.as_u64().is_some_and(|times| (1..=MAX_REPETITIONS).contains(&times)) =>
                    {
                        times = number.as_u64().unwrap_or(1);
                    }
                    _ => self.mistake(value, "expected a number of repetitions, from 1 to 200000"),
                },
                _ => self.expected(key, name, value, &mut step.expected),
            }
        }
        let once = step.records.clone();
        for _ in 1..times {
            step.records.extend(once.iter().cloned());
        }
        step.expected.is_empty = step.position.expectations.is_empty();
        if step.records.is_empty() && step.expected.is_empty && matches!(step.time, StepTime::Time(_)) {
            self.mistake(
                node,
                "the step is empty; expected `record`, `records` or `file`, and the expected results",
            );
        }
        Some(step)
    }

    /// Returns the record that a step names with `base`.
    fn base(&mut self, node: &Node<'_>) -> Option<Map<String, Value>> {
        let name = scalar(node);
        let base = name.as_ref().and_then(Value::as_str).and_then(|name| self.bases.get(name)?.as_object());
        if base.is_none() {
            let names: Vec<&str> = self.bases.keys().map(String::as_str).collect();
            let message = format!("expected the name of a record under `bases`: {}", names.join(", "));
            self.mistake(node, &message);
            return None;
        }
        base.cloned()
    }

    /// Parses a time, or a duration since the start of the test.
    fn time(&mut self, node: &Node<'_>) -> Option<StepTime> {
        let text = match scalar(node) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        if text == "end" {
            return Some(StepTime::End);
        }
        let time = Time::parse(&text).or_else(|| {
            let after = duration(text.trim_start_matches('+'))?;
            Some(Time::from_nanos(self.now.nanos().checked_add(after)?))
        });
        if time.is_none() {
            self.mistake(
                node,
                "expected a time after `now` such as `90s` or `2h`, an RFC 3339 time, or `end`",
            );
        }
        time.map(StepTime::Time)
    }

    fn file(&mut self, node: &Node<'_>) -> Vec<String> {
        let Some(Value::String(path)) = scalar(node) else {
            self.mistake(node, "expected the path of a file with one record per line");
            return Vec::new();
        };
        match self.files.load(&path) {
            Ok(text) => text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
            Err(reason) => {
                self.mistake(node, &format!("`{path}` cannot be read: {reason}"));
                Vec::new()
            }
        }
    }

    fn expected(&mut self, key: &str, name: &Node<'_>, node: &Node<'_>, to: &mut Expected) {
        let value = json(node);
        let fields = |value: &Value| -> Option<Vec<(String, Value)>> {
            Some(value.as_object()?.iter().map(|(path, value)| (path.clone(), value.clone())).collect())
        };
        let all_or_count = |value: &Value| match value {
            Value::Null => Some(None),
            Value::String(text) if text == "all" => Some(None),
            value => value.as_u64().map(Some),
        };
        let is_valid = match (key, &value) {
            ("kept", Value::Object(_)) => {
                to.kept = fields(&value).unwrap_or_default();
                to.verdicts.insert("kept".to_owned(), None);
                true
            }
            ("kept" | "suppressed" | "passed", value) => {
                all_or_count(value).map(|count| to.verdicts.insert(key.to_owned(), count)).is_some()
            }
            ("dropped", Value::String(reason)) if is_reason(reason) => {
                to.verdicts.insert(format!("dropped: {reason}"), None);
                true
            }
            ("dropped", Value::Object(reasons)) => reasons.iter().all(|(reason, count)| {
                let count = count.as_u64().filter(|_| is_reason(reason));
                count.map(|count| to.verdicts.insert(format!("dropped: {reason}"), Some(count))).is_some()
            }),
            ("rules", value) => {
                let ids = value.as_array().map_or_else(|| vec![value.clone()], Clone::clone);
                to.rules = ids.iter().map(rule_id).collect();
                to.rules.is_some()
            }
            ("summary" | "report", value) => {
                let list = if key == "summary" { &mut to.summaries } else { &mut to.reports };
                let items = value.as_array().map_or_else(|| vec![value.clone()], Clone::clone);
                items.iter().all(|item| fields(item).map(|fields| list.push(fields)).is_some())
            }
            _ => false,
        };
        if !is_valid {
            let help = match key {
                "dropped" => {
                    "expected a reason, such as `entity-no-match`, or reasons with numbers: `{etype: 2}`"
                }
                "summary" | "report" => "expected a map of values, or a list of maps",
                "rules" => "expected a list of the ids of rules; `[]` if no rule selects the events",
                "kept" => "expected a map of the entry's values, a number of records, or `all`",
                _ => "expected a number of records, or `all`",
            };
            self.mistake(name, &format!("`{key}`: {help}"));
        }
    }

    /// Returns the members of a map with known keys; others are reported.
    fn members<'n, 's>(&mut self, node: &'n Node<'s>, known: &[&[&str]]) -> Option<Members<'n, 's>> {
        let YamlData::Mapping(members) = &node.data else {
            self.mistake(node, "expected a map");
            return None;
        };
        let mut found = Members::new();
        for (key, value) in members {
            match &key.data {
                YamlData::Value(Scalar::String(name)) if known.iter().any(|keys| keys.contains(&&**name)) => {
                    found.push((name, key, value));
                }
                _ => {
                    let keys: Vec<&str> = known.iter().flat_map(|keys| keys.iter().copied()).collect();
                    let name = scalar(key).map_or_else(String::new, |name| match name {
                        Value::String(name) => format!(" `{name}`"),
                        other => format!(" `{other}`"),
                    });
                    let near = config::nearest(name.trim_matches([' ', '`']), keys.iter().copied());
                    let help = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
                    let keys = keys.join(", ");
                    self.mistake(key, &format!("unknown key{name}; {help}expected one of {keys}"));
                }
            }
        }
        Some(found)
    }

    fn items<'n, 's>(&mut self, node: &'n Node<'s>) -> &'n [Node<'s>] {
        if let YamlData::Sequence(items) = &node.data {
            return items;
        }
        self.mistake(node, "expected a list; begin each item with `- `");
        &[]
    }
}

/// Returns the position of a step's keys.
fn position(node: &Node<'_>, members: &Members<'_, '_>) -> StepPosition {
    let line = |name: &Node<'_>| name.span.start.line();
    let columns: Vec<usize> = members.iter().map(|(_, name, _)| name.span.start.col()).collect();
    let lines: Vec<usize> = members.iter().map(|(_, name, _)| line(name)).collect();
    // In a block, every key begins a line, in one column.
    let block =
        columns.windows(2).all(|pair| pair[0] == pair[1]) && lines.windows(2).all(|pair| pair[0] < pair[1]);
    let own = lines.first().is_some_and(|first| *first == node.span.start.line())
        && columns.first() == Some(&node.span.start.col());
    StepPosition {
        line: node.span.start.line(),
        column: columns.first().copied().filter(|_| block && own),
        expectations: members
            .iter()
            .filter(|(key, ..)| EXPECTED.contains(key))
            .map(|(_, name, _)| line(name))
            .collect(),
        last: lines.last().copied().unwrap_or(node.span.start.line()),
    }
}
