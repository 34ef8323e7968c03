//! What goes into the matrices of a model while it reads text: the sum of squares of every column.
//!
//! That is what weights of importance are made of. A model that nobody observes asks one question more for each product.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use nearside_architecture::{Architecture, FeedForward as FeedForwardSizes, Mixer, Packing};

use crate::adapter::LowRank;
use crate::kernel::Input;
use crate::matrix::Matrix;
use crate::quantize::ColumnSums;
use crate::stored::{Naming, Part, StoredModel};

use super::{DecoderModel, Dense, Experts, FeedForward, Layer, Projection};

/// Sums of one matrix.
#[derive(Debug)]
pub(super) struct Observed(Mutex<Sums>);

#[derive(Debug)]
struct Sums {
    squares: Vec<f64>,
    rows: u64,
}

/// Sums of all matrices of a model, while it is observed.
#[derive(Debug)]
pub struct Observation {
    /// By the name that GGUF files have for a matrix, each expert in its place.
    sums: BTreeMap<String, Vec<Arc<Observed>>>,
}

impl Projection {
    pub(super) const fn new(matrix: Matrix, bias: Option<Vec<f32>>) -> Self {
        Self { matrix, bias, change: None, observed: None }
    }

    /// The same with what an adapter adds.
    pub(super) fn changed(self, change: Option<LowRank>) -> Self {
        Self { change, ..self }
    }

    /// Adds what goes in, if somebody wants to know.
    pub(super) fn observe(&self, input: &Input<'_>) {
        let Some(Observed(sums)) = self.observed.as_deref() else { return };
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        let width = sums.squares.len();
        for row in input.values().chunks_exact(width) {
            for (sum, value) in sums.squares.iter_mut().zip(row) {
                *sum += f64::from(*value).powi(2);
            }
            sums.rows += 1;
        }
    }
}

impl DecoderModel {
    /// Begins to observe what goes into the model's matrices; `stored` is what it was put together from.
    pub fn observe(&mut self, stored: &StoredModel) -> Observation {
        let mut observation = Observation { sums: BTreeMap::new() };
        let Architecture::Decoder(decoder) = &stored.architecture else { return observation };
        for (index, (layer, sizes)) in self.layers.iter_mut().zip(&decoder.layers).enumerate() {
            let packed = matches!(&sizes.mixer, Mixer::Grouped(attention) if attention.packing != Packing::Apart);
            let up_packed =
                matches!(&sizes.feed_forward, FeedForwardSizes::Dense(dense) if dense.packed);
            observation.layer(index, layer, [packed, up_packed]);
        }
        observation
    }
}

impl Observation {
    /// What was added up until now.
    #[must_use]
    pub fn sums(&self) -> BTreeMap<String, ColumnSums> {
        let of = |experts: &Vec<Arc<Observed>>| {
            let mut all = ColumnSums::default();
            for Observed(sums) in experts.iter().map(AsRef::as_ref) {
                let sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                all.squares.extend(sums.squares.iter().map(|sum| *sum as f32));
                all.counts.push(sums.rows as f32);
            }
            all
        };
        self.sums.iter().map(|(name, experts)| (name.clone(), of(experts))).collect()
    }

    /// Observes a layer; queries, keys and values, or gate and what is gated, may be one matrix.
    fn layer(&mut self, index: usize, layer: &mut Layer, [packed, up_packed]: [bool; 2]) {
        let attention = &mut layer.attention;
        if packed {
            self.one(index, Part::Packed, &mut attention.query);
        } else {
            self.one(index, Part::Query, &mut attention.query);
            self.one(index, Part::Key, &mut attention.key);
            self.one(index, Part::Value, &mut attention.value);
        }
        self.one(index, Part::AttentionOutput, &mut attention.output);
        match &mut layer.feed_forward {
            FeedForward::Dense(dense) => {
                let gate = (!up_packed).then_some(Part::Gate);
                self.network(index, dense, [gate, Some(Part::Up), Some(Part::Down)]);
            }
            FeedForward::Experts(experts) => self.experts(index, experts),
        }
    }

    fn experts(&mut self, index: usize, experts: &mut Experts) {
        let parts = [Part::ExpertGates, Part::ExpertUps, Part::ExpertDowns].map(Some);
        for expert in &mut experts.experts {
            self.network(index, expert, parts);
        }
        if let Some(shared) = &mut experts.shared {
            let parts = [Part::SharedGate, Part::SharedUp, Part::SharedDown].map(Some);
            self.network(index, &mut shared.network, parts);
        }
    }

    fn network(&mut self, index: usize, dense: &mut Dense, parts: [Option<Part>; 3]) {
        let matrices = [dense.gate.as_mut(), Some(&mut dense.up), Some(&mut dense.down)];
        for (part, matrix) in parts.into_iter().zip(matrices) {
            if let (Some(part), Some(matrix)) = (part, matrix) {
                self.one(index, part, matrix);
            }
        }
    }

    fn one(&mut self, layer: usize, part: Part, projection: &mut Projection) {
        let squares = vec![0.0; projection.matrix.width()];
        let observed = Arc::new(Observed(Mutex::new(Sums { squares, rows: 0 })));
        projection.observed = Some(Arc::clone(&observed));
        let name = Naming::Gguf.name(part, Some(layer));
        self.sums.entry(name).or_default().push(observed);
    }
}
