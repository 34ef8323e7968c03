//! Stages without a network: what they reach, what they do not, and what happens where the system
//! does not let us cut them off. With real processes, listeners and namespaces.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{Run, command, list, text};
use crate::project::{Project, results};
use crate::run::{eventually, is_running};

/// Says what it reaches: `own` is a server that it starts itself.
const REACH: &str = r#"use IO::Socket::INET; use Socket;
sub tcp { IO::Socket::INET->new(PeerAddr => $_[0], PeerPort => $_[1], Timeout => 5) ? "yes" : "no: $!" }
sub abstract { socket(my $s, PF_UNIX, SOCK_STREAM, 0); connect($s, pack("Sa*", AF_UNIX, "\0$_[0]")) ? "yes" : "no" }
my $own = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1");
print "host ", tcp("127.0.0.1", $ARGV[0]), "\n";
print "abstract ", abstract($ARGV[1]), "\n";
print "outside ", tcp("192.0.2.1", 80), "\n" if $ARGV[2];
print "own ", tcp("127.0.0.1", $own->sockport), "\n";
"#;

/// Whether a program can be used; says aloud if not.
fn has(program: &str) -> bool {
    let has = Command::new(program).arg("--version").output().is_ok();
    if !has {
        eprintln!("SKIPPED: this test needs {program}; remedy: apt install {program}");
    }
    has
}

/// Whether stages can be cut off here; says aloud if not.
fn can_be_cut_off() -> bool {
    let run = Run::of(command(&["__sandbox"]), &["__sandbox"]);
    if run.code != 0 {
        eprintln!("SKIPPED: {}; remedy: allow user namespaces", run.stderr.trim());
    }
    run.code == 0 && has("perl")
}

/// What a test lets stages try to reach.
struct Doors {
    tcp: TcpListener,
    name: String,
    _abstract: UnixListener,
}

impl Doors {
    fn open(name: &str) -> Self {
        let name = format!("nearside-{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { tcp, name, _abstract: UnixListener::bind_addr(&address).unwrap() }
    }

    /// The command that tries.
    fn try_from(&self, file: &str) -> String {
        let port = self.tcp.local_addr().unwrap().port();
        format!("perl {file} {port} {}", self.name)
    }
}

/// A stage that reads the words and writes what a command prints.
fn stage(name: &str, more: &str, command: &str) -> String {
    format!(
        "[stage.{name}]\nphase = \"prepare\"\ninputs = [\"words\"]\noutputs = [\"build/{name}\"]\n\
         {more}\nrun = \"({command}) > build/{name}\"\n"
    )
}

/// A project whose words are about people.
fn personal(name: &str, stages: &[String]) -> Project {
    let project = Project::new(name, &stages.concat());
    project.0.write("reach.pl", REACH);
    let file = project.read("nearside.toml").replace("\"public\"", "\"personal\"");
    project.0.write("nearside.toml", file);
    project
}

/// What every stage reached by its own account, and by that of the answer.
fn networks(data: &Value) -> BTreeMap<String, String> {
    let stages = list(&data["stages"]).iter();
    stages.map(|it| (text(&it["stage"]).to_owned(), text(&it["network"]).to_owned())).collect()
}

#[test]
fn stages_on_personal_data_reach_themselves_alone() {
    if !can_be_cut_off() {
        return;
    }
    let doors = Doors::open("alone");
    let reach = doors.try_from("reach.pl");
    let project = personal(
        "alone",
        &[
            stage("cut", "", &format!("{reach} outside")),
            stage("stated", "network = \"none\"", &reach),
            stage("open", "network = \"open\"", &reach),
        ],
    );
    let data = project.nearside(&["run", "--json"]).exits(0).data();
    let expected = [("cut", "none"), ("open", "open"), ("stated", "none")];
    assert_eq!(networks(&data), results(&expected));
    let cut = "host no: Connection refused\nabstract no\n";
    let outside = "outside no: Network is unreachable\n";
    assert_eq!(project.read("build/cut"), format!("{cut}{outside}own yes\n"));
    assert_eq!(project.read("build/stated"), format!("{cut}own yes\n"));
    assert_eq!(project.read("build/open"), "host yes\nabstract yes\nown yes\n");
    // A rehearsal is on people's data, too.
    project.run(&["--rehearse"], 0);
    let rehearsed = project.read(".nearside/rehearsal/project/build/cut");
    assert_eq!(rehearsed, project.read("build/cut"));
}

#[test]
fn a_shell_reaches_what_the_stage_reaches() {
    if !can_be_cut_off() {
        return;
    }
    let doors = Doors::open("cut-shell");
    let project =
        personal("cut-shell", &[stage("a", "", "cat"), stage("b", "network = \"open\"", "cat")]);
    let reach = doors.try_from("reach.pl");
    let look = project.0.write("look", format!("#!/bin/sh\n{reach} > \"$FOUND\"\nexit 3\n"));
    Command::new("chmod").args(["+x", &look]).status().unwrap();
    for (name, host) in [("a", "host no"), ("b", "host yes")] {
        let arguments = ["run", "--shell", name];
        let mut command = command(&arguments);
        command.env("SHELL", &look).env("FOUND", project.path().join("found"));
        command.current_dir(project.path());
        let run = Run::of(command, &arguments).exits(3);
        assert!(project.read("found").starts_with(host), "{}", project.read("found"));
        assert_eq!(run.stderr.contains("there is no network here"), name == "a", "{}", run.stderr);
    }
}

#[test]
fn only_a_stated_network_is_part_of_what_a_result_depends_on() {
    if !can_be_cut_off() {
        return;
    }
    let project = Project::new("network-key", &stage("a", "", "cat data/words.txt"));
    let all = |result| results(&[("a", result)]);
    assert_eq!(project.run(&[], 0), all("done"));
    // The same words, found to be about people: the result is what it was.
    let file = project.read("nearside.toml").replace("\"public\"", "\"personal\"");
    project.0.write("nearside.toml", &file);
    assert_eq!(project.run(&[], 0), all("current"));
    let opened = file.replace("run =", "network = \"open\"\nrun =");
    project.0.write("nearside.toml", opened);
    assert_eq!(project.run(&[], 0), all("current"));
    let cut = file.replace("run =", "network = \"none\"\nrun =");
    project.0.write("nearside.toml", cut);
    let why = project.nearside(&["why", "a"]).exits(0).stdout;
    assert_eq!(why, "a would run:\n  network is new\n");
    assert_eq!(project.run(&[], 0), all("done"));
}

#[test]
fn nothing_that_was_cut_off_outlives_its_run() {
    if !can_be_cut_off() {
        return;
    }
    let word = format!("87{:06}", std::process::id() % 1_000_000);
    let stages = [stage("a", "", &format!("(setsid sleep {word} &) ; sleep {word} ; echo x"))];
    let project = personal("cut-killed", &stages);
    for signal in ["KILL", "INT"] {
        let mut child = project.start(&["run", "--force"]);
        eventually("the stage", || is_running(&word));
        let number = child.id().to_string();
        Command::new("kill").args(["-s", signal, &number]).status().unwrap();
        child.wait().unwrap();
        eventually("the end of the tree", || !is_running(&word));
    }
}

/// Runs a project in a user namespace that may have no network namespaces.
fn refused(project: &Project, arguments: &[&str]) -> Run {
    let program = command(arguments);
    let script = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$@\"";
    let mut within = Command::new("unshare");
    within.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]);
    within.arg(program.get_program()).args(arguments).current_dir(project.path());
    for (name, value) in program.get_envs() {
        if let Some(value) = value {
            within.env(name, value);
        }
    }
    Run::of(within, arguments)
}

