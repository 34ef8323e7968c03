//! Cloud bills: what was paid, in cash and amortised, what of it was waste, and how long accelerators ran.
//!
//! Cash is the sum of `BilledCost`; amortised is the sum of `EffectiveCost`, without what was bought as a
//! commitment, since that cost is in the rows that it pays for. The two are never added.
//! Source: FOCUS 1.2, "Billed Cost", "Effective Cost", "Commitment Discount Status".
//!
//! Rows come one by one and are forgotten. Sums are exact, so neither the order of rows nor how they are
//! spread over files shows in them.

mod absorbed;
mod accelerator;
mod amount;
mod charge;
mod moment;
mod seen;
mod usage;

use std::collections::BTreeMap;

use nearside_units::{Currency, Money};

pub use absorbed::{Absorbed, Capacity, Kept, RelativeSpeed, absorbed};
pub use accelerator::{Accelerators, Bought, Found, Work};
pub use amount::Sum;
pub use charge::{COLUMNS, Category, Charge, Class, Commitment, Doubt, Quantity, folded, lacking};
pub use moment::{Hour, Moment, Month, Period};
pub use seen::MOST_REMEMBERED;
pub use usage::{
    DeviceTime, Kind, KindUse, MachineTime, MonthUse, PerDeviceHour, PerMachineHour, Uncounted,
    Usage,
};

use seen::Seen;

/// Services that are kept apart at most; what is beyond is together.
const MOST_SERVICES: usize = 4096;

/// Characters of a name that are kept.
const LONGEST_NAME: usize = 200;

/// A sum in cash and amortised, of so many rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// What invoices say.
    pub cash: Sum,
    /// What was used, with purchases in advance spread over it.
    pub amortised: Sum,
}

impl Totals {
    fn add(&mut self, charge: &Charge<'_>) {
        self.rows += 1;
        self.cash.add_known(charge.billed);
        if !is_bought_ahead(charge) {
            self.amortised.add_known(charge.effective);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.cash.merge(&other.cash);
        self.amortised.merge(&other.amortised);
    }
}

/// A part of the bill. Every row is in exactly one, so that their sum is the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// What was used.
    Usage,
    /// Commitments and reserved capacity that nobody used: waste.
    Unused,
    /// What was bought.
    Purchase,
    /// Taxes.
    Tax,
    /// What the provider granted.
    Credit,
    /// What it put right in other ways.
    Adjustment,
    /// Corrections of rows of earlier invoices.
    Correction,
    /// Rows whose category is none that we know.
    Other,
}

impl Line {
    /// Every line.
    pub const ALL: [Self; 8] = [
        Self::Usage,
        Self::Unused,
        Self::Purchase,
        Self::Tax,
        Self::Credit,
        Self::Adjustment,
        Self::Correction,
        Self::Other,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Unused => "unused commitments",
            Self::Purchase => "purchases",
            Self::Tax => "tax",
            Self::Credit => "credits",
            Self::Adjustment => "adjustments",
            Self::Correction => "corrections",
            Self::Other => "of unknown category",
        }
    }

    /// The line of a row.
    #[must_use]
    pub fn of(charge: &Charge<'_>) -> Self {
        match (charge.class, charge.commitment, charge.category) {
            (Class::Correction, ..) => Self::Correction,
            (_, Commitment::Unused, Some(Category::Usage)) => Self::Unused,
            (_, _, Some(Category::Usage)) => Self::Usage,
            (_, _, Some(Category::Purchase)) => Self::Purchase,
            (_, _, Some(Category::Tax)) => Self::Tax,
            (_, _, Some(Category::Credit)) => Self::Credit,
            (_, _, Some(Category::Adjustment)) => Self::Adjustment,
            (_, _, None) => Self::Other,
        }
    }
}

/// Something about rows that a reader of the bill should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// Rows that are the same as another in every column: counted once.
    Duplicate,
    /// Usage below zero that is neither a credit nor a correction.
    NegativeUsage,
    /// A period that ends when it begins.
    NoLength,
    /// A period that ends before it begins.
    Reversed,
    /// A commitment that was bought and has an effective cost, which is left out.
    BoughtAhead,
    /// A part that could not be understood.
    Doubt(Doubt),
}

