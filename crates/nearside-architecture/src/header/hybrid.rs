//! What a `config.json` says about layers that keep a state instead of keys and values.

use super::config::Config;
use super::family::{MAX_HEAD_DIM, MAX_HEADS, MAX_INTERMEDIATE, MAX_LAYERS, Mixture, Recurrence};
use super::parts::Block;
use crate::{DeltaRule, HeaderError, Mixer, ShortConvolution, StateSpace};

/// The widest a mixer may be, as a multiple of the residual stream.
const MAX_EXPANSION: u64 = 64;

const HEADS: &[&str] = &["mamba_n_heads", "mamba_num_heads"];
const GROUPS: &[&str] = &["mamba_n_groups", "n_groups"];
const STATES: &[&str] = &["mamba_d_state", "ssm_state_size"];
const CHUNKS: &[&str] = &["mamba_chunk_size", "chunk_size"];

/// What a block is that a file names so, in a family whose blocks are mixers with feed-forward
/// networks.
fn block(name: &str) -> Option<Block> {
    match name {
        "attention" | "full_attention" => Some(Block::Attending),
        "mamba" | "linear_attention" | "conv" => Some(Block::Stateful),
        _ => None,
    }
}

/// The same in a family whose blocks are one or the other (Nemotron-H).
fn lone_block(name: &str) -> Option<Block> {
    match name {
        "attention" | "full_attention" | "*" => Some(Block::AttentionAlone),
        "mamba" | "linear_attention" | "M" => Some(Block::StateAlone),
        "mlp" | "moe" | "-" | "E" => Some(Block::FeedForwardAlone),
        _ => None,
    }
}

fn is_sparse(name: &str) -> bool {
    matches!(name, "moe" | "E")
}

