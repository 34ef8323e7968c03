//! A file of a snapshot, which is a name for content: a relative link, so that the cache can be moved; where links
//! are refused, a second name, and where that is refused too, a copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::hub::error::HubError;
use crate::hub::names::RepoPath;

/// Gives content its name in a snapshot, in the place of what has that name.
pub(in crate::hub) fn link(blob: &Path, snapshot: &Path, path: &RepoPath) -> Result<(), HubError> {
    link_by(symbolic, blob, snapshot, path)
}

fn link_by(
    symbolic: fn(&Path, &Path) -> io::Result<()>,
    blob: &Path,
    snapshot: &Path,
    path: &RepoPath,
) -> Result<(), HubError> {
    let name = path.below(snapshot);
    let folder = name.parent().unwrap_or(snapshot);
    fs::create_dir_all(folder).map_err(|error| HubError::file(folder, &error))?;
    let beside = nearside_store::atomic::beside(&name);
    // Left by a process that was killed at this very moment.
    let _ = fs::remove_file(&beside);
    let made = symbolic(&target(blob, path), &beside)
        .or_else(|_refused| fs::hard_link(blob, &beside))
        .or_else(|_refused| fs::copy(blob, &beside).map(drop))
        .and_then(|()| fs::rename(&beside, &name));
    made.map_err(|error| {
        let _ = fs::remove_file(&beside);
        HubError::file(&name, &error)
    })
}

/// Content as it is seen from a file of a snapshot: `../../blobs/ETAG`, and up once more for each folder.
fn target(blob: &Path, path: &RepoPath) -> PathBuf {
    let up = "../".repeat(path.depth() + 2);
    Path::new(&up).join("blobs").join(blob.file_name().unwrap_or_default())
}

#[cfg(unix)]
fn symbolic(target: &Path, name: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, name)
}

/// Links need a right that few have there.
#[cfg(not(unix))]
fn symbolic(_target: &Path, _name: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_links_are_refused_the_content_is_there_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        let (blob, snapshot) = (root.path().join("one"), root.path().join("snapshots/abc"));
        fs::write(&blob, "one").unwrap();
        let path: RepoPath = "deep/a.json".parse().unwrap();
        let refused = |_: &Path, _: &Path| Err(io::ErrorKind::PermissionDenied.into());
        link_by(refused, &blob, &snapshot, &path).unwrap();
        let name = path.below(&snapshot);
        assert!(!name.is_symlink());
        assert_eq!(fs::read_to_string(&name).unwrap(), "one");
    }

    #[test]
    fn links_are_relative_and_replace_what_was_there() {
        let root = tempfile::tempdir().unwrap();
        let (blobs, snapshot) = (root.path().join("blobs"), root.path().join("snapshots/abc"));
        fs::create_dir_all(&blobs).unwrap();
        for content in ["one", "two"] {
            fs::write(blobs.join(content), content).unwrap();
            for path in ["a.json", "deep/er/b.json"] {
                let path: RepoPath = path.parse().unwrap();
                link(&blobs.join(content), &snapshot, &path).unwrap();
                assert_eq!(fs::read_to_string(path.below(&snapshot)).unwrap(), content);
            }
        }
        #[cfg(unix)]
        assert_eq!(fs::read_link(snapshot.join("a.json")).unwrap(), Path::new("../../blobs/two"));
        assert_eq!(fs::read_dir(&snapshot).unwrap().count(), 2, "nothing is left beside them");
    }
}
