//! Every formula of a workbook, computed by LibreOffice, comes to what the calculation came to.

use std::collections::BTreeMap;

use calamine::Data;
use nearside_report::{template, workbook};
use nearside_units::Currency;

use crate::cases::{Stating, base, hostile};
use crate::formulas;
use crate::office::{self, Cells, cells, differences, spoiled};

/// Changes of the base case: extreme values, and ways through the calculation.
const EDITS: &[&[(&str, f64)]] = &[
    &[("hours", 311.0), ("tariff", 0.31), ("discount_rate", 0.035)],
    &[("tax_rate", 0.3), ("depreciation", 3.0), ("financed", 0.8)],
    &[("tax_rate", 0.3), ("depreciation", 2.0), ("life", 5.4), ("tariff_change", 1.0)],
    &[("tax_rate", 0.25), ("depreciation", 5.0), ("loan_years", 10.0), ("financed", 1.0)],
    &[("financed", 1.0), ("loan_rate", 0.0), ("far3_interruptions", 60.0)],
    &[("machine_price", 1e6), ("hours", 730.0)],
    &[("machine_price", 0.0), ("far2_committed", 0.0), ("far3_interruptions", 0.0)],
    &[("hours", 0.0)],
    &[("hours", 2000.0), ("tariff", 10.0), ("load", 1000.0)],
    &[("far1_price", 0.0)],
    &[("far1_price", 100.0), ("hours", 730.0), ("machine_price", 50.0)],
    &[("discount_rate", 0.0), ("far1_price_change", -0.9), ("tariff", 0.0), ("load", 0.0)],
    &[("discount_rate", 1.0), ("far1_price_change", 1.0), ("life", 10.0), ("yearly_loss", 0.0)],
    &[("life", 1.0), ("yearly_loss", 1.0), ("maintenance", 0.0), ("idle", 0.0)],
];

/// The heads of the grid begin at a price that follows these.
fn moves_heads(edits: &[(&str, f64)]) -> bool {
    edits.iter().any(|(name, _)| name.ends_with("_price") && name.starts_with("far"))
}

/// The same with the rows of each table of uncertain inputs in the order of their names: what matters
/// most is first when the file is written, and stays there.
fn settled(cells: Cells) -> Cells {
    let label = |row: u32| match cells.get(&("Sensitivity".to_owned(), row, 0)) {
        Some(Data::String(label)) => Some(label.clone()),
        _ => None,
    };
    let last = cells.keys().map(|(_, row, _)| *row).max().unwrap_or(0);
    let mut moved = BTreeMap::new();
    for head in (0..last).filter(|row| label(*row).as_deref() == Some("Payback at likely values")) {
        let rows = (head + 1..).map_while(|row| Some((label(row)?, row)));
        let sorted: BTreeMap<String, u32> = rows.collect();
        moved.extend(sorted.values().copied().zip(head + 1..));
    }
    let place = |(tab, row, column): (String, u32, u32)| match moved.get(&row) {
        Some(other) if tab == "Sensitivity" => (tab, *other, column),
        _ => (tab, row, column),
    };
    cells.clone().into_iter().map(|(at, data)| (place(at), data)).collect()
}

#[test]
fn libreoffice_comes_to_the_same_in_every_cell() {
    let (base, random) = (base(), formulas::workbook_of_random_formulas());
    let written = workbook(&base.findings()).unwrap();
    let strange = workbook(&hostile().findings()).unwrap();
    let empty = template("2026-11".parse().unwrap(), Currency::USD).unwrap();
    let none = Stating { far: Vec::new(), ..base.clone() };
    let alone = workbook(&none.findings()).unwrap();
    let mut expected: Vec<(&str, Vec<u8>, bool)> = vec![
        ("base", written.clone(), false),
        ("hostile names", strange, false),
        ("template", empty, false),
        ("no alternative", alone, false),
        ("random formulas", random, false),
    ];
    let mut files: Vec<Vec<u8>> = expected.iter().map(|(_, file, _)| spoiled(file, &[])).collect();
    for edits in EDITS {
        expected.push(("", workbook(&base.with(edits).findings()).unwrap(), moves_heads(edits)));
        files.push(spoiled(&written, edits));
    }
    // Without recalculation all would be as wrong as it was made.
    assert!(!differences(&cells(&written), &cells(&files[0]), &[]).is_empty());
    let Some(found) = office::recalculated(&files) else {
        println!("SKIPPED: no LibreOffice to compute workbooks with; remedy: cargo xtask setup");
        return;
    };
    let mut all = Vec::new();
    for (place, ((name, file, moves), found)) in expected.iter().zip(&found).enumerate() {
        let skipped: &[&str] = if *moves { &["Sensitivity"] } else { &[] };
        let edits = place.checked_sub(5).map(|place| EDITS[place]);
        let lines = differences(&settled(cells(file)), &settled(found.clone()), skipped);
        all.extend(lines.into_iter().map(|line| format!("{name} {edits:?} {line}")));
    }
    assert!(all.is_empty(), "{} differ:\n{}", all.len(), all.join("\n"));
}

