//! Answers: their JSON envelope, their stream, their exit code, and that they repeat.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;

use super::command::{Folder, TODAY, command, list, nearside, text};

const EXAMPLE: &str = "examples/support-assistant";
const WORKSTATION: &str = "examples/support-assistant/workstation.toml";

/// Commands that answer with an envelope: its schema, the exit code, the arguments.
const ANSWERS: [(&str, i32, &[&str]); 22] = [
    ("plan", 0, &["plan", EXAMPLE]),
    ("plan", 0, &["plan", EXAMPLE, "--cautious", "--all", "--explain"]),
    ("plan", 0, &["plan", EXAMPLE, "--stage", "train"]),
    ("plan", 0, &["plan", EXAMPLE, "--pareto"]),
    ("plan", 0, &["plan", EXAMPLE, "--what-if", "objective.minimize=carbon"]),
    ("fit", 0, &["fit", "llama-3.1-8b", "--on", "rtx-4090"]),
    ("fit", 0, &["fit", "llama-3.2-1b", "--on", "t4", "--count", "2", "--task", "lora"]),
    ("fit", 1, &["fit", "llama-3.1-70b", "--on", "rtx-4090", "--task", "fine-tune", "--explain"]),
    ("fit", 0, &["fit", "llama-3.2-3b", "--site", WORKSTATION]),
    ("fit-list", 0, &["fit", "--site", WORKSTATION, "--size", "1B..4B", "--limit", "3"]),
    ("fit-list", 1, &["fit", "--on", "t4", "--task", "fine-tune", "--size", "30B..", "--explain"]),
    ("doctor-power", 0, &["doctor", "--power", "--site", WORKSTATION, "--explain"]),
    ("catalog-list", 0, &["catalog", "list", "devices"]),
    ("catalog-list", 0, &["catalog", "list", "offers", "aws/*"]),
    ("catalog-list", 0, &["catalog", "list", "regions"]),
    ("catalog-list", 0, &["catalog", "list", "grids"]),
    ("catalog-list", 0, &["catalog", "list", "models"]),
    ("catalog-show", 0, &["catalog", "show", "rtx-4090"]),
    ("catalog-show", 0, &["catalog", "show", "llama-3.1-8b"]),
    ("catalog-show", 0, &["catalog", "show", "aws/g4dn.xlarge@us-east-1"]),
    ("catalog-check", 1, &["catalog", "check"]),
    ("config", 0, &["config", "show", EXAMPLE]),
];

#[test]
fn json_is_one_envelope_the_same_every_time() {
    for (schema, code, arguments) in ANSWERS {
        let arguments = [arguments, &["--json"]].concat();
        let run = nearside(&arguments).exits(code);
        let again = nearside(&arguments);
        assert_eq!(run.stdout, again.stdout, "{} answers differently", run.line);
        let envelope = run.envelope();
        let keys: BTreeSet<&str> =
            envelope.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = BTreeSet::from(["schema", "as_of", "data", "warnings", "sources"]);
        assert_eq!(keys, expected, "{}", run.line);
        assert_eq!(envelope["schema"], format!("nearside/{schema}/1"), "{}", run.line);
        assert_eq!(envelope["as_of"], TODAY, "{}", run.line);
        for words in ["warnings", "sources"] {
            assert!(list(&envelope[words]).iter().all(Value::is_string), "{}: {words}", run.line);
        }
        if matches!(schema, "plan" | "fit") {
            assert!(!list(&envelope["sources"]).is_empty(), "{} has no sources", run.line);
        }
        check_schema(schema, &envelope["data"]);
    }
}

#[test]
fn text_goes_to_stdout_and_the_rest_to_stderr() {
    for (_, code, arguments) in ANSWERS {
        let run = nearside(arguments).exits(code);
        assert!(run.stdout.ends_with('\n') && run.stdout.trim() != "", "{}", run.line);
        assert!(serde_json::from_str::<Value>(&run.stdout).is_err(), "{}", run.line);
        let aside = |line: &&str| line.starts_with("warning: ") || line.starts_with("hint: ");
        let other: Vec<_> = run.stderr.lines().filter(|line| !aside(line)).collect();
        assert!(other.is_empty(), "{}: {other:?}", run.line);
        assert!(!run.stdout.contains("hint: "), "{}", run.line);
        let quiet = nearside(&[arguments, &["-q"]].concat()).exits(code);
        assert_eq!((quiet.stdout, quiet.stderr), (run.stdout, String::new()), "{}", run.line);
    }
}

#[test]
fn a_plan_warns_of_what_it_assumed() {
    let shown = nearside(&["plan", EXAMPLE]);
    let envelope = nearside(&["plan", EXAMPLE, "--json"]).envelope();
    for warning in list(&envelope["warnings"]) {
        let line = format!("warning: {}\n", text(warning));
        assert!(shown.stderr.contains(&line), "{line}{}", shown.stderr);
    }
}

