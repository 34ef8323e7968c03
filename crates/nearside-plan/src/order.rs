//! In which order are stages removed?

use std::collections::BTreeSet;

use crate::weights::Model;

/// The order that adds the fewest new neighbours at each step; stages with at most one neighbour
/// go first, ties go to the lowest stage. Also the additions that elimination in this order takes.
pub(crate) fn min_fill(model: &Model) -> (Vec<usize>, u128) {
    let count = model.stages.len();
    let mut neighbours = vec![BTreeSet::new(); count];
    for link in &model.links {
        neighbours[link.from].insert(link.to);
        neighbours[link.to].insert(link.from);
    }
    let mut left: Vec<usize> = (0..count).collect();
    let mut order = vec![];
    let mut work = 0u128;
    while !left.is_empty() {
        let place = next_by_fill(&left, &neighbours);
        let stage = left.remove(place);
        let around = std::mem::take(&mut neighbours[stage]);
        for near in &around {
            neighbours[*near].remove(&stage);
            neighbours[*near].extend(around.iter().filter(|other| *other != near));
        }
        let sizes = around.iter().chain([&stage]).map(|near| model.stages[*near].len() as u128);
        work = work.saturating_add(sizes.fold(1, u128::saturating_mul));
        order.push(stage);
    }
    (order, work)
}

fn next_by_fill(left: &[usize], neighbours: &[BTreeSet<usize>]) -> usize {
    if let Some(place) = left.iter().position(|stage| neighbours[*stage].len() <= 1) {
        return place;
    }
    let mut best = (usize::MAX, 0);
    for (place, stage) in left.iter().enumerate() {
        best = best.min((fill(&neighbours[*stage], neighbours, best.0), place));
        if best.0 == 0 {
            break;
        }
    }
    best.1
}

/// How many pairs of neighbours are not yet joined; counting stops at `enough`.
fn fill(around: &BTreeSet<usize>, neighbours: &[BTreeSet<usize>], enough: usize) -> usize {
    let mut missing = 0;
    for near in around {
        missing += around.range(near + 1..).filter(|far| !neighbours[*near].contains(far)).count();
        if missing >= enough {
            break;
        }
    }
    missing
}
