//! A file of offsets: a CSV table, or `[[offset]]` tables of TOML with the same keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nearside_economics::carbon::{Offset, OffsetKind};
use nearside_units::{Date, Duration, GramsCo2e, Known, Money};

use super::read_text;
use crate::error::{CommandError, Fault};

/// The columns or keys.
const KEYS: [&str; 9] = [
    "tonnes",
    "price",
    "currency",
    "type",
    "durability_years",
    "registry",
    "vintage",
    "retired",
    "evidence",
];

/// What one offset states, and where.
struct Row {
    place: String,
    cells: BTreeMap<String, String>,
}

/// Reads a file of offsets.
pub(crate) fn read(path: &Path) -> Result<Vec<Offset>, CommandError> {
    let text = read_text(path)?;
    let name = path.display().to_string();
    let toml = path.extension().is_some_and(|extension| extension == "toml");
    let rows = if toml { of_toml(&name, &text) } else { of_csv(&name, &text) };
    let offsets = rows.and_then(|rows| rows.iter().map(Row::offset).collect());
    offsets.map_err(|message| {
        CommandError::new(Fault::Input, message).hint(format!("the keys are {}", KEYS.join(", ")))
    })
}

fn of_toml(name: &str, text: &str) -> Result<Vec<Row>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or(text).lines().count().max(1);
        format!("{name}:{line}: {}", error.message())
    })?;
    if let Some(other) = table.keys().find(|key| *key != "offset") {
        return Err(format!("{name}: \"{other}\" is no [[offset]]"));
    }
    let listed = match table.get("offset") {
        None => return Ok(Vec::new()),
        Some(toml::Value::Array(listed)) => listed,
        Some(_) => return Err(format!("{name}: write [[offset]] with two brackets")),
    };
    let row = |(at, value): (usize, &toml::Value)| {
        let place = format!("{name}, offset {}", at + 1);
        let table = value.as_table().ok_or_else(|| format!("{place} is no table"))?;
        let cell = |(key, value): (&String, &toml::Value)| {
            let text = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Datetime(_) => {
                    value.to_string()
                }
                _ => return Err(format!("{place}: {key} is neither a text nor a number")),
            };
            Ok((key.clone(), text))
        };
        let cells = table.iter().map(cell).collect::<Result<_, String>>()?;
        Ok(Row { place, cells })
    };
    listed.iter().enumerate().map(row).collect()
}

fn of_csv(name: &str, text: &str) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let not_csv = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        format!("{name}:{line}: this is no CSV table: {error}")
    };
    let head = reader.headers().map_err(not_csv)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(not_csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = head.iter().zip(&record).filter(|(_, cell)| !cell.is_empty());
        let cells = cells.map(|(key, cell)| (key.to_owned(), cell.to_owned())).collect();
        rows.push(Row { place: format!("{name}:{line}"), cells });
    }
    Ok(rows)
}

