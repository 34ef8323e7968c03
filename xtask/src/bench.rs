//! Benchmarks: scripts in `bench/` that compare with peers in one run and print ratios. No tests.

use std::path::Path;

use crate::shell::{self, Outcome};

const FOLDER: &str = "bench";
/// Where `cargo xtask setup --bench` installs the peers.
pub(crate) const ENVIRONMENT: &str = "bench/.venv";

/// Lists the benchmarks.
pub(crate) fn list() -> Outcome {
    let scripts = scripts(&shell::root().join(FOLDER))?;
    match scripts.is_empty() {
        true => println!("no benchmark in {FOLDER}/"),
        false => println!("cargo xtask bench NAME, where NAME is one of:"),
    }
    scripts.iter().for_each(|script| println!("  {script}"));
    Ok(())
}

/// Runs one benchmark, with the peers' Python if they are installed.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Outcome {
    let scripts = scripts(&shell::root().join(FOLDER))?;
    let script = find(&scripts, name)
        .ok_or_else(|| format!("no benchmark {name:?} in {FOLDER}/: {}", scripts.join(", ")))?;
    let python = format!("{ENVIRONMENT}/bin/python");
    let interpreter = match script.ends_with(".sh") {
        true => "bash",
        false if shell::root().join(&python).exists() => &python,
        false => "python3",
    };
    shell::run(shell::program(interpreter).arg(format!("{FOLDER}/{script}")).args(arguments))
}

/// Scripts in a folder, by name.
fn scripts(folder: &Path) -> Outcome<Vec<String>> {
    let entries =
        folder.read_dir().map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut scripts: Vec<String> =
        names.filter(|name| [".sh", ".py"].iter().any(|end| name.ends_with(end))).collect();
    scripts.sort();
    Ok(scripts)
}

/// A script by its name, with or without its ending.
fn find<'a>(scripts: &'a [String], name: &str) -> Option<&'a String> {
    let stem = |script: &str| script.rsplit_once('.').map_or("", |(stem, _)| stem) == name;
    scripts.iter().find(|script| *script == name || stem(script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_found_with_and_without_its_ending() {
        let scripts = ["placement.py".to_owned(), "start.sh".to_owned()];
        assert_eq!(find(&scripts, "placement"), Some(&scripts[0]));
        assert_eq!(find(&scripts, "start.sh"), Some(&scripts[1]));
        assert_eq!(find(&scripts, "sta"), None);
    }
}
