//! Published footprints come out of their inputs, by the formulas that the product uses itself.
//!
//! `data/carbon_reference.csv`: a row has device-hours and watts, or energy, or what making machines
//! emitted and the hours of them; and what its source published. The error of every row is printed.

use nearside_estimate::carbon::{embodied_emissions, operational_emissions, time_in_use};
use nearside_estimate::energy::with_overhead;
use nearside_units::{
    Duration, GramsCo2e, GramsPerKwh, HOURS_PER_YEAR, Joules, Watts, significant,
};

/// Published figures are rounded.
const ALLOWED: f64 = 0.015;

/// The cells of a row, by their columns.
struct Row(Vec<(String, String)>);

impl Row {
    fn text(&self, column: &str) -> &str {
        let found = self.0.iter().find(|(name, _)| name == column);
        found.map(|(_, cell)| cell.as_str()).expect("a known column")
    }

    fn numbers(&self, column: &str) -> Vec<f64> {
        let cells = self.text(column).split('|').filter(|cell| !cell.is_empty());
        cells.map(|cell| cell.parse().expect("a number")).collect()
    }

    fn number(&self, column: &str) -> Option<f64> {
        self.numbers(column).first().copied()
    }

    /// Energy of the building: from device-hours, or as it is stated.
    fn energy(&self) -> Option<Joules> {
        let pue = self.number("pue")?;
        if let Some(kwh) = self.number("energy_kwh") {
            return Some(Joules::constant(kwh * 3.6e6) * pue);
        }
        let time = Duration::hours(self.number("device_hours")?);
        Some(with_overhead(Watts::constant(self.number("watts")?), pue) * time)
    }

    /// Emissions of electricity, or shares of making machines.
    fn emissions(&self) -> GramsCo2e {
        if let (Some(energy), Some(grid)) = (self.energy(), self.number("intensity")) {
            return operational_emissions(energy, GramsPerKwh::constant(grid));
        }
        let life = Duration::hours(self.number("life_years").expect("a life") * HOURS_PER_YEAR);
        let in_use = time_in_use(life, self.number("share_in_use").expect("a share"));
        let items = self.numbers("made_kg").into_iter().zip(self.numbers("made_hours"));
        items.fold(GramsCo2e::ZERO, |sum, (kilograms, hours)| {
            let made = GramsCo2e::constant(kilograms * 1e3);
            sum + embodied_emissions(made, Duration::hours(hours), in_use)
        })
    }
}

fn rows() -> Vec<Row> {
    let text = include_str!("data/carbon_reference.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.expect("a row");
        Row(head.iter().cloned().zip(record.iter().map(str::to_owned)).collect())
    };
    reader.records().map(row).collect()
}

#[test]
fn every_published_footprint_is_reproduced() {
    let rows = rows();
    assert_eq!(rows.len(), 26);
    let mut wrong = Vec::new();
    println!("{:<32} {:>14} {:>14} {:>8}", "id", "published", "computed", "error");
    let mut check = |id: &str, unit: &str, published: f64, computed: f64| {
        let error = computed / published - 1.0;
        let (one, other) = (significant(published), significant(computed));
        println!("{id:<32} {one:>9} {unit:<4} {other:>9} {unit:<4} {:>6.2} %", error * 100.0);
        if !(-ALLOWED..=ALLOWED).contains(&error) {
            wrong.push(format!("{id}: {published} {unit} is published, {computed} is computed"));
        }
    };
    for row in &rows {
        let id = row.text("id");
        if let (Some(kwh), Some(energy)) = (row.number("expected_kwh"), row.energy()) {
            check(id, "kWh", kwh, energy.as_kwh());
        }
        let tonnes = row.number("expected_tco2e").expect("every row has emissions");
        check(id, "t", tonnes, row.emissions().as_grams() / 1e6);
        assert!(!row.text("source").is_empty() && !row.text("verification").is_empty(), "{id}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
