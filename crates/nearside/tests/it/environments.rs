//! Environments that move: what is found is written down, rebuilt elsewhere, compared, and part of what a
//! result depends on.

#![cfg(target_os = "linux")]

use std::fs;

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, text};
use crate::project::{Project, results};

/// The files that `--emit` writes.
pub(crate) const FILES: [&str; 6] = [
    ".devcontainer/devcontainer.json",
    ".dockerignore",
    ".python-version",
    "Dockerfile",
    "nearside.lock",
    "pyproject.toml",
];

/// What devcontainer.json may hold of what is used here, by the reference at containers.dev; an image
/// is built where `build.dockerfile` says so.
const DEVCONTAINER: [&str; 5] = ["build", "hostRequirements", "name", "remoteUser", "runArgs"];

/// A project with a virtual environment of packages that are there in name alone.
pub(crate) struct Machine(pub(crate) Folder);

impl Machine {
    /// `torch` is what its `version.py` says, if there is one.
    pub(crate) fn new(name: &str, packages: &[(&str, &str)], torch: Option<&str>) -> Self {
        let folder = Folder::cleared(&format!("moving-{name}"));
        folder.write(".venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.12.3\n");
        folder.write(".venv/bin/python3", "");
        let site = ".venv/lib/python3.12/site-packages";
        if let Some(torch) = torch {
            folder.write(&format!("{site}/torch/version.py"), torch);
        }
        let machine = Self(folder);
        packages.iter().for_each(|(name, version)| machine.install(name, version));
        machine
    }

