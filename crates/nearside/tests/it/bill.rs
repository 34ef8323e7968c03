//! `nearside bill`: recorded shapes of every cloud's export, what is no bill, and our own ledger's.

use std::fs;

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, nearside, number, root, text};
use crate::ledger::{POWER, PRICED};
use crate::project::Project;

const DATA: &str = "crates/nearside/tests/data/bills";

const HEAD: &str = "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,\
    ChargeCategory,ProviderName,ServiceName,ChargeClass,ChargeDescription,x_UsageType,ConsumedQuantity,ConsumedUnit";

/// A row of an hour that cost something.
fn row(day: u32, cost: &str, currency: &str, category: &str, more: &str) -> String {
    format!(
        "{cost},{cost},{currency},2026-10-{day:02}T08:00:00Z,2026-10-{day:02}T09:00:00Z,{category},AWS,EC2,{more}\n"
    )
}

fn bill(files: &[&str]) -> Value {
    let arguments = [&["bill", "--json", "--machine", "rtx-4090"], files].concat();
    let answer = nearside(&arguments).exits(0).data();
    check_schema("bill", &answer);
    answer
}

/// Both totals, and hours of devices by device, machine and terms.
fn told(answer: &Value) -> (String, String, Vec<String>) {
    let amount = |name: &str| {
        let amount = &answer[name];
        let at_least = if list(&amount["missing"]).is_empty() { "" } else { "at least " };
        format!("{at_least}{} {}", text(&amount["amount"]), text(&answer["currency"]))
    };
    let kind = |kind: &Value| {
        let machine = kind["machine"].as_str().unwrap_or("-");
        let hours = number(&kind["device_hours"]);
        format!("{} {machine} {} {hours}", text(&kind["device"]), text(&kind["terms"]))
    };
    (amount("cash"), amount("amortised"), list(&answer["accelerators"]).iter().map(kind).collect())
}

#[test]
fn every_export_of_aws_says_the_same() {
    for file in ["aws-focus-1.0.csv", "aws-focus-1.2.csv", "aws-focus-1.2.snappy.parquet"] {
        let answer = bill(&[&format!("{DATA}/{file}")]);
        let kinds =
            ["a10g g5.12xlarge spot 8", "a10g g5.xlarge on-demand 4", "a10g g5.xlarge committed 1"];
        let expect = (
            "9.752012 USD".to_owned(),
            "9.752012 USD".to_owned(),
            kinds.map(str::to_owned).to_vec(),
        );
        assert_eq!(told(&answer), expect, "{file}");
        assert_eq!(answer["waste"]["amount"], "0.8");
        assert_eq!(answer["accelerators"][0]["per_machine_hour"], "2.5");
        assert_eq!(answer["accelerators"][0]["per_device_hour"], "0.625");
        let months: Vec<&str> =
            list(&answer["months"]).iter().map(|month| text(&month["month"])).collect();
        assert_eq!(months, ["2026-09", "2026-10"], "{file}");
    }
}

#[test]
fn exports_of_azure_are_by_the_day() {
    for file in ["azure-focus-1.0.csv", "azure-focus-1.2-preview.csv"] {
        let run =
            nearside(&["bill", "--json", "--machine", "a100-pcie-80gb", &format!("{DATA}/{file}")])
                .exits(0);
        let kinds = [
            "a100-pcie-80gb Standard_NC24ads_A100_v4 on-demand 12",
            "a100-pcie-80gb Standard_NC24ads_A100_v4 spot 6",
            "t4 Standard_NC4as_T4_v3 committed 24",
        ];
        let kinds = kinds.map(str::to_owned).to_vec();
        assert_eq!(
            told(&run.data()),
            ("335.6234 EUR".into(), "71.1434 EUR".into(), kinds),
            "{file}"
        );
        assert!(
            run.stdout.contains("42.0 of 42.0 device-hours are in rows of more than an hour"),
            "{file}"
        );
        let near = &run.data()["near"];
        assert_eq!(near["done_device_hours"].to_string(), "42.0", "{near}");
        assert_eq!(near["amortised"]["amount"], "57.42");
    }
}

#[test]
fn the_export_of_google_bills_devices_and_what_is_around_them() {
    let answer = bill(&[&format!("{DATA}/gcp-focus.csv")]);
    let kinds = ["a100-sxm-40gb - on-demand 2", "l4 - spot 2"].map(str::to_owned).to_vec();
    assert_eq!(told(&answer), ("7.668 USD".into(), "7.668 USD".into(), kinds));
    // Two hours of a device, each with cores and memory.
    assert_eq!(answer["accelerators"][0]["per_device_hour"], "3.729");
    assert_eq!(answer["accelerators"][0]["machine_hours"], Value::Null);
}

