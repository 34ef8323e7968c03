//! Where stages go: golden cases, and what holds of every plan.
//!
//! A folder of `tests/golden` has an `expected.json` with the facts that should not change by
//! accident, its own `nearside.toml` (without one it is about the example of its name), and perhaps
//! a `catalog` folder, which is laid over the built-in facts. `NEARSIDE_UPDATE=1` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nearside_catalog::Catalog;
use nearside_policy::Area;
use serde_json::{Value, json};

use super::command::{Folder, list, nearside, nearside_configured, number, root, text};
use super::readme::entries;
use super::sources::examples;

const EXAMPLE: &str = "examples/support-assistant";
/// The parts of a sum are rounded to a millionth of the currency each.
const ROUNDING: f64 = 1e-4;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The plan of a folder, as JSON.
#[track_caller]
fn plan(folder: &str, rest: &[&str]) -> Value {
    nearside(&[&["plan", folder, "--json"], rest].concat()).data()
}

/// The plan if the project said something else.
#[track_caller]
fn plan_if(folder: &str, change: &str, rest: &[&str]) -> Value {
    plan(folder, &[&["--what-if", change], rest].concat())["what_if"]["answer"].clone()
}

/// The plans of every example.
fn plans_of_examples() -> &'static [Value] {
    static PLANS: OnceLock<Vec<Value>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let folders = examples();
        folders.iter().map(|folder| plan(folder.to_str().expect("a UTF-8 path"), &[])).collect()
    })
}

fn is_feasible(plan: &Value) -> bool {
    plan["infeasible"].is_null()
}

/// A rented machine's name has its provider in front.
fn is_far(site: &str) -> bool {
    site.contains('/')
}

#[test]
fn golden_cases() {
    let update = std::env::var_os("NEARSIDE_UPDATE").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let mut found = facts(&case);
        found.sort_all_objects();
        let found = serde_json::to_string_pretty(&found).unwrap() + "\n";
        let file = golden().join(&case).join("expected.json");
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if found == expected {
            continue;
        }
        if update {
            std::fs::create_dir_all(golden().join(&case)).unwrap();
            std::fs::write(&file, &found).unwrap();
        } else {
            wrong.push(format!("{}\nexpected {expected}found {found}", file.display()));
        }
    }
    let how = "NEARSIDE_UPDATE=1 cargo test -p nearside --test it accepts what was found";
    assert!(wrong.is_empty(), "{}\n{how}", wrong.join("\n"));
}

/// The golden folders, and the examples.
fn cases() -> BTreeSet<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().expect("UTF-8").to_owned();
    let mut cases: BTreeSet<_> = examples().iter().map(name).collect();
    let own =
        entries(&golden()).into_iter().filter(|folder| folder.join("nearside.toml").is_file());
    cases.extend(own.collect::<Vec<_>>().iter().map(name));
    cases
}

/// What should not change by accident: where stages go, on which conditions, and what hinders them.
fn facts(case: &str) -> Value {
    let folder = golden().join(case);
    let project = match folder.join("nearside.toml").is_file() {
        true => folder.clone(),
        false => root().join("examples").join(case),
    };
    let configuration = match folder.join("catalog").is_dir() {
        true => folder,
        false => Folder::new("no-configuration").path().to_path_buf(),
    };
    let path = project.to_str().expect("a UTF-8 path");
    let run = nearside_configured(&configuration, &["plan", path, "--json"]);
    let plan = run.data();
    assert_eq!(run.code, i32::from(!is_feasible(&plan)), "{case}");
    let stages: BTreeMap<_, _> = list(&plan["stages"])
        .iter()
        .map(|stage| (text(&stage["stage"]), stage_facts(stage)))
        .collect();
    let mut facts = json!({
        "feasible": is_feasible(&plan),
        "conditions": plan["conditions"],
        "stages": stages,
    });
    if let Some(infeasible) = plan["infeasible"].as_object() {
        facts["relaxations"] = list(&infeasible["relaxations"]).iter().map(limits).collect();
        facts["stuck"] = list(&infeasible["stuck"]).iter().map(stuck).collect();
    }
    facts
}

fn stage_facts(stage: &Value) -> Value {
    let kinds: BTreeSet<_> =
        list(&stage["others"]).iter().map(|other| text(&other["kind"])).collect();
    json!({ "site": stage["site"], "reads": stage["reads"], "others": kinds })
}

/// The names of the limits that a relaxation changes, without figures.
fn limits(relaxation: &Value) -> Value {
    let limit = |change: &Value| text(change).split(' ').next().unwrap_or("").to_owned();
    list(&relaxation["changes"]).iter().map(limit).collect()
}

fn stuck(stuck: &Value) -> Value {
    let why = list(&stuck["why"]).iter().map(|other| (text(&other["site"]), &other["kind"]));
    json!({ "what": stuck["what"], "why": why.collect::<BTreeMap<_, _>>() })
}