    /// Puts a package there.
    pub(crate) fn install(&self, name: &str, version: &str) {
        let folder = format!(".venv/lib/python3.12/site-packages/{name}-{version}.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        self.0.write(&format!("{folder}/METADATA"), metadata);
    }

    pub(crate) fn remove(&self, name: &str, version: &str) {
        let folder = format!(".venv/lib/python3.12/site-packages/{name}-{version}.dist-info");
        fs::remove_dir_all(self.0.path().join(folder)).unwrap();
    }

    #[track_caller]
    pub(crate) fn nearside(&self, arguments: &[&str]) -> Run {
        let mut command = command(arguments);
        command.current_dir(self.0.path());
        for name in ["VIRTUAL_ENV", "CONDA_PREFIX", "OMP_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG"] {
            command.env_remove(name);
        }
        Run::of(command, arguments)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap_or_default()
    }

    fn files(&self) -> Vec<String> {
        FILES.iter().map(|path| self.read(path)).collect()
    }
}

const CUDA: &str = "__version__ = '2.9.1+cu126'\ncuda: Optional[str] = '12.6'\nhip = None\n";

/// The results of files, by their path.
fn outcomes(answer: &Value) -> Vec<(&str, &str)> {
    let files = list(&answer["files"]).iter();
    let mut all: Vec<_> = files.map(|file| (text(&file["path"]), text(&file["result"]))).collect();
    all.sort();
    all
}

#[test]
fn an_environment_is_written_down_and_then_the_same() {
    let packages = [("numpy", "2.1.0"), ("torch", "2.9.1+cu126"), ("Typing_Extensions", "4.12.2")];
    let machine = Machine::new("emits", &packages, Some(CUDA));
    let run = machine.nearside(&["doctor", "--emit", "--json"]).exits(0);
    let envelope = serde_json::from_str::<Value>(&run.stdout).unwrap();
    assert_eq!(envelope["schema"], "nearside/doctor-emit/1");
    check_schema("doctor-emit", &envelope["data"]);
    let written: Vec<_> = FILES.iter().map(|path| (*path, "written")).collect();
    assert_eq!(outcomes(&envelope["data"]), written);
    let lock = machine.read("nearside.lock");
    for line in ["torch = \"cuda 12.6\"", "typing-extensions = \"4.12.2\"", "numpy = \"2.1.0\""] {
        assert!(lock.lines().any(|found| found == line), "{line}\n{lock}");
    }
    let docker = machine.read("Dockerfile");
    assert!(docker.contains("uv sync $locked --no-install-project --python 3.12\n"), "{docker}");
    assert!(docker.contains("ARG BASE_IMAGE=docker.io/nvidia/cuda:12.6.3-base-"), "{docker}");
    let image: Value = serde_json::from_str(&machine.read(FILES[0])).unwrap();
    assert!(image.as_object().unwrap().keys().all(|key| DEVCONTAINER.contains(&key.as_str())));
    let build = image["build"].as_object().unwrap();
    let place = machine.0.path().join(".devcontainer").join(text(&build["dockerfile"]));
    assert!(place.is_file() && build["context"] == ".." && build["target"] == "environment");
    assert!(docker.contains(" AS environment\n"));
    assert_eq!(image["hostRequirements"]["gpu"], true);
    assert!(list(&image["runArgs"]).contains(&"--gpus=all".into()));
    // Nothing of this machine is named in what others read.
    let here = machine.0.path().to_str().unwrap();
    assert!(machine.files().iter().all(|file| !file.contains(here)));
    let before = machine.files();
    let again = machine.nearside(&["doctor", "--emit", "--json"]).exits(0);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert!(outcomes(&again["data"]).iter().all(|(_, result)| *result == "same"));
    assert_eq!(machine.files(), before);
}

#[test]
fn what_is_there_is_not_written_over() {
    let machine = Machine::new("keeps", &[("numpy", "2.1.0")], None);
    machine.0.write("Dockerfile", "FROM mine\n");
    let run = machine.nearside(&["doctor", "--emit"]).exits(1);
    assert!(run.stdout.contains("\ndiffers      Dockerfile"), "{}", run.stdout);
    let hint = "nothing was written: --force writes over Dockerfile, --dry-run shows what with";
    assert!(run.stderr.contains(hint), "{}", run.stderr);
    assert_eq!(machine.read("Dockerfile"), "FROM mine\n");
    assert!(!machine.0.path().join("nearside.lock").exists(), "all or nothing");
    let shown = machine.nearside(&["doctor", "--emit", "--dry-run"]).exits(1);
    assert!(shown.stdout.contains("--- nearside.lock\n"), "{}", shown.stdout);
    assert!(!machine.0.path().join("nearside.lock").exists());
    machine.nearside(&["doctor", "--emit", "--force"]).exits(0);
    assert!(machine.read("Dockerfile").contains("FROM ${BASE_IMAGE} AS environment"));
    // Another package: the files that name it differ, the others do not.
    machine.install("six", "1.16.0");
    let run = machine.nearside(&["doctor", "--emit"]).exits(1);
    assert!(run.stdout.contains("differs      nearside.lock"), "{}", run.stdout);
    assert!(run.stdout.contains("the same     Dockerfile"), "{}", run.stdout);
    // Every file that is in the way is named at once, and what is said against the others.
    machine.0.write(".python-version", "3.11\n");
    let run = machine.nearside(&["doctor", "--emit"]).exits(1);
    let hint = "--force writes over nearside.lock, pyproject.toml, --dry-run shows what with; correct \
                .python-version, which stays as it is";
    assert!(run.stderr.contains(hint), "{}", run.stderr);
    assert!(run.stdout.contains("uv python pin 3.12"), "{}", run.stdout);
    machine.nearside(&["doctor", "--emit", "--force"]).exits(0);
    assert_eq!(machine.read(".python-version"), "3.11\n");
    // One that says more is as good.
    machine.0.write(".python-version", "# mine\n3.12.3\n");
    let run = machine.nearside(&["doctor", "--emit"]).exits(0);
    assert!(run.stdout.contains("kept         .python-version"), "{}", run.stdout);
}

#[test]
fn a_person_s_project_is_held_to_what_was_found() {
    let machine = Machine::new("held", &[("numpy", "2.1.0"), ("six", "1.16.0")], None);
    let own = "[project]\nname = \"mine\"\nversion = \"1\"\ndependencies = [\"numpy\"]\n";
    machine.0.write("pyproject.toml", own);
    let run = machine.nearside(&["doctor", "--emit"]).exits(0);
    assert_eq!(machine.read("pyproject.toml"), own);
    let constraints = machine.read("constraints.txt");
    let pins: Vec<_> = constraints.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(pins, ["numpy==2.1.0", "six==1.16.0"]);
    let with = "uv pip install --constraints constraints.txt --requirements pyproject.toml";
    assert!(run.stdout.contains(with) && run.stderr.contains(with), "{}", run.stdout);
    let docker = machine.read("Dockerfile");
    assert!(docker.contains("COPY pyproject.toml uv.lock* constraints.txt ./\n"), "{docker}");
    assert!(docker.contains(&format!("    {with}; fi\n")), "{docker}");
    // A lock of uv says more, and is the person's word.
    machine.0.write("uv.lock", "version = 1\n");
    let run = machine.nearside(&["doctor", "--emit"]).exits(0);
    assert!(run.stdout.contains("its uv.lock decides in the image"), "{}", run.stdout);
    // Another version: the constraints are this program's, and differ.
    machine.remove("numpy", "2.1.0");
    machine.install("numpy", "2.2.0");
    let run = machine.nearside(&["doctor", "--emit"]).exits(1);
    assert!(run.stderr.contains("writes over nearside.lock, constraints.txt,"), "{}", run.stderr);
    machine.nearside(&["doctor", "--emit", "--force"]).exits(0);
    assert!(machine.read("constraints.txt").contains("\nnumpy==2.2.0\n"));
    assert_eq!(machine.read("pyproject.toml"), own);
}

#[test]
fn a_person_s_files_are_added_to_or_left() {
    let machine = Machine::new("adds", &[("torch", "2.9.1+cu126")], Some(CUDA));
    let own = "# mine\n[project]\nname = \"mine\"\nversion = \"1\"\ndependencies = [\"torch\"]\n";
    machine.0.write("pyproject.toml", own);
    machine.0.write(".dockerignore", "data\n");
    let run = machine.nearside(&["doctor", "--emit"]).exits(0);
    assert!(run.stdout.contains("added to     pyproject.toml"), "{}", run.stdout);
    assert!(run.stdout.contains("kept         .dockerignore"), "{}", run.stdout);
    assert!(machine.read("pyproject.toml").starts_with(own));
    assert!(machine.read("pyproject.toml").contains("https://download.pytorch.org/whl/cu126"));
    assert_eq!(machine.read(".dockerignore"), "data\n");
    // What contradicts is told, and never written over.
    let other = format!("{own}[tool.uv.sources]\ntorch = {{ index = \"cpu\" }}\n");
    machine.0.write("pyproject.toml", &other);
    machine.install("six", "1.16.0");
    let before = machine.files();
    machine.nearside(&["doctor", "--emit"]).exits(1);
    assert_eq!(machine.files(), before);
    let run = machine.nearside(&["doctor", "--emit", "--force"]).exits(0);
    assert!(machine.read("nearside.lock").contains("six = \"1.16.0\""));
    assert!(run.stdout.contains("contradicts  pyproject.toml"), "{}", run.stdout);
    assert!(run.stdout.contains("tool.uv.sources.torch is"), "{}", run.stdout);
    assert_eq!(machine.read("pyproject.toml"), other);
    machine.0.write("pyproject.toml", "[project\n");
    let run = machine.nearside(&["doctor", "--emit"]).exits(3);
    assert!(run.stderr.contains("pyproject.toml:1"), "{}", run.stderr);
}

#[test]
fn secrets_stay_where_they_are() {
    let machine = Machine::new("secrets", &[], None);
    let folder = ".venv/lib/python3.12/site-packages/mine-1.0.dist-info";
    machine.0.write(&format!("{folder}/METADATA"), "Name: mine\nVersion: 1.0\n");
    let url = "https://me:pa55word@example.org/mine.whl?token=t0ken";
    let direct = format!("{{\"url\": \"{url}\", \"archive_info\": {{\"hash\": \"sha256=00\"}}}}");
    machine.0.write(&format!("{folder}/direct_url.json"), direct);
    let arguments = ["doctor", "--emit", "--json"];
    let mut command = command(&arguments);
    command.current_dir(machine.0.path()).env_remove("VIRTUAL_ENV");
    command.env("HF_TOKEN", "hf_t0ken").env("UV_INDEX_URL", "https://me:pa55word@example.org");
    command.env("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
    command.env("XLA_FLAGS", "--xla_dump_to=d --xla_gpu_autotune_level=0 --xla_x=/home/pa55word");
    let run = Run::of(command, &arguments).exits(0);
    for secret in ["pa55word", "t0ken", "HF_TOKEN"] {
        assert!(!run.stdout.contains(secret), "{secret}");
        assert!(machine.files().iter().all(|file| !file.contains(secret)), "{secret}");
    }
    let lock = machine.read("nearside.lock");
    let package = "from = \"https://example.org/mine.whl\", hash = \"sha256:00\"";
    assert!(lock.contains(package), "{lock}");
    assert!(machine.read("Dockerfile").contains("\n    CUBLAS_WORKSPACE_CONFIG=:4096:8 \\\n"));
    assert!(lock.contains("\nXLA_FLAGS = \"--xla_gpu_autotune_level=0\"\n"), "{lock}");
    let pin = "mine @ https://example.org/mine.whl#sha256=00";
    assert!(machine.read("pyproject.toml").contains(pin));
}

#[test]
fn packages_of_the_system_are_named_and_left_out() {
    let machine = Machine::new("system", &[("numpy", "2.1.0"), ("requests", "2.28.1")], None);
    let folder = ".venv/lib/python3.12/site-packages/requests-2.28.1.dist-info";
    machine.0.write(&format!("{folder}/INSTALLER"), "debian\n");
    let run = machine.nearside(&["doctor", "--emit"]).exits(0);
    let line = "requests = { version = \"2.28.1\", from = \"system\" }";
    assert!(machine.read("nearside.lock").lines().any(|found| found == line));
    let project = machine.read("pyproject.toml");
    assert!(project.contains("numpy==2.1.0") && !project.contains("requests"), "{project}");
    let note =
        "requests cannot be installed elsewhere by its version: it is a package of the system";
    assert!(run.stderr.contains(note), "{}", run.stderr);
}

#[test]
fn another_machine_is_told_apart_by_what_it_changes() {
    let machine = Machine::new("compares", &[("numpy", "2.1.0"), ("six", "1.16.0")], None);
    let emitted = machine.nearside(&["doctor", "--emit", "--json"]).exits(0).stdout;
    machine.0.write("emitted.json", &emitted);
    let doctor = machine.nearside(&["doctor", "--json"]).stdout;
    machine.0.write("doctor.json", &doctor);
    let compare = |file: &str| machine.nearside(&["doctor", "--compare", file, "--json"]);
    for file in ["nearside.lock", "emitted.json"] {
        let envelope: Value = serde_json::from_str(&compare(file).exits(0).stdout).unwrap();
        assert_eq!(envelope["schema"], "nearside/doctor-compare/1");
        let data = &envelope["data"];
        check_schema("doctor-compare", data);
        assert_eq!(data["verdict"], "same-results");
        assert_eq!(data["digest_here"], data["digest_there"]);
        assert!(list(&data["differences"]).is_empty(), "{data}");
    }
    let data: Value = serde_json::from_str(&compare("doctor.json").exits(1).stdout).unwrap();
    assert_eq!(data["data"]["verdict"], "cannot-tell");
    let open: Vec<_> =
        list(&data["data"]["not_compared"]).iter().map(|one| text(&one["part"])).collect();
    for part in ["Python", "variables", "CUDA toolkit, major version"] {
        assert!(open.contains(&part), "{part}: {open:?}");
    }
    let other = |line: &str| match line.starts_with("kernel = ") {
        true => "kernel = \"0.1\"\n".to_owned(),
        false => format!("{line}\n"),
    };
    let lock: String = machine.read("nearside.lock").lines().map(other).collect();
    machine.0.write("other.lock", lock);
    let run = machine.nearside(&["doctor", "--compare", "other.lock"]).exits(0);
    assert!(run.stdout.contains("\nspeed or memory only  here"), "{}", run.stdout);
    machine.remove("numpy", "2.1.0");
    machine.install("numpy", "2.2.0");
    let run = machine.nearside(&["doctor", "--compare", "nearside.lock"]).exits(1);
    let line = "package numpy          2.2.0  2.1.0  another version is another program";
    assert!(run.stdout.contains("1 difference could change a result"), "{}", run.stdout);
    assert!(run.stdout.lines().any(|found| found == line), "{}", run.stdout);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let machine = Machine::new("wrong", &[], None);
    let check = |name: &str, content: &str, expect: &str| {
        machine.0.write(name, content);
        let run = machine.nearside(&["doctor", "--compare", name]).exits(3);
        assert!(run.stderr.contains(expect), "{}", run.stderr);
    };
    check("a.json", "{", "cannot read an environment from a.json");
    check("a.json", "{\"schema\":\"nearside/plan/1\"}", "nearside/plan/1 tells no environment");
    check("a.json", "{\"schema\":\"nearside/doctor-emit/1\"}", "it holds no lock");
    check("a.lock", "version = 1\n[systm]\n", "did you mean \"system\"?");
    check("a.lock", "version = 1\n[systm]\n", "a.lock:2:2");
    let run = machine.nearside(&["doctor", "--compare", "none.lock"]).exits(3);
    assert!(run.stderr.contains("none.lock"), "{}", run.stderr);
    let run = machine.nearside(&["doctor", "--emit", "none"]).exits(3);
    assert!(run.stderr.contains("none is no folder"), "{}", run.stderr);
    machine.nearside(&["doctor", "--dry-run"]).exits(2);
}

const STAGE: &str = "[stage.sort]\nphase = \"prepare\"\ninputs = [\"words\"]\n\
                     outputs = [\"build/sorted\"]\nrun = \"sort data/words.txt > build/sorted\"\n";
const LOCK: &str = "version = 1\n[system]\nkernel = \"6.1\"\n[[accelerator]]\ndriver = \"570.86\"\n\
                    capability = \"8.9\"\n[python]\nversion = \"3.12.3\"\n[packages]\n\
                    numpy = \"2.1.0\"\n";

#[test]
fn results_depend_on_what_the_lock_says_and_on_nothing_else_of_it() {
    let project = Project::new("locked", STAGE);
    let (done, current) = (results(&[("sort", "done")]), results(&[("sort", "current")]));
    assert_eq!(project.run(&[], 0), done);
    project.0.write("nearside.lock", LOCK);
    assert_eq!(project.run(&[], 0), done, "nothing was known of the environment");
    assert_eq!(project.run(&[], 0), current);
    // Another driver and kernel compute the same.
    project.0.write("nearside.lock", LOCK.replace("570.86", "580.1").replace("6.1", "6.8"));
    assert_eq!(project.run(&[], 0), current);
    project.0.write("nearside.lock", LOCK.replace("2.1.0", "2.2.0"));
    let why = project.nearside(&["why", "sort"]).exits(0).stdout;
    let line =
        "sort would run:\n  environment changed: package numpy 2.1.0 -> package numpy 2.2.0\n";
    assert_eq!(why, line);
    assert_eq!(project.run(&[], 0), done);
    // Back again it is what was made then.
    project.0.write("nearside.lock", LOCK);
    assert_eq!(project.run(&[], 0), current, "the same output, made before");
    project.0.write("nearside.lock", "version = 1\n[packages]\nnumpy = 2.1\n");
    let run = project.nearside(&["run"]).exits(3);
    assert!(run.stderr.contains("nearside.lock:3:1"), "{}", run.stderr);
}