impl Row {
    fn offset(&self) -> Result<Offset, String> {
        if let Some(other) = self.cells.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("{}: unknown key \"{other}\"", self.place));
        }
        let tonnes = self.cell("tonnes").ok_or_else(|| self.wrong("tonnes", "is missing"))?;
        let amount = format!("{tonnes} t")
            .parse::<GramsCo2e>()
            .ok()
            .filter(|amount| *amount > GramsCo2e::ZERO)
            .ok_or_else(|| self.wrong("tonnes", "must be a number above zero"))?;
        let kind = match self.cell("type") {
            Some("avoidance") => OffsetKind::Avoidance,
            Some("removal") => OffsetKind::Removal,
            _ => return Err(self.wrong("type", "must be avoidance or removal")),
        };
        let text = |key: &str| {
            Known::from_option(self.cell(key).map(Arc::from), format!("{key} is not stated"))
        };
        Ok(Offset {
            amount,
            price_per_tonne: self.price()?,
            kind,
            durability: self.parsed("durability_years", "must be years", |years| {
                format!("{years} years").parse::<Duration>().ok()
            })?,
            registry: text("registry"),
            vintage: self.parsed("vintage", "must be a year", |year| {
                year.parse().ok().filter(|year| (1990..2200).contains(year))
            })?,
            retired: self.parsed("retired", "must be a day, as in 2026-01-31", |day| {
                day.parse::<Date>().ok()
            })?,
            evidence: text("evidence"),
        })
    }

    /// The price of a tonne with its currency.
    fn price(&self) -> Result<Known<Money>, String> {
        match (self.cell("price"), self.cell("currency")) {
            (None, _) => Ok(Known::unknown("price is not stated")),
            (Some(_), None) => Err(self.wrong("currency", "is missing beside the price")),
            (Some(price), Some(currency)) => {
                let money = format!("{price} {currency}").parse::<Money>().ok();
                let money = money.filter(|money| money.as_micros() >= 0);
                money
                    .map(Known::Value)
                    .ok_or_else(|| self.wrong("price", "must be an amount of zero or more"))
            }
        }
    }

    fn cell(&self, key: &str) -> Option<&str> {
        self.cells.get(key).map(String::as_str)
    }

    fn parsed<T>(
        &self,
        key: &str,
        must: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Known<T>, String> {
        match self.cell(key) {
            None => Ok(Known::unknown(format!("{key} is not stated"))),
            Some(text) => read(text).map(Known::Value).ok_or_else(|| self.wrong(key, must)),
        }
    }

    fn wrong(&self, key: &str, why: &str) -> String {
        match self.cell(key) {
            None => format!("{}: {key} {why}", self.place),
            Some(value) => format!("{}: {key} {why}, not \"{value}\"", self.place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(rows: Result<Vec<Row>, String>) -> Result<Vec<Offset>, String> {
        rows.and_then(|rows| rows.iter().map(Row::offset).collect())
    }

    #[test]
    fn both_forms_say_the_same() {
        let toml = "[[offset]]\ntonnes = 2.5\nprice = 120\ncurrency = \"EUR\"\ntype = \"removal\"\n\
            durability_years = 1000\nregistry = \"P-1\"\nvintage = 2025\nretired = 2026-02-01\n";
        let csv = "type,tonnes,price,currency,durability_years,registry,vintage,retired,evidence\n\
            removal,2.5,120,EUR,1000,P-1,2025,2026-02-01,\n";
        let found = offsets(of_toml("o.toml", toml)).unwrap();
        assert_eq!(found, offsets(of_csv("o.csv", csv)).unwrap());
        assert_eq!(found[0].amount.to_string(), "2.50 tCO2e");
    }

    #[test]
    fn whatever_is_wrong_is_told_with_its_place() {
        for (row, expected) in [
            ("tonnes = -1\ntype = \"removal\"", "offset 1: tonnes must be a number above zero"),
            ("type = \"removal\"", "tonnes is missing"),
            ("tonnes = 1\ntype = \"hope\"", "type must be avoidance or removal, not \"hope\""),
            ("tonnes = 1\ntype = \"removal\"\nprice = 5", "currency is missing"),
            ("tonnes = 1\ntype = \"removal\"\nprice = -5\ncurrency = \"EUR\"", "price must be"),
            ("tonnes = 1\ntype = \"removal\"\nretired = \"soon\"", "retired must be a day"),
            ("tonnes = 1\ntype = \"removal\"\nvintage = 25", "vintage must be a year"),
            ("tonnes = 1\ntype = \"removal\"\ncolour = \"green\"", "unknown key \"colour\""),
            ("tonnes = [1]", "neither a text nor a number"),
            ("tonnes = ", "o.toml:2:"),
        ] {
            let error = offsets(of_toml("o.toml", &format!("[[offset]]\n{row}\n"))).unwrap_err();
            assert!(error.contains(expected), "{row}: {error}");
        }
        let error = offsets(of_csv("o.csv", "tonnes,type\n1,removal\nnan,removal\n")).unwrap_err();
        assert!(error.starts_with("o.csv:3: tonnes"), "{error}");
        assert!(offsets(of_toml("o.toml", "[offset]\n")).unwrap_err().contains("two brackets"));
    }
}
