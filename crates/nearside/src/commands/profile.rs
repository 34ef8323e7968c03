//! `nearside profile -- COMMAND`: runs a command, names its bottleneck, and says what removing it could
//! bring.

mod chart;
mod page;
mod self_test;
mod text;
mod view;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use nearside_probe::meter::{Measured, Meter, Settings, Subject};
use nearside_probe::verdict::{PERIOD, judge};
use nearside_run::exit_code;

use view::Exit;
pub(crate) use view::ProfileAnswer;

use crate::cli::Profile;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::document::put;
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;

/// What a shell answers when a command cannot be started.
const NOT_STARTED: u8 = 127;

pub(super) fn run(arguments: &Profile, output: &Output) -> Result<Outcome, CommandError> {
    if let Some(names) = &arguments.self_test {
        return self_test::run(names, arguments, output);
    }
    let catalog = wire::catalog(output)?;
    environment::outlive_ctrl_c();
    let command: Vec<String> =
        arguments.command.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let mut child = match start(&arguments.command, output.form) {
        Ok(child) => child,
        Err(error) => {
            let message = format!("{} cannot be started: {error}", command.join(" "));
            output.error(&CommandError::new(Fault::World, message));
            print(&ProfileAnswer::not_started(command), arguments, output)?;
            return Ok(Outcome::Code(NOT_STARTED));
        }
    };
    let (status, measured) = measured(&mut child)?;
    let code = exit_code(status);
    let verdict = judge(&measured);
    let answer = ProfileAnswer::of(command, Exit::of_command(code), &measured, &verdict, &catalog);
    print(&answer, arguments, output)?;
    Ok(Outcome::Code(code))
}

/// With JSON, what the command prints goes to stderr.
fn start(command: &[OsString], form: Form) -> std::io::Result<Child> {
    let mut words = command.iter();
    let mut child = Command::new(words.next().cloned().unwrap_or_default());
    child.args(words);
    if form == Form::Json {
        child.stdout(stderr()?);
    }
    child.spawn()
}

#[cfg(unix)]
fn stderr() -> std::io::Result<Stdio> {
    use std::os::fd::AsFd as _;
    Ok(std::io::stderr().as_fd().try_clone_to_owned()?.into())
}

#[cfg(not(unix))]
fn stderr() -> std::io::Result<Stdio> {
    Ok(Stdio::null())
}

fn measured(child: &mut Child) -> Result<(ExitStatus, Measured), CommandError> {
    let settings = Settings { period: PERIOD, ..Settings::default() };
    let world = |error: nearside_probe::ProbeError| {
        CommandError::new(Fault::World, format!("the command is not measured: {error}"))
    };
    let meter = match Meter::start(Path::new("/"), Subject::Spawned(child.id()), settings) {
        Ok(meter) => meter,
        Err(error) => {
            // It runs, so it is left to run to its end.
            let _ = child.wait();
            return Err(world(error));
        }
    };
    meter.wait(child).map_err(world)
}

fn print(answer: &ProfileAnswer, arguments: &Profile, output: &Output) -> Result<(), CommandError> {
    if output.form == Form::Json {
        let sources = answer.sources();
        let answer =
            Answer { schema: "nearside/profile/1", data: answer, warnings: &[], sources: &sources };
        output.json(&answer, environment::today());
    } else if answer.has_verdict() {
        output.text(&text::of(answer, arguments.no_chart));
    }
    let Some(file) = arguments.html.as_deref().filter(|_| answer.has_verdict()) else {
        return Ok(());
    };
    put(file, page::of(answer, environment::today()).as_bytes(), output)
}
