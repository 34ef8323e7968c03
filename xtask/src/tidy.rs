//! House rules that the compiler does not know, as ordinary tests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::root;

/// Ground and pure crates from the bottom up; each may use those before it, unless listed below.
const PURE: [&str; 8] =
    ["units", "architecture", "policy", "catalog", "workload", "estimate", "plan", "economics"];

/// What each crate may use: the layer table of the design.
const LAYERS: [(&str, &[&[&str]]); 17] = [
    ("units", &[]),
    ("architecture", &[&["units"]]),
    ("policy", &[&["units"]]),
    ("catalog", &[&["units", "architecture", "policy"]]),
    ("workload", &[&["units", "architecture", "policy", "catalog"]]),
    ("estimate", &[&["units", "architecture", "policy", "catalog", "workload"]]),
    ("plan", &[&["units", "policy", "estimate"]]),
    (
        "economics",
        &[&["units", "architecture", "policy", "catalog", "workload", "estimate", "plan"]],
    ),
    ("store", &[&["units"]]),
    ("fetch", &[]),
    ("probe", &[&PURE, &["store"]]),
    ("run", &[&PURE, &["store"]]),
    ("ledger", &[&PURE, &["store"]]),
    ("privacy", &[&PURE, &["store"]]),
    ("models", &[&["units", "architecture", "policy", "store", "fetch"]]),
    ("report", &[&["units", "economics"]]),
    ("", &[&PURE, &["store", "fetch", "probe", "run", "ledger", "privacy", "models", "report"]]),
];

/// Folders that are not part of the sources.
const NOT_SOURCES: [&str; 5] = [".git", "target", ".venv", ".nearside", "__pycache__"];
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 4] = ["utils", "helpers", "common", "misc"];
/// Lines of a source file, without its tests; tables of test cases may be longer.
const MAX_LINES: usize = 600;
/// What opens a connection. Others go through a crate that does it for them, and what leaves through the gate.
const SOCKETS: [&str; 7] = [
    concat!("Tcp", "Stream"),
    concat!("Tcp", "Listener"),
    concat!("Udp", "Socket"),
    concat!("to", "kio"),
    concat!("ur", "eq"),
    concat!("req", "west"),
    concat!("hy", "per"),
];
/// Files that may: who fetches price lists and models, and who measures the loopback device. Tests beside these.
const MAY_CONNECT: [&str; 8] = [
    "crates/nearside-fetch/Cargo.toml",
    "crates/nearside-fetch/src/agent.rs",
    "crates/nearside-fetch/src/download/transfer.rs",
    "crates/nearside-fetch/src/get.rs",
    "crates/nearside-fetch/src/local.rs",
    "crates/nearside-probe/src/ceiling/loopback.rs",
    "crates/nearside-probe/src/self_test/mod.rs",
    "Cargo.toml",
];
/// Words of those that wait for others to connect, and the places where that is done: what is asked for leaves by them.
const LISTENS: [&str; 3] = [concat!("Tcp", "Listener"), concat!("to", "kio"), concat!("hy", "per")];
const MAY_LISTEN: [&str; 3] = [
    "crates/nearside/Cargo.toml",
    "crates/nearside/src/commands/model/serve.rs",
    "crates/nearside/src/server",
];
/// The one place that crates come from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks every file of the checkout and reports all that is wrong at once.
fn check(rule: impl Fn(&str, &str) -> Vec<String>) {
    let mut complaints = Vec::new();
    for path in sources(root()) {
        let name = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        // What is no UTF-8 is data of a test, not prose or code.
        if let Ok(text) = fs::read_to_string(&path) {
            complaints.extend(rule(&name, &text).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Every file below a folder that belongs to the project, sorted.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = folder
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        !path.is_symlink() && NOT_SOURCES.iter().all(|skipped| name != *skipped)
    };
    let nested = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.into_iter().filter(wanted).flat_map(nested).collect()
}

#[test]
fn crates_use_only_what_is_below_them() {
    check(|name, text| {
        let folder = name.strip_prefix("crates/").and_then(|name| name.strip_suffix("/Cargo.toml"));
        folder.map_or_else(Vec::new, |folder| layer_complaints(folder, text))
    });
}

fn layer_complaints(folder: &str, manifest: &str) -> Vec<String> {
    let short = |name: &str| {
        name.strip_prefix("nearside").map(|rest| rest.trim_start_matches('-').to_owned())
    };
    let Some((_, layers)) = LAYERS.iter().find(|(own, _)| short(folder).as_deref() == Some(*own))
    else {
        return vec!["not in the layer table: a new crate needs a decision note".to_owned()];
    };
    let allowed: Vec<&str> = layers.concat();
    let used = dependencies(manifest).into_iter().filter_map(|name| short(&name));
    used.filter(|used| !allowed.contains(&used.as_str()))
        .map(|used| format!("may not use nearside-{used}"))
        .collect()
}

/// Names in every table of dependencies of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut listed = false;
    for line in manifest.lines().map(str::trim) {
        match line.strip_prefix('[') {
            Some(table) => listed = table.trim_end_matches(']').ends_with("dependencies"),
            None if listed => names.extend(line.split(['.', '=', ' ']).next().map(str::to_owned)),
            None => {}
        }
    }
    names
}

#[test]
fn files_say_what_they_are_for() {
    check(|name, text| match name.ends_with(".rs") {
        true => code_complaints(name, text),
        false => Vec::new(),
    });
}

fn code_complaints(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push("does not open with `//!` and what it answers".to_owned());
    }
    let stem = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".rs");
    if EMPTY_NAMES.contains(&stem) {
        complaints.push("a name that says nothing: what is the one idea of the file?".to_owned());
    }
    let lines = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text).lines().count();
    if lines > MAX_LINES && !name.contains("/tests/") && !text.contains(concat!("@", "generated")) {
        complaints.push(format!("{lines} lines without its tests, more than {MAX_LINES}"));
    }
    complaints
}

