//! Bills of clouds: from files to a bill, and from a bill to what was used month by month.
//!
//! The ledger reads rows of text, the economics say what they mean; here the two meet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearside_catalog::{Catalog, Device, Precision};
use nearside_economics::bill::{
    Accelerators, Bill, COLUMNS, Charge, DeviceTime, Month, MonthUse, RelativeSpeed, Sum, Usage,
    folded, lacking,
};
use nearside_ledger::{ImportError, TableFile};
use nearside_units::{AtLeast, Currency, ExchangeRates, Known, Money};

use crate::error::{CommandError, Fault};

/// Files of one bill, and folders below one another, at most.
const MOST_FILES: usize = 100_000;
const DEEPEST: usize = 12;

/// Columns of exports that are no bill in FOCUS, by what they are.
const OTHER_EXPORTS: [(&str, &str); 5] = [
    ("lineitemunblendedcost", "a Cost and Usage Report of AWS"),
    ("lineitem/unblendedcost", "a Cost and Usage Report of AWS"),
    ("costinbillingcurrency", "a cost export of Azure that is not in FOCUS"),
    ("pretaxcost", "a cost export of Azure that is not in FOCUS"),
    ("billingaccountid.service.id", "Google's own cost export"),
];

/// Bills that were read.
#[derive(Debug)]
pub(crate) struct ReadBill {
    pub(crate) bill: Bill,
    /// Every file with its rows.
    pub(crate) files: Vec<(PathBuf, u64)>,
    /// Into the currency that totals are in.
    pub(crate) rates: ExchangeRates,
}

/// What was used of the cloud in a month.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MonthlyUse {
    /// The month; nothing of rows that do not say.
    pub(crate) month: Option<Month>,
    /// What invoices of that month say.
    pub(crate) cash: AtLeast<Money>,
    /// What was used in it, with purchases in advance spread over it.
    pub(crate) amortised: AtLeast<Money>,
    /// Time on accelerators, by device.
    pub(crate) devices: BTreeMap<Arc<str>, DeviceMonth>,
}

/// Time on a device in a month.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceMonth {
    pub(crate) time: DeviceTime,
    pub(crate) cash: AtLeast<Money>,
    pub(crate) amortised: AtLeast<Money>,
}

/// Reads bills: files, and folders of them. With rates totals are in their currency, without in the one
/// that most rows are billed in.
pub(crate) fn read(
    paths: &[PathBuf],
    catalog: &Catalog,
    rates: Option<&ExchangeRates>,
) -> Result<ReadBill, CommandError> {
    let accelerators = Accelerators::new(catalog);
    let mut bill = Bill::default();
    let mut files = Vec::new();
    for path in files_of(paths)? {
        let rows = read_file(&path, &mut bill, &accelerators)?;
        files.push((path, rows));
    }
    let own = || ExchangeRates::new(bill.currency().unwrap_or(Currency::USD), BTreeMap::new());
    let rates = rates.cloned().unwrap_or_else(own);
    Ok(ReadBill { bill, files, rates })
}

fn read_file(
    path: &Path,
    bill: &mut Bill,
    accelerators: &Accelerators<'_>,
) -> Result<u64, CommandError> {
    let file = TableFile::open(path).map_err(|error| unreadable(&error))?;
    let found = file.columns();
    let missing = lacking(found);
    if !missing.is_empty() {
        return Err(no_bill(path, found, &missing));
    }
    let names: Vec<String> = found.iter().map(|name| folded(name)).collect();
    let place = |column: &&str| names.iter().position(|name| *name == folded(column));
    let wanted: Vec<Option<usize>> = COLUMNS.iter().map(place).collect();
    let rows = file.each_row(&wanted, &mut |row| {
        bill.add(&Charge::read(row.cells, row.digest), accelerators);
    });
    rows.map_err(|error| unreadable(&error))
}

fn unreadable(error: &ImportError) -> CommandError {
    let fault = if error.is_of_the_world() { Fault::World } else { Fault::Input };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    let command = CommandError::new(fault, format!("{error}{}", cause.unwrap_or_default()));
    match error.hint() {
        Some(hint) => command.hint(hint),
        None => command,
    }
}

