//! `nearside model inspect` on tiny models, whole and broken.
//!
//! `tests/golden/model-inspect/NAME.txt` has the text for a file and for a folder, on a recorded machine;
//! `NEARSIDE_UPDATE=1` writes it anew.

use std::fs;
use std::path::{Path, PathBuf};

use nearside_architecture::Dtype;
use nearside_models::file::{MetadataValue, TensorInfo};
use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, nearside, number, root, text};
use crate::hub::COMMIT;
use crate::tiny_model::{self, CONFIG, TinyModel};

const WORKSTATION: &str = "examples/support-assistant/workstation.toml";
/// A tokenizer of a few words.
const TOKENIZER: &str = r#"{
  "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
  "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
  "added_tokens": [
    {"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
  ],
  "model": {"type": "WordLevel", "vocab": {"<s>": 0, "</s>": 1, "Hello": 2}, "unk_token": "<s>"}
}"#;

/// Runs it in a folder, on the recorded machine.
fn inspect(folder: &Folder, model: &str, more: &[&str]) -> Run {
    let site = root().join(WORKSTATION).display().to_string();
    let arguments = [&["model", "inspect", model, "--site", &site], more].concat();
    let mut command = command(&arguments);
    command.current_dir(folder.path()).env("HF_HUB_CACHE", folder.path().join("hub"));
    Run::of(command, &arguments)
}

/// Its answer.
fn answer(folder: &Folder, model: &str) -> Value {
    let data = inspect(folder, model, &["--json"]).exits(0).data();
    check_schema("model-inspect", &data);
    data
}

/// What it warns of.
fn warnings(folder: &Folder, model: &str) -> String {
    let envelope = inspect(folder, model, &["--json"]).exits(0).envelope();
    list(&envelope["warnings"]).iter().map(|warning| format!("{}\n", text(warning))).collect()
}

/// A folder with a GGUF file in it that is a little different.
fn changed(name: &str, change: impl FnOnce(&mut TinyModel)) -> Folder {
    let folder = Folder::cleared(name);
    let mut model = TinyModel::new(Dtype::F32);
    change(&mut model);
    model.write(&folder.path().join("tiny.gguf"));
    folder
}

/// A folder as transformers write it.
fn transformers(name: &str, change: impl FnOnce(&mut TinyModel)) -> Folder {
    let folder = Folder::cleared(name);
    let mut model = TinyModel::new(Dtype::F32);
    change(&mut model);
    fs::create_dir_all(folder.path().join("model")).unwrap();
    model.write_safetensors(&folder.path().join("model/model.safetensors"));
    folder.write("model/config.json", CONFIG);
    folder.write("model/tokenizer.json", TOKENIZER);
    let template =
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{{ tools | tojson }}";
    let config = serde_json::json!({
        "bos_token": "<s>", "eos_token": "</s>", "chat_template": template,
    });
    folder.write("model/tokenizer_config.json", config.to_string());
    folder.write("model/README.md", "---\nlicense: mit\n---\n# Tiny\nlicense: none\n");
    folder
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/model-inspect/{name}.txt"))
}

