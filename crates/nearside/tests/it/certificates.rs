//! `nearside privacy certify`, and runs that hold stages to what they promise.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Folder, Run, command, list, text};
use crate::project::{Project, results};

/// People are copied, with what `clean.sh` leaves of them; others read that.
const STAGES: &str = r#"[dataset.people]
path = "data/people.csv"
class = "personal"
[stage.clean]
phase = "prepare"
inputs = ["people"]
outputs = ["build/clean.csv"]
promises = { "build/clean.csv" = "internal" }
run = "sh clean.sh < data/people.csv > build/clean.csv"
[stage.count]
phase = "features"
inputs = ["build/clean.csv"]
outputs = ["build/count"]
run = "wc -l < build/clean.csv > build/count"
"#;
const PEOPLE: &str = "id,mail,text\n1,anna.roth@mail.example.org,the app is slow\n\
                      2,none,write to jo.berg@mail.example.org\n";
const CLEAN: &str = "sed -E 's/[a-z.]+@[a-z.]+/MAIL/g'";

/// A project, and a folder of the person that nobody else uses.
struct Kept {
    project: Project,
    configuration: Folder,
}

impl Kept {
    fn new(name: &str) -> Self {
        let project = Project::new(&format!("certify-{name}"), STAGES);
        project.0.write("data/people.csv", PEOPLE);
        project.0.write("clean.sh", CLEAN);
        let configuration = Folder::cleared(&format!("certify-{name}-configuration"));
        Self { project, configuration }
    }

    #[track_caller]
    fn nearside(&self, arguments: &[&str]) -> Run {
        let mut command = command(arguments);
        command.current_dir(self.project.path());
        command.env("NEARSIDE_CONFIG_DIR", self.configuration.path());
        Run::of(command, arguments)
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32, expected: &[(&str, &str)]) -> Value {
        let data = self.nearside(&[&["run", "--json"], arguments].concat()).exits(code).data();
        let stages = list(&data["stages"]).iter();
        let found = stages.map(|stage| (text(&stage["stage"]), text(&stage["result"])));
        assert_eq!(results(&found.collect::<Vec<_>>()), results(expected), "{data}");
        data
    }

    fn certificates(&self) -> Vec<Value> {
        let data = self.nearside(&["privacy", "certify", "--list", "--json"]).exits(0).data();
        list(&data["certificates"]).to_vec()
    }

