//! Paths in project files: compared by their parts, always with `/`.

use crate::Located;
use crate::reader::Reader;

/// The path without `.` parts and doubled or trailing slashes.
pub(crate) fn normal(path: &str) -> String {
    let parts = path.trim().split('/').filter(|part| !part.is_empty() && *part != ".");
    let joined = parts.collect::<Vec<_>>().join("/");
    if path.trim().starts_with('/') { format!("/{joined}") } else { joined }
}

/// Whether a normal path is the folder or lies in it; a way out of it (`..`) does not.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    let stays = |rest: &str| rest.starts_with('/') && rest.split('/').all(|part| part != "..");
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || stays(rest))
}

/// Reports an output that would be written outside the project.
pub(crate) fn check_output(reader: &mut Reader, path: &Located<String>) {
    let text = &path.value;
    let leaves = text.split('/').any(|part| part == "..") || text.trim_start().starts_with('/');
    if leaves || normal(text).is_empty() {
        let message = format!("output \"{text}\" is not a path inside the project");
        reader.report(&path.span, message, Some("as in \"build/model\"".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_by_their_parts() {
        assert_eq!(normal("./build//model/"), "build/model");
        assert_eq!(normal("/data/./x"), "/data/x");
        assert!(is_within("build/model/a", "build/model") && is_within("build", "build"));
        assert!(!is_within("build/model2", "build/model"));
        assert!(!is_within("build/../../secret", "build"));
    }
}
