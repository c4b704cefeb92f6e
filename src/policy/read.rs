//! Reads a policy: kAudit's list of rules, with all mistakes and their positions.
//!
//! The list is the value of the key `audit-policy` of kAudit's ConfigMap (`kaudit-policy-<cluster>`), a document of its
//! own, or a section of the filter's document.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use saphyr_parser::ScalarStyle;

use super::lint;
use super::located::{LocatedCondition, LocatedRule};
use super::model::{
    CombineOp, Condition, Enforcement, MAX_CONDITIONS, MAX_DEPTH, MAX_FIELDS, MAX_RULES, MAX_VALUES, Operand,
    Policy, Rule, Test,
};
use super::resources::{OPERATORS, field_name_help, operator_help};
use super::sources;
use crate::audit::net::{Network, NetworkError};
use crate::audit::{FieldRef, SourceKind};
use crate::config::reading::load;
use crate::config::reading::{
    MERGE, Node, Origin, PatternBudget, Problems, Scalar, SourceSpan, YamlMember, YamlValue, check_pattern,
    describe_node, nearest, parse_data_value, parse_yaml, quote,
};
use crate::config::{FileLoader, Severity};
use crate::error::{Code, Diagnostic, Level};

/// The key of kAudit's ConfigMap.
pub(crate) const POLICY_KEY: &str = "audit-policy";
/// The maximum size of a value.
const MAX_VALUE_BYTES: usize = 16 * 1024;
/// The maximum size of the documentation and of names, in characters.
const MAX_TEXT: usize = 4096;
const MAX_NAME: usize = 256;
const MAX_TAGS: usize = 16;
/// The maximum number of errors that have suggestions, each of which compares many names.
const MAX_SUGGESTIONS: usize = 100;

const RULE_KEYS: &[&str] = &[
    "id",
    "name",
    "documentation",
    "description",
    "namespace",
    "status",
    "combine-op",
    "conditions",
    "enforcement",
    "severity",
    "tags",
];
const CONDITION_KEYS: &[&str] = &["field", "match-op", "match-value", "match-file", "ref-id", "not-ref-id"];
const ENFORCEMENT_KEYS: &[&str] = &["time-limit", "count-limit"];
/// The result of [`read`] and [`check`].
#[derive(Clone, Debug)]
pub struct PolicyResult {
    /// The policy; present exactly if there is no error.
    pub policy: Option<Policy>,
    /// Errors, warnings and advice, sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a policy: kAudit's ConfigMap, or the list of rules alone.
///
/// `name` is the file's name, for messages. `files` loads the lists that `match-file` names.
pub fn read(name: &str, text: &str, files: &dyn FileLoader) -> PolicyResult {
    let mut result = check(name, text, files, &[]);
    result.diagnostics.retain(|diagnostic| diagnostic.level() > Level::Advice);
    result
}

/// Reads a policy as [`read`] does, and includes advice and the rules that no event of these sources satisfies.
pub fn check(name: &str, text: &str, files: &dyn FileLoader, sources: &[SourceKind]) -> PolicyResult {
    let (mut problems, mut budget) = (Problems::default(), PatternBudget::default());
    let file = problems.file(name);
    let mut reader = PolicyReader { problems: &mut problems, budget: &mut budget, files, sources };
    let policy = reader.document(file, text);
    let policy = policy.filter(|_| problems.errors() == 0);
    PolicyResult { policy, diagnostics: problems.finish() }
}

/// Reads policies into a list of problems.
pub(crate) struct PolicyReader<'r> {
    pub problems: &'r mut Problems,
    pub budget: &'r mut PatternBudget,
    pub files: &'r dyn FileLoader,
    /// The sources of events for which the rules are checked.
    pub sources: &'r [SourceKind],
}

/// A condition whose reference is not yet resolved.
enum ReadCondition {
    Ref { id: String, negated: bool },
    Test(Test),
}

