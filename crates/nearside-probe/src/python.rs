//! Python environments and what is installed in them, read from their files: nothing is imported
//! and no interpreter is started.
//!
//! Source: PEP 405 (`pyvenv.cfg`), PEP 376 and the packaging specifications "Recording installed
//! projects" (`*.dist-info`, `INSTALLER`, `direct_url.json`) and "Names and normalization" (PEP 503).

mod package;
mod torch;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use nearside_catalog::normalized_package;
use nearside_units::Known;

use crate::binary::{HEAD_BYTES, InstructionSet, instruction_sets};
use crate::root::Root;

pub use package::{DirectUrl, Package};
pub use torch::{InstalledTorch, TorchBackend};

/// Folders of packages of one environment that are read.
const MAX_PACKAGE_FOLDERS: usize = 16;

/// A Python environment: an interpreter and the packages it finds.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonEnvironment {
    /// Its folder; for the system's own Python the folder above `bin`.
    pub folder: PathBuf,
    /// What led to it.
    pub found_by: FoundBy,
    /// What it is.
    pub kind: EnvironmentKind,
    /// The interpreter, when all links are followed.
    pub interpreter: Known<PathBuf>,
    /// Whether the interpreter is known to be gone, and not only unknown.
    pub broken: bool,
    /// Version of the interpreter, `3.12.3`; where no file says more, `3.12`.
    pub version: Known<String>,
    /// For which processors the interpreter is built; several in a universal binary of macOS.
    pub architectures: Known<Vec<InstructionSet>>,
    /// What is installed, by normalized name; the one that Python finds first, where there are two.
    pub packages: BTreeMap<String, Package>,
    /// How the installed PyTorch was built.
    pub torch: Option<InstalledTorch>,
    /// What could not be read.
    pub notes: Vec<String>,
}

impl PythonEnvironment {
    /// Packages of which something that an installer writes cannot be read.
    pub(crate) fn damaged(&self) -> Vec<&Package> {
        let unread = |(name, package): &(&String, &Package)| {
            package.version.why().is_some() || *name == "torch" && self.torch.is_none()
        };
        self.packages.iter().filter(unread).map(|(_, package)| package).collect()
    }
}

/// What led to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundBy {
    /// `.venv` or `venv` in the project folder.
    Project,
    /// `VIRTUAL_ENV`: the environment that is activated.
    VirtualEnv,
    /// `CONDA_PREFIX`: the conda environment that is activated.
    CondaPrefix,
    /// The interpreter that `python3` starts where nothing is activated.
    SearchPath,
}

/// What an environment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EnvironmentKind {
    /// A virtual environment (PEP 405), made by `venv`, `virtualenv` or `uv`.
    Virtual,
    /// A conda environment.
    Conda,
    /// The interpreter of the system.
    System,
}

impl fmt::Display for EnvironmentKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Virtual => "virtual environment",
            Self::Conda => "conda environment",
            Self::System => "system Python",
        })
    }
}

/// Every Python environment that work in a project would meet, the one it would use first.
///
/// `root` is `/` or a recorded machine; `project` and `variables` are those of that machine. An
/// environment is listed once, under the first thing that leads to it.
#[must_use]
pub fn environments(
    root: &Path,
    project: Option<&Path>,
    variables: &BTreeMap<String, String>,
) -> Vec<PythonEnvironment> {
    let root = Root(root);
    let mut found: Vec<PythonEnvironment> = Vec::new();
    for (folder, found_by) in candidates(root, project, variables) {
        let known = |other: &PythonEnvironment| {
            root.followed(&other.folder.to_string_lossy()).value() == root.followed(&folder).value()
        };
        if !found.iter().any(known)
            && let Some(environment) = in_folder(root, &folder, found_by)
        {
            found.push(environment);
        }
    }
    found.extend(system(root, variables));
    found
}

/// Folders that may be environments, and what led there.
fn candidates(
    root: Root<'_>,
    project: Option<&Path>,
    variables: &BTreeMap<String, String>,
) -> Vec<(String, FoundBy)> {
    let stated = |name: &str, found_by| {
        let folder = variables.get(name).filter(|folder| folder.starts_with('/'))?;
        Some((folder.trim_end_matches('/').to_owned(), found_by))
    };
    let own = project.into_iter().flat_map(|project| {
        [".venv", "venv"].map(|name| project.join(name).to_string_lossy().into_owned())
    });
    let own = own.filter(|folder| root.has_folder(folder)).map(|it| (it, FoundBy::Project));
    let mut all: Vec<_> = stated("VIRTUAL_ENV", FoundBy::VirtualEnv).into_iter().collect();
    all.extend(stated("CONDA_PREFIX", FoundBy::CondaPrefix));
    all.extend(own);
    all
}

