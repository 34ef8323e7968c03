//! Rules for what a model may write: a JSON schema, or a grammar in the dialect of Lark that llguidance reads.
//!
//! Before every token the words of the vocabulary that cannot stand there are ruled out
//! (<https://github.com/guidance-ai/llguidance>, an Earley parser over a tree of all words).

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use thiserror::Error;

use crate::tokenizer::{Tokenizer, TokenizerError};

/// Tokens beyond which a vocabulary is not looked through; the largest that are known have 262,400.
const MOST_WORDS: u32 = 1 << 21;

/// The space that may stand between parts of JSON: a line's end, and what it is indented by.
const SPACE: &str = r"[ \t]{1,2}|\n[ \t]{0,40}";

/// Why a rule cannot be followed.
#[derive(Debug, Error)]
pub enum GrammarError {
    /// The vocabulary cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Without a token that ends texts, no rule ends.
    #[error("the tokenizer has no token that ends texts")]
    Endless,
    /// There are too many words.
    #[error("a vocabulary of {0} words is too large for rules")]
    TooLarge(u32),
    /// The vocabulary, the schema or the grammar is not understood, in the library's words.
    #[error("{0}")]
    Refused(String),
}

/// A vocabulary that rules can be about.
pub struct Grammars {
    factory: ParserFactory,
}

/// A rule, and how far it has been followed.
pub struct Grammar {
    matcher: Matcher,
}

/// A schema whose texts have only so much space between their parts: a small model would go on with it for ever.
#[must_use]
pub fn laid_out(mut schema: serde_json::Value) -> serde_json::Value {
    if let Some(schema) = schema.as_object_mut() {
        let space = serde_json::json!({ "whitespace_pattern": SPACE });
        schema.entry("x-guidance").or_insert(space);
    }
    schema
}

impl Grammars {
    /// Looks through the vocabulary of a tokenizer: some hundred milliseconds for a large one.
    ///
    /// # Errors
    /// When it has no token that ends texts, or too many words.
    pub fn new(tokenizer: &Tokenizer) -> Result<Self, GrammarError> {
        let size = tokenizer.size();
        if size > MOST_WORDS {
            return Err(GrammarError::TooLarge(size));
        }
        let special = tokenizer.special();
        let ends: Vec<u32> = special.ends.iter().copied().collect();
        let end = special.end.or(ends.first().copied()).ok_or(GrammarError::Endless)?;
        let mut words = Vec::with_capacity(size as usize);
        for id in 0..size {
            // A number without a word is none that a rule could allow.
            let Ok(mut bytes) = tokenizer.token(id) else {
                words.push(Vec::new());
                continue;
            };
            if tokenizer.is_special(id)? {
                bytes.insert(0, TokTrie::SPECIAL_TOKEN_MARKER);
            }
            words.push(bytes);
        }
        let trie = TokTrie::from(&TokRxInfo::new(size, end), &words).with_eos_tokens(&ends);
        let environment: TokEnv = std::sync::Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&environment).map_err(refused)?;
        factory.quiet();
        Ok(Self { factory })
    }

    /// Text that is JSON of a schema, with the properties in its order.
    ///
    /// # Errors
    /// When the schema has something in it that no grammar can be made of.
    pub fn json_schema(&self, schema: serde_json::Value) -> Result<Grammar, GrammarError> {
        self.of(TopLevelGrammar::from_json_schema(laid_out(schema)))
    }

    /// Text of a grammar.
    ///
    /// # Errors
    /// When the grammar is none.
    pub fn lark(&self, grammar: &str) -> Result<Grammar, GrammarError> {
        self.of(TopLevelGrammar::from_lark(grammar.to_owned()))
    }

    fn of(&self, grammar: TopLevelGrammar) -> Result<Grammar, GrammarError> {
        let parser = self.factory.create_parser(grammar).map_err(refused)?;
        let matcher = Matcher::new(Ok(parser));
        match matcher.get_error() {
            Some(error) => Err(GrammarError::Refused(error)),
            None => Ok(Grammar { matcher }),
        }
    }
}

impl Grammar {
    /// Rules out the words that cannot stand here: their scores become minus infinity.
    ///
    /// # Errors
    /// When the rule takes too much work, or nothing can stand here.
    pub fn rule_out(&mut self, scores: &mut [f32]) -> Result<(), GrammarError> {
        let allowed = self.matcher.compute_mask_or_eos().map_err(refused)?;
        let mut any = false;
        for (token, score) in (0..).zip(scores.iter_mut()) {
            if (token as usize) < allowed.len() && allowed.is_allowed(token) {
                any = true;
            } else {
                *score = f32::NEG_INFINITY;
            }
        }
        if any { Ok(()) } else { Err(GrammarError::Refused("nothing may stand here".to_owned())) }
    }

    /// Takes a word that was written.
    ///
    /// # Errors
    /// When it was ruled out.
    pub fn accept(&mut self, token: u32) -> Result<(), GrammarError> {
        self.matcher.consume_token(token).map_err(refused)
    }

    /// Whether nothing more can stand there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.matcher.is_stopped()
    }
}

impl Clone for Grammar {
    /// One that shares nothing with this one, so that both are followed at the same time.
    fn clone(&self) -> Self {
        Self { matcher: self.matcher.deep_clone() }
    }
}

impl std::fmt::Debug for Grammars {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Grammars").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Grammar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Grammar").finish_non_exhaustive()
    }
}

fn refused(error: impl std::fmt::Display) -> GrammarError {
    GrammarError::Refused(error.to_string())
}
