//! `nearside run --follow`: what stages print, while they print it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it is looked for more.
const PAUSE: Duration = Duration::from_millis(50);

/// Shows the log of one stage until it is dropped, then the rest of it.
pub(super) struct Follower {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Follows the log of a stage; every line begins with the stage.
    pub(super) fn of(stage: &str, log: &Path) -> std::io::Result<Self> {
        let mut reader = BufReader::new(File::open(log)?);
        let stage = stage.to_owned();
        let (end, ended) = channel::<()>();
        let follow = move || {
            let mut line = Vec::new();
            loop {
                let last = matches!(ended.recv_timeout(PAUSE), Err(RecvTimeoutError::Disconnected));
                show(&mut reader, &stage, &mut line, last);
                if last {
                    return;
                }
            }
        };
        Ok(Self { end: Some(end), thread: Some(std::thread::spawn(follow)) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Shows every whole line that is there, and at the end what is left of the last one.
fn show(reader: &mut BufReader<File>, stage: &str, line: &mut Vec<u8>, last: bool) {
    while reader.read_until(b'\n', line).is_ok_and(|read| read > 0) {
        if line.ends_with(b"\n") {
            write(stage, line);
        }
    }
    if last && !line.is_empty() {
        write(stage, line);
    }
}

fn write(stage: &str, line: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(line);
    let _closed_pipe = writeln!(std::io::stderr().lock(), "{stage} | {}", text.trim_end());
    line.clear();
}
