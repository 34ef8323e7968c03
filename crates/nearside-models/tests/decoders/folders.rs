//! Folders made into GGUF files: they compute what they did, and what a file cannot say is refused.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use nearside_models::file::MetadataValue;
use nearside_models::quantize::{Mix, Plan, QuantizeError, Recipe, Requantize, Source};
use nearside_models::{AddSpecial, ControlText, DecoderModel, StoredModel, Tokenizer};
use serde_json::{Value, json};

use crate::case::{Case, Folder, cases};
use crate::converted::{differ, scores};

/// Cases that GGUF has no word for, and the word that the refusal has.
const REFUSED: [(&str, &str); 11] = [
    ("qwen2_moe, a dense block", "layer 1 has no experts"),
    ("gemma2", "query_pre_attn_scalar"),
    ("gemma3", "query_pre_attn_scalar"),
    ("gemma3, ropes by layer", "query_pre_attn_scalar"),
    ("glm", "\"glm\""),
    ("exaone4", "\"exaone4\""),
    ("seed_oss", "\"seed_oss\""),
    ("arcee", "\"arcee\""),
    ("olmo3", "\"olmo3\""),
    ("olmoe", "\"olmoe\""),
    ("olmo2", "\"olmo2\""),
];

/// Bytes of ASCII that can be seen, and a few merges: all that fits into the vocabulary of a case.
fn tokenizer() -> Value {
    let characters =
        (0x21u8..0x7f).map(|byte| char::from(byte).to_string()).chain(["Ġ".to_owned()]);
    let merges = [["t", "h"], ["th", "e"], ["Ġ", "the"], ["i", "n"]];
    let made = merges.iter().map(|[left, right]| format!("{left}{right}"));
    let words = characters.chain(made);
    let words = ["<s>".to_owned(), "</s>".to_owned()].into_iter().chain(words);
    let vocabulary: BTreeMap<String, usize> =
        words.enumerate().map(|(id, word)| (word, id)).collect();
    let added = |id: usize, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true })
    };
    json!({
        "version": "1.0",
        "added_tokens": [added(0, "<s>"), added(1, "</s>")],
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "vocab": vocabulary, "merges": merges, "ignore_merges": false },
    })
}

