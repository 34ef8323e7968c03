//! The verifier, held to pycanon on 500 tables; `cargo xtask parity` makes its answers anew.

use std::num::NonZero;

use nearside_privacy::tabular::Dialect;
use nearside_privacy::tabular::verify::Verification;
use serde_json::Value;

#[test]
fn it_agrees_with_pycanon() {
    let tables = include_str!("pycanon.jsonl");
    let mut ordered = 0;
    for line in tables.lines() {
        let table: Value = serde_json::from_str(line).expect("a line of JSON");
        let rows: Vec<Vec<&str>> = table["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row.as_array().expect("a row").iter().filter_map(Value::as_str).collect())
            .collect();
        let width = rows[0].len() - 1;
        let names: Vec<String> = (0..width).map(|column| format!("q{column}")).collect();
        let text = rows.iter().fold(format!("{},s\n", names.join(",")), |text, row| {
            format!("{text}{}\n", row.join(","))
        });
        ordered += usize::from(rows[0][width].parse::<f64>().is_ok());
        let dialect = Dialect { separator: b',' };
        let threads = NonZero::<usize>::MIN;
        let verification = Verification { dialect, quasi: &names, sensitive: Some("s"), threads };
        let found = verification.table(text.as_bytes()).expect("a table");
        let kept = found.sensitive.as_ref().expect("a sensitive column");
        assert_eq!(
            (Some(found.k), Some(kept.distinct)),
            (table["k"].as_u64(), table["l"].as_u64())
        );
        let t = table["t"].as_f64().expect("a number");
        assert!((kept.distance - t).abs() < 1e-9, "{} {t}: {text}", kept.distance);
    }
    assert_eq!((tables.lines().count(), ordered), (500, 250));
}
