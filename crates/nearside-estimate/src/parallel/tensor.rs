//! The graph of one of several tensor-parallel devices.
//!
//! Megatron-LM (arXiv 1909.08053, section 3): projections into attention and feed-forward networks
//! are split by columns, those back by rows, so that each device has some heads and some of the
//! hidden units and one sum per branch joins them; embedding and output layer are split by vocabulary.
//! Key-value heads that are fewer than devices are repeated. With a split stream (arXiv 2205.05198)
//! norms and the residual stream hold a part of the rows, and each sum becomes a reduce-scatter and
//! a gather.

use std::collections::BTreeSet;

use nearside_architecture::{
    AttentionShape, Graph, Linear, Node, Operator, Projection, Value, ValueId,
};
use nearside_workload::Stream;

use super::NotShared;
use crate::communication::Collective;

/// One device's graph, and what it exchanges.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// What one device computes.
    pub graph: Graph,
    /// Elements that are exchanged in a forward pass.
    pub forward: Vec<(Collective, u64)>,
    /// Elements that are exchanged in a backward pass.
    pub backward: Vec<(Collective, u64)>,
}

/// What a device has of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// Some of its width: heads, hidden units.
    Width(u64),
    /// Some of its rows, each of which is a head.
    Heads(u64),
    /// Some of its rows, each of which is a token.
    Tokens(u64),
}

/// Shares a graph among so many devices.
///
/// # Errors
/// When heads or hidden units do not divide evenly, or the model has parts without a shared form.
pub fn share(graph: &Graph, ways: u64, stream: Stream) -> Result<Share, NotShared> {
    let mut sharing = Sharing {
        whole: graph,
        ways,
        stream,
        parts: vec![Part::Whole; graph.values.len()],
        share: Share { graph: graph.clone(), forward: Vec::new(), backward: Vec::new() },
        read: BTreeSet::new(),
    };
    if ways > 1 {
        for index in 0..graph.nodes.len() {
            sharing.node(index)?;
        }
        sharing.cut_values();
    }
    Ok(sharing.share)
}

struct Sharing<'a> {
    whole: &'a Graph,
    ways: u64,
    stream: Stream,
    parts: Vec<Part>,
    share: Share,
    /// Values whose gradient has been summed up once: products that read the same one share it.
    read: BTreeSet<usize>,
}

