//! Bounds of the work, of memory and of what a policy may contain.

use allocation_counter::measure;

use super::reference::rule_value;
use super::{Event, Value, and, compiled, evaluate, rule, test};
use crate::pattern::PatternCompiler;
use crate::policy::evaluate::CompiledPolicy;
use crate::policy::model::{CombineOp, Condition, Policy, Rule, Truth};
use crate::policy::work;

/// Rules of the forms that policies have: each needs a value of its own, and they share building blocks.
fn rules(count: usize) -> Vec<Rule> {
    let machines = rule(
        CombineOp::Or,
        false,
        vec![
            test("principal", "~", "^system:(node|kube-)"),
            test("principal", "in", "system:apiserver,eks:node-manager"),
            test("user-groups", "=", "system:nodes"),
        ],
    );
    let sessions = and(vec![test("subresource", "in", "exec,attach"), test("resource-type", "=", "pods")]);
    let sessions = Rule { status: false, ..sessions };
    let (machine, session) = (count, count + 1);
    let person = || Condition::Ref { rule: machine, negated: true };
    let of = |number: usize| match number % 10 {
        0 => vec![
            test("resource-namespace", "=", &format!("team-{number}")),
            test("verb", "in", "get,list"),
            person(),
        ],
        1 => vec![
            test("verb", "=", "delete"),
            test("resource-object-name", "=", &format!("object-{number}")),
            person(),
        ],
        2 => vec![
            Condition::Ref { rule: session, negated: false },
            test("resource-namespace", "=", &format!("shop-{number}")),
        ],
        3 => vec![test("principal", "~", &format!("^user-{number}@")), test("verb", "=", "create")],
        4 => vec![test("caller-ip", "cidr", &format!("10.{}.{}.0/24", number / 256, number % 256)), person()],
        5 => {
            vec![test("resource-type", "=", &format!("widgets{number}")), test("verb", "!=", "get"), person()]
        }
        6 => vec![
            person(),
            test("verb", "=", "create"),
            test("resource-type", "=", "pods"),
            test("request-image", "~", &format!("^registry-{number}/")),
        ],
        7 => vec![
            test("cluster-role", "in", &format!("role-{number},other-{number}")),
            test("status-code", "~", "^2"),
        ],
        8 => vec![test("original-user-agent", "~", &format!("tool-{number}/")), person()],
        _ => vec![test("user-groups", "=", &format!("group-{number}")), test("verb", "!~", "get|list|watch")],
    };
    let mut rules: Vec<Rule> = (0..count).map(|number| and(of(number))).collect();
    rules.extend([machines, sessions]);
    rules
}

/// Nine events of machines and six of persons, of which some match one rule.
fn events() -> Vec<Event> {
    let person = &[
        ("principal", "user-3@example.com"),
        ("caller-ip", "10.0.4.9"),
        ("original-user-agent", "kubectl/v1.30"),
    ];
    let with = |values: &[(&'static str, &'static str)]| Event::of(&[person, values].concat());
    let machine = |number: usize| {
        let verb = ["get", "watch", "update"][number % 3];
        let node = Event::of(&[
            ("principal", "system:node:a"),
            ("verb", verb),
            ("resource-type", "leases"),
            ("resource-namespace", "kube-node-lease"),
        ]);
        node.with(
            "user-groups",
            Value::List(vec!["system:authenticated".to_owned(), "system:nodes".to_owned()]),
        )
    };
    let mut events: Vec<Event> = (0..9).map(machine).collect();
    events.push(with(&[("verb", "list"), ("resource-namespace", "team-0"), ("resource-type", "secrets")]));
    events.push(
        with(&[("verb", "create"), ("resource-type", "pods"), ("status-code", "201")])
            .with("request-image", Value::List(vec!["registry-6/a".to_owned()])),
    );
    events.push(with(&[("verb", "create"), ("resource-type", "pods")]).with("request-image", Value::Unknown));
    events.push(with(&[
        ("verb", "get"),
        ("resource-type", "pods"),
        ("subresource", "exec"),
        ("resource-namespace", "shop-2"),
    ]));
    events.push(with(&[
        ("verb", "delete"),
        ("resource-object-name", "object-1"),
        ("cluster-role", "role-7"),
        ("status-code", "200"),
    ]));
    events.push(
        with(&[("verb", "patch"), ("resource-type", "widgets5")])
            .with("user-groups", Value::List(vec!["group-9".to_owned()])),
    );
    events
}

/// Returns the steps of the evaluation of all events, after a comparison with the reference.
///
/// An event without its body is left out: each rule that depends on the body is counted, so it has to be visited.
fn steps(rules: Vec<Rule>) -> usize {
    let policy = Policy { rules };
    let mut compiled = CompiledPolicy::new(&policy, &mut PatternCompiler).unwrap();
    work::take();
    let mut steps = 0;
    for mut event in events() {
        let found = evaluate(&mut compiled, &mut event);
        let of_event = work::take();
        steps += if found.1.is_empty() { of_event } else { 0 };
        let with = |value| -> Vec<usize> {
            let rules = (0..policy.rules.len()).filter(|rule| policy.rules[*rule].status);
            rules.filter(|rule| rule_value(&policy, *rule, &event) == value).collect()
        };
        let expected = (with(Truth::True), with(Truth::Unknown));
        assert_eq!(found, expected, "{event:?}");
    }
    steps
}

#[test]
fn a_thousand_rules_take_at_most_twice_the_steps_of_ten() {
    let [ten, thousand] = [10, 1000].map(|count| steps(rules(count)));
    assert!(thousand <= 2 * ten, "{ten} steps for ten rules, {thousand} for a thousand");
    // A machine's event is refused after a few fields.
    let mut policy = compiled(rules(1000));
    work::take();
    evaluate(&mut policy, &mut events()[0]);
    assert!(work::take() <= 30);
}

