//! A tokenizer in the files that Hugging Face has for one.
//!
//! `tokenizer.json` cuts text; which tokens begin and end one, and the chat templates, are in the files beside it. A
//! file may be absent, but for the first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::library::Library;
use super::special::{Affixes, ENDS, SpecialTokens};
use super::vocabulary::{Kind, Vocabulary};
use super::{Decoding, Engine, Tokenizer, TokenizerError};

const CONFIG: &str = "tokenizer_config.json";
const MAP: &str = "special_tokens_map.json";
const GENERATION: &str = "generation_config.json";

/// The files of a tokenizer.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonFiles<'bytes> {
    /// `tokenizer.json`.
    pub tokenizer: &'bytes [u8],
    /// `tokenizer_config.json`.
    pub config: Option<&'bytes [u8]>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<&'bytes [u8]>,
    /// `generation_config.json`.
    pub generation_config: Option<&'bytes [u8]>,
    /// `chat_template.jinja`; before a template in `config`.
    pub chat_template: Option<&'bytes [u8]>,
}

impl Tokenizer {
    /// Reads a tokenizer from its JSON files.
    ///
    /// # Errors
    /// When a file is no such file; the error names it.
    pub fn from_json(files: &JsonFiles<'_>) -> Result<Self, TokenizerError> {
        let library = Library::from_json(files.tokenizer)?;
        let mut vocabulary = library.vocabulary()?;
        let decoding = decoding(&library);
        if matches!(decoding, Decoding::Spaced { .. }) {
            mark_bytes(&mut vocabulary);
        }
        let config = object(CONFIG, files.config)?;
        let map = object(MAP, files.special_tokens_map)?;
        let generation = object(GENERATION, files.generation_config)?;
        let named = |name: &str| {
            let text = content(config.get(name)).or_else(|| content(map.get(name)))?;
            vocabulary.id(text)
        };
        let mut special = SpecialTokens {
            begin: named("bos_token"),
            end: named("eos_token"),
            padding: named("pad_token"),
            unknown: named("unk_token").or_else(|| unknown(files.tokenizer, &vocabulary)),
            templates: templates(&config, files.chat_template)?,
            ends: BTreeSet::new(),
        };
        special.ends = ends(&vocabulary, special.end, generation.get("eos_token_id"));
        let affixes = affixes(&library, &config, &special)?;
        Self::new(Engine::Json(library), vocabulary, decoding, special, affixes)
    }
}

/// The token of what is no token, as the model itself has it.
fn unknown(file: &[u8], vocabulary: &Vocabulary) -> Option<u32> {
    #[derive(serde::Deserialize)]
    struct File {
        model: Model,
    }
    #[derive(serde::Deserialize)]
    struct Model {
        unk_id: Option<u32>,
        unk_token: Option<String>,
    }
    let File { model } = serde_json::from_slice(file).ok()?;
    model.unk_id.or_else(|| vocabulary.id(&model.unk_token?))
}

/// The file has no word for tokens that are bytes but their names.
fn mark_bytes(vocabulary: &mut Vocabulary) {
    for byte in 0..=u8::MAX {
        if let Some(id) = vocabulary.id(&format!("<0x{byte:02X}>")) {
            vocabulary.set_kind(id, Kind::Byte);
        }
    }
}

fn object(file: &'static str, bytes: Option<&[u8]>) -> Result<Value, TokenizerError> {
    let Some(bytes) = bytes else { return Ok(Value::Null) };
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| TokenizerError::File { file, reason: error.to_string() })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(TokenizerError::File { file, reason: "it is no object".to_owned() })
    }
}

/// The text of a token, which is one or has one.
fn content(value: Option<&Value>) -> Option<&str> {
    let value = value?;
    value.as_str().or_else(|| value.get("content")?.as_str())
}

fn templates(
    config: &Value,
    file: Option<&[u8]>,
) -> Result<BTreeMap<String, String>, TokenizerError> {
    let mut templates = BTreeMap::new();
    match config.get("chat_template") {
        Some(Value::String(source)) => {
            templates.insert("default".to_owned(), source.clone());
        }
        Some(Value::Array(named)) => {
            for template in named {
                let field = |name: &str| template.get(name)?.as_str();
                if let (Some(name), Some(source)) = (field("name"), field("template")) {
                    templates.insert(name.to_owned(), source.to_owned());
                }
            }
        }
        _ => {}
    }
    if let Some(bytes) = file {
        let source = std::str::from_utf8(bytes).map_err(|error| TokenizerError::File {
            file: "chat_template.jinja",
            reason: error.to_string(),
        })?;
        templates.insert("default".to_owned(), source.to_owned());
    }
    Ok(templates)
}

/// Tokens after which a model has nothing more to say: those listed, or those whose names say so.
fn ends(vocabulary: &Vocabulary, end: Option<u32>, listed: Option<&Value>) -> BTreeSet<u32> {
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let mut ends: BTreeSet<_> = match listed {
        Some(Value::Array(ids)) => ids.iter().filter_map(number).collect(),
        Some(id) => number(id).into_iter().collect(),
        None => BTreeSet::new(),
    };
    if ends.is_empty() {
        ends = named_ends(vocabulary);
    }
    ends.retain(|id| *id < vocabulary.size());
    ends.extend(end);
    ends
}

