//! `nearside spec`: the smallest machine for projects and for kinds of models.

use serde_json::Value;

use super::answers::check_schema;
use super::command::{Folder, command, list, nearside, nearside_configured, number, text};

/// A project of stages that state what they need: quick to compute.
const PROJECT: &str = "examples/product-images";

fn spec(arguments: &[&str]) -> Value {
    let arguments = [&["spec"], arguments, &["--json"]].concat();
    let answer = nearside(&arguments).data();
    check_schema("spec", &answer);
    answer
}

/// The price of the least machine.
fn price(answer: &Value) -> f64 {
    number(&answer["machines"][0]["machine"]["total"]["amount"])
}

#[test]
fn a_project_gets_a_machine_that_meets_every_stage() {
    let answer = spec(&[PROJECT]);
    let levels = list(&answer["machines"]);
    let names: Vec<&str> = levels.iter().map(|level| text(&level["comfort"])).collect();
    assert_eq!(names, ["minimum", "comfortable", "over-provisioned"]);
    let least = &levels[0]["machine"];
    // The bill of materials adds up.
    let parts = list(&least["parts"]).iter().map(|part| number(&part["price"]));
    assert!((parts.sum::<f64>() - price(&answer)).abs() < 0.02, "{least}");
    let sourced = |part: &Value| !text(&part["source"]).is_empty() && part["as_of"].is_string();
    assert!(list(&least["parts"]).iter().all(sourced));
    // Every stage is done, in the memory and the time that there is.
    let stages: Vec<&str> = list(&least["work"]).iter().map(|work| text(&work["stage"])).collect();
    assert!(stages.contains(&"train") && stages.contains(&"prepare") && stages.len() == 8);
    for work in list(&least["work"]) {
        let (needed, has) = (number(&work["accelerator_bytes"]), &least["accelerator_bytes"]);
        assert!(needed <= number(has), "{work}");
        assert!(number(&work["memory_bytes"]) <= number(&least["memory_bytes"]), "{work}");
    }
    for share in list(&least["shares"]) {
        assert!((0.0..=1.0).contains(&number(&share["used"])), "{share}");
        assert!(
            (number(&share["needed"]) / number(&share["has"]) - number(&share["used"])).abs()
                < 1e-9
        );
    }
    let demands = |part: &str| {
        let found = list(&least["shares"]).iter().find(|share| share["part"] == part).unwrap();
        text(&found["stage"]).to_owned()
    };
    assert_eq!(demands("memory of the accelerator"), "train");
    assert_eq!(demands("main memory"), "prepare");
    // More comfort is never cheaper.
    let comfortable = number(&levels[1]["machine"]["total"]["amount"]);
    assert!(comfortable >= price(&answer));
}

#[test]
fn harder_questions_are_never_cheaper() {
    let usual = price(&spec(&[PROJECT]));
    let crowd = spec(&[PROJECT, "--team", "400"]);
    assert!(price(&crowd) > usual, "{crowd}");
    assert!(number(&crowd["machines"][0]["machine"]["count"]) > 1.0);
    assert!(price(&spec(&[PROJECT, "--hours", "60 h"])) >= usual);
    assert!(price(&spec(&[PROJECT, "--used"])) <= usual);
    assert!(price(&spec(&[PROJECT, "--vendor", "any"])) <= usual);
    let both = spec(&[PROJECT, "examples/defect-detector"]);
    assert!(price(&both) >= usual);
    let stages = list(&both["machines"][0]["machine"]["work"]);
    assert!(stages.iter().any(|work| text(&work["stage"]).starts_with("defect-detector/")));
}

#[test]
fn savings_that_are_accepted_make_a_machine_cheaper_or_possible() {
    let of = |accepted: &str| {
        let kind = ["--class", "transformer", "--scale", "small", "--task", "fine-tune"];
        spec(&[&kind[..], &["--accept", accepted]].concat())
    };
    let levels = ["as-written", "same-result"].map(of);
    let prices = levels.each_ref().map(price);
    assert!(prices[0] > prices[1], "{prices:?}");
    let how = |answer: &Value| list(&answer["machines"][0]["machine"]["work"][0]["changes"]).len();
    assert_eq!(how(&levels[0]), 0);
    assert!(how(&levels[1]) > 0);
}

