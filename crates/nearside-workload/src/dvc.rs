//! Pipelines of DVC (`dvc.yaml`), for a first project file that does the same.
//!
//! [`DvcPipeline::parse`] fills in every `${...}`, writes out `foreach` and `matrix` (kept as trials of
//! one stage where that means the same) and resolves every path from `wdir`. What a project file cannot
//! say is listed in [`DvcPipeline::lost`] and never left out in silence.

mod draft;
mod entry;
mod fill;
mod guess;
mod keys;
mod location;
mod trials;
mod unroll;

use std::collections::BTreeMap;

use nearside_units::Bytes;

use crate::ProjectError;
use crate::folder::DataFile;
use crate::paths::is_within;
use crate::stage::Phase;
use crate::yaml::{self, Node, Value};
use fill::Context;
use keys::{entries, list, text};
use location::located;

/// The parameter file that every pipeline has, if it is there.
const PARAMETERS: &str = "params.yaml";
/// Stages that a pipeline may be written out to.
const MOST_STAGES: usize = 2_000;
/// What a pipeline file may say.
const SECTIONS: [&str; 7] =
    ["stages", "vars", "params", "metrics", "plots", "artifacts", "datasets"];

/// A pipeline of DVC, with every name filled in and every group of stages written out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DvcPipeline {
    pub(crate) stages: Vec<DvcStage>,
    /// Paths that stages read and no stage writes, relative to the project.
    pub reads: Vec<String>,
    /// What could not be carried over, a sentence each.
    pub lost: Vec<String>,
}

/// One stage of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DvcStage {
    pub(crate) name: String,
    pub(crate) phase: Option<Phase>,
    /// For people: what it says of itself, and what became of what it said.
    pub(crate) notes: Vec<String>,
    /// For the shell; placeholders of the matrix are in it, other braces are escaped.
    pub(crate) command: String,
    /// Axes and their values, where it has trials.
    pub(crate) matrix: Vec<(String, Vec<String>)>,
    pub(crate) reads: Vec<String>,
    pub(crate) writes: Vec<String>,
    /// Whether it is never run again: what it wrote is data.
    pub(crate) frozen: bool,
}

impl DvcPipeline {
    fn running(&self) -> impl Iterator<Item = &DvcStage> {
        self.stages.iter().filter(|stage| !stage.frozen)
    }

