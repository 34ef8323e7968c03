//! A conversation of a request as tokens: messages in the model's chat template, as many as fit.

use nearside_models::{
    AddSpecial, ChatTemplate, ChatTemplateError, ControlText, Conversation, Data, ModelError,
    Tokenizer,
};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::fields::Fields;
use super::{Overflow, Served};
use crate::wire::local_model;

/// Messages of a conversation at most.
const MOST_MESSAGES: usize = 4096;
/// Tokens of an answer that are kept free where nobody says how long it may be and messages are left out.
const USUAL_ANSWER: usize = 512;

/// What a model reads of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) tokens: Vec<u32>,
    /// Tokens of messages that were left out.
    pub(super) dropped: usize,
}

/// Takes the messages of a request, as templates read them: contents are texts, arguments of calls are objects.
pub(super) fn messages(fields: &mut Fields) -> Result<Vec<Map<String, Value>>, ApiError> {
    let messages = fields.list("messages")?;
    let messages = fields.required("messages", messages)?;
    if messages.is_empty() || messages.len() > MOST_MESSAGES {
        let message = format!("{} messages, it should be 1 to {MOST_MESSAGES}", messages.len());
        return Err(ApiError::field("messages", message));
    }
    let message = |(at, value)| message(fields, &format!("messages[{at}]"), value);
    messages.into_iter().enumerate().map(message).collect()
}

fn message(fields: &Fields, place: &str, value: Value) -> Result<Map<String, Value>, ApiError> {
    let mut fields = fields.nested(place, value)?;
    let role = fields.text("role")?;
    let role = match fields.required("role", role)?.as_str() {
        "developer" => "system".to_owned(),
        role @ ("system" | "user" | "assistant" | "tool") => role.to_owned(),
        other => {
            let message = format!("{other:?} is nobody: system, user, assistant or tool");
            return Err(ApiError::field(&fields.path("role"), message));
        }
    };
    let content = match fields.take("content") {
        None if role == "assistant" => String::new(),
        None => return Err(ApiError::field(&fields.path("content"), "it has to be there")),
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => joined(&fields.path("content"), &parts)?,
        Some(_) => {
            let message = "it should be a text or a list of parts";
            return Err(ApiError::field(&fields.path("content"), message));
        }
    };
    let calls = fields.list("tool_calls")?;
    let Value::Object(rest) = fields.into_value() else { return Ok(Map::new()) };
    let mut message = Map::new();
    message.insert("role".to_owned(), Value::String(role));
    message.insert("content".to_owned(), Value::String(content));
    if let Some(mut calls) = calls {
        calls.iter_mut().for_each(open_arguments);
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    message.extend(rest);
    Ok(message)
}

/// The texts of a content's parts, one after the other.
fn joined(place: &str, parts: &[Value]) -> Result<String, ApiError> {
    let mut text = String::new();
    for part in parts {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        match part.get("text").and_then(Value::as_str) {
            Some(piece) if kind == "text" => text.push_str(piece),
            _ => {
                let message = format!("a part of type {kind:?}: this model reads text only");
                return Err(ApiError::field(place, message));
            }
        }
    }
    Ok(text)
}

/// Makes an object of a call's arguments, which clients send as a text.
fn open_arguments(call: &mut Value) {
    let arguments = call.pointer_mut("/function/arguments");
    if let Some(arguments) = arguments
        && let Some(object) = arguments.as_str().and_then(|text| serde_json::from_str(text).ok())
    {
        *arguments = object;
    }
}

/// What the model reads of messages, with room for an answer. Nothing in them can become a control token.
pub(super) fn prompt(
    served: &Served,
    messages: Vec<Map<String, Value>>,
    tools: Vec<Value>,
    variables: Vec<(String, Value)>,
    answer: Option<usize>,
) -> Result<Prompt, ApiError> {
    let tokenizer = &served.tokenizer;
    let guarded = |value: Value| Data::from(guarded(tokenizer, value));
    let mut conversation = Conversation {
        tools: tools.into_iter().map(&guarded).collect(),
        variables: variables.into_iter().map(|(name, value)| (name, guarded(value))).collect(),
        ..local_model::conversation(tokenizer, &[])
    };
    let template = ChatTemplate::choose(&tokenizer.special().templates, &conversation);
    let template = template.map_err(|error| refused(&error))?;
    let none = "the model has no chat template: use /v1/completions";
    let template = template.ok_or_else(|| ApiError::invalid(none))?;
    let context = served.serving.limits().context;
    let room = context.saturating_sub(answer.unwrap_or(USUAL_ANSWER.min(context / 4)));
    let mut read = |left_out: usize| {
        let kept = without_oldest(&messages, left_out).into_iter();
        conversation.messages = kept.map(|message| guarded(Value::Object(message))).collect();
        let text = template.render(&conversation).map_err(|error| refused(&error))?;
        let tokens = tokenizer.encode(&text, AddSpecial::Omit, ControlText::Parsed);
        tokens.map_err(|error| ApiError::internal(error.to_string()))
    };
    let mut tokens = read(0)?;
    let before = tokens.len();
    if served.overflow == Overflow::DropOldest && before > room {
        // The fewest exchanges without which it fits; all but the last where none of that does.
        let (mut low, mut high) = (0, exchanges(&messages).len());
        while low + 1 < high {
            let middle = low.midpoint(high);
            if read(middle)?.len() <= room { high = middle } else { low = middle }
        }
        tokens = read(high)?;
    }
    check(tokens.len(), answer, context)?;
    Ok(Prompt { dropped: before - tokens.len().min(before), tokens })
}

/// An error unless a prompt and its answer fit.
pub(super) fn check(prompt: usize, answer: Option<usize>, context: usize) -> Result<(), ApiError> {
    let tokens = prompt.saturating_add(answer.unwrap_or(1));
    if tokens <= context {
        return Ok(());
    }
    let refused = ApiError::from(nearside_models::serving::Refused::from(ModelError::Context {
        tokens,
        context,
    }));
    let answer = answer.map_or_else(String::new, |answer| format!(" and {answer} of the answer"));
    Err(ApiError {
        message: format!("{}: {prompt} of the prompt{answer}", refused.message),
        ..refused
    })
}

/// Where the exchanges end that may be left out, the oldest first: each begins with what somebody other than the system
/// says, and the next one with what a user says. The last one never is.
fn exchanges(messages: &[Map<String, Value>]) -> Vec<usize> {
    let is = |at: usize, role: &str| messages[at].get("role").is_some_and(|found| found == role);
    let first = (0..messages.len()).find(|at| !is(*at, "system")).unwrap_or(messages.len());
    (first + 1..messages.len()).filter(|at| is(*at, "user")).collect()
}

/// The messages without the so many oldest exchanges; what the system says stays.
fn without_oldest(messages: &[Map<String, Value>], left_out: usize) -> Vec<Map<String, Value>> {
    let ends = exchanges(messages);
    let from = left_out.checked_sub(1).and_then(|last| ends.get(last).copied()).unwrap_or(0);
    let is_system =
        |message: &Map<String, Value>| message.get("role").is_some_and(|role| role == "system");
    let kept =
        messages.iter().enumerate().filter(|(at, message)| *at >= from || is_system(message));
    kept.map(|(_, message)| message.clone()).collect()
}

/// The same with every text in it guarded.
fn guarded(tokenizer: &Tokenizer, value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(tokenizer.guarded(&text).into_owned()),
        Value::Array(list) => {
            Value::Array(list.into_iter().map(|value| guarded(tokenizer, value)).collect())
        }
        Value::Object(map) => {
            let pairs = map.into_iter();
            let guarded = |(name, value): (String, Value)| {
                (tokenizer.guarded(&name).into_owned(), guarded(tokenizer, value))
            };
            Value::Object(pairs.map(guarded).collect())
        }
        other => other,
    }
}

