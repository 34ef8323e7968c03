//! Decoder-only transformers at work.

use super::{Builder, Graph, Loss, Shape, Value, ValueId};
use crate::{
    Attention, AttentionShape, Decoder, Dense, Experts, FeedForward, GroupedAttention,
    LatentAttention, Layer, Linear, NormPlacement, Operator, Positions, Projection, QueryKeyNorm,
    Sight,
};

impl Graph {
    /// A decoder at work.
    #[must_use]
    pub fn of(decoder: &Decoder, shape: Shape) -> Self {
        let builder = Builder::new(shape.batch, shape.tokens, 1);
        let mut building = Building { builder, shape, decoder, tables: None };
        let mut stream = building.embedded();
        let embedded = stream;
        building.positions();
        for (index, layer) in decoder.layers.iter().enumerate() {
            building.builder.enter_block(Some(index));
            let input = stream;
            stream = building.block(layer, stream);
            building.builder.hold(&[input]);
        }
        building.builder.enter_block(None);
        let normed = building.norm(stream);
        building.builder.hold(&[stream, embedded]);
        building.output(normed);
        building.builder.finish(Loss::NextToken)
    }
}

struct Building<'a> {
    builder: Builder,
    shape: Shape,
    decoder: &'a Decoder,
    /// Cosines and sines of positions.
    tables: Option<[ValueId; 2]>,
}

