//! Passes over the weights: the next token of every sequence that is being written, and parts of prompts.

use rayon::prelude::*;

use crate::decoder::{DecoderModel, Segment, Wanted};
use crate::error::ModelError;
use crate::generator::Generator;
use crate::tokenizer::Tokenizer;

use super::sequence::{Sequence, Work};
use super::slot::{Slot, prepare};
use super::{Job, Limits, Request, Task};

/// Tokens of prompts in one pass while others are being written, whose next token waits for them.
const BESIDE_WRITING: usize = 128;
/// Scores that a pass makes at most where all tokens' are wanted: 64 MiB.
const MOST_SCORES: usize = 16 << 20;

/// A model with its slots.
pub(super) struct Passes<'a> {
    model: &'a DecoderModel,
    tokenizer: &'a Tokenizer,
    slots: Vec<Slot<'a>>,
    /// Requests so far.
    requests: u64,
}

/// What passes are made for: the two want different rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Write,
    Embed,
}

impl<'a> Passes<'a> {
    pub(super) fn new(model: &'a DecoderModel, tokenizer: &'a Tokenizer, limits: Limits) -> Self {
        let slot = |_index| Slot::new(model.cache_with(limits.context, limits.precision));
        let slots = (0..limits.slots.max(1)).map(slot).collect();
        Self { model, tokenizer, slots, requests: 0 }
    }

    /// Sequences that are being read or written.
    pub(super) fn running(&self) -> usize {
        self.slots.iter().filter(|slot| slot.sequence.is_some()).count()
    }

    /// Slots for further ones.
    pub(super) fn free(&self) -> usize {
        self.slots.len() - self.running()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running() == 0
    }

    /// Whether a request is to wait although a slot is free: another sequence is being read that begins as it does, and
    /// then that is read once for both.
    pub(super) fn holds_back(&self, request: &Request) -> bool {
        let beginning = beginning(request);
        self.slots.iter().any(|slot| slot.promises(beginning))
    }

    /// Gives a request a slot; there has to be one that is free.
    pub(super) fn admit(&mut self, job: Job) {
        self.requests += 1;
        if let Some((at, cached)) = prepare(&mut self.slots, beginning(&job.request), self.requests)
        {
            let sequence = Sequence::new(job, self.tokenizer, cached, self.requests);
            self.slots[at].sequence = Some(sequence);
        }
    }

    /// One pass for all sequences.
    pub(super) fn pass(&mut self) {
        for slot in &mut self.slots {
            if slot.sequence.as_ref().is_some_and(Sequence::is_given_up) {
                slot.sequence = None;
            }
        }
        for kind in [Kind::Write, Kind::Embed] {
            let counts = self.counts(kind);
            if counts.iter().any(|count| *count > 0)
                && let Err(error) = self.compute(kind, &counts)
            {
                self.fail(&counts, &error);
            }
        }
    }

    /// How many tokens of each slot take part in the next pass.
    fn counts(&self, kind: Kind) -> Vec<usize> {
        let mut counts = vec![0; self.slots.len()];
        let mut reading = Vec::new();
        for (at, slot) in self.slots.iter().enumerate() {
            match &slot.sequence {
                Some(sequence) if kind_of(sequence) == kind && sequence.is_read() => counts[at] = 1,
                Some(sequence) if kind_of(sequence) == kind => reading.push((sequence.number, at)),
                _ => {}
            }
        }
        let beside = self.slots.iter().filter_map(|slot| slot.sequence.as_ref());
        let is_written = beside.clone().any(Sequence::is_read);
        let mut room = if is_written { BESIDE_WRITING } else { Generator::AT_ONCE };
        if kind == Kind::Write && beside.clone().any(Sequence::wants_all) {
            room = room.min((MOST_SCORES / self.model.vocabulary().max(1)).max(1));
        }
        reading.sort_unstable();
        for (_, at) in reading {
            let slot = &self.slots[at];
            let all = slot.sequence.as_ref().map_or(0, |sequence| sequence.tokens.len());
            counts[at] = (all - slot.cache.length()).min(room);
            room -= counts[at];
        }
        counts
    }

    /// Reads the next tokens of slots, and gives each its rows.
    fn compute(&mut self, kind: Kind, counts: &[usize]) -> Result<(), ModelError> {
        let Self { model, slots, .. } = self;
        let mut segments = Vec::new();
        let mut rows_of = Vec::new();
        for (slot, count) in slots.iter_mut().zip(counts) {
            let Slot { cache, sequence: Some(sequence), .. } = slot else { continue };
            let seen = cache.length() + count;
            let wanted = match seen == sequence.tokens.len() {
                _ if sequence.wants_all() => Wanted::All,
                true => Wanted::Last,
                false => Wanted::None,
            };
            rows_of.push(match wanted {
                Wanted::All => *count,
                Wanted::Last => 1,
                Wanted::None => 0,
            });
            let tokens = sequence.tokens.get(cache.length()..seen).unwrap_or_default();
            if *count > 0 {
                segments.push(Segment { cache, tokens, wanted });
            }
        }
        let (rows, width) = match kind {
            Kind::Write => (model.forward(&mut segments)?, model.vocabulary()),
            Kind::Embed => (model.states(&mut segments)?, model.hidden()),
        };
        let mut rows = rows.as_slice();
        let mut shares = Vec::new();
        let busy = slots.iter_mut().zip(counts).filter(|(slot, _)| slot.sequence.is_some());
        for ((slot, count), rows_of) in busy.zip(rows_of) {
            if *count > 0 {
                let (share, rest) = rows.split_at(rows_of * width);
                rows = rest;
                shares.push((slot, share));
            }
        }
        shares.into_par_iter().for_each(|(slot, rows)| slot.take(kind, rows, width));
        Ok(())
    }

    /// Ends the sequences of a pass that failed.
    fn fail(&mut self, counts: &[usize], error: &ModelError) {
        for (slot, _) in self.slots.iter_mut().zip(counts).filter(|(_, count)| **count > 0) {
            if let Some(mut sequence) = slot.sequence.take() {
                sequence.fail(error);
            }
            slot.kept.truncate(slot.cache.length());
        }
    }
}

impl Slot<'_> {
    /// Takes the rows of a pass, and lets go of a sequence that is at its end.
    fn take(&mut self, kind: Kind, rows: &[f32], width: usize) {
        let Some(sequence) = &mut self.sequence else { return };
        let seen = self.cache.length();
        self.kept.extend_from_slice(sequence.tokens.get(self.kept.len()..seen).unwrap_or_default());
        let at_end = match kind {
            Kind::Write => sequence.write(rows, width, seen),
            Kind::Embed => sequence.embed(rows, width, seen),
        };
        if at_end {
            self.sequence = None;
        }
    }
}

const fn kind_of(sequence: &Sequence<'_>) -> Kind {
    match sequence.task {
        Work::Write(_) => Kind::Write,
        Work::Embed { .. } => Kind::Embed,
    }
}

/// What of a prompt may be taken from another sequence: the last token's scores are always wanted, and where all are
/// wanted nothing is known already.
fn beginning(request: &Request) -> &[u32] {
    let most = match &request.task {
        Task::Write(writing) if writing.scores.prompt.is_none() => request.prompt.len() - 1,
        _ => 0,
    };
    request.prompt.get(..most).unwrap_or_default()
}
