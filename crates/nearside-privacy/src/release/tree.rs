//! Which pairs of columns go together most: a tree of them, chosen in private.
//!
//! The score of a pair is how many rows its table has elsewhere than columns that have nothing to do with each other
//! would have them: the sum of `abs(count - expected)` over its cells, `expected` made of noisy counts of the single
//! columns (McKenna, Miklau, Sheldon, "Winning the NIST contest", 2021). A row more changes one cell by 1, so one person
//! changes a score by at most `c`. Mutual information says about the same, but changes by an amount that depends on how
//! many rows there are, which nobody may know. One pair after another is chosen by the exponential mechanism among
//! those that still join something (Kruskal's way to a greatest tree).

use super::amount::Amount;
use super::choice;
use super::query::Groups;
use super::random::Source;
use super::{Pairs, ReleaseError};

/// Chooses a tree; answers places in the list of all pairs, in the order in which they were counted.
pub(super) fn choose(
    ones: &[Vec<f64>],
    twos: &[Vec<u64>],
    (contributions, epsilon): (u64, Amount),
    source: &mut Source,
) -> Result<Vec<usize>, ReleaseError> {
    let pairs = Pairs::Chosen.counted(ones.len());
    let scores = pairs.iter().zip(twos).map(|((one, other), counts)| {
        match (ones.get(*one), ones.get(*other)) {
            (Some(one), Some(other)) => score(one, other, counts),
            _ => 0,
        }
    });
    let scores: Vec<u64> = scores.collect();
    let mut groups = Groups::new(ones.len());
    let mut chosen = Vec::new();
    for _ in 1..ones.len() {
        let (mut places, mut open) = (Vec::new(), Vec::new());
        for (place, ((one, other), score)) in pairs.iter().zip(&scores).enumerate() {
            if !groups.are_joined(*one, *other) {
                places.push(place);
                open.push(*score);
            }
        }
        let best = choice::best(&open, contributions, epsilon, source)?;
        let Some(place) = best.and_then(|best| places.get(best).copied()) else {
            break;
        };
        if let Some((one, other)) = pairs.get(place) {
            groups.join(*one, *other);
        }
        chosen.push(place);
    }
    Ok(chosen)
}

/// How many rows a pair of columns has elsewhere than by counts of the single ones, which add up to the same.
fn score(one: &[f64], other: &[f64], counts: &[u64]) -> u64 {
    let all = one.iter().sum::<f64>().max(1.0);
    let expected =
        one.iter().flat_map(|of_one| other.iter().map(move |of_other| of_one * of_other));
    // Saturates; what is expected is above 0 and finite, and known already.
    let apart =
        counts.iter().zip(expected).map(|(count, it)| count.abs_diff((it / all).round() as u64));
    apart.fold(0, u64::saturating_add)
}
