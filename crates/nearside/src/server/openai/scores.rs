//! Probabilities of tokens as OpenAI's API tells them.

use nearside_models::serving::Scored;
use nearside_models::{SkipSpecial, Tokenizer};
use serde_json::{Map, Value, json};

/// The text of a token; bytes that are no text are U+FFFD.
fn text(tokenizer: &Tokenizer, token: u32) -> (String, Vec<u8>) {
    let bytes = tokenizer.token(token).unwrap_or_default();
    (String::from_utf8_lossy(&bytes).into_owned(), bytes)
}

/// Those of a chat: an object for each token.
pub(super) fn of_chat(tokenizer: &Tokenizer, scored: &[Scored]) -> Value {
    let one = |token: u32, log: Option<f32>| {
        let (text, bytes) = text(tokenizer, token);
        json!({ "token": text, "logprob": log, "bytes": bytes })
    };
    let token = |scored: &Scored| {
        let mut told = one(scored.token, scored.log_probability);
        let best: Vec<_> = scored.best.iter().map(|(token, log)| one(*token, Some(*log))).collect();
        told["top_logprobs"] = Value::Array(best);
        told
    };
    json!({ "content": scored.iter().map(token).collect::<Vec<_>>() })
}

/// What tokens are called in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// By their text, which may not be all of a character.
    Text,
    /// By their number, as vLLM does: `token_id:16`.
    Number,
}

/// Those of a completion: lists of the same length. The first token stands `offset` characters after the beginning; where
/// a token stands is counted in what is shown of those before it.
pub(super) fn of_completion(
    tokenizer: &Tokenizer,
    scored: &[Scored],
    offset: usize,
    called: Called,
) -> Value {
    let name = |token: u32| match called {
        Called::Text => text(tokenizer, token).0,
        Called::Number => format!("token_id:{token}"),
    };
    let (mut tokens, mut logs, mut best, mut offsets) = (vec![], vec![], vec![], vec![]);
    let (mut shown, mut offset) = (tokenizer.stream(SkipSpecial::Skip), offset);
    for scored in scored {
        let word = name(scored.token);
        offsets.push(offset);
        // Every token of a text is in the vocabulary.
        offset += shown.push(scored.token).map_or(0, |shown| shown.chars().count());
        logs.push(scored.log_probability);
        // Two tokens may have the same text: the better one comes first and stays.
        let mut words = Map::new();
        for (token, log) in &scored.best {
            words.entry(name(*token)).or_insert_with(|| json!(log));
        }
        best.push(scored.log_probability.map(|log| {
            words.entry(word.clone()).or_insert_with(|| json!(log));
            Value::Object(words)
        }));
        tokens.push(word);
    }
    json!({
        "tokens": tokens,
        "token_logprobs": logs,
        "top_logprobs": best,
        "text_offset": offsets,
    })
}

/// How many characters are shown of tokens.
pub(super) fn shown(tokenizer: &Tokenizer, scored: &[Scored]) -> usize {
    let mut shown = tokenizer.stream(SkipSpecial::Skip);
    let pieces = scored.iter().map(|scored| shown.push(scored.token));
    pieces.map(|piece| piece.map_or(0, |piece| piece.chars().count())).sum()
}
