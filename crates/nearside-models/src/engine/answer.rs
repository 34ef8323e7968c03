//! What another program answers: parts that come one by one, as lines (Ollama) or as events (all others).

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::{Duration, Instant};

use nearside_fetch::LocalAnswer;
use serde_json::Value;

use super::error::EngineError;

/// Bytes of a line of an answer.
const MOST_LINE: u64 = 1 << 20;
/// Bytes of an answer that comes at once.
const MOST_AT_ONCE: u64 = 16 << 20;
/// Bytes of what is said of an error.
const MOST_REFUSED: u64 = 64 << 10;
/// Characters that are shown of what a program says of an error.
const MOST_TOLD: usize = 500;

/// What a model of another program wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Why it ended.
    pub ended: Ended,
    /// Tokens that were read, where that is told.
    pub prompt_tokens: Option<u64>,
    /// Tokens of those that were known already, where that is told.
    pub cached_tokens: Option<u64>,
    /// Tokens that were written, where that is told.
    pub new_tokens: Option<u64>,
    /// What is told of each token, where it was asked for and the program does so.
    pub scores: Vec<ScoredToken>,
    /// How long it took from the question until the first piece of text came.
    pub reading: Duration,
    /// How long it took from there to the end.
    pub writing: Duration,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// The model had nothing more to say.
    #[default]
    Stop,
    /// As much was written as was to be.
    Length,
    /// Nobody wanted more.
    Interrupted,
}

/// A token as another program tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredToken {
    /// Its number, where that is told.
    pub id: Option<u32>,
    /// Its bytes, as far as they are told.
    pub bytes: Vec<u8>,
    /// The logarithm of its probability.
    pub log_probability: f64,
}

/// Reads an answer to its end, or as long as more is wanted: line by line where it comes in pieces. It was asked for at
/// `start`.
pub(super) fn read(
    address: &str,
    answer: LocalAnswer,
    (is_streamed, start): (bool, Instant),
    each: &mut dyn FnMut(&str) -> bool,
) -> Result<Written, EngineError> {
    let unread = |reason: String| EngineError::Unread { address: address.to_owned(), reason };
    let (mut written, mut lines) = (Written::default(), BufReader::new(answer.body));
    let (mut first, mut finished) = (None, false);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut next = lines.by_ref().take(if is_streamed { MOST_LINE } else { MOST_AT_ONCE });
        let read = match is_streamed {
            true => next.read_until(b'\n', &mut line),
            false => next.read_to_end(&mut line),
        };
        if read.map_err(|error| unread(error.to_string()))? == 0 {
            break;
        }
        finished |= line.trim_ascii() == b"data: [DONE]";
        let Some(part) = part(&line).map_err(unread)? else { continue };
        if let Some(told) = error_in(&part) {
            return Err(EngineError::Refused { address: address.to_owned(), status: 200, told });
        }
        let piece = written.add(&part);
        finished |= piece.finished;
        if !piece.text.is_empty() || piece.is_thought {
            first.get_or_insert_with(Instant::now);
        }
        // Asked also where nothing is to be shown, for somebody may want no more.
        let wanted = each(&piece.text);
        written.text.push_str(&piece.text);
        if !wanted {
            written.ended = Ended::Interrupted;
            finished = true;
            break;
        }
    }
    let first = first.unwrap_or_else(Instant::now);
    written.reading = first - start;
    written.writing = first.elapsed();
    // A connection that broke looks like one that ended.
    if finished { Ok(written) } else { Err(unread("it ends in the middle".to_owned())) }
}

/// The document in a line: data of an event, or the line itself; `None` where it says nothing.
fn part(line: &[u8]) -> Result<Option<Value>, String> {
    let data = line.strip_prefix(b"data:");
    let line = data.unwrap_or(line).trim_ascii();
    let is_field = data.is_none() && !line.starts_with(b"{");
    if line.is_empty() || is_field || line == b"[DONE]" {
        return Ok(None);
    }
    serde_json::from_slice(line).map(Some).map_err(|error| error.to_string())
}

/// What a part adds.
struct Piece {
    text: String,
    /// Whether the model thought, which is not shown.
    is_thought: bool,
    finished: bool,
}

impl Written {
    fn add(&mut self, part: &Value) -> Piece {
        let choice = &part["choices"][0];
        let texts = [
            &choice["text"],
            &choice["delta"]["content"],
            &part["response"],
            &part["message"]["content"],
        ];
        let text = texts.iter().find_map(|text| text.as_str()).unwrap_or_default().to_owned();
        for scores in [&choice["logprobs"], &part["logprobs"]] {
            self.scores.extend(scored(scores));
        }
        let usage = &part["usage"];
        let counted = |first: &Value, second: &Value| first.as_u64().or_else(|| second.as_u64());
        let prompt = counted(&usage["prompt_tokens"], &part["prompt_eval_count"]);
        self.prompt_tokens = prompt.or(self.prompt_tokens);
        let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
        self.cached_tokens = cached.or(self.cached_tokens);
        let new = counted(&usage["completion_tokens"], &part["eval_count"]);
        self.new_tokens = new.or(self.new_tokens);
        let reason = choice["finish_reason"].as_str().or_else(|| part["done_reason"].as_str());
        if reason == Some("length") {
            self.ended = Ended::Length;
        }
        let thoughts = [
            &choice["delta"]["reasoning_content"],
            &choice["delta"]["reasoning"],
            &part["message"]["thinking"],
            &part["thinking"],
        ];
        let is_thought =
            thoughts.iter().any(|thought| thought.as_str().is_some_and(|text| !text.is_empty()));
        Piece { text, is_thought, finished: reason.is_some() || part["done"] == true }
    }
}

