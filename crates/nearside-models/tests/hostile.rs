//! Files that are cut off, changed or made up: errors, and nothing else.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::Path;

use nearside_architecture::header::gguf;
use nearside_models::tokenizer::JsonFiles;
use nearside_models::{
    AddSpecial, ChatTemplate, ControlText, Conversation, SkipSpecial, Tokenizer,
};
use proptest::prelude::*;

const NAMES: [&str; 6] = ["bert", "bpe", "gpt2", "llama3", "qwen2", "unigram"];
const TEXT: &str = "Hello, <|eot_id|> Wörld </s>\n 123 [UNK] 😀\u{fdd0}";

fn file(name: &str, ending: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers");
    fs::read(folder.join(format!("{name}.{ending}"))).unwrap()
}

/// What is read is used: whatever comes of it, it comes back.
fn used(tokenizer: &Tokenizer) {
    for control in [ControlText::Plain, ControlText::Parsed] {
        let Ok(ids) = tokenizer.encode(TEXT, AddSpecial::Add, control) else { continue };
        let _text = tokenizer.decode(&ids, SkipSpecial::Keep);
        let mut stream = tokenizer.stream(SkipSpecial::Skip);
        for id in ids {
            let _piece = stream.push(id);
        }
        let _rest = stream.finish();
    }
    for id in [0, 1, tokenizer.size(), u32::MAX] {
        let _bytes = tokenizer.token(id);
    }
}

fn json(bytes: &[u8]) -> bool {
    let tokenizer = Tokenizer::from_json(&JsonFiles { tokenizer: bytes, ..JsonFiles::default() });
    tokenizer.as_ref().map(used).is_ok()
}

fn metadata(bytes: &[u8]) -> bool {
    let Ok(header) = gguf::parse(bytes, None) else { return false };
    Tokenizer::from_gguf(&header, bytes).as_ref().map(used).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_cut_off_is_an_error(name in prop::sample::select(&NAMES[..]), part in 0.0..1.0_f64) {
        for ending in ["json", "gguf"] {
            let bytes = file(name, ending);
            let cut = &bytes[..(bytes.len() as f64 * part) as usize];
            prop_assert!(!json(cut));
            prop_assert!(!metadata(cut));
        }
    }

    #[test]
    fn what_is_changed_is_read_or_an_error(
        name in prop::sample::select(&NAMES[..]),
        changes in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 1..8),
    ) {
        for ending in ["json", "gguf"] {
            let mut bytes = file(name, ending);
            for (place, byte) in &changes {
                let place = (bytes.len() as f64 * place) as usize;
                bytes[place] = *byte;
            }
            if ending == "json" { json(&bytes) } else { metadata(&bytes) };
        }
    }

    #[test]
    fn parts_of_one_tokenizer_in_another_are_read_or_an_error(
        names in (prop::sample::select(&NAMES[..]), prop::sample::select(&NAMES[..])),
        keys in prop::collection::vec(prop::sample::select(&[
            "model", "normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens", "merges", "vocab", "unk_id",
        ][..]), 1..4),
    ) {
        let read = |name: &str| -> serde_json::Value { serde_json::from_slice(&file(name, "json")).unwrap() };
        let (mut tokenizer, other) = (read(names.0), read(names.1));
        for key in keys {
            if let Some(value) = other.get(key) {
                tokenizer[key] = value.clone();
            } else if let Some(value) = other["model"].get(key) {
                tokenizer["model"][key] = value.clone();
            }
        }
        json(&serde_json::to_vec(&tokenizer).unwrap());
    }

    #[test]
    fn any_template_is_rendered_or_an_error(source in r"(\{[%{#]-?|[ a-z'(.|\[0-9,+~=]{0,6}|if |for |set |endif|endfor|in |messages|[%}#]\}){0,24}") {
        if let Ok(template) = ChatTemplate::new(&source) {
            let _text = template.render(&Conversation::default());
        }
    }

    #[test]
    fn any_text_comes_back(text in "\\PC{0,40}|[ \\n\\ta-c<|>_\u{300}\u{200d}😀]{0,40}") {
        let bytes = file("llama3", "gguf");
        let tokenizer = Tokenizer::from_gguf(&gguf::parse(&bytes, None).unwrap(), &bytes).unwrap();
        let ids = tokenizer.encode(&text, AddSpecial::Add, ControlText::Plain).unwrap();
        prop_assert_eq!(&tokenizer.decode(&ids, SkipSpecial::Skip).unwrap(), &text);
        let guarded = tokenizer.encode(&tokenizer.guarded(&text), AddSpecial::Add, ControlText::Parsed).unwrap();
        prop_assert_eq!(guarded, ids);
    }
}

#[test]
fn parts_that_contradict_each_other_are_errors() {
    let tokenizer = |model: &str, processor: &str| {
        let text = format!(
            r#"{{"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "decoder": null,
                "post_processor": {processor}, "model": {model}}}"#
        );
        Tokenizer::from_json(&JsonFiles { tokenizer: text.as_bytes(), ..JsonFiles::default() })
    };
    // A merge that is longer than every token, a token that is far away, and a template of what is not there.
    let model = r#"{"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]}"#;
    assert!(tokenizer(model, "null").is_err());
    let model = r#"{"type": "BPE", "vocab": {"a": 0, "b": 4294967295}, "merges": []}"#;
    assert!(tokenizer(model, "null").is_err());
    let model = r#"{"type": "BPE", "vocab": {"a": 0}, "merges": []}"#;
    let processor = r#"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}], "pair": [], "special_tokens": {}}"#;
    assert!(tokenizer(model, processor).is_err());
    assert!(tokenizer(model, "null").is_ok());
}
