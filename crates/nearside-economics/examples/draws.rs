//! Time of 100,000 random draws of all answers: `cargo run --release -p nearside-economics --example draws`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::Instant;

use nearside_economics::{Case, Draws, Given, Input, Roi, RoiError};
use nearside_units::{Basis, Span};

fn main() -> Result<(), RoiError> {
    let exact =
        |value: f64| Input { span: Span::exact(value), basis: Basis::assumed("an example") };
    let near = [
        ("machine_price", 3500.0),
        ("hours", 240.0),
        ("load", 550.0),
        ("idle", 100.0),
        ("tariff", 0.15),
    ];
    let near: Given = near.into_iter().map(|(name, value)| (name, exact(value))).collect();
    let far = Given::from([("price", exact(1.006)), ("interruptions", exact(0.05))]);
    let roi = Roi::of(&Case { near, far: vec![("rented".into(), far)] })?;
    let answers = &roi.far[0];
    let targets =
        [answers.worth, answers.payback, answers.payback_discounted, answers.rate_of_return];
    for count in [1000, 100_000] {
        let began = Instant::now();
        let samples = roi.sheet.drawn(&targets, Draws { count, seed: 1 });
        let took = began.elapsed();
        let within = samples[1].share_up_to(24.0);
        println!("{count} draws: {took:?}; paid back within 24 months in {:.1} %", 100.0 * within);
    }
    Ok(())
}
