//! Files below a root: `/` on a real machine, a recorded tree in tests.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use nearside_units::Known;

/// No fact is longer than this: `/proc/cpuinfo` of 1024 threads is about 2 MB.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// No folder of facts has more entries: one per processor thread, plus a few.
const MAX_ENTRIES: usize = 16_384;
/// Linux gives up after as many links in one path.
const MAX_LINKS: usize = 40;

/// A root folder below which paths are given without a leading slash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root<'a>(pub(crate) &'a Path);

/// A root for threads that may outlive who started them.
#[derive(Clone, Debug)]
pub(crate) struct OwnedRoot(PathBuf);

impl OwnedRoot {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn borrowed(&self) -> Root<'_> {
        Root(&self.0)
    }
}

impl Root<'_> {
    /// The whole text of a file.
    pub(crate) fn text(self, path: &str) -> Known<String> {
        let read = open(&self.place(path)).and_then(|file| {
            let mut text = String::new();
            file.take(MAX_FILE_BYTES).read_to_string(&mut text).map(|_bytes| text)
        });
        read.map_or_else(|error| unreadable(path, &error), Known::Value)
    }

    /// The first bytes of a file, as many as there are up to `most`.
    pub(crate) fn head(self, path: &str, most: u64) -> Known<Vec<u8>> {
        let read = open(&self.place(path)).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(most).read_to_end(&mut bytes).map(|_count| bytes)
        });
        read.map_or_else(|error| unreadable(path, &error), Known::Value)
    }

    /// The last bytes of a file, at most so many, as text; half a sign at the cut is replaced.
    pub(crate) fn tail(self, path: &str, most: u64) -> Known<String> {
        let read = open(&self.place(path)).and_then(|mut file| {
            let start = file.metadata()?.len().saturating_sub(most);
            file.seek(io::SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            file.take(most).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        });
        read.map_or_else(|error| unreadable(path, &error), Known::Value)
    }

    /// Whether this is the machine that runs this program, and no recorded one.
    pub(crate) fn is_this_machine(self) -> bool {
        self.0 == Path::new("/")
    }

    /// The names in a folder, sorted.
    pub(crate) fn entries(self, folder: &str) -> Known<Vec<String>> {
        match self.place(folder).read_dir() {
            Ok(entries) => {
                let entries = entries.take(MAX_ENTRIES);
                let name = |entry: io::Result<std::fs::DirEntry>| {
                    entry.ok()?.file_name().into_string().ok()
                };
                let mut names: Vec<String> = entries.filter_map(name).collect();
                names.sort();
                Known::Value(names)
            }
            Err(error) => unreadable(folder, &error),
        }
    }

    /// What a link says, without following it.
    pub(crate) fn link(self, path: &str) -> Known<String> {
        let place = match path.rsplit_once('/') {
            Some((folder, name)) => self.place(folder).join(name),
            None => self.0.join(path),
        };
        match std::fs::read_link(place) {
            Ok(target) => Known::Value(target.to_string_lossy().into_owned()),
            Err(error) => unreadable(path, &error),
        }
    }

    /// The path, below the root and without its leading slash, of the file that a path leads to
    /// when all links are followed.
    pub(crate) fn followed(self, path: &str) -> Known<String> {
        match walk(self.0, Path::new(path)) {
            Ok(found) => {
                let below = found.strip_prefix(self.0).unwrap_or(&found);
                Known::Value(below.to_string_lossy().trim_start_matches('/').to_owned())
            }
            Err(error) => unreadable(path, &error),
        }
    }

    /// Where a path leads: on this machine the path itself; below any other root links are followed
    /// as the machine there would follow them, so that none leads out of it.
    pub(crate) fn place(self, path: &str) -> PathBuf {
        let relative = path.trim_start_matches('/');
        match self.is_this_machine() {
            true => self.0.join(relative),
            false => walk(self.0, Path::new(relative)).unwrap_or_else(|_| self.0.join(relative)),
        }
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
        self.place(path).exists()
    }

    /// Whether there is such a folder.
    pub(crate) fn has_folder(self, path: &str) -> bool {
        self.place(path).is_dir()
    }

    /// Whether what a folder does not list is known not to be there: on this machine always, of another
    /// one where the folder itself was recorded.
    pub(crate) fn recorded(self, folder: &str) -> Known<()> {
        let folder = folder.trim_matches('/');
        match self.is_this_machine() || self.has_folder(folder) {
            true => Known::Value(()),
            false => Known::unknown(format!("/{folder}: not recorded")),
        }
    }

    /// Whether there is such a file; unknown where the folder that would list it was not recorded.
    pub(crate) fn lists(self, folder: &str, name: &str) -> Known<bool> {
        match self.has(&format!("{folder}/{name}")) {
            true => Known::Value(true),
            false => self.recorded(folder).map(|()| false),
        }
    }

    /// Names in a folder that consist of this prefix and a number, in the order of the number.
    pub(crate) fn numbered(self, folder: &str, prefix: &str) -> Vec<String> {
        let entries = self.place(folder).read_dir().into_iter().flatten().take(MAX_ENTRIES);
        let mut found: Vec<(u32, String)> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Some((name.strip_prefix(prefix)?.parse().ok()?, name)))
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }
}

