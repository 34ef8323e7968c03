//! Recorded machines, healthy and not, and what the doctor says of each.
//!
//! `tests/fixtures/doctor/NAME.tree` is a machine, `NAME.verdicts` what is found on it;
//! `NEARSIDE_UPDATE=1 cargo test -p nearside-probe --test doctor` writes the latter anew.

#![cfg(unix)]

mod tree;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nearside_catalog::Catalog;
use nearside_probe::doctor::{
    Check, DataKind, Place, Reference, Section, Status, checks, facts, rules,
};
use tree::{SOUND, Tree, fixtures};

const PROJECT: &str = "/home/ada/project";

/// The failures that every doctor has to find, and the checks that find them.
const FAILURES: [(&str, &str); 25] = [
    ("1 no kernel image", "torch-kernels"),
    ("2 driver and library differ", "driver-library-match"),
    ("3 a wheel for processors", "torch-cpu-only"),
    ("4 a driver below the floor", "driver-floor"),
    ("5 three versions of CUDA", "cuda-versions"),
    ("6 containers without devices", "container-runtime"),
    ("6 a snap", "docker-snap"),
    ("6 without root", "docker-rootless"),
    ("6 a stale CDI file", "cdi-driver"),
    ("7 little shared memory", "shared-memory"),
    ("8 lost after a suspend", "cuda-starts"),
    ("8 not kept", "suspend"),
    ("9 nouveau", "nouveau"),
    ("9 Secure Boot", "secure-boot"),
    ("9 DKMS", "driver-module"),
    ("9 headers", "kernel-headers"),
    ("10 permissions", "device-permission"),
    ("11 gfx", "rocm-architecture"),
    ("12 Rosetta", "python-architecture"),
    ("12 macOS", "macos-version"),
    ("13 hidden devices", "visible-devices"),
    ("14 a full disk", "disk-space"),
    ("14 a slow cache", "cache-disk"),
    ("15 KASLR and HMM", "hmm-kaslr"),
    ("16 an old generation", "card-generation"),
];

/// Names of all machines, sorted.
fn cases() -> Vec<String> {
    let entries = fixtures().read_dir().expect(SOUND);
    let names = entries.map(|entry| entry.expect(SOUND).file_name().into_string().expect(SOUND));
    let mut cases: Vec<_> =
        names.filter_map(|name| Some(name.strip_suffix(".tree")?.to_owned())).collect();
    cases.sort();
    cases
}

fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::builtin().expect(SOUND))
}

fn examined(tree: &Tree) -> Vec<Check> {
    let project = tree.root.join(PROJECT.trim_start_matches('/'));
    let project = project.is_dir().then_some(Path::new(PROJECT));
    let facts = facts(&Place { root: &tree.root, project, variables: None });
    let data = if tree.personal { DataKind::Personal } else { DataKind::Other };
    let today = "2026-11-23".parse().expect(SOUND);
    checks(&facts, &Reference { catalog: catalog(), today, data })
}

/// Problems in full, the rest by name.
fn verdicts(checks: &[Check]) -> String {
    let mut text = String::new();
    for status in [Status::Fault, Status::Warning] {
        for check in checks.iter().filter(|check| check.status == status) {
            let about = check.about.as_ref().map_or(String::new(), |about| format!(" ({about})"));
            let _ = writeln!(text, "{status} {}{about}: {}", check.rule.id, check.title);
            for evidence in &check.evidence {
                let _ = writeln!(text, "  seen {evidence}");
            }
            for fix in &check.fix {
                let _ = writeln!(text, "  fix  {fix}");
            }
        }
    }
    for check in checks.iter().filter(|check| check.status == Status::Unknown) {
        let _ = writeln!(text, "unknown {}: {}", check.rule.id, check.title);
    }
    for status in [Status::Ok, Status::NotApplicable] {
        let ids = checks.iter().filter(|check| check.status == status).map(|check| check.rule.id);
        let ids: BTreeSet<_> = ids.collect();
        let _ = writeln!(text, "{status}: {}", ids.into_iter().collect::<Vec<_>>().join(" "));
    }
    text
}

