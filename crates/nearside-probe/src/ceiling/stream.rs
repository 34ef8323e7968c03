//! How fast memory is read, copied and updated by all threads together.
//!
//! `read`: every element once; `copy`: `c = a`; `triad`: `a = b + s c`, each over arrays that are
//! several times the last cache where memory allows it. As in STREAM, each byte that the program
//! reads or writes counts once, and what a cache fetches in order to write does not.
//! Source: J. D. McCalpin, "Memory Bandwidth and Machine Balance in Current High Performance
//! Computers", IEEE TCCA Newsletter, December 1995.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use nearside_units::{Bytes, BytesPerSecond, Span};

use super::sample::{Bounds, spread};
use super::{Ceiling, CeilingName, Found, Reached, threads};
use crate::memory::memory;
use crate::root::Root;

/// Times of the last cache that one array should have (STREAM's rule).
const CACHES: u64 = 4;
/// The smallest array: several times the cache of most processors.
const SMALLEST: Bytes = Bytes::mib(256);
/// The largest array, whatever the cache.
const LARGEST: Bytes = Bytes::gib(1);
/// Part of the memory that is available that one array may take; there are three.
const PART_OF_AVAILABLE: u64 = 8;
/// Runs of each kernel.
const RUNS: Bounds = Bounds { least: 5, most: 20, time: Duration::from_millis(2_500) };
/// Elements that a thread takes at once: independent sums, so that none waits for another.
const LANES: usize = 16;
/// The scalar of the triad.
const SCALAR: f64 = 3.0;

/// Reads, copies and triads.
pub(crate) fn measure() -> Found {
    let root = Root(Path::new("/"));
    let cache = last_cache(root);
    let available = memory(root).available.value();
    let size = array_size(cache, available)?;
    let mut arrays = Arrays::new(size);
    let how = describe(size, cache);
    let names = [CeilingName::MemoryRead, CeilingName::MemoryCopy, CeilingName::MemoryTriad];
    names.into_iter().map(|name| arrays.ceiling(name, &how)).collect()
}

/// How fast memory is read, by all threads together.
///
/// # Errors
/// When there is too little of it to measure.
pub fn memory_read() -> Result<Span<BytesPerSecond>, String> {
    let root = Root(Path::new("/"));
    let cache = last_cache(root);
    let size = array_size(cache, memory(root).available.value())?;
    let ceiling = Arrays::new(size).ceiling(CeilingName::MemoryRead, "")?;
    match ceiling.reached {
        Reached::Bandwidth(rates) => Ok(rates),
        _ => Err("no rate was measured".to_owned()),
    }
}

/// Bytes of one array: several last caches, but no more than a part of what is available.
fn array_size(cache: Option<Bytes>, available: Option<Bytes>) -> Result<Bytes, String> {
    let wanted = cache.unwrap_or(SMALLEST).get().saturating_mul(CACHES);
    let wanted = Bytes::new(wanted).max(SMALLEST).min(LARGEST);
    let allowed = available.map_or(SMALLEST, |free| Bytes::new(free.get() / PART_OF_AVAILABLE));
    match wanted.min(allowed) {
        size if size >= Bytes::mib(16) => Ok(size),
        _ => Err("less than 128 MiB of memory is available; close other programs".to_owned()),
    }
}

fn describe(size: Bytes, cache: Option<Bytes>) -> String {
    let times = cache.map_or_else(
        || "last cache unknown".to_owned(),
        |cache| {
            let times = size.get() as f64 / cache.get().max(1) as f64;
            format!("{} times the last cache of {cache}", nearside_units::significant(times))
        },
    );
    format!("arrays of {size}, {times}")
}

/// The largest cache of the first processor.
fn last_cache(root: Root<'_>) -> Option<Bytes> {
    const FOLDER: &str = "sys/devices/system/cpu/cpu0/cache";
    let size = |index: &String| {
        let text: String = root.value(&format!("{FOLDER}/{index}/size")).value()?;
        let kibibytes: u64 = text.strip_suffix('K')?.parse().ok()?;
        kibibytes.checked_mul(1024).map(Bytes::new)
    };
    root.numbered(FOLDER, "index").iter().filter_map(size).max()
}

/// Three arrays of one length.
struct Arrays {
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    /// Elements of one thread.
    share: usize,
}