/// A table that is no bill: what it lacks, what it has, and what it may be.
fn no_bill(path: &Path, found: &[String], missing: &[&str]) -> CommandError {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = found.iter().take(SHOWN).map(String::as_str).collect();
    let more = match found.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "{} is no bill in FOCUS: it lacks {}; it has {}{more}",
        path.display(),
        missing.join(", "),
        shown.join(", ")
    );
    let names: Vec<String> = found.iter().map(|name| folded(name)).collect();
    let other = OTHER_EXPORTS.iter().find(|(column, _)| names.iter().any(|name| name == column));
    let is = other.map(|(_, what)| format!("this looks like {what}: ")).unwrap_or_default();
    CommandError::new(Fault::Input, message).hint(format!(
        "{is}export it as FOCUS 1.0 or 1.2 (AWS Data Exports, Azure Cost Management exports, Google's \
         FOCUS export to BigQuery)"
    ))
}

/// The files that paths mean, each once, in the order of their names.
fn files_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for path in paths {
        let files = if path.is_dir() { in_folder(path)? } else { vec![path.clone()] };
        if files.is_empty() {
            let message = format!("no CSV or Parquet file is in {}", path.display());
            return Err(CommandError::new(Fault::Input, message)
                .hint("name the files, or the folder that an export was written to"));
        }
        for file in files {
            let same = std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if known.insert(same) {
                found.push(file);
            }
        }
    }
    Ok(found)
}

/// Tables in a folder and in those below it.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let failed = |error: &std::io::Error| {
            CommandError::new(Fault::World, format!("cannot read {}: {error}", folder.display()))
        };
        for entry in std::fs::read_dir(&folder).map_err(|error| failed(&error))? {
            let path = entry.map_err(|error| failed(&error))?.path();
            if path.is_dir() && depth < DEEPEST {
                folders.push((path, depth + 1));
            } else if is_table(&path) {
                found.push(path);
            }
        }
        if found.len() > MOST_FILES {
            let message = format!("more than {MOST_FILES} files are in {}", folder.display());
            return Err(CommandError::new(Fault::Input, message));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name is that of a table. Names that begin with a dot or a line are notes of programs.
fn is_table(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("").to_ascii_lowercase();
    let ends = [".csv", ".csv.gz", ".gz", ".parquet"];
    !name.starts_with(['.', '_']) && ends.iter().any(|end| name.ends_with(end))
}

impl ReadBill {
    /// What was used, month by month.
    pub(crate) fn monthly(&self) -> Vec<MonthlyUse> {
        let mut devices: BTreeMap<Month, BTreeMap<Arc<str>, MonthUse>> = BTreeMap::new();
        for (kind, used) in self.bill.usage().kinds() {
            for (month, part) in &used.months {
                let of_month = devices.entry(*month).or_default();
                of_month.entry(Arc::clone(&kind.device)).or_default().merge(part);
            }
        }
        let sum = |sum: &Sum| sum.converted(&self.rates);
        let months = self.bill.months().into_iter().map(|(month, (cash, amortised))| {
            let of_month = month.and_then(|month| devices.remove(&month)).unwrap_or_default();
            let devices = of_month.into_iter().map(|(device, used)| {
                let (cash, amortised) = (sum(&used.cash), sum(&used.amortised));
                (device, DeviceMonth { time: used.device_time, cash, amortised })
            });
            MonthlyUse {
                month,
                cash: sum(&cash),
                amortised: sum(&amortised),
                devices: devices.collect(),
            }
        });
        months.collect()
    }
}

/// How fast a near device is beside a far one, and how that is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KnownSpeed {
    pub(crate) speed: RelativeSpeed,
    pub(crate) basis: String,
}

