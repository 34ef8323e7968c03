//! How far measured ceilings can be trusted: how old they are, and what became of them since.

use std::collections::BTreeMap;

use nearside_ledger::CeilingRow;
use nearside_probe::ceiling::{Cause, CeilingName, Change, Drift, Kept, causes, drift};
use nearside_units::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::wire::ceilings::{Conditions, reached};

/// After so many days a measurement is stale: dust gathers, kernels and settings change.
pub(super) const STALE_DAYS: i64 = 90;

/// The newest measurement of a ceiling, and those before it.
pub(crate) struct Measured<'a> {
    pub(super) newest: &'a CeilingRow,
    earlier: Vec<&'a CeilingRow>,
}

/// How far a measured ceiling can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Confidence {
    /// Days since it was measured.
    pub(crate) age_days: i64,
    /// Whether it is too old to be trusted: 90 days or more.
    pub(crate) stale: bool,
    /// What became of it since the measurements before.
    pub(crate) drift: DriftView,
}

/// What became of a ceiling.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct DriftView {
    /// steady, slower, faster, cannot tell.
    pub(crate) verdict: String,
    /// Why nobody can tell.
    pub(crate) why: Option<String>,
    /// Its speed over the median of earlier ones, where there are any.
    pub(crate) times: Option<f64>,
    /// How far that may lie from 1 by chance.
    pub(crate) noise: f64,
    /// How many earlier measurements it is held against.
    pub(crate) earlier: usize,
    /// What may be behind it, where it became slower.
    pub(crate) causes: Vec<CauseView>,
}

/// What may be behind a ceiling that became slower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct CauseView {
    /// What.
    pub(crate) what: String,
    /// What to look at.
    pub(crate) check: String,
}

/// Every ceiling of a history, oldest first, by name and, for those of disks, by disk.
pub(crate) fn by_name(history: &[CeilingRow]) -> Vec<Measured<'_>> {
    let mut names: BTreeMap<(&str, Option<String>), Vec<&CeilingRow>> = BTreeMap::new();
    for row in history {
        names.entry((&row.name, Conditions::of(row).disk)).or_default().push(row);
    }
    let measured = |mut rows: Vec<_>| Some(Measured { newest: rows.pop()?, earlier: rows });
    names.into_values().filter_map(measured).collect()
}

impl Measured<'_> {
    /// What it is.
    pub(crate) fn title(&self) -> &str {
        let named = self.newest.name.parse::<CeilingName>().map(CeilingName::title);
        named.unwrap_or(&self.newest.name)
    }

    /// How far it can be trusted today.
    pub(crate) fn confidence(&self, today: Date) -> Confidence {
        let age_days = self.newest.measured_on.days_until(today);
        Confidence { age_days, stale: age_days >= STALE_DAYS, drift: self.drift() }
    }

    fn drift(&self) -> DriftView {
        let earlier: Vec<Kept> = self.earlier.iter().filter_map(|row| kept(row)).collect();
        let Some(newest) = kept(self.newest) else {
            let why = "this version does not know its unit".to_owned();
            let unknown =
                Drift { change: Change::CannotTell(why), times: None, noise: 0.0, earlier: 0 };
            return DriftView::of(unknown, Vec::new());
        };
        let found = drift(&newest, &earlier);
        let name = self.newest.name.parse::<CeilingName>().ok();
        let behind = match (&found.change, name, earlier.last()) {
            (Change::Slower, Some(name), Some(before)) => causes(name, &newest, before),
            _ => Vec::new(),
        };
        DriftView::of(found, behind)
    }
}

fn kept(row: &CeilingRow) -> Option<Kept> {
    let conditions = Conditions::of(row);
    let beside = conditions.load.filter(|_| conditions.is_busy());
    let Conditions { runs, governor, disk, .. } = conditions;
    Some(Kept { reached: reached(row)?, runs, beside, governor, disk })
}

impl DriftView {
    fn of(found: Drift, causes: Vec<Cause>) -> Self {
        let (verdict, why) = match found.change {
            Change::Steady => ("steady", None),
            Change::Slower => ("slower", None),
            Change::Faster => ("faster", None),
            Change::CannotTell(why) => ("cannot tell", Some(why)),
        };
        let cause = |Cause { what, check }| CauseView { what, check: check.to_owned() };
        Self {
            verdict: verdict.to_owned(),
            why,
            times: found.times,
            noise: found.noise,
            earlier: found.earlier,
            causes: causes.into_iter().map(cause).collect(),
        }
    }

    /// In a few words.
    pub(crate) fn line(&self) -> String {
        match (&self.why, self.times) {
            (None, Some(times)) => {
                let noise = nearside_units::significant(self.noise * 100.0);
                format!("{} ({times:.2} times, chance +-{noise} %)", self.verdict)
            }
            _ => self.verdict.clone(),
        }
    }
}
