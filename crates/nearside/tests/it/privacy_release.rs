//! `nearside privacy release`: answers with noise, as long as a dataset's budget lasts, whoever asks at once.

use std::fs;

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, number, text};

/// Four thousand people with an age, and of half of them a second row.
fn people() -> String {
    let mut table = "id,age,sex\n".to_owned();
    for person in 0..4000 {
        let (age, sex) = (20 + person * 7 % 60, if person % 4 == 0 { "F" } else { "M" });
        table.push_str(&format!("p{person},{age},{sex}\n"));
        if person % 2 == 0 {
            table.push_str(&format!("p{person},{age},{sex}\n"));
        }
    }
    table
}

struct Project(Folder);

impl Project {
    fn with_budget(name: &str, budget: &str) -> Self {
        let folder = Folder::cleared(&format!("privacy-release-{name}"));
        folder.write("data/people.csv", people());
        let dataset = "path = \"data/people.csv\"\nclass = \"personal\"";
        let file = format!("version = 1\nname = \"pay\"\n[dataset.people]\n{dataset}\n{budget}\n");
        folder.write("nearside.toml", file);
        Self(folder)
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Run {
        let arguments = [&["privacy"], arguments].concat();
        let mut command = command(&arguments);
        command.current_dir(self.0.path());
        command.env("NEARSIDE_CONFIG_DIR", self.0.path().join("config"));
        Run::of(command, &arguments)
    }

    #[track_caller]
    fn release(&self, arguments: &[&str]) -> Run {
        self.run(&[&["release", "people", "--json", "-q"], arguments].concat())
    }
}

fn value(answer: &Value) -> f64 {
    number(&answer["answer"]["numbers"][0]["value"])
}

#[test]
fn answers_are_near_and_spend_the_budget() {
    let project =
        Project::with_budget("near", "budget = { epsilon = 3, delta = 1e-6, person = \"id\" }");
    let answer = project.release(&["count", "--epsilon", "1"]).exits(0).data();
    check_schema("privacy-release", &answer);
    // One row of each person counts; noise of scale 1 is farther off than 30 once in 10^13.
    assert!((value(&answer) - 4000.0).abs() < 30.0, "{answer}");
    assert!((number(&answer["budget"]["left_epsilon"]) - 2.0).abs() < 1e-9, "{answer}");
    let mean = ["mean", "--of", "age=0..120", "--epsilon", "0.5"];
    let planned = project.release(&[&mean[..], &["--dry-run"]].concat()).exits(0).data();
    assert_eq!((text(&planned["decision"]), &planned["answer"]), ("planned", &Value::Null));
    let answer = project.release(&mean).exits(0).data();
    assert!((value(&answer) - 49.5).abs() < 2.0, "{answer}");
    assert_eq!(planned["noise"], answer["noise"]);
    let file = project.0.path().join("counts.csv").to_string_lossy().into_owned();
    let cells = ["count", "--by", "sex=F,M", "--by", "age=0..80/40", "--epsilon", "0.5"];
    let answer = project.release(&[&cells[..], &["-o", &file]].concat()).exits(0).data();
    assert_eq!(list(&answer["answer"]["cells"]).len(), 9);
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().next().unwrap(), "sex,age,count");
    assert_eq!(written.lines().count(), 10);
    let quantiles = ["quantiles", "--of", "age=0..120/1", "--at", "0.25,0.75", "--epsilon", "0.5"];
    let answer = project.release(&quantiles).exits(0).data();
    let numbers = list(&answer["answer"]["numbers"]);
    assert!(number(&numbers[0]["value"]) < number(&numbers[1]["value"]), "{answer}");
    let about = project.release(&[]).exits(0).data();
    assert_eq!(list(&about["past"]).len(), 4);
    assert!((number(&about["budget"]["left_epsilon"]) - 0.5).abs() < 1e-9, "{about}");
}

#[test]
fn synthetic_rows_are_a_table() {
    let project = Project::with_budget("rows", "budget = { epsilon = 3, delta = 1e-6 }");
    let asked = ["synthetic", "--by", "sex=F,M", "--by", "age=0..80/20", "--rho", "0.05"];
    let run = project.run(&[&["release", "people", "-q", "--rows", "2000"], &asked[..]].concat());
    let run = run.exits(0);
    let rows: Vec<&str> = run.stdout.lines().collect();
    assert_eq!((rows[0], rows.len()), ("sex,age", 2001));
    let women = rows.iter().filter(|row| row.starts_with("F,")).count();
    assert!((400..800).contains(&women), "{women}");
}

