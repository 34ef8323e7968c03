//! The cheapest combinations of changes that fit.
//!
//! A combination has at most one change of each part. They are tried in the order of their price:
//! loss of quality (losses add up), then time (ratios of single changes multiply), then number of
//! changes. Two rules keep the number of estimates small: a combination that contains one that fits
//! is no news, and one that does not fit even with the strongest change of every other part cannot
//! fit. The second rule takes changes of a part to be ordered by what they save; it leaves parts
//! alone whose changes may also cost memory.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Most combinations that are estimated.
const MOST_JUDGED: usize = 96;

/// The part of how many are worked on at once: accumulated gradients live on.
pub(super) const TOGETHER: usize = 2;
/// The part of what is trained: 4-bit weights are unpacked while they are used.
pub(super) const METHOD: usize = 4;
/// Parts whose changes may also cost memory, so that a later one need not save more.
const UNORDERED: [usize; 2] = [TOGETHER, METHOD];

/// What the search has to know of a change: those of one part are ordered, the mildest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) part: usize,
    pub(super) loss: u32,
}

/// What came of a combination.
#[derive(Clone, Debug)]
pub(super) struct Judged<T> {
    pub(super) fits: bool,
    /// All the memory it needs, at the high end; of what does not fit, at least so much.
    pub(super) needed: f64,
    /// Its time over the time without any change.
    pub(super) time: f64,
    pub(super) found: T,
}

/// A combination, in ascending order, and what came of it.
type Found<T> = (Vec<usize>, Judged<T>);

/// Tells what comes of combinations.
pub(super) trait Judge {
    /// What is found out beside the verdict.
    type Found: Clone;

    /// Whether all changes of a combination can be made.
    fn makes_sense(&self, chosen: &[usize]) -> bool;

    /// What comes of a combination that makes sense; of what does not fit, the need may be more.
    fn judge(&mut self, chosen: &[usize]) -> Judged<Self::Found>;

    /// The same with all that is needed.
    fn judge_exactly(&mut self, chosen: &[usize]) -> Judged<Self::Found>;

    /// Whether a combination that makes sense may fit, as is told of all that do and some others.
    fn may_fit(&mut self, chosen: &[usize]) -> bool;
}

/// The cheapest combinations that fit, up to `wanted`; or, when none fits, as many that come nearest.
pub(super) fn cheapest<J: Judge>(
    choices: &[Choice],
    wanted: usize,
    judge: J,
) -> Vec<Found<J::Found>> {
    let mut search = Search { choices, judge, judged: BTreeMap::new(), chances: BTreeMap::new() };
    let mut times = vec![1.0; choices.len()];
    for (at, time) in times.iter_mut().enumerate() {
        if search.judge.makes_sense(&[at]) {
            *time = search.judged(&[at]).time;
        }
    }
    let mut fitting: Vec<Vec<usize>> = Vec::new();
    for chosen in in_order(choices, &times, &search.judge) {
        if fitting.len() >= wanted || search.asked() >= MOST_JUDGED {
            break;
        }
        let no_news = fitting.iter().any(|known| search.contains(&chosen, known));
        if !no_news && !search.is_hopeless(&chosen) && search.judged(&chosen).fits {
            fitting.push(chosen);
        }
    }
    if fitting.is_empty() {
        fitting = search.nearest(wanted);
    }
    let loss = |chosen: &[usize]| chosen.iter().map(|at| choices[*at].loss).sum::<u32>();
    let mut found: Vec<_> = fitting
        .into_iter()
        .map(|chosen| {
            let judged = search.judged(&chosen).clone();
            (chosen, judged)
        })
        .collect();
    found.sort_by(|(left, of_left), (right, of_right)| {
        loss(left).cmp(&loss(right)).then(of_left.time.total_cmp(&of_right.time))
    });
    found
}

/// All combinations that make sense, the cheapest first.
fn in_order(choices: &[Choice], times: &[f64], judge: &impl Judge) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for (at, choice) in choices.iter().enumerate() {
        let free =
            |chosen: &&Vec<usize>| chosen.iter().all(|other| choices[*other].part != choice.part);
        let grown = all.iter().filter(free).map(|chosen| [&chosen[..], &[at]].concat());
        let grown: Vec<_> = grown.filter(|chosen| judge.makes_sense(chosen)).collect();
        all.extend(grown);
    }
    all.retain(|chosen| !chosen.is_empty());
    let price = |chosen: &Vec<usize>| {
        let loss: u32 = chosen.iter().map(|at| choices[*at].loss).sum();
        let time: f64 = chosen.iter().map(|at| times[*at]).product();
        (loss, time)
    };
    let mut priced: Vec<_> = all.into_iter().map(|chosen| (price(&chosen), chosen)).collect();
    priced.sort_by(|((lost, time), chosen), ((other_lost, other_time), other)| {
        lost.cmp(other_lost)
            .then(time.total_cmp(other_time))
            .then(chosen.len().cmp(&other.len()))
            .then(chosen.cmp(other))
    });
    priced.into_iter().map(|(_, chosen)| chosen).collect()
}

