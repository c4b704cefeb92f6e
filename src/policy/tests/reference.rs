//! A plain evaluator, and random policies on which both agree.

use core::net::IpAddr;

use proptest::prelude::*;
use regex_automata::meta::Regex;

use super::{Event, Value, evaluate, field, rule, test};
use crate::audit::FieldRef;
use crate::audit::net::Network;
use crate::pattern::PatternCompiler;
use crate::policy::evaluate::CompiledPolicy;
use crate::policy::explain::PolicyExplainer;
use crate::policy::model::{CombineOp, Condition, Operand, Policy, Test, Truth};

/// Evaluates a rule of a policy directly: recursively, without memory.
pub(super) fn rule_value(policy: &Policy, index: usize, event: &Event) -> Truth {
    let rule = &policy.rules[index];
    let values: Vec<Truth> =
        rule.conditions.iter().map(|condition| condition_value(policy, condition, event)).collect();
    let decisive = if rule.combine_op == CombineOp::And { Truth::False } else { Truth::True };
    if values.contains(&decisive) {
        decisive
    } else if values.contains(&Truth::Unknown) {
        Truth::Unknown
    } else {
        opposite(decisive)
    }
}

fn opposite(value: Truth) -> Truth {
    match value {
        Truth::False => Truth::True,
        Truth::Unknown => Truth::Unknown,
        Truth::True => Truth::False,
    }
}

fn condition_value(policy: &Policy, condition: &Condition, event: &Event) -> Truth {
    match condition {
        Condition::Ref { rule, negated } => {
            let value = rule_value(policy, *rule, event);
            if *negated { opposite(value) } else { value }
        }
        Condition::Test(test) => test_value(test, event.values.get(&test.field)),
    }
}

pub(super) fn test_value(test: &Test, value: Option<&Value>) -> Truth {
    let texts = match value {
        Some(Value::Unknown) => return Truth::Unknown,
        None => Vec::new(),
        Some(Value::Text(value)) => vec![value.clone()],
        Some(Value::List(values)) => {
            let mut texts = values.clone();
            texts.push(values.join("; "));
            texts
        }
    };
    let equal = |word: &String| if word.is_empty() { texts.is_empty() } else { texts.contains(word) };
    let matches = match &test.operand {
        Operand::Equal(word) => equal(word),
        Operand::In(words) => words.iter().any(equal),
        Operand::Pattern(pattern) => {
            let regex = Regex::new(pattern).unwrap();
            texts.iter().any(|text| regex.is_match(text))
        }
        Operand::Networks(networks) => {
            let addresses = texts.iter().filter_map(|text| text.parse::<IpAddr>().ok());
            addresses.into_iter().any(|address| networks.iter().any(|network| contains(network, address)))
        }
    };
    if matches == test.negated { Truth::False } else { Truth::True }
}

/// Compares the bits of an address one by one.
fn contains(network: &Network, address: IpAddr) -> bool {
    let bits = |octets: &[u8]| -> Vec<bool> {
        octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1)).collect()
    };
    let mapped = match address {
        IpAddr::V6(address) => address.to_ipv4_mapped(),
        IpAddr::V4(address) => Some(address),
    };
    let (first, prefix, address) = match (network, mapped, address) {
        (Network::V4 { address, prefix }, Some(other), _) => {
            (bits(&address.to_be_bytes()), *prefix, bits(&other.octets()))
        }
        (Network::V6 { address, prefix }, None, IpAddr::V6(other)) => {
            (bits(&address.to_be_bytes()), *prefix, bits(&other.octets()))
        }
        _ => return false,
    };
    let prefix = usize::from(prefix);
    first[..prefix] == address[..prefix]
}

/// Fields, each with values that it may have and operands of its tests.
const FIELDS: &[(&str, &[&str])] = &[
    ("verb", &["get", "list", "create"]),
    ("resource-type", &["pods", "secrets", "nodes"]),
    ("principal", &["system:node:a", "system:node:b", "ann", "bob"]),
    ("user-groups", &["a", "b", "c", "a; b", "system:masters"]),
    ("caller-ip", &["10.0.0.1", "10.1.0.1", "fd00::1", "::ffff:10.0.0.1", "no address"]),
    ("ua-kubectl", &["v1", "v2"]),
    ("request-privileged", &["true", "false"]),
    ("request-image", &["nginx", "busybox", "nginx:1"]),
];
const PATTERNS: &[&str] =
    &["a", "^system:", "o", "b$|^get", "^$", "", "n.*x", "[a-d]; [a-d]", "^a$", "list|create"];
