//! Reads values under their keys, and keeps every error, every assumption and every currency seen.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use nearside_units::{Count, Currency, Money, ParseError, PerHour, PerKwh};

use crate::scalar::Field;
use crate::{Assumption, Located, ProjectError, suggest};

/// What has been found while reading a file.
#[derive(Default)]
pub(crate) struct Reader {
    errors: Vec<ProjectError>,
    assumptions: Vec<Assumption>,
    currencies: Vec<Located<Currency>>,
}

impl Reader {
    /// The table under that path, as in `site.here`.
    pub(crate) fn section(&mut self, path: impl Into<String>) -> Section<'_> {
        Section { path: path.into(), reader: self }
    }

    /// Keeps an error, once.
    pub(crate) fn report(&mut self, span: &Range<usize>, message: String, hint: Option<String>) {
        let error = ProjectError { message, span: Some(span.clone()), hint };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Keeps an assumption, once.
    pub(crate) fn assume(&mut self, what: String, value: String, why: &str) {
        let assumption = Assumption { what, value, why: why.to_owned() };
        if !self.assumptions.contains(&assumption) {
            self.assumptions.push(assumption);
        }
    }

    /// Whether the table's name can be used in commands, paths and patterns.
    pub(crate) fn check_name(&mut self, kind: &str, name: &Located<String>) {
        let allowed = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
        let text = &name.value;
        if text.is_empty() || text.starts_with(['.', '-']) || !text.chars().all(allowed) {
            let hint = "use letters, digits, -, _ and . (not first)".to_owned();
            self.report(
                &name.span,
                format!("\"{text}\" cannot be the name of a {kind}"),
                Some(hint),
            );
        }
    }

    /// A name that is nowhere: the error with the nearest known one.
    pub(crate) fn unknown<'a>(
        &mut self,
        kind: &str,
        name: &Located<String>,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let hint = suggest::hint(&name.value, known, "known");
        self.report(&name.span, format!("unknown {kind} \"{}\"", name.value), hint);
    }

    /// Every currency seen, with its place.
    pub(crate) fn currencies(&self) -> &[Located<Currency>] {
        &self.currencies
    }

    /// The assumptions, or every error in the order of the file.
    pub(crate) fn finish(mut self) -> Result<Vec<Assumption>, Vec<ProjectError>> {
        self.errors.sort_by_key(|error| error.span.as_ref().map(|span| span.start));
        if self.errors.is_empty() { Ok(self.assumptions) } else { Err(self.errors) }
    }
}

/// One table of the file. A value that cannot be read becomes an error and `None`.
pub(crate) struct Section<'r> {
    path: String,
    pub(crate) reader: &'r mut Reader,
}

impl Section<'_> {
    /// The full name of a key.
    pub(crate) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// Keeps an error about a key.
    pub(crate) fn error(&mut self, span: &Range<usize>, key: &str, fact: &str, hint: &str) {
        let message = format!("{}: {fact}", self.key(key));
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.reader.report(span, message, hint);
    }

    /// A quantity with its unit; `example` shows how it is written.
    pub(crate) fn quantity<T: FromStr<Err = ParseError>>(
        &mut self,
        key: &str,
        field: Option<&Field>,
        example: &str,
    ) -> Option<T> {
        let field = field?;
        match field.value.to_string().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let hint = unit_hint(&error, &format!("{}\"{example}\"", assignment(key)));
                self.error(&field.span, key, &error.to_string(), &hint);
                None
            }
        }
    }

    /// A price or an amount of money: not negative, and its currency is remembered.
    pub(crate) fn price<T: FromStr<Err = ParseError> + Priced>(
        &mut self,
        key: &str,
        field: Option<&Field>,
        example: &str,
    ) -> Option<T> {
        let price: T = self.quantity(key, field, example)?;
        let (money, span) = (price.money(), field?.span.clone());
        if money.amount().is_sign_negative() {
            let fact = format!("{money:#} is negative");
            self.error(&span, key, &fact, "a price is zero or more");
            return None;
        }
        self.reader.currencies.push(Located::new(money.currency(), span));
        Some(price)
    }

    /// A whole number within bounds, as an integer or as in `"20M"`.
    pub(crate) fn count(
        &mut self,
        key: &str,
        field: Option<&Field>,
        bounds: RangeInclusive<u64>,
    ) -> Option<u64> {
        let field = field?;
        let written = field.value.to_string();
        if written.parse::<f64>().is_ok_and(|number| number.fract() != 0.0) {
            let fact = format!("must be a whole number, not {written}");
            self.error(&field.span, key, &fact, "");
            return None;
        }
        let example = if *bounds.end() > 1_000_000_000 { "20M" } else { "8" };
        let count = self.quantity::<Count>(key, Some(field), example)?.get();
        if bounds.contains(&count) {
            return Some(count);
        }
        let fact = match count < *bounds.start() {
            true => format!("must be at least {}, not {count}", bounds.start()),
            false => format!("must be at most {}, not {count}", bounds.end()),
        };
        self.error(&field.span, key, &fact, "");
        None
    }

    /// A plain number within bounds.
    pub(crate) fn number(
        &mut self,
        key: &str,
        field: Option<&Field>,
        bounds: RangeInclusive<f64>,
    ) -> Option<f64> {
        let field = field?;
        let number = field.value.to_string().parse::<f64>().ok();
        let within = number.filter(|number| bounds.contains(number));
        if within.is_none() {
            let (low, high) = (bounds.start(), bounds.end());
            let fact = format!("\"{}\" is not a number from {low} to {high}", field.value);
            self.error(&field.span, key, &fact, "");
        }
        within
    }

    /// One of a closed set of names.
    pub(crate) fn choice<T>(
        &mut self,
        key: &str,
        field: Option<&Located<String>>,
        names: impl IntoIterator<Item = &'static str>,
    ) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let field = field?;
        match field.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let error: <T as FromStr>::Err = error;
                let near = suggest::nearest(&field.value, names);
                let hint = near.map(|near| format!("did you mean \"{near}\"?"));
                self.error(&field.span, key, &error.to_string(), &hint.unwrap_or_default());
                None
            }
        }
    }

    /// The value, or a default that is recorded as an assumption.
    pub(crate) fn or_assume<T: Display>(
        &mut self,
        key: &str,
        value: Option<T>,
        default: T,
        why: &str,
    ) -> T {
        value.unwrap_or_else(|| {
            self.reader.assume(self.key(key), default.to_string(), why);
            default
        })
    }
}

/// `key = ` for the last part of a key that is a plain one.
fn assignment(key: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    format!("{last} = ")
}

/// The unit that was most likely meant, or an example.
fn unit_hint(error: &ParseError, example: &str) -> String {
    let meant = match error {
        ParseError::UnknownUnit { unit, units, .. } => suggest::nearest(unit, units.split(", ")),
        _ => None,
    };
    meant.map_or_else(|| format!("as in {example}"), |unit| format!("did you mean \"{unit}\"?"))
}

/// What is stated in money.
pub(crate) trait Priced {
    /// The amount, or the amount per unit.
    fn money(&self) -> Money;
}

impl Priced for Money {
    fn money(&self) -> Money {
        *self
    }
}

impl Priced for PerHour {
    fn money(&self) -> Money {
        (*self).money()
    }
}

impl Priced for PerKwh {
    fn money(&self) -> Money {
        (*self).money()
    }
}