impl Sharing<'_> {
    fn node(&mut self, index: usize) -> Result<(), NotShared> {
        let node = &self.whole.nodes[index];
        let input = node.inputs.first().map_or(Part::Whole, |input| self.parts[input.0]);
        let (operator, part) = match &node.operator {
            Operator::Embedding { rows, width } => {
                self.summed(node);
                let rows = rows.div_ceil(self.ways);
                (Operator::Embedding { rows, width: *width }, self.joined())
            }
            Operator::Linear(linear) => {
                let (linear, part) = self.linear(index, node, linear, input)?;
                (Operator::Linear(linear), part)
            }
            Operator::ExpertLinear { count, linear } => {
                let (linear, part) = self.linear(index, node, linear, input)?;
                (Operator::ExpertLinear { count: *count, linear }, part)
            }
            Operator::Attention(shape) => {
                (Operator::Attention(self.attention(shape)?), Part::Width(self.ways))
            }
            Operator::Norm { kind, width } => match (input, self.rows_are_heads(node)) {
                (Part::Width(by), false) => {
                    (Operator::Norm { kind: *kind, width: width / by }, input)
                }
                (Part::Width(by), true) => (node.operator.clone(), Part::Heads(by)),
                _ => (node.operator.clone(), input),
            },
            Operator::LearnedScale { width } => {
                let by = if let Part::Width(by) = input { by } else { 1 };
                (Operator::LearnedScale { width: width / by }, input)
            }
            Operator::RotaryTable | Operator::Mask => (node.operator.clone(), Part::Whole),
            Operator::Convolution(_) | Operator::MaxPool | Operator::Mean | Operator::Resample => {
                return Err(NotShared::Operator {
                    what: "convolutions among tensor-parallel devices",
                });
            }
            Operator::Route { .. } | Operator::Dispatch if self.stream == Stream::Split => {
                return Err(NotShared::Operator { what: "a mixture of experts by sequence" });
            }
            same @ (Operator::PositionTable { .. }
            | Operator::Route { .. }
            | Operator::Dispatch
            | Operator::Combine
            | Operator::Heads
            | Operator::Rotary
            | Operator::Activation(_)
            | Operator::Multiply
            | Operator::Add
            | Operator::SoftCap
            | Operator::Scale
            | Operator::Last
            | Operator::Dropout
            | Operator::Concatenate
            | Operator::Split
            | Operator::Slices
            | Operator::Gate
            | Operator::JoinHeads
            | Operator::PartialRotary { .. }
            | Operator::Copy) => (same.clone(), input),
            _ => {
                return Err(NotShared::Operator {
                    what: "this family's layers among tensor-parallel devices",
                });
            }
        };
        self.share.graph.nodes[index].operator = operator;
        for output in &node.outputs {
            self.parts[output.0] = part;
        }
        Ok(())
    }

    /// What the residual stream is.
    const fn joined(&self) -> Part {
        match self.stream {
            Stream::Whole => Part::Whole,
            Stream::Split => Part::Tokens(self.ways),
        }
    }

    fn rows_are_heads(&self, node: &Node) -> bool {
        let input = node.inputs.first().map(|input| self.whole.values[input.0].width);
        input != Some(self.whole.output(node).width)
    }

    fn linear(
        &mut self,
        index: usize,
        node: &Node,
        linear: &Linear,
        input: Part,
    ) -> Result<(Linear, Part), NotShared> {
        match linear.role {
            Projection::Query
            | Projection::Key
            | Projection::Value
            | Projection::Packed
            | Projection::Gate
            | Projection::Up
            | Projection::Output
            | Projection::TiedOutput => {
                let by = self.columns(index, linear)?;
                if let Some(input) = node.inputs.first() {
                    self.read_by_columns(*input);
                }
                Ok((
                    Linear { output: linear.output.div_ceil(by), ..linear.clone() },
                    Part::Width(by),
                ))
            }
            Projection::AttentionOutput | Projection::Down => {
                let Part::Width(by) = input else {
                    return Err(NotShared::Operator { what: "a projection of whole heads" });
                };
                self.summed(node);
                Ok((Linear { input: linear.input / by, ..linear.clone() }, self.joined()))
            }
            Projection::State | Projection::StateOutput => Err(NotShared::Operator {
                what: "a mixer with a state among tensor-parallel devices",
            }),
            Projection::Latent | Projection::Router | Projection::WideRouter
                if self.stream == Stream::Split =>
            {
                Err(NotShared::Operator { what: "latent attention or experts by sequence" })
            }
            Projection::Latent | Projection::Router | Projection::WideRouter => {
                Ok((linear.clone(), input))
            }
            Projection::Modulation | Projection::Pooler => Err(NotShared::Operator {
                what: "modulation and poolers among tensor-parallel devices",
            }),
        }
    }

    /// Among how many the columns of a projection are split.
    fn columns(&self, index: usize, linear: &Linear) -> Result<u64, NotShared> {
        let ways = self.ways;
        let later = self.whole.nodes[index..].iter();
        let attention = later.filter_map(|node| match &node.operator {
            Operator::Attention(shape) => Some(shape),
            _ => None,
        });
        let attention = attention.into_iter().next();
        let by = match (linear.role, attention) {
            // Padded to a multiple, as Megatron does.
            (Projection::Output | Projection::TiedOutput, _) => return Ok(ways),
            (Projection::Key | Projection::Value, Some(shape)) if !is_latent(shape) => {
                shape.key_value_heads / self.key_value_heads(shape)?
            }
            (Projection::Packed, Some(shape)) if shape.heads != shape.key_value_heads => {
                return Err(NotShared::Operator { what: "packed projections of shared key heads" });
            }
            _ => ways,
        };
        match linear.output % by {
            0 => Ok(by),
            _ => Err(NotShared::Indivisible { what: "width", count: linear.output, ways }),
        }
    }

    /// Key-value heads of one device: its part of them, or one that others have too.
    fn key_value_heads(&self, shape: &AttentionShape) -> Result<u64, NotShared> {
        let (heads, ways) = (shape.key_value_heads, self.ways);
        match (heads % ways, ways % heads.max(1)) {
            (0, _) => Ok(heads / ways),
            (_, 0) => Ok(1),
            _ => Err(NotShared::Indivisible { what: "key-value heads", count: heads, ways }),
        }
    }

    fn attention(&self, shape: &AttentionShape) -> Result<AttentionShape, NotShared> {
        if !shape.heads.is_multiple_of(self.ways) {
            let what = "attention heads";
            return Err(NotShared::Indivisible { what, count: shape.heads, ways: self.ways });
        }
        let key_value_heads = self.key_value_heads(shape)?;
        // A latent vector is read by every head, so that every device keeps it.
        let cached = match is_latent(shape) {
            true => shape.cached,
            false => shape.cached / shape.key_value_heads.max(1) * key_value_heads,
        };
        Ok(AttentionShape {
            heads: shape.heads / self.ways,
            key_value_heads,
            cached,
            ..shape.clone()
        })
    }

    /// Products that read a value by columns: its gradient is a sum over devices.
    fn read_by_columns(&mut self, input: ValueId) {
        if !self.read.insert(input.0) {
            return;
        }
        let elements = self.whole.values[input.0].elements();
        match self.stream {
            Stream::Whole => self.share.backward.push((Collective::AllReduce, elements)),
            Stream::Split => {
                self.share.forward.push((Collective::AllGather, elements));
                let again = [Collective::AllGather, Collective::ReduceScatter];
                self.share.backward.extend(again.map(|collective| (collective, elements)));
            }
        }
    }

    /// What a node makes is a sum over devices.
    fn summed(&mut self, node: &Node) {
        let elements = self.whole.output(node).elements();
        match self.stream {
            Stream::Whole => self.share.forward.push((Collective::AllReduce, elements)),
            Stream::Split => {
                self.share.forward.push((Collective::ReduceScatter, elements));
                self.share.backward.push((Collective::AllGather, elements));
            }
        }
    }

    fn cut_values(&mut self) {
        for (value, part) in self.share.graph.values.iter_mut().zip(&self.parts) {
            let Value { rows, width } = *value;
            *value = match part {
                Part::Whole => *value,
                Part::Width(by) => Value { width: width.div_ceil(*by), rows },
                Part::Heads(by) | Part::Tokens(by) => Value { rows: rows.div_ceil(*by), width },
            };
        }
    }
}

/// Whether keys and values are rebuilt from a latent vector.
const fn is_latent(shape: &AttentionShape) -> bool {
    shape.cached != shape.key_value_heads * (shape.key_dim + shape.value_dim)
}
