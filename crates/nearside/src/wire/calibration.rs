//! Which calibration holds on which site: what was measured on this machine holds here only, its ceilings and the runs of
//! open models that were measured against their estimates ([`super::observed`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearside_catalog::{Machine, Site};
use nearside_estimate::Calibration;
use nearside_ledger::{CeilingRow, LedgerError, MachineStore, ObservationRow};
use nearside_probe::ceiling::{CeilingName, Reached};
use nearside_units::{Basis, FlopsPerSecond, Kind, Sourced, Span};

use super::ceilings::{Conditions, fingerprint, reached};
use super::observed;
use crate::environment;
use crate::error::{CommandError, Fault};

/// What products of 16- and 8-bit numbers reach of 32-bit ones where a processor has tiles for them
/// (AMX) that engines use: PyTorch's bfloat16 products were 2.6 to 5.3 times as fast as its 32-bit
/// ones on two threads of such a Xeon.
const TILES: [f64; 3] = [1.0, 2.5, 5.0];

/// Which ceilings of this machine count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ceilings {
    /// Those that were measured, where they were.
    Measured,
    /// Those of machines of its kind, as if nothing had been measured.
    Assumed,
}

/// The calibration of each site.
#[derive(Debug, Default)]
pub(crate) struct Calibrations {
    elsewhere: Calibration,
    here: BTreeMap<Arc<str>, Calibration>,
}

impl Calibrations {
    /// With what was measured on this machine, for the sites that are this machine. What cannot be
    /// read is noted, and then nothing was measured.
    pub(crate) fn measured_on<'a>(
        this_machine: impl IntoIterator<Item = &'a Site>,
        notes: &mut Vec<String>,
    ) -> Self {
        let mut here = BTreeMap::new();
        for site in this_machine {
            match Measured::on(&site.machine) {
                Ok(measured) => {
                    notes.extend(busy(&measured.ceilings));
                    here.insert(Arc::clone(&site.name), measured.calibration(site));
                }
                Err(error) => {
                    let problem = error.problems.into_iter().map(|problem| problem.message);
                    notes.extend(problem.map(|why| format!("measured ceilings not used: {why}")));
                }
            }
        }
        Self { elsewhere: Calibration::default(), here }
    }

    /// The calibration that holds on a site.
    pub(crate) fn of(&self, site: &Site) -> &Calibration {
        self.here.get(&site.name).unwrap_or(&self.elsewhere)
    }
}

/// What was measured on a machine.
pub(crate) struct Measured {
    ceilings: Vec<CeilingRow>,
    runs: Vec<ObservationRow>,
}

impl Measured {
    /// All that is kept of a machine; nothing where nothing was ever measured.
    pub(crate) fn on(machine: &Machine) -> Result<Self, CommandError> {
        let fingerprint = fingerprint(machine);
        Ok(Self { ceilings: stored(&fingerprint)?, runs: observations(&fingerprint)? })
    }

    /// What its ceilings say, as if nothing had run.
    pub(crate) fn before_runs(&self) -> Calibration {
        calibration(&self.ceilings)
    }

    /// The same, with what runs taught.
    pub(crate) fn calibration(&self, site: &Site) -> Calibration {
        observed::taught(self.before_runs(), site, &self.runs)
    }
}

/// Runs that were measured on a machine, oldest first.
pub(crate) fn observations(machine: &str) -> Result<Vec<ObservationRow>, CommandError> {
    read(|store| store.observations(machine))
}

/// The file of this machine.
pub(crate) fn machine_file() -> Result<PathBuf, CommandError> {
    environment::machine_file().ok_or_else(|| {
        CommandError::new(Fault::World, "there is no folder to keep measurements in")
            .hint("set HOME, or NEARSIDE_DATA_DIR to a folder")
    })
}

/// The newest ceilings of a machine, those of a disk where they are of the one that holds the current
/// folder; none when nothing was ever measured.
fn stored(machine: &str) -> Result<Vec<CeilingRow>, CommandError> {
    let disk = nearside_probe::ceiling::disk_of(Path::new(".")).value();
    Ok(newest(history(machine)?, disk.as_deref()))
}

