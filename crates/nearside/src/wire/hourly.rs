//! A file of hourly intensities: CSV with a header, a column of moments and one of g/kWh.
//!
//! Columns are found by common names, since every provider has its own. Whatever is wrong is told with its
//! line: a file that is half understood would give a best hour that is not.

use std::ops::Range;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};
use nearside_economics::carbon::{HourlySeries, Moment};
use nearside_units::GramsPerKwh;

use super::read_text;
use crate::error::{CommandError, Problem};

/// Names of a column of moments, without case and signs.
const MOMENTS: [&str; 9] = [
    "datetime",
    "datetimeutc",
    "timestamp",
    "timestamputc",
    "time",
    "datehour",
    "hour",
    "from",
    "start",
];
/// Names of a column of intensities; else any that has `intensity` in it.
const INTENSITIES: [&str; 6] =
    ["carbonintensity", "intensity", "gkwh", "gco2kwh", "gco2eqkwh", "gco2ekwh"];
/// No fuel emits more than this; lignite emits about 1,200.
const MOST: f64 = 3000.0;

/// A series, and the names of the columns that it was read from.
#[derive(Debug)]
pub(crate) struct HourlyFile {
    pub(crate) series: HourlySeries,
    pub(crate) columns: [String; 2],
}

/// Reads a file of hourly intensities.
pub(crate) fn read(path: &Path) -> Result<HourlyFile, CommandError> {
    let text = read_text(path)?;
    let name = path.display().to_string();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    parsed(text).map_err(|problems| CommandError::in_file(name, text, problems))
}

fn problem(message: impl Into<String>, span: Option<Range<usize>>) -> Problem {
    Problem { message: message.into(), span, hint: None }
}

fn parsed(text: &str) -> Result<HourlyFile, Vec<Problem>> {
    let first = text.lines().next().unwrap_or("");
    let separator = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader =
        ReaderBuilder::new().delimiter(separator).trim(Trim::All).from_reader(text.as_bytes());
    let not_csv = |error: &csv::Error| {
        let at = error.position().map(|position| position.byte() as usize);
        vec![problem(format!("this is no CSV table: {error}"), at.map(|at| line(text, at)))]
    };
    let head = reader.headers().map_err(|error| not_csv(&error))?.clone();
    let columns = columns(&head).map_err(|why| {
        let hint =
            "the header needs a column of moments (datetime) and one of g/kWh (carbon_intensity)";
        vec![Problem { hint: Some(hint.to_owned()), ..problem(why, Some(line(text, 0))) }]
    })?;
    let (mut rows, mut spans, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(not_csv(&error)),
        }
        let at = record.position().map_or(0, |position| position.byte() as usize);
        let span = line(text, at);
        match row(&record, columns) {
            Ok(row) => rows.push(row),
            Err(why) => problems.push(problem(why, Some(span.clone()))),
        }
        spans.push(span);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let series = HourlySeries::new(&rows).map_err(|error| {
        let hint = "times of a zone with summer time miss an hour and have one twice: write UTC";
        let span = spans.get(error.row).cloned();
        vec![Problem { hint: Some(hint.to_owned()), ..problem(&*error.why, span) }]
    })?;
    let named = columns.map(|at| head.get(at).unwrap_or("").to_owned());
    Ok(HourlyFile { series, columns: named })
}

/// The line that a byte is in.
fn line(text: &str, at: usize) -> Range<usize> {
    let rest = text.get(at..).unwrap_or("");
    let blank = rest.len() - rest.trim_start_matches(['\n', '\r']).len();
    let start = at + blank;
    let length = text.get(start..).unwrap_or("").find(['\n', '\r']);
    start..length.map_or(text.len(), |length| start + length).max(start)
}

/// A name without case and signs.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// Where moments and intensities stand.
fn columns(head: &StringRecord) -> Result<[usize; 2], String> {
    let names: Vec<String> = head.iter().map(plain).collect();
    let shown = || head.iter().collect::<Vec<_>>().join(", ");
    let moments = MOMENTS.iter().find_map(|known| names.iter().position(|name| name == known));
    let moments = moments.ok_or_else(|| format!("no column of moments among: {}", shown()))?;
    let exact = INTENSITIES.iter().find_map(|known| names.iter().position(|name| name == known));
    let about: Vec<usize> = (0..names.len())
        .filter(|at| names[*at].contains("intensity") || names[*at].contains("gco2"))
        .collect();
    let life_cycle = about.iter().find(|at| names[**at].contains("lifecycle")).copied();
    let intensity = match (exact.or(life_cycle), about.as_slice()) {
        (Some(at), _) => at,
        (None, [at]) => *at,
        (None, []) => return Err(format!("no column of intensities among: {}", shown())),
        (None, several) => {
            let several: Vec<_> = several.iter().filter_map(|at| head.get(*at)).collect();
            return Err(format!("which column is meant: {}?", several.join(", ")));
        }
    };
    let unit = &names[intensity];
    if ["lb", "kgkwh", "kgco2kwh", "kgperkwh"].iter().any(|other| unit.contains(other)) {
        let name = head.get(intensity).unwrap_or("");
        return Err(format!("column {name} is not in g/kWh"));
    }
    Ok([moments, intensity])
}

