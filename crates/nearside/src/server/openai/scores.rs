//! Probabilities of tokens as OpenAI's API tells them.

use nearside_models::Tokenizer;
use nearside_models::serving::Scored;
use serde_json::{Map, Value, json};

/// The text of a token; bytes that are no text are U+FFFD.
fn text(tokenizer: &Tokenizer, token: u32) -> (String, Vec<u8>) {
    let bytes = tokenizer.token(token).unwrap_or_default();
    (String::from_utf8_lossy(&bytes).into_owned(), bytes)
}

/// Those of a chat: an object for each token.
pub(super) fn of_chat(tokenizer: &Tokenizer, scored: &[Scored]) -> Value {
    let one = |token: u32, log: f32| {
        let (text, bytes) = text(tokenizer, token);
        json!({ "token": text, "logprob": log, "bytes": bytes })
    };
    let token = |scored: &Scored| {
        let mut told = one(scored.token, scored.log_probability.unwrap_or(0.0));
        let best: Vec<_> = scored.best.iter().map(|(token, log)| one(*token, *log)).collect();
        told["top_logprobs"] = Value::Array(best);
        told
    };
    json!({ "content": scored.iter().map(token).collect::<Vec<_>>() })
}

/// Those of a completion: lists of the same length. The first token stands `offset` characters after the beginning,
/// which is moved to the end.
pub(super) fn of_completion(tokenizer: &Tokenizer, scored: &[Scored], offset: &mut usize) -> Value {
    let (mut tokens, mut logs, mut best, mut offsets) = (vec![], vec![], vec![], vec![]);
    for scored in scored {
        let (word, _) = text(tokenizer, scored.token);
        offsets.push(*offset);
        *offset += word.chars().count();
        tokens.push(word);
        logs.push(scored.log_probability);
        // Two tokens may have the same text: the better one comes first and stays.
        let mut words = Map::new();
        for (token, log) in &scored.best {
            words.entry(text(tokenizer, *token).0).or_insert_with(|| json!(log));
        }
        best.push(scored.log_probability.map(|_log| Value::Object(words)));
    }
    json!({
        "tokens": tokens,
        "token_logprobs": logs,
        "top_logprobs": best,
        "text_offset": offsets,
    })
}
