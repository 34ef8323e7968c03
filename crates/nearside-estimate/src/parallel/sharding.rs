//! What data-parallel devices do not keep twice, replayed: weights become shards that are gathered
//! unit by unit, gradients are reduced into shards, the optimizer works on its shard.
//!
//! The rules of `fully_shard` (torch/distributed/fsdp/_fully_shard, torch 2.9): every block is a
//! unit; what no block owns (embedding, last norm, output layer) is the root unit, which stays
//! gathered from its forward pass to the end of the backward pass. A gather takes a buffer of the
//! whole unit, then the unit's weights, copied out of it; in the forward pass the buffer lives until
//! the next unit's has been filled, in the backward pass the next unit's is filled one block ahead.
//! When a block's backward is done its weights are let go, the buffer of the last reduce-scatter
//! too, its gradients are copied into a new one, and the sum's shard stays.
//!
//! ZeRO-3 follows the same rules here. ZeRO-2 reduces gradients unit by unit like that and keeps
//! whole weights; ZeRO-1 is the optimizer's shard beside `DistributedDataParallel`, whose buckets are
//! as large as all gradients (torch documentation, `gradient_as_bucket_view`).

use std::borrow::Cow;

use nearside_units::Bytes;
use nearside_workload::{Offload, Optimizer, Sharding};

use crate::live::{Live, PieceId, Requests};
use crate::tape::{BLOCK, Category, Origin, Tape, TensorId};

/// How data-parallel devices share what they train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataGroup {
    /// What they do not keep twice.
    pub sharding: Sharding,
    /// What waits in the machine's memory.
    pub offload: Offload,
    /// How many they are.
    pub devices: u64,
}

impl DataGroup {
    /// One device by itself.
    pub const ALONE: Self = Self { sharding: Sharding::None, offload: Offload::None, devices: 1 };

    pub(crate) const fn gathers(&self) -> bool {
        let apart = matches!(self.sharding, Sharding::Zero3 | Sharding::Fsdp);
        apart && (self.devices > 1 || matches!(self.offload, Offload::Parameters))
    }

    const fn scatters(&self) -> bool {
        self.gathers() || (matches!(self.sharding, Sharding::Zero2) && self.devices > 1)
    }

    const fn buckets(&self) -> bool {
        matches!(self.sharding, Sharding::None | Sharding::Zero1) && self.devices > 1
    }

    /// What the device sees of an optimizer: nothing where the processor computes its step.
    #[must_use]
    pub const fn optimizer_on_device(&self, optimizer: Optimizer) -> Optimizer {
        match self.offload {
            Offload::None => optimizer,
            Offload::Optimizer | Offload::Parameters => Optimizer::Sgd,
        }
    }

    /// Size of one device's part.
    #[must_use]
    pub fn shard(&self, whole: u64) -> u64 {
        whole.div_ceil(self.devices.max(1))
    }

    /// The tape that one device loads: shards in place of weights where they are gathered.
    #[must_use]
    pub fn loaded<'tape>(&self, tape: &'tape Tape) -> Cow<'tape, Tape> {
        if !self.gathers() {
            return Cow::Borrowed(tape);
        }
        let mut loaded = tape.clone();
        for weight in tape.weights() {
            let storage = tape.of(weight).storage.index();
            let shard = Bytes::new(self.shard(tape.storages[storage].bytes.get()));
            loaded.storages[storage].bytes = match self.offload {
                Offload::Parameters => Bytes::ZERO,
                Offload::None | Offload::Optimizer => shard.rounded_up_to(BLOCK),
            };
        }
        Cow::Owned(loaded)
    }

    /// The tape whose weights are what one device's optimizer updates.
    #[must_use]
    pub fn optimized<'tape>(&self, tape: &'tape Tape) -> Cow<'tape, Tape> {
        if self.sharding == Sharding::None {
            return Cow::Borrowed(tape);
        }
        let mut optimized = tape.clone();
        for weight in tape.trained() {
            let tensor = &mut optimized.tensors[weight.index()];
            tensor.elements = self.shard(tensor.elements);
        }
        Cow::Owned(optimized)
    }
}

/// Weights that are gathered and whose gradients are reduced together.
struct Unit {
    weights: Vec<TensorId>,
    /// Sizes of the whole weights.
    whole: Vec<Bytes>,
    /// The shards of all weights, padded so that all are equal.
    shard: Bytes,
    /// The same of gradients.
    gradient_shard: Bytes,
    /// The gathered weights while they are there.
    gathered: Vec<PieceId>,
    /// The shard of the summed gradient.
    gradient: Option<PieceId>,
}

