//! Energy of the machine and of the work on it, each joule with the method it is known by.
//!
//! `E_machine = sum of its parts`, or what a sensor of the whole machine says. To the work belong
//!
//! `marginal = (E - P_idle t) s` and `loaded = P_idle t r + marginal`,
//!
//! with `s` its share of all processor time (of an accelerator: of its busy time) in each step, and
//! `r` the share of the machine that is reserved for it. The marginal energy would not have been
//! used without the work; the loaded one adds the machine's idling.
//! Ranges hold the 5th to the 95th percentile: the ends of the caller's parameters and the method's
//! own spread, put together as root sum of squares of logarithms.

use std::sync::Arc;

use nearside_units::{AtLeast, Joules, Known, Span, Watts};

use super::model::{PowerModel, ends};
use super::power::{Method, Part, Sensor, Told, sensors};
use super::read::Files;
use super::sample::PowerSample;

/// 95th percentile of a normal distribution in standard deviations.
const Z95: f64 = 1.645;
/// A sensor that was silent for more than this share of the time tells no total.
const MAX_SILENT: f64 = 0.05;

/// Energy of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Energy {
    /// Each part of the machine whose energy is known.
    pub parts: Vec<PartEnergy>,
    /// The whole machine: its parts added up, with what is missing.
    pub machine: AtLeast<Span<Joules>>,
    /// What would not have been used without the work.
    pub marginal: AtLeast<Span<Joules>>,
    /// That, and the reserved share of the machine's idling.
    pub loaded: AtLeast<Span<Joules>>,
}

/// Energy of one part.
#[derive(Clone, Debug, PartialEq)]
pub struct PartEnergy {
    /// The sensor or the model.
    pub name: Arc<str>,
    /// Which part it is.
    pub part: Part,
    /// How it is known.
    pub method: Method,
    /// Why nothing better than a model was used; no value where something was.
    pub instead_of: Option<Arc<str>>,
    /// All of it, whoever caused it.
    pub machine: Span<Joules>,
    /// What would not have been used without the work.
    pub marginal: Known<Span<Joules>>,
    /// That, and the reserved share of idling.
    pub loaded: Span<Joules>,
}

/// What the work had of the machine in a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Its length in seconds.
    pub(crate) seconds: f64,
    /// Busy share of all logical processors, 0 to 1, if known.
    pub(crate) busy: Option<f64>,
    /// The work's share of that busy time, 0 to 1, if known.
    pub(crate) share: Option<f64>,
}

/// Low, likely and high joules.
type Ends = [f64; 3];

/// What of a part's energy goes to the work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attribution {
    machine: Ends,
    marginal: Ends,
    loaded: Ends,
    /// Why the marginal energy is not known.
    unknown: Option<Arc<str>>,
}

impl Attribution {
    /// Adds a step: its energy, what of it is above idling, and the shares of the work.
    pub(crate) fn add(
        &mut self,
        energy: Ends,
        above_idle: Known<Ends>,
        share: Known<f64>,
        reserved: f64,
    ) {
        add(&mut self.machine, energy);
        match above_idle.zip(share.clone()) {
            Known::Value((above, share)) => {
                let marginal = above.map(|joules| joules * share);
                add(&mut self.marginal, marginal);
                let mut loaded =
                    [0, 1, 2].map(|at| (energy[at] - above[at]).max(0.0) * reserved + marginal[at]);
                loaded.sort_by(f64::total_cmp);
                add(&mut self.loaded, loaded);
            }
            Known::Unknown(why) => {
                self.unknown.get_or_insert(why);
                // All of it was idling, or none of it: the truth is in between.
                let share = share.value();
                let least = share.unwrap_or(0.0).min(reserved);
                let most = share.unwrap_or(1.0).max(reserved);
                let likely = energy[1] * (least + most) / 2.0;
                add(&mut self.loaded, [energy[0] * least, likely, energy[2] * most]);
            }
        }
    }

    /// The energies with the spread of their method.
    pub(crate) fn part(&self, name: Arc<str>, part: Part, method: Method) -> PartEnergy {
        let marginal = match &self.unknown {
            Some(why) => Known::Unknown(Arc::clone(why)),
            None => Known::Value(widened(self.marginal, method)),
        };
        PartEnergy {
            name,
            part,
            method,
            instead_of: None,
            machine: widened(self.machine, method),
            marginal,
            loaded: widened(self.loaded, method),
        }
    }

