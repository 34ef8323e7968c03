//! For which processors a program is built, from the first bytes of its file.
//!
//! Source: the ELF specification, chapter "Object Files" (`e_machine`, offset 18); Apple's
//! `mach-o/loader.h` and `mach-o/fat.h` (`cputype`).

use std::fmt;

use nearside_units::Known;

/// Bytes that are looked at: enough for the header of a universal binary of 8 architectures.
pub(crate) const HEAD_BYTES: u64 = 168;
/// No universal binary holds more; a Java class file, which begins with the same bytes, seems to.
const MAX_UNIVERSAL: u32 = 8;

/// The instruction set of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// AMD and Intel, 64 bits.
    X86_64,
    /// AMD and Intel, 32 bits.
    X86,
    /// Arm, 64 bits; Apple calls it arm64.
    Aarch64,
    /// Arm, 32 bits.
    Arm,
    /// RISC-V.
    RiscV,
    /// POWER, 64 bits.
    PowerPc64,
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::X86_64 => "x86-64",
            Self::X86 => "x86",
            Self::Aarch64 => "arm64",
            Self::Arm => "arm",
            Self::RiscV => "riscv",
            Self::PowerPc64 => "ppc64",
        })
    }
}

/// The instruction sets of a program: one, or several in a universal binary of macOS.
pub(crate) fn instruction_sets(head: &[u8]) -> Known<Vec<InstructionSet>> {
    let little = |at: usize| word(head, at).map(u32::from_le_bytes);
    let big = |at: usize| word(head, at).map(u32::from_be_bytes);
    match head {
        [0x7f, b'E', b'L', b'F', ..] => elf(head),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => one(little(4).and_then(mach), "a Mach-O binary"),
        [0xca, 0xfe, 0xba, 0xbe, ..] => {
            let count = big(4).filter(|count| (1..=MAX_UNIVERSAL).contains(count));
            let Some(count) = count else { return Known::unknown("no universal binary") };
            let sets = (0..count as usize).map(|at| big(8 + 20 * at).and_then(mach));
            let why = "a universal binary of unknown architectures";
            Known::from_option(sets.collect::<Option<Vec<_>>>(), why)
        }
        [b'#', b'!', ..] => Known::unknown("a script, no binary"),
        _ => Known::unknown("neither an ELF nor a Mach-O binary"),
    }
}

fn word(head: &[u8], at: usize) -> Option<[u8; 4]> {
    head.get(at..at + 4)?.try_into().ok()
}

fn one(set: Option<InstructionSet>, what: &str) -> Known<Vec<InstructionSet>> {
    Known::from_option(set.map(|set| vec![set]), format!("{what} of an unknown architecture"))
}

fn elf(head: &[u8]) -> Known<Vec<InstructionSet>> {
    let machine = head.get(18..20).and_then(|two| <[u8; 2]>::try_from(two).ok());
    let machine = machine.map(|two| match head.get(5) {
        Some(2) => u16::from_be_bytes(two),
        _ => u16::from_le_bytes(two),
    });
    let set = machine.and_then(|machine| match machine {
        3 => Some(InstructionSet::X86),
        21 => Some(InstructionSet::PowerPc64),
        40 => Some(InstructionSet::Arm),
        62 => Some(InstructionSet::X86_64),
        183 => Some(InstructionSet::Aarch64),
        243 => Some(InstructionSet::RiscV),
        _ => None,
    });
    one(set, "an ELF binary")
}

fn mach(processor: u32) -> Option<InstructionSet> {
    match processor {
        0x0100_0007 => Some(InstructionSet::X86_64),
        7 => Some(InstructionSet::X86),
        0x0100_000c => Some(InstructionSet::Aarch64),
        12 => Some(InstructionSet::Arm),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_for_which_processor() {
        let elf = |machine: u8| {
            let mut head = b"\x7fELF\x02\x01\x01".to_vec();
            head.resize(18, 0);
            head.extend([machine, 0]);
            head
        };
        let sets = |head: &[u8]| instruction_sets(head).value();
        assert_eq!(sets(&elf(62)), Some(vec![InstructionSet::X86_64]));
        assert_eq!(sets(&elf(183)), Some(vec![InstructionSet::Aarch64]));
        assert_eq!(sets(b"\xcf\xfa\xed\xfe\x07\0\0\x01"), Some(vec![InstructionSet::X86_64]));
        assert_eq!(sets(b"\xcf\xfa\xed\xfe\x0c\0\0\x01"), Some(vec![InstructionSet::Aarch64]));
        let mut both = b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07".to_vec();
        both.resize(28, 0);
        both.extend(b"\x01\0\0\x0c");
        assert_eq!(sets(&both), Some(vec![InstructionSet::X86_64, InstructionSet::Aarch64]));
    }

    #[test]
    fn what_is_no_binary_is_unknown() {
        for head in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", b"\xca\xfe\xba\xbe\0\0\x004", b"hello"] {
            assert!(instruction_sets(head).why().is_some(), "{head:?}");
        }
    }

    #[test]
    fn this_program_is_built_for_this_machine() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let sets = instruction_sets(&own[..HEAD_BYTES as usize]).value().unwrap();
        let expected = match std::env::consts::ARCH {
            "x86_64" => InstructionSet::X86_64,
            "aarch64" => InstructionSet::Aarch64,
            other => panic!("not expected: {other}"),
        };
        assert!(sets.contains(&expected));
    }
}
