//! `nearside ledger`: what runs leave in it, and what happens when it cannot be used.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::process::Command;

use serde_json::Value;

use crate::command::{Run, command, list, root};
use crate::project::{CHAIN, Project};

/// Stage and outcome of every execution, the oldest first.
fn recorded(project: &Project) -> Vec<(String, String)> {
    let answer = project.nearside(&["ledger", "list", "--json"]).exits(0).data();
    let text = |run: &Value, name: &str| run[name].as_str().unwrap().to_owned();
    let pairs = list(&answer["runs"]).iter().rev();
    pairs.map(|run| (text(run, "stage"), text(run, "outcome"))).collect()
}

fn project(name: &str, more: &str) -> Project {
    let project = Project::new(name, &format!("{CHAIN}{more}"));
    project.0.write("sort.sh", "sort \"$1\"\n");
    project
}

#[test]
fn runs_are_recorded_with_what_they_made() {
    let project = project("ledger", "[stage.bad]\nphase = \"evaluate\"\nrun = \"exit 7\"\n");
    let run = project.nearside(&["ledger", "list"]).exits(3);
    assert!(run.stderr.contains("nothing was recorded yet"), "{}", run.stderr);
    project.nearside(&["run", "--only", "bad"]).exits(7);
    project.run(&["--from", "sort"], 0);
    fs::remove_file(project.path().join("build/count.txt")).unwrap();
    project.run(&["--from", "count"], 0);
    let pairs = [
        ("bad", "failed"),
        ("sort", "ran"),
        ("count", "ran"),
        ("show", "ran"),
        ("count", "restored"),
        ("show", "cached"),
    ];
    assert_eq!(recorded(&project), pairs.map(|(stage, outcome)| (stage.into(), outcome.into())));

    let list_of = |arguments: &[&str]| {
        let arguments = [&["ledger", "list", "--json"], arguments].concat();
        let answer = project.nearside(&arguments).exits(0).data();
        list(&answer["runs"]).len()
    };
    assert_eq!(list_of(&["--stage", "count"]), 2);
    assert_eq!(list_of(&["--outcome", "failed"]), 1);
    assert_eq!(list_of(&["--since", "2999-01-01"]), 0);
    assert_eq!(list_of(&["--since", "2020-01-01", "--limit", "4"]), 4);
    project.nearside(&["ledger", "list", "--since", "tomorrow"]).exits(2);

    let answer = project.nearside(&["ledger", "list", "--stage", "sort", "--json"]).exits(0).data();
    let entry = answer["runs"][0]["entry"].to_string();
    let sort = project.nearside(&["ledger", "show", &entry, "--json"]).exits(0).data();
    assert_eq!(sort["artifacts"][0]["path"], "build/sorted.txt");
    assert_eq!(sort["artifacts"][0]["bytes"], 8);
    assert_eq!(sort["artifacts"][0]["class"], "public");
    assert!(sort["run_seconds"].as_f64().unwrap() > 0.0);
    project.nearside(&["ledger", "show", "999"]).exits(2);

    let runs = project.nearside(&["ledger", "export"]).exits(0).stdout;
    assert_eq!((runs.lines().count(), runs.starts_with("entry,run,")), (7, true), "{runs}");
    project.nearside(&["ledger", "export", "--form", "codecarbon", "-o", "emissions.csv"]).exits(0);
    let emissions = fs::read_to_string(project.path().join("emissions.csv")).unwrap();
    assert!(emissions.starts_with("timestamp,project_name,run_id,"), "{emissions}");
    let run = project.nearside(&["ledger", "export", "--table", "rnus"]).exits(2);
    assert!(run.stderr.contains("the tables are plans, runs"), "{}", run.stderr);
}

