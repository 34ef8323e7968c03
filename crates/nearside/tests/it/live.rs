//! The table of a run on a terminal: what it shows while stages run, and what it leaves. The program
//! runs under a pseudo terminal, and what it writes is looked at as a terminal would show it.

use std::process::{Command, Stdio};

use crate::command::command;
use crate::project::Project;
use crate::screen::Screen;

/// Starts a command under a pseudo terminal of so many columns and lines, gives out what it writes, and
/// presses Ctrl-C once a text was seen. Its stdout is the terminal too, or nowhere.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
columns, lines, stdout, until, *words = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    size = struct.pack("HHHH", int(lines), int(columns), 0, 0)
    fcntl.ioctl(2, termios.TIOCSWINSZ, size)
    if stdout == "nowhere":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(words[0], words)
seen = b""
while True:
    try:
        more = os.read(terminal, 65536)
    except OSError:
        break
    if not more:
        break
    seen += more
    if until and until.encode() in seen:
        os.write(terminal, b"\x03")
        until = ""
sys.stdout.buffer.write(seen)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

/// A stage that is there, one that takes seconds, a matrix beside it, one that fails, one that waits for it.
const STAGES: &str = r#"
[stage.sort]
phase = "prepare"
inputs = ["words"]
outputs = ["build/sorted"]
run = "sort data/words.txt > build/sorted"
[stage.train]
phase = "train"
inputs = ["build/sorted"]
outputs = ["build/trained"]
run = "sleep 2.2; cp build/sorted build/trained"
[stage.tune]
phase = "tuning"
inputs = ["build/sorted"]
outputs = ["build/tuned"]
matrix = { rank = [1, 2, 3] }
run = "mkdir -p build/tuned; sleep 0.6; touch build/tuned/{rank} undeclared"
[stage.check]
phase = "features"
inputs = ["words"]
outputs = ["build/checked"]
run = "sleep 1; exit 3"
[stage.use]
phase = "evaluate"
inputs = ["build/checked"]
outputs = ["build/used"]
run = "cp build/checked build/used"
"#;

/// A terminal that a run is looked at on.
struct Terminal {
    columns: usize,
    lines: usize,
    /// Where the answer goes: `here` or `nowhere`.
    stdout: &'static str,
    /// Ctrl-C is pressed when this is seen.
    until: &'static str,
    variables: &'static [(&'static str, &'static str)],
}

const TERMINAL_OF_PEOPLE: Terminal =
    Terminal { columns: 100, lines: 30, stdout: "here", until: "", variables: &[] };

impl Terminal {
    /// What a run writes and how it ends; nothing where there are no pseudo terminals.
    fn shows(&self, project: &Project, arguments: &[&str]) -> Option<(Screen, i32)> {
        let python = Command::new("python3").args(["-c", "import pty, termios"]).output();
        if !python.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: pseudo terminals need python3; remedy: apt install python3");
            return None;
        }
        let around = command(&[]);
        let set = around.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut run = Command::new("python3");
        run.args(["-c", TERMINAL, &self.columns.to_string(), &self.lines.to_string()])
            .args([self.stdout, self.until, env!("CARGO_BIN_EXE_nearside"), "run"])
            .args(arguments)
            .current_dir(project.path())
            .envs(set)
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(self.variables.iter().copied())
            .stdin(Stdio::null());
        let ended = run.output().unwrap();
        let code = ended.status.code().unwrap();
        let written = String::from_utf8(ended.stdout).unwrap();
        assert!(!written.contains("panicked"), "{written}");
        // The cursor is never hidden, so it need not be shown again.
        assert!(!written.contains("\x1b[?"), "{written:?}");
        Some((Screen::of(&written, self.columns), code))
    }
}

/// The words before the figures of a line: a stage and its state.
fn states(picture: &str) -> Vec<String> {
    let words = |line: &str| {
        let words = line.split("  ").map(str::trim).filter(|word| !word.is_empty());
        words.take(2).collect::<Vec<_>>().join(" ")
    };
    picture.lines().map(words).collect()
}

