//! PyTorch's caching allocator for CUDA devices, request by request.
//!
//! Rules (c10/cuda/CUDACachingAllocator.cpp, torch 2.9): requests are rounded up to 512 bytes; up to
//! 1 MiB they are cut from segments of 2 MiB, below 10 MiB from segments of 20 MiB, larger ones get
//! a segment of their own in multiples of 2 MiB; the smallest free block that is large enough is
//! taken, of equal ones the one at the lowest address; it is split when at least 512 bytes (small)
//! or more than 1 MiB (large) remain; neighbours that are free are joined; segments are given back
//! to the driver only when it has nothing left. With expandable segments each pool is one segment
//! that grows at its end.

use std::collections::VecDeque;

use nearside_units::Bytes;

use super::Taken;
use crate::live::{PieceId, Recorded, Requests};

const BLOCK: u64 = crate::tape::BLOCK;
const MIB: u64 = 1 << 20;
/// Requests up to this are small (`kSmallSize`).
const SMALL: u64 = MIB;
/// Segments that small requests are cut from (`kSmallBuffer`).
const SMALL_SEGMENT: u64 = 2 * MIB;
/// Segments that medium requests are cut from (`kLargeBuffer`).
const LARGE_SEGMENT: u64 = 20 * MIB;
/// Requests from here on get a segment of their own (`kMinLargeAlloc`).
const OWN_SEGMENT: u64 = 10 * MIB;
/// Their segments are multiples of this (`kRoundLarge`).
const ROUND_LARGE: u64 = 2 * MIB;

/// How segments are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segments {
    /// Of fixed size: the default.
    Fixed,
    /// Growing at their end (`PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True`).
    Expandable,
}

/// What is reserved for recorded requests.
///
/// ```
/// use nearside_estimate::allocator::caching::{Segments, replay};
/// use nearside_estimate::live::Live;
/// use nearside_estimate::tape::Category;
/// use nearside_units::Bytes;
/// let mut live = Live::recording();
/// live.take(Bytes::mib(3), Category::Weights, "load");
/// live.take(Bytes::mib(30), Category::Weights, "load");
/// let taken = replay(&live.finish().1, Segments::Fixed);
/// // 3 MiB come from a segment of 20 MiB, 30 MiB get their own.
/// assert_eq!(taken.reserved, Bytes::mib(50));
/// assert_eq!(taken.allocated, Bytes::mib(33));
/// ```
#[must_use]
pub fn replay(requests: &Recorded, segments: Segments) -> Taken {
    let mut allocator = Caching::new(segments);
    requests.tell(&mut allocator);
    allocator.taken()
}

/// No block.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Block {
    address: u64,
    size: u64,
    free: bool,
    small: bool,
    before: u32,
    after: u32,
}

/// Free blocks of a pool. Thousands may be free at once, but of some dozens of sizes: what moves up
/// in a list is then little.
struct Free {
    /// Sizes of which there are some, and the places of their lists.
    sizes: Vec<(u64, usize)>,
    /// Blocks of one size by address. Most come and go at either end.
    lists: Vec<VecDeque<(u64, u32)>>,
    /// Places of lists that are empty.
    unused: Vec<usize>,
}

impl Free {
    const fn new() -> Self {
        Self { sizes: Vec::new(), lists: Vec::new(), unused: Vec::new() }
    }

    fn place(&self, size: u64) -> usize {
        self.sizes.partition_point(|(found, _)| *found < size)
    }

    /// The smallest block of at least this size, taken out.
    fn take(&mut self, size: u64) -> Option<u32> {
        let place = self.place(size);
        let (_, list) = *self.sizes.get(place)?;
        let (_, block) = self.lists[list].pop_front()?;
        self.tidy(place);
        Some(block)
    }

    fn insert(&mut self, size: u64, address: u64, block: u32) {
        let place = self.place(size);
        let list = match self.sizes.get(place) {
            Some((found, list)) if *found == size => *list,
            _ => {
                let list = self.unused.pop().unwrap_or_else(|| {
                    self.lists.push(VecDeque::new());
                    self.lists.len() - 1
                });
                self.sizes.insert(place, (size, list));
                list
            }
        };
        let blocks = &mut self.lists[list];
        blocks.insert(blocks.partition_point(|(found, _)| *found < address), (address, block));
    }