    fn key(&self) -> PathBuf {
        let files = fs::read_dir(self.configuration.path().join("keys")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let signs = |path: &PathBuf| path.extension().is_some_and(|end| end == "key");
        let keys: Vec<_> = files.filter(signs).collect();
        let [key] = &keys[..] else { panic!("{keys:?}") };
        key.clone()
    }
}

#[test]
fn a_promise_that_is_kept_is_certified_once() {
    let kept = Kept::new("kept");
    kept.run(&[], 0, &[("clean", "done"), ("count", "done")]);
    let certificates = kept.certificates();
    let [certificate] = &certificates[..] else { panic!("{certificates:?}") };
    assert_eq!(certificate["artifact"], "build/clean.csv");
    assert_eq!(certificate["stage"], "clean");
    assert_eq!(
        (&certificate["from"], &certificate["to"]),
        (&"personal".into(), &"internal".into())
    );
    assert_eq!(certificate["ground"], "scan-clean");
    assert_eq!(certificate["envelope"]["payloadType"], "application/vnd.in-toto+json");
    kept.run(&[], 0, &[("clean", "current"), ("count", "current")]);
    fs::remove_dir_all(kept.project.path().join("build")).unwrap();
    kept.run(&[], 0, &[("clean", "restored"), ("count", "restored")]);
    assert_eq!(kept.certificates(), certificates);
    kept.nearside(&["ledger", "verify"]).exits(0);
}

#[test]
fn a_promise_that_is_broken_stops_the_run() {
    let kept = Kept::new("broken");
    kept.project.0.write("clean.sh", "cat");
    for result in ["refused", "refused"] {
        let data = kept.run(&[], 5, &[("clean", result), ("count", "skipped")]);
        let lines: Vec<_> = list(&data["stages"][0]["last_lines"]).iter().map(text).collect();
        let expected = ["2, column 2", "3, column 3"];
        let expected =
            expected.map(|place| format!("build/clean.csv:{place}: EMAIL (e-mail address)"));
        assert_eq!(lines, expected);
        assert!(!data.to_string().contains("anna"), "{data}");
        assert!(!kept.project.path().join("build/count").exists());
    }
    assert!(kept.certificates().is_empty());
    // Nor is it read by a stage that is run without it.
    let data = kept.run(&["--only", "count"], 5, &[("clean", "refused"), ("count", "skipped")]);
    assert!(text(&data["stages"][0]["why"]).starts_with("stopped at the gate: build/clean.csv"));
    kept.project.0.write("clean.sh", CLEAN);
    kept.run(&[], 0, &[("clean", "done"), ("count", "done")]);
    kept.run(&["--only", "count"], 0, &[("count", "current")]);
}

#[test]
fn a_certificate_holds_for_its_content_and_its_key() {
    let kept = Kept::new("verify");
    kept.run(&[], 0, &[("clean", "done"), ("count", "done")]);
    let verify = ["privacy", "certify", "build/clean.csv", "--verify", "--json"];
    let why = |code| {
        let data = kept.nearside(&verify).exits(code).data();
        assert_eq!(data["valid"], code == 0);
        data["why_not"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(why(0), "");
    // A new key signs, and what the old one signed is believed until somebody says otherwise.
    let old = text(&kept.certificates()[0]["key"]).to_owned();
    kept.nearside(&["privacy", "certify", "--rotate"]).exits(0);
    assert_eq!(why(0), "");
    let revoke = ["privacy", "certify", "--revoke", &old[..12], "--reason", "a lost laptop"];
    kept.nearside(&revoke).exits(0);
    assert_eq!(why(1), "the key that signed it was revoked: a lost laptop");
    kept.run(&[], 0, &[("clean", "current"), ("count", "current")]);
    assert_eq!(why(0), "");
    assert_ne!(text(&kept.certificates()[1]["key"]), old);
    kept.project.0.write("build/clean.csv", "id,mail,text\n1,none,another text\n");
    assert!(why(1).starts_with("it is about other content"));
}

#[test]
fn a_colleague_verifies_with_the_record_alone() {
    let kept = Kept::new("colleague");
    kept.run(&[], 0, &[("clean", "done"), ("count", "done")]);
    let certificate = kept.certificates().remove(0);
    let export = ["ledger", "export", "--table", "certificates"];
    let table = kept.nearside(&export).exits(0).stdout;
    assert!(table.contains(text(&certificate["sha256"])), "{table}");
    // Another person has neither the key nor a reason to believe it, but the record tells them.
    let elsewhere = Folder::cleared("certify-colleague-elsewhere");
    let arguments = ["privacy", "certify", "build/clean.csv", "--verify"];
    let mut other = command(&arguments);
    other.current_dir(kept.project.path()).env("NEARSIDE_CONFIG_DIR", elsewhere.path());
    Run::of(other, &arguments).exits(0);
    assert!(!elsewhere.path().join("keys").exists());
}

#[test]
fn what_does_not_deserve_it_is_listed_by_place() {
    let kept = Kept::new("refused");
    let certify = |more: &[&str]| {
        kept.nearside(&[&["privacy", "certify", "data/people.csv", "--json"], more].concat())
    };
    let data = certify(&[]).exits(1).data();
    assert_eq!((text(&data["result"]), text(&data["from"])), ("refused", "personal"));
    assert_eq!(data["against"]["counts"]["EMAIL"], 2);
    assert_eq!(data["against"]["findings"][1]["line"], 3);
    assert!(!data.to_string().contains("berg"), "{data}");
    assert_eq!(text(&certify(&["--class", "personal"]).exits(0).data()["result"]), "not needed");
    let expert = ["--expert", "--reason", "people of a novel", "--approver", "A. Roth"];
    let data = certify(&expert).exits(0).data();
    assert_eq!(data["certificate"]["ground"], "expert");
    assert!(text(&data["certificate"]["because"]).contains("with 2 findings"), "{data}");
    kept.nearside(&["privacy", "certify", "data/people.csv", "--verify"]).exits(0);
    // Nobody's decision lets a secret leave, and nobody decides without a reason.
    kept.project.0.write("data/people.csv", format!("{PEOPLE}3,none,password = hunter2xQ9!\n"));
    assert_eq!(text(&certify(&expert).exits(1).data()["result"]), "refused");
    certify(&["--expert", "--reason", " ", "--approver", "A"]).exits(2);
    certify(&["--expert"]).exits(2);
    kept.nearside(&["privacy", "certify", "nowhere.csv"]).exits(3);
    kept.nearside(&["privacy", "certify"]).exits(2);
}

#[test]
fn a_key_that_others_can_read_signs_nothing() {
    let kept = Kept::new("open-key");
    kept.run(&[], 0, &[("clean", "done"), ("count", "done")]);
    fs::set_permissions(kept.key(), fs::Permissions::from_mode(0o644)).unwrap();
    kept.project.0.write("clean.sh", format!("{CLEAN} | sed s/slow/fast/"));
    let run = kept.nearside(&["run"]).exits(5);
    assert!(run.stdout.contains("clean refused") && run.stdout.contains("can be read by others"));
    assert!(run.stderr.contains("the record is not signed"), "{}", run.stderr);
    fs::set_permissions(kept.key(), fs::Permissions::from_mode(0o600)).unwrap();
    kept.run(&[], 0, &[("clean", "current"), ("count", "done")]);
    let data = serde_json::to_string(&kept.certificates()).unwrap();
    let secret = fs::read_to_string(kept.key()).unwrap();
    let secret = secret.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert!(secret.len() == 64 && !data.contains(&secret));
}

#[test]
fn the_example_stops_when_its_anonymizer_is_broken() {
    let python = std::process::Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: the example needs python3; remedy: apt install python3");
        return;
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-assistant");
    let kept = Kept {
        project: Project(Folder::cleared("certify-example")),
        configuration: Folder::cleared("certify-example-configuration"),
    };
    crate::rehearsal::copy(&example, kept.project.path());
    kept.nearside(&["run", "--rehearse"]).exits(0);
    let list = ["privacy", "certify", "--list", "--rehearsal"];
    assert!(kept.nearside(&list).exits(0).stdout.contains("build/tickets.clean.csv"));
    let file = kept.project.read("nearside.toml");
    let line = file.lines().find(|line| line.contains("privacy anonymize")).unwrap();
    let broken = "run = \"mkdir -p build && cp data/tickets.csv build/tickets.clean.csv\"";
    kept.project.0.write("nearside.toml", file.replace(line, broken));
    let stopped = kept.nearside(&["run", "--rehearse"]).exits(5).stdout;
    assert!(stopped.contains("anonymize  refused"), "{stopped}");
    assert!(stopped.contains("build/tickets.clean.csv:2, column 2: PERSON"), "{stopped}");
    assert!(stopped.contains("features   skipped"), "{stopped}");
}

#[test]
fn a_table_whose_rows_hide_is_certified_as_such() {
    let kept = Kept::new("hidden");
    let rows = (0..40).map(|number| {
        format!("{},{},{}\n", 20 + number * 3 % 40, 10_115 + number * 7 % 30, number % 2)
    });
    kept.project.0.write("data/people.csv", format!("age,zip,sick\n{}", rows.collect::<String>()));
    let quasi = ["--k", "4", "--quasi", "age,zip"];
    let certify = |file: &str, more: &[&str]| {
        kept.nearside(&[&["privacy", "certify", file, "--json"], more].concat())
    };
    let run = certify("data/people.csv", &quasi).exits(3);
    assert!(run.stderr.contains("its smallest class has 1 of its 40 rows"), "{}", run.stderr);
    let anonymize = ["privacy", "anonymize", "data/people.csv", "-o", "build/hidden.csv", "-q"];
    let mondrian = ["--method", "mondrian"];
    kept.nearside(&[&anonymize[..], &quasi, &mondrian].concat()).exits(0);
    // Ranges of postal codes are found, but hide; a certificate that is not about that is refused.
    certify("build/hidden.csv", &[]).exits(1);
    let data = certify("build/hidden.csv", &quasi).exits(0).data();
    let certificate = &data["certificate"];
    assert_eq!((text(&data["result"]), text(&certificate["ground"])), ("certified", "hidden-rows"));
    let because = text(&certificate["because"]);
    assert!(because.contains("its 40 rows keep k = 4 by age, zip"), "{because}");
    kept.nearside(&["privacy", "certify", "build/hidden.csv", "--verify"]).exits(0);
    let l = ["--sensitive", "sick", "--l", "3"];
    certify("build/hidden.csv", &[&quasi[..], &l].concat()).exits(3);
    // Of two columns of one name only one would be read.
    kept.project.0.write("build/two.csv", format!("age,zip,age\n{}", "*,*,31\n".repeat(9)));
    let run = certify("build/two.csv", &quasi).exits(3);
    assert!(run.stderr.contains("several columns \"age\""), "{}", run.stderr);
    kept.project.0.write("build/hidden.csv", "age,zip,sick\n*,*,1\n");
    kept.nearside(&["privacy", "certify", "build/hidden.csv", "--verify"]).exits(1);
}
