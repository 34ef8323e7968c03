//! The files of a project's folder: what is there, what would be there, and writing it.

use std::path::{Path, PathBuf};

use nearside_store::atomic;
use nearside_workload::environment_lock::LOCK_FILE;

use super::dockerfile::Held;
use super::pyproject::Merged;
use super::{Emission, choice, constraints, devcontainer, dockerfile, lock_text, pyproject};
use crate::error::{CommandError, Fault, Problem};
use crate::wire;

/// The project file of Python.
const PYPROJECT: &str = "pyproject.toml";
/// The versions that a person's own project file is held to.
pub(super) const CONSTRAINTS: &str = "constraints.txt";
/// Which Python uv and pyenv take in the folder.
const PYTHON_VERSION: &str = ".python-version";
/// What is not sent to the builder of an image.
const IGNORE: &str = ".dockerignore";

/// A file as it would be.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Its path in the folder.
    pub(super) path: &'static str,
    /// Its text.
    pub(super) text: String,
    /// How it stands to what is there.
    pub(super) state: State,
    /// What is to be said of it.
    pub(super) remarks: Vec<String>,
}

/// How a file stands to what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is there.
    New,
    /// The same is there.
    Same,
    /// A person's file, which keeps all that it says: more is added at its end.
    Added,
    /// A person's file, which stays as it is.
    Kept,
    /// Another one is there.
    Differs,
    /// A person's file says something else; it is not written over in any case.
    Contradicts,
}

/// Every file, in the order in which it is written.
pub(super) fn planned(folder: &Path, emission: &Emission) -> Result<Vec<File>, CommandError> {
    let pyproject = pyproject(folder, emission)?;
    let mut files = vec![file(folder, LOCK_FILE, lock_text(&emission.lock))?];
    let held = match pyproject::is_ours(&pyproject.text) || pyproject::pins(emission).is_empty() {
        true => Held::ByProject,
        false => {
            files.push(constraints(folder, emission)?);
            Held::ByConstraints
        }
    };
    files.push(pyproject);
    files.extend(python_version(folder, emission)?);
    files.push(file(folder, "Dockerfile", dockerfile::rendered(emission, held))?);
    let container = devcontainer::rendered(emission);
    files.push(file(folder, ".devcontainer/devcontainer.json", container)?);
    let mut ignore = file(folder, IGNORE, dockerfile::IGNORED.to_owned())?;
    if ignore.state == State::Differs {
        ignore.state = State::Kept;
        ignore
            .remarks
            .push("it is yours: it has to let through what the Dockerfile copies".to_owned());
    }
    files.push(ignore);
    Ok(files)
}

fn file(folder: &Path, path: &'static str, text: String) -> Result<File, CommandError> {
    let state = match there(&folder.join(path))? {
        None => State::New,
        Some(there) if there == text => State::Same,
        Some(_) => State::Differs,
    };
    Ok(File { path, text, state, remarks: Vec::new() })
}

/// The text of a file; nothing where there is none. Something else in its place is an error.
fn there(path: &Path) -> Result<Option<String>, CommandError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => wire::read_text(path).map(Some),
    }
}

fn pyproject(folder: &Path, emission: &Emission) -> Result<File, CommandError> {
    let path: PathBuf = folder.join(PYPROJECT);
    let file = |text, state, remarks| File { path: PYPROJECT, text, state, remarks };
    let Some(there) = there(&path)? else {
        return Ok(file(pyproject::whole(emission), State::New, Vec::new()));
    };
    let merged = pyproject::merged(&there, emission).map_err(|error| {
        let message = error.message().to_owned();
        let hint = Some("mend it first: nothing was written".to_owned());
        let problem = Problem { message, span: error.span(), hint };
        CommandError::in_file(path.display().to_string(), &there, vec![problem])
    })?;
    Ok(match merged {
        Merged::Same => file(there, State::Same, Vec::new()),
        Merged::Anew(text) => file(text, State::Differs, Vec::new()),
        Merged::Added(text) => file(text, State::Added, Vec::new()),
        Merged::Contradicts(why) => file(there, State::Contradicts, why),
    })
}

/// What holds a person's project to the versions that were found.
fn constraints(folder: &Path, emission: &Emission) -> Result<File, CommandError> {
    let mut file = file(folder, CONSTRAINTS, constraints::rendered(emission))?;
    file.remarks.push(match folder.join("uv.lock").is_file() {
        true => format!(
            "{PYPROJECT} is yours, and its uv.lock decides in the image: `nearside doctor --compare \
             {LOCK_FILE}` says where the two differ"
        ),
        false => format!("{PYPROJECT} is yours and stays open: `{}` holds it", constraints::WITH_UV),
    });
    Ok(file)
}

/// The series of Python; one that a person stated stays.
fn python_version(folder: &Path, emission: &Emission) -> Result<Option<File>, CommandError> {
    let Some(series) = pyproject::python_series(emission) else { return Ok(None) };
    let mut file = file(folder, PYTHON_VERSION, format!("{series}\n"))?;
    if file.state == State::Differs {
        file.text = there(&folder.join(PYTHON_VERSION))?.unwrap_or_default();
        let stated = file.text.lines().map(str::trim).find(|line| !line.starts_with('#'));
        let stated = stated.unwrap_or_default().to_owned();
        file.state = match choice::series(&stated) {
            Some(own) if own != series => State::Contradicts,
            _ => State::Kept,
        };
        if file.state == State::Contradicts {
            let remark =
                format!("it says {stated}: `uv python pin {series}` makes it what was found");
            file.remarks.push(remark);
        }
    }
    Ok(Some(file))
}

/// Writes what is not there as it would be.
pub(super) fn write(folder: &Path, files: &[File]) -> Result<(), CommandError> {
    let changed = |file: &&File| matches!(file.state, State::New | State::Added | State::Differs);
    for file in files.iter().filter(changed) {
        atomic::write(&folder.join(file.path), file.text.as_bytes()).map_err(|error| {
            CommandError::new(Fault::World, error.to_string())
                .hint("name a folder that can be written")
        })?;
    }
    Ok(())
}
