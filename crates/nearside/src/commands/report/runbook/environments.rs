//! How to rebuild what stages run in: by the files that the project has for it.

use std::collections::BTreeSet;

use super::view::EnvironmentView;
use crate::wire::project::Loaded;

/// Files that an environment is rebuilt from: their names, what they are, and the command.
const FILES: [(&str, &str, &str); 8] = [
    (
        "nearside.lock",
        "what was found on the machine where it was written: versions, builds, variables",
        "nearside doctor --compare nearside.lock",
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

pub(super) fn of(loaded: &Loaded) -> Vec<EnvironmentView> {
    let view = |from: &str, what: &str, command: &str| EnvironmentView {
        from: from.to_owned(),
        what: what.to_owned(),
        command: command.replace("PROJECT", &loaded.project.name),
    };
    let files = FILES.iter().filter(|(name, ..)| loaded.folder.join(name).is_file());
    let files = files.map(|(name, what, command)| view(name, what, command));
    let images: BTreeSet<&String> =
        loaded.project.stages.iter().filter_map(|stage| stage.image.as_ref()).collect();
    let images = images
        .into_iter()
        .map(|image| view(image, "an image that stages run in", &format!("podman pull {image}")));
    files.chain(images).collect()
}
