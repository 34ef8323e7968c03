//! The tensors of a folder as a GGUF file has them: every one that the architecture has, with its shape checked.
//!
//! Matrices stay where they lie; what has one dimension is made here: in 32 bits, with one added to the norms of Gemma.

use std::collections::BTreeSet;

use nearside_architecture::{
    Dense, Dtype, Experts, FeedForward, GroupedAttention, Layer, Mixer, Norm, NormPlacement,
    Packing, QueryKeyNorm,
};

use crate::bytes::Bytes;
use crate::error::ModelError;
use crate::numerics::{Rope, Scaling};
use crate::stored::{Naming, Part};

use super::super::error::QuantizeError;
use super::super::source::{RowOrder, SourceTensor, half_row};
use super::family::Turned;
use super::{Folder, unconvertible};

/// Ends of names of what is computed anew and not weights.
const COMPUTED: [&str; 4] =
    ["rotary_emb.inv_freq", "rotary_pos_emb.inv_freq", "attention.masked_bias", "attn.masked_bias"];
/// The most names that are told.
const TOLD: usize = 3;

/// All of them, and what was left out.
pub(super) fn of(folder: &Folder<'_>) -> Result<(Vec<SourceTensor>, Vec<String>), QuantizeError> {
    let mut made = Tensors { folder, tensors: Vec::new(), used: BTreeSet::new() };
    let decoder = folder.decoder;
    let (hidden, vocabulary) = (decoder.hidden as usize, decoder.vocabulary as usize);
    made.matrix(Part::Embedding, None, [vocabulary, hidden])?;
    if decoder.tied_embeddings {
        made.used.insert(folder.stored.name(Part::Output, None));
    } else {
        made.matrix(Part::Output, None, [vocabulary, hidden])?;
    }
    made.norm(Part::OutputNorm, Part::OutputNorm, None, hidden)?;
    for (index, layer) in decoder.layers.iter().enumerate() {
        made.layer(index, layer)?;
    }
    made.ropes()?;
    let left_out = made.left_out()?;
    Ok((made.tensors, left_out))
}

struct Tensors<'a> {
    folder: &'a Folder<'a>,
    tensors: Vec<SourceTensor>,
    /// Names in the folder of what was taken.
    used: BTreeSet<String>,
}

