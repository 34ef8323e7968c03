//! How to rebuild what stages run in: by the files that the project has for it.

use std::collections::BTreeSet;

use nearside_units::Known;
use nearside_workload::EnvironmentLock;
use nearside_workload::environment_lock::LOCK_FILE;

use super::view::EnvironmentView;
use crate::error::CommandError;
use crate::wire;
use crate::wire::project::Loaded;

/// Files that an environment is rebuilt from: their names, what they are, and the command.
const FILES: [(&str, &str, &str); 8] = [
    (
        "constraints.txt",
        "versions that the project is held to",
        "uv pip install --constraints constraints.txt --requirements pyproject.toml",
    ),
    ("uv.lock", "exact versions of every package", "uv sync --locked"),
    ("pyproject.toml", "packages, and the index of the right build", "uv sync"),
    (
        "requirements.txt",
        "packages for pip",
        "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
    ),
    ("environment.yml", "packages for conda", "conda env create -f environment.yml"),
    ("Dockerfile", "an image", "podman build -t PROJECT ."),
    (
        ".devcontainer/devcontainer.json",
        "a container for editors",
        "devcontainer up --workspace-folder .",
    ),
    ("dvc.yaml", "a pipeline of DVC", "dvc pull"),
];

pub(super) fn of(loaded: &Loaded, notes: &mut Vec<String>) -> Vec<EnvironmentView> {
    let view = |from: &str, what: &str, command: &str| EnvironmentView {
        from: from.to_owned(),
        what: what.to_owned(),
        command: command.replace("PROJECT", &loaded.project.name),
    };
    let files = FILES.iter().filter(|(name, ..)| loaded.folder.join(name).is_file());
    let files = files.map(|(name, what, command)| view(name, what, command));
    let lock = wire::environment_lock::of_project(&loaded.folder).map(|lock| {
        let what = lock.map_or_else(|error| unread(&error, notes), |lock| stated(&lock));
        view(LOCK_FILE, &what, &format!("nearside doctor --compare {LOCK_FILE}"))
    });
    let images: BTreeSet<&String> =
        loaded.project.stages.iter().filter_map(|stage| stage.image.as_ref()).collect();
    let images = images
        .into_iter()
        .map(|image| view(image, "an image that stages run in", &format!("podman pull {image}")));
    lock.into_iter().chain(files).chain(images).collect()
}

/// What a lock states, in a few words.
fn stated(lock: &EnvironmentLock) -> String {
    let python = match &lock.python {
        Known::Unknown(why) => format!("no Python ({why})"),
        Known::Value(python) => {
            let version = python.version.as_ref().value().map_or("of a version not known", |it| it);
            let torch = python.torch.as_ref().and_then(|torch| torch.as_ref().value());
            let torch = torch.map_or_else(String::new, |torch| format!(", PyTorch for {torch}"));
            let count = python.packages.len();
            let packages = if count == 1 { "package" } else { "packages" };
            format!("Python {version}, {count} {packages}{torch}")
        }
    };
    let known = |fact: &Known<String>| fact.as_ref().value().map(|text| format!(", {text}"));
    let system = [&lock.system.architecture, &lock.system.libc].map(known);
    format!(
        "what was found where it was written: {python}{}",
        system.map(Option::unwrap_or_default).concat()
    )
}

/// A lock that says nothing: runs stop at it too.
fn unread(error: &CommandError, notes: &mut Vec<String>) -> String {
    let why = error.problems.first().map_or("it cannot be read", |problem| &problem.message);
    notes.push(format!("{LOCK_FILE}: {why}"));
    format!("cannot be read: {why}")
}