#[test]
fn every_example_is_feasible_and_explains_every_stage() {
    for plan in plans_of_examples() {
        let name = &plan["project"];
        assert!(is_feasible(plan), "{name} has no plan");
        assert_eq!(plan["proof"], "exact", "{name}");
        for stage in list(&plan["stages"]) {
            let stage_name = &stage["stage"];
            assert_ne!(text(&stage["reason"]), "", "{name}, {stage_name}");
            assert!(!list(&stage["inputs"]).is_empty(), "{name}, {stage_name} has no sources");
            for other in list(&stage["others"]) {
                assert_ne!(text(&other["why"]), "", "{name}, {stage_name}: {other}");
                assert_ne!(other["site"], stage["site"], "{name}, {stage_name}");
            }
        }
    }
}

#[test]
fn limits_hold_in_every_example() {
    for plan in plans_of_examples() {
        let within = |total: &str, limit: &str| {
            let (total, limit) = (&plan["totals"][total], &plan[limit]);
            assert!(limit.is_null() || number(total) <= number(limit), "{total} above {limit}");
        };
        within("pass_hours", "deadline_hours");
        within("cost_per_month", "budget_per_month");
    }
}

#[test]
fn stages_and_transfers_add_up_in_every_example() {
    for plan in plans_of_examples() {
        let stages = list(&plan["stages"]).iter().map(|stage| &stage["cost_per_month"]["likely"]);
        let moved = list(&plan["transfers"]).iter().map(|transfer| &transfer["cost_per_month"]);
        let sum: f64 = stages.chain(moved).map(number).sum();
        let total = number(&plan["totals"]["cost_per_month"]);
        assert!((sum - total).abs() < ROUNDING, "{}: {sum} and {total}", plan["project"]);
        let full = number(&plan["totals"]["full_cost_per_month"]);
        assert!(full >= total, "{}: {full} below {total}", plan["project"]);
    }
}

#[test]
fn figures_lie_within_their_ranges() {
    for plan in plans_of_examples() {
        for stage in list(&plan["stages"]) {
            for figure in ["pass_hours", "cost_per_month", "energy_kwh_per_month"] {
                let span = &stage[figure];
                if span.get("unknown").is_some() {
                    assert_ne!(text(&span["unknown"]), "", "{}", stage["stage"]);
                    continue;
                }
                let [low, likely, high] = ["low", "likely", "high"].map(|end| number(&span[end]));
                assert!(0.0 <= low && low <= likely && likely <= high, "{} {span}", stage["stage"]);
            }
        }
    }
}

#[test]
fn the_example_is_placed_on_both_sides_under_a_condition() {
    let plan = plan(EXAMPLE, &[]);
    let sites: Vec<_> = list(&plan["stages"]).iter().map(|stage| text(&stage["site"])).collect();
    assert!(sites.iter().any(|site| is_far(site)), "{sites:?}");
    assert!(sites.iter().any(|site| !is_far(site)), "{sites:?}");
    let conditions: Vec<_> = list(&plan["conditions"]).iter().map(text).collect();
    assert!(conditions.iter().any(|condition| condition.contains("anonymize")), "{conditions:?}");
    for stage in list(&plan["stages"]).iter().filter(|stage| stage["reads"] == "personal") {
        assert_eq!(stage["site"], "here", "{}", stage["stage"]);
    }
}

#[test]
fn what_is_not_public_stays_in_the_union() {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let union: Area = "EU".parse().expect("a known area");
    for rest in [&[][..], &["--cautious"]] {
        let plan = plan(EXAMPLE, rest);
        for stage in list(&plan["stages"]).iter().filter(|stage| stage["reads"] != "public") {
            let site = text(&stage["site"]);
            if is_far(site) {
                let offer = catalog.offer(site).expect("an offer");
                let country = catalog.region_of(offer).expect("a region").country();
                let country = country.value().expect("a known country");
                assert!(union.contains(country), "{} in {country}", stage["stage"]);
            }
        }
    }
}

#[test]
fn transfers_join_stages_at_different_sites() {
    for plan in plans_of_examples() {
        let stages = list(&plan["stages"]).iter();
        let sites: BTreeMap<_, _> =
            stages.map(|stage| (text(&stage["stage"]), text(&stage["site"]))).collect();
        for transfer in list(&plan["transfers"]) {
            assert_ne!(transfer["from_site"], transfer["to_site"], "{transfer}");
            assert_eq!(sites[text(&transfer["to"])], text(&transfer["to_site"]), "{transfer}");
            if let Some(site) = sites.get(text(&transfer["from"])) {
                assert_eq!(*site, text(&transfer["from_site"]), "{transfer}");
            }
        }
    }
}

/// Money, hours and kilograms of a plan.
fn axes(totals: &Value) -> [f64; 3] {
    ["cost_per_month", "pass_hours", "carbon_kg_per_month"].map(|axis| number(&totals[axis]))
}

