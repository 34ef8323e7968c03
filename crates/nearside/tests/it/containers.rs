//! Stages with an image, by a real Podman with storage of its own: what they find, what they leave,
//! and what becomes of their containers when a run ends in whatever way.

#![cfg(target_os = "linux")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::command::{Folder, Run, command};
use crate::project::{Project, results};
use crate::run::{eventually, is_running};

/// The image that tests run in.
const IMAGE: &str = "localhost/nearside-test:1";
/// For places where Podman's own settings do not work: an old layout of control groups, low limits.
const MODEST: &str = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
                      [engine]\nruntime = \"runc\"\n";

/// A Podman whose images and containers are its own.
pub(crate) struct Podman(Vec<(&'static str, String)>);

impl Podman {
    /// One that runs containers; says aloud if there is none.
    pub(crate) fn with_images(name: &str) -> Option<Self> {
        let folder = Folder::cleared(&format!("podman-{name}"));
        let podman = Self::new(&folder);
        let made = rootfs(&folder, "first").and_then(|rootfs| podman.import(&rootfs, IMAGE));
        if let Err(why) = made {
            eprintln!("SKIPPED: no image can be made ({why}); remedy: cargo xtask setup");
            return None;
        }
        let modest = folder.write("modest.conf", MODEST);
        let settings = [None, Some(modest)].into_iter();
        let mut tried = settings.map(|settings| {
            let more = settings.map(|file| ("CONTAINERS_CONF", file));
            let podman = Self(podman.0.iter().cloned().chain(more).collect());
            let words = ["run", "--rm", "--init", "--network", "none", IMAGE, "/bin/sh", "-c", ":"];
            podman.ask(&words).map(|_nothing| podman)
        });
        let found = tried.try_fold(String::new(), |_, tried| tried.map_or_else(Ok, Err));
        match found {
            Err(podman) => Some(podman),
            Ok(why) => {
                eprintln!("SKIPPED: podman runs no container here ({why}); remedy: use a machine");
                None
            }
        }
    }

    fn new(folder: &Folder) -> Self {
        let at = folder.path().display();
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{at}/images\"\nrunroot = \"{at}/going\"\n"
        );
        Self(vec![("CONTAINERS_STORAGE_CONF", folder.write("storage.conf", storage))])
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Result<String, String> {
        let mut podman = Command::new("podman");
        podman.args(words).envs(self.0.iter().cloned()).stdin(Stdio::null());
        let answer = podman.output().map_err(|error| format!("podman: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match answer.status.success() {
            true => Ok(text(&answer.stdout)),
            false => Err(text(&answer.stderr)),
        }
    }

    pub(crate) fn import(&self, rootfs: &Path, image: &str) -> Result<(), String> {
        self.ask(&["import", rootfs.to_str().unwrap(), image]).map(drop)
    }

    fn command(&self, project: &Project, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.current_dir(project.path()).envs(self.0.iter().cloned());
        command
    }

    #[track_caller]
    fn nearside(&self, project: &Project, arguments: &[&str]) -> Run {
        Run::of(self.command(project, arguments), arguments)
    }

    fn start(&self, project: &Project, arguments: &[&str]) -> Child {
        let mut command = self.command(project, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// An image as an archive: busybox, and a file that says which image it is.
fn rootfs(folder: &Folder, word: &str) -> Result<std::path::PathBuf, String> {
    let busybox =
        ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|it| Path::new(it).exists());
    let busybox = busybox.ok_or("no busybox")?;
    let root = folder.path().join(word);
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::write(root.join("which"), word).unwrap();
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    for name in ["sh", "cat", "id", "sleep", "setsid", "nc", "ls"] {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    let archive = folder.path().join(format!("{word}.tar"));
    let mut tar = Command::new("tar");
    let made = tar.arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status();
    made.map_err(|error| format!("tar: {error}"))?;
    Ok(archive)
}

/// A stage in the image that writes what a command prints.
fn stage(name: &str, more: &str, command: &str) -> String {
    format!(
        "[stage.{name}]\nphase = \"prepare\"\ninputs = [\"words\"]\noutputs = [\"build/{name}\"]\n\
         image = \"{IMAGE}\"\n{more}\nrun = \"({command}) > build/{name}\"\n"
    )
}

#[test]
fn a_stage_in_an_image_finds_the_project_and_leaves_its_results() {
    let Some(podman) = Podman::with_images("finds") else { return };
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = door.local_addr().unwrap().port();
    let reach = format!("nc 127.0.0.1 {port} < /dev/null && echo reached");
    // Whoever comes is sent away.
    std::thread::spawn(move || door.incoming().for_each(drop));
    let stages = [
        stage("finds", "", "cat /which data/words.txt; id -u; ls /; echo $NEARSIDE_STAGE $WORD"),
        stage("cut", "network = \"none\"", &format!("{reach} || echo not reached")),
        stage("open", "", &reach),
    ];
    let project = Project::new("image-finds", &stages.concat());
    let run = || {
        let mut command = podman.command(&project, &["run", "--json"]);
        command.env("WORD", "word");
        let data = Run::of(command, &["run", "--json"]).exits(0).data();
        let stages = data["stages"].as_array().unwrap().clone().into_iter();
        stages.map(|stage| stage["result"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(run(), ["done", "done", "done"]);
    let found = project.read("build/finds");
    let user = fs::metadata(project.path()).unwrap().uid();
    assert!(found.starts_with(&format!("firstone\ntwo\n{user}\nbin\n")), "{found}");
    assert!(found.contains("\nwhich\n") && found.ends_with("\nfinds word\n"), "{found}");
    assert_eq!(fs::metadata(project.path().join("build/finds")).unwrap().uid(), user);
    assert_eq!(project.read("build/cut") + &project.read("build/open"), "not reached\nreached\n");
    assert_eq!(run(), ["current", "current", "current"]);
    // Another image of the same name.
    let folder = Folder::cleared("podman-second");
    podman.import(&rootfs(&folder, "second").unwrap(), IMAGE).unwrap();
    let why = podman.nearside(&project, &["why", "finds"]).exits(0).stdout;
    assert!(why.contains("  image changed: "), "{why}");
    assert_eq!(podman.ask(&["ps", "--all", "--quiet"]), Ok(String::new()));
}

#[test]
fn a_container_ends_with_its_command_and_with_its_run() {
    let Some(podman) = Podman::with_images("ends") else { return };
    let word = format!("88{:06}", std::process::id() % 1_000_000);
    let leave = format!("(setsid sleep {word} &) ; sleep 0.2; echo x");
    let project = Project::new("image-ends", &stage("leaves", "", &leave));
    podman.nearside(&project, &["run"]).exits(0);
    assert!(!is_running(&word));
    let file = project.read("nearside.toml").replace("sleep 0.2", &format!("sleep {word}"));
    project.0.write("nearside.toml", file);
    for signal in ["KILL", "INT"] {
        let mut child = podman.start(&project, &["run"]);
        eventually("the container", || {
            podman.ask(&["ps", "--quiet"]).is_ok_and(|found| !found.is_empty())
        });
        let number = child.id().to_string();
        Command::new("kill").args(["-s", signal, &number]).status().unwrap();
        child.wait().unwrap();
        eventually("the end of the container", || !is_running(&word));
        let all = || podman.ask(&["ps", "--all", "--quiet"]);
        eventually("its removal", || all() == Ok(String::new()));
    }
}

#[test]
fn a_shell_is_in_the_image() {
    let Some(podman) = Podman::with_images("shell") else { return };
    let project = Project::new("image-shell", &stage("a", "", "cat data/words.txt"));
    let script = project.0.write("script", "cat /which data/words.txt\nexit 3\n");
    let arguments = ["run", "--shell", "a"];
    let mut command = podman.command(&project, &arguments);
    command.stdin(fs::File::open(script).unwrap());
    let run = Run::of(command, &arguments).exits(3);
    assert_eq!(run.stdout, "firstone\ntwo\n");
}

#[test]
fn an_image_that_is_not_there_is_not_pulled() {
    let Some(podman) = Podman::with_images("missing") else { return };
    let stages = [
        "[stage.first]\nphase = \"prepare\"\noutputs = [\"x\"]\nrun = \"echo > x\"\n".to_owned(),
        stage("second", "", "cat data/words.txt").replace(IMAGE, "example.org/none:2"),
    ];
    let project = Project::new("image-missing", &stages.concat());
    let run = podman.nearside(&project, &["run"]).exits(4);
    let expected = "stage \"second\" runs in the image example.org/none:2, which is not on this \
                    machine: get it with podman pull example.org/none:2";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
    assert!(!project.path().join("x").exists());
    assert_eq!(podman.ask(&["images", "--quiet"]).unwrap().lines().count(), 1);
    assert_eq!(project.run(&["--only", "first"], 0), results(&[("first", "done")]));
}

#[test]
fn without_an_engine_it_is_said() {
    let project = Project::new("image-engine", &stage("a", "", "cat data/words.txt"));
    let mut command = command(&["run"]);
    command.current_dir(project.path()).env("PATH", project.path());
    let run = Run::of(command, &["run"]).exits(4);
    let expected = "there is neither podman nor docker here";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
}
