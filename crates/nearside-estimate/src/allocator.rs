//! What an allocator takes from the driver for a list of requests: more than is live at any moment,
//! by rounding and by holes between pieces.
//!
//! [`caching`] is PyTorch's allocator for CUDA devices, with and without expandable segments;
//! [`system`] is the C library's on a processor.

pub mod caching;
pub mod system;

use nearside_units::Bytes;

/// What an allocator took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The most that was handed out at once, as the allocator counts it
    /// (`torch.cuda.max_memory_allocated`).
    pub allocated: Bytes,
    /// The most that was held at once (`torch.cuda.max_memory_reserved`).
    pub reserved: Bytes,
}
