//! The privacy loss distribution (PLD) of all steps, and the delta and epsilon that follow from it.
//!
//! 1. The losses of one step are put on a grid by connecting the dots: what lies between two points goes to
//!    both, so that neither `P` nor `Q` changes there. The curve of deltas is then exact at every point and a chord
//!    in between, never below the true one (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, "Connect the dots: tighter
//!    discrete approximations of privacy loss distributions", PoPETs 2022), and composing keeps it so. What is
//!    below the grid of a step counts as its first point, what is above it as an infinite loss.
//! 2. Masses are tilted ([`super::plan`]) and composed by the discrete Fourier transform ([`super::fourier`]):
//!    coefficients to the power of the steps. The circle is as long as the part that is looked at: what falls beyond
//!    its end comes back at its start, which only adds, and counts as an infinite loss as well, by Chernoff's bound.
//! 3. Every point is raised by a bound of the rounding of the transforms. Then, with infinite mass `m`,
//!
//! ```text
//! delta(epsilon) = m + sum over points x > epsilon of P(x) (1 - e^(epsilon - x))
//! ```
//!
//! and epsilon is where that is delta. Both directions are looked at, the greater counts: neither is always the
//! worse one (Lebeda, Regehr, Kamath, Steinke, "Avoiding pitfalls for privacy accounting of subsampled mechanisms
//! under composition", 2024).

use std::iter;

use super::Reason;
use super::fourier::{Complex, Transform};
use super::pair::Pair;
use super::plan::{Goal, Plan};

/// What rounding may take from delta: once, and for every step.
const ROUNDING: (f64, f64) = (1e-9, 1e-13);
/// The logarithm of the coefficient of all steps below which one is left out.
const NEGLIGIBLE: f64 = -80.0;

/// How often a grid is laid at most, and from which share of what was expected on it is not laid again.
const PASSES: u32 = 3;
const NEAR: f64 = 0.7;

/// The losses of one step on the points of a grid.
struct Atoms {
    /// The first point, in widths.
    first: i64,
    masses: Vec<f64>,
    infinite: f64,
}

/// The losses of all steps on the points of a grid, tilted.
struct Composed {
    plan: Plan,
    /// Masses by ascending points, each of `P(x) e^(tilt x - cumulant)`.
    masses: Vec<f64>,
    cumulant: f64,
    infinite: f64,
    /// What rounding may take from delta, as a share of it, and from losses.
    rounding: (f64, f64),
}

/// Connects the dots of one step.
fn atoms(pair: &Pair, width: f64, (low, high): (f64, f64)) -> Atoms {
    let (first, last) = ((low / width).floor() as i64, (high / width).ceil() as i64);
    let mut from = pair.edge(first as f64 * width);
    let share = -(-width).exp_m1();
    let mut masses = Vec::with_capacity((last - first) as usize + 1);
    let mut carried = pair.below(&from);
    for point in first..last {
        let loss = point as f64 * width;
        let to = pair.edge(loss + width);
        let mass = pair.mass(&from, &to);
        let up = (pair.excess(&from, &to, loss) / share).max(0.0).min(mass);
        masses.push(carried + mass - up);
        (carried, from) = (up, to);
    }
    masses.push(carried);
    Atoms { first, masses, infinite: pair.above(&from) }
}

/// The spectrum of a step that is being composed, and what is known of it.
struct Step {
    spectrum: Complex,
    /// What its parts amount to before the transform: no coefficient is more, and a bound of how far each is off.
    sum: f64,
    /// Its cumulants at the tilt and at the upper one.
    cumulants: (f64, f64),
}

