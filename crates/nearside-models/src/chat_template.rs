//! Chat templates: the text that a model is given for a conversation.
//!
//! Templates are Jinja as Hugging Face's `transformers` renders it (`utils/chat_template_utils.py`), to the byte; what
//! it adds to Jinja, and Python's ways with texts and numbers, are here as well. A template comes with a model, so it
//! is not trusted: it reads nothing but the conversation, and has a bound on its work and on what it makes.
//!
//! Control tokens in what a person wrote are to be guarded before: [`crate::Tokenizer::guarded`].

mod clock;
mod data;
mod python;
mod python_json;
mod python_text;
mod source;

use std::collections::BTreeMap;
use std::error::Error as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use thiserror::Error;

pub use data::Data;

/// The steps that a template may take; making 64 bytes of text is one as well.
pub const MAX_STEPS: u64 = 4_000_000;
/// The longest template that is read, in bytes.
pub const MAX_SOURCE: usize = 1 << 20;

const NAME: &str = "chat_template";
/// What reasoning is called in messages; templates read the first, and one of them the second.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Why there is no text for a conversation.
#[derive(Debug, Error)]
pub enum ChatTemplateError {
    /// The template is no Jinja.
    #[error("line {line} of the chat template: {reason}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The template refuses the conversation, in its own words.
    #[error("the model's chat template refuses the conversation: {0}")]
    Raised(String),
    /// The template does not go with the conversation.
    #[error("line {line} of the chat template does not go with the conversation: {reason}")]
    Render {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The template does too much.
    #[error("the chat template is not done after {MAX_STEPS} steps")]
    Steps,
    /// The template is too long.
    #[error("the chat template has {0} bytes, at most {MAX_SOURCE} are read")]
    Source(usize),
    /// A message is no object.
    #[error("message {0} is no object")]
    Message(usize),
}

/// The words of a template that refuses a conversation.
#[derive(Debug, Error)]
#[error("{0}")]
struct Raised(String);

/// A conversation, and what a template is told beside it.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// The messages: objects with `role`, `content` and whatever else the template reads.
    pub messages: Vec<Data>,
    /// Tools that the model may call, as JSON schemas; none is other than an empty list of them for some templates.
    pub tools: Vec<Data>,
    /// Whether the text ends with the beginning of an answer.
    pub add_generation_prompt: bool,
    /// The text of the token that begins texts.
    pub begin: Option<String>,
    /// The text of the token that ends texts.
    pub end: Option<String>,
    /// What the template's clock shows, in seconds after the beginning of 1970; without it there is no clock.
    pub now: Option<i64>,
    /// What else the template reads, such as `enable_thinking` or `documents`.
    pub variables: BTreeMap<String, Data>,
}

/// A model's chat template.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is no Jinja; the error names the line.
    pub fn new(source: &str) -> Result<Self, ChatTemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(ChatTemplateError::Source(source.len()));
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| syntax_error(&error))?);
        environment.set_auto_escape_callback(|_name| minijinja::AutoEscape::None);
        environment.set_fuel(Some(MAX_STEPS));
        python::add(&mut environment);
        let source = source::without_generation(source);
        environment.add_template_owned(NAME, source).map_err(|error| syntax_error(&error))?;
        Ok(Self { environment })
    }

    /// Reads that of several templates which goes with a conversation: `tool_use` where it has tools, and otherwise
    /// `default`; `None` where there is none.
    ///
    /// # Errors
    /// When it is no Jinja; the error names the line.
    pub fn choose(
        templates: &BTreeMap<String, String>,
        conversation: &Conversation,
    ) -> Result<Option<Self>, ChatTemplateError> {
        let with_tools = templates.get("tool_use").filter(|_it| !conversation.tools.is_empty());
        with_tools.or_else(|| templates.get("default")).map(|source| Self::new(source)).transpose()
    }

    /// The text of a conversation.
    ///
    /// # Errors
    /// When the template refuses it, in its own words, does not go with it, or does too much.
    pub fn render(&self, conversation: &Conversation) -> Result<String, ChatTemplateError> {
        let context = context(conversation)?;
        let template = self.environment.get_template(NAME).map_err(|error| syntax_error(&error))?;
        template.render(context).map_err(|error| render_error(&error))
    }
}

/// Everything that a template sees.
fn context(conversation: &Conversation) -> Result<Value, ChatTemplateError> {
    let messages = conversation.messages.iter().enumerate();
    let messages = messages
        .map(|(index, Data(message))| normalized(message).ok_or(ChatTemplateError::Message(index)));
    let tools = conversation.tools.iter().map(|Data(tool)| tool.clone()).collect::<Vec<_>>();
    let tools = if tools.is_empty() { Value::from(()) } else { Value::from(tools) };
    let mut context = BTreeMap::from([
        ("messages", Value::from(messages.collect::<Result<Vec<_>, _>>()?)),
        ("tools", tools),
        ("documents", Value::from(())),
        ("add_generation_prompt", Value::from(conversation.add_generation_prompt)),
    ]);
    for (name, token) in [("bos_token", &conversation.begin), ("eos_token", &conversation.end)] {
        if let Some(token) = token {
            context.insert(name, Value::from(token.as_str()));
        }
    }
    if let Some(now) = conversation.now {
        let clock = Value::from_function(move |pattern: &str| clock::format(pattern, now));
        context.insert("strftime_now", clock);
    }
    for (name, Data(value)) in &conversation.variables {
        context.insert(name.as_str(), value.clone());
    }
    Ok(Value::from_pairs(context))
}