#[test]
fn the_front_is_sorted_and_nothing_on_it_beats_another() {
    let plan = plan(EXAMPLE, &["--pareto"]);
    let front = &plan["front"];
    let points: Vec<_> =
        list(&front["points"]).iter().map(|point| axes(&point["totals"])).collect();
    assert!(points.len() > 2, "{}", points.len());
    assert!(points.is_sorted_by(|left, right| left[0] <= right[0]), "not by cost");
    let beats = |left: &[f64; 3], right: &[f64; 3]| {
        let mut pairs = left.iter().zip(right);
        pairs.clone().all(|(left, right)| left <= right) && pairs.any(|(left, right)| left < right)
    };
    for point in &points {
        let better = points.iter().find(|other| beats(other, point));
        assert_eq!(better, None, "beats {point:?}");
    }
    let stages = list(&plan["stages"]).len();
    assert!(list(&front["points"]).iter().all(|point| list(&point["sites"]).len() == stages));
}

#[test]
fn what_if_says_which_stages_would_move() {
    let answer = plan(EXAMPLE, &["--what-if", "objective.minimize=carbon"]);
    let changed = &answer["what_if"]["answer"];
    assert_eq!(answer["what_if"]["changes"], json!(["objective.minimize=carbon"]));
    assert_eq!(changed["minimize"], "carbon");
    let after = |stage: &Value| {
        let same = |other: &&Value| other["stage"] == stage["stage"];
        list(&changed["stages"]).iter().find(same).expect("the same stages")["site"].clone()
    };
    let moves: Vec<_> = list(&answer["stages"])
        .iter()
        .filter(|stage| stage["site"] != after(stage))
        .map(|stage| json!([stage["stage"], stage["site"], after(stage)]))
        .collect();
    assert!(!moves.is_empty());
    assert_eq!(answer["what_if"]["moves"], Value::Array(moves.clone()));
    let [_, _, before] = axes(&answer["totals"]);
    let [_, _, after] = axes(&changed["totals"]);
    assert!(after < before, "{after} kg and {before} kg");
    let shown = nearside(&["plan", EXAMPLE, "--what-if", "objective.minimize=carbon"]).exits(0);
    for step in &moves {
        let words = list(step).iter().map(text);
        let told = |line: &str| words.clone().all(|word| line.contains(word));
        assert!(shown.stdout.lines().any(told), "{step}\n{}", shown.stdout);
    }
}

#[test]
fn what_if_nothing_changes_nothing_moves() {
    let answer = plan(EXAMPLE, &["--what-if", "team.people=9"]);
    assert_eq!(answer["what_if"]["moves"], json!([]));
    assert_eq!(answer["what_if"]["answer"]["totals"], answer["totals"]);
}

/// The order of the stages in the file is the order in which one machine does them.
#[test]
fn what_if_keeps_the_order_of_the_stages() {
    let answer = plan(EXAMPLE, &["--what-if", "team.people=9"]);
    let names = |plan: &Value| -> Vec<String> {
        list(&plan["stages"]).iter().map(|stage| text(&stage["stage"]).to_owned()).collect()
    };
    assert_eq!(names(&answer["what_if"]["answer"]), names(&answer));
}

#[test]
fn an_impossible_deadline_is_answered_with_the_least_one_that_helps() {
    let answer = plan_if(EXAMPLE, "objective.deadline=\"1 h\"", &[]);
    assert!(!is_feasible(&answer));
    let relaxation = &answer["infeasible"]["relaxations"][0];
    let change = text(&relaxation["changes"][0]);
    assert!(change.starts_with("objective.deadline of at least "), "{change}");
    let hours = number(&relaxation["totals"]["pass_hours"]);
    assert!(hours > 1.0);
    let deadline =
        |factor: f64| format!("objective.deadline=\"{} s\"", (hours * factor * 3600.0).round());
    assert!(is_feasible(&plan_if(EXAMPLE, &deadline(1.001), &[])), "{hours} h do not help");
    assert!(!is_feasible(&plan_if(EXAMPLE, &deadline(0.999), &[])), "{hours} h are not the least");
}

#[test]
fn caution_never_finds_time_that_was_not_there() {
    let fastest = |rest: &[&str]| {
        let answer = plan_if(EXAMPLE, "objective.minimize=time", rest);
        number(&answer["totals"]["pass_hours"])
    };
    assert!(fastest(&["--cautious"]) >= fastest(&[]));
    for deadline in ["2 h", "3 h", "5 h", "10 h"] {
        let change = format!("objective.deadline=\"{deadline}\"");
        let kept = |rest: &[&str]| is_feasible(&plan_if(EXAMPLE, &change, rest));
        assert!(kept(&[]) || !kept(&["--cautious"]), "{deadline}");
    }
}
