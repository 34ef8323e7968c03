//! The bytes that are missing, over as many connections as it takes.

use std::io::Read as _;
use std::time::Duration;

use ureq::Agent;
use ureq::http::StatusCode;

use super::partial_file::PartialFile;
use super::{Doing, Expected, Progress, Source, Watch, content_range, go_on};
use crate::address::shown;
use crate::agent::{Answer, Failure, Method, Request, agent, pause, send};
use crate::error::FetchError;

/// Connections in a row that bring nothing, before it is given up.
const FRUITLESS: u32 = 5;
/// Connections in all: a server that sends a byte and hangs up is not waited for without end.
const CONNECTIONS: u32 = 1000;
/// Bytes that are read at a time.
const BLOCK: usize = 256 << 10;

/// How a connection ended.
enum End {
    /// Everything is there.
    Whole,
    /// It broke off, or what it had was of no use; how long the server asks us to wait.
    Broken(FetchError, Duration),
}

/// Gathers what is missing. The number of bytes that came.
pub(super) fn rest(
    source: &Source<'_>,
    partial: &mut PartialFile,
    expected: &Expected,
    progress: &mut Watch<'_>,
) -> Result<u64, FetchError> {
    let agent = agent();
    let mut transfer = Transfer { source, expected, progress, came: 0 };
    let mut fruitless = 0;
    for _ in 0..CONNECTIONS {
        let before = transfer.came;
        let (error, after) = match transfer.connection(&agent, partial)? {
            End::Whole => return Ok(transfer.came),
            End::Broken(error, after) => (error, after),
        };
        fruitless = if transfer.came > before { 1 } else { fruitless + 1 };
        if fruitless >= FRUITLESS {
            return Err(error);
        }
        transfer.wait(partial.length(), pause(fruitless + 1).max(after))?;
    }
    Err(FetchError::Unreachable {
        url: shown(source.url).to_owned(),
        reason: format!("the connection was lost {CONNECTIONS} times"),
    })
}

/// A transfer under way.
struct Transfer<'a, 'b> {
    source: &'a Source<'a>,
    expected: &'a Expected,
    progress: &'a mut Watch<'b>,
    /// Bytes that came.
    came: u64,
}

impl Transfer<'_, '_> {
    /// One connection: asks for what is missing and takes what comes.
    fn connection(&mut self, agent: &Agent, partial: &mut PartialFile) -> Result<End, FetchError> {
        if partial.length() == self.expected.length {
            return Ok(End::Whole);
        }
        let request = Request {
            method: Method::Get,
            url: self.source.url,
            token: self.source.token,
            from: Some(partial.length()),
        };
        self.tell(Doing::Transferring, partial.length())?;
        let answer = match send(agent, &request) {
            Ok(answer) => answer,
            Err(Failure { error, passing: true, after }) => return Ok(End::Broken(error, after)),
            Err(Failure { error, passing: false, .. }) => return Err(error),
        };
        match self.is_rest(&answer, partial.length())? {
            true => self.take(answer, partial),
            false if answer.response.status() == StatusCode::OK => {
                partial.clear()?;
                self.take(answer, partial)
            }
            false => {
                partial.clear()?;
                Ok(self.no_rest(&answer))
            }
        }
    }

    /// Whether an answer is what follows on the bytes that are there.
    fn is_rest(&self, answer: &Answer, from: u64) -> Result<bool, FetchError> {
        let compressed =
            answer.header("content-encoding").is_some_and(|coding| coding.trim() != "identity");
        match answer.response.status() {
            StatusCode::OK => {
                let announced = answer.header("content-length").filter(|_| !compressed);
                let announced = announced.and_then(|length| length.trim().parse::<u64>().ok());
                match announced {
                    Some(found) if found != self.expected.length => Err(self.length(found)),
                    _ => Ok(from == 0),
                }
            }
            StatusCode::PARTIAL_CONTENT => {
                let range = answer.header("content-range").and_then(content_range::parse);
                Ok(!compressed && range == Some((from, self.expected.length)))
            }
            _ => Ok(false),
        }
    }

    /// Takes what comes until it ends.
    fn take(&mut self, answer: Answer, partial: &mut PartialFile) -> Result<End, FetchError> {
        let missing = self.expected.length - partial.length();
        let body = answer.response.into_body().into_with_config();
        // Without a limit of ours the client has one of its own.
        let mut body = body.limit(missing.saturating_add(BLOCK as u64)).reader();
        let mut block = vec![0; BLOCK];
        while partial.length() < self.expected.length {
            let read = match body.read(&mut block) {
                Ok(0) => return Ok(self.broken("the answer ends early")),
                Ok(read) => read,
                Err(error) => return Ok(self.broken(&error.to_string())),
            };
            self.came += read as u64;
            let found = partial.length() + read as u64;
            if found > self.expected.length {
                partial.clear()?;
                return Err(self.length(found));
            }
            partial.add(&block[..read])?;
            self.tell(Doing::Transferring, partial.length())?;
        }
        Ok(End::Whole)
    }

    /// Waits before the next attempt; the caller may end it meanwhile.
    fn wait(&mut self, done: u64, mut left: Duration) -> Result<(), FetchError> {
        const LOOK: Duration = Duration::from_millis(100);
        while !left.is_zero() {
            self.tell(Doing::Retrying, done)?;
            std::thread::sleep(left.min(LOOK));
            left = left.saturating_sub(LOOK);
        }
        Ok(())
    }

    fn tell(&mut self, doing: Doing, done: u64) -> Result<(), FetchError> {
        let total = self.expected.length;
        go_on(self.source, self.progress, Progress { doing, done, total })
    }

    fn broken(&self, reason: &str) -> End {
        self.lost(format!("the connection was lost: {reason}"))
    }

    fn no_rest(&self, answer: &Answer) -> End {
        let status = answer.response.status().as_u16();
        self.lost(format!("an answer {status} that is not what was asked for"))
    }

    fn lost(&self, reason: String) -> End {
        let url = shown(self.source.url).to_owned();
        End::Broken(FetchError::Unreachable { url, reason }, Duration::ZERO)
    }

    fn length(&self, found: u64) -> FetchError {
        let url = shown(self.source.url).to_owned();
        FetchError::Length { url, expected: self.expected.length, found }
    }
}
