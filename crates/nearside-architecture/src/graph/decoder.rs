//! Decoder-only transformers at work, in the order in which the modules of Hugging Face transformers
//! (5.23) call their operators and let go of their variables.

use super::{Builder, Graph, Loss, Shape, Value, ValueId};
use crate::{
    AttentionShape, Decoder, Dense, FeedForward, GroupedAttention, Layer, Mixer, Norm,
    NormPlacement, Operator, Packing, Positions, Projection, QueryKeyNorm, Sight,
};

impl Graph {
    /// A decoder at work.
    #[must_use]
    pub fn of(decoder: &Decoder, shape: Shape) -> Self {
        let builder = Builder::new(shape.batch, shape.tokens, 1);
        let mut building = Building {
            builder,
            shape,
            decoder,
            tables: Vec::new(),
            variables: Vec::new(),
            kept: None,
            gate: None,
        };
        let embedded = building.embedded();
        let mut stream = building.positioned(embedded);
        for (index, layer) in decoder.layers.iter().enumerate() {
            building.builder.enter_block(Some(index));
            let input = stream;
            stream = building.block(layer, stream);
            building.builder.hold(&[input]);
        }
        building.builder.enter_block(None);
        let normed = building.norm(stream);
        building.builder.hold(&[embedded]);
        let variables = std::mem::take(&mut building.variables);
        building.builder.hold(&variables);
        building.output(normed);
        building.builder.finish(Loss::NextToken)
    }
}

/// Cosines and sines of positions, for layers with a window or without one.
pub(super) struct Tables {
    windowed: bool,
    values: [ValueId; 2],
}

pub(super) struct Building<'a> {
    pub(super) builder: Builder,
    pub(super) shape: Shape,
    pub(super) decoder: &'a Decoder,
    tables: Vec<Tables>,
    /// What the model's variables keep until it returns.
    variables: Vec<ValueId>,
    /// The first normed stream of a block that keeps it.
    kept: Option<ValueId>,
    /// The gate of what the heads of this layer return.
    gate: Option<ValueId>,
}

