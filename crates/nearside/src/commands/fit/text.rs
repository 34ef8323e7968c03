//! The answer of `nearside fit` as text.

use std::fmt::Write as _;

use nearside_units::{Bytes, Count};

use super::view::{FitAnswer, FreeView, LimitsView, MemoryRow, TaskFit, TechniqueFit};
use crate::cli::Fit;
use crate::output::{Align, Output, table};
use crate::view::{Figure, InputView, Range};

pub(super) fn headline(answer: &FitAnswer) -> String {
    let count = |count: u64| Count::new(count).to_string();
    let mut words = vec![answer.model.clone()];
    words.extend(answer.parameters.map(|all| format!("{} parameters", count(all))));
    words.extend(answer.active_parameters.map(|active| format!("{} active", count(active))));
    words.extend(answer.context_tokens.map(|context| format!("{context} tokens of context")));
    let free = answer.free.as_ref().map(free_text).unwrap_or_default();
    let (site, batch) = (&answer.site, answer.batch);
    let sides = answer.image.map(|side| format!(" of {side} x {side} pixels")).unwrap_or_default();
    let pass = match (answer.sequence, batch) {
        (Some(sequence), _) => format!("{batch} x {sequence} tokens"),
        (None, 1) => format!("1 image{sides}"),
        (None, _) => format!("{batch} images{sides}"),
    };
    format!("{}\non {site}{free}, {pass}\n", words.join(", "))
}

/// What is free, in parentheses.
pub(super) fn free_text(free: &FreeView) -> String {
    let part = |what: &str, free: Option<u64>, total: Option<u64>| {
        let (free, total) = (Bytes::new(free?), Bytes::new(total?));
        Some(format!("{free} of {total} {what} free"))
    };
    let parts = [
        part("device memory", free.device_free_bytes, free.device_total_bytes),
        part("memory", free.memory_free_bytes, free.memory_total_bytes),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

pub(super) fn range_text(range: &Range, unit: &str) -> String {
    let digits = nearside_units::significant;
    match (digits(range.low), digits(range.high)) {
        (low, high) if low == high => format!("{low}{unit}"),
        (low, high) => format!("{low}-{high}{unit}"),
    }
}

pub(super) fn gib(range: &Range) -> String {
    let scale = |bytes: f64| bytes / f64::from(1 << 30);
    range_text(
        &Range { low: scale(range.low), likely: scale(range.likely), high: scale(range.high) },
        "",
    )
}

pub(super) fn figure_text<T>(figure: &Figure<T>, text: impl FnOnce(&T) -> String) -> String {
    match figure {
        Figure::Value(value) => text(value),
        Figure::Unknown { .. } => "-".to_owned(),
    }
}

pub(super) fn all_tasks(text: &mut String, answer: &FitAnswer) {
    if answer.tasks.iter().all(|task| task.verdict == "unknown") {
        for why in not_estimated(answer) {
            let _ = write!(text, "\nUNKNOWN: {why}");
        }
        return;
    }
    let heads = [
        ("task", Align::Left),
        ("with", Align::Left),
        ("verdict", Align::Left),
        ("needs [GiB]", Align::Right),
        ("limited by", Align::Left),
        (if answer.sequence.is_some() { "tokens/s" } else { "images/s" }, Align::Right),
    ];
    let rows = answer.tasks.iter().map(|task| {
        vec![
            task.task.clone(),
            own(task, &shared(answer, task)),
            task.verdict.to_uppercase(),
            task.needed_bytes.as_ref().map_or("-".to_owned(), gib),
            figure_text(&task.bottleneck, Clone::clone),
            match task.verdict.as_str() {
                "fits" | "uncertain" => speed_text(task, ["", ""]),
                _ => "-".to_owned(),
            },
        ]
    });
    let available = answer.tasks.iter().find_map(|task| match &task.available_bytes {
        Figure::Value(available) => Some(available),
        Figure::Unknown { .. } => None,
    });
    if let Some(available) = available {
        let _ = writeln!(text, "with {} GiB of memory for it", gib(available));
    }
    text.push('\n');
    text.push_str(&table(&heads, rows.collect()));
    text.push_str(&common(answer));
    if answer.sequence.is_some() {
        text.push_str("\ntokens/s: written when answering, read when training");
    }
    for why in not_estimated(answer) {
        let _ = write!(text, "\nnot estimated: {why}");
    }
}

/// What all answering, or all training, of an answer is done with, the type of the weights aside.
fn shared<'a>(answer: &'a FitAnswer, like: &TaskFit) -> Vec<&'a str> {
    let alike = |task: &&TaskFit| (task.task == "inference") == (like.task == "inference");
    let mut all = answer.tasks.iter().filter(alike).map(|task| task.recipe.split(", ").skip(1));
    let mut shared: Vec<_> = all.next().into_iter().flatten().collect();
    all.for_each(|other| {
        let other: Vec<_> = other.collect();
        shared.retain(|part| other.contains(part));
    });
    shared
}

