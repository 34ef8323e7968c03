//! The tokens of a tokenizer: their texts, what each is for, and which token has a text.

use tokenizers::models::bpe::Vocab;

/// What a token is for (`tokenizer.ggml.token_type`, from 1 to 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A piece of text.
    Normal,
    /// Stands for text that no other token has.
    Unknown,
    /// Steers the model, and is no text.
    Control,
    /// A text that is one token wherever it stands.
    UserDefined,
    /// Is not to be made.
    Unused,
    /// A byte.
    Byte,
}

impl Kind {
    /// The kind with that number; what has none is a piece of text.
    pub(super) const fn numbered(number: i64) -> Self {
        match number {
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => Self::Normal,
        }
    }

    /// Whether the token is none of the text's.
    pub(super) const fn is_special(self) -> bool {
        matches!(self, Self::Unknown | Self::Control)
    }
}

/// The tokens of a tokenizer, by number.
#[derive(Clone, Debug)]
pub(super) struct Vocabulary {
    texts: Vec<String>,
    kinds: Vec<Kind>,
    ids: Vocab,
}

impl Vocabulary {
    /// The vocabulary of these tokens; where two have the same text, that text is the first one.
    pub(super) fn new(texts: Vec<String>, kinds: Vec<Kind>) -> Self {
        let mut ids = Vocab::with_capacity(texts.len());
        for (id, text) in (0..).zip(&texts) {
            ids.entry(text.clone()).or_insert(id);
        }
        Self { texts, kinds, ids }
    }

    /// How many tokens there are.
    pub(super) fn size(&self) -> u32 {
        u32::try_from(self.texts.len()).unwrap_or(u32::MAX)
    }

    /// A token's text.
    pub(super) fn text(&self, id: u32) -> Option<&str> {
        Some(self.texts.get(usize::try_from(id).ok()?)?.as_str())
    }

    /// What a token is for.
    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        self.kinds.get(usize::try_from(id).ok()?).copied()
    }

    /// Says what a token is for.
    pub(super) fn set_kind(&mut self, id: u32, kind: Kind) {
        if let Some(old) = usize::try_from(id).ok().and_then(|id| self.kinds.get_mut(id)) {
            *old = kind;
        }
    }

    /// The token with that text.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// Every token: its number, its text and what it is for.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &str, Kind)> {
        (0..).zip(&self.texts).zip(&self.kinds).map(|((id, text), kind)| (id, text.as_str(), *kind))
    }
}
