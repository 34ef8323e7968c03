//! The folder that a stage works in: the project, with everything in it but its outputs.
//!
//! Whatever the project holds is there as a link; folders that outputs lie in are real, so that what
//! the stage writes lands beside the project and not in it, until it has ended well. A stage that goes
//! around this, by absolute paths or by resolving links, writes into the project as it would without;
//! that it did is told from what stood there before, not from the clock, which may go back meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nearside_store::atomic;

use crate::RunError;

/// A working folder.
#[derive(Debug)]
pub(crate) struct Workspace {
    project: PathBuf,
    pub(crate) folder: PathBuf,
    outputs: Vec<PathBuf>,
    /// How the project's own outputs look before the stage begins.
    before: Vec<(PathBuf, Option<Look>)>,
}

/// What tells a file or folder from what was written in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    size: u64,
    modified: Option<SystemTime>,
    /// Its number in the file system, where there are such.
    number: u64,
}

impl Look {
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            size: found.len(),
            modified: found.modified().ok(),
            number: file_number(&found),
        })
    }
}

#[cfg(unix)]
fn file_number(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
const fn file_number(_found: &fs::Metadata) -> u64 {
    0
}

/// Where a path stands to the outputs.
enum Stands {
    /// It is an output.
    Output,
    /// Outputs lie below it.
    Above,
    /// Neither.
    Apart,
}

impl Workspace {
    /// Makes the working folder of a stage with these outputs; both folders are absolute.
    pub(crate) fn make(
        project: &Path,
        folder: &Path,
        outputs: &[String],
    ) -> Result<Self, RunError> {
        atomic::remove(folder)?;
        let plain = |path: &String| Path::new(path).components().collect::<PathBuf>();
        let outputs = outputs.iter().map(plain).map(|path| match path.strip_prefix(".") {
            Ok(rest) => rest.to_path_buf(),
            Err(_) => path,
        });
        let (project, folder) = (project.to_path_buf(), folder.to_path_buf());
        let outputs: Vec<PathBuf> = outputs.collect();
        let looks = |output: &PathBuf| (project.join(output), Look::of(&project.join(output)));
        let before = outputs.iter().map(looks).collect();
        let workspace = Self { project, folder, outputs, before };
        workspace.fill(Path::new(""))?;
        for output in &workspace.outputs {
            if let Some(above) = output.parent() {
                let above = workspace.folder.join(above);
                fs::create_dir_all(&above).map_err(RunError::io("make folder", &above))?;
            }
        }
        Ok(workspace)
    }

    fn stands(&self, path: &Path) -> Stands {
        let outputs = self.outputs.iter();
        outputs.fold(Stands::Apart, |stands, output| match stands {
            Stands::Output => Stands::Output,
            _ if output == path => Stands::Output,
            _ if output.starts_with(path) => Stands::Above,
            stands => stands,
        })
    }

    /// Fills a folder with links to what the project has there.
    fn fill(&self, path: &Path) -> Result<(), RunError> {
        let folder = self.folder.join(path);
        fs::create_dir_all(&folder).map_err(RunError::io("make folder", &folder))?;
        let source = self.project.join(path);
        let entries = fs::read_dir(&source).map_err(RunError::io("read", &source))?;
        for entry in entries {
            let entry = entry.map_err(RunError::io("read", &source))?;
            let (name, inner) = (entry.file_name(), path.join(entry.file_name()));
            let is_record = inner == Path::new(".nearside");
            if is_record || atomic::is_left_over(&name.to_string_lossy()) {
                continue;
            }
            match self.stands(&inner) {
                Stands::Output => {}
                Stands::Above if entry.path().is_dir() => self.fill(&inner)?,
                Stands::Above | Stands::Apart => {
                    let link = self.folder.join(&inner);
                    symlink(&entry.path(), &link).map_err(RunError::io("link", &link))?;
                }
            }
        }
        Ok(())
    }

    /// Where an output was written, if it was: in the working folder, or in the project itself, where it
    /// is not as it was before the stage began.
    pub(crate) fn written(&self, output: &str) -> Option<PathBuf> {
        let staged = self.folder.join(output);
        if fs::symlink_metadata(&staged).is_ok() {
            return Some(staged);
        }
        let direct = self.project.join(output);
        let now = Look::of(&direct)?;
        let as_before =
            self.before.iter().any(|(path, look)| *path == direct && *look == Some(now));
        (!as_before).then_some(direct)
    }

    /// What the stage made beside its outputs, in folders that they lie in.
    pub(crate) fn undeclared(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        self.look(Path::new(""), &mut found);
        found.sort();
        found
    }

    fn look(&self, path: &Path, found: &mut Vec<PathBuf>) {
        let entries = fs::read_dir(self.folder.join(path)).into_iter().flatten().flatten();
        for entry in entries {
            let inner = path.join(entry.file_name());
            let is_ours =
                fs::read_link(entry.path()).is_ok_and(|target| target == self.project.join(&inner));
            match self.stands(&inner) {
                Stands::Output => {}
                Stands::Above if entry.path().is_dir() => self.look(&inner, found),
                Stands::Above | Stands::Apart if is_ours => {}
                Stands::Above | Stands::Apart => found.push(inner),
            }
        }
    }
}

#[cfg(unix)]
pub(crate) fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
pub(crate) fn symlink(_target: &Path, _link: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_land_beside_the_project() {
        let top = std::env::temp_dir().join(format!("nearside-run-work-{}", std::process::id()));
        let _ = fs::remove_dir_all(&top);
        let project = top.join("project");
        fs::create_dir_all(project.join("build/old")).unwrap();
        fs::create_dir_all(project.join(".nearside/cache")).unwrap();
        fs::create_dir_all(project.join("data")).unwrap();
        fs::write(project.join("build/a.csv"), "old").unwrap();
        fs::write(project.join("build/b.csv"), "other").unwrap();
        let outputs = ["./build/a.csv", "new/deep/c"].map(str::to_owned);
        let work = project.join(".nearside/work/stage");
        let workspace = Workspace::make(&project, &work, &outputs).unwrap();
        assert!(!work.join("build/a.csv").exists() && !work.join(".nearside").exists());
        assert_eq!(fs::read_to_string(work.join("build/b.csv")).unwrap(), "other");
        assert!(work.join("data").is_symlink() && work.join("new/deep").is_dir());
        fs::write(work.join("build/a.csv"), "new").unwrap();
        fs::write(work.join("build/more.csv"), "more").unwrap();
        fs::write(work.join("new/x"), "x").unwrap();
        assert_eq!(workspace.written("build/a.csv"), Some(work.join("build/a.csv")));
        assert_eq!(workspace.written("new/deep/c"), None);
        assert_eq!(fs::read_to_string(project.join("build/a.csv")).unwrap(), "old");
        assert_eq!(workspace.undeclared(), ["build/more.csv", "new/x"].map(PathBuf::from));
        fs::remove_dir_all(&top).unwrap();
    }
    #[test]
    fn what_is_written_around_it_is_seen_whatever_the_clock_says() {
        let name = format!("nearside-run-around-{}", std::process::id());
        let project = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&project);
        fs::create_dir_all(&project).unwrap();
        let (old, new) = (project.join("old"), project.join("new"));
        fs::write(&old, "1").unwrap();
        let outputs = ["old", "new"].map(str::to_owned);
        let workspace = Workspace::make(&project, &project.join(".nearside/w"), &outputs).unwrap();
        assert_eq!((workspace.written("old"), workspace.written("new")), (None, None));
        let day = std::time::Duration::from_secs(24 * 3600);
        for time in [SystemTime::now() - day, SystemTime::now() + day] {
            for file in [&old, &new] {
                fs::write(file, "2").unwrap();
                fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
            }
            let written = (workspace.written("old"), workspace.written("new"));
            assert_eq!(written, (Some(old.clone()), Some(new.clone())));
        }
        fs::remove_dir_all(&project).unwrap();
    }
}
