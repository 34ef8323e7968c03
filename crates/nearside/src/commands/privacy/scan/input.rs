//! The standard input, which can be waited for and given up.

use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};

use nearside_privacy::inspection::STOPPED;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long is waited before it is asked again whether anybody wants it.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Reads the standard input until somebody wants an end.
pub(super) struct Input<'s> {
    pub(super) stop: &'s AtomicBool,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stdin = io::stdin();
        while !self.stop.load(Ordering::Relaxed) {
            let mut wanted = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
            match poll(&mut wanted, Some(&PATIENCE)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // Past any buffer, so that nothing waits in one unseen.
                Ok(_) => return Ok(rustix::io::read(&stdin, buffer)?),
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other(STOPPED))
    }
}
