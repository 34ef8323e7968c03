//! Running the command, and the folders that tests write to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The day on which every test runs.
pub(crate) const TODAY: &str = "2026-11-23";

/// The repository's root, where every command runs.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// How a command ended.
pub(crate) struct Run {
    /// What was run, for messages.
    pub(crate) line: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The command with everything around it held fixed.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nearside"));
    // What these keep of their runs is not to teach the others.
    let data = match arguments {
        ["model", "generate" | "bench", ..] => "data-of-runs",
        _ => "no-data",
    };
    command
        .args(arguments)
        .current_dir(root())
        .env("NEARSIDE_CONFIG_DIR", Folder::new("no-configuration").path())
        .env("NEARSIDE_DATA_DIR", Folder::new(data).path())
        .env("NEARSIDE_TODAY", TODAY)
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("CI")
        .stdin(Stdio::null());
    command
}

/// Runs `nearside` with these arguments.
#[track_caller]
pub(crate) fn nearside(arguments: &[&str]) -> Run {
    Run::of(command(arguments), arguments)
}

/// Runs `nearside` with a configuration folder.
#[track_caller]
pub(crate) fn nearside_configured(configuration: &Path, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    command.env("NEARSIDE_CONFIG_DIR", configuration);
    Run::of(command, arguments)
}

impl Run {
    /// Runs a command to its end. Whatever was asked for, it neither panics nor finds a bug in itself.
    #[track_caller]
    pub(crate) fn of(mut command: Command, arguments: &[&str]) -> Self {
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).expect("stdout is UTF-8");
        let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
        let line = format!("nearside {}", arguments.join(" "));
        let code = output.status.code();
        assert!(!stderr.contains("panicked"), "{line}\n{stderr}");
        let code = code.unwrap_or_else(|| panic!("{line} was killed: {}", output.status));
        assert!(!matches!(code, 70 | 101), "{line} exits {code}\n{stderr}");
        Self { line, code, stdout, stderr }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}{}", self.line, self.stdout, self.stderr);
        self
    }

    /// The whole envelope of a JSON answer: stdout is one object, and stderr is silent.
    #[track_caller]
    pub(crate) fn envelope(&self) -> Value {
        assert_eq!(self.stderr, "", "{}", self.line);
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.line, self.stdout))
    }

    /// The data of a JSON answer.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        self.envelope()["data"].clone()
    }
}

/// A folder for the files of one test, empty at first. Its name must be its own.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("it").join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The folder without what an earlier run left in it.
    pub(crate) fn cleared(name: &str) -> Self {
        let folder = Self::new(name);
        std::fs::remove_dir_all(&folder.0).unwrap();
        Self::new(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and the folders it is in; gives its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().expect("a UTF-8 path").to_owned()
    }
}

/// The elements of a JSON array.
#[track_caller]
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

/// A JSON string.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

/// A JSON number, or a decimal number in a string.
#[track_caller]
pub(crate) fn number(value: &Value) -> f64 {
    let decimal = || value.as_str().and_then(|text| text.parse().ok());
    value.as_f64().or_else(decimal).unwrap_or_else(|| panic!("not a number: {value}"))
}
