//! A tokenizer of one's own: byte-pair encoding (Sennrich et al., arXiv 1508.07909) of bytes, learned from a text.
//!
//! Text is cut into words as GPT-2 does. Every byte is a token, so that there is nothing that cannot be written; the pairs
//! that stand most often beside each other become tokens until there are as many as asked for, or none stands twice.

use serde_json::{Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

use super::TrainError;
use crate::tokenizer::{JsonFiles, Tokenizer, TokenizerError, caught};

/// What stands between texts: it begins and ends one.
const END: &str = "<|endoftext|>";
/// What begins and ends a message.
const BEGIN_MESSAGE: &str = "<|im_start|>";
const END_MESSAGE: &str = "<|im_end|>";
/// Bytes, and the tokens that are no text.
const LEAST: usize = 256 + 3;
/// Conversations as ChatML, which most engines know.
const TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n\
    {{ message['content'] }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// A tokenizer, and the files that say what it is.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The token that begins and ends a text.
    pub end: u32,
    /// The token that ends a message.
    pub end_message: u32,
    /// `tokenizer.json`.
    pub file: String,
    /// `tokenizer_config.json`.
    pub configuration: String,
}

impl Vocabulary {
    /// Learns one of at most so many tokens.
    ///
    /// # Errors
    /// When there would be fewer tokens than bytes, or the library fails.
    pub fn learn(texts: &[&str], size: usize, context: usize) -> Result<Self, TrainError> {
        if size < LEAST {
            let expected = format!("at least {LEAST}: all bytes, and what is no text");
            return Err(TrainError::Asked {
                what: "the vocabulary",
                expected,
                found: size.to_string(),
            });
        }
        let file = caught(|| library(texts, size)).map_err(TokenizerError::Parts)?;
        let configuration = configuration(context).to_string();
        let files = JsonFiles {
            tokenizer: file.as_bytes(),
            config: Some(configuration.as_bytes()),
            ..JsonFiles::default()
        };
        let tokenizer = Tokenizer::from_json(&files)?;
        let id = |token: &str| {
            let lost = || TokenizerError::Parts(format!("{token} is no token of it"));
            tokenizer.id(token).ok_or_else(lost)
        };
        let (end, end_message) = (id(END)?, id(END_MESSAGE)?);
        Ok(Self { tokenizer, end, end_message, file, configuration })
    }

    /// How many bytes of text each token is; none for those that are no text.
    ///
    /// # Errors
    /// When the tokenizer does not know one of its own.
    pub fn bytes(&self) -> Result<Vec<usize>, TrainError> {
        let bytes = |id| {
            Ok(match self.tokenizer.is_special(id)? {
                true => 0,
                false => self.tokenizer.token(id)?.len(),
            })
        };
        (0..self.tokenizer.size()).map(bytes).collect()
    }
}

/// The library's tokenizer, as a file.
fn library(texts: &[&str], size: usize) -> tokenizers::Result<String> {
    let special = [END, BEGIN_MESSAGE, END_MESSAGE].map(|name| AddedToken::from(name, true));
    let mut trainer = BpeTrainer::builder()
        .vocab_size(size)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(special.to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let bytes = ByteLevel::new(false, true, true);
    let mut learned = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(None::<tokenizers::NormalizerWrapper>)
        .with_pre_tokenizer(Some(bytes))
        .with_post_processor(Some(bytes))
        .with_decoder(Some(bytes))
        .build()?;
    learned.train(&mut trainer, texts.iter())?;
    learned.to_string(true)
}

fn configuration(context: usize) -> Value {
    json!({
        "add_prefix_space": false,
        "bos_token": END,
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": false,
        "eos_token": END,
        "model_max_length": context,
        "pad_token": END,
        "tokenizer_class": "PreTrainedTokenizerFast",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{AddSpecial, ControlText, SkipSpecial};

    const TEXT: &str = "the cat sat on the mat, the dog sat on the log; the end of the text.\n";

    fn learned() -> Vocabulary {
        Vocabulary::learn(&[TEXT, TEXT], 280, 64).unwrap()
    }

    #[test]
    fn any_text_is_written_and_read_again() {
        let Vocabulary { tokenizer, .. } = learned();
        for text in [TEXT, "", "Grüße, 世界 \u{1f600}\t\r\n", "<|endoftext|>"] {
            let tokens = tokenizer.encode(text, AddSpecial::Add, ControlText::Plain).unwrap();
            assert_eq!(tokenizer.decode(&tokens, SkipSpecial::Skip).unwrap(), text);
        }
        let tokens = tokenizer.encode(TEXT, AddSpecial::Add, ControlText::Plain).unwrap();
        assert!(tokens.len() < TEXT.len() / 2, "{}", tokens.len());
    }

    #[test]
    fn the_same_text_makes_the_same_files() {
        let (first, second) = (learned(), learned());
        assert_eq!(first.file, second.file);
        assert_eq!(first.configuration, second.configuration);
    }

    #[test]
    fn tokens_are_as_long_as_their_text() {
        let vocabulary = learned();
        let tokens =
            vocabulary.tokenizer.encode(TEXT, AddSpecial::Omit, ControlText::Plain).unwrap();
        let bytes = vocabulary.bytes().unwrap();
        let sum: usize = tokens.iter().map(|token| bytes[*token as usize]).sum();
        assert_eq!(sum, TEXT.len());
        assert_eq!(bytes[vocabulary.end as usize], 0);
    }

    #[test]
    fn fewer_tokens_than_bytes_are_an_error() {
        let refused = Vocabulary::learn(&[TEXT], 200, 64);
        assert!(matches!(refused, Err(TrainError::Asked { what: "the vocabulary", .. })));
    }
}
