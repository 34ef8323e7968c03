//! A lock as text: sorted, one line for each package, so that a change is one line of a comparison.

use std::fmt::{self, Formatter};

use nearside_units::{Bytes, Known};

use super::{Accelerator, EnvironmentLock, Origin, Package, Processor, Python, System};
use crate::FORMAT_VERSION;
use crate::draft::{list, quoted};

impl fmt::Display for EnvironmentLock {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "version = {FORMAT_VERSION}")?;
        self.system.write(formatter)?;
        self.processor.write(formatter)?;
        self.accelerators.iter().try_for_each(|one| one.write(formatter))?;
        match &self.variables {
            Known::Value(variables) if variables.is_empty() => {}
            Known::Value(variables) => {
                writeln!(formatter, "\n[variables]")?;
                for (name, value) in variables {
                    writeln!(formatter, "{} = {}", key(name), quoted(value))?;
                }
            }
            Known::Unknown(why) => {
                writeln!(formatter, "\n[variables]\nunknown = {}", quoted(why))?;
            }
        }
        match &self.python {
            Known::Value(python) => python.write(formatter),
            Known::Unknown(why) => {
                writeln!(formatter, "\n[python]\nunknown = {}", quoted(why))
            }
        }
    }
}

impl System {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n[system]")?;
        line(formatter, "name", &self.name)?;
        line(formatter, "kernel", &self.kernel)?;
        line(formatter, "architecture", &self.architecture)?;
        line(formatter, "libc", &self.libc)?;
        let optional = [("cuda_toolkit", &self.cuda_toolkit), ("image", &self.image)];
        optional.into_iter().try_for_each(|(name, value)| match value {
            Some(value) => line(formatter, name, value),
            None => Ok(()),
        })
    }
}

impl Processor {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n[processor]")?;
        line(formatter, "name", &self.name)?;
        value(formatter, "threads", &self.threads.as_ref().map(ToString::to_string))?;
        line(formatter, "memory", &memory(&self.memory))?;
        let instructions = self.instructions.as_ref();
        let instructions = instructions.map(|all| list(all.iter().map(String::as_str)));
        value(formatter, "instructions", &instructions)
    }
}

impl Accelerator {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n[[accelerator]]")?;
        line(formatter, "name", &self.name)?;
        line(formatter, "capability", &self.capability)?;
        line(formatter, "driver", &self.driver)?;
        line(formatter, "memory", &memory(&self.memory))
    }
}

impl Python {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n[python]")?;
        line(formatter, "version", &self.version)?;
        line(formatter, "implementation", &self.implementation)?;
        if let Some(torch) = &self.torch {
            line(formatter, "torch", &torch.as_ref().map(ToString::to_string))?;
        }
        if !self.packages.is_empty() {
            writeln!(formatter, "\n[packages]")?;
        }
        self.packages.iter().try_for_each(|(name, package)| {
            writeln!(formatter, "{} = {}", key(name), entry(package))
        })
    }
}

fn entry(package: &Package) -> String {
    let version = quoted(&package.version);
    if package.origin == Origin::Index && package.hash.is_none() {
        return version;
    }
    let from = quoted(&package.origin.to_string());
    let hash = package.hash.as_ref().map(|hash| format!(", hash = {}", quoted(hash)));
    format!("{{ version = {version}, from = {from}{} }}", hash.unwrap_or_default())
}

/// Whole MiB: no machine has the same number of bytes twice.
fn memory(bytes: &Known<Bytes>) -> Known<String> {
    bytes.as_ref().map(|bytes| format!("{} MiB", bytes.get() >> 20))
}

fn line(formatter: &mut Formatter<'_>, key: &str, known: &Known<String>) -> fmt::Result {
    value(formatter, key, &known.as_ref().map(|text| quoted(text)))
}

fn value(formatter: &mut Formatter<'_>, key: &str, known: &Known<String>) -> fmt::Result {
    match known {
        Known::Value(value) => writeln!(formatter, "{key} = {value}"),
        Known::Unknown(why) => writeln!(formatter, "{key} = {{ unknown = {} }}", quoted(why)),
    }
}

/// A key, in quotes where it has to be.
fn key(name: &str) -> String {
    let bare = |sign: u8| sign.is_ascii_alphanumeric() || b"-_".contains(&sign);
    match !name.is_empty() && name.bytes().all(bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}
