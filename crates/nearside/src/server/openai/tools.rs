//! Calls of tools: how models write them, and how they are found in what is written.
//!
//! The form follows from the model's chat template: JSON in tags (Hermes, Qwen 2.5 and 3), a list behind a word
//! (Mistral), or bare JSON (Llama 3.1 to 3.3).

use std::fmt::Write as _;

use nearside_models::{Tokenizer, laid_out};
use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::Fields;

/// Tools of one request.
const MOST_TOOLS: usize = 128;

/// How a model writes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToolForm {
    /// `<tool_call>{"name": .., "arguments": ..}</tool_call>`, once for each.
    Tagged,
    /// `[TOOL_CALLS][{"name": .., "arguments": ..}, ..]`.
    Listed,
    /// `{"name": .., "parameters": ..}`, one, and nothing beside it.
    Bare,
}

/// Which tools are called.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ToolChoice {
    /// Any, or none.
    Auto,
    /// None.
    Nothing,
    /// At least one.
    Required,
    /// That one.
    Named(String),
}

/// A tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tool {
    pub(super) name: String,
    /// What its arguments are.
    parameters: Value,
    /// As the template takes it.
    pub(super) value: Value,
}

/// The tools of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tools {
    pub(super) tools: Vec<Tool>,
    pub(super) choice: ToolChoice,
    /// Whether several may be called at once.
    several: bool,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    /// JSON.
    pub(super) arguments: String,
}

/// What a grammar is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CallGrammar {
    /// The words after which it counts; `None` from the beginning.
    pub(super) after: Option<&'static str>,
    /// In the dialect of Lark.
    pub(super) lark: String,
}

impl Tools {
    /// Takes their fields of a request.
    pub(super) fn of(fields: &mut Fields) -> Result<Self, ApiError> {
        fields.only("functions", &[], "the field is of the past: say \"tools\"")?;
        fields.only("function_call", &[], "the field is of the past: say \"tool_choice\"")?;
        let tools = fields.list("tools")?.unwrap_or_default();
        if tools.len() > MOST_TOOLS {
            let message = format!("{} tools, at most {MOST_TOOLS} are read", tools.len());
            return Err(ApiError::field("tools", message));
        }
        let tool = |(at, value): (usize, Value)| Tool::of(fields, &format!("tools[{at}]"), value);
        let tools = tools.into_iter().enumerate().map(tool).collect::<Result<Vec<_>, _>>()?;
        let choice = choice(fields)?;
        if let ToolChoice::Named(name) = &choice
            && !tools.iter().any(|tool| tool.name == *name)
        {
            let message = format_args!("there is no tool {name:?}");
            return Err(ApiError::field("tool_choice", message));
        }
        if choice == ToolChoice::Required && tools.is_empty() {
            return Err(ApiError::field("tool_choice", "there are no tools"));
        }
        let several = fields.flag("parallel_tool_calls")?.unwrap_or(true);
        Ok(Self { tools, choice, several })
    }

    /// The grammar of calls in a form; `None` where none are called.
    pub(super) fn grammar(&self, form: ToolForm, tokenizer: &Tokenizer) -> Option<CallGrammar> {
        let all = |_tool: &&Tool| true;
        let (tools, free): (Vec<_>, _) = match &self.choice {
            ToolChoice::Nothing => return None,
            ToolChoice::Auto => (self.tools.iter().filter(all).collect(), true),
            ToolChoice::Required => (self.tools.iter().filter(all).collect(), false),
            ToolChoice::Named(name) => {
                (self.tools.iter().filter(|tool| tool.name == *name).collect(), false)
            }
        };
        let field = if form == ToolForm::Bare { "parameters" } else { "arguments" };
        let calls: Vec<_> = tools.iter().map(|tool| tool.call_schema(field)).collect();
        if calls.is_empty() {
            return None;
        }
        let call = laid_out(json!({ "anyOf": calls }));
        let mut lark = String::new();
        let after = match form {
            ToolForm::Tagged => {
                let (open, close) = (word(tokenizer, OPEN), word(tokenizer, CLOSE));
                let first = if free { String::new() } else { format!("{open} ") };
                let more =
                    if self.several { format!(" (\"\\n\" {open} one)*") } else { String::new() };
                let _ =
                    write!(lark, "start: {first}one{more}\none: \"\\n\" call \"\\n\" {close}\n");
                OPEN
            }
            ToolForm::Listed => {
                let first =
                    if free { String::new() } else { format!("{} ", word(tokenizer, WORD)) };
                let more = if self.several { " (\", \" call)*" } else { "" };
                let _ = writeln!(lark, "start: {first}\"[\" call{more} \"]\"");
                WORD
            }
            // Nothing tells where a call begins, so that one of several answers is not ruled.
            ToolForm::Bare if free => return None,
            ToolForm::Bare => {
                lark.push_str("start: call\n");
                ""
            }
        };
        let _ = writeln!(lark, "call: %json {call}");
        Some(CallGrammar { after: free.then_some(after), lark })
    }
}

