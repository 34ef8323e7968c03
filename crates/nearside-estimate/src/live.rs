//! Which memory is live: what is taken and given back, in order, by category, and the most of it.
//!
//! Whoever hears of the requests ([`Requests`]) sees what an allocator sees: one of
//! [`crate::allocator`], which tells what it reserves, or [`Recorded`], which keeps the list.

use std::collections::BTreeMap;

use nearside_units::Bytes;

use crate::tape::Category;

/// Names a piece of memory for as long as it is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PieceId(u32);

impl PieceId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Hears of every request for memory, in order.
pub trait Requests {
    /// Memory is taken.
    fn take(&mut self, piece: PieceId, bytes: Bytes);

    /// A piece is given back; its name may be used again.
    fn give(&mut self, piece: PieceId);

    /// From now on peaks count: what was taken before counts only as far as it is still there.
    fn steady(&mut self);
}

/// Nobody hears.
impl Requests for () {
    fn take(&mut self, _: PieceId, _: Bytes) {}

    fn give(&mut self, _: PieceId) {}

    fn steady(&mut self) {}
}

/// Every request, kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The requests, in order.
    pub events: Vec<Event>,
    /// How many of them came before peaks counted.
    pub steady: usize,
}

/// A request to an allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Memory is taken.
    Take {
        /// Which piece.
        piece: PieceId,
        /// How much.
        bytes: Bytes,
    },
    /// Memory is given back.
    Give {
        /// Which piece.
        piece: PieceId,
    },
}

impl Requests for Recorded {
    fn take(&mut self, piece: PieceId, bytes: Bytes) {
        self.events.push(Event::Take { piece, bytes });
    }

    fn give(&mut self, piece: PieceId) {
        self.events.push(Event::Give { piece });
    }

    fn steady(&mut self) {
        self.steady = self.events.len();
    }
}

impl Recorded {
    /// Tells somebody else.
    pub fn tell(&self, other: &mut impl Requests) {
        for (index, event) in self.events.iter().enumerate() {
            if index == self.steady {
                other.steady();
            }
            match event {
                Event::Take { piece, bytes } => other.take(*piece, *bytes),
                Event::Give { piece } => other.give(*piece),
            }
        }
    }
}

/// The most memory that is live at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// Live bytes by category at that moment.
    pub by_category: BTreeMap<Category, Bytes>,
    /// The pass in which it happens: `forward`, `backward` or `optimizer`.
    pub pass: &'static str,
    /// The step at which it happens.
    pub step: &'static str,
}

impl Peak {
    /// All categories together.
    #[must_use]
    pub fn total(&self) -> Bytes {
        self.by_category.values().copied().sum()
    }
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    bytes: u64,
    category: Category,
    references: u32,
}

/// Memory that is live, piece by piece.
#[derive(Debug)]
pub struct Live<R> {
    pieces: Vec<Piece>,
    /// Names that may be used again.
    unused: Vec<PieceId>,
    requests: R,
    /// Beyond this nobody asks how much is live.
    room: u64,
    now: [u64; Category::ALL.len()],
    total: u64,
    peak: [u64; Category::ALL.len()],
    peak_total: u64,
    pass: &'static str,
    at: (&'static str, &'static str),
}

impl Live<Recorded> {
    /// Nothing is live yet; every request is kept.
    #[must_use]
    pub fn recording() -> Self {
        Self::heard_by(Recorded::default())
    }
}

impl<R: Requests> Live<R> {
    /// Nothing is live yet.
    #[must_use]
    pub const fn heard_by(requests: R) -> Self {
        Self {
            pieces: Vec::new(),
            unused: Vec::new(),
            requests,
            room: u64::MAX,
            now: [0; Category::ALL.len()],
            total: 0,
            peak: [0; Category::ALL.len()],
            peak_total: 0,
            pass: "",
            at: ("", ""),
        }
    }

    /// Nobody asks how much is live beyond so much.
    pub(crate) fn within(&mut self, room: Option<Bytes>) {
        self.room = room.map_or(u64::MAX, Bytes::get);
    }

