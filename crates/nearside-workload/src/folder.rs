//! What a folder holds, found by whoever may look, for a first project file.

use nearside_policy::Country;
use nearside_units::{Bytes, Watts};

use crate::DvcPipeline;

/// What a folder holds, as far as a first project file needs to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FolderFacts {
    /// Name of the project, usually that of the folder.
    pub name: String,
    /// Data files, paths relative to the folder.
    pub data: Vec<DataFile>,
    /// Python scripts, paths relative to the folder.
    pub scripts: Vec<String>,
    /// The file that lists the packages needed.
    pub requirements: Option<String>,
    /// Model folders, GGUF and safetensors files, paths relative to the folder.
    pub models: Vec<String>,
    /// The machine that nearside runs on.
    pub machine: MachineFacts,
    /// The pipeline that stages are taken from, in place of scripts with telling names.
    pub pipeline: Option<DvcPipeline>,
    /// Patterns of rented machines to compare with, as in `aws/*`.
    pub offers: Vec<String>,
}

/// A data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Path relative to the folder.
    pub path: String,
    /// Its size.
    pub size: Bytes,
}

/// What is known of the machine that nearside runs on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MachineFacts {
    /// What was detected, one fact per line, for people.
    pub summary: Vec<String>,
    /// What it is taken to draw under load.
    pub load: Option<Watts>,
    /// What it is taken to draw when idle.
    pub idle: Option<Watts>,
    /// The country it is taken to stand in.
    pub country: Option<Country>,
}
