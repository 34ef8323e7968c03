//! What was asked for, read and held against what there is.

use std::fs;
use std::path::Path;

use nearside_models::quantize::{Keep, Mix, Recipe, Requantize};
use nearside_workload::nearest;

use crate::cli::ModelQuantize;
use crate::error::{CommandError, Fault};

/// What `--to auto` tries: one or two of each size that people use.
const AUTO: [Mix; 5] = [Mix::Q8_0, Mix::Q6K, Mix::Q5KM, Mix::Q4KM, Mix::Q3KM];
/// The word for them.
const AUTO_NAME: &str = "auto";

/// Types, rules and texts.
pub(super) struct Options {
    mixes: Vec<Mix>,
    keeps: Vec<Keep>,
    /// What models are compared on.
    pub(super) text: Option<Read>,
    /// What weights of importance are found with.
    pub(super) importance: Option<Read>,
}

/// A text that was read.
pub(super) struct Read {
    /// Its file.
    pub(super) name: String,
    /// What is in it.
    pub(super) text: String,
}

impl Options {
    /// # Errors
    /// When a type is not known, a rule is none, or the file to write is there already or is one of the model's, which
    /// lies at `model`.
    pub(super) fn of(arguments: &ModelQuantize, model: &Path) -> Result<Self, CommandError> {
        let mut mixes = Vec::new();
        for name in &arguments.to {
            match name.eq_ignore_ascii_case(AUTO_NAME) {
                true => mixes.extend(AUTO),
                false => mixes.push(mix(name)?),
            }
        }
        // Each once, in the order of asking.
        let mut seen = Vec::new();
        mixes.retain(|mix| {
            !seen.contains(mix) && {
                seen.push(*mix);
                true
            }
        });
        let keeps = arguments.keep.iter().map(|text| keep(text)).collect::<Result<_, _>>()?;
        writable(arguments, model)?;
        let text = arguments.text.as_deref().map(read).transpose()?;
        let importance = arguments.importance_from.as_deref().map(read).transpose()?;
        Ok(Self { mixes, keeps, text, importance })
    }

    /// One recipe for each type.
    pub(super) fn recipes(&self, arguments: &ModelQuantize) -> impl Iterator<Item = Recipe> {
        let requantize = match arguments.allow_requantize {
            true => Requantize::Allowed,
            false => Requantize::Refused,
        };
        self.mixes.iter().map(move |mix| Recipe {
            mix: *mix,
            keeps: self.keeps.clone(),
            requantize,
        })
    }
}

fn mix(name: &str) -> Result<Mix, CommandError> {
    name.parse::<Mix>().map_err(|error| {
        let known: Vec<_> = Mix::all().map(Mix::name).chain([AUTO_NAME]).collect();
        let told = CommandError::new(Fault::Usage, error.to_string());
        match nearest(name, known.iter().copied()) {
            Some(near) => told.hint(format!("did you mean {near}?")),
            None => told.hint(format!("types: {}", known.join(", "))),
        }
    })
}

fn keep(text: &str) -> Result<Keep, CommandError> {
    text.parse::<Keep>().map_err(|error| {
        let told = CommandError::new(Fault::Usage, format!("--keep: {error}"));
        told.hint("types: f32, f16, bf16, q8_0, q6_k, q5_k, q4_k, q3_k, q2_k, iq4_xs and others")
    })
}

/// A text, whatever is in it: what is no UTF-8 is replaced.
fn read(path: &Path) -> Result<Read, CommandError> {
    let name = path.display().to_string();
    let text = fs::read(path).map_err(|error| {
        let fault = match error.kind() {
            std::io::ErrorKind::NotFound => Fault::Input,
            _ => Fault::World,
        };
        CommandError::new(fault, format!("cannot read {name}: {error}"))
    })?;
    Ok(Read { name, text: String::from_utf8_lossy(&text).into_owned() })
}

/// Whether a file is a part of the model that another one is a part of: `NAME-00001-of-00003.gguf`.
fn is_part(model: &Path, output: &Path) -> bool {
    let of = |path: &Path| {
        let name = path.file_stem()?.to_str()?;
        let (name, all) = name.rsplit_once("-of-")?;
        let (name, _) = name.rsplit_once('-')?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or_else(|| Path::new("."))).ok()?;
        Some((folder, name.to_owned(), all.to_owned()))
    };
    of(model).is_some_and(|model| of(output) == Some(model))
}

fn writable(arguments: &ModelQuantize, model: &Path) -> Result<(), CommandError> {
    let Some(output) = arguments.output.as_ref().filter(|_| !arguments.dry_run) else {
        return Ok(());
    };
    let real = |path: &Path| {
        let here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::canonicalize(here).ok()
    };
    let is = |path: &Path, what: &str| path.extension().is_some_and(|extension| extension == what);
    // Every file of a folder is of the model, but for what was made of it.
    let folder = if model.is_dir() { Some(model) } else { model.parent() };
    let of_folder = !is(model, "gguf")
        && !is(output, "gguf")
        && output.exists()
        && output.parent().and_then(real) == folder.and_then(real);
    let part = is(model, "gguf") && is_part(model, output);
    if of_folder || part || real(output).is_some_and(|output| real(model) == Some(output)) {
        let message = format!("{} is the model itself", output.display());
        return Err(CommandError::new(Fault::Input, message).hint("write another file with -o"));
    }
    if output.is_dir() {
        let message = format!("{} is a folder", output.display());
        let hint = format!("-o {}", output.join("model.gguf").display());
        return Err(CommandError::new(Fault::Input, message).hint(hint));
    }
    if !arguments.force && fs::symlink_metadata(output).is_ok() {
        let message = format!("{} exists already", output.display());
        return Err(CommandError::new(Fault::Input, message).hint("--force replaces it"));
    }
    Ok(())
}
