//! One installed package, from the folder that its installer left beside it.

use nearside_units::Known;
use serde_json::Value;

use crate::address;
use crate::root::Root;

/// Bytes of `METADATA` that are read: name and version stand at its beginning.
const METADATA_BYTES: u64 = 8 << 10;
/// Notes about damaged packages of one folder.
const MAX_NOTES: usize = 5;

/// An installed package.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// Its name as its author writes it.
    pub name: String,
    /// Its version.
    pub version: Known<String>,
    /// What put it there: `pip`, `uv`, `conda`, `debian`.
    pub installer: Option<String>,
    /// Where it is from, when it is not from an index.
    pub direct_url: Option<DirectUrl>,
    /// The folder of packages that holds it.
    pub folder: String,
}

/// Where a package is from that is not from an index (PEP 610).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectUrl {
    /// The address, without a name or password in it.
    pub url: String,
    /// The commit, when it is from a repository.
    pub commit: Option<String>,
    /// The digest of the archive as the installer writes it, `sha256=...`.
    pub digest: Option<String>,
    /// Whether the source folder itself is used: what is edited there is what runs.
    pub editable: bool,
}

/// The packages of a folder of packages; what cannot be read is noted.
pub(super) fn of_folder(root: Root<'_>, folder: &str, notes: &mut Vec<String>) -> Vec<Package> {
    let names = match root.entries(folder) {
        Known::Value(names) => names,
        Known::Unknown(why) => {
            notes.push(why.to_string());
            return Vec::new();
        }
    };
    let mut damaged = Vec::new();
    let read = |name: &String| {
        let (stem, files): (_, &[&str]) = match name.rsplit_once('.')? {
            (stem, "dist-info") => (stem, &["/METADATA"]),
            (stem, "egg-info") => (stem, &["/PKG-INFO", ""]),
            _ => return None,
        };
        package(root, folder, name, stem, files).map_err(|why| damaged.push(why)).ok()
    };
    let packages = names.iter().filter_map(read).collect();
    if let more @ 1.. = damaged.len().saturating_sub(MAX_NOTES) {
        damaged.truncate(MAX_NOTES);
        damaged.push(format!("{folder}: and {more} more damaged packages"));
    }
    notes.append(&mut damaged);
    packages
}

/// A package whose folder of metadata has that name; `stem` is the name without its ending.
fn package(
    root: Root<'_>,
    folder: &str,
    entry: &str,
    stem: &str,
    files: &[&str],
) -> Result<Package, String> {
    let heads =
        files.iter().map(|file| root.head(&format!("{folder}/{entry}{file}"), METADATA_BYTES));
    let mut whys = Vec::new();
    let text = heads.fold(None, |found: Option<String>, head| {
        found.or_else(|| match head {
            Known::Value(head) => Some(String::from_utf8_lossy(&head).into_owned()),
            Known::Unknown(why) => {
                whys.push(why.to_string());
                None
            }
        })
    });
    let text = text.unwrap_or_default();
    let header = |key: &str| {
        let lines = text.lines().take_while(|line| !line.is_empty());
        let value = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':')).next()?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    // The folder is called NAME-VERSION, an egg's also -pyX.Y behind it.
    let mut parts = stem.split('-');
    let named = parts.next().filter(|name| !name.is_empty());
    let versioned = parts.next().filter(|version| !version.is_empty()).map(str::to_owned);
    let Some(name) = header("Name").or_else(|| named.map(str::to_owned)) else {
        return Err(format!("{folder}/{entry}: no name"));
    };
    let why = whys.into_iter().next().unwrap_or_else(|| format!("{folder}/{entry}: no version"));
    Ok(Package {
        name,
        version: Known::from_option(header("Version").or(versioned), why),
        installer: root.value(&format!("{folder}/{entry}/INSTALLER")).value(),
        direct_url: root
            .text(&format!("{folder}/{entry}/direct_url.json"))
            .value()
            .and_then(|text| direct_url(&text)),
        folder: folder.to_owned(),
    })
}

/// Source: the packaging specification "Direct URL data structure".
fn direct_url(text: &str) -> Option<DirectUrl> {
    let data: Value = serde_json::from_str(text).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let archive = &data["archive_info"];
    let hashes = archive["hashes"].as_object().and_then(|hashes| {
        let (name, value) = hashes.iter().next()?;
        Some(format!("{name}={}", value.as_str()?))
    });
    Some(DirectUrl {
        url: without_credentials(data["url"].as_str()?),
        commit: text(&data["vcs_info"]["commit_id"]),
        digest: hashes.or_else(|| text(&archive["hash"])),
        editable: data["dir_info"]["editable"].as_bool().unwrap_or(false),
    })
}

/// An address without `name:password@`.
fn without_credentials(url: &str) -> String {
    match address::parts(url) {
        ("", ..) => url.to_owned(),
        (scheme, _secret, rest) => format!("{scheme}{rest}"),
    }
}

/// What conda installed: `conda-meta/NAME-VERSION-BUILD.json`.
pub(super) fn of_conda(root: Root<'_>, folder: &str, notes: &mut Vec<String>) -> Vec<Package> {
    let entries = match root.entries(&format!("{folder}/conda-meta")) {
        Known::Value(entries) => entries,
        Known::Unknown(why) => {
            notes.push(why.to_string());
            return Vec::new();
        }
    };
    let package = |entry: &String| {
        let mut parts = entry.strip_suffix(".json")?.rsplitn(3, '-');
        let (_build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Package {
            name: name.to_owned(),
            version: Known::Value(version.to_owned()),
            installer: Some("conda".to_owned()),
            direct_url: None,
            folder: format!("{folder}/conda-meta"),
        })
    };
    entries.iter().filter_map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_passwords() {
        let url = "https://me:secret@host/simple/a@b";
        assert_eq!(without_credentials(url), "https://host/simple/a@b");
        assert_eq!(without_credentials("file:///data/x"), "file:///data/x");
    }

    #[test]
    fn a_direct_url_says_its_commit_or_digest() {
        let git = r#"{"url":"https://t@h/r","vcs_info":{"vcs":"git","commit_id":"abc"}}"#;
        let found = direct_url(git).unwrap();
        assert_eq!((found.url.as_str(), found.commit.as_deref()), ("https://h/r", Some("abc")));
        let archive = r#"{"url":"https://h/a.whl","archive_info":{"hashes":{"sha256":"00"}}}"#;
        assert_eq!(direct_url(archive).unwrap().digest.as_deref(), Some("sha256=00"));
        let folder = r#"{"url":"file:///a","dir_info":{"editable":true}}"#;
        assert!(direct_url(folder).unwrap().editable);
        assert_eq!(direct_url("{"), None);
    }
}
