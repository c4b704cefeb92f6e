//! Finds valid rules that are probably mistakes.
//!
//! Only mistakes that follow from the rule itself are reported: values that no event has, conditions that exclude each
//! other or have no effect, and requests that a rule probably should cover and does not.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use saphyr_parser::ScalarStyle;

use super::located::{LocatedCondition, LocatedRule};
use super::model::{CombineOp, Condition, Operand, Policy, Rule, Test, Truth};
use super::resources::{closed_values, is_resource_type, resource_type_help, verb_help};
use crate::audit::{EventField, FieldRef};
use crate::config::reading::{Node, Problems, Scalar, SourceSpan, YamlValue, occurs_in_every_text, quote};
use crate::error::Code;
use crate::pattern;

/// The maximum number of values of a list that are checked, alone or with other conditions.
const MAX_WORDS: usize = 256;
/// The subresources that begin a session, by `create` or, since Kubernetes 1.30, by `get`.
const SESSIONS: [&str; 3] = ["exec", "attach", "portforward"];

/// Reports a plain scalar that kAudit's YAML 1.1 reads as another text.
pub(super) fn yaml_scalar(problems: &mut Problems, node: &Node, path: &str) {
    let YamlValue::Scalar(Scalar { text, style: ScalarStyle::Plain, .. }) = &node.value else { return };
    let word = match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" => "true",
        "no" | "off" | "n" => "false",
        _ => "",
    };
    if !word.is_empty() {
        let message = format!("kAudit reads {} as `{word}`, this filter as a text", quote(text));
        let help = format!("write `{word}`, or the text in quotes");
        problems.add(Code::YamlWord, node.at, path, message, help);
    } else if is_other_number(text) {
        let message = format!("kAudit reads {} as another number, this filter as a text", quote(text));
        problems.add(
            Code::YamlNumber,
            node.at,
            path,
            message,
            "write the number in full, or the text in quotes",
        );
    }
}

/// Whether YAML 1.1 reads a text as a number that has another decimal form.
fn is_other_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let only = |text: &str, extra: &str| text.chars().all(|c| c.is_ascii_digit() || extra.contains(c));
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && only(digits, "_");
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0b")).is_some_and(|digits| {
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit() || c == '_')
    });
    let signed = text.starts_with('+') && only(digits, "_");
    let underscores = digits.contains('_') && only(digits, "_");
    let sexagesimal = digits.contains(':')
        && only(digits, ":_")
        && digits
            .split(':')
            .skip(1)
            .all(|part| part.parse::<u8>().is_ok_and(|part| part < 60) && part.len() <= 2);
    let fraction = digits.split_once('.').is_some_and(|(whole, fraction)| {
        only(whole, "")
            && only(fraction, "")
            && (fraction.is_empty() || fraction.len() > 1 && fraction.ends_with('0'))
    });
    leading_zero || hexadecimal || signed || underscores || sexagesimal || fraction
}

/// Reports the probable mistakes of all rules, and of the policy.
pub(super) fn policy(
    problems: &mut Problems,
    policy: &Policy,
    located: &[LocatedRule],
    at: SourceSpan,
    path: &str,
) {
    for (rule, location) in policy.rules.iter().zip(located) {
        let mut linter = RuleLinter::new(problems, rule, location);
        linter.values();
        linter.together();
        linter.requests();
    }
    if !policy.rules.is_empty() && policy.rules.iter().all(|rule| !rule.status) {
        let message = "every rule has `status: false`, so the policy reports nothing";
        let help = "remove `status: false` from the rules whose matches you want";
        problems.add(Code::NothingReported, at, path, message, help);
    }
}

struct RuleLinter<'r> {
    problems: &'r mut Problems,
    rule: &'r Rule,
    location: &'r LocatedRule,
    tests: Vec<LintedTest<'r>>,
}

struct LintedTest<'r> {
    test: &'r Test,
    at: &'r LocatedCondition,
    pattern: Option<LintedPattern>,
    /// A probable mistake in it is already reported.
    reported: bool,
}