/// How many rows, their cost on invoices, and one of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Odd {
    /// How many.
    pub rows: u64,
    /// What they cost: on invoices, or, where that is what is odd, amortised.
    pub cost: Sum,
    /// One of them, in words: the first in the alphabet.
    pub example: String,
}

/// A bill, row by row.
#[derive(Clone, Debug)]
pub struct Bill {
    seen: Seen,
    total: Totals,
    lines: BTreeMap<Line, Totals>,
    services: BTreeMap<String, BTreeMap<String, Totals>>,
    other_services: Totals,
    cash_months: BTreeMap<Option<Month>, Sum>,
    amortised_months: BTreeMap<Option<Month>, Sum>,
    currencies: BTreeMap<Currency, u64>,
    oddities: BTreeMap<Oddity, Odd>,
    usage: Usage,
    span: Option<(Hour, Hour)>,
}

impl Default for Bill {
    fn default() -> Self {
        Self::remembering(MOST_REMEMBERED)
    }
}

impl Bill {
    /// A bill without rows, that remembers so many of them to find those that come twice.
    #[must_use]
    pub fn remembering(most: usize) -> Self {
        Self {
            seen: Seen::new(most),
            total: Totals::default(),
            lines: BTreeMap::new(),
            services: BTreeMap::new(),
            other_services: Totals::default(),
            cash_months: BTreeMap::new(),
            amortised_months: BTreeMap::new(),
            currencies: BTreeMap::new(),
            oddities: BTreeMap::new(),
            usage: Usage::default(),
            span: None,
        }
    }

    /// Puts a row in.
    pub fn add(&mut self, charge: &Charge<'_>, accelerators: &Accelerators<'_>) {
        if self.seen.was_seen(charge.digest) {
            return self.note(Oddity::Duplicate, charge, charge.billed);
        }
        self.total.add(charge);
        self.lines.entry(Line::of(charge)).or_default().add(charge);
        self.add_to_service(charge);
        self.add_to_months(charge);
        if let Some(currency) = charge.billed.or(charge.effective).map(Money::currency) {
            *self.currencies.entry(currency).or_default() += 1;
        }
        self.note_oddities(charge);
        self.widen(charge);
        match accelerators.find(charge) {
            Found::Nothing => {}
            Found::Work(work, bought) => self.usage.add(charge, &work, bought),
            Found::Unknown(name) => self.usage.leave_out(Uncounted::NotInCatalog, &name),
        }
    }

    fn add_to_service(&mut self, charge: &Charge<'_>) {
        let known = self.services.get_mut(charge.provider);
        if let Some(totals) = known.and_then(|services| services.get_mut(charge.service)) {
            return totals.add(charge);
        }
        let (provider, service) = (kept(charge.provider), kept(charge.service));
        let services: usize = self.services.values().map(BTreeMap::len).sum();
        let held = self.services.get(&provider).is_some_and(|held| held.contains_key(&service));
        if services >= MOST_SERVICES && !held {
            return self.other_services.add(charge);
        }
        self.services.entry(provider).or_default().entry(service).or_default().add(charge);
    }

    /// Cash is of the month of the invoice, where it says which; what was used is of the month of use.
    fn add_to_months(&mut self, charge: &Charge<'_>) {
        let used_in = charge.period.map(|period| period.from.month());
        let billed_in = charge.billed_in.map(Moment::month).or(used_in);
        self.cash_months.entry(billed_in).or_default().add_known(charge.billed);
        if !is_bought_ahead(charge) {
            self.amortised_months.entry(used_in).or_default().add_known(charge.effective);
        }
    }

    fn note_oddities(&mut self, charge: &Charge<'_>) {
        let below = |money: Option<Money>| money.is_some_and(is_below_zero);
        if Line::of(charge) == Line::Usage && (below(charge.billed) || below(charge.effective)) {
            self.note(Oddity::NegativeUsage, charge, charge.billed);
        }
        match charge.period {
            Some(period) if period.to == period.from => {
                self.note(Oddity::NoLength, charge, charge.billed);
            }
            Some(period) if period.to < period.from => {
                self.note(Oddity::Reversed, charge, charge.billed);
            }
            _ => {}
        }
        if is_bought_ahead(charge)
            && charge.effective.is_some_and(|money| !money.amount().is_zero())
        {
            self.note(Oddity::BoughtAhead, charge, charge.effective);
        }
        for doubt in &charge.doubts {
            let entry = self.oddities.entry(Oddity::Doubt(*doubt)).or_default();
            entry.rows += 1;
            entry.remember(charge);
        }
    }

