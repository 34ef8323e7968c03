//! Emissions per unit of work, stage by stage.

use nearside_economics::carbon::{
    Boundary, Footprint, Per, RecordedStage, Score, Scored, Tally, score,
};
use nearside_units::Known;

use super::World;
use super::planned::PlannedStage;
use super::recorded::Recorded;
use super::view::{ScoreView, ScoredView};
use crate::cli::{Carbon, PerUnit};
use crate::view::Figure;

/// What the scores are of.
pub(super) fn boundary(stated: Option<&str>) -> String {
    const MACHINES: &str = "machines at the wall of their building, and their making";
    match stated {
        None => format!("{MACHINES}; not networks, storage and the machines of users"),
        Some(stated) => format!("{MACHINES}; {stated}"),
    }
}

/// The scores that were asked for: those per run, and those per token and image where there are any.
pub(super) fn of(
    stages: &[PlannedStage<'_>],
    recorded: Option<&Recorded>,
    world: &World<'_>,
) -> Vec<ScoreView> {
    let arguments: &Carbon = world.arguments;
    let boundary = arguments.boundary.as_deref().map_or(Boundary::Machines, Boundary::Stated);
    let mut found = Vec::new();
    let on = |site| Scored { site, calibration: world.uses.calibration(site), boundary };
    for stage in stages {
        let volume = &stage.volume;
        for (unit, per, units) in [
            (PerUnit::Run, Per::Run, Known::Value(1.0)),
            (PerUnit::Tokens, Per::MillionTokens, volume.million_tokens.clone()),
            (PerUnit::Images, Per::Image, volume.images.clone()),
        ] {
            let wanted = match arguments.per {
                Some(asked) => asked == unit,
                None => units.as_ref().value().is_some(),
            };
            if wanted {
                let scored = score(&stage.once, &on(stage.site), per, units);
                found.push(view(stage.name, "planned", per, &scored));
            }
        }
    }
    if let (Some(recorded), None | Some(PerUnit::Run)) = (recorded, arguments.per) {
        found.extend(of_runs(recorded, &on(&recorded.site)));
    }
    found
}

/// The mean of what was recorded, per execution.
fn of_runs(recorded: &Recorded, scored: &Scored<'_>) -> Vec<ScoreView> {
    let of_stage = |stage: &RecordedStage| {
        let whole = |footprint: &&Footprint| Tally::of([*footprint]).missing().is_empty();
        let complete: Vec<_> = stage.footprints.iter().filter(whole).collect();
        let found = match complete.first() {
            None => Known::unknown("no execution of which energy and time are known"),
            Some(first) => {
                let sum = Tally::of(complete.iter().copied());
                let mean = sum.total.likely * (1.0 / complete.len() as f64);
                score(first, scored, Per::Run, Known::Value(1.0))
                    .map(|of_first| Score { value: mean, ..of_first })
            }
        };
        view(&stage.stage, "recorded", Per::Run, &found)
    };
    recorded.stages.iter().map(of_stage).collect()
}

const fn word(per: Per) -> &'static str {
    match per {
        Per::Run => "run",
        Per::MillionTokens => "million tokens",
        Per::Image => "image",
    }
}

fn view(stage: &str, of: &str, per: Per, scored: &Known<Score>) -> ScoreView {
    ScoreView {
        stage: stage.to_owned(),
        of: of.to_owned(),
        per: word(per).to_owned(),
        score: Figure::of(scored, |score| ScoredView {
            label: score.label().to_owned(),
            grams: score.value.as_grams(),
            units: score.units,
            lacks: score.lacks.iter().map(ToString::to_string).collect(),
        }),
    }
}