/// A problem says what was seen and how to repair it, and its rule is listed.
fn complete(case: &str, check: &Check) {
    let id = check.rule.id;
    assert!(rules().iter().any(|rule| rule.id == id), "{id} is not listed");
    if check.status >= Status::Warning {
        assert!(!check.fix.is_empty(), "{case}: {id} has no fix");
        // What is not set is nowhere to be seen.
        assert!(!check.evidence.is_empty() || id == "telemetry", "{case}: {id} has no evidence");
    }
}

#[test]
fn each_machine_has_its_verdicts() {
    let update = std::env::var_os("NEARSIDE_UPDATE").is_some();
    let mut different = Vec::new();
    for case in cases() {
        let checks = examined(&Tree::unfold(&case, "verdicts"));
        checks.iter().for_each(|check| complete(&case, check));
        let found = verdicts(&checks);
        let file = fixtures().join(format!("{case}.verdicts"));
        if update {
            std::fs::write(&file, &found).expect(SOUND);
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            different.push(format!("{case}\n{found}\nexpected\n{expected}"));
        }
    }
    let how = "NEARSIDE_UPDATE=1 cargo test -p nearside-probe --test doctor accepts what was found";
    assert!(different.is_empty(), "{}\n{how}", different.join("\n"));
}

#[test]
fn a_healthy_machine_gives_no_warning() {
    let healthy: Vec<_> = cases()
        .into_iter()
        .filter(|case| case.starts_with("healthy") || case == "mounted-disk")
        .collect();
    assert!(healthy.len() >= 9, "{healthy:?}");
    for case in healthy {
        let checks = examined(&Tree::unfold(&case, "healthy"));
        let problems: Vec<_> = checks
            .iter()
            .filter(|check| matches!(check.status, Status::Warning | Status::Fault))
            .map(|check| format!("{}: {}", check.rule.id, check.title))
            .collect();
        assert!(problems.is_empty(), "{case}: {problems:?}");
    }
}

#[test]
fn what_was_not_recorded_accuses_nobody() {
    for kind in ["workstation", "server", "container", "wsl", "mac", "personal-data"] {
        let case = format!("healthy-{kind}");
        let whole = Tree::unfold(&case, "parts");
        // A file there says where a machine is; without it, it is another one.
        let entries = whole.root.read_dir().expect(SOUND).flatten();
        let entries = entries.filter(|entry| entry.path().is_dir());
        let parts: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        for part in &parts {
            let without = Tree::unfold(&case, "without");
            without.remove(part.to_str().expect(SOUND));
            accuses_nobody(&format!("{case} without {part:?}"), &without);
            let alone = Tree::unfold(&case, "alone");
            let others = parts.iter().filter(|other| *other != part);
            others.for_each(|other| alone.remove(other.to_str().expect(SOUND)));
            accuses_nobody(&format!("{case}, {part:?} alone"), &alone);
        }
    }
}

#[track_caller]
fn accuses_nobody(case: &str, tree: &Tree) {
    let checks = examined(tree);
    let problems = checks.iter().filter(|check| check.status >= Status::Warning);
    let problems: Vec<_> =
        problems.map(|check| format!("{}: {}", check.rule.id, check.title)).collect();
    assert!(problems.is_empty(), "{case}: {problems:?}");
}

/// Names of rules that a recorded machine breaks, from the verdicts that the test above holds true.
fn broken() -> BTreeSet<String> {
    let texts = cases().into_iter().map(|case| {
        std::fs::read_to_string(fixtures().join(format!("{case}.verdicts"))).expect(SOUND)
    });
    let names = texts.flat_map(|text| {
        let rule = |line: &str| {
            let rest = line.strip_prefix("fault ").or_else(|| line.strip_prefix("warning "))?;
            Some(rest.split([' ', ':']).next()?.to_owned())
        };
        text.lines().filter_map(rule).collect::<Vec<_>>()
    });
    names.collect()
}