#[test]
fn what_is_more_than_is_left_is_refused_and_recorded() {
    let project = Project::with_budget("refused", "budget = { epsilon = 1 }");
    project.release(&["count", "--epsilon", "0.75"]).exits(0);
    let refused = project.release(&["count", "--epsilon", "0.5"]).exits(1).data();
    assert_eq!((text(&refused["decision"]), &refused["answer"]), ("refused", &Value::Null));
    // A budget without delta is not for concentrated privacy.
    project.release(&["count", "--rho", "0.001"]).exits(1);
    project.release(&["count", "--epsilon", "0.25"]).exits(0);
    let events = project.run(&["audit", "list", "--json"]).exits(0).data();
    let words: Vec<&str> = list(&events["events"]).iter().map(|it| text(&it["event"])).collect();
    assert_eq!(words, ["released", "refused", "refused", "released"]);
    project.run(&["audit", "verify"]).exits(0);
}

#[test]
fn another_name_is_no_other_budget() {
    let project = Project::with_budget("renamed", "budget = { epsilon = 1 }");
    project.release(&["count", "--epsilon", "0.75"]).exits(0);
    let file = project.0.path().join("nearside.toml");
    let renamed = fs::read_to_string(&file).unwrap().replace("dataset.people", "dataset.others");
    fs::write(&file, renamed).unwrap();
    fs::copy(project.0.path().join("data/people.csv"), project.0.path().join("data/copy.csv"))
        .unwrap();
    let ask =
        |project: &Project| project.run(&["release", "others", "count", "--epsilon", "0.5", "-q"]);
    ask(&project).exits(1);
    // Nor is another place of the same content, or a rehearsal.
    let moved = fs::read_to_string(&file).unwrap().replace("data/people.csv", "data/copy.csv");
    fs::write(&file, moved).unwrap();
    ask(&project).exits(1);
    project.run(&["release", "others", "count", "--epsilon", "0.5", "--rehearsal"]).exits(2);
    project.run(&["release", "others", "count", "--epsilon", "0.25", "-q"]).exits(0);
}

#[test]
fn who_asks_at_once_spends_no_more_together() {
    let project = Project::with_budget("race", "budget = { epsilon = 1 }");
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let ask = || project.release(&["count", "--epsilon", "0.3"]).code;
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 3, "{codes:?}");
    let about = project.release(&[]).exits(0).data();
    assert!((number(&about["budget"]["left_epsilon"]) - 0.1).abs() < 1e-9, "{about}");
    assert_eq!(list(&about["past"]).len(), 8);
}

#[test]
fn what_cannot_be_asked_is_said_and_spends_nothing() {
    let project = Project::with_budget("bad", "budget = { epsilon = 1 }");
    let cases: [(&[&str], i32, &str); 11] = [
        (&["count"], 2, "say how much"),
        (&["count", "--epsilon", "0"], 2, "cannot be spent"),
        (&["sum", "--epsilon", "0.1"], 2, "--of age=0..120"),
        (&["sum", "--of", "age=9..1", "--epsilon", "0.1"], 2, "not below"),
        (&["sum", "--of", "pay=0..9", "--epsilon", "0.1"], 3, "there is no column \"pay\""),
        (&["count", "--of", "age=0..9", "--epsilon", "0.1"], 2, "counted by --by"),
        (&["count", "--by", "sex=F,F", "--epsilon", "0.1"], 2, "stands in it twice"),
        (&["quantiles", "--of", "age=0..9", "--at", "2", "--epsilon", "0.1"], 2, "a quantile of"),
        (&["synthetic", "--by", "sex=F,M", "--pair", "sex+age", "--epsilon", "0.1"], 2, "--pair"),
        (&["synthetic", "--by", "sex=F,M", "--epsilon", "0.1"], 2, "add -o FILE"),
        (&["count", "--rows", "3", "--epsilon", "0.1"], 2, "for synthetic"),
    ];
    for (asked, code, why) in cases {
        let run = project.release(asked).exits(code);
        assert!(run.stderr.contains(why) || run.stdout.contains(why), "{why}: {}", run.stderr);
    }
    let about = project.release(&[]).exits(0).data();
    assert_eq!(list(&about["past"]), &[] as &[Value]);
    let none = Project::with_budget("none", "");
    let run = none.run(&["release", "people", "count", "--epsilon", "1"]).exits(3);
    assert!(run.stderr.contains("budget = { epsilon = 1.0 }"), "{}", run.stderr);
}