#[test]
fn neither_files_nor_folders_show_in_totals() {
    let whole = fs::read_to_string(root().join("examples/bills/october.csv")).unwrap();
    let (head, rows) = whole.split_once('\n').unwrap();
    let folder = Folder::cleared("bill-split");
    for (at, row) in rows.lines().enumerate() {
        let name = format!("BILLING_PERIOD=2026-10/{}/part.csv", at % 5);
        let before = fs::read_to_string(folder.path().join(&name)).unwrap_or(format!("{head}\n"));
        folder.write(&name, format!("{before}{row}\n"));
    }
    folder.write("manifest.json", "{}");
    let split = bill(&[folder.path().to_str().unwrap()]);
    let mut one = bill(&["examples/bills/october.csv"]);
    assert_eq!((list(&split["files"]).len(), list(&one["files"]).len()), (5, 1));
    one["files"] = split["files"].clone();
    assert_eq!(split, one);
    let twice = bill(&["examples/bills/october.csv", "examples/bills/../bills/october.csv"]);
    assert_eq!(twice["rows"], one["rows"], "the same file counts once");
}

#[test]
fn what_is_odd_is_named_and_makes_totals_at_least() {
    let folder = Folder::new("bill-odd");
    let rows = [
        row(1, "10", "USD", "Usage", ",a,,,"),
        row(1, "10", "USD", "Usage", ",a,,,"),
        row(2, "-3", "USD", "Usage", ",refund,,,"),
        row(3, "-2", "USD", "Credit", ",credit,,,"),
        row(4, "-1", "USD", "Usage", "Correction,corrected,,,"),
        row(5, "7", "CHF", "Usage", ",francs,,,"),
        row(6, "", "USD", "Usage", ",unpriced,,,"),
        row(7, "1", "USD", "Present", ",strange,,,"),
        row(8, "1", "USD", "Usage", ",,BoxUsage:g5.24xlarge,1,Hours"),
    ];
    let file = folder.write("odd.csv", format!("{HEAD}\n{}", rows.concat()));
    let run = nearside(&["bill", "--json", "--machine", "rtx-4090", &file]).exits(0);
    assert_eq!(told(&run.data()).0, "at least 6 USD");
    assert_eq!(run.data()["rows"], 8);
    let warnings =
        list(&run.envelope()["warnings"]).iter().map(text).collect::<Vec<_>>().join("\n");
    for says in [
        "1 row is the same as another in every column and left out (10.00 USD), such as \"a\"",
        "1 row of usage is below zero and neither credit nor correction (-3.00 USD)",
        "1 row whose BilledCost is missing or no number, such as \"unpriced\"",
        "1 row whose ChargeCategory is none that FOCUS knows",
        "amounts in CHF are left out: there is no exchange rate to USD",
        "1 row on accelerators that the catalog does not know, such as \"g5.24xlarge\"",
    ] {
        assert!(warnings.contains(says), "{says}\n{warnings}");
    }
    let text = nearside(&["bill", "--machine", "rtx-4090", &file]).exits(0);
    assert!(
        text.stdout.contains("cash             at least 6.00 USD (missing: 7.00 CHF"),
        "{}",
        text.stdout
    );
    assert!(text.stderr.contains("hint: name a project with a rate"), "{}", text.stderr);
}

#[test]
fn rates_are_those_of_the_project() {
    let project =
        Project::new("bill-rates", "[money]\ncurrency = \"EUR\"\nrates = { USD = \"0.5 EUR\" }\n");
    let file = root().join("examples/bills/october.csv");
    let answer =
        project.nearside(&["bill", file.to_str().unwrap(), "--machine", "t4", "--json"]).exits(0);
    assert_eq!(told(&answer.data()).0, "99.1446 EUR");
    assert!(answer.stdout.contains("exchange rates of "), "{}", answer.stdout);
}