#[test]
fn catalog_rows_name_their_source_and_date() {
    check(|name, text| {
        match name.starts_with("crates/nearside-catalog/data/") && name.ends_with(".csv") {
            true => row_complaints(text),
            false => Vec::new(),
        }
    });
}

fn row_complaints(table: &str) -> Vec<String> {
    let mut lines = table.lines().enumerate();
    let head = lines.next().map_or_else(Vec::new, |(_, head)| cells(head));
    let column = |names: &[&str]| head.iter().position(|cell| names.contains(&cell.as_str()));
    // Yearly statistics carry a year in place of a date.
    let (Some(source), Some(date)) = (column(&["source"]), column(&["as_of", "year"])) else {
        return vec!["has no columns source and as_of".to_owned()];
    };
    let empty = |row: &[String], column: usize| row.get(column).is_none_or(String::is_empty);
    lines
        .map(|(number, line)| (number + 1, cells(line)))
        .filter(|(_, row)| row.len() != head.len() || empty(row, source) || empty(row, date))
        .map(|(number, _)| format!("line {number}: needs every column, a source and a date"))
        .collect()
}

/// Cells of a line of CSV; a quoted cell may hold commas and doubled quotes, but no line break.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        match (sign, quoted) {
            ('"', true) if signs.next_if_eq(&'"').is_some() => push(&mut cells, '"'),
            ('"', _) => quoted = !quoted,
            (',', false) => cells.push(String::new()),
            _ => push(&mut cells, sign),
        }
    }
    cells
}

fn push(cells: &mut [String], sign: char) {
    if let Some(cell) = cells.last_mut() {
        cell.push(sign);
    }
}

#[test]
fn nothing_depends_on_one_machine() {
    check(|name, text| {
        let lines = text.lines().enumerate();
        lines
            .filter_map(|(number, line)| Some((number + 1, machine_complaint(name, line)?)))
            .map(|(number, what)| format!("line {number}: {what}"))
            .collect()
    });
}

/// What in a line of a file holds on one machine only.
fn machine_complaint(name: &str, line: &str) -> Option<String> {
    let paths = [concat!("/wo", "rk"), concat!("/ro", "ot")];
    if let Some(path) = paths.iter().find(|path| holds_path(line, path)) {
        return Some(format!("a path of one machine: {path}"));
    }
    let file = name.rsplit('/').next().unwrap_or(name);
    if file == "Cargo.lock" && line.starts_with("source = ") && !line.contains(CRATES_IO) {
        return Some(format!("a crate from elsewhere than crates.io: {line}"));
    }
    // Where packages come from is said in these; a server may well say localhost in its code.
    let fetches = file.ends_with(".lock")
        || file.starts_with("requirements")
        || ["Cargo.toml", "config.toml", "pyproject.toml", "pip.conf", "run"].contains(&file);
    let hosts = ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"];
    let local = hosts.iter().any(|host| line.contains(&format!("://{host}")));
    (fetches && local).then(|| format!("packages from a host of one machine: {line}"))
}

/// Whether a line holds an absolute path at this folder, not just those letters in a longer path.
fn holds_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        let joins = |sign: char| sign.is_alphanumeric() || "_-.".contains(sign);
        !before.is_some_and(|sign| joins(sign) || "})~*".contains(sign))
            && !after.is_some_and(joins)
    })
}

#[test]
fn nothing_connects_past_the_gate() {
    check(connection_complaints);
    let missing: Vec<_> = MAY_CONNECT.iter().filter(|name| !root().join(name).is_file()).collect();
    assert!(missing.is_empty(), "listed, and not there: {missing:?}");
}

