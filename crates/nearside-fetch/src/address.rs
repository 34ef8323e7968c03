//! Addresses: which are spoken to, and where one leads on from another.
//!
//! Source: RFC 3986, sections 3.2 (authority) and 4.2 (relative references).

/// Whether this is an address and no file.
///
/// ```
/// assert!(nearside_fetch::is_address("https://example.org/prices.json"));
/// assert!(!nearside_fetch::is_address("prices.json"));
/// ```
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// The host of an address, with its port where it names one.
///
/// ```
/// assert_eq!(nearside_fetch::host("https://example.org:8443/a?b"), Some("example.org:8443"));
/// ```
#[must_use]
pub fn host(url: &str) -> Option<&str> {
    // What stands before an @ is a name and a password, not a host.
    let authority = authority(url)?;
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
        .filter(|host| !host.is_empty())
}

/// Whether this program speaks to that address: in secret, or with this machine itself.
pub(crate) fn is_spoken_to(url: &str) -> bool {
    host(url).is_some() && (url.starts_with("https://") || is_here(url))
}

/// Whether an address is one of this machine itself, which others cannot listen to.
///
/// ```
/// assert!(nearside_fetch::is_here("http://127.0.0.1:8080/v1"));
/// assert!(!nearside_fetch::is_here("http://127.0.0.1@example.org/"));
/// ```
#[must_use]
pub fn is_here(url: &str) -> bool {
    let Some(host) = host(url) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|sign| sign.is_ascii_digit()) => name,
        _ => host,
    };
    url.starts_with("http://") && matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

/// Scheme, host and port, written in one way: two addresses of one origin are of one server.
pub(crate) fn origin(url: &str) -> Option<String> {
    let (scheme, _) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let host = host(url)?.to_ascii_lowercase();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(usual).unwrap_or(&host);
    Some(format!("{scheme}://{host}"))
}

/// Where a redirect leads: an address, or a path on the same server. None where it is something else.
pub(crate) fn resolved(from: &str, location: &str) -> Option<String> {
    if is_address(location) {
        return Some(location.to_owned());
    }
    let (scheme, _) = from.split_once("://")?;
    if let Some(rest) = location.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    // Relative to a folder is nothing that a server which is asked for files answers.
    location.starts_with('/').then(|| Some(format!("{}{location}", origin(from)?))).flatten()
}

/// The address without what follows a question mark: that may be a signature, which opens a door.
pub(crate) fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(&rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_is_known_by_its_origin() {
        let same = |one, other| origin(one).unwrap() == origin(other).unwrap();
        assert!(same("https://Example.org/a", "https://example.org:443/b?c"));
        assert!(!same("https://example.org/", "http://example.org/"));
        assert!(!same("https://example.org/", "https://example.org:8443/"));
        assert!(!same("https://example.org/", "https://example.org@evil.org/"));
        assert!(!same("https://example.org/", "https://evil.org\\@example.org/"));
    }

    #[test]
    fn redirects_lead_to_addresses_and_to_paths() {
        let from = "https://example.org/a/b";
        assert_eq!(resolved(from, "/c?d").unwrap(), "https://example.org/c?d");
        assert_eq!(resolved(from, "//cdn.org/c").unwrap(), "https://cdn.org/c");
        assert_eq!(resolved(from, "https://cdn.org/c").unwrap(), "https://cdn.org/c");
        assert_eq!(resolved(from, "file:///etc/passwd"), None);
        assert_eq!(resolved(from, "c"), None);
    }
}
