//! The answer of `nearside fit` without a model, as text.

use std::fmt::Write as _;

use nearside_units::{Bytes, Count};

use super::super::text::{figure_text, free_text, gib, inputs_table, range_text};
use super::view::{FitList, OutOfReach, Runs, Untold};
use crate::output::{Align, Detail, table};
use crate::view::Range;

pub(super) fn list(answer: &FitList, detail: Detail) -> String {
    let free = answer.free.as_ref().map(free_text).unwrap_or_default();
    let (site, task, batch, sequence) = (&answer.site, &answer.task, answer.batch, answer.sequence);
    let mut text = format!("models for {task} on {site}{free}, {batch} x {sequence} tokens\n");
    if answer.models.is_empty() {
        text.push_str("\nNONE of them surely fits\n");
    } else {
        let _ = write!(text, "{}\n\n{}\n", answer.ranking, models_table(answer));
        if answer.more_models > 0 {
            let _ = writeln!(text, "and {} more: --limit shows them", answer.more_models);
        }
        if answer.models.iter().any(|model| !model.open_licence) {
            text.push_str("* terms of its own, no open-source licence\n");
        }
    }
    if !answer.out_of_reach.is_empty() {
        let _ = write!(text, "\njust out of reach\n{}\n", misses_table(&answer.out_of_reach));
        if answer.more_out_of_reach > 0 {
            let _ = writeln!(text, "and {} more that need more", answer.more_out_of_reach);
        }
    }
    text.push_str(&not_known(answer, detail));
    if detail == Detail::Explained {
        for model in &answer.models {
            let _ = write!(text, "\nbasis of {} ({})\n", model.model, model.recipe);
            let _ = writeln!(text, "{}", inputs_table(&model.inputs));
        }
    }
    text
}

/// How many cannot be told; every reason where there is room for it.
fn not_known(answer: &FitList, detail: Detail) -> String {
    let line = |untold: &Untold| format!("\nnot compared: {}\n  {}", untold.model, untold.why);
    match answer.not_known.as_slice() {
        few if few.len() <= 2 || detail == Detail::Explained => few.iter().map(line).collect(),
        several => format!("\nnot compared: {} models (--json says why)", several.len()),
    }
}

fn size(parameters: Option<u64>, active: Option<u64>) -> String {
    let count = |count: u64| Count::new(count).to_string();
    match (parameters, active) {
        (None, _) => "-".to_owned(),
        (Some(all), None) => count(all),
        (Some(all), Some(active)) => format!("{}/{}", count(all), count(active)),
    }
}

/// Columns for the name of a licence.
const LICENCE_WIDTH: usize = 12;

/// The licence in a column: no word that all of them have.
fn licence(licence: &str, open: bool) -> String {
    let words = ["License", "Licence", "Community", "Terms", "of", "Use", "Model"];
    let named = licence.split([';', '(']).next().map(str::trim_end).unwrap_or(licence);
    let mut kept = String::new();
    for word in named.split(' ').filter(|word| !words.contains(word)) {
        let longer = format!("{kept} {word}");
        if !kept.is_empty() && longer.len() > LICENCE_WIDTH {
            break;
        }
        longer.trim_start().clone_into(&mut kept);
    }
    let star = if open { "" } else { " *" };
    format!("{kept}{star}")
}

/// The high end, which has to fit.
fn most_gib(range: &Range) -> String {
    gib(&Range { low: range.high, likely: range.high, high: range.high })
}

/// A number of tokens: 131072 as 128k, others in whole thousands.
fn tokens(count: u64) -> String {
    if count >= 1024 { format!("{}k", count / 1024) } else { count.to_string() }
}

fn models_table(answer: &FitList) -> String {
    // What one token uses matters for the speed of answers, and training has no room for it.
    let active = |model: &Runs| model.active_parameters.filter(|_| answer.task == "inference");
    let heads = [
        ("model", Align::Left),
        ("size", Align::Right),
        ("with", Align::Left),
        ("<= GiB", Align::Right),
        ("tokens/s", Align::Right),
        ("context", Align::Right),
        ("licence", Align::Left),
    ];
    let row = |model: &Runs| {
        vec![
            model.model.clone(),
            size(model.parameters, active(model)),
            model.with.clone(),
            model.needed_bytes.as_ref().map_or("-".to_owned(), most_gib),
            figure_text(&model.tokens_per_second, |range| range_text(range, "")),
            model.context_tokens.map_or("-".to_owned(), tokens),
            licence(&model.licence, model.open_licence),
        ]
    };
    table(&heads, answer.models.iter().map(row).collect())
}

fn misses_table(misses: &[OutOfReach]) -> String {
    let heads = [
        ("model", Align::Left),
        ("with", Align::Left),
        ("needs [GiB]", Align::Right),
        ("short", Align::Right),
        ("what makes it fit", Align::Left),
    ];
    let row = |miss: &OutOfReach| {
        let steps = miss.fits_with.as_deref().unwrap_or("-").split(" + ");
        let first = [
            miss.model.clone(),
            miss.with.clone(),
            miss.needed_bytes.as_ref().map_or("-".to_owned(), gib),
            miss.short_bytes.map_or("-".to_owned(), |short| Bytes::new(short).to_string()),
        ];
        // One line per step.
        let line = |(at, step): (usize, &str)| match at {
            0 => [&first[..], &[step.to_owned()]].concat(),
            _ => [vec![String::new(); first.len()], vec![format!("+ {step}")]].concat(),
        };
        steps.enumerate().map(line).collect::<Vec<_>>()
    };
    within(80, &table(&heads, misses.iter().flat_map(row).collect()))
}

/// Moves lines that begin with spaces to the left, as far as a terminal needs.
fn within(width: usize, text: &str) -> String {
    let fitted = |line: &str| {
        let over = line.chars().count().saturating_sub(width);
        let spaces = line.len() - line.trim_start_matches(' ').len();
        line[over.min(spaces)..].to_owned()
    };
    text.split('\n').map(fitted).collect::<Vec<_>>().join("\n")
}
