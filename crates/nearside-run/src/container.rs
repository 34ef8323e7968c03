//! Containers as their engine is told about them: which engine, which image, which command line.
//!
//! Podman and Docker take the same words. The command finds the project at its own place, works as the
//! person's user, and gets nothing else of this machine. Nothing is ever pulled: that is network, and
//! a person's decision.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What runs containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Engine {
    pub(crate) program: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Podman,
    Docker,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoImage {
    /// It is not on this machine.
    Missing,
    /// The engine cannot tell; what it said.
    Unknown(String),
}

/// A folder or file that a container sees at its own place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
}

/// What may be done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Write,
    Read,
}

/// What happens to the input of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// It has none.
    None,
    /// Ours, which is no terminal.
    Pipe,
    /// Our terminal.
    Terminal,
}

/// One container, for one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: String,
    /// The image by its digest, so that it is the one that was looked at.
    pub(crate) image: String,
    /// Whether it has a network: this machine's.
    pub(crate) network: Wire,
    pub(crate) folder: PathBuf,
    pub(crate) mounts: Vec<Mount>,
    /// Names of variables that it finds with the values that the engine finds.
    pub(crate) variables: Vec<String>,
    /// Numbers of the user and the group that it works as.
    pub(crate) user: (u32, u32),
    pub(crate) input: Input,
    /// What its shell gets.
    pub(crate) arguments: Vec<OsString>,
}

/// A network or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Host,
    None,
}

impl Engine {
    /// The first one in the folders of a `PATH`: Podman needs no daemon and no privileges.
    pub(crate) fn in_path(path: &OsStr) -> Option<Self> {
        let found = |kind: Kind| {
            let mut places = std::env::split_paths(path).map(|folder| folder.join(kind.name()));
            places.find(|place| place.is_file()).map(|program| Self { program, kind })
        };
        found(Kind::Podman).or_else(|| found(Kind::Docker))
    }

    /// Its name, as a person calls it.
    pub(crate) const fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The digest of an image on this machine: of its layers and of how it starts.
    pub(crate) fn image(&self, name: &str) -> Result<String, NoImage> {
        let mut inspect = Command::new(&self.program);
        inspect.args(["image", "inspect", "--format", "{{.Id}}", name]).stdin(Stdio::null());
        let answer = inspect.output().map_err(|error| NoImage::Unknown(error.to_string()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match (answer.status.success(), text(&answer.stdout)) {
            (true, id) if !id.is_empty() => Ok(id.trim_start_matches("sha256:").to_owned()),
            _ => Err(refusal(&text(&answer.stderr))),
        }
    }

    /// The arguments that run a container to its end.
    pub(crate) fn run(&self, container: &Container) -> Vec<OsString> {
        let (user, group) = container.user;
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |more: &[&str]| words.extend(more.iter().map(OsString::from));
        // An init ends what the command leaves behind and passes signals on.
        add(&["run", "--rm", "--init", "--pull", "never", "--name", &container.name]);
        add(&["--security-opt", "label=disable", "--user", &format!("{user}:{group}")]);
        // Without privileges, Podman's users are others than ours unless it is told.
        if self.kind == Kind::Podman && user != 0 {
            add(&["--userns", "keep-id"]);
        }
        let network = match container.network {
            Wire::Host => "host",
            Wire::None => "none",
        };
        add(&["--network", network]);
        match container.input {
            Input::None => {}
            Input::Pipe => add(&["--interactive"]),
            Input::Terminal => add(&["--interactive", "--tty"]),
        }
        container.variables.iter().for_each(|name| add(&["--env", name]));
        for mount in &container.mounts {
            words.extend(["--mount".into(), bind(mount)]);
        }
        words.extend(["--workdir".into(), container.folder.clone().into()]);
        // Whatever the image would start by itself.
        words.extend(["--entrypoint".into(), "/bin/sh".into(), container.image.clone().into()]);
        words.extend(container.arguments.iter().cloned());
        words
    }
}

/// What an engine's complaint means.
fn refusal(said: &str) -> NoImage {
    const MISSING: [&str; 2] = ["image not known", "no such image"];
    let lower = said.to_lowercase();
    match MISSING.iter().any(|words| lower.contains(words)) {
        true => NoImage::Missing,
        false => NoImage::Unknown(said.lines().last().unwrap_or("it said nothing").to_owned()),
    }
}

/// A mount as an engine reads it: a row of CSV.
fn bind(mount: &Mount) -> OsString {
    let path = mount.path.display();
    let field = |text: String| match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    };
    let (source, target) = (field(format!("source={path}")), field(format!("target={path}")));
    let access = match mount.access {
        Access::Write => "",
        Access::Read => ",readonly",
    };
    format!("type=bind,{source},{target}{access}").into()
}

/// What a container sees of this machine: a folder, to write to, and what of these paths lies
/// elsewhere, to read.
pub(crate) fn mounts(around: &Path, inputs: impl Iterator<Item = PathBuf>) -> Vec<Mount> {
    let mut mounts = vec![Mount { path: around.to_path_buf(), access: Access::Write }];
    let mut elsewhere: Vec<PathBuf> = Vec::new();
    for input in inputs {
        // As it is named, and where its links lead.
        elsewhere.extend(input.canonicalize().ok());
        elsewhere.push(input);
    }
    elsewhere.retain(|path| !path.starts_with(around) && path.exists());
    elsewhere.sort();
    elsewhere.dedup();
    mounts.extend(elsewhere.into_iter().map(|path| Mount { path, access: Access::Read }));
    mounts
}

/// A name that no other container has: engines take letters, digits, `_`, `.` and `-`.
pub(crate) fn name(stage: &str, process: u32, moment: u128) -> String {
    let letter = |letter: char| match letter.is_ascii_alphanumeric() || "_.-".contains(letter) {
        true => letter,
        false => '_',
    };
    let stage: String = stage.chars().map(letter).collect();
    format!("nearside-{stage}-{process}-{moment:x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        Container {
            name: name("a b", 7, 255),
            image: "1234".to_owned(),
            network: Wire::None,
            folder: "/p/.nearside/work/a b".into(),
            mounts: mounts(Path::new("/p"), ["/p/x".into(), "/etc/hosts".into()].into_iter()),
            variables: vec!["NEARSIDE_STAGE".to_owned()],
            user: (1000, 100),
            input: Input::None,
            arguments: vec!["-c".into(), "echo a b".into()],
        }
    }