impl PolicyReader<'_> {
    /// Reads the policy of a text: a manifest, or the list of rules.
    ///
    /// If there is an error, the result may be incomplete.
    pub fn document(&mut self, file: usize, text: &str) -> Option<Policy> {
        let begin = Origin::file(file).span(1, 0);
        let documents = parse_yaml(text, Origin::file(file), self.problems)?;
        let errors = self.problems.errors();
        let mut lists: Vec<(Node, String)> = Vec::new();
        for document in documents {
            let root = document.accept(self.problems);
            match &root.value {
                YamlValue::List(_) => lists.push((root, String::new())),
                YamlValue::Map(_) => self.collect_from_manifest(&root, &mut lists),
                YamlValue::Scalar(_) | YamlValue::Invalid => {}
            }
        }
        let mut lists = lists.into_iter();
        let Some((list, path)) = lists.next() else {
            if self.problems.errors() == errors {
                let message = format!("no list of rules, and no ConfigMap with the key `{POLICY_KEY}`");
                self.problems.add(Code::PolicyMissing, begin, "", message, "begin each rule with `- id:`");
            }
            return None;
        };
        if let Some((second, _)) = lists.next() {
            let message = format!("a second policy; the first begins on line {}", list.at.line);
            self.problems.add(Code::PolicyMissing, second.at, "", message, "give the filter one of them");
        }
        Some(self.rules(&list, &path))
    }

    /// Collects the lists of each ConfigMap of a manifest.
    fn collect_from_manifest(&mut self, node: &Node, lists: &mut Vec<(Node, String)>) {
        if let Some(YamlValue::List(items)) = node.get("items").map(|items| &items.node.value) {
            for item in items {
                self.collect_from_manifest(item, lists);
            }
        }
        let member = node.get("data").and_then(|data| data.node.get(POLICY_KEY));
        let Some(member) = member else {
            if let Some(member) = node.get(POLICY_KEY) {
                let message = format!("`{POLICY_KEY}` belongs under `data`");
                self.problems.add(Code::NotUnderData, member.at, "", message, "indent it");
            }
            return;
        };
        let path = format!("data.{POLICY_KEY}");
        if member.node.is_null() || scalar(&member.node).is_some_and(|scalar| scalar.text.trim().is_empty()) {
            self.problems.add(
                Code::DataEmpty,
                member.at,
                &path,
                "the key is empty",
                "expected a list of rules",
            );
            return;
        }
        lists.extend(parse_data_value(self.problems, member).map(|node| (node, path)));
    }

    /// Reads a list of rules; `path` is the path of the list, such as `policy`.
    ///
    /// If there is an error, the result may be incomplete.
    pub fn rules(&mut self, list: &Node, path: &str) -> Policy {
        let items: &[Node] = match &list.value {
            YamlValue::List(items) => items,
            YamlValue::Invalid => return Policy::default(),
            _ => {
                let message = format!("expected a list of rules, found {}", describe_node(list));
                self.problems.add(Code::Shape, list.at, path, message, "begin each rule with `- id:`");
                return Policy::default();
            }
        };
        if items.is_empty() {
            self.problems.add(Code::PolicyMissing, list.at, path, "the policy has no rules", "");
        }
        if items.len() > MAX_RULES {
            let message = format!("a policy of {} rules", items.len());
            self.problems.add(Code::PolicyTooLarge, list.at, path, message, format!("at most {MAX_RULES}"));
            return Policy::default();
        }
        let (mut rules, mut located, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            if let Some((rule, of_rule, location)) = self.rule(item, format!("{path}[{index}]")) {
                rules.push(rule);
                located.push(location);
                conditions.push(of_rule);
            }
        }
        self.report_duplicates(&rules, &located);
        let mut policy = Policy { rules };
        self.resolve(&mut policy, conditions, &mut located);
        self.report_cycles(&policy, &located);
        self.report_sizes(&policy, list.at, path);
        lint::policy(self.problems, &policy, &located, list.at, path);
        sources::check(self.problems, &policy, &located, self.sources);
        policy
    }

    fn rule(&mut self, node: &Node, path: String) -> Option<(Rule, Vec<ReadCondition>, LocatedRule)> {
        let members = self.map(node, &path, RULE_KEYS)?;
        let at = member_at(members, node.at);
        let id = self.required(node, &path, "id").map(|member| &member.node);
        let id_text = id.and_then(|id| self.id(id, &format!("{path}.id")));
        let name = self.required(node, &path, "name").map(|member| &member.node);
        let name_text = name.and_then(|name| self.text(name, &format!("{path}.name"), MAX_NAME));
        let mut documentation = |key: &str| {
            let member = node.get(key).filter(|member| !member.node.is_null())?;
            self.text(&member.node, &format!("{path}.{key}"), MAX_TEXT)
        };
        let texts = [documentation("documentation"), documentation("description")];
        let rule = Rule {
            id: id_text.unwrap_or_default(),
            name: name_text.unwrap_or_default(),
            documentation: texts.into_iter().flatten().next().unwrap_or_default(),
            group: self.group(node, &path),
            status: self.status(node, &path),
            combine_op: self.combine_op(node, &path),
            conditions: Vec::new(),
            enforcement: self.enforcement(node, &path),
            severity: self.severity(node, &path),
            tags: self.tags(node, &path),
            line: at.line,
        };
        let (id, name) = (id.map_or(at, |id| id.at), name.map_or(at, |name| name.at));
        let (conditions, located, incomplete) = self.conditions(node, at, &path);
        Some((rule, conditions, LocatedRule { path, id, name, conditions: located, incomplete }))
    }

    /// Returns the members of a map; reports unknown keys, or another node.
    fn map<'n>(&mut self, node: &'n Node, path: &str, keys: &[&str]) -> Option<&'n [YamlMember]> {
        let members = match &node.value {
            YamlValue::Map(members) => members,
            YamlValue::Invalid => return None,
            _ => {
                let message = format!("expected a map, found {}", describe_node(node));
                self.problems.add(Code::Shape, node.at, path, message, "");
                return None;
            }
        };
        for member in members {
            let key = member.key.as_str();
            if keys.contains(&key) || key == MERGE {
                continue;
            }
            let lower = key.to_ascii_lowercase().replace('_', "-");
            let help = match self.suggestion(|| nearest(&lower, keys.iter().copied())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys: {}", keys.join(", ")),
            };
            self.problems.add(Code::UnknownKey, member.at, path, format!("unknown key {}", quote(key)), help);
        }
        Some(members)
    }

    /// Returns a member; reports that it is missing.
    fn required<'n>(&mut self, node: &'n Node, path: &str, key: &str) -> Option<&'n YamlMember> {
        let member = node.get(key);
        if member.is_none() && node.get(MERGE).is_none() {
            self.problems.add(Code::Missing, node.at, path, format!("`{key}` is missing"), "");
        }
        member
    }

    /// Returns a similar name, unless too many errors have one.
    fn suggestion<'n>(&self, near: impl FnOnce() -> Option<&'n str>) -> Option<&'n str> {
        (self.problems.errors() < MAX_SUGGESTIONS).then(near).flatten()
    }

    fn report_value(&mut self, node: &Node, path: &str, expected: &str) {
        if matches!(node.value, YamlValue::Invalid) {
            return;
        }
        let found = match &node.value {
            YamlValue::Scalar(scalar) if scalar.text.is_empty() && !node.is_null() => {
                "an empty text".to_owned()
            }
            YamlValue::Scalar(scalar) if !node.is_null() => quote(&scalar.text),
            _ => describe_node(node).to_owned(),
        };
        self.problems.add(Code::Value, node.at, path, format!("expected {expected}, found {found}"), "");
    }

    /// Reads a text that is not empty.
    fn text(&mut self, node: &Node, path: &str, max: usize) -> Option<String> {
        let text = scalar(node).filter(|_| !node.is_null()).map(|scalar| scalar.text.trim());
        let text = text.filter(|text| !text.is_empty() && text.chars().nth(max).is_none());
        if text.is_none() {
            self.report_value(node, path, &format!("a text of 1 to {max} characters"));
        }
        text.map(str::to_owned)
    }

    /// Reads an id: a number, or a text as in old policies.
    fn id(&mut self, node: &Node, path: &str) -> Option<String> {
        lint::yaml_scalar(self.problems, node, path);
        let id = self.text(node, path, MAX_NAME)?;
        let is_number = id.parse::<f64>().is_ok_and(f64::is_finite);
        if is_number && !id.bytes().all(|byte| byte.is_ascii_digit()) || id == "0" {
            self.report_value(node, path, "a positive integer, or a text");
            return None;
        }
        if id.starts_with("system/") {
            let help = "choose another first part";
            self.problems.add(Code::ReservedGroup, node.at, path, "ids of `system/` are reserved", help);
        }
        Some(id)
    }

    fn group(&mut self, rule: &Node, path: &str) -> String {
        let Some(member) = rule.get("namespace").filter(|member| !member.node.is_null()) else {
            return String::new();
        };
        let path = format!("{path}.namespace");
        let group = self.text(&member.node, &path, MAX_NAME).unwrap_or_default();
        if group == "system" {
            let message = "the group `system` is reserved";
            self.problems.add(Code::ReservedGroup, member.node.at, &path, message, "choose another name");
        }
        group
    }

    fn status(&mut self, rule: &Node, path: &str) -> bool {
        let Some(member) = rule.get("status").filter(|member| !member.node.is_null()) else { return true };
        let status = scalar(&member.node).and_then(|scalar| boolean(&scalar.text));
        if status.is_none() {
            self.report_value(&member.node, &format!("{path}.status"), "true or false");
        }
        status.unwrap_or(true)
    }

    fn combine_op(&mut self, rule: &Node, path: &str) -> CombineOp {
        let Some(member) = rule.get("combine-op").filter(|member| !member.node.is_null()) else {
            return CombineOp::And;
        };
        let path = format!("{path}.combine-op");
        let written = scalar(&member.node).map_or("", |scalar| scalar.text.as_str());
        let lower = written.to_ascii_lowercase();
        let op = match lower.as_str() {
            "and" => CombineOp::And,
            "or" => CombineOp::Or,
            _ => {
                self.report_value(&member.node, &path, "`and` or `or`");
                return CombineOp::And;
            }
        };
        if written != lower {
            let message = format!("{} is in upper case", quote(written));
            self.problems.add(
                Code::CombineOpCase,
                member.node.at,
                &path,
                message,
                format!("write `{lower}`"),
            );
        }
        op
    }

    fn enforcement(&mut self, rule: &Node, path: &str) -> Option<Enforcement> {
        let member = rule.get("enforcement").filter(|member| !member.node.is_null())?;
        let path = format!("{path}.enforcement");
        self.map(&member.node, &path, ENFORCEMENT_KEYS)?;
        let mut limit = |key: &str| {
            let member = member.node.get(key)?;
            let limit = scalar(&member.node).and_then(|scalar| scalar.text.trim().parse().ok());
            if limit.is_none() {
                self.report_value(&member.node, &format!("{path}.{key}"), "a whole number");
            }
            limit
        };
        let enforcement =
            Enforcement { time_limit_ms: limit("time-limit"), count_limit: limit("count-limit") };
        let message = "the filter reports the rule's matches, and refuses no request";
        self.problems.add(Code::NotEnforced, member.at, &path, message, "use an admission policy for that");
        Some(enforcement)
    }

    fn severity(&mut self, rule: &Node, path: &str) -> Option<Severity> {
        let member = rule.get("severity")?;
        let word = scalar(&member.node).map(|scalar| scalar.text.trim().to_ascii_lowercase());
        // Not the numbers that rows of `severity` may have, too.
        let name = word.filter(|word| Severity::NAMES.contains(&word.as_str()));
        let severity = name.and_then(|name| Severity::of(&name));
        if severity.is_none() {
            let expected = "debug, verbose, info, warn, error or critical";
            self.report_value(&member.node, &format!("{path}.severity"), expected);
        }
        severity
    }

    fn tags(&mut self, rule: &Node, path: &str) -> Vec<String> {
        let Some(member) = rule.get("tags").filter(|member| !member.node.is_null()) else {
            return Vec::new();
        };
        let path = format!("{path}.tags");
        let nodes = match &member.node.value {
            YamlValue::List(items) if items.len() <= MAX_TAGS => items.as_slice(),
            YamlValue::Scalar(_) => core::slice::from_ref(&member.node),
            _ => {
                self.report_value(&member.node, &path, &format!("a list of at most {MAX_TAGS} tags"));
                &[]
            }
        };
        nodes.iter().filter_map(|node| self.text(node, &path, MAX_NAME)).collect()
    }

    /// Reads the conditions of a rule; the last value is whether one of them has an error.
    fn conditions(
        &mut self,
        rule: &Node,
        at: SourceSpan,
        path: &str,
    ) -> (Vec<ReadCondition>, Vec<LocatedCondition>, bool) {
        let path = format!("{path}.conditions");
        let (mut conditions, mut located) = (Vec::new(), Vec::new());
        let items: &[Node] = match rule.get("conditions") {
            None if rule.get(MERGE).is_some() => return (conditions, located, true),
            None => &[],
            Some(member) => match &member.node.value {
                YamlValue::List(items) => items,
                YamlValue::Invalid => return (conditions, located, true),
                _ if member.node.is_null() => &[],
                _ => {
                    let message =
                        format!("expected a list of conditions, found {}", describe_node(&member.node));
                    self.problems.add(Code::Shape, member.node.at, &path, message, "begin each with `- `");
                    return (conditions, located, true);
                }
            },
        };
        let at = rule.get("conditions").map_or(at, |member| member.at);
        if items.is_empty() {
            let help = "give it a condition, or remove it";
            self.problems.add(
                Code::NoConditions,
                at,
                &path,
                "a rule without conditions matches every event",
                help,
            );
        }
        if items.len() > MAX_CONDITIONS {
            let message = format!("a rule of {} conditions", items.len());
            let help = format!("at most {MAX_CONDITIONS}; use `in` for lists of values");
            self.problems.add(Code::PolicyTooLarge, at, &path, message, help);
            return (conditions, located, true);
        }
        for (index, item) in items.iter().enumerate() {
            if let Some((condition, location)) = self.condition(item, format!("{path}[{index}]")) {
                conditions.push(condition);
                located.push(location);
            }
        }
        let incomplete = conditions.len() < items.len();
        (conditions, located, incomplete)
    }

    fn condition(&mut self, node: &Node, path: String) -> Option<(ReadCondition, LocatedCondition)> {
        let members = self.map(node, &path, CONDITION_KEYS)?;
        let at = member_at(members, node.at);
        let references = [("ref-id", false), ("not-ref-id", true)];
        let mut references =
            references.into_iter().filter_map(|(key, negated)| Some((node.get(key)?, negated)));
        let reference = references.next();
        let test = ["field", "match-op", "match-value", "match-file"].iter().find_map(|key| node.get(key));
        match (reference, references.next(), test) {
            (Some((member, negated)), None, None) => {
                let id_path = format!("{path}.{}", member.key);
                lint::yaml_scalar(self.problems, &member.node, &id_path);
                let id = self.text(&member.node, &id_path, MAX_NAME)?;
                let location = LocatedCondition { path, value: member.node.at, values: Vec::new() };
                Some((ReadCondition::Ref { id, negated }, location))
            }
            (None, _, Some(_)) => self.test(node, path),
            (None, _, None) => {
                let message = "the condition has neither a field nor a reference";
                let help = "write `{field: …, match-op: …, match-value: …}` or `{ref-id: …}`";
                self.problems.add(Code::ConditionForm, at, &path, message, help);
                None
            }
            (Some(_), Some((second, _)), _) => {
                let message = "the condition has two references";
                self.problems.add(
                    Code::ConditionForm,
                    second.at,
                    &path,
                    message,
                    "make two conditions of it",
                );
                None
            }
            (Some(_), None, Some(test)) => {
                let message = "the condition has a reference and a field";
                self.problems.add(Code::ConditionForm, test.at, &path, message, "make two conditions of it");
                None
            }
        }
    }

    fn test(&mut self, node: &Node, path: String) -> Option<(ReadCondition, LocatedCondition)> {
        let field = self.required(node, &path, "field").and_then(|member| self.field(member, &path));
        let operator = self.required(node, &path, "match-op").and_then(|member| self.operator(member, &path));
        let value = self.operand(node, &path, operator);
        let (field, operator) = (field?, operator?);
        let (operand, location) = value?;
        if matches!(operand, Operand::Networks(_)) {
            self.check_address_field(node, &field, &path);
        }
        let test = Test { field, negated: operator.starts_with(['!', 'n']), operand };
        Some((ReadCondition::Test(test), LocatedCondition { path, ..location }))
    }

    fn field(&mut self, member: &YamlMember, path: &str) -> Option<FieldRef> {
        let path = format!("{path}.field");
        let name = self.text(&member.node, &path, MAX_NAME)?;
        let field = FieldRef::of(&name);
        let product = |product: &str| product.bytes().any(|byte| byte.is_ascii_uppercase());
        let help = match &field {
            Some(FieldRef::UserAgentProduct(name)) if product(name) => {
                format!("products are in lower case: write `ua-{}`", name.to_ascii_lowercase())
            }
            Some(_) => return field,
            None => self.suggestion(|| field_name_help(&name)).map_or_else(
                || "the names are kAudit's, such as `verb` and `resource-type`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
        };
        let message = format!("no field has the name {}", quote(&name));
        self.problems.add(Code::UnknownField, member.node.at, &path, message, help);
        None
    }

    fn operator(&mut self, member: &YamlMember, path: &str) -> Option<&'static str> {
        let path = format!("{path}.match-op");
        let Some(scalar) = scalar(&member.node) else {
            self.report_value(&member.node, &path, "an operator");
            return None;
        };
        // A `~` without quotes is YAML's null, and only the operator can be meant.
        if let Some(known) = OPERATORS.iter().find(|known| **known == scalar.text) {
            return Some(known);
        }
        if scalar.text.is_empty() {
            let message = "the operator is missing";
            let help = format!("the operators are {}, in quotes", OPERATORS.join(", "));
            self.problems.add(Code::UnknownOperator, member.node.at, &path, message, help);
            return None;
        }
        let message = format!("no operator is called {}", quote(&scalar.text));
        let help = match operator_help(&scalar.text) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the operators are {}", OPERATORS.join(", ")),
        };
        self.problems.add(Code::UnknownOperator, member.node.at, &path, message, help);
        None
    }

    /// Reads the value of a test; without a valid operator only its form is checked.
    fn operand(
        &mut self,
        node: &Node,
        path: &str,
        operator: Option<&'static str>,
    ) -> Option<(Operand, LocatedCondition)> {
        let (value, file) = (node.get("match-value"), node.get("match-file"));
        if value.is_none() && file.is_none() {
            self.required(node, path, "match-value");
            return None;
        }
        let operator = operator?;
        let takes_list = matches!(operator, "in" | "not-in" | "cidr" | "not-cidr");
        match (value, file) {
            (Some(_), Some(file)) => {
                let message = "`match-value` is given too";
                let help = "give one of `match-value` and `match-file`";
                self.problems.add(Code::MatchValue, file.at, path, message, help);
                None
            }
            (None, Some(file)) if !takes_list => {
                let message = format!("`{operator}` takes no file");
                self.problems.add(Code::MatchValue, file.at, path, message, "use `in` or `cidr`");
                None
            }
            (Some(value), None) if !takes_list => self.one_value(value, path, operator),
            (Some(value), None) => self.list_of_values(value, path, operator),
            (None, Some(file)) => self.file_of_values(file, path, operator),
            (None, None) => None,
        }
    }

    fn one_value(
        &mut self,
        member: &YamlMember,
        path: &str,
        operator: &str,
    ) -> Option<(Operand, LocatedCondition)> {
        let path = format!("{path}.match-value");
        if let YamlValue::List(_) = &member.node.value {
            let message = format!("`{operator}` takes one value, and this is a list");
            let help = if operator.starts_with('!') { "use `not-in`" } else { "use `in`" };
            self.problems.add(Code::MatchValue, member.node.at, &path, message, help);
            return None;
        }
        let text = self.value_text(&member.node, &path)?;
        let operand = if operator.ends_with('~') {
            check_pattern(self.problems, self.budget, &member.node, &path, operator == "!~");
            Operand::Pattern(text)
        } else {
            lint::yaml_scalar(self.problems, &member.node, &path);
            Operand::Equal(text)
        };
        Some((operand, LocatedCondition { path: String::new(), value: member.node.at, values: Vec::new() }))
    }

    fn list_of_values(
        &mut self,
        member: &YamlMember,
        path: &str,
        operator: &str,
    ) -> Option<(Operand, LocatedCondition)> {
        let path = format!("{path}.match-value");
        let nodes = match &member.node.value {
            YamlValue::List(items) => items.as_slice(),
            _ => core::slice::from_ref(&member.node),
        };
        if nodes.is_empty() {
            let message = "the list is empty";
            self.problems.add(Code::MatchValue, member.node.at, &path, message, "give it a value");
            return None;
        }
        let mut values = Vec::new();
        for node in nodes {
            lint::yaml_scalar(self.problems, node, &path);
            values.push((self.value_text(node, &path)?, node.at));
        }
        self.operand_of_values(values, member.node.at, &path, operator)
    }

    fn file_of_values(
        &mut self,
        member: &YamlMember,
        path: &str,
        operator: &str,
    ) -> Option<(Operand, LocatedCondition)> {
        let path = format!("{path}.match-file");
        let name = self.text(&member.node, &path, MAX_NAME)?;
        let position = (member.node.at, path.as_str());
        let text = load(self.problems, self.files, &name, Code::ValuesUnreadable, position)?;
        let file = self.problems.file(&self.files.name(&name));
        let mut values = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let value = line.trim();
            if value.is_empty() || value.starts_with('#') {
                continue;
            }
            let column = line.chars().take_while(|c| c.is_whitespace()).count();
            let at = SourceSpan { width: value.chars().count(), ..Origin::file(file).span(number, column) };
            values.push((value.to_owned(), at));
            if values.len() > MAX_VALUES {
                let message = format!("the file has more than {MAX_VALUES} values");
                self.problems.add(Code::PolicyTooLarge, member.node.at, &path, message, "");
                return None;
            }
        }
        if values.is_empty() {
            let help = "write one value on each line";
            self.problems.add(Code::MatchValue, member.node.at, &path, "the file has no values", help);
            return None;
        }
        self.operand_of_values(values, member.node.at, &path, operator)
    }

    fn operand_of_values(
        &mut self,
        values: Vec<(String, SourceSpan)>,
        at: SourceSpan,
        path: &str,
        operator: &str,
    ) -> Option<(Operand, LocatedCondition)> {
        let (texts, spans): (Vec<String>, Vec<SourceSpan>) = values.into_iter().unzip();
        let location = LocatedCondition { path: String::new(), value: at, values: spans };
        if operator.ends_with("in") {
            return Some((Operand::In(texts), location));
        }
        let mut networks = Vec::new();
        for (text, at) in texts.iter().zip(&location.values) {
            let help = match Network::parse(text) {
                Ok(network) => {
                    networks.push(network);
                    continue;
                }
                Err(NetworkError::HostBits(network)) => {
                    format!("write `{network}`, the network of that address, or the address alone")
                }
                Err(_) => "write an address, or a network such as `10.0.0.0/8`".to_owned(),
            };
            let message = format!("{} is no network", quote(text));
            self.problems.add(Code::MatchValue, *at, path, message, help);
        }
        (networks.len() == texts.len()).then_some((Operand::Networks(networks), location))
    }

    /// Reads a value as text; an empty value is an empty text.
    fn value_text(&mut self, node: &Node, path: &str) -> Option<String> {
        match &node.value {
            YamlValue::Scalar(_) if node.is_null() => Some(String::new()),
            YamlValue::Scalar(scalar) if scalar.text.len() > MAX_VALUE_BYTES => {
                let message = format!("a value of {} bytes", scalar.text.len());
                self.problems.add(
                    Code::TooLarge,
                    node.at,
                    path,
                    message,
                    format!("at most {MAX_VALUE_BYTES}"),
                );
                None
            }
            // YAML's booleans are compared in lower case, as kAudit does.
            YamlValue::Scalar(scalar) => Some(match scalar.text.as_str() {
                "True" | "TRUE" if scalar.style == ScalarStyle::Plain => "true".to_owned(),
                "False" | "FALSE" if scalar.style == ScalarStyle::Plain => "false".to_owned(),
                text => text.to_owned(),
            }),
            YamlValue::Invalid => None,
            _ => {
                let message = format!("expected a value, found {}", describe_node(node));
                self.problems.add(Code::MatchValue, node.at, path, message, "");
                None
            }
        }
    }

    fn check_address_field(&mut self, node: &Node, field: &FieldRef, path: &str) {
        let has_addresses = match field {
            FieldRef::Known(field) => *field == crate::audit::EventField::CallerIp,
            FieldRef::UserExtra(_) => true,
            FieldRef::UserAgentProduct(_) => false,
        };
        if let Some(member) = node.get("match-op").filter(|_| !has_addresses) {
            let message = format!("`{field}` has no addresses");
            self.problems.add(
                Code::MatchValue,
                member.node.at,
                path,
                message,
                "`caller-ip` has the caller's",
            );
        }
    }

    fn report_duplicates(&mut self, rules: &[Rule], located: &[LocatedRule]) {
        let mut seen: BTreeMap<(bool, &str), usize> = BTreeMap::new();
        for (rule, location) in rules.iter().zip(located) {
            for (is_id, text, at) in [(true, &rule.id, location.id), (false, &rule.name, location.name)] {
                if text.is_empty() {
                    continue;
                }
                if let Some(line) = seen.get(&(is_id, text.as_str())) {
                    let key = if is_id { "id" } else { "name" };
                    let message = format!("another rule has the {key} {}, on line {line}", quote(text));
                    let path = format!("{}.{key}", location.path);
                    self.problems.add(Code::DuplicateRule, at, &path, message, "change one of the two");
                } else {
                    seen.insert((is_id, text), at.line);
                }
            }
        }
    }

    /// Adds the conditions to the rules, with the indices of references.
    fn resolve(
        &mut self,
        policy: &mut Policy,
        conditions: Vec<Vec<ReadCondition>>,
        located: &mut [LocatedRule],
    ) {
        let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
        for (index, rule) in policy.rules.iter().enumerate() {
            by_id.entry(rule.id.clone()).or_insert(index);
        }
        by_id.remove("");
        for ((rule, conditions), location) in policy.rules.iter_mut().zip(conditions).zip(located) {
            for (condition, at) in conditions.into_iter().zip(core::mem::take(&mut location.conditions)) {
                let condition = match condition {
                    ReadCondition::Test(test) => Some(Condition::Test(test)),
                    ReadCondition::Ref { id, negated } => {
                        let target = by_id.get(&id).copied();
                        if target.is_none() {
                            let message = format!("no rule has the id {}", quote(&id));
                            let near = self.suggestion(|| nearest(&id, by_id.keys().map(String::as_str)));
                            let help =
                                near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
                            self.problems.add(Code::DanglingReference, at.value, &at.path, message, help);
                        }
                        target.map(|rule| Condition::Ref { rule, negated })
                    }
                };
                location.incomplete |= condition.is_none();
                if let Some(condition) = condition {
                    rule.conditions.push(condition);
                    location.conditions.push(at);
                }
            }
        }
    }

    /// Reports each cycle once, at the reference that closes it.
    fn report_cycles(&mut self, policy: &Policy, located: &[LocatedRule]) {
        let order: BTreeSet<usize> = policy.in_reference_order().into_iter().collect();
        let mut visited = order.clone();
        for start in 0..policy.rules.len() {
            let mut path: Vec<usize> = Vec::new();
            let mut next = Some(start);
            while let Some(index) = next.filter(|index| visited.insert(*index)) {
                path.push(index);
                // A rule that is not in the order refers to another one.
                next = policy
                    .rules
                    .get(index)
                    .and_then(|rule| rule.references().find(|target| !order.contains(target)));
            }
            let (Some(last), Some(first)) = (path.last(), next) else { continue };
            let Some(begin) = path.iter().position(|index| *index == first) else { continue };
            let ids: Vec<String> = path
                .iter()
                .skip(begin)
                .filter_map(|index| policy.rules.get(*index))
                .map(|rule| quote(&rule.id))
                .collect();
            let message = if ids.len() > 1 {
                format!("rules refer to each other in a cycle: {}", ids.join(", "))
            } else {
                "the rule refers to itself".to_owned()
            };
            let closing = policy.rules.get(*last).zip(located.get(*last)).and_then(|(rule, location)| {
                let refers = |condition: &Condition| matches!(condition, Condition::Ref { rule, .. } if *rule == first);
                rule.conditions.iter().zip(&location.conditions).find(|(condition, _)| refers(condition))
            });
            if let Some((_, at)) = closing {
                let help = "remove one of the references";
                self.problems.add(Code::ReferenceCycle, at.value, &at.path, message, help);
            }
        }
    }

    fn report_sizes(&mut self, policy: &Policy, at: SourceSpan, path: &str) {
        let fields: BTreeSet<&FieldRef> = policy
            .rules
            .iter()
            .flat_map(|rule| &rule.conditions)
            .filter_map(|condition| match condition {
                Condition::Test(test) => Some(&test.field),
                Condition::Ref { .. } => None,
            })
            .collect();
        let depth = policy.depths(&policy.in_reference_order()).into_iter().max().unwrap_or(0);
        for (found, limit, what) in [
            (fields.len(), MAX_FIELDS, "different fields"),
            (policy.values(), MAX_VALUES, "values"),
            (depth, MAX_DEPTH, "rules that refer to each other in a row"),
        ] {
            if found > limit {
                let message = format!("a policy of {found} {what}");
                self.problems.add(Code::PolicyTooLarge, at, path, message, format!("at most {limit}"));
            }
        }
    }
}

/// Returns the position of a map: the position of its first key.
fn member_at(members: &[YamlMember], at: SourceSpan) -> SourceSpan {
    members.first().map_or(at, |member| member.at)
}

fn scalar(node: &Node) -> Option<&Scalar> {
    match &node.value {
        YamlValue::Scalar(scalar) => Some(scalar),
        _ => None,
    }
}

/// Parses a boolean in the forms of YAML 1.1, as kAudit does.
fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