fn row(
    record: &StringRecord,
    [moment, intensity]: [usize; 2],
) -> Result<(Moment, GramsPerKwh), String> {
    let cell = |at: usize| record.get(at).unwrap_or("");
    let at: Moment =
        cell(moment).parse().map_err(|error: nearside_units::ParseError| error.to_string())?;
    let text = cell(intensity);
    if text.is_empty() {
        return Err(format!("no figure for {at}"));
    }
    let number: f64 = text.parse().map_err(|_error| format!("\"{text}\" is no number"))?;
    let value = GramsPerKwh::from_grams_per_kwh(number).map_err(|error| error.to_string())?;
    match number > MOST {
        true => Err(format!("{number} g/kWh is more than any fuel emits; is it another unit?")),
        false => Ok((at, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(text: &str) -> HourlyFile {
        parsed(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
    }

    fn why(text: &str) -> (String, Range<usize>) {
        let problem = parsed(text).expect_err(text).remove(0);
        (problem.message, problem.span.unwrap_or_default())
    }

    #[test]
    fn headers_of_several_providers_are_understood() {
        for (head, row, column) in [
            ("datetime,carbon_intensity", "2026-11-23T00:00:00Z,100", "carbon_intensity"),
            ("Intensity;Timestamp", "100;2026-11-23 00:00", "Intensity"),
            (
                "Datetime (UTC),Zone,Carbon intensity gCO2eq/kWh (direct),Carbon intensity gCO2eq/kWh (Life cycle)",
                "2026-11-23 00:00:00,DE,90,100",
                "Carbon intensity gCO2eq/kWh (Life cycle)",
            ),
            ("\u{feff}from,to,intensity", "2026-11-23T00:00Z,2026-11-23T01:00Z,100", "intensity"),
        ] {
            let text = format!("{head}\n{row}\r\n");
            let file = series(text.strip_prefix('\u{feff}').unwrap_or(&text));
            assert_eq!((file.series.hours(), file.columns[1].as_str()), (1, column), "{head}");
        }
    }

    #[test]
    fn whatever_is_wrong_is_told_with_its_line() {
        let head = "datetime,intensity\n2026-11-23T00:00Z,100\n";
        for (row, expected) in [
            ("2026-11-23T01:00Z,-5", "cannot be negative"),
            ("2026-11-23T01:00Z,NaN", "must be a finite number"),
            ("2026-11-23T01:00Z,inf", "must be a finite number"),
            ("2026-11-23T01:00Z,", "no figure for 2026-11-23T01:00Z"),
            ("2026-11-23T01:00Z,many", "\"many\" is no number"),
            ("2026-11-23T01:00Z,400000", "more than any fuel emits"),
            ("tomorrow,100", "a moment in ISO 8601"),
            ("2026-11-23T00:00Z,100", "stands there twice"),
            ("2026-11-22T23:00Z,100", "not in order of time"),
            ("2026-11-23T03:00Z,100", "2 hours are missing before 2026-11-23T03:00Z"),
            ("2026-11-23T00:30Z,100", "one row an hour is needed"),
            ("2026-11-23T01:00Z,100,7", "this is no CSV table"),
        ] {
            let text = format!("{head}{row}\n");
            let (message, span) = why(&text);
            assert!(message.contains(expected), "{row}: {message}");
            assert_eq!(&text[span], row, "{message}");
        }
    }

    #[test]
    fn a_header_that_does_not_say_is_refused() {
        for (head, expected) in [
            ("a,b", "no column of moments among: a, b"),
            ("datetime,b", "no column of intensities"),
            ("datetime,intensity now,intensity later", "which column is meant"),
            ("datetime,intensity (lb/MWh)", "not in g/kWh"),
            ("", "no column of moments"),
        ] {
            assert!(why(&format!("{head}\n")).0.contains(expected), "{head}");
        }
        assert!(why("datetime,intensity\n").0.contains("there are no hours"));
    }
}
