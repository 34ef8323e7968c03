//! Mixers with a state of fixed size, by their shapes: arithmetic, parameters, what is kept.

use super::Parameter;
use crate::{Activation, StateSpace};

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

/// A norm of what a mixer with a state returns, and its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatedNorm {
    /// Channels.
    pub width: u64,
    /// Groups of channels that are normalised by themselves.
    pub groups: u64,
}