/// Checks the outermost fields of an answer against the schema that the command publishes.
pub(crate) fn check_schema(schema: &str, data: &Value) {
    let Some(data) = data.as_object().filter(|_| schema != "catalog-show") else { return };
    let shape = published_schema(schema);
    for key in shape["required"].as_array().into_iter().flatten().map(text) {
        assert!(data.contains_key(key), "{schema} lacks {key}");
    }
    for key in data.keys() {
        assert!(shape["properties"].get(key).is_some(), "{key} is not in the schema of {schema}");
    }
}

fn published_schema(name: &str) -> Value {
    serde_json::from_str(&nearside(&["config", "schema", name]).exits(0).stdout).unwrap()
}

#[test]
fn the_schema_of_a_project_has_its_tables() {
    let schema = published_schema("project");
    for table in ["dataset", "model", "stage", "site", "sites", "money", "policy", "objective"] {
        assert!(schema["properties"][table].is_object(), "{table}");
    }
}

/// The verdict of `fit` on one task, as JSON says it.
fn verdict(arguments: &[&str]) -> String {
    let data = nearside(&[arguments, &["--json"]].concat()).data();
    text(&data["tasks"][0]["verdict"]).to_owned()
}

#[test]
fn fit_exits_by_its_verdict() {
    let on = |model: &'static str, task: &'static str| {
        ["fit", model, "--on", "rtx-4090", "--task", task]
    };
    let fits = on("llama-3.2-1b", "lora");
    assert_eq!(verdict(&fits), "fits");
    assert!(nearside(&fits).exits(0).stdout.contains("FITS"));
    let large = on("llama-3.1-70b", "fine-tune");
    assert_eq!(verdict(&large), "does not fit");
    for rest in [&[][..], &["--accept-uncertain"]] {
        let run = nearside(&[&large, rest].concat()).exits(1);
        assert!(run.stdout.contains("DOES NOT FIT"), "{}", run.stdout);
    }
}

#[test]
fn training_a_hybrid_says_whose_kernels_it_counts_with() {
    let warns = |arguments: &[&str]| nearside(arguments).stderr.contains("with PyTorch alone");
    assert!(warns(&["fit", "qwen3.5-9b", "--on", "rtx-4090", "--task", "lora"]));
    assert!(!warns(&["fit", "qwen3.5-9b", "--on", "rtx-4090", "--task", "inference"]));
    assert!(!warns(&["fit", "llama-3.2-1b", "--on", "rtx-4090", "--task", "lora"]));
    // A type that was asked for is that of every row: each stands there once.
    let asked = ["fit", "llama-3.2-1b", "--on", "rtx-4090", "--weights", "q4_k_m"];
    assert_eq!(nearside(&asked).stdout.matches("inference  q4_k").count(), 1);
}

#[test]
fn an_overview_is_of_what_a_model_is_used_for_and_fits_a_terminal() {
    let text = nearside(&["fit", "llama-3.1-8b", "--on", "rtx-4090"]).stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("training with adamw, fused attention, checkpointing"), "{text}");
    // A convolutional network has no attention, and no linear layers to adapt or to pack.
    let text = nearside(&["fit", "resnet50", "--on", "rtx-4090"]).stdout;
    assert!(text.contains("fine-tune  bf16") && !text.contains("attention"), "{text}");
    assert!(!text.contains("lora") && !text.contains("q4_k"), "{text}");
}

#[test]
fn several_devices_share_what_one_cannot_hold() {
    let question =
        ["fit", "llama-3.1-8b", "--task", "fine-tune", "--batch", "8", "--on", "h100-sxm"];
    assert_ne!(verdict(&question), "fits");
    let asked = |rest: &[&'static str]| {
        let run = nearside(&[&question[..], &["--count", "8"], rest].concat());
        run.stdout
    };
    assert!(asked(&[]).contains("ZeRO-1, each of 8 devices"), "{}", asked(&[]));
    let stated = asked(&["--sharding", "fsdp", "--tensor", "2", "--stream", "split"]);
    let plan = "FSDP, tensor and sequence parallel over 2, each of 8 devices";
    assert!(stated.contains(plan), "{stated}");
    let wrong = nearside(&[&question[..], &["--sharding", "zero4"]].concat()).exits(2);
    assert!(wrong.stderr.contains("use none, zero1, zero2, zero3, fsdp"), "{}", wrong.stderr);
}

/// Between the lengths that fit and those that do not there are some where nobody can tell.
#[test]
fn uncertain_is_no_unless_it_is_accepted() {
    let question = |length: &str| {
        let model = ["fit", "llama-3.2-3b", "--on", "rtx-4090", "--task", "lora", "--sequence"];
        model.into_iter().chain([length]).map(str::to_owned).collect::<Vec<_>>()
    };
    let asked = |length: &String, rest: &[&str]| {
        let question = question(length);
        let words: Vec<&str> =
            question.iter().map(String::as_str).chain(rest.iter().copied()).collect();
        nearside(&words)
    };
    let lengths: Vec<String> = (1..64).map(|step| (step * 128).to_string()).collect();
    let fits = |length: &String| asked(length, &[]).code == 0;
    let borderline = &lengths[lengths.partition_point(fits)];
    let run = asked(borderline, &[]).exits(1);
    assert!(run.stdout.contains("UNCERTAIN"), "{}", run.stdout);
    asked(borderline, &["--accept-uncertain"]).exits(0);
}