    /// How many stages it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stages.len()
    }

    /// Whether it has no stages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether a stage that runs writes something at, above or below a path.
    #[must_use]
    pub fn is_written(&self, path: &str) -> bool {
        let mut outputs = self.running().flat_map(|stage| &stage.writes);
        outputs.any(|output| is_within(output, path) || is_within(path, output))
    }

    /// Whether a stage writes that path.
    pub(crate) fn writes(&self, path: &str) -> bool {
        self.running().any(|stage| stage.writes.iter().any(|own| own == path))
    }

    /// The files that hold values for `${...}`, relative to the project.
    ///
    /// # Errors
    /// When the text is no YAML.
    pub fn parameter_files(dvc_yaml: &str) -> Result<Vec<String>, ProjectError> {
        let root = yaml::parse(dvc_yaml)?;
        let mut files = vec![PARAMETERS.to_owned()];
        files.extend(variable_files(&root, ""));
        for (_, stage) in root.get("stages").map(entries).unwrap_or_default() {
            let stage = stage.get("do").unwrap_or(stage);
            let folder = stage.get("wdir").and_then(text).unwrap_or_default();
            files.extend(variable_files(stage, folder));
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Reads a pipeline. `files` holds the texts of the parameter files that are there, by their path.
    ///
    /// # Errors
    /// Everything that is wrong with the text, each with its place.
    pub fn parse(
        dvc_yaml: &str,
        files: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<ProjectError>> {
        let root = yaml::parse(dvc_yaml).map_err(|error| vec![error])?;
        let mut reading = Reading::new(files).map_err(|error| vec![error])?;
        if let Err(error) = reading.root(&root) {
            reading.errors.push(error);
        }
        match reading.errors.is_empty() {
            true => Ok(reading.finish()),
            false => Err(reading.errors),
        }
    }
}

/// What a `.dvc` file keeps track of: paths relative to the folder that the file is in, and sizes; zero
/// where it tells none.
///
/// # Errors
/// When the text is no YAML.
pub fn tracked(dvc_file: &str) -> Result<Vec<DataFile>, ProjectError> {
    let root = yaml::parse(dvc_file)?;
    let folder = root.get("wdir").and_then(text).unwrap_or_default();
    let outs = root.get("outs").map(list).transpose()?.unwrap_or_default();
    let tracked = outs.iter().filter_map(|out| {
        let path = located(folder, out.get("path").and_then(text)?).text();
        let size = match out.get("size").map(|size| &size.value) {
            Some(Value::Whole(size)) => u64::try_from(*size).unwrap_or(0),
            _ => 0,
        };
        Some(DataFile { path, size: Bytes::new(size) })
    });
    Ok(tracked.collect())
}

/// The files among `vars`.
fn variable_files(node: &Node, folder: &str) -> Vec<String> {
    let Some(Value::List(vars)) = node.get("vars").map(|vars| &vars.value) else {
        return Vec::new();
    };
    let files = vars.iter().filter_map(text);
    files.map(|file| located(folder, variable_file(file).0).text()).collect()
}

/// The path in `file` or `file:key,key`, and the keys.
fn variable_file(text: &str) -> (&str, Vec<&str>) {
    match text.rsplit_once(':') {
        Some((file, keys)) if !keys.contains(['/', '\\']) => (file, keys.split(',').collect()),
        _ => (text, Vec::new()),
    }
}

/// A pipeline that is being read.
struct Reading<'a> {
    files: &'a BTreeMap<String, String>,
    context: Context,
    pipeline: DvcPipeline,
    errors: Vec<ProjectError>,
}

impl<'a> Reading<'a> {
    fn new(files: &'a BTreeMap<String, String>) -> Result<Self, ProjectError> {
        let mut context = Context::default();
        if let Some(text) = files.get(PARAMETERS) {
            context.add(&parameters(PARAMETERS, text)?);
        }
        Ok(Self { files, context, pipeline: DvcPipeline::default(), errors: Vec::new() })
    }

    fn root(&mut self, root: &Node) -> Result<(), ProjectError> {
        keys::check(root, "dvc.yaml", &SECTIONS)?;
        if let Some(vars) = root.get("vars") {
            let context = std::mem::take(&mut self.context);
            self.context = self.variables(context, vars, "")?;
        }
        for section in ["params", "metrics", "plots", "artifacts", "datasets"] {
            if root.get(section).is_some() {
                let how = format!("\"{section}\" of the whole pipeline says what DVC shows");
                self.pipeline.lost.push(format!("{how}: nothing here stands for it"));
            }
        }
        let stages = root.get("stages").map(entries).unwrap_or_default();
        for (name, node) in stages {
            match self.group(&name.value, node) {
                Ok(stages) => self.pipeline.stages.extend(stages),
                Err(error) => self.errors.push(error),
            }
            if self.pipeline.stages.len() > MOST_STAGES {
                return Err(keys::wrong(node, &format!("more than {MOST_STAGES} stages")));
            }
        }
        Ok(())
    }

    /// The context with what `vars` bring in.
    fn variables(
        &self,
        mut context: Context,
        vars: &Node,
        folder: &str,
    ) -> Result<Context, ProjectError> {
        for node in list(vars)? {
            let Some(named) = text(node) else {
                context.add(node);
                continue;
            };
            let (file, keys) = variable_file(named);
            let path = located(folder, file).text();
            let Some(found) = self.files.get(&path) else {
                let message = format!("{path} is not there, or no YAML, JSON or TOML file");
                return Err(keys::wrong(node, &message));
            };
            let values = parameters(&path, found)?;
            context.add(&match keys.is_empty() {
                true => values,
                false => {
                    let of = entries(&values).iter().cloned();
                    let kept = of.filter(|(key, _)| keys.contains(&key.value.as_str()));
                    Node { value: Value::Map(kept.collect()), ..values.clone() }
                }
            });
        }
        Ok(context)
    }

    /// Names that TOML and the cache can bear, what is read from outside, and what is wrong between
    /// stages.
    fn finish(mut self) -> DvcPipeline {
        location::rename(&mut self.pipeline.stages);
        self.read_what_is_written();
        let pipeline = &self.pipeline;
        let reads = pipeline.running().flat_map(|stage| &stage.reads);
        let mut reads: Vec<_> = reads.filter(|path| !pipeline.is_written(path)).cloned().collect();
        let frozen = self.pipeline.stages.iter().filter(|stage| stage.frozen);
        reads.extend(frozen.flat_map(|stage| stage.writes.clone()));
        reads.sort();
        reads.dedup();
        self.pipeline.reads = reads;
        self.pipeline
    }

    /// A stage that reads a folder which others write into reads what they write.
    fn read_what_is_written(&mut self) {
        let written: Vec<String> =
            self.pipeline.running().flat_map(|stage| stage.writes.clone()).collect();
        for stage in &mut self.pipeline.stages {
            for path in std::mem::take(&mut stage.reads) {
                let strictly = |output: &&String| **output != path && is_within(output, &path);
                let inner: Vec<_> = written.iter().filter(strictly).collect();
                if inner.is_empty() {
                    stage.reads.push(path);
                    continue;
                }
                let name = &stage.name;
                self.pipeline.lost.push(format!(
                    "stage \"{name}\": it reads {path}, which outputs lie in: only those are inputs"
                ));
                let foreign = inner.into_iter().filter(|path| !stage.writes.contains(path));
                stage.reads.extend(foreign.cloned());
            }
        }
    }
}

/// The values of a parameter file, by the end of its name.
fn parameters(path: &str, text: &str) -> Result<Node, ProjectError> {
    let elsewhere = |message: String| ProjectError {
        message: format!("{path}: {message}"),
        span: None,
        hint: None,
    };
    if path.ends_with(".toml") {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            elsewhere(format!("this is no TOML: {}", error.message()))
        })?;
        return Ok(keys::from_toml(&toml::Value::Table(table)));
    }
    yaml::parse(text).map_err(|error| {
        let (line, column) = error.line_and_column(text).unwrap_or((1, 1));
        elsewhere(format!("{line}:{column}: {}", error.message))
    })
}

/// A word of a shell command.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "@%+=:,./_-".contains(letter);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\"'\"'")),
    }
}
