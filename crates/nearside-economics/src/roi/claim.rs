//! Does a figure that somebody states hold, and if not, which slip leads to it?
//!
//! Published comparisons of buying and renting go wrong in few ways: the purchase is counted twice, the price
//! of a machine is taken as that of one accelerator, somebody divides by kilowatts. Each of them is a change
//! of inputs; a slip explains a figure where the sheet comes to it with that change. That is no proof: two
//! slips may lead to one figure, and all that do are named.

use std::collections::BTreeMap;
use std::fmt;

use super::Roi;
use crate::sheet::{Cell, Content, Group, Id, Unit, Value, Values};

/// How far a stated figure may be from a computed one, as a share of it: published ones are rounded.
pub const CLAIM_WITHIN: f64 = 0.01;

/// A stated figure beside the computed one.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What is stated.
    pub claimed: f64,
    /// What the sheet comes to.
    pub computed: Value,
    /// They are the same, as far as rounding goes.
    pub holds: bool,
    /// What leads to the stated figure where it does not hold; none when nothing explains it.
    pub slips: Vec<Slip>,
}

/// A mistake that leads to a stated figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Slip {
    /// What it is called, in words with `-` between them.
    pub name: &'static str,
    /// What was done, with its numbers.
    pub says: String,
    /// What the sheet comes to with it.
    pub value: f64,
}

impl Claim {
    /// Somebody could come to this figure: it holds, or a slip explains it.
    #[must_use]
    pub const fn is_reproduced(&self) -> bool {
        self.holds || !self.slips.is_empty()
    }

    /// How many times what is computed the stated figure is.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let ratio = self.claimed / self.computed.number()?;
        ratio.is_finite().then_some(ratio)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let computed = match self.computed {
            Value::Number(number) => figure(number),
            Value::Nothing(word) => word.to_owned(),
        };
        let claimed = figure(self.claimed);
        if self.holds {
            return write!(formatter, "{claimed} holds: computed is {computed}");
        }
        if self.slips.is_empty() {
            write!(formatter, "{claimed} is not reproduced: computed is {computed}")?;
            return match self.ratio() {
                Some(ratio) => write!(formatter, ", the claim is {} times that", figure(ratio)),
                None => Ok(()),
            };
        }
        write!(formatter, "{claimed} does not hold, computed is {computed}:")?;
        for (place, slip) in self.slips.iter().enumerate() {
            let or = if place == 0 { "" } else { "; or" };
            write!(formatter, "{or} {} ({})", slip.says, slip.name)?;
        }
        Ok(())
    }
}

/// Compares a stated figure with a cell, and looks for the slip that leads to it where they differ by more
/// than the share `within` of it, such as [`CLAIM_WITHIN`].
///
/// A published calculator sells 8 accelerators of 35,000 with an overhead of 40 %, which draw 0.7 kW each
/// for 400 hours a month, against 4.50 an hour. By its formula that takes 137.2 months to pay back:
///
/// ```
/// use nearside_economics::{CLAIM_WITHIN, Case, Given, Input, Roi, explain};
/// use nearside_units::{Basis, Span};
///
/// let given = |values: &[(&'static str, f64)]| -> Given {
///     let input = |value| Input { span: Span::exact(value), basis: Basis::assumed("published") };
///     values.iter().map(|(name, value)| (*name, input(*value))).collect()
/// };
/// let near = given(&[
///     ("machine_price", 8.0 * 35_000.0), ("overhead", 0.4), ("devices", 8.0), ("life", 4.0),
///     ("hours", 400.0), ("load", 8.0 * 700.0), ("idle", 0.0), ("pue", 1.4), ("tariff", 0.12),
///     ("maintenance", 0.0), ("room", 3000.0),
/// ]);
/// let far = given(&[("price", 8.0 * 4.5)]);
/// let roi = Roi::of(&Case { near, far: vec![("rented".into(), far)] })?;
///
/// let payback = roi.far[0].payback;
/// assert!(explain(&roi, payback, 35.56, CLAIM_WITHIN).holds);
/// let claim = explain(&roi, payback, 137.2, CLAIM_WITHIN);
/// assert_eq!(claim.slips[0].name, "purchase-counted-twice");
/// assert_eq!(
///     claim.to_string(),
///     "137.2 does not hold, computed is 35.56: the purchase is counted twice: 392000 over 4 years are \
///      8166.67 a month on top of the cash of each month (purchase-counted-twice)",
/// );
/// assert!(!explain(&roi, payback, 77.0, CLAIM_WITHIN).is_reproduced());
/// # Ok::<(), nearside_economics::RoiError>(())
/// ```
#[must_use]
pub fn explain(roi: &Roi, cell: Id, claimed: f64, within: f64) -> Claim {
    let values = roi.sheet.values();
    let computed = values.of(cell);
    let is = |number: f64| (claimed - number).abs() <= within * number.abs();
    let holds = computed.number().is_some_and(is);
    let mut slips: Vec<Slip> = Vec::new();
    if !holds {
        let needed = roi.sheet.needed(&[cell]);
        for Attempt { name, says, instead } in (Inputs { roi, values }).attempts() {
            if instead.keys().all(|id| needed.binary_search(id).is_err()) {
                continue;
            }
            match roi.sheet.values_with(&instead).of(cell) {
                Value::Number(value) if is(value) => {
                    keep_nearest(&mut slips, Slip { name, says, value }, claimed);
                }
                Value::Number(_) | Value::Nothing(_) => {}
            }
        }
    }
    Claim { claimed, computed, holds, slips }
}

