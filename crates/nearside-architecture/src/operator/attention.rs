//! Attention by its shape: which keys a query sees, pairs, arithmetic, parameters, cache.

use super::Parameter;

/// The shape of an attention. Widths are per head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Sequences side by side.
    pub sequences: u64,
    /// Queries per sequence.
    pub queries: u64,
    /// Keys per sequence: earlier tokens from the cache, then new ones.
    pub keys: u64,
    /// Which keys a query sees.
    pub sight: Sight,
    /// Query heads.
    pub heads: u64,
    /// Key and value heads.
    pub key_value_heads: u64,
    /// Width of queries and keys.
    pub key_dim: u64,
    /// Width of values.
    pub value_dim: u64,
    /// Whether scores are soft-capped.
    pub soft_cap: bool,
    /// Whether some attention weights are dropped in training.
    pub dropout: bool,
    /// Whether softmax is taken in 32 bits where the scores are in memory.
    pub wide_softmax: bool,
    /// Elements that the cache keeps per token for this layer.
    pub cached: u64,
}

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of them.
    All,
    /// Those up to its own position.
    Past,
    /// So many up to its own position.
    Window(u64),
}

impl AttentionShape {
    /// Attention of every token of a sequence to every other one, in so many heads of one width
    /// (`[heads, width]`): nothing is cached, dropped, capped or widened.
    #[must_use]
    pub const fn among(sequences: u64, tokens: u64, [heads, width]: [u64; 2]) -> Self {
        Self {
            sequences,
            queries: tokens,
            keys: tokens,
            sight: Sight::All,
            heads,
            key_value_heads: heads,
            key_dim: width,
            value_dim: width,
            soft_cap: false,
            dropout: false,
            wide_softmax: false,
            cached: 0,
        }
    }

    /// Query-key pairs of one head and one sequence: each query sees what came before it, itself,
    /// and no more than its window, or everything.
    ///
    /// ```
    /// # use nearside_architecture::{AttentionShape, Sight};
    /// # let shape = |queries, keys, sight| AttentionShape {
    /// #     queries, keys, sight, ..AttentionShape::among(1, queries, [1, 64]) };
    /// assert_eq!(shape(4, 4, Sight::Past).pairs(), 1 + 2 + 3 + 4);
    /// assert_eq!(shape(1, 10, Sight::Past).pairs(), 10);
    /// assert_eq!(shape(4, 4, Sight::Window(2)).pairs(), 1 + 2 + 2 + 2);
    /// assert_eq!(shape(4, 6, Sight::All).pairs(), 24);
    /// ```
    #[must_use]
    pub fn pairs(&self) -> u64 {
        let window = match self.sight {
            Sight::All => return self.queries * self.keys,
            Sight::Past => u64::MAX,
            Sight::Window(window) => window,
        };
        let (tokens, past) = (self.queries, self.keys.saturating_sub(self.queries));
        // Positions past+1 .. past+tokens see min(position, window) tokens.
        let growing = window.min(past + tokens).saturating_sub(past);
        let grown = tokens - growing;
        growing * past + growing * (growing + 1) / 2 + grown * window.min(past + tokens)
    }

    /// Arithmetic of both matrix products.
    pub(super) fn operations(&self) -> f64 {
        let pairs = self.pairs() as f64 * (self.sequences * self.heads) as f64;
        2.0 * pairs * (self.key_dim + self.value_dim) as f64
    }

    /// Tokens that the cache keeps of a sequence of that length.
    #[must_use]
    pub fn cached_tokens(&self, context: u64) -> u64 {
        match self.sight {
            Sight::Window(window) => window.min(context),
            Sight::All | Sight::Past => context,
        }
    }

    /// Whether a query may not see every key up to its own: such attention needs a mask.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        matches!(self.sight, Sight::Window(window) if window <= self.keys)
    }

    /// Queries of all sequences together.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.sequences * self.queries
    }

    /// Weights and biases into and out of attention heads that share the width.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let width = self.heads * self.key_dim;
        vec![
            Parameter::dense(3 * width * width, true),
            Parameter::dense(3 * width, false),
            Parameter::dense(width * width, true),
            Parameter::dense(width, false),
        ]
    }

    /// Scores of all heads and sequences together.
    #[must_use]
    pub const fn scores(&self) -> u64 {
        self.rows() * self.heads * self.keys
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
                keys: past + tokens,
                sight: window.map_or(Sight::Past, Sight::Window),
                ..AttentionShape::among(1, tokens, [1, 1])
            };
            let seen = |position: u64| position.min(window.unwrap_or(u64::MAX));
            let counted: u64 = (past + 1..=past + tokens).map(seen).sum();
            assert_eq!(shape.pairs(), counted, "{window:?} {tokens} {past}");
        }
    }
}
