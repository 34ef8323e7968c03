//! Environments in small trees, whole and damaged.

use super::*;

/// A tree of its own for a test, removed at its end.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("nearside-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn link(&self, to: &str, at: &str) -> &Self {
        let path = self.0.join(at);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, path).unwrap();
        self
    }

    fn found(&self, variables: &[(&str, &str)]) -> Vec<PythonEnvironment> {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        environments(&self.0, Some(Path::new("/home/me/project")), &variables.collect())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0";
const SITE: &str = "home/me/project/.venv/lib/python3.12/site-packages";

fn project(name: &str) -> Tree {
    let tree = Tree::new(name);
    tree.write("usr/bin/python3.12", ELF)
        .link("python3.12", "usr/bin/python3")
        .link("/usr/bin/python3", "home/me/project/.venv/bin/python")
        .link("python", "home/me/project/.venv/bin/python3")
        .write("home/me/project/.venv/pyvenv.cfg", "home = /usr/bin\nversion_info = 3.12.3\n")
        .write(&format!("{SITE}/torch/version.py"), "__version__ = '2.9.1+cpu'\ncuda = None\n")
        .write(
            &format!("{SITE}/torch-2.9.1+cpu.dist-info/METADATA"),
            "Metadata-Version: 2.4\nName: torch\nVersion: 2.9.1+cpu\n\nName: not this\n",
        )
        .write(&format!("{SITE}/torch-2.9.1+cpu.dist-info/INSTALLER"), "uv\n")
        .write(&format!("{SITE}/Some_Thing-1.0.dist-info/RECORD"), "");
    tree
}

#[test]
fn a_project_has_its_environment_and_the_system_its_own() {
    let tree = project("python-project");
    tree.write("usr/lib/python3/dist-packages/six-1.16.0.egg-info", "Name: six\nVersion: 1.16.0\n")
        .write(
            "usr/local/lib/python3.12/dist-packages/six-1.17.0.dist-info/METADATA",
            "Name: six\n",
        )
        .write("usr/lib/python3.9/site-packages/old-1.dist-info/METADATA", "Name: old\n");
    let found = tree.found(&[]);
    assert_eq!(found.len(), 2);
    let own = &found[0];
    assert_eq!(own.folder, PathBuf::from("/home/me/project/.venv"));
    assert_eq!((own.kind, own.found_by), (EnvironmentKind::Virtual, FoundBy::Project));
    assert_eq!(own.interpreter, Known::Value("/usr/bin/python3.12".into()));
    assert_eq!(own.version, Known::Value("3.12.3".to_owned()));
    assert_eq!(own.architectures, Known::Value(vec![InstructionSet::X86_64]));
    assert_eq!(own.torch.as_ref().unwrap().version, "2.9.1+cpu");
    assert_eq!(own.packages["torch"].installer.as_deref(), Some("uv"));
    // Without METADATA the name of the folder counts.
    assert_eq!(own.packages["some-thing"].version, Known::Value("1.0".to_owned()));
    let system = &found[1];
    assert_eq!((system.kind, system.folder.to_str()), (EnvironmentKind::System, Some("/usr")));
    assert_eq!(system.version, Known::Value("3.12".to_owned()));
    // The one that Python finds first, whose METADATA states no version.
    assert_eq!(system.packages["six"].version, Known::Value("1.17.0".to_owned()));
    assert!(!system.packages.contains_key("old"), "of another Python");
}

#[test]
fn an_activated_environment_is_listed_once_and_first() {
    let tree = project("python-activated");
    tree.write("opt/conda/conda-meta/python-3.11.9-h955ad1f_0.json", "{}")
        .write("opt/conda/conda-meta/pytorch-cuda-12.1-ha16c6d3_6.json", "{}")
        .write(
            "opt/conda/lib/python3.11/site-packages/x-2.dist-info/METADATA",
            "Name: x\nVersion: 2",
        );
    let found = tree.found(&[
        ("VIRTUAL_ENV", "/home/me/project/.venv"),
        ("CONDA_PREFIX", "/opt/conda"),
        ("PATH", "/home/me/project/.venv/bin:/opt/conda/bin:/usr/bin"),
    ]);
    let kinds: Vec<_> = found.iter().map(|one| (one.kind, one.found_by)).collect();
    assert_eq!(
        kinds,
        [
            (EnvironmentKind::Virtual, FoundBy::VirtualEnv),
            (EnvironmentKind::Conda, FoundBy::CondaPrefix),
            (EnvironmentKind::System, FoundBy::SearchPath),
        ]
    );
    let conda = &found[1];
    assert_eq!(conda.version, Known::Value("3.11.9".to_owned()));
    assert_eq!(conda.packages["pytorch-cuda"].version, Known::Value("12.1".to_owned()));
    assert_eq!(conda.packages["x"].installer, None);
    assert!(conda.interpreter.why().is_some());
}

#[test]
fn what_is_damaged_is_noted() {
    let tree = project("python-damaged");
    std::fs::remove_file(tree.0.join(format!("{SITE}/torch/version.py"))).unwrap();
    std::fs::create_dir(tree.0.join(format!("{SITE}/torch/version.py"))).unwrap();
    std::fs::remove_file(tree.0.join("home/me/project/.venv/pyvenv.cfg")).unwrap();
    tree.write("home/me/project/.venv/pyvenv.cfg", [0xff, 0xfe])
        .write(&format!("{SITE}/-.dist-info/METADATA"), "");
    let found = tree.found(&[("VIRTUAL_ENV", "not/absolute")]);
    let own = &found[0];
    assert_eq!(own.torch, None);
    let notes = own.notes.join("\n");
    for words in ["pyvenv.cfg", "how it was built is unknown", "-.dist-info: no name"] {
        assert!(notes.contains(words), "{words} in {notes}");
    }
    // The folder of its packages still says which Python it is.
    assert_eq!(own.version, Known::Value("3.12".to_owned()));
}

#[test]
fn system_packages_count_where_an_environment_lets_them_in() {
    let tree = project("python-system-packages");
    let text = "home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.12.3\n";
    tree.write("home/me/project/.venv/pyvenv.cfg", text)
        .write("usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO", "Name: six\n");
    assert!(tree.found(&[])[0].packages.contains_key("six"));
}

#[test]
fn a_machine_without_python_has_no_environment() {
    let tree = Tree::new("python-none");
    assert_eq!(tree.found(&[("VIRTUAL_ENV", "/nowhere")]), Vec::new());
}
