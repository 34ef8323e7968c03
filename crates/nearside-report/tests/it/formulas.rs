//! Random formulas for a workbook: what they are translated to must come to what they come to here.

use nearside_economics::{
    Cell, Choice, Content, Formula, Group, Id, Operator, Roi, Sheet, Unit, Value,
};
use nearside_report::workbook;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::cases::base;

/// How many formulas are tried.
const COUNT: usize = 400;

/// A workbook with many formulas that follow from nothing but chance.
pub(crate) fn workbook_of_random_formulas() -> Vec<u8> {
    let mut findings = base().findings();
    let inputs: Vec<Id> = findings
        .roi
        .sheet
        .cells()
        .filter(|(_, cell)| matches!(cell.content, Content::Input(_)))
        .map(|(id, _)| id)
        .collect();
    let yearly = [findings.roi.near.costs.clone(), findings.roi.far[0].flows.clone(), Vec::new()];
    let strategy = formulas(inputs, yearly.to_vec());
    let mut runner = TestRunner::deterministic();
    let scratch = findings.roi.sheet.clone();
    let mut count = 0;
    while count < COUNT {
        let formula = strategy.new_tree(&mut runner).expect("a formula").current();
        if is_sound(&scratch, &formula) {
            put(&mut findings.roi, &formula, count);
            count += 1;
        }
    }
    workbook(&findings).expect("a workbook")
}

fn put(roi: &mut Roi, formula: &Formula, count: usize) {
    let content = Content::Formula(formula.clone());
    roi.sheet.put(cell(format!("random{count}"), content));
}

fn cell(name: String, content: Content) -> Cell {
    let (label, unit, group) = (name.clone(), Unit::Factor, Group::Near);
    Cell { name, label, unit, group, year: None, content }
}

fn formulas(inputs: Vec<Id>, yearly: Vec<Vec<Id>>) -> impl Strategy<Value = Formula> {
    let leaf = prop_oneof![
        prop::sample::select(inputs).prop_map(Formula::Cell),
        prop::sample::select(yearly).prop_map(Formula::Total),
        prop::sample::select(vec![
            0.0,
            1.0,
            -1.0,
            2.0,
            0.5,
            -3.25,
            12.0,
            1e-3,
            1e6,
            1.0 / 3.0,
            -1e-7
        ])
        .prop_map(Formula::Number),
    ];
    let numbers = leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            6 => (operators(), inner.clone(), inner.clone())
                .prop_map(|(operator, left, right)| Formula::Binary(operator, Box::new([left, right]))),
            1 => prop::array::uniform4(inner.clone()).prop_map(|[left, right, then, otherwise]| {
                Formula::When(Box::new(Choice { left, right, then, otherwise }))
            }),
            1 => (1..4usize, prop::collection::vec(inner, 3..5))
                .prop_map(|(which, of)| Formula::Pick(Box::new((which as f64).into()), of)),
        ]
    });
    (numbers.clone(), numbers.clone(), numbers, any::<bool>()).prop_map(
        |(left, right, then, word)| match word {
            true => left.at_most(right, then, Formula::Nothing("it is \"more\"")),
            false => then,
        },
    )
}

fn operators() -> impl Strategy<Value = Operator> {
    use Operator::{Least, Minus, Most, Over, Plus, Power, Times};
    prop::sample::select(vec![Plus, Minus, Times, Over, Power, Least, Most])
}

/// Whether each part of it is a number of a usual size, powers are of positive numbers, and what it comes to
/// hangs on no rounding: spreadsheets take what is nearly equal for equal.
fn is_sound(sheet: &Sheet, formula: &Formula) -> bool {
    let mut scratch = sheet.clone();
    let mut parts = Vec::new();
    collect(formula, &mut parts);
    let ids: Vec<(Id, &Formula)> = parts
        .iter()
        .enumerate()
        .map(|(place, part)| {
            (scratch.put(cell(format!("part{place}"), Content::Formula((*part).clone()))), *part)
        })
        .collect();
    let whole = scratch.put(cell("whole".to_owned(), Content::Formula(formula.clone())));
    let values = scratch.values();
    let of = |part: &Formula| {
        let (id, _) = ids.iter().find(|(_, other)| std::ptr::eq(*other, part))?;
        values.of(*id).number()
    };
    let usual = |number: f64| number == 0.0 || (1e-12..1e12).contains(&number.abs());
    let sound = ids.iter().all(|(id, part)| {
        let number = values.of(*id).number();
        let positive = match part {
            Formula::Binary(Operator::Power, parts) => {
                of(&parts[0]).is_some_and(|base| base > 0.0) && number.is_some_and(|it| it > 0.0)
            }
            _ => true,
        };
        positive && number.is_some_and(usual)
    });
    let nudged = scratch.cells().filter_map(|(id, cell)| match &cell.content {
        Content::Input(input) => Some((id, input.span.likely() * (1.0 + 1e-9) + 1e-12)),
        Content::Formula(_) => None,
    });
    let other = scratch.values_with(&nudged.collect()).of(whole);
    let stable = match (values.of(whole), other) {
        (Value::Number(one), Value::Number(other)) => (one - other).abs() <= 1e-5 * one.abs(),
        (one, other) => one == other,
    };
    sound && stable
}

/// Every part of a formula that is a number.
fn collect<'a>(formula: &'a Formula, parts: &mut Vec<&'a Formula>) {
    if let Formula::Nothing(_) = formula {
        return;
    }
    let worded = matches!(formula, Formula::When(choice)
        if matches!(choice.otherwise, Formula::Nothing(_)));
    if !worded {
        parts.push(formula);
    }
    match formula {
        Formula::Binary(_, both) => both.iter().for_each(|part| collect(part, parts)),
        Formula::When(choice) => {
            for part in [&choice.left, &choice.right, &choice.then, &choice.otherwise] {
                collect(part, parts);
            }
        }
        Formula::Pick(which, of) => {
            collect(which, parts);
            of.iter().for_each(|part| collect(part, parts));
        }
        _ => {}
    }
}
