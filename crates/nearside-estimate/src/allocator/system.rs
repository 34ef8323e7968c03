//! The C library's allocator on a processor: large requests are mapped by themselves, in whole
//! pages, and given back at once (glibc malloc, `M_MMAP_THRESHOLD` of 128 KiB; `malloc(3)`).

use nearside_units::Bytes;

use super::Taken;
use crate::live::{Event, Recorded};

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Requests of at least this many bytes are mapped by themselves.
const MAPPED: u64 = 128 << 10;
/// What the library writes in front of a piece.
const HEADER: u64 = 16;

/// Replays requests: pages of large pieces, and the most that small ones came to.
///
/// ```
/// use nearside_estimate::allocator::system::replay;
/// use nearside_estimate::live::Live;
/// use nearside_estimate::tape::Category;
/// use nearside_units::Bytes;
/// let mut live = Live::recording();
/// live.take(Bytes::new(1 << 20), Category::Weights, "load");
/// let taken = replay(&live.finish().1);
/// assert_eq!(taken.reserved, Bytes::new((1 << 20) + 4096));
/// ```
#[must_use]
pub fn replay(requests: &Recorded) -> Taken {
    let mut sizes = std::collections::BTreeMap::new();
    let (mut mapped, mut small) = (0u64, 0u64);
    let (mut most, mut most_small) = (0u64, 0u64);
    let (mut live, mut most_live) = (0u64, 0u64);
    for event in &requests.events {
        match event {
            Event::Take { piece, bytes } => {
                let bytes = bytes.get();
                sizes.insert(*piece, bytes);
                live += bytes;
                let held = bytes + HEADER;
                if bytes >= MAPPED {
                    mapped += held.next_multiple_of(PAGE);
                } else {
                    small += held;
                }
            }
            Event::Give { piece } => {
                let bytes = sizes.remove(piece).unwrap_or(0);
                live -= bytes;
                let held = bytes + HEADER;
                if bytes >= MAPPED {
                    mapped -= held.next_multiple_of(PAGE);
                } else {
                    small -= held;
                }
            }
        }
        most_small = most_small.max(small);
        most = most.max(mapped + most_small);
        most_live = most_live.max(live);
    }
    Taken { allocated: Bytes::new(most_live), reserved: Bytes::new(most) }
}
