//! `nearside carbon`: what a project emits, as planned and as recorded, and what stands beside it.
//!
//! `tests/golden/carbon/NAME.txt` has the text for each example; `NEARSIDE_UPDATE=1` writes it anew.

use std::collections::BTreeMap;
use std::path::Path;

use nearside_ledger::{ProjectLedger, RunRow};
use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, nearside, number, text};
use crate::project::{CHAIN, Project};
use crate::sources::examples;

const EXAMPLE: &str = "examples/support-assistant";

#[track_caller]
fn answer(rest: &[&str]) -> Value {
    nearside(&[&["carbon", EXAMPLE, "--json"], rest].concat()).exits(0).data()
}

#[test]
fn examples_emit_what_they_did() {
    let update = std::env::var_os("NEARSIDE_UPDATE").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/carbon");
    for example in examples() {
        let name = example.file_name().unwrap().to_str().unwrap();
        let path = example.to_str().unwrap();
        let run = nearside(&["carbon", path, "--explain", "--compare", "-q"]).exits(0);
        let file = folder.join(format!("{name}.txt"));
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &run.stdout).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(run.stdout, expected, "{name}; NEARSIDE_UPDATE=1 accepts it");
        let json = nearside(&["carbon", path, "--json"]).exits(0);
        check_schema("carbon", &json.data());
        assert!(!list(&json.envelope()["sources"]).is_empty(), "{name}");
    }
}

#[test]
fn it_is_the_carbon_of_the_plan() {
    let plan = nearside(&["plan", EXAMPLE, "--json"]).exits(0).data();
    let carbon = answer(&[]);
    let stages = list(&carbon["planned"]["stages"]);
    for (planned, found) in list(&plan["stages"]).iter().zip(stages) {
        assert_eq!((&planned["stage"], &planned["site"]), (&found["stage"], &found["site"]));
        let one = number(&planned["carbon_kg_per_month"]["likely"]);
        let other = number(&found["per_month"]["total_kg"]["value"]);
        assert!((one / other - 1.0).abs() < 1e-9, "{found}: {one} in the plan");
        let month = &found["per_month"];
        assert!(number(&month["p5_kg"]) < other && other < number(&month["p95_kg"]), "{month}");
    }
    let sum: f64 =
        stages.iter().map(|stage| number(&stage["per_month"]["total_kg"]["value"])).sum();
    let total = number(&carbon["planned"]["per_month"]["total_kg"]["value"]);
    assert!((sum / total - 1.0).abs() < 1e-9);
}

#[test]
fn scores_times_their_units_are_the_total_of_a_run() {
    let carbon = answer(&[]);
    let runs: BTreeMap<&str, f64> = list(&carbon["planned"]["stages"])
        .iter()
        .map(|stage| (text(&stage["stage"]), number(&stage["per_run"]["total_kg"]["value"]) * 1e3))
        .collect();
    let scores = list(&carbon["scores"]);
    assert!(scores.iter().any(|score| score["per"] == "million tokens"), "{scores:?}");
    for score in scores {
        let product = number(&score["score"]["grams"]) * number(&score["score"]["units"]);
        let run = runs[text(&score["stage"])];
        assert!((product / run - 1.0).abs() < 1e-9, "{score}: {run}");
        assert_eq!(score["score"]["label"], "SCI-style", "the boundary is not stated");
    }
    // A boundary that is stated is not lacking any more; that the share in use is assumed still is.
    let stated = answer(&["--per", "tokens", "--boundary", "nothing else belongs to it"]);
    let train = list(&stated["scores"]).iter().find(|score| score["stage"] == "train").unwrap();
    assert_eq!(
        (&train["per"], &train["score"]["label"]),
        (&"million tokens".into(), &"SCI-style".into())
    );
    let lacks = list(&train["score"]["lacks"]);
    assert!(lacks.len() == 1 && text(&lacks[0]).contains("is assumed"), "{train}");
    let explore = list(&stated["scores"]).iter().find(|score| score["stage"] == "explore").unwrap();
    assert_eq!(explore["score"]["unknown"], "its workload states no tokens");
    let images = answer(&["--per", "images"]);
    assert!(list(&images["scores"]).iter().all(|score| score["score"]["unknown"].is_string()));
}