/// Which part of a tape a unit covers.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// Everything outside blocks.
    Root,
    /// The block that is this segment of the tape.
    Segment(usize),
}

/// The state of sharing while a tape is replayed.
pub(crate) struct Shared {
    group: DataGroup,
    /// The root unit, then one per block that owns weights.
    units: Vec<Unit>,
    /// Unit of each segment, where it has one of its own.
    of_segment: Vec<Option<usize>>,
    /// The buffer of the last gather of a forward pass.
    last_gather: Option<PieceId>,
    /// The unit that is gathered ahead, and its buffer.
    ahead: Option<(usize, PieceId)>,
    /// The buffer of the last reduce-scatter.
    last_scatter: Option<PieceId>,
}

const ROOT: usize = 0;

impl Shared {
    /// Units of a tape whose weights are whole.
    pub(crate) fn of(tape: &Tape, group: DataGroup) -> Self {
        let mut shared = Self {
            group,
            units: Vec::new(),
            of_segment: Vec::new(),
            last_gather: None,
            ahead: None,
            last_scatter: None,
        };
        if group.scatters() {
            (shared.units, shared.of_segment) = units(tape, &group);
        }
        shared
    }

    /// Buckets of gradients that stay.
    pub(crate) fn load<R: Requests>(&self, live: &mut Live<R>, tape: &Tape) {
        if self.group.buckets() {
            let bytes = tape.trained().map(|weight| tape.gradient_bytes(weight)).sum();
            live.take(bytes, Category::Gradients, "gradient buckets");
        }
    }

    fn unit(&self, place: Place) -> Option<usize> {
        match place {
            Place::Root => (!self.units.is_empty()).then_some(ROOT),
            Place::Segment(segment) => self.of_segment.get(segment).copied().flatten(),
        }
    }

    fn whole_buffer(&self, unit: usize) -> Bytes {
        self.units[unit].shard * self.group.devices
    }

    /// The buffer of a gather; shards that wait in the machine's memory come over first.
    fn fill<R: Requests>(&self, live: &mut Live<R>, unit: usize) -> PieceId {
        let waiting = self.group.offload == Offload::Parameters;
        let copies =
            waiting.then(|| live.take(self.units[unit].shard, Category::Weights, "bring shard"));
        let buffer = live.take(self.whole_buffer(unit), Category::Weights, "gather");
        if let Some(copy) = copies {
            live.give(copy);
        }
        buffer
    }

    fn copy_out<R: Requests>(&mut self, live: &mut Live<R>, unit: usize) {
        let unit = &mut self.units[unit];
        let take = |bytes: &Bytes| live.take(*bytes, Category::Weights, "gather");
        unit.gathered = unit.whole.iter().map(take).collect();
    }

    fn let_go<R: Requests>(&mut self, live: &mut Live<R>, unit: usize) {
        for piece in std::mem::take(&mut self.units[unit].gathered) {
            live.give(piece);
        }
    }

    /// A unit's forward pass is about to begin.
    pub(crate) fn before_forward<R: Requests>(&mut self, live: &mut Live<R>, place: Place) {
        let Some(unit) = self.unit(place).filter(|_| self.group.gathers()) else { return };
        let buffer = self.fill(live, unit);
        if let Some(last) = self.last_gather.replace(buffer) {
            live.give(last);
        }
        self.copy_out(live, unit);
    }

    /// A block's forward pass is over.
    pub(crate) fn after_forward<R: Requests>(&mut self, live: &mut Live<R>, segment: usize) {
        if let Some(unit) = self.unit(Place::Segment(segment)) {
            self.let_go(live, unit);
        }
    }

    /// The whole forward pass is over.
    pub(crate) fn end_forward<R: Requests>(&mut self, live: &mut Live<R>) {
        if let Some(last) = self.last_gather.take() {
            live.give(last);
        }
    }

    /// A unit's backward pass is about to begin; the root's is the first.
    pub(crate) fn before_backward<R: Requests>(&mut self, live: &mut Live<R>, place: Place) {
        let Some(unit) = self.unit(place).filter(|_| self.group.gathers()) else { return };
        if unit == ROOT {
            self.gather_ahead(live, self.units.len() - 1);
            return;
        }
        let buffer = match self.ahead.take() {
            Some((found, buffer)) if found == unit => buffer,
            _ => self.fill(live, unit),
        };
        self.copy_out(live, unit);
        live.give(buffer);
        self.gather_ahead(live, unit - 1);
    }