pub(crate) fn write(case: &Case, folder: &Path) {
    case.write(folder);
    fs::write(folder.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    // What the other converter makes of a tokenizer depends on its class.
    let class =
        if case.name.starts_with("phi3") { "GPT2Tokenizer" } else { "PreTrainedTokenizerFast" };
    let config = json!({
        "bos_token": "<s>", "eos_token": "</s>", "chat_template": "{{ messages }}", "tokenizer_class": class,
    });
    fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

fn source(stored: &StoredModel) -> Result<Source, QuantizeError> {
    Source::of(stored)
}

/// The file that is made of a folder.
pub(crate) fn convert(source: &Source, mix: Mix, path: &Path) -> StoredModel {
    let recipe = Recipe { mix, keeps: Vec::new(), requantize: Requantize::Refused };
    let plan = Plan::new(source, &recipe, false).unwrap();
    plan.write(path, None, &mut |_| ControlFlow::Continue(())).unwrap();
    StoredModel::open(path).unwrap()
}

#[test]
fn a_file_made_of_a_folder_computes_what_the_folder_does() {
    let mut wrong = Vec::new();
    let kept = |case: &Case| {
        ![
            "glm",
            "exaone4",
            "seed_oss",
            "arcee",
            "olmo3",
            "olmoe",
            "olmo2",
            "qwen2_moe, a dense block",
        ]
        .contains(&case.name.as_str())
    };
    for mut case in cases().into_iter().filter(kept).map(Case::scaled_by_width) {
        if matches!(case.name.as_str(), "mistral" | "qwen2, windows") {
            // What they do beyond their window is told, and lost.
            case.config["sliding_window"] = Value::Null;
            case.config["use_sliding_window"] = Value::Bool(false);
        }
        let folder = Folder::new();
        write(&case, &folder.0);
        let stored = StoredModel::open(&folder.0).unwrap();
        let made = convert(&source(&stored).unwrap(), Mix::F32, &folder.0.join("made.gguf"));
        let found = differ(&case, &scores(&case, &made), &scores(&case, &stored));
        println!("{:30} {found:.1e}", case.name);
        if found > 1e-5 {
            wrong.push(case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn what_a_file_cannot_say_is_refused_by_its_name() {
    for case in cases() {
        let folder = Folder::new();
        write(&case, &folder.0);
        let told = source(&StoredModel::open(&folder.0).unwrap());
        let expected = REFUSED.iter().find(|(name, _)| *name == case.name);
        match (told, expected) {
            (Err(error), Some((_, word))) => {
                assert!(error.to_string().contains(word), "{}: {error}", case.name);
            }
            (Ok(_), None) => {}
            (told, _) => panic!("{}: {:?}", case.name, told.err()),
        }
    }
}

#[test]
fn windows_without_a_word_are_told() {
    for (name, words) in [
        ("mistral", "window of 16 tokens"),
        ("qwen2, windows", "window of 16 tokens"),
        ("llama", ""),
    ] {
        let case = cases().into_iter().find(|case| case.name == name).unwrap();
        let folder = Folder::new();
        write(&case, &folder.0);
        let source = source(&StoredModel::open(&folder.0).unwrap()).unwrap();
        let told = source.left_out.join("\n");
        assert!(told.contains(words) && told.is_empty() == words.is_empty(), "{name}: {told}");
    }
}

/// Of a case whose files were spoiled, why it is refused.
fn refused(spoil: impl FnOnce(&mut Case, &Path)) -> String {
    let mut case = cases().into_iter().find(|case| case.name == "llama").unwrap();
    let folder = Folder::new();
    spoil(&mut case, &folder.0);
    case.write(&folder.0);
    if !folder.0.join("tokenizer.json").exists() {
        fs::write(folder.0.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    }
    source(&StoredModel::open(&folder.0).unwrap()).unwrap_err().to_string()
}

#[test]
fn what_is_missing_too_much_or_of_another_shape_is_refused_by_its_name() {
    let place =
        |case: &Case, name: &str| case.tensors.iter().position(|tensor| tensor.0 == name).unwrap();
    let name = "model.layers.1.mlp.up_proj.weight";
    let missing = refused(|case, _| {
        let at = place(case, name);
        case.tensors.remove(at);
    });
    assert!(missing.contains(name), "{missing}");
    let turned = refused(|case, _| {
        let at = place(case, name);
        case.tensors[at].1.reverse();
    });
    assert!(turned.contains(name) && turned.contains("[64, 96]"), "{turned}");
    let more = refused(|case, _| {
        let at = place(case, name);
        let mut scale = case.tensors[at].clone();
        scale.0 = "model.layers.1.mlp.up_proj.weight_scale".to_owned();
        case.tensors.push(scale);
    });
    assert!(more.contains("up_proj.weight_scale has no place"), "{more}");
    let quantized = refused(|case, _| {
        case.config["quantization_config"] = json!({ "quant_method": "gptq" });
    });
    assert!(quantized.contains("gptq"), "{quantized}");
}

#[test]
fn a_tokenizer_that_a_file_cannot_say_is_refused() {
    let with = |change: fn(&mut Value)| {
        refused(|_, folder| {
            let mut tokenizer = tokenizer();
            change(&mut tokenizer);
            fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        })
    };
    let pattern = with(|tokenizer| {
        let split = json!({ "type": "Split", "pattern": { "Regex": "[a-z]+" }, "behavior": "Isolated", "invert": false });
        tokenizer["pre_tokenizer"] =
            json!({ "type": "Sequence", "pretokenizers": [split, tokenizer["pre_tokenizer"]] });
    });
    assert!(pattern.contains("[a-z]+"), "{pattern}");
    let space = with(|tokenizer| tokenizer["pre_tokenizer"]["add_prefix_space"] = true.into());
    assert!(space.contains("a space before"), "{space}");
    let lower = with(|tokenizer| tokenizer["normalizer"] = json!({ "type": "Lowercase" }));
    assert!(lower.contains("Hello") || lower.contains("Lowercase"), "{lower}");
    let larger = with(|tokenizer| tokenizer["model"]["vocab"]["zz"] = 128.into());
    assert!(larger.contains("token 128") && larger.contains("128 of the embedding"), "{larger}");
}

#[test]
fn a_file_made_of_a_folder_reads_and_says_what_the_folder_does() {
    let case = cases().into_iter().find(|case| case.name == "qwen3").unwrap();
    let folder = Folder::new();
    write(&case, &folder.0);
    let stored = StoredModel::open(&folder.0).unwrap();
    let source = source(&stored).unwrap();
    let made = convert(&source, Mix::Q8_0, &folder.0.join("made.gguf"));
    let [one, other] = [&stored, &made].map(|model| Tokenizer::of(model).unwrap());
    let text = "<s>in the inn, then</s> the thin end";
    for control in [ControlText::Plain, ControlText::Parsed] {
        let [one, other] =
            [&one, &other].map(|it| it.encode(text, AddSpecial::Add, control).unwrap());
        assert_eq!(one, other);
    }
    assert_eq!(
        (one.special().begin, one.special().end),
        (other.special().begin, other.special().end)
    );
    assert_eq!(one.special().templates, other.special().templates);
    // One row of the embedding for each token; what has no token is made by nobody.
    assert_eq!((other.size(), other.id("[PAD127]")), (128, Some(127)));
    let of =
        |key: &str| source.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    assert_eq!(of("tokenizer.ggml.pre"), Some(&MetadataValue::Text("gpt-2".to_owned())));
    assert_eq!(of("qwen3.attention.key_length"), Some(&MetadataValue::U32(32)));
    let model = DecoderModel::load(&made, 8).unwrap();
    assert_eq!(model.vocabulary(), 128);
}

/// Not a test: folders with what is made of them, in the folder that `NEARSIDE_FOLDERS` names, for
/// `bench/parity/folders.py`.
#[test]
#[ignore = "writes files to be held to those of llama.cpp's converter"]
fn folders_for_the_other_converter() {
    let place = std::env::var("NEARSIDE_FOLDERS").unwrap();
    for case in cases().into_iter().map(Case::scaled_by_width) {
        let folder = Path::new(&place).join(case.name.replace([',', ' '], "-"));
        fs::create_dir_all(&folder).unwrap();
        write(&case, &folder);
        let stored = StoredModel::open(&folder).unwrap();
        if let Ok(source) = source(&stored) {
            let made = convert(&source, Mix::F32, &folder.join("ours.gguf"));
            let scores = scores(&case, &made);
            let text = json!({ "text": case.text(), "scores": scores });
            fs::write(folder.join("scores.json"), text.to_string()).unwrap();
        } else {
            fs::remove_dir_all(&folder).unwrap();
        }
    }
    for name in ["llama", "phi3"] {
        let folder = Path::new(&place).join(format!("{name}-scores"));
        fs::create_dir_all(&folder).unwrap();
        write_with("bpe", name, 1408, &folder);
        fs::copy("tests/tokenizers/bpe.model", folder.join("tokenizer.model")).unwrap();
        let source = source(&StoredModel::open(&folder).unwrap()).unwrap();
        convert(&source, Mix::F32, &folder.join("ours.gguf"));
    }
}

/// Writes a case with one of the tokenizers of `tests/tokenizers`, and so many words.
fn write_with(file: &str, name: &str, rows: u64, folder: &Path) {
    let mut case = cases().into_iter().find(|case| case.name == name).unwrap();
    case.config["vocab_size"] = rows.into();
    let of_words = |name: &str| name.contains("embed_tokens") || name.contains("lm_head");
    for (_, shape, ..) in case.tensors.iter_mut().filter(|(name, ..)| of_words(name)) {
        shape[0] = rows;
    }
    case.write(folder);
    fs::copy(format!("tests/tokenizers/{file}.json"), folder.join("tokenizer.json")).unwrap();
    let mut config =
        json!({ "bos_token": "<|begin|>", "tokenizer_class": "PreTrainedTokenizerFast" });
    if file == "bpe" {
        config["bos_token"] = "<s>".into();
        config["eos_token"] = "</s>".into();
        config["unk_token"] = "<unk>".into();
    }
    fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

/// Texts of several scripts, as other programs were asked about.
fn texts() -> Vec<String> {
    let lines = include_str!("../text.jsonl").lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = lines.into_iter().find(|line| line["kind"] == "texts").unwrap();
    let list = |name: &str| found[name].as_array().unwrap().clone();
    let all = [list("plain"), list("control")].concat();
    all.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_tokenizer_that_was_written_cuts_texts_as_its_json_does() {
    for (file, model, pre) in [
        ("gpt2", "gpt2", "gpt-2"),
        ("llama3", "gpt2", "llama-bpe"),
        ("qwen2", "gpt2", "qwen2"),
        ("bpe", "llama", "default"),
    ] {
        let rows = if file == "bpe" { 1408 } else { 1000 };
        let folder = Folder::new();
        write_with(file, "llama", rows, &folder.0);
        let stored = StoredModel::open(&folder.0).unwrap();
        let source = source(&stored).unwrap();
        let of = |key: &str| {
            let found =
                source.metadata.iter().find(|(name, _)| *name == format!("tokenizer.ggml.{key}"));
            found.map(|(_, value)| value.clone())
        };
        assert_eq!(of("model"), Some(MetadataValue::Text(model.to_owned())));
        assert_eq!(of("pre"), Some(MetadataValue::Text(pre.to_owned())));
        assert_eq!(of("add_bos_token"), Some(MetadataValue::Bool(true)));
        let made = convert(&source, Mix::F16, &folder.0.join("made.gguf"));
        let [one, other] = [&stored, &made].map(|model| Tokenizer::of(model).unwrap());
        assert_eq!(u64::from(other.size()), rows);
        let mut wrong = Vec::new();
        for text in texts() {
            let [left, right] = [&one, &other]
                .map(|it| it.encode(&text, AddSpecial::Add, ControlText::Plain).unwrap());
            if left != right {
                wrong.push(text);
            }
        }
        assert!(wrong.is_empty(), "{file}: {wrong:?}");
    }
}
