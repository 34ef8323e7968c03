//! What is asked of a dataset, read from its words.

use std::fs;

use nearside_privacy::release::{
    Categorical, Decimal, Fraction, Grid, Numeric, Pairs, Privacy, Query, ReleaseError,
};
use serde::Serialize;

use crate::cli::{Question, Release};
use crate::error::{CommandError, Fault};

/// The most ranges of a column.
const MOST_RANGES: i128 = 10_000;

/// What was asked, as it is kept in the record.
#[derive(Debug, Serialize)]
pub(super) struct Asked<'a> {
    question: Question,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    by: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    at: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pair: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(arguments: &'a Release, question: Question) -> Self {
        let at: &[String] = if question == Question::Quantiles { &arguments.at } else { &[] };
        let Release { of, by, pair, rows, .. } = arguments;
        Self { question, of: of.as_deref(), by, at, pair, rows: *rows }
    }
}

/// What cannot be asked.
pub(super) fn refused(error: &ReleaseError) -> CommandError {
    CommandError::new(Fault::Usage, error.to_string())
}

fn wrong(message: String, hint: &str) -> CommandError {
    CommandError::new(Fault::Usage, message).hint(hint)
}

/// What may be spent on it.
pub(super) fn privacy(arguments: &Release) -> Result<Privacy, CommandError> {
    let privacy = match (arguments.epsilon, arguments.rho) {
        (Some(epsilon), _) => Privacy::pure(epsilon),
        (None, Some(rho)) => Privacy::concentrated(rho),
        (None, None) => {
            let message = "an answer spends privacy: say how much".to_owned();
            return Err(wrong(message, "--epsilon 0.1"));
        }
    };
    privacy.map_err(|error| refused(&error))
}

/// The query.
pub(super) fn query(arguments: &Release, question: Question) -> Result<Query, CommandError> {
    let Release { of, by, .. } = arguments;
    let counts = matches!(question, Question::Count | Question::Synthetic);
    if let (true, Some(of)) = (counts, of) {
        let message = format!("rows are counted by --by, not --of {of}");
        return Err(wrong(message, "sum, mean and quantiles are of a column"));
    }
    if let (false, [_, ..]) = (counts, by.as_slice()) {
        let message = "--by is for count and synthetic".to_owned();
        return Err(wrong(message, "count --by sex=F,M"));
    }
    if question != Question::Synthetic && (arguments.rows.is_some() || !arguments.pair.is_empty()) {
        return Err(wrong("--rows and --pair are for synthetic".to_owned(), "synthetic --by ..."));
    }
    let numeric = || {
        let hint = "as in --of age=0..120";
        let stated = of.as_deref();
        let stated = stated.ok_or_else(|| wrong("it is asked of no column".to_owned(), hint));
        stated.and_then(numeric)
    };
    let columns = || by.iter().map(|text| domain(text)).collect::<Result<Vec<_>, _>>();
    Ok(match question {
        Question::Count => match columns()?.as_slice() {
            [] => Query::Count,
            [one] => Query::Histogram(one.clone()),
            several => Query::Contingency(several.to_vec()),
        },
        Question::Sum => Query::Sum(numeric()?),
        Question::Mean => Query::Mean(numeric()?),
        Question::Quantiles => {
            let at = arguments.at.iter().map(|text| fraction(text));
            Query::Quantiles(numeric()?, at.collect::<Result<_, _>>()?)
        }
        Question::Synthetic => {
            let columns = columns()?;
            let pairs = pairs(&arguments.pair, &columns)?;
            Query::Synthetic { columns, pairs, rows: arguments.rows }
        }
    })
}

/// `age=0..120`, `pay=0..100000/100`.
fn numeric(text: &str) -> Result<Numeric, CommandError> {
    let not = || wrong(format!("\"{text}\" is no column with bounds"), "as in age=0..120");
    let (column, bounds) = text.split_once('=').ok_or_else(not)?;
    let (bounds, step) = stepped(bounds);
    let (lower, upper) = bounds.split_once("..").ok_or_else(not)?;
    let decimal = |text: &str| text.trim().parse::<Decimal>();
    let grid = decimal(lower).and_then(|lower| match step {
        Some(step) => Grid::new(lower, decimal(upper)?, decimal(step)?),
        None => Grid::between(lower, decimal(upper)?),
    });
    Ok(Numeric::new(column.trim(), grid.map_err(|error| refused(&error))?))
}

/// Bounds, and the step behind them.
fn stepped(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(bounds, step)| (bounds, Some(step)))
}

/// `sex=F,M`, `age=0..100/10`, `town=@towns.txt`.
fn domain(text: &str) -> Result<Categorical, CommandError> {
    let not = || wrong(format!("\"{text}\" is no column with values"), "as in sex=F,M");
    let (column, values) = text.split_once('=').ok_or_else(not)?;
    let column = column.trim();
    let found = if let Some(file) = values.strip_prefix('@') {
        let text = fs::read_to_string(file).map_err(|error| {
            CommandError::new(Fault::Input, format!("cannot read {file}: {error}"))
        })?;
        of_file(column, text.strip_prefix('\u{feff}').unwrap_or(&text))
    } else if let (bounds, Some(step)) = stepped(values)
        && let Some((lower, upper)) = bounds.split_once("..")
    {
        edges(lower, upper, step).and_then(|edges| Categorical::ranges(column, &edges))
    } else {
        Categorical::labels(column, values.split(',').map(|label| label.trim().to_owned()))
    };
    found.map_err(|error| refused(&error))
}

