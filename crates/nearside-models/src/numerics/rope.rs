//! Rotary positions: pairs of a head's elements are turned by an angle that grows with the position, each pair at its
//! own speed (arXiv 2104.09864), and the ways in which that is stretched to longer contexts.

/// Which elements are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// Element `i` of the first half with element `i` of the second one.
    Halves,
    /// Elements `2 i` and `2 i + 1`: GGUF files of the Llama family, whose rows are ordered for it.
    Neighbours,
}

/// How positions turn pairs of elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Which elements are pairs.
    pub pairs: Pairs,
    /// The base of the speeds: pair `i` of `n` turns by `theta^(-i / n)` per position.
    pub theta: f64,
    /// How it is stretched.
    pub scaling: Scaling,
}

/// How rotary positions are stretched to a longer context.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All speeds are divided by the factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Slow pairs are divided by the factor, fast ones are left, those between change over (Llama 3.1).
    Llama3 {
        /// The factor of slow pairs.
        factor: f64,
        /// Pairs that turn less often than this in the original context are slow.
        low: f64,
        /// Pairs that turn more often than this in the original context are fast.
        high: f64,
        /// The original context.
        original: f64,
    },
    /// The same by a ramp over pairs, and scores are scaled too (YaRN, arXiv 2309.00071).
    Yarn {
        /// The factor of slow pairs.
        factor: f64,
        /// The original context.
        original: f64,
        /// Turns in the original context above which a pair is left.
        fast: f64,
        /// Turns below which a pair is divided.
        slow: f64,
        /// What queries and keys are multiplied with; `None` for `1 + ln(factor) / 10`.
        attention: Option<f64>,
    },
    /// Each pair is divided by a number of its own (Phi 3), of which there are two sets.
    ByPair {
        /// For contexts up to the original one.
        short: Vec<f64>,
        /// For longer ones.
        long: Vec<f64>,
        /// The original context.
        original: f64,
        /// What queries and keys are multiplied with.
        attention: f64,
    },
    /// Each pair is divided by a number of its own, whatever the context (GGUF's `rope_freqs`).
    Divided(Vec<f64>),
}

/// Speeds of pairs, and what everything that is turned is multiplied with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Speeds {
    pub speeds: Vec<f64>,
    pub magnitude: f64,
}

impl Rope {
    /// The speeds of the pairs of `width` elements, in a context of so many tokens.
    pub(crate) fn speeds(&self, width: usize, context: usize) -> Speeds {
        let pairs = width / 2;
        let plain = |pair: usize| self.theta.powf(-(pair as f64) / pairs as f64);
        let divided = |numbers: &[f64]| {
            let by = |pair: usize| numbers.get(pair).copied().unwrap_or(1.0);
            (0..pairs).map(|pair| plain(pair) / by(pair)).collect()
        };
        let unit = |speeds| Speeds { speeds, magnitude: 1.0 };
        match &self.scaling {
            Scaling::None => unit((0..pairs).map(plain).collect()),
            Scaling::Linear { factor } => {
                unit((0..pairs).map(|pair| plain(pair) / factor).collect())
            }
            Scaling::Divided(numbers) => unit(divided(numbers)),
            Scaling::Llama3 { factor, low, high, original } => unit(
                (0..pairs)
                    .map(|pair| llama3(plain(pair), *factor, [*low, *high], *original))
                    .collect(),
            ),
            Scaling::Yarn { factor, original, fast, slow, attention } => Speeds {
                speeds: yarn(
                    (0..pairs).map(plain).collect(),
                    self.theta,
                    *factor,
                    *original,
                    [*fast, *slow],
                ),
                magnitude: attention.unwrap_or(1.0 + 0.1 * factor.ln()),
            },
            Scaling::ByPair { short, long, original, attention } => {
                let longer = context as f64 > *original;
                let speeds = divided(if longer { long } else { short });
                // What is learned with one magnitude is read with it in short contexts too.
                Speeds { speeds, magnitude: *attention }
            }
        }
    }
}

fn llama3(speed: f64, factor: f64, [low, high]: [f64; 2], original: f64) -> f64 {
    let turns = original * speed / (2.0 * std::f64::consts::PI);
    if turns < low {
        return speed / factor;
    }
    if turns > high {
        return speed;
    }
    let share = (turns - low) / (high - low);
    (1.0 - share) * speed / factor + share * speed
}

/// `limits` are the turns above which a pair is left and below which it is divided.
fn yarn(speeds: Vec<f64>, theta: f64, factor: f64, original: f64, limits: [f64; 2]) -> Vec<f64> {
    let pairs = speeds.len() as f64;
    // The pair that turns so often in the original context.
    let pair =
        |turns: f64| pairs * (original / (turns * 2.0 * std::f64::consts::PI)).ln() / theta.ln();
    let low = pair(limits[0]).floor().max(0.0);
    let high = pair(limits[1]).ceil().min(2.0 * pairs - 1.0).max(low + 0.001);
    let ramp = |index: usize| ((index as f64 - low) / (high - low)).clamp(0.0, 1.0);
    let mixed = |(index, speed): (usize, f64)| {
        let divided = ramp(index);
        speed / factor * divided + speed * (1.0 - divided)
    };
    speeds.into_iter().enumerate().map(mixed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_pairs_are_stretched_and_fast_ones_are_not() {
        let scaling = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 };
        let rope = Rope { pairs: Pairs::Halves, theta: 500_000.0, scaling };
        let plain = Rope { scaling: Scaling::None, ..rope.clone() }.speeds(128, 1).speeds;
        let speeds = rope.speeds(128, 1).speeds;
        assert!(
            (speeds[0] - 1.0).abs() < 1e-12 && (speeds[63] * 8.0 / plain[63] - 1.0).abs() < 1e-12
        );
        assert!(speeds.iter().zip(&plain).all(|(scaled, plain)| scaled <= plain));
    }

    #[test]
    fn numbers_by_pair_follow_the_context() {
        let scaling = Scaling::ByPair {
            short: vec![1.0; 2],
            long: vec![2.0, 4.0],
            original: 100.0,
            attention: 1.5,
        };
        let rope = Rope { pairs: Pairs::Halves, theta: 100.0, scaling };
        assert_eq!(rope.speeds(4, 100).speeds, [1.0, 0.1]);
        assert_eq!(rope.speeds(4, 101), Speeds { speeds: vec![0.5, 0.025], magnitude: 1.5 });
    }
}
