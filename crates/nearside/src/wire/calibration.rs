//! Which calibration holds on which site: what was measured on this machine holds here only.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use nearside_catalog::Site;
use nearside_estimate::Calibration;
use nearside_ledger::{CeilingRow, MachineStore};
use nearside_probe::ceiling::{CeilingName, Reached};
use nearside_units::{Basis, FlopsPerSecond, Kind, Sourced, Span};

use super::ceilings::{Conditions, fingerprint, reached};
use crate::environment;
use crate::error::{CommandError, Fault};

/// What products of 16- and 8-bit numbers may reach over 32-bit ones where a processor has tiles
/// for them (AMX): PyTorch's bfloat16 products took a third to a fifth of the time of its 32-bit
/// ones on two threads of such a Xeon.
const TILES: f64 = 6.0;

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
            match stored(&fingerprint(&site.machine)) {
                Ok(rows) => {
                    here.insert(Arc::clone(&site.name), calibration(&rows));
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

/// The file of this machine.
pub(crate) fn machine_file() -> Result<PathBuf, CommandError> {
    environment::machine_file().ok_or_else(|| {
        CommandError::new(Fault::World, "there is no folder to keep measurements in")
            .hint("set HOME, or NEARSIDE_DATA_DIR to a folder")
    })
}

/// The newest ceilings of a machine; none when nothing was ever measured.
pub(crate) fn stored(machine: &str) -> Result<Vec<CeilingRow>, CommandError> {
    let Some(path) = environment::machine_file() else { return Ok(Vec::new()) };
    let world = |error: nearside_ledger::LedgerError| {
        CommandError::new(Fault::World, error.to_string())
            .hint(format!("move {} away and measure again", path.display()))
    };
    match MachineStore::open_existing(&path).map_err(world)? {
        Some(store) => store.newest_ceilings(machine).map_err(world),
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
    calibration.here.read = bandwidth(CeilingName::MemoryRead);
    calibration.here.update = bandwidth(CeilingName::MemoryTriad);
    if let Some(rate) = bandwidth(CeilingName::DiskRead) {
        calibration.kernels.load_rate = rate;
    }
    let integer = match found(rows, CeilingName::MatrixInt8) {
        Some((Reached::Arithmetic(span), _)) => Some(span),
        _ => None,
    };
    if let (Some(float), Some(integer)) = (&calibration.here.matrix, integer) {
        let share = narrow_share(rows, float.value, integer, &calibration);
        calibration.processor.narrow_product_share = share;
    }
    calibration
}

/// A ceiling with its date and conditions.
fn found(rows: &[CeilingRow], name: CeilingName) -> Option<(Reached, Basis)> {
    let row = rows.iter().find(|row| row.name == name.to_string())?;
    let source = format!("doctor --measure: {}", Conditions::of(row).line());
    let basis = Basis { kind: Kind::Measured, source: source.into(), as_of: Some(row.measured_on) };
    Some((reached(row)?, basis))
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
    let tiles = rows
        .iter()
        .any(|row| Conditions::of(row).features.iter().any(|feature| feature.starts_with("amx_")));
    let measured = integer.likely() / float.likely();
    let (most, how) = match tiles {
        true if measured < TILES => (TILES, "the processor has tiles for them (AMX)"),
        _ => (measured, "8-bit products were measured"),
    };
    let low = assumed.value.low();
    let likely = assumed.value.likely();
    match Span::new(low, likely, most.max(assumed.value.high())) {
        Ok(share) => {
            Sourced::new(share, Basis::assumed(format!("{}; {how}", assumed.basis.source)))
        }
        Err(_) => assumed.clone(),
    }
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
        assert!((high(400e9, &["amx_bf16"]) - TILES).abs() < 1e-9);
        assert!((high(100e9, &[]) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn a_unit_that_is_no_rate_counts_for_nothing() {
        let rows = [row(CeilingName::MemoryRead, "FLOP/s", 10e9, &[])];
        assert_eq!(calibration(&rows), Calibration::default());
    }
}
