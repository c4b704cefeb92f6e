//! The baselines and the filter as methods, the default policy on quiet weeks, and the report.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kaudit_simulator::quality::{
    Ewma, FilterMethod, FilterUse, Method, NewTerms, Report, Setting, Thresholds, measure, sweep,
};
use kaudit_simulator::{Attacks, OWN_MACHINES, Plan, Seed, Simulation, Size, TuningSeed};

const INTEGRATION: &str = "
guard: {max-age: 87600h, max-ahead: 87600h, max-entry-bytes: 100000}
integrations:
- {type: selections, target: {target-type: slack, slack-uri: 'https://example.com'}}
use: all
policy:
";

/// Returns the default policy with the simulated clusters' own machines, as its documentation asks for.
fn default_policy() -> FilterMethod {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/default.yaml");
    let policy = fs::read_to_string(path).expect("the default policy");
    let placeholder = "[machine@example.invalid]";
    assert!(policy.contains(placeholder), "the placeholder of `operators-machines` has another name");
    let policy = policy.replace(placeholder, &format!("['{}']", OWN_MACHINES.join("', '")));
    FilterMethod::new("selections", &format!("{INTEGRATION}{policy}"), ".", FilterUse::Selections)
        .expect("a valid configuration")
}

fn seed(number: u32) -> Seed {
    Seed::of(number).expect("a number of a set")
}

/// Runs a method over a plan, and returns the users that it reports with the number of detections.
fn reported(method: &dyn Method, plan: Plan) -> BTreeMap<String, u32> {
    let simulation = Simulation::new(plan, 0);
    let mut detector = method.detector(simulation.cluster());
    let mut found = Vec::new();
    for event in simulation {
        detector.event(&event, &mut found);
    }
    detector.finish(&mut found);
    let mut users = BTreeMap::new();
    for detection in found {
        *users.entry(detection.principal.unwrap_or_default()).or_default() += 1;
    }
    users
}

/// `policies/tests/quiet.yaml` states that the default policy reports no machine traffic.
#[test]
fn the_default_policy_reports_no_machine_in_a_quiet_week() {
    let method = default_policy();
    let users = reported(&method, Plan::quiet_week(seed(1)));
    println!("selections of a quiet week: {users:?}");
    let machines: Vec<&String> = users
        .keys()
        .filter(|user| {
            (user.starts_with("system:") && *user != "system:anonymous")
                || OWN_MACHINES.contains(&user.as_str())
        })
        .collect();
    assert!(machines.is_empty(), "{machines:?}");
    assert!(users.keys().any(|user| user.starts_with("user-")), "people read secrets and enter pods");
}

#[test]
fn the_filter_is_a_method() {
    let policy =
        "- {id: 1, name: shells, conditions: [{field: subresource, match-op: '=', match-value: exec}]}\n";
    let method = FilterMethod::new("rule", &format!("{INTEGRATION}{policy}"), ".", FilterUse::Selections)
        .expect("a valid configuration");
    let plan = Plan { days: 2, ..Plan::quiet_week(seed(2)) };
    let shells = Simulation::new(plan, 0)
        .filter(|event| event.object().subresource == "exec" && !event.is_second)
        .count();
    let users = reported(&method, plan);
    assert!(shells > 0);
    assert_eq!(users.values().sum::<u32>() as usize, shells, "{users:?}");
    let error = FilterMethod::new("rule", "integrations: 1", ".", FilterUse::Detections).map(|_| ());
    assert!(error.is_err_and(|error| error.contains("integrations")));
}

/// A setting that a debug build measures in seconds.
fn short() -> Setting {
    Setting {
        learn_days: 2,
        days: 7,
        clusters: 1,
        size: Size { nodes: 1, people: 8, namespaces: 3 },
        attacks_per_day: 3,
    }
}

#[test]
fn the_report_has_every_method_and_fits_into_80_columns() {
    let methods: Vec<Box<dyn Method>> =
        vec![Box::new(Thresholds::default()), Box::new(NewTerms { days: 2 }), Box::new(Ewma::default())];
    let seeds = [seed(0)];
    let report = Report::new(&seeds, short(), &measure(&methods, &seeds, short()));
    let text = report.text();
    println!("{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let json: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
    assert_eq!((json["set"].as_str(), json["methods"].as_array().map(Vec::len)), (Some("tuning"), Some(3)));
    for method in &report.methods {
        let attacks: u32 = method.attacks.iter().map(|attack| attack.attacks).sum();
        assert_eq!(attacks, 21, "{method:?}");
        assert!(method.recall.low <= method.recall.value && method.recall.value <= method.recall.high);
        assert!(method.recall.value > 0.2, "{method:?}");
    }
    // A burst is what thresholds are for; a slow attack is what they miss.
    let recall = |method: usize, kind: &str| {
        let attacks = &report.methods[method].attacks;
        attacks.iter().find(|attack| attack.kind == kind).map(|attack| attack.recall.value)
    };
    assert_eq!(recall(0, "exec-burst"), Some(1.0));
    assert_eq!(recall(0, "slow-exec"), Some(0.0));
    assert_eq!(recall(1, "new-client"), Some(1.0));
}

#[test]
fn higher_thresholds_report_less() {
    let seeds = [TuningSeed::new(3).expect("a number of the set")];
    let report = sweep(&seeds, Setting { days: 2, ..short() });
    let rate = |name: &str| {
        let method = report.methods.iter().find(|method| method.method == name);
        method.unwrap_or_else(|| panic!("{name}")).false_per_day.value
    };
    assert!(rate("thresh 50%") > rate("thresh 200%"));
    assert!(rate("z3 a0.01") >= rate("z10 a0.01"));
}

#[test]
fn more_attacks_than_fit_into_a_day_are_limited() {
    let attacks = Attacks { from_day: 1, per_day: 50 };
    let plan = Plan { days: 2, attacks: Some(attacks), ..Plan::quiet_week(seed(4)) };
    assert_eq!(Simulation::new(plan, 0).labels().len(), Attacks::MAX_PER_DAY as usize);
}