    fn note(&mut self, oddity: Oddity, charge: &Charge<'_>, cost: Option<Money>) {
        let entry = self.oddities.entry(oddity).or_default();
        entry.rows += 1;
        entry.cost.add_known(cost);
        entry.remember(charge);
    }

    /// The hours that the bill is about: those of what was used.
    fn widen(&mut self, charge: &Charge<'_>) {
        let Some(period) = charge.period.filter(|period| period.is_forward()) else { return };
        if charge.category != Some(Category::Usage) {
            return;
        }
        // The end is outside: of an hour that is full it is the beginning of the next.
        let last = Moment::checked(period.to.millis() - 1).unwrap_or(period.to).hour();
        let first = period.from.hour();
        let span = self.span.get_or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }

    /// Rows that were counted.
    #[must_use]
    pub const fn total(&self) -> &Totals {
        &self.total
    }

    /// The parts of the bill that have rows.
    pub fn lines(&self) -> impl Iterator<Item = (Line, &Totals)> {
        self.lines.iter().map(|(line, totals)| (*line, totals))
    }

    /// By provider and service; what is beyond those that are kept apart has no name.
    pub fn services(&self) -> impl Iterator<Item = (Option<(&str, &str)>, &Totals)> {
        let kept = self.services.iter().flat_map(|(provider, services)| {
            let named = |service| Some((provider.as_str(), service));
            services.iter().map(move |(service, totals)| (named(service.as_str()), totals))
        });
        let rest = (self.other_services.rows > 0).then_some((None, &self.other_services));
        kept.chain(rest)
    }

    /// By month: cash of the invoices of the month, amortised cost of what was used in it. Rows without a
    /// month are under `None`.
    #[must_use]
    pub fn months(&self) -> BTreeMap<Option<Month>, (Sum, Sum)> {
        let mut months: BTreeMap<Option<Month>, (Sum, Sum)> = BTreeMap::new();
        for (month, sum) in &self.cash_months {
            months.entry(*month).or_default().0.merge(sum);
        }
        for (month, sum) in &self.amortised_months {
            months.entry(*month).or_default().1.merge(sum);
        }
        months
    }

    /// The currency that most rows are billed in; of several the first in the alphabet.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        let most = self.currencies.values().max()?;
        self.currencies.iter().find(|(_, rows)| *rows == most).map(|(currency, _)| *currency)
    }

    /// What a reader of the bill should know.
    pub fn oddities(&self) -> impl Iterator<Item = (Oddity, &Odd)> {
        self.oddities.iter().map(|(oddity, odd)| (*oddity, odd))
    }

    /// Time on accelerators.
    #[must_use]
    pub const fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The first and the last hour of what was used.
    #[must_use]
    pub const fn span(&self) -> Option<(Hour, Hour)> {
        self.span
    }

    /// Whether there were more rows than are remembered: some that came twice may have been counted twice.
    #[must_use]
    pub const fn is_beyond_memory(&self) -> bool {
        self.seen.is_beyond()
    }

    /// All lines together, which is the bill; what a test holds against the total.
    #[must_use]
    pub fn sum_of_lines(&self) -> Totals {
        let mut sum = Totals::default();
        self.lines.values().for_each(|line| sum.merge(line));
        sum
    }
}

impl Odd {
    fn remember(&mut self, charge: &Charge<'_>) {
        let example = charge.description.or(charge.sku).unwrap_or(charge.service);
        if self.rows == 1 || example < self.example.as_str() {
            self.example = kept(example);
        }
    }
}

/// Whether a row is the purchase of a commitment, whose cost is in the rows that it pays for.
fn is_bought_ahead(charge: &Charge<'_>) -> bool {
    charge.category == Some(Category::Purchase) && charge.commitment_id.is_some()
}

fn is_below_zero(money: Money) -> bool {
    let amount = money.amount();
    amount.is_sign_negative() && !amount.is_zero()
}

/// A name, cut where it is too long to be one.
fn kept(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests;
