//! Mixers with a state of fixed size, by their shapes: arithmetic, parameters, what is kept.

use super::Parameter;
use crate::{Activation, DeltaRule, StateSpace};

/// A convolution along every sequence, each channel by itself, that sees no later token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CausalConvolution {
    /// Sequences side by side.
    pub sequences: u64,
    /// Channels.
    pub channels: u64,
    /// Tokens that it sees, its own included.
    pub window: u64,
    /// Whether it adds a bias.
    pub bias: bool,
    /// The nonlinearity behind it.
    pub activation: Option<Activation>,
}

impl CausalConvolution {
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let bias = self.bias.then(|| Parameter::dense(self.channels, false));
        std::iter::once(Parameter::dense(self.channels * self.window, false)).chain(bias).collect()
    }

    /// Elements that are kept for later tokens, in the type of the model: the last tokens it saw.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        self.sequences * self.channels * self.window
    }
}

/// States of all tokens, chunk by chunk: values, time steps, what writes and what reads states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateScan {
    /// Sequences side by side.
    pub sequences: u64,
    /// New tokens per sequence.
    pub tokens: u64,
    /// Whether earlier tokens left a state.
    pub resumed: bool,
    /// Its heads and states.
    pub space: StateSpace,
}

impl StateScan {
    /// A decay and a skip weight per head, and what is added to its time steps.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        vec![Parameter::dense(self.space.heads, false); 3]
    }

    /// Chunks of one sequence.
    #[must_use]
    pub const fn chunks(&self) -> u64 {
        self.tokens.div_ceil(self.space.chunk)
    }

    /// Numbers of state of all sequences, in 32 bits, whatever the type of the model.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        self.sequences * self.space.inner() * self.space.state
    }

    /// Arithmetic of one pass: inside chunks, every token with every other one; between them,
    /// states written, passed on and read. A single token updates its state and reads it.
    pub(super) fn operations(&self) -> f64 {
        let StateSpace { heads, head_dim, state, chunk, .. } = self.space;
        let sequences = (self.sequences * heads) as f64;
        let (width, state) = (head_dim as f64, state as f64);
        if self.tokens == 1 {
            return sequences * 5.0 * width * state;
        }
        let chunks = self.chunks() as f64;
        let tokens = chunks * chunk as f64;
        let inside = 2.0 * tokens * chunk as f64 * (state + width);
        let states = 4.0 * tokens * state * width;
        let passed = 2.0 * (chunks + 1.0) * (chunks + 1.0) * width * state;
        sequences * (inside + states + passed)
    }
}

/// States of all tokens, each of which corrects them, chunk by chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaScan {
    /// Sequences side by side.
    pub sequences: u64,
    /// New tokens per sequence.
    pub tokens: u64,
    /// Its heads and states.
    pub rule: DeltaRule,
}

impl DeltaScan {
    /// How fast each head fades, and what is added to that.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        vec![Parameter::dense(self.rule.value_heads, false); 2]
    }

    /// Chunks of one sequence.
    #[must_use]
    pub const fn chunks(&self) -> u64 {
        self.tokens.div_ceil(DeltaRule::CHUNK)
    }

    /// Numbers of state of all sequences, in 32 bits, whatever the type of the model.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        self.sequences * self.rule.values() * self.rule.key_dim
    }

    /// Arithmetic of one pass: inside chunks, products of all pairs of tokens and a triangular system
    /// for values and keys; between them, states read twice, corrected and passed on.
    pub(super) fn operations(&self) -> f64 {
        let DeltaRule { value_heads, key_dim, value_dim, .. } = self.rule;
        let heads = (self.sequences * value_heads) as f64;
        let (key, value) = (key_dim as f64, value_dim as f64);
        if self.tokens == 1 {
            return heads * 7.0 * key * value;
        }
        let chunk = DeltaRule::CHUNK as f64;
        let tokens = self.chunks() as f64 * chunk;
        let inside = tokens * chunk * (4.0 * key + (key + value) + 2.0 * value);
        heads * (inside + 6.0 * tokens * key * value)
    }
}

/// A norm of what a mixer with a state returns, and its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatedNorm {
    /// Channels that share a scale each.
    pub width: u64,
    /// Groups of these channels that are normalised by themselves.
    pub groups: u64,
    /// What comes first.
    pub order: GateOrder,
}

/// Whether a value is gated before it is normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateOrder {
    /// It is (Mamba-2).
    GateFirst,
    /// It is normalised first (gated delta rule).
    NormFirst,
}
