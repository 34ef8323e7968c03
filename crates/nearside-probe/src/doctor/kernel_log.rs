//! The kernel's log since the machine was started: what drivers say of errors there.
//!
//! Source: the kernel's first line after a start is `Linux version ...` (`init/version.c`); NVIDIA,
//! "XID errors".

use nearside_units::Known;

use super::check::{Check, Rule, Section};
use crate::root::Root;

pub(super) const HMM: Rule = Rule {
    id: "hmm-kaslr",
    section: Section::Driver,
    says: "nvidia-uvm finds room for the device's memory pages: KASLR of certain kernels takes it",
    source: "CUDA 13.2 release notes, known issues: request_free_mem_region() err -34",
};
pub(super) const XID: Rule = Rule {
    id: "xid-errors",
    section: Section::Driver,
    says: "the driver has reported no error of a device since the machine was started",
    source: "NVIDIA, XID errors",
};

/// Bytes of the kernel's log that are read, from its end.
const LOG_BYTES: u64 = 512 << 10;
/// Files that keep the kernel's log.
const LOGS: [&str; 3] = ["var/log/kern.log", "var/log/messages", "var/log/dmesg"];
/// What the kernel says first.
const FIRST_WORDS: &str = "Linux version ";
/// Codes of broken hardware: memory (48, 64, 95), links (74), the bus (79), the device's own
/// processor (119, 120). 63 and 94 tell of errors that were dealt with.
const BROKEN: [u32; 7] = [48, 64, 74, 79, 95, 119, 120];

/// The end of the kernel's log, from the last start of the machine on.
pub(super) fn log(root: Root<'_>) -> Known<String> {
    let logs = LOGS.iter().map(|file| root.tail(file, LOG_BYTES));
    let unread =
        Known::unknown(format!("no log of the kernel can be read (/{})", LOGS.join(", /")));
    let log = logs.fold(unread, |found, next| match (&found, &next) {
        (Known::Unknown(_), Known::Value(_)) => next,
        _ => found,
    });
    log.map(|log| since_start(&log).to_owned())
}

/// A log whose beginning was cut off is from after the last start as a whole.
fn since_start(log: &str) -> &str {
    let start =
        log.rfind(FIRST_WORDS).map_or(0, |at| log[..at].rfind('\n').map_or(0, |end| end + 1));
    &log[start..]
}

pub(super) fn hmm(log: &Known<String>) -> Check {
    let log = match log {
        Known::Value(log) => log,
        Known::Unknown(why) => return HMM.unknown(&**why),
    };
    let line = log.lines().rev().find(|line| line.contains("request_free_mem_region() err -34"));
    match line {
        None => HMM.ok("the kernel's log tells of no such failure"),
        Some(line) => HMM
            .fault("the kernel has no room left for the device's memory pages: CUDA does not start")
            .seen(line.trim().to_owned())
            .fix("echo 'options nvidia_uvm uvm_disable_hmm=1' | sudo tee /etc/modprobe.d/uvm.conf")
            .fix("sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm"),
    }
}

/// The worst error counts, and of equally bad ones the last.
pub(super) fn xid(log: &Known<String>) -> Check {
    let log = match log {
        Known::Value(log) => log,
        Known::Unknown(why) => return XID.unknown(&**why),
    };
    let found: Vec<(u32, &str)> =
        log.lines().filter_map(|line| Some((xid_code(line)?, line.trim()))).collect();
    let Some((number, line)) = found.iter().max_by_key(|(number, _)| BROKEN.contains(number))
    else {
        return XID.ok("the kernel's log tells of no errors of a device");
    };
    let check = match BROKEN.contains(number) {
        true => XID
            .fault(format!("the driver has reported Xid {number}, an error of the hardware"))
            .fix("nvidia-smi -q -d ECC,ROW_REMAPPER,PERFORMANCE")
            .fix("sudo nvidia-bug-report.sh  # what support wants to see"),
        false => XID
            .warning(format!("the driver has reported Xid {number}"))
            .fix(format!("# docs.nvidia.com/deploy/xid-errors says what {number} means")),
    };
    let check = check.seen(*line);
    match found.len() {
        1 => check,
        count => check.seen(format!("{count} lines of errors since the machine was started")),
    }
}

/// 79 of `NVRM: Xid (PCI:0000:3a:00): 79, pid=1234, ...`.
fn xid_code(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("NVRM: Xid (")?;
    rest.split_once("): ")?.1.split([',', ' ']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    const START: &str = "kernel: Linux version 6.8.0\n";

    fn of(codes: &[u32]) -> String {
        codes
            .iter()
            .map(|code| format!("kernel: NVRM: Xid (PCI:0000:01:00): {code}, x\n"))
            .collect()
    }

    #[test]
    fn only_what_was_said_since_the_last_start_counts() {
        assert_eq!(since_start("old\nx: Linux version 1\nb\n"), "x: Linux version 1\nb\n");
        assert_eq!(since_start("cut off\nb\n"), "cut off\nb\n");
        let before = format!("{START}{}{START}kernel: all is well\n", of(&[79]));
        assert_eq!(xid(&Known::Value(since_start(&before).to_owned())).status, Status::Ok);
    }

    #[test]
    fn the_worst_error_counts_and_errors_that_were_dealt_with_are_warnings() {
        let check = xid(&Known::Value(of(&[13, 79, 31])));
        assert_eq!(check.status, Status::Fault);
        assert!(check.title.contains("Xid 79"), "{}", check.title);
        assert!(check.evidence[1].starts_with("3 lines"), "{:?}", check.evidence);
        let last = xid(&Known::Value(of(&[13, 31])));
        assert!(last.title.contains("Xid 31"), "{}", last.title);
        for code in [63, 94] {
            assert_eq!(xid(&Known::Value(of(&[code]))).status, Status::Warning, "{code}");
        }
        assert_eq!(xid(&Known::unknown("no log")).status, Status::Unknown);
    }
}
