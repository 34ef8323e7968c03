//! A digest of a row: of its cells that are not empty, each with the name of its column, in the order of
//! the names. So neither the order of columns nor columns that are empty show in it.
//!
//! SipHash of 64 bits, as the standard library has it. It is compared within one run of the program only.

use std::hash::{DefaultHasher, Hasher as _};

/// After every cell; no UTF-8 text contains it.
const END: u8 = 0xff;

/// How rows of a file are digested.
#[derive(Debug)]
pub(super) struct Digester {
    /// The places of columns in the order of their names, with a digest of the name.
    columns: Vec<(usize, u64)>,
}

impl Digester {
    pub(super) fn new(names: &[String]) -> Self {
        let fold = |name: &String| -> String {
            let letters = name.trim().chars().filter(|letter| *letter != '_');
            letters.map(|letter| letter.to_ascii_lowercase()).collect()
        };
        let mut named: Vec<(String, usize)> =
            names.iter().enumerate().map(|(at, name)| (fold(name), at)).collect();
        named.sort();
        let digest = |name: &str| {
            let mut hasher = DefaultHasher::new();
            hasher.write(name.as_bytes());
            hasher.finish()
        };
        Self { columns: named.iter().map(|(name, at)| (*at, digest(name))).collect() }
    }

    /// The digest of a row.
    pub(super) fn digest<'a>(&self, cell: impl Fn(usize) -> Option<&'a [u8]>) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (at, name) in &self.columns {
            if let Some(text) = cell(*at).filter(|text| !text.is_empty()) {
                hasher.write_u64(*name);
                hasher.write(text);
                hasher.write_u8(END);
            }
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_order_nor_empty_columns_show() {
        let digest = |names: &[&str], cells: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            Digester::new(&names).digest(|at| cells.get(at).map(|cell| cell.as_bytes()))
        };
        let one = digest(&["A", "b_c"], &["1", "2"]);
        assert_eq!(one, digest(&["BC", "x", "a"], &["2", "", "1"]));
        assert_ne!(one, digest(&["A", "b_c"], &["2", "1"]));
        assert_ne!(digest(&["a", "b"], &["12", ""]), digest(&["a", "b"], &["1", "2"]));
    }
}
