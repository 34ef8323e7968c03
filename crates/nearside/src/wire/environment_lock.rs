//! The environment of stages: as it is found on this machine, and as a project's lock states it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nearside_catalog::TorchBuild;
use nearside_probe::python::{self, FoundBy, PythonEnvironment, TorchBackend};
use nearside_probe::{AcceleratorVendor, Detected, DetectedAccelerator, InstructionSet};
use nearside_store::{Digest, Fields};
use nearside_units::Known;
use nearside_workload::EnvironmentLock;
use nearside_workload::environment_lock::{
    Accelerator, Fact, LOCK_FILE, Origin, Package, Processor, Python, System, variables,
};

use super::read_text;
use super::sites::in_file;
use crate::environment;
use crate::error::CommandError;

/// Where this machine begins.
const ROOT: &str = "/";

/// The environment that work in a folder meets on this machine, and what is to be said of it.
pub(crate) fn found(detected: &Detected, project: &Path) -> (EnvironmentLock, Vec<String>) {
    let root = Path::new(ROOT);
    let all: BTreeMap<String, String> = environment::variables().into_iter().collect();
    let environments = python::environments(root, Some(project), &all);
    let python = environments.first();
    let mut notes: Vec<String> = Vec::new();
    if let Some(python) = python {
        notes.extend(python.notes.iter().cloned());
        if python.found_by == FoundBy::SearchPath {
            let note = "no environment is active and the project has none: this is the Python of the \
                        system; activate one or make .venv to write down another";
            notes.push(note.to_owned());
        }
        notes.extend(python.version.why().map(|why| format!("the version of Python: {why}")));
    }
    let lock =
        EnvironmentLock {
            system: System {
                name: detected.operating_system.name.clone(),
                kernel: detected.operating_system.kernel.clone(),
                architecture: Known::Value(architecture(python)),
                libc: nearside_probe::c_library(root),
                cuda_toolkit: nearside_probe::cuda_toolkit(root, &all),
                image: nearside_probe::container_image(root, &all),
            },
            processor: Processor {
                name: detected.processor.model.clone(),
                threads: detected.processor.usable_threads.clone(),
                memory: detected.memory.usable(),
                instructions: detected.processor.features.as_ref().map(|features| {
                    features.iter().map(ToString::to_string).collect::<BTreeSet<_>>()
                }),
            },
            accelerators: detected.accelerators.iter().map(accelerator).collect(),
            variables: Known::Value(
                variables()
                    .iter()
                    .filter_map(|one| Some((one.name.to_owned(), one.kept(all.get(one.name)?)?)))
                    .collect(),
            ),
            python: match python {
                Some(python) => Known::Value(installed(python, &mut notes)),
                None => Known::unknown("no Python was found"),
            },
        };
    (lock, notes)
}

