//! Chance that is the same for the same seed, on every machine: SplitMix64 (Steele, Lea, Flood 2014).

/// Numbers at random.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to 1, without 1.
    pub(crate) const fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below another one, which is not zero; every one equally likely, but for a part in 2^64.
    pub(crate) const fn below(&mut self, bound: usize) -> usize {
        ((self.next() as u128 * bound as u128) >> 64) as usize
    }

    /// A number of mean 0 and deviation 1: the sum of twelve even ones, which is near enough to the normal distribution
    /// and needs no function that differs from machine to machine.
    pub(crate) fn normal(&mut self) -> f32 {
        let even = |bits: u64| (bits >> 40) as f32 / (1 << 24) as f32;
        let sum: f32 = (0..12).map(|_| even(self.next())).sum();
        sum - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_mean_and_deviation_that_they_should() {
        let mut random = Random::new(1);
        let numbers: Vec<f64> = (0..20_000).map(|_| f64::from(random.normal())).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let squares = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (squares - 1.0).abs() < 0.03, "{mean} {squares}");
        let draws: Vec<usize> = (0..3000).map(|_| random.below(3)).collect();
        for wanted in 0..3 {
            let found = draws.iter().filter(|draw| **draw == wanted).count();
            assert!((900..1100).contains(&found), "{found}");
        }
    }
}
