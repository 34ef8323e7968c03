//! What the same work would emit on each site in use: all stages there, a month. Rules about data are told
//! and not applied, since the question is what the place makes of it.

use nearside_catalog::Site;
use nearside_economics::carbon::{Footprint, Tally};
use nearside_estimate::Verdict;
use nearside_plan::Obstacle;

use super::World;
use super::planned::once;
use super::view::{EmissionsView, LeftOut, SiteView};
use crate::view::Figure;
use crate::wire::placement::Posed;

/// Every site, those with all of the work first, the least emissions first.
pub(super) fn sites(posed: &Posed, world: &World<'_>) -> Vec<SiteView> {
    let mut found: Vec<SiteView> =
        posed.sites.iter().enumerate().map(|(at, site)| on(posed, at, site, world)).collect();
    found.sort_by(|one, other| {
        let total = |site: &SiteView| site.per_month.total_kg.value.unwrap_or(f64::MAX);
        let lacking =
            |site: &SiteView| (site.left_out.len(), !site.per_month.total_kg.lacks.is_empty());
        lacking(one).cmp(&lacking(other)).then(total(one).total_cmp(&total(other)))
    });
    found
}

fn on(posed: &Posed, at: usize, site: &Site, world: &World<'_>) -> SiteView {
    let (mut left_out, mut not_allowed) = (Vec::new(), Vec::new());
    let mut footprints: Vec<Footprint> = Vec::new();
    for (place, stage) in posed.stages.iter().enumerate() {
        let project_stage = &world.loaded.project.stages[stage.index];
        let name = project_stage.name.value.clone();
        let choice = &posed.problem.stages[place + posed.datasets].choices[at];
        let why = |obstacle: &Obstacle| match obstacle {
            Obstacle::Hard(why) => Some(why.clone()),
            Obstacle::Limit { .. } => None,
        };
        let estimate = stage.estimates.get(at);
        let fits = estimate.filter(|estimate| estimate.verdict == Verdict::Fits);
        let Some(estimate) = fits else {
            let why = choice.obstacles.iter().find_map(why);
            left_out.push(LeftOut { stage: name, why: why.unwrap_or_default() });
            continue;
        };
        if choice.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Limit { .. })) {
            not_allowed.push(name);
        }
        let trials = project_stage.trials.len();
        footprints.push(once(estimate, site, trials, world).times(stage.monthly));
    }
    SiteView {
        site: site.name.to_string(),
        g_per_kwh: Figure::of(&site.place.intensity, |grid| grid.value.as_grams_per_kwh()),
        stages: footprints.len(),
        not_allowed,
        left_out,
        per_month: EmissionsView::of(&Tally::of(&footprints)),
    }
}
