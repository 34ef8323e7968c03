//! `pyproject.toml`: what was installed, exactly, and where PyTorch comes from. To one that a person
//! wrote only the settings of the index are added, behind all that is there.
//!
//! Sources: the specification of `[project]` (PEP 621), of version specifiers (PEP 440); uv's guide for
//! PyTorch (`tool.uv.sources`, `tool.uv.index` with `explicit`: only packages that name it come from it).

use std::fmt::Write as _;

use nearside_catalog::TorchBuild;
use nearside_workload::environment_lock::{Origin, Package};
use toml::{Table, Value};

use super::Emission;
use super::choice::{OF_TORCH, TorchIndex, series};

/// The first line of a file that nobody but this program wrote.
const MARK: &str = "# Written by `nearside doctor --emit`: what was installed here, exactly.";
/// The systems that PyTorch's own indexes are for; others take it from the usual one.
const MARKER: &str = "sys_platform == 'linux'";
/// What PyTorch's builds for CUDA ask for, without the `-cu12` of some; each build asks for versions of
/// its own. Source: `Requires-Dist` of torch 2.4 to 2.11.
const WITH_CUDA: [&str; 18] = [
    "cuda-bindings",
    "cuda-toolkit",
    "nvidia-cublas",
    "nvidia-cuda-cupti",
    "nvidia-cuda-nvrtc",
    "nvidia-cuda-runtime",
    "nvidia-cudnn",
    "nvidia-cufft",
    "nvidia-cufile",
    "nvidia-curand",
    "nvidia-cusolver",
    "nvidia-cusparse",
    "nvidia-cusparselt",
    "nvidia-nccl",
    "nvidia-nvjitlink",
    "nvidia-nvshmem",
    "nvidia-nvtx",
    "triton",
];

/// What becomes of a file that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// Everything is in it.
    Same,
    /// A file that this program wrote, and would now write in another way.
    Anew(String),
    /// The whole file with what was added at its end.
    Added(String),
    /// It says something else, which only a person can change.
    Contradicts(Vec<String>),
}

/// The file of a project that has none.
pub(super) fn whole(emission: &Emission) -> String {
    format!("{MARK} `uv sync` installs it again.\n{}", project(emission).trim_start())
}

/// Whether this program wrote a file, and nobody else.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(MARK)
}

/// What becomes of the file that is there; an error is one of TOML, with its place.
pub(super) fn merged(text: &str, emission: &Emission) -> Result<Merged, toml::de::Error> {
    let table: Table = text.parse()?;
    if is_ours(text) {
        let anew = whole(emission);
        return Ok(if anew == text { Merged::Same } else { Merged::Anew(anew) });
    }
    let (addition, mut against) = match (table.contains_key("project"), &emission.torch) {
        (false, _) => (project(emission), Vec::new()),
        (true, None) => (String::new(), Vec::new()),
        (true, Some(index)) if wants_torch(&table, emission) => missing(&table, index, emission),
        (true, Some(_)) => (String::new(), Vec::new()),
    };
    let gap = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    let whole = format!("{text}{gap}{addition}");
    if against.is_empty() && whole.parse::<Table>().is_err() {
        against.push(format!("it has these tables in another form; wanted is:{addition}"));
    }
    Ok(match (against.is_empty(), addition.is_empty()) {
        (false, _) => Merged::Contradicts(against),
        (true, true) => Merged::Same,
        (true, false) => Merged::Added(whole),
    })
}

/// The tables of a project, and what uv has to know for it.
fn project(emission: &Emission) -> String {
    let mut text = format!("\n[project]\nname = {}\nversion = \"0.1.0\"\n", quoted(&emission.name));
    if let Some(version) = python_series(emission) {
        let _ = writeln!(text, "requires-python = \"=={version}.*\"");
    }
    let pins = pins(emission);
    let _ = writeln!(text, "dependencies = [");
    pins.iter().for_each(|pin| {
        let _ = writeln!(text, "    {},", quoted(pin));
    });
    text.push_str("]\n");
    let _ = write!(text, "\n[tool.uv]\npackage = false\n{}", environments(emission));
    if let Some(index) = emission.torch.as_ref().filter(|_| has_torch(emission)) {
        for package in of_torch(emission) {
            text.push_str(&source(package, index));
        }
        text.push_str(&index_table(index));
    }
    text
}

/// The one system that the versions were found on: others need others.
fn environments(emission: &Emission) -> String {
    let architecture = emission.lock.system.architecture.as_ref().value();
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    architecture.map_or_else(String::new, |architecture| {
        let marker = format!("sys_platform == '{system}' and platform_machine == '{architecture}'");
        format!("environments = [{}]\n", quoted(&marker))
    })
}

fn source(package: &str, index: &TorchIndex) -> String {
    let name = quoted(&index.name);
    format!("\n[[tool.uv.sources.{package}]]\nindex = {name}\nmarker = {}\n", quoted(MARKER))
}

fn index_table(index: &TorchIndex) -> String {
    let (name, url) = (quoted(&index.name), quoted(&index.url));
    format!("\n[[tool.uv.index]]\nname = {name}\nurl = {url}\nexplicit = true\n")
}

