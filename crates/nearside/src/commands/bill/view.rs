//! The answer of `nearside bill`.

use nearside_catalog::Accelerators;
use nearside_economics::bill::{
    Absorbed, Capacity, Kept, Kind, KindUse, Line, PerDeviceHour, PerMachineHour, Sum, Totals,
};
use nearside_units::{AtLeast, ExchangeRates, Money};
use schemars::JsonSchema;
use serde::Serialize;

use crate::view::Figure;
use crate::wire::bill::{KnownSpeed, MonthlyUse, ReadBill};

/// The answer of `nearside bill`. Cash and amortised are two views of the same bill, never to be added.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BillAnswer {
    pub(super) files: Vec<FileView>,
    /// Rows that were counted.
    pub(super) rows: u64,
    /// ISO 4217 code of every amount.
    pub(super) currency: String,
    /// What invoices say: the sum of BilledCost.
    pub(super) cash: AmountView,
    /// What was used, with purchases in advance spread over it: the sum of EffectiveCost, without what
    /// was bought as a commitment.
    pub(super) amortised: AmountView,
    /// Part of the amortised cost that nobody used.
    pub(super) waste: AmountView,
    /// The parts of the bill; every row is in one of them.
    pub(super) lines: Vec<LineView>,
    pub(super) months: Vec<MonthView>,
    /// The dearest first.
    pub(super) services: Vec<ServiceView>,
    /// Time on accelerators, by device, machine and terms.
    pub(super) accelerators: Vec<AcceleratorView>,
    /// Rows on accelerators that are not in it.
    pub(super) uncounted: Vec<UncountedView>,
    /// What a machine of one's own would have done of it.
    pub(super) near: Figure<NearView>,
}

/// A file and its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FileView {
    pub(super) file: String,
    pub(super) rows: u64,
}

/// An amount of money in the currency of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct AmountView {
    /// A decimal number.
    pub(super) amount: String,
    /// What is missing in it; with anything missing the amount is at least this much.
    pub(super) missing: Vec<String>,
    #[serde(skip)]
    money: Money,
}

/// A part of the bill.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct LineView {
    pub(super) line: String,
    pub(super) rows: u64,
    pub(super) cash: AmountView,
    pub(super) amortised: AmountView,
}

/// A month: cash of its invoices, amortised cost and time of what was used in it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct MonthView {
    /// As in 2026-10; null for rows that do not say.
    pub(super) month: Option<String>,
    pub(super) cash: AmountView,
    pub(super) amortised: AmountView,
    pub(super) devices: Vec<DeviceMonthView>,
}

/// A device in a month.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct DeviceMonthView {
    pub(super) device: String,
    pub(super) device_hours: f64,
    pub(super) cash: AmountView,
    pub(super) amortised: AmountView,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ServiceView {
    /// Null where there were more services than are kept apart.
    pub(super) provider: Option<String>,
    pub(super) service: Option<String>,
    pub(super) rows: u64,
    pub(super) cash: AmountView,
    pub(super) amortised: AmountView,
}

/// Time on a kind of accelerator.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct AcceleratorView {
    pub(super) device: String,
    pub(super) provider: String,
    /// The machine; null where devices are billed one by one.
    pub(super) machine: Option<String>,
    pub(super) devices_per_machine: Option<u32>,
    /// on-demand, spot or committed.
    pub(super) terms: String,
    pub(super) rows: u64,
    /// Null where devices are billed one by one.
    pub(super) machine_hours: Option<f64>,
    pub(super) device_hours: f64,
    /// Of them, those in rows of more than an hour, which are spread evenly.
    pub(super) spread_device_hours: f64,
    pub(super) cash: AmountView,
    pub(super) amortised: AmountView,
    /// Amortised, for an hour of the whole machine.
    pub(super) per_machine_hour: Option<String>,
    /// Amortised, for an hour of one device.
    pub(super) per_device_hour: Option<String>,
}

/// Rows on accelerators whose time was not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct UncountedView {
    pub(super) why: String,
    pub(super) rows: u64,
    pub(super) example: String,
}

