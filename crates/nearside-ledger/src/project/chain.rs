//! The hash chain: each entry holds on to the one before it.
//!
//! ```text
//! content(n) = BLAKE3("nearside row"  | text(table) | cell | cell | ...)
//! link(n)    = BLAKE3("nearside link" | link(n - 1) | n | content(n)),   link(0) = 32 zero bytes
//! cell       = text(column) | 'i' and the whole number, 'r' and the bits of the number, or
//!              't' and text(value);  a null has no cell
//! text       = its length in bytes | its bytes
//! ```
//! Every number is 64 bits, the most significant byte first. That nulls leave no trace lets a later
//! version add a column without another hash for older rows.
//!
//! The content tells which row was altered; the link tells that an entry was put in, taken out or
//! moved. A chain alone cannot show that its last entries are gone, nor that somebody with leave to
//! write made all of it anew: for that the newest link, a [`Head`], has to be kept elsewhere.
//! Source: S. Haber and W. S. Stornetta, "How to time-stamp a digital document", 1991.

use std::fmt;
use std::str::FromStr;

use nearside_units::ParseError;
use rusqlite::types::ValueRef;

/// A BLAKE3 hash.
pub(crate) type Hash = [u8; 32];

/// The newest entry: its number and the hash that stands for everything up to it.
///
/// Its text, `NUMBER:HASH`, is made to be noted where who writes the ledger cannot change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub(crate) number: u64,
    pub(crate) link: Hash,
}

impl Head {
    /// Before the first entry.
    pub(crate) const NONE: Self = Self { number: 0, link: [0; 32] };

    /// The number of the entry; the first has 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The entry that follows.
    pub(crate) fn then(&self, content: &Hash) -> Self {
        let number = self.number + 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"nearside link").update(&self.link);
        hasher.update(&number.to_be_bytes()).update(content);
        Self { number, link: *hasher.finalize().as_bytes() }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.number, blake3::Hash::from_bytes(self.link))
    }
}

impl FromStr for Head {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parts = || {
            let (number, hash) = text.split_once(':')?;
            let link = *blake3::Hash::from_hex(hash).ok()?.as_bytes();
            Some(Self { number: number.parse().ok().filter(|number| *number > 0)?, link })
        };
        parts().ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a head of a ledger, NUMBER:HASH with 64 hexadecimal digits",
        })
    }
}

/// The hash of a row, from its table and each of its columns with what is in it.
pub(crate) fn content<'a>(
    table: &str,
    cells: impl IntoIterator<Item = (&'a str, ValueRef<'a>)>,
) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"nearside row");
    update_text(&mut hasher, table.as_bytes());
    for (column, value) in cells {
        if value != ValueRef::Null {
            update_text(&mut hasher, column.as_bytes());
            update_value(&mut hasher, value);
        }
    }
    *hasher.finalize().as_bytes()
}

fn update_value(hasher: &mut blake3::Hasher, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => {}
        ValueRef::Integer(number) => {
            hasher.update(b"i").update(&number.to_be_bytes());
        }
        ValueRef::Real(number) => {
            hasher.update(b"r").update(&number.to_bits().to_be_bytes());
        }
        ValueRef::Text(text) => update_text(hasher.update(b"t"), text),
        // No column holds any: a row with one was altered, and has another hash than any text.
        ValueRef::Blob(bytes) => update_text(hasher.update(b"b"), bytes),
    }
}

fn update_text(hasher: &mut blake3::Hasher, text: &[u8]) {
    hasher.update(&(text.len() as u64).to_be_bytes()).update(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fixed for good: a change here would make every ledger that exists look altered. The figures
    /// come from the reference implementation of BLAKE3, called from Python.
    #[test]
    fn hashes_stay_what_they_are() {
        let cells = [
            ("path", ValueRef::Text(b"model.gguf")),
            ("bytes", ValueRef::Integer(7)),
            ("seconds", ValueRef::Real(0.5)),
            ("certificate", ValueRef::Null),
        ];
        let content = content("artifacts", cells);
        let first = Head::NONE.then(&content);
        let second = first.then(&content);
        assert_eq!(
            blake3::Hash::from_bytes(content).to_string(),
            "452d8d55fb70ca3d17eac94aefb64d321d3b8e2621a0945deb9761ddcef4a425"
        );
        assert_eq!(
            second.to_string(),
            "2:73c42f8cddd98816de3a4ed49fd911b518bd403d88e07cefab274847125040b3"
        );
        assert_eq!(second.to_string().parse(), Ok(second));
    }

    #[test]
    fn what_differs_has_another_hash() {
        let of = |table: &str, column: &'static str, value| content(table, [(column, value)]);
        let all = [
            of("runs", "stage", ValueRef::Text(b"train")),
            of("plans", "stage", ValueRef::Text(b"train")),
            of("runs", "trial", ValueRef::Text(b"train")),
            of("runs", "stage", ValueRef::Text(b"train ")),
            of("runs", "stage", ValueRef::Text(b"")),
            of("runs", "stage", ValueRef::Integer(0)),
            of("runs", "stage", ValueRef::Real(0.0)),
            of("runs", "stage", ValueRef::Null),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(content("runs", []), of("runs", "stage", ValueRef::Null));
    }

    #[test]
    fn a_text_that_is_no_head_is_refused() {
        for text in ["", "1", "1:", "1:abc", "x:00", &format!("0:{}", "0".repeat(64))] {
            assert!(text.parse::<Head>().is_err(), "{text}");
        }
    }
}
