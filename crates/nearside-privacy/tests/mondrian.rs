//! The Mondrian search: held to what its output says of itself, to its bounds on Adult, and to its own rules.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod tables;

use std::time::Instant;

use nearside_privacy::tabular::auc::auc;
use nearside_privacy::tabular::{Requirement, TabularError, Told};
use proptest::prelude::*;

use tables::{adult, like_adult, requirements, rows, table, table_of};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_keeps_what_it_claims(
        rows in rows(1..300),
        many_values in any::<bool>(),
        requirement in requirements(),
        suppression in prop_oneof![Just(0.0), 0.0..0.3],
    ) {
        let mut rows = rows;
        if many_values {
            (0_u8..60).cycle().zip(&mut rows).for_each(|(number, row)| row.2 = number);
        }
        let made = table(&rows);
        let problem = made.problem(requirement, suppression, 2);
        match problem.mondrian() {
            Ok(told) => {
                let verified = made.verified(&told);
                prop_assert!(verified.keeps(&requirement), "{verified:?} {requirement:?}");
                prop_assert_eq!(verified.rows + told.suppressed, rows.len() as u64);
                prop_assert!(told.suppressed as f64 <= suppression * rows.len() as f64 + 1e-9);
                prop_assert_eq!(told, made.problem(requirement, suppression, 1).mondrian().unwrap());
            }
            Err(TabularError::TooFew { k, rows }) => prop_assert!(k > rows),
            // What one class of the whole table does not keep, no level of hierarchies does either.
            Err(TabularError::Impossible { .. }) => {
                prop_assert!(made.problem(requirement, 0.0, 1).lattice().is_err());
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn who_hides_in_a_population_has_so_many_like_them(
        people in prop::collection::vec((any::<u8>(), any::<u8>(), 0_u8..3, 0_u8..4), 1..200),
        taken in 1_usize..200,
        requirement in requirements(),
        suppression in prop_oneof![Just(0.0), 0.0..0.3],
    ) {
        let made = table_of(&people[..taken.min(people.len())], &people);
        let problem = made.problem(requirement, suppression, 2);
        let found = [problem.mondrian(), problem.lattice().map(|solution| solution.told)];
        for told in found.iter().flatten() {
            let verified = made.verified(told);
            prop_assert!(verified.keeps(&requirement), "{verified:?} {requirement:?}");
            prop_assert_eq!(verified.rows + told.suppressed, made.tuples.rows);
        }
        let k = requirement.k;
        if people.len() as u64 >= k && !requirement.is_about_values() {
            prop_assert!(found.iter().all(Result::is_ok));
        }
    }
}

#[test]
fn ten_rows_of_adult_hide_in_small_classes() {
    let Some(text) = adult() else { return };
    let requirement = Requirement { k: 10, diversity: None, closeness: None };
    let made = like_adult(text);
    let told = made.problem(requirement, 0.0, 2).mondrian().unwrap();
    let verified = made.verified(&told);
    eprintln!("30k: {} classes, {:.3e}", verified.classes, verified.squares as f64);
    assert!(verified.keeps(&requirement) && told.suppressed == 0);
    let few = made.problem(requirement, 0.05, 2).mondrian().unwrap();
    let full = made.problem(requirement, 0.05, 2).lattice().unwrap().told;
    let drop = |told: &Told| {
        let found = auc(&made.tuples, &made.taxonomies, told).unwrap().unwrap();
        eprintln!("{found:?}");
        found.original - found.anonymized
    };
    assert!(drop(&few) <= drop(&full) / 2.0);
    let full = made.problem(requirement, 0.0, 2).lattice().unwrap().told;
    assert!(drop(&told) <= drop(&full) / 2.0);
    assert!(few.suppressed > 0 && few.suppressed <= 1508, "{}", few.suppressed);
}

/// Ten times the rows of Adult, drawn with replacement, then in each quasi-identifier 8 % of the cells replaced by
/// other values of their column.
fn ten_times(text: &str) -> String {
    let mut lines = text.lines();
    let heads = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(';').collect()).collect();
    let mut chance = 20_261_128_u64;
    let mut draw = |below: usize| {
        // Steele, Lea and Flood 2014.
        chance = chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (chance ^ (chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * below as u128) >> 64) as usize
    };
    let values: Vec<Vec<&str>> = (0..rows[0].len())
        .map(|column| {
            let mut values: Vec<&str> = rows.iter().map(|row| row[column]).collect();
            values.sort_unstable();
            values.dedup();
            values
        })
        .collect();
    let mut out = format!("{heads}\n");
    for _ in 0..10 * rows.len() {
        let mut row = rows[draw(rows.len())].clone();
        for (cell, values) in row.iter_mut().zip(&values).take(8) {
            if draw(100) < 8 {
                *cell = values[draw(values.len())];
            }
        }
        out.push_str(&row.join(";"));
        out.push('\n');
    }
    out
}

#[test]
fn three_hundred_thousand_rows_are_cut_at_once() {
    let Some(text) = adult() else { return };
    let begun = Instant::now();
    let made = like_adult(ten_times(&text));
    eprintln!("made and read: {:?}; {} combinations", begun.elapsed(), made.tuples.len());
    let requirement = Requirement { k: 10, diversity: None, closeness: None };
    let begun = Instant::now();
    let told = made.problem(requirement, 0.0, 2).mondrian().unwrap();
    let took = begun.elapsed();
    let begun = Instant::now();
    let solution = made.problem(requirement, 0.0, 2).lattice().unwrap();
    eprintln!("lattice: {:?}", begun.elapsed());
    let (cut, full) = (made.verified(&told), made.verified(&solution.told));
    let (squares, most) = (cut.squares as f64, full.squares as f64);
    eprintln!("300k: {took:?}, {} classes, {squares:.3e}; full domain {most:.3e}", cut.classes);
    assert!(cut.keeps(&requirement));
    assert!(squares <= most / 50.0, "{squares} {most}");
}