/// Opens a file for reading; a pipe that nobody writes to, a device or a folder is refused at once.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file")),
    }
}

/// Follows links below a root, where `/` is that root. What is not there is kept as it is written.
fn walk(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut found = root.to_path_buf();
    let parts = |path: &Path| -> Vec<_> {
        path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
    };
    let mut waiting = parts(path);
    let mut links = 0;
    while let Some(part) = waiting.pop() {
        match part.components().next() {
            Some(Component::RootDir | Component::Prefix(_)) => found = root.to_path_buf(),
            Some(Component::ParentDir) => {
                if found != root {
                    found.pop();
                }
            }
            Some(Component::Normal(name)) => match std::fs::read_link(found.join(name)) {
                Ok(_) if links == MAX_LINKS => {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "links in a circle"));
                }
                Ok(target) => {
                    links += 1;
                    waiting.extend(parts(&target));
                }
                Err(_no_link) => found.push(name),
            },
            Some(Component::CurDir) | None => {}
        }
    }
    Ok(found)
}

fn unreadable<T>(path: &str, error: &io::Error) -> Known<T> {
    let path = path.trim_start_matches('/');
    match error.get_ref() {
        Some(ours) => Known::unknown(format!("/{path}: {ours}")),
        None => Known::unknown(format!("/{path}: {}", error.kind())),
    }
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

    #[cfg(unix)]
    #[test]
    fn links_stay_below_their_root_and_pipes_do_not_hang() {
        let folder = std::env::temp_dir().join(format!("nearside-root-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("usr/bin")).unwrap();
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, folder.join(at)).unwrap();
        std::fs::write(folder.join("usr/bin/python3.12"), "here").unwrap();
        link("python3.12", "usr/bin/python3");
        link("/usr/bin/python3", "python");
        link("../../../../usr", "out");
        link("b", "a");
        link("a", "b");
        let root = Root(&folder);
        assert_eq!(root.text("python").value().as_deref(), Some("here"));
        assert_eq!(root.followed("python").value().as_deref(), Some("usr/bin/python3.12"));
        assert_eq!(root.text("out/bin/python3").value().as_deref(), Some("here"));
        assert_eq!(root.link("python").value().as_deref(), Some("/usr/bin/python3"));
        assert!(root.text("a").why().is_some());
        let made = std::process::Command::new("mkfifo").arg(folder.join("pipe")).status();
        assert!(made.is_ok_and(|status| status.success()));
        assert_eq!(root.text("pipe").why(), Some("/pipe: no regular file"));
        assert_eq!(root.head("usr", 4).why(), Some("/usr: no regular file"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_missing_file_is_unknown_with_its_name() {
        let value: Known<u32> = Root(Path::new("/nonexistent")).value("proc/nothing");
        assert_eq!(value.why(), Some("/proc/nothing: entity not found"));
    }
}