#[test]
fn offsets_and_other_accounts_change_nothing_else() {
    let folder = Folder::cleared("carbon-offsets");
    let offsets = folder.write(
        "offsets.toml",
        "[[offset]]\ntonnes = 1000\nprice = 120\ncurrency = \"EUR\"\ntype = \"removal\"\n\
         durability_years = 1000\nregistry = \"P-1\"\nvintage = 2025\nretired = 2026-02-01\n\
         evidence = \"a page\"\n[[offset]]\ntonnes = 2\ntype = \"avoidance\"\n",
    );
    let mut plain = answer(&[]);
    let mut told = answer(&[
        "--offsets",
        &offsets,
        "--marginal",
        "here=700 g/kWh",
        "--market",
        "nebius/*=0 g/kWh",
    ]);
    let beside = told["offsets"].take();
    let accounts = told["accounts"].take();
    plain["accounts"].take();
    assert_eq!(plain, told);
    assert_eq!(
        [&beside["removed_kg"], &beside["avoided_kg"], &beside["not_retired_kg"]],
        [1e6, 0.0, 2e3].map(Value::from).each_ref()
    );
    assert_eq!(beside["gross_kg"]["value"], plain["planned"]["per_month"]["total_kg"]["value"]);
    let here = &list(&accounts)[0];
    assert_eq!((text(&here["site"]), &here["marginal"]["g_per_kwh"]), ("here", &700.0.into()));
    assert!(here["market"]["unknown"].is_string(), "{here}");
    let shown = nearside(&["carbon", EXAMPLE, "--offsets", &offsets]).exits(0).stdout;
    assert!(!shown.contains("net") || !shown.contains("net zero"), "{shown}");
    assert!(shown.contains("offset 2: not retired: somebody else may claim it"), "{shown}");
}

#[test]
fn what_a_provider_says_is_shown_and_not_multiplied_in() {
    let folder = Folder::cleared("carbon-google");
    let project = "version = 1\nname = \"google\"\n[model.base]\nsource = \"llama-3.2-1b\"\n\
        [stage.train]\nphase = \"train\"\nrepeat = \"2/month\"\nrun = \"true\"\n\
        workload = { task = \"lora\", rank = 16, model = \"base\", tokens = \"10M\", sequence = 1024, batch = 4 }\n\
        [sites]\nuse = [\"gcp/a3-highgpu-1g@us-central1\"]\n[money]\ncurrency = \"USD\"\n";
    let project = folder.write("nearside.toml", project);
    let carbon = nearside(&["carbon", &project, "--json"]).exits(0).data();
    let account = &list(&carbon["accounts"])[0];
    assert_eq!(account["carbon_free"], 0.87, "{account}");
    assert!(account["marginal"]["unknown"].is_string(), "{account}");
    let month = &carbon["planned"]["per_month"];
    let (kwh, kilograms) =
        (number(&month["energy_kwh"]["value"]), number(&month["operational_kg"]["value"]));
    assert!((kilograms / (kwh * 0.41272) - 1.0).abs() < 1e-9, "by the grid alone: {month}");
    let shown = nearside(&["carbon", &project]).exits(0).stdout;
    assert!(shown.contains("87.0 % of its energy, hour by hour"), "{shown}");
}

#[test]
fn sites_are_compared_and_sorted() {
    let carbon = answer(&["--compare"]);
    let sites = list(&carbon["sites"]);
    assert!(sites.len() > 20, "{}", sites.len());
    let lacking = |site: &Value| list(&site["left_out"]).len();
    let total = |site: &Value| site["per_month"]["total_kg"]["value"].as_f64().unwrap_or(f64::MAX);
    for pair in sites.windows(2) {
        let order = (lacking(&pair[0]), total(&pair[0])) <= (lacking(&pair[1]), total(&pair[1]));
        assert!(order, "{} before {}", pair[0]["site"], pair[1]["site"]);
    }
    let france = sites.iter().find(|site| site["site"] == "scaleway/H100-1-80G@fr-par-2").unwrap();
    assert_eq!(list(&france["not_allowed"]), ["explore", "anonymize"]);
}

/// Hours of one day: cheap from two to five.
fn day(rows: impl IntoIterator<Item = (u32, String)>) -> String {
    let rows = rows.into_iter();
    let rows: String =
        rows.map(|(hour, grams)| format!("2026-12-01T{hour:02}:00Z,{grams}\n")).collect();
    format!("datetime,carbon_intensity\n{rows}")
}

fn usual(hour: u32) -> (u32, String) {
    (hour, if (2..5).contains(&hour) { "100" } else { "400" }.to_owned())
}

