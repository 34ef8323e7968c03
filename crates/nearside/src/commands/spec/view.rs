//! The answer of `nearside spec` as data: what text, page and JSON show.

use nearside_economics::requirements::{
    Amount, Bought, Comfort, Done, Found, Machine, Share, shares,
};
use nearside_estimate::{Accepted, Device};
use nearside_report::grouped;
use nearside_units::{AtLeast, Currency, Money};
use schemars::JsonSchema;
use serde::Serialize;

use super::alternatives::Alternative;
use super::tree::TreeView;
use crate::view::Figure;
use crate::wire::requirements::Wanted;

/// The answer of `nearside spec`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SpecAnswer {
    /// What the machine is for.
    pub(super) name: String,
    /// How many people work with it.
    pub(super) people: u64,
    /// Which savings may be used.
    pub(super) accepted: String,
    /// The work that is assumed, where nobody stated any.
    pub(super) assumed: Option<String>,
    /// Time in a month that one machine may work.
    pub(super) hours_per_month: f64,
    /// In which time one pass has to be done, in seconds.
    pub(super) deadline_seconds: Option<f64>,
    /// Disk space that is kept, in bytes.
    pub(super) kept_bytes: u64,
    /// The least machine, a comfortable one, and one that is over-provisioned.
    pub(super) machines: Vec<Level>,
    /// What else could be done.
    pub(super) alternatives: Vec<AlternativeView>,
    /// The decision tree, where it was asked for.
    pub(super) tree: Option<TreeView>,
}

/// The machine of one comfort.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Level {
    /// minimum, comfortable or over-provisioned.
    pub(super) comfort: String,
    /// The cheapest machine.
    pub(super) machine: Option<MachineView>,
    /// Where no machine that is enough has a price: the smallest.
    pub(super) unpriced: Vec<MachineView>,
    /// Where none is enough: why.
    pub(super) nothing: Vec<WhyNot>,
}

/// Why something is not possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct WhyNot {
    /// The stage that fits nothing.
    pub(super) stage: Option<String>,
    /// Why.
    pub(super) why: String,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct MachineView {
    /// Its accelerators, as in `2x NVIDIA GeForce RTX 3090`.
    pub(super) accelerators: Option<String>,
    /// Memory of one accelerator, in bytes.
    pub(super) accelerator_bytes: Option<u64>,
    /// Processor cores.
    pub(super) cores: u32,
    /// Main memory, in bytes.
    pub(super) memory_bytes: u64,
    /// Whether accelerators share it.
    pub(super) shared_memory: bool,
    /// Disk space, in bytes.
    pub(super) disk_bytes: u64,
    /// What its power supply gives, in watts.
    pub(super) supply_watts: Option<f64>,
    /// How many such machines it takes.
    pub(super) count: u32,
    /// What one costs.
    pub(super) each: Cost,
    /// What all of them cost.
    pub(super) total: Cost,
    /// The bill of materials of one.
    pub(super) parts: Vec<PartView>,
    /// Which stage demands each part, and how much of it is used.
    pub(super) shares: Vec<ShareView>,
    /// How each piece of work is done.
    pub(super) work: Vec<WorkView>,
}

/// A sum of prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Cost {
    /// A decimal number.
    pub(super) amount: String,
    /// ISO 4217 code.
    pub(super) currency: String,
    /// Why it is at least so much; nothing where every price is known.
    pub(super) missing: Vec<String>,
}

/// Something of a bill of materials.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct PartView {
    /// What it is for.
    pub(super) role: String,
    /// Its name.
    pub(super) title: String,
    /// How many.
    pub(super) count: u32,
    /// new or used.
    pub(super) condition: String,
    /// The price of all of them, a decimal number.
    pub(super) price: Figure<String>,
    /// Who states the price.
    pub(super) source: Option<String>,
    /// When that was true.
    pub(super) as_of: Option<String>,
}

/// How much of a part is used.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct ShareView {
    /// Which part.
    pub(super) part: String,
    /// The stage that demands it.
    pub(super) stage: Option<String>,
    /// What is needed, in the unit.
    pub(super) needed: f64,
    /// What there is, in the unit.
    pub(super) has: f64,
    /// bytes, hours or watts.
    pub(super) unit: String,
    /// Both in words.
    pub(super) words: String,
    /// The share that is used.
    pub(super) used: f64,
}

/// How a piece of work is done.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct WorkView {
    /// The stage it belongs to.
    pub(super) stage: String,
    /// Its task.
    pub(super) task: String,
    /// Its model.
    pub(super) model: Option<String>,
    /// What is changed; nothing where it is done as it is written.
    pub(super) changes: Vec<String>,
    /// accelerator or processor.
    pub(super) place: String,
    /// Memory of each accelerator, in bytes.
    pub(super) accelerator_bytes: u64,
    /// Main memory, in bytes.
    pub(super) memory_bytes: u64,
    /// Likely time of one run, in seconds.
    pub(super) run_seconds: f64,
    /// Time in a month, in hours.
    pub(super) hours_per_month: f64,
}

