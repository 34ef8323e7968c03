//! How what a reader found out about a decoder becomes a [`Decoder`], once its size is believable.

use super::family::{Family, MAX_PARAMETERS};
use crate::error::Position;
use crate::{
    Activation, Architecture, Attached, Decoder, Dense, Dropout, Dtype, Experts, FeedForward,
    HeaderError, Layer, Mixer, Positions,
};

/// What a block is made of, besides its norms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Attention and a feed-forward network.
    Attending,
    /// A mixer with a state and a feed-forward network.
    Stateful,
    /// Attention alone.
    AttentionAlone,
    /// A mixer with a state alone.
    StateAlone,
    /// A feed-forward network alone.
    FeedForwardAlone,
}

/// What a reader found out about a decoder.
pub(super) struct Parts {
    /// Its family.
    pub(super) family: &'static Family,
    /// Width of the residual stream.
    pub(super) hidden: u64,
    /// Rows of the embedding table.
    pub(super) vocabulary: u64,
    /// Longest sequence, in tokens.
    pub(super) context: Option<u64>,
    /// Rows of a learned position table.
    pub(super) positions: Positions,
    /// Attention; its window is set per layer.
    pub(super) attention: Mixer,
    /// What stateful blocks have in its place.
    pub(super) recurrent: Option<Mixer>,
    /// What each block is made of; all attend and feed forward where it is empty.
    pub(super) blocks: Vec<Block>,
    /// The window of each layer; as many as there are layers.
    pub(super) windows: Vec<Option<u64>>,
    /// The feed-forward network of layers without experts.
    pub(super) dense: Dense,
    /// The experts of the others.
    pub(super) experts: Option<Experts>,
    /// Which layers have experts.
    pub(super) sparse: Vec<bool>,
    /// Whether the output layer shares the embedding table.
    pub(super) tied: bool,
    /// Whether logits are capped.
    pub(super) logit_soft_cap: bool,
    /// The nonlinearity of feed-forward networks.
    pub(super) activation: Activation,
    /// Where elements are dropped in training.
    pub(super) dropout: Dropout,
    /// The type of the weights.
    pub(super) dtype: Option<Dtype>,
    /// Other parts.
    pub(super) attached: Vec<Attached>,
}

impl Parts {
    /// Puts the decoder together; `position` is where a complaint about its total size points.
    pub(super) fn assemble(self, position: Position) -> Result<Architecture, HeaderError> {
        let parameters = self.parameters();
        if parameters > u128::from(MAX_PARAMETERS) {
            return Err(HeaderError::Field {
                field: "all sizes together".to_owned(),
                expected: format!("at most {MAX_PARAMETERS} parameters"),
                found: parameters.to_string(),
                position,
            });
        }
        let layers = self.windows.iter().zip(&self.sparse).enumerate();
        let layers = layers.map(|(index, (window, sparse))| self.layer(index, *window, *sparse));
        let layers = layers.collect();
        Ok(Architecture::Decoder(Decoder {
            hidden: self.hidden,
            vocabulary: self.vocabulary,
            context: self.context,
            positions: self.positions,
            tied_embeddings: self.tied,
            output_bias: self.family.output_bias,
            logit_soft_cap: self.logit_soft_cap,
            norm: self.family.norm,
            activation: self.activation,
            scales: self.family.scales,
            scaled_embeddings: self.family.scaled_embeddings,
            dropout: self.dropout,
            layers,
            dtype: self.dtype,
            attached: self.attached,
        }))
    }

    fn block(&self, index: usize) -> Block {
        self.blocks.get(index).copied().unwrap_or(Block::Attending)
    }

    fn layer(&self, index: usize, window: Option<u64>, sparse: bool) -> Layer {
        let block = self.block(index);
        let mixer = match (block, &self.attention, &self.recurrent) {
            (Block::FeedForwardAlone, ..) => Mixer::Absent,
            (Block::Stateful | Block::StateAlone, _, Some(recurrent)) => recurrent.clone(),
            (_, Mixer::Grouped(grouped), _) => {
                Mixer::Grouped(crate::GroupedAttention { window, ..grouped.clone() })
            }
            (_, other, _) => other.clone(),
        };
        let feed_forward = match (block, &self.experts) {
            (Block::AttentionAlone | Block::StateAlone, _) => FeedForward::Absent,
            (_, Some(experts)) if sparse => FeedForward::Experts(experts.clone()),
            _ => FeedForward::Dense(self.dense.clone()),
        };
        Layer { mixer, feed_forward, norms: self.family.norms }
    }

    /// At least as many parameters as there are, norms aside.
    fn parameters(&self) -> u128 {
        let wide = |number: u64| u128::from(number);
        let hidden = wide(self.hidden);
        let mixer = |mixer: &Mixer| match mixer {
            Mixer::Grouped(grouped) => {
                2 * hidden * wide(grouped.heads + grouped.key_value_heads) * wide(grouped.head_dim)
            }
            Mixer::Latent(latent) => {
                let key = wide(latent.plain_dim + latent.rotary_dim);
                let inner = latent.query_rank.map_or(hidden, |rank| wide(rank) + hidden);
                let rank = wide(latent.key_value_rank);
                (inner + hidden) * wide(latent.heads) * (key + wide(latent.value_dim))
                    + (hidden + wide(latent.heads) * (key + wide(latent.value_dim)))
                        * (rank + inner + wide(latent.rotary_dim))
            }
            Mixer::DeltaRule(rule) => {
                let widths = 2 * wide(rule.keys()) + 3 * wide(rule.values());
                (hidden + wide(rule.window)) * (widths + 2 * wide(rule.value_heads))
            }
            Mixer::Absent => 0,
            Mixer::ShortConvolution(short) => hidden * (4 * hidden + wide(short.window) + 4),
            Mixer::StateSpace(space) => {
                let widths = 2 * wide(space.inner()) + wide(space.convolved()) + wide(space.heads);
                hidden * widths + wide(space.convolved()) * wide(space.window)
            }
        };
        let dense = |dense: &Dense| 3 * (hidden + 1) * wide(dense.intermediate);
        let experts = self.experts.as_ref().map_or(0, |experts| {
            wide(experts.count) * (dense(&experts.expert) + hidden)
                + experts.shared.as_ref().map_or(0, dense)
        });
        let layer = |(index, sparse): (usize, &bool)| {
            let block = self.block(index);
            let mixed = match (block, &self.recurrent) {
                (Block::FeedForwardAlone, _) => 0,
                (Block::Stateful | Block::StateAlone, Some(recurrent)) => mixer(recurrent),
                _ => mixer(&self.attention),
            };
            let fed = match block {
                Block::AttentionAlone | Block::StateAlone => 0,
                _ if *sparse => experts,
                _ => dense(&self.dense),
            };
            mixed + fed
        };
        let layers: u128 = self.sparse.iter().enumerate().map(layer).sum();
        let attached: u128 = self.attached.iter().map(|part| wide(part.parameters)).sum();
        2 * hidden * wide(self.vocabulary) + layers + attached
    }
}
