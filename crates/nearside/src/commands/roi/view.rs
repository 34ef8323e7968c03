//! The answer of `nearside roi` as data.

use nearside_economics::{
    Assumption, Case, Content, Draws, FAR, Far, Id, Input, NEAR, Roi, Sample, Unit, Value, Values,
};
use nearside_units::{Basis, Currency, Kind, Span};
use schemars::JsonSchema;
use serde::Serialize;

use super::claims::ClaimView;
use super::sheet;
use crate::error::{CommandError, Fault};

/// Data of `roi --json`. Amounts of money are in the currency of the answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RoiAnswer {
    /// What the machine is for.
    pub(crate) title: String,
    /// ISO 4217 code of all money in this answer.
    pub(crate) currency: String,
    /// The own machine.
    pub(crate) here: HereView,
    /// What it is held against, the least cash a month first.
    pub(crate) against: Vec<AgainstView>,
    /// Alternatives that are not shown.
    pub(crate) left_out: usize,
    /// The own machine where somebody else houses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) colocated: Option<HereView>,
    /// From how many hours a month on owning costs less than the first alternative, by the price of an hour
    /// there: where buying wins.
    pub(crate) frontier: Vec<FrontierView>,
    /// Machines that are worth owning for this much work; what is left over stays rented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) split: Option<SplitView>,
    /// Figures that somebody claims.
    pub(crate) claims: Vec<ClaimView>,
    /// Paybacks over hours of work a month, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<Table>,
    /// All inputs with where they come from.
    pub(crate) inputs: Vec<InputView>,
}

/// A point of the line between owning and renting.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FrontierView {
    /// What an hour of the first alternative would cost.
    pub(crate) price_per_hour: f64,
    /// Hours of work a month from which on owning costs less.
    pub(crate) from_hours_per_month: Answered,
}

/// Work that is there all the time on own machines, peaks on rented ones.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SplitView {
    /// Own machines.
    pub(crate) own_machines: f64,
    /// Machine-hours a month on them.
    pub(crate) own_hours_per_month: f64,
    /// Machine-hours a month that stay rented.
    pub(crate) rented_hours_per_month: f64,
}

/// The own machine.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HereView {
    /// Paid at the beginning.
    pub(crate) price: f64,
    /// Years that it is in use.
    pub(crate) years: f64,
    /// Machine-hours of work a month that are asked for.
    pub(crate) hours_per_month: f64,
    /// The part of them that it can do.
    pub(crate) used_hours_per_month: f64,
    /// Share of all hours in which it works, 0 to 1.
    pub(crate) utilisation: f64,
    /// Cash a month.
    pub(crate) cash_per_month: f64,
    /// The parts of it: electricity, maintenance, staff, room, network.
    pub(crate) parts_per_month: Vec<PartView>,
    /// All costs a month, purchase spread over the years with interest.
    pub(crate) full_per_month: f64,
    /// All costs over the years, not discounted, less what is left of it.
    pub(crate) total: f64,
    /// All costs of an accelerator-hour at the use that it really has.
    pub(crate) per_device_hour: Answered,
    /// What the team's waiting elsewhere would cost a month beyond the waiting here.
    pub(crate) time_value_per_month: f64,
    /// Emissions a year in kilograms of CO2 equivalent: electricity and making it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kg_co2e_per_year: Option<f64>,
}

/// A part of a sum.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PartView {
    /// What it is for.
    pub(crate) what: String,
    /// How much.
    pub(crate) amount: f64,
}

