//! Finding and reading a project.

use std::ops::Range;
use std::path::{Path, PathBuf};

use nearside_workload::Project;

use super::read_text;
use super::sites::in_file;
use crate::error::{CommandError, Fault, Problem};

/// The name of a project file.
pub(crate) const PROJECT_FILE: &str = "nearside.toml";

/// A project with where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) project: Project,
    pub(crate) file: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) text: String,
}

impl Loaded {
    /// The same error at its place in the project file.
    pub(crate) fn at(&self, span: &Range<usize>, error: CommandError) -> CommandError {
        if error.file.is_some() || span.is_empty() {
            return error;
        }
        let problems = error
            .problems
            .into_iter()
            .map(|problem| Problem { span: Some(span.clone()), ..problem })
            .collect();
        CommandError::in_file(self.file.display().to_string(), &self.text, problems)
    }
}

/// The project file that a path means: a folder's, or the path itself.
pub(crate) fn file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(PROJECT_FILE) } else { path.to_path_buf() }
}

/// The folder that a path means: itself, or the one that a project file stands in.
pub(crate) fn folder(path: &Path) -> &Path {
    if !path.is_file() || path.extension().is_none_or(|kind| kind != "toml") {
        return path;
    }
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads the project in a folder, or a project file itself; changes are `KEY=VALUE` pairs laid over
/// the file.
pub(crate) fn load(path: &Path, changes: &[String]) -> Result<Loaded, CommandError> {
    let file = file(path);
    if !file.is_file() {
        let message = format!("no project file at {}", file.display());
        let hint = match path.is_dir() {
            true => format!("write one with `nearside init {}`", path.display()),
            false => "name the folder of a project, or its nearside.toml".to_owned(),
        };
        return Err(CommandError::new(Fault::Input, message).hint(hint));
    }
    let text = changed(&read_text(&file)?, changes)?;
    let folder = folder(&file).to_path_buf();
    let size_of = |path: &str| super::size_on_disk(&folder.join(path));
    let project = Project::parse_beside(&text, &size_of).map_err(|errors| match changes {
        [] => in_file(file.display().to_string(), &text, errors),
        changes => in_changes(changes, errors),
    })?;
    Ok(Loaded { project, file, folder, text })
}

/// Errors of a project as if it said something else: no line of its file shows them.
fn in_changes(changes: &[String], errors: Vec<nearside_workload::ProjectError>) -> CommandError {
    let changes = changes.join(", ");
    let problem = |error: nearside_workload::ProjectError| Problem {
        message: format!("with {changes}: {}", error.message),
        span: None,
        hint: error.hint,
    };
    let problems = errors.into_iter().map(problem).collect();
    CommandError { fault: Fault::Usage, file: None, problems }
}

/// The file as if it said something else; without changes it stays as it is, spans and all.
fn changed(text: &str, changes: &[String]) -> Result<String, CommandError> {
    if changes.is_empty() {
        return Ok(text.to_owned());
    }
    let wrong = |message: String| {
        CommandError::new(Fault::Usage, message)
            .hint("write --what-if KEY=VALUE, as in --what-if objective.minimize=carbon")
    };
    let mut root: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        CommandError::new(Fault::Input, format!("the project file is no TOML: {}", error.message()))
    })?;
    for change in changes {
        let (key, value) =
            change.split_once('=').ok_or_else(|| wrong(format!("\"{change}\" is no KEY=VALUE")))?;
        let value = toml_value(value.trim());
        set(&mut root, key.trim(), value).map_err(wrong)?;
    }
    toml::to_string(&root)
        .map_err(|error| CommandError::new(Fault::Bug, format!("cannot write TOML: {error}")))
}

/// A TOML value, or a string when it is none.
fn toml_value(text: &str) -> toml::Value {
    let line = format!("value = {text}");
    let parsed = line.parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn set(root: &mut toml::Table, key: &str, value: toml::Value) -> Result<(), String> {
    let mut table = root;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            return Err(format!("\"{key}\" is no key"));
        }
        if parts.peek().is_none() {
            table.insert(part.to_owned(), value);
            return Ok(());
        }
        let entry = table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        table =
            entry.as_table_mut().ok_or_else(|| format!("\"{part}\" in \"{key}\" is no table"))?;
    }
    Err(format!("\"{key}\" is no key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_laid_over_the_file() {
        let text = "version = 1\n[objective]\nminimize = \"cost\"\n";
        let changes = ["objective.minimize=carbon".to_owned(), "team.people=5".to_owned()];
        let table: toml::Table = changed(text, &changes).unwrap().parse().unwrap();
        assert_eq!(table["objective"]["minimize"].as_str(), Some("carbon"));
        assert_eq!(table["team"]["people"].as_integer(), Some(5));
    }

    #[test]
    fn a_change_needs_a_key_and_a_value() {
        assert!(changed("", &["objective".to_owned()]).is_err());
        assert!(changed("a = 1", &["a.b=1".to_owned()]).is_err());
        assert!(changed("", &[".a=1".to_owned()]).is_err());
    }
}
