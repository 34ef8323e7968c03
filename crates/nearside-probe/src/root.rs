//! Files below a root: `/` on a real machine, a recorded tree in tests.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::str::FromStr;

use nearside_units::Known;

/// No fact is longer than this: `/proc/cpuinfo` of 1024 threads is about 2 MB.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// No folder of facts has more entries: one per processor thread, plus a few.
const MAX_ENTRIES: usize = 16_384;

/// A root folder below which paths are given without a leading slash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root<'a>(pub(crate) &'a Path);

impl Root<'_> {
    /// The whole text of a file.
    pub(crate) fn text(self, path: &str) -> Known<String> {
        let read = File::open(self.0.join(path)).and_then(|file| {
            let mut text = String::new();
            file.take(MAX_FILE_BYTES).read_to_string(&mut text).map(|_bytes| text)
        });
        read.map_or_else(|error| unreadable(path, &error), Known::Value)
    }

    /// A file that holds one value, without the space around it.
    pub(crate) fn value<T: FromStr>(self, path: &str) -> Known<T> {
        self.text(path).and_then(|text| match text.trim() {
            "" => Known::unknown(format!("/{path}: empty")),
            text => {
                Known::from_option(text.parse().ok(), format!("/{path}: {text:?} not expected"))
            }
        })
    }

    /// Whether there is such a file or folder.
    pub(crate) fn has(self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    /// Names in a folder that consist of this prefix and a number, in the order of the number.
    pub(crate) fn numbered(self, folder: &str, prefix: &str) -> Vec<String> {
        let entries = self.0.join(folder).read_dir().into_iter().flatten().take(MAX_ENTRIES);
        let mut found: Vec<(u32, String)> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Some((name.strip_prefix(prefix)?.parse().ok()?, name)))
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }
}

fn unreadable<T>(path: &str, error: &io::Error) -> Known<T> {
    Known::unknown(format!("/{path}: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers_and_connectors_are_no_cards() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/arm-server");
        let found = Root(&fixtures).numbered("sys/devices/system/cpu", "cpu");
        assert_eq!(found.first().map(String::as_str), Some("cpu0"));
        assert!(found.iter().all(|name| name != "cpufreq"), "{found:?}");
    }

    #[test]
    fn a_missing_file_is_unknown_with_its_name() {
        let value: Known<u32> = Root(Path::new("/nonexistent")).value("proc/nothing");
        assert_eq!(value.why(), Some("/proc/nothing: entity not found"));
    }
}