/// The newest of each name, of rows that are oldest first.
fn newest(history: Vec<CeilingRow>, disk: Option<&str>) -> Vec<CeilingRow> {
    let holds = |row: &CeilingRow| Conditions::of(row).holds_on(disk);
    let named = history.into_iter().filter(holds).map(|row| (row.name.clone(), row));
    named.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Every ceiling that was ever measured on a machine, oldest first.
pub(crate) fn history(machine: &str) -> Result<Vec<CeilingRow>, CommandError> {
    read(|store| store.ceilings(machine))
}

fn read<T>(
    rows: impl FnOnce(&MachineStore) -> Result<Vec<T>, LedgerError>,
) -> Result<Vec<T>, CommandError> {
    let Some(path) = environment::machine_file() else { return Ok(Vec::new()) };
    let world = |error: LedgerError| {
        CommandError::new(Fault::World, error.to_string())
            .hint(format!("move {} away and measure again", path.display()))
    };
    match MachineStore::open_existing(&path).map_err(world)? {
        Some(store) => rows(&store).map_err(world),
        None => Ok(Vec::new()),
    }
}

/// A calibration with what was measured in place of what is assumed.
fn calibration(rows: &[CeilingRow]) -> Calibration {
    let mut calibration = Calibration::default();
    let bandwidth = |name| match found(rows, name)? {
        (Reached::Bandwidth(span), basis) => Some(Sourced::new(span, basis)),
        _ => None,
    };
    calibration.here.matrix = match found(rows, CeilingName::MatrixFloat32) {
        Some((Reached::Arithmetic(span), basis)) => Some(Sourced::new(span, basis)),
        _ => None,
    };
    calibration.here.integer = match found(rows, CeilingName::MatrixInt8) {
        Some((Reached::Arithmetic(span), basis)) => Some(Sourced::new(span, basis)),
        _ => None,
    };
    calibration.here.read = bandwidth(CeilingName::MemoryRead);
    calibration.here.update = bandwidth(CeilingName::MemoryTriad);
    if let Some(rate) = bandwidth(CeilingName::DiskRead) {
        calibration.kernels.load_rate = rate;
    }
    if let (Some(float), Some(integer)) = (&calibration.here.matrix, &calibration.here.integer) {
        let share = narrow_share(rows, float.value, integer.value, &calibration);
        calibration.processor.narrow_product_share = share;
    }
    calibration
}

/// A ceiling with its date and conditions.
fn found(rows: &[CeilingRow], name: CeilingName) -> Option<(Reached, Basis)> {
    let row = rows.iter().find(|row| row.name == name.to_string())?;
    let conditions = Conditions::of(row);
    let alone = alone(&conditions);
    let busy = match alone > 1.0 {
        true => format!("; busy, alone up to {} times that", nearside_units::significant(alone)),
        false => String::new(),
    };
    let source = format!("doctor --measure: {}{busy}", conditions.line());
    let basis = Basis { kind: Kind::Measured, source: source.into(), as_of: Some(row.measured_on) };
    let raised = match reached(row)? {
        Reached::Arithmetic(span) => Reached::Arithmetic(raised(span, alone)),
        Reached::Bandwidth(span) => Reached::Bandwidth(raised(span, alone)),
        Reached::Time(span) => Reached::Time(span),
    };
    Some((raised, basis))
}

/// What a program reaches alone over what it reached beside others: of `threads` that `load` others
/// wanted too, it got `threads / (threads + load)`.
fn alone(conditions: &Conditions) -> f64 {
    match conditions.load {
        Some(load) if conditions.is_busy() => 1.0 + load / conditions.threads.max(1) as f64,
        _ => 1.0,
    }
}

/// The same range up to so many times its high end.
fn raised<T: Copy + PartialOrd + std::ops::Mul<f64, Output = T>>(
    span: Span<T>,
    times: f64,
) -> Span<T> {
    Span::new(span.low(), span.likely(), span.high() * times).unwrap_or(span)
}

/// Products of narrow numbers over measured 32-bit ones: up to what 8-bit ones reached here, or
/// tiles might.
fn narrow_share(
    rows: &[CeilingRow],
    float: Span<FlopsPerSecond>,
    integer: Span<FlopsPerSecond>,
    calibration: &Calibration,
) -> Sourced<Span<f64>> {
    let assumed = &calibration.processor.narrow_product_share;
    let has_tiles = rows
        .iter()
        .any(|row| Conditions::of(row).features.iter().any(|feature| feature.starts_with("amx_")));
    let measured = integer.likely() / float.likely();
    let prior = assumed.value;
    let (low, likely, high, how) = match (has_tiles, TILES) {
        (true, [low, likely, high]) => {
            (low, likely, high, "the processor has tiles (AMX) for them")
        }
        _ => (prior.low(), prior.likely(), prior.high(), "8-bit products were measured"),
    };
    match Span::new(low, likely, measured.max(high)) {
        Ok(share) => {
            Sourced::new(share, Basis::assumed(format!("{}; {how}", assumed.basis.source)))
        }
        Err(_) => assumed.clone(),
    }
}

/// A measurement beside other work says how fast the machine is at least.
fn busy(rows: &[CeilingRow]) -> Option<String> {
    let conditions = rows.iter().map(Conditions::of).find(Conditions::is_busy)?;
    Some(format!(
        "this machine was busy when it was measured (load {:.2} on {} threads), so it may be faster; \
         close other programs and run `nearside doctor --measure` again",
        conditions.load.unwrap_or_default(),
        conditions.threads
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_ledger::Figures;

    fn row(name: CeilingName, unit: &str, likely: f64, features: &[&str]) -> CeilingRow {
        let conditions = Conditions {
            threads: 2,
            load: Some(0.25),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
            how: "in a test".to_owned(),
            ..Conditions::default()
        };
        CeilingRow {
            machine: "m".to_owned(),
            name: name.to_string(),
            unit: unit.to_owned(),
            figures: Figures::new(likely * 0.9, likely, likely * 1.1).unwrap(),
            measured_on: "2026-11-23".parse().unwrap(),
            conditions: serde_json::to_string(&conditions).unwrap(),
        }
    }

    #[test]
    fn another_disk_says_nothing_of_this_one() {
        let of_disk = |disk: Option<&str>, likely: f64| {
            let disk = disk.map(str::to_owned);
            let conditions = Conditions { disk, ..Conditions::default() };
            let conditions = serde_json::to_string(&conditions).unwrap();
            CeilingRow { conditions, ..row(CeilingName::DiskRead, "B/s", likely, &[]) }
        };
        let likely = |rows: &[CeilingRow], disk: Option<&str>| {
            let found = newest(rows.to_vec(), disk);
            found.first().map(|row| row.figures.likely())
        };
        let rows = [of_disk(Some("/dev/a"), 1e9), of_disk(Some("/dev/b"), 2e9)];
        assert_eq!(likely(&rows, Some("/dev/a")), Some(1e9));
        assert_eq!(likely(&rows, Some("/dev/c")), None);
        // Where either disk is not known, the newest is all there is.
        assert_eq!(likely(&rows, None), Some(2e9));
        assert_eq!(likely(&[of_disk(None, 3e9)], Some("/dev/a")), Some(3e9));
    }

    #[test]
    fn measured_ceilings_say_when_and_how() {
        let rows = [
            row(CeilingName::MemoryRead, "B/s", 10e9, &[]),
            row(CeilingName::DiskRead, "B/s", 2e9, &[]),
        ];
        let found = calibration(&rows);
        let read = found.here.read.unwrap();
        assert_eq!(read.value.to_string(), "9.00-11.0 GB/s");
        assert_eq!(
            read.basis.to_string(),
            "measured: doctor --measure: 2 threads, load 0.25; in a test (2026-11-23)"
        );
        assert_eq!(found.kernels.load_rate.basis.kind, Kind::Measured);
        assert_eq!((found.here.matrix, found.here.update), (None, None));
        assert_eq!(calibration(&[]), Calibration::default());
    }

    #[test]
    fn narrow_products_may_be_as_fast_as_eight_bits_or_tiles() {
        let high = |integer: f64, features: &[&str]| {
            let rows = [
                row(CeilingName::MatrixFloat32, "FLOP/s", 100e9, features),
                row(CeilingName::MatrixInt8, "FLOP/s", integer, features),
            ];
            calibration(&rows).processor.narrow_product_share.value.high()
        };
        assert!((high(400e9, &["avx2"]) - 4.0).abs() < 1e-9);
        assert!((high(400e9, &["amx_bf16"]) - TILES[2]).abs() < 1e-9);
        assert!((high(900e9, &["amx_bf16"]) - 9.0).abs() < 1e-9);
        assert!((high(100e9, &[]) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn a_busy_machine_is_told() {
        let mut one = row(CeilingName::MemoryRead, "B/s", 10e9, &[]);
        assert_eq!(busy(std::slice::from_ref(&one)), None);
        let conditions = Conditions { threads: 2, load: Some(1.5), ..Conditions::default() };
        one.conditions = serde_json::to_string(&conditions).unwrap();
        assert!(busy(std::slice::from_ref(&one)).unwrap().contains("load 1.50 on 2 threads"));
        // Beside 1.5 others on 2 threads it got 2 of 3.5 parts: alone it may reach 1.75 times that.
        let read = calibration(&[one]).here.read.unwrap();
        assert_eq!(read.value.to_string(), "9.00-19.3 GB/s");
        assert!(read.basis.source.contains("busy, alone up to 1.75 times"), "{}", read.basis);
    }

    #[test]
    fn a_unit_that_is_no_rate_counts_for_nothing() {
        let rows = [row(CeilingName::MemoryRead, "FLOP/s", 10e9, &[])];
        assert_eq!(calibration(&rows), Calibration::default());
    }
}
