//! `nearside.lock` as it is written, and what it means.

use std::collections::BTreeMap;
use std::str::FromStr;

use nearside_catalog::normalized_package;
use nearside_units::{Bytes, Known, ParseError};
use serde::Deserialize;

use super::entry::{Entry, Stated};
use super::{Accelerator, EnvironmentLock, Origin, Package, Processor, Python, System, variable};
use crate::project_file::{Named, in_file_order};
use crate::reader::{Reader, Section};
use crate::scalar::Field;
use crate::{Located, ProjectError, suggest};

/// The tables of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockFile {
    #[expect(dead_code, reason = "checked on the raw table, before any other key is looked at")]
    version: Option<Field>,
    #[serde(default)]
    system: SystemTable,
    #[serde(default)]
    processor: ProcessorTable,
    #[serde(default)]
    accelerator: Vec<AcceleratorTable>,
    #[serde(default)]
    variables: Named<Located<String>>,
    python: Option<PythonTable>,
    #[serde(default)]
    packages: Named<Stated>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SystemTable {
    name: Option<Stated>,
    kernel: Option<Stated>,
    architecture: Option<Stated>,
    libc: Option<Stated>,
    cuda_toolkit: Option<Stated>,
    image: Option<Stated>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProcessorTable {
    name: Option<Stated>,
    threads: Option<Stated>,
    memory: Option<Stated>,
    instructions: Option<Stated>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceleratorTable {
    name: Option<Stated>,
    capability: Option<Stated>,
    driver: Option<Stated>,
    memory: Option<Stated>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PythonTable {
    version: Option<Stated>,
    implementation: Option<Stated>,
    torch: Option<Stated>,
    unknown: Option<Located<String>>,
}

/// The keys of a package that is more than its version.
const PACKAGE_KEYS: [&str; 3] = ["version", "from", "hash"];

/// What the tables mean.
pub(super) fn read(file: LockFile) -> Result<EnvironmentLock, Vec<ProjectError>> {
    let mut reader = Reader::default();
    let lock = EnvironmentLock {
        system: system(&mut reader, &file.system),
        processor: processor(&mut reader, &file.processor),
        accelerators: file.accelerator.iter().map(|one| accelerator(&mut reader, one)).collect(),
        variables: read_variables(&mut reader, &file.variables),
        python: python(&mut reader, &file),
    };
    reader.finish().map(|_no_assumptions| lock)
}

fn system(reader: &mut Reader, table: &SystemTable) -> System {
    let mut section = reader.section("system");
    let optional = |section: &mut Section<'_>, key: &str, entry: &Option<Stated>| {
        entry.as_ref().map(|entry| section.known(key, Some(entry)))
    };
    System {
        name: section.known("name", table.name.as_ref()),
        kernel: section.known("kernel", table.kernel.as_ref()),
        architecture: section.known("architecture", table.architecture.as_ref()),
        libc: section.known("libc", table.libc.as_ref()),
        cuda_toolkit: optional(&mut section, "cuda_toolkit", &table.cuda_toolkit),
        image: optional(&mut section, "image", &table.image),
    }
}

fn processor(reader: &mut Reader, table: &ProcessorTable) -> Processor {
    let mut section = reader.section("processor");
    Processor {
        name: section.known("name", table.name.as_ref()),
        threads: section.known_as::<Threads>("threads", table.threads.as_ref()).map(|it| it.0),
        memory: section.known_as::<Bytes>("memory", table.memory.as_ref()),
        instructions: section.known_list("instructions", table.instructions.as_ref()),
    }
}

/// How many threads programs may use.
struct Threads(u32);

impl FromStr for Threads {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = |_error| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a whole number of threads, as in 16",
        };
        text.parse().map(Self).map_err(malformed)
    }
}

fn accelerator(reader: &mut Reader, table: &AcceleratorTable) -> Accelerator {
    let mut section = reader.section("accelerator");
    Accelerator {
        name: section.known("name", table.name.as_ref()),
        capability: section.known("capability", table.capability.as_ref()),
        driver: section.known("driver", table.driver.as_ref()),
        memory: section.known_as::<Bytes>("memory", table.memory.as_ref()),
    }
}