impl Arrays {
    /// Arrays whose pages are touched first by the thread that will use them.
    fn new(size: Bytes) -> Self {
        let length = usize::try_from(size.get() / 8).unwrap_or(0).max(1);
        let zeros = || vec![0.0; length];
        let share = length.div_ceil(threads());
        let mut arrays = Self { a: zeros(), b: zeros(), c: zeros(), share };
        let Self { a, b, c, .. } = &mut arrays;
        std::thread::scope(|scope| {
            let parts = a.chunks_mut(share).zip(b.chunks_mut(share)).zip(c.chunks_mut(share));
            for ((a, b), c) in parts {
                scope.spawn(move || {
                    a.fill(1.0);
                    b.fill(2.0);
                    c.fill(0.5);
                });
            }
        });
        arrays
    }

    fn ceiling(&mut self, name: CeilingName, how: &str) -> Result<Ceiling, String> {
        let bytes = (self.a.len() * 8) as f64;
        let (seconds, moved) = match name {
            CeilingName::MemoryRead => (RUNS.seconds(|| self.read()), bytes),
            CeilingName::MemoryCopy => (RUNS.seconds(|| self.copy()), bytes * 2.0),
            _ => (RUNS.seconds(|| self.triad()), bytes * 3.0),
        };
        let runs = seconds.len();
        let rates = spread(seconds.into_iter().map(|time| moved / time).collect());
        let rates = rates.ok_or_else(|| "no run came to an end".to_owned())?;
        let reached = rates
            .try_map(BytesPerSecond::from_bytes_per_second)
            .map_err(|error| error.to_string())?;
        Ok(Ceiling { name, reached: Reached::Bandwidth(reached), runs, how: how.to_owned() })
    }

    fn read(&self) {
        std::thread::scope(|scope| {
            for part in self.a.chunks(self.share) {
                scope.spawn(move || black_box(folded(part)));
            }
        });
    }

    fn copy(&mut self) {
        let Self { a, c, share, .. } = self;
        std::thread::scope(|scope| {
            for (to, from) in c.chunks_mut(*share).zip(a.chunks(*share)) {
                scope.spawn(move || {
                    to.copy_from_slice(from);
                    black_box(to);
                });
            }
        });
    }

    fn triad(&mut self) {
        let Self { a, b, c, share } = self;
        std::thread::scope(|scope| {
            let parts = a.chunks_mut(*share).zip(b.chunks(*share)).zip(c.chunks(*share));
            for ((a, b), c) in parts {
                scope.spawn(move || {
                    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
                        *a = *b + SCALAR * *c;
                    }
                    black_box(a);
                });
            }
        });
    }
}

/// All elements folded into one: the bits, because sums of floats may not be reordered.
fn folded(part: &[f64]) -> u64 {
    let mut lanes = [0u64; LANES];
    let mut groups = part.chunks_exact(LANES);
    for group in &mut groups {
        for (lane, element) in lanes.iter_mut().zip(group) {
            *lane ^= element.to_bits();
        }
    }
    let rest = groups.remainder().iter().map(|element| element.to_bits());
    lanes.into_iter().chain(rest).fold(0, |all, one| all ^ one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_outgrow_the_cache_within_what_is_available() {
        let size = |cache: u64, available: u64| {
            array_size(Some(Bytes::mib(cache)), Some(Bytes::mib(available))).unwrap()
        };
        assert_eq!(size(128, 1 << 20), Bytes::mib(512));
        assert_eq!(size(2, 1 << 20), SMALLEST);
        assert_eq!(size(480, 1 << 20), LARGEST);
        assert_eq!(size(128, 1600), Bytes::mib(200));
        assert!(array_size(None, Some(Bytes::mib(100))).is_err());
        assert_eq!(array_size(None, None), Ok(SMALLEST));
    }

    #[test]
    fn kernels_do_what_they_say() {
        let mut arrays = Arrays::new(Bytes::mib(1));
        arrays.triad();
        assert!(arrays.a.iter().all(|element| (*element - 3.5).abs() < 1e-12));
        arrays.copy();
        assert_eq!(arrays.a, arrays.c);
        assert_eq!(folded(&[1.0; 32]), 0);
        assert_eq!(folded(&[2.0; 17]), 2f64.to_bits());
    }
}
