//! What makes the environment of a stage, written down in `nearside.lock`: system, processor,
//! accelerators, Python and its packages, variables. The same lock means the same results as far as
//! the environment decides them, near and far.
//!
//! [`EnvironmentLock::parse`] and its [`Display`](std::fmt::Display) are each other's inverse.
//! [`EnvironmentLock::facts`] says what each part can change, and everything else follows from that:
//! what is hashed into the key of a result ([`EnvironmentLock::decisive`]) and what tells two machines
//! apart ([`compare`]).

mod difference;
mod entry;
mod fact;
mod file;
mod origin;
mod text;
mod variable;

use std::collections::{BTreeMap, BTreeSet};

use nearside_catalog::TorchBuild;
use nearside_units::{Bytes, Known};

use crate::{ProjectError, structure};

pub use difference::{Difference, NotCompared, compare};
pub use fact::{Effect, Fact};
pub use origin::{Origin, Secret};
pub use variable::{Variable, variables};

/// The name of the file, in a project's folder.
pub const LOCK_FILE: &str = "nearside.lock";

/// What makes the environment of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvironmentLock {
    /// What runs on the machine.
    pub system: System,
    /// Its processors.
    pub processor: Processor,
    /// Its accelerators, in the driver's order; none is none.
    pub accelerators: Vec<Accelerator>,
    /// Variables that change results or speed, by their name; others are not kept.
    pub variables: Known<BTreeMap<String, String>>,
    /// The Python that stages run with, and what is installed for it.
    pub python: Known<Python>,
}

/// The operating system and what it brings along.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// Name and version, `Debian GNU/Linux 12 (bookworm)`.
    pub name: Known<String>,
    /// Release of the kernel.
    pub kernel: Known<String>,
    /// The instruction set that programs are built for, `x86_64` or `aarch64`.
    pub architecture: Known<String>,
    /// The C library and its version, `glibc 2.36`.
    pub libc: Known<String>,
    /// The CUDA toolkit that is installed for compiling, which is not what a framework brings along.
    pub cuda_toolkit: Option<Known<String>>,
    /// The image of the container that this was found in.
    pub image: Option<Known<String>>,
}

/// The processors.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
    /// Its name.
    pub name: Known<String>,
    /// Threads that programs may use.
    pub threads: Known<u32>,
    /// Main memory that programs may use.
    pub memory: Known<Bytes>,
    /// Instructions that decide which kernels a library takes.
    pub instructions: Known<BTreeSet<String>>,
}

/// One accelerator.
#[derive(Clone, Debug, PartialEq)]
pub struct Accelerator {
    /// Its name, as its driver says it.
    pub name: Known<String>,
    /// NVIDIA's compute capability, `8.9`, or AMD's target, `gfx1100`.
    pub capability: Known<String>,
    /// The version of its driver.
    pub driver: Known<String>,
    /// Its memory.
    pub memory: Known<Bytes>,
}

/// A Python and what is installed for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Python {
    /// Its version, `3.12.3`.
    pub version: Known<String>,
    /// Which build of the language it is, `cpython`.
    pub implementation: Known<String>,
    /// What the installed PyTorch was built for; nothing where there is none.
    pub torch: Option<Known<TorchBuild>>,
    /// Packages by their normalized name (PEP 503).
    pub packages: BTreeMap<String, Package>,
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its exact version.
    pub version: String,
    /// Where it came from.
    pub origin: Origin,
    /// The digest of the file that it was installed from, where one was recorded: `sha256:...`.
    pub hash: Option<String>,
}

impl EnvironmentLock {
    /// Reads a `nearside.lock`.
    ///
    /// ```
    /// use nearside_workload::environment_lock::EnvironmentLock;
    /// let text = "version = 1\n[python]\nversion = \"3.12.3\"\n[packages]\nnumpy = \"2.1.0\"\n";
    /// let lock = EnvironmentLock::parse(text).unwrap();
    /// assert_eq!(lock.python.clone().value().unwrap().packages["numpy"].version, "2.1.0");
    /// assert_eq!(lock.system.libc.why(), Some("not stated"));
    /// assert_eq!(EnvironmentLock::parse(&lock.to_string()).unwrap(), lock);
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn parse(text: &str) -> Result<Self, Vec<ProjectError>> {
        let document = structure::document(text)?;
        file::read(structure::tables(document, text)?)
    }
}

impl Accelerator {
    /// The branch of its driver, `570` of `570.86.15`: within one, nothing but faults is mended.
    #[must_use]
    pub fn driver_branch(&self) -> Option<&str> {
        let driver = self.driver.as_ref().value()?;
        driver.split('.').next().filter(|branch| branch.bytes().all(|sign| sign.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests;
