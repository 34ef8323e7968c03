//! Workload x Site -> Estimate: does it fit, what limits it, how long, how much energy, what does
//! it cost, what does it emit. Every figure is a span with a basis.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_catalog::Site;
use nearside_units::{Bytes, Duration, Joules, Known, Money, Span};
use nearside_workload::{AttentionKernel, CustomDevice, Parallelism, Recipe, Task, Workload};

use crate::attention_kernel::on_site;
use crate::calibration::Calibration;
use crate::carbon::Carbon;
use crate::demand::{Asked, Demand, Memory, NotEstimated, demand_as_asked, usable_devices};
use crate::engine::nearside::Phases;
use crate::input::Input;
use crate::lowered::Lowerings;
use crate::parallel::choice;
use crate::roofline::Bottleneck;
use crate::working_site::WorkingSite;

/// What a workload will need and cost on a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Whether it fits, and by how much.
    pub fit: Fit,
    /// What one run is: work that ends, or a month of service.
    pub period: Period,
    /// Time from asking for the site to the first useful work: queue, boot, loading weights.
    pub startup: Span<Duration>,
    /// Time of the work itself, in one run or one month.
    pub work: Known<Span<Duration>>,
    /// Reading a prompt and writing a token, where both are known apart.
    pub phases: Option<Phases>,
    /// What takes the time.
    pub bottleneck: Known<Bottleneck>,
    /// Energy at the wall.
    pub energy: Known<Span<Joules>>,
    /// Cost, in the site's currency.
    pub cost: Known<Cost>,
    /// Emissions.
    pub carbon: Known<Carbon>,
    /// What the figures were computed from.
    pub inputs: Vec<Input>,
}

impl Estimate {
    /// How long the site is needed: startup and work in one run, or the hours of service in a month.
    #[must_use]
    pub fn occupied(&self) -> Known<Span<Duration>> {
        match self.period {
            Period::Run => self.work.clone().map(|work| work + self.startup),
            Period::Month { up } => Known::Value(Span::exact(up)),
        }
    }

    /// How long one pass of the pipeline waits for this stage: a service is ready once started.
    #[must_use]
    pub fn pass(&self) -> Known<Span<Duration>> {
        match self.period {
            Period::Run => self.occupied(),
            Period::Month { .. } => Known::Value(self.startup),
        }
    }
}

/// What one run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Period {
    /// Work that ends.
    Run,
    /// A month of service.
    Month {
        /// Time per month that the service is up.
        up: Duration,
    },
}

/// Whether a workload fits a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The answer.
    pub verdict: Verdict,
    /// Why, in words.
    pub why: Arc<str>,
    /// Where it would run.
    pub device: Device,
    /// What it needs there by category; `None` where it cannot be estimated.
    pub memory: Option<Memory>,
    /// All it needs, with what allocators and drivers take besides.
    pub needed: Option<Span<Bytes>>,
    /// What programs can have there.
    pub available: Known<Span<Bytes>>,
    /// What waits in main memory besides, while an accelerator works.
    pub host: Bytes,
}

impl Fit {
    /// The same with the memory that was measured, as so many times what was estimated.
    ///
    /// The verdict follows: what has run fits, whatever was estimated.
    #[must_use]
    pub fn corrected(self, times: Span<f64>) -> Self {
        let (Some(needed), Known::Value(available)) = (self.needed, &self.available) else {
            return self;
        };
        let likely = needed.likely();
        let needed = times.map(|times| likely.scaled(times));
        let (verdict, why) = crate::working_site::verdict(needed, *available);
        Self { verdict, why, needed: Some(needed), ..self }
    }

    /// Whether memory is what it lacks or may lack.
    fn may_be_too_large(&self) -> bool {
        match (&self.needed, &self.available) {
            (Some(needed), Known::Value(available)) => {
                self.verdict != Verdict::Fits && needed.high() > available.low()
            }
            _ => false,
        }
    }
}

/// Does it fit?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Even the high estimate fits.
    Fits,
    /// The estimates straddle what is there.
    Uncertain,
    /// Even the low estimate does not fit.
    DoesNotFit,
    /// It cannot be told.
    Unknown,
}

/// Where work runs in a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// On accelerators.
    Accelerator,
    /// On processors.
    Processor,
}

/// What using a site costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// What another hour costs: decides placements. Rented: the price.
    pub marginal: Span<Money>,
    /// With purchase and maintenance spread over use: decides purchases. Rented: the price.
    pub full: Span<Money>,
}

