//! `nearside model inspect` on tiny models, whole and broken.

use std::fs;

use nearside_architecture::Dtype;

use crate::answers::check_schema;
use crate::command::{Folder, nearside, text};
use crate::tiny_model;

#[test]
fn a_file_says_what_it_is_and_what_it_needs() {
    let folder = Folder::new("inspect-whole");
    let path = folder.path().join("tiny.gguf");
    tiny_model::write(&path, Dtype::Q8_0);
    let path = path.display().to_string();
    let data = nearside(&["model", "inspect", &path, "--tensors", "--json"]).exits(0).data();
    check_schema("model-inspect", &data);
    assert_eq!((text(&data["name"]), text(&data["licence"])), ("Tiny", "apache-2.0"));
    assert_eq!((text(&data["family"]), text(&data["format"])), ("llama", "gguf"));
    let sizes = &data["sizes"];
    let read = ["layers", "hidden", "heads", "key_value_heads", "head_dim", "context"];
    assert_eq!(read.map(|name| sizes[name].as_u64().unwrap()), [2, 64, 4, 2, 16, 256]);
    // Two kinds of numbers, two layers, two heads of sixteen numbers of two bytes.
    assert_eq!(data["needs"]["cache_bytes_per_1000_tokens"], 1000 * 2 * 2 * 2 * 16 * 2);
    assert_eq!(data["tokenizer"]["ends"][0], "</s> (2)");
    assert_eq!(data["chat_template"]["sample"], "<s><user>Hello\n<assistant>");
    assert_eq!(data["not_computed"], serde_json::Value::Null);
    assert_eq!(data["tensors"].as_array().unwrap().len(), 2 * 9 + 3);
    let shown = nearside(&["model", "inspect", &path]).exits(0).stdout;
    for line in
        ["computes here yes", "tokenizer     270 tokens; ends with </s> (2)", "q8_0       16"]
    {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

#[test]
fn what_is_not_computed_is_named_and_what_is_broken_has_a_place() {
    let folder = Folder::cleared("inspect-broken");
    let mamba = folder.path().join("mamba");
    fs::create_dir_all(&mamba).unwrap();
    let told = |path: &str, code: i32| nearside(&["model", "inspect", path]).exits(code).stderr;
    let at = mamba.display().to_string();
    assert!(told(&at, 3).contains("there is no config.json in it"));
    fs::write(mamba.join("config.json"), r#"{"model_type": "llama", "hidden_size": "wide"}"#)
        .unwrap();
    fs::write(mamba.join("pytorch_model.bin"), "x").unwrap();
    let wrong = told(&at, 3);
    assert!(wrong.contains("config.json") && wrong.contains("num_hidden_layers"), "{wrong}");
    let whole = folder.path().join("tiny.gguf");
    tiny_model::write(&whole, Dtype::F32);
    let bytes = fs::read(&whole).unwrap();
    for length in [0, 3, 24, 1000, bytes.len() - 1] {
        let cut = folder.write("cut.gguf", &bytes[..length]);
        let told = told(&cut, 3);
        assert!(told.starts_with("error: ") && told.contains("cut.gguf"), "{length}: {told}");
    }
    let unnamed = folder.write("model.bin", "x");
    assert!(told(&unnamed, 3).contains("neither a folder nor a .gguf"));
}
