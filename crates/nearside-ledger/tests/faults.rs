//! What a ledger does when the world is against it: damaged pages, files that may not be written,
//! programs that are killed, several programs at once.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nearside_ledger::{
    Head, LedgerError, MovementRow, Outcome, ProjectLedger, RunFilter, RunRow, SampleRow, Table,
};

/// Says to the test program that it is a writer, and where it writes.
const WRITER: &str = "NEARSIDE_TEST_LEDGER_WRITER";
/// How many appends the writer does; without end if it is not set.
const APPENDS: &str = "NEARSIDE_TEST_LEDGER_APPENDS";
/// Says to the test program that it may not write, and where the files are.
const STRANGER: &str = "NEARSIDE_TEST_LEDGER_STRANGER";
/// What the writer says after each append, before the head.
const SAID: &str = "head ";
/// Entries of each append of the writer.
const TOGETHER: u64 = 2;
/// SQLite's pages.
const PAGE: usize = 4096;
/// The user and group that own nothing, where there are such.
const NOBODY: u32 = 65534;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("nearside-{name}-{}", std::process::id()));
    let _not_there = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn movement(path: &str) -> MovementRow {
    MovementRow {
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        run: None,
        path: path.to_owned(),
        from_site: "here".to_owned(),
        to_site: "lab".to_owned(),
        bytes: 7,
        digest: "00".to_owned(),
        class: "internal".to_owned(),
        certificate: None,
    }
}

fn run(stage: &str) -> RunRow {
    RunRow {
        run: "r1".to_owned(),
        project: "p".to_owned(),
        plan: None,
        stage: stage.to_owned(),
        trial: String::new(),
        site: "here".to_owned(),
        cache_key: "00".to_owned(),
        outcome: Outcome::Ran,
        exit_code: Some(0),
        began: "2026-11-23T10:00:00Z".parse().unwrap(),
        transfer_seconds: None,
        queue_seconds: None,
        boot_seconds: None,
        run_seconds: Some(1.0),
        predicted_low_seconds: None,
        predicted_likely_seconds: None,
        predicted_high_seconds: None,
        peak_memory_bytes: None,
        predicted_memory_bytes: None,
        energy_joules: None,
        energy_method: None,
        cost_amount: None,
        cost_currency: None,
        operational_grams_co2e: None,
        embodied_grams_co2e: None,
        energy_at_least_joules: None,
        energy_known_parts: None,
        failure: None,
    }
}

/// Adds a run and a sample of it.
fn append(ledger: &mut ProjectLedger, stage: &str) -> Result<u64, LedgerError> {
    ledger.append(|to| {
        let run_entry = to.add(&run(stage))?;
        let (name, unit) = ("memory".to_owned(), "B".to_owned());
        to.add(&SampleRow { run_entry, seconds: 0.5, name, unit, value: 1.0 })
    })
}

/// Appends and says the head after each; not a test unless it is told to be the writer.
#[test]
fn writer() {
    let Some(file) = std::env::var_os(WRITER) else { return };
    let appends = std::env::var(APPENDS).map_or(u64::MAX, |number| number.parse().unwrap());
    let mut ledger = ProjectLedger::open(Path::new(&file)).unwrap();
    for _append in 0..appends {
        append(&mut ledger, &std::process::id().to_string()).unwrap();
        println!("{SAID}{}", ledger.head().unwrap().unwrap());
    }
}

fn start_writer(file: &Path, appends: Option<u64>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writer", "--nocapture"]).env(WRITER, file).stdout(Stdio::piped());
    if let Some(appends) = appends {
        command.env(APPENDS, appends.to_string());
    }
    command.spawn().unwrap()
}

/// The heads that a writer says, until it ends.
fn heads(writer: &mut Child) -> impl Iterator<Item = Head> + use<> {
    let said = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    said.filter_map(|line| line.strip_prefix(SAID)?.parse().ok())
}