impl Tensors<'_> {
    fn layer(&mut self, index: usize, layer: &Layer) -> Result<(), QuantizeError> {
        let hidden = self.folder.decoder.hidden as usize;
        self.norms(index, layer.norms, hidden)?;
        match &layer.mixer {
            Mixer::Grouped(attention) => self.attention(index, attention, hidden)?,
            _ => {
                return Err(unconvertible(format!(
                    "layer {index} has no attention of the usual kind"
                )));
            }
        }
        match &layer.feed_forward {
            FeedForward::Dense(dense) => self.dense(index, dense, hidden),
            FeedForward::Experts(experts) => self.experts(index, experts, hidden),
            FeedForward::Absent => Err(unconvertible(format!("layer {index} has no feed-forward"))),
        }
    }

    fn norms(
        &mut self,
        layer: usize,
        placement: NormPlacement,
        hidden: usize,
    ) -> Result<(), QuantizeError> {
        let sandwich = placement == NormPlacement::Sandwich;
        if !sandwich && placement != NormPlacement::Before {
            return Err(unconvertible("its norms stand elsewhere than before or around each part"));
        }
        let before = self.folder.stored.naming.feed_forward_norm(placement);
        let mut parts =
            vec![(Part::AttentionNorm, Part::AttentionNorm), (before, Part::FeedForwardNorm)];
        if sandwich {
            parts.extend(
                [Part::AfterAttentionNorm, Part::AfterFeedForwardNorm].map(|part| (part, part)),
            );
        }
        parts.into_iter().try_for_each(|(from, to)| self.norm(from, to, Some(layer), hidden))
    }

    fn attention(
        &mut self,
        layer: usize,
        sizes: &GroupedAttention,
        hidden: usize,
    ) -> Result<(), QuantizeError> {
        let [queries, keys, width] =
            [sizes.heads, sizes.key_value_heads, sizes.head_dim].map(|size| size as usize);
        let (wide, narrow) = (queries * width, keys * width);
        match sizes.packing {
            Packing::Apart => {
                let order = match self.folder.family.pairs {
                    Turned::Halves => RowOrder::Kept,
                    Turned::Neighbours => RowOrder::Halves { head: width },
                };
                for (part, rows, order) in [
                    (Part::Query, wide, order),
                    (Part::Key, narrow, order),
                    (Part::Value, narrow, RowOrder::Kept),
                ] {
                    self.matrix(part, Some(layer), [rows, hidden])?;
                    self.reorder(order);
                }
                if sizes.input_bias {
                    self.vector(Part::QueryBias, layer, wide, order)?;
                    self.vector(Part::KeyBias, layer, narrow, order)?;
                    self.vector(Part::ValueBias, layer, narrow, RowOrder::Kept)?;
                }
            }
            Packing::Sliced if !sizes.input_bias => {
                self.matrix(Part::Packed, Some(layer), [wide + 2 * narrow, hidden])?;
            }
            _ => {
                return Err(unconvertible(
                    "its queries, keys and values are packed in another way",
                ));
            }
        }
        self.matrix(Part::AttentionOutput, Some(layer), [hidden, wide])?;
        if sizes.output_bias {
            self.vector(Part::AttentionOutputBias, layer, hidden, RowOrder::Kept)?;
        }
        for (part, heads) in [(Part::QueryNorm, queries), (Part::KeyNorm, keys)] {
            match sizes.query_key_norm {
                None => {}
                Some(QueryKeyNorm::Head) => self.norm(part, part, Some(layer), width)?,
                Some(QueryKeyNorm::Projection) => {
                    self.norm(part, part, Some(layer), heads * width)?;
                }
            }
        }
        Ok(())
    }

    fn dense(&mut self, layer: usize, sizes: &Dense, hidden: usize) -> Result<(), QuantizeError> {
        let inner = sizes.intermediate as usize;
        if sizes.bias || !sizes.gated {
            return Err(unconvertible("its feed-forward has biases, or no gate"));
        }
        if sizes.packed {
            self.matrix(Part::PackedUp, Some(layer), [2 * inner, hidden])?;
        } else {
            self.matrix(Part::Gate, Some(layer), [inner, hidden])?;
            self.matrix(Part::Up, Some(layer), [inner, hidden])?;
        }
        self.matrix(Part::Down, Some(layer), [hidden, inner])
    }

    fn experts(
        &mut self,
        layer: usize,
        sizes: &Experts,
        hidden: usize,
    ) -> Result<(), QuantizeError> {
        let (count, inner) = (sizes.count as usize, sizes.expert.intermediate as usize);
        if sizes.router_bias || sizes.expert.bias {
            return Err(unconvertible("its experts, or what chooses them, have biases"));
        }
        self.matrix(Part::Router, Some(layer), [count, hidden])?;
        for (part, shape) in [
            (Part::ExpertGates, [inner, hidden]),
            (Part::ExpertUps, [inner, hidden]),
            (Part::ExpertDowns, [hidden, inner]),
        ] {
            self.stacked(part, layer, count, shape)?;
        }
        let Some(shared) = &sizes.shared else { return Ok(()) };
        let inner = shared.intermediate as usize;
        self.matrix(Part::SharedGate, Some(layer), [inner, hidden])?;
        self.matrix(Part::SharedUp, Some(layer), [inner, hidden])?;
        self.matrix(Part::SharedDown, Some(layer), [hidden, inner])?;
        match sizes.shared_gate {
            true => self.matrix(Part::SharedShare, Some(layer), [1, hidden]),
            false => Ok(()),
        }
    }

    /// A matrix as it lies.
    fn matrix(
        &mut self,
        part: Part,
        layer: Option<usize>,
        shape: [usize; 2],
    ) -> Result<(), QuantizeError> {
        let name = self.folder.stored.name(part, layer);
        let (dtype, bytes) = self.take(&name, shape)?;
        let shape = shape.map(|size| size as u64).to_vec();
        self.push(part, layer, (dtype, shape), vec![bytes]);
        Ok(())
    }

    /// Matrices of experts, which follow each other in one tensor.
    fn stacked(
        &mut self,
        part: Part,
        layer: usize,
        count: usize,
        [rows, width]: [usize; 2],
    ) -> Result<(), QuantizeError> {
        let shape = [count, rows, width].map(|size| size as u64).to_vec();
        let stored = self.folder.stored;
        if stored.expert_name(part, layer, 0).is_none() {
            let (dtype, bytes) =
                self.take(&stored.name(part, Some(layer)), [count * rows, width])?;
            self.push(part, Some(layer), (dtype, shape), vec![bytes]);
            return Ok(());
        }
        let (mut pieces, mut dtypes) = (Vec::with_capacity(count), BTreeSet::new());
        for expert in 0..count {
            let usual = || stored.naming.expert_names(part, layer, expert).swap_remove(0);
            let name = stored.expert_name(part, layer, expert).unwrap_or_else(usual);
            let (dtype, bytes) = self.take(&name, [rows, width])?;
            dtypes.insert(dtype);
            pieces.push(bytes);
        }
        let [dtype] = dtypes.into_iter().collect::<Vec<_>>()[..] else {
            let name = Naming::Gguf.name(part, Some(layer));
            return Err(unconvertible(format!("experts of {name} are stored in several types")));
        };
        self.push(part, Some(layer), (dtype, shape), pieces);
        Ok(())
    }

    fn push(
        &mut self,
        part: Part,
        layer: Option<usize>,
        (dtype, shape): (Dtype, Vec<u64>),
        pieces: Vec<Bytes>,
    ) {
        let name = Naming::Gguf.name(part, layer);
        self.tensors.push(SourceTensor::stored(name, shape, dtype, pieces));
    }

    /// Says how rows of the last tensor lie.
    fn reorder(&mut self, order: RowOrder) {
        if let Some(last) = self.tensors.last_mut() {
            last.order = order;
        }
    }

    /// A norm; those of Gemma say what is added to one.
    fn norm(
        &mut self,
        from: Part,
        to: Part,
        layer: Option<usize>,
        width: usize,
    ) -> Result<(), QuantizeError> {
        let mut scales = self.numbers(from, layer, width)?;
        if self.folder.decoder.norm == Norm::RmsOffset {
            scales.iter_mut().for_each(|scale| *scale += 1.0);
        }
        self.made(Naming::Gguf.name(to, layer), &scales);
        Ok(())
    }

    /// A bias, in the order of the rows that it is added to.
    fn vector(
        &mut self,
        part: Part,
        layer: usize,
        width: usize,
        order: RowOrder,
    ) -> Result<(), QuantizeError> {
        let numbers = self.numbers(part, Some(layer), width)?;
        let ordered: Vec<f32> = match order {
            RowOrder::Kept => numbers,
            RowOrder::Halves { head } => {
                let lies = (0..width).map(|wanted| numbers.get(half_row(wanted, head)).copied());
                lies.map(Option::unwrap_or_default).collect()
            }
        };
        self.made(Naming::Gguf.name(part, Some(layer)), &ordered);
        Ok(())
    }

    fn numbers(
        &mut self,
        part: Part,
        layer: Option<usize>,
        width: usize,
    ) -> Result<Vec<f32>, QuantizeError> {
        self.take(&self.folder.stored.name(part, layer), [1, width])?;
        Ok(self.folder.stored.vector(part, layer, width)?)
    }

    /// A tensor of these numbers.
    fn made(&mut self, name: String, numbers: &[f32]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let (shape, pieces) = (vec![numbers.len() as u64], vec![Bytes::from(bytes)]);
        self.tensors.push(SourceTensor::stored(name, shape, Dtype::F32, pieces));
    }

    /// What positions are divided by, where that is a number for each pair.
    fn ropes(&mut self) -> Result<(), QuantizeError> {
        let rope = &self.folder.numerics.rope;
        let Some(Mixer::Grouped(attention)) =
            self.folder.decoder.layers.first().map(|layer| &layer.mixer)
        else {
            return Ok(());
        };
        let width = attention.rotary_dim as usize;
        match &rope.scaling {
            Scaling::Llama3 { .. } => {
                let plain = Rope { scaling: Scaling::None, ..rope.clone() }.speeds(width, 0).speeds;
                let scaled = rope.speeds(width, 0).speeds;
                let divisors = plain.iter().zip(scaled).map(|(plain, scaled)| plain / scaled);
                let divisors: Vec<f32> = divisors.map(|divisor| divisor as f32).collect();
                self.made("rope_freqs.weight".to_owned(), &divisors);
            }
            Scaling::ByPair { short, long, .. } => {
                for (name, numbers) in [("short", short), ("long", long)] {
                    if numbers.len() != width / 2 {
                        let (found, expected) = (numbers.len(), width / 2);
                        return Err(unconvertible(format!(
                            "rope_scaling has {found} {name} factors for {expected} pairs"
                        )));
                    }
                    let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
                    self.made(format!("rope_factors_{name}.weight"), &numbers);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The type and bytes of a tensor of the folder, which is then no longer to be taken.
    fn take(
        &mut self,
        name: &str,
        [rows, width]: [usize; 2],
    ) -> Result<(Dtype, Bytes), QuantizeError> {
        self.folder.stored.named_matrix(name, [rows, width])?;
        let absent = || ModelError::Absent { name: name.to_owned() };
        let tensor = self.folder.stored.tensors.get(name).ok_or_else(absent)?;
        if !tensor.dtype.is_float() {
            let dtype = tensor.dtype;
            return Err(unconvertible(format!("{name} is {dtype}, and no floating-point numbers")));
        }
        self.used.insert(name.to_owned());
        Ok((tensor.dtype, tensor.bytes.clone()))
    }

    /// What was not taken: an error for tensors of layers, a sentence for those of other parts of the model.
    fn left_out(&self) -> Result<Vec<String>, QuantizeError> {
        let stored = self.folder.stored;
        let computed = |name: &str| COMPUTED.iter().any(|end| name.ends_with(end));
        let left: Vec<&str> = stored.tensors.keys().map(String::as_str).collect();
        let left: Vec<&str> =
            left.into_iter().filter(|name| !self.used.contains(*name) && !computed(name)).collect();
        let layers = stored.name(Part::AttentionNorm, Some(0));
        let layers = layers.split_once("layers.").map_or("", |(prefix, _)| prefix);
        let of_text = format!("{layers}layers.");
        if let Some(name) = left.iter().find(|name| name.starts_with(&of_text)) {
            let family = self.folder.family.gguf;
            return Err(unconvertible(format!("{name} has no place in a file of {family}")));
        }
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let (told, more) = (left.iter().take(TOLD), left.len().saturating_sub(TOLD));
        let told = told.copied().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} others") } else { String::new() };
        Ok(vec![format!("tensors of other parts than the decoder are left out: {told}{more}")])
    }
}
