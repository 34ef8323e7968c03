//! Addresses of networks, and what in them opens a door: a name and a password before the host.

/// An address in its parts: `scheme://` (may be empty), what stands before the last `@` of the host's
/// part, and the rest.
///
/// A path may have an `@` of its own, which ends no name.
pub(crate) fn parts(address: &str) -> (&str, Option<&str>, &str) {
    let (scheme, rest) = address.split_at(address.find("://").map_or(0, |at| at + 3));
    let host = rest.find('/').map_or(rest, |end| &rest[..end]);
    match host.rfind('@') {
        Some(end) => (scheme, Some(&rest[..end]), &rest[end + 1..]),
        None => (scheme, None, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_the_last_sign_before_the_path() {
        assert_eq!(parts("https://me:a@b@host/x@y"), ("https://", Some("me:a@b"), "host/x@y"));
        assert_eq!(parts("https://host/x@y"), ("https://", None, "host/x@y"));
        assert_eq!(parts("me:secret@proxy:3128"), ("", Some("me:secret"), "proxy:3128"));
        assert_eq!(parts("host"), ("", None, "host"));
    }
}
