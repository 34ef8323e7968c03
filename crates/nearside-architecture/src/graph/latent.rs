//! Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1) at work.

use super::ValueId;
use super::decoder::Building;
use crate::{AttentionShape, LatentAttention, Operator, Projection};

impl Building<'_> {
    /// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): the cache holds the
    /// latent vector and the shared rotary key.
    pub(super) fn latent(&mut self, attention: &LatentAttention, input: ValueId) -> ValueId {
        let LatentAttention { heads, key_value_rank, rotary_dim, plain_dim, value_dim, .. } =
            *attention;
        let kind = self.decoder.norm;
        let key_dim = plain_dim + rotary_dim;
        let rows = self.shape.rows();
        let builder = &mut self.builder;
        let query_input = match attention.query_rank {
            Some(rank) => {
                let down = builder.linear(input, rank, false, Projection::Latent);
                builder.same(Operator::Norm { kind, width: rank }, &[down])
            }
            None => input,
        };
        let query = builder.linear(query_input, heads * key_dim, false, Projection::Query);
        let down = builder.linear(input, key_value_rank + rotary_dim, false, Projection::Latent);
        let norm = Operator::Norm { kind, width: key_value_rank };
        let latent = builder.push(norm, &[down], rows, key_value_rank);
        let rebuilt = heads * (plain_dim + value_dim);
        let key_value = builder.linear(latent, rebuilt, false, Projection::Key);
        let query = self.rotated_latent(query, heads * key_dim);
        let rotary = self.rotated_latent(down, rotary_dim);
        let shape = AttentionShape {
            key_dim,
            value_dim,
            ..self.attention(heads, key_dim, key_value_rank + rotary_dim)
        };
        let mixed = self.attend(shape, [query, key_value, rotary]);
        let hidden = self.decoder.hidden;
        let output = self.builder.linear(mixed, hidden, false, Projection::AttentionOutput);
        self.builder.hold(&[query, key_value, rotary]);
        output
    }

    fn rotated_latent(&mut self, input: ValueId, width: u64) -> ValueId {
        let rows = self.shape.rows();
        let inputs: Vec<_> =
            std::iter::once(input).chain(self.tables(None).into_iter().flatten()).collect();
        self.builder.push(Operator::Rotary, &inputs, rows, width)
    }
}
