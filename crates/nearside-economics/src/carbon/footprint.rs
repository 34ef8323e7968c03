//! What using a site emits, part by part, and sums of it. Each part is known by itself: what is not
//! known is missing in a sum, never zero.

use std::sync::Arc;

use nearside_catalog::Site;
use nearside_estimate::Calibration;
use nearside_estimate::carbon::{embodied, operational, service};
use nearside_units::{AtLeast, Date, Duration, GramsCo2e, Joules, Kind, Known, Span};

use super::uncertainty::{Interval, Term, grid_sigma, interval, sigma_of};

/// How energy is known, surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EnergyMethod {
    /// Counters of energy measured it.
    Measured,
    /// Readings of power were added up.
    Sampled,
    /// Power follows from load.
    Modelled,
    /// The power that a maker states, for as long as it took.
    Nameplate,
    /// It is estimated for work that has not been done.
    Estimated,
}

impl EnergyMethod {
    const WORDS: [(Self, &'static str); 5] = [
        (Self::Measured, "measured"),
        (Self::Sampled, "sampled"),
        (Self::Modelled, "modelled"),
        (Self::Nameplate, "nameplate"),
        (Self::Estimated, "estimated"),
    ];

    /// By its word in a ledger.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(method, _)| *method)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(method, _)| *method == self).map_or("", |(_, word)| word)
    }

    /// How sure energy is that is known so: counters 5 %, power once a second 10 %, a model of load 30 %,
    /// stated power 40 %. An estimate is no surer than a model, and no surer than its own range.
    fn sigma(self, energy: Span<Joules>) -> f64 {
        match self {
            Self::Measured => 0.05,
            Self::Sampled => 0.10,
            Self::Modelled => 0.30,
            Self::Nameplate => 0.40,
            Self::Estimated => sigma_of(energy, Joules::as_joules).max(0.30),
        }
    }
}

/// A use of a site.
#[derive(Clone, Debug)]
pub struct Used<'a> {
    /// Where.
    pub site: &'a Site,
    /// Energy at the wall of the building, its overhead (PUE) in it.
    pub energy: Known<Span<Joules>>,
    /// How that is known.
    pub method: EnergyMethod,
    /// How long the machine was taken.
    pub time: Known<Span<Duration>>,
}

/// What a use of a site emits.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    /// Energy at the wall of the building.
    pub energy: Known<Span<Joules>>,
    /// What its electricity emits, by location average.
    pub operational: Known<Span<GramsCo2e>>,
    /// Its share of making the machine.
    pub embodied: Known<Span<GramsCo2e>>,
    /// What the electricity's part depends on.
    pub of_operational: Vec<Term>,
    /// What the machine's part depends on.
    pub of_embodied: Vec<Term>,
}

/// What a use of a site emits; `today` tells how old a grid's figure is.
#[must_use]
pub fn footprint(used: &Used<'_>, calibration: &Calibration, today: Date) -> Footprint {
    let site = used.site;
    Footprint {
        energy: used.energy.clone(),
        operational: used.energy.clone().and_then(|energy| operational(site, energy)),
        embodied: used.time.clone().and_then(|time| embodied(site, time, calibration)),
        of_operational: terms_of_electricity(used, today),
        of_embodied: terms_of_machine(site, calibration),
    }
}

fn terms_of_electricity(used: &Used<'_>, today: Date) -> Vec<Term> {
    let (name, place) = (&used.site.name, &used.site.place);
    let mut terms = Vec::new();
    if let Known::Value(energy) = &used.energy {
        let sigma = used.method.sigma(*energy);
        terms.push(Term::new(format!("energy of {name}"), sigma, used.method.word()));
    }
    let (pue, why) = match place.pue.basis.kind {
        Kind::Assumed => (0.15, "assumed"),
        _ => (0.03, "stated for the place"),
    };
    terms.push(Term::new(format!("PUE of {name}"), pue, why));
    if let Known::Value(intensity) = &place.intensity {
        let (sigma, why) = grid_sigma(intensity, &place.intensity_steps, today);
        terms.push(Term::new(format!("grid of {}", place.location), sigma, why));
    }
    terms
}

/// Published figures for one card differ by a factor of two; how long a machine serves and how much it
/// is used is as sure as the spans of both.
fn terms_of_machine(site: &Site, calibration: &Calibration) -> Vec<Term> {
    /// Four years, three to six: assumed.
    const LIFE: f64 = 0.21;
    /// A share of a month that stands for a life: assumed.
    const MEASURED_SHARE: f64 = 0.22;
    let name = &site.name;
    let (_, share) = service(site, calibration);
    let (sigma, why) = match share.basis.kind {
        Kind::Measured => (MEASURED_SHARE, "what the ledger covers stands for its life"),
        _ => (sigma_of(share.value, |share| share), "assumed"),
    };
    vec![
        Term::new(format!("making {name}"), 2f64.ln(), "published figures differ by a factor of 2"),
        Term::new(format!("life of {name}"), LIFE, "machines serve three to six years"),
        Term::new(format!("share of its life that {name} is in use"), sigma, why),
    ]
}

impl Footprint {
    /// Of so many of them.
    #[must_use]
    pub fn times(&self, count: f64) -> Self {
        let grams = |known: &Known<Span<GramsCo2e>>| {
            known.clone().map(|span| span.map(|grams| grams * count))
        };
        Self {
            energy: self.energy.clone().map(|span| span.map(|energy| energy * count)),
            operational: grams(&self.operational),
            embodied: grams(&self.embodied),
            ..self.clone()
        }
    }
}

/// Footprints added up, with the likely value of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// Energy at the wall of the buildings.
    pub energy: AtLeast<Joules>,
    /// What electricity emits, by location average.
    pub operational: AtLeast<GramsCo2e>,
    /// Shares of making the machines.
    pub embodied: AtLeast<GramsCo2e>,
    /// Both, with the range of nine of ten values: of the parts that are known.
    pub total: Interval,
}

impl Tally {
    /// The sum of some.
    #[must_use]
    pub fn of<'a>(footprints: impl IntoIterator<Item = &'a Footprint>) -> Self {
        let mut energy = AtLeast::new(Joules::ZERO);
        let mut operational = AtLeast::new(GramsCo2e::ZERO);
        let mut embodied = AtLeast::new(GramsCo2e::ZERO);
        let mut parts: Vec<(GramsCo2e, &[Term])> = Vec::new();
        for one in footprints {
            energy.add(one.energy.clone().map(Span::likely), |sum, part| *sum + part);
            let sides = [
                (&mut operational, &one.operational, &one.of_operational),
                (&mut embodied, &one.embodied, &one.of_embodied),
            ];
            for (sum, part, terms) in sides {
                let likely = part.clone().map(Span::likely);
                if let Known::Value(grams) = likely {
                    parts.push((grams, terms));
                }
                sum.add(likely, |sum, part| *sum + part);
            }
        }
        Self { energy, operational, embodied, total: interval(&parts) }
    }

    /// Why parts are missing, without repeats.
    #[must_use]
    pub fn missing(&self) -> Vec<Arc<str>> {
        let mut missing = self.operational.missing.clone();
        missing.extend(self.embodied.missing.iter().cloned());
        missing.sort();
        missing.dedup();
        missing
    }
}