#[test]
fn the_best_hour_is_found_in_the_hours_of_the_file() {
    let folder = Folder::cleared("carbon-hours");
    let file = folder.write("day.csv", day((0..24).map(usual)));
    let carbon = answer(&["--hourly", &file]);
    let hours = &carbon["hours"];
    assert_eq!(
        (&hours["from"], &hours["to"]),
        (&"2026-12-01T00:00Z".into(), &"2026-12-02T00:00Z".into())
    );
    assert_eq!(
        (&hours["is_past"], &hours["elsewhere"]),
        (&false.into(), &serde_json::json!(["train"]))
    );
    let features =
        list(&hours["stages"]).iter().find(|stage| stage["stage"] == "features").unwrap();
    let best = &features["best"];
    assert_eq!(best["start"], "2026-12-01T02:00Z", "{features}");
    assert!(number(&best["mean"]) < number(&best["average"]), "{features}");
    let saved = number(&best["saves_of_average"]);
    assert!((saved - (1.0 - number(&best["mean"]) / number(&best["average"]))).abs() < 1e-9);
    let serve = list(&hours["stages"]).iter().find(|stage| stage["stage"] == "serve").unwrap();
    assert!(text(&serve["best"]["unknown"]).contains("up all the time"), "{serve}");
    // Another site's grid.
    let other = answer(&["--hourly", &format!("nebius/*={file}")]);
    assert_eq!(list(&other["hours"]["stages"])[0]["stage"], "train");
    // Work that is longer than the file is not carried on into another day.
    let short = folder.write("short.csv", day([usual(2)]));
    let shown = nearside(&["carbon", EXAMPLE, "--hourly", &short]).exits(0).stdout;
    assert!(shown.contains("features: it takes"), "{shown}");
    assert!(shown.contains("the series ends after 1 h"), "{shown}");
}