    fn remove(&mut self, size: u64, address: u64) {
        let place = self.place(size);
        let Some((_, list)) = self.sizes.get(place) else { return };
        let blocks = &mut self.lists[*list];
        if let Ok(among) = blocks.binary_search_by_key(&address, |(address, _)| *address) {
            blocks.remove(among);
            self.tidy(place);
        }
    }

    fn tidy(&mut self, place: usize) {
        let (_, list) = self.sizes[place];
        if self.lists[list].is_empty() {
            self.sizes.remove(place);
            self.unused.push(list);
        }
    }
}

/// The allocator at work.
pub struct Caching {
    segments: Segments,
    blocks: Vec<Block>,
    /// Places of blocks that were joined to others.
    unused: Vec<u32>,
    free: [Free; 2],
    /// The block of each piece.
    held: Vec<u32>,
    /// The last block of each pool's growing segment.
    tails: [u32; 2],
    next_address: u64,
    allocated: u64,
    reserved: u64,
    most_allocated: u64,
    most_reserved: u64,
}

impl Requests for Caching {
    fn take(&mut self, piece: PieceId, bytes: Bytes) {
        let size = bytes.get().max(1).next_multiple_of(BLOCK);
        let small = size <= SMALL;
        let pool = usize::from(small);
        let block = match (self.free[pool].take(size), self.segments) {
            (Some(block), _) => block,
            (None, Segments::Fixed) => self.new_segment(size, small),
            (None, Segments::Expandable) => self.grown(size, small),
        };
        self.split(block, size);
        let taken = &mut self.blocks[block as usize];
        taken.free = false;
        self.allocated += taken.size;
        self.most_allocated = self.most_allocated.max(self.allocated);
        if self.held.len() <= piece.index() {
            self.held.resize(piece.index() + 1, NONE);
        }
        self.held[piece.index()] = block;
    }

    fn give(&mut self, piece: PieceId) {
        let block = self.held[piece.index()];
        let Block { size, before, after, small, .. } = self.blocks[block as usize];
        self.allocated -= size;
        self.blocks[block as usize].free = true;
        let mut joined = block;
        if after != NONE && self.blocks[after as usize].free {
            self.unlist(after);
            self.join(joined, after);
        }
        if before != NONE && self.blocks[before as usize].free {
            self.unlist(before);
            self.join(before, joined);
            joined = before;
        }
        let Block { size, address, .. } = self.blocks[joined as usize];
        self.free[usize::from(small)].insert(size, address, joined);
    }

    fn steady(&mut self) {
        self.most_allocated = self.allocated;
    }
}

impl Caching {
    /// Nothing is reserved yet.
    #[must_use]
    pub const fn new(segments: Segments) -> Self {
        Self {
            segments,
            blocks: Vec::new(),
            unused: Vec::new(),
            free: [Free::new(), Free::new()],
            held: Vec::new(),
            tails: [NONE; 2],
            next_address: 0,
            allocated: 0,
            reserved: 0,
            most_allocated: 0,
            most_reserved: 0,
        }
    }

    /// The most that was handed out and held.
    #[must_use]
    pub const fn taken(&self) -> Taken {
        Taken {
            allocated: Bytes::new(self.most_allocated),
            reserved: Bytes::new(self.most_reserved),
        }
    }

    fn reserve(&mut self, bytes: u64) {
        self.reserved += bytes;
        self.most_reserved = self.most_reserved.max(self.reserved);
    }

    fn push(&mut self, block: Block) -> u32 {
        if let Some(place) = self.unused.pop() {
            self.blocks[place as usize] = block;
            return place;
        }
        self.blocks.push(block);
        u32::try_from(self.blocks.len() - 1).unwrap_or(NONE)
    }

    fn new_segment(&mut self, size: u64, small: bool) -> u32 {
        let segment = match size {
            _ if small => SMALL_SEGMENT,
            size if size < OWN_SEGMENT => LARGE_SEGMENT,
            size => size.next_multiple_of(ROUND_LARGE),
        };
        self.reserve(segment);
        self.next_address += segment;
        let address = (1 << 59) - self.next_address;
        self.push(Block { address, size: segment, free: true, small, before: NONE, after: NONE })
    }

