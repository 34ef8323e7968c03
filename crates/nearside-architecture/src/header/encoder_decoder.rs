//! What a Hugging Face `config.json` says about T5 and Whisper.
//!
//! Field names and defaults follow `models/{t5,whisper}/configuration_*.py` of transformers, which
//! shares T5's embedding table with its output layer whatever the file says.

use std::ops::RangeInclusive;

use crate::{Architecture, HeaderError, Speech, TextToText};

use super::config::stored;
use super::encoder::{activation, class};
use super::family::{
    MAX_HEAD_DIM, MAX_HEADS, MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LAYERS, MAX_PARAMETERS,
    MAX_VOCABULARY,
};
use super::json::Object;

/// The most ranges of distances that are read.
const MAX_BUCKETS: u64 = 1 << 16;
/// The most bands of a spectrum that are read.
const MAX_BANDS: u64 = 1 << 16;

/// The encoder-decoder that a file describes, if it is one that we know.
pub(super) fn parse(outer: &Object<'_>) -> Result<Option<Architecture>, HeaderError> {
    Ok(match outer.string("model_type")?.as_deref() {
        Some("t5" | "mt5" | "umt5") => text_to_text(outer)?.map(Architecture::TextToText),
        Some("whisper") => speech(outer)?.map(Architecture::Speech),
        _ => None,
    })
}

/// A size, or what it is where the file is silent.
fn size(fields: &Object<'_>, name: &str, most: u64, default: u64) -> Result<u64, HeaderError> {
    let bounds: RangeInclusive<u64> = 1..=most;
    Ok(fields.number(name, bounds)?.unwrap_or(default))
}

fn text_to_text(fields: &Object<'_>) -> Result<Option<TextToText>, HeaderError> {
    let class = class(fields)?;
    let alone = match class.as_deref() {
        None | Some("T5WithLMHeadModel") => false,
        Some(class) if class.ends_with("T5ForConditionalGeneration") => false,
        Some(class) if class.ends_with("T5EncoderModel") => true,
        Some(_) => return Ok(None),
    };
    let projection = fields.string("feed_forward_proj")?;
    let projection = projection.as_deref().unwrap_or("relu");
    let (gated, named) = match projection.strip_prefix("gated-") {
        // The name means the tanh approximation here, for old files' sake.
        Some("gelu") => (true, "gelu_new"),
        Some(named) => (true, named),
        None => (false, projection),
    };
    let Some(activation) = activation(named) else { return Ok(None) };
    let dropout: Option<f64> = fields.read("dropout_rate", "a probability")?;
    let layers = size(fields, "num_layers", MAX_LAYERS, 6)?;
    let decoder_layers = size(fields, "num_decoder_layers", MAX_LAYERS, layers)?;
    let model = TextToText {
        hidden: size(fields, "d_model", MAX_HIDDEN, 512)?,
        vocabulary: size(fields, "vocab_size", MAX_VOCABULARY, 32_128)?,
        encoder_layers: layers,
        decoder_layers: (!alone).then_some(decoder_layers),
        heads: size(fields, "num_heads", MAX_HEADS, 8)?,
        head_dim: size(fields, "d_kv", MAX_HEAD_DIM, 64)?,
        intermediate: size(fields, "d_ff", MAX_INTERMEDIATE, 2048)?,
        gated,
        activation,
        buckets: size(fields, "relative_attention_num_buckets", MAX_BUCKETS, 32)?,
        own_distances: fields.string("model_type")?.as_deref() == Some("umt5"),
        dropout: dropout.unwrap_or(0.1) > 0.0,
        scaled_output: fields.flag("tie_word_embeddings")? != Some(false)
            && fields.flag("scale_decoder_outputs")? != Some(false),
        dtype: stored(fields)?,
    };
    let stack = [model.hidden, model.heads * model.head_dim, model.intermediate];
    countable(fields, [model.vocabulary, layers + decoder_layers], stack)?;
    Ok(Some(model))
}

