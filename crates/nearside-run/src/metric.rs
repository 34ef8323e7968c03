//! The figure that a trial writes: a key of a JSON file, or a column of JSON lines or CSV, of which the
//! last line counts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

/// Columns that number the lines of a file that grows.
const STEPS: [&str; 4] = ["step", "epoch", "iteration", "global_step"];

/// A figure at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) step: u64,
    pub(crate) figure: f64,
}

/// Why there is no figure.
#[derive(Debug, Error)]
pub(crate) enum NoFigure {
    #[error("it did not write {}: {error}", path.display())]
    Unwritten { path: PathBuf, error: std::io::Error },
    #[error("{}:{line}:{column} is no JSON: {error}", path.display())]
    Malformed { path: PathBuf, line: usize, column: usize, error: serde_json::Error },
    #[error("{} holds no number under \"{key}\"; it holds {}", path.display(), held.join(", "))]
    Keyless { path: PathBuf, key: String, held: Vec<String> },
}

/// The figures of a trial, step by step; one for a file that does not grow. `shown` is the path as the
/// person wrote it.
pub(crate) fn curve(at: &Path, shown: &str, key: &str) -> Result<Vec<Point>, NoFigure> {
    let path = PathBuf::from(shown);
    let text = match fs::read_to_string(at) {
        Ok(text) => text,
        Err(error) => return Err(NoFigure::Unwritten { path, error }),
    };
    let (points, held) = match at.extension().and_then(|end| end.to_str()).unwrap_or("") {
        "csv" => table(&text, ',', key),
        "tsv" => table(&text, '\t', key),
        "jsonl" | "ndjson" => lines(&path, &text, key)?,
        _ => {
            let value = json(&path, &text, 1)?;
            let point = number(&value, key).map(|figure| Point { step: 0, figure });
            (point.into_iter().collect(), keys(&value))
        }
    };
    match points.is_empty() {
        true => Err(NoFigure::Keyless { path, key: key.to_owned(), held }),
        false => Ok(points),
    }
}

fn json(path: &Path, text: &str, line: usize) -> Result<Value, NoFigure> {
    serde_json::from_str(text).map_err(|error| NoFigure::Malformed {
        path: path.to_path_buf(),
        line: line + error.line().saturating_sub(1),
        column: error.column(),
        error,
    })
}

/// The points of whole lines; what is being written has no line end yet.
fn lines(path: &Path, text: &str, key: &str) -> Result<(Vec<Point>, Vec<String>), NoFigure> {
    let (mut points, mut held) = (Vec::new(), Vec::new());
    for (place, line) in whole(text).enumerate() {
        let value = json(path, line, place + 1)?;
        if let Some(figure) = number(&value, key) {
            let step = STEPS.iter().find_map(|step| value.get(step)?.as_u64());
            points.push(Point { step: step.unwrap_or(place as u64), figure });
        }
        held = keys(&value);
    }
    Ok((points, held))
}

fn whole(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(str::trim).filter(|line| !line.is_empty())
}

fn table(text: &str, comma: char, key: &str) -> (Vec<Point>, Vec<String>) {
    let cells = |line: &str| -> Vec<String> {
        line.split(comma).map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let mut rows = whole(text).map(cells);
    let head = rows.next().unwrap_or_default();
    let column = |name: &str| head.iter().position(|cell| cell == name);
    let step = STEPS.iter().find_map(|step| column(step));
    let point = |(place, row): (usize, Vec<String>)| {
        let figure = row.get(column(key)?)?.parse().ok()?;
        let stated = step.and_then(|step| row.get(step)?.parse().ok());
        Some(Point { step: stated.unwrap_or(place as u64), figure })
    };
    let points = rows.enumerate().filter_map(point).collect();
    (points, head)
}

/// A number by a dotted path, or by a key that holds dots itself.
fn number(value: &Value, key: &str) -> Option<f64> {
    if let Some(found) = value.get(key) {
        return found.as_f64();
    }
    let step = |value: &'_ Value, part: &str| -> Option<Value> {
        let place = part.parse::<usize>().ok();
        value.get(part).or_else(|| place.and_then(|place| value.get(place))).cloned()
    };
    key.split('.').try_fold(value.clone(), |value, part| step(&value, part))?.as_f64()
}

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(entries) => entries.keys().cloned().collect(),
        _ => vec!["no keys".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str, key: &str) -> Result<Vec<(u64, f64)>, String> {
        let folder = std::env::temp_dir().join(format!("nearside-metric-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        let points = curve(&path, name, key).map_err(|error| error.to_string())?;
        Ok(points.iter().map(|point| (point.step, point.figure)).collect())
    }

    #[test]
    fn figures_are_found_in_every_form() {
        assert_eq!(
            read("a.json", "{\"eval\": {\"loss\": [2, 0.5]}}", "eval.loss.1"),
            Ok(vec![(0, 0.5)])
        );
        assert_eq!(read("b.json", "{\"eval.loss\": 1}", "eval.loss"), Ok(vec![(0, 1.0)]));
        let lines =
            "{\"step\": 5, \"loss\": 2}\n{\"other\": 1}\n{\"step\": 10, \"loss\": 1}\n{\"st";
        assert_eq!(read("a.jsonl", lines, "loss"), Ok(vec![(5, 2.0), (10, 1.0)]));
        assert_eq!(
            read("a.csv", "epoch,\"loss\"\n1,3\n2,2.5\n3,", "loss"),
            Ok(vec![(1, 3.0), (2, 2.5)])
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = read("c.json", "{\"acc\": 1, \"f1\": 2}", "loss").unwrap_err();
        assert_eq!(error, "c.json holds no number under \"loss\"; it holds acc, f1");
        let error = read("d.jsonl", "{\"loss\": 1}\n{x}\n", "loss").unwrap_err();
        assert!(error.starts_with("d.jsonl:2:2 is no JSON"), "{error}");
    }
}