impl Building<'_> {
    fn embedded(&mut self) -> ValueId {
        let Decoder { vocabulary, hidden, .. } = *self.decoder;
        let table = Operator::Embedding { rows: vocabulary, width: hidden };
        let input = self.builder.input();
        let stream = self.builder.push(table, &[input], self.shape.rows(), hidden);
        match self.decoder.scaled_embeddings {
            true => self.builder.same(Operator::Scale, &[stream]),
            false => stream,
        }
    }

    /// Positions come in: a learned row each, or tables for the layers to rotate by.
    fn positioned(&mut self, embedded: ValueId) -> ValueId {
        let hidden = self.decoder.hidden;
        let stream = match self.decoder.positions {
            Positions::Learned(rows) => {
                let table = Operator::PositionTable { rows, width: hidden };
                self.builder.same(table, &[embedded])
            }
            Positions::LearnedByToken(rows) => self.looked_up(rows, embedded),
            _ => embedded,
        };
        self.builder.push_all(Operator::Mask, &[], &[]);
        self.rotary_tables();
        match self.decoder.dropout.embeddings {
            true => self.builder.same(Operator::Dropout, &[stream]),
            false => stream,
        }
    }

    /// Adds a row per token.
    fn looked_up(&mut self, rows: u64, embedded: ValueId) -> ValueId {
        let width = self.decoder.hidden;
        let index = self.builder.push(Operator::Indices, &[], self.shape.rows(), 1);
        let table = Operator::Lookup { rows, width };
        let places = self.builder.push(table, &[index], self.shape.rows(), width);
        self.variables.extend([places, index]);
        self.builder.same(Operator::Add, &[embedded, places])
    }

    /// Tables of cosines and sines, the same for every sequence.
    fn rotary_tables(&mut self) {
        let by_sight = match self.decoder.positions {
            Positions::Learned(_) | Positions::LearnedByToken(_) | Positions::Absent => return,
            Positions::Rotary
            | Positions::RotaryBySequence
            | Positions::RotaryNear
            | Positions::RotaryWide
            | Positions::RotaryHalves => false,
            Positions::RotaryBySight => true,
        };
        let rows = match self.decoder.positions {
            Positions::RotaryBySequence => self.shape.rows(),
            _ => self.shape.tokens,
        };
        for layer in &self.decoder.layers {
            let (width, window) = match &layer.mixer {
                Mixer::Grouped(attention) => (attention.rotary_dim, attention.window),
                Mixer::Latent(attention) => (attention.rotary_dim, None),
                _ => continue,
            };
            let windowed = by_sight && window.is_some();
            if self.tables.iter().any(|tables| tables.windowed == windowed) {
                continue;
            }
            let (operator, width) = match self.decoder.positions {
                Positions::RotaryWide => (Operator::WideRotaryTable, width),
                Positions::RotaryHalves => (Operator::HalfRotaryTable, width / 2),
                _ => (Operator::RotaryTable, width),
            };
            let table = Value { rows, width };
            let made = self.builder.push_all(operator, &[], &[table, table]);
            self.tables.push(Tables { windowed, values: [made[0], made[1]] });
        }
    }

    /// The tables of a layer with that window.
    pub(super) fn tables(&self, window: Option<u64>) -> Option<[ValueId; 2]> {
        if self.decoder.positions == Positions::RotaryNear && window.is_none() {
            return None;
        }
        let windowed = self.decoder.positions == Positions::RotaryBySight && window.is_some();
        let found = self.tables.iter().find(|tables| tables.windowed == windowed);
        found.map(|tables| tables.values)
    }

    fn block(&mut self, layer: &Layer, stream: ValueId) -> ValueId {
        if matches!(layer.norms, NormPlacement::Shared | NormPlacement::Apart) {
            return self.side_by_side(layer, stream);
        }
        if layer.feed_forward == FeedForward::Absent {
            return self.branch(layer, stream, |building, input| building.mixed(layer, input)).0;
        }
        if layer.mixer == Mixer::Absent {
            return self
                .branch(layer, stream, |building, input| building.fed_forward(layer, input))
                .0;
        }
        let (middle, mixed) =
            self.branch(layer, stream, |building, input| building.mixed(layer, input));
        let (end, returned) =
            self.branch(layer, middle, |building, input| building.fed_forward(layer, input));
        if self.named_outputs() || layer.norms == NormPlacement::BeforeKept {
            self.builder.hold(&[mixed, returned]);
        }
        let kept = self.kept.take();
        self.builder.hold(&kept.into_iter().collect::<Vec<_>>());
        end
    }

    fn mixed(&mut self, layer: &Layer, input: ValueId) -> ValueId {
        match &layer.mixer {
            Mixer::Grouped(attention) => self.grouped(attention, input),
            Mixer::Latent(attention) => self.latent(attention, input),
            Mixer::StateSpace(space) => self.state_space(*space, input),
            Mixer::DeltaRule(rule) => self.delta_rule(*rule, input),
            Mixer::ShortConvolution(short) => self.short_convolution(*short, input),
            Mixer::Absent => input,
        }
    }

    fn fed_forward(&mut self, layer: &Layer, input: ValueId) -> ValueId {
        match &layer.feed_forward {
            FeedForward::Dense(dense) => self.dense(dense, input),
            FeedForward::Experts(experts) => self.experts(experts, input),
            FeedForward::Absent => input,
        }
    }

    /// Attention and feed-forward network of the same stream, both added to it.
    fn side_by_side(&mut self, layer: &Layer, stream: ValueId) -> ValueId {
        let one = layer.norms == NormPlacement::Shared;
        let normed = self.norm(stream);
        let mixed = self.mixed(layer, normed);
        let added = self.dropped(mixed);
        if !one {
            self.builder.hold(&[normed]);
        }
        let second = if one { normed } else { self.norm(stream) };
        let inner = self.fed_forward(layer, second);
        let fed = self.dropped(inner);
        if !one {
            self.builder.hold(&[second]);
        }
        let both = self.builder.same(Operator::Add, &[added, fed]);
        let sum = self.builder.same(Operator::Add, &[both, stream]);
        let held = if one { vec![added, fed, normed] } else { vec![added, fed] };
        self.builder.hold(&held);
        sum
    }

    /// What is added to the stream, some of its elements set to zero.
    fn dropped(&mut self, inner: ValueId) -> ValueId {
        match self.decoder.dropout.residual {
            true => self.builder.same(Operator::Dropout, &[inner]),
            false => inner,
        }
    }

    /// Whether a block keeps the outputs of its branches in variables of their own (GPT-2).
    fn named_outputs(&self) -> bool {
        let packed = |layer: &Layer| match &layer.mixer {
            Mixer::Grouped(attention) => attention.packing == Packing::Split,
            _ => false,
        };
        self.decoder.layers.first().is_some_and(packed)
    }

    /// A residual branch with its norms around `inside`: the stream, and what was added to it.
    fn branch(
        &mut self,
        layer: &Layer,
        stream: ValueId,
        inside: impl FnOnce(&mut Self, ValueId) -> ValueId,
    ) -> (ValueId, ValueId) {
        let before = layer.norms != NormPlacement::After;
        let after = matches!(layer.norms, NormPlacement::After | NormPlacement::Sandwich);
        let input = if before { self.norm(stream) } else { stream };
        let inner = inside(self, input);
        let flat = matches!(self.decoder.positions, Positions::LearnedByToken(_));
        let mut output = inner;
        if self.decoder.dropout.residual && self.named_outputs() {
            output = self.builder.same(Operator::Dropout, &[inner]);
            self.builder.hold(&[inner]);
        }
        if layer.norms == NormPlacement::BeforeKept && self.kept.is_none() {
            self.kept = Some(input);
        } else if before && !self.named_outputs() && !flat {
            self.builder.hold(&[input]);
        }
        if after {
            output = self.norm(output);
        }
        if self.decoder.dropout.residual && !self.named_outputs() {
            output = self.builder.same(Operator::Dropout, &[output]);
        }
        let unscaled = output;
        if self.decoder.scales.branches {
            output = self.builder.same(Operator::Scale, &[output]);
        }
        let sum = self.builder.same(Operator::Add, &[stream, output]);
        if output != unscaled {
            self.builder.hold(&[unscaled]);
        }
        if self.named_outputs() {
            self.builder.hold(&[input]);
        }
        if output != inner && !after && !self.named_outputs() && !flat {
            self.builder.hold(&[inner]);
        }
        (sum, output)
    }

    fn norm(&mut self, input: ValueId) -> ValueId {
        let Decoder { norm, hidden, .. } = *self.decoder;
        let normed = self.builder.same(Operator::Norm { kind: norm, width: hidden }, &[input]);
        self.builder.hold(&[input]);
        normed
    }

    fn grouped(&mut self, attention: &GroupedAttention, input: ValueId) -> ValueId {
        let GroupedAttention { heads, key_value_heads, head_dim, .. } = *attention;
        let ([query, key, value], packed) = match attention.packing {
            Packing::Apart => (self.apart(attention, input), None),
            Packing::Sliced | Packing::Split | Packing::ByHead => {
                let (parts, packed) = self.together(attention, input);
                (parts, Some(packed))
            }
        };
        let tables = self.tables(attention.window);
        let ([query, key], variables) = self.turned_heads(attention, [query, key], tables);
        let shape = AttentionShape {
            key_value_heads,
            sight: attention.window.map_or(Sight::Past, Sight::Window),
            soft_cap: attention.soft_cap,
            dropout: self.decoder.dropout.attention,
            wide_softmax: attention.wide_softmax,
            ..self.attention(heads, head_dim, 2 * key_value_heads * head_dim)
        };
        let mut inputs = vec![query, key, value];
        if attention.sinks {
            inputs.push(self.builder.push(Operator::Sinks { heads }, &[], 1, heads));
        }
        let attended = self.attend(shape, &inputs);
        let mixed = self.gated_output(attended);
        let role = Projection::AttentionOutput;
        let output = self.builder.linear(mixed, self.decoder.hidden, attention.output_bias, role);
        if mixed != attended {
            self.builder.hold(&[mixed]);
        }
        self.builder.hold(&[query, key, value]);
        self.builder.hold(&variables);
        let gate = self.gate.take();
        self.builder.hold(&gate.into_iter().collect::<Vec<_>>());
        self.builder.hold(&packed.into_iter().collect::<Vec<_>>());
        output
    }

    /// What heads return, times the logistic function of their gate, where there is one.
    fn gated_output(&mut self, attended: ValueId) -> ValueId {
        let Some(gate) = self.gate else { return attended };
        let gate = self.builder.same(Operator::Gate, &[gate]);
        self.builder.same(Operator::Multiply, &[attended, gate])
    }

    /// Queries, keys and values from a product each.
    fn apart(&mut self, attention: &GroupedAttention, input: ValueId) -> [ValueId; 3] {
        let GroupedAttention { heads, key_value_heads, head_dim, .. } = *attention;
        let wide = [(heads, Projection::Query), (key_value_heads, Projection::Key)];
        // Gemma 3 makes all three before it norms two of them.
        let late = self.decoder.norm == Norm::RmsOffset && !attention.gated;
        let mut made = wide.map(|(heads, role)| {
            let projected = self.projected(attention, input, heads * head_dim, role);
            if late { projected } else { self.query_key_norm(attention, projected) }
        });
        let width = key_value_heads * head_dim;
        let value = self.projected(attention, input, width, Projection::Value);
        if late {
            made = made.map(|projected| self.query_key_norm(attention, projected));
        }
        let whole = attention.query_key_norm == Some(QueryKeyNorm::Projection);
        if whole {
            made = made.map(|normed| self.builder.same(Operator::Heads, &[normed]));
        }
        [made[0], made[1], value]
    }

    fn projected(
        &mut self,
        attention: &GroupedAttention,
        input: ValueId,
        width: u64,
        role: Projection,
    ) -> ValueId {
        if attention.gated && role == Projection::Query {
            return self.gated_query(attention, input);
        }
        let mut projected = self.builder.linear(input, width, attention.input_bias, role);
        if self.decoder.scales.queries && role == Projection::Query {
            projected = self.builder.same(Operator::Scale, &[projected]);
        }
        let whole = attention.query_key_norm == Some(QueryKeyNorm::Projection);
        match whole && role != Projection::Value {
            true => projected,
            false => self.builder.same(Operator::Heads, &[projected]),
        }
    }

    /// Queries, beside a gate for what their heads return.
    fn gated_query(&mut self, attention: &GroupedAttention, input: ValueId) -> ValueId {
        let width = attention.heads * attention.head_dim;
        let both = self.builder.linear(input, 2 * width, attention.input_bias, Projection::Query);
        let half = Value { rows: self.shape.rows(), width };
        let parts = self.builder.push_all(Operator::Split, &[both], &[half, half]);
        self.gate = Some(self.builder.same(Operator::Copy, &[parts[1]]));
        self.builder.same(Operator::Heads, &[parts[0]])
    }

    /// Queries, keys and values as parts of one product, and that product.
    fn together(
        &mut self,
        attention: &GroupedAttention,
        input: ValueId,
    ) -> ([ValueId; 3], ValueId) {
        let GroupedAttention { heads, key_value_heads, head_dim, input_bias, .. } = *attention;
        let widths = [heads, key_value_heads, key_value_heads].map(|heads| heads * head_dim);
        let width = widths.iter().sum();
        let mut packed = self.builder.linear(input, width, input_bias, Projection::Packed);
        let by_head = attention.packing == Packing::ByHead;
        if by_head {
            packed = self.builder.same(Operator::Heads, &[packed]);
        }
        let cut = match attention.packing {
            Packing::Sliced => Operator::Slices,
            Packing::Split | Packing::ByHead | Packing::Apart => Operator::Split,
        };
        let rows = self.shape.rows();
        let parts = widths.map(|width| Value { rows, width });
        let parts = self.builder.push_all(cut, &[packed], &parts);
        if by_head {
            return ([parts[0], parts[1], parts[2]], packed);
        }
        let heads =
            [parts[0], parts[1], parts[2]].map(|part| self.builder.same(Operator::Heads, &[part]));
        (heads, packed)
    }

    fn query_key_norm(&mut self, attention: &GroupedAttention, input: ValueId) -> ValueId {
        let Some(norm) = attention.query_key_norm else { return input };
        let Value { rows, width } = self.builder.of(input);
        let (kind, head_dim) = (self.decoder.norm, attention.head_dim);
        let normed = match norm {
            QueryKeyNorm::Head => {
                // A row per head, so that each has its own statistic.
                let norm = Operator::Norm { kind, width: head_dim };
                self.builder.push(norm, &[input], rows * (width / head_dim), head_dim)
            }
            QueryKeyNorm::Projection => self.builder.same(Operator::Norm { kind, width }, &[input]),
        };
        self.builder.hold(&[input]);
        normed
    }

    pub(super) fn rotated(
        &mut self,
        attention: &GroupedAttention,
        value: ValueId,
        tables: Option<[ValueId; 2]>,
    ) -> ValueId {
        let Some([cosines, sines]) = tables else { return value };
        let GroupedAttention { head_dim, rotary_dim, packing, .. } = *attention;
        let operator = match self.decoder.positions {
            Positions::RotaryHalves => Operator::HalvesRotary,
            _ if packing == Packing::Sliced || rotary_dim < head_dim => {
                Operator::PartialRotary { head: head_dim, rotated: rotary_dim }
            }
            _ => Operator::Rotary,
        };
        self.builder.same(operator, &[value, cosines, sines])
    }

    /// Attention of every token to the ones before it.
    pub(super) const fn attention(&self, heads: u64, head_dim: u64, cached: u64) -> AttentionShape {
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
            dropout: false,
            wide_softmax: true,
            cached,
        }
    }

    pub(super) fn attend(&mut self, shape: AttentionShape, inputs: &[ValueId]) -> ValueId {
        let width = shape.heads * shape.value_dim;
        self.builder.push(Operator::Attention(shape), inputs, self.shape.rows(), width)
    }

    pub(super) fn dense(&mut self, dense: &Dense, input: ValueId) -> ValueId {
        let Dense { intermediate, gated, bias, packed } = *dense;
        let activation = Operator::Activation(self.decoder.activation);
        let builder = &mut self.builder;
        let mut variable = None;
        let inside = match (gated, packed) {
            (true, true) => {
                let both = builder.linear(input, 2 * intermediate, bias, Projection::Up);
                let half = Value { rows: builder.of(both).rows, width: intermediate };
                let parts = builder.push_all(Operator::Split, &[both], &[half, half]);
                let gate = builder.same(activation, &[parts[0]]);
                variable = Some(both);
                builder.same(Operator::Multiply, &[parts[1], gate])
            }
            (true, false) => {
                let gate = builder.linear(input, intermediate, bias, Projection::Gate);
                let gate = builder.same(activation, &[gate]);
                let up = builder.linear(input, intermediate, bias, Projection::Up);
                builder.same(Operator::Multiply, &[gate, up])
            }
            (false, _) => {
                let up = builder.linear(input, intermediate, bias, Projection::Up);
                let inside = builder.same(activation, &[up]);
                builder.hold(&[up]);
                inside
            }
        };
        let output = self.builder.linear(inside, self.decoder.hidden, bias, Projection::Down);
        self.builder.hold(&variable.into_iter().collect::<Vec<_>>());
        output
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
        let mut logits = self.builder.linear(scored, vocabulary, output_bias, role);
        if self.decoder.scales.logits {
            logits = self.builder.same(Operator::Scale, &[logits]);
        }
        if self.decoder.logit_soft_cap {
            self.builder.same(Operator::SoftCap, &[logits]);
        }
        self.builder.hold(&[normed]);
    }
}