fn speech(fields: &Object<'_>) -> Result<Option<Speech>, HeaderError> {
    match class(fields)?.as_deref() {
        None | Some("WhisperForConditionalGeneration") => {}
        Some(_) => return Ok(None),
    }
    let named = fields.string("activation_function")?;
    let Some(activation) = activation(named.as_deref().unwrap_or("gelu")) else { return Ok(None) };
    for name in ["dropout", "attention_dropout", "activation_dropout"] {
        let dropout: Option<f64> = fields.read(name, "a probability")?;
        if dropout.is_some_and(|dropout| dropout > 0.0) {
            return Ok(None);
        }
    }
    if fields.flag("tie_word_embeddings")? == Some(false) {
        return Ok(None);
    }
    let stack = |layers: &str, heads: &str, inner: &str| -> Result<[u64; 3], HeaderError> {
        Ok([
            size(fields, layers, MAX_LAYERS, 4)?,
            size(fields, heads, MAX_HEADS, 6)?,
            size(fields, inner, MAX_INTERMEDIATE, 1536)?,
        ])
    };
    let model = Speech {
        hidden: size(fields, "d_model", MAX_HIDDEN, 384)?,
        vocabulary: size(fields, "vocab_size", MAX_VOCABULARY, 51_865)?,
        bands: size(fields, "num_mel_bins", MAX_BANDS, 80)?,
        places: size(fields, "max_source_positions", MAX_VOCABULARY, 1500)?,
        positions: size(fields, "max_target_positions", MAX_VOCABULARY, 448)?,
        encoder: stack("encoder_layers", "encoder_attention_heads", "encoder_ffn_dim")?,
        decoder: stack("decoder_layers", "decoder_attention_heads", "decoder_ffn_dim")?,
        activation,
        dtype: stored(fields)?,
    };
    for (name, stack) in
        [("encoder_attention_heads", model.encoder), ("decoder_attention_heads", model.decoder)]
    {
        if !model.hidden.is_multiple_of(stack[1]) {
            let expected = format!("a divisor of the width {}", model.hidden);
            return Err(fields.wrong(name, &expected));
        }
        let rows = model.vocabulary + model.places + model.positions + 3 * model.bands;
        countable(fields, [rows, 2 * stack[0]], [model.hidden, model.hidden, stack[2]])?;
    }
    Ok(Some(model))
}

/// All sizes together can be counted: rows of tables and layers; width, width of all heads and
/// inner width.
fn countable(
    fields: &Object<'_>,
    [rows, layers]: [u64; 2],
    [hidden, heads, inner]: [u64; 3],
) -> Result<(), HeaderError> {
    let wide = |one: u64, other: u64| u128::from(one) * u128::from(other);
    let layer = 8 * wide(hidden, heads) + 3 * wide(hidden, inner) + 3 * wide(hidden, hidden);
    if u128::from(layers) * layer + wide(rows, hidden) > u128::from(MAX_PARAMETERS) {
        let expected = format!("all sizes together at most {MAX_PARAMETERS} parameters");
        return Err(fields.wrong("d_model", &expected));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, header::config};

    fn read(text: &str) -> Architecture {
        config::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_feed_forward_network_has_a_name() {
        let parts = |fields: &str| match read(&format!("{{\"model_type\": \"t5\"{fields}}}")) {
            Architecture::TextToText(model) => (model.gated, model.activation, model.scaled_output),
            other => panic!("{other:?}"),
        };
        assert_eq!(parts(""), (false, Activation::Relu, true));
        let flan = ", \"feed_forward_proj\": \"gated-gelu\", \"tie_word_embeddings\": false";
        assert_eq!(parts(flan), (true, Activation::GeluWritten, false));
    }

    #[test]
    fn an_encoder_alone_is_named_by_its_class() {
        let text = "{\"model_type\": \"t5\", \"architectures\": [\"T5EncoderModel\"]}";
        let Architecture::TextToText(model) = read(text) else { panic!("{text}") };
        assert_eq!(model.decoder_layers, None);
        let text = "{\"model_type\": \"t5\", \"architectures\": [\"T5ForTokenClassification\"]}";
        assert!(matches!(read(text), Architecture::Other { .. }));
    }

    #[test]
    fn whisper_with_dropout_is_not_guessed() {
        let Architecture::Speech(model) = read("{\"model_type\": \"whisper\"}") else { panic!() };
        assert_eq!((model.places, model.encoder), (1500, [4, 6, 1536]));
        let dropped = "{\"model_type\": \"whisper\", \"dropout\": 0.1}";
        assert!(matches!(read(dropped), Architecture::Other { .. }));
    }

    #[test]
    fn nonsense_is_named() {
        let fails = |text: &str, expected: &str| {
            let error = config::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} does not say {expected}");
        };
        fails("{\"model_type\": \"t5\", \"num_layers\": 0}", "a whole number from 1");
        fails(
            "{\"model_type\": \"whisper\", \"decoder_attention_heads\": 5}",
            "a divisor of the width",
        );
        fails(
            "{\"model_type\": \"t5\", \"d_model\": 1048576, \"d_ff\": 16777216, \"num_layers\": 4096}",
            "all sizes together",
        );
    }
}
