//! One stage of a pipeline: some of the tape's blocks, with what comes in received from the stage
//! before.
//!
//! Stages take turns, one forward, one backward (1F1B): stage `s` of `p` has `p - s` micro-batches in
//! flight at most, so the first keeps most activations, and a step of `m` micro-batches takes
//! `m + p - 1` turns (Narayanan et al., arXiv 2104.04473, sections 2.2 and 2.3).

use std::ops::Range;

use crate::parallel::NotShared;
use crate::tape::{Few, Origin, Segment, Step, Tape, TensorId, Work};
use nearside_units::Bytes;

/// Segments of every stage: blocks are shared evenly, the first stage has what comes before them, the
/// last one what comes after.
///
/// # Errors
/// When there are fewer blocks than stages.
pub fn stages(tape: &Tape, ways: u64) -> Result<Vec<Range<usize>>, NotShared> {
    let all = tape.segments.len();
    let blocks = all.saturating_sub(2);
    let count = usize::try_from(ways).unwrap_or(usize::MAX);
    if count > blocks.max(1) {
        return Err(NotShared::Indivisible { what: "blocks", count: blocks as u64, ways });
    }
    // The first stages take one block more where they do not divide evenly.
    let end = |stage: usize| 1 + (stage + 1) * (blocks / count) + (stage + 1).min(blocks % count);
    let range = |stage: usize| {
        let start = if stage == 0 { 0 } else { end(stage - 1) };
        start..(if stage + 1 == count { all } else { end(stage) })
    };
    Ok((0..count).map(range).collect())
}

/// Micro-batches whose activations a stage keeps at once.
#[must_use]
pub fn in_flight(stage: u64, stages: u64, micro_batches: u64) -> u64 {
    stages.saturating_sub(stage).min(micro_batches).max(1)
}

/// Turns of a step over those of a pipeline without a bubble.
#[must_use]
pub fn turns(stages: u64, micro_batches: u64) -> f64 {
    let micro_batches = micro_batches.max(1);
    (micro_batches + stages.saturating_sub(1)) as f64 / micro_batches as f64
}

/// The tape of one stage.
#[must_use]
pub fn stage(tape: &Tape, segments: Range<usize>) -> Tape {
    let steps = steps(tape, &segments);
    let mut stage = tape.clone();
    let used = used(tape, &steps);
    let mut received = Vec::new();
    for (index, tensor) in stage.tensors.iter_mut().enumerate() {
        match tensor.origin {
            // What other stages load is not there.
            Origin::Weight | Origin::Buffer if !used.read[index] => tensor.origin = Origin::Step,
            Origin::Step | Origin::Kept if used.read[index] && !used.made[index] => {
                received.push(index);
            }
            Origin::Input if !used.read[index] => tensor.origin = Origin::Step,
            _ => {}
        }
    }
    let received: Vec<_> =
        tape.ids().filter(|id| received.binary_search(&id.index()).is_ok()).collect();
    let own: Vec<_> = tape.steps[steps.clone()].to_vec();
    let shift = usize::from(!received.is_empty());
    stage.steps = receive(received).into_iter().chain(own).collect();
    let moved = |segment: &Segment| Segment {
        steps: segment.steps.start - steps.start + shift..segment.steps.end - steps.start + shift,
        recomputed: segment.recomputed,
    };
    let arrival = (shift > 0).then_some(Segment { steps: 0..1, recomputed: false });
    // Nothing stands after the last block of an inner stage.
    let end = stage.steps.len();
    let departure = (segments.end < tape.segments.len())
        .then_some(Segment { steps: end..end, recomputed: false });
    let own = tape.segments[segments.clone()].iter().map(moved);
    stage.segments = arrival.into_iter().chain(own).chain(departure).collect();
    stage.returned = tape.returned.filter(|_| segments.end == tape.segments.len());
    stage
}

fn steps(tape: &Tape, segments: &Range<usize>) -> Range<usize> {
    let found = &tape.segments[segments.clone()];
    let start = found.first().map_or(0, |segment| segment.steps.start);
    start..found.last().map_or(start, |segment| segment.steps.end)
}

struct Used {
    read: Vec<bool>,
    made: Vec<bool>,
}

fn used(tape: &Tape, steps: &Range<usize>) -> Used {
    let mut used =
        Used { read: vec![false; tape.tensors.len()], made: vec![false; tape.tensors.len()] };
    for step in &tape.steps[steps.clone()] {
        for input in &step.inputs {
            used.read[input.tensor.index()] = true;
        }
        for output in &step.outputs {
            used.made[output.index()] = true;
        }
    }
    used
}

/// The step in which a stage receives what the one before made, and gives its gradient back.
fn receive(outputs: Vec<TensorId>) -> Option<Step> {
    (!outputs.is_empty()).then(|| Step {
        name: "receive",
        inputs: Few::new(),
        outputs: outputs.into(),
        saved: Few::new(),
        backward_temporaries: Vec::new(),
        backward_spike: Bytes::ZERO,
        forward: Work::NONE,
        backward: Work::NONE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stage_has_most_in_flight() {
        assert_eq!([0, 1, 2, 3].map(|stage| in_flight(stage, 4, 8)), [4, 3, 2, 1]);
        assert_eq!([0, 1, 2, 3].map(|stage| in_flight(stage, 4, 2)), [2, 2, 2, 1]);
        assert_eq!(in_flight(0, 1, 8), 1);
    }

    #[test]
    fn the_bubble_shrinks_with_micro_batches() {
        assert!((turns(4, 1) - 4.0).abs() < 1e-12);
        assert!((turns(4, 30) - 1.1).abs() < 1e-12);
        assert!((turns(1, 5) - 1.0).abs() < 1e-12);
    }
}
