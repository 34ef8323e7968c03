//! Which bytes an answer says that it has.
//!
//! Source: RFC 9110, section 14.4: `Content-Range: bytes FIRST-LAST/WHOLE`.

/// The first byte of an answer and the length of the whole. None where it names either of them not, as in
/// `bytes 5-9/*` and `bytes */10`.
pub(super) fn parse(header: &str) -> Option<(u64, u64)> {
    let (range, whole) = header.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let whole: u64 = whole.trim().parse().ok()?;
    (first <= last && last < whole).then_some((first, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_nonsense_is_none() {
        assert_eq!(parse("bytes 5-9/10"), Some((5, 10)));
        for nonsense in [
            "",
            "bytes",
            "bytes */10",
            "bytes 5-9/*",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "items 5-9/10",
            "bytes -5-9/10",
        ] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }
}
