//! Hugging Face folders made into GGUF files, and adapters of them.

use std::fs;
use std::path::Path;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, nearside, text};
use crate::tiny_folder;

/// A folder with a model, and with an adapter; the paths of both, and of what is to be written.
fn desk(name: &str) -> (Folder, [String; 3]) {
    let folder = Folder::cleared(name);
    let [model, tuned, out] = ["tiny", "tuned", "out.gguf"].map(|name| folder.path().join(name));
    tiny_folder::write(&model);
    tiny_folder::write_adapter(&tuned);
    (folder, [model, tuned, out].map(|path| path.display().to_string()))
}

/// What a model writes on, without chance.
fn written(arguments: &[&str]) -> String {
    let fixed = ["model", "generate", "--raw", "--tokens", "24", "--temperature", "0", "--json"];
    let data = nearside(&[&fixed[..], arguments].concat()).exits(0).data();
    check_schema("model-generate", &data);
    text(&data["text"]).to_owned()
}

#[test]
fn a_folder_becomes_a_file_that_writes_the_same() {
    let (_folder, [model, _, out]) = desk("folder-whole");
    let arguments = ["model", "quantize", &model, "-o", &out, "--to", "F32", "--json"];
    let data = nearside(&arguments).exits(0).data();
    check_schema("model-quantize", &data);
    assert_eq!(written(&[&model, "the inn"]), written(&[&out, "the inn"]));
    let inspect = |path: &str| nearside(&["model", "inspect", path, "--json"]).exits(0).data();
    let (folder, file) = (inspect(&model), inspect(&out));
    for same in ["sizes", "parameters", "bytes"] {
        assert_eq!(folder[same], file[same], "{same}");
    }
    assert_eq!((text(&file["name"]), text(&file["format"])), ("tiny", "gguf"));
    assert_eq!(file["tokenizer"]["size"], 101);
}

#[test]
fn a_model_of_the_hub_that_is_here_is_named_as_there() {
    let (folder, [model, _, out]) = desk("folder-hub");
    let cache = folder.path().join("hub");
    let of_model = cache.join("models--org--tiny");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let snapshot = of_model.join("snapshots").join(commit);
    fs::create_dir_all(of_model.join("refs")).unwrap();
    fs::write(of_model.join("refs/main"), commit).unwrap();
    fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
    fs::rename(&model, &snapshot).unwrap();
    let arguments =
        ["model", "quantize", "org/tiny", "-o", &out, "--to", "Q8_0", "--no-comparison"];
    let mut quantize = command(&arguments);
    quantize.env("HF_HUB_CACHE", &cache);
    Run::of(quantize, &arguments).exits(0);
    let data = nearside(&["model", "inspect", &out, "--json"]).exits(0).data();
    assert_eq!(text(&data["name"]), "tiny");
    let absent = nearside(&["model", "quantize", "no/where.gguf", "-o", &out, "--to", "F16"]);
    assert!(absent.exits(3).stderr.contains("no/where.gguf"));
}

#[test]
fn an_adapter_writes_the_same_beside_the_weights_and_added_to_them() {
    let (_folder, [model, tuned, out]) = desk("folder-adapter");
    let plain = written(&[&model, "the inn"]);
    let beside = written(&[&model, "the inn", "--adapter", &tuned]);
    assert_ne!(plain, beside);
    let arguments =
        ["model", "quantize", &model, "-o", &out, "--to", "F32", "--adapter", &tuned, "--json"];
    let data = nearside(&arguments).exits(0).data();
    check_schema("model-quantize", &data);
    assert_eq!(text(&data["adapter"]), tuned);
    // Compared with the model that the adapter makes, of which it is a copy.
    let mean = data["formats"][0]["divergence"]["mean"].as_f64().unwrap();
    assert!(mean < 1e-6, "{mean}");
    assert_eq!(written(&[&out, "the inn"]), beside);
    let data =
        nearside(&["model", "inspect", &model, "--adapter", &tuned, "--json"]).exits(0).data();
    check_schema("model-inspect", &data);
    assert_eq!(data["adapter"]["matrices"], 4);
    assert_eq!(data["adapter"]["base"], "org/tiny");
    let told = nearside(&["model", "inspect", &model, "--adapter", &tuned]).exits(0).stdout;
    assert!(told.contains("4 matrices by rank 4, 2,304 parameters, made for org/tiny"), "{told}");
}

#[test]
fn what_cannot_be_converted_or_adapted_is_refused_before_a_byte_is_written() {
    let (folder, [model, tuned, out]) = desk("folder-refused");
    let quantize = |more: &[&str]| {
        let arguments = ["model", "quantize", &model, "-o", &out, "--to", "F16", "--force"];
        let told = nearside(&[&arguments[..], more].concat()).exits(3).stderr;
        assert!(!Path::new(&out).exists());
        told
    };
    let pickled = folder.path().join("tuned/adapter_model.bin");
    fs::rename(folder.path().join("tuned/adapter_model.safetensors"), &pickled).unwrap();
    let told = quantize(&["--adapter", &tuned]);
    assert!(told.contains("pickle") && told.contains("hint:"), "{told}");
    let of_model = folder.path().join("tiny/model.safetensors").display().to_string();
    let arguments = ["model", "quantize", &model, "-o", &of_model, "--to", "F16", "--force"];
    assert!(nearside(&arguments).exits(3).stderr.contains("the model itself"));
    let config = folder.path().join("tiny/config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"llama\"", "\"exaone4\"")).unwrap();
    let told = quantize(&[]);
    assert!(told.contains("exaone4") && told.contains("convert_hf_to_gguf.py"), "{told}");
}
