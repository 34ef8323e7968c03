//! Numbers out of the kernel's text files, without allocating: the meter reads hundreds of them per
//! second.
//!
//! Sources: `proc_pid_stat(5)`, `proc_pid_io(5)`; Linux `Documentation/accounting/psi.rst`,
//! `Documentation/scheduler/sched-stats.rst` (schedstat).

/// The number at the start of a text, after blanks; none without a digit or past 2^64.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|sign| sign.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    text[..digits]
        .iter()
        .try_fold(0u64, |value, sign| value.checked_mul(10)?.checked_add(u64::from(sign - b'0')))
}

/// Lines of a text.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|sign| *sign == b'\n').filter(|line| !line.is_empty())
}

/// What stands between blanks.
pub(crate) fn fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty())
}

/// The rest of the line that begins with a key and then a blank or a colon.
pub(crate) fn entry<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    lines(text).find_map(|line| {
        let rest = line.strip_prefix(key.as_bytes())?;
        let begins = rest.first().is_some_and(|sign| *sign == b':' || sign.is_ascii_whitespace());
        begins.then(|| rest.strip_prefix(b":").unwrap_or(rest).trim_ascii())
    })
}

/// The number of a key: `read_bytes: 4096`, `usage_usec 17`.
pub(crate) fn keyed(text: &[u8], key: &str) -> Option<u64> {
    entry(text, key).and_then(number)
}

/// A number of kibibytes in bytes: `VmSwap:      12 kB`.
pub(crate) fn kibibytes(text: &[u8], key: &str) -> Option<u64> {
    keyed(text, key)?.checked_mul(1024)
}

/// `/proc/PID/stat`, or a thread's: what is used of it. Times are in clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    /// `R`, `S`, `D`, `Z`, ...
    pub(crate) state: u8,
    pub(crate) parent: u32,
    pub(crate) process_group: u32,
    pub(crate) session: u32,
    pub(crate) minor_faults: u64,
    pub(crate) major_faults: u64,
    /// Of children that this process waited for, and of theirs.
    pub(crate) waited_minor_faults: u64,
    pub(crate) waited_major_faults: u64,
    pub(crate) user: u64,
    pub(crate) system: u64,
    pub(crate) waited_user: u64,
    pub(crate) waited_system: u64,
    pub(crate) threads: u64,
    pub(crate) resident_pages: u64,
}

impl Stat {
    /// The name in brackets may hold anything, brackets and blanks too: the last bracket ends it.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().rposition(|sign| *sign == b')')?;
        let mut fields = fields(&text[end + 1..]);
        let state = *fields.next()?.first()?;
        let mut values = [0u64; 21];
        for value in &mut values {
            let field = fields.next()?;
            // The terminal's group is -1 without a terminal; nothing that is used is negative.
            *value = number(field).unwrap_or(0);
        }
        let id = |at: usize| u32::try_from(values[at]).ok();
        Some(Self {
            state,
            parent: id(0)?,
            process_group: id(1)?,
            session: id(2)?,
            minor_faults: values[6],
            waited_minor_faults: values[7],
            major_faults: values[8],
            waited_major_faults: values[9],
            user: values[10],
            system: values[11],
            waited_user: values[12],
            waited_system: values[13],
            threads: values[16],
            resident_pages: values[20],
        })
    }
}

/// A thread's `schedstat`: nanoseconds on a processor, nanoseconds ready but waiting for one, and
/// how many times it was put on one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedstat {
    pub(crate) on: u64,
    pub(crate) queued: u64,
    pub(crate) slices: u64,
}

impl Schedstat {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut numbers = fields(text).map(number);
        let mut next = || numbers.next().flatten();
        Some(Self { on: next()?, queued: next()?, slices: next()? })
    }
}

/// Totals of a pressure file in microseconds: some task stalled, every task stalled.
///
/// The line `full` is missing for processors of a machine before Linux 5.13.
pub(crate) fn pressure(text: &[u8]) -> Option<(u64, Option<u64>)> {
    let total =
        |kind| fields(entry(text, kind)?).find_map(|field| number(field.strip_prefix(b"total=")?));
    Some((total("some")?, total("full")))
}

/// Bytes received and sent over interfaces of `/proc/net/dev`, loopback apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interfaces {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) loopback: u64,
}

impl Interfaces {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut sum = Self::default();
        // Two lines of heads.
        for line in lines(text).skip(2) {
            let colon = line.iter().position(|sign| *sign == b':')?;
            let mut counters = fields(&line[colon + 1..]).map(number);
            let (received, sent) = (counters.next()??, counters.nth(7)??);
            match line[..colon].trim_ascii() {
                b"lo" => sum.loopback = sum.loopback.checked_add(received)?,
                _ => {
                    sum.received = sum.received.checked_add(received)?;
                    sum.sent = sum.sent.checked_add(sent)?;
                }
            }
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_digits_do_and_do_not_wrap() {
        assert_eq!(number(b"  42 kB"), Some(42));
        assert_eq!(number(b"-1"), None);
        assert_eq!(number(b""), None);
        assert_eq!(number(b"99999999999999999999"), None);
    }

    #[test]
    fn keys_are_whole() {
        let io = b"rchar: 1\nread_bytes: 4096\ncancelled_write_bytes: 7\nwrite_bytes: 512\n";
        assert_eq!(keyed(io, "read_bytes"), Some(4096));
        assert_eq!(keyed(io, "write_bytes"), Some(512));
        assert_eq!(keyed(io, "read"), None);
        assert_eq!(kibibytes(b"VmRSS:\t  12 kB\n", "VmRSS"), Some(12 * 1024));
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let text = b"7 (a) R 1 (b) S 3 5 6 0 -1 4194304 100 11 2 22 30 40 50 60 20 0 9 0 439185 \
                     3133440 410 18446744073709551615 1 1";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.state, stat.parent, stat.process_group, stat.session), (b'S', 3, 5, 6));
        assert_eq!((stat.minor_faults, stat.waited_minor_faults), (100, 11));
        assert_eq!((stat.major_faults, stat.waited_major_faults), (2, 22));
        assert_eq!(
            (stat.user, stat.system, stat.waited_user, stat.waited_system),
            (30, 40, 50, 60)
        );
        assert_eq!((stat.threads, stat.resident_pages), (9, 410));
        assert_eq!(Stat::parse(b"7 (cut off) S 3"), None);
    }

    #[test]
    fn scheduling_and_pressure() {
        let expect = Schedstat { on: 43325, queued: 17, slices: 3 };
        assert_eq!(Schedstat::parse(b"43325 17 3\n"), Some(expect));
        assert_eq!(Schedstat::parse(b"43325\n"), None);
        let text = b"some avg10=0.30 avg60=0.60 avg300=1.68 total=361979010\n\
                     full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        assert_eq!(pressure(text), Some((361_979_010, Some(5))));
        assert_eq!(pressure(&text[..54]), Some((361_979_010, None)));
        assert_eq!(pressure(b""), None);
    }

    #[test]
    fn loopback_is_no_network() {
        let text =
            b"Inter-|   Receive  |  Transmit\n face |bytes ... |bytes\n    lo: 10 1 0 0 0 0 \
                     0 0 10 1 0 0 0 0 0 0\n  eth0: 100 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n  eth1:5 1 0 \
                     0 0 0 0 0 2 1 0 0 0 0 0 0\n";
        let expect = Interfaces { received: 105, sent: 9, loopback: 10 };
        assert_eq!(Interfaces::parse(text), Some(expect));
    }
}