const NETWORKS: &[&str] =
    &["10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "fd00::/8", "0.0.0.0/0", "::/0", "10.0.0.1"];

fn field_index() -> impl Strategy<Value = usize> {
    0..FIELDS.len()
}

fn condition(rules: usize) -> impl Strategy<Value = RandomCondition> {
    let test = (field_index(), 0..8_usize, any::<prop::sample::Index>(), any::<[prop::sample::Index; 2]>())
        .prop_map(|(index, operator, choice, others)| {
            let (name, values) = FIELDS[index];
            let choose = |choice: &prop::sample::Index| {
                // One more than the values: the empty word.
                values.get(choice.index(values.len() + 1)).copied().unwrap_or("")
            };
            let operator = ["=", "!=", "~", "!~", "in", "not-in", "cidr", "not-cidr"][operator];
            let value = match operator {
                "=" | "!=" => choose(&choice).to_owned(),
                "~" | "!~" => PATTERNS[choice.index(PATTERNS.len())].to_owned(),
                "in" | "not-in" => others.iter().map(choose).collect::<Vec<_>>().join(","),
                _ => others
                    .iter()
                    .map(|other| NETWORKS[other.index(NETWORKS.len())])
                    .collect::<Vec<_>>()
                    .join(","),
            };
            RandomCondition::Test(test(name, operator, &value))
        });
    prop_oneof![4 => test, 1 => (0..rules, any::<bool>()).prop_map(|(rule, negated)| RandomCondition::Ref(rule, negated))]
}

#[derive(Clone, Debug)]
enum RandomCondition {
    Test(Condition),
    Ref(usize, bool),
}

/// A policy whose references have no cycle: a rule refers to rules that precede it in a random order.
fn policy() -> impl Strategy<Value = Policy> {
    let rules = (1..9_usize).prop_flat_map(|count| {
        let rule = (any::<bool>(), prop::bool::weighted(0.7), prop::collection::vec(condition(count), 1..5));
        (prop::collection::vec(rule, count), Just((0..count).collect::<Vec<_>>()).prop_shuffle())
    });
    rules.prop_map(|(rules, rank)| {
        let convert = |index: usize, condition: RandomCondition| match condition {
            RandomCondition::Test(test) => Some(test),
            RandomCondition::Ref(rule, negated) => {
                (rank[rule] < rank[index]).then_some(Condition::Ref { rule, negated })
            }
        };
        let rules = rules.into_iter().enumerate().map(|(index, (and, status, conditions))| {
            let op = if and { CombineOp::And } else { CombineOp::Or };
            let conditions: Vec<_> =
                conditions.into_iter().filter_map(|condition| convert(index, condition)).collect();
            let conditions = if conditions.is_empty() { vec![test("verb", "=", "get")] } else { conditions };
            rule(op, status, conditions)
        });
        Policy { rules: rules.collect() }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let value = |index: usize| {
        let (name, values) = FIELDS[index];
        let list = field(name).is_list();
        let choices = prop::collection::vec(any::<prop::sample::Index>(), 1..4);
        (0..10_u8, choices).prop_map(move |(kind, choices)| {
            let mut values: Vec<String> =
                choices.iter().map(|choice| values[choice.index(values.len())].to_owned()).collect();
            match kind {
                0..2 => None,
                2 => Some(Value::Unknown),
                _ if list => Some(Value::List(values)),
                _ => Some(Value::Text(values.remove(0))),
            }
        })
    };
    (0..FIELDS.len()).map(value).collect::<Vec<_>>().prop_map(|values| {
        let values = FIELDS.iter().zip(values);
        let values = values.filter_map(|((name, _), value)| Some((field(name), value?)));
        Event { values: values.collect(), ..Event::default() }
    })
}

/// Returns the fields of the request body that an event's evaluation may read.
///
/// A body field is read only for a reported rule that is not false without the body: with every such field unknown.
fn body_may_be_read(policy: &Policy, event: &Event) -> bool {
    let mut without = event.clone();
    for (name, _) in FIELDS {
        if field(name).is_body() {
            without.values.insert(field(name), Value::Unknown);
        }
    }
    (0..policy.rules.len())
        .any(|rule| policy.rules[rule].status && rule_value(policy, rule, &without) != Truth::False)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// One compiled policy and the reference agree on a sequence of events.
    #[test]
    fn evaluation_agrees_with_the_reference(policy in policy(), events in prop::collection::vec(event(), 1..6)) {
        let mut compiled = CompiledPolicy::new(&policy, &mut PatternCompiler).unwrap();
        let mut explainer = PolicyExplainer::new(&policy).unwrap();
        for mut event in events {
            let values: Vec<Truth> =
                (0..policy.rules.len()).map(|rule| rule_value(&policy, rule, &event)).collect();
            let with = |value| {
                let rules = policy.rules.iter().zip(&values).enumerate();
                rules.filter(|(_, (rule, found))| rule.status && **found == value).map(|(index, _)| index).collect::<Vec<_>>()
            };
            let expected = (with(Truth::True), with(Truth::Unknown));
            prop_assert_eq!(evaluate(&mut compiled, &mut event), expected);
            let body_is_read = event.read.iter().any(FieldRef::is_body);
            prop_assert!(!body_is_read || body_may_be_read(&policy, &event));

            for (explained, rule) in explainer.explain(&mut event).iter().zip(&policy.rules) {
                prop_assert_eq!(explained.value, values[explained.rule]);
                for (explained, condition) in explained.conditions.iter().zip(&rule.conditions) {
                    prop_assert_eq!(explained.value, condition_value(&policy, condition, &event));
                }
            }
        }
    }
}