/// What else could be done.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct AlternativeView {
    /// What.
    pub(super) name: String,
    /// The machine that is then the least.
    pub(super) machine: Option<MachineView>,
    /// What comes of it, in a sentence.
    pub(super) sentence: String,
}

impl SpecAnswer {
    pub(super) fn of(
        wanted: &Wanted,
        accepted: Accepted,
        found: &[(Comfort, Found)],
        alternatives: &[Alternative],
        tree: Option<TreeView>,
        currency: Currency,
    ) -> Self {
        let level = |(comfort, found): &(Comfort, Found)| {
            let view = |machine: &Machine| MachineView::of(wanted, *comfort, machine, currency);
            let (machine, unpriced, nothing) = match found {
                Found::Cheapest(machine) => (Some(view(machine)), Vec::new(), Vec::new()),
                Found::Unpriced(machines) => {
                    (None, machines.iter().map(view).collect(), Vec::new())
                }
                Found::Nothing(why) => {
                    let why_not = |(work, why): &(Option<usize>, std::sync::Arc<str>)| WhyNot {
                        stage: work.map(|work| wanted.question.works[work].stage.to_string()),
                        why: why.to_string(),
                    };
                    (None, Vec::new(), why.iter().map(why_not).collect())
                }
            };
            Level { comfort: comfort.name().to_owned(), machine, unpriced, nothing }
        };
        let alternative = |alternative: &Alternative| AlternativeView {
            name: alternative.name.clone(),
            machine: alternative.machine.as_ref().map(|machine| {
                MachineView::of(&alternative.wanted, Comfort::Minimum, machine, currency)
            }),
            sentence: alternative.sentence.clone(),
        };
        Self {
            name: wanted.name.clone(),
            people: wanted.people,
            accepted: accepted.to_string(),
            assumed: wanted.assumed.clone(),
            hours_per_month: wanted.question.hours.as_hours(),
            deadline_seconds: wanted.question.deadline.map(|time| time.as_seconds()),
            kept_bytes: wanted.question.disk.get(),
            machines: found.iter().map(level).collect(),
            alternatives: alternatives.iter().map(alternative).collect(),
            tree,
        }
    }

    /// The least machine.
    pub(super) fn least(&self) -> Option<&MachineView> {
        self.machines.first().and_then(|level| level.machine.as_ref())
    }

    /// Where prices are from, each once.
    pub(super) fn sources(&self) -> Vec<String> {
        let levels = self.machines.iter();
        let machines = levels.flat_map(|level| level.machine.iter().chain(&level.unpriced));
        let mut found: Vec<String> = Vec::new();
        for part in machines.flat_map(|machine| &machine.parts) {
            found.extend(part.origin().filter(|line| !found.contains(line)));
        }
        found
    }

    /// What may help.
    pub(super) fn hints(&self) -> Vec<String> {
        let strict = [Accepted::AsWritten, Accepted::SameResult, Accepted::LittleLoss];
        let strict = strict.iter().any(|accepted| accepted.name() == self.accepted);
        match (self.least(), strict) {
            (None, true) => {
                vec![
                    "`--accept some-loss` lets weights have fewer bits, which takes less memory"
                        .to_owned(),
                ]
            }
            _ => Vec::new(),
        }
    }
}

impl MachineView {
    pub(super) fn of(
        wanted: &Wanted,
        comfort: Comfort,
        machine: &Machine,
        currency: Currency,
    ) -> Self {
        let accelerators = machine.accelerators.as_ref();
        let memory = accelerators.and_then(|it| it.device.memory().value());
        let share = |share: &Share| ShareView::of(wanted, share);
        Self {
            accelerators: accelerators.map(|it| format!("{}x {}", it.count, it.device.title)),
            accelerator_bytes: memory.map(|memory| memory.value.get()),
            cores: machine.cores,
            memory_bytes: machine.memory.get(),
            shared_memory: machine.shared,
            disk_bytes: machine.disk.get(),
            supply_watts: machine.supply.map(|(has, _)| has.as_watts()),
            count: machine.count,
            each: Cost::of(&machine.each(), currency),
            total: Cost::of(&machine.total(), currency),
            parts: machine.parts.iter().map(PartView::of).collect(),
            shares: shares(&wanted.question, &comfort.margin(), machine)
                .iter()
                .map(share)
                .collect(),
            work: machine.done.iter().map(|done| WorkView::of(wanted, done)).collect(),
        }
    }