#[test]
fn the_peak_may_be_rented_and_used_parts_bought() {
    let answer = spec(&[PROJECT]);
    let alternatives = list(&answer["alternatives"]);
    let peak = alternatives.iter().find(|it| text(&it["name"]).contains("rented")).unwrap();
    assert_eq!(text(&peak["name"]), "train on a rented machine");
    assert!(number(&peak["machine"]["total"]["amount"]) < price(&answer));
    assert!(text(&peak["sentence"]).contains("a month at"), "{peak}");
    let stages = list(&peak["machine"]["work"]);
    assert!(stages.iter().all(|work| text(&work["stage"]) != "train"));
    // Two smaller cards are smaller.
    let bytes = |machine: &Value| number(&machine["accelerator_bytes"]);
    let least = bytes(&answer["machines"][0]["machine"]);
    let mut smaller = alternatives.iter().filter(|it| text(&it["name"]) == "two smaller cards");
    assert!(smaller.all(|it| bytes(&it["machine"]) < least), "{answer}");
}

#[test]
fn an_unknown_price_is_never_the_cheapest() {
    let folder = Folder::cleared("spec-unpriced");
    // Without a price of any disk nothing has a price.
    let disks = nearside(&["catalog", "list", "parts", "--json"]).exits(0).data();
    let names = list(&disks["rows"]).iter().filter(|row| row[2] == "disk");
    let mut table = "name,title,kind,capacity,form,price\n".to_owned();
    for row in names {
        table.push_str(&format!("{},disk,disk,8000 GB,NVMe,\n", text(&row[0])));
    }
    folder.write("catalog/parts.csv", table);
    let run = nearside_configured(folder.path(), &["spec", PROJECT, "--json"]).exits(1);
    let least = &run.data()["machines"][0];
    assert!(least["machine"].is_null());
    let machines = list(&least["unpriced"]);
    assert!(!machines.is_empty());
    for machine in machines {
        let missing = list(&machine["total"]["missing"]);
        assert!(missing.iter().any(|why| text(why).contains("no price")), "{machine}");
    }
    let shown = nearside_configured(folder.path(), &["spec", PROJECT]).exits(1);
    assert!(shown.stdout.contains("at least"), "{}", shown.stdout);
}

#[test]
fn a_price_of_ones_own_decides() {
    let folder = Folder::cleared("spec-own-price");
    let card = "name,title,kind,device,price\nrtx-6000-ada,Our offer,card,rtx-6000-ada,100 USD\n";
    folder.write("catalog/parts.csv", card);
    let run = nearside_configured(folder.path(), &["spec", "examples/defect-detector", "--json"]);
    let answer = run.exits(0).data();
    let least = &answer["machines"][0]["machine"];
    assert_eq!(text(&least["accelerators"]), "1x NVIDIA RTX 6000 Ada Generation");
}

#[test]
fn what_decides_is_a_tree_in_three_forms() {
    let folder = Folder::cleared("spec-tree");
    let page = folder.path().join("machine.html");
    let page = page.to_str().unwrap();
    let mermaid = nearside(&["spec", PROJECT, "--tree=mermaid", "--html", page]).exits(0);
    assert!(mermaid.stdout.starts_with("flowchart LR\n"), "{}", mermaid.stdout);
    assert!(mermaid.stdout.contains("-->|"), "{}", mermaid.stdout);
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains("<svg") && html.contains("What decides it"), "{html}");
    let shown = nearside(&["spec", PROJECT, "--tree"]).exits(0);
    let tree = shown.stdout.split("what decides it\n").nth(1).unwrap();
    // The answer to the question as it was asked stands in the tree.
    let answer = spec(&[PROJECT]);
    let least = number(&answer["machines"][0]["machine"]["total"]["amount"]).round();
    let told = tree.replace(',', "");
    assert!(told.contains(&format!("{least} USD")), "{tree}");
}

#[test]
fn wrong_questions_are_refused() {
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let arguments = [&["spec"], arguments].concat();
        let run = nearside(&arguments).exits(code);
        assert!(run.stderr.contains(says), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    };
    let cnn = ["--class", "cnn", "--scale", "small", "--task", "qlora"];
    refused(&cnn, 2, "use --task inference, fine-tune, pretrain");
    refused(&["--class", "cnn"], 2, "--scale");
    refused(&[PROJECT, "--accept", "everything"], 2, "way of saving");
    refused(&[PROJECT, "--hours", "900 h"], 2, "730 hours");
    refused(&[PROJECT, "--hours", "8"], 2, "--hours");
    refused(&[PROJECT, PROJECT], 2, "named twice");
    refused(&[PROJECT, "--markdown"], 2, "--classes");
    refused(&["no/such/folder"], 3, "no project file");
    let folder = Folder::cleared("spec-nowhere");
    let mut run = command(&["spec"]);
    run.current_dir(folder.path());
    let run = super::command::Run::of(run, &["spec"]).exits(3);
    assert!(run.stderr.contains("--class transformer --scale medium"), "{}", run.stderr);
    let project = "version = 1\nname = \"x\"\n[stage.a]\nphase = \"train\"\nrun = \"true\"\n";
    let path = folder.write("empty/nearside.toml", project);
    refused(&[&path], 3, "no stage says what it computes");
}