#[track_caller]
fn is_golden(name: &str, shown: &str) {
    let file = golden(name);
    if std::env::var_os("NEARSIDE_UPDATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, shown).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(shown, expected, "{name}; NEARSIDE_UPDATE=1 accepts it");
}

#[test]
fn a_person_reads_what_a_file_and_a_folder_are() {
    let folder = Folder::cleared("inspect-text");
    tiny_model::write(&folder.path().join("tiny.gguf"), Dtype::Q8_0);
    let shown = inspect(&folder, "tiny.gguf", &[]).exits(0).stdout;
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    is_golden("file", &shown);
    let folder = transformers("inspect-text-folder", |_| {});
    is_golden("folder", &inspect(&folder, "model", &["--tensors"]).exits(0).stdout);
}

#[test]
fn a_file_says_what_it_is_and_what_it_needs() {
    let folder = Folder::cleared("inspect-whole");
    tiny_model::write(&folder.path().join("tiny.gguf"), Dtype::Q8_0);
    let data = answer(&folder, "tiny.gguf");
    assert_eq!((text(&data["name"]), text(&data["licence"])), ("Tiny", "apache-2.0"));
    assert_eq!((text(&data["family"]), text(&data["format"])), ("llama", "gguf"));
    assert_eq!((&data["made_by"], &data["origin"]), (&Value::Null, &Value::Null));
    let sizes = &data["sizes"];
    let read = ["layers", "hidden", "heads", "key_value_heads", "head_dim", "context"];
    assert_eq!(read.map(|name| sizes[name].as_u64().unwrap()), [2, 64, 4, 2, 16, 256]);
    let needs = &data["needs"];
    // Two kinds of numbers, two layers, two heads of sixteen numbers of two bytes; engines keep whole blocks of tokens.
    let exact = 1000.0 * 2.0 * 2.0 * 2.0 * 16.0 * 2.0;
    let cache = number(&needs["cache_bytes_per_1000_tokens"]);
    assert!((exact..exact * 1.3).contains(&cache), "{cache}, not {exact}");
    assert_eq!(needs["largest_context"], 256);
    assert_eq!(data["tokenizer"]["ends"][0], serde_json::json!({ "id": 2, "text": "</s>" }));
    let template = &data["chat_template"];
    assert_eq!(template["sample"], "<s><system>Be brief.\n<user>Hello\n<assistant>");
    assert_eq!((&template["takes_system"], &template["shows_tools"]), (&true.into(), &true.into()));
    assert_eq!(data["not_computed"], Value::Null);
    assert_eq!(data["unused"]["tensors"], serde_json::json!([]));
    let all = inspect(&folder, "tiny.gguf", &["--tensors", "--json"]).exits(0).data();
    let tensors = list(&all["tensors"]);
    assert_eq!(tensors.len(), 2 * 9 + 3);
    let sum: f64 = tensors.iter().map(|tensor| number(&tensor["bytes"])).sum();
    assert!((sum - number(&data["bytes"])).abs() < 0.5, "{sum}");
}

#[test]
fn what_it_needs_is_what_fit_says() {
    let folder = Folder::cleared("inspect-fit");
    tiny_model::write(&folder.path().join("tiny.gguf"), Dtype::Q8_0);
    let path = folder.path().join("tiny.gguf").display().to_string();
    for place in [["--site", WORKSTATION], ["--on", "rtx-4090"], ["--on", "t4"]] {
        let inspected = [&["model", "inspect", &path, "--context", "200", "--json"], &place[..]];
        let needs = nearside(&inspected.concat()).exits(0).data()["needs"].clone();
        let fitted = ["fit", &path, "--task", "inference", "--sequence", "200", "--json"];
        let fit = nearside(&[&fitted, &place[..]].concat()).data();
        let task = &fit["tasks"][0];
        assert_eq!(needs["verdict"], task["verdict"], "{place:?}");
        assert_eq!(needs["memory_bytes"], task["needed_bytes"], "{place:?}");
        assert_eq!(needs["tokens_per_second"], task["tokens_per_second"], "{place:?}");
        assert_eq!(needs["inputs"], task["inputs"], "{place:?}");
    }
}

#[test]
fn a_model_of_several_files_needs_what_all_of_them_hold() {
    let folder = Folder::cleared("inspect-split");
    let whole = TinyModel::new(Dtype::Q8_0);
    whole.write(&folder.path().join("tiny.gguf"));
    let parts = ["tiny-00001-of-00002.gguf", "tiny-00002-of-00002.gguf"];
    let half = whole.tensors.len() / 2;
    for (index, tensors) in [&whole.tensors[..half], &whole.tensors[half..]].iter().enumerate() {
        let metadata = if index == 0 { whole.metadata.clone() } else { Vec::new() };
        let mut part = TinyModel { metadata, tensors: tensors.to_vec() };
        part.set("split.no", MetadataValue::U16(index as u16));
        part.set("split.count", MetadataValue::U16(2));
        part.set("split.tensors.count", MetadataValue::I32(whole.tensors.len() as i32));
        part.write(&folder.path().join(parts[index]));
    }
    let (split, one) = (answer(&folder, parts[0]), answer(&folder, "tiny.gguf"));
    for same in ["bytes", "types", "sizes", "needs", "not_computed"] {
        assert_eq!(split[same], one[same], "{same}");
    }
    let names: Vec<_> = list(&split["files"]).iter().map(|file| text(&file["name"])).collect();
    assert_eq!(names, parts);
    let second = inspect(&folder, parts[1], &[]).exits(3).stderr;
    assert!(second.contains("it is part 2 of 2: open tiny-00001-of-00002.gguf"), "{second}");
    fs::remove_file(folder.path().join(parts[1])).unwrap();
    let missing = inspect(&folder, parts[0], &[]).exits(3).stderr;
    assert!(missing.contains("a part of the model is missing: tiny-00002-of-00002"), "{missing}");
}

#[test]
fn a_folder_is_what_its_files_say() {
    let folder = transformers("inspect-folder", |_| {});
    let data = answer(&folder, "model");
    assert_eq!((text(&data["family"]), text(&data["format"])), ("llama", "safetensors"));
    assert_eq!(data["licence"], "mit");
    assert_eq!((&data["not_computed"], &data["tokenizer"]["size"]), (&Value::Null, &3.into()));
    assert_eq!(data["tokenizer"]["method"], "whole words");
    let template = &data["chat_template"];
    assert_eq!((&template["takes_system"], &template["shows_tools"]), (&true.into(), &true.into()));
    assert_eq!(answer(&folder, "model/model.safetensors")["sizes"], data["sizes"]);
    // Four bytes for each weight are what the estimate has to begin with.
    assert_eq!(data["needs"]["weights_bytes"], data["bytes"]);
    let shown = inspect(&folder, "model", &[]).exits(0).stdout;
    assert!(shown.contains("270 rows; 267 of them without a token"), "{shown}");
}

#[test]
fn what_is_in_the_cache_says_where_it_is_from_and_what_is_not_is_pulled() {
    let folder = Folder::cleared("inspect-cache");
    folder.write("hub/models--org--tiny/refs/main", COMMIT);
    let snapshot = format!("hub/models--org--tiny/snapshots/{COMMIT}");
    fs::create_dir_all(folder.path().join(&snapshot)).unwrap();
    tiny_model::write(&folder.path().join(&snapshot).join("tiny-Q8_0.gguf"), Dtype::Q8_0);
    for name in ["org/tiny", "org/tiny:Q8_0"] {
        let data = answer(&folder, name);
        assert_eq!(data["origin"]["repository"], "org/tiny", "{name}");
        assert_eq!(data["origin"]["commit"], COMMIT, "{name}");
    }
    let absent = inspect(&folder, "org/other", &[]).exits(3).stderr;
    assert!(absent.contains("hint: nearside model pull org/other"), "{absent}");
    let nothing = inspect(&folder, "./nothing.gguf", &[]).exits(3).stderr;
    assert!(nothing.contains("there is no ./nothing.gguf"), "{nothing}");
}

#[test]
fn what_does_not_compute_is_named_and_the_rest_told_all_the_same() {
    let folder = transformers("inspect-unknown", |_| {});
    folder.write("model/config.json", r#"{"model_type": "newfangled"}"#);
    let data = answer(&folder, "model");
    assert!(text(&data["not_computed"]).contains("newfangled"), "{data}");
    assert_eq!((&data["sizes"], &data["unused"]), (&Value::Null, &Value::Null));
    assert_eq!(data["needs"]["verdict"], "unknown");
    let unknown = ["largest_context", "tokens_per_second"];
    assert!(unknown.iter().all(|name| data["needs"][name]["unknown"].is_string()), "{data}");
    let bytes = ["memory_bytes", "weights_bytes", "cache_bytes", "cache_bytes_per_1000_tokens"];
    assert!(bytes.iter().all(|name| data["needs"][name].is_null()), "{data}");
    assert!(number(&data["parameters"]) > 0.0);
    inspect(&folder, "model", &[]).exits(0);
    let lacks = |tensor: &str| {
        let folder = changed("inspect-lacks", |model| {
            model.tensors.retain(|other| other.name != tensor);
        });
        text(&answer(&folder, "tiny.gguf")["not_computed"]).to_owned()
    };
    assert_eq!(lacks("blk.1.attn_k.weight"), "there is no tensor blk.1.attn_k.weight");
    assert_eq!(lacks("output_norm.weight"), "there is no tensor output_norm.weight");
}

#[test]
fn tensors_that_nothing_computes_with_are_told() {
    let extra =
        |name: &str| TensorInfo { name: name.to_owned(), dtype: Dtype::F32, shape: vec![64] };
    let folder = changed("inspect-extra", |model| {
        let odd = (0..5).map(|index| extra(&format!("odd.{index}")));
        model.tensors.extend(odd.chain([extra("blk.0.attn_sinks"), extra("rope_freqs.weight")]));
    });
    let told = warnings(&folder, "tiny.gguf");
    let line = "6 tensors are not computed with (1.54 kB): blk.0.attn_sinks, odd.0, odd.1, odd.2, and 2 more";
    assert!(told.contains(line), "{told}");
    assert!(
        !warnings(&transformers("inspect-no-extra", |_| {}), "model").contains("computed with")
    );
}

#[test]
fn templates_and_vocabularies_that_do_not_go_with_a_model_are_told() {
    let failing = changed("inspect-template", |model| {
        model.set_text("tokenizer.chat_template", "{{ raise_exception('never') }}");
    });
    let told = warnings(&failing, "tiny.gguf");
    assert!(
        told.contains("its chat template makes no text of a question") && told.contains("never"),
        "{told}"
    );
    assert!(inspect(&failing, "tiny.gguf", &[]).exits(0).stdout.contains("chat template  fails"));
    let strict = changed("inspect-strict", |model| {
        let source = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0].content }}";
        model.set_text("tokenizer.chat_template", source);
    });
    let data = answer(&strict, "tiny.gguf");
    assert_eq!(data["chat_template"]["takes_system"], false);
    assert_eq!(data["chat_template"]["sample"], "Hello");
    let none = changed("inspect-none", |model| {
        model
            .metadata
            .retain(|(key, _)| key != "tokenizer.chat_template" && key != "general.license");
    });
    let shown = inspect(&none, "tiny.gguf", &[]).exits(0).stdout;
    assert!(
        shown.contains("chat template  none") && shown.contains("licence        not stated"),
        "{shown}"
    );
    let folder = transformers("inspect-words", |_| {});
    let words: Vec<_> = (0..300).map(|id| format!("\"w{id}\": {id}")).collect();
    let many = TOKENIZER.replace("\"<s>\": 0, \"</s>\": 1, \"Hello\": 2", &words.join(", "));
    folder.write(
        "model/tokenizer.json",
        many.replace("\"unk_token\": \"<s>\"", "\"unk_token\": \"w0\""),
    );
    let told = warnings(&folder, "model");
    assert!(told.contains("tokens and its embedding 270 rows"), "{told}");
}