#[test]
fn programs_that_write_at_once_keep_one_chain() {
    const EACH: u64 = 250;
    let folder = folder("programs");
    let file = folder.join("ledger.db");
    // Nobody has made the file yet: they also race for that.
    let mut writers = [start_writer(&file, Some(EACH)), start_writer(&file, Some(EACH))];
    let said = writers.each_mut().map(heads).map(Iterator::last);
    for writer in &mut writers {
        assert!(writer.wait().unwrap().success());
    }
    let ledger = ProjectLedger::open_to_read(&file).unwrap().unwrap();
    for head in said {
        let found = ledger.verify(Some(&head.unwrap())).unwrap();
        assert!(found.is_sound(), "{:?}", found.faults);
        assert_eq!(found.entries, 2 * EACH * TOGETHER);
    }
    for writer in &writers {
        let stage = Some(writer.id().to_string());
        let own = ledger.runs(&RunFilter { stage, ..RunFilter::default() }).unwrap();
        assert_eq!(own.len() as u64, EACH);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Moments that look random but are the same in every execution.
fn moments(count: u64) -> impl Iterator<Item = Duration> {
    // The multiplier of D. Knuth's MMIX generator.
    let scattered = (1..=count).map(|at| at.wrapping_mul(6_364_136_223_846_793_005) >> 40);
    scattered.map(|scattered| Duration::from_micros(scattered % 20_000))
}

#[test]
fn a_killed_writer_leaves_a_valid_chain() {
    let folder = folder("killed");
    let file = folder.join("ledger.db");
    let mut noted: Option<Head> = None;
    for moment in moments(25) {
        let mut writer = start_writer(&file, None);
        let mut said = heads(&mut writer);
        let first = said.next().unwrap();
        std::thread::sleep(moment);
        writer.kill().unwrap();
        writer.wait().unwrap();
        let last = said.last().unwrap_or(first);
        // The first to open it after the crash may be one who only reads.
        let ledger = ProjectLedger::open_to_read(&file).unwrap().unwrap();
        for head in noted.iter().chain([&first, &last]) {
            let found = ledger.verify(Some(head)).unwrap();
            assert!(found.is_sound(), "after {moment:?}: {:?}", found.faults);
            assert_eq!(found.entries % TOGETHER, 0, "part of an append");
            assert!(found.entries >= last.number(), "what was committed is gone");
        }
        noted = Some(last);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

fn everything(ledger: &ProjectLedger) -> Result<Vec<u8>, LedgerError> {
    let mut out = Vec::new();
    ledger.write_json_lines(&mut out)?;
    Ok(out)
}

/// Whether damage is an error or a fault; what nothing was recorded in may be anything.
///
/// Whatever is asked of a damaged file is answered or refused; it never panics.
fn is_told(file: &Path, recorded: &[u8]) -> bool {
    let asked = |ledger: ProjectLedger| {
        let _answered = (ledger.runs(&RunFilter::default()), ledger.show(1), ledger.head());
        for table in Table::ALL {
            let _answered = ledger.write_csv(table, &mut std::io::sink());
        }
        let found = ledger.verify(None)?;
        Ok(!found.is_sound() || everything(&ledger)? == recorded)
    };
    ProjectLedger::open_to_read(file)
        .map(Option::unwrap)
        .and_then(asked)
        .unwrap_or_else(|error| error.to_string().contains("ledger.db"))
}

/// What is made of a page.
type Damage = (&'static str, fn(&mut [u8]));

#[test]
fn a_damaged_page_is_told_and_stays_as_it_is() {
    let folder = folder("damaged");
    let file = folder.join("ledger.db");
    let mut ledger = ProjectLedger::open(&file).unwrap();
    for at in 0..40 {
        append(&mut ledger, &format!("stage {at}")).unwrap();
        ledger.add(&movement(&"long/".repeat(60))).unwrap();
    }
    let recorded = everything(&ledger).unwrap();
    drop(ledger);
    let sound = std::fs::read(&file).unwrap();
    let garbage: [Damage; 4] = [
        ("zeros", |page| page.fill(0)),
        ("ones", |page| page.fill(0xFF)),
        ("noise", |page| (0..).zip(page).for_each(|(at, byte)| *byte = (at * 151 % 251) as u8)),
        ("half", |page| page[PAGE / 2..].fill(0x55)),
    ];
    for (page, (name, damage)) in
        (0..sound.len() / PAGE).flat_map(|page| garbage.map(|garbage| (page, garbage)))
    {
        let mut bytes = sound.clone();
        damage(&mut bytes[page * PAGE..(page + 1) * PAGE]);
        std::fs::write(&file, &bytes).unwrap();
        let told = is_told(&file, &recorded);
        assert!(told, "page {page}, {name}: nothing said");
        // Who would add to it either cannot, or adds without touching what is damaged.
        let before = std::fs::read(&file).unwrap();
        assert!(before == bytes, "page {page}, {name}: reading changed the file");
        if ProjectLedger::open(&file).is_err() {
            assert!(std::fs::read(&file).unwrap() == bytes, "page {page}, {name}: overwritten");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_lost_its_end_is_told() {
    let folder = folder("cut");
    let file = folder.join("ledger.db");
    let mut ledger = ProjectLedger::open(&file).unwrap();
    for at in 0..20 {
        append(&mut ledger, &format!("stage {at}")).unwrap();
    }
    let recorded = everything(&ledger).unwrap();
    drop(ledger);
    let sound = std::fs::read(&file).unwrap();
    // To SQLite a file of one byte is a file that was never written.
    for length in (2..sound.len()).step_by(PAGE / 2) {
        std::fs::write(&file, &sound[..length]).unwrap();
        assert!(is_told(&file, &recorded), "{length} bytes");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_folder_or_nothing_in_its_place_is_told() {
    let folder = folder("place");
    let error = ProjectLedger::open(&folder).unwrap_err();
    assert!(matches!(error, LedgerError::Unwritable { .. }), "{error}");
    assert!(error.hint().unwrap().contains("permissions"));
    std::fs::write(folder.join("file"), "").unwrap();
    let error = ProjectLedger::open(&folder.join("file/ledger.db")).unwrap_err();
    assert!(matches!(error, LedgerError::Folder { .. }), "{error}");
    assert!(ProjectLedger::open_to_read(&folder.join("none.db")).unwrap().is_none());
    assert!(!folder.join("none.db").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

/// What somebody finds who may not write; not a test unless it is told where.
#[test]
fn stranger() {
    let Some(folder) = std::env::var_os(STRANGER).map(PathBuf::from) else { return };
    for file in ["locked/ledger.db", "open/ledger.db"].map(|name| folder.join(name)) {
        let error = ProjectLedger::open(&file).unwrap_err();
        assert!(matches!(error, LedgerError::Unwritable { .. }), "{error}");
        let ledger = ProjectLedger::open_to_read(&file).unwrap().unwrap();
        let found = ledger.verify(None).unwrap();
        assert!(found.is_sound() && found.entries == TOGETHER, "{found:?}");
        assert_eq!(ledger.runs(&RunFilter::default()).unwrap().len(), 1);
    }
    for result in [
        ProjectLedger::open(&folder.join("hidden/ledger.db")).map(Some),
        ProjectLedger::open_to_read(&folder.join("hidden/ledger.db")),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, LedgerError::Unwritable { .. }), "{error}");
    }
    let error = ProjectLedger::open(&folder.join("locked/new/ledger.db")).unwrap_err();
    assert!(matches!(error, LedgerError::Folder { .. }), "{error}");
    let error = ProjectLedger::open(&folder.join("locked/new.db")).unwrap_err();
    assert!(matches!(error, LedgerError::Unwritable { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn who_may_not_write_reads_and_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    let folder = folder("stranger");
    let allow = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, file_mode, folder_mode) in
        [("locked", 0o444, 0o555), ("open", 0o444, 0o777), ("hidden", 0o000, 0o555)]
    {
        let file = folder.join(name).join("ledger.db");
        append(&mut ProjectLedger::open(&file).unwrap(), "tune").unwrap();
        allow(&file, file_mode);
        allow(&folder.join(name), folder_mode);
    }
    allow(&folder, 0o755);
    // The superuser may write everything, so another user has to look.
    let program = folder.join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["--exact", "stranger"]).env(STRANGER, &folder);
    let superuser =
        std::fs::OpenOptions::new().append(true).open(folder.join("locked/ledger.db")).is_ok();
    if superuser {
        command.uid(NOBODY).gid(NOBODY);
    }
    match command.status() {
        Ok(status) => assert!(status.success(), "see what the stranger says"),
        Err(error) => println!("SKIPPED: no other user can be had here: {error}"),
    }
    for name in ["locked", "open", "hidden"] {
        allow(&folder.join(name), 0o755);
    }
    std::fs::remove_dir_all(folder).unwrap();
}
