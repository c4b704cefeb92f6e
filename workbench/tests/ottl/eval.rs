//! Evaluation of OTTL over log records.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use regex::Regex;

use super::parse::{Call, Condition, Expression, Statement};

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
    /// Nanoseconds since 1970.
    Time(i64),
    /// Nanoseconds.
    Duration(i64),
}

impl Value {
    /// Converts JSON as `ParseJSON` does: every number is a double.
    pub fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap()),
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::of_json).collect()),
            serde_json::Value::Object(members) => {
                Self::Map(members.iter().map(|(key, value)| (key.clone(), Self::of_json(value))).collect())
            }
        }
    }
}

/// A log record, with the attributes of its resource.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub body: Option<Value>,
    pub attributes: BTreeMap<String, Value>,
    pub resource: BTreeMap<String, Value>,
    pub severity_number: i64,
    pub severity_text: String,
    pub time_ns: i64,
}

/// The environment of an evaluation.
pub struct Evaluator {
    pub now_ns: i64,
}

/// Executes a statement.
pub fn execute(evaluator: &Evaluator, statement: &Statement, record: &mut Record) -> Result<(), String> {
    if let Some(condition) = &statement.condition
        && !holds(evaluator, condition, record)?
    {
        return Ok(());
    }
    let Call { name, arguments } = &statement.editor;
    let get = |index: usize| evaluator.value(&arguments[index], record);
    match (name.as_str(), arguments.len()) {
        ("set", 2) => match get(1)? {
            // No field can be nil.
            Value::Nil => Ok(()),
            value => store(record, &arguments[0], value),
        },
        ("replace_pattern", 3) => {
            let (pattern, replacement) = (regex(&get(1)?)?, text(&get(2)?)?);
            match get(0)? {
                Value::Text(old) => {
                    let new = pattern.replace_all(&old, replacement.as_str()).into_owned();
                    store(record, &arguments[0], Value::Text(new))
                }
                _ => Ok(()),
            }
        }
        ("delete_matching_keys", 2) => {
            let pattern = regex(&get(1)?)?;
            let Expression::Path(names, keys) = &arguments[0] else { return Err("no path".to_owned()) };
            assert_eq!((names.join(".").as_str(), keys.len()), ("log.attributes", 0));
            record.attributes.retain(|key, _| !pattern.is_match(key));
            Ok(())
        }
        (name, number) => Err(format!("the editor {name} with {number} arguments")),
    }
}