    /// A block at the end of the pool's segment, which grows by whole pages.
    fn grown(&mut self, size: u64, small: bool) -> u32 {
        let pool = usize::from(small);
        let page = if small { SMALL_SEGMENT } else { LARGE_SEGMENT };
        let tail = self.tails[pool];
        let there = match self.blocks.get(tail as usize) {
            Some(block) if block.free => block.size,
            _ => 0,
        };
        let added = (size - there.min(size)).next_multiple_of(page);
        self.reserve(added);
        if there > 0 {
            self.unlist(tail);
            self.blocks[tail as usize].size += added;
            return tail;
        }
        // Both pools have more room than any device has memory.
        let base = if small { 1 << 60 } else { 0 };
        let address = match self.blocks.get(tail as usize) {
            Some(block) => block.address + block.size,
            None => base,
        };
        let block = Block { address, size: added, free: true, small, before: tail, after: NONE };
        let block = self.push(block);
        if let Some(tail) = self.blocks.get_mut(tail as usize) {
            tail.after = block;
        }
        self.tails[pool] = block;
        block
    }

    /// Cuts off what a request does not need, where that is worth a block of its own.
    fn split(&mut self, block: u32, size: u64) {
        let Block { address, size: whole, small, after, .. } = self.blocks[block as usize];
        let rest = whole - size;
        let worth = match small || self.segments == Segments::Expandable {
            true => rest >= BLOCK,
            false => rest > SMALL,
        };
        if !worth {
            return;
        }
        let (address, before) = (address + size, block);
        let cut = self.push(Block { address, size: rest, free: true, small, before, after });
        if after != NONE {
            self.blocks[after as usize].before = cut;
        } else if self.tails[usize::from(small)] == block {
            self.tails[usize::from(small)] = cut;
        }
        let kept = &mut self.blocks[block as usize];
        (kept.size, kept.after) = (size, cut);
        self.free[usize::from(small)].insert(rest, address, cut);
    }

    fn unlist(&mut self, block: u32) {
        let Block { size, address, small, .. } = self.blocks[block as usize];
        self.free[usize::from(small)].remove(size, address);
    }

    /// Adds a block to the one before it.
    fn join(&mut self, first: u32, second: u32) {
        let Block { size, after, small, .. } = self.blocks[second as usize];
        self.unused.push(second);
        let joined = &mut self.blocks[first as usize];
        joined.size += size;
        joined.after = after;
        if after != NONE {
            self.blocks[after as usize].before = first;
        } else if self.tails[usize::from(small)] == second {
            self.tails[usize::from(small)] = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Live;
    use crate::tape::Category;
    use proptest::prelude::*;

    /// Takes and gives pieces; negative numbers give back the piece of that age.
    fn recorded(requests: &[(u64, bool)]) -> Recorded {
        let mut live = Live::recording();
        let mut pieces = Vec::new();
        for (bytes, give) in requests {
            if *give && !pieces.is_empty() {
                let index = usize::try_from(*bytes).unwrap_or(0) % pieces.len();
                live.give(pieces.swap_remove(index));
            } else {
                pieces.push(live.take(Bytes::new(bytes + 1), Category::Activations, "take"));
            }
        }
        live.finish().1
    }

    #[test]
    fn a_hole_is_used_again_and_small_rests_stay_with_the_block() {
        let mut live = Live::recording();
        let first = live.take(Bytes::mib(12), Category::Activations, "a");
        live.give(first);
        // 11.5 MiB fit the hole of 12 MiB; half a MiB is not worth a block and counts as taken.
        live.take(Bytes::new(23 * MIB / 2), Category::Activations, "b");
        let taken = replay(&live.finish().1, Segments::Fixed);
        assert_eq!((taken.reserved, taken.allocated), (Bytes::mib(12), Bytes::mib(12)));
    }

    #[test]
    fn an_expandable_segment_has_no_holes_between_segments() {
        let mut live = Live::recording();
        let first = live.take(Bytes::mib(40), Category::Activations, "a");
        live.give(first);
        live.take(Bytes::mib(60), Category::Activations, "b");
        let events = live.finish().1;
        assert_eq!(replay(&events, Segments::Fixed).reserved, Bytes::mib(100));
        assert_eq!(replay(&events, Segments::Expandable).reserved, Bytes::mib(60));
    }

    proptest! {
        #[test]
        fn what_is_held_is_at_least_what_is_handed_out(
            requests in prop::collection::vec((0u64..(40 << 20), any::<bool>()), 1..200),
        ) {
            let events = recorded(&requests);
            for segments in [Segments::Fixed, Segments::Expandable] {
                let taken = replay(&events, segments);
                prop_assert!(taken.reserved >= taken.allocated);
            }
        }
    }
}
