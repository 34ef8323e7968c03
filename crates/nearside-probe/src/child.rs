//! What a command prints, waited for no longer than a limit: a driver or a disk that does not answer
//! holds its own process and nobody else.

use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// How often it is looked whether the process has ended.
const BEAT: Duration = Duration::from_millis(5);
/// How long a process that was ended is waited for; one that the kernel holds stays.
const GRACE: Duration = Duration::from_millis(100);
/// Bytes that are read of what it prints.
const MOST_BYTES: u64 = 4 << 20;

/// Why a command has printed nothing.
#[derive(Debug)]
pub(crate) enum Silence {
    /// It could not be started.
    NotStarted(io::Error),
    /// It did not end within the limit, and was ended.
    TooLong,
}

/// What a command prints until it ends, whatever it ends with.
pub(crate) fn printed(command: &mut Command, limit: Duration) -> Result<String, Silence> {
    let until = Instant::now() + limit;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(Silence::NotStarted)?;
    let (sender, receiver) = channel();
    let output = child.stdout.take();
    // A full pipe would hold the process; what still reads it when nobody waits ends with it.
    let reader = std::thread::Builder::new().name("output of a command".to_owned());
    let started = reader.spawn(move || {
        let mut bytes = Vec::new();
        let read = output.map(|output| output.take(MOST_BYTES).read_to_end(&mut bytes));
        let _ = sender.send(read.map(|_| bytes));
    });
    if let Err(error) = started {
        end(&mut child);
        return Err(Silence::NotStarted(error));
    }
    if !ended(&mut child, until) {
        end(&mut child);
        return Err(Silence::TooLong);
    }
    // What it has started itself may still hold the pipe.
    let left = until.saturating_duration_since(Instant::now()).max(GRACE);
    let bytes = receiver.recv_timeout(left).map_err(|_late| Silence::TooLong)?;
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = ended(child, Instant::now() + GRACE);
}

/// Whether a process ends until then.
fn ended(child: &mut Child, until: Instant) -> bool {
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) if Instant::now() < until => std::thread::sleep(BEAT),
            Ok(None) | Err(_) => return false,
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str, limit: Duration) -> Result<String, Silence> {
        printed(Command::new("sh").args(["-c", line]), limit)
    }

    const PATIENT: Duration = Duration::from_secs(30);

    #[test]
    fn more_than_a_pipe_holds_is_read_and_failures_print_too() {
        let long = shell("head -c 300000 /dev/zero | tr '\\0' x; exit 3", PATIENT).unwrap();
        assert_eq!(long.len(), 300_000);
    }

    #[test]
    fn one_that_does_not_end_is_not_waited_for() {
        let started = Instant::now();
        for line in ["exec sleep 60", "sleep 60 & exec sleep 60"] {
            let answer = shell(line, Duration::from_millis(200));
            assert!(matches!(answer, Err(Silence::TooLong)), "{line}: {answer:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn one_that_is_not_there_is_told() {
        let answer = printed(&mut Command::new("no-such-program"), PATIENT);
        let Err(Silence::NotStarted(error)) = answer else { unreachable!("it was started") };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
