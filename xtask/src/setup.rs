//! What must be installed: first listed, then installed, and nothing outside of what was listed.
//!
//! Debian packages only when root on a system with `apt-get`; everything else in private virtual
//! environments: the peers of the benchmarks under `bench/.venv`, engines under `target/engines/`.

use crate::bench;
use crate::shell::{self, Outcome};

/// What to set up for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scope {
    /// What the tests need.
    Tests,
    /// The same, and the peers that the benchmarks compare with.
    Benchmarks,
}

/// Programs without which nothing builds: the program, its Debian packages, and the remedy for
/// everyone else. Rust itself is installed by rustup.
const PROGRAMS: [(&str, &[&str], &str); 2] = [
    ("cc", &["gcc", "libc6-dev"], "install a C compiler"),
    ("cargo", &[], "install Rust, see https://rustup.rs"),
];

/// Real engines that some tests use where they are there: the same, but nothing fails without them.
/// Podman without its recommended packages lacks an init; its images are made of busybox.
/// LibreOffice computes workbooks and needs no screen for it; Chromium shows pages.
const ENGINES: [(&str, &[&str], &str); 5] = [
    ("age", &["age"], "install age"),
    ("podman", &["podman", "catatonit", "runc", "busybox-static"], "install podman"),
    ("faketime", &["faketime"], "install faketime"),
    ("soffice", &["libreoffice-calc-nogui"], "install LibreOffice Calc"),
    ("chromium", &["chromium"], "install Chromium"),
];

/// The peer of the placement benchmark, at the version that its figures were taken with.
const PEER: &str = "skypilot==0.14.1";

/// Real engines that tests compare with, each in an environment of its own under `target/engines/`:
/// the environment, a program in it, and the packages, at the version that the tests are written for where that
/// matters. A test whose engine is not there says so and passes.
const PYTHON_ENGINES: [(&str, &str, &[&str]); 7] = [
    ("dvc", "dvc", &["dvc==3.67.1"]),
    ("uv", "uv", &["uv==0.13.0"]),
    ("crypto", "python", &["cryptography", "blake3"]),
    ("gguf", "python", &["gguf==0.19.0", "numpy", "safetensors"]),
    ("hub", "python", &["huggingface_hub==2.4.0"]),
    ("llama", "python", &["xllamacpp==2026.10.11549"]),
    ("clients", "python", &["openai==3.57.0", "litellm==1.110.2", "langchain-openai==1.7.4"]),
];

/// A real client that runs in Node: its folder under `target/engines/`, and the package.
const NODE_CLIENT: (&str, &str) = ("clients-node", "openai@6.49.0");

/// Lists what is there and what is missing, and installs what is missing.
pub(crate) fn setup(scope: Scope) -> Outcome {
    println!("==> setup");
    let (found, missing): (Vec<_>, Vec<_>) =
        PROGRAMS.iter().partition(|(program, _, _)| shell::installed(program));
    found.iter().for_each(|(program, _, _)| println!("    found    {program}"));
    for (program, packages, _) in &missing {
        println!("    missing  {program} (Debian packages: {})", packages.join(" "));
    }
    let peer = (scope == Scope::Benchmarks).then(|| {
        let ready = shell::installed(&format!("{}/bin/sky", bench::ENVIRONMENT));
        println!(
            "    {}  {PEER} in {}",
            if ready { "found  " } else { "missing" },
            bench::ENVIRONMENT
        );
        ready
    });
    let engines: Vec<_> =
        ENGINES.iter().filter(|(program, _, _)| !shell::installed(program)).collect();
    for (program, packages, _) in &engines {
        println!("    missing  {program}, optional (Debian packages: {})", packages.join(" "));
    }
    let absent: Vec<_> =
        PYTHON_ENGINES.iter().filter(|(name, program, _)| !engine(name, program)).collect();
    for (name, program, packages) in PYTHON_ENGINES {
        let ready = if engine(name, program) { "found  " } else { "missing" };
        println!("    {ready}  {} in {}", packages.join(" "), engine_folder(name));
    }
    let (name, package) = NODE_CLIENT;
    let node = engine_folder(name);
    let is_there = shell::root().join(&node).join("node_modules/openai").exists();
    println!("    {}  {package} in {node}", if is_there { "found  " } else { "missing" });
    let nothing = missing.is_empty() && engines.is_empty() && absent.is_empty() && is_there;
    if nothing && peer != Some(false) {
        println!("    nothing to install: the tests need only Rust and a C compiler");
        return Ok(());
    }
    for (program, packages, remedy) in missing {
        install_packages(packages).map_err(|why| format!("{program}: {why}; remedy: {remedy}"))?;
    }
    for (program, packages, remedy) in engines {
        if let Err(why) = install_packages(packages) {
            println!("SKIPPED {program}: {why}; remedy: {remedy}");
        }
    }
    if peer == Some(false) {
        install_in(bench::ENVIRONMENT, &[PEER])?;
    }
    for (name, _, packages) in absent {
        let folder = engine_folder(name);
        if let Err(why) = install_in(&folder, packages) {
            // One without its packages would be taken for whole the next time.
            let _ = std::fs::remove_dir_all(&folder);
            println!("    SKIPPED  {}: {why}; its tests will be skipped", packages.join(" "));
        }
    }
    if !is_there && let Err(why) = install_node(&node, package) {
        let _ = std::fs::remove_dir_all(shell::root().join(&node));
        println!("    SKIPPED  {package}: {why}; its test will be skipped");
    }
    println!("    installed");
    Ok(())
}

/// Makes a folder with a package of Node.
fn install_node(folder: &str, package: &str) -> Outcome {
    if !shell::installed("npm") {
        install_packages(&["nodejs", "npm"])?;
    }
    std::fs::create_dir_all(shell::root().join(folder)).map_err(|error| error.to_string())?;
    let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", folder];
    shell::run(shell::program("npm").args(npm).arg(package))
}

/// Installs Debian packages, if that can be done without asking anybody.
fn install_packages(packages: &[&str]) -> Outcome {
    if packages.is_empty() || !shell::installed("apt-get") {
        return Err("no Debian package to install".to_owned());
    }
    let user = shell::output(shell::program("id").arg("-u"))?;
    if user.trim() != "0" {
        return Err("only root may install Debian packages".to_owned());
    }
    let apt = || {
        let mut apt = shell::program("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--yes").arg("--quiet");
        apt
    };
    shell::run(apt().arg("update"))?;
    shell::run(apt().args(["install", "--no-install-recommends"]).args(packages))
}

fn engine_folder(name: &str) -> String {
    format!("target/engines/{name}")
}

fn engine(name: &str, program: &str) -> bool {
    shell::installed(&format!("{}/bin/{program}", engine_folder(name)))
}

/// Makes a virtual environment and installs packages there.
pub(crate) fn install_in(environment: &str, packages: &[&str]) -> Outcome {
    let make = || shell::run(shell::program("python3").args(["-m", "venv", environment]));
    // Debian splits the venv module from Python itself.
    make()
        .or_else(|_absent| install_packages(&["python3", "python3-venv"]).and_then(|()| make()))?;
    let pip = ["-m", "pip", "install", "--quiet"];
    shell::run(shell::program(&format!("{environment}/bin/python")).args(pip).args(packages))
}
