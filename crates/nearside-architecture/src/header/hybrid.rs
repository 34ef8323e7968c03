//! What a `config.json` says about layers that keep a state instead of keys and values.

use super::config::Config;
use super::family::{MAX_HEAD_DIM, MAX_HEADS, Recurrence};
use crate::{HeaderError, Mixer, StateSpace};

/// The widest a mixer may be, as a multiple of the residual stream.
const MAX_EXPANSION: u64 = 64;

/// Whether a layer's kind is one that hybrid models name.
pub(super) fn is_kind(name: &str) -> bool {
    name == "attention" || is_stateful(name)
}

fn is_stateful(name: &str) -> bool {
    matches!(name, "mamba" | "linear_attention")
}

impl Config<'_> {
    /// Whether a family that leaves positions to its states rotates queries and keys after all.
    pub(super) fn is_rotary(&self) -> Result<bool, HeaderError> {
        Ok(self.fields.string("position_embedding_type")?.as_deref() == Some("rope"))
    }

    /// Which layers keep a state instead of keys and values.
    pub(super) fn stateful(&self, layers: u64) -> Result<Vec<bool>, HeaderError> {
        if self.family.recurrence == Recurrence::Never {
            return Ok(Vec::new());
        }
        for name in ["layer_types", "layers_block_type"] {
            if let Some(kinds) = self.fields.read::<Vec<String>>(name, "a list of names")? {
                return Ok(kinds.iter().map(|kind| is_stateful(kind)).collect());
            }
        }
        let attending: Option<Vec<u64>> =
            self.fields.read("attn_layer_indices", "a list of layers")?;
        let attending = attending.unwrap_or_default();
        Ok((0..layers).map(|layer| !attending.contains(&layer)).collect())
    }

    /// The mixer of those layers.
    pub(super) fn recurrent(&self, hidden: u64) -> Result<Option<Mixer>, HeaderError> {
        match self.family.recurrence {
            Recurrence::Never => Ok(None),
            Recurrence::StateSpace => self.state_space(hidden).map(Mixer::StateSpace).map(Some),
        }
    }

    fn state_space(&self, hidden: u64) -> Result<StateSpace, HeaderError> {
        let fields = self.fields;
        let or = |name: &str, high: u64, default: u64| {
            fields.number(name, 1..=high).map(|found| found.unwrap_or(default))
        };
        let heads = or("mamba_n_heads", MAX_HEADS, 128)?;
        let inner = hidden * or("mamba_expand", MAX_EXPANSION, 2)?;
        if !inner.is_multiple_of(heads) {
            let expected = format!("a divisor of {inner}, the width inside");
            return Err(fields.wrong("mamba_n_heads", &expected));
        }
        let groups = or("mamba_n_groups", MAX_HEADS, 1)?;
        if !heads.is_multiple_of(groups) {
            let expected = format!("a divisor of {heads} heads");
            return Err(fields.wrong("mamba_n_groups", &expected));
        }
        Ok(StateSpace {
            heads,
            head_dim: inner / heads,
            groups,
            state: or("mamba_d_state", MAX_HEAD_DIM, 256)?,
            window: or("mamba_d_conv", MAX_HEAD_DIM, 4)?,
            chunk: or("mamba_chunk_size", MAX_HEAD_DIM, 256)?,
            convolution_bias: fields.flag("mamba_conv_bias")? != Some(false),
            projection_bias: fields.flag("mamba_proj_bias")? == Some(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::header::config::parse;
    use crate::{Architecture, Decoder, FeedForward, Graph, Mixer, Positions, Shape};

    const SMALL: &str = r#""hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
        "vocab_size": 1000, "mamba_n_heads": 8, "mamba_d_state": 16"#;

    fn read(family: &str, fields: &str) -> Result<Decoder, String> {
        let text = format!("{{\"model_type\": \"{family}\", {SMALL}, {fields}}}");
        match parse(text.as_bytes()).map_err(|error| error.to_string())? {
            Architecture::Decoder(decoder) => Ok(decoder),
            other => Err(format!("{other:?}")),
        }
    }

    fn stateful(decoder: &Decoder) -> Vec<bool> {
        let is = |layer: &crate::Layer| matches!(layer.mixer, Mixer::StateSpace(_));
        decoder.layers.iter().map(is).collect()
    }

    #[test]
    fn layers_are_what_the_file_names() {
        let bamba = read("bamba", r#""intermediate_size": 128, "attn_layer_indices": [2]"#);
        let bamba = bamba.unwrap();
        assert_eq!(stateful(&bamba), [true, true, false, true]);
        assert_eq!(bamba.positions, Positions::Rotary);
        let types =
            r#""layer_types": ["mamba", "attention", "linear_attention", "full_attention"]"#;
        let granite =
            format!("{types}, \"shared_intermediate_size\": 96, \"num_local_experts\": 0");
        let granite = read("granitemoehybrid", &granite).unwrap();
        assert_eq!(stateful(&granite), [true, false, true, false]);
        assert_eq!(granite.positions, Positions::Absent);
        let FeedForward::Dense(dense) = &granite.layers[0].feed_forward else { panic!() };
        assert_eq!(dense.intermediate, 96);
        let rotary = r#""shared_intermediate_size": 96, "num_local_experts": 8,
            "num_experts_per_tok": 2, "intermediate_size": 32, "position_embedding_type": "rope""#;
        let rotary = read("granitemoehybrid", rotary).unwrap();
        assert_eq!(rotary.positions, Positions::Rotary);
        let FeedForward::Experts(experts) = &rotary.layers[0].feed_forward else { panic!() };
        assert_eq!((experts.count, experts.expert.intermediate), (8, 32));
        assert_eq!(experts.shared.as_ref().map(|shared| shared.intermediate), Some(96));
    }

    #[test]
    fn states_do_not_grow_with_the_context() {
        let bamba = read("bamba", r#""intermediate_size": 128, "attn_layer_indices": [2]"#);
        let bamba = bamba.unwrap();
        let graph = |past| Graph::of(&bamba, Shape::next_token(3, past));
        let dtype = crate::Dtype::Bf16;
        // Three layers of 128 channels of 16 numbers in 32 bits, and four tokens of 160 channels.
        let states = 3 * 3 * (128 * 16 * 4 + 4 * 160 * 2);
        assert_eq!(graph(10).state_bytes(dtype).get(), states);
        assert_eq!(graph(100_000).state_bytes(dtype).get(), states);
        // One layer of four heads of 16, keys and values.
        assert_eq!(graph(10).cached_elements(10), 3 * 10 * 2 * 64);
    }

    #[test]
    fn widths_that_do_not_divide_are_named() {
        let error = read("bamba", r#""intermediate_size": 128, "mamba_n_groups": 3"#).unwrap_err();
        assert!(
            error.contains("mamba_n_groups") && error.contains("divisor of 8 heads"),
            "{error}"
        );
        let text = format!(
            r#"{{"model_type": "bamba", {}, "intermediate_size": 9}}"#,
            SMALL.replace("\"mamba_n_heads\": 8", "\"mamba_n_heads\": 7")
        );
        let error = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("a divisor of 128, the width inside"), "{error}");
    }
}
