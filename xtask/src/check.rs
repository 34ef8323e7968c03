//! Everything that must hold before a change lands, in the order in which it fails fastest.

use std::time::{Duration, Instant};

use crate::schemas;
use crate::shell::{self, Outcome, Stream};

/// Runs every step, stops at the first that fails, and ends with a summary, the list of what was
/// skipped and the test runners' own closing lines.
pub(crate) fn check() -> Outcome {
    let start = Instant::now();
    let mut done: Vec<(&str, Duration)> = Vec::new();
    let mut closing = Vec::new();
    let steps = steps(shell::installed);
    for (number, step) in steps.iter().enumerate() {
        println!("\n==> {}/{} {}: {}", number + 1, steps.len(), step.name, step.work.line());
        let begun = Instant::now();
        let lines = step.work.run().map_err(|error| {
            let (seconds, total) = (begun.elapsed().as_secs_f64(), start.elapsed().as_secs_f64());
            format!(
                "check failed at {} after {seconds:.1} s ({total:.1} s in all): {error}",
                step.name
            )
        })?;
        println!("    {} passed in {:.1} s", step.name, begun.elapsed().as_secs_f64());
        done.push((step.name, begun.elapsed()));
        closing.push(lines);
    }
    println!("\n==> all {} steps passed in {:.1} s", steps.len(), start.elapsed().as_secs_f64());
    for (name, time) in done {
        println!("    {name:<12} {:>7.1} s", time.as_secs_f64());
    }
    for line in skipped(shell::installed) {
        println!("{line}");
    }
    // The run of all tests closes last: continuous integration reads the last summary.
    closing.iter().rev().flatten().for_each(|line| println!("{line}"));
    Ok(())
}

/// One thing that must hold.
struct Step {
    name: &'static str,
    work: Work,
}

/// How a step is done.
enum Work {
    /// Cargo must succeed with these arguments, and this variable in its environment.
    Cargo(&'static [&'static str], Option<(&'static str, &'static str)>),
    /// So must a test runner, which closes with a summary on this stream.
    Tests(&'static [&'static str], Stream),
    /// The schemas under `schemas/` are what the program generates.
    Schemas,
}

const FORMAT: &[&str] = &["fmt", "--all", "--check"];
const LINT: &[&str] =
    &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
const NEXTEST: &[&str] = &["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
const TEST: &[&str] = &["test", "--workspace", "--all-targets", "--locked", "--no-fail-fast"];
const DOCTEST: &[&str] = &["test", "--workspace", "--doc", "--locked"];
const DOCUMENT: &[&str] = &["doc", "--workspace", "--no-deps", "--locked"];
const DENY: &[&str] = &["deny", "--locked", "check"];

/// What can be checked with what is installed.
fn steps(installed: impl Fn(&str) -> bool) -> Vec<Step> {
    let tests = match installed("cargo-nextest") {
        true => Work::Tests(NEXTEST, Stream::Error),
        false => Work::Tests(TEST, Stream::Output),
    };
    let mut steps = vec![
        Step { name: "format", work: Work::Cargo(FORMAT, None) },
        Step { name: "lint", work: Work::Cargo(LINT, None) },
        Step { name: "test", work: tests },
        Step { name: "doctest", work: Work::Tests(DOCTEST, Stream::Output) },
        Step {
            name: "document",
            work: Work::Cargo(DOCUMENT, Some(("RUSTDOCFLAGS", "-D warnings"))),
        },
    ];
    if !schemas::listed().is_empty() {
        steps.push(Step { name: "schemas", work: Work::Schemas });
    }
    if installed("cargo-deny") {
        steps.push(Step { name: "deny", work: Work::Cargo(DENY, None) });
    }
    steps
}

impl Work {
    /// The closing lines of a test runner, nothing for other work.
    fn run(&self) -> Outcome<Vec<String>> {
        match self {
            Self::Cargo(arguments, variable) => {
                let mut cargo = shell::program("cargo");
                shell::run(cargo.args(*arguments).envs(*variable)).map(|()| Vec::new())
            }
            Self::Tests(arguments, stream) => {
                shell::run_tests(shell::program("cargo").args(*arguments), *stream)
            }
            Self::Schemas => schemas::compare().map(|()| Vec::new()),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Cargo(arguments, _) | Self::Tests(arguments, _) => {
                format!("cargo {}", arguments.join(" "))
            }
            Self::Schemas => "schemas/ against the program".to_owned(),
        }
    }
}

/// What can be there and need not: the program to ask, what is lost without it, and the remedy.
const OPTIONAL: [(&str, &str, &str, &str); 11] = [
    (
        "crypto",
        "target/engines/crypto/bin/python",
        "not installed, no proof of an entry was checked by another program",
        "cargo xtask setup",
    ),
    (
        "age",
        "age",
        "not installed, no sealed file was opened by another program",
        "apt install age, or cargo xtask setup as root",
    ),
    (
        "cargo-nextest",
        "cargo-nextest",
        "not installed, cargo test ran instead",
        "cargo install --locked cargo-nextest",
    ),
    ("cargo-deny", "cargo-deny", "not installed", "cargo install cargo-deny"),
    ("podman", "podman", "not installed, stages in containers were not tried", "cargo xtask setup"),
    (
        "skypilot",
        "bench/.venv/bin/sky",
        "not installed, the benchmarks run without this peer",
        "cargo xtask setup --bench",
    ),
    (
        "faketime",
        "faketime",
        "not installed, no test sets the clock back while stages run",
        "apt install faketime, or cargo xtask setup as root",
    ),
    (
        "libreoffice",
        "soffice",
        "not installed, no workbook was computed by another program",
        "apt install libreoffice-calc-nogui, or cargo xtask setup as root",
    ),
    (
        "chromium",
        "chromium",
        "not installed, no page was opened in a browser",
        "apt install chromium, or cargo xtask setup as root",
    ),
    (
        "uv",
        "target/engines/uv/bin/uv",
        "not installed, no emitted environment was resolved or rebuilt",
        "cargo xtask setup",
    ),
    (
        "duckdb",
        "target/engines/duckdb/bin/python",
        "not installed, Parquet files are read back by their own crate only",
        "python3 -m venv target/engines/duckdb && target/engines/duckdb/bin/pip install duckdb",
    ),
];

/// One line for each optional tool that is absent.
fn skipped(installed: impl Fn(&str) -> bool) -> Vec<String> {
    let absent = OPTIONAL.iter().filter(|(_, program, _, _)| !installed(program));
    absent
        .map(|(name, _, reason, remedy)| format!("SKIPPED {name}: {reason}; remedy: {remedy}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|step| step.name).filter(|name| *name != "schemas").collect()
    }

    #[test]
    fn the_order_is_format_lint_test_document() {
        let all = names(&steps(|_| true)).join(" ");
        assert_eq!(all, "format lint test doctest document deny");
    }

    #[test]
    fn rust_alone_is_enough() {
        let steps = steps(|_| false);
        assert_eq!(names(&steps).join(" "), "format lint test doctest document");
        assert!(steps[2].work.line().starts_with("cargo test --workspace"));
    }

    #[test]
    fn what_is_absent_is_said_with_its_remedy() {
        let lines = skipped(|program| program != "cargo-deny");
        assert_eq!(lines, ["SKIPPED cargo-deny: not installed; remedy: cargo install cargo-deny"]);
        assert_eq!(skipped(|_| false).len(), OPTIONAL.len());
    }
}