fn refused(error: &ChatTemplateError) -> ApiError {
    ApiError::field("messages", error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(messages: Value) -> Result<Vec<Map<String, Value>>, ApiError> {
        let body = json!({ "messages": messages }).to_string();
        super::messages(&mut Fields::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn messages_become_what_templates_read() {
        let call = json!({"function": {"name": "f", "arguments": "{\"b\": 1, \"a\": 2}"}});
        let read = read(json!([
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "content": "42", "tool_call_id": "x"},
        ]));
        let read = read.unwrap();
        assert_eq!(read[0]["role"], "system");
        assert_eq!(read[1]["content"], "ab");
        assert_eq!(
            read[2]["tool_calls"][0]["function"]["arguments"].to_string(),
            r#"{"b":1,"a":2}"#
        );
        assert_eq!(read[3]["tool_call_id"], "x");
    }

    #[test]
    fn what_no_model_here_reads_is_refused_with_its_place() {
        for (messages, place) in [
            (json!([]), "messages"),
            (json!([1]), "messages[0]"),
            (json!([{"role": "user"}]), "messages[0].content"),
            (json!([{"role": "pope", "content": ""}]), "messages[0].role"),
            (json!([{"role": "user", "content": [{"type": "image_url"}]}]), "messages[0].content"),
        ] {
            assert_eq!(read(messages).unwrap_err().param.as_deref(), Some(place));
        }
    }

    #[test]
    fn the_oldest_exchange_goes_first_and_the_last_message_never() {
        let messages = read(json!([
            {"role": "system", "content": "s"},
            {"role": "user", "content": "1"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "3"},
        ]))
        .unwrap();
        assert_eq!(exchanges(&messages).len(), 1);
        let contents = |left_out: usize| {
            let kept = without_oldest(&messages, left_out);
            kept.iter().map(|message| message["content"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(contents(0), ["s", "1", "2", "3"]);
        assert_eq!(contents(1), ["s", "3"]);
    }
}
