//! Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1) at work: keys and values
//! are rebuilt from one small vector per token, which is what a cache keeps.

use super::decoder::Building;
use super::{Value, ValueId};
use crate::{AttentionShape, LatentAttention, Operator, Projection, Rotation};

impl Building<'_> {
    pub(super) fn latent(&mut self, attention: &LatentAttention, input: ValueId) -> ValueId {
        let LatentAttention { heads, key_value_rank, rotary_dim, plain_dim, value_dim, .. } =
            *attention;
        let key_dim = plain_dim + rotary_dim;
        let rows = self.shape.rows();
        let query = self.latent_query(attention, input);
        let [query_plain, query_turning] = self.parts(query, [plain_dim, rotary_dim], heads);
        let width = key_value_rank + rotary_dim;
        let down = self.builder.linear(input, width, false, Projection::Latent);
        let [latent, turning] = self.parts(down, [key_value_rank, rotary_dim], 1);
        let kind = self.decoder.norm;
        let norm = Operator::Norm { kind, width: key_value_rank };
        let latent = self.builder.push(norm, &[latent], rows, key_value_rank);
        let query_turned = self.turned(attention, query_turning);
        let turned = self.turned(attention, turning);
        let [latent, turned] =
            [latent, turned].map(|value| self.builder.same(Operator::Cached, &[value]));
        let whole = heads * key_dim;
        let together = &[query_plain, query_turned];
        let queries = self.builder.push(Operator::JoinHeads, together, rows, whole);
        let rebuilt = heads * (plain_dim + value_dim);
        let both = self.builder.linear(latent, rebuilt, false, Projection::Key);
        let both = self.builder.same(Operator::Heads, &[both]);
        let [plain, values] = self.parts(both, [plain_dim, value_dim], heads);
        let keys = self.builder.push(Operator::FillHeads, &[plain, turned], rows, whole);
        let shape = AttentionShape {
            key_dim,
            value_dim,
            ..self.attention(heads, key_dim, key_value_rank + rotary_dim)
        };
        let mixed = self.attend(shape, &[queries, keys, values]);
        let hidden = self.decoder.hidden;
        let output = self.builder.linear(mixed, hidden, false, Projection::AttentionOutput);
        self.builder.hold(&[query, query_turned, down, turned, queries, keys, values]);
        output
    }

    fn latent_query(&mut self, attention: &LatentAttention, input: ValueId) -> ValueId {
        let kind = self.decoder.norm;
        let builder = &mut self.builder;
        let query_input = match attention.query_rank {
            Some(rank) => {
                let down = builder.linear(input, rank, false, Projection::Latent);
                let normed = builder.same(Operator::Norm { kind, width: rank }, &[down]);
                builder.hold(&[down]);
                normed
            }
            None => input,
        };
        let width = attention.heads * (attention.plain_dim + attention.rotary_dim);
        let query = builder.linear(query_input, width, false, Projection::Query);
        builder.same(Operator::Heads, &[query])
    }

    /// Two parts of every head.
    fn parts(&mut self, value: ValueId, widths: [u64; 2], heads: u64) -> [ValueId; 2] {
        let rows = self.shape.rows();
        let parts = widths.map(|width| Value { rows, width: heads * width });
        let parts = self.builder.push_all(Operator::Split, &[value], &parts);
        [parts[0], parts[1]]
    }

    fn turned(&mut self, attention: &LatentAttention, value: ValueId) -> ValueId {
        let operator = match attention.rotation {
            Rotation::Complex => Operator::ComplexRotary,
            Rotation::Interleaved => Operator::InterleavedRotary,
        };
        let tables = self.tables(None).into_iter().flatten();
        let inputs: Vec<_> = std::iter::once(value).chain(tables).collect();
        self.builder.same(operator, &inputs)
    }
}
