//! Running other programs from the root of the checkout.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// What went wrong, as the developer will read it.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// A program that will run in the root of the checkout; a name with a slash is a file below it.
pub(crate) fn program(name: &str) -> Command {
    // Cargo tells its own place, which may differ from the first one in the search path.
    let cargo = (name == "cargo").then(|| std::env::var_os("CARGO")).flatten();
    let own = name.contains('/').then(|| root().join(name).into_os_string());
    let mut command = Command::new(cargo.or(own).unwrap_or_else(|| name.into()));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs to the end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| refused(command, &error))?;
    status.success().then_some(()).ok_or_else(|| format!("{} ended with {status}", line(command)))
}

/// What a program prints.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| refused(command, &error))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout)
            .map_err(|error| format!("{} printed no UTF-8: {error}", line(command))),
        false => Err(format!("{} ended with {}", line(command), output.status)),
    }
}

/// Whether a program is there and answers to `--version`.
pub(crate) fn installed(name: &str) -> bool {
    let quiet = |command: &mut Command| {
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    quiet(&mut program(name)).is_ok_and(|status| status.success())
}

/// The stream on which a test runner closes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Stream {
    /// Standard output, as `cargo test`.
    Output,
    /// Standard error, as `cargo nextest`.
    Error,
}

/// Runs a test runner, passing its lines on as they come, but for the closing lines: those are
/// returned, so that they can stand at the very end of everything that is printed.
pub(crate) fn run_tests(command: &mut Command, closes_on: Stream) -> Outcome<Vec<String>> {
    match closes_on {
        Stream::Output => command.stdout(Stdio::piped()),
        Stream::Error => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().map_err(|error| refused(command, &error))?;
    let mut closing = Vec::new();
    let stream: Option<Box<dyn Read>> = match closes_on {
        Stream::Output => child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read>),
        Stream::Error => child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read>),
    };
    for bytes in stream.into_iter().flat_map(|stream| BufReader::new(stream).split(b'\n')) {
        let bytes = bytes.map_err(|error| refused(command, &error))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match closes(&text, closes_on) {
            true => closing.push(text),
            false if closes_on == Stream::Output => println!("{text}"),
            false => eprintln!("{text}"),
        }
    }
    let status = child.wait().map_err(|error| refused(command, &error))?;
    if status.success() {
        return Ok(closing);
    }
    closing.iter().for_each(|text| eprintln!("{text}"));
    Err(format!("{} ended with {status}", line(command)))
}

/// Whether a line is a test runner's summary of tests that it did run. The runner on standard error
/// shows the output of others there as well, so its own form counts and no other.
fn closes(line: &str, stream: Stream) -> bool {
    let line = line.trim_start();
    match stream {
        Stream::Error => line.starts_with("Summary ["),
        Stream::Output => {
            let ran_none = line.contains(" 0 passed; 0 failed; 0 ignored");
            line.starts_with("test result: ") && !ran_none
        }
    }
}

fn refused(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run {}: {error}", line(command))
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = [name].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_those_of_runs_that_ran_something() {
        let check = |line, stream, expect| assert_eq!(closes(line, stream), expect, "{line}");
        let summary = "     Summary [   0.005s] 24 tests run: 24 passed, 0 skipped";
        check(summary, Stream::Error, true);
        check(summary, Stream::Output, false);
        check("test result: ok. 8 passed; 0 failed; 0 ignored", Stream::Output, true);
        check("test result: ok. 8 passed; 0 failed; 0 ignored", Stream::Error, false);
        check("test result: ok. 0 passed; 0 failed; 0 ignored", Stream::Output, false);
        check("test result: ok. 10 passed; 0 failed; 0 ignored", Stream::Output, true);
        check("test tidy::rules ... ok", Stream::Output, false);
    }

    #[test]
    fn a_failing_program_is_named_with_its_arguments() {
        let error = run(program("cargo").arg("no-such-command").stderr(Stdio::null())).unwrap_err();
        assert!(error.starts_with("cargo no-such-command ended with exit status"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_not_installed() {
        assert!(installed("cargo"));
        assert!(!installed("no-such-program-anywhere"));
    }
}