struct Search<'choices, J: Judge> {
    choices: &'choices [Choice],
    judge: J,
    judged: BTreeMap<Vec<usize>, Judged<J::Found>>,
    /// What may fit and what cannot.
    chances: BTreeMap<Vec<usize>, bool>,
}

impl<J: Judge> Search<'_, J> {
    fn judged(&mut self, chosen: &[usize]) -> &Judged<J::Found> {
        let judge = &mut self.judge;
        self.judged.entry(chosen.to_vec()).or_insert_with(|| judge.judge(chosen))
    }

    fn asked(&self) -> usize {
        self.judged.len() + self.chances.len()
    }

    fn of_part(&self, chosen: &[usize], part: usize) -> Option<usize> {
        chosen.iter().copied().find(|at| self.choices[*at].part == part)
    }

    /// Whether `chosen` changes at least as much as `other` in every part.
    fn contains(&self, chosen: &[usize], other: &[usize]) -> bool {
        other
            .iter()
            .all(|at| self.of_part(chosen, self.choices[*at].part).is_some_and(|mine| mine >= *at))
    }

    fn parts(&self) -> BTreeSet<usize> {
        self.choices.iter().map(|choice| choice.part).collect()
    }

    /// Whether it cannot fit: not even with the strongest changes of all ordered parts, or of all
    /// but one.
    fn is_hopeless(&mut self, chosen: &[usize]) -> bool {
        let ordered = self.parts().into_iter().filter(|part| !UNORDERED.contains(part));
        let but_one: Vec<_> = std::iter::once(None).chain(ordered.map(Some)).collect();
        chosen.len() > 1
            && but_one.into_iter().any(|part| {
                let kept = |other: usize| UNORDERED.contains(&other) || Some(other) == part;
                let stronger = self.strongest(chosen, kept);
                !self.may_fit(&stronger)
            })
    }

    /// Whether it may fit: nothing weaker is known to, and nothing stronger not to.
    fn may_fit(&mut self, chosen: &[usize]) -> bool {
        let alike = |known: &[usize]| {
            UNORDERED.iter().all(|part| self.of_part(known, *part) == self.of_part(chosen, *part))
        };
        let judged = self.judged.iter().map(|(known, judged)| (known, judged.fits));
        let mut known = judged.chain(self.chances.iter().map(|(known, fits)| (known, *fits)));
        let told = known.find(|(known, fits)| {
            let (strong, weak) = if *fits { (chosen, &known[..]) } else { (&known[..], chosen) };
            alike(known) && self.contains(strong, weak)
        });
        if let Some((_, fits)) = told {
            return fits;
        }
        let fits = self.judge.may_fit(chosen);
        self.chances.insert(chosen.to_vec(), fits);
        fits
    }

    /// What was chosen, with the strongest changes of every part that is not `kept`.
    fn strongest(&self, chosen: &[usize], kept: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut strongest = chosen.to_vec();
        for other in self.parts().into_iter().filter(|part| !kept(*part)) {
            let of_part = (0..self.choices.len()).rev();
            let candidates = of_part.filter(|at| self.choices[*at].part == other);
            let with = |at: usize| {
                let kept = strongest.iter().copied();
                let kept = kept.filter(|kept| self.choices[*kept].part != other);
                let mut with: Vec<_> = kept.chain([at]).collect();
                with.sort_unstable();
                with
            };
            let found = candidates.map(with).find(|with| self.judge.makes_sense(with));
            strongest = found.unwrap_or(strongest);
        }
        strongest
    }

    /// What needs least, where nothing fits.
    fn nearest(&mut self, wanted: usize) -> Vec<Vec<usize>> {
        for hopeless in std::mem::take(&mut self.chances).into_keys() {
            self.judged(&hopeless);
        }
        for without in [None, Some(TOGETHER)] {
            let strongest = self.strongest(&[], |part| Some(part) == without);
            if !strongest.is_empty() {
                self.judged(&strongest);
            }
        }
        let mut at_least: Vec<_> =
            self.judged.iter().map(|(chosen, judged)| (judged.needed, chosen.clone())).collect();
        at_least.sort_by(by_need);
        let mut nearest: Vec<(f64, Vec<usize>)> = Vec::new();
        for (least, chosen) in at_least {
            if nearest.get(wanted - 1).is_some_and(|(needed, _)| *needed < least) {
                break;
            }
            let judged = self.judge.judge_exactly(&chosen);
            nearest.push((judged.needed, chosen.clone()));
            nearest.sort_by(by_need);
            self.judged.insert(chosen, judged);
        }
        nearest.into_iter().take(wanted).map(|(_, chosen)| chosen).collect()
    }
}