/// Tilts the losses of one step, winds them around the circle, and transforms them.
fn transformed(atoms: &Atoms, plan: &Plan, transform: &Transform) -> Step {
    let points = plan.points();
    let losses = || (atoms.first..).map(|point| point as f64 * plan.width);
    let sum_at = |tilt: f64| {
        // Exponents stay small: where the loss is great there is little mass.
        let shift = losses().zip(&atoms.masses).fold(f64::NEG_INFINITY, |most, (loss, mass)| {
            if *mass > 0.0 { most.max(tilt * loss) } else { most }
        });
        let terms = losses().zip(&atoms.masses);
        shift + terms.map(|(loss, mass)| mass * (tilt * loss - shift).exp()).sum::<f64>().ln()
    };
    let cumulants = (sum_at(plan.tilt), sum_at(plan.upper_tilt));
    let mut real = vec![0.0; points];
    let start = atoms.first.rem_euclid(points as i64) as usize;
    let weighed = losses().zip(&atoms.masses);
    let mut weighed = weighed.map(|(loss, mass)| mass * (plan.tilt * loss - cumulants.0).exp());
    for (place, weight) in real.iter_mut().skip(start).zip(&mut weighed) {
        *place += weight;
    }
    loop {
        let mut wound = 0;
        for (place, weight) in real.iter_mut().zip(&mut weighed) {
            *place += weight;
            wound += 1;
        }
        if wound < points {
            break;
        }
    }
    let sum = real.iter().map(|part: &f64| part.abs()).sum();
    let mut spectrum = Complex { real, imaginary: vec![0.0; points] };
    transform.forward(&mut spectrum);
    Step { spectrum, sum, cumulants }
}

/// Raises every coefficient to a power, and gives the norm of those raised to one less.
fn raise(spectrum: &mut Complex, steps: u64) -> f64 {
    let negligible = (2.0 * NEGLIGIBLE / steps as f64).exp();
    let mut norm = 0.0;
    for (real, imaginary) in spectrum.real.iter_mut().zip(&mut spectrum.imaginary) {
        let square = *real * *real + *imaginary * *imaginary;
        if steps > 1 && square < negligible {
            (*real, *imaginary) = (0.0, 0.0);
            continue;
        }
        let mut base = (*real, *imaginary);
        let (mut power, mut left) = ((1.0, 0.0), steps);
        while left > 0 {
            if left & 1 == 1 {
                power = product(power, base);
            }
            base = product(base, base);
            left >>= 1;
        }
        (*real, *imaginary) = power;
        norm += (power.0 * power.0 + power.1 * power.1) / square.max(f64::MIN_POSITIVE);
    }
    norm.sqrt() + (spectrum.real.len() as f64).sqrt() * (0.5 * NEGLIGIBLE).exp()
}

fn product((a, b): (f64, f64), (c, d): (f64, f64)) -> (f64, f64) {
    (a * c - b * d, a * d + b * c)
}

/// The least epsilon of all pairs at `delta`.
pub(super) fn epsilon(pairs: &[Pair], delta: f64) -> Result<f64, Reason> {
    if pairs.is_empty() {
        return Ok(0.0);
    }
    let mut near = None;
    let mut least = f64::INFINITY;
    for _ in 0..PASSES {
        let composed = Composed::new(pairs, Goal::Delta { delta, near }).ok_or(Reason::OffGrid)?;
        least = least.min(composed.epsilon(delta).ok_or(Reason::Coarse)?);
        // Where a few great losses are rare, epsilon is far below what the bound said at first.
        if least > NEAR * composed.plan.middle {
            break;
        }
        near = Some(least);
    }
    Ok(least)
}

/// The least delta of all pairs at `epsilon`, on a grid that is laid for a goal.
pub(super) fn delta(pairs: &[Pair], epsilon: f64, goal: Goal) -> Result<f64, Reason> {
    if pairs.is_empty() {
        return Ok(0.0);
    }
    let composed = Composed::new(pairs, goal).ok_or(Reason::OffGrid)?;
    composed.delta(epsilon).ok_or(Reason::Coarse)
}

