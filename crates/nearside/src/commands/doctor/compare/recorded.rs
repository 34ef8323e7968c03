//! Another machine, as a file tells it: its lock, or what `doctor` printed there as JSON.

use std::path::Path;

use nearside_units::{Bytes, Known};
use nearside_workload::EnvironmentLock;
use nearside_workload::environment_lock::{Accelerator, Processor, System};
use serde_json::Value;

use crate::error::{CommandError, Fault};
use crate::wire::{environment_lock, read_text};

/// The environment that a file tells.
pub(super) fn read(file: &Path) -> Result<EnvironmentLock, CommandError> {
    let text = read_text(file)?;
    if !text.trim_start().starts_with('{') {
        return environment_lock::parse(file, &text);
    }
    let answer: Value =
        serde_json::from_str(&text).map_err(|error| wrong(file, &error.to_string()))?;
    let data = &answer["data"];
    match answer["schema"].as_str() {
        Some("nearside/doctor-emit/1") => {
            let lock = data["lock"].as_str().ok_or_else(|| wrong(file, "it holds no lock"))?;
            environment_lock::parse(file, lock)
        }
        Some("nearside/doctor/1") => Ok(of_machine(&data["machine"])),
        Some(other) => Err(wrong(file, &format!("{other} tells no environment"))),
        None => Err(wrong(file, "it does not say what it is")),
    }
}

fn wrong(file: &Path, why: &str) -> CommandError {
    let message = format!("cannot read an environment from {}: {why}", file.display());
    CommandError::new(Fault::Input, message)
        .hint("name a nearside.lock, or what `nearside doctor --emit --json` printed")
}

/// Why something is not known of a machine of which only `doctor --json` is there.
const UNTOLD: &str = "`doctor --json` does not tell it";

/// What `doctor --json` says of a machine; of packages and libraries it says nothing.
fn of_machine(machine: &Value) -> EnvironmentLock {
    let text = |figure: &Value| known(figure, |value| value.as_str().map(str::to_owned));
    let bytes = |figure: &Value| known(figure, |value| value.as_u64().map(Bytes::new));
    let accelerator = |one: &Value| Accelerator {
        name: text(&one["name"]),
        capability: Known::unknown(UNTOLD),
        driver: text(&one["driver"]),
        memory: bytes(&one["memory_bytes"]),
    };
    let accelerators = machine["accelerators"].as_array();
    EnvironmentLock {
        system: System {
            name: text(&machine["operating_system"]),
            kernel: text(&machine["kernel"]),
            architecture: Known::unknown(UNTOLD),
            libc: Known::unknown(UNTOLD),
            cuda_toolkit: Some(Known::unknown(UNTOLD)),
            image: Some(Known::unknown(UNTOLD)),
        },
        processor: Processor {
            name: text(&machine["processor"]),
            threads: known(&machine["usable_threads"], |value| value.as_u64()?.try_into().ok()),
            memory: bytes(&machine["memory_bytes"]),
            instructions: known(&machine["features"], |value| {
                let names = value.as_array()?.iter();
                names.map(|name| name.as_str().map(str::to_owned)).collect()
            }),
        },
        accelerators: accelerators.into_iter().flatten().map(accelerator).collect(),
        variables: Known::unknown(UNTOLD),
        python: Known::unknown(UNTOLD),
    }
}

/// A figure, or why the machine could not tell it.
fn known<T>(figure: &Value, read: impl Fn(&Value) -> Option<T>) -> Known<T> {
    let why = figure["unknown"].as_str().unwrap_or("not told");
    Known::from_option(read(figure), why)
}