/// Control tokens whose names say that nothing more comes.
pub(super) fn named_ends(vocabulary: &Vocabulary) -> BTreeSet<u32> {
    let control =
        |name: &str| vocabulary.id(name).filter(|id| vocabulary.kind(*id) == Some(Kind::Control));
    let mut ends: BTreeSet<_> = ENDS.iter().filter_map(|name| control(name)).collect();
    // In that format, `<|end|>` ends one of several messages.
    let several = ["<|return|>", "<|flush|>"].iter().any(|name| control(name).is_some())
        && ["<|call|>", "<|calls|>"].iter().any(|name| control(name).is_some());
    if let Some(end) = control("<|end|>").filter(|_end| several) {
        ends.remove(&end);
    }
    ends
}

/// What the file puts around a text; `add_bos_token` and `add_eos_token` say otherwise where they are there.
fn affixes(
    library: &Library,
    config: &Value,
    special: &SpecialTokens,
) -> Result<Affixes, TokenizerError> {
    let mut affixes = Affixes::default();
    if let Some(processor) = library.inner().get_post_processor() {
        let value = serde_json::to_value(processor).map_err(|error| wrong(&error.to_string()))?;
        surround(&value, &mut affixes)?;
    }
    let flag = |name: &str| config.get(name).and_then(Value::as_bool);
    if let (Some(begin), Some(add)) = (special.begin, flag("add_bos_token")) {
        affixes.before.retain(|id| *id != begin);
        if add {
            affixes.before.insert(0, begin);
        }
    }
    if let (Some(end), Some(add)) = (special.end, flag("add_eos_token")) {
        affixes.after.retain(|id| *id != end);
        if add {
            affixes.after.push(end);
        }
    }
    Ok(affixes)
}

fn wrong(reason: &str) -> TokenizerError {
    TokenizerError::File { file: "tokenizer.json", reason: format!("post_processor: {reason}") }
}

/// Puts around a text what a post-processor does.
fn surround(processor: &Value, affixes: &mut Affixes) -> Result<(), TokenizerError> {
    let id = |value: &Value| u32::try_from(value.get(1)?.as_u64()?).ok();
    match processor.get("type").and_then(Value::as_str) {
        Some("ByteLevel") => {}
        Some("Sequence") => {
            for step in processor.get("processors").and_then(Value::as_array).into_iter().flatten()
            {
                surround(step, affixes)?;
            }
        }
        Some("BertProcessing" | "RobertaProcessing") => {
            let end = |name: &str| processor.get(name).and_then(id);
            affixes.before.splice(0..0, end("cls"));
            affixes.after.extend(end("sep"));
        }
        Some("TemplateProcessing") => template(processor, affixes)?,
        other => return Err(wrong(&format!("{other:?} is not known"))),
    }
    Ok(())
}

fn template(processor: &Value, affixes: &mut Affixes) -> Result<(), TokenizerError> {
    let pieces = processor.get("single").and_then(Value::as_array);
    let pieces = pieces.ok_or_else(|| wrong("it has nothing for a single text"))?;
    let (mut before, mut after, mut texts) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        let Some(special) = piece.get("SpecialToken") else {
            texts += 1;
            continue;
        };
        let name = special.get("id").and_then(Value::as_str).unwrap_or_default();
        let token = processor.get("special_tokens").and_then(|tokens| tokens.get(name));
        let ids = token.and_then(|token| token.get("ids")?.as_array());
        let ids = ids.ok_or_else(|| wrong("it names a token that it does not have"))?;
        let ids = ids.iter().filter_map(|id| u32::try_from(id.as_u64()?).ok());
        if texts == 0 { before.extend(ids) } else { after.extend(ids) }
    }
    if texts != 1 {
        return Err(wrong("a single text is there once"));
    }
    affixes.before.splice(0..0, before);
    affixes.after.extend(after);
    Ok(())
}

/// How the file's decoder makes text of tokens.
fn decoding(library: &Library) -> Decoding {
    let decoder = library.inner().get_decoder().and_then(|it| serde_json::to_value(it).ok());
    let decoder = decoder.unwrap_or_default();
    let kind = |step: &Value| step.get("type").and_then(Value::as_str).map(str::to_owned);
    if kind(&decoder).as_deref() == Some("ByteLevel") {
        return Decoding::ByteLevel;
    }
    let steps = decoder.get("decoders").and_then(Value::as_array);
    let kinds: Vec<_> = steps.into_iter().flatten().filter_map(kind).collect();
    let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
    let step = |index: usize| decoder.get("decoders").and_then(|steps| steps.get(index));
    let spaces = step(0).is_some_and(|step| {
        step.pointer("/pattern/String").and_then(Value::as_str) == Some("▁")
            && step.get("content").and_then(Value::as_str) == Some(" ")
    });
    match kinds.as_slice() {
        ["Replace", "ByteFallback", "Fuse"] if spaces => Decoding::Spaced { strip: false },
        ["Replace", "ByteFallback", "Fuse", "Strip"] if spaces => {
            let number = |name: &str| step(3).and_then(|step| step.get(name)?.as_u64());
            let one = number("start") == Some(1) && number("stop") == Some(0);
            if one { Decoding::Spaced { strip: true } } else { Decoding::Library }
        }
        _ => Decoding::Library,
    }
}
