//! What `nearside privacy release` says, in words.

use std::fmt::Write as _;

use super::view::{AnswerView, BudgetView, Decision, NumberView, PastView, ReleaseAnswer};
use crate::output::{Align, table};

pub(super) fn of(answer: &ReleaseAnswer) -> String {
    let mut text = String::new();
    if let Some(found) = &answer.answer {
        text.push_str(&told(found));
    }
    match answer.decision {
        Some(Decision::Planned) => {
            let _ = writeln!(text, "nothing was spent, and nothing of its rows was read");
        }
        Some(Decision::Refused) => {
            let _ =
                writeln!(text, "refused, and the record says so: it would spend {}", spent(answer));
        }
        Some(Decision::Released) => {
            let _ = writeln!(text, "this spent {}", spent(answer));
        }
        None => {}
    }
    for noise in &answer.noise {
        let _ = writeln!(
            text,
            "noise: {} of scale {:.4}; 19 in 20 answers are at most {} off",
            noise.mechanism, noise.scale, noise.error
        );
    }
    if answer.answer.is_none() {
        for ranks in &answer.ranks {
            let off = ranks.map_or("so far off that nothing can be said".to_owned(), |ranks| {
                format!("at most {ranks} rows in order off, 19 times in 20")
            });
            let _ = writeln!(text, "a quantile is {off}");
        }
    }
    if !answer.past.is_empty() {
        let _ = writeln!(text, "{}\n", past(&answer.past));
    }
    let _ = writeln!(text, "{}", budget(answer));
    text
}

fn spent(answer: &ReleaseAnswer) -> String {
    match (answer.epsilon, answer.rho) {
        (Some(epsilon), _) => format!("epsilon = {epsilon}"),
        (None, Some(rho)) => format!("rho = {rho}"),
        (None, None) => "nothing".to_owned(),
    }
}

fn told(answer: &AnswerView) -> String {
    if let Some(rows) = answer.rows {
        let pairs = answer.pairs.iter().map(|[one, other]| format!("{one} and {other}"));
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        return format!("{rows} synthetic rows; what goes together: {pairs}\n");
    }
    if !answer.cells.is_empty() {
        let names = answer.columns.iter().map(|name| (name.as_str(), Align::Left));
        let heads: Vec<_> = names.chain([("rows", Align::Right)]).collect();
        let rows = answer.cells.iter().map(|cell| {
            cell.labels.iter().cloned().chain([cell.count.to_string()]).collect::<Vec<_>>()
        });
        return format!("{}\n\n", table(&heads, rows.collect()));
    }
    let line = |number: &NumberView| {
        let quantile = number.what.parse::<f64>().is_ok();
        let unit = if quantile { " rows in order" } else { "" };
        let off = number.error.map_or_else(
            || "how far off cannot be said".to_owned(),
            |error| format!("at most {error}{unit} off, 19 times in 20"),
        );
        match number.what.as_str() {
            "value" => format!("{} ({off})\n", number.text),
            what if quantile => format!("{} is the {what} quantile ({off})\n", number.text),
            what => format!("{what}: {} ({off})\n", number.text),
        }
    };
    answer.numbers.iter().map(line).collect()
}

fn past(past: &[PastView]) -> String {
    let heads = [
        ("when", Align::Left),
        ("asked", Align::Left),
        ("spent", Align::Left),
        ("which was", Align::Left),
    ];
    let row = |it: &PastView| {
        let spent = match (it.epsilon, it.rho) {
            (Some(epsilon), _) => format!("epsilon = {epsilon}"),
            (None, rho) => format!("rho = {}", rho.unwrap_or(0.0)),
        };
        vec![it.at.clone(), it.asked.clone(), spent, it.decision.clone()]
    };
    table(&heads, past.iter().map(row).collect())
}

fn budget(answer: &ReleaseAnswer) -> String {
    let BudgetView { epsilon, delta, rows_per_person, person, left_epsilon, left_rho } =
        &answer.budget;
    let at = if *delta > 0.0 { format!(" at delta = {delta}") } else { String::new() };
    let whose = match person {
        Some(person) => format!("people told by {person}"),
        None => "people of whom nobody has more".to_owned(),
    };
    let rows = if *rows_per_person == 1 { "row" } else { "rows" };
    let left = match (left_epsilon, left_rho) {
        (None, _) if answer.decision.is_none() => "more than that is spent".to_owned(),
        (None, _) => "that is more than is left".to_owned(),
        (Some(epsilon), Some(rho)) => format!("epsilon = {epsilon} or rho = {rho} is left"),
        (Some(epsilon), None) => format!("epsilon = {epsilon} is left"),
    };
    format!(
        "budget of {}: epsilon = {epsilon}{at}, for {rows_per_person} {rows} of {whose}; {left}",
        answer.dataset
    )
}