#[test]
fn every_rule_is_broken_by_some_machine() {
    let broken = broken();
    for (failure, id) in FAILURES {
        assert!(broken.contains(id), "{failure}: no machine breaks {id}");
    }
    let never: Vec<_> =
        rules().iter().map(|rule| rule.id).filter(|id| !broken.contains(*id)).collect();
    assert_eq!(never, Vec::<&str>::new(), "rules that no recorded machine breaks");
}

#[test]
fn names_of_rules_are_theirs_alone() {
    let ids: Vec<_> = rules().iter().map(|rule| rule.id).collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    for rule in rules() {
        let kebab = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
        assert!(rule.id.chars().all(kebab), "{}", rule.id);
        assert!(!rule.says.is_empty() && !rule.source.is_empty(), "{}", rule.id);
    }
}

#[test]
fn every_section_answers_on_every_machine() {
    for case in ["healthy-workstation", "mounted-disk", "healthy-mac"] {
        let checks = examined(&Tree::unfold(case, "sections"));
        for section in Section::ALL {
            assert!(checks.iter().any(|check| check.rule.section == section), "{case}: {section}");
        }
        assert!(checks.is_sorted_by_key(|check| check.rule.section));
    }
}

/// A number from a number: the same damage every time.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Damages some files: cut, filled with noise, folders, pipes and circles in their place.
fn damage(folder: &Path, seed: &mut u64) {
    for entry in folder.read_dir().expect(SOUND).flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            damage(&path, seed);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        let choice = next(seed) % 10;
        if choice > 4 {
            continue;
        }
        std::fs::remove_file(&path).expect(SOUND);
        match choice {
            0 => std::fs::write(&path, &bytes[..bytes.len() / 2]).expect(SOUND),
            1 => {
                let noise = (0..next(seed) % 300).map(|_| next(seed) as u8);
                std::fs::write(&path, noise.collect::<Vec<_>>()).expect(SOUND);
            }
            2 => std::fs::create_dir(&path).expect(SOUND),
            3 => {
                use rustix::fs::{CWD, FileType, Mode, mknodat};
                mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect(SOUND);
            }
            _ => std::os::unix::fs::symlink(path.file_name().expect(SOUND), &path).expect(SOUND),
        }
    }
}

#[test]
fn damaged_machines_neither_panic_nor_hang() {
    let mut seed = 20_261_123;
    for round in 0..4 {
        for case in
            ["healthy-workstation", "healthy-server", "healthy-radeon", "healthy-mac", "stale-cdi"]
        {
            let tree = Tree::unfold(case, &format!("damaged-{round}"));
            damage(&tree.root, &mut seed);
            let started = Instant::now();
            let checks = examined(&tree);
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "{case} took {:?}",
                started.elapsed()
            );
            assert!(checks.len() > 30, "{case}: {}", checks.len());
            for check in checks {
                let died = check.title.contains("no answer within");
                assert!(!died, "{case}, {}: {}", check.rule.id, check.title);
            }
        }
    }
}

#[test]
fn a_root_that_is_not_there_is_all_unknown() {
    let facts = facts(&Place { root: Path::new("/nonexistent"), project: None, variables: None });
    let today = "2026-11-23".parse().expect(SOUND);
    let data = DataKind::Personal;
    let checks = checks(&facts, &Reference { catalog: catalog(), today, data });
    assert!(checks.iter().all(|check| check.status != Status::Fault), "{}", verdicts(&checks));
}

#[test]
fn this_machine_is_examined_in_every_section() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let facts = facts(&Place { root: Path::new("/"), project: Some(folder), variables: None });
    let today = "2026-11-23".parse().expect(SOUND);
    let data = DataKind::Other;
    let checks = checks(&facts, &Reference { catalog: catalog(), today, data });
    for section in Section::ALL {
        assert!(checks.iter().any(|check| check.rule.section == section), "{section}");
    }
    for check in checks.iter().filter(|check| check.status == Status::Unknown) {
        assert!(!check.title.is_empty(), "{}: unknown without a reason", check.rule.id);
    }
}