/// By the catalog: the lesser of the ratios of 16-bit arithmetic and of memory bandwidth, because a bill
/// does not say which of the two the work needed.
pub(crate) fn speed(near: &Device, far: &Device) -> Known<KnownSpeed> {
    if near.name == far.name {
        return Known::Value(KnownSpeed {
            speed: RelativeSpeed::SAME,
            basis: "the same device".to_owned(),
        });
    }
    let arithmetic = match (near.measured_16bit(), far.measured_16bit()) {
        (Known::Value(near), Known::Value(far)) => Known::Value(near.value / far.value),
        _ => near
            .best_peak(Precision::Fp16)
            .zip(far.best_peak(Precision::Fp16))
            .map(|(near, far)| near.value / far.value),
    };
    let bandwidth = near.bandwidth().zip(far.bandwidth()).map(|(near, far)| near.value / far.value);
    let what = |which: &str| format!("ratio of {which}, by the catalog");
    let (ratio, basis) = match (arithmetic, bandwidth) {
        (Known::Value(arithmetic), Known::Value(bandwidth)) if arithmetic < bandwidth => {
            (arithmetic, what("16-bit arithmetic, which is less than that of bandwidth"))
        }
        (Known::Value(_), Known::Value(bandwidth)) => {
            (bandwidth, what("memory bandwidth, which is less than that of 16-bit arithmetic"))
        }
        (Known::Value(ratio), Known::Unknown(_)) => (ratio, what("16-bit arithmetic alone")),
        (Known::Unknown(_), Known::Value(ratio)) => (ratio, what("memory bandwidth alone")),
        (Known::Unknown(why), Known::Unknown(_)) => return Known::Unknown(why),
    };
    let speed = RelativeSpeed::new(ratio).map(|speed| KnownSpeed { speed, basis });
    Known::from_option(speed, format!("{} is not to be compared with {}", near.name, far.name))
}

/// How fast a near device is beside each far one that was used, as stated or by the catalog; and what a reader
/// should know. Work on devices whose speed is not known is left out.
pub(crate) fn speeds(
    near: &Device,
    usage: &Usage,
    stated: Option<RelativeSpeed>,
    catalog: &Catalog,
) -> (BTreeMap<Arc<str>, KnownSpeed>, Vec<String>) {
    let (mut speeds, mut notes) = (BTreeMap::new(), Vec::new());
    let devices: BTreeSet<&Arc<str>> = usage.kinds().map(|(kind, _)| &kind.device).collect();
    for name in devices {
        let Ok(far) = catalog.device(name) else { continue };
        let by_hand =
            |speed| Known::Value(KnownSpeed { speed, basis: "stated with --speed".to_owned() });
        match stated.map_or_else(|| speed(near, far), by_hand) {
            Known::Value(known) => {
                notes.extend(less_memory(near, far));
                speeds.insert(Arc::clone(name), known);
            }
            Known::Unknown(why) => notes.push(format!(
                "work on {name} is taken to stay far, because how fast {} is beside it is not known: {why}",
                near.name
            )),
        }
    }
    (speeds, notes)
}

/// Whether the near device may be too small for what the far one did.
fn less_memory(near: &Device, far: &Device) -> Option<String> {
    match (near.memory(), far.memory()) {
        (Known::Value(small), Known::Value(large)) if small.value < large.value => Some(format!(
            "{} has {}, {} has {}: whether the work fits is not in a bill; ask `nearside fit MODEL --on {}`",
            near.name, small.value, far.name, large.value, near.name
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_the_lesser_of_two_ratios() {
        let catalog = Catalog::builtin().expect("the built-in catalog");
        let device = |name: &str| catalog.device(name).expect("a device").clone();
        let ratio = |near: &str, far: &str| {
            speed(&device(near), &device(far)).value().expect("figures").speed.ratio()
        };
        assert!((ratio("rtx-4090", "rtx-4090") - 1.0).abs() < 1e-12);
        let (there, back) = (ratio("rtx-4090", "a10g"), ratio("a10g", "rtx-4090"));
        assert!(there > 1.0 && back < 1.0 && there * back <= 1.0 + 1e-9, "{there} {back}");
    }

    #[test]
    fn only_tables_of_a_folder_are_read() {
        for (name, is) in [
            ("a.csv", true),
            ("part-0.snappy.parquet", true),
            ("x.CSV.GZ", true),
            ("manifest.json", false),
            ("_SUCCESS", false),
            ("._a.csv", false),
        ] {
            assert_eq!(is_table(Path::new(name)), is, "{name}");
        }
    }
}
