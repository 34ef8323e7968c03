//! `nearside model generate` and `nearside model bench` on a tiny model.

use std::io::Write as _;
use std::process::Stdio;

use nearside_architecture::Dtype;
use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, nearside, number, text};
use crate::tiny_model;

/// A folder with the model, and its path.
fn model(name: &str, dtype: Dtype) -> (Folder, String) {
    let folder = Folder::cleared(name);
    let path = folder.path().join("tiny.gguf");
    tiny_model::write(&path, dtype);
    (folder, path.display().to_string())
}

fn generated(arguments: &[&str]) -> Value {
    let data = nearside(&[&["model", "generate", "--json"], arguments].concat()).exits(0).data();
    check_schema("model-generate", &data);
    data
}

#[test]
fn the_same_seed_writes_the_same_on_any_number_of_threads() {
    let (_folder, path) = model("generate-seed", Dtype::Q8_0);
    let written = |more: &[&str]| {
        let data = generated(&[&[path.as_str(), "the", "--tokens", "40"], more].concat());
        assert_eq!(data["new_tokens"], 40);
        text(&data["text"]).to_owned()
    };
    let first = written(&["--seed", "7"]);
    assert_eq!(first, written(&["--seed", "7", "--threads", "1"]));
    assert_ne!(first, written(&["--seed", "8"]));
    let greedy = written(&["--temperature", "0"]);
    assert_eq!(greedy, written(&["--temperature", "0", "--seed", "9", "--threads", "2"]));
    assert_eq!(greedy, written(&["--top-k", "1", "--seed", "3"]));
}

#[test]
fn text_comes_as_it_is_written_and_what_it_took_beside_it() {
    let (_folder, path) = model("generate-text", Dtype::F32);
    let run =
        nearside(&["model", "generate", &path, "the", "--tokens", "20", "--temperature", "0"]);
    let run = run.exits(0);
    let data = generated(&[&path, "the", "--tokens", "20", "--temperature", "0"]);
    assert_eq!(run.stdout, format!("{}\n", text(&data["text"])));
    assert!(run.stderr.contains("wrote 20 tokens at"), "{}", run.stderr);
    assert!(run.stderr.contains("as many as were asked for"), "{}", run.stderr);
}

#[test]
fn a_question_is_asked_in_the_template_and_raw_text_is_not() {
    let (_folder, path) = model("generate-template", Dtype::F32);
    let read = |more: &[&str]| {
        let data = generated(&[&[path.as_str(), "the", "--tokens", "1"], more].concat());
        number(&data["prompt_tokens"])
    };
    let asked = read(&[]);
    assert!(asked > read(&["--raw"]), "{asked}");
    assert!(read(&["--system", "a"]) > asked);
    // The text of a control token in a question is text: more tokens than one.
    let guarded = generated(&[&path, "</s></s></s>", "--tokens", "1"]);
    assert!(number(&guarded["prompt_tokens"]) > asked + 3.0, "{guarded}");
}

#[test]
fn a_text_ends_where_it_is_told_to() {
    let (_folder, path) = model("generate-stop", Dtype::F32);
    let all = generated(&[&path, "the", "--tokens", "60", "--temperature", "0"]);
    let all = text(&all["text"]).to_owned();
    let middle = all.char_indices().nth(all.chars().count() / 2).unwrap().0;
    let stop: String = all[middle..].chars().take(2).collect();
    let ended = generated(&[&path, "the", "--tokens", "60", "--temperature", "0", "--stop", &stop]);
    assert_eq!(text(&ended["finish"]), "stop");
    assert_eq!(text(&ended["text"]), &all[..all.find(&stop).unwrap()]);
}