/// Tokens as a chat tells them (a list of objects, in `content` or alone), or as completions do (lists side by side).
fn scored(scores: &Value) -> Vec<ScoredToken> {
    if let Some(tokens) = scores["content"].as_array().or_else(|| scores.as_array()) {
        return tokens.iter().filter_map(of_object).collect();
    }
    let lists = scores["tokens"].as_array().zip(scores["token_logprobs"].as_array());
    let Some((tokens, logs)) = lists else { return Vec::new() };
    let pairs = tokens.iter().zip(logs);
    let of_pair = |(token, log): (&Value, &Value)| {
        let token = token.as_str()?;
        // As vLLM says it when it is asked for numbers.
        let id = token.strip_prefix("token_id:").and_then(|id| id.parse().ok());
        let bytes = if id.is_some() { Vec::new() } else { token.as_bytes().to_vec() };
        Some(ScoredToken { id, bytes, log_probability: log.as_f64()? })
    };
    pairs.filter_map(of_pair).collect()
}

fn of_object(token: &Value) -> Option<ScoredToken> {
    let bytes = token["bytes"]
        .as_array()
        .map(|bytes| bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect());
    let text = || token["token"].as_str().map(|text| text.as_bytes().to_vec());
    Some(ScoredToken {
        id: token["id"].as_u64().and_then(|id| u32::try_from(id).ok()),
        bytes: bytes.or_else(text)?,
        log_probability: token["logprob"].as_f64()?,
    })
}

/// What a program says is wrong.
fn error_in(part: &Value) -> Option<String> {
    let error = part.get("error").filter(|error| !error.is_null())?;
    let told = error["message"].as_str().or_else(|| error.as_str());
    Some(shown(&told.map_or_else(|| error.to_string(), str::to_owned)))
}

/// What can be shown of a text of somebody else: its beginning, without what a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    text.trim().chars().filter(|sign| !sign.is_control()).take(MOST_TOLD).collect()
}

/// The error of an answer that is none.
pub(super) fn refused(address: &str, answer: LocalAnswer) -> EngineError {
    let (status, mut bytes) = (answer.status, Vec::new());
    // What cannot be read of it is not told.
    let _ = answer.body.take(MOST_REFUSED).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let told = serde_json::from_str(&text).ok().and_then(|told: Value| {
        error_in(&told)
            .or_else(|| told["message"].as_str().or(told["detail"].as_str()).map(str::to_owned))
    });
    let told = shown(&told.unwrap_or_else(|| text.into_owned()));
    EngineError::Refused { address: address.to_owned(), status, told }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read_all(body: &str) -> Result<(Written, Vec<String>), EngineError> {
        let answer = LocalAnswer { status: 200, body: Box::new(Cursor::new(body.to_owned())) };
        let mut pieces = Vec::new();
        let written = read("http://127.0.0.1:1", answer, (true, Instant::now()), &mut |piece| {
            pieces.extend((!piece.is_empty()).then(|| piece.to_owned()));
            piece != "enough"
        });
        written.map(|written| (written, pieces))
    }

    #[test]
    fn events_of_vllm_are_read() {
        let body = "data: {\"choices\":[{\"text\":\".\",\"logprobs\":{\"tokens\":[\"token_id:16\"],\
                    \"token_logprobs\":[-3.5]},\"finish_reason\":null}]}\n\n\
                    data: {\"choices\":[{\"text\":\"\\n\",\"finish_reason\":\"length\"}]}\n\n\
                    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n\
                    data: [DONE]\n\n";
        let (written, pieces) = read_all(body).unwrap();
        assert_eq!(pieces, [".", "\n"]);
        assert_eq!((written.ended, written.new_tokens), (Ended::Length, Some(2)));
        let token = ScoredToken { id: Some(16), bytes: Vec::new(), log_probability: -3.5 };
        assert_eq!(written.scores, [token]);
    }

    #[test]
    fn lines_of_ollama_are_read() {
        let body = "{\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"done\":false,\
                    \"logprobs\":[{\"token\":\"Hi\",\"logprob\":-0.5}]}\n\
                    {\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\
                    \"prompt_eval_count\":26,\"eval_count\":1}\n";
        let (written, pieces) = read_all(body).unwrap();
        assert_eq!((pieces.len(), written.text.as_str()), (1, "Hi"));
        assert_eq!((written.prompt_tokens, written.ended), (Some(26), Ended::Stop));
        assert_eq!(written.scores[0].bytes, b"Hi");
    }

    #[test]
    fn an_answer_that_breaks_off_is_none_and_one_that_is_enough_is() {
        let piece = |text: &str| format!("data: {{\"choices\":[{{\"text\":\"{text}\"}}]}}\n\n");
        assert!(read_all(&piece("a")).unwrap_err().to_string().contains("in the middle"));
        let (written, _) = read_all(&format!("{}{}", piece("enough"), piece("b"))).unwrap();
        assert_eq!((written.ended, written.text.as_str()), (Ended::Interrupted, "enough"));
        let told = read_all("data: {\"error\":{\"message\":\"no room\"}}\n\n").unwrap_err();
        assert!(told.to_string().contains("no room"));
        let told = read_all("data: {\"error\":\"\\u001b[2J bad\"}\n").unwrap_err().to_string();
        assert!(told.ends_with("[2J bad") && !told.contains('\u{1b}'), "{told}");
        // Lines that say nothing, and a server that never says why it ends.
        let silent = format!(": here\nretry: 5\nevent: x\n{}data: [DONE]\n", piece("a"));
        assert_eq!(read_all(&silent).unwrap().0.text, "a");
        assert!(read_all("data: {nonsense\n").unwrap_err().to_string().contains("cannot be read"));
    }
}
