//! Whether this is a container, and of which image, as engines tell those inside.
//!
//! Source: Podman writes `image="..."` into `/run/.containerenv`; Docker makes an empty `/.dockerenv`;
//! systemd and LXC set the variable `container`, Kubernetes one for its service.

use std::collections::BTreeMap;
use std::path::Path;

use nearside_units::Known;

use crate::root::Root;

const PODMAN: &str = "run/.containerenv";
const DOCKER: &str = ".dockerenv";

/// The image of the container that a root and variables belong to; nothing where they belong to none.
#[must_use]
pub fn container_image(root: &Path, variables: &BTreeMap<String, String>) -> Option<Known<String>> {
    let root = Root(root);
    if root.has(PODMAN) {
        let named = root.text(PODMAN).and_then(|text| {
            let name = text.lines().find_map(|line| line.strip_prefix("image="));
            let name = name.map(|name| name.trim_matches('"').to_owned());
            Known::from_option(name, "/run/.containerenv: names no image")
        });
        return Some(named);
    }
    if root.has(DOCKER) {
        return Some(Known::unknown("Docker does not tell it to those inside"));
    }
    let sign = container(root, variables)?;
    Some(Known::unknown(format!("{sign}, which does not tell it")))
}

/// What says that this is a container.
pub(crate) fn container(root: Root<'_>, variables: &BTreeMap<String, String>) -> Option<String> {
    if let Some(file) = [DOCKER, PODMAN].iter().find(|file| root.has(file)) {
        return Some(format!("/{file} is there"));
    }
    let set = |name: &&&str| variables.get(**name).is_some_and(|value| !value.is_empty());
    let variable = ["container", "KUBERNETES_SERVICE_HOST"];
    variable.iter().find(set).map(|name| format!("the variable {name} is set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_told_apart() {
        let folder = std::env::temp_dir().join(format!("nearside-image-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("run")).unwrap();
        let none = BTreeMap::new();
        let container_image = |folder: &Path| super::container_image(folder, &none);
        assert_eq!(container_image(&folder), None);
        // What makes it a container for the doctor makes it one here.
        let kubernetes = ("KUBERNETES_SERVICE_HOST".to_owned(), "10.0.0.1".to_owned());
        let found = super::container_image(&folder, &BTreeMap::from([kubernetes]));
        let why = "the variable KUBERNETES_SERVICE_HOST is set, which does not tell it";
        assert_eq!(found.unwrap().why(), Some(why));
        std::fs::write(folder.join(".dockerenv"), "").unwrap();
        let why = "Docker does not tell it to those inside";
        assert_eq!(container_image(&folder).unwrap().why(), Some(why));
        let text = "engine=\"podman-4.3.1\"\nimage=\"localhost/a:1\"\n";
        std::fs::write(folder.join("run/.containerenv"), text).unwrap();
        assert_eq!(container_image(&folder), Some(Known::Value("localhost/a:1".to_owned())));
        std::fs::write(folder.join("run/.containerenv"), "").unwrap();
        let why = "/run/.containerenv: names no image";
        assert_eq!(container_image(&folder).unwrap().why(), Some(why));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
