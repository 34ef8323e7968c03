//! One stage of a pipeline: what its keys say, and what a project file makes of each.

use super::fill::{Context, Place};
use super::keys::{self, entries, list, says_true, text, wrong};
use super::location::{Location, located};
use super::{DvcStage, PARAMETERS, Reading, guess, shell_word, trials};
use crate::ProjectError;
use crate::yaml::{Node, Value, plain_text};

/// What a stage may say.
pub(super) const KEYS: [&str; 13] = [
    "cmd",
    "wdir",
    "deps",
    "outs",
    "metrics",
    "plots",
    "params",
    "vars",
    "frozen",
    "meta",
    "desc",
    "always_changed",
    "matrix",
];
/// Options of outputs that change nothing of what is computed.
const SHOWN_ONLY: [&str; 16] = [
    "cache",
    "desc",
    "type",
    "labels",
    "meta",
    "push",
    "remote",
    "template",
    "x",
    "y",
    "x_label",
    "y_label",
    "title",
    "header",
    "persist",
    "checkpoint",
];
/// Ends of names of programs, which a command that names them depends on by itself.
const CODE: [&str; 8] = [".py", ".sh", ".R", ".r", ".jl", ".pl", ".rb", ".js"];

/// A stage with its values filled in.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Commands, one after the other.
    pub(super) commands: Vec<String>,
    pub(super) folder: String,
    pub(super) reads: Vec<String>,
    pub(super) writes: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) lost: Vec<String>,
    pub(super) frozen: bool,
}

impl Reading<'_> {
    /// Reads a stage with the values of a context.
    pub(super) fn entry(
        &self,
        name: &str,
        node: &Node,
        context: &Context,
    ) -> Result<Entry, ProjectError> {
        keys::check(node, &format!("stage \"{name}\""), &KEYS)?;
        let mut entry = Entry { name: name.to_owned(), ..Entry::default() };
        if let Some(folder) = node.get("wdir") {
            let folder = plain_text(&context.resolve(folder, Place::Plain)?.value);
            match located("", &folder) {
                Location::Inside(folder) => entry.folder = folder,
                Location::Outside(folder) if folder.is_empty() => {}
                Location::Outside(_) => {
                    return Err(wrong(node, &format!("wdir {folder} is outside of the project")));
                }
            }
        }
        let own = node.get("vars").map(|vars| self.variables(context.clone(), vars, &entry.folder));
        let own = own.transpose()?;
        let context = own.as_ref().unwrap_or(context);
        entry.commands(node, context)?;
        for key in ["outs", "metrics", "plots"] {
            if let Some(outs) = node.get(key) {
                entry.outs(&context.resolve(outs, Place::Plain)?)?;
            }
        }
        if let Some(deps) = node.get("deps") {
            entry.deps(&context.resolve(deps, Place::Plain)?)?;
        }
        if let Some(params) = node.get("params") {
            entry.params(&context.resolve(params, Place::Plain)?)?;
        }
        entry.rest(node, context)?;
        Ok(entry)
    }
}

impl Entry {
    fn commands(&mut self, node: &Node, context: &Context) -> Result<(), ProjectError> {
        let Some(command) = node.get("cmd") else {
            return Err(wrong(node, &format!("stage \"{}\" has no cmd", self.name)));
        };
        let resolved = context.resolve(command, Place::Command)?;
        self.commands = match &resolved.value {
            // Lines are commands of their own there.
            Value::Text(text) => {
                if text.trim_end().contains("\\\n") {
                    self.lose("DVC runs every line by itself; here one that ends with \\ goes on");
                }
                text.replace("\\\n", " ").lines().map(str::to_owned).collect()
            }
            Value::List(nodes) => nodes.iter().map(|node| plain_text(&node.value)).collect(),
            other => {
                let message = format!("cmd is a text or a list, not {}", other.kind());
                return Err(wrong(command, &message));
            }
        };
        self.commands.retain(|line| !line.trim().is_empty());
        if self.commands.is_empty() {
            return Err(wrong(command, &format!("stage \"{}\" has an empty cmd", self.name)));
        }
        let speaks_of = |words: &[&str]| {
            self.commands.iter().any(|line| words.iter().any(|word| line.contains(word)))
        };
        let (own, shell) = (speaks_of(&["DVC_"]), speaks_of(&["[[ ", "<(", "pipefail"]));
        if own {
            self.lose("its command reads a variable that only DVC sets");
        }
        if shell {
            self.lose("its command looks like bash: DVC runs it in your shell, here it is /bin/sh");
        }
        Ok(())
    }

    fn outs(&mut self, outs: &Node) -> Result<(), ProjectError> {
        for out in list(outs)? {
            let (path, options) = match (&out.value, entries(out)) {
                (Value::Map(_), [(path, options)]) => (path.value.clone(), Some(options)),
                (Value::Text(path), _) => (path.clone(), None),
                _ => return Err(wrong(out, "an output is a path, or a path with options")),
            };
            match located(&self.folder, &path) {
                Location::Inside(path) => self.writes.push(path),
                Location::Outside(path) => {
                    self.lose(&format!("{path} is outside of the project and no output here"));
                }
            }
            if let Some(options) = options {
                self.options(&path, options)?;
            }
        }
        self.writes.sort();
        self.writes.dedup();
        Ok(())
    }

