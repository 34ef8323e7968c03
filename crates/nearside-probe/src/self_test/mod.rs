//! Programs whose bottleneck is known, to try the verdict on: with the machine to themselves every
//! verdict has to be right, and beside programs that take the processors no wrong one may be sure.
//!
//! Each runs in a process of its own ([`work`]), so that it is measured exactly as any command is
//! ([`try_one`]).

mod file;
mod group;
mod hog;
mod threads;

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::meter::{Meter, Settings, Subject};
use crate::verdict::{Bottleneck, PERIOD, Verdict, judge};

/// The first argument of an executable that is to be one of the programs; the others are its name,
/// its folder, how many seconds it works, and the port that it receives from.
pub const ARGUMENT: &str = "__workload";

/// A program whose bottleneck is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// One thread computes.
    SpinOne,
    /// As many threads compute as there are processors.
    SpinAll,
    /// Four threads work on what one lock guards.
    Lock,
    /// It sleeps 10 ms again and again.
    Sleep,
    /// It reads a file from one end to the other, again and again, past the page cache.
    ReadInOrder,
    /// It reads pieces of a file at random, past the page cache.
    ReadAtRandom,
    /// It writes small pieces and waits until each is on the disk.
    SyncedWrites,
    /// It reads a mapped file at random that is five times as large as its limit of memory.
    MapTooLarge,
    /// It receives from a sender that is slow.
    Receive,
    /// One thread copies memory.
    Copy,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SpinOne,
        Self::SpinAll,
        Self::Lock,
        Self::Sleep,
        Self::ReadInOrder,
        Self::ReadAtRandom,
        Self::SyncedWrites,
        Self::MapTooLarge,
        Self::Receive,
        Self::Copy,
    ];

    /// Its name.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::SpinOne => "spin-one",
            Self::SpinAll => "spin-all",
            Self::Lock => "lock",
            Self::Sleep => "sleep",
            Self::ReadInOrder => "read-in-order",
            Self::ReadAtRandom => "read-at-random",
            Self::SyncedWrites => "synced-writes",
            Self::MapTooLarge => "map-too-large",
            Self::Receive => "receive",
            Self::Copy => "copy",
        }
    }

    /// The program of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|program| program.key() == name)
    }

    /// What holds it back on a machine of so many processors.
    #[must_use]
    pub fn truth(self, processors: usize) -> Bottleneck {
        match self {
            Self::SpinOne | Self::Copy if processors > 1 => Bottleneck::SingleThread,
            Self::SpinOne | Self::Copy | Self::SpinAll => Bottleneck::Processors,
            Self::Lock => Bottleneck::Lock,
            Self::Sleep => Bottleneck::Timer,
            Self::ReadInOrder | Self::ReadAtRandom | Self::SyncedWrites => Bottleneck::Disk,
            Self::MapTooLarge => Bottleneck::Memory,
            Self::Receive => Bottleneck::Network,
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.key())
    }
}

/// How the programs are tried.
#[derive(Clone, Debug)]
pub struct Trials<'a> {
    /// The executable that becomes a program.
    pub executable: &'a Path,
    /// A folder on the disk that is to be waited for.
    pub folder: &'a Path,
    /// How long each works.
    pub seconds: f64,
    /// Threads of this process that take processors meanwhile.
    pub hogs: usize,
}

/// A program and the verdict on it.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The program.
    pub program: Program,
    /// What holds it back.
    pub truth: Bottleneck,
    /// What was found, or why it cannot be tried here.
    pub verdict: Result<Box<Verdict>, String>,
}

/// Tries one program.
#[must_use]
pub fn try_one(program: Program, trials: &Trials<'_>) -> Tried {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let _hogs = hog::start(trials.hogs);
    Tried { program, truth: program.truth(processors), verdict: tried(program, trials) }
}

fn tried(program: Program, trials: &Trials<'_>) -> Result<Box<Verdict>, String> {
    let file = match needs_file(program) {
        true => Some(
            file::Scratch::make(trials.folder)
                .map_err(|error| format!("{}: {error}", trials.folder.display()))?,
        ),
        false => None,
    };
    let group = match program {
        Program::MapTooLarge => Some(group::Group::with_memory(file::SIZE / 5)?),
        _ => None,
    };
    let sender = match program {
        Program::Receive => Some(Sender::start().map_err(|error| error.to_string())?),
        _ => None,
    };
    let path = file.as_ref().map_or_else(PathBuf::new, |file| file.path.clone());
    let port = sender.as_ref().map_or(0, |sender| sender.port);
    let mut child = Command::new(trials.executable)
        .args([ARGUMENT, program.key()])
        .arg(&path)
        .args([trials.seconds.to_string(), port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", trials.executable.display()))?;
    if let Some(group) = &group {
        group.take(child.id())?;
    }
    let measured = measured(&mut child)?;
    Ok(Box::new(judge(&measured)))
}

fn measured(child: &mut Child) -> Result<crate::meter::Measured, String> {
    let settings = Settings { period: PERIOD, ..Settings::default() };
    let meter = Meter::start(Path::new("/"), Subject::Spawned(child.id()), settings);
    // It begins when it is told to.
    drop(child.stdin.take());
    let meter = meter.map_err(|error| error.to_string())?;
    let (status, measured) = meter.wait(child).map_err(|error| error.to_string())?;
    match status.success() {
        true => Ok(measured),
        false => Err("the program failed".to_owned()),
    }
}

const fn needs_file(program: Program) -> bool {
    matches!(
        program,
        Program::ReadInOrder | Program::ReadAtRandom | Program::SyncedWrites | Program::MapTooLarge
    )
}

/// Sends 64 KB every 20 ms to whoever connects, until it hangs up.
#[derive(Debug)]
struct Sender {
    port: u16,
}

impl Sender {
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        std::thread::Builder::new().name("sender".to_owned()).spawn(move || {
            let Ok((mut stream, _)) = listener.accept() else { return };
            while stream.write_all(&[7; 64 << 10]).is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        })?;
        Ok(Self { port })
    }
}

/// Is one of the programs: waits for its word to begin, and works. The answer is an exit code.
///
/// `arguments` are what stands behind [`ARGUMENT`].
#[must_use]
pub fn work(arguments: &[String]) -> u8 {
    let [name, path, seconds, port] = arguments else { return 2 };
    let program = Program::named(name);
    let (Some(program), Ok(seconds)) = (program, seconds.parse::<f64>()) else { return 2 };
    let _ = io::stdin().read_to_end(&mut Vec::new());
    let until = Until(Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 3600.0)));
    let path = Path::new(path);
    let done = match program {
        Program::SpinOne => threads::spin(1, until),
        Program::SpinAll => threads::spin(usize::MAX, until),
        Program::Lock => threads::contend(4, until),
        Program::Sleep => threads::sleep(until),
        Program::Copy => threads::copy(until),
        Program::ReadInOrder => file::read_in_order(path, until),
        Program::ReadAtRandom => file::read_at_random(path, until),
        Program::SyncedWrites => file::write_synced(path, until),
        Program::MapTooLarge => file::map(path, until),
        Program::Receive => receive(port, until),
    };
    u8::from(done.is_err())
}

fn receive(port: &str, until: Until) -> io::Result<()> {
    let port: u16 = port.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let mut buffer = vec![0; 64 << 10];
    while until.goes_on() && stream.read(&mut buffer)? > 0 {}
    Ok(())
}

/// When a program ends.
#[derive(Clone, Copy, Debug)]
struct Until(Instant);

impl Until {
    fn goes_on(self) -> bool {
        Instant::now() < self.0
    }
}
