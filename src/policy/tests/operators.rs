//! Each operator on each kind of value.

use super::reference::test_value;
use super::{Event, Value, and, compiled, evaluate, rule, test};
use crate::policy::Operand;
use crate::policy::model::{CombineOp, Condition, Truth};

/// The values of the table below: absent, text, text, list, unknown.
fn values() -> [Option<Value>; 5] {
    let list = ["a", "b"].map(str::to_owned).to_vec();
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    [None, text("a"), text("10.0.0.1"), Some(Value::List(list)), Some(Value::Unknown)]
}

/// Each row has a letter for each of the values: true, false or unknown.
const TABLE: &[(&str, &str, &str)] = &[
    ("=", "a", "ftftu"),
    ("!=", "a", "tftfu"),
    ("=", "", "tfffu"),
    ("!=", "", "ftttu"),
    ("=", "a; b", "ffftu"),
    ("~", "a", "ftftu"),
    ("!~", "a", "tftfu"),
    ("~", "", "ftttu"),
    ("!~", "", "tfffu"),
    ("~", "^$", "ffffu"),
    ("~", "^b$", "ffftu"),
    ("~", "a; b", "ffftu"),
    ("in", "b,c", "ffftu"),
    ("in", "a,10.0.0.1", "ftttu"),
    ("not-in", "b,c", "tttfu"),
    ("in", ",a", "ttftu"),
    ("cidr", "10.0.0.0/8", "fftfu"),
    ("cidr", "11.0.0.0/8,10.0.0.1", "fftfu"),
    ("cidr", "::/0", "ffffu"),
    ("not-cidr", "10.0.0.0/8", "ttftu"),
];

#[test]
fn operators_on_each_kind_of_value() {
    for (operator, value, expected) in TABLE {
        let Condition::Test(parsed) = test("user-groups", operator, value) else { panic!() };
        let mut policy = compiled(vec![and(vec![Condition::Test(parsed.clone())])]);
        let mut found = String::new();
        for given in values() {
            let mut event = Event::default();
            if let Some(given) = given {
                event = event.with("user-groups", given);
            }
            let reference = test_value(&parsed, event.values.values().next());
            let value = match evaluate(&mut policy, &mut event) {
                (found, _) if !found.is_empty() => Truth::True,
                (_, unknown) if !unknown.is_empty() => Truth::Unknown,
                _ => Truth::False,
            };
            assert_eq!(value, reference, "{parsed} on {event:?}");
            found.push(match value {
                Truth::True => 't',
                Truth::False => 'f',
                Truth::Unknown => 'u',
            });
        }
        assert_eq!(found, *expected, "{parsed}");
    }
}

#[test]
fn numbers_and_flags_are_compared_as_text() {
    let mut policy = compiled(vec![
        and(vec![test("status-code", "=", "403")]),
        and(vec![test("status-code", "~", "^4")]),
        and(vec![test("non-authorized", "=", "true")]),
    ]);
    let mut event = Event::of(&[("status-code", "403"), ("non-authorized", "true")]);
    assert_eq!(evaluate(&mut policy, &mut event).0, [0, 1, 2]);
}

#[test]
fn a_reference_has_the_value_of_the_rule_with_either_status() {
    let block =
        rule(CombineOp::Or, false, vec![test("principal", "~", "^system:"), test("verb", "=", "watch")]);
    let reference = |negated| Condition::Ref { rule: 2, negated };
    let mut policy = compiled(vec![
        and(vec![reference(true), test("resource-type", "=", "pods")]),
        and(vec![reference(false)]),
        block,
    ]);
    let pods = |principal| Event::of(&[("principal", principal), ("resource-type", "pods"), ("verb", "get")]);
    assert_eq!(evaluate(&mut policy, &mut pods("ann")).0, [0]);
    assert_eq!(evaluate(&mut policy, &mut pods("system:node:a")).0, [1]);
}

#[test]
fn a_missing_body_is_counted_where_it_decides() {
    let mut policy = compiled(vec![
        and(vec![test("verb", "=", "create"), test("request-privileged", "=", "true")]),
        and(vec![test("verb", "=", "create"), test("request-privileged", "!=", "true")]),
        and(vec![test("verb", "=", "delete"), test("request-privileged", "!=", "true")]),
        rule(CombineOp::Or, true, vec![test("verb", "=", "create"), test("request-privileged", "=", "true")]),
    ]);
    let event = Event::of(&[("verb", "create")]);
    let mut missing = event.clone().with("request-privileged", Value::Unknown);
    assert_eq!(evaluate(&mut policy, &mut missing), (vec![3], vec![0, 1]));
    // The body is there, and the field is not in it.
    assert_eq!(evaluate(&mut policy, &mut event.clone()), (vec![1, 3], vec![]));
    assert_eq!(policy.undecided(), [1, 1, 0, 0]);
}

#[test]
fn a_body_is_read_only_if_the_rest_of_a_rule_is_true() {
    let mut policy = compiled(vec![
        and(vec![
            test("request-image", "~", "miner"),
            test("verb", "=", "create"),
            test("principal", "!~", "^system:"),
        ]),
        and(vec![
            test("request-privileged", "=", "true"),
            test("request-image", "~", "x"),
            test("verb", "=", "create"),
        ]),
    ]);
    let reads = |policy: &mut _, values: &[(&str, &str)]| {
        let mut event = Event::of(values);
        evaluate(policy, &mut event);
        let read: Vec<String> = event.read.iter().map(ToString::to_string).collect();
        read.join(" ")
    };
    assert_eq!(reads(&mut policy, &[("verb", "get"), ("principal", "ann")]), "verb");
    // The first rule is refuted by its principal, the second by the first body field.
    assert_eq!(
        reads(&mut policy, &[("verb", "create"), ("principal", "system:node:a")]),
        "verb principal request-image"
    );
    // What the verb refutes is remembered. It is read when the rules that are left are evaluated.
    assert_eq!(
        reads(&mut policy, &[("verb", "create"), ("principal", "ann"), ("request-image", "miner")]),
        "principal verb request-image"
    );
    assert_eq!(
        reads(&mut policy, &[("verb", "create"), ("principal", "ann"), ("request-image", "nginx")]),
        "verb principal request-image request-privileged"
    );
}

#[test]
fn a_test_in_one_line() {
    let lines = [
        ("verb", "=", "get", "verb = get"),
        ("subresource", "!=", "", "subresource != ''"),
        ("verb", "not-in", "a,b,c", "verb not-in [a, b, c]"),
        ("verb", "in", "a,b,c,d", "verb in [a, b, c, …]"),
        ("caller-ip", "cidr", "10.0.0.0/8", "caller-ip cidr [10.0.0.0/8]"),
    ];
    for (name, operator, value, expected) in lines {
        let Condition::Test(test) = test(name, operator, value) else { panic!() };
        assert_eq!(test.to_string(), expected);
        assert!(matches!(test.operand, Operand::Equal(_) | Operand::In(_) | Operand::Networks(_)));
    }
}
