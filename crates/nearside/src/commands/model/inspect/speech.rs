//! How a model reads and is spoken to: its tokenizer and its chat template, tried on a short conversation.

use nearside_models::{ChatTemplate, Conversation, Data, Tokenizer};
use schemars::JsonSchema;
use serde::Serialize;

use crate::view::Figure;
use crate::wire::local_model;

/// What is said: an instruction, where the template takes one, and a question.
const SYSTEM: (&str, &str) = ("system", "Be brief.");
const QUESTION: (&str, &str) = ("user", "Hello");
/// A tool that is offered; its name is in the text of a template that shows tools to the model.
const TOOL: &str = "look_up_the_weather";
/// Characters of a sample that are told.
const MOST_SAMPLE: usize = 2000;

/// A tokenizer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct TokenizerView {
    /// How it cuts text.
    pub(super) method: String,
    /// Tokens that it knows, those that are not in use among them.
    pub(super) size: u32,
    /// The token that begins texts.
    pub(super) begin: Option<TokenView>,
    /// Tokens that end what the model says.
    pub(super) ends: Vec<TokenView>,
    /// The token of what is no token.
    pub(super) unknown: Option<TokenView>,
    /// The token that fills what is shorter than its neighbours.
    pub(super) padding: Option<TokenView>,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct TokenView {
    /// Its number.
    pub(super) id: u32,
    /// Its text.
    pub(super) text: String,
}

/// A chat template.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct TemplateView {
    /// The names of all that it brings; `default` is that of most models.
    pub(super) names: Vec<String>,
    /// What it makes of an instruction and a question, or of the question alone; or why it makes nothing.
    pub(super) sample: Figure<String>,
    /// Whether it takes an instruction before the question.
    pub(super) takes_system: bool,
    /// Whether it shows the model what tools there are.
    pub(super) shows_tools: bool,
}

/// The tokenizer, or why there is none.
pub(super) fn tokenizer(loaded: Result<&Tokenizer, &String>) -> Figure<TokenizerView> {
    match loaded {
        Ok(tokenizer) => Figure::Value(TokenizerView::of(tokenizer)),
        Err(why) => Figure::Unknown { unknown: why.clone() },
    }
}

impl TokenizerView {
    fn of(tokenizer: &Tokenizer) -> Self {
        let special = tokenizer.special();
        let token = |id: u32| {
            let bytes = tokenizer.token(id).unwrap_or_default();
            TokenView { id, text: String::from_utf8_lossy(&bytes).into_owned() }
        };
        Self {
            method: tokenizer.method().to_owned(),
            size: tokenizer.size(),
            begin: special.begin.map(token),
            ends: special.ends.iter().copied().map(token).collect(),
            unknown: special.unknown.map(token),
            padding: special.padding.map(token),
        }
    }
}

/// The chat template, or why there is none.
pub(super) fn template(loaded: Result<&Tokenizer, &String>) -> Figure<TemplateView> {
    let unknown = |why: &str| Figure::Unknown { unknown: why.to_owned() };
    match loaded {
        Err(_told) => unknown("not looked for: there is no tokenizer"),
        Ok(tokenizer) if tokenizer.special().templates.is_empty() => {
            unknown("none: it writes texts on")
        }
        Ok(tokenizer) => Figure::Value(TemplateView::of(tokenizer)),
    }
}

impl TemplateView {
    fn of(tokenizer: &Tokenizer) -> Self {
        let templates = &tokenizer.special().templates;
        let both = local_model::conversation(tokenizer, &[SYSTEM, QUESTION]);
        let with_system = rendered(tokenizer, &both);
        // A template may leave an instruction out without a word.
        let takes_system = with_system.as_ref().is_ok_and(|text| text.contains(SYSTEM.1));
        let (conversation, sample) = match with_system {
            Ok(text) => (both, Ok(text)),
            Err(_refused) => {
                let one = local_model::conversation(tokenizer, &[QUESTION]);
                let sample = rendered(tokenizer, &one);
                (one, sample)
            }
        };
        let tools = Conversation { tools: vec![tool()], ..conversation };
        let shows_tools = rendered(tokenizer, &tools).is_ok_and(|text| text.contains(TOOL));
        Self {
            names: templates.keys().cloned().collect(),
            sample: match sample {
                Ok(text) => Figure::Value(text.chars().take(MOST_SAMPLE).collect()),
                Err(unknown) => Figure::Unknown { unknown },
            },
            takes_system,
            shows_tools,
        }
    }
}

fn rendered(tokenizer: &Tokenizer, conversation: &Conversation) -> Result<String, String> {
    let chosen = ChatTemplate::choose(&tokenizer.special().templates, conversation);
    let chosen = chosen.map_err(|error| error.to_string())?;
    let chosen =
        chosen.ok_or_else(|| "none of them is for conversations without tools".to_owned())?;
    chosen.render(conversation).map_err(|error| error.to_string())
}

/// A tool as most templates read it, and as those do that list its parameters themselves (Command R).
fn tool() -> Data {
    let town = serde_json::json!({ "type": "string", "description": "A town.", "required": true });
    let description = "The weather of a town.";
    Data::from(serde_json::json!({
        "type": "function",
        "function": {
            "name": TOOL,
            "description": description,
            "parameters": { "type": "object", "properties": { "town": town }, "required": ["town"] },
        },
        "name": TOOL,
        "description": description,
        "parameter_definitions": { "town": town },
    }))
}