#[test]
fn a_prompt_comes_from_a_pipe() {
    let (_folder, path) = model("generate-pipe", Dtype::F32);
    let mut child = command(&["model", "generate", &path, "--raw", "--tokens", "5", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("the\n".as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let direct = generated(&[&path, "the\n", "--raw", "--tokens", "5"]);
    assert_eq!(answer["data"]["text"], direct["text"]);
}

#[test]
fn what_cannot_be_done_is_told() {
    let (folder, path) = model("generate-bad", Dtype::F32);
    let told = |arguments: &[&str], code: i32| {
        let Run { stderr, .. } =
            nearside(&[&["model", "generate"], arguments].concat()).exits(code);
        stderr
    };
    assert!(told(&["nothing", "hi"], 3).contains("there is no nothing"));
    assert!(told(&["org/name", "hi"], 3).contains("nearside model pull org/name"));
    let long = "the ".repeat(300);
    let long = told(&[&path, &long], 3);
    assert!(long.contains("do not fit into a context of 256"), "{long}");
    assert!(told(&[&path, "hi", "--tokens", "400"], 0).contains("was made for 256 tokens"));
    let cut = std::fs::read(&path).unwrap();
    let cut = folder.write("cut.gguf", &cut[..cut.len() / 2]);
    let cut = told(&[&cut, "hi"], 3);
    assert!(cut.contains("cut.gguf") && cut.contains("tensor"), "{cut}");
    let empty = folder.write("empty.gguf", "");
    assert!(told(&[&empty, "hi"], 3).contains("empty.gguf"));
}

#[test]
fn a_bench_says_what_share_of_the_memory_is_reached() {
    let (_folder, path) = model("bench", Dtype::Q8_0);
    let sizes = ["--prompt", "40", "--new", "8", "--runs", "2", "--no-record", "--json"];
    let data = nearside(&[&["model", "bench", &path], &sizes[..]].concat()).exits(0).data();
    check_schema("model-bench", &data);
    assert_eq!(data["recorded"], false);
    let rate = |name: &str| number(&data[name]["likely"]);
    let share = rate("decode") * number(&data["bytes_per_token"]) / rate("memory_read");
    assert!((number(&data["share_of_memory_read"]) / share - 1.0).abs() < 1e-9, "{data}");
    // All matrices but the embedding table, of which one row is read.
    let matrices = 2 * (64 * 64 * 2 + 32 * 64 * 2 + 96 * 64 * 3) + 270 * 64;
    assert_eq!(data["bytes_per_token"], matrices / 32 * 34);
}

/// What a command says, with a data folder of its own.
fn with_data(folder: &Folder, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    command.env("NEARSIDE_DATA_DIR", folder.path().join("data"));
    Run::of(command, arguments)
}

#[test]
fn what_was_expected_stands_beside_what_was_measured_and_both_are_kept() {
    let (folder, path) = model("bench-expected", Dtype::Q8_0);
    let bench = |more: &[&str]| {
        let sizes = ["--prompt", "64", "--new", "32", "--runs", "3", "--json"];
        let arguments = [&["model", "bench", &path], &sizes[..], more].concat();
        with_data(&folder, &arguments).exits(0).data()
    };
    let accuracy = |code: i32| with_data(&folder, &["ledger", "accuracy", "--json"]).exits(code);
    bench(&["--no-record"]);
    // Not on all processors, as estimates are for.
    let one = bench(&["--threads", "1"]);
    assert!(one["compared"].as_array().unwrap().is_empty() && one["recorded"] == false, "{one}");
    assert!(text(&one["not_compared"]).contains("all processors"), "{one}");
    accuracy(3);
    let first = bench(&[]);
    check_schema("model-bench", &first);
    let names: Vec<_> =
        first["compared"].as_array().unwrap().iter().map(|one| text(&one["what"])).collect();
    assert_eq!(names, ["prompt", "token", "memory"]);
    assert_eq!(first["recorded"], true);
    for one in first["compared"].as_array().unwrap() {
        let [low, high, measured] =
            [&one["expected"]["low"], &one["expected"]["high"], &one["measured"]].map(number);
        assert_eq!(one["within"], low <= measured && measured <= high, "{one}");
    }
    bench(&[]);
    let data = accuracy(0).data();
    check_schema("ledger-accuracy", &data);
    let models = data["models"].as_array().unwrap();
    assert_eq!(models.len(), 3, "{data}");
    for figure in models {
        let runs = figure["runs"].as_u64().zip(figure["busy_runs"].as_u64());
        assert_eq!(runs.map(|(quiet, busy)| quiet + busy), Some(2), "{figure}");
        // Memory is the same whatever else runs.
        assert!(figure["what"] != "memory" || figure["runs"] == 2, "{figure}");
        assert!(text(&figure["model"]).starts_with("tiny.gguf, "), "{figure}");
    }
    let shown = with_data(&folder, &["ledger", "accuracy"]).exits(0).stdout;
    assert!(shown.contains("model on this machine") && shown.contains("memory"), "{shown}");
}

#[test]
fn what_runs_taught_makes_the_next_estimate() {
    let (folder, path) = model("bench-taught", Dtype::Q8_0);
    let bench = || {
        let sizes = ["--prompt", "64", "--new", "64", "--runs", "3", "--json"];
        let arguments = [&["model", "bench", &path], &sizes[..]].concat();
        with_data(&folder, &arguments).exits(0).data()
    };
    let token = |data: &Value| {
        let compared = data["compared"].as_array().unwrap();
        compared.iter().find(|one| one["what"] == "token").unwrap().clone()
    };
    let first = bench();
    let busy = |data: &Value| data["queued_share"].as_f64().is_some_and(|share| share > 0.15);
    let second = bench();
    let [before, after] = [&first, &second].map(|data| number(&token(data)["expected"]["likely"]));
    if busy(&first) {
        // Other work was there: it is kept, and says nothing.
        assert!((after / before - 1.0).abs() < 1e-9, "{before} {after}");
        return;
    }
    let measured = number(&token(&first)["measured"]);
    assert!((after / measured - 1.0).abs() < 1e-6, "{before} {measured} {after}");
}