/// What programs are built for, in the kernel's words: what Python is, else what this program is.
fn architecture(python: Option<&PythonEnvironment>) -> String {
    let sets = python.and_then(|python| python.architectures.as_ref().value());
    let name = sets.and_then(|sets| sets.first()).map(|set| match set {
        InstructionSet::X86_64 => "x86_64",
        InstructionSet::X86 => "i686",
        InstructionSet::Aarch64 => "aarch64",
        InstructionSet::Arm => "armv7l",
        InstructionSet::RiscV => "riscv64",
        InstructionSet::PowerPc64 => "ppc64le",
    });
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

fn accelerator(found: &DetectedAccelerator) -> Accelerator {
    Accelerator {
        name: found.name.clone(),
        capability: match found.vendor {
            AcceleratorVendor::Nvidia => found.compute_capability.as_ref().map(ToString::to_string),
            AcceleratorVendor::Amd => Known::unknown("the target of an AMD device is not read"),
        },
        driver: found.driver_version.clone(),
        memory: found.memory_total.clone(),
    }
}

fn installed(found: &PythonEnvironment, notes: &mut Vec<String>) -> Python {
    let mut packages = BTreeMap::new();
    for (name, package) in &found.packages {
        match package.version.as_ref() {
            Known::Value(version) if version.trim().is_empty() => {
                notes.push(format!("{name} is left out: its version is empty"));
            }
            Known::Value(version) => {
                packages.insert(name.clone(), locked(package, version));
            }
            Known::Unknown(why) => notes.push(format!("{name} is left out: {why}")),
        }
    }
    let torch = found.torch.as_ref().map(|torch| {
        let build = match torch.backend() {
            TorchBackend::Cuda(version) => TorchBuild::cuda(version),
            TorchBackend::Rocm(version) => {
                // The label is the version that its index is called by: `6.4` of `6.4.43482-0f2d`.
                let label = torch.label().and_then(TorchBuild::of_label);
                label.or_else(|| TorchBuild::of_label(&format!("rocm{}", two_numbers(version))))
            }
            TorchBackend::Processor => Some(TorchBuild::Cpu),
            TorchBackend::Xpu(_) => None,
        };
        let why = format!("PyTorch for {}, which locks do not know", torch.backend());
        Known::from_option(build, why)
    });
    Python {
        version: found.version.clone(),
        implementation: implementation(found),
        torch,
        packages,
    }
}

fn two_numbers(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Which Python it is, by the name of its program. Why it is not known names no folder: a lock holds no
/// path of the machine that it was written on.
fn implementation(found: &PythonEnvironment) -> Known<String> {
    let Some(path) = found.interpreter.as_ref().value() else {
        return Known::unknown("its interpreter is not there");
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let known = [("pypy", "pypy"), ("graalpy", "graalpy"), ("python", "cpython")];
    let known = known.iter().find(|(start, _)| name.starts_with(start));
    let known = known.map(|(_, implementation)| (*implementation).to_owned());
    Known::from_option(known, format!("{name} is no Python that is known"))
}

fn locked(package: &python::Package, version: &str) -> Package {
    let url = package.direct_url.as_ref();
    let origin = match url {
        None if package.folder.ends_with("/conda-meta") => Origin::Conda,
        None if of_system(package) => Origin::System,
        None => Origin::Index,
        Some(url) if url.editable => Origin::Local,
        Some(url) => match (&url.commit, Origin::of_address(&url.url)) {
            (Some(commit), Origin::Address(address)) => {
                Origin::Address(format!("git+{address}@{commit}"))
            }
            (_, origin) => origin,
        },
    };
    let hash = url.and_then(|url| url.digest.as_ref()).map(|digest| digest.replacen('=', ":", 1));
    Package { version: version.to_owned(), origin, hash }
}

/// Whether the distribution brought a package: its installer says so, or it lies where only the
/// distribution puts packages (Debian's policy for Python: what pip installs is below `/usr/local`).
fn of_system(package: &python::Package) -> bool {
    matches!(package.installer.as_deref(), Some("debian" | "rpm"))
        || package.folder == "/usr/lib/python3/dist-packages"
}

/// The digest of what can change a result, and of nothing else.
pub(crate) fn digest(lock: &EnvironmentLock) -> Digest {
    let mut facts: Vec<(String, String)> = lock.decisive().into_iter().map(stated).collect();
    facts.sort();
    let add = |fields: Fields, (name, value): &(String, String)| fields.text(name).text(value);
    facts.iter().fold(Fields::default().text("environment 1"), add).digest()
}

/// What a project's lock states that can change a result, a fact in a line; nothing where there is no
/// lock.
pub(super) fn decisive(folder: &Path) -> Result<Option<String>, CommandError> {
    let Some(lock) = of_project(folder) else { return Ok(None) };
    let line = |fact: Fact| {
        let (name, value) = stated(fact);
        // No value may look like another fact.
        format!("{name} {}", value.replace('\n', "\\n"))
    };
    let lines: Vec<_> = lock?.decisive().into_iter().map(line).collect();
    Ok(Some(lines.join("\n")))
}

fn stated(fact: Fact) -> (String, String) {
    let value = match fact.value {
        Known::Value(value) => value,
        Known::Unknown(why) => format!("unknown: {why}"),
    };
    (fact.name, value)
}

/// The lock of a project, if it has one.
pub(crate) fn of_project(folder: &Path) -> Option<Result<EnvironmentLock, CommandError>> {
    let file = folder.join(LOCK_FILE);
    file.is_file().then(|| parse(&file, &read_text(&file)?))
}

/// The lock that a text is.
pub(crate) fn parse(file: &Path, text: &str) -> Result<EnvironmentLock, CommandError> {
    EnvironmentLock::parse(text).map_err(|errors| in_file(file.display().to_string(), text, errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_told_from_installers() {
        let check = |folder: &str, installer: Option<&str>, expect: Origin| {
            let package = python::Package {
                name: "six".to_owned(),
                version: Known::Value("1.16.0".to_owned()),
                installer: installer.map(str::to_owned),
                direct_url: None,
                folder: folder.to_owned(),
            };
            assert_eq!(locked(&package, "1.16.0").origin, expect, "{folder}");
        };
        check("/usr/lib/python3/dist-packages", None, Origin::System);
        check("/usr/lib/python3.12/site-packages", Some("rpm"), Origin::System);
        check("/usr/local/lib/python3.11/dist-packages", Some("pip"), Origin::Index);
        check("/project/.venv/lib/python3.12/site-packages", Some("uv"), Origin::Index);
        check("/opt/conda/conda-meta", Some("conda"), Origin::Conda);
    }
}