    pub(crate) const fn likely_joules(&self) -> f64 {
        self.machine[1]
    }
}

fn add(sum: &mut Ends, more: Ends) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum += more;
    }
}

/// Joules above idling, from energy that was counted: the more is idling, the less is above it.
pub(crate) fn above_idle(joules: f64, seconds: f64, idle: &Known<Span<Watts>>) -> Known<Ends> {
    idle.as_ref().map(|idle| {
        let [low, likely, high] = ends(*idle);
        [high, likely, low].map(|watts| (joules - watts * seconds).max(0.0))
    })
}

/// A span of joules that also holds the spread of a method.
fn widened(joules: Ends, method: Method) -> Span<Joules> {
    let [low, likely, high] = joules;
    let spread = Z95 * method.sigma();
    let factor = |end: f64| {
        let own = if end > 0.0 && likely > 0.0 { (end / likely).ln() } else { 0.0 };
        own.hypot(spread).exp()
    };
    let low = if low > 0.0 { likely / factor(low) } else { 0.0 };
    let of = |joules: f64| Joules::from_joules(joules).unwrap_or(Joules::ZERO);
    let likely_joules = of(likely);
    // A likely value of nothing has no factor: the high end stays as it is.
    let high = if likely > 0.0 { likely * factor(high) } else { high };
    Span::new(of(low), likely_joules, of(high)).unwrap_or(Span::exact(likely_joules))
}

/// Sensors and models of the machine's parts, accelerators of NVIDIA left out.
#[derive(Debug)]
pub(crate) struct PowerWatch {
    rails: Vec<Rail>,
    model: PowerModel,
    reserved: f64,
    missing: Vec<(Part, Arc<str>)>,
    seconds: f64,
}

/// One source of energy figures.
#[derive(Debug)]
struct Rail {
    name: Arc<str>,
    part: Part,
    method: Method,
    sensor: Option<Sensor>,
    instead_of: Option<Arc<str>>,
    attribution: Attribution,
    silent: f64,
    watts: Option<f64>,
}

impl PowerWatch {
    /// What can be known of power below a root.
    pub(crate) fn begin(model: &PowerModel, reserved: f64, files: &mut Files) -> Self {
        let (sensors, mut missing) = sensors(files);
        let has = |part| sensors.iter().any(|sensor: &Sensor| sensor.part == part);
        let mut modelled = Vec::new();
        let mut consider = |part, why: Option<&str>, covered: bool| match (covered, why) {
            (true, _) => {}
            (false, None) => modelled.push(part),
            (false, Some(why)) => {
                if !missing.iter().any(|(known, _)| *known == part) {
                    missing.push((part, why.into()));
                }
            }
        };
        consider(Part::Processor, model.processor.why(), has(Part::Processor));
        consider(Part::Memory, model.memory.why(), has(Part::Memory));
        consider(Part::Rest, model.rest.why(), has(Part::Machine));
        let why_not =
            |part| missing.iter().find(|(known, _)| *known == part).map(|(_, why)| Arc::clone(why));
        let rail = |name: Arc<str>, part, method, sensor, instead_of| Rail {
            name,
            part,
            method,
            sensor,
            instead_of,
            attribution: Attribution::default(),
            silent: 0.0,
            watts: None,
        };
        let mut rails: Vec<Rail> = sensors
            .into_iter()
            .map(|sensor| {
                let name = Arc::clone(&sensor.name);
                rail(name, sensor.part, sensor.method(), Some(sensor), None)
            })
            .collect();
        rails.extend(modelled.iter().map(|part| {
            rail(format!("model of {part}").into(), *part, Method::Modelled, None, why_not(*part))
        }));
        missing.retain(|(part, _)| !modelled.contains(part));
        Self { rails, model: model.clone(), reserved, missing, seconds: 0.0 }
    }