#[test]
fn a_condition_that_rules_share_is_evaluated_once() {
    let block = |number| Condition::Ref { rule: number, negated: false };
    let shared = || vec![test("verb", "=", "create"), test("uri", "~", "^/api/.*/pods"), block(100)];
    let mut rules: Vec<Rule> = (0..100).map(|_| and(shared())).collect();
    rules.push(Rule {
        status: false,
        ..and((0..60).map(|number| test("principal", "!~", &format!("^{number}"))).collect())
    });
    let mut policy = compiled(rules);
    let mut event = Event::of(&[("verb", "create"), ("uri", "/api/v1/pods"), ("principal", "ann")]);
    assert_eq!(evaluate(&mut policy, &mut event).0.len(), 100);
    let read: Vec<String> = event.read.iter().map(ToString::to_string).collect();
    assert_eq!(read.len(), 3, "{read:?}");
    work::take();
    evaluate(&mut policy, &mut event);
    // Three probes with a search each; 100 rules of three conditions; the block and its 60 conditions.
    assert_eq!(work::take(), 6 + 100 * 3 + 61);
}

#[test]
fn a_warm_policy_allocates_nothing() {
    let mut policy = compiled(rules(300));
    let mut events = events();
    let mut all = |policy: &mut CompiledPolicy| {
        let mut found = 0;
        for event in &mut events {
            event.read.clear();
            policy.evaluate(event, |_| found += 1);
        }
        found
    };
    let matches = (0..3).map(|_| all(&mut policy)).max();
    let allocated = measure(|| assert_eq!(Some(all(&mut policy)), matches));
    // The events of these tests record the fields that were read, none of which has a text of its own.
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
    assert!(matches > Some(5));
}

#[test]
fn a_policy_that_cannot_be_compiled_is_an_error() {
    let reference = |rule| and(vec![Condition::Ref { rule, negated: false }]);
    let plain = || and(vec![test("verb", "=", "get")]);
    let chain = |length: usize| (1..=length).map(reference).chain([plain()]).collect();
    let words = vec!["a"; 65_537].join(",");
    for (rules, expected) in [
        (vec![reference(0)], "in a cycle"),
        (vec![reference(1), reference(0)], "in a cycle"),
        (vec![reference(7), plain()], "or to no rule"),
        (chain(17), "more than 16 rules"),
        ((0..4097).map(|_| plain()).collect(), "more than 4096 rules"),
        (vec![and(vec![test("verb", "in", &words)])], "more than 65536 values"),
    ] {
        let error = CompiledPolicy::new(&Policy { rules }, &mut PatternCompiler).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(CompiledPolicy::new(&Policy { rules: chain(16) }, &mut PatternCompiler).is_ok());
}

#[test]
fn a_policy_without_reported_rules_reads_nothing() {
    let mut policy = compiled(vec![Rule { status: false, ..and(vec![test("verb", "=", "get")]) }]);
    let mut event = Event::of(&[("verb", "get")]);
    assert_eq!(evaluate(&mut policy, &mut event), (vec![], vec![]));
    assert!(event.read.is_empty());
}

#[test]
fn the_largest_policy_is_compiled() {
    let condition = |number: usize| match number % 4 {
        0 => test("principal", "=", &format!("user-{number}")),
        1 => test("principal", "!~", &format!("^machine-{number}-")),
        2 => test("resource-namespace", "in", &format!("a{number},b{number},c{number}")),
        _ => Condition::Ref { rule: 4095, negated: true },
    };
    let mut rules: Vec<Rule> =
        (0..4095).map(|rule| and((0..5).map(|number| condition(rule * 5 + number)).collect())).collect();
    rules.push(rule(
        CombineOp::Or,
        false,
        (0..64).map(|number| test("username", "=", &format!("u{number}"))).collect(),
    ));
    let mut policy = compiled(rules);
    let mut event = Event::of(&[("principal", "user-0"), ("resource-namespace", "a2"), ("username", "ann")]);
    assert_eq!(evaluate(&mut policy, &mut event).0, Vec::<usize>::new());
}

/// Rules with more atoms than are indexed are evaluated all the same.
#[test]
fn many_atoms_change_no_result() {
    let users = |block: usize| {
        let tests = (0..64).map(|number| test("principal", "=", &format!("user-{block}-{number}")));
        Rule { status: false, ..rule(CombineOp::Or, true, tests.collect()) }
    };
    let mut rules: Vec<Rule> = (0..6).map(users).collect();
    let references = |negated| (0..6).map(|rule| Condition::Ref { rule, negated }).collect();
    rules.push(rule(CombineOp::Or, true, references(false)));
    rules.push(and(references(true)));
    rules.push(and((0..64).map(|number| test(&format!("ua-{number}"), "in", "a,b")).collect()));
    rules.push(and((0..64).map(|number| test(&format!("ua-{number}"), "!~", "c")).collect()));
    let policy = Policy { rules };
    let mut compiled = CompiledPolicy::new(&policy, &mut PatternCompiler).unwrap();
    let mut all = Event::of(&[("principal", "user-5-63")]);
    for number in 0..64 {
        all = all.with(&format!("ua-{number}"), Value::Text("b".to_owned()));
    }
    let one = all.clone().with("ua-63", Value::Text("c".to_owned()));
    for (mut event, expected) in
        [(all, vec![6, 8, 9]), (one, vec![6]), (Event::of(&[("principal", "ann")]), vec![7, 9])]
    {
        assert_eq!(evaluate(&mut compiled, &mut event).0, expected);
        let reference = (6..10).filter(|rule| rule_value(&policy, *rule, &event) == Truth::True);
        assert_eq!(reference.collect::<Vec<_>>(), expected);
    }
}
