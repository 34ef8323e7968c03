//! `nearside privacy anonymize`: what it writes, what it says, what it refuses.

use std::fs;
use std::path::Path;

use super::command::{Folder, Run, command, list, nearside_configured, text};

const TABLE: &str = "\
id,name,email,city,password,note
1,Ann Young,ann@example.org,Berlin,hunter2!x,\"Ann Young, ann@example.org\"
2,Bob Stone,bob@example.org,Rome,,nothing
";

struct Trial {
    folder: Folder,
    configuration: Folder,
}

impl Trial {
    fn new(name: &str) -> Self {
        let folder = Folder::cleared(&format!("anonymize-{name}"));
        let configuration = Folder::cleared(&format!("anonymize-{name}-configuration"));
        folder.write("people.csv", TABLE);
        Self { folder, configuration }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = command(&["privacy", "anonymize"]);
        command.args(arguments).current_dir(self.folder.path());
        command.env("NEARSIDE_CONFIG_DIR", self.configuration.path());
        Run::of(command, arguments)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

#[test]
fn a_table_goes_in_and_a_clean_one_comes_out() {
    // Without a pseudonym no key is needed.
    let trial = Trial::new("table");
    let run = trial.run(&["people.csv", "-o", "build/clean.csv", "--with", "remove"]).exits(0);
    assert_eq!(
        trial.read("build/clean.csv"),
        "\
id,name,email,city,password,note
1,[PERSON],[EMAIL],Berlin,[PASSWORD],\"[PERSON], [EMAIL]\"
2,[PERSON],[EMAIL],Rome,,nothing
"
    );
    assert_eq!(
        run.stdout,
        "\
kind      class     operator  count  left on purpose  left
PERSON    personal  remove        3                0     0
EMAIL     personal  remove        3                0     0
PASSWORD  secret    remove        1                0     0

7 values in 1 file were replaced; a search of the result finds nothing
"
    );
    assert_eq!(run.stderr, "hint: build/clean.csv is written\n");
    assert!(!trial.configuration.path().join("pseudonyms").exists());
    // Without -o the result is the answer.
    let run = trial.run(&["people.csv", "--with", "remove"]).exits(0);
    assert_eq!(run.stdout, trial.read("build/clean.csv"));
    assert!(run.stderr.contains("7 values in 1 file were replaced"), "{}", run.stderr);
}

#[test]
fn a_project_has_one_key_and_others_have_others() {
    let trial = Trial::new("keys");
    let first = trial.run(&["people.csv"]).exits(0).stdout;
    assert_eq!(trial.run(&["people.csv", "-q"]).exits(0).stdout, first);
    let other = trial.run(&["people.csv", "--project", "other"]).exits(0).stdout;
    assert_ne!(other, first);
    trial.folder.write("nearside.toml", "version = 1\nname = \"other\"\n");
    assert_eq!(trial.run(&["people.csv"]).exits(0).stdout, other);
    let keys = trial.configuration.path().join("pseudonyms");
    assert!(keys.join("default.key").is_file() && keys.join("other.key").is_file());
    let run = trial.run(&["people.csv", "--project", "../x"]).exits(2);
    assert!(run.stderr.contains("cannot name a key"), "{}", run.stderr);
}

#[test]
fn a_dry_run_writes_nothing_and_shows_no_value() {
    let trial = Trial::new("dry");
    let run = trial.run(&["people.csv", "-o", "clean.csv", "--dry-run", "--json"]).exits(0);
    let data = run.data();
    assert_eq!(data["dry_run"], true);
    assert_eq!(list(&data["kinds"]).len(), 3);
    assert_eq!(text(&data["kinds"][1]["kind"]), "EMAIL");
    assert_eq!(data["kinds"][1]["count"], 3);
    for value in ["Ann", "ann@", "hunter"] {
        assert!(!run.stdout.contains(value), "{value} is shown");
    }
    assert!(!trial.folder.path().join("clean.csv").exists());
    assert!(!trial.configuration.path().join("pseudonyms").exists());
}

#[test]
fn what_is_left_is_a_negative_finding() {
    let trial = Trial::new("left");
    let run = trial.run(&["people.csv", "-o", "clean.csv", "--keep", "EMAIL"]).exits(1);
    assert!(run.stdout.contains("a search of the result finds 3"), "{}", run.stdout);
    assert!(run.stderr.contains("the result holds 3 findings that are personal or more"));
    let special = ["people.csv", "-o", "clean.csv", "--keep", "EMAIL", "--class", "special"];
    let data = trial.run(&[&special[..], &["--json"]].concat()).exits(0).data();
    assert_eq!(data["kinds"][1]["left_on_purpose"], 3);
    assert!(!trial.read("clean.csv").contains("hunter2"));
    let columns = ["people.csv", "--drop-column", "note", "--keep-column", "name", "--for"];
    let run = trial.run(&[&columns[..], &["EMAIL=mask"]].concat()).exits(1);
    assert_eq!(run.stdout.lines().nth(1), Some("1,Ann Young,***@*******.***,Berlin,[PASSWORD]"));
    let run = trial.run(&["people.csv", "--drop-column", "nmae"]).exits(3);
    assert!(run.stderr.contains("no table has a column \"nmae\""), "{}", run.stderr);
}

#[test]
fn surrogates_look_real_and_are_said_to() {
    let trial = Trial::new("surrogate");
    let run = trial.run(&["people.csv", "-o", "a.csv", "--with", "surrogate"]).exits(0);
    assert!(run.stderr.contains("surrogates look like the real thing"), "{}", run.stderr);
    let clean = trial.read("a.csv");
    assert!(
        !clean.contains("Young") && clean.contains("@example.") && clean.contains("[PASSWORD]")
    );
    trial.folder.write("visits.csv", "patient,dob\n7,1974-11-13\n8,1980-01-01\n7,1974-11-13\n");
    let shift = ["visits.csv", "--with", "shift", "--subject", "patient"];
    let rows = trial.run(&shift).exits(0).stdout;
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows[1], rows[3]);
    assert_ne!(rows[1], "7,1974-11-13");
}

#[test]
fn what_cannot_be_read_stops_all_or_is_left_out() {
    let trial = Trial::new("unreadable");
    trial.folder.write("in/a.txt", "write to ann@example.org");
    trial.folder.write("in/deep/b.json", "{\"email\": \"ann@example.org\"}");
    trial.folder.write("in/data.bin", b"\0\x01\x02");
    let run = trial.run(&["in", "-o", "out"]).exits(3);
    assert!(run.stderr.contains("in/data.bin: no text"), "{}", run.stderr);
    assert!(!trial.folder.path().join("out").exists());
    let run = trial.run(&["in", "-o", "out", "--skip-unreadable"]).exits(0);
    assert!(run.stderr.contains("left out: in/data.bin"), "{}", run.stderr);
    let label = trial.read("out/a.txt").replace("write to ", "");
    assert_eq!(trial.read("out/deep/b.json"), format!("{{\"email\": \"{label}\"}}"));
    assert!(!Path::new(&trial.folder.path().join("out/data.bin")).exists());
    for (arguments, message) in [
        (&["in"][..], "a folder needs a folder"),
        (&["people.csv", "-o", "people.csv"], "take the place of the input"),
        (&["in", "-o", "in/out"], "part of the input"),
        (&["people.csv", "--json"], "cannot hold the result and the report"),
        (&["people.csv", "--for", "EMAIL"], "KIND=OPERATOR"),
        (&["people.csv", "--with", "burn"], "use one of remove"),
    ] {
        let run = trial.run(arguments).exits(2);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
    let run = nearside_configured(trial.configuration.path(), &["privacy", "anonymize", "nowhere"]);
    assert!(run.exits(3).stderr.contains("nowhere"));
}