#[test]
fn files_that_are_wrong_are_refused_with_the_line() {
    let folder = Folder::cleared("carbon-bad");
    let good = || (0..3).map(usual);
    let with = |hour: u32, grams: &str| day(good().chain([(hour, grams.to_owned())]));
    for (at, (content, expected)) in [
        (with(3, "-1"), "cannot be negative"),
        (with(3, "NaN"), "must be a finite number"),
        (with(3, "lots"), "\"lots\" is no number"),
        (with(2, "100"), "stands there twice"),
        (with(1, "100"), "not in order of time"),
        (with(5, "100"), "2 hours are missing"),
        (with(3, ""), "no figure for"),
        (with(3, "100,7"), "no CSV table"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = folder.write(&format!("{at}.csv"), content);
        let run = nearside(&["carbon", EXAMPLE, "--hourly", &file]).exits(3);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
        assert!(run.stderr.contains(".csv:5"), "{}", run.stderr);
    }
    let gone = folder.path().join("gone.csv");
    nearside(&["carbon", EXAMPLE, "--hourly", gone.to_str().unwrap()]).exits(3);
    let header = folder.write("header.csv", "a,b\n1,2\n");
    let run = nearside(&["carbon", EXAMPLE, "--hourly", &header]).exits(3);
    assert!(run.stderr.contains("hint: the header needs"), "{}", run.stderr);
    let offsets = folder.write("offsets.csv", "tonnes,type\n1,removal\n0,removal\n");
    let run = nearside(&["carbon", EXAMPLE, "--offsets", &offsets]).exits(3);
    assert!(run.stderr.contains("offsets.csv:3: tonnes"), "{}", run.stderr);
    let stranger = nearside(&["carbon", EXAMPLE, "--market", "nowhere=1 g/kWh"]).exits(0).stderr;
    assert!(stranger.contains("--market: no site in use is called nowhere"), "{stranger}");
    for wrong in ["here", "here=700", "here=much g/kWh", "here=-1 g/kWh"] {
        nearside(&["carbon", EXAMPLE, "--marginal", wrong]).exits(2);
    }
}

/// A project of commands that computes nothing that can be estimated.
fn ran(name: &str, site: &str) -> Project {
    let project = Project::new(name, &format!("{CHAIN}{site}"));
    project.0.write("sort.sh", "sleep 0.2; sort \"$1\"\n");
    project.run(&[], 0);
    project
}

const SITE: &str = "[site.here]\nlocation = { country = \"DE\" }\n";
const POWER: &str = "power = { load = \"300 W\", idle = \"90 W\" }\n";

#[test]
fn what_ran_here_is_recorded_whatever_the_plan() {
    let project = ran("carbon-recorded", &format!("{SITE}{POWER}"));
    project.run(&[], 0);
    let carbon = project.nearside(&["carbon", "--json"]).exits(0).data();
    assert!(carbon["planned"]["unknown"].is_string(), "{carbon}");
    let stages = list(&carbon["recorded"]["stages"]);
    assert_eq!(stages.len(), 3, "{stages:?}");
    let of = |stage: &Value, part: &str| stage["emissions"][part]["value"].as_f64();
    for stage in stages {
        assert_eq!(stage["executions"], 1, "what was there already emitted nothing: {stage}");
        assert!(of(stage, "embodied_kg").unwrap() > 0.0, "{stage}");
    }
    let shown = project.nearside(&["carbon", "--explain"]).exits(0).stdout;
    assert!(shown.contains("recorded on here since"), "{shown}");
    assert!(shown.contains("25.0 % (assumed: the ledger covers"), "{shown}");
}

#[test]
fn what_is_not_known_is_no_zero() {
    let project = ran("carbon-unknown", SITE);
    let carbon = project.nearside(&["carbon", "--json"]).exits(0).data();
    let total = &carbon["recorded"]["total"];
    if total["energy_kwh"]["value"].is_null() {
        assert!(total["operational_kg"]["value"].is_null(), "{total}");
        assert_eq!(total["operational_kg"]["lacks"][0], "the energy of some runs was not measured");
        let shown = project.nearside(&["carbon"]).exits(0).stdout;
        assert!(shown.contains("not all is known: the energy of some runs"), "{shown}");
    }
    let nothing = Project::new("carbon-nothing", CHAIN);
    nothing.nearside(&["carbon"]).exits(1);
}

/// The same on another day.
fn on(day: &str, project: &Project, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    command.current_dir(project.path()).env("NEARSIDE_TODAY", day);
    Run::of(command, arguments)
}

/// Writes an execution of so many hours into the ledger of a project.
fn worked(project: &Project, hours: f64) {
    let file = project.path().join(".nearside/ledger.db");
    let mut ledger = ProjectLedger::open(&file).unwrap();
    let row = ledger.all::<RunRow>().unwrap().remove(0).row;
    let row = RunRow { run_seconds: Some(hours * 3600.0), ..row };
    ledger.append(|to| to.add(&row).map(drop)).unwrap();
}

#[test]
fn real_use_takes_the_place_of_the_assumed_where_it_covers_enough_time() {
    let project = ran("carbon-in-use", &format!("{SITE}{POWER}"));
    let asked = ["carbon", "--json", "--boundary", "nothing else belongs to it"];
    let carbon = |day: &str| on(day, &project, &asked).exits(0).data();
    let how = |carbon: &Value| text(&carbon["in_use"]["how"]).to_owned();
    assert!(how(&carbon("2020-01-01")).contains("it takes 28.0 days to tell"));
    assert!(how(&carbon("2030-01-01")).contains("of work, and it takes 10.0 h to tell"));
    worked(&project, 50.0);
    let (now, later) = (carbon("2020-01-01"), carbon("2030-01-01"));
    let measured = |carbon: &Value| carbon["in_use"]["measured"] == true;
    assert!(!measured(&now) && measured(&later), "{later}");
    let share = number(&later["in_use"]["share"]);
    let made = |carbon: &Value| number(&carbon["recorded"]["total"]["embodied_kg"]["value"]);
    // An hour of a machine that is used less bears more.
    let ratio = made(&later) / made(&now) / (0.25 / share);
    assert!((ratio - 1.0).abs() < 1e-6, "{ratio}");
    let label = |carbon: &Value| {
        let scores = list(&carbon["scores"]).to_owned();
        let sort = scores.into_iter().find(|score| score["stage"] == "sort").unwrap();
        sort["score"]["label"].as_str().map(str::to_owned)
    };
    // Where nothing measured its energy there is no score at all.
    assert!(label(&now).is_none_or(|label| label == "SCI-style"), "{now}");
    assert!(label(&later).is_none_or(|label| label == "SCI"), "{later}");
}

#[test]
fn grid_figures_that_are_old_are_warned_about() {
    let project = ran("carbon-old", SITE);
    let warned =
        |day: &str| on(day, &project, &["carbon"]).exits(0).stderr.contains("older than 24 months");
    assert!(warned("2026-11-23") && !warned("2025-06-01"));
}
