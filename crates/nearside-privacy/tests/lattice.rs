//! The lattice search: held to looking at everything, to what its output says of itself, and to ARX on Adult.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod tables;

use nearside_privacy::tabular::lattice::Solution;
use nearside_privacy::tabular::{Diversity, Requirement, TabularError};
use proptest::prelude::*;

use tables::{Made, adult, like_adult, requirements, rows, table};

/// Every choice of levels that keeps a requirement, by removing all levels but one of each column.
fn exhaustive(made: &Made, requirement: Requirement, suppression: f64) -> Option<f64> {
    let heights: Vec<usize> = made.hierarchies.iter().map(|it| it.levels().len()).collect();
    let mut best: Option<f64> = None;
    for a in 0..heights[0] {
        for b in 0..heights[1] {
            for c in 0..heights[2] {
                let chosen = [a, b, c];
                // By the text alone: told rows, then rows of classes that do not keep it left out.
                let loss = told_loss(made, chosen, requirement, suppression);
                if let Some(loss) = loss {
                    best = Some(best.map_or(loss, |best: f64| best.min(loss)));
                }
            }
        }
    }
    best
}

/// The loss of a choice by its definition, from the rows one by one; nothing where it leaves out too many.
fn told_loss(
    made: &Made,
    chosen: [usize; 3],
    requirement: Requirement,
    suppression: f64,
) -> Option<f64> {
    let rows: Vec<Vec<&str>> =
        made.text.lines().skip(1).map(|row| row.split(';').collect()).collect();
    let told = |row: &[&str], column: usize| {
        let code = made.tuples.dictionaries[column].code(row[column]).unwrap();
        let level = &made.hierarchies[column].levels()[chosen[column]];
        let label = level.of[code as usize] as usize;
        (level.labels[label].clone(), level.shares[label])
    };
    let key = |row: &[&str]| (0..3).map(|column| told(row, column).0).collect::<Vec<_>>();
    // Classes that are too small go first; what is left is held to what is left, round by round.
    let class_size =
        |row: &[&str]| rows.iter().filter(|other| key(other) == key(row)).count() as u64;
    let mut kept: Vec<&Vec<&str>> =
        rows.iter().filter(|row| class_size(row) >= requirement.k).collect();
    loop {
        let before = kept.len();
        let among = kept.clone();
        kept.retain(|row| {
            let class: Vec<_> = among.iter().filter(|other| key(other) == key(row)).collect();
            let text = std::iter::once("ill".to_owned())
                .chain(class.iter().map(|row| row[3].to_owned()))
                .collect::<Vec<_>>();
            class_keeps(&text[1..], &among, requirement)
        });
        if kept.len() == before {
            break;
        }
    }
    let out = rows.len() - kept.len();
    if out as f64 > suppression * rows.len() as f64 + 1e-9 {
        return None;
    }
    let mut product = 1.0;
    for column in 0..3 {
        let domain = made.hierarchies[column].levels()[0].shares.len() as f64;
        let sum: f64 = kept.iter().map(|row| told(row, column).1).sum::<f64>() + out as f64;
        let mean = sum / rows.len() as f64;
        let loss = if domain > 1.0 { (mean - 1.0 / domain) / (1.0 - 1.0 / domain) } else { 0.0 };
        product *= 1.0 + loss;
    }
    Some(product.powf(1.0 / 3.0) - 1.0)
}