#[test]
fn estimates_are_held_against_what_was_measured() {
    let head = "size = \"1 GB\"\n";
    let stage = |name: &str, seconds: f64| {
        format!(
            "[stage.{name}]\nphase = \"prepare\"\ninputs = [\"words\"]\nrun = \"sleep 0.2\"\n\
             workload = {{ task = \"preparation\", core_seconds_per_gb = {seconds}, memory = \"1 GB\" }}\n"
        )
    };
    // How many processors there are decides what is estimated; these are far off on any number.
    let stages = [stage("short", 1e-6), stage("long", 1e9)].concat();
    let plain = "[stage.plain]\nphase = \"deploy\"\nrun = \"true\"\n";
    let project = Project::new("ledger-accuracy", &format!("{head}{stages}{plain}"));
    project.0.write("data/words.txt", "x".repeat(100_000));
    project.run(&[], 0);
    project.run(&["--force"], 0);
    let answer = project.nearside(&["ledger", "accuracy", "--json"]).exits(0).data();
    let stages = list(&answer["stages"]);
    let times = |at: usize| stages[at]["times"].as_f64().unwrap();
    assert_eq!((&stages[0]["stage"], &stages[1]["stage"]), (&"long".into(), &"short".into()));
    assert!(times(0) < 0.1 && times(1) > 1000.0, "{answer}");
    assert_eq!((&stages[0]["runs"], &answer["within_range"]), (&2.into(), &0.0.into()));
    assert_eq!(answer["without_estimate"], serde_json::json!(["plain"]));
    let text = project.nearside(&["ledger", "accuracy"]).exits(0).stdout;
    assert!(text.contains("0 % of the runs took a time in the estimated range"), "{text}");
}

#[test]
fn what_was_measured_makes_the_next_estimate() {
    let stages = "size = \"2 MB\"\n[stage.slow]\nphase = \"prepare\"\ninputs = [\"words\"]\n\
        outputs = [\"build/slow\"]\nrun = \"sleep 1.2; cp data/words.txt build/slow\"\n\
        workload = { task = \"preparation\", core_seconds_per_gb = 1e9, memory = \"1 GB\" }\n\
        [site.here]\nprice = \"1000 EUR\"\nbought = \"2026-01\"\nlocation = { country = \"DE\" }\n\
        power = { load = \"300 W\", idle = \"90 W\", tariff = \"0.30 EUR/kWh\" }\n";
    let project = Project::new("ledger-loop", stages);
    let planned = || project.nearside(&["plan", "--json"]).exits(0).data()["stages"][0].clone();
    let pass = |stage: &Value, end: &str| stage["pass_hours"][end].as_f64().unwrap();
    let before = planned();
    project.run(&[], 0);
    // The first entry is the plan.
    let run = project.nearside(&["ledger", "show", "2", "--json"]).exits(0).data();
    // It read 8 bytes, whatever the project says of its data: that is what it is held against.
    let (measured, estimated) =
        (run["run_seconds"].as_f64().unwrap(), run["predicted_seconds"][1].as_f64().unwrap());
    let declared = pass(&before, "likely") * 3600.0;
    assert!((estimated / declared - 8.0 / 2e6).abs() < 1e-9, "{estimated} {declared}");
    let after = planned();
    let times = pass(&after, "likely") / pass(&before, "likely");
    assert!((times / (measured / estimated) - 1.0).abs() < 1e-6, "{times} {run}");
    // As near as runs are to each other, not as wide as an estimate.
    let wide = |stage: &Value| pass(stage, "high") / pass(stage, "low");
    assert!((wide(&after) - 1.44).abs() < 1e-6 && wide(&before) > 1.5, "{}", wide(&before));
    let inputs = list(&after["inputs"]);
    let input = inputs.iter().find(|input| input["what"] == "time of earlier runs").unwrap();
    assert_eq!(
        (&input["kind"], &input["source"]),
        (&"measured".into(), &"1 run of this stage here".into())
    );
    // A ledger that cannot be read costs the plan nothing but a warning.
    let file = project.path().join(".nearside/ledger.db");
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(file.with_file_name(format!("ledger.db{end}")));
    }
    fs::write(&file, "no ledger").unwrap();
    let run = project.nearside(&["plan"]).exits(0);
    assert!(run.stderr.contains("earlier runs do not count"), "{}", run.stderr);
}

