//! How indexes of Python packages call what they hold.
//!
//! Source: PEP 503, "Normalized Names".

/// A package's name as indexes write it: small letters, runs of `-`, `_` and `.` as one `-`.
///
/// ```
/// use nearside_catalog::normalized_package;
/// assert_eq!(normalized_package("Typing_Extensions"), "typing-extensions");
/// assert_eq!(normalized_package("Flash_Attn.Core"), "flash-attn-core");
/// assert_eq!(normalized_package("a-._b"), "a-b");
/// ```
#[must_use]
pub fn normalized_package(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}