struct LintedPattern {
    regex: regex_automata::meta::Regex,
    matches_all: bool,
}

/// A value of a field, as far as a rule's tests distinguish them.
#[derive(Clone, Copy)]
enum Sample<'r> {
    Absent,
    Word(&'r str),
    /// A value that no test of the rule contains.
    Other,
}

impl<'r> LintedTest<'r> {
    fn new(test: &'r Test, at: &'r LocatedCondition) -> Self {
        let pattern = match &test.operand {
            Operand::Pattern(pattern) => pattern::set(&[pattern])
                .ok()
                .map(|regex| LintedPattern { regex, matches_all: occurs_in_every_text(pattern) }),
            Operand::Equal(_) | Operand::In(_) | Operand::Networks(_) => None,
        };
        Self { test, at, pattern, reported: false }
    }

    fn field(&self) -> &'r FieldRef {
        &self.test.field
    }

    fn is(&self, field: EventField) -> bool {
        self.test.field == FieldRef::Known(field)
    }

    /// Returns the words of `=`, `!=`, `in` and `not-in`.
    fn words(&self) -> &'r [String] {
        match &self.test.operand {
            Operand::Equal(word) => core::slice::from_ref(word),
            Operand::In(words) => words,
            Operand::Pattern(_) | Operand::Networks(_) => &[],
        }
    }

    /// Whether the test is `=` or `in`, with this word among others.
    fn accepts_word(&self, word: &str) -> bool {
        !self.test.negated && self.words().iter().any(|known| known == word)
    }

    /// Returns the position of a word.
    fn word_at(&self, index: usize) -> SourceSpan {
        self.at.values.get(index).copied().unwrap_or(self.at.value)
    }

    /// Returns the test's value for a sample; unknown if it depends on the value.
    fn value(&self, sample: Sample<'_>) -> Truth {
        let found = match (&self.test.operand, sample) {
            (Operand::Equal(_) | Operand::In(_), Sample::Absent) => {
                Some(self.words().iter().any(String::is_empty))
            }
            (Operand::Equal(_) | Operand::In(_), Sample::Word(word)) => {
                Some(self.words().iter().any(|known| known == word))
            }
            (Operand::Equal(_) | Operand::In(_), Sample::Other) | (_, Sample::Absent) => Some(false),
            (Operand::Pattern(_), Sample::Word(word)) => {
                self.pattern.as_ref().map(|pattern| pattern.regex.is_match(word))
            }
            (Operand::Pattern(_), Sample::Other) => {
                self.pattern.as_ref().filter(|pattern| pattern.matches_all).map(|_| true)
            }
            (Operand::Networks(_), Sample::Word(_) | Sample::Other) => None,
        };
        match found {
            None => Truth::Unknown,
            Some(found) if found != self.test.negated => Truth::True,
            Some(_) => Truth::False,
        }
    }
}

impl<'r> RuleLinter<'r> {
    fn new(problems: &'r mut Problems, rule: &'r Rule, location: &'r LocatedRule) -> Self {
        let tests = rule.conditions.iter().zip(&location.conditions);
        let tests = tests.filter_map(|(condition, at)| match condition {
            Condition::Test(test) => Some(LintedTest::new(test, at)),
            Condition::Ref { .. } => None,
        });
        Self { problems, rule, location, tests: tests.collect() }
    }

