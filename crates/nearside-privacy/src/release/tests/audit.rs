//! What is spent, measured: answers about neighbouring tables, and by how much events differ in how often they come.
//!
//! Of many events, the greatest logarithm of a ratio of probabilities that is certain but for one in ten million each
//! (Clopper and Pearson) must not be above epsilon. Noise of half the size must be found out.

use std::collections::BTreeMap;

use super::super::budget::epsilon_of;
use super::super::{Amount, Fraction};
use super::statistics::bounds;
use super::*;

/// How often each table is asked.
const TIMES: usize = 60_000;
/// The part of audits that may be wrong, of each event.
const WRONG: f64 = 1e-7;

/// How often answers are a number, or not above one, or not below one.
fn events(answers: &[i128]) -> BTreeMap<(u8, i128), u64> {
    let mut sorted = answers.to_vec();
    sorted.sort_unstable();
    let all = sorted.len() as u64;
    let (mut events, mut below) = (BTreeMap::new(), 0);
    for group in sorted.chunk_by(|one, other| one == other) {
        let here = group.len() as u64;
        events.insert((0, group[0]), here);
        events.insert((1, group[0]), below + here);
        events.insert((2, group[0]), all - below);
        below += here;
    }
    events
}

/// By how much events differ for certain; a number that came in one alone came 0 times in the other.
fn audit(one: &[i128], other: &[i128]) -> f64 {
    let [one, other] = [one, other].map(events);
    let mut found: f64 = 0.0;
    for (these, those) in [(&one, &other), (&other, &one)] {
        for (event, count) in these.iter().filter(|(_, count)| **count > 300) {
            let beside = those.get(event).copied().or((event.0 == 0).then_some(0));
            let Some(beside) = beside.filter(|beside| beside < count) else { continue };
            let (lower, _) = bounds(*count, TIMES as u64, WRONG);
            let (_, upper) = bounds(beside, TIMES as u64, WRONG);
            found = found.max((lower / upper).ln());
        }
    }
    found
}

/// One number of an answer that tells of the person.
fn told(answer: &Answer) -> i128 {
    match answer {
        Answer::Number(number) => number.value.digits,
        Answer::Mean { value, .. } => value.digits,
        Answer::Quantiles(quantiles) => quantiles[0].value.digits,
        Answer::Cells { counts, .. } => counts[1],
        Answer::Synthetic(made) => made.codes[0].iter().filter(|code| **code == 1).count() as i128,
    }
}

fn audited(query: &Query, tables: [&str; 2], contributions: u32, privacy: Privacy) -> f64 {
    let reading = reading(contributions);
    let mut seed = 20;
    let [one, other] = tables.map(|table| {
        seed += 1;
        let all = answers(query, (table, &reading), (privacy, seed, TIMES));
        all.iter().map(told).collect::<Vec<_>>()
    });
    audit(&one, &other)
}

/// Every question, two neighbouring tables, the most rows of one person, and the part of epsilon that is seen to be
/// spent at least.
fn cases() -> Vec<(&'static str, Query, [&'static str; 2], u32, f64)> {
    let column = numeric("-3", "5", "1");
    let half = vec![Fraction::new(1, 2).unwrap()];
    let domain = || labels("x", &["a", "b"]);
    let pair = Query::Contingency(vec![domain(), labels("y", &["c"])]);
    let synthetic = Query::Synthetic {
        columns: vec![domain()],
        pairs: super::super::Pairs::Chosen,
        rows: None,
    };
    vec![
        ("count", Query::Count, ["x\n1\n2\n", "x\n1\n2\n3\n"], 1, 0.85),
        ("count, 3 rows", Query::Count, ["x\n1\n", "x\n1\n2\n3\n4\n"], 3, 0.85),
        ("sum", Query::Sum(column.clone()), ["x\n1\n", "x\n1\n99\n"], 1, 0.85),
        ("sum, 2 rows", Query::Sum(column.clone()), ["x\n1\n", "x\n1\n5\n5\n"], 2, 0.85),
        ("mean", Query::Mean(column.clone()), ["x\n1\n", "x\n1\n5\n"], 1, 0.4),
        (
            "quantile",
            Query::Quantiles(column.clone(), half.clone()),
            ["x\n1\n1\n", "x\n1\n1\n5\n"],
            1,
            0.3,
        ),
        (
            "quantile, 2 rows",
            Query::Quantiles(column, half),
            ["x\n1\n1\n", "x\n1\n1\n5\n5\n"],
            2,
            0.3,
        ),
        ("histogram", Query::Histogram(domain()), ["x\na\nb\n", "x\na\nb\nb\n"], 1, 0.85),
        ("contingency", pair, ["x,y\na,c\n", "x,y\na,c\na,d\n"], 1, 0.85),
        ("synthetic", synthetic, ["x\na\na\nb\n", "x\na\na\nb\nb\n"], 1, 0.4),
    ]
}

#[test]
fn no_more_is_spent_than_said() {
    for (name, query, tables, contributions, least) in cases() {
        for epsilon in [0.5, 2.0] {
            let found = audited(&query, tables, contributions, pure(epsilon));
            println!("{name}, epsilon {epsilon}: {found}");
            assert!(found <= epsilon, "{name}: {found}");
            assert!(found >= least * epsilon, "{name}: {found}");
        }
    }
}

#[test]
fn what_is_told_as_it_is_is_found_out() {
    let times = |number| vec![number; TIMES];
    assert!(audit(&times(2), &times(3)) > 8.0 && audit(&times(2), &times(2)) <= 0.0);
}

#[test]
fn half_the_noise_is_found_out() {
    for (name, query, tables, contributions, least) in cases() {
        if least > 0.5 {
            let found = audited(&query, tables, contributions, pure(2.0));
            assert!(found > 1.0, "{name}: {found}");
        }
    }
    // One row more than a person was said to have.
    let found = audited(&Query::Count, ["x\n1\n", "x\n1\n2\n3\n"], 1, pure(1.0));
    assert!(found > 1.0, "{found}");
}

/// Delta at an epsilon, by how often answers are not below a number; the bound for the rho, and the least for certain.
fn delta_of_gaussian(rho: f64, claimed: f64) -> (f64, f64) {
    let query = Query::Count;
    let mut seed = 30;
    let [one, other] = ["x\n1\n2\n", "x\n1\n"].map(|table| {
        seed += 1;
        let all = answers(&query, (table, &reading(1)), (concentrated(rho), seed, TIMES));
        events(&all.iter().map(told).collect::<Vec<_>>())
    });
    // At this delta, the claimed rho keeps this epsilon.
    let delta = 0.05;
    let epsilon = epsilon_of(Amount::new(claimed).unwrap(), delta).unwrap();
    let found = one.iter().filter_map(|(event, count)| {
        let (lower, _) = bounds(*count, TIMES as u64, WRONG);
        let (_, upper) = bounds(*other.get(event)?, TIMES as u64, WRONG);
        Some(lower - epsilon.exp() * upper)
    });
    (delta, found.fold(0.0, f64::max))
}

#[test]
fn concentrated_releases_keep_epsilon_at_delta() {
    for rho in [0.1, 0.5] {
        let (delta, found) = delta_of_gaussian(rho, rho);
        assert!(found <= delta && found > delta / 10.0, "{rho}: {found}");
        println!("rho {rho}: {found} at {delta}");
        // Half the noise is four times the rho.
        let (delta, found) = delta_of_gaussian(4.0 * rho, rho);
        assert!(found > delta, "{rho}: {found}");
    }
}
