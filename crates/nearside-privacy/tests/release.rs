//! Private releases as others use them, with the operating system's random numbers: what is refused, what noise is
//! said to be, and tables of many rows. What is tested here holds for any random numbers, or fails less often than
//! once in a hundred million.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Instant;

use nearside_privacy::release::{
    Amount, Answer, Budget, Categorical, Decimal, Fraction, Grid, Mechanism, Numeric, Pairs, Plan,
    Privacy, Query, Reading, ReleaseError, Source,
};
use nearside_privacy::tabular::Dialect;
use proptest::prelude::*;

fn reading(contributions: u32) -> Reading {
    let contributions = NonZeroU32::new(contributions).unwrap();
    Reading { dialect: Dialect { separator: b';' }, contributions, person: None }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn grid(lower: &str, upper: &str, step: &str) -> Grid {
    Grid::new(decimal(lower), decimal(upper), decimal(step)).unwrap()
}

fn labels(name: &str, labels: &[&str]) -> Categorical {
    Categorical::labels(name, labels.iter().map(|label| (*label).to_owned())).unwrap()
}

/// The scale of the noise of an answer.
fn scale(query: &Query, contributions: u32, privacy: Privacy) -> f64 {
    Plan::new(query, &reading(contributions), privacy).unwrap().noises()[0].scale()
}

fn near(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() < 1e-8
}

#[test]
fn noise_follows_from_what_one_person_changes() {
    let pure = Privacy::pure(0.5).unwrap();
    let concentrated = Privacy::concentrated(0.02).unwrap();
    let column = Numeric::new("age", grid("-20", "100", "0.25"));
    let domain = labels("sex", &["Male", "Female"]);
    let one = |columns| Query::Synthetic { columns, pairs: Pairs::Chosen, rows: None };
    // With epsilon 0.5; with rho 0.02, one changed row has a scale of 1 / sqrt(2 * 0.02) = 5.
    let expected = [
        (Query::Count, 2.0, 5.0),
        (Query::Sum(column.clone()), 200.0, 500.0),
        // Half goes to the sum of distances to the middle, of at most 60.
        (Query::Mean(column), 240.0, 300.0 * 2_f64.sqrt()),
        (Query::Histogram(domain.clone()), 2.0, 5.0),
        (Query::Contingency(vec![domain.clone(), labels("race", &["x"])]), 2.0, 5.0),
        (one(vec![domain.clone()]), 2.0, 5.0),
        // A third to two columns.
        (one(vec![domain, labels("race", &["x"])]), 12.0, 5.0 * 6_f64.sqrt()),
    ];
    for (query, laplace, gaussian) in expected {
        for rows in [1, 7] {
            let times = f64::from(rows);
            let found = scale(&query, rows, pure);
            assert!(near(found, laplace * times), "{query:?} {rows}: {found}");
            let found = scale(&query, rows, concentrated);
            assert!(near(found, gaussian * times), "{query:?} {rows}: {found}");
            // Never less than it has to be, to the rounding of this comparison.
            assert!(found >= gaussian * times * (1.0 - 1e-15), "{query:?} {rows}: {found}");
        }
    }
    let (count, reading) = (Query::Count, reading(1));
    let plan = Plan::new(&count, &reading, pure).unwrap();
    assert_eq!(plan.noises()[0].mechanism(), Mechanism::DiscreteLaplace);
    // Noise of scale 2 is beyond 6 in 3.8 % of all answers, beyond 5 in 6.2 %.
    assert_eq!(plan.noises()[0].error().to_string(), "6");
}

#[test]
fn extremes_are_refused() {
    for amount in [0.0, -1.0, 1e-10, 1000.1, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1e300] {
        assert!(Privacy::pure(amount).is_err() && Privacy::concentrated(amount).is_err());
        assert!(Budget::pure(amount).is_err() && Budget::approximate(amount, 1e-6).is_err());
    }
    let refused = |query: Query, contributions| {
        for privacy in [Privacy::pure(1.0).unwrap(), Privacy::concentrated(1.0).unwrap()] {
            assert!(Plan::new(&query, &reading(contributions), privacy).is_err(), "{query:?}");
        }
    };
    let wide = Numeric::new("x", grid("-1125899906842624", "1125899906842624", "1"));
    refused(Query::Sum(wide.clone()), u32::MAX);
    refused(Query::Mean(wide.clone()), u32::MAX);
    refused(Query::Quantiles(wide.clone(), vec![Fraction::new(1, 2).unwrap()]), 1);
    refused(Query::Quantiles(wide, Vec::new()), 1);
    refused(Query::Contingency(Vec::new()), 1);
    let many: Vec<String> = (0..60_000).map(|label| label.to_string()).collect();
    let many = Categorical::labels("x", many).unwrap();
    refused(Query::Contingency(vec![many.clone(), many.clone()]), 1);
    let pairs = |given: &[(usize, usize)]| Query::Synthetic {
        columns: vec![labels("a", &["1"]), labels("b", &["1"]), labels("c", &["1"])],
        pairs: Pairs::Given(given.to_vec()),
        rows: None,
    };
    refused(pairs(&[(0, 3)]), 1);
    refused(pairs(&[(1, 1)]), 1);
    refused(pairs(&[(0, 1), (1, 2), (2, 0)]), 1);
    refused(
        Query::Synthetic { columns: vec![many.clone(), many], pairs: Pairs::Chosen, rows: None },
        1,
    );
    for (part, whole) in [(0, 2), (2, 2), (3, 2), (1, 1001)] {
        assert!(Fraction::new(part, whole).is_err());
    }
    // What was not made by a constructor is looked at as well, and what is too little for so many.
    let query = Query::Quantiles(
        Numeric::new("x", grid("0", "1", "1")),
        vec![Fraction::new(1, 2).unwrap(); 256],
    );
    let one = reading(1);
    for parts in [0, 255, 999, 1_000_000_000_000_001, u64::MAX] {
        let amount = Amount::of_parts(parts);
        for privacy in [Privacy::Pure { epsilon: amount }, Privacy::Concentrated { rho: amount }] {
            let refused = Plan::new(&query, &one, privacy).err();
            assert!(matches!(refused, Some(ReleaseError::Amount(_))), "{parts}");
        }
    }
    let rows = Some((1 << 28) + 1);
    let columns = vec![labels("a", &["1"])];
    refused(Query::Synthetic { columns, pairs: Pairs::Chosen, rows }, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_are_within_bounds(
        cells in prop::collection::vec("-?[0-9]{1,20}|[a-z]{0,2}|NaN|1e400", 0..40),
        lower in -1000_i64..1000,
        width in 1_i64..1_000_000_000_000,
        (rows, amount) in (1_u32..=u32::MAX, 1e-9..1000.0),
        is_pure in any::<bool>(),
    ) {
        let table = format!("x\n{}\n", cells.join("\n"));
        let column = Numeric::new("x", grid(&lower.to_string(), &(lower + width).to_string(), "1"));
        let privacy = if is_pure { Privacy::pure(amount) } else { Privacy::concentrated(amount) };
        let (low, high) = (i128::from(lower), i128::from(lower + width));
        let at = vec![Fraction::new(1, 3).unwrap(), Fraction::new(999, 1000).unwrap()];
        for query in [Query::Mean(column.clone()), Query::Quantiles(column, at)] {
            let reading = reading(rows);
            let Ok(plan) = Plan::new(&query, &reading, privacy.as_ref().unwrap().to_owned()) else {
                // One person changes more than there is noise for.
                prop_assert!(u128::from(rows) * width as u128 > 1 << 40);
                continue;
            };
            let released = plan.answer(table.as_bytes(), &mut Source::system()).unwrap();
            match released.answer {
                Answer::Mean { value, error, .. } => {
                    prop_assert!(value.digits >= low * 1000 && value.digits <= high * 1000);
                    prop_assert!(error.digits >= 0 && error.digits <= (high - low) * 1000);
                }
                Answer::Quantiles(all) => {
                    prop_assert!(all.iter().all(|it| (low..=high).contains(&it.value.digits)));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_left_is_never_more_than_the_limit(
        spent in prop::collection::vec((1e-9..3.0_f64, any::<bool>()), 0..20),
        epsilon in 0.01..10.0_f64,
        has_delta in any::<bool>(),
    ) {
        let budget = if has_delta { Budget::approximate(epsilon, 1e-6) } else { Budget::pure(epsilon) };
        let budget = budget.unwrap();
        let mut all: Vec<Privacy> = Vec::new();
        for (amount, is_pure) in spent {
            let more = if is_pure { Privacy::pure(amount) } else { Privacy::concentrated(amount) };
            all.push(more.unwrap());
            if budget.spend(&all).is_err() {
                all.pop();
            }
        }
        let left = budget.spend(&all).unwrap();
        let only_pure = all.iter().all(|one| matches!(one, Privacy::Pure { .. }));
        let sum: f64 = all.iter().map(|one| match one {
            Privacy::Pure { epsilon } => epsilon.value(),
            Privacy::Concentrated { rho } => rho.value(),
        }).sum();
        prop_assert!(!only_pure || has_delta || sum <= epsilon + 1e-9);
        // All that is left can be spent, and then nothing can.
        for (amount, is_pure) in [(left.epsilon, true), (left.rho, false)] {
            let of = |epsilon| if is_pure {
                Privacy::Pure { epsilon }
            } else {
                Privacy::Concentrated { rho: epsilon }
            };
            if amount.parts() > 0 {
                let with: Vec<Privacy> = all.iter().copied().chain([of(amount)]).collect();
                prop_assert!(budget.spend(&with).is_ok());
            }
            let more = of(Amount::of_parts(amount.parts() + amount.parts() / 1_000_000 + 10));
            let with: Vec<Privacy> = all.iter().copied().chain([more]).collect();
            prop_assert!(budget.spend(&with).is_err());
        }
    }
}

/// A table of many rows, once over, for every kind of question; prints how long that takes.
#[test]
fn tables_of_many_rows_are_read_once() {
    let mut table = "age;sex;pay\n".to_owned();
    for row in 0..200_000_u64 {
        let age = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57;
        let sex = if row % 3 == 0 { "Female" } else { "Male" };
        table.push_str(&format!("{age};{sex};{}\n", if age > 60 { "high" } else { "low" }));
    }
    let age = Numeric::new("age", grid("0", "127", "1"));
    let edges: Vec<Decimal> = ["0", "30", "60", "90", "128"].map(decimal).to_vec();
    let ages = Categorical::ranges("age", &edges).unwrap();
    let columns = vec![ages, labels("sex", &["Female", "Male"]), labels("pay", &["low", "high"])];
    let median = vec![Fraction::new(1, 2).unwrap()];
    let questions = [
        Query::Count,
        Query::Sum(age.clone()),
        Query::Mean(age.clone()),
        Query::Quantiles(age, median),
        Query::Histogram(columns[1].clone()),
        Query::Contingency(columns.clone()),
        Query::Synthetic { columns, pairs: Pairs::Chosen, rows: None },
    ];
    let (reading, privacy) = (reading(1), Privacy::pure(1.0).unwrap());
    for query in questions {
        let start = Instant::now();
        let plan = Plan::new(&query, &reading, privacy).unwrap();
        let answer = plan.answer(table.as_bytes(), &mut Source::system()).unwrap().answer;
        let took = start.elapsed();
        // Noise of a scale of 12 at most is not off by 1 % of a hundred thousand.
        let (found, expected) = match &answer {
            Answer::Number(number) if query == Query::Count => (number.value.value(), 200_000.0),
            Answer::Number(number) => (number.value.value() / 200_000.0, 63.5),
            Answer::Mean { value, .. } => (value.value(), 63.5),
            Answer::Quantiles(all) => (all[0].value.value(), 63.5),
            Answer::Cells { counts, .. } => (counts.iter().sum::<i128>() as f64, 200_000.0),
            Answer::Synthetic(made) => (made.codes[2].len() as f64, 200_000.0),
        };
        println!("{took:?}: {found} instead of {expected}");
        assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
    }
}

/// Prints how near made up rows are to those of Adult.
#[test]
fn made_up_rows_of_adult_are_near() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/adult");
    let Ok(table) = std::fs::read(folder.join("adult.csv")) else {
        println!("SKIPPED Adult: it is not here");
        return;
    };
    let names =
        ["sex", "race", "marital-status", "education", "workclass", "occupation", "salary-class"];
    let columns = names.map(|name| {
        let hierarchy = std::fs::read(folder.join(format!("adult_hierarchy_{name}.csv"))).unwrap();
        Categorical::hierarchy(name, &hierarchy, b';', 0).unwrap()
    });
    let reading = reading(1);
    for epsilon in [0.1, 1.0, 10.0] {
        let query =
            Query::Synthetic { columns: columns.to_vec(), pairs: Pairs::Chosen, rows: None };
        let plan = Plan::new(&query, &reading, Privacy::pure(epsilon).unwrap()).unwrap();
        let start = Instant::now();
        let released = plan.answer(table.as_slice(), &mut Source::system()).unwrap();
        let took = start.elapsed();
        let Answer::Synthetic(made) = released.answer else { unreachable!() };
        let mut worst = [0.0, 0.0];
        for one in 0..columns.len() {
            for other in one + 1..columns.len() {
                let pair = Query::Contingency(vec![columns[one].clone(), columns[other].clone()]);
                let plan = Plan::new(&pair, &reading, Privacy::pure(1000.0).unwrap()).unwrap();
                let exact = plan.answer(table.as_slice(), &mut Source::system()).unwrap();
                let Answer::Cells { columns, counts, .. } = exact.answer else { unreachable!() };
                let mut found = vec![0.0; counts.len()];
                let (rows, width) = (made.codes[0].len() as f64, columns[1].labels.len());
                for (a, b) in made.codes[one].iter().zip(&made.codes[other]) {
                    found[*a as usize * width + *b as usize] += 1.0 / rows;
                }
                let all = counts.iter().sum::<i128>() as f64;
                let apart =
                    counts.iter().zip(&found).map(|(count, it)| (*count as f64 / all - it).abs());
                let apart = apart.sum::<f64>() / 2.0;
                let place = usize::from(!made.pairs.contains(&(one, other)));
                worst[place] = f64::max(worst[place], apart);
            }
        }
        let [tree, others] = worst;
        println!(
            "epsilon {epsilon}: {} rows in {took:?}; pairs of the tree are at most {tree:.3} apart, others {others:.3}",
            made.codes[0].len()
        );
        assert!(epsilon < 1.0 || (tree < 0.15 && others < 0.4), "{tree} {others}");
    }
}
