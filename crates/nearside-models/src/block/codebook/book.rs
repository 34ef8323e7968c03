//! A codebook by what is looked for: which entry four or eight levels are, or which ones are near.

use super::entry;
use crate::block::fit;

/// A codebook of entries of `E` levels.
///
/// Levels are counted from 0 here and stand for the odd numbers `2 l + 1`.
pub(super) struct Book<const E: usize> {
    /// How many levels there are.
    kinds: usize,
    /// The odd numbers of each entry.
    entries: Vec<[f32; E]>,
    /// What may be meant by levels, which are the digits of the index.
    near: Vec<Near>,
}

/// What may be meant by levels.
struct Near {
    /// Whether they are an entry themselves.
    exact: bool,
    /// It, or the nearest ones in the order of their distance.
    entries: Vec<u16>,
}

/// Where a codebook is in the file, and what is in it.
pub(super) struct Place {
    pub(super) begin: usize,
    pub(super) entries: usize,
    /// How many levels there are.
    pub(super) kinds: usize,
    /// How many different distances count as near.
    pub(super) distances: usize,
}

impl<const E: usize> Book<E> {
    pub(super) fn new(place: &Place) -> Self {
        let kinds = place.kinds;
        // As many bits as the greatest level has.
        let bits = kinds.ilog2() as usize + usize::from(!kinds.is_power_of_two());
        let read = |index| {
            let entry = entry(place.begin, index);
            std::array::from_fn(|i| usize::from(entry >> (bits * i)) & ((1 << bits) - 1))
        };
        let entries: Vec<[usize; E]> = (0..place.entries).map(read).collect();
        let digits = |point: usize| std::array::from_fn(|i| point / kinds.pow(i as u32) % kinds);
        let points = kinds.pow(E as u32);
        let near =
            (0..points).map(|point| near(digits(point), &entries, place.distances)).collect();
        let odd = |levels: &[usize; E]| levels.map(|level| (2 * level + 1) as f32);
        Self { kinds, entries: entries.iter().map(odd).collect(), near }
    }

    /// The odd numbers of an entry.
    pub(super) fn levels(&self, entry: u16) -> &[f32; E] {
        &self.entries[usize::from(entry)]
    }

    /// The entry for values without signs, and whether it was none before others were looked at. Of those that are
    /// near it is the one with the least weighted error.
    pub(super) fn find(
        &self,
        values: &[f32; E],
        roots: &[f32; E],
        (inverse, scale): (f32, f32),
    ) -> (u16, bool) {
        let top = (self.kinds - 1) as f32;
        let levels = values.map(|value| fit::level(0.5 * (inverse * value - 1.0), 0.0, top));
        let point =
            levels.iter().rev().fold(0, |point, level| point * self.kinds + *level as usize);
        let near = &self.near[point];
        let mut best = (f32::MAX, near.entries[0]);
        if near.exact {
            return (best.1, false);
        }
        for entry in &near.entries {
            let levels = self.levels(*entry);
            let error = fit::sum((0..E).map(|i| {
                let difference = scale * levels[i] - values[i];
                roots[i] * difference * difference
            }));
            if error < best.0 {
                best = (error, *entry);
            }
        }
        (best.1, true)
    }
}

fn near<const E: usize>(levels: [usize; E], entries: &[[usize; E]], distances: usize) -> Near {
    if let Some(index) = entries.iter().position(|entry| *entry == levels) {
        return Near { exact: true, entries: vec![index as u16] };
    }
    let distance = |entry: &[usize; E]| -> usize {
        entry.iter().zip(levels).map(|(a, b)| a.abs_diff(b).pow(2)).sum()
    };
    let all: Vec<usize> = entries.iter().map(distance).collect();
    let mut most = 0;
    for _ in 0..distances {
        most = all.iter().copied().filter(|distance| *distance > most).min().unwrap_or(most);
    }
    let mut near: Vec<(usize, u16)> =
        all.into_iter().zip(0..).filter(|(distance, _)| *distance <= most).collect();
    near.sort_unstable();
    Near { exact: false, entries: near.into_iter().map(|(_, index)| index).collect() }
}