    fn options(&mut self, path: &str, options: &Node) -> Result<(), ProjectError> {
        // Plots may list several sets of options.
        if let Value::List(sets) = &options.value {
            return sets.iter().try_for_each(|set| self.options(path, set));
        }
        keys::check(options, &format!("the options of {path}"), &SHOWN_ONLY)?;
        if says_true(options, "persist") || says_true(options, "checkpoint") {
            self.lose(&format!("{path} is kept between runs by DVC; here it begins without it"));
        }
        let shown = entries(options).iter().map(|(key, _)| key.value.as_str());
        let shown: Vec<_> = shown.filter(|key| *key != "persist" && *key != "checkpoint").collect();
        if !shown.is_empty() {
            self.notes.push(format!("{path}: no equivalent of {}", shown.join(", ")));
        }
        Ok(())
    }

    fn deps(&mut self, deps: &Node) -> Result<(), ProjectError> {
        for dep in list(deps)? {
            let Some(path) = text(dep) else {
                return Err(wrong(dep, "a dependency is a path"));
            };
            match located(&self.folder, path) {
                Location::Inside(path) if self.names_code(&path) => {
                    self.notes.push(format!("{path}: found by itself, with what it imports"));
                }
                Location::Inside(path) => self.read(path),
                Location::Outside(path) => {
                    self.lose(&format!("{path} is outside of the project and no input here"));
                }
            }
        }
        Ok(())
    }

    /// Whether a path is a program that the command names, or a folder of such a program.
    fn names_code(&self, path: &str) -> bool {
        // From another folder the names in a command are not those in the project.
        let words = self.commands.iter().flat_map(|line| line.split_whitespace());
        let is_code = |word: &str| CODE.iter().any(|end| word.ends_with(end));
        let within = |word: &str| is_code(word) && crate::paths::is_within(word, path);
        self.folder.is_empty() && words.map(|word| word.trim_start_matches("./")).any(within)
    }

    fn read(&mut self, path: String) {
        if !self.reads.contains(&path) {
            self.reads.push(path);
        }
    }

    /// Parameters: their file is read as a whole.
    fn params(&mut self, params: &Node) -> Result<(), ProjectError> {
        let mut of_default: Vec<String> = Vec::new();
        let mut files: Vec<(String, Vec<String>)> = Vec::new();
        for param in list(params)? {
            match &param.value {
                Value::Map(entries) => {
                    for (file, keys) in entries {
                        let keys = list(keys)?.iter().map(|key| plain_text(&key.value));
                        files.push((file.value.clone(), keys.collect()));
                    }
                }
                Value::List(_) => return Err(wrong(param, "a parameter is a key, or a file")),
                key => of_default.push(plain_text(key)),
            }
        }
        if !of_default.is_empty() {
            files.insert(0, (PARAMETERS.to_owned(), of_default));
        }
        for (file, keys) in files {
            match located(&self.folder, &file) {
                Location::Inside(path) => {
                    if !keys.is_empty() {
                        let keys = keys.join(", ");
                        self.notes.push(format!("{path}: DVC looks at {keys}, here all counts"));
                    }
                    self.read(path);
                }
                Location::Outside(path) => {
                    self.lose(&format!("{path} is outside of the project and no input here"));
                }
            }
        }
        Ok(())
    }

    fn rest(&mut self, node: &Node, context: &Context) -> Result<(), ProjectError> {
        if let Some(words) = node.get("desc") {
            let words = plain_text(&context.resolve(words, Place::Plain)?.value);
            self.notes.splice(0..0, words.lines().map(str::to_owned));
        }
        if node.get("meta").is_some() {
            self.notes.push("meta: no equivalent".to_owned());
        }
        let is_callback = node.get("deps").is_none() && self.writes.is_empty();
        if says_true(node, "always_changed") || is_callback {
            self.lose("DVC runs it every time; here it runs when something changed, or by --force");
        }
        self.frozen = says_true(node, "frozen");
        if self.frozen {
            self.lose("it is frozen: what it wrote is taken as data, and it is not run");
        }
        Ok(())
    }

    pub(super) fn lose(&mut self, what: &str) {
        let what = format!("stage \"{}\": {what}", self.name);
        if !self.lost.contains(&what) {
            self.lost.push(what);
        }
    }

    /// All commands as one, in the folder that they are meant for.
    pub(super) fn command(&self) -> String {
        let text = match self.commands.as_slice() {
            [one] => one.clone(),
            many => many.iter().map(|line| alone(line)).collect::<Vec<_>>().join(" && "),
        };
        match self.folder.as_str() {
            "" => text,
            folder => format!("cd {} && {}", shell_word(folder), alone(&text)),
        }
    }

    /// The stage of the project file.
    pub(super) fn stage(self) -> DvcStage {
        let command = self.command();
        DvcStage {
            phase: guess::phase(&self.name, &command),
            command: trials::escaped(&command),
            name: self.name,
            notes: self.notes,
            matrix: Vec::new(),
            reads: self.reads,
            writes: self.writes,
            frozen: self.frozen,
        }
    }
}

/// A command that changes nothing for the next one and fails as a whole.
fn alone(line: &str) -> String {
    let first = line.split_whitespace().next().unwrap_or("");
    let changes = ["cd", "export", "set", "source", ".", "unset", "exec", "exit", "!"];
    let simple = !line.contains([';', '|', '&', '#', '\n']) && !first.contains('=');
    match simple && !changes.contains(&first) {
        true => line.to_owned(),
        // A comment would swallow the bracket.
        false if line.contains('#') => format!("({line}\n)"),
        false => format!("({line})"),
    }
}