/// Evaluates a condition.
pub fn holds(evaluator: &Evaluator, condition: &Condition, record: &Record) -> Result<bool, String> {
    match condition {
        Condition::Constant(value) => Ok(*value),
        Condition::Not(inner) => Ok(!holds(evaluator, inner, record)?),
        Condition::And(all) => {
            for one in all {
                if !holds(evaluator, one, record)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Or(any) => {
            for one in any {
                if holds(evaluator, one, record)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Call(call) => match evaluator.call(call, record)? {
            Value::Bool(value) => Ok(value),
            other => Err(format!("{other:?} is no condition")),
        },
        Condition::Compare(comparison) => {
            let (left, operator, right) = &**comparison;
            let (left, right) = (evaluator.value(left, record)?, evaluator.value(right, record)?);
            Ok(compare(&left, operator, &right))
        }
    }
}

/// Compares values: values of different types are not equal, and in no order.
fn compare(left: &Value, operator: &str, right: &Value) -> bool {
    let order = match (left, right) {
        (Value::Int(left), Value::Int(right))
        | (Value::Time(left), Value::Time(right))
        | (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (left, right) => (left == right).then_some(Ordering::Equal),
    };
    match operator {
        "==" => order == Some(Ordering::Equal),
        "!=" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        ">" => order == Some(Ordering::Greater),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        other => Err(format!("{other:?} is no text")),
    }
}

/// Compiles a pattern, in syntax that RE2 has.
fn regex(pattern: &Value) -> Result<Regex, String> {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
    }
    let pattern = text(pattern)?;
    if let Some(compiled) = COMPILED.with_borrow(|compiled| compiled.get(&pattern).cloned()) {
        return Ok(compiled);
    }
    assert!(!pattern.contains("&&") && !pattern.contains("(?x") && !pattern.contains("\\b{"), "{pattern}");
    let compiled = Regex::new(&pattern).map_err(|error| error.to_string())?;
    COMPILED.with_borrow_mut(|all| all.insert(pattern, compiled.clone()));
    Ok(compiled)
}

/// Converts a value to text, as functions that take any type do.
fn text_like(value: &Value) -> Result<Option<String>, String> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::Text(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        // Rust writes a double in full digits, and the shortest that is exact.
        Value::Float(value) => value.to_string(),
        other => return Err(format!("{other:?} as text is not implemented")),
    }))
}

impl Evaluator {
    fn value(&self, expression: &Expression, record: &Record) -> Result<Value, String> {
        match expression {
            Expression::Nil => Ok(Value::Nil),
            Expression::Bool(value) => Ok(Value::Bool(*value)),
            Expression::Int(value) => Ok(Value::Int(*value)),
            Expression::Text(text) => Ok(Value::Text(text.clone())),
            Expression::Enum(name) => severity(name).map(Value::Int),
            Expression::List(items) => {
                Ok(Value::List(items.iter().map(|item| self.value(item, record)).collect::<Result<_, _>>()?))
            }
            Expression::Call(call) => self.call(call, record),
            Expression::Path(names, keys) => load(record, names, keys),
            Expression::Math(operation) => {
                let (left, sign, right) = &**operation;
                match (self.value(left, record)?, sign, self.value(right, record)?) {
                    (Value::Int(left), '*', Value::Int(right)) => Ok(Value::Int(left * right)),
                    (Value::Time(left), '+', Value::Duration(right)) => Ok(Value::Time(left + right)),
                    (Value::Time(left), '-', Value::Duration(right)) => Ok(Value::Time(left - right)),
                    (left, sign, right) => Err(format!("{left:?} {sign} {right:?}")),
                }
            }
        }
    }

    fn call(&self, call: &Call, record: &Record) -> Result<Value, String> {
        let arguments: Vec<Value> =
            call.arguments.iter().map(|argument| self.value(argument, record)).collect::<Result<_, _>>()?;
        match (call.name.as_str(), &arguments[..]) {
            ("IsMap", [value]) => Ok(Value::Bool(matches!(value, Value::Map(_)))),
            ("IsList", [value]) => Ok(Value::Bool(matches!(value, Value::List(_)))),
            ("IsString", [value]) => Ok(Value::Bool(matches!(value, Value::Text(_)))),
            ("IsMatch", [value, pattern]) => {
                let pattern = regex(pattern)?;
                Ok(Value::Bool(text_like(value)?.is_some_and(|text| pattern.is_match(&text))))
            }
            ("String", [value]) => Ok(text_like(value)?.map_or(Value::Nil, Value::Text)),
            // Rust writes a double without an exponent.
            ("Int", [Value::Float(value)]) => Ok(Value::Int(value.trunc().to_string().parse().unwrap())),
            ("Int", [Value::Int(value)]) => Ok(Value::Int(*value)),
            ("Int", [Value::Text(text)]) => Ok(text.parse().map_or(Value::Nil, Value::Int)),
            ("Concat", [Value::List(items), Value::Text(delimiter)]) => {
                let texts: Vec<String> = items
                    .iter()
                    .map(|item| Ok(text_like(item)?.unwrap_or_else(|| "<nil>".to_owned())))
                    .collect::<Result<_, String>>()?;
                Ok(Value::Text(texts.join(delimiter)))
            }
            ("ParseJSON", [Value::Text(text)]) => {
                let json: serde_json::Value =
                    serde_json::from_str(text).map_err(|error| error.to_string())?;
                Ok(Value::of_json(&json))
            }
            ("Now", []) => Ok(Value::Time(self.now_ns)),
            ("Duration", [Value::Text(text)]) => {
                let millis = text.strip_suffix("ms").and_then(|millis| millis.parse::<i64>().ok());
                Ok(Value::Duration(millis.ok_or("a duration in milliseconds")? * 1_000_000))
            }
            ("Time", [Value::Text(text), Value::Text(format)]) => {
                assert_eq!(format, "%Y-%m-%dT%H:%M:%S%z");
                Ok(Value::Time(timestamp(text).ok_or(format!("the time {text}"))?))
            }
            (name, arguments) => Err(format!("the converter {name} with {arguments:?}")),
        }
    }
}

/// Parses `2020-03-01T14:36:00+0000`.
fn timestamp(text: &str) -> Option<i64> {
    let (date, zone) = text.split_at_checked(19)?;
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let days = {
        // Days since 1970 of the proleptic Gregorian calendar, in years that begin in March.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        year * 365 + year.div_euclid(4) - year.div_euclid(100)
            + year.div_euclid(400)
            + (month * 306 + 5) / 10
            + day
            - 719_469
    };
    let seconds = ((days * 24 + number(11, 13)?) * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    (zone == "+0000").then_some(seconds * 1_000_000_000)
}

fn severity(name: &str) -> Result<i64, String> {
    let names = ["UNSPECIFIED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let index = name
        .strip_prefix("SEVERITY_NUMBER_")
        .and_then(|name| names.iter().position(|known| *known == name))
        .ok_or(format!("the enum {name}"))?;
    Ok(i64::try_from((index * 4).saturating_sub(3)).unwrap())
}

fn load(record: &Record, names: &[String], keys: &[String]) -> Result<Value, String> {
    let of_members = |members: &BTreeMap<String, Value>, keys: &[String]| match keys {
        [] => Ok(Value::Map(members.clone())),
        [first, rest @ ..] => members.get(first).map_or(Ok(Value::Nil), |value| member(value, rest)),
    };
    match (names.join(".").as_str(), keys) {
        ("log.body", keys) => record.body.as_ref().map_or(Ok(Value::Nil), |body| member(body, keys)),
        ("log.attributes", keys) => of_members(&record.attributes, keys),
        ("log.severity_number", []) => Ok(Value::Int(record.severity_number)),
        ("log.severity_text", []) => Ok(Value::Text(record.severity_text.clone())),
        ("log.time", []) => Ok(Value::Time(record.time_ns)),
        (other, keys) => Err(format!("the path {other}{keys:?}")),
    }
}

/// Returns a member of a value at any depth; the member of nil is nil.
fn member(value: &Value, keys: &[String]) -> Result<Value, String> {
    match (value, keys) {
        (value, []) => Ok(value.clone()),
        (Value::Map(members), [first, rest @ ..]) => {
            members.get(first).map_or(Ok(Value::Nil), |value| member(value, rest))
        }
        (Value::Nil, _) => Ok(Value::Nil),
        (other, [first, ..]) => Err(format!("the key {first} of {other:?}")),
    }
}

fn store(record: &mut Record, target: &Expression, value: Value) -> Result<(), String> {
    let Expression::Path(names, keys) = target else { return Err("no path".to_owned()) };
    match (names.join(".").as_str(), &keys[..], value) {
        ("log.body", [], value) => record.body = Some(value),
        ("log.body", keys, value) => {
            let mut place = record.body.as_mut().ok_or("no body")?;
            for key in keys {
                let Value::Map(members) = place else { return Err(format!("the key {key} of {place:?}")) };
                place = members.entry(key.clone()).or_insert(Value::Nil);
            }
            *place = value;
        }
        ("log.attributes", [key], value) => {
            record.attributes.insert(key.clone(), value);
        }
        ("log.severity_number", [], Value::Int(number)) => record.severity_number = number,
        ("log.severity_text", [], Value::Text(text)) => record.severity_text = text,
        ("log.time", [], Value::Time(time)) | ("log.time_unix_nano", [], Value::Int(time)) => {
            record.time_ns = time;
        }
        (path, keys, value) => return Err(format!("{value:?} at {path}{keys:?}")),
    }
    Ok(())
}
