//! Other programs that take the processors: here threads of the process that measures, which is
//! outside of what is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::threads::compute;

/// Threads that compute until this is dropped.
#[derive(Debug)]
pub(super) struct Hogs(Arc<AtomicBool>);

/// Starts so many.
pub(super) fn start(threads: usize) -> Hogs {
    let end = Arc::new(AtomicBool::new(false));
    for _ in 0..threads {
        let end = Arc::clone(&end);
        std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                compute(20_000);
            }
        });
    }
    Hogs(end)
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