    /// Takes memory with one reference to it.
    pub fn take(&mut self, bytes: Bytes, category: Category, step: &'static str) -> PieceId {
        let piece = self.named(Piece { bytes: bytes.get(), category, references: 1 });
        if bytes > Bytes::ZERO {
            self.requests.take(piece, bytes);
        }
        self.now[category as usize] += bytes.get();
        self.total += bytes.get();
        self.sample(step);
        piece
    }

    fn named(&mut self, piece: Piece) -> PieceId {
        if let Some(name) = self.unused.pop() {
            self.pieces[name.index()] = piece;
            return name;
        }
        self.pieces.push(piece);
        PieceId(u32::try_from(self.pieces.len() - 1).unwrap_or(u32::MAX))
    }

    /// One more reference.
    pub(crate) fn share(&mut self, piece: PieceId) {
        self.pieces[piece.index()].references += 1;
    }

    /// One reference fewer; the last one gives the memory back.
    pub fn give(&mut self, piece: PieceId) {
        let found = &mut self.pieces[piece.index()];
        found.references -= 1;
        if found.references == 0 {
            self.now[found.category as usize] -= found.bytes;
            self.total -= found.bytes;
            if found.bytes > 0 {
                self.requests.give(piece);
            }
            self.unused.push(piece);
        }
    }

    /// Whether nobody else refers to it.
    pub(crate) fn is_unshared(&self, piece: PieceId) -> bool {
        self.pieces[piece.index()].references == 1
    }

    /// From now on it counts as something else.
    pub(crate) fn becomes(&mut self, piece: PieceId, category: Category) {
        let found = &mut self.pieces[piece.index()];
        self.now[found.category as usize] -= found.bytes;
        self.now[category as usize] += found.bytes;
        found.category = category;
    }

    /// Takes memory for the length of one kernel.
    pub(crate) fn spike(&mut self, bytes: Bytes, step: &'static str) {
        if bytes > Bytes::ZERO {
            let piece = self.take(bytes, Category::Activations, step);
            self.give(piece);
        }
    }

    /// Whether more is or was live than there is room for.
    pub(crate) const fn is_full(&self) -> bool {
        self.peak_total > self.room
    }

    pub(crate) fn enter(&mut self, pass: &'static str) {
        self.pass = pass;
    }

    /// Forgets earlier peaks.
    pub(crate) fn reset_peak(&mut self) {
        self.requests.steady();
        self.peak_total = 0;
        self.sample("start");
    }

    fn sample(&mut self, step: &'static str) {
        if self.total > self.peak_total {
            (self.peak, self.peak_total, self.at) = (self.now, self.total, (self.pass, step));
        }
    }

    /// Live bytes of some categories.
    pub(crate) fn of(&self, categories: &[Category]) -> Bytes {
        Bytes::new(categories.iter().map(|category| self.now[*category as usize]).sum())
    }

    /// The most that was live, and who heard of it.
    #[must_use]
    pub fn finish(self) -> (Peak, R) {
        let by_category = Category::ALL
            .into_iter()
            .map(|category| (category, Bytes::new(self.peak[category as usize])))
            .filter(|(_, bytes)| *bytes > Bytes::ZERO)
            .collect();
        (Peak { by_category, pass: self.at.0, step: self.at.1 }, self.requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn categories_add_up_after_every_request(
            requests in prop::collection::vec((0..Category::ALL.len(), 0..100u64, any::<bool>()), 1..60),
        ) {
            let mut live = Live::recording();
            let mut held = Vec::new();
            let mut most = 0;
            for (category, bytes, give) in requests {
                match held.pop().filter(|_| give) {
                    Some(piece) => live.give(piece),
                    None => held.push(live.take(Bytes::new(bytes), Category::ALL[category], "step")),
                }
                let all = live.of(&Category::ALL);
                prop_assert_eq!(all.get(), live.total);
                most = most.max(all.get());
            }
            let (peak, _) = live.finish();
            prop_assert_eq!(peak.total().get(), most);
        }
    }
}
