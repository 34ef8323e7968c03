//! Every command in the documents runs, and shows what the document says it shows.
//!
//! In fenced blocks marked `console`, a line `$ nearside ...` is run; the lines below it, up to the
//! next command, are its output, in which a line `...` stands for any number of lines.

use std::path::{Path, PathBuf};

use super::command::{Folder, Run, command, root};

/// A command in a document.
struct Shown {
    /// `FILE:LINE`.
    place: String,
    line: String,
    output: Vec<String>,
}

#[test]
fn every_command_in_the_documents_runs() {
    let copy = copy_of_examples();
    let readme = root().join("README.md");
    match readme.is_file() {
        true => assert!(!commands(&readme).is_empty(), "README.md shows no command"),
        false => eprintln!("SKIPPED: there is no README.md"),
    }
    for document in documents() {
        for shown in commands(&document) {
            check(&shown, &copy);
        }
    }
}

/// README.md and its neighbours, and everything under docs.
fn documents() -> Vec<PathBuf> {
    let names = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
    let mut found: Vec<_> = names.map(|name| root().join(name)).into();
    found.retain(|path| path.is_file());
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// What is in a folder, by name; nothing when there is no such folder.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// A folder with the examples and what documents name in it, so that no command writes into the repository.
fn copy_of_examples() -> Folder {
    let copy = Folder::cleared("documents");
    let mut folders = vec![root().join("examples"), root().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root()).unwrap().to_str().expect("a UTF-8 path");
            copy.write(name, std::fs::read(&path).unwrap());
        }
    }
    copy
}

/// The commands of the `console` blocks of a document.
fn commands(document: &Path) -> Vec<Shown> {
    let text = std::fs::read_to_string(document).unwrap();
    let mut found: Vec<Shown> = Vec::new();
    let mut fence = None;
    for (at, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), fence) {
            (Some(kind), None) => fence = Some(kind.trim() == "console"),
            (Some(_), Some(_)) => fence = None,
            (None, Some(true)) => match line.strip_prefix("$ ") {
                Some(line) => found.push(Shown {
                    place: format!("{}:{}", document.display(), at + 1),
                    line: line.to_owned(),
                    output: Vec::new(),
                }),
                None => found.last_mut().unwrap().output.push(line.trim_end().to_owned()),
            },
            _ => {}
        }
    }
    found.retain(|shown| shown.line.starts_with("nearside "));
    found
}

/// Words of a command line, with quotes as a shell reads them; a comment ends it.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quote, mut inside) = (None, false);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                if !inside {
                    words.push(String::new());
                }
                inside = true;
            }
            (None, ' ') => inside = false,
            (None, '#') if !inside => break,
            _ => {
                if !inside {
                    words.push(String::new());
                }
                inside = true;
                words.last_mut().unwrap().push(letter);
            }
        }
    }
    words
}

fn check(shown: &Shown, folder: &Folder) {
    let words = words(&shown.line);
    let plumbing = words.iter().find(|word| matches!(word.as_str(), "|" | ">" | "&&" | "<" | "\\"));
    assert_eq!(plumbing, None, "{}: this test runs no shell", shown.place);
    let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let mut command = command(&arguments);
    command.current_dir(folder.path());
    let run = Run::of(command, &arguments);
    let place = &shown.place;
    if shown.output.is_empty() {
        assert!(run.code <= 1, "{place}: `{}` exits {}\n{}", shown.line, run.code, run.stderr);
        return;
    }
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect();
    let stdout: Vec<String> = lines(&run.stdout);
    let both: Vec<String> = lines(&format!("{}{}", run.stdout, run.stderr));
    let expected: Vec<&str> = shown.output.iter().map(String::as_str).collect();
    let same = fits(&expected, &stdout) || fits(&expected, &both);
    assert!(
        same,
        "{place}: `{}` prints\n{}\nnot\n{}",
        shown.line,
        both.join("\n"),
        expected.join("\n")
    );
    let failed = run.code > 1 && !run.stdout.is_empty();
    let refused = run.code > 1 && expected.iter().all(|line| *line == "...");
    assert!(!failed && !refused, "{place}: `{}` exits {}\n{}", shown.line, run.code, run.stderr);
}

/// Whether lines are the expected ones; empty lines at the end do not count.
fn fits(expected: &[&str], lines: &[String]) -> bool {
    match expected.split_first() {
        None => lines.iter().all(String::is_empty),
        Some((&"...", rest)) => (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..])),
        Some((line, rest)) => match lines.split_first() {
            Some((found, left)) => found == line && fits(rest, left),
            None => line.is_empty() && fits(rest, lines),
        },
    }
}

#[test]
fn dots_stand_for_any_number_of_lines() {
    let lines = ["a", "b", "c"].map(str::to_owned);
    for (expected, same) in [
        (&["a", "b", "c"][..], true),
        (&["a", "...", "c"], true),
        (&["...", "b", "..."], true),
        (&["a", "..."], true),
        (&["...", "a", "b", "c", "", "..."], true),
        (&["a", "b"], false),
        (&["...", "d", "..."], false),
    ] {
        assert_eq!(fits(expected, &lines), same, "{expected:?}");
    }
    assert_eq!(
        words("nearside plan 'a b' --x=\"c d\"  # why"),
        ["nearside", "plan", "a b", "--x=c d"]
    );
}