    /// It in a few words, as in `1x NVIDIA GeForce RTX 3060, 32 GiB, 6 cores`.
    pub(super) fn short(&self) -> String {
        let memory = nearside_units::Bytes::new(self.memory_bytes);
        let accelerators = self.accelerators.as_deref().unwrap_or("no accelerator");
        let one = format!("{accelerators}, {memory}, {} cores", self.cores);
        match self.count {
            1 => one,
            count => format!("{count} machines with {one} each"),
        }
    }
}

impl Cost {
    fn of(total: &AtLeast<Money>, currency: Currency) -> Self {
        Self {
            amount: total.total.amount().round_dp(2).normalize().to_string(),
            currency: currency.to_string(),
            missing: total.missing.iter().map(ToString::to_string).collect(),
        }
    }

    /// As text, with what is missing.
    pub(super) fn text(&self) -> String {
        let amount = format!("{} {}", whole(&self.amount), self.currency);
        match (self.missing.is_empty(), self.amount == "0") {
            (true, _) => amount,
            (false, true) => "unknown".to_owned(),
            (false, false) => format!("at least {amount}: {}", self.missing.join("; ")),
        }
    }
}

/// A decimal number without its cents, its thousands set apart.
pub(super) fn whole(decimal: &str) -> String {
    match decimal.parse::<f64>() {
        Ok(number) => grouped(format!("{number:.0}")),
        Err(_no_number) => decimal.to_owned(),
    }
}

impl PartView {
    fn of(part: &Bought) -> Self {
        let basis = part.price.as_ref().value().map(|price| price.basis.clone());
        Self {
            role: part.role.to_string(),
            title: part.title.to_string(),
            count: part.count,
            condition: part.condition.to_string(),
            price: Figure::of(&part.cost(), |cost| {
                cost.amount().round_dp(2).normalize().to_string()
            }),
            source: basis.as_ref().map(|basis| basis.source.to_string()),
            as_of: basis.and_then(|basis| basis.as_of).map(|date| date.to_string()),
        }
    }
}

impl PartView {
    /// Who states its price, and of when that is.
    pub(super) fn origin(&self) -> Option<String> {
        let (source, date) = self.source.as_ref().zip(self.as_of.as_ref())?;
        Some(format!("{source} ({date})"))
    }
}

impl ShareView {
    /// The cells of its row in a table: the part, who demands it, how much, what is left unused.
    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.part.clone(),
            self.stage.clone().unwrap_or_else(|| "all".to_owned()),
            self.words.clone(),
            format!("{:.0} %", ((1.0 - self.used) * 100.0).max(0.0)),
        ]
    }

    fn of(wanted: &Wanted, share: &Share) -> Self {
        let (needed, unit) = number(share.needed);
        let (has, _) = number(share.has);
        Self {
            part: share.what.to_owned(),
            stage: share.work.map(|work| wanted.question.works[work].stage.to_string()),
            needed,
            has,
            unit: unit.to_owned(),
            words: format!(
                "{} of {}",
                words(share.needed, share.what),
                words(share.has, share.what)
            ),
            used: share.used(),
        }
    }
}

fn number(amount: Amount) -> (f64, &'static str) {
    match amount {
        Amount::Bytes(bytes) => (bytes.get() as f64, "bytes"),
        Amount::Time(time) => (time.as_hours(), "hours"),
        Amount::Power(power) => (power.as_watts(), "watts"),
    }
}

/// Disks are counted in thousands, memory is not.
fn words(amount: Amount, what: &str) -> String {
    match amount {
        Amount::Bytes(bytes) if what == "disk" => bytes.si(),
        Amount::Bytes(bytes) => bytes.to_string(),
        Amount::Time(time) => format!("{} h", nearside_units::significant(time.as_hours())),
        Amount::Power(power) => power.to_string(),
    }
}

impl WorkView {
    fn of(wanted: &Wanted, done: &Done) -> Self {
        let work = &wanted.question.works[done.work];
        let rung = &work.rungs[done.need.rung];
        Self {
            stage: work.stage.to_string(),
            task: rung.workload.task.name().to_owned(),
            model: rung.workload.model.as_ref().map(|model| model.name.clone()),
            changes: rung.steps.iter().map(|step| step.name.to_string()).collect(),
            place: match done.need.place {
                Device::Accelerator => "accelerator".to_owned(),
                Device::Processor => "processor".to_owned(),
            },
            accelerator_bytes: done.need.accelerator.get(),
            memory_bytes: done.need.memory.get(),
            run_seconds: done.need.run.as_seconds(),
            hours_per_month: done.month.as_hours(),
        }
    }
}

/// A price as text.
pub(super) fn price(figure: &Figure<String>, currency: &str) -> String {
    match figure {
        Figure::Value(amount) => format!("{} {currency}", whole(amount)),
        Figure::Unknown { .. } => "unknown".to_owned(),
    }
}