#[test]
fn what_is_no_bill_is_an_error_that_names_it() {
    let folder = Folder::new("bill-bad");
    let parquet = fs::read(root().join(DATA).join("aws-focus-1.2.snappy.parquet")).unwrap();
    let good = row(1, "1", "USD", "Usage", ",a,,,");
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("empty.csv", Vec::new(), "is empty"),
        ("cut.parquet", parquet[..parquet.len() / 2].to_vec(), "is damaged or cut off"),
        ("cut.csv", format!("{HEAD}\n{good}1,2").into_bytes(), "line 3 has 2 cells"),
        ("other.csv", b"name,price\na,1\n".to_vec(), "it lacks BilledCost, EffectiveCost"),
        (
            "cur.csv",
            b"line_item_unblended_cost,b\n1,2\n".to_vec(),
            "it has line_item_unblended_cost, b",
        ),
        ("bill.zip", b"PK\x03\x04....".to_vec(), "is a ZIP archive"),
        ("bill.json", b"[1]".to_vec(), "is JSON"),
    ];
    for (name, content, says) in cases {
        let file = folder.write(name, content);
        // A whole bill before it does not help: nothing is half counted.
        let run = nearside(&["bill", "examples/bills/october.csv", &file]).exits(3);
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains(says) && run.stderr.contains(name), "{}", run.stderr);
        assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    }
    let cur = nearside(&["bill", folder.path().join("cur.csv").to_str().unwrap()]).exits(3);
    assert!(
        cur.stderr.contains("this looks like a Cost and Usage Report of AWS"),
        "{}",
        cur.stderr
    );
    nearside(&["bill", "nowhere.csv"]).exits(3);
    nearside(&["bill"]).exits(2);
    let void = Folder::cleared("bill-void");
    let run = nearside(&["bill", void.path().to_str().unwrap()]).exits(3);
    assert!(run.stderr.contains("no CSV or Parquet file is in"), "{}", run.stderr);
    for wrong in [["--delay", "soon"], ["--delay", "90 min"], ["--speed", "0"], ["--delay", "-1 h"]]
    {
        nearside(&["bill", "examples/bills/october.csv", wrong[0], wrong[1]]).exits(2);
    }
}

#[test]
fn a_header_alone_is_a_bill_of_nothing() {
    let file = Folder::new("bill-header").write("header.csv", format!("{HEAD}\n"));
    let run = nearside(&["bill", &file, "--machine", "rtx-4090"]).exits(0);
    assert!(run.stdout.contains("header.csv: 0 rows"), "{}", run.stdout);
    assert!(run.stderr.contains("has the names of columns and no rows"), "{}", run.stderr);
}

#[test]
fn more_devices_and_more_patience_do_more() {
    let done = |more: &[&str]| {
        let arguments = ["bill", "examples/bills/october.csv", "--machine", "a10g", "--json"];
        let near = nearside(&[&arguments[..], more].concat()).exits(0).data()["near"].clone();
        (number(&near["done_device_hours"]) * 1000.0).round() as i64
    };
    // One device does an hour of each of 57 hours: 45 by day, 12 by night.
    assert_eq!(done(&[]), 57_000);
    assert_eq!(done(&["--count", "8"]), 108_000);
    assert!(done(&["--delay", "8 h"]) > 57_000);
    assert!(done(&["--speed", "0.5"]) < 57_000);
}

#[test]
fn a_machine_without_accelerators_is_no_near_machine() {
    let file = "examples/bills/october.csv";
    let site = Folder::new("bill-site")
        .write("desk.toml", "version = 1\nname = \"desk\"\ncores = 8\nmemory = \"16 GiB\"\n");
    let answer = nearside(&["bill", file, "--site", &site, "--json"]).exits(0).data();
    assert!(text(&answer["near"]["unknown"]).contains("has no accelerator"), "{answer}");
}

/// A decimal number in whole 10^-18.
fn exact(decimal: &str) -> i128 {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    format!("{whole}{fraction:0<18}").parse().unwrap()
}

#[test]
fn our_own_ledger_reads_back() {
    let project = Project::new("bill-ledger", &format!("{PRICED}{POWER}"));
    project.run(&[], 0);
    project.run(&["--force"], 0);
    project.nearside(&["ledger", "export", "--form", "focus", "-o", "own.csv"]).exits(0);
    let mut rows = csv::Reader::from_path(project.path().join("own.csv")).unwrap();
    let at = rows.headers().unwrap().iter().position(|name| name == "BilledCost").unwrap();
    let costs: Vec<i128> = rows.records().map(|row| exact(&row.unwrap()[at])).collect();
    let arguments = ["bill", "own.csv", "--json", "--machine", "t4"];
    let mut in_project = command(&arguments);
    in_project.current_dir(project.path());
    let answer = Run::of(in_project, &arguments).exits(0).data();
    check_schema("bill", &answer);
    assert_eq!(answer["rows"], costs.len());
    assert_eq!(exact(text(&answer["cash"]["amount"])), costs.iter().sum::<i128>());
    assert_eq!(answer["cash"], answer["amortised"]);
    assert_eq!(answer["services"][0]["service"], "Own machine");
}
