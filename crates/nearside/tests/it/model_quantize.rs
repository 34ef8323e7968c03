//! `nearside model quantize` on a tiny model.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use nearside_architecture::Dtype;

use crate::answers::check_schema;
use crate::command::{Folder, command, nearside, text};
use crate::tiny_model;

/// A folder with a model in 32 bits, its path, and that of what is to be written.
fn desk(name: &str) -> (Folder, String, String) {
    let folder = Folder::cleared(name);
    let (model, out) = (folder.path().join("tiny.gguf"), folder.path().join("out.gguf"));
    tiny_model::write(&model, Dtype::F32);
    (folder, model.display().to_string(), out.display().to_string())
}

#[test]
fn what_is_written_computes_and_keeps_what_the_model_says() {
    let (_folder, model, out) = desk("quantize-whole");
    let arguments = ["model", "quantize", &model, "-o", &out, "--to", "Q8_0", "--json"];
    let data = nearside(&arguments).exits(0).data();
    check_schema("model-quantize", &data);
    let inspect = |path: &str| nearside(&["model", "inspect", path, "--json"]).exits(0).data();
    let (before, after) = (inspect(&model), inspect(&out));
    for same in ["name", "licence", "tokenizer", "chat_template", "sizes", "parameters"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    let types: Vec<_> = after["types"].as_array().unwrap().iter().collect();
    let types: Vec<_> = types.iter().map(|of| (&of["type"], &of["tensors"])).collect();
    assert_eq!(types, [(&"q8_0".into(), &16.into()), (&"f32".into(), &5.into())]);
    let written = |path: &str| {
        let arguments = ["model", "generate", path, "the", "--tokens", "3", "--temperature", "0"];
        nearside(&arguments).exits(0).stdout
    };
    assert!(!written(&out).is_empty());
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_to_go() {
    let (_folder, model, out) = desk("quantize-there");
    fs::write(&out, "mine").unwrap();
    let arguments = ["model", "quantize", &model, "-o", &out, "--to", "Q8_0"];
    let told = nearside(&arguments).exits(3).stderr;
    assert!(told.contains("--force"), "{told}");
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    nearside(&[&arguments[..], &["--dry-run"]].concat());
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    nearside(&[&arguments[..], &["--force"]].concat()).exits(0);
    assert!(fs::read(&out).unwrap().starts_with(b"GGUF"));
}

#[test]
fn who_is_killed_leaves_the_file_that_was_there() {
    let (folder, model, out) = desk("quantize-killed");
    fs::write(&out, "mine").unwrap();
    for milliseconds in [1, 4, 8, 12, 16, 20, 30] {
        let mut child =
            command(&["model", "quantize", &model, "-o", &out, "--to", "Q8_0", "--force"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        // The old one or the new one, whole.
        let found = fs::read(&out).unwrap();
        if found != b"mine" {
            nearside(&["model", "inspect", &out]).exits(0);
        }
    }
    drop(folder);
}

#[test]
fn a_wrong_type_is_told_with_the_nearest() {
    let (_folder, model, out) = desk("quantize-wrong");
    let told = |to: &str, code| {
        nearside(&["model", "quantize", &model, "-o", &out, "--to", to]).exits(code).stderr
    };
    let wrong = told("Q4_KM_X", 2);
    assert!(wrong.contains("Q4_K_M"), "{wrong}");
    let data = nearside(&["model", "quantize", &model, "--to", "Q8_0", "--dry-run", "--json"])
        .exits(0)
        .data();
    assert_eq!(text(&data["model"]), model);
}