/// What a near machine would have done.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct NearView {
    pub(super) machine: String,
    pub(super) device: String,
    pub(super) devices: u32,
    /// How long work may wait.
    pub(super) delay_hours: u32,
    pub(super) speeds: Vec<SpeedView>,
    /// Hours of the calendar from the first to the last use of anything.
    pub(super) calendar_hours: u64,
    /// Hours of far devices.
    pub(super) demand_device_hours: f64,
    /// Of them, those that it would have done.
    pub(super) done_device_hours: f64,
    /// The same as a share, 0 to 1.
    pub(super) share: Option<f64>,
    /// Cost of what it would have done, on invoices.
    pub(super) cash: AmountView,
    /// The same amortised.
    pub(super) amortised: AmountView,
    /// Hours in which its devices would have worked, and the share of all hours, 0 to 1.
    pub(super) busy_device_hours: f64,
    pub(super) utilisation: Option<f64>,
    /// The most devices as these that any hour would still have needed far away.
    pub(super) peak_far_devices: f64,
    /// Hours of whose work a part would have gone far.
    pub(super) hours_far: u32,
    /// By kind, what saves most first.
    pub(super) kinds: Vec<KeptView>,
}

/// How fast a near device is beside a far one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SpeedView {
    pub(super) device: String,
    /// 2 is twice as fast.
    pub(super) ratio: f64,
    pub(super) basis: String,
}

/// What a near machine would have done of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct KeptView {
    pub(super) device: String,
    pub(super) machine: Option<String>,
    pub(super) terms: String,
    pub(super) demand_device_hours: f64,
    /// Null where how fast the near device is beside it is not known.
    pub(super) done_device_hours: Option<f64>,
    pub(super) cash: AmountView,
    pub(super) amortised: AmountView,
}

impl AmountView {
    pub(super) fn of(sum: &Sum, rates: &ExchangeRates) -> Self {
        Self::known(&sum.converted(rates))
    }

    fn known(sum: &AtLeast<Money>) -> Self {
        Self {
            amount: sum.total.amount().normalize().to_string(),
            missing: sum.missing.iter().map(ToString::to_string).collect(),
            money: sum.total,
        }
    }

    /// With its currency, and "at least" where something is missing.
    pub(super) fn shown(&self) -> String {
        let at_least = if self.missing.is_empty() { "" } else { "at least " };
        format!("{at_least}{}", self.money)
    }

    /// As a plain number, for sorting.
    pub(super) fn size(&self) -> f64 {
        self.money.as_f64()
    }

    pub(super) fn is_zero(&self) -> bool {
        self.missing.is_empty() && self.money.amount().is_zero()
    }
}

impl BillAnswer {
    pub(super) fn of(read: &ReadBill, near: Figure<NearView>) -> Self {
        let (bill, rates) = (&read.bill, &read.rates);
        let total = bill.total();
        let unused = bill.lines().find(|(line, _)| *line == Line::Unused);
        let waste = unused.map(|(_, totals)| totals.amortised.clone()).unwrap_or_default();
        let mut services: Vec<_> =
            bill.services().map(|(named, totals)| ServiceView::of(named, totals, rates)).collect();
        services.sort_by(|one, other| other.amortised.size().total_cmp(&one.amortised.size()));
        let file = |(path, rows): &(std::path::PathBuf, u64)| FileView {
            file: path.display().to_string(),
            rows: *rows,
        };
        let uncounted = bill.usage().uncounted().map(|(why, rows, example)| UncountedView {
            why: why.what().to_owned(),
            rows,
            example: example.to_owned(),
        });
        Self {
            files: read.files.iter().map(file).collect(),
            rows: total.rows,
            currency: rates.currency().to_string(),
            cash: AmountView::of(&total.cash, rates),
            amortised: AmountView::of(&total.amortised, rates),
            waste: AmountView::of(&waste, rates),
            lines: bill.lines().map(|(line, totals)| LineView::of(line, totals, rates)).collect(),
            months: read.monthly().iter().map(MonthView::of).collect(),
            services,
            accelerators: bill
                .usage()
                .kinds()
                .map(|(kind, used)| AcceleratorView::of(kind, used, rates))
                .collect(),
            uncounted: uncounted.collect(),
            near,
        }
    }
}

impl LineView {
    fn of(line: Line, totals: &Totals, rates: &ExchangeRates) -> Self {
        Self {
            line: line.name().to_owned(),
            rows: totals.rows,
            cash: AmountView::of(&totals.cash, rates),
            amortised: AmountView::of(&totals.amortised, rates),
        }
    }
}

