//! `nearside roi`: whether a machine pays, of projects, of what is stated alone, and of a file of cases.

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, list, nearside, number, text};
use crate::project::{CHAIN, Project};

const EXAMPLE: &str = "examples/support-assistant";
/// A workstation that is stated whole.
const STATED: [&str; 12] = [
    "--against",
    "aws/g5.xlarge@us-east-1",
    "--set",
    "machine_price=3500 USD",
    "--set",
    "hours=240",
    "--set",
    "load=550 W",
    "--set",
    "idle=100 W",
    "--set",
    "tariff=0.15 USD/kWh",
];

#[test]
fn paybacks_are_those_that_were_published() {
    let answer = nearside(&["roi", "--cases", "docs/payback.toml", "--json"]).exits(0).data();
    check_schema("roi-cases", &answer);
    let row = |case: usize, name: &str| -> Vec<f64> {
        let rows = list(&answer["cases"][case]["table"]["rows"]);
        let row = rows.iter().find(|row| text(&row["name"]).starts_with(name)).unwrap();
        list(&row["payback_months"]).iter().map(|it| it.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let expected: [(usize, &str, &[f64]); 10] = [
        (0, "aws/g6.xlarge", &[105.0, 38.0, 23.0, 13.0, 6.8]),
        (0, "aws/g5.xlarge", &[71.0, 28.0, 17.5, 10.0, 5.3]),
        (0, "runpod A100 80 GB (2025)", &[44.0, 19.0, 12.0, 7.0, 3.7]),
        (0, "aws/g6e.xlarge", &[30.0, 13.0, 8.6, 5.1, 2.7]),
        (0, "azure/Standard_NC24ads_A100_v4", &[13.0, 6.3, 4.2, 2.5, 1.3]),
        (1, "lambda/gpu_1x_h100_pcie", &[f64::NAN, 44.0, 22.0, 11.0, 5.3]),
        (1, "aws/p5.4xlarge", &[39.0, 13.0, 8.0, 4.5, 2.4]),
        (2, "aws/p5.48xlarge (May 2025)", &[21.0, 11.7]),
        (2, "aws/p5.48xlarge@", &[38.0, 21.1]),
        (2, "runpod 8x H100", &[59.0, 32.6]),
    ];
    for (case, name, months) in expected {
        for (found, months) in row(case, name).iter().zip(months) {
            // Half of the last digit that is printed.
            let rounding = if months.fract() == 0.0 { 0.5 } else { 0.0501 };
            let close = (found - months).abs() <= rounding;
            assert!(close || (found.is_nan() && months.is_nan()), "{name}: {found} {months}");
        }
    }
}

#[test]
fn a_project_is_held_against_what_can_do_the_same() {
    let run = nearside(&["roi", EXAMPLE, "--json"]).exits(0);
    let answer = run.data();
    check_schema("roi", &answer);
    assert!(run.stdout.contains("can only be done here"), "what is personal stays: {}", run.stdout);
    let against = list(&answer["against"]);
    let months: Vec<f64> = against.iter().map(|it| number(&it["cash_per_month"])).collect();
    assert!(months.is_sorted() && against.len() == 5, "the least cash a month first: {months:?}");
    let here = &answer["here"];
    let parts: f64 = list(&here["parts_per_month"]).iter().map(|it| number(&it["amount"])).sum();
    assert!((parts - number(&here["cash_per_month"])).abs() < 0.03, "{here}");
    for one in against {
        let saving = number(&one["cash_per_month"]) - number(&here["cash_per_month"]);
        assert!((saving - number(&one["saving_per_month"])).abs() < 0.02, "{one}");
        let payback = number(&here["price"]) / saving;
        assert!((payback - number(&one["payback_months"])).abs() < 0.01 * payback, "{one}");
        let odds: Vec<f64> = list(&one["odds"]).iter().map(|it| number(&it["share"])).collect();
        assert!(odds.is_sorted() && odds.iter().all(|it| (0.0..=1.0).contains(it)), "{odds:?}");
        assert!(!list(&one["swings"]).is_empty());
    }
    // Every input says where it is from.
    for input in list(&answer["inputs"]) {
        assert!(!text(&input["source"]).is_empty() && !text(&input["kind"]).is_empty(), "{input}");
    }
}

#[test]
fn the_same_seed_draws_the_same() {
    let drawn = |seed: &str| {
        let arguments = ["roi", EXAMPLE, "--draws", "2000", "--seed", seed, "--json"];
        nearside(&arguments).exits(0).data()["against"][0]["net_present_value_drawn"].clone()
    };
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
}

#[test]
fn projects_share_a_machine() {
    let hours = |paths: &[&str]| {
        let arguments = [&["roi", "--json"], paths].concat();
        number(&nearside(&arguments).data()["here"]["hours_per_month"])
    };
    let alone = hours(&[EXAMPLE]);
    let more = hours(&["examples/defect-detector"]);
    let both = hours(&[EXAMPLE, "examples/defect-detector"]);
    // Work that is moved to other sites with both may be less than the sum, never more.
    assert!(both > alone && both <= alone + more + 1e-6, "{alone} {more} {both}");
}

#[test]
fn the_machine_is_that_of_the_first_project() {
    let folder = Folder::cleared("roi-two");
    for name in ["nearside.toml", "workstation.toml"] {
        let from = crate::command::root().join(EXAMPLE).join(name);
        folder.write(name, std::fs::read(from).unwrap());
    }
    let text_of = std::fs::read_to_string(folder.path().join("nearside.toml")).unwrap();
    let other = "\n[roi.here]\nmachine_price = \"1 USD\"\nroom = \"900 USD/month\"\n";
    folder.write("nearside.toml", text_of + other);
    let second = folder.path().to_str().unwrap();
    let run = nearside(&["roi", EXAMPLE, second, "--json"]).exits(0);
    let answer = run.data();
    assert!((number(&answer["here"]["price"]) - 3600.0).abs() < 1e-9, "{answer}");
    assert!(run.stdout.contains("is left out: the machine is that of"), "{}", run.stdout);
}

#[test]
fn odds_follow_prices_that_change() {
    let falling = ["--set", "far.price_change=-40..-30..-20 %", "--set", "hours=130", "--json"];
    let answer = nearside(&[&["roi"], &STATED[..], &falling].concat()).exits(1).data();
    let odds = list(&answer["against"][0]["odds"]);
    let within_life = odds.iter().map(|it| number(&it["share"])).next_back().unwrap();
    assert!(within_life < 0.05, "prices fall by a third each year: {odds:?}");
}

#[test]
fn no_answer_is_json_too() {
    let folder = Folder::cleared("roi-nothing");
    let file = folder.write(
        "nearside.toml",
        "version = 1\nname = \"a\"\n[stage.a]\nphase = \"train\"\nrun = \"true\"\n",
    );
    for command in ["roi", "resilience"] {
        let answer = nearside(&[command, &file, "--json"]).exits(1).data();
        check_schema("unknown", &answer);
        assert!(!text(&answer["unknown"]).is_empty(), "{answer}");
    }
}

#[test]
fn what_is_stated_alone_is_enough() {
    let arguments = [&["roi", "--json"], &STATED[..]].concat();
    let answer = nearside(&arguments).exits(0).data();
    let payback = number(&answer["against"][0]["payback_months"]);
    assert!((payback - 17.5).abs() < 0.05, "{payback}");
    // A discount for a commitment that pays all hours.
    let committed = ["--terms", "committed", "--set", "far.discount=40 %"];
    let answer = nearside(&[&arguments[..], &committed].concat()).data();
    let month = number(&answer["against"][0]["cash_per_month"]);
    assert!((month - 730.0 * 1.006 * 0.6).abs() < 0.01, "{month}");
    assert_eq!(answer["against"][0]["break_even_hours_per_month"], "all hours are paid");
    // Waiting that is stated is worth something.
    let waits = ["--set", "people=4", "--set", "waits=6", "--set", "wait_there=8 min"];
    let answer = nearside(&[&arguments[..], &waits].concat()).exits(0).data();
    let value = number(&answer["here"]["time_value_per_month"]);
    assert!((value - 4.0 * 6.0 * 21.0 * 8.0 / 60.0 * 60.0 * 0.5).abs() < 0.01, "{value}");
    let one = &answer["against"][0];
    assert!(number(&one["payback_with_time_months"]) < number(&one["payback_months"]));
}

#[test]
fn somebody_else_houses_it_or_does_it() {
    let more = ["--colocate", "90 USD/month", "--outsource", "500 USD/month", "--json"];
    let answer = nearside(&[&["roi"], &STATED[..], &more].concat()).exits(0).data();
    let colocated = number(&answer["colocated"]["cash_per_month"]);
    assert!((colocated - 90.0 - 3500.0 * 0.05 / 12.0).abs() < 0.01, "{colocated}");
    let service = &answer["against"][1];
    assert_eq!(text(&service["name"]), "outsourced");
    assert!((number(&service["cash_per_month"]) - 500.0).abs() < 0.01, "{service}");
}

#[test]
fn what_is_there_all_the_time_is_owned_and_peaks_are_rented() {
    let split = |hours: &str| {
        let more = ["--set", hours, "--set", "machines=1", "--json"];
        let answer = nearside(&[&["roi"], &STATED[..], &more].concat()).data();
        let from = number(&answer["against"][0]["break_even_hours_per_month"]);
        let frontier = list(&answer["frontier"]);
        assert!((number(&frontier[2]["from_hours_per_month"]) - from).abs() < 1e-9, "{frontier:?}");
        let split = &answer["split"];
        (number(&split["own_machines"]), number(&split["rented_hours_per_month"]), from)
    };
    // Two full machines, and a little more than a third one is worth; and a little less.
    let (own, rented, from) = split("hours=1500");
    assert!(from > 41.0 && from < 200.0, "{from}");
    assert!((own - 2.0).abs() < 1e-9 && (rented - 40.0).abs() < 1e-9, "{own} {rented}");
    let (own, rented, _) = split("hours=1700");
    assert!((own - 3.0).abs() < 1e-9 && rented.abs() < 1e-9, "{own} {rented}");
}

#[test]
fn a_claim_is_held_against_what_follows() {
    let claimed = |claim: &str| {
        let more = ["--claim", claim, "--json"];
        let answer = nearside(&[&["roi"], &STATED[..], &more].concat()).exits(0).data();
        check_schema("roi", &answer);
        answer["claims"][0].clone()
    };
    assert_eq!(claimed("payback=17.5 months")["holds"], true);
    // 3500 / (201.33 - 72.92 in four years), as if the machine were paid twice.
    let twice = claimed("payback=27.47 months");
    assert_eq!(twice["holds"], false);
    assert_eq!(twice["slips"][0]["name"], "purchase-counted-twice", "{twice}");
    assert_eq!(claimed("payback=1 months")["slips"], Value::Array(Vec::new()));
    let wrong =
        |claim: &str| nearside(&[&["roi"], &STATED[..], &["--claim", claim]].concat()).exits(2);
    assert!(wrong("paybak=1 months").stderr.contains("did you mean payback?"));
    wrong("payback=soon");
    wrong("payback");
}

#[test]
fn what_never_pays_ends_with_one() {
    let less = ["--set", "hours=10"];
    let run = nearside(&[&["roi"], &STATED[..], &less].concat()).exits(1);
    assert!(run.stdout.contains("never pays back"), "{}", run.stdout);
}

#[test]
fn a_project_states_inputs() {
    let folder = Folder::cleared("roi-project");
    for name in ["nearside.toml", "workstation.toml"] {
        let from = format!("{EXAMPLE}/{name}");
        folder.write(name, std::fs::read(crate::command::root().join(from)).unwrap());
    }
    let path = folder.path().to_str().unwrap();
    let file = std::fs::read_to_string(folder.path().join("nearside.toml")).unwrap();
    let stated = "\n[roi.here]\nstaff_hours = \"2 h/month\"\n[roi.far]\nfee = \"10 EUR/month\"\n";
    let cash = |answer: &Value| number(&answer["here"]["cash_per_month"]);
    let without = nearside(&["roi", path, "--json"]).exits(0).data();
    folder.write("nearside.toml", format!("{file}{stated}"));
    let with = nearside(&["roi", path, "--json"]).exits(0).data();
    assert!((cash(&with) - cash(&without) - 2.0 * 60.0).abs() < 0.011, "{with}");
    let inputs = list(&with["inputs"]);
    let input = |name: &str| inputs.iter().find(|input| input["name"] == name).unwrap();
    assert_eq!(text(&input("staff_hours")["source"]), "the project file");
    assert!((number(&input("far1_fee")["likely"]) - 10.0).abs() < 1e-9);
    // The command line wins.
    let typed = nearside(&["roi", path, "--set", "staff_hours=0", "--json"]).exits(0).data();
    assert!((cash(&typed) - cash(&without)).abs() < 0.011, "{typed}");
    folder.write("nearside.toml", format!("{file}{}", stated.replace("staff_hours", "staf_hours")));
    let wrong = nearside(&["roi", path]).exits(3);
    assert!(
        wrong.stderr.contains("staf_hours") && wrong.stderr.contains("nearside.toml:"),
        "{}",
        wrong.stderr
    );
    assert!(wrong.stderr.contains("did you mean staff_hours?"), "{}", wrong.stderr);
}

#[test]
fn bills_say_what_a_machine_would_have_done() {
    let bill = "examples/bills/october.csv";
    let machine = ["--machine", "rtx-4090", "--bill", bill, "--json"];
    let answer = nearside(&[&["roi"], &STATED[2..4], &STATED[6..], &machine].concat()).data();
    check_schema("roi", &answer);
    let beside = nearside(&["bill", bill, "--machine", "rtx-4090", "--json"]).exits(0).data();
    let done = &beside["near"];
    let hours = number(&answer["here"]["used_hours_per_month"]);
    let share = number(&done["utilisation"]);
    assert!((hours / 730.0 - share).abs() < 1e-6, "{hours} {share}: {done}");
    let project = nearside(&["roi", EXAMPLE, "--bill", bill, "--json"]).data();
    assert_eq!(text(&project["against"][0]["name"]), "the bill");
    let nothing = nearside(&["roi", "--bill", "nowhere.csv", "--machine", "rtx-4090"]);
    assert!(matches!(nothing.code, 3 | 4), "{}", nothing.stderr);
}

#[test]
fn documents_are_written_whole() {
    let folder = Folder::cleared("roi-documents");
    assert!(!folder.path().join("link.html").exists());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (xlsx, html, csv) = (file("a.xlsx"), file("new/a.html"), file("a.csv"));
    let more = ["--xlsx", &xlsx, "--html", &html, "--csv", &csv, "--draws", "500"];
    let run = nearside(&[&["roi"], &STATED[..], &more].concat()).exits(0);
    assert!(run.stderr.contains("a.xlsx is written"), "{}", run.stderr);
    let read = |file: &str| std::fs::read(file).unwrap();
    assert!(read(&xlsx).starts_with(b"PK"), "a spreadsheet is a ZIP file");
    let page = String::from_utf8(read(&html)).unwrap();
    assert!(page.contains("17.5 months") && page.contains("<svg"), "{page}");
    let table = String::from_utf8(read(&csv)).unwrap();
    assert!(
        table.lines().any(|line| line.contains("machine_price,Price of a machine,3500")),
        "{table}"
    );
    // The same day and draws give the same bytes.
    let before = (read(&xlsx), read(&html), read(&csv));
    nearside(&[&["roi"], &STATED[..], &more].concat()).exits(0);
    assert!(before == (read(&xlsx), read(&html), read(&csv)));
    #[cfg(unix)]
    {
        // A link stays one, and what it leads to is written.
        std::os::unix::fs::symlink(file("new/a.html"), file("link.html")).unwrap();
        let link = file("link.html");
        nearside(&[&["roi"], &STATED[..], &["--html", &link, "--draws", "500"]].concat()).exits(0);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(read(&html).starts_with(b"<!doctype html>"));
    }
    let template = file("t.xlsx");
    nearside(&["roi", "--template", &template]).exits(0);
    assert!(read(&template).starts_with(b"PK"));
    folder.write("taken/inside", "");
    let taken = file("taken");
    let run = nearside(&[&["roi"], &STATED[..], &["--xlsx", &taken]].concat()).exits(4);
    assert!(run.stderr.contains("cannot write"), "{}", run.stderr);
}

#[test]
fn hours_are_those_that_were_recorded() {
    let sites = "[sites]\nuse = [\"here\", \"lambda/gpu_1x_h100_pcie@*\"]\n\
        [site.here]\nprice = \"3500 EUR\"\nbought = \"2026-03\"\n\
        power = { load = \"550 W\", idle = \"100 W\", tariff = \"0.3 EUR/kWh\" }\n\
        [money]\ncurrency = \"EUR\"\nrates = { USD = \"0.92 EUR\" }\nas_of = \"2026-11-20\"\n";
    let project = Project::new("roi-recorded", &format!("{CHAIN}{sites}"));
    project.0.write("sort.sh", "sleep 0.4; sort \"$1\"\n");
    let against = ["roi", "--recorded", "--against", "lambda/gpu_1x_h100_pcie@us-east-1"];
    let nothing = project.nearside(&against).exits(3);
    assert!(nothing.stderr.contains("nothing was recorded yet"), "{}", nothing.stderr);
    project.run(&[], 0);
    let answer = project.nearside(&[&against[..], &["--json"]].concat());
    let runs = project.nearside(&["ledger", "list", "--json"]).exits(0).data();
    let seconds = list(&runs["runs"]).iter().filter_map(|run| run["run_seconds"].as_f64());
    // A week, of which the ledger has but a moment.
    let expected = seconds.sum::<f64>() / 3600.0 / (7.0 * 24.0) * 730.0;
    let hours = number(&answer.data()["here"]["hours_per_month"]);
    assert!(expected > 0.0 && (hours - expected).abs() < 1e-6 * expected, "{hours} {expected}");
    assert!(answer.stdout.contains("says little about a month"), "{}", answer.stdout);
}

#[test]
fn a_report_is_written_in_every_form() {
    let folder = Folder::cleared("report");
    let into = folder.path().join("new").to_str().unwrap().to_owned();
    let run = nearside(&["report", EXAMPLE, "--output", &into, "--draws", "500"]).exits(0);
    assert!(run.stdout.starts_with("support-assistant: a machine for 3600 EUR"), "{}", run.stdout);
    let read = |name: &str| std::fs::read(folder.path().join("new").join(name)).unwrap();
    for name in ["report.html", "report.xlsx", "report.csv"] {
        assert!(read(name).len() > 10_000, "{name}");
    }
    let json: Value = serde_json::from_slice(&read("report.json")).unwrap();
    let answer = nearside(&["roi", EXAMPLE, "--draws", "500", "--json"]).exits(0).envelope();
    assert_eq!(json, answer, "all of one answer");
}

#[test]
fn rates_without_a_day_are_told() {
    let folder = Folder::cleared("roi-undated");
    for name in ["nearside.toml", "workstation.toml"] {
        let from = crate::command::root().join(EXAMPLE).join(name);
        let content = std::fs::read_to_string(from).unwrap();
        let undated: Vec<&str> = content.lines().filter(|it| !it.starts_with("as_of ")).collect();
        folder.write(name, undated.join("\n"));
    }
    let says = "of which day the exchange rates";
    let run = nearside(&["roi", folder.path().to_str().unwrap(), "--draws", "100"]).exits(0);
    assert!(run.stderr.contains(says), "{}", run.stderr);
    let run = nearside(&["roi", EXAMPLE, "--draws", "100"]).exits(0);
    assert!(!run.stderr.contains(says), "{}", run.stderr);
}

#[test]
fn every_input_is_listed() {
    let answer = nearside(&["roi", "--inputs", "--json"]).exits(0).data();
    check_schema("roi-inputs", &answer);
    let shown = nearside(&["roi", "--inputs"]).exits(0).stdout;
    for (side, prefix) in [("near", ""), ("far", "far.")] {
        for input in list(&answer[side]) {
            let name = format!("{prefix}{}", text(&input["name"]));
            assert!(shown.contains(&name), "{name}");
            let stated = input.get("usual").is_none_or(Value::is_null);
            assert!(stated || !text(&input["why"]).is_empty(), "{name} says why");
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let says = |more: &[&str], code: i32, expected: &str| {
        let run = nearside(&[&["roi"], more].concat()).exits(code);
        assert!(run.stderr.contains(expected), "{more:?}: {}", run.stderr);
    };
    says(&[EXAMPLE, "--set", "machine_prize=3 EUR"], 2, "did you mean machine_price?");
    says(&[EXAMPLE, "--set", "far.pricee=3 EUR/h"], 2, "did you mean far.price?");
    says(&[EXAMPLE, "--set", "machine_price=3500"], 2, "not an amount of money");
    says(&[EXAMPLE, "--set", "machine_price"], 2, "is no NAME=VALUE");
    says(&[EXAMPLE, "--set", "machine_price=3500 CHF"], 2, "no exchange rate from CHF to EUR");
    says(&[EXAMPLE, "--set", "maintenance=30..10 %"], 2, "low <= likely <= high");
    says(&[EXAMPLE, "--hours", "-5"], 2, "-5");
    says(&[EXAMPLE, "--against", "aws/nothing"], 2, "aws/nothing");
    let all = "not stated: machine_price (Price of a machine), load (";
    says(&[&STATED[..2], &["--set", "hours=1"]].concat(), 3, all);
    says(&STATED[..2], 3, "--set tariff='0.30 USD/kWh'");
    let spot = ["--against", "aws/g5.xlarge@eu-west-1", "--terms", "spot"];
    says(&[&spot[..], &STATED[2..]].concat(), 2, "how often");
    says(&[EXAMPLE, "--terms", "spot"], 2, "--against");
    says(&[&STATED[..], &["--terms", "committed"]].concat(), 2, "what a commitment saves");
    says(&[EXAMPLE, "--recorded"], 3, "nothing was recorded yet");
    says(&["--against", "ovhcloud/l4-90@GRA11"], 3, "--rate EUR=");
    let folder = Folder::cleared("roi-cases");
    let file = folder.write("cases.toml", "[[case]]\ntitle = 1\n");
    says(&["--cases", &file], 3, "invalid type");
    let bad = "[[case]]\ntitle = \"a\"\nset = { life = \"90 years\" }\nhours = [1]\nagainst = []\n";
    let file = folder.write("range.toml", bad);
    says(&["--cases", &file], 3, "a: life");
    says(&["--cases", "nowhere.toml"], 3, "nowhere.toml");
}
