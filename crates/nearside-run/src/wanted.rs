//! What a run is asked for, and what may run beside what.

use std::collections::BTreeMap;

/// What is to be executed, and how.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Places of the jobs to look at, in order.
    pub places: Vec<usize>,
    /// Whether they run though their results are there.
    pub force: bool,
    /// Whether others go on when one fails.
    pub keep_going: bool,
    /// How many run at once, at least one.
    pub at_once: usize,
    /// What jobs take of the machine, by their place.
    pub loads: BTreeMap<usize, Load>,
}

/// What a job takes of the machine while it runs: shares of what programs can have there. What is not
/// known is taken to be its part of everything, 1 / `at_once`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Of main memory.
    pub memory: Option<f64>,
    /// Of the memory of accelerators.
    pub accelerators: Option<f64>,
    /// Of the time of processors.
    pub processors: Option<f64>,
}

/// Memory that is not there ends programs.
const MOST_MEMORY: f64 = 1.0 + 1e-9;
/// Processors are shared in time: a little too much work, or an inexact measurement, is none the worse.
const MOST_PROCESSORS: f64 = 1.05;

impl Wanted {
    /// Whether a job can run beside others without taking memory or processors that they need.
    pub(crate) fn fits_beside<'a>(
        &self,
        place: usize,
        others: impl Iterator<Item = &'a usize>,
    ) -> bool {
        let others: Vec<_> = others.map(|other| self.load(*other)).collect();
        let part = 1.0 / self.at_once.max(1) as f64;
        let own = self.load(place);
        let all = |of: fn(&Load) -> Option<f64>| {
            let shares = others.iter().chain([&own]).map(|load| of(load).unwrap_or(part));
            shares.sum::<f64>()
        };
        // What is too large for the machine runs by itself, if it does.
        others.is_empty()
            || (all(|load| load.memory) <= MOST_MEMORY
                && all(|load| load.accelerators) <= MOST_MEMORY
                && all(|load| load.processors) <= MOST_PROCESSORS)
    }

    fn load(&self, place: usize) -> Load {
        self.loads.get(&place).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(loads: &[(usize, Load)]) -> Wanted {
        let loads = loads.iter().copied().collect();
        Wanted { at_once: 3, loads, ..Wanted::default() }
    }

    #[test]
    fn memory_is_not_promised_twice() {
        let load = |memory: f64, accelerators: f64| Load {
            memory: Some(memory),
            accelerators: Some(accelerators),
            processors: Some(0.0),
        };
        let loads =
            [(0, load(0.6, 0.0)), (1, load(0.3, 0.9)), (2, load(0.0, 0.2)), (3, load(2.0, 0.0))];
        let wanted = wanted(&loads);
        let fits = |place: usize, others: &[usize]| wanted.fits_beside(place, others.iter());
        assert!(fits(1, &[0]) && fits(2, &[0]) && !fits(2, &[1]));
        // Too large for the machine: alone. Not known: a third of it.
        assert!(fits(3, &[]) && !fits(3, &[2]) && !fits(0, &[3]));
        assert!(fits(9, &[0]) && fits(9, &[8, 7]) && !fits(9, &[0, 8]));
    }

    #[test]
    fn processors_are_not_promised_twice() {
        let load = |processors: f64| Load {
            memory: Some(0.0),
            accelerators: Some(0.0),
            processors: Some(processors),
        };
        let loads = [(0, load(0.7)), (1, load(0.34)), (2, load(0.4)), (3, load(1.0))];
        let wanted = wanted(&loads);
        let fits = |place: usize, others: &[usize]| wanted.fits_beside(place, others.iter());
        assert!(fits(1, &[0]) && !fits(2, &[0]) && fits(2, &[1]) && !fits(2, &[0, 1]));
        // All of them: alone. Not known: a third.
        assert!(fits(3, &[]) && !fits(3, &[1]) && !fits(1, &[3]));
        assert!(fits(9, &[0]) && !fits(9, &[0, 1]) && fits(9, &[1, 8]));
    }
}
