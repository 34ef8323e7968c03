//! The typed operators that models are made of: what parameters each owns and what arithmetic it
//! costs. Nothing here depends on a framework or a machine.

use nearside_units::Flops;

use crate::Norm;

/// One kind of computation. Sizes are in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Looks up one row per token.
    Embedding {
        /// Rows of the table.
        rows: u64,
        /// Width of a row.
        width: u64,
    },
    /// Adds a learned row per position.
    PositionTable {
        /// Rows of the table.
        rows: u64,
        /// Width of a row.
        width: u64,
    },
    /// Normalises groups of `width` channels.
    Norm {
        /// Root mean square or layer norm.
        kind: Norm,
        /// Channels that are normalised together, each with its scale.
        width: u64,
    },
    /// A matrix product with weights.
    Linear(Linear),
    /// Matrix products with the weights of the experts that each token was routed to.
    ExpertLinear {
        /// Experts to choose from.
        count: u64,
        /// One expert's projection.
        linear: Linear,
    },
    /// Chooses experts from router scores.
    Route {
        /// Experts to choose from.
        count: u64,
        /// Experts per token.
        active: u64,
        /// Whether each expert has a learned offset for the choice.
        bias: bool,
    },
    /// Copies each token to the experts it was routed to.
    Dispatch,
    /// Weighs and sums what the experts returned.
    Combine,
    /// Rotates queries or keys by their position.
    Rotary,
    /// Scores, softmax and weighted sum.
    Attention(AttentionShape),
    /// A pointwise nonlinearity.
    Activation,
    /// A pointwise product.
    Multiply,
    /// A pointwise sum: the residual stream.
    Add,
    /// `cap * tanh(x / cap)`.
    SoftCap,
}

/// A matrix product `[rows, input] x [input, output]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Width of what comes in.
    pub input: u64,
    /// Width of what goes out.
    pub output: u64,
    /// Whether it adds a bias.
    pub bias: bool,
    /// What it projects.
    pub role: Projection,
}

/// What a projection is for; adapters choose their targets by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Projection {
    /// Queries.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Back from the attention heads.
    AttentionOutput,
    /// Down to or up from a latent vector (multi-head latent attention).
    Latent,
    /// The gate of a feed-forward network.
    Gate,
    /// Into a feed-forward network.
    Up,
    /// Out of a feed-forward network.
    Down,
    /// Scores of experts.
    Router,
    /// To the vocabulary, with weights of its own.
    Output,
    /// To the vocabulary, with the weights of the embedding table.
    TiedOutput,
}

/// The shape of an attention. Widths are per head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Query heads.
    pub heads: u64,
    /// Key and value heads.
    pub key_value_heads: u64,
    /// Width of queries and keys.
    pub key_dim: u64,
    /// Width of values.
    pub value_dim: u64,
    /// Tokens back that a token sees, itself included.
    pub window: Option<u64>,
    /// Whether scores are soft-capped.
    pub soft_cap: bool,
    /// Elements that the cache keeps per token for this layer.
    pub cached: u64,
}

impl AttentionShape {
    /// Query-key pairs of one head and one sequence: `tokens` new ones after `past` cached ones,
    /// each seeing what came before it, itself, and no more than the window.
    ///
    /// ```
    /// # use nearside_architecture::AttentionShape;
    /// # let shape = |window| AttentionShape { heads: 1, key_value_heads: 1, key_dim: 64,
    /// #     value_dim: 64, window, soft_cap: false, cached: 128 };
    /// assert_eq!(shape(None).pairs(4, 0), 1 + 2 + 3 + 4);
    /// assert_eq!(shape(None).pairs(1, 9), 10);
    /// assert_eq!(shape(Some(2)).pairs(4, 0), 1 + 2 + 2 + 2);
    /// ```
    #[must_use]
    pub fn pairs(&self, tokens: u64, past: u64) -> u64 {
        let window = self.window.unwrap_or(u64::MAX);
        // Positions past+1 .. past+tokens see min(position, window) tokens.
        let growing = window.min(past + tokens).saturating_sub(past);
        let grown = tokens - growing;
        growing * past + growing * (growing + 1) / 2 + grown * window.min(past + tokens)
    }

