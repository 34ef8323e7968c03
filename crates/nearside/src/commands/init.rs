//! `nearside init`: writes a project file from what is in a folder, every guess marked as one.

mod pipeline;

use std::io::Write as _;
use std::path::Path;

use nearside_units::Bytes;
use nearside_workload::{DataFile, FolderFacts, MachineFacts, Project};

use crate::cli::Init;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::project::PROJECT_FILE;

/// Files of a folder that are looked at, at most.
const MOST_FILES: usize = 10_000;
/// Folders below the project that are looked into, at most.
const DEPTH: usize = 3;

const DATA: [&str; 8] = ["csv", "tsv", "parquet", "jsonl", "json", "sqlite", "txt", "arrow"];
const MODELS: [&str; 2] = ["gguf", "safetensors"];
/// Files that end like data but are not.
const NOT_DATA: [&str; 5] =
    ["config.json", "tokenizer.json", "package.json", "package-lock.json", "requirements.txt"];

pub(super) fn run(arguments: &Init, output: &Output) -> Result<Outcome, CommandError> {
    let folder = &arguments.path;
    if !folder.is_dir() {
        let message = format!("{} is no folder", folder.display());
        return Err(CommandError::new(Fault::Input, message));
    }
    let facts = facts(folder, output)?;
    let text = nearside_workload::init(&facts);
    let warnings = warnings(&facts, &text);
    let file = folder.join(PROJECT_FILE);
    if !arguments.stdout {
        write(&file, &text, arguments)?;
    }
    if output.form == Form::Json {
        let written = !arguments.stdout;
        let file = file.display().to_string();
        let data = serde_json::json!({ "file": file, "written": written, "text": text });
        let answer = Answer { schema: "nearside/init/1", data, warnings: &warnings, sources: &[] };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    warnings.iter().for_each(|warning| output.warning(warning));
    if arguments.stdout {
        output.text(&text);
        return Ok(Outcome::Done);
    }
    let stages = facts.pipeline.map_or_else(String::new, |pipeline| {
        format!(", with the {} stages of dvc.yaml", pipeline.len())
    });
    output.text(&format!("wrote {}{stages}", file.display()));
    output.hint("look for `# assumed` in it, correct what is wrong, then run `nearside plan`");
    Ok(Outcome::Done)
}

/// What of a pipeline is not in the file, and what is wrong with the file that came of it.
fn warnings(facts: &FolderFacts, text: &str) -> Vec<String> {
    let Some(pipeline) = &facts.pipeline else { return Vec::new() };
    let lost = pipeline.lost.iter().map(|lost| format!("not carried over: {lost}"));
    let wrong = Project::parse(text).err().unwrap_or_default();
    let wrong = wrong.iter().map(|error| format!("the file must be mended by hand: {error}"));
    lost.chain(wrong).collect()
}

fn write(file: &Path, text: &str, arguments: &Init) -> Result<(), CommandError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    match arguments.force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} exists already", file.display());
            CommandError::new(Fault::Input, message)
                .hint("--force writes over it, --stdout only shows the new one")
        }
        _ => CommandError::new(Fault::World, format!("cannot write {}: {error}", file.display())),
    };
    let mut opened = options.open(file).map_err(failed)?;
    opened.write_all(text.as_bytes()).map_err(failed)
}

fn facts(folder: &Path, output: &Output) -> Result<FolderFacts, CommandError> {
    let catalog = wire::catalog(output)?;
    let (machine, notes) = wire::machine::this_machine(&catalog)?;
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = absolute.file_name().and_then(|name| name.to_str()).unwrap_or("project");
    let mut facts = FolderFacts {
        name: name.to_owned(),
        machine: MachineFacts { summary: summary(&machine, &notes), ..MachineFacts::default() },
        offers: ["aws/*", "gcp/*", "lambda/*", "runpod/*", "verda/*", "nebius/*"]
            .map(str::to_owned)
            .to_vec(),
        ..FolderFacts::default()
    };
    look_into(folder, folder, 0, &mut facts);
    if let Some(found) = pipeline::of(folder)? {
        (facts.pipeline, facts.data) = (Some(found.pipeline), found.data);
    }
    Ok(facts)
}

fn summary(machine: &nearside_catalog::Machine, notes: &[String]) -> Vec<String> {
    let processor = machine.processor.as_ref().map(|name| format!("processor: {name}"));
    let threads = machine.threads.as_ref().map(|found| format!("{} threads", found.value));
    let memory = machine.memory.as_ref().map(|found| format!("{} of memory", found.value));
    let accelerators = machine
        .accelerators
        .as_ref()
        .map(|found| format!("{}x {}", found.count, found.device.title));
    let facts = [processor.value(), threads.value(), memory.value(), accelerators];
    facts.into_iter().flatten().chain(notes.iter().cloned()).collect()
}

/// Files of a folder by their endings, in order of their names.
fn look_into(root: &Path, folder: &Path, depth: usize, facts: &mut FolderFacts) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).take(MOST_FILES).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let Some(relative) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
        let hidden = name.starts_with('.') || matches!(name, "target" | "node_modules" | "build");
        if path.is_dir() && !hidden && depth < DEPTH {
            match path.join("config.json").is_file() {
                true => facts.models.push(relative.to_owned()),
                false => look_into(root, &path, depth + 1, facts),
            }
        } else if path.is_file() && !hidden {
            look_at(&path, name, relative, facts);
        }
    }
}

fn look_at(path: &Path, name: &str, relative: &str, facts: &mut FolderFacts) {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    if matches!(name, "requirements.txt" | "pyproject.toml") {
        facts.requirements = Some(relative.to_owned());
    } else if extension == "py" {
        facts.scripts.push(relative.to_owned());
    } else if MODELS.contains(&extension) {
        facts.models.push(relative.to_owned());
    } else if DATA.contains(&extension) && !NOT_DATA.contains(&name) {
        let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        facts.data.push(DataFile { path: relative.to_owned(), size: Bytes::new(size) });
    }
}
