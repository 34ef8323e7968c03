//! Whether CUDA starts, which no file tells: after a suspend, without `nvidia-uvm`, or on certain
//! kernels NVML shows a device on which nothing can be computed.
//!
//! A Python, where there is one, asks the driver's library in a process of its own, which is ended
//! when it takes too long. A recorded machine keeps the number in `cuinit.txt`.
//!
//! Source: CUDA Driver API, `cuInit` and `CUresult`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nearside_units::Known;

use crate::child::{Silence, printed};

/// Eight devices without persistence take seconds.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// Prints what `cuInit` returns, -1 when there is no such library.
const QUESTION: &str = "\
import ctypes
try:
    library = ctypes.CDLL('libcuda.so.1')
except OSError:
    print(-1)
else:
    print(library.cuInit(0))";

/// What `cuInit` answers, 0 when CUDA has started; -1 when there is no library to ask.
pub(super) fn ask(python: &OsStr, library_path: Option<&Path>, limit: Duration) -> Known<i32> {
    let mut command = Command::new(python);
    command.args(["-I", "-S", "-c", QUESTION]);
    if let Some(path) = library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    match printed(&mut command, limit) {
        Ok(text) => Known::from_option(
            text.trim().parse().ok(),
            "cuInit was not asked: Python printed no number",
        ),
        Err(Silence::NotStarted(error)) => {
            let python = python.to_string_lossy();
            Known::unknown(format!("cuInit was not asked: {python}: {}", error.kind()))
        }
        Err(Silence::TooLong) => {
            let seconds = limit.as_secs_f64();
            Known::unknown(format!("cuInit did not return within {seconds} s"))
        }
    }
}

/// What the numbers mean that people meet.
pub(super) const fn meaning(number: i32) -> &'static str {
    match number {
        0 => "CUDA_SUCCESS",
        -1 => "libcuda.so.1 cannot be loaded",
        3 => "CUDA_ERROR_NOT_INITIALIZED",
        100 => "CUDA_ERROR_NO_DEVICE",
        101 => "CUDA_ERROR_INVALID_DEVICE",
        304 => "CUDA_ERROR_OPERATING_SYSTEM",
        802 => "CUDA_ERROR_SYSTEM_NOT_READY",
        803 => "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        804 => "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
        999 => "CUDA_ERROR_UNKNOWN",
        _ => "another CUresult",
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A library of that name whose `cuInit` does what is written.
    fn library(name: &str, body: &str) -> Option<std::path::PathBuf> {
        let folder = std::env::temp_dir().join(format!("nearside-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let source = folder.join("cuda.c");
        std::fs::write(
            &source,
            format!("#include <unistd.h>\nint cuInit(unsigned f) {{ {body} }}"),
        )
        .unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(folder.join("libcuda.so.1"))
            .arg(&source)
            .status();
        assert!(built.is_ok_and(|status| status.success()), "cc builds a library");
        let python = Command::new("python3").arg("--version").output();
        if python.is_ok() {
            return Some(folder);
        }
        eprintln!("SKIPPED: there is no python3");
        None
    }

    fn asked(name: &str, body: &str, limit: Duration) -> Option<Known<i32>> {
        let folder = library(name, body)?;
        let answer = ask(OsStr::new("python3"), Some(&folder), limit);
        std::fs::remove_dir_all(folder).unwrap();
        Some(answer)
    }

    #[test]
    fn the_number_of_the_library_is_told() {
        let Some(answer) = asked("cuda-999", "return 999;", LIMIT) else { return };
        assert_eq!(answer, Known::Value(999));
        assert_eq!(meaning(999), "CUDA_ERROR_UNKNOWN");
        assert_eq!(asked("cuda-0", "return 0;", LIMIT), Some(Known::Value(0)));
    }

    #[test]
    fn one_that_hangs_is_ended() {
        let limit = Duration::from_millis(600);
        let started = Instant::now();
        let Some(answer) = asked("cuda-hangs", "pause(); return 0;", limit) else { return };
        assert_eq!(answer.why(), Some("cuInit did not return within 0.6 s"));
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn without_a_python_it_is_unknown() {
        let answer = ask(OsStr::new("no-such-python"), None, LIMIT);
        assert!(answer.why().unwrap().contains("no-such-python: entity not found"));
    }
}
