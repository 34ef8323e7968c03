//! Samples in a bounded memory: when it is full, every two neighbours become one.

use super::sample::Sample;

/// Samples of a run, never more than a number of them, whatever the run takes.
#[derive(Debug)]
pub(crate) struct Kept {
    samples: Vec<Sample>,
    most: usize,
    /// How many looks each kept sample stands for.
    each: u64,
    /// How many looks the last one stands for.
    in_last: u64,
}

impl Kept {
    /// Room for so many samples, at least 2.
    pub(crate) const fn new(most: usize) -> Self {
        let most = if most < 2 { 2 } else { most };
        Self { samples: Vec::new(), most, each: 1, in_last: 0 }
    }

    /// Puts a sample in.
    pub(crate) fn put(&mut self, sample: Sample) {
        match self.samples.pop() {
            Some(last) if self.in_last < self.each => {
                let share = self.in_last as f64 / (self.in_last + 1) as f64;
                self.samples.push(Sample::merged(&last, sample, share));
                self.in_last += 1;
                return;
            }
            Some(last) => self.samples.push(last),
            None => {}
        }
        if self.samples.len() >= self.most {
            self.halve();
        }
        self.samples.push(sample);
        self.in_last = 1;
    }

    fn halve(&mut self) {
        let mut samples = std::mem::take(&mut self.samples).into_iter();
        while let Some(first) = samples.next() {
            let pair = match samples.next() {
                Some(second) => Sample::merged(&first, second, 0.5),
                None => first,
            };
            self.samples.push(pair);
        }
        self.each *= 2;
    }

    /// What was kept, oldest first.
    pub(crate) fn into_samples(self) -> Vec<Sample> {
        self.samples
    }

    /// Looks that one sample stands for.
    pub(crate) const fn each(&self) -> u64 {
        self.each
    }
}