/// What a task is done with besides that.
fn own(task: &TaskFit, shared: &[&str]) -> String {
    let parts = task.recipe.split(", ").filter(|part| !shared.contains(part));
    parts.map(|part| part.trim_end_matches(" weights")).collect::<Vec<_>>().join(", ")
}

/// What the tasks of a kind are done with, in words.
fn common(answer: &FitAnswer) -> String {
    let of = |kind: &str, answers: bool| {
        let like = answer.tasks.iter().find(|task| (task.task == "inference") == answers)?;
        let shared = shared(answer, like);
        (!shared.is_empty()).then(|| format!("{kind} with {}", shared.join(", ")))
    };
    let said: Vec<_> =
        [of("answering", true), of("training", false)].into_iter().flatten().collect();
    if said.is_empty() { String::new() } else { format!("\n\n{}", said.join("\n")) }
}

/// Its speed, in tokens or in images.
fn speed_text(task: &TaskFit, [tokens, images]: [&str; 2]) -> String {
    match &task.images_per_second {
        Some(speed) => range_text(speed, images),
        None => figure_text(&task.tokens_per_second, |range| range_text(range, tokens)),
    }
}

/// Why some figures are missing, each reason once.
fn not_estimated(answer: &FitAnswer) -> Vec<&str> {
    let mut reasons: Vec<&str> = Vec::new();
    for task in &answer.tasks {
        let unknown = match (&task.verdict[..], &task.tokens_per_second) {
            _ if task.images_per_second.is_some() => None,
            ("unknown", _) => Some(task.why.as_str()),
            ("fits" | "uncertain", Figure::Unknown { unknown }) => Some(unknown.as_str()),
            _ => None,
        };
        reasons.extend(unknown.filter(|why| !reasons.contains(why)));
    }
    reasons
}

pub(super) fn one_task(text: &mut String, answer: &FitAnswer, task: &TaskFit) {
    let _ = write!(text, "\n{}: {} ({})\n", task.verdict.to_uppercase(), task.why, task.recipe);
    if let Some(peak) = &task.peak {
        let _ = write!(text, "\nlive memory at the peak, {peak}\n");
        let heads = [("category", Align::Left), ("memory", Align::Right)];
        let row = |row: &MemoryRow| vec![row.category.clone(), Bytes::new(row.bytes).to_string()];
        text.push_str(&table(&heads, task.memory.iter().map(row).collect()));
        text.push('\n');
    }
    if let Some(trained) = task.trained_parameters {
        let _ = write!(text, "\ntrained parameters  {}", Count::new(trained));
    }
    if let Some(needed) = &task.needed_bytes {
        let _ = write!(text, "\nwith allocator and driver  {} GiB", gib(needed));
    }
    let speed = speed_text(task, [" tokens/s", " images/s"]);
    match task.verdict.as_str() {
        "fits" | "uncertain" => {
            let bottleneck = figure_text(&task.bottleneck, Clone::clone);
            let _ = write!(text, "\nspeed  {speed}, limited by {bottleneck}");
        }
        _ => {
            let _ = write!(text, "\nspeed  {speed}, if it had the memory");
        }
    }
    if let Some(limits) = &answer.limits {
        text.push_str(&limits_line(limits));
    }
    if !answer.techniques.is_empty() {
        let fit = answer.techniques.iter().any(|technique| technique.verdict == "fits");
        text.push_str(match fit {
            true => "\n\ncheapest changes that make it fit\n",
            false => "\n\nno change makes it surely fit; what comes nearest\n",
        });
        text.push_str(&techniques_table(&answer.techniques));
    }
}

