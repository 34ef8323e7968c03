//! What this crate makes of texts and conversations, against transformers, tokenizers, SentencePiece and llama.cpp.
//!
//! `text.jsonl` is written by `bench/parity/text.py`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nearside_architecture::header::gguf;
use nearside_models::tokenizer::JsonFiles;
use nearside_models::{
    AddSpecial, ChatTemplate, ChatTemplateError, ControlText, Conversation, Data, SkipSpecial,
    Tokenizer,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line {
    Conversation(Given),
    Template(Rendered),
    Texts { plain: Vec<String>, control: Vec<String> },
    Tokenizer(Tokenized),
}

#[derive(Deserialize)]
struct Given {
    name: String,
    now: i64,
    messages: Vec<Data>,
    #[serde(default)]
    tools: Vec<Data>,
    add: bool,
    #[serde(default)]
    variables: BTreeMap<String, Data>,
}

#[derive(Deserialize)]
struct Rendered {
    template: String,
    conversation: String,
    text: Option<String>,
    raises: Option<String>,
}

#[derive(Deserialize)]
struct Tokenized {
    name: String,
    size: u32,
    plain: Vec<Vec<u32>>,
    decoded: Option<Vec<String>>,
    control: Vec<Vec<u32>>,
    /// Where llama.cpp has other tokens.
    llama_cpp: BTreeMap<String, Vec<u32>>,
    /// Where SentencePiece has.
    sentencepiece: Option<BTreeMap<String, Vec<u32>>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn lines() -> Vec<Line> {
    let file = fs::read_to_string(folder().join("text.jsonl")).unwrap();
    file.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn from_json(name: &str) -> Tokenizer {
    let bytes = fs::read(folder().join(format!("tokenizers/{name}.json"))).unwrap();
    Tokenizer::from_json(&JsonFiles { tokenizer: &bytes, ..JsonFiles::default() }).unwrap()
}

fn from_gguf(name: &str) -> Tokenizer {
    let bytes = fs::read(folder().join(format!("tokenizers/{name}.gguf"))).unwrap();
    let header = gguf::parse(&bytes, None).unwrap();
    Tokenizer::from_gguf(&header, &bytes).unwrap()
}

/// The texts, and what others made of them.
fn references() -> (Vec<String>, Vec<String>, Vec<Tokenized>) {
    let (mut texts, mut references) = (None, Vec::new());
    for line in lines() {
        match line {
            Line::Texts { plain, control } => texts = Some((plain, control)),
            Line::Tokenizer(reference) => references.push(reference),
            _ => {}
        }
    }
    let (plain, control) = texts.unwrap();
    assert_eq!(references.len(), 6);
    (plain, control, references)
}

fn encoded(tokenizer: &Tokenizer, text: &str, control: ControlText) -> Vec<u32> {
    tokenizer.encode(text, AddSpecial::Add, control).unwrap()
}

#[test]
fn conversations_are_rendered_to_the_byte() {
    let mut conversations = BTreeMap::new();
    let (mut count, mut refused, mut wrong) = (0, 0, Vec::new());
    for line in lines() {
        match line {
            Line::Conversation(given) => {
                let conversation = Conversation {
                    messages: given.messages,
                    tools: given.tools,
                    add_generation_prompt: given.add,
                    begin: Some("<s>".to_owned()),
                    end: Some("</s>".to_owned()),
                    now: Some(given.now),
                    variables: given.variables,
                };
                conversations.insert(given.name, conversation);
            }
            Line::Template(rendered) => {
                count += 1;
                let source =
                    fs::read_to_string(folder().join("templates").join(&rendered.template))
                        .unwrap();
                let template = ChatTemplate::new(&source)
                    .unwrap_or_else(|error| panic!("{}: {error}", rendered.template));
                let ours = template.render(&conversations[&rendered.conversation]);
                let same = match (&ours, &rendered.text, &rendered.raises) {
                    (Ok(ours), Some(text), None) => ours == text,
                    (Err(ChatTemplateError::Raised(ours)), None, Some(words)) => {
                        refused += 1;
                        ours == words
                    }
                    // Python fails where a template does what it cannot, such as going through what is `None`.
                    // That is said in other words, or nothing is gone through.
                    (Err(ChatTemplateError::Render { .. }) | Ok(_), None, None) => true,
                    _ => false,
                };
                if !same {
                    let theirs = rendered.text.or(rendered.raises);
                    let (ours, theirs) = (format!("{ours:?}"), format!("{theirs:?}"));
                    let both = ours.chars().skip("Ok".len()).zip(theirs.chars().skip("Some".len()));
                    let same = both.take_while(|(ours, theirs)| ours == theirs).count();
                    let shown = |text: &str, skip: usize| {
                        text.chars()
                            .skip(skip + same.saturating_sub(60))
                            .take(160)
                            .collect::<String>()
                    };
                    wrong.push(format!(
                        "{} of {}:\n  ours   {}\n  theirs {}",
                        rendered.template,
                        rendered.conversation,
                        shown(&ours, 2),
                        shown(&theirs, 4)
                    ));
                }
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 250 && refused > 20, "{count} {refused}");
}

#[test]
fn tokens_are_those_of_hugging_face() {
    let (plain, control, references) = references();
    for reference in references {
        let tokenizer = from_json(&reference.name);
        assert_eq!(tokenizer.size(), reference.size, "{}", reference.name);
        for (text, ids) in plain.iter().zip(&reference.plain) {
            let ours = encoded(&tokenizer, text, ControlText::Plain);
            assert_eq!(&ours, ids, "{}: {text:?}", reference.name);
        }
        for (text, ids) in control.iter().zip(&reference.control) {
            let ours = encoded(&tokenizer, text, ControlText::Parsed);
            assert_eq!(&ours, ids, "{}: {text:?}", reference.name);
        }
        for (ids, text) in reference.plain.iter().zip(reference.decoded.iter().flatten()) {
            // The reference skips what is special, as it does by default.
            let ours = tokenizer.decode(ids, SkipSpecial::Skip).unwrap();
            assert_eq!(&ours, text, "{}: {ids:?}", reference.name);
        }
    }
}

#[test]
fn tokens_of_gguf_files_are_those_of_llama_cpp() {
    let (plain, _, references) = references();
    for reference in references {
        let tokenizer = from_gguf(&reference.name);
        assert_eq!(tokenizer.size(), reference.size, "{}", reference.name);
        for (index, (text, hugging_face)) in plain.iter().zip(&reference.plain).enumerate() {
            let ours = encoded(&tokenizer, text, ControlText::Plain);
            // llama.cpp takes vowel signs of Indic scripts for accents, and WordPiece models were not trained so.
            let expected = match reference.llama_cpp.get(&index.to_string()) {
                Some(other) if reference.name != "bert" => other,
                _ => hugging_face,
            };
            assert_eq!(&ours, expected, "{}: {text:?}", reference.name);
        }
    }
}

#[test]
fn scores_are_joined_as_in_sentencepiece() {
    let (plain, _, references) = references();
    for reference in references {
        let Some(others) = reference.sentencepiece else { continue };
        let tokenizer = from_gguf(&reference.name);
        for (index, (text, hugging_face)) in plain.iter().zip(&reference.plain).enumerate() {
            // Text after a token that is one wherever it stands begins with a space, but for SentencePiece.
            if reference.name == "bpe" && text.contains("<tool_call>") {
                continue;
            }
            let ours = encoded(&tokenizer, text, ControlText::Plain);
            assert_eq!(
                &ours,
                others.get(&index.to_string()).unwrap_or(hugging_face),
                "{}: {text:?}",
                reference.name
            );
        }
    }
}

#[test]
fn text_comes_back_and_as_it_streams() {
    let (plain, _, _) = references();
    for name in ["llama3", "gpt2", "qwen2", "bpe"] {
        let tokenizer = from_gguf(name);
        for text in &plain {
            // Text after a token that is one wherever it stands begins with a space, and the mark of a space is one.
            if name == "bpe" && (text.contains("<tool_call>") || text.contains('▁')) {
                continue;
            }
            let ids = encoded(&tokenizer, text, ControlText::Plain);
            assert_eq!(&tokenizer.decode(&ids, SkipSpecial::Skip).unwrap(), text);
            let mut stream = tokenizer.stream(SkipSpecial::Skip);
            let mut streamed = String::new();
            for id in ids {
                streamed.push_str(&stream.push(id).unwrap());
                assert!(text.starts_with(&streamed), "{streamed:?} is no beginning of {text:?}");
            }
            streamed.push_str(&stream.finish());
            assert_eq!(&streamed, text);
        }
    }
}

#[test]
fn plain_and_guarded_text_never_has_a_control_token() {
    let (_, control, references) = references();
    for name in references.iter().map(|reference| &reference.name) {
        for tokenizer in [from_json(name), from_gguf(name)] {
            let special = |text: &str, control| {
                let ids = tokenizer.encode(text, AddSpecial::Omit, control).unwrap();
                let unknown =
                    tokenizer.special().unknown.or(tokenizer.id("<unk>")).or(tokenizer.id("[UNK]"));
                ids.into_iter()
                    .filter(|id| tokenizer.is_special(*id).unwrap() && Some(*id) != unknown)
                    .count()
            };
            let mut parsed = 0;
            for text in &control {
                assert_eq!(special(text, ControlText::Plain), 0, "{name}: {text}");
                let guarded = tokenizer.guarded(text);
                assert_eq!(special(&guarded, ControlText::Parsed), 0, "{name}: {text}");
                parsed += special(text, ControlText::Parsed);
            }
            assert!(parsed > 1, "{name}");
        }
    }
}

#[test]
fn what_the_file_says_of_special_tokens_is_known() {
    let tokenizer = from_gguf("llama3");
    let special = tokenizer.special();
    let id = |token: &str| tokenizer.id(token).unwrap();
    assert_eq!(special.begin, Some(id("<|begin|>")));
    assert_eq!(special.end, Some(id("<|end_of_text|>")));
    assert_eq!(special.ends, [id("<|end_of_text|>"), id("<|eot_id|>")].into());
    assert_eq!(special.templates["default"], "{{ messages[0].content }}");
    assert!(tokenizer.token(tokenizer.size()).is_err());
    assert!(tokenizer.decode(&[0, u32::MAX], SkipSpecial::Keep).is_err());

    let json = fs::read(folder().join("tokenizers/llama3.json")).unwrap();
    let files = JsonFiles {
        tokenizer: &json,
        config: Some(
            br#"{"bos_token": {"content": "<|begin|>"}, "eos_token": "<|eot_id|>", "add_bos_token": false,
                "add_eos_token": true, "chat_template": [{"name": "tool_use", "template": "a"}]}"#,
        ),
        generation_config: Some(br#"{"eos_token_id": [1, 2, 99999]}"#),
        chat_template: Some(b"b"),
        ..JsonFiles::default()
    };
    let tokenizer = Tokenizer::from_json(&files).unwrap();
    let special = tokenizer.special();
    assert_eq!((special.begin, special.end), (Some(0), Some(2)));
    assert_eq!(special.ends, [1, 2].into());
    assert_eq!(special.templates.keys().collect::<Vec<_>>(), ["default", "tool_use"]);
    assert_eq!(encoded(&tokenizer, "", ControlText::Plain), [2]);
    assert!(Tokenizer::from_json(&JsonFiles { config: Some(b"[]"), ..files }).is_err());
}
