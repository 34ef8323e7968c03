//! Other programs that compute: `nearside model engines`, `parity`, and `--engine`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nearside_architecture::Dtype;
use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, command, list, nearside, number, root, text};
use crate::served::{self, Server};
use crate::tiny_model;

/// A tiny model, its file, and a server of it.
fn served(name: &str, more: &[&str]) -> (Folder, String, Server) {
    let (folder, server) = served::tiny(name, more);
    let path = folder.path().join("tiny.gguf").display().to_string();
    (folder, path, server)
}

fn data(arguments: &[&str], schema: &str) -> Value {
    let told = nearside(arguments).exits(0).data();
    check_schema(schema, &told);
    told
}

#[test]
fn a_model_answers_by_another_program_as_it_does_here() {
    let (_folder, path, server) = served("engine-answers", &[]);
    let engine = server.address.as_str();
    let asked = ["the ing a", "--temperature", "0", "--tokens", "12", "--json"];
    for raw in [&["--raw"][..], &[]] {
        let generate = |model: &[&str]| {
            let arguments = [&["model", "generate"], model, &asked, raw].concat();
            data(&arguments, "model-generate")
        };
        let (here, there) = (generate(&[&path]), generate(&["tiny", "--engine", engine]));
        for same in ["text", "prompt_tokens", "new_tokens", "finish"] {
            assert_eq!(here[same], there[same], "{same}");
        }
        assert_eq!(there["engine"]["program"], "nearside");
        assert_eq!(here["engine"], Value::Null);
    }
    let mut chat =
        command(&["model", "chat", "tiny", "--engine", engine, "--tokens", "5", "--json"]);
    chat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut chat = chat.spawn().unwrap();
    chat.stdin.take().unwrap().write_all(b"the\n/undo\na\ning\n").unwrap();
    let told = chat.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    check_schema("model-chat", &told["data"]);
    assert_eq!(list(&told["data"]["messages"]).len(), 4);
    assert_eq!(told["data"]["new_tokens"], 15);
    let bench =
        ["model", "bench", "tiny", "--engine", engine, "--prompt", "24", "--new", "8", "--json"];
    let bench = data(&bench, "model-bench-elsewhere");
    assert_eq!(bench["new_tokens"], 8);
    assert!(number(&bench["decode"]["likely"]) > 0.0);
}

#[test]
fn what_this_program_serves_is_what_it_computes() {
    let (folder, path, server) = served("engine-parity", &[]);
    let with = format!("{}=tiny", server.address);
    let texts = folder.write("text.txt", "the ing a the\n");
    let arguments = ["model", "parity", &path, "--with", &with, "--within", "0.0001", "--json"];
    for more in [&[][..], &["--text", &texts]] {
        let told = data(&[&arguments, more].concat(), "model-parity");
        let engine = &told["engines"][0];
        assert!(number(&engine["tokens"]) >= 8.0, "{engine}");
        assert_eq!(engine["texts_alike"], engine["texts"]);
        assert!(number(&engine["mean_difference"]) < 1e-5, "{engine}");
    }
    // Another model under the same name is none that is alike.
    let other = folder.path().join("other.gguf");
    tiny_model::write(&other, Dtype::Q4_0);
    let other = other.display().to_string();
    let arguments = ["model", "parity", &other, "--with", &with, "--within", "0.0001"];
    let run = nearside(&arguments).exits(1);
    assert!(run.stdout.contains("mean difference"), "{}", run.stdout);
}

