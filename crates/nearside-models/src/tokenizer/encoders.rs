//! The tokenizers of encoders and of models that have one, as GGUF files have them: WordPiece and unigram.

use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::unigram::Unigram as Model;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{BertNormalizer, Precompiled, Prepend, Replace, Sequence};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{DecoderWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::TokenizerError;
use super::library::{Library, caught};
use super::scored::SPACE;
use super::vocabulary::{Kind, Vocabulary};

/// What marks a piece that does not begin a word.
const CONTINUED: &str = "##";

/// How a unigram model is read.
pub(super) struct Unigram {
    /// The token of what is no token.
    pub(super) unknown: Option<u32>,
    /// What characters are normalized to, as SentencePiece keeps it.
    pub(super) characters: Option<Vec<u8>>,
    /// Whether a space is put before a text.
    pub(super) space_before: bool,
    /// Whether spaces in a row are one, and none begins or ends a text.
    pub(super) single_spaces: bool,
}

/// The vocabulary of a WordPiece model as the model itself has it: pieces that do not begin a word are marked.
pub(super) fn continued(vocabulary: &Vocabulary) -> Vocabulary {
    let words = vocabulary.iter().map(|(_, text, kind)| match text.strip_prefix(SPACE) {
        Some(word) if kind == Kind::Normal => word.to_owned(),
        None if kind == Kind::Normal => format!("{CONTINUED}{text}"),
        _ => text.to_owned(),
    });
    let kinds = vocabulary.iter().map(|(_, _, kind)| kind).collect();
    Vocabulary::new(words.collect(), kinds)
}

/// A WordPiece model of these pieces; whether text is written in lower case, and whether accents are left out.
pub(super) fn word_piece(
    vocabulary: &Vocabulary,
    unknown: Option<u32>,
    (lowercase, strip_accents): (bool, bool),
) -> Result<Library, TokenizerError> {
    let unknown = unknown.and_then(|id| vocabulary.text(id)).unwrap_or("[UNK]").to_owned();
    let words = vocabulary
        .iter()
        .filter(|(_, text, kind)| *kind != Kind::Control && !text.is_empty())
        .map(|(id, text, _)| (text.to_owned(), id))
        // The unknown token may be called a control token.
        .chain(vocabulary.id(&unknown).map(|id| (unknown.clone(), id)))
        .collect::<tokenizers::models::bpe::Vocab>();
    caught(|| {
        let model = WordPiece::builder().vocab(words).unk_token(unknown).build()?;
        let mut inner = tokenizers::Tokenizer::new(model);
        let normalizer = BertNormalizer::new(true, true, Some(strip_accents), lowercase);
        inner.with_normalizer(Some(NormalizerWrapper::BertNormalizer(normalizer)))?;
        inner.with_pre_tokenizer(Some(PreTokenizerWrapper::BertPreTokenizer(BertPreTokenizer)));
        let decoder = WordPieceDecoder::new(CONTINUED.to_owned(), true);
        inner.with_decoder(Some(DecoderWrapper::WordPiece(decoder)));
        Ok(Library::of(inner))
    })
    .map_err(TokenizerError::Parts)
}

/// A unigram model with these scores. Control tokens are none of it: each is there under a name that no text has.
pub(super) fn unigram(
    vocabulary: &Vocabulary,
    scores: &[f32],
    options: &Unigram,
) -> Result<Library, TokenizerError> {
    let name = |id: u32, text: &str, kind: Kind| match kind {
        Kind::Normal | Kind::UserDefined | Kind::Byte => text.to_owned(),
        _ => format!("\u{fdd1}{id}"),
    };
    let words = vocabulary.iter().zip(scores);
    let words =
        words.map(|((id, text, kind), score)| (name(id, text, kind), f64::from(*score))).collect();
    let bytes = vocabulary.iter().any(|(_, _, kind)| kind == Kind::Byte);
    let unknown = options.unknown.and_then(|id| usize::try_from(id).ok());
    caught(|| {
        let mut inner = tokenizers::Tokenizer::new(Model::from(words, unknown, bytes)?);
        let mut steps = Vec::new();
        if let Some(characters) = &options.characters {
            let characters = Precompiled::from(characters).map_err(|error| error.to_string())?;
            steps.push(NormalizerWrapper::Precompiled(characters));
        }
        if options.single_spaces {
            for (runs, instead) in [("^ +| +$", ""), (" {2,}", " ")] {
                let runs = ReplacePattern::Regex(runs.to_owned());
                steps.push(NormalizerWrapper::Replace(Replace::new(runs, instead)?));
            }
        }
        if options.space_before {
            steps.push(NormalizerWrapper::Prepend(Prepend::new("▁".to_owned())));
        }
        steps.push(NormalizerWrapper::Replace(Replace::new(" ", "▁")?));
        inner.with_normalizer(Some(NormalizerWrapper::Sequence(Sequence::new(steps))))?;
        Ok(Library::of(inner))
    })
    .map_err(TokenizerError::Parts)
}
