//! The project of a rehearsal: everything that the project holds, with samples in place of its
//! datasets and outputs of its own.

use std::fs;
use std::path::{Component, Path, PathBuf};

use nearside_store::atomic;

use crate::RunError;
use crate::sample::{Taken, take};
use crate::workspace::symlink;

/// What a rehearsal's project is made of; paths are relative to the project's folder.
#[derive(Clone, Debug)]
pub struct Rehearsal<'a> {
    /// The project's folder, absolute.
    pub project: &'a Path,
    /// Where the rehearsal's project is to be, absolute.
    pub folder: &'a Path,
    /// The datasets.
    pub datasets: Vec<String>,
    /// What stages write.
    pub outputs: Vec<String>,
    /// How many records of a dataset are taken, at most.
    pub records: usize,
}

impl Rehearsal<'_> {
    /// Makes the rehearsal's project, or brings it up to date; what was taken of each dataset, and
    /// nothing of those that are not there. A dataset outside the project cannot be replaced by a
    /// sample: stages read all of it.
    ///
    /// # Errors
    /// When a dataset cannot be read, or the folder not be written.
    pub fn set_up(&self) -> Result<Vec<Option<Taken>>, RunError> {
        let own = self.datasets.iter().chain(&self.outputs).map(|path| plain(path));
        let own: Vec<_> = own.flatten().collect();
        self.fill(Path::new(""), &own)?;
        let sample = |dataset: &String| match plain(dataset) {
            None => Ok(self.project.join(dataset).exists().then_some(Taken::Whole)),
            Some(path) if self.project.join(&path).exists() => {
                take(&self.project.join(&path), &self.folder.join(path), self.records).map(Some)
            }
            Some(path) => {
                atomic::remove(&self.folder.join(path))?;
                Ok(None)
            }
        };
        self.datasets.iter().map(sample).collect()
    }

    /// Fills a folder with links to what the project has there, but for what is the rehearsal's own.
    fn fill(&self, path: &Path, own: &[PathBuf]) -> Result<(), RunError> {
        let (folder, source) = (self.folder.join(path), self.project.join(path));
        fs::create_dir_all(&folder).map_err(RunError::io("make folder", &folder))?;
        for entry in fs::read_dir(&folder).map_err(RunError::io("read", &folder))? {
            let entry = entry.map_err(RunError::io("read", &folder))?.path();
            if entry.is_symlink() {
                atomic::remove(&entry)?;
            }
        }
        for entry in fs::read_dir(&source).map_err(RunError::io("read", &source))? {
            let entry = entry.map_err(RunError::io("read", &source))?;
            let inner = path.join(entry.file_name());
            let left_over = atomic::is_left_over(&entry.file_name().to_string_lossy());
            if inner == Path::new(".nearside") || left_over || own.contains(&inner) {
                continue;
            }
            let above = own.iter().any(|own| own.starts_with(&inner));
            if above && entry.path().is_dir() {
                self.fill(&inner, own)?;
                continue;
            }
            let link = self.folder.join(&inner);
            atomic::remove(&link)?;
            symlink(&entry.path(), &link).map_err(RunError::io("link", &link))?;
        }
        Ok(())
    }
}

/// A path below the project, without `.`; nothing for one that leads outside.
fn plain(path: &str) -> Option<PathBuf> {
    let parts = Path::new(path).components().filter(|part| *part != Component::CurDir);
    let inside = |part: Component<'_>| match part {
        Component::Normal(name) => Some(PathBuf::from(name)),
        _ => None,
    };
    let path: PathBuf = parts.map(inside).collect::<Option<_>>()?;
    (path != Path::new("")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_there_but_for_its_data_and_outputs() {
        let top = std::env::temp_dir().join(format!("nearside-run-farm-{}", std::process::id()));
        let _ = fs::remove_dir_all(&top);
        let (project, folder) = (top.join("project"), top.join("project/.nearside/rehearsal/p"));
        for (path, text) in [
            ("data/a.txt", "1\n2\n3\n"),
            ("data/b.txt", "b"),
            ("src/code.py", "x"),
            ("build/out", "of the full run"),
            ("build/else", "e"),
        ] {
            fs::create_dir_all(project.join(path).parent().unwrap()).unwrap();
            fs::write(project.join(path), text).unwrap();
        }
        let rehearsal = Rehearsal {
            project: &project,
            folder: &folder,
            datasets: ["./data/a.txt", "data/none.txt", "../away"].map(str::to_owned).to_vec(),
            outputs: vec!["build/out".to_owned()],
            records: 2,
        };
        let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap_or_default();
        for _ in 0..2 {
            assert_eq!(rehearsal.set_up().unwrap(), [Some(Taken::Records(2)), None, None]);
            assert_eq!((read("data/a.txt"), read("data/b.txt")), ("1\n2\n".into(), "b".into()));
            assert!(folder.join("src").is_symlink() && !folder.join("data").is_symlink());
            assert_eq!(read("src/code.py") + &read("build/else"), "xe");
            assert_eq!(read("build/out"), "");
        }
        // What the rehearsal wrote stays; what the project no longer has goes.
        fs::write(folder.join("build/out"), "rehearsed").unwrap();
        fs::remove_file(project.join("build/else")).unwrap();
        rehearsal.set_up().unwrap();
        assert_eq!(read("build/out"), "rehearsed");
        assert!(!folder.join("build/else").is_symlink());
        fs::remove_dir_all(&top).unwrap();
    }
}