#[test]
fn who_does_not_answer_is_told() {
    let token = Folder::new("engine-token").write("token", "s3cret\n");
    let (_folder, path, server) = served("engine-faults", &["--token-file", &token]);
    let engine = server.address.as_str();
    let fails = |code: i32, arguments: &[&str], told: &str| {
        let run = nearside(arguments).exits(code);
        assert!(run.stderr.contains(told), "{}", run.stderr);
    };
    fails(4, &["model", "generate", "tiny", "x", "--engine", engine], "--engine-token FILE");
    let lets_in = ["--engine", engine, "--engine-token", &token];
    fails(3, &[&["model", "generate", "tony", "x"], &lets_in[..]].concat(), "it has tiny");
    let found =
        data(&["model", "engines", engine, "--engine-token", &token, "--json"], "model-engines");
    assert_eq!(text(&found["engines"][0]["models"][0]["name"]), "tiny");
    fails(4, &["model", "chat", "tiny", "--engine", "127.0.0.1:1"], "nobody answers");
    let empty = Folder::new("engine-no-token").write("token", " ");
    let no_token = ["--engine", engine, "--engine-token", &empty];
    fails(3, &[&["model", "chat", "tiny"], &no_token[..]].concat(), "is no token");
    fails(3, &[&["model", "generate", "tiny", ""], &lets_in[..]].concat(), "the prompt is empty");
    // A question that is too long ends no conversation.
    let mut chat =
        command(&[&["model", "chat", "tiny", "--json", "--tokens", "2"], &lets_in[..]].concat());
    chat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut chat = chat.spawn().unwrap();
    let said = format!("{}\na\n", "the ".repeat(400));
    chat.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    let told = chat.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(5));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(list(&told["data"]["messages"]).len(), 2, "{told}");
    fails(3, &["model", "chat", "tiny", "--engine", "https://example.org"], "would leave it");
    fails(2, &["model", "generate", "tiny", "x", "--engine", engine, "--threads", "1"], "--engine");
    fails(2, &["model", "parity", &path], "--with");
    let bench = [&["model", "bench", "tiny", "--prompt", "1000000"], &lets_in[..]].concat();
    fails(3, &bench, "has a context of");
}

#[test]
fn llama_server_computes_the_same() {
    let python: PathBuf = root().join("target/engines/llama/bin/python");
    if !python.exists() {
        eprintln!("SKIPPED: there is no llama-server; cargo xtask setup installs xllamacpp");
        return;
    }
    // A model whose words are words: of broken characters llama-server tells nothing.
    let folder = Folder::cleared("engine-llama");
    let (base, path) = (folder.path().join("base"), folder.path().join("tiny.gguf"));
    let [base, path] = [base, path].map(|path| path.display().to_string());
    let text_file =
        folder.write("text.txt", "The lake is deep and the boat is small.\n".repeat(200));
    let train = ["model", "train", &text_file, "-o", &base, "--steps", "30", "--vocabulary", "300"];
    nearside(&[&train, &["--layers", "2", "--hidden", "64", "--context", "128"][..]].concat())
        .exits(0);
    nearside(&["model", "quantize", &base, "-o", &path, "--to", "q8_0"]).exits(0);
    let mut command = Command::new(python);
    command.arg(root().join("crates/nearside/tests/engines/llama_server.py")).arg(&path);
    let server = Server::start(command);
    let found = data(&["model", "engines", &server.address, "--json"], "model-engines");
    let (engine, model) = (&found["engines"][0], &found["engines"][0]["models"][0]);
    assert_eq!(text(&engine["program"]), "llama-server");
    assert_eq!((text(&model["stored_as"]), model["loaded"].as_bool()), ("Q8_0", Some(true)));
    let parity =
        ["model", "parity", &path, "--with", &server.address, "--within", "0.05", "--json"];
    let parity = data(&parity, "model-parity");
    let engine = &parity["engines"][0];
    assert_eq!(engine["texts_alike"], engine["texts"], "{engine}");
    assert!(number(&engine["best_alike"]) > 0.9, "{engine}");
    assert!(number(&engine["tokens"]) > 100.0, "{engine}");
    // Of tokens that are parts of characters it tells what belongs to others: nothing of that is compared.
    let broken = folder.path().join("broken.gguf");
    tiny_model::write(&broken, Dtype::Q8_0);
    let mut command = Command::new(root().join("target/engines/llama/bin/python"));
    command.arg(root().join("crates/nearside/tests/engines/llama_server.py")).arg(&broken);
    let of_broken = Server::start(command);
    let broken = broken.display().to_string();
    let run =
        nearside(&["model", "parity", &broken, "--with", &of_broken.address, "--json"]).exits(0);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    let told = &told["data"]["engines"][0];
    assert!(number(&told["unknown"]) > 0.0 && run.stderr.contains("are not compared"), "{told}");
    assert!(told["largest_difference"].as_f64().is_none_or(|largest| largest < 0.1), "{told}");
    let name = text(&model["name"]);
    let asked = ["--raw", "The lake", "--engine", &server.address, "--temperature", "0", "--json"];
    let written = data(&[&["model", "generate", name], &asked[..]].concat(), "model-generate");
    assert!(written["new_tokens"].is_u64() && written["prompt_tokens"].is_u64(), "{written}");
}