/// A message without what is null, and with its reasoning under every name that templates have for it; `None` if it is
/// no object.
fn normalized(message: &Value) -> Option<Value> {
    if message.kind() != ValueKind::Map {
        return None;
    }
    let mut entries = Vec::new();
    for key in message.try_iter().ok()? {
        let value = message.get_item(&key).ok()?;
        if !value.is_none() {
            entries.push((key, value));
        }
    }
    let reasoning = REASONING.iter().find_map(|name| {
        entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value.clone())
    });
    if let Some(reasoning) = reasoning {
        for name in ["thinking", "reasoning_content"] {
            match entries.iter_mut().find(|(key, _)| key.as_str() == Some(name)) {
                Some((_, value)) if name == "reasoning_content" => *value = reasoning.clone(),
                Some(_) => {}
                None => entries.push((Value::from(name), reasoning.clone())),
            }
        }
    }
    Some(Value::from_pairs(entries))
}

fn line(error: &Error) -> usize {
    error.line().unwrap_or(1)
}

fn reason(error: &Error) -> String {
    let kind = error.kind();
    error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}"))
}

fn syntax_error(error: &Error) -> ChatTemplateError {
    ChatTemplateError::Syntax { line: line(error), reason: reason(error) }
}

fn render_error(error: &Error) -> ChatTemplateError {
    if error.kind() == ErrorKind::OutOfFuel {
        return ChatTemplateError::Steps;
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(Raised(message)) = inner.downcast_ref() {
            return ChatTemplateError::Raised(message.clone());
        }
        if let Some(inner) = inner.downcast_ref::<Error>()
            && inner.kind() == ErrorKind::OutOfFuel
        {
            return ChatTemplateError::Steps;
        }
        source = inner.source();
    }
    ChatTemplateError::Render { line: line(error), reason: reason(error) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn conversation() -> Conversation {
        let message = json!({"role": "user", "content": "Hi", "tool_calls": null});
        Conversation { messages: vec![message.into()], ..Conversation::default() }
    }

    fn rendered(source: &str) -> Result<String, ChatTemplateError> {
        ChatTemplate::new(source).unwrap().render(&conversation())
    }

    #[test]
    fn a_template_refuses_in_its_own_words() {
        let refused = rendered("{{ raise_exception('Roles must alternate') }}").unwrap_err();
        assert!(
            matches!(&refused, ChatTemplateError::Raised(words) if words == "Roles must alternate")
        );
        let nested = "{% macro m() %}{{ raise_exception('no') }}{% endmacro %}\n{{ m() }}";
        assert!(matches!(rendered(nested), Err(ChatTemplateError::Raised(words)) if words == "no"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let wrong = ChatTemplate::new("\n\n{% for %}").unwrap_err();
        assert!(matches!(wrong, ChatTemplateError::Syntax { line: 3, .. }), "{wrong}");
        let wrong = rendered("\n{{ messages[0].nothing.at_all }}").unwrap_err();
        assert!(matches!(wrong, ChatTemplateError::Render { line: 2, .. }), "{wrong}");
        let template = ChatTemplate::new("").unwrap();
        let words = Conversation { messages: vec!["words".into()], ..Conversation::default() };
        assert!(matches!(template.render(&words), Err(ChatTemplateError::Message(0))));
    }

    #[test]
    fn a_template_without_an_end_is_ended() {
        for source in [
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}",
            "{% set n = namespace(x='xx') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "{% set n = namespace(x=['xx']) %}{% for i in range(22) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
            "{% set n = namespace(x='xx') %}{% for i in range(99) %}{% set n.x = n.x|replace('x', 'xx') %}{% endfor %}",
        ] {
            let ended = rendered(source);
            assert!(matches!(ended, Err(ChatTemplateError::Steps)), "{source}: {ended:?}");
        }
        let deep = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
        assert!(matches!(rendered(deep), Err(ChatTemplateError::Render { .. })));
    }

    #[test]
    fn without_a_clock_there_is_none() {
        let source = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}none{% endif %}";
        assert_eq!(rendered(source).unwrap(), "none");
        let now = Conversation { now: Some(951_868_800), ..conversation() };
        assert_eq!(ChatTemplate::new(source).unwrap().render(&now).unwrap(), "01 Mar 2000");
    }

    #[test]
    fn the_order_of_keys_is_kept_and_null_is_left_out() {
        let data: Data =
            serde_json::from_str(r#"{"z": 1, "a": {"y": 2, "b": null}, "n": null}"#).unwrap();
        let conversation = Conversation { messages: vec![data], ..Conversation::default() };
        let template = ChatTemplate::new("{{ messages[0] | tojson }}").unwrap();
        assert_eq!(
            template.render(&conversation).unwrap(),
            r#"{"z": 1, "a": {"y": 2, "b": null}}"#
        );
    }

    #[test]
    fn tools_choose_the_template_for_them() {
        let templates = ["default", "tool_use"].map(|name| (name.to_owned(), name.to_owned()));
        let templates = BTreeMap::from(templates);
        let chosen = |conversation: &Conversation| {
            let template = ChatTemplate::choose(&templates, conversation).unwrap().unwrap();
            template.render(conversation).unwrap()
        };
        assert_eq!(chosen(&conversation()), "default");
        let tools = Conversation { tools: vec![json!({}).into()], ..conversation() };
        assert_eq!(chosen(&tools), "tool_use");
        assert!(ChatTemplate::choose(&BTreeMap::new(), &tools).unwrap().is_none());
    }
}