/// What a workload asks for, computed once per number of devices and used for every site.
#[derive(Clone, Debug)]
pub struct Demands<'workload> {
    workload: &'workload Workload,
    asks: Asks,
    lowerings: Lowerings,
    by_devices: BTreeMap<Shared, Result<Arc<Demand>, NotEstimated>>,
}

/// What somebody wants to know.
#[derive(Clone, Copy, Debug)]
enum Asks {
    /// How much memory is needed.
    Need,
    /// Whether it fits; of what does not, some of what it needs.
    Verdict,
    /// Whether it may fit.
    Chance,
}

/// What a demand depends on besides the workload.
type Shared = (u64, Device, Parallelism, AttentionKernel);

impl<'workload> Demands<'workload> {
    /// Nothing computed yet.
    #[must_use]
    pub fn of(workload: &'workload Workload) -> Self {
        Self::of_one_model(workload, Asks::Need, Lowerings::default())
    }

    const fn of_one_model(workload: &'workload Workload, asks: Asks, lowerings: Lowerings) -> Self {
        Self { workload, asks, lowerings, by_devices: BTreeMap::new() }
    }

    /// Changes what is lowered with somebody who has more of the same model.
    pub(crate) const fn share(&mut self, lowerings: &mut Lowerings) {
        std::mem::swap(&mut self.lowerings, lowerings);
    }

    /// What asks.
    #[must_use]
    pub const fn workload(&self) -> &'workload Workload {
        self.workload
    }

    /// Of the workload with the recipe that a site makes of its own.
    fn on(
        &mut self,
        devices: u64,
        place: Device,
        shared: &Workload,
        asked: Asked,
    ) -> Result<Arc<Demand>, NotEstimated> {
        let Recipe { parallelism, attention, .. } = shared.recipe;
        let lowerings = &mut self.lowerings;
        let computed = || demand_as_asked(shared, devices, place, (asked, lowerings)).map(Arc::new);
        self.by_devices
            .entry((devices, place, parallelism, attention))
            .or_insert_with(computed)
            .clone()
    }
}

/// What a workload will need and cost on a site.
#[must_use]
pub fn estimate(workload: &Workload, site: &Site, calibration: &Calibration) -> Estimate {
    estimate_demands(&mut Demands::of(workload), site, calibration)
}

/// The same, but that memory is known only as far as the verdict needs it: what does not fit may
/// need more than is said. And the workload with the way of sharing that was found.
#[must_use]
pub(crate) fn verdict_and_time(
    workload: &Workload,
    site: &Site,
    calibration: &Calibration,
    lowerings: &mut Lowerings,
) -> (Estimate, Workload) {
    match asked(Asks::Verdict, workload, (site, calibration), lowerings) {
        Ok(placed) => (placed.estimate(), placed.workload),
        Err(refused) => (*refused, workload.clone()),
    }
}

/// Whether a workload may fit a site: some that do not are told to.
#[must_use]
pub(crate) fn chance(
    workload: &Workload,
    site: &Site,
    calibration: &Calibration,
    lowerings: &mut Lowerings,
) -> Fit {
    fit_of(asked(Asks::Chance, workload, (site, calibration), lowerings))
}

/// Whether a workload fits a site, without the time that it takes.
#[must_use]
pub(crate) fn fit(workload: &Workload, site: &Site, calibration: &Calibration) -> Fit {
    fit_of(placed(&mut Demands::of(workload), site, calibration))
}

fn fit_of(placed: Result<Placed<'_>, Box<Estimate>>) -> Fit {
    match placed {
        Ok(placed) => placed.fit,
        Err(refused) => refused.fit,
    }
}

/// Where a workload would run, of a model that some is lowered of.
fn asked<'a>(
    asks: Asks,
    workload: &Workload,
    (site, calibration): (&'a Site, &'a Calibration),
    lowerings: &mut Lowerings,
) -> Result<Placed<'a>, Box<Estimate>> {
    let mut demands = Demands::of_one_model(workload, asks, std::mem::take(lowerings));
    let placed = placed(&mut demands, site, calibration);
    *lowerings = demands.lowerings;
    placed
}

/// The same for one of many sites: what the workload asks for is computed once.
#[must_use]
pub fn estimate_demands(
    demands: &mut Demands<'_>,
    site: &Site,
    calibration: &Calibration,
) -> Estimate {
    match placed(demands, site, calibration) {
        Ok(placed) => placed.estimate(),
        Err(refused) => *refused,
    }
}