#[test]
fn a_model_of_an_unknown_family_is_not_estimated_yet() {
    let folder = Folder::cleared("unknown-family");
    let config = "{\"model_type\": \"newfangled\", \"architectures\": [\"NewfangledModel\"]}";
    let file = folder.write("config.json", config);
    let arguments = ["fit", &file, "--site", WORKSTATION];
    let run = nearside(&arguments).exits(1);
    assert!(run.stdout.contains("newfangled models are not estimated yet"), "{}", run.stdout);
    let run = nearside(&[&arguments[..], &["--task", "lora", "--json"]].concat()).exits(1);
    let task = &run.data()["tasks"][0];
    assert_eq!(task["verdict"], "unknown");
    assert!(text(&task["why"]).contains("not estimated yet"), "{task}");
}

#[test]
fn a_recorded_machine_stands_in_for_this_one() {
    let run = nearside(&["fit", "llama-3.1-8b", "--site", WORKSTATION]).exits(0);
    assert!(run.stdout.contains("on workstation, "), "{}", run.stdout);
    let data = nearside(&["fit", "llama-3.1-8b", "--site", WORKSTATION, "--json"]).data();
    assert_eq!(data["site"], "workstation");
    assert!(list(&data["tasks"]).len() >= 6);
}

#[test]
fn the_catalog_check_exits_by_its_findings() {
    let run = nearside(&["catalog", "check"]).exits(1);
    let count = nearside(&["catalog", "check", "--json"]).data().as_array().map_or(0, Vec::len);
    assert!(run.stdout.contains(&format!("\n{count} findings: ")), "{}", run.stdout);
    let old = |age: &str| {
        let check = ["catalog", "check", "--older-than", age, "--today", TODAY, "--json"];
        let data = nearside(&check).exits(1).data();
        list(&data).iter().filter(|doubt| text(&doubt["problem"]).contains("days old")).count()
    };
    let of_table = |table: &str| nearside(&["catalog", "check", table, "--json"]).exits(1).data();
    let devices = of_table("devices");
    let places = list(&devices).iter().map(|doubt| text(&doubt["place"]));
    assert!(places.into_iter().all(|place| place.contains("devices.csv:")), "{devices}");
    assert!(list(&devices).len() < count);
    let none = nearside(&["catalog", "check", "models"]).exits(0);
    assert_eq!(none.stdout, "no row is doubtful\n");
    nearside(&["catalog", "check", "everything"]).exits(2);
    let (young, middle, ancient) = (old("1 day"), old("2 years"), old("100 years"));
    assert!(young > middle && middle > ancient && ancient == 0, "{young} {middle} {ancient}");
}

#[test]
fn colour_is_for_those_who_ask() {
    for arguments in [&["plan", EXAMPLE][..], &["plan", "nowhere"]] {
        let run = nearside(arguments);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains('\x1b'), "{}", run.line);
    }
    assert!(nearside(&["plan", "nowhere", "--color", "always"]).exits(3).stderr.contains('\x1b'));
}

#[test]
fn a_closed_pipe_is_no_error() {
    for arguments in [&["catalog", "list", "offers"][..], &["catalog", "check", "--json"]] {
        let mut command = command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        drop(stdout);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = child.wait().unwrap().code();
        let expected = i32::from(arguments.contains(&"check"));
        assert_eq!((code, stderr.as_str()), (Some(expected), ""), "{arguments:?}");
        assert_ne!(line, "", "{arguments:?}");
    }
}

#[test]
fn init_writes_a_project_that_reads_back() {
    let folder = Folder::cleared("init");
    folder.write("data/people.csv", "name\nAda\n");
    folder.write("train.py", "");
    let path = folder.path().to_str().expect("a UTF-8 path");
    let shown = nearside(&["init", path, "--stdout"]).exits(0).stdout;
    assert!(!folder.path().join("nearside.toml").exists());
    nearside(&["init", path]).exits(0);
    let written = std::fs::read_to_string(folder.path().join("nearside.toml")).unwrap();
    assert_eq!(written.trim_end(), shown.trim_end());
    assert!(written.contains("data/people.csv") && written.contains("assumed"), "{written}");
    nearside(&["config", "show", path]).exits(0);
    let again = nearside(&["init", path]).exits(3);
    assert!(again.stderr.contains("exists already") && again.stderr.contains("hint: --force"));
    nearside(&["init", path, "--force"]).exits(0);
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = nearside(&["completions", shell]).exits(0).stdout;
        for word in ["init", "fit", "plan", "catalog", "config", "completions", "accept-uncertain"]
        {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
