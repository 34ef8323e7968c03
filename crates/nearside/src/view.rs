//! Figures as they leave the program: plain numbers with the unit in the field's name, and text.

use nearside_estimate::Input;
use nearside_units::{Duration, Known, Money, Span};
use schemars::JsonSchema;
use serde::Serialize;

/// A range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Range {
    /// Low end.
    pub(crate) low: f64,
    /// What is most likely.
    pub(crate) likely: f64,
    /// High end.
    pub(crate) high: f64,
}

impl Range {
    /// A span in plain numbers.
    pub(crate) fn of<T: Copy + PartialOrd>(span: Span<T>, number: impl Fn(T) -> f64) -> Self {
        Self { low: number(span.low()), likely: number(span.likely()), high: number(span.high()) }
    }
}

/// A figure, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Figure<T> {
    /// It is known.
    Value(T),
    /// It is not.
    Unknown {
        /// Why it is not known.
        unknown: String,
    },
}

impl<T> Figure<T> {
    pub(crate) fn of<U>(known: &Known<U>, view: impl FnOnce(&U) -> T) -> Self {
        match known {
            Known::Value(value) => Self::Value(view(value)),
            Known::Unknown(why) => Self::Unknown { unknown: why.to_string() },
        }
    }
}

/// An amount of money: exact decimals as strings.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct MoneyRange {
    /// Low end, a decimal number.
    pub(crate) low: String,
    /// What is most likely, a decimal number.
    pub(crate) likely: String,
    /// High end, a decimal number.
    pub(crate) high: String,
    /// ISO 4217 code.
    pub(crate) currency: String,
}

impl MoneyRange {
    pub(crate) fn of(span: Span<Money>) -> Self {
        let decimal = |money: Money| money.amount().round_dp(6).normalize().to_string();
        Self {
            low: decimal(span.low()),
            likely: decimal(span.likely()),
            high: decimal(span.high()),
            currency: span.likely().currency().to_string(),
        }
    }
}

/// Something that a figure was computed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct InputView {
    /// What it is.
    pub(crate) what: String,
    /// Its value with its unit.
    pub(crate) value: String,
    /// measured, stated, published, derived or assumed.
    pub(crate) kind: String,
    /// Where it came from.
    pub(crate) source: String,
    /// When it was true.
    pub(crate) as_of: Option<String>,
}

impl InputView {
    pub(crate) fn of(input: &Input) -> Self {
        Self {
            what: input.what.to_owned(),
            value: input.value.to_string(),
            kind: input.basis.kind.to_string(),
            source: input.basis.source.to_string(),
            as_of: input.basis.as_of.map(|date| date.to_string()),
        }
    }

    /// The cells of its row in a table.
    pub(crate) fn row(&self) -> Vec<String> {
        let source = match &self.as_of {
            Some(date) => format!("{} ({date})", self.source),
            None => self.source.clone(),
        };
        vec![self.what.clone(), self.value.clone(), self.kind.clone(), source]
    }
}

/// A known value as text, a dash when it is not known.
pub(crate) fn or_dash<T: ToString>(known: &Known<T>) -> String {
    known.as_ref().value().map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// A time as text, a dash when it is none.
pub(crate) fn seconds(seconds: f64) -> String {
    Duration::from_seconds(seconds).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// A range of times in one readable unit, a dash when it is none.
pub(crate) fn seconds_range(low: f64, high: f64) -> String {
    let ends = Duration::from_seconds(low).ok().zip(Duration::from_seconds(high).ok());
    let range = |(low, high)| nearside_units::Range { low, high }.to_string();
    ends.map_or_else(|| "-".to_owned(), range)
}

/// The distinct sources of inputs, in the order they appear.
pub(crate) fn sources<'a>(inputs: impl IntoIterator<Item = &'a InputView>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for input in inputs {
        if !found.contains(&input.source) {
            found.push(input.source.clone());
        }
    }
    found
}
