//! What a thread that waits for several events at once waits for: the files that it watches tell.
//!
//! Programs that serve or download wait in `epoll_wait`, `poll` or `select`, and so does one that only
//! sleeps. An `epoll` lists what it watches (`/proc/PID/fdinfo`); `poll` and `select` do not, so all
//! open files of the process stand in for it. A connected internet socket is the network, a listening
//! one waits for whoever calls, a pipe for what another program hands over; with none of these, it is
//! the time.
//! Sources: Linux `Documentation/filesystems/proc.rst` (fdinfo of epoll), `net/ipv4/tcp_ipv4.c`
//! (`tcp4_seq_show`: states 01 established, 0A listening).

use super::parse;
use super::read::{Files, Slot};
use super::wait::WaitClass;

/// Open files of a process that are looked at, at most.
const MAX_FILES: usize = 64;

/// Calls that wait for what an epoll watches.
const EPOLL: &[u64] = if cfg!(target_arch = "x86_64") { &[232, 281, 441] } else { &[22, 441] };

/// What an open file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opened {
    Socket(u64),
    Pipe(u64),
    Else,
}

/// What a thread of a process waits for in a call for several events.
pub(crate) fn of(process: u32, thread: u32, files: &mut Files) -> WaitClass {
    let call = files.once(format_args!("proc/{process}/task/{thread}/syscall"));
    let epoll = call.ok().and_then(epoll_of);
    let watched = match epoll {
        Some(epoll) => {
            let text = files.once(format_args!("proc/{process}/fdinfo/{epoll}"));
            text.map(targets).unwrap_or_default()
        }
        None => files.numbers(format_args!("proc/{process}/fd")).unwrap_or_default(),
    };
    let opened: Vec<Opened> = watched
        .iter()
        .take(MAX_FILES)
        .filter_map(|number| files.link(format_args!("proc/{process}/fd/{number}")))
        .map(|name| opened(&name))
        .collect();
    let sockets: Vec<u64> = opened
        .iter()
        .filter_map(|opened| match opened {
            Opened::Socket(inode) => Some(*inode),
            Opened::Pipe(_) | Opened::Else => None,
        })
        .collect();
    if !sockets.is_empty() {
        let tables = ["tcp", "tcp6", "udp", "udp6"];
        let found = tables.map(|table| {
            // The kernel gives a page of it at a time.
            let text =
                files.read_all(&mut Slot::default(), format_args!("proc/{process}/net/{table}"));
            text.map_or(Internet::None, |text| internet(text, &sockets))
        });
        match found.into_iter().max() {
            Some(Internet::Connected) => return WaitClass::Network,
            Some(Internet::Listening) => return WaitClass::LocalSocket,
            _ => {}
        }
    }
    // An epoll only watches pipes that matter; among all open files there are always some.
    match epoll {
        Some(_) if has_others_pipe(process, &opened, files) => WaitClass::Pipe,
        Some(_) => WaitClass::Timer,
        None => WaitClass::Poll,
    }
}

/// Whether a pipe is watched whose other end another process has: with both ends, a process only wakes
/// itself.
fn has_others_pipe(process: u32, watched: &[Opened], files: &mut Files) -> bool {
    if !watched.iter().any(|opened| matches!(opened, Opened::Pipe(_))) {
        return false;
    }
    let all = files.numbers(format_args!("proc/{process}/fd")).unwrap_or_default();
    let links = all.iter().take(MAX_FILES);
    let all: Vec<Opened> = links
        .filter_map(|number| files.link(format_args!("proc/{process}/fd/{number}")))
        .map(|name| opened(&name))
        .collect();
    let ends = |pipe: &Opened| all.iter().filter(|other| *other == pipe).count();
    let pipes = watched.iter().filter(|opened| matches!(opened, Opened::Pipe(_)));
    pipes.into_iter().any(|pipe| ends(pipe) < 2)
}

/// The file number of the epoll that a call waits for: `232 0x4 0x7f.. ..`.
fn epoll_of(call: &[u8]) -> Option<u64> {
    let mut fields = parse::fields(call);
    let number = parse::number(fields.next()?)?;
    let first = std::str::from_utf8(fields.next()?).ok()?;
    let first = u64::from_str_radix(first.strip_prefix("0x")?, 16).ok()?;
    EPOLL.contains(&number).then_some(first)
}

/// File numbers that an epoll watches: lines `tfd:        5 events: ...`.
fn targets(text: &[u8]) -> Vec<u32> {
    let lines = text.split(|byte| *byte == b'\n');
    let number = |line: &[u8]| {
        let rest = line.strip_prefix(b"tfd:")?;
        u32::try_from(parse::number(parse::fields(rest).next()?)?).ok()
    };
    lines.filter_map(number).collect()
}

fn opened(name: &str) -> Opened {
    let number = |kind: &str| -> Option<u64> {
        name.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
    };
    let socket = number("socket").map(Opened::Socket);
    socket.or_else(|| number("pipe").map(Opened::Pipe)).unwrap_or(Opened::Else)
}

/// What is known of a socket as one of the internet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Internet {
    None,
    Listening,
    Connected,
}

/// The most that a table of sockets says of some of them. Its columns: number, local address, remote
/// address, state, queues, timer, retransmissions, user, timeout, inode.
fn internet(table: &[u8], sockets: &[u64]) -> Internet {
    let lines = table.split(|byte| *byte == b'\n').skip(1);
    let state = |line: &[u8]| {
        let mut fields = parse::fields(line).skip(3);
        let state = fields.next()?;
        let inode = parse::number(fields.nth(5)?)?;
        let state = if state == b"0A" { Internet::Listening } else { Internet::Connected };
        sockets.contains(&inode).then_some(state)
    };
    lines.filter_map(state).max().unwrap_or(Internet::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoll_is_named_by_its_call() {
        if cfg!(target_arch = "x86_64") {
            assert_eq!(epoll_of(b"232 0x4 0x7ffd 0x40 0x3e8 0x0 0x0 0x7f 0x7f\n"), Some(4));
        }
        assert_eq!(epoll_of(b"7 0x7ffd 0x1 0xffffffff\n"), None);
        assert_eq!(epoll_of(b"running\n"), None);
    }

    #[test]
    fn what_an_epoll_watches() {
        let text = b"pos:\t0\nflags:\t02\ntfd:        5 events:       19 data:  5\n\
                     tfd:       11 events: 1 data: b\n";
        assert_eq!(targets(text), [5, 11]);
    }

    #[test]
    fn open_files_by_their_links() {
        assert_eq!(opened("socket:[4711]"), Opened::Socket(4711));
        assert_eq!(opened("pipe:[12]"), Opened::Pipe(12));
        assert_eq!(opened("/dev/null"), Opened::Else);
        assert_eq!(opened("anon_inode:[timerfd]"), Opened::Else);
    }

    #[test]
    fn sockets_in_the_table_of_the_kernel() {
        let table = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1\n";
        assert_eq!(internet(table, &[4711]), Internet::Listening);
        assert_eq!(internet(table, &[4711, 4712]), Internet::Connected);
        assert_eq!(internet(table, &[1]), Internet::None);
    }
}
