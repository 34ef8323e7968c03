//! Whether this is a container, and of which image, as engines tell those inside.
//!
//! Source: Podman writes `image="..."` into `/run/.containerenv`; Docker makes an empty `/.dockerenv`.

use std::path::Path;

use nearside_units::Known;

use crate::root::Root;

/// The image of the container that a root belongs to; nothing where it belongs to none.
#[must_use]
pub fn container_image(root: &Path) -> Option<Known<String>> {
    let root = Root(root);
    if root.has("run/.containerenv") {
        let named = root.text("run/.containerenv").and_then(|text| {
            let name = text.lines().find_map(|line| line.strip_prefix("image="));
            let name = name.map(|name| name.trim_matches('"').to_owned());
            Known::from_option(name, "/run/.containerenv: names no image")
        });
        return Some(named);
    }
    root.has(".dockerenv").then(|| Known::unknown("Docker does not tell it to those inside"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_told_apart() {
        let folder = std::env::temp_dir().join(format!("nearside-image-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("run")).unwrap();
        assert_eq!(container_image(&folder), None);
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