/// A value a line, or a value and its group.
fn of_file(column: &str, text: &str) -> Result<Categorical, ReleaseError> {
    let lines = text.lines().map(str::trim);
    if !text.contains(';') {
        return Categorical::labels(column, lines.map(str::to_owned));
    }
    let pair = |line: &str| {
        let (value, group) = line.split_once(';').unwrap_or((line, line));
        (value.trim().to_owned(), group.trim().to_owned())
    };
    Categorical::groups(column, lines.map(pair))
}

/// Where ranges begin, and where the last one ends.
fn edges(lower: &str, upper: &str, step: &str) -> Result<Vec<Decimal>, ReleaseError> {
    let [lower, upper, step] = [lower, upper, step].map(|text| text.trim().parse::<Decimal>());
    let (lower, upper, step) = (lower?, upper?, step?);
    let places = lower.places.max(upper.places).max(step.places);
    let [low, high, wide] = [lower, upper, step].map(|it| it.digits_at(places));
    if wide <= 0 || (high - low) / wide > MOST_RANGES {
        return Err(ReleaseError::Query("ranges need a step above 0, and are at most 10,000"));
    }
    let inner = std::iter::successors(Some(low), |edge| Some(edge + wide));
    let edges = inner.take_while(|edge| *edge < high).chain([high]);
    Ok(edges.map(|digits| Decimal { digits, places }).collect())
}

/// `0.5`, `0.025`: to thousandths.
fn fraction(text: &str) -> Result<Fraction, CommandError> {
    let not = || wrong(format!("\"{text}\" is no part above 0 and below 1"), "0.5 is the median");
    let part: Decimal = text.trim().parse().map_err(|_none: ReleaseError| not())?;
    let thousandths = part.digits.checked_mul(1000).map(|digits| {
        let whole = 10_i128.saturating_pow(part.places);
        (digits / whole, digits % whole)
    });
    let Some((part, 0)) = thousandths else {
        return Err(wrong(format!("\"{text}\" is told finer than thousandths"), "0.975"));
    };
    let part = u32::try_from(part).map_err(|_none| not())?;
    Fraction::new(part, 1000).map_err(|error| refused(&error))
}

fn pairs(stated: &[String], columns: &[Categorical]) -> Result<Pairs, CommandError> {
    if stated.is_empty() {
        return Ok(Pairs::Chosen);
    }
    let place = |name: &str| {
        let place = columns.iter().position(|column| column.name() == name.trim());
        place.ok_or_else(|| wrong(format!("--pair names \"{name}\""), "name it with --by, too"))
    };
    let pair = |text: &String| {
        let not = || wrong(format!("\"{text}\" is no pair of columns"), "as in age+sex");
        let (one, other) = text.split_once('+').ok_or_else(not)?;
        Ok((place(one)?, place(other)?))
    };
    stated.iter().map(pair).collect::<Result<_, _>>().map(Pairs::Given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_with_their_bounds() {
        let grid = numeric("pay=-100..2000.5/0.5").unwrap().grid();
        let told = [grid.lower(), grid.upper(), grid.step()].map(|it| it.to_string());
        assert_eq!(told, ["-100.0", "2000.5", "0.5"]);
        for wrong in ["pay", "pay=1", "pay=2..1", "pay=0..1/0", "pay=a..b", "pay=0..1/0.3"] {
            assert!(numeric(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn columns_are_read_with_their_values() {
        let told = |text| domain(text).unwrap().told();
        assert_eq!(told("sex=F, M"), ["F", "M", "(other)"]);
        assert_eq!(told("age=0..25/10"), ["[0, 10)", "[10, 20)", "[20, 25]", "(other)"]);
        assert_eq!(told("x=0..0.2/0.1"), ["[0.0, 0.1)", "[0.1, 0.2]", "(other)"]);
        let of_file = |text| of_file("town", text).unwrap().told();
        assert_eq!(of_file("Bern\nZug\n"), ["Bern", "Zug", "(other)"]);
        assert_eq!(of_file("Bern; west\nZug;east\nBiel;west\n"), ["west", "east", "(other)"]);
        for wrong in ["sex", "sex=F,F", "age=0..100/0", "age=9..0/1", "town=@/none/such"] {
            assert!(domain(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_are_read_to_thousandths() {
        let part = |text| fraction(text).map(|it| (it.part(), it.whole()));
        assert_eq!(part("0.5").unwrap(), (500, 1000));
        assert_eq!(part("0.025").unwrap(), (25, 1000));
        for wrong in ["0", "1", "1.5", "-0.5", "0.12345", "half"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }
}