impl Building<'_> {
    fn embedded(&mut self) -> ValueId {
        let Decoder { vocabulary, hidden, .. } = *self.decoder;
        let table = Operator::Embedding { rows: vocabulary, width: hidden };
        let input = self.builder.input();
        let stream = self.builder.push(table, &[input], self.shape.rows(), hidden);
        let stream = match self.decoder.scaled_embeddings {
            true => self.builder.same(Operator::Scale, &[stream]),
            false => stream,
        };
        match self.decoder.positions {
            Positions::Learned(rows) => {
                self.builder.same(Operator::PositionTable { rows, width: hidden }, &[stream])
            }
            Positions::Rotary => stream,
        }
    }

    /// Tables of cosines and sines, the same for every sequence.
    fn positions(&mut self) {
        let width = self.decoder.layers.iter().find_map(|layer| match &layer.attention {
            Attention::Grouped(attention) => Some(attention.head_dim),
            Attention::Latent(attention) => Some(attention.rotary_dim),
        });
        if let (Positions::Rotary, Some(width)) = (self.decoder.positions, width) {
            let table = Value { rows: self.shape.tokens, width };
            let made = self.builder.push_all(Operator::RotaryTable, &[], &[table, table]);
            self.tables = Some([made[0], made[1]]);
        }
    }

    fn block(&mut self, layer: &Layer, stream: ValueId) -> ValueId {
        let stream = self.branch(layer, stream, |building, input| match &layer.attention {
            Attention::Grouped(attention) => building.grouped(attention, input),
            Attention::Latent(attention) => building.latent(attention, input),
        });
        self.branch(layer, stream, |building, input| match &layer.feed_forward {
            FeedForward::Dense(dense) => building.dense(dense, input),
            FeedForward::Experts(experts) => building.experts(experts, input),
        })
    }

    /// A residual branch with its norms around `inside`.
    fn branch(
        &mut self,
        layer: &Layer,
        stream: ValueId,
        inside: impl FnOnce(&mut Self, ValueId) -> ValueId,
    ) -> ValueId {
        let before = layer.norms != NormPlacement::After;
        let after = layer.norms != NormPlacement::Before;
        let input = if before { self.norm(stream) } else { stream };
        let mut output = inside(self, input);
        self.builder.hold(&[input]);
        if after {
            output = self.norm(output);
        }
        self.builder.same(Operator::Add, &[stream, output])
    }

    fn norm(&mut self, input: ValueId) -> ValueId {
        let Decoder { norm, hidden, .. } = *self.decoder;
        self.builder.same(Operator::Norm { kind: norm, width: hidden }, &[input])
    }

    fn grouped(&mut self, attention: &GroupedAttention, input: ValueId) -> ValueId {
        let GroupedAttention { heads, key_value_heads, head_dim, input_bias, .. } = *attention;
        let builder = &mut self.builder;
        let mut project = |width, role| {
            let projected = builder.linear(input, width, input_bias, role);
            builder.same(Operator::Heads, &[projected])
        };
        let mut query = project(heads * head_dim, Projection::Query);
        let mut key = project(key_value_heads * head_dim, Projection::Key);
        let value = project(key_value_heads * head_dim, Projection::Value);
        if let Some(norm) = attention.query_key_norm {
            query = self.query_key_norm(norm, head_dim, query);
            key = self.query_key_norm(norm, head_dim, key);
        }
        let plain = [query, key];
        let [query, key] = self.rotated(plain);
        self.builder.hold(&plain);
        let shape = AttentionShape {
            key_value_heads,
            sight: attention.window.map_or(Sight::Past, Sight::Window),
            soft_cap: attention.soft_cap,
            ..self.attention(heads, head_dim, 2 * key_value_heads * head_dim)
        };
        let mixed = self.attend(shape, [query, key, value]);
        let role = Projection::AttentionOutput;
        let output = self.builder.linear(mixed, self.decoder.hidden, attention.output_bias, role);
        self.builder.hold(&[query, key, value]);
        output
    }

    fn query_key_norm(&mut self, norm: QueryKeyNorm, head_dim: u64, input: ValueId) -> ValueId {
        let Value { rows, width } = self.builder.of(input);
        let kind = self.decoder.norm;
        match norm {
            QueryKeyNorm::Head => {
                // A row per head, so that each has its own statistic.
                let norm = Operator::Norm { kind, width: head_dim };
                self.builder.push(norm, &[input], rows * (width / head_dim), head_dim)
            }
            QueryKeyNorm::Projection => self.builder.same(Operator::Norm { kind, width }, &[input]),
        }
    }

    fn rotated(&mut self, values: [ValueId; 2]) -> [ValueId; 2] {
        match self.tables {
            Some([cosines, sines]) => {
                values.map(|value| self.builder.same(Operator::Rotary, &[value, cosines, sines]))
            }
            None => values,
        }
    }

    /// Attention of every token to the ones before it.
    const fn attention(&self, heads: u64, head_dim: u64, cached: u64) -> AttentionShape {
        AttentionShape {
            sequences: self.shape.batch,
            queries: self.shape.tokens,
            keys: self.shape.past + self.shape.tokens,
            sight: Sight::Past,
            heads,
            key_value_heads: heads,
            key_dim: head_dim,
            value_dim: head_dim,
            soft_cap: false,
            cached,
        }
    }

    fn attend(&mut self, shape: AttentionShape, inputs: [ValueId; 3]) -> ValueId {
        let width = shape.heads * shape.value_dim;
        self.builder.push(Operator::Attention(shape), &inputs, self.shape.rows(), width)
    }

    /// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): the cache holds the
    /// latent vector and the shared rotary key.
    fn latent(&mut self, attention: &LatentAttention, input: ValueId) -> ValueId {
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
            std::iter::once(input).chain(self.tables.into_iter().flatten()).collect();
        self.builder.push(Operator::Rotary, &inputs, rows, width)
    }

    fn dense(&mut self, dense: &Dense, input: ValueId) -> ValueId {
        let Dense { intermediate, gated, bias } = *dense;
        let activation = Operator::Activation(self.decoder.activation);
        let builder = &mut self.builder;
        let inside = match gated {
            true => {
                let gate = builder.linear(input, intermediate, bias, Projection::Gate);
                let gate = builder.same(activation, &[gate]);
                let up = builder.linear(input, intermediate, bias, Projection::Up);
                builder.same(Operator::Multiply, &[gate, up])
            }
            false => {
                let up = builder.linear(input, intermediate, bias, Projection::Up);
                builder.same(activation, &[up])
            }
        };
        builder.linear(inside, self.decoder.hidden, bias, Projection::Down)
    }

    fn experts(&mut self, experts: &Experts, input: ValueId) -> ValueId {
        let Experts { count, active, router_bias, .. } = *experts;
        let hidden = self.decoder.hidden;
        let rows = self.shape.rows();
        let scores = self.builder.linear(input, count, false, Projection::Router);
        let route = Operator::Route { count, active, bias: router_bias };
        let chosen = self.builder.push(route, &[scores], rows, active);
        let copies = self.builder.push(Operator::Dispatch, &[input, chosen], rows * active, hidden);
        let Dense { intermediate, gated, bias } = experts.expert;
        let activation = Operator::Activation(self.decoder.activation);
        let inside = match gated {
            true => {
                let gate = self.expert(count, copies, (intermediate, bias, Projection::Gate));
                let gate = self.builder.same(activation, &[gate]);
                let up = self.expert(count, copies, (intermediate, bias, Projection::Up));
                self.builder.same(Operator::Multiply, &[gate, up])
            }
            false => {
                let up = self.expert(count, copies, (intermediate, bias, Projection::Up));
                self.builder.same(activation, &[up])
            }
        };
        let outputs = self.expert(count, inside, (hidden, bias, Projection::Down));
        let combined = self.builder.push(Operator::Combine, &[outputs, chosen], rows, hidden);
        match &experts.shared {
            Some(shared) => {
                let shared = self.dense(shared, input);
                self.builder.same(Operator::Add, &[combined, shared])
            }
            None => combined,
        }
    }

    fn expert(
        &mut self,
        count: u64,
        input: ValueId,
        (output, bias, role): (u64, bool, Projection),
    ) -> ValueId {
        let Value { rows, width } = self.builder.of(input);
        let linear = Linear { input: width, output, bias, role };
        self.builder.push(Operator::ExpertLinear { count, linear }, &[input], rows, output)
    }

    fn output(&mut self, normed: ValueId) {
        let Decoder { hidden, vocabulary, output_bias, tied_embeddings, .. } = *self.decoder;
        let rows = self.shape.batch * self.shape.scored;
        let scored = match self.shape.scored == self.shape.tokens {
            true => normed,
            false => self.builder.push(Operator::Last, &[normed], rows, hidden),
        };
        let role = match tied_embeddings {
            true => Projection::TiedOutput,
            false => Projection::Output,
        };
        let logits = self.builder.linear(scored, vocabulary, output_bias, role);
        if self.decoder.logit_soft_cap {
            self.builder.same(Operator::SoftCap, &[logits]);
        }
        self.builder.hold(&[normed]);
    }
}
