//! What `doctor --emit` writes does what it is for: uv resolves it and takes the right build, another
//! folder and an image become the same environment, and what is changed there is named.
//!
//! By a real uv and a real Podman. Packages are tiny ones that the tests make, so that no index is asked
//! but in the one test that says so.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{Folder, Run, command, root};
use crate::containers::Podman;

/// Where `cargo xtask setup` installs uv.
const UV: &str = "target/engines/uv/bin";

/// Makes wheels: each argument is a file to make and, behind `=`, what its PyTorch says it is built for.
const WHEELS: &str = r#"
import os, sys, zipfile
for argument in sys.argv[1:]:
    path, _, build = argument.partition("=")
    name, version = os.path.basename(path).split("-")[:2]
    info = f"{name}-{version}.dist-info"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    files = {
        f"{name}/__init__.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if build:
        files[f"{name}/version.py"] = f"__version__ = '{version}'\ncuda = '{build}'\nhip = None\n"
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
"#;

/// Makes the archives of two images: one with this machine's own Python and a shell, one with uv.
const IMAGES: &str = r#"
set -e
cd "$1"
read program prefix series <<END
$("$2/python" -c 'import os, sys; print(os.path.realpath(sys.executable), sys.base_prefix, "%d.%d" % sys.version_info[:2])')
END
mkdir -p base/bin base/etc base/tmp base/usr/bin "base$prefix/bin" "base$prefix/lib" uv
cp "$program" "base$prefix/bin/python$series"
ln -sf "$prefix/bin/python$series" base/usr/bin/python3
tar -C "$prefix/lib" --exclude=__pycache__ --exclude=site-packages --exclude=dist-packages \
    --exclude=test --exclude=tests --exclude=idlelib --exclude=tkinter --exclude=ensurepip \
    --exclude='config-*' --exclude='_tkinter*' -cf - "python$series" | tar -C "base$prefix/lib" -xf -
for file in "$program" "base$prefix/lib/python$series/lib-dynload"/*.so "$2/uv" "$3"; do
    ldd "$file" 2>/dev/null || true
done | grep -o '/[^ )]*' | sort -u | while read library; do
    mkdir -p "base$(dirname "$library")"
    cp -L "$library" "base$library"
done
find base -name '*.so*' -exec strip --strip-unneeded {} + 2>/dev/null || true
cp "$(command -v busybox)" base/bin/busybox
for name in sh mkdir chown echo cat id; do ln -sf busybox "base/bin/$name"; done
echo 'root:x:0:0::/:/bin/sh' > base/etc/passwd
echo 'root:x:0:' > base/etc/group
cp "$2/uv" uv/uv
tar -C base -cf base.tar . && tar -C uv -cf uv.tar .
"#;

/// A folder with a project, indexes of tiny packages, and a uv that knows nothing of the person's.
struct Workshop {
    folder: Folder,
    uv: PathBuf,
}

impl Workshop {
    /// Says aloud if there is no uv.
    fn new(name: &str) -> Option<Self> {
        let uv = root().join(UV);
        if !uv.join("uv").is_file() {
            eprintln!("SKIPPED: no uv in {UV}; remedy: cargo xtask setup");
            return None;
        }
        let workshop = Self { folder: Folder::cleared(&format!("rebuild-{name}")), uv };
        // Each index holds what the other one is to be asked for, as the real ones do.
        workshop.wheels(&[
            "usual/idna-3.7-py3-none-any.whl",
            "usual/six-1.16.0-py3-none-any.whl",
            "usual/six-1.17.0-py3-none-any.whl",
            "usual/torch-2.9.1-py3-none-any.whl=12.8",
            "pytorch/idna-3.7-py3-none-any.whl",
            "pytorch/torch-2.9.1+cpu-py3-none-any.whl",
            "pytorch/torch-2.9.1+cu126-py3-none-any.whl=12.6",
        ]);
        workshop.settings(&workshop.path("usual"));
        Some(workshop)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn wheels(&self, wheels: &[&str]) {
        let mut python = Command::new(self.uv.join("python"));
        python.arg("-c").arg(WHEELS).args(wheels).current_dir(self.folder.path());
        assert!(python.status().unwrap().success());
    }

    /// A person's settings of uv: packages come from a folder.
    fn settings(&self, usual: &Path) -> String {
        let text = format!(
            "[[index]]\nname = \"usual\"\nurl = \"{}\"\nformat = \"flat\"\ndefault = true\n",
            usual.display()
        );
        self.folder.write("settings/uv/uv.toml", text)
    }

    /// uv in a folder; what it says where it fails.
    fn uv(&self, place: &str, words: &[&str]) -> Result<String, String> {
        let mut uv = Command::new(self.uv.join("uv"));
        uv.args(words).current_dir(self.path(place)).stdin(Stdio::null());
        let inherited = std::env::vars().map(|(name, _)| name);
        inherited.filter(|name| name.starts_with("UV_") || name == "VIRTUAL_ENV").for_each(
            |name| {
                uv.env_remove(name);
            },
        );
        uv.env("XDG_CONFIG_HOME", self.path("settings"))
            .env("UV_CACHE_DIR", self.path("cache"))
            .env("UV_PYTHON_DOWNLOADS", "never");
        let answer = uv.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match answer.status.success() {
            true => Ok(text(&answer.stdout)),
            false => Err(text(&answer.stderr)),
        }
    }

    /// A project with an environment of packages that are really installed.
    fn project(&self, packages: &[&str]) {
        self.folder.write("project/main.py", "import six\n");
        let python = self.uv.join("python");
        self.uv("project", &["venv", "--quiet", "--python", python.to_str().unwrap()]).unwrap();
        let folders = ["--find-links", "../usual", "--find-links", "../pytorch"];
        let install = [&["pip", "install", "--quiet", "--no-index"], &folders[..], packages];
        self.uv("project", &install.concat()).unwrap();
    }

    #[track_caller]
    fn nearside(&self, place: &str, arguments: &[&str]) -> Run {
        let mut command = command(arguments);
        command.current_dir(self.path(place)).env_remove("VIRTUAL_ENV");
        Run::of(command, arguments)
    }

    /// The emitted project, with PyTorch's index in a folder.
    fn pyproject(&self, pytorch: &str) -> String {
        let text = fs::read_to_string(self.path("project/pyproject.toml")).unwrap();
        let url = "url = \"https://download.pytorch.org/whl/cu126\"\n";
        assert!(text.contains(url), "{text}");
        text.replace(url, &format!("url = \"{pytorch}\"\nformat = \"flat\"\n"))
    }

    /// Where uv takes a package from, and which version.
    fn locked(&self, place: &str, name: &str) -> (String, String) {
        let text = fs::read_to_string(self.path(place).join("uv.lock")).unwrap();
        let lock: toml::Table = text.parse().unwrap();
        let packages = lock["package"].as_array().unwrap();
        let named = |package: &&toml::Value| package["name"].as_str() == Some(name);
        let package = packages.iter().find(named).unwrap_or_else(|| panic!("{text}"));
        let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
        (text(&package["source"]["registry"]), text(&package["version"]))
    }
}

const PACKAGES: [&str; 3] = ["idna==3.7", "six==1.16.0", "torch==2.9.1+cu126"];

#[test]
fn uv_takes_each_package_from_where_it_belongs_and_rebuilds_it_elsewhere() {
    let Some(workshop) = Workshop::new("uv") else { return };
    workshop.project(&PACKAGES);
    workshop.nearside("project", &["doctor", "--emit"]).exits(0);
    let lock = fs::read_to_string(workshop.path("project/nearside.lock")).unwrap();
    assert!(lock.contains("torch = \"cuda 12.6\""), "{lock}");
    // Elsewhere there is nothing but what was written.
    workshop.folder.write("far/pyproject.toml", workshop.pyproject("../pytorch"));
    workshop.folder.write("far/nearside.lock", lock);
    workshop.uv("far", &["lock"]).unwrap();
    let (source, version) = workshop.locked("far", "torch");
    assert!(source.ends_with("pytorch") && version == "2.9.1+cu126", "{source} {version}");
    for name in ["idna", "six"] {
        let (source, _) = workshop.locked("far", name);
        assert!(source.ends_with("usual"), "{name} {source}");
    }
    let compiled = workshop.uv("far", &["pip", "compile", "--quiet", "pyproject.toml"]).unwrap();
    assert!(compiled.lines().any(|line| line == "torch==2.9.1+cu126"), "{compiled}");
    let python = workshop.uv.join("python");
    let sync = ["sync", "--quiet", "--frozen", "--python", python.to_str().unwrap()];
    workshop.uv("far", &sync).unwrap();
    let same = workshop.nearside("far", &["doctor", "--compare", "nearside.lock"]).exits(0);
    assert!(same.stdout.contains("no difference that could change a result"), "{}", same.stdout);
    workshop.uv("far", &["pip", "install", "--quiet", "six==1.17.0"]).unwrap();
    let other = workshop.nearside("far", &["doctor", "--compare", "nearside.lock"]).exits(1);
    assert!(other.stdout.contains("1 difference could change a result"), "{}", other.stdout);
    assert!(other.stdout.contains("\npackage six            1.17.0  1.16.0  "), "{}", other.stdout);
}

#[test]
fn real_packages_come_from_the_real_index() {
    let Some(workshop) = Workshop::new("index") else { return };
    workshop.project(&PACKAGES);
    workshop.nearside("project", &["doctor", "--emit"]).exits(0);
    workshop.folder.write("far/pyproject.toml", workshop.pyproject("../pytorch"));
    workshop.folder.write("settings/uv/uv.toml", "");
    if let Err(why) = workshop.uv("far", &["lock"]) {
        let unreachable = ["error sending request", "Failed to fetch", "dns error", "timed out"];
        assert!(unreachable.iter().any(|words| why.contains(words)), "{why}");
        eprintln!("SKIPPED: the index of Python's packages is not reached; remedy: a network");
        return;
    }
    let (source, version) = workshop.locked("far", "torch");
    assert!(source.ends_with("pytorch") && version == "2.9.1+cu126", "{source} {version}");
    for (name, version) in [("idna", "3.7"), ("six", "1.16.0")] {
        let (source, found) = workshop.locked("far", name);
        assert!(source.starts_with("https://") && found == version, "{name} {source} {found}");
    }
}

#[test]
fn the_image_builds_and_is_the_same_environment() {
    let Some(workshop) = Workshop::new("image") else { return };
    let Some(podman) = Podman::with_images("rebuild") else { return };
    let nearside = env!("CARGO_BIN_EXE_nearside");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(IMAGES).arg("sh").arg(workshop.folder.path()).arg(&workshop.uv);
    assert!(shell.arg(nearside).status().unwrap().success());
    podman.import(&workshop.path("base.tar"), "localhost/rebuild-base:1").unwrap();
    podman.import(&workshop.path("uv.tar"), "localhost/rebuild-uv:1").unwrap();
    workshop.project(&PACKAGES);
    workshop.nearside("project", &["doctor", "--emit"]).exits(0);
    let pyproject = workshop.pyproject("/indexes/pytorch");
    workshop.folder.write("project/pyproject.toml", pyproject);
    workshop.folder.write("project/secret.txt", "not for an image");
    let settings = workshop.settings(Path::new("/indexes/usual"));
    let indexes = ["usual", "pytorch"]
        .map(|name| format!("{}:/indexes/{name}:ro", workshop.path(name).display()));
    let secret = format!("id=uv,src={settings}");
    let folder = workshop.path("project");
    let words = [
        &["build", "--quiet", "--isolation", "chroot", "--network", "host"][..],
        &["--build-arg", "BASE_IMAGE=localhost/rebuild-base:1"],
        &["--build-arg", "UV_IMAGE=localhost/rebuild-uv:1"],
        &["--volume", &indexes[0], "--volume", &indexes[1], "--secret", &secret],
        &["--tag", "localhost/rebuilt:1", folder.to_str().unwrap()],
    ];
    podman.ask(&words.concat()).unwrap();
    let inside = |script: &str| {
        let program = format!("{nearside}:/nearside:ro");
        let words = ["run", "--rm", "--init", "--network", "none", "--volume", &program];
        podman.ask(&[&words[..], &["localhost/rebuilt:1", "/bin/sh", "-c", script]].concat())
    };
    let python = "import torch.version as it; print(it.__version__)";
    let found = inside(&format!("id -u; python -c '{python}'; echo *")).unwrap();
    assert_eq!(
        found, "10001\n2.9.1+cu126\n*",
        "another user, the right build, no file of the project"
    );
    assert!(inside("cat /etc/uv/uv.toml").is_err(), "settings of the build are not in the image");
    let compare = "/nearside doctor --compare /opt/environment/nearside.lock";
    let same = inside(compare).unwrap();
    assert!(same.contains("no difference that could change a result"), "{same}");
    let other = inside(&format!("OMP_NUM_THREADS=7 {compare}"));
    assert!(other.is_err(), "{other:?}");
}
