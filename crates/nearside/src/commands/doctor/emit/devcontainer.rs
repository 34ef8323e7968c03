//! `.devcontainer/devcontainer.json`: the image of the environment for editors.
//!
//! Source: the reference of devcontainer.json at containers.dev (`build`, `runArgs`,
//! `hostRequirements.gpu`, `remoteUser`); AMD's guide for containers (`/dev/kfd`, `/dev/dri`).

use serde_json::json;

use super::Emission;
use super::choice::Reach;
use super::dockerfile::USER;

/// The file.
pub(super) fn rendered(emission: &Emission) -> String {
    // Loaders of data pass batches through shared memory, of which a container has 64 MB otherwise.
    let mut arguments = vec!["--ipc=host"];
    arguments.extend(match emission.base.reach {
        Reach::Processor => &[][..],
        Reach::Cuda => &["--gpus=all"],
        Reach::Rocm => {
            &["--device=/dev/kfd", "--device=/dev/dri", "--group-add=video", "--group-add=render"]
        }
    });
    let mut file = json!({
        "name": emission.name,
        "build": { "dockerfile": "../Dockerfile", "context": "..", "target": "environment" },
        "runArgs": arguments,
        "remoteUser": USER,
    });
    if emission.base.reach == Reach::Cuda {
        file["hostRequirements"] = json!({ "gpu": true });
    }
    format!("{file:#}\n")
}