/// Only variables that matter may stand there.
fn read_variables(
    reader: &mut Reader,
    table: &Named<Located<String>>,
) -> Known<BTreeMap<String, String>> {
    if let (1, Some((name, why))) = (table.len(), table.first_key_value())
        && name.value == "unknown"
    {
        return Known::unknown(why.value.as_str());
    }
    let known = || variable::variables().iter().map(|variable| variable.name);
    for (name, _) in in_file_order(table) {
        if variable::named(&name.value).is_none() {
            let near = suggest::nearest(&name.value, known());
            let hint = near.map_or_else(
                || "it changes neither results nor speed: remove it".to_owned(),
                |near| format!("did you mean \"{near}\"?"),
            );
            let message = format!("variables.{}: no variable of an environment", name.value);
            reader.report(&name.span, message, Some(hint));
        }
    }
    let value = |(name, value): (&Located<String>, &Located<String>)| {
        (name.value.clone(), value.value.clone())
    };
    Known::Value(table.iter().map(value).collect())
}

fn python(reader: &mut Reader, file: &LockFile) -> Known<Python> {
    let packages = packages(reader, &file.packages);
    let Some(table) = &file.python else {
        if let Some((first, _)) = in_file_order(&file.packages).first() {
            let message = "packages without [python]".to_owned();
            let hint = "write the version of Python that they are for".to_owned();
            reader.report(&first.span, message, Some(hint));
        }
        return Known::unknown("not stated");
    };
    if let Some(why) = &table.unknown {
        return Known::unknown(why.value.as_str());
    }
    let mut section = reader.section("python");
    let version = section.known("version", table.version.as_ref());
    if let (Known::Value(text), Some(entry)) = (&version, &table.version) {
        section.not_empty("version", &entry.span, text);
    }
    Known::Value(Python {
        version,
        implementation: section.known("implementation", table.implementation.as_ref()),
        torch: table.torch.as_ref().map(|torch| section.known_as("torch", Some(torch))),
        packages,
    })
}

fn packages(reader: &mut Reader, table: &Named<Stated>) -> BTreeMap<String, Package> {
    let mut found = BTreeMap::new();
    for (name, entry) in in_file_order(table) {
        let canonical = normalized_package(&name.value);
        if canonical.is_empty() {
            let message = format!("packages: \"{}\" is no name of a package", name.value);
            reader.report(&name.span, message, Some("write the name that pip shows".to_owned()));
        } else if canonical != name.value {
            let message = format!("packages.{}: no normalized name", name.value);
            reader.report(&name.span, message, Some(format!("write {canonical}")));
        }
        if let Some(package) = package(&mut reader.section("packages"), &name.value, entry) {
            found.insert(name.value.clone(), package);
        }
    }
    found
}

fn package(section: &mut Section<'_>, name: &str, entry: &Stated) -> Option<Package> {
    let table = match &entry.value {
        Entry::Text(version) => {
            section.not_empty(name, &entry.span, version);
            let version = version.clone();
            return Some(Package { version, origin: Origin::Index, hash: None });
        }
        Entry::Table(table) => table,
        Entry::List(_) | Entry::Other => {
            let example = format!("as in {name} = \"1.2.3\"");
            section.error(&entry.span, name, "expected a version", &example);
            return None;
        }
    };
    for key in table.keys().filter(|key| !PACKAGE_KEYS.contains(&key.as_str())) {
        let hint = suggest::hint(key, PACKAGE_KEYS, "keys that may stand here");
        section.error(
            &entry.span,
            name,
            &format!("unknown key \"{key}\""),
            &hint.unwrap_or_default(),
        );
    }
    let Some(version) = table.get("version") else {
        section.error(&entry.span, name, "no version", &format!("as in {name} = \"1.2.3\""));
        return None;
    };
    section.not_empty(name, &entry.span, version);
    let origin = match table.get("from").map(|from| Origin::stated(from)) {
        None => Origin::Index,
        Some(Ok(origin)) => origin,
        Some(Err(secret)) => {
            let hint = "remove it, and give it to the installer in another way";
            section.error(&entry.span, name, &secret.to_string(), hint);
            return None;
        }
    };
    Some(Package { version: version.clone(), origin, hash: table.get("hash").cloned() })
}