/// Less need first, then fewer changes.
fn by_need(left: &(f64, Vec<usize>), right: &(f64, Vec<usize>)) -> Ordering {
    left.0.total_cmp(&right.0).then(left.1.len().cmp(&right.1.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory is 100, less what each change saves; changes that fit are those below the limit.
    struct Table<'table> {
        choices: &'table [Choice],
        saves: &'table [f64],
        times: &'table [f64],
        limit: f64,
        asked: usize,
    }

    impl Table<'_> {
        fn needed(&self, chosen: &[usize]) -> f64 {
            100.0 - chosen.iter().map(|at| self.saves[*at]).sum::<f64>()
        }
    }

    impl Judge for &mut Table<'_> {
        type Found = ();

        fn makes_sense(&self, chosen: &[usize]) -> bool {
            // The last change needs the one before it, as adapters' ranks need adapters.
            let last = self.choices.len() - 1;
            !chosen.contains(&last) || chosen.contains(&(last - 1))
        }

        fn judge(&mut self, chosen: &[usize]) -> Judged<()> {
            self.asked += 1;
            let needed = self.needed(chosen);
            let time = chosen.iter().map(|at| self.times[*at]).product();
            // Of what does not fit, at least part is told.
            let fits = needed <= self.limit;
            let told = if fits { needed } else { needed.midpoint(self.limit) };
            Judged { fits, needed: told, time, found: () }
        }

        fn may_fit(&mut self, chosen: &[usize]) -> bool {
            self.asked += 1;
            self.needed(chosen) <= self.limit
        }

        fn judge_exactly(&mut self, chosen: &[usize]) -> Judged<()> {
            let judged = self.judge(chosen);
            Judged { needed: self.needed(chosen), ..judged }
        }
    }

    const CHOICES: [Choice; 7] = [
        Choice { part: 0, loss: 0 },
        Choice { part: 1, loss: 0 },
        Choice { part: 2, loss: 0 },
        Choice { part: 2, loss: 0 },
        Choice { part: 3, loss: 1 },
        Choice { part: 4, loss: 4 },
        Choice { part: 5, loss: 2 },
    ];
    const SAVES: [f64; 7] = [4.0, 10.0, 6.0, 12.0, 20.0, 45.0, 3.0];
    const TIMES: [f64; 7] = [0.9, 1.3, 1.05, 1.2, 1.01, 0.8, 1.0];

    fn table(limit: f64) -> Table<'static> {
        Table { choices: &CHOICES, saves: &SAVES, times: &TIMES, limit, asked: 0 }
    }

    #[test]
    fn finds_what_trying_everything_finds() {
        for limit in 0..100 {
            let limit = f64::from(limit);
            let mut searched = table(limit);
            let found = cheapest(&CHOICES, 3, &mut searched);
            let mut every = table(limit);
            let mut fitting: Vec<Vec<usize>> = Vec::new();
            let order = in_order(&CHOICES, &TIMES, &&mut every);
            let search = Search {
                choices: &CHOICES,
                judge: &mut every,
                judged: BTreeMap::new(),
                chances: BTreeMap::new(),
            };
            for chosen in order {
                let no_news = fitting.iter().any(|known| search.contains(&chosen, known));
                if fitting.len() < 3 && !no_news && search.judge.needed(&chosen) <= limit {
                    fitting.push(chosen);
                }
            }
            let found: BTreeSet<_> = found
                .into_iter()
                .filter(|(_, judged)| judged.fits)
                .collect::<Vec<_>>()
                .into_iter()
                .map(|(chosen, _)| chosen)
                .collect();
            assert_eq!(found, fitting.into_iter().collect(), "limit {limit}");
        }
    }

    #[test]
    fn what_comes_nearest_stands_in_for_what_fits() {
        let found = cheapest(&CHOICES, 2, &mut table(1.0));
        assert!(found.iter().all(|(_, judged)| !judged.fits));
        // Everything at its strongest: one change of part 2, all others.
        assert!(found.iter().any(|(chosen, _)| chosen == &[0, 1, 3, 4, 5, 6]));
    }

    #[test]
    fn few_are_judged() {
        let mut searched = table(30.0);
        cheapest(&CHOICES, 3, &mut searched);
        assert!(searched.asked <= 35, "{}", searched.asked);
    }
}
