//! A row of a file of published or measured figures: its cells as they are written.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use crate::words::Metric;
use crate::{published, traces};

/// Why a row is not scored.
pub(crate) type Reason = String;

/// Columns that say what a row is about.
const SETTINGS: [&str; 20] = [
    "model",
    "task",
    "dtype",
    "autocast",
    "attention",
    "checkpointing",
    "optimizer",
    "batch",
    "sequence",
    "image",
    "context",
    "kv_type",
    "gpu_layers",
    "lora_rank",
    "lora_targets",
    "quant",
    "runtime",
    "device",
    "settings",
    "hardware",
];

/// A row: column to cell.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The file it stands in.
    pub(crate) file: PathBuf,
    /// Why its file's own words do not say enough, where they do not.
    pub(crate) refused: Option<Reason>,
    cells: BTreeMap<String, String>,
}

impl Row {
    /// Every row of a CSV file, its columns translated to those of this program.
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>, Box<dyn Error>> {
        let in_file = |error: csv::Error| format!("{}: {error}", path.display());
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(in_file)?;
        let heads: Vec<String> =
            reader.headers().map_err(in_file)?.iter().map(|head| head.trim().to_owned()).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(in_file)?;
            let cells = heads.iter().zip(&record);
            let cells = cells.map(|(head, cell)| (head.clone(), cell.trim().to_owned()));
            let row = Self { file: path.to_owned(), refused: None, cells: cells.collect() };
            match () {
                () if traces::are_these(&heads) => rows.extend(traces::translated(&row)),
                () if published::are_these(&heads) => rows.push(published::translated(row)),
                () => rows.push(row),
            }
        }
        Ok(rows)
    }

    /// A cell, empty where there is none.
    pub(crate) fn cell(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// The same row with another cell.
    pub(crate) fn with(mut self, column: &str, cell: impl Into<String>) -> Self {
        self.cells.insert(column.to_owned(), cell.into());
        self
    }

    /// The same row with a reason why it is not scored.
    pub(crate) fn refused(self, reason: Reason) -> Self {
        Self { refused: Some(reason), ..self }
    }

    /// A whole number, or `default` where the cell is empty.
    pub(crate) fn number(&self, column: &str, default: u64) -> Result<u64, Reason> {
        match self.cell(column) {
            "" | "-" => Ok(default),
            // Spreadsheets write whole numbers with a decimal point.
            cell => cell
                .strip_suffix(".0")
                .unwrap_or(cell)
                .replace([',', '_'], "")
                .parse()
                .map_err(|error| format!("{column} {cell:?} is no whole number: {error}")),
        }
    }

    /// The figure in bytes, pieces, seconds or tokens per second.
    pub(crate) fn value(&self) -> Result<f64, Reason> {
        let cell = self.cell("value");
        let value: f64 =
            cell.parse().map_err(|error| format!("value {cell:?} is no number: {error}"))?;
        match value * factor(self.cell("unit"))? {
            value if value > 0.0 && value.is_finite() => Ok(value),
            _ => Err("the value is not positive".to_owned()),
        }
    }

    /// What is measured.
    pub(crate) fn metric(&self) -> Result<Metric, Reason> {
        self.cell("metric").parse()
    }

    /// What the row is about, without its figure.
    pub(crate) fn label(&self) -> String {
        let cells = SETTINGS.iter().map(|column| self.cell(column));
        cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Every cell, by column.
    pub(crate) const fn cells(&self) -> &BTreeMap<String, String> {
        &self.cells
    }
}

/// What one of a unit is.
fn factor(unit: &str) -> Result<f64, Reason> {
    Ok(match unit {
        "" | "B" | "b" | "byte" | "bytes" | "count" | "parameters" | "params" | "s" | "sec"
        | "seconds" | "tok/s" | "tokens/s" | "tps" | "t/s" | "tokens" | "img/s" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "kB" | "KB" | "K" => 1e3,
        "MB" | "M" => 1e6,
        "GB" | "G" => 1e9,
        "ms" => 1e-3,
        "us" => 1e-6,
        unit => return Err(format!("unit {unit:?} is not known")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn row(cells: &[(&str, &str)]) -> Row {
        let empty = Row { file: "rows.csv".into(), refused: None, cells: BTreeMap::new() };
        cells.iter().fold(empty, |row, (column, cell)| row.with(column, *cell))
    }

    #[test]
    fn values_are_read_with_their_units() {
        let value = |value, unit| row(&[("value", value), ("unit", unit)]).value();
        assert_eq!(value("2", "MiB"), Ok(2_097_152.0));
        assert_eq!(value("250", "ms"), Ok(0.25));
        assert_eq!(value("1.5", "kB"), Ok(1500.0));
        assert!(value("OOM", "").unwrap_err().contains("no number"));
        assert!(value("3", "furlongs").unwrap_err().contains("not known"));
        assert!(value("0", "B").unwrap_err().contains("not positive"));
    }

    #[test]
    fn numbers_may_come_from_spreadsheets() {
        assert_eq!(row(&[("batch", "4.0")]).number("batch", 1), Ok(4));
        assert_eq!(row(&[]).number("batch", 1), Ok(1));
        assert!(row(&[("batch", "many")]).number("batch", 1).is_err());
    }
}
