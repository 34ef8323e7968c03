//! How far off answers are: within what is said in about 95 % of them.

use super::super::{Fraction, Pairs};
use super::*;

const TIMES: usize = 4000;

/// A table of one column, whose mean is 10 and whose values are within -5 and 25.
fn table() -> String {
    let rows: String = (0..400).map(|row| format!("{}\n", (row % 31) - 5)).collect();
    format!("x\n{rows}")
}

#[test]
fn errors_are_what_is_said() {
    let (table, reading) = (table(), reading(1));
    let column = numeric("-10", "30", "0.5");
    for privacy in [pure(0.3), concentrated(0.02)] {
        for (query, exact) in [
            (Query::Count, 400.0),
            (Query::Sum(column.clone()), sum(&table)),
            (Query::Mean(column.clone()), sum(&table) / 400.0),
        ] {
            let answers = answers(&query, (&table, &reading), (privacy, 41, TIMES));
            let within = answers.iter().filter(|answer| match answer {
                Answer::Number(number) => {
                    (number.value.value() - exact).abs() <= number.noise.error().value()
                }
                Answer::Mean { value, error, .. } => (value.value() - exact).abs() <= error.value(),
                _ => false,
            });
            let part = within.count() as f64 / TIMES as f64;
            println!("{privacy}, {query:?}: {part}");
            // Three standard deviations of so many answers are 1 %.
            let most = if matches!(query, Query::Mean(_)) { 1.0 } else { 0.97 };
            assert!(part > 0.94 && part <= most, "{privacy}, {query:?}: {part}");
        }
    }
}

fn sum(table: &str) -> f64 {
    table.lines().skip(1).map(|cell| cell.parse::<f64>().unwrap()).sum()
}

#[test]
fn quantiles_are_within_their_ranks() {
    let (reading, column) = (reading(1), numeric("0", "1000", "1"));
    let rows: String = (0..1000).map(|row| format!("{row}\n")).collect();
    let at = vec![Fraction::new(1, 2).unwrap(), Fraction::new(9, 10).unwrap()];
    let query = Query::Quantiles(column, at);
    for privacy in [pure(1.0), concentrated(0.05)] {
        let answers = answers(&query, (&format!("x\n{rows}"), &reading), (privacy, 42, 1000));
        for (place, right) in [500.0, 900.0].into_iter().enumerate() {
            let off: Vec<(f64, f64)> = answers
                .iter()
                .map(|answer| match answer {
                    Answer::Quantiles(all) => {
                        ((all[place].value.value() - right).abs(), all[place].ranks)
                    }
                    _ => (f64::NAN, 0.0),
                })
                .collect();
            let within = off.iter().filter(|(off, ranks)| off <= ranks).count();
            println!("{privacy}: {right} within {} in {within} of 1000", off[0].1);
            assert!(within >= 950 && off[0].1 < 100.0, "{within} {:?}", off[0]);
        }
    }
}

/// Rows of four columns: the second follows the first, the fourth the third, most of the time.
fn linked(rows: usize) -> String {
    let mut text = "a,b,c,d\n".to_owned();
    for row in 0..rows {
        let (one, three) = (row % 3, row / 3 % 4);
        let two = if row % 10 < 8 { one } else { (row / 7) % 3 };
        let four = if row % 9 < 7 { three } else { (row / 11) % 4 };
        text.push_str(&format!("{one},{two},{three},{four}\n"));
    }
    text
}

fn columns() -> Vec<Categorical> {
    let three = ["0", "1", "2"];
    let four = ["0", "1", "2", "3"];
    vec![labels("a", &three), labels("b", &three), labels("c", &four), labels("d", &four)]
}

/// Half the sum of differences of shares in the table of two columns.
fn apart(exact: &[u64], codes: &[Vec<u32>], (one, other): (usize, usize), width: usize) -> f64 {
    let mut made = vec![0_u64; exact.len()];
    for (one, other) in codes[one].iter().zip(&codes[other]) {
        made[*one as usize * width + *other as usize] += 1;
    }
    let (all, rows) = (exact.iter().sum::<u64>() as f64, codes[0].len() as f64);
    let apart =
        exact.iter().zip(&made).map(|(exact, made)| *exact as f64 / all - *made as f64 / rows);
    apart.map(f64::abs).sum::<f64>() / 2.0
}

#[test]
fn made_up_rows_keep_what_goes_together() {
    let (text, reading) = (linked(20_000), reading(1));
    for privacy in [pure(1.0), concentrated(0.1)] {
        let query = Query::Synthetic { columns: columns(), pairs: Pairs::Chosen, rows: None };
        let Exact::Marginals { twos, .. } = read(&query, &text, &reading) else { panic!() };
        let answers = answers(&query, (&text, &reading), (privacy, 43, 5));
        for answer in answers {
            let Answer::Synthetic(made) = answer else { panic!() };
            assert!(
                made.pairs.contains(&(0, 1)) && made.pairs.contains(&(2, 3)),
                "{:?}",
                made.pairs
            );
            assert_eq!((made.pairs.len(), made.codes.len()), (3, 4));
            assert!(made.codes[0].len().abs_diff(20_000) < 300, "{}", made.codes[0].len());
            let off =
                [apart(&twos[0], &made.codes, (0, 1), 4), apart(&twos[5], &made.codes, (2, 3), 5)];
            println!("{privacy}: {off:?}");
            assert!(off.iter().all(|off| *off < 0.03), "{off:?}");
        }
    }
}

#[test]
fn made_up_rows_are_as_many_as_said_and_within_the_domain() {
    let reading = reading(1);
    for (rows, table) in
        [(Some(0), "a,b,c,d\n".to_owned()), (Some(77), linked(5)), (None, linked(0))]
    {
        for pairs in [Pairs::Chosen, Pairs::Given(vec![(3, 0), (1, 2)]), Pairs::Given(Vec::new())] {
            let query = Query::Synthetic { columns: columns(), pairs: pairs.clone(), rows };
            let answers = answers(&query, (&table, &reading), (pure(0.1), 44, 20));
            for answer in answers {
                let Answer::Synthetic(made) = answer else { panic!() };
                for (codes, column) in made.codes.iter().zip(&made.columns) {
                    assert!(rows.is_none_or(|rows| rows == codes.len() as u64));
                    assert!(codes.iter().all(|code| (*code as usize) < column.labels.len()));
                }
                if let Pairs::Given(given) = &pairs {
                    assert_eq!((&made.pairs, made.twos.is_some()), (given, !given.is_empty()));
                }
            }
        }
    }
}