#[test]
fn pickles_are_never_opened() {
    let folder = transformers("inspect-pickles", |_| {});
    folder.write("model/pytorch_model.bin", "x");
    let told = warnings(&folder, "model");
    assert!(told.contains("pytorch_model.bin beside the safetensors may be a pickle"), "{told}");
    fs::remove_file(folder.path().join("model/model.safetensors")).unwrap();
    let alone = inspect(&folder, "model", &[]).exits(3).stderr;
    assert!(alone.contains("its weights are a pickle (pytorch_model.bin)"), "{alone}");
}

#[test]
fn what_is_broken_has_a_place() {
    let folder = Folder::cleared("inspect-broken");
    let empty = folder.path().join("empty");
    fs::create_dir_all(&empty).unwrap();
    let told = |path: &str| inspect(&folder, path, &[]).exits(3).stderr;
    assert!(told("empty").contains("there is no config.json in it"));
    folder.write("empty/config.json", r#"{"model_type": "llama", "hidden_size": "wide"}"#);
    let wrong = told("empty");
    assert!(wrong.contains("config.json:1:") && wrong.contains("num_hidden_layers"), "{wrong}");
    let whole = folder.path().join("tiny.gguf");
    tiny_model::write(&whole, Dtype::F32);
    let bytes = fs::read(&whole).unwrap();
    for length in [0, 3, 24, 1000, bytes.len() - 1] {
        folder.write("cut.gguf", &bytes[..length]);
        let told = told("cut.gguf");
        assert!(told.starts_with("error: cut.gguf:byte "), "{length}: {told}");
    }
    folder.write("model.bin", "x");
    assert!(told("model.bin").contains("neither a folder nor a .gguf"));
    let wrong = inspect(&folder, "tiny.gguf", &["--context", "1"]).exits(2).stderr;
    assert!(wrong.contains("is not from 2 to"), "{wrong}");
}

/// Every byte of the header another one: it says what is wrong, or what it takes the file for.
#[test]
fn no_file_breaks_it() {
    let folder = Folder::cleared("inspect-hostile");
    let whole = folder.path().join("tiny.gguf");
    tiny_model::write(&whole, Dtype::Q8_0);
    let bytes = fs::read(&whole).unwrap();
    let mut random = 1u32;
    for _ in 0..60 {
        let mut spoiled = bytes.clone();
        for _ in 0..3 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (random >> 8) as usize % 9000;
            spoiled[at] = (random >> 3) as u8;
        }
        folder.write("spoiled.gguf", &spoiled);
        let run = inspect(&folder, "spoiled.gguf", &["--tensors"]);
        assert!(matches!(run.code, 0 | 3), "{}: {}", run.code, run.stderr);
    }
}

#[test]
fn what_a_file_says_does_not_steer_the_terminal() {
    let steering = "a\u{1b}]0;owned\u{7}\u{1b}[2J\r\u{202e}b";
    let folder = changed("inspect-steering", |model| {
        for key in ["general.name", "general.organization", "general.license"] {
            model.set_text(key, steering);
        }
        let name = format!("odd{steering}");
        model.tensors.push(TensorInfo { name, dtype: Dtype::F32, shape: vec![64] });
        model.set_text("tokenizer.chat_template", &format!("{steering}{{{{ messages }}}}"));
    });
    let run = inspect(&folder, "tiny.gguf", &["--tensors", "--color", "always"]).exits(0);
    let shown = format!("{}{}", run.stdout, run.stderr);
    assert!(shown.contains("\u{fffd}]0;owned"), "{shown}");
    let steers = |sign: char| (sign.is_control() && sign != '\n') || sign == '\u{202e}';
    let colours = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[33m", "\u{1b}[93m", "\u{1b}[94m"];
    let bare = colours.iter().fold(shown.clone(), |text, colour| text.replace(colour, ""));
    assert!(!bare.contains(steers), "{bare:?}");
}
