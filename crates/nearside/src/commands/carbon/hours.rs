//! When to start, by a file of hourly intensities of one grid.

use std::path::PathBuf;

use nearside_economics::carbon::{HourlySeries, Window};
use nearside_estimate::carbon::operational_emissions;
use nearside_units::{Date, Duration, GramsPerKwh, Joules, Known, Span};
use nearside_workload::{HERE, SitePattern};

use super::planned::PlannedStage;
use super::view::{BestView, HoursView, StartView};
use crate::error::CommandError;
use crate::view::Figure;
use crate::wire;
use crate::wire::hourly::HourlyFile;

/// A file, and the sites whose grid it is of.
pub(super) struct Asked {
    pub(super) sites: SitePattern,
    path: PathBuf,
    file: HourlyFile,
}

impl Asked {
    /// Reads `[SITE=]FILE`.
    pub(super) fn of(text: &str) -> Result<Self, CommandError> {
        let whole = PathBuf::from(text);
        let (site, path) = match text.split_once('=') {
            Some((site, path)) if !whole.exists() => (site.trim(), PathBuf::from(path)),
            _ => (HERE, whole),
        };
        let file = wire::hourly::read(&path)?;
        Ok(Self { sites: SitePattern::new(site), path, file })
    }

    /// The best start of each stage of a plan on these sites.
    pub(super) fn advice(&self, stages: &[PlannedStage<'_>], today: Date) -> HoursView {
        let series = &self.file.series;
        let (there, elsewhere): (Vec<_>, Vec<_>) =
            stages.iter().partition(|stage| self.sites.matches(&stage.site.name));
        HoursView {
            sites: self.sites.text.clone(),
            file: self.path.display().to_string(),
            columns: self.file.columns.to_vec(),
            from: series.first().to_string(),
            to: series.end().to_string(),
            is_past: series.end().date().days_until(today) > 0,
            stages: there.into_iter().map(|stage| start(stage, series)).collect(),
            elsewhere: elsewhere.iter().map(|stage| stage.name.to_owned()).collect(),
        }
    }
}

fn start(stage: &PlannedStage<'_>, series: &HourlySeries) -> StartView {
    let length = match stage.service {
        true => Known::unknown("a service is up all the time: it has no start to choose"),
        false => stage.length.clone(),
    };
    let energy = stage.once.energy.clone().map(Span::likely).value();
    StartView {
        stage: stage.name.to_owned(),
        hours: Figure::of(&length, |length| length.as_hours()),
        best: Figure::of(&length.and_then(|length: Duration| series.starts(length)), |window| {
            best(window, energy)
        }),
    }
}

fn best(window: &Window, energy: Option<Joules>) -> BestView {
    let grams = GramsPerKwh::as_grams_per_kwh;
    let saved = energy.map(|energy| {
        let of = |intensity| operational_emissions(energy, intensity).as_grams();
        of(window.average) - of(window.best.mean)
    });
    BestView {
        start: window.best.at.to_string(),
        mean: grams(window.best.mean),
        average: grams(window.average),
        worst_start: window.worst.at.to_string(),
        worst: grams(window.worst.mean),
        saves_of_average: window.saved_against_average(),
        saves_of_worst: window.saved_against_worst(),
        saves_grams: saved,
        starts: window.starts,
    }
}