#[test]
fn stages_of_a_kind_correct_those_that_never_ran() {
    let stage = |name: &str, command: &str| {
        format!(
            "[stage.{name}]\nphase = \"prepare\"\ninputs = [\"words\"]\n\
             outputs = [\"build/{name}\"]\nrun = \"{command} data/words.txt build/{name}\"\n\
             workload = {{ task = \"preparation\", core_seconds_per_gb = 2e8, memory = \"1 GB\" }}\n"
        )
    };
    let site = "[site.here]\nprice = \"1000 EUR\"\nbought = \"2026-01\"\nlocation = { country = \"DE\" }\n\
        power = { load = \"300 W\", idle = \"90 W\", tariff = \"0.30 EUR/kWh\" }\n";
    let stages = stage("slow", "sleep 1.2; cp") + &stage("other", "cp") + site;
    let project = Project::new("ledger-kind", &stages);
    let input = |stage: usize, what: &str| {
        let answer = project.nearside(&["plan", "--json"]).exits(0).data();
        let inputs = list(&answer["stages"][stage]["inputs"]);
        inputs.iter().find(|input| input["what"] == what).cloned()
    };
    assert_eq!(input(1, "time of stages like it"), None);
    project.run(&["--only", "slow"], 0);
    let like = input(1, "time of stages like it").expect("a correction");
    assert_eq!(like["kind"], "derived");
    assert_eq!(like["source"], "runs here of stages of the same kind: slow");
    assert!(input(0, "time of earlier runs").is_some());
    assert_eq!(input(0, "time of stages like it"), None);
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_stage_uses_is_measured_all_its_trials_together() {
    // Two trials that count for a while, one of them in a process that the command leaves behind.
    let count = "i=0; while [ $i -lt {to} ]; do i=$((i+1)); done";
    let stage = format!(
        "[stage.spin]\nphase = \"tuning\"\nmatrix = {{ to = [300000, 300001] }}\n\
         run = \"sh -c '{count}' & wait; sleep 0.3\"\n"
    );
    let project = Project::new("ledger-meter", &stage);
    let run = project.nearside(&["run", "--json"]).exits(0).data();
    let ended = &run["stages"][0];
    let (wall, on) =
        (ended["seconds"].as_f64().unwrap(), ended["processor_seconds"].as_f64().unwrap());
    assert!(on > 0.1 && on < wall - 0.5, "{ended}");
    let memory = ended["peak_memory_bytes"].as_u64().unwrap();
    assert!((100 << 10..1 << 30).contains(&memory), "{ended}");
    let shown = project.nearside(&["ledger", "show", "1", "--json"]).exits(0).data();
    assert_eq!(shown["peak_memory_bytes"], memory);
    assert!(list(&shown["samples"]).len() >= 6, "{shown}");
    let text = project.nearside(&["ledger", "show", "1"]).exits(0).stdout;
    let bars = |name: &str| text.lines().any(|line| line.contains(name) && line.contains('█'));
    assert!(bars("memory  ") && bars("processors  "), "{text}");
    let samples = project.nearside(&["ledger", "export", "--table", "samples"]).exits(0).stdout;
    let times: Vec<f64> = samples
        .lines()
        .filter(|line| line.contains(",processor time,s,"))
        .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
        .collect();
    assert!(times.len() >= 6 && times.is_sorted(), "{samples}");
    assert!((times.last().unwrap() / on - 1.0).abs() < 0.05, "{on} {samples}");
}

#[test]
fn what_is_altered_is_found_and_what_cannot_be_written_stops_nothing_half_way() {
    let project = project("ledger-faults", "");
    project.run(&[], 0);
    let sound = project.nearside(&["ledger", "verify", "--json"]).exits(0).data();
    let entries = sound["entries"].as_u64().unwrap();
    // Three runs, what each made, and readings.
    assert!(sound["sound"] == true && entries >= 6, "{sound}");
    let head = sound["head"].as_str().unwrap().to_owned();
    project.nearside(&["ledger", "verify", "--head", &head]).exits(0);
    let other = format!("{entries}:{}", "0".repeat(64));
    let run = project.nearside(&["ledger", "verify", "--head", &other]).exits(1);
    assert!(run.stdout.contains("cut off or written anew"), "{}", run.stdout);

    // A page in the middle is overwritten.
    let file = project.path().join(".nearside/ledger.db");
    let whole = fs::read(&file).unwrap();
    let mut damaged = fs::OpenOptions::new().write(true).open(&file).unwrap();
    damaged.seek(SeekFrom::Start(4096 * (whole.len() as u64 / 8192))).unwrap();
    damaged.write_all(&[0xA5; 4096]).unwrap();
    drop(damaged);
    let run = project.nearside(&["ledger", "verify"]);
    assert!(run.code == 1 || run.code == 4, "{} {}", run.stdout, run.stderr);
    fs::write(&file, &whole).unwrap();
    project.nearside(&["ledger", "verify"]).exits(0);

    // Something else stands in its place: said before anything runs, and nothing is lost.
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(project.path().join(".nearside").join(name));
    }
    fs::write(&file, "this is no ledger, and it is not touched").unwrap();
    project.0.write("data/words.txt", "three\n");
    let run = project.nearside(&["run"]).exits(4);
    assert!(run.stderr.contains("ledger.db") && run.stderr.contains("hint:"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "this is no ledger, and it is not touched");
    let sorted = fs::read_to_string(project.path().join("build/sorted.txt")).unwrap();
    assert_eq!(sorted, "one\ntwo\n");
    fs::remove_file(&file).unwrap();
    project.run(&[], 0);
    assert_eq!(recorded(&project).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn energy_is_modelled_by_the_power_that_is_stated() {
    let site = "[stage.spin]\nphase = \"prepare\"\ninputs = [\"words\"]\noutputs = [\"build/spin\"]\n\
        run = \"timeout 1 sh -c 'while :; do :; done'; cp data/words.txt build/spin\"\n\
        [site.here]\nprice = \"1000 EUR\"\nbought = \"2026-01\"\n\
        power = { load = \"300 W\", idle = \"100 W\", tariff = \"0.30 EUR/kWh\" }\n";
    let project = Project::new("ledger-energy", site);
    project.run(&[], 0);
    let run = project.nearside(&["ledger", "list", "--json"]).exits(0).data()["runs"][0].clone();
    let Some(method) = run["energy_method"].as_str() else {
        eprintln!("SKIPPED: an accelerator's power cannot be told from the rest of this machine");
        return;
    };
    if method != "modelled" {
        eprintln!("SKIPPED: this machine has counters of power ({method})");
        return;
    }
    // A second at least of idling, and at most of all processors busy.
    let (joules, seconds) =
        (run["energy_joules"].as_f64().unwrap(), run["run_seconds"].as_f64().unwrap());
    assert!((80.0 * seconds..=310.0 * seconds).contains(&joules), "{joules} J in {seconds} s");
}

/// The command with a clock that is a day late, if there is `faketime` to make it so.
#[cfg(target_os = "linux")]
fn a_day_late(project: &Project, arguments: &[&str]) -> Option<Run> {
    Command::new("faketime").arg("--version").output().ok()?;
    let plain = command(arguments);
    let mut late = Command::new("faketime");
    late.args(["-f", "-1d"]).arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            late.env(name, value);
        }
    }
    // The clock that durations are taken from does not go back, nor do the times of files.
    late.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    late.current_dir(project.path());
    Some(Run::of(late, arguments))
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_goes_back_costs_nothing_but_a_note() {
    let project = project("ledger-clock", "");
    project.run(&[], 0);
    let Some(again) = a_day_late(&project, &["run"]) else {
        eprintln!("SKIPPED: no faketime (Debian package faketime), so no clock can be set back");
        return;
    };
    assert!(again.exits(0).stdout.contains("3 stages are up to date"));
    project.0.write("data/words.txt", "three\ntwo\none\n");
    let late = a_day_late(&project, &["run", "--json"]).unwrap().exits(0).data();
    let stages = list(&late["stages"]);
    assert!(stages.iter().all(|stage| stage["result"] == "done"), "{late}");
    assert!(stages.iter().all(|stage| (0.0..60.0).contains(&stage["seconds"].as_f64().unwrap())));
    assert_eq!(project.read("build/shown/count").trim(), "3");
    // Back in the present, nothing is lost, nothing runs again, and the newest are the last recorded.
    assert!(project.run(&[], 0).values().all(|result| result == "current"));
    assert_eq!(recorded(&project).len(), 12);
    let verified = project.nearside(&["ledger", "verify", "--json"]).exits(0).data();
    assert_eq!((&verified["sound"], list(&verified["clock_steps"]).len()), (&true.into(), 1));
    let listed = project.nearside(&["ledger", "list"]).exits(0).stdout;
    assert!(listed.contains("note: the clock went back before entry "), "{listed}");
    let listed = project.nearside(&["ledger", "list", "--limit", "3", "--json"]).exits(0).data();
    assert!(list(&listed["clock_steps"]).is_empty(), "{listed}");
    project.nearside(&["ledger", "accuracy"]).exits(0);
    project.nearside(&["ledger", "list", "--since", "2020-01-01"]).exits(0);
}

/// A stage that can be placed and priced, on a machine whose power and price are stated.
pub(crate) const PRICED: &str = "size = \"2 MB\"\n[stage.slow]\nphase = \"prepare\"\ninputs = [\"words\"]\n\
    outputs = [\"build/slow\"]\nrun = \"sleep 0.2; cp data/words.txt build/slow\"\n\
    workload = { task = \"preparation\", core_seconds_per_gb = 1e3, memory = \"1 GB\" }\n\
    [site.here]\nprice = \"1000 EUR\"\nbought = \"2026-01\"\nlocation = { country = \"DE\" }\n";
pub(crate) const POWER: &str =
    "power = { load = \"300 W\", idle = \"90 W\", tariff = \"0.30 EUR/kWh\" }\n";

/// The rows of an export, each by the names of its columns.
fn exported(project: &Project, arguments: &[&str]) -> Vec<BTreeMap<String, String>> {
    let arguments = [&["ledger", "export"], arguments].concat();
    let text = project.nearside(&arguments).exits(0).stdout;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn a_run_follows_a_plan_that_is_recorded_once() {
    let project = Project::new("ledger-plan", &format!("{PRICED}{POWER}"));
    project.run(&[], 0);
    project.run(&[], 0);
    project.run(&["--force"], 0);
    let runs = exported(&project, &[]);
    let plans = exported(&project, &["--table", "plans"]);
    assert_eq!(plans.len(), 1, "{plans:?}");
    let followed: Vec<_> = runs.iter().map(|run| run["plan"].as_str()).collect();
    assert_eq!(followed, [plans[0]["id"].as_str(), "", plans[0]["id"].as_str()]);
    assert_eq!(plans[0]["objective"], "cost");
    let kept: Value = serde_json::from_str(&plans[0]["plan_json"]).unwrap();
    let stage = &kept["stages"][0];
    assert_eq!((&stage["stage"], &stage["site"]), (&"slow".into(), &"here".into()));
    assert!(stage["pass_hours"]["likely"].as_f64().unwrap() > 0.0, "{kept}");
    assert!(!stage["reason"].as_str().unwrap().is_empty(), "{kept}");
    // Another limit is another plan.
    let text = project.read("nearside.toml");
    let limited = format!("{text}[objective]\nminimize = \"cost\"\ndeadline = \"48 h\"\n");
    project.0.write("nearside.toml", limited);
    project.run(&["--force"], 0);
    let plans = exported(&project, &["--table", "plans"]);
    assert_eq!((plans.len(), plans[1]["objective"].as_str()), (2, "cost, a pass within 48 h"));
    assert!(exported(&project, &["--table", "movements"]).is_empty());
}

#[test]
fn what_a_stage_cost_is_recorded_by_its_parts() {
    let project = Project::new("ledger-spend", &format!("{PRICED}{POWER}"));
    project.run(&[], 0);
    project.run(&[], 0);
    let charges = exported(&project, &["--form", "focus"]);
    let number = |row: &BTreeMap<String, String>, name: &str| row[name].parse::<f64>().unwrap();
    let items: Vec<_> = charges.iter().map(|row| row["SkuId"].as_str()).collect();
    assert_eq!(items, ["electricity", "wear"], "{charges:?}");
    for row in &charges {
        // What FOCUS 1.2 wants filled of every charge for use.
        for name in [
            "BilledCost BillingAccountId BillingCurrency BillingPeriodEnd BillingPeriodStart",
            "ChargeCategory ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost",
            "InvoiceIssuerName ListCost PricingQuantity PricingUnit PricingCategory",
            "ListUnitPrice ProviderName PublisherName ServiceCategory ServiceName",
        ]
        .iter()
        .flat_map(|names| names.split(' '))
        {
            assert!(!row[name].is_empty(), "{name}: {row:?}");
        }
        let product = number(row, "PricingQuantity") * number(row, "ListUnitPrice");
        assert!((product / number(row, "ListCost") - 1.0).abs() < 1e-12, "{row:?}");
        let moment = |name: &str| row[name].as_str();
        assert!(moment("ChargePeriodStart") < moment("ChargePeriodEnd"), "{row:?}");
        assert!(moment("BillingPeriodStart") <= moment("ChargePeriodStart"), "{row:?}");
        assert!(moment("ChargePeriodStart") < moment("BillingPeriodEnd"), "{row:?}");
    }
    let run = project.nearside(&["ledger", "show", "2", "--json"]).exits(0).data();
    let hours = run["run_seconds"].as_f64().unwrap() / 3600.0;
    assert!((number(&charges[1], "PricingQuantity") / hours - 1.0).abs() < 1e-3, "{charges:?}");
    // Between idle and load; the meter starts a little after the stage, which is all of 0.2 s long.
    let watts = number(&charges[0], "PricingQuantity") * 1e3 / hours;
    assert!((70.0..310.0).contains(&watts), "{watts}");
    assert!(charges[0]["ChargeDescription"].contains("at 0.3 EUR/kWh (site.here)"), "{charges:?}");
    let sum: f64 = charges.iter().map(|row| number(row, "BilledCost")).sum();
    let cost: f64 = run["cost"].as_str().unwrap().parse().unwrap();
    assert!((cost / sum - 1.0).abs() < 1e-12 && run["cost_currency"] == "EUR", "{run}");
}

#[test]
fn what_is_not_stated_costs_something_unknown_not_nothing() {
    let wear_only = Project::new("ledger-wear", PRICED);
    wear_only.run(&[], 0);
    let charges = exported(&wear_only, &["--form", "focus"]);
    assert_eq!(charges.iter().map(|row| row["SkuId"].as_str()).collect::<Vec<_>>(), ["wear"]);
    let runs = exported(&wear_only, &[]);
    assert_eq!(runs[0]["cost_amount"], "");
    let nothing = project("ledger-unpriced", "");
    nothing.run(&[], 0);
    assert!(exported(&nothing, &["--table", "spend"]).is_empty());
}

#[test]
fn what_a_stage_emitted_is_recorded_by_its_parts() {
    let project = Project::new("ledger-emissions", &format!("{PRICED}{POWER}pue = 1.5\n"));
    project.run(&[], 0);
    project.run(&[], 0);
    let runs = exported(&project, &[]);
    let number = |name: &str| runs[0][name].parse::<f64>().unwrap();
    // What the machine used, with the overhead of the building, on the grid of Germany.
    let electricity = number("energy_joules") / 3.6e6 * 1.5 * 380.95;
    let ratio = number("operational_grams_co2e") / electricity;
    assert!((ratio - 1.0).abs() < 1e-2, "{ratio} {runs:?}");
    assert!(number("embodied_grams_co2e") > 0.0, "{runs:?}");
    // What was there already emitted nothing anew.
    assert!(
        runs[1]["operational_grams_co2e"].is_empty() && runs[1]["embodied_grams_co2e"].is_empty()
    );
    let unmeasured = Project::new("ledger-emissions-unmeasured", PRICED);
    unmeasured.run(&[], 0);
    let runs = exported(&unmeasured, &[]);
    // Where nothing says what the machine draws, some of its energy is not known.
    assert_eq!(runs[0]["energy_joules"].is_empty(), runs[0]["operational_grams_co2e"].is_empty());
    assert!(!runs[0]["embodied_grams_co2e"].is_empty(), "{runs:?}");
}

/// What DuckDB finds in the Parquet file of runs.
const READ_PARQUET: &str = r#"
import duckdb, json, sys
runs = duckdb.read_parquet(sys.argv[1])
types = dict(zip(runs.columns, map(str, runs.types)))
rows = duckdb.sql("SELECT entry, stage, epoch_ms(began), run_seconds, cost_amount FROM runs").fetchall()
print(json.dumps([types, rows]))
"#;

#[test]
fn another_program_reads_the_parquet_files() {
    let project = project("ledger-parquet", "");
    project.run(&[], 0);
    project.run(&[], 0);
    let export = ["ledger", "export", "--form", "parquet", "-o", "runs.parquet"];
    project.nearside(&export).exits(0);
    let whole = fs::read(project.path().join("runs.parquet")).unwrap();
    assert!(whole.starts_with(b"PAR1") && whole.ends_with(b"PAR1"));
    let python = root().join("target/engines/duckdb/bin/python");
    if !python.exists() {
        eprintln!(
            "SKIPPED: no DuckDB to read a Parquet file with: python3 -m venv target/engines/duckdb \
             && target/engines/duckdb/bin/pip install duckdb"
        );
        return;
    }
    let mut reader = Command::new(python);
    reader.args(["-c", READ_PARQUET, "runs.parquet"]).current_dir(project.path());
    let found = reader.output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let (types, rows) = (&found[0], list(&found[1]));
    for (name, kind) in [
        ("entry", "BIGINT"),
        ("stage", "VARCHAR"),
        ("began", "TIMESTAMP WITH TIME ZONE"),
        ("run_seconds", "DOUBLE"),
        ("peak_memory_bytes", "BIGINT"),
        ("cost_amount", "VARCHAR"),
    ] {
        assert_eq!(types[name], kind, "{types}");
    }
    let listed = project.nearside(&["ledger", "list", "--json"]).exits(0).data();
    let mut recorded: Vec<&Value> = list(&listed["runs"]).iter().collect();
    recorded.reverse();
    assert_eq!(rows.len(), recorded.len());
    for (row, run) in rows.iter().zip(recorded) {
        assert_eq!((&row[0], &row[1]), (&run["entry"], &run["stage"]));
        assert_eq!((&row[3], &row[4]), (&run["run_seconds"], &Value::Null));
        assert!(row[2].as_u64().unwrap() > 1_700_000_000_000, "{row}");
    }
}