/// One slip may be made with several numbers; the one that comes nearest stays.
fn keep_nearest(slips: &mut Vec<Slip>, slip: Slip, claimed: f64) {
    let away = |slip: &Slip| (slip.value - claimed).abs();
    match slips.iter_mut().find(|other| other.name == slip.name) {
        Some(other) if away(&slip) < away(other) => *other = slip,
        Some(_) => {}
        None => slips.push(slip),
    }
}

/// A slip that may have been made.
struct Attempt {
    name: &'static str,
    says: String,
    /// The inputs that it changes.
    instead: BTreeMap<Id, f64>,
}

impl Attempt {
    fn new(name: &'static str, says: String, instead: &[(Id, f64)]) -> Self {
        Self { name, says, instead: instead.iter().copied().collect() }
    }
}

/// Accelerators that a machine is usually sold or rented with.
const SEVERAL: [f64; 4] = [2.0, 4.0, 8.0, 16.0];
/// Days that a month is taken to have.
const DAYS: [f64; 2] = [30.0, 365.0 / 12.0];
/// What is left out at times: the slip, the input, and its value when it does not count.
const LEFT_OUT: [(&str, &str, f64); 4] = [
    ("idle-power-left-out", "idle", 0.0),
    ("cooling-left-out", "pue", 1.0),
    ("maintenance-left-out", "maintenance", 0.0),
    ("staff-left-out", "staff_hours", 0.0),
];

/// The inputs of a sheet that slips are made with.
struct Inputs<'a> {
    roi: &'a Roi,
    values: Values,
}