    /// Returns the effect of a condition that is never true, or always if it is negated.
    fn effect(&self, test: &Test) -> &'static str {
        match (self.rule.combine_op, test.negated) {
            (CombineOp::And, false) => "so the rule cannot match",
            (CombineOp::Or, false) => "so the condition is never true",
            (_, true) => "so the condition is always true",
        }
    }

    /// Reports values that their field never has.
    fn values(&mut self) {
        for index in 0..self.tests.len() {
            let Some(linted) = self.tests.get(index) else { continue };
            let (test, at) = (linted.test, linted.at);
            let words = linted.words();
            let effect = if words.len() > 1 { "so the value has no effect" } else { self.effect(test) };
            let mut reported = false;
            for (number, word) in words.iter().enumerate().take(MAX_WORDS) {
                let Some((code, what, help)) = wrong_value(&test.field, word, test.negated) else { continue };
                let message = format!("{what} {}, {effect}", quote(word));
                let at_word = linted.word_at(number);
                self.problems.add(code, at_word, &at.path, message, help);
                reported = true;
            }
            let path = &at.path;
            for (number, word) in words.iter().enumerate().take(MAX_WORDS) {
                if linted.is(EventField::ResourceName)
                    && !word.is_empty()
                    && !word.contains('/')
                    && !is_resource_type(word)
                {
                    let message =
                        "a resource name is a path: namespace, resource type and name, joined by `/`";
                    let help =
                        format!("write `resource-object-name`, which is the name alone, or `~ /{word}$`");
                    self.problems.add(Code::ResourcePath, linted.word_at(number), path, message, help);
                }
                if linted.is(EventField::StatusReason) && word == "Unauthorized" && !test.negated {
                    let message = "many events of a refused authentication have no reason";
                    let help = "write `status-code = 401`";
                    self.problems.add(Code::UnauthorizedReason, linted.word_at(number), path, message, help);
                }
            }
            if linted.pattern.as_ref().is_some_and(|pattern| pattern.matches_all) {
                let (message, help) = if test.negated {
                    (
                        "the pattern matches every value, so the condition is true only without a value",
                        "write `= ''`",
                    )
                } else {
                    (
                        "the pattern matches every value, so the condition is true with any value",
                        "write `!= ''`",
                    )
                };
                self.problems.add(Code::EveryPresentValue, at.value, path, message, help);
                reported = true;
            }
            let located =
                matches!(test.field, FieldRef::Known(EventField::CallerIpAsn | EventField::CallerIpCountry));
            if located && test.negated && !words.iter().any(String::is_empty) {
                let message =
                    format!("without GeoIP data `{}` is absent, so the condition is always true", test.field);
                let help = format!("add the condition `{} != ''`", test.field);
                self.problems.add(Code::RarelyFilled, at.value, path, message, help);
            }
            if reported && let Some(linted) = self.tests.get_mut(index) {
                linted.reported = true;
            }
        }
    }

    /// Reports conditions that exclude each other, or have no effect because of others.
    fn together(&mut self) {
        if self.location.incomplete {
            return;
        }
        for first in 0..self.tests.len() {
            let Some(field) = self.tests.get(first).map(LintedTest::field) else { continue };
            let known = self.tests.iter().take(first).any(|linted| linted.field() == field);
            let same: Vec<usize> = (first..self.tests.len())
                .filter(|index| self.tests.get(*index).is_some_and(|linted| linted.field() == field))
                .collect();
            let words = |index: &usize| self.tests.get(*index).map_or(0, |linted| linted.words().len());
            let too_many = same.iter().map(words).fold(0, usize::saturating_add) > MAX_WORDS;
            let any_reported =
                same.iter().any(|index| self.tests.get(*index).is_some_and(|one| one.reported));
            if known || any_reported || too_many {
                continue;
            }
            if field.is_list() {
                self.opposites(&same);
            } else if self.rule.combine_op == CombineOp::And {
                self.conjunction(&same);
            } else {
                self.disjunction(&same);
            }
        }
    }

    /// Returns the values that tests of one field distinguish.
    fn samples(&self, tests: &[usize]) -> Vec<Sample<'r>> {
        let linted = || tests.iter().filter_map(|index| self.tests.get(*index));
        let Some(field) = linted().next().map(LintedTest::field) else { return Vec::new() };
        if let Some((values, may_be_absent)) = closed_values(field) {
            let absent = may_be_absent.then_some(Sample::Absent);
            return values.iter().map(|value| Sample::Word(value)).chain(absent).collect();
        }
        let words = linted().flat_map(LintedTest::words).filter(|word| !word.is_empty());
        words.map(|word| Sample::Word(word)).chain([Sample::Absent, Sample::Other]).collect()
    }

    fn value(&self, index: usize, sample: Sample<'_>) -> Truth {
        self.tests.get(index).map_or(Truth::Unknown, |linted| linted.value(sample))
    }

    fn conjunction(&mut self, tests: &[usize]) {
        let samples = self.samples(tests);
        let possible = |tests: &[usize]| -> Vec<Sample<'r>> {
            let may =
                |sample: &&Sample<'_>| tests.iter().all(|test| self.value(*test, **sample) != Truth::False);
            samples.iter().filter(may).copied().collect()
        };
        if possible(tests).is_empty() {
            return self.report_contradiction(tests);
        }
        let mut rest = tests.to_vec();
        let mut redundant = Vec::new();
        for &test in tests.iter().rev() {
            let others: Vec<usize> = rest.iter().copied().filter(|other| *other != test).collect();
            if possible(&others).iter().all(|sample| self.value(test, *sample) == Truth::True) {
                redundant.push((test, others.is_empty()));
                rest = others;
            }
        }
        for (test, alone) in redundant {
            self.report_redundant(test, alone);
        }
    }

    fn disjunction(&mut self, tests: &[usize]) {
        let samples = self.samples(tests);
        let always = |sample: &Sample<'_>| tests.iter().any(|test| self.value(*test, *sample) == Truth::True);
        if samples.iter().all(always) {
            self.report_always(tests);
        }
        for (number, &test) in tests.iter().enumerate() {
            if samples.iter().all(|sample| self.value(test, *sample) == Truth::False) {
                self.report_contradiction(&[test]);
            }
            let same = |other: &usize| self.same_operand(*other, test) == Some(true);
            if tests.iter().take(number).any(same) {
                self.report_redundant(test, false);
            }
        }
    }

    /// Compares tests of a list, which may have several values at once: only equal and opposite tests are found.
    fn opposites(&mut self, tests: &[usize]) {
        for (number, &test) in tests.iter().enumerate() {
            let mut earlier = tests.iter().take(number).copied();
            let found = earlier.find_map(|other| Some((other, self.same_operand(other, test)?)));
            match (found, self.rule.combine_op) {
                (None, _) => {}
                (Some((_, true)), _) => self.report_redundant(test, false),
                (Some((other, false)), CombineOp::And) => self.report_contradiction(&[other, test]),
                (Some((other, false)), CombineOp::Or) => self.report_always(&[other, test]),
            }
        }
    }

    /// Returns whether two tests with one operand are equal or opposite.
    fn same_operand(&self, one: usize, other: usize) -> Option<bool> {
        let (one, other) = (self.tests.get(one)?.test, self.tests.get(other)?.test);
        (one.field == other.field && one.operand == other.operand).then_some(one.negated == other.negated)
    }

    fn report_contradiction(&mut self, tests: &[usize]) {
        let linted: Vec<&LintedTest<'_>> = tests.iter().filter_map(|index| self.tests.get(*index)).collect();
        let Some(last) = linted.last() else { return };
        let effect = self.effect(&Test { negated: false, ..last.test.clone() });
        if let [single] = linted.as_slice() {
            let message = format!("{} is never true, {effect}", quote(&single.test.to_string()));
            let help = values_help(single.field());
            self.problems.add(Code::ImpossibleValue, last.at.value, &last.at.path, message, help);
            return;
        }
        let written: Vec<String> =
            linted.iter().take(3).map(|linted| quote(&linted.test.to_string())).collect();
        let message = format!("{} exclude each other, {effect}", written.join(" and "));
        let accept = linted.iter().filter(|linted| !linted.test.negated).count();
        let help =
            if accept > 1 { "use `in` for one of several values, or `combine-op: or`" } else { "remove one" };
        self.problems.add(Code::Contradiction, last.at.value, &last.at.path, message, help);
    }

    fn report_redundant(&mut self, test: usize, alone: bool) {
        let Some(linted) = self.tests.get(test) else { return };
        let reason = if alone { "is true for every event" } else { "has no effect beside the others" };
        let message = format!("{} {reason}", quote(&linted.test.to_string()));
        let code = if alone { Code::AlwaysTrue } else { Code::RedundantCondition };
        self.problems.add(code, linted.at.value, &linted.at.path, message, "remove it");
    }

    fn report_always(&mut self, tests: &[usize]) {
        let linted: Vec<&LintedTest<'_>> = tests.iter().filter_map(|index| self.tests.get(*index)).collect();
        let Some(last) = linted.last() else { return };
        let written: Vec<String> =
            linted.iter().take(3).map(|linted| quote(&linted.test.to_string())).collect();
        let message = format!("{} is true for every event, so the rule always matches", written.join(" or "));
        let help = "use `combine-op: and`, or `not-in` for none of several values";
        self.problems.add(Code::AlwaysTrue, last.at.value, &last.at.path, message, help);
    }

    /// Reports rules that miss requests which they are probably meant for, or include others.
    fn requests(&mut self) {
        if self.rule.combine_op == CombineOp::Or || self.location.incomplete {
            return;
        }
        let of = |field: EventField| self.tests.iter().find(move |linted| linted.is(field));
        let Some(verb) = of(EventField::Verb) else { return };
        if !verb.accepts_word("create") {
            return;
        }
        let sessions = of(EventField::Subresource)
            .and_then(|linted| SESSIONS.into_iter().find(|session| linted.accepts_word(session)));
        if let Some(session) = sessions.filter(|_| !verb.accepts_word("get")) {
            let message = format!("since Kubernetes 1.30 most requests for `{session}` have the verb `get`");
            let help = "leave the verb out";
            self.problems.add(Code::CreateOnly, verb.at.value, &verb.at.path, message, help);
        }
        let references = self.rule.references().next().is_some();
        let pods = of(EventField::ResourceType).filter(|linted| linted.accepts_word("pods"));
        if let Some(pods) = pods
            && of(EventField::Subresource).is_none()
            && !references
        {
            let message = "`create` on `pods` is also the verb of `exec`, `attach`, `binding` and `eviction`";
            let help = "for the creation of pods alone add `subresource = ''`";
            self.problems.add(Code::SubresourceUnstated, pods.at.value, &pods.at.path, message, help);
        }
    }
}

