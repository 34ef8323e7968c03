//! The answer of `nearside iteration` as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_units::significant;

use super::view::{BetweenView, FarView, IterationAnswer, LoopView, QuantilesView, StageView};
use crate::output::{Align, table};
use crate::view::seconds;

pub(super) fn of(answer: &IterationAnswer, shown: usize) -> String {
    let here = &answer.here;
    if here.iterations == 0 {
        return "no run has executed anything yet: there is no loop to measure".to_owned();
    }
    let mut text = loop_here(here, answer.pause_seconds);
    let _ = write!(text, "\n\n{}", stages(&here.stages));
    if !answer.far.is_empty() {
        let _ = write!(text, "\n\n{}", far(answer, shown));
    }
    for promised in &here.promised {
        let _ = write!(
            text,
            "\n{}{:.0} % shorter than elsewhere takes {} or more of waiting there, beside this much work",
            if promised.cut < 0.35 { "\n" } else { "" },
            promised.cut * 100.0,
            seconds(promised.far_wait_seconds)
        );
    }
    for (why, sites) in not_there(answer) {
        let more = match sites.len() {
            0 | 1 => String::new(),
            more => format!(" and {} more", more - 1),
        };
        let _ = write!(text, "\nnot on {}{more}: {why}", sites.first().map_or("", |site| site));
    }
    text
}

/// Sites that the loop cannot be on, by why.
fn not_there(answer: &IterationAnswer) -> BTreeMap<&str, Vec<&str>> {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for site in &answer.not_there {
        reasons.entry(&site.why).or_default().push(&site.site);
    }
    reasons
}

fn loop_here(here: &LoopView, pause: f64) -> String {
    let both = |times: &QuantilesView| {
        format!("{} (95 % within {})", seconds(times.p50_seconds), seconds(times.p95_seconds))
    };
    let known = |times: &Option<QuantilesView>| times.as_ref().map_or("-".to_owned(), both);
    let mut lines = vec![
        format!(
            "iterations               {} in {}; everything was done in {} more",
            here.iterations,
            if here.weeks > 1.0 {
                format!("{} weeks", significant(here.weeks))
            } else {
                "a week".to_owned()
            },
            here.without_work
        ),
        format!("to the first new result  {}", known(&here.to_first_result)),
        format!("to the end of the run    {}", known(&here.waited)),
        format!("work before the next     {}", known(&here.worked)),
        format!("waited in a week         {}", seconds(here.waited_seconds_per_week)),
    ];
    lines.push(match here.wait_share {
        Some(share) => format!(
            "share of waiting         {:.0} % of {} cycles of work and waiting",
            share * 100.0,
            here.cycles
        ),
        None => format!(
            "share of waiting         not known: no run followed another within {}",
            seconds(pause)
        ),
    });
    if let Some(reused) = here.reused {
        lines.push(format!("results that were there  {:.0} %", reused * 100.0));
    }
    lines.join("\n")
}

fn stages(stages: &[StageView]) -> String {
    let heads = [
        ("stage", Align::Left),
        ("site", Align::Left),
        ("runs", Align::Right),
        ("to result p50", Align::Right),
        ("p95", Align::Right),
        ("own p50", Align::Right),
        ("transfer", Align::Right),
        ("queue", Align::Right),
        ("boot", Align::Right),
        ("run", Align::Right),
        ("was there", Align::Right),
    ];
    let some = |time: f64| if time > 0.0 { seconds(time) } else { "-".to_owned() };
    let row = |stage: &StageView| {
        vec![
            stage.stage.clone(),
            stage.site.clone(),
            stage.runs.to_string(),
            seconds(stage.to_result.p50_seconds),
            seconds(stage.to_result.p95_seconds),
            seconds(stage.own.p50_seconds),
            some(stage.transfer_seconds),
            some(stage.queue_seconds),
            some(stage.boot_seconds),
            some(stage.run_seconds),
            format!("{:.0} %", stage.reused * 100.0),
        ]
    };
    table(&heads, stages.iter().map(row).collect())
}

fn far(answer: &IterationAnswer, shown: usize) -> String {
    let heads = [
        ("the same loop on", Align::Left),
        ("waits per iteration", Align::Right),
        ("of that startup", Align::Right),
        ("here is shorter by", Align::Right),
        ("all iterations cost", Align::Right),
    ];
    let times = |wait: BetweenView| match wait.moved - wait.kept < 0.01 * wait.kept {
        true => seconds(wait.kept),
        false => format!("{} to {}", seconds(wait.kept), seconds(wait.moved)),
    };
    let percents = |cut: BetweenView| {
        let (kept, moved) = (cut.kept * 100.0, cut.moved * 100.0);
        match moved - kept < 1.0 {
            true if kept >= 99.5 => "over 99 %".to_owned(),
            true => format!("{kept:.0} %"),
            false => format!("{kept:.0} to {moved:.0} %"),
        }
    };
    let cost = |far: &FarView| {
        let amount = far.cost.parse().map_or_else(|_| far.cost.clone(), significant);
        let at_least = if far.cost_lacks.is_empty() { "" } else { "at least " };
        format!("{at_least}{amount} {}", far.currency)
    };
    let row = |far: &FarView| {
        vec![
            far.site.clone(),
            times(far.wait_seconds),
            seconds(far.startup_seconds),
            percents(far.cut),
            cost(far),
        ]
    };
    let mut text = table(&heads, answer.far.iter().take(shown).map(row).collect());
    let more = answer.far.len().saturating_sub(shown);
    if more > 0 {
        let _ = write!(text, "\n{more} more (--all)");
    }
    let _ = write!(text, "\nranges: data kept there, to all of it moved there each time");
    if let Some(first) = answer.far.first().filter(|far| !far.as_here.is_empty()) {
        let names = first.as_here.join(", ");
        let _ = write!(text, "\nnot estimated, taken to last as long as here: {names}");
    }
    for stay in answer.far.first().iter().flat_map(|far| &far.stays) {
        let _ = write!(text, "\n{} stays here: {}", stay.stage, stay.why);
    }
    text
}