/// The most that surely fits.
fn limits_line(limits: &LimitsView) -> String {
    let count = |most: u64, unit: &str| match most {
        most if most >= limits.looked_up_to => format!("{most} or more {unit}"),
        most => format!("{most} {unit}"),
    };
    let counted = |most: Option<u64>| most.filter(|most| *most > 0);
    let nothing = [limits.batch, limits.sequence].into_iter().flatten().all(|most| most == 0);
    if nothing {
        return "\nno batch and no length surely fits as it is".to_owned();
    }
    let parts = [
        counted(limits.batch).map(|most| format!("batch {}", count(most, ""))),
        counted(limits.sequence).map(|most| format!("context {}", count(most, ""))),
        counted(limits.concurrency).map(|most| count(most, "requests in flight")),
    ];
    let parts: Vec<_> =
        parts.into_iter().flatten().map(|part| part.trim_end().to_owned()).collect();
    format!("\nsurely fits  {}", parts.join(", or "))
}

/// One line per step, so that it stays within 80 columns.
fn techniques_table(techniques: &[TechniqueFit]) -> String {
    let heads = [
        ("verdict", Align::Left),
        ("needs [GiB]", Align::Right),
        ("time", Align::Right),
        ("change: its price", Align::Left),
    ];
    let rows = techniques.iter().flat_map(|technique| {
        technique.steps.iter().enumerate().map(|(at, step)| {
            let step = format!("{}: {}", step.name, step.price);
            if at > 0 {
                return vec![String::new(), String::new(), String::new(), format!("+ {step}")];
            }
            let ratio =
                technique.time_ratio.map_or("-".to_owned(), |ratio| format!("x {ratio:.2}"));
            let needed = technique.needed_bytes.as_ref().map_or("-".to_owned(), gib);
            vec![technique.verdict.to_uppercase(), needed, ratio, step]
        })
    });
    table(&heads, rows.collect())
}

/// The basis of every figure.
pub(crate) fn inputs_table(inputs: &[InputView]) -> String {
    let heads = [
        ("what", Align::Left),
        ("value", Align::Right),
        ("kind", Align::Left),
        ("source", Align::Left),
    ];
    table(&heads, inputs.iter().map(InputView::row).collect())
}

pub(super) fn hints(answer: &FitAnswer, arguments: &Fit, output: &Output) {
    let estimated = answer.tasks.iter().any(|task| task.verdict != "unknown");
    if arguments.task.is_none() && estimated {
        let place = place(arguments);
        let model = arguments.model.as_deref().unwrap_or_default();
        let usual = answer.tasks.iter().find(|task| task.task == "lora").or(answer.tasks.last());
        let task = usual.map_or("lora", |task| &task.task);
        output.hint(&format!(
            "`nearside fit {} --task {task}{place}` breaks one task down; --explain shows every source",
            quoted(model)
        ));
    }
}

fn quoted(text: &str) -> String {
    match text.contains(' ') {
        true => format!("'{text}'"),
        false => text.to_owned(),
    }
}

/// The options that chose the site.
pub(super) fn place(arguments: &Fit) -> String {
    match (&arguments.on, &arguments.site) {
        (Some(device), _) => match arguments.count {
            1 => format!(" --on {}", quoted(device)),
            count => format!(" --on {} --count {count}", quoted(device)),
        },
        (None, Some(file)) => format!(" --site {}", quoted(&file.display().to_string())),
        (None, None) => String::new(),
    }
}