    /// Tokens that the cache keeps of a sequence of that length.
    #[must_use]
    pub fn cached_tokens(&self, context: u64) -> u64 {
        self.window.map_or(context, |window| window.min(context))
    }
}

/// A tensor of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// How many elements it has.
    pub elements: u64,
    /// Whether it is a matrix; biases and norm scales are kept in higher precision by quantizers.
    pub matrix: bool,
}

impl Parameter {
    const fn dense(elements: u64, matrix: bool) -> Self {
        Self { elements, matrix }
    }
}

impl Operator {
    /// The parameters it owns, in the order a framework registers them.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        match self {
            Self::Embedding { rows, width } | Self::PositionTable { rows, width } => {
                vec![Parameter::dense(rows * width, true)]
            }
            Self::Norm { kind: Norm::Rms, width } => vec![Parameter::dense(*width, false)],
            Self::Norm { kind: Norm::Layer, width } => vec![Parameter::dense(*width, false); 2],
            Self::Linear(linear) => linear.parameters(),
            Self::ExpertLinear { count, linear } => {
                let experts = |one: Parameter| vec![one; usize::try_from(*count).unwrap_or(0)];
                linear.parameters().into_iter().flat_map(experts).collect()
            }
            Self::Route { count, bias: true, .. } => vec![Parameter::dense(*count, false)],
            Self::Route { bias: false, .. }
            | Self::Dispatch
            | Self::Combine
            | Self::Rotary
            | Self::Attention(_)
            | Self::Activation
            | Self::Multiply
            | Self::Add
            | Self::SoftCap => Vec::new(),
        }
    }

    /// Arithmetic of one forward pass that produces `rows` rows of `width`.
    /// A multiply-add is two operations; pointwise work counts a few operations per element.
    #[must_use]
    pub fn flops(&self, rows: u64, width: u64) -> Flops {
        let elements = rows as f64 * width as f64;
        let operations = match self {
            Self::Linear(linear) | Self::ExpertLinear { linear, .. } => {
                2.0 * rows as f64 * linear.input as f64 * linear.output as f64
            }
            Self::Norm { .. } => 5.0 * elements,
            Self::Rotary => 3.0 * elements,
            Self::Activation | Self::SoftCap => 4.0 * elements,
            Self::Multiply | Self::Add | Self::Combine | Self::PositionTable { .. } => elements,
            Self::Route { .. } => 5.0 * elements,
            Self::Embedding { .. } | Self::Dispatch | Self::Attention(_) => 0.0,
        };
        Flops::from_flops(operations).unwrap_or(Flops::ZERO)
    }
}

impl Linear {
    fn parameters(&self) -> Vec<Parameter> {
        if self.role == Projection::TiedOutput {
            return Vec::new();
        }
        let weight = Parameter::dense(self.input * self.output, true);
        let bias = self.bias.then(|| Parameter::dense(self.output, false));
        std::iter::once(weight).chain(bias).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_equal_a_count_by_hand() {
        for (window, tokens, past) in
            [(None, 5, 0), (None, 3, 7), (Some(4), 9, 0), (Some(4), 3, 2), (Some(4), 2, 50)]
        {
            let shape = AttentionShape {
                heads: 1,
                key_value_heads: 1,
                key_dim: 1,
                value_dim: 1,
                window,
                soft_cap: false,
                cached: 2,
            };
            let seen = |position: u64| position.min(window.unwrap_or(u64::MAX));
            let counted: u64 = (past + 1..=past + tokens).map(seen).sum();
            assert_eq!(shape.pairs(tokens, past), counted, "{window:?} {tokens} {past}");
        }
    }
}
