//! The scale of a group whose levels, four or eight at a time, have to be entries of a codebook.
//!
//! Levels are odd whole numbers for the distance from 0, signs are stored apart: one for each value, or for seven of
//! eight, which then have an even number of negative ones, so that the least important may have the wrong sign. Several
//! scales are tried as for other formats; levels that are no entry become the one with the least weighted error among
//! those near.

use super::book::Book;
use crate::block::fit;

/// How a format is searched.
pub(super) struct Search {
    pub(super) signs: Signs,
    /// Where scales begin to be tried.
    pub(super) begin: Begin,
    /// The greatest odd number.
    pub(super) most: f32,
    /// Scales that are tried on each side, and how far the greatest value is moved each time.
    pub(super) tries: i16,
    pub(super) step: f32,
    /// A group whose values are all below this is one of zeros.
    pub(super) nothing: f32,
    pub(super) again: Again,
}

/// Which signs are stored.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Signs {
    Any,
    Even,
}

/// Where scales begin to be tried.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Begin {
    /// With the greatest value at the greatest level.
    Greatest,
    /// With the best scale of so many levels, were all of them there.
    Levels(f32),
}

/// For which levels entries are looked for again once the scale is known.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Again {
    /// Where levels were no entry.
    Inexact,
    /// For all where any were none, or where no scale was better than the first.
    AllOfInexact,
    All,
}

/// A group of `N` values without signs; `K` entries of `E` levels.
pub(super) struct Unsigned<const N: usize, const E: usize, const K: usize> {
    values: [f32; N],
    weights: [f32; N],
    /// Roots of the weights.
    roots: [f32; N],
}

/// The entries of a group, and where levels were none.
struct Found<const K: usize> {
    entries: [u16; K],
    inexact: [bool; K],
}

impl<const N: usize, const E: usize, const K: usize> Unsigned<N, E, K> {
    /// The group; its signs go into `signs`, a bit for each value.
    pub(super) fn new(values: &[f32; N], weights: [f32; N], kind: Signs, signs: &mut [u8]) -> Self {
        let mut absolute = values.map(f32::abs);
        for (eight, sign) in signs.iter_mut().enumerate() {
            let place = 8 * eight..8 * eight + 8;
            let (values, weights) = (&values[place.clone()], &weights[place]);
            *sign = (0..8).fold(0u8, |sign, i| sign | (u8::from(values[i] < 0.0) << i));
            if kind == Signs::Even && sign.count_ones() % 2 == 1 {
                let counts = |i: usize| weights[i] * values[i] * values[i];
                let lesser = |least, i| if counts(i) < counts(least) { i } else { least };
                let least = (1..8).fold(0, lesser);
                absolute[8 * eight + least] *= -1.0;
                *sign ^= 1 << least;
            }
        }
        Self { values: absolute, roots: weights.map(f32::sqrt), weights }
    }

    /// The scale, 0 of a group of zeros, and the entries.
    pub(super) fn fit(&self, book: &Book<E>, search: &Search) -> (f32, [u16; K]) {
        let greater = |most: f32, value: &f32| if *value > most { *value } else { most };
        let greatest = self.values.iter().fold(self.values[0], greater);
        if greatest < search.nothing {
            return (0.0, [0; K]);
        }
        let (mut scale, range) = match search.begin {
            Begin::Greatest => (greatest / search.most, greatest),
            Begin::Levels(levels) => {
                let scale = fit::positive(&self.values, &self.weights, levels).scale;
                (scale, scale * (levels - 1.0))
            }
        };
        if range <= 0.0 {
            return (0.0, [0; K]);
        }
        let mut explained = 0.0;
        let untried = search.again != Again::Inexact;
        let mut found = Found { entries: [0; K], inexact: [untried; K] };
        for at in -search.tries..=search.tries {
            let inverse = (search.most + f32::from(at) * search.step) / range;
            let tried = self.find(book, (inverse, 1.0 / inverse));
            let (product, square) = self.correlate(book, &tried.entries);
            if square > 0.0 && product * product > explained * square {
                scale = product / square;
                explained = scale * product;
                found = tried;
            }
        }
        if scale > 0.0 && self.again(book, search.again, scale, &mut found) {
            let (product, square) = self.correlate(book, &found.entries);
            scale = if square > 0.0 { product / square } else { scale };
        }
        (scale, found.entries)
    }

    /// Looks for entries with the scale that was found; whether there was anything to look for.
    fn again(&self, book: &Book<E>, again: Again, scale: f32, found: &mut Found<K>) -> bool {
        if again != Again::All && !found.inexact.contains(&true) {
            return false;
        }
        let tried = self.find(book, (1.0 / scale, scale));
        for at in 0..K {
            if again != Again::Inexact || found.inexact[at] {
                found.entries[at] = tried.entries[at];
            }
        }
        true
    }

    fn find(&self, book: &Book<E>, scale: (f32, f32)) -> Found<K> {
        let mut found = Found { entries: [0; K], inexact: [false; K] };
        let roots = self.roots.as_chunks::<E>().0;
        for (at, (values, roots)) in self.values.as_chunks::<E>().0.iter().zip(roots).enumerate() {
            (found.entries[at], found.inexact[at]) = book.find(values, roots, scale);
        }
        found
    }

    /// `Σ w x q` and `Σ w q²` for entries.
    fn correlate(&self, book: &Book<E>, entries: &[u16; K]) -> (f32, f32) {
        let levels = entries.iter().flat_map(|entry| book.levels(*entry));
        let pairs = self.values.iter().zip(&self.weights);
        pairs.zip(levels).fold((0.0, 0.0), |(product, square), ((value, weight), level)| {
            (product + weight * value * level, square + weight * level * level)
        })
    }
}