/// A word in a grammar: control tokens are called by their number.
fn word(tokenizer: &Tokenizer, word: &str) -> String {
    match tokenizer.id(word).filter(|id| tokenizer.is_special(*id).unwrap_or(false)) {
        Some(id) => format!("<[{id}]>"),
        None => json!(word).to_string(),
    }
}

impl Tool {
    fn of(fields: &Fields, place: &str, value: Value) -> Result<Self, ApiError> {
        let mut tool = fields.nested(place, value.clone())?;
        let only = "tools are functions here";
        tool.only("type", &[json!("function")], only)?;
        let function = tool.object("function")?;
        let mut function = tool.required("function", function)?;
        let name = function.text("name")?;
        let name = function.required("name", name)?;
        let parameters = function.take("parameters");
        let parameters = parameters.unwrap_or_else(|| json!({ "type": "object" }));
        if !parameters.is_object() {
            return Err(ApiError::field(
                &function.path("parameters"),
                "it should be a JSON schema",
            ));
        }
        Ok(Self { name, parameters, value })
    }

    fn call_schema(&self, field: &str) -> Value {
        json!({
            "type": "object",
            "properties": { "name": { "const": self.name }, field: self.parameters },
            "required": ["name", field],
            "additionalProperties": false,
        })
    }
}

fn choice(fields: &mut Fields) -> Result<ToolChoice, ApiError> {
    let expected = "it should be none, auto, required, or a function with its name";
    let wrong = || ApiError::field("tool_choice", expected);
    Ok(match fields.take("tool_choice") {
        None => ToolChoice::Auto,
        Some(Value::String(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::Nothing,
            "required" => ToolChoice::Required,
            _ => return Err(wrong()),
        },
        Some(value) => {
            let name = value.pointer("/function/name").and_then(Value::as_str);
            ToolChoice::Named(name.ok_or_else(wrong)?.to_owned())
        }
    })
}

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";
const WORD: &str = "[TOOL_CALLS]";

impl ToolForm {
    /// The form that a chat template asks for; `None` where it has no place for tools, or another form.
    pub(super) fn of(template: &str) -> Option<Self> {
        let has = |word| template.contains(word);
        if !has("tools") {
            None
        } else if has(OPEN) && !has("<function=") && !has("<arg_key>") {
            Some(Self::Tagged)
        } else if has(WORD) && !has("[ARGS]") {
            Some(Self::Listed)
        } else if has("\"parameters\":") && (has("<|python_tag|>") || has("Environment: ipython")) {
            Some(Self::Bare)
        } else {
            None
        }
    }
}

/// What is found in what a model writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text for the person.
    Text(String),
    /// A call.
    Call(Call),
}

/// Finds calls in text as it is written.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    form: Option<ToolForm>,
    /// What may be the beginning of a call, or is one.
    held: String,
    /// Whether anything was told.
    begun: bool,
}

impl Speech {
    /// Of a model that writes calls in a form, if it may call at all.
    pub(super) const fn new(form: Option<ToolForm>) -> Self {
        Self { form, held: String::new(), begun: false }
    }

    /// Takes a piece; what is found by now.
    pub(super) fn add(&mut self, piece: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let Some(form) = self.form else {
            tell(&mut parts, piece.to_owned());
            return parts;
        };
        self.held.push_str(piece);
        match form {
            ToolForm::Tagged => self.tagged(&mut parts),
            ToolForm::Listed => {
                if !self.held.contains(WORD) {
                    self.tell_free(&mut parts, WORD);
                }
            }
            ToolForm::Bare => {
                let first = self.held.trim_start().chars().next();
                if self.begun || first.is_some_and(|first| first != '{') {
                    tell(&mut parts, std::mem::take(&mut self.held));
                    self.begun = true;
                }
            }
        }
        parts
    }

    fn tagged(&mut self, parts: &mut Vec<Part>) {
        loop {
            let Some(open) = self.held.find(OPEN) else {
                self.tell_free(parts, OPEN);
                return;
            };
            let Some(close) = self.held[open..].find(CLOSE).map(|close| open + close) else {
                return;
            };
            let rest = self.held.split_off(close + CLOSE.len());
            let call = call(&self.held[open + OPEN.len()..close]);
            self.held = match call {
                Some(call) => {
                    // What stands around a call separates it from the text.
                    tell(parts, self.held[..open].trim_end().to_owned());
                    parts.push(Part::Call(call));
                    rest.trim_start().to_owned()
                }
                None => {
                    tell(parts, std::mem::take(&mut self.held));
                    rest
                }
            };
        }
    }