/// One alternative, and what owning brings against it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AgainstView {
    /// What it is called.
    pub(crate) name: String,
    /// Hours that are paid a month.
    pub(crate) paid_hours_per_month: f64,
    /// Cash a month for the work that the own machine would do.
    pub(crate) cash_per_month: f64,
    /// Cash over the years of the own machine.
    pub(crate) total: f64,
    /// What an accelerator-hour of the own machine's work costs here.
    pub(crate) per_device_hour: Answered,
    /// Work beyond the hours of the own machine, a month.
    pub(crate) beyond_per_month: f64,
    /// What owning saves a month.
    pub(crate) saving_per_month: f64,
    /// Months until cash has come back: price / saving.
    pub(crate) payback_months: Answered,
    /// The same with the team's time.
    pub(crate) payback_with_time_months: Answered,
    /// Months until it has come back with interest, tax, the loan and what is left.
    pub(crate) payback_discounted_months: Answered,
    /// Net present value of owning.
    pub(crate) net_present_value: f64,
    /// The same with the team's time.
    pub(crate) net_present_value_with_time: f64,
    /// Internal rate of return a year.
    pub(crate) rate_of_return: Answered,
    /// Hours of work a month from which on owning costs less, purchase included.
    pub(crate) break_even_hours_per_month: Answered,
    /// Net present value in 5, 50 and 95 % of the random draws.
    pub(crate) net_present_value_drawn: Option<[f64; 3]>,
    /// Share of the draws in which cash has come back for good within so many months, prices changing as drawn.
    pub(crate) odds: Vec<OddsView>,
    /// What matters most to the net present value.
    pub(crate) swings: Vec<SwingView>,
    /// Emissions a year in kilograms of CO2 equivalent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kg_co2e_per_year: Option<f64>,
}

/// A number, or the word for what there is instead.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Answered {
    /// A number.
    Number(f64),
    /// There is none: "never", "none", "several", "no use", "all hours are paid".
    Word(String),
}

impl From<Value> for Answered {
    fn from(value: Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(number),
            Value::Nothing(word) => Self::Word(word.to_owned()),
        }
    }
}

/// How likely it is paid back in time.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OddsView {
    /// Months.
    pub(crate) within_months: f64,
    /// Share of the draws, 0 to 1.
    pub(crate) share: f64,
}

/// What one input does to the net present value.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SwingView {
    /// Its name.
    pub(crate) input: String,
    /// What people call it.
    pub(crate) label: String,
    /// Net present value with it at its low end.
    pub(crate) at_low: Answered,
    /// And at its high end.
    pub(crate) at_high: Answered,
}

/// An input.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InputView {
    /// What flags call it.
    pub(crate) name: String,
    /// What people call it.
    pub(crate) label: String,
    /// Its unit.
    pub(crate) unit: String,
    /// Low end.
    pub(crate) low: f64,
    /// What is most likely.
    pub(crate) likely: f64,
    /// High end.
    pub(crate) high: f64,
    /// measured, published, derived or assumed.
    pub(crate) kind: String,
    /// Who says so.
    pub(crate) source: String,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) as_of: Option<String>,
}

/// Months that are asked about.
const WITHIN: [f64; 5] = [6.0, 12.0, 18.0, 24.0, 36.0];
/// Inputs whose swing is told.
const SWINGS: usize = 6;

impl RoiAnswer {
    pub(super) fn of(title: &str, currency: &str, roi: &Roi, draws: Draws) -> Self {
        let values = roi.sheet.values();
        let targets: Vec<Id> =
            roi.far.iter().flat_map(|far| [far.worth, far.payback_changing]).collect();
        let samples = roi.sheet.drawn(&targets, draws);
        let years = number(&values, roi.near.life);
        let against = roi.far.iter().zip(samples.chunks(2));
        Self {
            title: title.to_owned(),
            currency: currency.to_owned(),
            here: here(roi, &values),
            against: against
                .map(|(far, samples)| AgainstView::of(roi, &values, far, samples, years))
                .collect(),
            left_out: 0,
            colocated: None,
            frontier: frontier(roi),
            split: split(roi, &values),
            claims: Vec::new(),
            table: None,
            inputs: inputs(roi, currency),
        }
    }

    /// Whether owning is worth more than the cheapest alternative.
    pub(super) fn pays(&self) -> bool {
        self.against.first().is_none_or(|first| first.net_present_value >= 0.0)
    }
}

/// A number of a cell that always is one.
fn number(values: &Values, id: Id) -> f64 {
    values.of(id).number().unwrap_or(f64::NAN)
}

/// An amount of money as it is paid, in hundredths.
fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

/// Prices of the frontier, as parts of the price that is.
const PRICES: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