    fn gather_ahead<R: Requests>(&mut self, live: &mut Live<R>, unit: usize) {
        if unit != ROOT {
            let buffer = self.fill(live, unit);
            self.ahead = Some((unit, buffer));
        }
    }

    /// A unit's backward pass is over: its gradients are complete.
    pub(crate) fn after_backward<R: Requests>(
        &mut self,
        live: &mut Live<R>,
        place: Place,
        complete: &mut [Option<PieceId>],
    ) {
        let Some(unit) = self.unit(place).filter(|_| self.group.scatters()) else { return };
        self.let_go(live, unit);
        let weights = self.units[unit].weights.iter();
        let whole: Vec<_> = weights.filter_map(|weight| complete[weight.index()].take()).collect();
        if !whole.is_empty() {
            self.scatter(live, unit, whole);
        }
    }

    fn scatter<R: Requests>(&mut self, live: &mut Live<R>, unit: usize, gradients: Vec<PieceId>) {
        if let Some(last) = self.last_scatter.take() {
            live.give(last);
        }
        let shard = self.units[unit].gradient_shard;
        let buffer = live.take(shard * self.group.devices, Category::Gradients, "reduce scatter");
        for gradient in gradients {
            live.give(gradient);
        }
        let sum = live.take(shard, Category::Gradients, "reduce scatter");
        self.last_scatter = Some(buffer);
        let earlier = self.units[unit].gradient.is_some();
        if earlier || self.group.offload == Offload::Parameters {
            // Added to the shard of an earlier pass, or sent to the machine's memory.
            live.give(sum);
        } else {
            self.units[unit].gradient = Some(sum);
        }
    }

    /// The whole backward pass is over.
    pub(crate) fn end_backward<R: Requests>(&mut self, live: &mut Live<R>) {
        if let Some(last) = self.last_scatter.take() {
            live.give(last);
        }
    }

    /// The optimizer has used the gradients.
    pub(crate) fn clear<R: Requests>(&mut self, live: &mut Live<R>) {
        for unit in &mut self.units {
            if let Some(gradient) = unit.gradient.take() {
                live.give(gradient);
            }
        }
    }
}

/// The root unit, one of each block that owns weights, and which of them each segment has.
fn units(tape: &Tape, group: &DataGroup) -> (Vec<Unit>, Vec<Option<usize>>) {
    let mut owner: Vec<Option<Option<usize>>> = vec![None; tape.tensors.len()];
    let last = tape.segments.len().saturating_sub(1);
    for (index, segment) in tape.segments.iter().enumerate() {
        let inside = index != 0 && index != last;
        for input in tape.steps[segment.steps.clone()].iter().flat_map(|step| &step.inputs) {
            let here = if inside { Some(index) } else { None };
            let found = owner[input.tensor.index()].get_or_insert(here);
            if *found != here {
                *found = None;
            }
        }
    }
    let mut root = Vec::new();
    let mut owned = vec![Vec::new(); tape.segments.len()];
    for weight in tape.weights() {
        match owner[weight.index()].flatten() {
            Some(segment) => owned[segment].push(weight),
            None => root.push(weight),
        }
    }
    let mut units = vec![Unit::of(tape, root, group)];
    let mut of_segment = Vec::with_capacity(owned.len());
    for weights in owned {
        of_segment.push((!weights.is_empty()).then_some(units.len()));
        if !weights.is_empty() {
            units.push(Unit::of(tape, weights, group));
        }
    }
    (units, of_segment)
}

impl Unit {
    fn of(tape: &Tape, weights: Vec<TensorId>, group: &DataGroup) -> Self {
        let bytes = |weight: &TensorId| tape.storage_of(*weight).bytes;
        let shard = |bytes: Bytes| Bytes::new(group.shard(bytes.get()));
        let trained = weights.iter().filter(|weight| tape.of(**weight).differentiable);
        let gradient = |weight: &TensorId| {
            let tensor = tape.of(*weight);
            tensor.dtype.bytes(group.shard(tensor.elements))
        };
        debug_assert!(weights.iter().all(|weight| tape.of(*weight).origin == Origin::Weight));
        Self {
            whole: weights.iter().map(bytes).collect(),
            shard: weights
                .iter()
                .map(|weight| shard(bytes(weight)))
                .sum::<Bytes>()
                .rounded_up_to(BLOCK),
            gradient_shard: trained.map(gradient).sum::<Bytes>().rounded_up_to(BLOCK),
            weights,
            gathered: Vec::new(),
            gradient: None,
        }
    }
}