    /// Adds a step.
    pub(crate) fn step(&mut self, step: Step, files: &mut Files) {
        self.seconds += step.seconds;
        let share =
            Known::from_option(step.share, "the work's share of processor time is not known");
        for rail in &mut self.rails {
            let joules = match &mut rail.sensor {
                Some(sensor) => match sensor.step(step.seconds, files) {
                    Told::Joules(joules) => joules,
                    Told::Nothing => {
                        rail.silent += step.seconds;
                        rail.watts = None;
                        continue;
                    }
                },
                None => match modelled(rail.part, &self.model, step) {
                    Some((energy, above)) => {
                        rail.watts = Some(energy[1] / step.seconds);
                        rail.attribution.add(
                            energy,
                            Known::Value(above),
                            share.clone(),
                            self.reserved,
                        );
                        continue;
                    }
                    None => {
                        rail.silent += step.seconds;
                        continue;
                    }
                },
            };
            rail.watts = Some(joules / step.seconds);
            let idle = match rail.part {
                Part::Processor => self.model.processor.clone().map(|power| power.idle),
                Part::Memory => self.model.memory.clone(),
                Part::Accelerator => self.model.accelerator_idle.clone(),
                Part::Rest | Part::Machine => {
                    Known::unknown("the parts of the machine are counted apart")
                }
            };
            let above = above_idle(joules, step.seconds, &idle);
            let share = match rail.part {
                Part::Accelerator => Known::unknown("whose work the accelerator did is not known"),
                _ => share.clone(),
            };
            rail.attribution.add([joules; 3], above, share, self.reserved);
        }
    }

    /// The latest power and the energy so far.
    pub(crate) fn samples(&self) -> Arc<[PowerSample]> {
        let sample = |rail: &Rail| PowerSample {
            name: Arc::clone(&rail.name),
            part: rail.part,
            method: rail.method,
            energy: Joules::from_joules(rail.attribution.likely_joules()).unwrap_or(Joules::ZERO),
            power: rail.watts.and_then(|watts| Watts::from_watts(watts).ok()),
        };
        self.rails.iter().map(sample).collect()
    }

    /// Totals, with the energies of accelerators that were watched elsewhere.
    pub(crate) fn totals(&self, accelerators: Vec<PartEnergy>, missing: Vec<Arc<str>>) -> Energy {
        let (mut parts, mut reasons) = (accelerators, missing);
        reasons.extend(self.missing.iter().map(|(part, why)| Arc::from(format!("{part}: {why}"))));
        for rail in &self.rails {
            if rail.silent > MAX_SILENT * self.seconds {
                reasons.push(
                    format!(
                        "{}: it told nothing for {:.0} s of {:.0} s",
                        rail.name, rail.silent, self.seconds
                    )
                    .into(),
                );
                continue;
            }
            let part = rail.attribution.part(Arc::clone(&rail.name), rail.part, rail.method);
            parts.push(PartEnergy { instead_of: rail.instead_of.clone(), ..part });
        }
        parts.sort_by_key(|part| part.part);
        with_rest(&mut parts, self.reserved);
        sum(parts, &reasons)
    }
}

/// Energy of a step by the model, and what of it is above idling.
fn modelled(part: Part, model: &PowerModel, step: Step) -> Option<(Ends, Ends)> {
    match part {
        Part::Processor => {
            let power = model.processor.as_ref().value()?;
            let busy = step.busy?;
            let above = power.added_watts().map(|watts| watts * busy * step.seconds);
            let idle = power.idle_watts().map(|watts| watts * step.seconds);
            Some(([0, 1, 2].map(|at| idle[at] + above[at]), above))
        }
        Part::Memory | Part::Rest => {
            let constant = if part == Part::Memory { &model.memory } else { &model.rest };
            let watts = ends(*constant.as_ref().value()?);
            Some((watts.map(|watts| watts * step.seconds), [0.0; 3]))
        }
        Part::Accelerator | Part::Machine => None,
    }
}

/// Where the whole machine was measured, what its parts leave of it is the rest.
fn with_rest(parts: &mut Vec<PartEnergy>, reserved: f64) {
    let Some(at) = parts.iter().position(|part| part.part == Part::Machine) else { return };
    let whole = parts.remove(at);
    parts.retain(|part| part.part != Part::Machine);
    let known: Joules = parts.iter().map(|part| part.machine.likely()).sum();
    let rest = whole.machine.map(|whole| whole.checked_sub(known).unwrap_or(Joules::ZERO));
    parts.push(PartEnergy {
        name: format!("{} less the other parts", whole.name).into(),
        part: Part::Rest,
        method: whole.method,
        instead_of: None,
        machine: rest,
        marginal: Known::Value(Span::exact(Joules::ZERO)),
        loaded: rest.map(|rest| rest * reserved),
    });
}

