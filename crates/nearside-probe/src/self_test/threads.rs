//! Programs of threads and memory alone.

use std::hint::black_box;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use super::Until;

/// Steps between two looks at the clock.
const STEPS: u64 = 20_000;

/// As many threads compute as there are processors, no more than so many.
pub(super) fn spin(most: usize, until: Until) -> io::Result<()> {
    let threads = std::thread::available_parallelism()?.get().min(most);
    std::thread::scope(|scope| {
        // The main thread is one of them.
        for _ in 1..threads {
            scope.spawn(move || compute_until(until));
        }
        compute_until(until);
    });
    Ok(())
}

fn compute_until(until: Until) {
    while until.goes_on() {
        compute(STEPS);
    }
}

/// Steps of a generator, which no compiler can leave out: xorshift64 (Marsaglia, Journal of
/// Statistical Software 8(14), 2003).
pub(super) fn compute(steps: u64) -> u64 {
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state)
}

/// Threads that all work on what one lock guards.
pub(super) fn contend(threads: usize, until: Until) -> io::Result<()> {
    let lock = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while until.goes_on() {
                    // Poisoned only where a thread has died, and then there is nothing to guard.
                    let Ok(mut sum) = lock.lock() else { return };
                    *sum ^= compute(10 * STEPS);
                }
            });
        }
    });
    Ok(())
}

/// Sleeps 10 ms at a time.
pub(super) fn sleep(until: Until) -> io::Result<()> {
    while until.goes_on() {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Copies 64 MiB of memory back and forth.
pub(super) fn copy(until: Until) -> io::Result<()> {
    let (mut one, mut other) = (vec![1_u8; 64 << 20], vec![2_u8; 64 << 20]);
    while until.goes_on() {
        other.copy_from_slice(black_box(&one));
        one.copy_from_slice(black_box(&other));
    }
    Ok(())
}
