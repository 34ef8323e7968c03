//! What is kept of people's data lies sealed: results, logs and the vault.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Folder, Run, command, list, text};
use crate::project::Project;
use crate::run::eventually;

const STAGES: &str = r#"[dataset.people]
path = "data/people.csv"
class = "personal"
[dataset.terms]
path = "data/terms.txt"
class = "internal"
[stage.mask]
phase = "prepare"
inputs = ["people"]
outputs = ["build/masked.csv", "build/copy.csv"]
run = "cat data/people.csv | tee build/copy.csv; nearside privacy anonymize data/people.csv -o build/masked.csv --with vault"
[stage.count]
phase = "features"
inputs = ["terms"]
outputs = ["build/count"]
run = "cat data/terms.txt; wc -w < data/terms.txt > build/count"
"#;
const PEOPLE: &str =
    "id,name,mail\n1,Anna Roth,anna.roth@mail.example.org\n2,Jo Berg,jo.berg@mail.example.org\n";

/// A project, and a folder of the person that nobody else uses.
struct Kept {
    project: Project,
    configuration: Folder,
}

impl Kept {
    fn new(name: &str) -> Self {
        let project = Project::new(&format!("rest-{name}"), STAGES);
        project.0.write("data/people.csv", PEOPLE);
        project.0.write("data/terms.txt", "certainly public words\n");
        let configuration = Folder::cleared(&format!("rest-{name}-configuration"));
        Self { project, configuration }
    }

    #[track_caller]
    fn nearside(&self, arguments: &[&str]) -> Run {
        let mut command = command(arguments);
        command.current_dir(self.project.path());
        command.env("NEARSIDE_CONFIG_DIR", self.configuration.path());
        Run::of(command, arguments)
    }

    fn record(&self, name: &str) -> PathBuf {
        self.project.path().join(".nearside").join(name)
    }

    /// The files of the record that hold some text, below it.
    fn holding(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        look(&self.record(""), text.as_bytes(), &mut found);
        found
    }

    fn key(&self) -> PathBuf {
        let files = fs::read_dir(self.configuration.path().join("keys")).unwrap();
        let mut keys = files.map(|file| file.unwrap().path());
        keys.find(|path| path.extension().is_some_and(|end| end == "age")).unwrap()
    }
}

fn look(folder: &Path, text: &[u8], found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match fs::symlink_metadata(&entry).unwrap() {
            metadata if metadata.is_dir() => look(&entry, text, found),
            metadata if metadata.is_file() => {
                let bytes = fs::read(&entry).unwrap();
                if bytes.windows(text.len()).any(|part| part == text) {
                    found.push(entry.display().to_string());
                }
            }
            _ => {}
        }
    }
}