fn sum(parts: Vec<PartEnergy>, reasons: &[Arc<str>]) -> Energy {
    let zero = Span::exact(Joules::ZERO);
    let mut energy = Energy {
        parts: Vec::new(),
        machine: AtLeast::new(zero),
        marginal: AtLeast::new(zero),
        loaded: AtLeast::new(zero),
    };
    let plus = |sum: &Span<Joules>, more| *sum + more;
    for part in &parts {
        energy.machine.add(Known::Value(part.machine), plus);
        energy.marginal.add(part.marginal.clone(), plus);
        energy.loaded.add(Known::Value(part.loaded), plus);
    }
    for why in reasons {
        let missing = Known::Unknown(Arc::clone(why));
        energy.machine.add(missing.clone(), plus);
        energy.marginal.add(missing.clone(), plus);
        energy.loaded.add(missing, plus);
    }
    energy.parts = parts;
    energy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watts(low: f64, likely: f64, high: f64) -> Span<Watts> {
        Span::new(low, likely, high).unwrap().map(Watts::constant)
    }

    #[test]
    fn idle_by_what_is_reserved_and_the_rest_by_time() {
        // 100 J in 1 s, 40 W of it idle; half of the busy time, a quarter reserved.
        let mut attribution = Attribution::default();
        let above = above_idle(100.0, 1.0, &Known::Value(Span::exact(Watts::constant(40.0))));
        attribution.add([100.0; 3], above, Known::Value(0.5), 0.25);
        let part = attribution.part("x".into(), Part::Processor, Method::Measured);
        assert_eq!(part.machine.likely(), Joules::constant(100.0));
        assert_eq!(part.marginal.value().unwrap().likely(), Joules::constant(30.0));
        assert_eq!(part.loaded.likely(), Joules::constant(40.0));
    }

    #[test]
    fn without_idle_power_the_marginal_energy_is_unknown_and_the_loaded_a_range() {
        let mut attribution = Attribution::default();
        let above = above_idle(100.0, 1.0, &Known::unknown("no idle power"));
        attribution.add([100.0; 3], above, Known::Value(0.5), 1.0);
        let part = attribution.part("x".into(), Part::Processor, Method::Measured);
        assert_eq!(part.marginal.why(), Some("no idle power"));
        assert!(part.loaded.low() < Joules::constant(50.0));
        assert_eq!(part.loaded.likely(), Joules::constant(75.0));
        assert!(part.loaded.high() > Joules::constant(100.0));
    }

    #[test]
    fn a_model_is_idle_and_a_share_of_what_load_adds() {
        let mut model = PowerModel::unknown();
        let power = super::super::LoadPower {
            idle: watts(10.0, 12.0, 15.0),
            full: watts(90.0, 100.0, 120.0),
        };
        model.processor = Known::Value(power);
        let step = Step { seconds: 2.0, busy: Some(0.5), share: Some(1.0) };
        let (energy, above) = modelled(Part::Processor, &model, step).unwrap();
        let joules = |ends: Ends| ends.map(Joules::constant);
        assert_eq!(joules(energy), joules([100.0, 112.0, 135.0]));
        assert_eq!(joules(above), joules([80.0, 88.0, 105.0]));
    }

    #[test]
    fn ranges_grow_with_the_method() {
        let measured = widened([100.0; 3], Method::Measured);
        let modelled = widened([90.0, 100.0, 120.0], Method::Modelled);
        assert!((measured.high().as_joules() - 100.0 * (Z95 * 0.05f64).exp()).abs() < 1e-9);
        assert!(modelled.low() < measured.low() && modelled.high() > measured.high());
        assert_eq!(widened([0.0; 3], Method::Modelled), Span::exact(Joules::ZERO));
    }

    #[test]
    fn the_rest_is_what_the_parts_leave_of_the_whole() {
        let part = |part, joules: f64| PartEnergy {
            name: "x".into(),
            part,
            method: Method::Measured,
            instead_of: None,
            machine: Span::exact(Joules::constant(joules)),
            marginal: Known::Value(Span::exact(Joules::ZERO)),
            loaded: Span::exact(Joules::constant(joules)),
        };
        let mut parts = vec![part(Part::Processor, 60.0), part(Part::Machine, 100.0)];
        with_rest(&mut parts, 0.5);
        let energy = sum(parts, &[]);
        assert_eq!(energy.machine.total.likely(), Joules::constant(100.0));
        assert_eq!(energy.loaded.total.likely(), Joules::constant(80.0));
        assert!(energy.machine.is_complete());
    }
}