/// The environment in a folder, if it is one.
fn in_folder(root: Root<'_>, folder: &str, found_by: FoundBy) -> Option<PythonEnvironment> {
    let configuration = root.text(&format!("{folder}/pyvenv.cfg"));
    let kind = match &configuration {
        Known::Value(_) => EnvironmentKind::Virtual,
        Known::Unknown(_) if root.has(&format!("{folder}/conda-meta")) => EnvironmentKind::Conda,
        // A folder that says it is one and cannot be read is told, not left out.
        Known::Unknown(_) if root.has(&format!("{folder}/pyvenv.cfg")) => EnvironmentKind::Virtual,
        Known::Unknown(_) => return None,
    };
    let setting = |keys: &[&str]| {
        let text = configuration.as_ref().value()?;
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        let value = pairs.find(|(key, _)| keys.contains(&key.trim()))?.1.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let mut notes: Vec<String> = Vec::new();
    if kind == EnvironmentKind::Virtual {
        notes.extend(configuration.why().map(str::to_owned));
    }
    let mut folders = package_folders(root, folder);
    if setting(&["include-system-site-packages"]).is_some_and(|value| value == "true")
        && let Some(home) = setting(&["home"])
    {
        folders.extend(package_folders(root, home.trim_end_matches("/bin")));
    }
    let mut packages = read_packages(root, &folders, &mut notes);
    if kind == EnvironmentKind::Conda {
        for package in package::of_conda(root, folder, &mut notes) {
            packages.entry(normalized_package(&package.name)).or_insert(package);
        }
    }
    let version = match setting(&["version", "version_info"]) {
        Some(version) => Known::Value(plain_version(&version)),
        None => packages
            .get("python")
            .map_or_else(|| version_of_folders(&folders), |python| python.version.clone()),
    };
    let interpreter = interpreter(root, &format!("{folder}/bin"));
    Some(PythonEnvironment {
        folder: folder.into(),
        found_by,
        kind,
        architectures: architectures(root, &interpreter),
        broken: interpreter.why().is_some() && is_gone(root, &format!("{folder}/bin")),
        interpreter,
        version,
        torch: torch::installed(root, &folders, &packages, &mut notes),
        packages,
        notes,
    })
}

/// The Python that is started where no environment is activated.
fn system(root: Root<'_>, variables: &BTreeMap<String, String>) -> Option<PythonEnvironment> {
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"].map(|name| variables.get(name));
    let path = variables.get("PATH").map_or("", String::as_str).split(':');
    let usual = ["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"];
    let activated = |folder: &str| {
        environments.iter().flatten().any(|environment| folder.starts_with(environment.as_str()))
    };
    let folder = path
        .filter(|folder| folder.starts_with('/') && !activated(folder))
        .map(|folder| behind_shims(root, folder.trim_end_matches('/')))
        .filter(|folder| !root.has(&format!("{folder}/../pyvenv.cfg")))
        .chain(usual.map(str::to_owned))
        .find(|folder| root.has(&format!("{folder}/python3")))?;
    let folder = folder.as_str();
    let interpreter = interpreter(root, folder);
    let prefix = folder.trim_end_matches("/bin");
    let version = numbered_name(&interpreter);
    let mut folders = variables
        .get("HOME")
        .map_or_else(Vec::new, |home| package_folders(root, &format!("{home}/.local")));
    folders.extend(package_folders(root, prefix));
    if prefix == "/usr" {
        // Debian's Python looks there first.
        let local = package_folders(root, "/usr/local");
        folders.splice(0..0, local);
    }
    // Only the folders of this very Python, and Debian's folder of every Python 3.
    folders.retain(|folder| match version.as_ref().value() {
        Some(version) => {
            folder.contains(&format!("/python{version}/")) || folder.contains("/python3/")
        }
        None => true,
    });
    let mut notes = Vec::new();
    let packages = read_packages(root, &folders, &mut notes);
    Some(PythonEnvironment {
        folder: if prefix.is_empty() { "/".into() } else { prefix.into() },
        found_by: FoundBy::SearchPath,
        kind: EnvironmentKind::System,
        architectures: architectures(root, &interpreter),
        broken: false,
        interpreter,
        version,
        torch: torch::installed(root, &folders, &packages, &mut notes),
        packages,
        notes,
    })
}

/// The folder of the Python that pyenv's scripts start; any other folder is what it is.
///
/// Source: pyenv, "Understanding Python version selection" (the global version).
fn behind_shims(root: Root<'_>, folder: &str) -> String {
    let chosen = folder.strip_suffix("/shims").and_then(|base| {
        let version = root.text(&format!("{base}/version")).value()?;
        let bin = format!("{base}/versions/{}/bin", version.lines().next()?.trim());
        root.has_folder(&bin).then_some(bin)
    });
    chosen.unwrap_or_else(|| folder.to_owned())
}

/// `3.12` of an interpreter that is called `python3.12`.
fn numbered_name(interpreter: &Known<PathBuf>) -> Known<String> {
    interpreter.clone().and_then(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let version = name.strip_prefix("python").filter(|version| version.contains('.'));
        Known::from_option(version.map(str::to_owned), format!("{name} does not say its version"))
    })
}