#[test]
fn results_and_logs_about_people_are_sealed_and_others_are_not() {
    let kept = Kept::new("sealed");
    kept.nearside(&["run"]).exits(0);
    assert_eq!(kept.holding("anna.roth"), Vec::<String>::new());
    assert!(!kept.holding("certainly public").is_empty());
    assert!(kept.record("logs/count.log").is_file());
    let log = kept.nearside(&["logs", "mask"]).exits(0).stdout;
    assert!(log.starts_with(PEOPLE), "{log}");
    let data = kept.nearside(&["logs", "mask", "--json"]).exits(0).data();
    assert_eq!(text(&data["text"]), log);
    let masked = kept.project.read("build/masked.csv");
    fs::remove_dir_all(kept.project.path().join("build")).unwrap();
    let data = kept.nearside(&["run", "--json"]).exits(0).data();
    assert!(list(&data["stages"]).iter().all(|stage| stage["result"] == "restored"), "{data}");
    assert_eq!(kept.project.read("build/masked.csv"), masked);
    assert_eq!(kept.project.read("build/copy.csv"), PEOPLE);
    // Without the key it is as if nothing were kept.
    fs::rename(kept.key(), kept.configuration.path().join("elsewhere")).unwrap();
    fs::remove_dir_all(kept.project.path().join("build")).unwrap();
    let run = kept.nearside(&["run"]).exits(0);
    let result = |stage: &str| {
        let line = run.stdout.lines().find(|line| line.starts_with(stage)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!((result("mask").as_str(), result("count").as_str()), ("done", "restored"));
    assert!(run.stderr.contains("sealed for another key"), "{}", run.stderr);
    fs::remove_dir_all(kept.project.path().join("build")).unwrap();
    let data = kept.nearside(&["run", "--json"]).exits(0).data();
    assert!(list(&data["stages"]).iter().all(|stage| stage["result"] == "restored"), "{data}");
}

#[test]
fn age_opens_what_is_sealed() {
    let kept = Kept::new("age");
    kept.nearside(&["run"]).exits(0);
    let log = kept.record("logs/mask.log.age");
    let opened = Command::new("age").arg("-d").arg("-i").arg(kept.key()).arg(&log).output();
    match opened {
        Err(_) => eprintln!("SKIPPED: there is no `age` here; apt-get install age"),
        Ok(opened) => {
            assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
            assert!(String::from_utf8_lossy(&opened.stdout).starts_with(PEOPLE));
        }
    }
}

#[test]
fn without_a_place_for_a_key_nothing_about_people_is_kept() {
    let kept = Kept::new("no-key");
    let mut command = command(&["run", "--only", "count"]);
    command.current_dir(kept.project.path()).env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    command.env_remove("NEARSIDE_CONFIG_DIR");
    Run::of(command, &[]).exits(0);
    let plain = STAGES.replace(" --with vault", " --with remove");
    let project = Project::new("rest-no-key-plain", &plain);
    project.0.write("data/people.csv", PEOPLE);
    project.0.write("data/terms.txt", "words\n");
    let mut command = crate::command::command(&["run"]);
    command.current_dir(project.path()).env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    command.env_remove("NEARSIDE_CONFIG_DIR");
    let run = Run::of(command, &[]).exits(0);
    assert!(run.stderr.contains("is not kept: there is no folder of yours"), "{}", run.stderr);
    assert!(project.read("build/copy.csv") == PEOPLE);
    let kept = Kept { project, configuration: Folder::cleared("rest-no-key-none") };
    assert_eq!(kept.holding("anna.roth"), Vec::<String>::new());
    assert!(!kept.record("logs/mask.log").exists() && !kept.record("logs/mask.log.age").exists());
}

#[test]
fn what_lay_open_before_is_sealed_once_it_is_known_to_be_about_people() {
    let kept = Kept::new("later");
    let project = kept.project.read("nearside.toml");
    kept.project.0.write("nearside.toml", project.replace("\"personal\"", "\"internal\""));
    kept.nearside(&["run"]).exits(0);
    assert!(kept.holding("anna.roth").len() >= 2, "{:?}", kept.holding("anna.roth"));
    kept.project.0.write("nearside.toml", &project);
    kept.nearside(&["run"]).exits(0);
    assert_eq!(kept.holding("anna.roth"), Vec::<String>::new());
    fs::remove_dir_all(kept.project.path().join("build")).unwrap();
    kept.nearside(&["run"]).exits(0);
    assert_eq!(kept.project.read("build/copy.csv"), PEOPLE);
}

#[test]
fn a_log_that_a_killed_run_left_is_sealed_by_the_next() {
    let kept = Kept::new("killed");
    let project = kept.project.read("nearside.toml");
    let slow = project.replace("; nearside privacy", "; sleep 60; nearside privacy");
    kept.project.0.write("nearside.toml", &slow);
    let mut command = command(&["run"]);
    command.current_dir(kept.project.path());
    command.env("NEARSIDE_CONFIG_DIR", kept.configuration.path());
    let mut child = command.spawn().unwrap();
    let log = kept.record("logs/mask.log");
    eventually("the log", || fs::read_to_string(&log).is_ok_and(|text| text.contains("anna")));
    child.kill().unwrap();
    child.wait().unwrap();
    kept.project.0.write("nearside.toml", &project);
    kept.nearside(&["run", "--only", "count"]).exits(0);
    assert_eq!(kept.holding("anna.roth"), Vec::<String>::new());
    assert!(kept.nearside(&["logs", "mask"]).exits(0).stdout.starts_with(PEOPLE));
}

#[test]
fn values_come_back_from_the_vault_for_who_has_the_key() {
    let kept = Kept::new("vault");
    kept.nearside(&["run"]).exits(0);
    let masked = kept.project.read("build/masked.csv");
    assert!(masked.contains("[PERSON_") && !masked.contains("Anna"));
    let reveal = ["privacy", "reveal", "build/masked.csv"];
    assert_eq!(kept.nearside(&reveal).exits(0).stdout, PEOPLE);
    let into = [&reveal[..], &["-o", "again.csv", "--json"]].concat();
    let data = kept.nearside(&into).exits(0).data();
    assert_eq!((&data["revealed"], &data["unknown"]), (&4.into(), &0.into()));
    assert_eq!(kept.project.read("again.csv"), PEOPLE);
    kept.project.0.write("other.txt", "[PERSON_000000000000] wrote");
    let run = kept.nearside(&["privacy", "reveal", "other.txt"]).exits(1);
    assert_eq!(run.stdout, "[PERSON_000000000000] wrote");
    assert!(run.stderr.contains("1 label is not in the vault"), "{}", run.stderr);
    fs::remove_file(kept.key()).unwrap();
    let run = kept.nearside(&reveal).exits(4);
    assert!(run.stderr.contains("there is no key of the project"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
}

/// The scopes and counts of the erasures that are recorded.
fn erasures(kept: &Kept) -> Vec<(String, String, String)> {
    let lines = kept.nearside(&["ledger", "export", "--form", "json"]).exits(0).stdout;
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let of = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        (row["table"] == "erasures").then(|| (of("event"), of("scope"), of("reason")))
    };
    lines.lines().filter_map(row).collect()
}

#[test]
fn a_person_goes_out_of_all_that_is_kept_and_others_stay() {
    let kept = Kept::new("subject");
    kept.nearside(&["run"]).exits(0);
    kept.nearside(&["run", "--rehearse"]);
    kept.project.0.write("who.txt", "Anna Roth\nanna.roth@mail.example.org\n");
    let erase = ["privacy", "erase", "--subject", "who.txt"];
    let dry = kept.nearside(&[&erase[..], &["--json"]].concat()).exits(0).data();
    let found = |what: &str| {
        let items = list(&dry["items"]).iter();
        let of =
            items.filter(|item| item["what"] == what).map(|item| text(&item["place"]).to_owned());
        of.collect::<Vec<_>>()
    };
    assert_eq!(found("result"), ["build/masked.csv", "build/copy.csv"]);
    assert_eq!(found("output"), ["build/masked.csv", "build/copy.csv"]);
    assert_eq!(found("log"), [".nearside/logs/mask.log.age"]);
    assert_eq!((found("vault").len(), found("rehearsal").len()), (1, 1));
    assert_eq!(dry["stays"][0]["place"], "data/people.csv");
    assert_eq!((&dry["erased"], list(&dry["unreadable"]).len()), (&false.into(), 0));
    assert!(kept.project.path().join("build/copy.csv").exists());
    assert_eq!(erasures(&kept), []);
    let masked = kept.project.read("build/masked.csv");
    let run = kept.nearside(&[&erase[..], &["--yes", "--reason", "asked for"]].concat()).exits(0);
    assert!(run.stdout.contains("data/people.csv stays: it is yours"), "{}", run.stdout);
    assert!(!run.stdout.contains("Anna") && !run.stdout.contains("anna.roth"));
    for gone in ["build/copy.csv", "build/masked.csv", ".nearside/logs/mask.log.age"] {
        assert!(!kept.project.path().join(gone).exists(), "{gone}");
    }
    assert!(kept.project.path().join("build/count").exists());
    // What is masked elsewhere still leads to others, and to her no more.
    kept.project.0.write("masked.csv", masked);
    let run = kept.nearside(&["privacy", "reveal", "masked.csv"]).exits(1);
    assert!(run.stdout.contains("Jo Berg") && !run.stdout.contains("Anna"), "{}", run.stdout);
    let reason = |event: &str| (event.to_owned(), "subject".to_owned(), "asked for".to_owned());
    assert_eq!(erasures(&kept), [reason("begun"), reason("done")]);
    kept.nearside(&["ledger", "verify"]).exits(0);
    let again = kept.nearside(&[&erase[..], &["--json"]].concat()).exits(0).data();
    assert_eq!(list(&again["items"]).len(), 0, "{again}");
    // Her row goes out of the source by hand; the next run is without her.
    kept.project
        .0
        .write("data/people.csv", PEOPLE.replace("1,Anna Roth,anna.roth@mail.example.org\n", ""));
    kept.nearside(&["run"]).exits(0);
    let again = kept.nearside(&[&erase[..], &["--json"]].concat()).exits(0).data();
    assert_eq!((list(&again["items"]).len(), list(&again["stays"]).len()), (0, 0), "{again}");
}

#[test]
fn what_was_made_of_a_dataset_goes_and_what_is_proven_to_be_lower_stays() {
    let stages = STAGES.replace(
        "[stage.count]",
        "[stage.clean]\nphase = \"prepare\"\ninputs = [\"people\"]\noutputs = [\"build/clean\"]\n\
         promises = { \"build/clean\" = \"internal\" }\nrun = \"wc -l < data/people.csv > build/clean\"\n\
         [stage.score]\nphase = \"evaluate\"\ninputs = [\"build/clean\"]\noutputs = [\"build/score\"]\n\
         run = \"cp build/clean build/score\"\n[stage.count]",
    );
    let mut kept = Kept::new("dataset");
    kept.project = Project::new("rest-dataset", &stages);
    kept.project.0.write("data/people.csv", PEOPLE);
    kept.project.0.write("data/terms.txt", "words\n");
    kept.nearside(&["run"]).exits(0);
    let erase = ["privacy", "erase", "--dataset", "people", "--yes", "--json"];
    let data = kept.nearside(&erase).exits(0).data();
    let places = |what: &str| {
        let items = list(&data["items"]).iter().filter(|item| item["what"] == what);
        items.map(|item| text(&item["place"]).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(places("output"), ["build/copy.csv", "build/masked.csv"]);
    assert_eq!(data["stays"][0]["place"], "build/clean");
    assert_eq!(data["erased"], true);
    let there = |path: &str| kept.project.path().join(path).exists();
    assert!(there("build/clean") && there("build/score") && there("data/people.csv"));
    assert!(!there("build/copy.csv") && !there("build/masked.csv"));
    let run = kept.nearside(&["privacy", "erase", "--dataset", "poeple"]).exits(2);
    assert!(run.stderr.contains("no dataset \"poeple\""), "{}", run.stderr);
    kept.project.0.write("who.txt", "A.B\n");
    let run = kept.nearside(&["privacy", "erase", "--subject", "who.txt"]).exits(3);
    assert!(run.stderr.contains("it would be found everywhere"), "{}", run.stderr);
}

#[test]
fn another_key_takes_over_what_is_sealed() {
    let kept = Kept::new("reseal");
    kept.nearside(&["run"]).exits(0);
    let (old, masked) = (fs::read(kept.key()).unwrap(), kept.project.read("build/masked.csv"));
    let data = kept.nearside(&["cache", "reseal", "--json"]).exits(0).data();
    // Two results, a log and a file of the vault.
    assert_eq!((&data["resealed"], &data["left"]), (&4.into(), &0.into()));
    assert_ne!(fs::read(kept.key()).unwrap(), old);
    assert!(kept.nearside(&["logs", "mask"]).exits(0).stdout.starts_with(PEOPLE));
    assert_eq!(kept.nearside(&["privacy", "reveal", "build/masked.csv"]).exits(0).stdout, PEOPLE);
    fs::remove_dir_all(kept.project.path().join("build")).unwrap();
    kept.nearside(&["run"]).exits(0);
    assert_eq!(kept.project.read("build/masked.csv"), masked);
    // With the old key nobody opens anything any more.
    let new = fs::read(kept.key()).unwrap();
    fs::write(kept.key(), &old).unwrap();
    assert!(!kept.nearside(&["logs", "mask"]).stderr.is_empty());
    kept.nearside(&["privacy", "reveal", "build/masked.csv"]).exits(4);
    // One that was ended after the first half is completed by the next.
    fs::write(kept.key(), &new).unwrap();
    let beside = kept.key().with_added_extension("new");
    fs::write(&beside, &old).unwrap();
    fs::set_permissions(&beside, fs::metadata(kept.key()).unwrap().permissions()).unwrap();
    kept.nearside(&["cache", "reseal"]).exits(0);
    assert_eq!(fs::read(kept.key()).unwrap(), old);
    assert!(kept.nearside(&["logs", "mask"]).exits(0).stdout.starts_with(PEOPLE));
}
