//! How lists of names are kept: as one table of bytes, made when the crate is compiled and read in
//! place, so that a scan starts at once. The build script uses this file too.

use super::folded::Folded;

/// People are given it.
pub(super) const GIVEN: u32 = 1;
/// Families have it.
pub(super) const FAMILY: u32 = 2;
/// It is a word of the language too.
pub(super) const ORDINARY: u32 = 4;
/// It is a place or an organisation too.
pub(super) const PLACE: u32 = 8;
/// It makes an organisation of the words before it: `Ltd`, `University`.
pub(super) const ORGANISATION: u32 = 16;
/// From this bit on, the countries in whose lists it stands.
pub(super) const COUNTRIES: u32 = 5;
/// The codes of the countries, in the order of their bits.
pub(super) const CODES: [&str; 12] =
    ["us", "ca", "gb", "au", "in", "de", "fr", "es", "it", "nl", "pl", "br"];

/// The bytes of a place: the high half of the hash of a word, and its bits.
pub(super) const PLACE_BYTES: usize = 8;

/// The bits of a word, 0 where it is not in the table.
pub(super) fn bits_of(table: &[u8], word: Folded) -> u32 {
    find(table, word).1
}

/// Where a word stands in a table that is half empty, or would, and its bits.
pub(super) fn find(table: &[u8], word: Folded) -> (usize, u32) {
    let mask = table.len() / PLACE_BYTES - 1;
    let mut place = (word.hash() >> 32 ^ word.hash()) as usize & mask;
    loop {
        let start = place * PLACE_BYTES;
        let Some([a, b, c, d, e, f, g, h]) = table.get(start..start + PLACE_BYTES) else {
            return (0, 0);
        };
        let bits = u32::from_le_bytes([*e, *f, *g, *h]);
        // No word is without bits.
        if bits == 0 || u32::from_le_bytes([*a, *b, *c, *d]) == high(word) {
            return (start, bits);
        }
        place = (place + 1) & mask;
    }
}

/// The half of a hash that tells words of one place apart.
pub(super) const fn high(word: Folded) -> u32 {
    (word.hash() >> 32) as u32
}
