//! `nearside model train` on texts of the repository.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::answers::check_schema;
use crate::command::{Folder, command, nearside, text};

/// A model that is made in seconds.
const SMALL: [&str; 10] =
    ["--vocabulary", "300", "--layers", "1", "--hidden", "32", "--context", "32", "--batch", "4"];

fn train<'a>(folder: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["model", "train", "CHANGELOG.md", "docs/decisions", "-o", folder], &SMALL[..], more].concat()
}

fn path(folder: &Path) -> String {
    folder.display().to_string()
}

#[test]
fn what_is_made_is_inspected_and_writes_and_has_learned() {
    let folder = Folder::cleared("train-whole");
    let model = path(&folder.path().join("model"));
    let data = nearside(&train(&model, &["--steps", "40", "--json"])).exits(0).data();
    check_schema("model-train", &data);
    let loss = |of: &str| data[of]["loss"].as_f64().unwrap();
    assert!(loss("after") < 0.9 * loss("before"), "{} {}", loss("before"), loss("after"));
    assert_eq!(data["curve"].as_array().unwrap().len(), 40);
    assert_eq!(data["tokens"], 40 * 4 * 32);
    let inspected = nearside(&["model", "inspect", &model, "--json"]).exits(0).data();
    assert_eq!(inspected["parameters"], data["parameters"]);
    let write = ["model", "generate", &model, "--raw", "The ", "--tokens", "8"];
    assert!(!nearside(&write).exits(0).stdout.is_empty());
    let asked = ["model", "generate", &model, "What is it?", "--tokens", "4"];
    nearside(&asked).exits(0);
    let bench = ["model", "bench", &model, "--prompt", "8", "--new", "4", "--runs", "1", "--json"];
    nearside(&bench).exits(0);
    // In eight bits it is the same model.
    let file = path(&folder.path().join("model.gguf"));
    nearside(&["model", "quantize", &model, "-o", &file, "--to", "Q8_0", "--force"]).exits(0);
    let greedy = |model: &str| {
        let more = ["--raw", "The ", "--tokens", "8", "--temperature", "0"];
        nearside(&[&["model", "generate", model], &more[..]].concat()).exits(0).stdout
    };
    assert_eq!(greedy(&model), greedy(&file));
}

#[test]
fn the_same_seed_makes_the_same_files_on_any_threads_and_another_seed_others() {
    let folder = Folder::cleared("train-seed");
    let made = |name: &str, more: &[&str]| {
        let model = path(&folder.path().join(name));
        nearside(&train(&model, &[&["--steps", "3"], more].concat())).exits(0);
        ["model.safetensors", "tokenizer.json", "config.json", "tokenizer_config.json"]
            .map(|file| fs::read(Path::new(&model).join(file)).unwrap())
    };
    let first = made("first", &["--threads", "1"]);
    assert!(first == made("second", &["--threads", "3", "--checkpointing"]));
    let other = made("other", &["--seed", "1"]);
    assert!(first[0] != other[0] && first[1] == other[1]);
}

#[test]
fn what_is_there_stays_unless_it_is_a_model_that_is_to_go() {
    let folder = Folder::cleared("train-there");
    let model = folder.path().join("model");
    let name = path(&model);
    let arguments = |more: &[&'static str]| train(&name, &[&["--steps", "1"], more].concat());
    fs::create_dir_all(&model).unwrap();
    fs::write(model.join("mine.txt"), "mine").unwrap();
    let told = nearside(&arguments(&["--force"])).exits(3).stderr;
    assert!(told.contains("is no model"), "{told}");
    assert_eq!(fs::read(model.join("mine.txt")).unwrap(), b"mine");
    fs::write(model.join("config.json"), "{}").unwrap();
    // What is no part of a model is not lost with it.
    let told = nearside(&arguments(&["--force"])).exits(3).stderr;
    assert!(told.contains("is no model"), "{told}");
    assert_eq!(fs::read(model.join("mine.txt")).unwrap(), b"mine");
    fs::remove_file(model.join("mine.txt")).unwrap();
    let told = nearside(&arguments(&[])).exits(3).stderr;
    assert!(told.contains("--force"), "{told}");
    nearside(&arguments(&["--force"])).exits(0);
    assert!(model.join("model.safetensors").is_file());
    let told = nearside(&train(".", &["--steps", "1", "--force"])).exits(3).stderr;
    assert!(told.contains("cannot be replaced as a whole"), "{told}");
}

#[test]
fn what_makes_no_model_is_said_with_what_would() {
    let folder = Folder::cleared("train-wrong");
    let model = path(&folder.path().join("model"));
    let short = path(&folder.path().join("short.txt"));
    let latin = path(&folder.path().join("latin.txt"));
    let empty = path(&folder.path().join("empty"));
    fs::write(&short, "so few words").unwrap();
    fs::write(&latin, b"caf\xe9").unwrap();
    fs::create_dir_all(&empty).unwrap();
    let told = |text: &str, more: &[&str], code| {
        let arguments = [&["model", "train", text, "-o", &model], more].concat();
        nearside(&arguments).exits(code).stderr
    };
    for (text, more, code, says) in [
        (short.as_str(), &SMALL[..], 3, "more text"),
        (&latin, &[], 3, "no text in UTF-8"),
        (&empty, &[], 3, "there is no text"),
        ("no such file", &[], 3, "cannot read"),
        ("CHANGELOG.md", &["--hidden", "33"], 2, "a multiple of 32"),
        ("CHANGELOG.md", &["--vocabulary", "100"], 2, "at least 259"),
        ("CHANGELOG.md", &["--learning-rate", "2"], 2, "at most 1"),
        ("CHANGELOG.md", &["--hidden", "65536", "--layers", "999"], 3, "this machine has"),
    ] {
        let told = told(text, more, code);
        assert!(told.contains(says), "{told}");
    }
    let told = nearside(&["model", "train", "-o", &model]).exits(2).stderr;
    assert!(told.contains("TEXT"), "{told}");
    assert!(!Path::new(&model).exists());
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_training_with_the_model_as_it_is_then() {
    let folder = Folder::cleared("train-interrupted");
    let model = path(&folder.path().join("model"));
    let arguments = train(&model, &["--steps", "100000", "--json"]);
    let mut child =
        command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let ended = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(ended.unwrap().success());
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // Where the machine is slow, it may have been before the first step.
    if answer["data"]["interrupted"] == true {
        assert!(text(&answer["warnings"][0]).contains("interrupted after"));
        nearside(&["model", "inspect", &model]).exits(0);
    } else {
        assert!(!Path::new(&model).exists());
    }
}