#[test]
fn the_same_findings_give_the_same_bytes() {
    let findings = base().findings();
    let first = workbook(&findings).unwrap();
    // Archives may keep the time of writing in steps of two seconds.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert!(first == workbook(&findings).unwrap());
}

#[test]
fn names_of_strangers_are_text_and_told_apart() {
    let mut findings = hostile().findings();
    findings.title = "=1+1\u{0}&</t>".to_owned();
    findings.warnings =
        vec!["=cmd|' /C calc'!A0".to_owned(), "\u{b}".to_owned(), "long ".repeat(9000)];
    let written = workbook(&findings).unwrap();
    let cells = cells(&written);
    let heads: Vec<String> = (3..14)
        .filter_map(|column| cells.get(&("Costs".to_owned(), 4, column)))
        .map(ToString::to_string)
        .collect();
    assert_eq!(heads.len(), 11);
    assert_eq!(heads[0], "=HYPERLINK(\"http://example.org\",\"x\")");
    assert_eq!(heads[5], "b [31m c");
    assert_eq!(heads[6].chars().count(), 60);
    assert_eq!((heads[7].as_str(), heads[8].as_str()), ("same", "same (2)"));
    assert_eq!(heads[9], "(no name)");
    let tabs = ["Inputs", "Costs", "Cash flow", "Sensitivity", "Carbon", "Notes"];
    assert!(cells.keys().all(|(tab, ..)| tabs.contains(&tab.as_str())));
    for (name, bytes) in office::parts(&written) {
        let text = String::from_utf8(bytes).unwrap();
        let formulas = text.split("<f>").skip(1).filter_map(|rest| rest.split("</f>").next());
        for formula in formulas {
            let strange = ["HYPERLINK", "cmd", "1+1", "@", "same", "no place"];
            assert!(!strange.iter().any(|word| formula.contains(word)), "{name}: {formula}");
            assert!(formula.len() < 8192, "{name}: more than a spreadsheet reads");
        }
        assert!(!text.contains('\u{0}') && !text.contains('\u{202e}'), "{name}");
    }
}

#[test]
fn every_input_keeps_its_name() {
    let findings = base().findings();
    let names = office::defined_names(&workbook(&findings).unwrap());
    let inputs = findings.roi.sheet.cells().filter_map(|(_, cell)| match cell.content {
        nearside_economics::Content::Input(_) => Some(cell.name.as_str()),
        nearside_economics::Content::Formula(_) => None,
    });
    assert!(names.keys().map(String::as_str).eq(inputs.collect::<std::collections::BTreeSet<_>>()));
    assert_eq!(names["machines"], "B6");
}

#[test]
fn the_template_answers_as_published() {
    let written = template("2026-11-20".parse().unwrap(), Currency::EUR).unwrap();
    let cells = cells(&written);
    let find = |label: &str, column: u32| {
        let (_, row, _) = cells
            .iter()
            .find(|((tab, _, at), data)| {
                tab == "Costs" && *at == 0 && **data == Data::String(label.to_owned())
            })
            .map(|(place, _)| place.clone())
            .unwrap();
        office::number(&cells[&("Costs".to_owned(), row, column)]).unwrap()
    };
    // 3,500 / (240 x 1.006 - 181 kWh x 0.15 - 5 % of 3,500 / 12)
    let months = 3500.0 / (240.0 * 1.006 - 181.0 * 0.15 - 175.0 / 12.0);
    assert!((find("Payback in cash", 3) - months).abs() < 1e-9);
    assert!((find("Cash a month", 2) - 41.733_333).abs() < 1e-6);
    let notes: Vec<String> = cells
        .iter()
        .filter(|((tab, ..), _)| tab == "Notes")
        .map(|(_, data)| data.to_string())
        .collect();
    assert!(notes.iter().any(|note| note.contains("published in USD")), "{notes:?}");
}