/// Returns the code, the beginning of the message and the help for a value that the field never has.
fn wrong_value(field: &FieldRef, word: &str, negated: bool) -> Option<(Code, String, String)> {
    let FieldRef::Known(known) = field else { return None };
    match known {
        _ if word.is_empty() => None,
        EventField::ResourceType => {
            let help = resource_type_help(word)?;
            Some((Code::ResourceType, "no event has the resource type".to_owned(), help))
        }
        EventField::Verb => {
            let help = verb_help(word)?;
            Some((Code::UnknownVerb, "no event has the verb".to_owned(), help))
        }
        EventField::StatusCode => {
            let is_code = word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit());
            let help = || {
                let classes = if negated { "!~" } else { "~" };
                format!("a status code has three digits; write `{classes} ^4` for all that begin with 4")
            };
            (!is_code).then(|| (Code::ImpossibleValue, "no event has the status code".to_owned(), help()))
        }
        _ => {
            let (values, _) = closed_values(field)?;
            let is_value = values.contains(&word);
            let help = || values_help(field);
            (!is_value).then(|| (Code::ImpossibleValue, format!("`{field}` is never"), help()))
        }
    }
}

/// Lists the values of a field that has few.
fn values_help(field: &FieldRef) -> String {
    match closed_values(field) {
        Some((values, _)) => format!("the values are {}", values.join(", ")),
        None => String::new(),
    }
}
