//! How large steps are: a rate that grows from nothing to its peak and then falls along a cosine (Loshchilov and Hutter,
//! arXiv 1608.03983).

/// A rate for every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The largest rate.
    pub peak: f64,
    /// Steps until it is reached.
    pub warm_up: usize,
    /// Steps of the whole.
    pub steps: usize,
    /// What is left of it in the last step, as a part.
    pub last: f64,
}

impl Schedule {
    /// The usual one: a twentieth of all steps to the peak, a tenth of it in the end.
    #[must_use]
    pub fn new(peak: f64, steps: usize) -> Self {
        Self { peak, warm_up: (steps / 20).max(1), steps, last: 0.1 }
    }

    /// The rate of a step; steps are counted from 0.
    #[must_use]
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warm_up {
            return self.peak * (step + 1) as f64 / self.warm_up as f64;
        }
        let (done, all) = (step - self.warm_up, self.steps.saturating_sub(self.warm_up + 1));
        let part = (done as f64 / all.max(1) as f64).min(1.0);
        let falling = 0.5 * (1.0 + (std::f64::consts::PI * part).cos());
        self.peak * (self.last + (1.0 - self.last) * falling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_grows_evenly_and_falls_to_its_last() {
        let schedule = Schedule { peak: 2.0, warm_up: 4, steps: 11, last: 0.1 };
        let rates: Vec<f64> = (0..12).map(|step| schedule.rate(step)).collect();
        let close = |step: usize, rate: f64| (rates[step] - rate).abs() < 1e-12;
        assert!(close(0, 0.5) && close(3, 2.0) && close(4, 2.0));
        assert!(close(7, 1.1), "{rates:?}");
        assert!(close(10, 0.2) && close(11, 0.2));
        for short in 0..3 {
            assert!(Schedule::new(1.0, short).rate(0).is_finite());
        }
    }
}