#[test]
fn a_table_shows_how_stages_stand_and_gives_way_to_the_answer() {
    let project = Project::new("live", STAGES);
    project.nearside(&["run", "--only", "sort"]).exits(0);
    let arguments = ["--jobs", "3", "--keep-going"];
    let Some((screen, code)) = TERMINAL_OF_PEOPLE.shows(&project, &arguments) else { return };
    assert_eq!(code, 5);
    let seen: Vec<_> = screen.pictures.iter().map(|picture| states(picture)).collect();
    let is_seen = |states: &[&str]| {
        seen.iter().any(|seen| states.iter().all(|it| seen.contains(&(*it).to_owned())))
    };
    let all = &screen.pictures;
    assert!(
        is_seen(&[
            "sort up to date",
            "train running",
            "tune running 1/3",
            "check running",
            "use waiting"
        ]),
        "{all:#?}"
    );
    assert!(is_seen(&["tune running 2/3"]) && is_seen(&["tune running 3/3"]), "{all:#?}");
    assert!(is_seen(&["train running", "check failed", "use skipped"]), "{all:#?}");
    // It is drawn a few times a second.
    assert!((4..100).contains(&all.len()), "{}", all.len());
    // What is left: a warning, and the answer.
    let left = screen.text();
    assert_eq!(left.matches("stage").count(), 1, "{left}");
    assert!(left.starts_with("warning: tune: wrote undeclared"), "{left}");
    assert!(left.contains("\nuse    skipped"), "{left}");
    assert!(!left.contains("running") && !left.contains("progress"), "{left}");
    // What ran before is expected to take as long.
    let again = ["--only", "train", "--force"];
    let (screen, code) = TERMINAL_OF_PEOPLE.shows(&project, &again).unwrap();
    assert_eq!(code, 0);
    assert!(
        screen
            .pictures
            .iter()
            .any(|picture| picture.contains(" s  of 2.") && picture.contains("[#####")),
        "{:#?}",
        screen.pictures
    );
    // A run with nothing to do draws nothing.
    let (screen, _) = TERMINAL_OF_PEOPLE.shows(&project, &["--only", "train"]).unwrap();
    assert_eq!((screen.pictures.len(), screen.text()), (0, "1 stage is up to date".to_owned()));
}

#[test]
fn a_table_fits_its_terminal_and_stays_where_the_answer_is_elsewhere() {
    let project = Project::new("live-small", STAGES);
    let small = Terminal { columns: 40, lines: 5, stdout: "nowhere", ..TERMINAL_OF_PEOPLE };
    let Some((screen, code)) = small.shows(&project, &["--jobs", "3", "--keep-going"]) else {
        return;
    };
    assert_eq!(code, 5);
    for picture in &screen.pictures {
        assert!(picture.lines().count() < 5, "{picture}");
        assert!(picture.lines().all(|line| line.chars().count() < 40), "{picture}");
    }
    let left = screen.text();
    let lines = states(&left);
    let last: Vec<_> = lines.iter().rev().take(4).rev().map(String::as_str).collect();
    assert_eq!(
        last,
        ["stage state", "check failed", "use skipped", "... 3 more: 3 done"],
        "{left}"
    );
}

#[test]
fn ctrl_c_leaves_a_clean_terminal() {
    let project = Project::new("live-interrupted", STAGES);
    let terminal = Terminal { until: "running", ..TERMINAL_OF_PEOPLE };
    let Some((screen, code)) = terminal.shows(&project, &[]) else { return };
    assert_eq!(code, 5);
    let left = screen.text();
    assert!(left.starts_with("stage  result"), "{left}");
    assert!(left.contains("train  interrupted"), "{left}");
    assert!(!left.contains("running") && !left.contains("^C"), "{left}");
}

#[test]
fn lines_tell_what_happens_where_no_table_is_drawn() {
    let project = Project::new("live-plain", STAGES);
    let dumb = &[("TERM", "dumb"), ("CI", "true")];
    let calm: &[&[(&str, &str)]] = &[&[("NO_COLOR", "1")], &dumb[..1], dumb, &[], &[]];
    let arguments = [&[][..], &[], &[], &["--color", "never"], &["--follow"]];
    for (variables, arguments) in calm.iter().zip(arguments) {
        let terminal = Terminal { variables, ..TERMINAL_OF_PEOPLE };
        let arguments = [&["--only", "check"], arguments].concat();
        let Some((screen, code)) = terminal.shows(&project, &arguments) else { return };
        let left = screen.text();
        assert_eq!((code, screen.pictures.len()), (3, 0), "{left}");
        let lines =
            "progress: check runs\nprogress: check failed: its command ended with exit code 3\n";
        assert!(left.starts_with(lines), "{left}");
    }
}
