//! Running the models: what they make of a text, and how fast.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use nearside_models::evaluate::speed::tokens_per_second;
use nearside_models::evaluate::{Comparison, Perplexity, Windows, compare};
use nearside_models::{
    Adapter, AddSpecial, ControlText, DecoderModel, ModelError, StoredModel, Tokenizer,
    TokenizerError,
};

use super::answer::{Costs, DivergenceView};
use super::options::{Options, Read};
use crate::wire::local_model;

/// Tokens that are seen together.
const WINDOW: usize = 512;
/// Tokens that are compared where there is no text.
const SAMPLE: usize = 256;
/// How long each model makes tokens to see how fast it is.
const RUN: Duration = Duration::from_secs(2);
/// Room for the run that measures, in tokens.
const ROOM: usize = 128;

/// What is quantized: a model, and what is added to it.
#[derive(Clone, Copy)]
pub(super) struct Model<'a> {
    pub(super) stored: &'a StoredModel,
    pub(super) adapter: Option<&'a Adapter>,
}

impl Model<'_> {
    pub(super) fn load(&self, context: usize) -> Result<DecoderModel, ModelError> {
        local_model::put_together(self.stored, self.adapter, context)
    }
}

/// A model, a text, and how fast memory is.
pub(super) struct Bench {
    source: DecoderModel,
    source_bytes: u64,
    source_rate: Option<f64>,
    text: Vec<u32>,
    windows: Windows,
    /// Bytes that memory gives a second.
    pub(super) bandwidth: f64,
    /// Whether the tokens are a person's text.
    pub(super) of_text: bool,
    /// What the text is, for people.
    pub(super) what: String,
}

/// What a file is beside its source.
pub(super) struct Found {
    pub(super) source: Costs,
    pub(super) result: Costs,
    pub(super) divergence: DivergenceView,
}

impl Bench {
    /// # Errors
    /// Why the model is not computed, or the text is none.
    pub(super) fn new(model: Model<'_>, options: &Options, most: usize) -> Result<Self, String> {
        let source = load(model)?;
        let bandwidth = nearside_probe::ceiling::memory_read()?.likely().as_bytes_per_second();
        let (mut text, begin, what) = match &options.text {
            Some(text) => text_of(model.stored, text)?,
            None => sample(&source),
        };
        text.truncate(most);
        if text.len() < 2 {
            return Err("the text has fewer than two tokens".to_owned());
        }
        let what = format!("{} tokens of {what}", text.len());
        Ok(Self {
            source_rate: tokens_per_second(&source, RUN).map_err(|error| error.to_string())?,
            source_bytes: source.bytes_per_token(),
            source,
            text,
            windows: windows(begin),
            bandwidth,
            of_text: options.text.is_some(),
            what,
        })
    }

    /// # Errors
    /// Why the file is not computed, or that it was told to end.
    pub(super) fn compare(
        &self,
        path: &Path,
        tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Found, String> {
        let stored = StoredModel::open(path).map_err(|error| error.to_string())?;
        let model = load(Model { stored: &stored, adapter: None })?;
        let total = self.text.len() as u64;
        let mut ended = false;
        let compared = compare(&self.source, &model, &self.text, &self.windows, &mut |done| {
            let flow = tell(done as u64, total);
            ended |= flow.is_break();
            flow
        });
        let compared = compared.map_err(|error| error.to_string())?;
        let Comparison { reference, other, divergence } =
            compared.filter(|_| !ended).ok_or_else(|| "interrupted".to_owned())?;
        let rate = tokens_per_second(&model, RUN).map_err(|error| error.to_string())?;
        Ok(Found {
            source: self.costs(&reference, self.source_rate, self.source_bytes),
            result: self.costs(&other, rate, model.bytes_per_token()),
            divergence: DivergenceView::of(&divergence),
        })
    }

    fn costs(&self, perplexity: &Perplexity, rate: Option<f64>, bytes: u64) -> Costs {
        Costs {
            perplexity: perplexity.value,
            perplexity_standard_error: perplexity.standard_error,
            tokens_per_second: rate,
            bytes_per_token: bytes,
            predicted_tokens_per_second: self.bandwidth / bytes.max(1) as f64,
        }
    }
}

fn load(model: Model<'_>) -> Result<DecoderModel, String> {
    model.load(WINDOW + ROOM).map_err(|error| error.to_string())
}

/// Tokens, the one that begins texts, and what they are.
type Text = (Vec<u32>, Option<u32>, String);

fn text_of(stored: &StoredModel, text: &Read) -> Result<Text, String> {
    let (tokens, begin) = tokens(stored, &text.text).map_err(|error| error.to_string())?;
    Ok((tokens, begin, text.name.clone()))
}

/// The tokens of a text, and the one that begins texts.
pub(super) fn tokens(
    stored: &StoredModel,
    text: &str,
) -> Result<(Vec<u32>, Option<u32>), TokenizerError> {
    let tokenizer = Tokenizer::of(stored)?;
    let first = tokenizer.encode("", AddSpecial::Add, ControlText::Plain)?.first().copied();
    let begin = first.filter(|first| tokenizer.special().begin == Some(*first));
    Ok((tokenizer.encode(text, AddSpecial::Omit, ControlText::Plain)?, begin))
}

/// Windows of a text, half of each new.
pub(super) const fn windows(begin: Option<u32>) -> Windows {
    Windows { length: WINDOW, stride: WINDOW / 2, begin }
}

/// Tokens that are the same for every model of a vocabulary, without meaning: multiples of a prime number.
fn sample(model: &DecoderModel) -> Text {
    let words = model.vocabulary().max(1) as u64;
    let token = |index: u64| u32::try_from(index * 15_485_863 % words).unwrap_or(0);
    let tokens = (1..=SAMPLE as u64).map(token).collect();
    (tokens, None, "a fixed sample without meaning; --text FILE compares on yours".to_owned())
}
