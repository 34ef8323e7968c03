//! `nearside resilience`: what events do to the plans of the examples.

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{list, nearside, number, text};

const EXAMPLE: &str = "examples/support-assistant";

fn event<'a>(answer: &'a Value, kind: &str) -> &'a Value {
    list(&answer["events"]).iter().find(|event| event["kind"] == kind).unwrap()
}

#[test]
fn events_are_played_on_the_plan() {
    let answer = nearside(&["resilience", EXAMPLE, "--json"]).exits(1).data();
    check_schema("resilience", &answer);
    let plan = nearside(&["plan", EXAMPLE, "--json"]).exits(0).data();
    let stages = list(&plan["stages"]);
    let site = |stage: &str| {
        let found = stages.iter().find(|it| it["name"] == stage || it["stage"] == stage);
        text(&found.unwrap()["site"]).to_owned()
    };
    // What moves was where the plan has it.
    for event in list(&answer["events"]) {
        for moved in list(&event["moves"]) {
            assert_eq!(text(&moved["from"]), site(text(&moved["stage"])), "{event}");
            assert_ne!(moved["from"], moved["to"]);
        }
        let share = number(&event["goes_on"]);
        let stopped = list(&event["stops"]).len() + list(&event["waits"]).len();
        let expected = 1.0 - stopped as f64 / stages.len() as f64;
        let halved = if list(&event["breaks"]).is_empty() { 1.0 } else { 0.5 };
        assert!((share - expected * halved).abs() < 1e-9, "{event}");
    }
    // Personal data can be nowhere but here.
    let machine = event(&answer, "machine");
    let stopped: Vec<&str> = list(&machine["stops"]).iter().map(|it| text(&it["stage"])).collect();
    assert_eq!(stopped, ["explore", "anonymize"], "{machine}");
    let why = text(&machine["stops"][0]["why"]);
    assert!(why.contains("personal"), "{why}");
    // Without a network what the workstation is too small for stops, and says so.
    let network = event(&answer, "network");
    assert!(text(&network["stops"][0]["why"]).contains("fit"), "{network}");
    assert!(list(&answer["at_home"]).iter().any(|it| text(it).contains("llama-3.1-8b")));
    let scores: f64 = list(&answer["events"]).iter().map(|it| number(&it["goes_on"])).sum();
    let mean = scores / list(&answer["events"]).len() as f64;
    assert!((number(&answer["score"]) - mean).abs() < 1e-9);
}

#[test]
fn dearer_hours_cost_more_and_a_year_is_drawn() {
    let rise = |rise: &str| {
        let answer = nearside(&["resilience", EXAMPLE, "--price-rise", rise, "--json"]).data();
        number(&event(&answer, "prices")["extra_cost_per_month"])
    };
    assert!(rise("0 %").abs() < 1e-9 && rise("20 %") > 0.0 && rise("60 %") > rise("20 %"));
    let years = |more: &[&str]| {
        let arguments = [&["resilience", EXAMPLE, "--random", "2000", "--json"], more].concat();
        nearside(&arguments).data()["years"].clone()
    };
    let (usual, seeded) = (years(&[]), years(&["--seed", "2"]));
    assert_eq!(usual, years(&[]));
    assert_ne!(usual["lost_days"], seeded["lost_days"]);
    let often = years(&["--rate", "network=60 x 8 h"]);
    assert!(number(&often["lost_days"]["mean"]) > number(&usual["lost_days"]["mean"]));
    let rates = list(&often["rates"]);
    let network = rates.iter().find(|rate| rate["kind"] == "network").unwrap();
    assert_eq!((text(&network["basis"]), number(&network["per_year"]) as u32), ("stated", 60));
}

#[test]
fn a_ban_takes_the_sites_of_a_country() {
    let answer = nearside(&["resilience", EXAMPLE, "--ban", "FR,US", "--json"]).data();
    let names: Vec<&str> = list(&answer["events"])
        .iter()
        .filter(|event| event["kind"] == "country")
        .map(|event| text(&event["event"]))
        .collect();
    assert_eq!(names, ["no sites in FR", "no sites in US"]);
}

#[test]
fn what_is_wrong_is_said() {
    let says = |more: &[&str], expected: &str| {
        let run = nearside(&[&["resilience", EXAMPLE], more].concat()).exits(2);
        assert!(run.stderr.contains(expected), "{more:?}: {}", run.stderr);
    };
    says(&["--lasts", "long"], "--lasts");
    says(&["--price-rise", "30"], "--price-rise");
    says(&["--ban", "Europe"], "--ban");
    says(&["--ban", "JP"], "no rented site of the project is in JP");
    says(&["--rate", "earthquake=1 x 1 h"], "there is no kind");
    says(&["--rate", "network=often"], "TIMES x TIME");
    says(&["--rate", "network=-1 x 2 h"], "times a year");
    nearside(&["resilience", "nowhere"]).exits(3);
}