impl Inputs<'_> {
    /// Every slip that can be made, the likeliest first.
    fn attempts(&self) -> Vec<Attempt> {
        let mut all = self.purchase_counted_twice();
        all.extend(self.price_of_several());
        all.extend(self.wrong_power());
        all.extend(self.wrong_hours());
        for (name, input, without) in LEFT_OUT {
            all.extend(self.left_out(name, input, without));
        }
        all
    }

    /// Spreading the price over the life is right in a cost in full, and wrong in what a payback follows from.
    fn purchase_counted_twice(&self) -> Vec<Attempt> {
        let near = &self.roi.near;
        let (price, life) = (self.value(near.price), self.value(near.life));
        let each_month = price / (12.0 * life);
        let says = format!(
            "the purchase is counted twice: {} over {} years are {} a month on top of the cash of each \
             month",
            figure(price),
            figure(life),
            figure(each_month),
        );
        let counted = |(room, month): (Id, f64)| {
            Attempt::new("purchase-counted-twice", says.clone(), &[(room, month + each_month)])
        };
        self.near("room").map(counted).into_iter().collect()
    }

    fn price_of_several(&self) -> Vec<Attempt> {
        let prices = self.near("machine_price").into_iter().chain(self.far("price"));
        let name = "price-of-several";
        let of = |(id, price): (Id, f64)| {
            let shown = self.shown(id, price);
            SEVERAL.into_iter().flat_map(move |count| {
                let several = format!(
                    "{shown} for {count} accelerators together is taken as the price of each of them"
                );
                let one =
                    format!("{shown} for one accelerator is taken as the price of {count} together");
                [
                    Attempt::new(name, several, &[(id, price * count)]),
                    Attempt::new(name, one, &[(id, price / count)]),
                ]
            })
        };
        prices.flat_map(of).collect()
    }

    fn wrong_power(&self) -> Vec<Attempt> {
        let (Some((load, watts)), Some((idle, idle_watts))) =
            (self.near("load"), self.near("idle"))
        else {
            return Vec::new();
        };
        let kilowatts = watts / 1000.0;
        let divided = format!(
            "divided by {0} kW where it is to be multiplied: {0} kW count as {1} kW",
            figure(kilowatts),
            figure(1.0 / kilowatts),
        );
        let mut all = vec![Attempt::new("power-divided", divided, &[(load, 1000.0 / kilowatts)])];
        for factor in [1000.0, 1.0 / 1000.0] {
            let says = format!(
                "watts and kilowatts are confused: {} W count as {} W",
                figure(watts),
                figure(watts * factor),
            );
            let instead = [(load, watts * factor), (idle, idle_watts * factor)];
            all.push(Attempt::new("watts-for-kilowatts", says, &instead));
        }
        all
    }

    fn wrong_hours(&self) -> Vec<Attempt> {
        let Some((id, hours)) = self.near("hours") else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for days in DAYS {
            for counted in [hours / days, hours * days] {
                let says = format!(
                    "hours of a day and of a month are confused: {} a month count as {}",
                    figure(hours),
                    figure(counted),
                );
                all.push(Attempt::new("hours-of-a-day-for-a-month", says, &[(id, counted)]));
            }
        }
        let available = self.value(self.roi.near.available);
        let says = format!(
            "all {} hours of a month are counted, not the {} of work",
            figure(available),
            figure(hours),
        );
        all.push(Attempt::new("all-hours-counted", says, &[(id, available)]));
        all
    }

    /// An input does not count, here and wherever else it is stated.
    fn left_out(&self, name: &'static str, input: &str, without: f64) -> Option<Attempt> {
        let ids: Vec<(Id, f64)> = self.near(input).into_iter().chain(self.far(input)).collect();
        let (first, value) = *ids.first()?;
        let says = format!(
            "left out: {}, {} counts as {}",
            self.roi.sheet.cell(first).label,
            self.shown(first, value),
            self.shown(first, without),
        );
        let instead: Vec<(Id, f64)> = ids.iter().map(|(id, _)| (*id, without)).collect();
        Some(Attempt::new(name, says, &instead))
    }

    /// An input of the own machine and its value.
    fn near(&self, name: &str) -> Option<(Id, f64)> {
        self.roi.sheet.find(name).map(|id| (id, self.value(id)))
    }

    /// An input of every alternative that has it, and its value.
    fn far(&self, name: &str) -> impl Iterator<Item = (Id, f64)> {
        let is_named = |cell: &Cell| match cell.group {
            Group::Near => false,
            Group::Far(place) => {
                let bare = cell.name.strip_prefix(&format!("far{}_", place + 1));
                bare == Some(name) && matches!(cell.content, Content::Input(_))
            }
        };
        let found = self.roi.sheet.cells().filter(move |(_, cell)| is_named(cell));
        found.map(|(id, _)| (id, self.value(id)))
    }

    /// A cell that always is a number.
    fn value(&self, id: Id) -> f64 {
        self.values.of(id).number().unwrap_or(f64::NAN)
    }

    /// A value of an input with its unit; there is one currency, which goes without saying.
    fn shown(&self, id: Id, value: f64) -> String {
        let unit = self.roi.sheet.cell(id).unit;
        let value = if unit == Unit::Share { value * 100.0 } else { value };
        let symbol = unit.symbol("");
        let space = if symbol.is_empty() || symbol.starts_with('/') { "" } else { " " };
        format!("{}{space}{symbol}", figure(value))
    }
}

/// A figure with two decimals at most, or four digits where it is small.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        large if large >= 1.0 => 2,
        small if small > 0.0 => (3.0 - small.log10().floor()).min(12.0) as usize,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_are_short() {
        for (value, text) in [
            (392_000.0, "392000"),
            (8_166.666, "8166.67"),
            (137.2, "137.2"),
            (0.83333, "0.8333"),
            (0.0012, "0.0012"),
            (0.0, "0"),
            (-4.0, "-4"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(figure(value), text);
        }
    }
}
