//! The sizes of a model of one's own: a Llama, whose files every engine reads.

use nearside_architecture::header::config;
use nearside_architecture::{Architecture, Decoder};
use serde_json::{Value, json};

use super::TrainError;
use crate::error::ModelError;
use crate::numerics::Numerics;

/// The width of a head, and what a model's width is a multiple of.
const HEAD: usize = 32;
/// The same from [`WIDE`] on.
const WIDE_HEAD: usize = 64;
const WIDE: usize = 512;
/// What is added to a mean square.
const EPSILON: f64 = 1e-5;
/// The base of rotary positions.
const THETA: f64 = 10_000.0;
/// The largest sizes: a model of more is not one to begin on a processor.
const MOST: usize = 1 << 20;

/// The sizes of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Words.
    pub vocabulary: usize,
    /// Width of the stream.
    pub hidden: usize,
    /// Width of feed-forward.
    pub inner: usize,
    /// Layers.
    pub layers: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub key_heads: usize,
    /// The longest sequence.
    pub context: usize,
}

impl Shape {
    /// A model of this width and depth, in the proportions of Llama: heads of 32 (64 from 512 on), half as many of keys,
    /// feed-forward of 8 / 3.
    ///
    /// # Errors
    /// When the width is no multiple of a head, or a size is zero or very large.
    pub fn new(
        vocabulary: usize,
        hidden: usize,
        layers: usize,
        context: usize,
    ) -> Result<Self, TrainError> {
        let head = if hidden >= WIDE { WIDE_HEAD } else { HEAD };
        let bounds = [
            ("the vocabulary", vocabulary, 2..MOST),
            ("the width", hidden, head..MOST),
            ("the number of layers", layers, 1..1000),
            ("the context", context, 2..MOST),
        ];
        for (what, found, bounds) in bounds {
            if !bounds.contains(&found) {
                let expected = format!("from {} to {}", bounds.start, bounds.end - 1);
                return Err(TrainError::Asked { what, expected, found: found.to_string() });
            }
        }
        if !hidden.is_multiple_of(head) {
            let expected = format!("a multiple of {head}");
            let found = hidden.to_string();
            return Err(TrainError::Asked { what: "the width", expected, found });
        }
        let heads = hidden / head;
        let key_heads = if heads.is_multiple_of(2) { heads / 2 } else { heads };
        let inner = (hidden * 8).div_ceil(3).next_multiple_of(HEAD);
        Ok(Self { vocabulary, hidden, inner, layers, heads, key_heads, context })
    }

    /// Its numbers.
    #[must_use]
    pub const fn parameters(&self) -> usize {
        let Self { vocabulary, hidden, inner, layers, heads, key_heads, .. } = *self;
        let keys = hidden / heads * key_heads;
        let layer = 2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * inner + 2 * hidden;
        vocabulary * hidden + layers * layer + hidden
    }

    /// Its `config.json`; texts begin and end with these tokens.
    #[must_use]
    pub fn configuration(&self, begin: u32, end: u32) -> Value {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "bos_token_id": begin,
            "eos_token_id": end,
            "head_dim": self.hidden / self.heads.max(1),
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.inner,
            "max_position_embeddings": self.context,
            "mlp_bias": false,
            "model_type": "llama",
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.key_heads,
            "rms_norm_eps": EPSILON,
            "rope_theta": THETA,
            "tie_word_embeddings": true,
            "torch_dtype": "float32",
            "use_cache": true,
            "vocab_size": self.vocabulary,
        })
    }

    /// What its `config.json` says, read as that of any other model.
    ///
    /// # Errors
    /// When it is not understood.
    pub fn decoder(&self) -> Result<(Decoder, Numerics), TrainError> {
        let bytes = self.configuration(0, 0).to_string().into_bytes();
        let unread = |found: String| ModelError::Configured {
            field: "config.json".to_owned(),
            expected: "that of a decoder",
            found,
        };
        let architecture = config::parse(&bytes).map_err(|error| unread(error.to_string()))?;
        let Architecture::Decoder(decoder) = architecture else {
            return Err(unread("another architecture".to_owned()).into());
        };
        let numerics = Numerics::of_configuration(&bytes, &decoder)?;
        Ok((decoder, numerics))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Network;

    #[test]
    fn a_network_has_as_many_numbers_as_its_shape_says() {
        for (hidden, layers) in [(32, 1), (96, 3), (128, 2)] {
            let shape = Shape::new(300, hidden, layers, 16).unwrap();
            let (decoder, numerics) = shape.decoder().unwrap();
            let network = Network::fresh(&decoder, &numerics, 16, 0).unwrap();
            let numbers: usize =
                network.parameters().all().iter().map(|tensor| tensor.values.len()).sum();
            assert_eq!(numbers, shape.parameters());
        }
    }

    #[test]
    fn sizes_that_make_no_model_are_an_error() {
        for [vocabulary, hidden, layers, context] in
            [[1, 32, 1, 16], [300, 33, 1, 16], [300, 32, 0, 16], [300, 32, 1, 1], [300, 544, 1, 16]]
        {
            let refused = Shape::new(vocabulary, hidden, layers, context);
            assert!(matches!(refused, Err(TrainError::Asked { .. })));
        }
    }
}