/// The interpreter in a folder of programs, when all links are followed.
fn interpreter(root: Root<'_>, folder: &str) -> Known<PathBuf> {
    let names = ["python3", "python"].map(|name| format!("{folder}/{name}"));
    let there = |path: &&String| root.link(path).value().is_some() || root.has(path);
    let Some(path) = names.iter().find(there) else {
        return Known::unknown(format!("{folder}: no python3"));
    };
    match root.has(path) {
        true => root.followed(path).map(|path| format!("/{path}").into()),
        false => Known::unknown(format!("{path} leads to a file that is not there")),
    }
}

/// Whether the folder that a missing interpreter would be in is there, so that it is known to be gone.
fn is_gone(root: Root<'_>, folder: &str) -> bool {
    let names = ["python3", "python"].map(|name| format!("{folder}/{name}"));
    let linked = names.iter().find(|path| root.link(path).value().is_some());
    let leads_to = linked.and_then(|path| root.followed(path).value());
    let above = leads_to.as_deref().and_then(|path| path.rsplit_once('/')).map(|(above, _)| above);
    root.recorded(above.unwrap_or(folder)).why().is_none()
}

fn architectures(root: Root<'_>, interpreter: &Known<PathBuf>) -> Known<Vec<InstructionSet>> {
    interpreter
        .clone()
        .and_then(|path| root.head(&path.to_string_lossy(), HEAD_BYTES))
        .and_then(|head| instruction_sets(&head))
}

/// Folders of packages below a prefix: those of each `lib/pythonX.Y`.
fn package_folders(root: Root<'_>, prefix: &str) -> Vec<String> {
    let lib = format!("{prefix}/lib");
    let versions = root.entries(&lib).value().unwrap_or_default();
    let versions = versions.iter().filter(|name| name.starts_with("python3"));
    let kinds = |version: &String| {
        ["site-packages", "dist-packages"].map(|kind| format!("{lib}/{version}/{kind}"))
    };
    let folders = versions.flat_map(kinds).filter(|folder| root.has_folder(folder));
    folders.take(MAX_PACKAGE_FOLDERS).collect()
}

/// `3.12` of folders such as `lib/python3.12/site-packages`.
fn version_of_folders(folders: &[String]) -> Known<String> {
    let version = folders.iter().find_map(|folder| {
        let (_, rest) = folder.rsplit_once("/lib/python")?;
        rest.split_once('/').map(|(version, _)| version.to_owned())
    });
    Known::from_option(version, "no folder lib/python3.N")
}

/// `3.12.3` of `3.12.3.final.0`.
fn plain_version(version: &str) -> String {
    let number = |part: &&str| part.bytes().all(|sign| sign.is_ascii_digit());
    let parts: Vec<&str> = version.split('.').take(3).take_while(number).collect();
    if parts.is_empty() { version.to_owned() } else { parts.join(".") }
}

fn read_packages(
    root: Root<'_>,
    folders: &[String],
    notes: &mut Vec<String>,
) -> BTreeMap<String, Package> {
    let mut packages = BTreeMap::new();
    for folder in folders {
        for package in package::of_folder(root, folder, notes) {
            packages.entry(normalized_package(&package.name)).or_insert(package);
        }
    }
    packages
}

#[cfg(test)]
mod tests;