    /// Tells what cannot be the beginning of a word, nor the space before it.
    fn tell_free(&mut self, parts: &mut Vec<Part>, word: &str) {
        let beginning =
            |end: &usize| word.is_char_boundary(*end) && self.held.ends_with(&word[..*end]);
        let kept = (1..word.len()).rev().find(beginning).unwrap_or(0);
        let free = self.held[..self.held.len() - kept].trim_end().len();
        let rest = self.held.split_off(free);
        tell(parts, std::mem::replace(&mut self.held, rest));
    }

    /// What is left when nothing more comes.
    pub(super) fn finish(&mut self) -> Vec<Part> {
        let held = std::mem::take(&mut self.held);
        let mut parts = Vec::new();
        let calls = match self.form {
            None => None,
            Some(ToolForm::Tagged) => held
                .split_once(OPEN)
                .and_then(|(text, rest)| Some((text.trim_end().to_owned(), vec![call(rest)?]))),
            Some(ToolForm::Listed) => held.split_once(WORD).and_then(|(text, rest)| {
                let list: Vec<Value> = serde_json::from_str(rest.trim()).ok()?;
                let calls = list.iter().map(|value| call(&value.to_string()));
                Some((text.trim_end().to_owned(), calls.collect::<Option<Vec<_>>>()?))
            }),
            Some(ToolForm::Bare) => call(&held).map(|call| (String::new(), vec![call])),
        };
        match calls {
            Some((text, calls)) => {
                tell(&mut parts, text);
                parts.extend(calls.into_iter().map(Part::Call));
            }
            None => tell(&mut parts, held),
        }
        parts
    }
}

fn tell(parts: &mut Vec<Part>, text: String) {
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
}

/// A call of JSON.
fn call(text: &str) -> Option<Call> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    let name = value.get("name")?.as_str()?.to_owned();
    let arguments = value.get("arguments").or_else(|| value.get("parameters"))?;
    let arguments = match arguments {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(Call { name, arguments })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found when text comes in pieces of so many characters.
    fn found(form: ToolForm, text: &str, size: usize) -> (String, Vec<Call>) {
        let mut speech = Speech::new(Some(form));
        let characters: Vec<char> = text.chars().collect();
        let mut parts = Vec::new();
        for piece in characters.chunks(size) {
            parts.extend(speech.add(&piece.iter().collect::<String>()));
        }
        parts.extend(speech.finish());
        let mut told = (String::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text(text) => told.0.push_str(&text),
                Part::Call(call) => told.1.push(call),
            }
        }
        told
    }

    fn call(name: &str, arguments: &str) -> Call {
        Call { name: name.to_owned(), arguments: arguments.to_owned() }
    }

    #[test]
    fn calls_are_found_however_the_text_is_cut() {
        let tagged = "I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": 2}}\n</tool_call>\n\
            <tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call>";
        let listed = "Well [TOOL_CALLS][{\"name\":\"f\",\"arguments\":{\"b\":1,\"a\":2}},{\"name\":\"g\",\"arguments\":{}}]";
        let bare = " {\"name\": \"f\", \"parameters\": {\"b\": 1, \"a\": 2}}";
        for size in [1, 2, 3, 7, 1000] {
            let (text, calls) = found(ToolForm::Tagged, tagged, size);
            assert_eq!(text, "I look.", "{size}");
            assert_eq!(calls, [call("f", r#"{"b":1,"a":2}"#), call("g", "{}")]);
            let (text, calls) = found(ToolForm::Listed, listed, size);
            assert_eq!((text.as_str(), calls.len()), ("Well", 2), "{size}");
            let (text, calls) = found(ToolForm::Bare, bare, size);
            assert_eq!((text.as_str(), &calls[..]), ("", &[call("f", r#"{"b":1,"a":2}"#)][..]));
        }
    }

    #[test]
    fn what_is_no_call_is_text_and_nothing_is_lost() {
        for text in [
            "a < b <tool",
            "<tool_call>no JSON</tool_call>",
            "<tool_call>{\"name\": \"f\"",
            "{\"name\": 3}",
            "[TOOL_CALLS] {",
            "plain",
        ] {
            for form in [ToolForm::Tagged, ToolForm::Listed, ToolForm::Bare] {
                for size in [1, 4, 100] {
                    assert_eq!(found(form, text, size), (text.to_owned(), Vec::new()), "{form:?}");
                }
            }
        }
    }

    #[test]
    fn text_is_told_as_soon_as_it_can_be_no_call() {
        let mut speech = Speech::new(Some(ToolForm::Tagged));
        assert_eq!(speech.add("one <to"), [Part::Text("one".to_owned())]);
        assert_eq!(speech.add("ol box"), [Part::Text(" <tool box".to_owned())]);
    }
}