fn class_keeps(values: &[String], among: &[&Vec<&str>], requirement: Requirement) -> bool {
    let count = |value: &str| values.iter().filter(|other| *other == value).count() as f64;
    let mut different = values.to_vec();
    different.sort();
    different.dedup();
    let size = values.len() as f64;
    let diverse = match requirement.diversity {
        None => true,
        Some(Diversity::Distinct(l)) => different.len() as u64 >= l,
        Some(Diversity::Entropy(l)) => {
            let parts = different.iter().map(|value| count(value) / size);
            parts.map(|part| -part * part.ln()).sum::<f64>() >= l.ln() - 1e-12
        }
        Some(Diversity::Recursive { c, l }) => {
            let mut counts: Vec<f64> = different.iter().map(|value| count(value)).collect();
            counts.sort_by(|one, other| other.total_cmp(one));
            counts[0] < c * counts.iter().skip(l as usize - 1).sum::<f64>()
        }
    };
    let close = requirement.closeness.is_none_or(|most| {
        let mut all: Vec<&str> = among.iter().map(|row| row[3]).collect();
        let rows = all.len() as f64;
        let share = |value: &str| among.iter().filter(|row| row[3] == value).count() as f64 / rows;
        all.sort_unstable();
        all.dedup();
        let apart: Vec<f64> = all.iter().map(|value| count(value) / size - share(value)).collect();
        let equal = apart.iter().map(|apart| apart.abs()).sum::<f64>() / 2.0;
        // One digit each, so that their order is that of their names.
        let numbers = all.iter().all(|value| value.parse::<f64>().is_ok());
        let past = (1..apart.len()).map(|end| apart[..end].iter().sum::<f64>().abs());
        let ordered = past.sum::<f64>() / (apart.len().max(2) - 1) as f64;
        (if numbers { ordered } else { equal }) <= most + 1e-12
    });
    values.len() as u64 >= requirement.k && diverse && close
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn it_finds_what_looking_at_everything_finds(
        rows in prop::collection::vec((any::<u8>(), any::<u8>(), 0_u8..3, 0_u8..4), 1..40),
        requirement in requirements(),
        suppression in prop_oneof![Just(0.0), 0.0..0.5],
    ) {
        let made = table(&rows);
        let expected = exhaustive(&made, requirement, suppression);
        match (made.problem(requirement, suppression, 2).lattice(), expected) {
            (Ok(found), Some(loss)) => {
                prop_assert!((found.loss - loss).abs() < 1e-9, "{found:?} {loss}");
                prop_assert_eq!(&found, &Solution {
                    looked_at: found.looked_at,
                    ..made.problem(requirement, suppression, 1).lattice().unwrap()
                });
            }
            (Err(TabularError::TooFew { k, rows }), _) => prop_assert!(k > rows),
            (Err(TabularError::Impossible { .. }), None) => {}
            (found, expected) => prop_assert!(false, "{found:?} {expected:?}"),
        }
    }

    #[test]
    fn what_is_written_keeps_what_it_claims(
        rows in rows(20..300),
        requirement in requirements(),
        suppression in prop_oneof![Just(0.0), 0.0..0.3],
    ) {
        let made = table(&rows);
        if let Ok(found) = made.problem(requirement, suppression, 2).lattice() {
            let verified = made.verified(&found.told);
            prop_assert!(verified.keeps(&requirement), "{verified:?} {requirement:?}");
            prop_assert_eq!(verified.rows + found.told.suppressed, rows.len() as u64);
            prop_assert_eq!(verified.classes, found.classes);
            prop_assert!(found.told.suppressed as f64 <= suppression * rows.len() as f64 + 1e-9);
        }
    }
}

#[test]
fn what_is_out_of_reach_is_said() {
    let made = table(&[(1, 1, 1, 1), (2, 2, 2, 1), (3, 3, 3, 1)]);
    let plain = |k| Requirement { k, diversity: None, closeness: None };
    assert!(matches!(
        made.problem(plain(4), 0.0, 1).lattice(),
        Err(TabularError::TooFew { k: 4, rows: 3 })
    ));
    let diverse = Requirement { diversity: Some(Diversity::Distinct(2)), ..plain(2) };
    let error = made.problem(diverse, 0.0, 1).lattice().unwrap_err().to_string();
    assert!(error.contains("k = 2, l = 2"), "{error}");
    let all = made.problem(plain(3), 0.0, 1).lattice().unwrap();
    assert_eq!((made.verified(&all.told).k, all.told.suppressed), (3, 0));
}

/// ARX's optimum for Adult, k = 10, by the part of the rows that may be left out: loss, classes, rows kept.
const ARX: [(f64, f64, u64, f64); 3] =
    [(0.0, 0.5916, 30, 1.0), (0.05, 0.3055, 200, 0.951), (0.2, 0.2603, 318, 0.890)];

#[test]
fn it_reaches_the_optimum_of_arx_on_adult() {
    let Some(text) = adult() else { return };
    let made = like_adult(text);
    assert_eq!(made.tuples.rows, 30_162);
    let requirement = Requirement { k: 10, diversity: None, closeness: None };
    for (suppression, loss, classes, kept) in ARX {
        let found = made.problem(requirement, suppression, 2).lattice().unwrap();
        assert!((found.loss - loss).abs() < 5e-5, "{suppression}: {found:?}");
        assert_eq!(found.classes, classes, "{suppression}");
        let rows = 1.0 - found.told.suppressed as f64 / 30_162.0;
        assert!((rows - kept).abs() < 1e-3, "{suppression}: {rows}");
        let verified = made.verified(&found.told);
        assert!(verified.keeps(&requirement) && verified.rows == 30_162 - found.told.suppressed);
        assert!(found.looked_at < found.nodes / 2, "{} of {}", found.looked_at, found.nodes);
    }
}
