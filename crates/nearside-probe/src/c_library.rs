//! The C library of a machine and its version: its functions decide the last bits of `exp` and its like.
//!
//! Source: glibc `csu/version.c`, which puts the banner that is looked for into `libc.so.6`; Alpine's
//! list of installed packages for musl, which does not say its version itself.

use std::path::Path;

use nearside_units::Known;

use crate::root::Root;

/// Where distributions keep glibc: the usual triplets, then folders of 64 bits.
const GLIBC: [&str; 5] = [
    "lib/x86_64-linux-gnu/libc.so.6",
    "lib/aarch64-linux-gnu/libc.so.6",
    "lib64/libc.so.6",
    "usr/lib64/libc.so.6",
    "usr/lib/libc.so.6",
];
/// Bytes of a library that are read: glibc has about 2 MB.
const MOST_BYTES: u64 = 16 << 20;
/// Alpine's list of what is installed.
const ALPINE: &str = "lib/apk/db/installed";

/// The C library below a root, as in `glibc 2.36`.
#[must_use]
pub fn c_library(root: &Path) -> Known<String> {
    let root = Root(root);
    if let Some(path) = GLIBC.into_iter().find(|path| root.has(path)) {
        return root.head(path, MOST_BYTES).and_then(|bytes| {
            let version = banner(&bytes).map(|version| format!("glibc {version}"));
            Known::from_option(version, format!("/{path}: no version of glibc in it"))
        });
    }
    root.text(ALPINE)
        .and_then(|text| Known::from_option(musl(&text), format!("/{ALPINE}: no musl in it")))
}

/// The version in `GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.`
fn banner(bytes: &[u8]) -> Option<String> {
    let (name, before) = (b"GNU C Library", "release version ");
    let at = bytes.windows(name.len()).position(|window| window == name)?;
    let line = bytes.get(at..)?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line.get(..line.len().min(200))?).into_owned();
    let version = line.split_once(before)?.1;
    let version: String =
        version.chars().take_while(|sign| sign.is_ascii_digit() || *sign == '.').collect();
    let version = version.trim_end_matches('.');
    (!version.is_empty()).then(|| version.to_owned())
}

/// The version of the package of that name, without the distribution's own number.
fn musl(installed: &str) -> Option<String> {
    let package = installed.split("\n\n").find(|block| block.lines().any(|it| it == "P:musl"))?;
    let version = package.lines().find_map(|line| line.strip_prefix("V:"))?;
    Some(format!("musl {}", version.split("-r").next().unwrap_or(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        let text =
            b"\0x\0GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n";
        assert_eq!(banner(text).as_deref(), Some("2.36"));
        assert_eq!(banner(b"GNU C Library (x) development release version "), None);
        assert_eq!(banner(b"GNU C Library"), None);
        let text = "C:Q1\nP:busybox\nV:1.36\n\nC:Q2\nP:musl\nV:1.2.5-r9\nA:x86_64\n";
        assert_eq!(musl(text).as_deref(), Some("musl 1.2.5"));
        assert_eq!(musl("P:musl-utils\nV:1\n"), None);
    }

    #[test]
    fn this_machine_has_one_and_an_empty_one_says_what_was_looked_for() {
        let here = c_library(Path::new("/"));
        assert!(here.as_ref().value().is_some_and(|name| name.contains(' ')), "{here:?}");
        let nowhere = c_library(Path::new("/nonexistent"));
        assert_eq!(nowhere.why(), Some("/lib/apk/db/installed: entity not found"));
    }
}
