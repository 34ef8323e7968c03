//! `nearside model chat` over a pipe, with a tiny model.

use std::io::Write as _;
use std::process::Stdio;

use nearside_architecture::Dtype;
use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, text};
use crate::tiny_model;

/// What is told of a conversation in which this is said.
fn said(name: &str, lines: &str, more: &[&str]) -> (Folder, Run) {
    let folder = Folder::cleared(name);
    let path = folder.path().join("tiny.gguf");
    tiny_model::write(&path, Dtype::Q8_0);
    let path = path.display().to_string();
    let saved = folder.path().join("saved.json").display().to_string();
    let usual = ["model", "chat", &path, "--temperature", "0", "--tokens", "6"];
    let arguments = [&usual, more].concat();
    let mut command = command(&arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = lines.replace("SAVED", &saved);
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let run =
        Run { line: arguments.join(" "), code: output.status.code().unwrap(), stdout, stderr };
    (folder, run)
}

fn data(run: Run) -> Value {
    let run = run.exits(0);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    check_schema("model-chat", &told["data"]);
    told["data"].clone()
}

#[test]
fn questions_are_answered_in_turn_and_nothing_is_read_twice() {
    let (_folder, run) = said("chat-turns", "the\na \\\ning\n", &["--json", "--system", "the ing"]);
    let told = data(run);
    let roles: Vec<_> =
        list(&told["messages"]).iter().map(|message| text(&message["role"])).collect();
    assert_eq!(roles, ["system", "user", "assistant", "user", "assistant"]);
    assert_eq!(told["messages"][3]["content"], "a \ning");
    let (_folder, once) = said("chat-once", "the\n", &["--json", "--system", "the ing"]);
    let once = data(once);
    assert_eq!(once["messages"][2], told["messages"][2]);
    let lines = ["--json", "--system", "the ing", "--cache-type", "q8_0"];
    let (_folder, bytes) = said("chat-bytes", "the\n", &lines);
    assert_eq!(data(bytes)["read_tokens"], once["read_tokens"]);
    // The second question read what was new: itself, and the marks around it.
    let read = |told: &Value| told["read_tokens"].as_u64().unwrap();
    assert!(read(&told) < 2 * read(&once) + 10, "{told}");
}

#[test]
fn what_a_line_orders_is_done_and_the_answers_stay_alone_on_stdout() {
    let lines = "/help\nthe\n/save SAVED\n/undo\n/nonsense\n/save /nowhere/x\n/bye\nnot read\n";
    let (folder, run) = said("chat-orders", lines, &[]);
    let run = run.exits(0);
    let saved = std::fs::read_to_string(folder.path().join("saved.json")).unwrap();
    let saved: Value = serde_json::from_str(&saved).unwrap();
    assert_eq!(list(&saved).len(), 2);
    assert_eq!(run.stdout, format!("{}\n", text(&saved[1]["content"])));
    for told in ["/clear", "/nonsense is nothing here", "/nowhere/x"] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    let (_folder, forgotten) = said("chat-undo", "the\n/undo\nthe\n/clear\nthe\n", &["--json"]);
    assert_eq!(list(&data(forgotten)["messages"]).len(), 2);
}

#[test]
fn a_conversation_that_is_too_long_is_told_and_goes_on_without_the_question() {
    let long = format!("{}\nthe\n", "the ".repeat(100));
    let (_folder, run) = said("chat-long", &long, &["--context", "64"]);
    let run = run.exits(0);
    assert!(run.stderr.contains("there is room for 64"), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
}