/// The part of a site that would work, what it would do and what that asks for.
#[derive(Clone)]
struct Placed<'a> {
    working: WorkingSite<'a>,
    /// With the way of sharing that was found.
    workload: Workload,
    demand: Arc<Demand>,
    fit: Fit,
}

impl Placed<'_> {
    fn estimate(&self) -> Estimate {
        let mut estimate = self.working.estimate(&self.workload, &self.demand);
        // Work that takes too long does not fit either, whatever the memory.
        if estimate.fit.verdict == self.fit.verdict {
            estimate.fit = self.fit.clone();
        }
        estimate
    }
}

/// Where and how a workload would run on a site.
fn placed<'a>(
    demands: &mut Demands<'_>,
    site: &'a Site,
    calibration: &'a Calibration,
) -> Result<Placed<'a>, Box<Estimate>> {
    let workload = demands.workload;
    let refused = |device, verdict, why: &str| Box::new(Estimate::refused(device, verdict, why));
    let Some(device) = device_for(workload, site) else {
        return Err(refused(Device::Accelerator, Verdict::DoesNotFit, "no accelerator"));
    };
    let offered = match (&site.machine.accelerators, device) {
        (Some(accelerators), Device::Accelerator) => u64::from(accelerators.count),
        _ => 1,
    };
    let workload = &on_site(workload, site);
    let mut on = |parallelism: Parallelism| {
        let mut shared = workload.clone();
        shared.recipe.parallelism = parallelism;
        let devices = usable_devices(&shared, offered);
        let working = WorkingSite { site, device, devices, calibration };
        let asked = match (demands.asks, working.room()) {
            (Asks::Need, _) | (_, None) => Asked::Need,
            (Asks::Verdict, Some(room)) => Asked::Within(room),
            (Asks::Chance, Some(room)) => Asked::AtLeast(room),
        };
        let demand = demands.on(devices, device, &shared, asked)?;
        let fit = working.fit(&demand, &mut Vec::new());
        Ok::<_, NotEstimated>(Placed { working, workload: shared, demand, fit })
    };
    let alone = on(workload.recipe.parallelism)
        .map_err(|error| refused(device, Verdict::Unknown, &error.to_string()))?;
    match alone.fit.may_be_too_large() {
        true => Ok(mildest(alone, choice::candidates(workload, offered), on)),
        false => Ok(alone),
    }
}

/// The first way of sharing that fits, or else the first that may; what does not fit one device and
/// no way of sharing stays as it is.
fn mildest<'a>(
    mut alone: Placed<'a>,
    candidates: Vec<Parallelism>,
    mut on: impl FnMut(Parallelism) -> Result<Placed<'a>, NotEstimated>,
) -> Placed<'a> {
    let tried = !candidates.is_empty();
    let mut perhaps = (alone.fit.verdict == Verdict::Uncertain).then(|| alone.clone());
    for placed in candidates.into_iter().filter_map(|parallelism| on(parallelism).ok()) {
        match placed.fit.verdict {
            Verdict::Fits => return placed,
            Verdict::Uncertain if perhaps.is_none() => perhaps = Some(placed),
            _ => {}
        }
    }
    if tried {
        let why = format!("{} on one device; no way of sharing it fits", alone.fit.why);
        alone.fit.why = why.into();
    }
    perhaps.unwrap_or(alone)
}

/// Where a workload runs on a site; `None` when it needs an accelerator and there is none.
fn device_for(workload: &Workload, site: &Site) -> Option<Device> {
    let accelerated = site.machine.accelerators.is_some();
    match (&workload.task, accelerated) {
        (Task::Preparation(_), _) => Some(Device::Processor),
        (Task::Custom(custom), _) if custom.device == CustomDevice::Processor => {
            Some(Device::Processor)
        }
        (Task::Custom(_), false) => None,
        (_, true) => Some(Device::Accelerator),
        (_, false) => Some(Device::Processor),
    }
}

impl Estimate {
    fn refused(device: Device, verdict: Verdict, why: impl Into<Arc<str>>) -> Self {
        let why = why.into();
        let unknown = || Arc::clone(&why);
        Self {
            fit: Fit {
                verdict,
                device,
                memory: None,
                needed: None,
                available: Known::unknown(unknown()),
                why: unknown(),
                host: Bytes::ZERO,
            },
            period: Period::Run,
            startup: Span::exact(Duration::ZERO),
            work: Known::unknown(unknown()),
            phases: None,
            bottleneck: Known::unknown(unknown()),
            energy: Known::unknown(unknown()),
            cost: Known::unknown(unknown()),
            carbon: Known::unknown(unknown()),
            inputs: Vec::new(),
        }
    }
}