#[test]
fn what_cannot_be_cut_off_is_said_before_anything_runs() {
    if !can_be_cut_off() || !has("unshare") {
        return;
    }
    let project = personal("refused", &[stage("a", "", "cat data/words.txt")]);
    if refused(&project, &["catalog", "check", "--json"]).code > 1 {
        eprintln!("SKIPPED: no user namespace can be had; remedy: run it outside of a container");
        return;
    }
    // Nobody asked for it: it runs, and says so.
    let run = refused(&project, &["run"]).exits(0);
    let expected = "a: its network is NOT cut: the system refuses a network namespace of its own";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
    assert_eq!(project.read("build/a"), "one\ntwo\n");
    // The policy would rather not run.
    let file = project.read("nearside.toml");
    project.0.write("nearside.toml", format!("{file}[policy]\nsandbox = \"required\"\n"));
    let run = refused(&project, &["run", "--force"]).exits(4);
    assert!(run.stderr.contains("stage \"a\" must run without a network"), "{}", run.stderr);
    // Stated, even by the last stage: nothing runs.
    let stages = [
        stage("first", "network = \"open\"", "echo ran"),
        stage("last", "after = [\"first\"]\nnetwork = \"none\"", "cat"),
    ];
    let project = personal("refused-stated", &stages);
    let run = refused(&project, &["run"]).exits(4);
    let expected = "stage \"last\" must run without a network, and cannot: the system refuses";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
    assert!(run.stderr.contains("network = \"open\"") && !run.stderr.contains("first runs"));
    assert_eq!(project.read("build/first"), "");
}

/// Gives a folder and all in it to a user.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().flatten().for_each(|entry| give(&entry.path(), user));
    }
}

/// A user without privileges.
const NOBODY: u32 = 65534;

#[test]
fn a_user_without_privileges_is_cut_off_and_keeps_its_files() {
    if !can_be_cut_off() {
        return;
    }
    let doors = Doors::open("nobody");
    let reach = doors.try_from("reach.pl");
    let project = personal("nobody", &[stage("a", "", &format!("id -u; id -g; {reach}"))]);
    let own = fs::metadata(project.path()).unwrap().uid();
    let user = if own == 0 { NOBODY } else { own };
    let as_user = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.current_dir(project.path());
        // Its own keys: those of others are not for it to read.
        command.env("NEARSIDE_CONFIG_DIR", project.path().join("configuration"));
        if own == 0 {
            command.uid(user).gid(user);
        }
        command
    };
    let tried = as_user(&["__sandbox"]).status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no other user with a namespace; remedy: a kernel that allows them");
        return;
    }
    if own == 0 {
        give(project.path(), user);
    }
    let arguments = ["run", "--json"];
    let data = Run::of(as_user(&arguments), &arguments).exits(0).data();
    assert_eq!(networks(&data)["a"], "none");
    let found = project.read("build/a");
    let expected = "host no: Connection refused\nabstract no\nown yes\n";
    assert!(found.starts_with(&format!("{user}\n")) && found.ends_with(expected), "{found}");
    assert_eq!(fs::metadata(project.path().join("build/a")).unwrap().uid(), user);
}
