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
    /// What jobs take of the machine, by their place; one that is not listed is taken to take its
    /// part of everything, 1 / `at_once`.
    pub loads: BTreeMap<usize, Load>,
}

/// What a job takes of the machine's memories while it runs: shares of what programs can have there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Of main memory.
    pub memory: f64,
    /// Of the memory of accelerators.
    pub accelerators: f64,
}

impl Wanted {
    /// Whether a job can run beside others without taking memory that they need.
    pub(crate) fn fits_beside<'a>(
        &self,
        place: usize,
        others: impl Iterator<Item = &'a usize>,
    ) -> bool {
        let part = 1.0 / self.at_once.max(1) as f64;
        let part = Load { memory: part, accelerators: part };
        let load = |place: &usize| self.loads.get(place).copied().unwrap_or(part);
        let mut all = load(&place);
        let mut alone = true;
        for other in others.map(load) {
            alone = false;
            all.memory += other.memory;
            all.accelerators += other.accelerators;
        }
        // What is too large for the machine runs by itself, if it does.
        let most = 1.0 + 1e-9;
        alone || (all.memory <= most && all.accelerators <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_not_promised_twice() {
        let load = |memory: f64, accelerators: f64| Load { memory, accelerators };
        let loads =
            [(0, load(0.6, 0.0)), (1, load(0.3, 0.9)), (2, load(0.0, 0.2)), (3, load(2.0, 0.0))];
        let wanted = Wanted { at_once: 3, loads: loads.into(), ..Wanted::default() };
        let fits = |place: usize, others: &[usize]| wanted.fits_beside(place, others.iter());
        assert!(fits(1, &[0]) && fits(2, &[0]) && !fits(2, &[1]));
        // Too large for the machine: alone. Not known: a third of it.
        assert!(fits(3, &[]) && !fits(3, &[2]) && !fits(0, &[3]));
        assert!(fits(9, &[0]) && fits(9, &[8, 7]) && !fits(9, &[0, 8]));
    }
}