impl Config<'_> {
    /// Whether a family that leaves positions to its states rotates queries and keys after all.
    pub(super) fn is_rotary(&self) -> Result<bool, HeaderError> {
        Ok(self.fields.string("position_embedding_type")?.as_deref() == Some("rope"))
    }

    /// The name of every block, where the file has them.
    fn names(&self) -> Result<Option<Vec<String>>, HeaderError> {
        if let Some(pattern) = self.fields.string("hybrid_override_pattern")? {
            return Ok(Some(pattern.chars().map(String::from).collect()));
        }
        for name in ["layer_types", "layers_block_type"] {
            let names = self.fields.read::<Vec<String>>(name, "a list of names")?;
            if names.is_some() {
                return Ok(names);
            }
        }
        Ok(None)
    }

    fn is_of_lone_blocks(&self) -> bool {
        self.family.mixture == Mixture::Named
    }

    /// How many blocks there are, where their names alone say so.
    pub(super) fn pattern_length(&self) -> Result<Option<u64>, HeaderError> {
        if !self.is_of_lone_blocks() {
            return Ok(None);
        }
        let names = self.names()?.ok_or_else(|| self.fields.missing(&["layers_block_type"]))?;
        if self.fields.mentions("hybrid_override_pattern") && !self.knows_blocks(&names) {
            return Err(self.fields.wrong("hybrid_override_pattern", "the letters M, *, - and E"));
        }
        match names.len() as u64 {
            length @ 1..=MAX_LAYERS => Ok(Some(length)),
            _ => Err(self.fields.wrong("layers_block_type", "from 1 to 4096 blocks")),
        }
    }

    /// Which blocks choose among experts.
    pub(super) fn sparse_blocks(&self) -> Result<Vec<bool>, HeaderError> {
        Ok(self.names()?.unwrap_or_default().iter().map(|name| is_sparse(name)).collect())
    }

    /// Whether all named blocks are of a kind that is modelled.
    pub(super) fn knows_blocks(&self, names: &[String]) -> bool {
        let known = if self.is_of_lone_blocks() { lone_block } else { block };
        names.iter().all(|name| known(name).is_some())
    }

    /// What every block is made of; empty where all attend.
    pub(super) fn blocks(&self, layers: u64) -> Result<Vec<Block>, HeaderError> {
        let recurrence = self.family.recurrence;
        if recurrence == Recurrence::Never {
            return Ok(Vec::new());
        }
        if let Some(names) = self.names()? {
            let known = if self.is_of_lone_blocks() { lone_block } else { block };
            return Ok(names.iter().filter_map(|name| known(name)).collect());
        }
        let attending = |layer: u64| -> Result<bool, HeaderError> {
            let listed = |name| self.fields.read::<Vec<u64>>(name, "a list of layers");
            Ok(match recurrence {
                Recurrence::DeltaRule { .. } => {
                    let interval = self.fields.number("full_attention_interval", 1..=MAX_LAYERS)?;
                    (layer + 1).is_multiple_of(interval.unwrap_or(4))
                }
                Recurrence::ShortConvolution => {
                    listed("full_attn_idxs")?.is_none_or(|layers| layers.contains(&layer))
                }
                Recurrence::StateSpace | Recurrence::Never => {
                    listed("attn_layer_indices")?.is_some_and(|layers| layers.contains(&layer))
                }
            })
        };
        let of = |attending| if attending { Block::Attending } else { Block::Stateful };
        (0..layers).map(|layer| attending(layer).map(of)).collect()
    }

    /// The mixer of those layers.
    pub(super) fn recurrent(&self, hidden: u64) -> Result<Option<Mixer>, HeaderError> {
        match self.family.recurrence {
            Recurrence::Never => Ok(None),
            Recurrence::StateSpace => self.state_space(hidden).map(Mixer::StateSpace).map(Some),
            Recurrence::DeltaRule { packed } => {
                self.delta_rule(packed).map(Mixer::DeltaRule).map(Some)
            }
            Recurrence::ShortConvolution => {
                let window = self.fields.number("conv_L_cache", 1..=MAX_HEAD_DIM)?.unwrap_or(3);
                let bias = self.fields.flag("conv_bias")? == Some(true);
                Ok(Some(Mixer::ShortConvolution(ShortConvolution { window, bias })))
            }
        }
    }

    fn delta_rule(&self, packed: bool) -> Result<DeltaRule, HeaderError> {
        let or = |name: &str, high: u64, default: u64| {
            self.fields.number(name, 1..=high).map(|found| found.unwrap_or(default))
        };
        let key_heads = or("linear_num_key_heads", MAX_HEADS, 16)?;
        let value_heads = or("linear_num_value_heads", MAX_HEADS, 32)?;
        if !value_heads.is_multiple_of(key_heads) {
            let expected = format!("a multiple of {key_heads} key heads");
            return Err(self.fields.wrong("linear_num_value_heads", &expected));
        }
        Ok(DeltaRule {
            key_heads,
            value_heads,
            key_dim: or("linear_key_head_dim", MAX_HEAD_DIM, 128)?,
            value_dim: or("linear_value_head_dim", MAX_HEAD_DIM, 128)?,
            window: or("linear_conv_kernel_dim", MAX_HEAD_DIM, 4)?,
            packed,
        })
    }

    /// The feed-forward width of a family that keeps two thirds of what its file says, rounded up.
    pub(super) fn adjusted(&self, width: u64) -> Result<u64, HeaderError> {
        let fields = self.fields;
        if fields.flag("block_auto_adjust_ff_dim")? == Some(false) {
            return Ok(width);
        }
        let factor = fields.read::<f64>("block_ffn_dim_multiplier", "a factor")?.unwrap_or(1.0);
        if !(factor > 0.0 && factor <= MAX_EXPANSION as f64) {
            return Err(fields.wrong("block_ffn_dim_multiplier", "a factor above 0, at most 64"));
        }
        let multiple = fields.number("block_multiple_of", 1..=MAX_INTERMEDIATE)?.unwrap_or(256);
        Ok((((2 * width / 3) as f64 * factor) as u64).next_multiple_of(multiple))
    }

    fn state_space(&self, hidden: u64) -> Result<StateSpace, HeaderError> {
        let fields = self.fields;
        let or = |names: &[&str], high: u64, default: u64| {
            fields.first(names, 1..=high).map(|found| found.unwrap_or(default))
        };
        let heads = or(HEADS, MAX_HEADS, 128)?;
        // Nemotron-H states the width of a head; others state how much wider all are than the stream.
        let head_dim = match fields.number("mamba_head_dim", 1..=MAX_HEAD_DIM)? {
            Some(head_dim) => head_dim,
            None if self.is_of_lone_blocks() => 64,
            None => {
                let inner = hidden * or(&["mamba_expand"], MAX_EXPANSION, 2)?;
                if !inner.is_multiple_of(heads) {
                    let expected = format!("a divisor of {inner}, the width inside");
                    return Err(fields.wrong("mamba_n_heads", &expected));
                }
                inner / heads
            }
        };
        let lone = self.is_of_lone_blocks();
        let groups = or(GROUPS, MAX_HEADS, if lone { 8 } else { 1 })?;
        if !heads.is_multiple_of(groups) {
            let name = GROUPS.iter().find(|name| fields.raw(name).is_some()).unwrap_or(&GROUPS[0]);
            return Err(fields.wrong(name, &format!("a divisor of {heads} heads")));
        }
        let either = |names: [&str; 2]| Ok(fields.flag(names[0])?.or(fields.flag(names[1])?));
        Ok(StateSpace {
            heads,
            head_dim,
            groups,
            state: or(STATES, MAX_HEAD_DIM, if lone { 128 } else { 256 })?,
            window: or(&["mamba_d_conv", "conv_kernel"], MAX_HEAD_DIM, 4)?,
            chunk: or(CHUNKS, MAX_HEAD_DIM, if lone { 128 } else { 256 })?,
            convolution_bias: either(["mamba_conv_bias", "use_conv_bias"])? != Some(false),
            projection_bias: match lone {
                true => fields.flag("use_bias")? == Some(true),
                false => fields.flag("mamba_proj_bias")? == Some(true),
            },
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
    fn every_fourth_layer_of_qwen_attends_and_gates_what_it_returns() {
        let fields = r#""intermediate_size": 128, "linear_num_key_heads": 2,
            "linear_num_value_heads": 4, "head_dim": 16"#;
        let qwen = read("qwen3_5_text", fields).unwrap();
        let delta: Vec<_> =
            qwen.layers.iter().map(|layer| matches!(layer.mixer, Mixer::DeltaRule(_))).collect();
        assert_eq!(delta, [true, true, true, false]);
        let Mixer::Grouped(attention) = &qwen.layers[3].mixer else { panic!() };
        assert!(attention.gated);
        assert_eq!((attention.head_dim, attention.rotary_dim), (16, 4));
        // Three layers of four heads of 128 x 128 in 32 bits, and four tokens of 2 x 256 + 512.
        let graph = Graph::of(&qwen, Shape::next_token(1, 10));
        let states = 3 * (4 * 128 * 128 * 4 + 4 * 1024 * 2);
        assert_eq!(graph.state_bytes(crate::Dtype::Bf16).get(), states);
        let error = read("qwen3_5_text", &fields.replace("_heads\": 4", "_heads\": 5"));
        assert!(error.unwrap_err().contains("a multiple of 2 key heads"));
    }

    #[test]
    fn a_width_is_adjusted_as_its_family_does() {
        let fields = r#""block_ff_dim": 12288, "full_attn_idxs": [1]"#;
        let lfm = read("lfm2", fields).unwrap();
        let FeedForward::Dense(dense) = &lfm.layers[0].feed_forward else { panic!() };
        assert_eq!(dense.intermediate, 8192);
        assert!(matches!(lfm.layers[0].mixer, Mixer::ShortConvolution(_)));
        assert!(matches!(lfm.layers[1].mixer, Mixer::Grouped(_)));
        let plain = format!("{fields}, \"block_auto_adjust_ff_dim\": false");
        let FeedForward::Dense(dense) = &read("lfm2", &plain).unwrap().layers[0].feed_forward
        else {
            panic!()
        };
        assert_eq!(dense.intermediate, 12288);
    }

    #[test]
    fn blocks_of_nemotron_are_one_thing_each() {
        let sizes = r#""intermediate_size": 128, "mamba_num_heads": 8, "mamba_head_dim": 16,
            "n_groups": 2, "head_dim": 16"#;
        let read = |fields: &str| read("nemotron_h", &format!("{sizes}, {fields}"));
        let nemotron = read(r#""hybrid_override_pattern": "M-*M-""#).unwrap();
        assert_eq!(stateful(&nemotron), [true, false, false, true, false]);
        let alone = |layer: &crate::Layer| {
            (layer.mixer == Mixer::Absent, layer.feed_forward == FeedForward::Absent)
        };
        let alone: Vec<_> = nemotron.layers.iter().map(alone).collect();
        let (mixer, network) = ((false, true), (true, false));
        assert_eq!(alone, [mixer, network, mixer, mixer, network]);
        let named = r#""layers_block_type": ["mamba", "moe"], "n_routed_experts": 4,
            "num_experts_per_tok": 2, "moe_intermediate_size": 32,
            "moe_shared_expert_intermediate_size": 48"#;
        let FeedForward::Experts(experts) = &read(named).unwrap().layers[1].feed_forward else {
            panic!()
        };
        assert_eq!(experts.shared.as_ref().map(|shared| shared.intermediate), Some(48));
        let error = read(r#""hybrid_override_pattern": "M-X""#).unwrap_err();
        assert!(error.contains("the letters M, *, - and E"), "{error}");
    }

    #[test]
    fn a_tower_that_reads_images_is_counted() {
        // Qwen 3.5 9B: 27 blocks of 1152, merged four by four into 4096.
        let vision = r#""vision_config": {"depth": 27, "hidden_size": 1152,
            "intermediate_size": 4304, "out_hidden_size": 4096}, "intermediate_size": 128"#;
        let qwen = read("qwen3_5", vision).unwrap();
        let counts: Vec<_> = qwen.attached.iter().map(|part| part.parameters).collect();
        assert_eq!(counts, [415_891_440, 40_119_040]);
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