impl ServiceView {
    fn of(named: Option<(&str, &str)>, totals: &Totals, rates: &ExchangeRates) -> Self {
        Self {
            provider: named.map(|(provider, _)| provider.to_owned()),
            service: named.map(|(_, service)| service.to_owned()),
            rows: totals.rows,
            cash: AmountView::of(&totals.cash, rates),
            amortised: AmountView::of(&totals.amortised, rates),
        }
    }
}

impl MonthView {
    fn of(month: &MonthlyUse) -> Self {
        let device = |(device, used): (&std::sync::Arc<str>, &crate::wire::bill::DeviceMonth)| {
            DeviceMonthView {
                device: device.to_string(),
                device_hours: used.time.as_hours(),
                cash: AmountView::known(&used.cash),
                amortised: AmountView::known(&used.amortised),
            }
        };
        Self {
            month: month.month.map(|month| month.to_string()),
            cash: AmountView::known(&month.cash),
            amortised: AmountView::known(&month.amortised),
            devices: month.devices.iter().map(device).collect(),
        }
    }
}

impl AcceleratorView {
    fn of(kind: &Kind, used: &KindUse, rates: &ExchangeRates) -> Self {
        let amortised = used.amortised.converted(rates);
        // A price is what is paid for all of the time: of a cost that is not all known there is none.
        let whole = amortised.is_complete().then_some(amortised.total);
        let per_machine =
            whole.and_then(|cost| PerMachineHour::of(cost, used.machine_time).ok()?);
        let per_device = whole.and_then(|cost| PerDeviceHour::of(cost, used.device_time).ok()?);
        let decimal = |money: Money| money.amount().round_dp(6).normalize().to_string();
        Self {
            device: kind.device.to_string(),
            provider: kind.provider.to_string(),
            machine: kind.machine.as_ref().map(|(machine, _)| machine.to_string()),
            devices_per_machine: kind.machine.as_ref().map(|(_, devices)| *devices),
            terms: kind.bought.name().to_owned(),
            rows: used.rows,
            machine_hours: kind.machine.as_ref().map(|_| used.machine_time.as_hours()),
            device_hours: used.device_time.as_hours(),
            spread_device_hours: used.spread.as_hours(),
            cash: AmountView::of(&used.cash, rates),
            amortised: AmountView::known(&amortised),
            per_machine_hour: per_machine.map(|price| decimal(price.money())),
            per_device_hour: per_device.map(|price| decimal(price.money())),
        }
    }
}

impl SpeedView {
    pub(super) fn of(far: &str, known: &KnownSpeed) -> Self {
        Self { device: far.to_owned(), ratio: known.speed.ratio(), basis: known.basis.clone() }
    }
}

impl NearView {
    pub(super) fn of(
        machine: &str,
        accelerators: &Accelerators,
        capacity: &Capacity,
        found: &Absorbed,
        speeds: Vec<SpeedView>,
    ) -> Self {
        let (first, last) = capacity.span;
        Self {
            machine: machine.to_owned(),
            device: accelerators.device.name.to_string(),
            devices: capacity.devices,
            delay_hours: capacity.delay_hours,
            speeds,
            calendar_hours: u64::from(last.number() - first.number()) + 1,
            demand_device_hours: found.demand.as_hours(),
            done_device_hours: found.done.as_hours(),
            share: found.share(),
            cash: AmountView::known(&found.cash),
            amortised: AmountView::known(&found.amortised),
            busy_device_hours: found.busy.as_hours(),
            utilisation: found.utilisation(),
            peak_far_devices: found.peak_far.as_hours(),
            hours_far: found.hours_far,
            kinds: found.kinds.iter().map(KeptView::of).collect(),
        }
    }
}

impl KeptView {
    fn of(kept: &Kept) -> Self {
        Self {
            device: kept.kind.device.to_string(),
            machine: kept.kind.machine.as_ref().map(|(machine, _)| machine.to_string()),
            terms: kept.kind.bought.name().to_owned(),
            demand_device_hours: kept.demand.as_hours(),
            done_device_hours: kept.done.map(nearside_economics::bill::DeviceTime::as_hours),
            cash: AmountView::known(&kept.cash),
            amortised: AmountView::known(&kept.amortised),
        }
    }
}
