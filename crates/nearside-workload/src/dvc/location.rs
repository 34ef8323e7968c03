//! Where paths of a pipeline lie, and what its stages may be called.

use super::DvcStage;

/// Where a path lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// In the project, from its folder.
    Inside(String),
    /// Elsewhere: an absolute path, one that leads out of the project, or an address.
    Outside(String),
}

impl Location {
    /// The path as it is written.
    pub(super) fn text(self) -> String {
        match self {
            Self::Inside(path) | Self::Outside(path) => path,
        }
    }
}

/// Where a path lies that is written from a folder of the project.
pub(super) fn located(folder: &str, path: &str) -> Location {
    if path.starts_with(['/', '~']) || path.contains("://") {
        return Location::Outside(path.to_owned());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split(['/', '\\'])) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match parts.first() {
        None | Some(&"..") => Location::Outside(joined),
        Some(_) => Location::Inside(joined),
    }
}

/// Gives every stage a name of its own that a project file can bear: `train@a b` is `train-a-b`.
pub(super) fn rename(stages: &mut [DvcStage]) {
    let mut taken: Vec<String> = Vec::new();
    for stage in stages {
        let letter = |letter: char| match letter.is_alphanumeric() || "-_.".contains(letter) {
            true => letter,
            false => '-',
        };
        let plain: String = stage.name.chars().map(letter).collect();
        let plain = plain.trim_start_matches(['.', '-']);
        let base = if plain.is_empty() { "stage" } else { plain };
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        let name = names.find(|name| !taken.contains(name)).unwrap_or_default();
        taken.push(name.clone());
        stage.name = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_from_the_folder_of_the_stage() {
        let inside = |folder, path| match located(folder, path) {
            Location::Inside(path) => path,
            Location::Outside(path) => format!("outside: {path}"),
        };
        assert_eq!(inside("", "./data//a.csv"), "data/a.csv");
        assert_eq!(inside("src/train", "../../data/a.csv"), "data/a.csv");
        assert_eq!(inside("src", "../../a.csv"), "outside: ../a.csv");
        assert_eq!(inside("src", "s3://bucket/a"), "outside: s3://bucket/a");
        assert_eq!(inside("", "."), "outside: ");
    }

    #[test]
    fn names_are_legal_and_their_own() {
        let names = ["train@a b", "train-a b", "@", "größe@1e-3"];
        let mut stages =
            names.map(|name| DvcStage { name: name.to_owned(), ..DvcStage::default() });
        rename(&mut stages);
        let names = stages.map(|stage| stage.name);
        assert_eq!(names, ["train-a-b", "train-a-b-2", "stage", "größe-1e-3"]);
    }
}
