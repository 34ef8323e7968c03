//! Projects of shell commands that tests make, and how they ask about them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::command::{Folder, Run, command};

/// A project in a folder of its own.
pub(crate) struct Project(pub(crate) Folder);

impl Project {
    pub(crate) fn new(name: &str, stages: &str) -> Self {
        let folder = Folder::cleared(&format!("run-{name}"));
        let head = "version = 1\nname = \"test\"\n[dataset.words]\npath = \"data/words.txt\"\n\
                    class = \"public\"\n";
        folder.write("nearside.toml", format!("{head}{stages}"));
        folder.write("data/words.txt", "one\ntwo\n");
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    pub(crate) fn nearside(&self, arguments: &[&str]) -> Run {
        let mut command = command(arguments);
        command.current_dir(self.path());
        Run::of(command, arguments)
    }

    /// How every stage ended, by its name.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> BTreeMap<String, String> {
        let run = self.nearside(&[&["run", "--json"], arguments].concat()).exits(code);
        let data = run.data();
        let stages = data["stages"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        stages.map(|stage| (text(&stage["stage"]), text(&stage["result"]))).collect()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap_or_default()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = command(arguments);
        command.current_dir(self.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }
}

/// How stages are to have ended.
pub(crate) fn results<'a>(pairs: &[(&'a str, &'a str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(stage, result)| ((*stage).to_owned(), (*result).to_owned())).collect()
}

/// Words are sorted, counted and shown; every command also says that it ran.
pub(crate) const CHAIN: &str = r#"
[stage.sort]
phase = "prepare"
inputs = ["words"]
outputs = ["build/sorted.txt"]
run = "sh sort.sh data/words.txt > build/sorted.txt"
[stage.count]
phase = "features"
inputs = ["build/sorted.txt"]
outputs = ["build/count.txt"]
run = "wc -l < build/sorted.txt > build/count.txt"
[stage.show]
phase = "evaluate"
inputs = ["build/count.txt"]
outputs = ["build/shown"]
run = "mkdir build/shown && cp build/count.txt build/shown/count && ln -s count build/shown/link"
"#;