fn frontier(roi: &Roi) -> Vec<FrontierView> {
    let Some((first, price)) = roi.far.first().zip(roi.sheet.find("far1_price")) else {
        return Vec::new();
    };
    let likely = number(&roi.sheet.values(), price);
    let at = |times: &f64| FrontierView {
        price_per_hour: times * likely,
        from_hours_per_month: {
            let values = roi.sheet.values_with(&[(price, times * likely)].into());
            values.of(first.break_even).into()
        },
    };
    if likely > 0.0 { PRICES.iter().map(at).collect() } else { Vec::new() }
}

/// Every full machine and a last one that is used from break-even on; nothing where there is no such use.
fn split(roi: &Roi, values: &Values) -> Option<SplitView> {
    let from = values.of(roi.far.first()?.break_even).number()?;
    let machines = number(values, roi.sheet.find("machines")?);
    // What one machine has to do: several share what they cost evenly.
    let (from, of_one) = (from / machines, number(values, roi.near.available) / machines);
    let hours = number(values, roi.near.hours);
    let full = (hours / of_one).floor();
    let rest = hours - full * of_one;
    let own = if rest >= from { full + 1.0 } else { full };
    let near = hours.min(own * of_one);
    Some(SplitView {
        own_machines: own,
        own_hours_per_month: near,
        rented_hours_per_month: hours - near,
    })
}

pub(super) fn here(roi: &Roi, values: &Values) -> HereView {
    let near = &roi.near;
    let of = |id: Id| number(values, id);
    let money = |id: Id| cents(of(id));
    let part = |id: &Id| PartView { what: roi.sheet.cell(*id).label.clone(), amount: money(*id) };
    HereView {
        price: money(near.price),
        years: of(near.life),
        hours_per_month: of(near.hours),
        used_hours_per_month: of(near.used),
        utilisation: of(near.utilisation),
        cash_per_month: money(near.month),
        parts_per_month: near.parts.iter().map(part).collect(),
        full_per_month: money(near.month_full),
        total: money(near.total),
        per_device_hour: values.of(near.per_device_hour).into(),
        time_value_per_month: money(near.time_value),
        kg_co2e_per_year: near.emissions.map(|emissions| of(emissions.total)),
    }
}

impl AgainstView {
    fn of(roi: &Roi, values: &Values, far: &Far, samples: &[Sample], years: f64) -> Self {
        let number = |id: Id| number(values, id);
        let money = |id: Id| cents(number(id));
        let word = |id: Id| Answered::from(values.of(id));
        let (worth, payback) = (samples.first(), samples.get(1));
        let drawn = |sample: &Sample| {
            Some([sample.quantile(0.05)?, sample.quantile(0.5)?, sample.quantile(0.95)?].map(cents))
        };
        let mut within = WITHIN.to_vec();
        within.retain(|months| *months < years * 12.0);
        within.push(years * 12.0);
        let odds = |within: f64| {
            let share = payback?.share_up_to(within);
            Some(OddsView { within_months: within, share })
        };
        let swings = roi.sheet.swings(far.worth).into_iter().take(SWINGS).map(|swing| {
            let cell = roi.sheet.cell(swing.id);
            SwingView {
                input: cell.name.clone(),
                label: cell.label.clone(),
                at_low: swing.low.into(),
                at_high: swing.high.into(),
            }
        });
        Self {
            name: far.name.to_string(),
            paid_hours_per_month: number(far.hours),
            cash_per_month: money(far.month),
            total: money(far.total),
            per_device_hour: word(far.per_device_hour),
            beyond_per_month: money(far.beyond),
            saving_per_month: money(far.saving),
            payback_months: word(far.payback),
            payback_with_time_months: word(far.payback_with_time),
            payback_discounted_months: word(far.payback_discounted),
            net_present_value: money(far.worth),
            net_present_value_with_time: money(far.worth_with_time),
            rate_of_return: word(far.rate_of_return),
            break_even_hours_per_month: word(far.break_even),
            net_present_value_drawn: worth.and_then(drawn),
            odds: within.into_iter().filter_map(odds).collect(),
            swings: swings.collect(),
            kg_co2e_per_year: far.emissions.map(|emissions| number(emissions.total)),
        }
    }
}