impl Composed {
    /// Composes the steps of all pairs; none where their losses are too great for a grid.
    fn new(pairs: &[Pair], goal: Goal) -> Option<Self> {
        let plan = Plan::new(pairs, goal)?;
        let transform = Transform::new(plan.power);
        let (mut cumulants, mut infinite, mut rounding) = ((0.0, 0.0), 0.0, 0.0);
        let mut all: Option<Complex> = None;
        for (pair, range) in pairs.iter().zip(&plan.ranges) {
            let atoms = atoms(pair, plan.width, *range);
            let mut step = transformed(&atoms, &plan, &transform);
            let less = raise(&mut step.spectrum, pair.steps as u64);
            rounding += pair.steps * less * (step.sum * transform.rounding() + 4.0 * f64::EPSILON);
            cumulants.0 += pair.steps * step.cumulants.0;
            cumulants.1 += pair.steps * step.cumulants.1;
            infinite += pair.steps * atoms.infinite;
            all = Some(match all {
                Some(so_far) => multiplied(so_far, &step.spectrum),
                None => step.spectrum,
            });
        }
        let mut all = all?;
        let parts = all.real.iter().zip(&all.imaginary);
        let norm = parts.map(|(real, imaginary)| real * real + imaginary * imaginary).sum::<f64>();
        rounding += norm.sqrt() * transform.rounding();
        transform.inverse(&mut all);
        let dropped = pairs.len() as f64 * NEGLIGIBLE.exp();
        let raised = rounding / (plan.points() as f64).sqrt() + dropped;
        let mut masses = all.real;
        masses.iter_mut().for_each(|mass| *mass = mass.max(0.0) + raised);
        masses.rotate_left(plan.first.rem_euclid(plan.points() as i64) as usize);
        let end = (plan.first + plan.points() as i64 - 1) as f64 * plan.width;
        infinite += (cumulants.1 - plan.upper_tilt * end).exp();
        let steps: f64 = pairs.iter().map(|pair| pair.steps).sum();
        let rounding = (ROUNDING.0 + steps * ROUNDING.1, steps * 4.0 * f64::EPSILON);
        Some(Self { plan, masses, cumulant: cumulants.0, infinite, rounding })
    }

    /// Points from the last to the first: each, and delta where it is epsilon.
    fn deltas(&self) -> impl Iterator<Item = (f64, f64)> {
        let Plan { tilt, width, first, .. } = self.plan;
        let (step, both) = ((-tilt * width).exp(), (-(tilt + 1.0) * width).exp());
        let share = -(-width).exp_m1();
        // Scaled by e^(tilt x - cumulant): delta at the point, and the sum of P e^(point - x) from it on.
        let (mut delta, mut sum) = (0.0, 0.0);
        let points = (first..first + self.masses.len() as i64).rev();
        points.zip(self.masses.iter().rev()).map(move |(point, mass)| {
            delta = step * (delta + share * sum);
            sum = mass + both * sum;
            let loss = point as f64 * width;
            let scale = (self.cumulant - tilt * loss).exp() * (1.0 + self.rounding.0);
            (loss + self.rounding.1, delta * scale + self.infinite)
        })
    }

    /// The least epsilon whose delta is not more; none where the infinite mass is more than that.
    fn epsilon(&self, delta: f64) -> Option<f64> {
        let mut above: Option<(f64, f64)> = None;
        for (loss, there) in self.deltas() {
            if there > delta {
                let (least, below) = above?;
                // Between two points delta is linear in e^epsilon.
                let share = (delta - below) / (there - below);
                let back = share * (-self.plan.width).exp_m1();
                return Some((least + back.ln_1p()).max(0.0));
            }
            above = Some((loss, there));
        }
        above.map(|(loss, _)| loss.max(0.0))
    }

    /// Delta at an epsilon; none where it is not on the grid.
    fn delta(&self, epsilon: f64) -> Option<f64> {
        let mut above: Option<(f64, f64)> = None;
        for (loss, there) in self.deltas() {
            if loss <= epsilon {
                let (_, below) = above.unwrap_or((loss, there));
                let share = (epsilon - loss).exp_m1() / self.plan.width.exp_m1();
                return Some((there + share.clamp(0.0, 1.0) * (below - there)).min(1.0));
            }
            above = Some((loss, there));
        }
        None
    }
}

/// Coefficient by coefficient.
fn multiplied(mut these: Complex, those: &Complex) -> Complex {
    let factors = those.real.iter().zip(&those.imaginary);
    let places = iter::zip(&mut these.real, &mut these.imaginary);
    for ((real, imaginary), factor) in places.zip(factors) {
        (*real, *imaginary) = product((*real, *imaginary), (*factor.0, *factor.1));
    }
    these
}