/// What a person's file lacks to get the right build, and what in it speaks against it.
fn missing(table: &Table, index: &TorchIndex, emission: &Emission) -> (String, Vec<String>) {
    let uv = table.get("tool").and_then(|tool| tool.get("uv"));
    let (mut addition, mut against) = (String::new(), Vec::new());
    for package in of_torch(emission) {
        match uv.and_then(|uv| uv.get("sources")?.get(package)) {
            None => addition.push_str(&source(package, index)),
            Some(stated) if names(stated, &index.name) => {}
            Some(stated) => against.push(format!(
                "tool.uv.sources.{package} is {stated}, not the index {}",
                index.name
            )),
        }
    }
    let indexes = uv.and_then(|uv| uv.get("index")?.as_array());
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let named = indexes.and_then(|all| {
        all.iter().find(|entry| text(entry, "name").as_deref() == Some(index.name.as_str()))
    });
    match named.map(|entry| text(entry, "url")) {
        None => addition.push_str(&index_table(index)),
        Some(Some(url)) if url.trim_end_matches('/') == index.url => {}
        Some(_) => against.push(format!("tool.uv.index {} is not {}", index.name, index.url)),
    }
    (addition, against)
}

/// Whether a source, or one of several, is that index.
fn names(source: &Value, index: &str) -> bool {
    match source {
        Value::Array(all) => all.iter().any(|one| names(one, index)),
        one => one.get("index").and_then(Value::as_str) == Some(index),
    }
}

fn has_torch(emission: &Emission) -> bool {
    let python = emission.lock.python.as_ref().value();
    python.is_some_and(|python| python.packages.contains_key("torch"))
}

/// Whether PyTorch is installed, or a person's project asks for it.
fn wants_torch(table: &Table, emission: &Emission) -> bool {
    fn asks(value: &Value) -> bool {
        match value {
            Value::String(text) => {
                let name =
                    text.split(|sign: char| !(sign.is_alphanumeric() || "-_.".contains(sign)));
                name.into_iter().next().is_some_and(|name| OF_TORCH.contains(&name))
            }
            Value::Array(all) => all.iter().any(asks),
            Value::Table(all) => all.values().any(asks),
            _ => false,
        }
    }
    let keys = ["dependencies", "optional-dependencies"];
    let project = keys.iter().filter_map(|key| table.get("project")?.get(*key));
    has_torch(emission) || project.chain(table.get("dependency-groups")).any(asks)
}

/// The packages that come from PyTorch's index.
fn of_torch(emission: &Emission) -> Vec<&'static str> {
    let python = emission.lock.python.as_ref().value();
    let installed = |name: &&str| python.is_some_and(|python| python.packages.contains_key(*name));
    OF_TORCH.into_iter().filter(|name| *name == "torch" || installed(name)).collect()
}

/// The series that the versions were found with.
pub(super) fn python_series(emission: &Emission) -> Option<String> {
    series(emission.lock.python.as_ref().value()?.version.as_ref().value()?)
}

/// Every package that an index or an address gives again.
pub(super) fn pins(emission: &Emission) -> Vec<String> {
    let python = emission.lock.python.as_ref().value();
    let all = python.into_iter().flat_map(|python| &python.packages);
    all.filter_map(|(name, package)| pin(emission, name, package).ok()).collect()
}

/// Packages that nothing gives again, and why.
pub(super) fn left_out(emission: &Emission) -> Vec<(String, &'static str)> {
    let python = emission.lock.python.as_ref().value();
    let all = python.into_iter().flat_map(|python| &python.packages);
    all.filter_map(|(name, package)| {
        let why = pin(emission, name, package).err()?;
        Some((name.clone(), why))
    })
    .collect()
}

fn pin(emission: &Emission, name: &str, package: &Package) -> Result<String, &'static str> {
    match &package.origin {
        Origin::Local => Err("it came from a folder of this machine"),
        Origin::Conda => Err("it is a package of conda"),
        Origin::System => Err("it is a package of the system"),
        Origin::Address(address) => {
            let hash = package.hash.as_ref().and_then(|hash| hash.split_once(':'));
            let hash = hash.map(|(kind, digits)| format!("#{kind}={digits}"));
            Ok(format!("{name} @ {address}{}", hash.unwrap_or_default()))
        }
        Origin::Index if !is_version(&package.version) => Err("its version is none of an index"),
        Origin::Index if of_another_build(emission, name) => Err(
            "it belongs to the build of PyTorch that was found, and another one takes its place",
        ),
        // Which build it is follows from the index.
        Origin::Index if emission.torch.is_some() && OF_TORCH.contains(&name) => {
            let public = package.version.split('+').next();
            Ok(format!("{name}=={}", public.unwrap_or(&package.version)))
        }
        Origin::Index => Ok(format!("{name}=={}", package.version)),
    }
}

/// Whether a package came with the build of PyTorch that was found, where the files take another one:
/// that one brings the version that it was built for.
fn of_another_build(emission: &Emission, name: &str) -> bool {
    let found = super::torch(&emission.lock).map(TorchBuild::label);
    let taken = emission.torch.as_ref().map(|index| &index.label);
    let number = |suffix: &str| suffix.chars().all(|sign| sign.is_ascii_digit());
    let library = match name.rsplit_once("-cu") {
        Some((library, suffix)) if number(suffix) => library,
        _ => name,
    };
    found.zip(taken).is_some_and(|(found, taken)| found != *taken) && WITH_CUDA.contains(&library)
}

/// Whether a text may be a version of PEP 440, as far as its signs tell.
fn is_version(text: &str) -> bool {
    let known = |sign: char| sign.is_ascii_alphanumeric() || ".+!_-".contains(sign);
    text.starts_with(|sign: char| sign.is_ascii_digit()) && text.chars().all(known)
}

/// A name that a project may have (PEP 508): letters, digits, `-`, `_` and `.`, not at its ends.
pub(super) fn name(folder: &str) -> String {
    let sign = |sign: char| match sign.is_ascii_alphanumeric() {
        true => sign.to_ascii_lowercase(),
        false => '-',
    };
    let plain: String = folder.chars().map(sign).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    match parts.is_empty() {
        true => "environment".to_owned(),
        false => parts.join("-"),
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
