//! Power and heat: does the place bear the machine?

use nearside_ledger::{Outcome, RunRow};
use serde_json::Value;

use super::answers::check_schema;
use super::command::{Folder, command, list, nearside, number, text};
use super::recorded::{keep, row};

const TWO_CARDS: [&str; 6] = ["doctor", "--power", "--on", "rtx-5090", "--count", "2"];

fn asked(more: &[&str]) -> Vec<String> {
    [&TWO_CARDS[..], more].concat().iter().map(|word| (*word).to_owned()).collect()
}

#[track_caller]
fn ends(arguments: &[String], code: i32) -> Value {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let data = nearside(&[&arguments[..], &["--json"]].concat()).exits(code).data();
    check_schema("doctor-power", &data);
    data
}

#[test]
fn every_figure_follows_from_the_watts() {
    let more = ["--room", "30 m3", "--battery", "1500 Wh", "--tariff", "0.30 EUR/kWh"];
    let data = ends(&asked(&[&more[..], &["--hours", "12 h/day"]].concat()), 0);
    let likely = |value: &Value| number(&value["likely"]);
    let direct: f64 = list(&data["parts"])
        .iter()
        .map(|part| number(&part["count"]) * likely(&part["one"]["full_watts"]))
        .sum();
    let wall = likely(&data["wall"]["full_watts"]);
    let near = |one: f64, other: f64| assert!((one / other - 1.0).abs() < 1e-3, "{one} {other}");
    near(wall, direct / 0.9);
    near(likely(&data["heat"]["watts"]), wall);
    near(likely(&data["heat"]["btu_per_hour"]), wall * 3.412);
    near(likely(&data["heat"]["air_m3_per_hour"]), wall * 3600.0 / (1206.0 * 10.0));
    near(likely(&data["heat"]["warming_kelvin_per_minute"]), wall * 60.0 / (1206.0 * 30.0));
    near(likely(&data["battery"]["minutes"]), 1500.0 * 0.9 / wall * 60.0);
    let (work, rest) = (&data["wall"]["working_watts"], &data["wall"]["idle_watts"]);
    let kwh = likely(&data["year"]["energy_kwh"]);
    near(kwh, (likely(work) + likely(rest)) / 2.0 * 8.76);
    near(likely(&data["year"]["cost"]), kwh * 0.30);
    for circuit in list(&data["circuits"]) {
        let fit = (number(&circuit["continuous_watts"]) / wall).floor();
        assert!((likely(&circuit["machines"]) - fit).abs() < 0.5, "{circuit}");
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    let circuit = |circuit: &str, more: &[&str], code: i32, verdict: &str| {
        let data = ends(&asked(&[&["--circuit", circuit], more].concat()), code);
        assert_eq!(data["circuit"]["verdict"], verdict);
    };
    circuit("20 A/240 V", &[], 0, "enough");
    circuit("20 A/120 V", &[], 1, "uncertain");
    circuit("20 A/120 V", &["--accept-uncertain"], 0, "uncertain");
    circuit("10 A/120 V", &["--accept-uncertain"], 1, "too small");
    let supply = |watts: &str, atx: &str, code: i32, verdict: &str| {
        let data = ends(&asked(&["--supply", watts, "--atx", atx]), code);
        assert_eq!(data["supply"]["stated"]["verdict"], verdict, "{watts}");
        // A verdict says no more than the range beside it.
        let needed = &data["supply"][format!("needed_atx{atx}_watts")];
        let rating: f64 = watts.trim_end_matches(" W").parse().unwrap();
        assert_eq!(verdict == "too small", rating < number(&needed["low"]), "{needed}");
        assert_eq!(verdict == "enough", rating >= number(&needed["high"]), "{needed}");
    };
    supply("1000 W", "3", 1, "too small");
    supply("2000 W", "3", 1, "uncertain");
    supply("2600 W", "3", 0, "enough");
    supply("2600 W", "2", 1, "uncertain");
    let shown = nearside(&[&TWO_CARDS[..], &["--circuit", "10 A/120 V"]].concat()).exits(1);
    assert!(shown.stdout.contains("TOO SMALL for this machine"), "{}", shown.stdout);
    let shown = nearside(&[&TWO_CARDS[..], &["--supply", "2000 W", "--explain"]].concat()).exits(1);
    for told in ["UNCERTAIN: likely too small", "share of the supply's rating", "160-200 %"] {
        assert!(shown.stdout.contains(told), "{told}: {}", shown.stdout);
    }
}

#[test]
fn modules_are_in_whole_servers_and_what_is_assumed_is_told() {
    let asked = |device: &str, count: &str, more: &[&str], code: i32| {
        let words = ["doctor", "--power", "--on", device, "--count", count];
        nearside(&[&words[..], more].concat()).exits(code)
    };
    let server = asked("h100-sxm", "8", &["--json"], 0).data();
    assert_eq!(server["wall"]["full_watts"]["likely"], 10200.0);
    let unknown = text(&server["supply"]["unknown"]);
    assert_eq!(unknown, "NVIDIA DGX H100 brings its own supplies");
    for (device, count, told) in [
        ("h100-sxm", "8", "1x NVIDIA DGX H100, of 10.2 kW at most, is assumed\n"),
        ("h100-sxm", "12", "2x NVIDIA DGX H100, of 10.2 kW at most, is assumed, without 4 of 16"),
        ("mi300x", "8", "the catalog has no server with it"),
        ("rtx-4090", "4", "4 cards are more than a desktop's board takes"),
        ("rtx-4090", "1", "nothing is stated but the accelerators"),
        ("gb10", "2", "is a machine of its own"),
    ] {
        let run = asked(device, count, &[], 0);
        assert!(run.stderr.contains(told), "{device}: {}", run.stderr);
    }
    let run = asked("h100-sxm", "8", &["--supply", "3 kW", "--processor", "200 W"], 1);
    for told in ["--supply is held against nothing", "--processor changes nothing"] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
}

#[test]
fn what_is_typed_is_stated_and_equal_ends_are_one_figure() {
    let more = ["--circuit", "20 A/240 V", "--tariff", "0.30 EUR/kWh", "--processor", "120 W"];
    let data = ends(&asked(&more), 0);
    assert_eq!(data["circuit"]["basis"], "stated: the command line");
    let input = |what: &str| {
        let found = list(&data["inputs"]).iter().find(|it| it["what"] == what);
        found.cloned().unwrap_or_else(|| panic!("{what} is an input"))
    };
    for what in ["circuit, for hours", "electricity tariff", "most that the processor draws"] {
        assert_eq!(input(what)["kind"], "stated", "{what}");
    }
    assert_eq!(input("time at work")["value"], "11.9 %");
}

#[test]
fn what_is_no_figure_is_told() {
    for (words, told) in [
        (&["--power", "--circuit", "16 A"][..], "16 A/230 V"),
        (&["--power", "--circuit", "16 A/0 V"], "greater than zero"),
        (&["--power", "--hours", "25 h/day"], "8 h/day"),
        (&["--power", "--battery", "1500"], "needs a unit"),
        (&["--power", "--battery", "0 Wh"], "more than nothing"),
        (&["--power", "--supply", "0 W"], "more than nothing"),
        (&["--power", "--supply", "-5 W"], "cannot be negative"),
        (&["--power", "--processor", "0 W"], "more than nothing"),
        (&["--power", "--tariff", "-0.30 EUR/kWh"], "a price is zero or more"),
        (&["--power", "--hours", "-1 h/day"], "cannot be negative"),
        (&["--power", "--atx", "3"], "--supply"),
        (&["--circuit", "16 A/230 V"], "--power"),
        (&["--power", "--measure"], "--measure"),
        (&["--power", "--on", "t4", "--site", "x.toml"], "--site"),
    ] {
        let run = nearside(&[&["doctor"], words].concat()).exits(2);
        assert!(run.stderr.contains(told), "{words:?}: {}", run.stderr);
    }
    let run = nearside(&["doctor", "--power", "--on", "rtx-9999"]).exits(3);
    assert!(run.stderr.contains("rtx-9999"), "{}", run.stderr);
}

/// A project that states its machine.
fn project(name: &str) -> Folder {
    let folder = Folder::cleared(name);
    folder.write(
        "nearside.toml",
        r#"version = 1
name = "recorded"
[stage.train]
phase = "train"
run = "true"
[site.here]
power    = { load = "560 W", idle = "95 W", tariff = "0.31 EUR/kWh" }
location = { country = "DE" }
[sites]
use = ["here"]
[money]
currency = "EUR"
"#,
    );
    folder
}

#[test]
fn a_project_states_wall_power_place_and_tariff() {
    let folder = project("power-project");
    let path = folder.path().to_str().unwrap();
    let run = nearside(&["doctor", path, "--power", "--json"]).exits(0);
    let data = run.data();
    check_schema("doctor-power", &data);
    assert_eq!(data["wall"]["full_watts"]["high"], 560.0);
    assert_eq!(data["wall"]["idle_watts"]["low"], 95.0);
    assert_eq!(data["circuit"]["circuit"], "16 A/230 V");
    assert!(text(&data["circuit"]["basis"]).contains("the usual outlet of DE"));
    assert_eq!(data["year"]["cost"]["currency"], "EUR");
    let hintless = nearside(&["doctor", path, "--power"]).exits(0);
    assert!(!hintless.stderr.contains("a meter at the outlet"), "{}", hintless.stderr);
}

#[test]
fn runs_that_sensors_saw_are_measurements() {
    let folder = project("power-measured");
    let ran = |began: &str, joules: f64, method: &str| RunRow {
        run_seconds: Some(3600.0),
        energy_joules: Some(joules),
        energy_method: Some(method.to_owned()),
        ..row("train", Outcome::Ran, began)
    };
    let mean = |watts: f64| watts * 3600.0;
    keep(
        &folder,
        &[
            ran("2026-11-20T10:00:00Z", mean(300.0), "sampled"),
            ran("2026-11-21T10:00:00Z", mean(400.0), "measured"),
            // What was made of what is stated says nothing new.
            ran("2026-11-22T10:00:00Z", mean(900.0), "modelled"),
        ],
    );
    let path = folder.path().to_str().unwrap();
    let data = nearside(&["doctor", path, "--power", "--json"]).exits(0).data();
    let work = &data["wall"]["working_watts"];
    let ends = ["low", "likely", "high"].map(|end| number(&work[end]).round() as u32);
    assert_eq!(ends, [300, 350, 400]);
    let input = list(&data["inputs"]).iter().find(|it| it["what"] == "at the wall, at work");
    let input = input.expect("what was measured is an input");
    assert_eq!((text(&input["kind"]), text(&input["value"])), ("measured", "300-400 W"));
    assert!(text(&input["source"]).contains("2 runs of 2.00 h"), "{input}");
    // More than is stated.
    keep(&folder, &[ran("2026-11-22T12:00:00Z", mean(600.0), "measured")]);
    let mut command = command(&["doctor", path, "--power"]);
    let output = command.output().unwrap();
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(warned.contains("600 W, more than the stated load of 560 W"), "{warned}");
}
