//! The work of projects that an own machine and rented ones can both do: hours of each stage here, and on
//! every far site that may hold it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nearside_catalog::{Catalog, Site};
use nearside_economics::FarSite;
use nearside_estimate::{Period, Verdict};
use nearside_units::{Duration, Joules, Span};
use nearside_workload::HERE;

use super::far::refusal;
use super::placement::{Caution, Posed, PosedStage, pose};
use super::project::Loaded;
use super::stages::StageEstimate;
use crate::error::{CommandError, Fault};

/// Stages of one or several projects that share a machine.
pub(crate) struct SharedWork {
    /// The own machine.
    pub(crate) here: Site,
    /// Rented machines that are in use, by name.
    pub(crate) sites: BTreeMap<Arc<str>, Site>,
    /// Every stage.
    pub(crate) stages: Vec<StageHours>,
    /// The loop of development on the far sites, of the first project.
    pub(crate) loops: Vec<FarSite>,
    /// What had to be assumed on the way.
    pub(crate) notes: Vec<String>,
}

/// How long a stage works a month.
pub(crate) struct StageHours {
    pub(crate) name: String,
    /// On the own machine; or why not.
    pub(crate) here: Result<Hours, String>,
    /// On every far site that can do it, and why not on the others.
    pub(crate) far: BTreeMap<Arc<str>, Result<Hours, String>>,
}

/// Time and energy of a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hours {
    pub(crate) time: Span<Duration>,
    pub(crate) energy: Option<Joules>,
}

impl Hours {
    /// Likely hours.
    pub(crate) fn likely(&self) -> f64 {
        self.time.likely().as_hours()
    }
}

impl SharedWork {
    /// The work of all these projects. They share the own machine of the first.
    pub(crate) fn of(projects: &[Loaded], catalog: &Catalog) -> Result<Self, CommandError> {
        let mut found: Option<Self> = None;
        for loaded in projects {
            let mut posed = pose(loaded, catalog, Caution::Likely, &BTreeMap::new())?;
            let several = projects.len() > 1;
            let project = loaded.project.name.as_str();
            let stages = stages(loaded, &posed, several.then_some(project));
            let loops = super::far::sites(loaded, &posed);
            let all = std::mem::take(&mut posed.sites);
            let here = all.iter().find(|site| *site.name == *HERE).cloned();
            let far = all.into_iter().filter(|site| !site.is_near());
            let sites: BTreeMap<_, _> = far.map(|site| (Arc::clone(&site.name), site)).collect();
            match &mut found {
                Some(shared) => {
                    shared.sites.extend(sites);
                    shared.stages.extend(stages);
                    shared.notes.append(&mut posed.notes);
                }
                None => {
                    let here = here.ok_or_else(|| {
                        CommandError::new(Fault::Input, "the project does not use its own machine")
                            .hint("[sites] use = [\"here\", ...]")
                    })?;
                    found = Some(Self { here, sites, stages, loops, notes: posed.notes });
                }
            }
        }
        let mut found =
            found.ok_or_else(|| CommandError::new(Fault::Usage, "no project is named"))?;
        found.notes.sort();
        found.notes.dedup();
        Ok(found)
    }

    /// Stages that can be here and on some far site.
    pub(crate) fn movable(&self) -> impl Iterator<Item = (&StageHours, Hours)> {
        self.stages.iter().filter_map(|stage| {
            let here = stage.here.as_ref().ok()?;
            stage.far.values().any(Result::is_ok).then_some((stage, *here))
        })
    }

    /// Stages that can be nowhere but here, and why.
    pub(crate) fn bound(&self) -> impl Iterator<Item = (&StageHours, &str)> {
        self.stages.iter().filter_map(|stage| {
            let elsewhere = stage.far.values().any(Result::is_ok);
            let why = stage.far.values().find_map(|there| there.as_ref().err());
            (stage.here.is_ok() && !elsewhere).then(|| (stage, why.map_or("", String::as_str)))
        })
    }

    /// Far sites that can do all that can be moved, by name.
    pub(crate) fn whole(&self) -> BTreeSet<&Arc<str>> {
        let can = |site: &Arc<str>| {
            self.movable().all(|(stage, _)| stage.far.get(site).is_some_and(Result::is_ok))
        };
        self.sites.keys().filter(|site| can(site)).collect()
    }
}

fn stages(loaded: &Loaded, posed: &Posed, project: Option<&str>) -> Vec<StageHours> {
    let near = posed.sites.iter().position(|site| *site.name == *HERE);
    let stage = |(place, stage): (usize, &PosedStage)| {
        let name = &loaded.project.stages[stage.index].name.value;
        let choices = &posed.problem.stages[place + posed.datasets].choices;
        let at = |at: usize| match refusal(&choices[at], stage) {
            Some(why) => Err(why),
            None => hours(stage, at),
        };
        let far = posed.sites.iter().enumerate().filter(|(_, site)| !site.is_near());
        StageHours {
            name: project.map_or_else(|| name.clone(), |project| format!("{project}/{name}")),
            here: near.map_or_else(|| Err("it is not used".to_owned()), at),
            far: far.map(|(place, site)| (Arc::clone(&site.name), at(place))).collect(),
        }
    };
    posed.stages.iter().enumerate().map(stage).collect()
}

fn hours(stage: &PosedStage, at: usize) -> Result<Hours, String> {
    let estimate = stage.estimates.get(at).ok_or_else(|| "the stage has no estimate".to_owned())?;
    if !matches!(estimate.verdict, Verdict::Fits | Verdict::Uncertain) {
        return Err(estimate.why.to_string());
    }
    let once = occupied(estimate)?;
    let energy = estimate.energy.as_ref().value().map(|energy| energy.likely() * stage.monthly);
    Ok(Hours { time: once.map(|time| time * stage.monthly), energy })
}

/// How long one run, or a month of service, needs the machine: its start is not work.
fn occupied(estimate: &StageEstimate) -> Result<Span<Duration>, String> {
    if let Period::Month { up } = estimate.period {
        return Ok(Span::exact(up));
    }
    let why = || estimate.pass.why().unwrap_or("how long it takes is not known").to_owned();
    let pass = *estimate.pass.as_ref().value().ok_or_else(why)?;
    let startup = estimate.largest.startup.likely();
    Ok(pass.map(|pass| pass.checked_sub(startup).unwrap_or(Duration::ZERO)))
}