    fn line(kind: Kind, container: &Container) -> String {
        let engine = Engine { program: kind.name().into(), kind };
        let words = engine.run(container);
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn a_command_line_says_all_that_a_container_gets() {
        let expected = "run|--rm|--init|--pull|never|--name|nearside-a_b-7-ff|--security-opt|\
            label=disable|--user|1000:100|--userns|keep-id|--network|none|--env|NEARSIDE_STAGE|\
            --mount|type=bind,source=/p,target=/p|--mount|\
            type=bind,source=/etc/hosts,target=/etc/hosts,readonly|\
            --workdir|/p/.nearside/work/a b|--entrypoint|/bin/sh|1234|-c|echo a b";
        assert_eq!(line(Kind::Podman, &container()), expected);
        assert_eq!(line(Kind::Docker, &container()), expected.replace("--userns|keep-id|", ""));
        let root = Container { user: (0, 0), network: Wire::Host, ..container() };
        let line = line(Kind::Podman, &Container { input: Input::Terminal, ..root });
        assert!(line.contains("0:0|--network|host|--interactive|--tty|--env"), "{line}");
    }

    #[test]
    fn paths_with_commas_stay_whole() {
        let mount = Mount { path: "/a,b \"c\"".into(), access: Access::Read };
        let expected = "type=bind,\"source=/a,b \"\"c\"\"\",\"target=/a,b \"\"c\"\"\",readonly";
        assert_eq!(bind(&mount), expected);
    }

    #[test]
    fn complaints_of_engines_are_understood() {
        for said in [
            "Error: inspecting object: x:1: image not known",
            "Error response from daemon: No such image: x:1",
        ] {
            assert_eq!(refusal(said), NoImage::Missing, "{said}");
        }
        for said in [
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "Error: exec: \"newuidmap\": executable file not found in $PATH",
        ] {
            assert_eq!(refusal(said), NoImage::Unknown(said.to_owned()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn podman_comes_first() {
        use std::fs;
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("nearside-run-box-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let engine = || Engine::in_path(folder.as_os_str());
        assert_eq!(engine(), None);
        for name in ["docker", "podman"] {
            let text = "#!/bin/sh\ncase $5 in\nhere) echo sha256:12;;\n*) exit 1;;\nesac\n";
            fs::write(folder.join(name), text).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(engine().map(|found| found.name()), Some(name));
        }
        let engine = engine().unwrap();
        assert_eq!(engine.image("here"), Ok("12".to_owned()));
        let said = NoImage::Unknown("it said nothing".to_owned());
        assert_eq!(engine.image("elsewhere"), Err(said));
        fs::remove_dir_all(&folder).unwrap();
    }
}