/// Words in sources and manifests that open connections, where that is not to be.
fn connection_complaints(name: &str, text: &str) -> Vec<String> {
    let source = name.ends_with(".rs") || name.ends_with("Cargo.toml");
    if !source || name.contains("/tests/") || MAY_CONNECT.contains(&name) {
        return Vec::new();
    }
    let listens = MAY_LISTEN.iter().any(|place| name.starts_with(place));
    let forbidden = |word: &&str| SOCKETS.contains(word) && !(listens && LISTENS.contains(word));
    let words = |line: &str| {
        let apart = |sign: char| !sign.is_alphanumeric() && sign != '_';
        let code = line.split("//").next().unwrap_or(line);
        let found = code.split(apart).find(forbidden);
        found.map(str::to_owned)
    };
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(number, line)| Some((number + 1, words(line)?)))
        .map(|(number, word)| {
            format!(
                "line {number}: {word} opens connections: what leaves goes through policy::Gate"
            )
        })
        .collect()
}

#[test]
fn the_front_page_exists() {
    assert!(root().join("README.md").is_file(), "README.md is missing");
}

mod rules {
    //! The rules find what they are there to find.

    use super::*;

    #[test]
    fn a_crate_that_reaches_up_is_found() {
        let manifest = "[dependencies]\nnearside-units.workspace = true\n\
            nearside-plan = { path = \"x\" }\nserde = \"1\"\n[lints]\nnearside-run = 1\n";
        assert_eq!(layer_complaints("nearside-policy", manifest), ["may not use nearside-plan"]);
        assert_eq!(layer_complaints("nearside-probe", manifest), Vec::<String>::new());
        let target = "[target.'cfg(unix)'.dev-dependencies]\nnearside-run.workspace = true\n";
        assert_eq!(layer_complaints("nearside-probe", target), ["may not use nearside-run"]);
        assert_eq!(layer_complaints("nearside-new", manifest).len(), 1);
        assert_eq!(layer_complaints("nearside", target), Vec::<String>::new());
    }

    #[test]
    fn a_file_without_a_purpose_or_an_end_is_found() {
        assert_eq!(code_complaints("a/span.rs", "//! Spans.\n"), Vec::<String>::new());
        assert_eq!(code_complaints("a/utils.rs", "use std;\n").len(), 2);
        let long = format!("//! Long.\n{}", "\n".repeat(MAX_LINES));
        assert_eq!(code_complaints("a/long.rs", &long).len(), 1);
        let tested = format!("//! Short.\n#[cfg(test)]\nmod tests {{{}}}", "\n".repeat(MAX_LINES));
        assert_eq!(code_complaints("a/tested.rs", &tested), Vec::<String>::new());
    }

    #[test]
    fn what_connects_past_the_gate_is_found() {
        let stream = format!("//! A.\nuse std::net::{};\n", SOCKETS[0]);
        assert_eq!(connection_complaints("crates/a/src/lib.rs", &stream).len(), 1);
        assert!(connection_complaints("crates/a/tests/it/a.rs", &stream).is_empty());
        assert!(connection_complaints(MAY_CONNECT[1], &stream).is_empty());
        let client = format!("[dependencies]\n{} = \"1\"\n", SOCKETS[5]);
        assert_eq!(connection_complaints("crates/a/Cargo.toml", &client).len(), 1);
        let told = format!("//! Like {}.\n", SOCKETS[5]);
        assert!(connection_complaints("crates/a/src/lib.rs", &told).is_empty());
    }

    #[test]
    fn a_row_without_source_or_date_is_found() {
        let table = "name,source,as_of\na,\"page, 2\",2026\nb,,2026\nc,page,\nd,page\n";
        let lines: Vec<String> = row_complaints(table);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("line 3"), "{lines:?}");
        assert_eq!(row_complaints("name,price\n"), ["has no columns source and as_of"]);
        assert_eq!(cells("a,\"say \"\"b\"\", c\",").join("|"), "a|say \"b\", c|");
    }

    #[test]
    fn a_path_or_host_of_one_machine_is_found() {
        let found = |name, line: &str| machine_complaint(name, line).is_some();
        let work = concat!("/wo", "rk");
        assert!(found("a.md", &format!("see {work}/main")));
        assert!(found("a.rs", &format!("\"{work}\"")));
        assert!(!found("a.md", &format!("target{work}/main")));
        assert!(!found("a.md", &format!("{work}load")));
        assert!(found("Cargo.lock", "source = \"registry+http://localhost:8080/index\""));
        assert!(!found("Cargo.lock", &format!("source = \"{CRATES_IO}\"")));
        assert!(found(".cargo/config.toml", "index = \"http://127.0.0.1/index\""));
        assert!(!found("src/server.rs", "serving on http://127.0.0.1:8080"));
    }
}