fn inputs(roi: &Roi, currency: &str) -> Vec<InputView> {
    let stated = roi.sheet.cells().filter_map(|(_, cell)| match &cell.content {
        Content::Input(input) => Some((cell, input)),
        Content::Formula(_) => None,
    });
    let view = |(cell, input): (&nearside_economics::Cell, &Input)| InputView {
        name: cell.name.clone(),
        label: cell.label.clone(),
        unit: cell.unit.symbol(currency),
        low: input.span.low(),
        likely: input.span.likely(),
        high: input.span.high(),
        kind: input.basis.kind.to_string(),
        source: input.basis.source.to_string(),
        as_of: input.basis.as_of.map(|day| day.to_string()),
    };
    stated.map(view).collect()
}

/// Paybacks in months: a row for each alternative, a column for each number of hours.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Table {
    /// Machine-hours of work a month.
    pub(crate) hours_per_month: Vec<f64>,
    /// The alternatives.
    pub(crate) rows: Vec<TableRow>,
}

/// Paybacks against one alternative.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TableRow {
    /// What it is called.
    pub(crate) name: String,
    /// What an hour of it costs.
    pub(crate) price_per_hour: f64,
    /// Months, for each number of hours.
    pub(crate) payback_months: Vec<Answered>,
}

impl Table {
    /// Of a case with the work that it has replaced by others.
    pub(super) fn of(case: &Case, hours: &[f64], currency: Currency) -> Result<Self, CommandError> {
        let mut rows: Vec<TableRow> = Vec::new();
        for (name, given) in &case.far {
            let price = given.get("price").map_or(0.0, |price| price.span.likely());
            let name = name.to_string();
            rows.push(TableRow { name, price_per_hour: price, payback_months: Vec::new() });
        }
        for hours in hours {
            if !hours.is_finite() || *hours < 0.0 {
                let message = format!("{hours} is no number of hours a month");
                return Err(CommandError::new(Fault::Usage, message).hint("--hours 80,160,240"));
            }
            let mut case = case.clone();
            let basis = Basis::assumed("a row of a table");
            case.near.insert("hours", Input { span: Span::exact(*hours), basis });
            let roi = sheet(&case, currency)?;
            let values = roi.sheet.values();
            for (row, far) in rows.iter_mut().zip(&roi.far) {
                row.payback_months.push(values.of(far.payback).into());
            }
        }
        Ok(Self { hours_per_month: hours.to_vec(), rows })
    }
}

/// Data of `roi --inputs --json`: every input, and what is assumed where nobody states it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InputsAnswer {
    /// Of the own machine and the team.
    pub(crate) near: Vec<AssumptionView>,
    /// Of what it is held against; flags write `far.` before the name.
    pub(crate) far: Vec<AssumptionView>,
}

/// An input that can be stated.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AssumptionView {
    /// What flags call it.
    pub(crate) name: String,
    /// What people call it.
    pub(crate) label: String,
    /// Its unit; money in the currency of the question.
    pub(crate) unit: String,
    /// Low, likely and high where nobody states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usual: Option<[f64; 3]>,
    /// Why that is assumed.
    pub(crate) why: String,
}

impl InputsAnswer {
    pub(super) fn all() -> Self {
        let view = |input: &Assumption| AssumptionView {
            name: input.name.to_owned(),
            label: input.label.to_owned(),
            unit: input.unit.symbol("money"),
            usual: input.usual.map(|(low, likely, high)| [low, likely, high]),
            why: input.why.to_owned(),
        };
        Self { near: NEAR.iter().map(view).collect(), far: FAR.iter().map(view).collect() }
    }
}

/// How a figure of a unit is written, without the unit: a share in per cent.
pub(super) fn shown(value: f64, unit: &str) -> f64 {
    if unit == Unit::Share.symbol("") { value * 100.0 } else { value }
}

/// Whether somebody only assumed it.
pub(super) fn is_assumed(input: &InputView) -> bool {
    input.kind == Kind::Assumed.to_string()
}
