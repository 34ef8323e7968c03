//! The values of a column in an order in which groups of them stand side by side, so that a group is a range.
//!
//! Numbers and dates (ISO 8601) are in their own order, where the column's hierarchy does not tear it apart:
//! any range of them is a group. Other values are in the order of their hierarchy: a group is a value, a node
//! of the hierarchy, or some children of one, side by side.

use super::derive;
use super::dictionary::Dictionary;
use super::hierarchy::{ANY, Hierarchy, Level};

/// The most children of a node that are told by their names; more are told as the node.
const MOST_NAMES: usize = 8;

/// The values of a column in their order, and the groups that they may be told as.
#[derive(Clone, Debug, PartialEq)]
pub struct Taxonomy {
    /// The place of each value in the order, by its code.
    ranks: Vec<u32>,
    /// The values in their order.
    values: Vec<String>,
    /// Where they stand on a scale from 0 to 1, if they do.
    places: Vec<f64>,
    /// The root first; children of a node stand side by side.
    nodes: Vec<Node>,
}

/// A group of values.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    range: Span,
    label: String,
    /// The part of the domain that it stands for.
    share: f64,
    /// What the children of its parent before it stand for together.
    before: f64,
    /// Where its children stand among the nodes.
    children: std::ops::Range<usize>,
    /// Whether every range in it is a group.
    ordered: bool,
}

/// Values side by side: from the first to the last rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The least rank.
    pub first: u32,
    /// The greatest rank.
    pub last: u32,
}

impl Span {
    /// Whether another one lies in it.
    const fn holds(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

impl Taxonomy {
    /// The taxonomy of a column, by its values and their hierarchy.
    #[must_use]
    pub fn of(values: &Dictionary, hierarchy: &Hierarchy) -> Self {
        Self::ordered(values, hierarchy).unwrap_or_else(|| Self::nested(values, hierarchy))
    }

    /// Numbers or dates in their own order, empty values before them.
    fn ordered(values: &Dictionary, hierarchy: &Hierarchy) -> Option<Self> {
        let scale = derive::scale(values.values())?;
        let place = |code: &usize| scale.get(*code).copied().flatten();
        let mut codes: Vec<usize> = (0..values.values().len()).collect();
        let key = |code: &usize| place(code).unwrap_or(f64::NEG_INFINITY);
        codes.sort_by(|one, other| key(one).total_cmp(&key(other)));
        let whole = |level: &Level| {
            let mut labels: Vec<u32> =
                codes.iter().map(|code| level.label_of(*code as u32)).collect();
            labels.dedup();
            let runs = labels.len();
            labels.sort_unstable();
            labels.dedup();
            labels.len() == runs
        };
        if !hierarchy.levels().iter().all(whole) {
            return None;
        }
        let known: Vec<f64> = codes.iter().filter_map(place).collect();
        let (low, high) = (known.first().copied()?, known.last().copied()?);
        let width = if high > low { high - low } else { 1.0 };
        let places = codes.iter().map(|code| place(code).map_or(0.0, |it| (it - low) / width));
        let places = places.collect();
        let empty = codes.len() - known.len();
        let all = Span { first: 0, last: last(codes.len()) };
        let stated = Span { first: empty as u32, ..all };
        let node = |range, ordered, children| {
            let (label, share, before) = (ANY.to_owned(), 1.0, 0.0);
            Node { range, label, share, before, children, ordered }
        };
        let nodes = match empty {
            0 => vec![node(all, true, 0..0)],
            empty => {
                let nothing = Span { first: 0, last: last(empty) };
                vec![node(all, false, 1..3), node(nothing, false, 0..0), node(stated, true, 0..0)]
            }
        };
        Some(Self::in_order(values, &codes, places, nodes))
    }

    /// Values in the order of their hierarchy.
    fn nested(values: &Dictionary, hierarchy: &Hierarchy) -> Self {
        let levels = hierarchy.levels();
        let mut codes: Vec<usize> = (0..values.values().len()).collect();
        codes.sort_by_cached_key(|code| {
            let labels = levels.iter().rev().map(|level| {
                level.labels.get(level.label_of(*code as u32) as usize).map_or("", String::as_str)
            });
            labels.collect::<Vec<_>>()
        });
        let range = Span { first: 0, last: last(codes.len()) };
        let label = ANY.to_owned();
        let root = Node { range, label, share: 1.0, before: 0.0, children: 0..0, ordered: false };
        let mut nodes = vec![root];
        let mut depths = vec![levels.len()];
        let mut next = 0;
        while let (Some(node), Some(depth)) = (nodes.get(next), depths.get(next).copied()) {
            let first = codes.get(node.range.first as usize).copied().unwrap_or(0) as u32;
            let found = children(node.range, depth, levels, &codes);
            // Between it and what tells its values apart, the lowest level says most.
            let lowest = levels.get(found.as_ref().map_or(0, |(depth, _)| depth + 1));
            let told = lowest.and_then(|level| {
                let label = level.labels.get(level.label_of(first) as usize)?;
                Some((label.clone(), level.share_of(first)))
            });
            let start = nodes.len();
            if let Some((depth, children)) = found {
                depths.extend(std::iter::repeat_n(depth, children.len()));
                nodes.extend(children);
            }
            let end = nodes.len();
            if let Some(node) = nodes.get_mut(next) {
                node.children = start..end;
                (node.label, node.share) = told.unwrap_or((ANY.to_owned(), 1.0));
            }
            next += 1;
        }
        for parent in 0..nodes.len() {
            let mut before = 0.0;
            let children = nodes.get(parent).map(|node| node.children.clone()).unwrap_or_default();
            for child in nodes.get_mut(children).into_iter().flatten() {
                child.before = before;
                before += child.share;
            }
        }
        Self::in_order(values, &codes, Vec::new(), nodes)
    }

    fn in_order(values: &Dictionary, codes: &[usize], places: Vec<f64>, nodes: Vec<Node>) -> Self {
        let mut ranks = vec![0; codes.len()];
        for (rank, code) in codes.iter().enumerate() {
            if let Some(at) = ranks.get_mut(*code) {
                *at = rank as u32;
            }
        }
        let value = |code: &usize| values.values().get(*code).cloned().unwrap_or_default();
        Self { ranks, values: codes.iter().map(value).collect(), places, nodes }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The rank of a value, by its code.
    #[must_use]
    pub fn rank(&self, code: u32) -> u32 {
        self.ranks.get(code as usize).copied().unwrap_or(0)
    }

    /// The value of a rank.
    #[must_use]
    pub fn value(&self, rank: u32) -> &str {
        self.values.get(rank as usize).map_or("", String::as_str)
    }

    /// The least group that holds a range, and what it is told as.
    #[must_use]
    pub fn group(&self, span: Span) -> (Span, String) {
        let Some(node) = self.lowest(span) else { return (span, ANY.to_owned()) };
        if span.first == span.last {
            return (span, self.value(span.first).to_owned());
        }
        if node.ordered {
            return (span, format!("{}..{}", self.value(span.first), self.value(span.last)));
        }
        let some = self.some_children(node, span);
        if some.len() == node.children.len() || some.len() > MOST_NAMES {
            return (node.range, node.label.clone());
        }
        let range = Span {
            first: some.first().map_or(span.first, |node| node.range.first),
            last: some.last().map_or(span.last, |node| node.range.last),
        };
        let names: Vec<&str> = some.iter().map(|node| node.label.as_str()).collect();
        (range, names.join("|"))
    }

    /// The normalised certainty penalty of a range (Xu et al. 2006): 0 for one value, 1 for all; of numbers and
    /// dates the part of their scale, of others the part of their domain.
    #[must_use]
    pub fn penalty(&self, span: Span) -> f64 {
        if span.first == span.last {
            return 0.0;
        }
        let place = |rank: u32| self.places.get(rank as usize).copied().unwrap_or(0.0);
        match self.lowest(span) {
            None => 1.0,
            Some(node) if node.ordered => place(span.last) - place(span.first),
            Some(node) => {
                let some = self.some_children(node, span);
                let ends = some.first().zip(some.last());
                ends.map_or(1.0, |(first, last)| last.before + last.share - first.before).min(1.0)
            }
        }
    }

    /// The ranks at which a range may be cut in two, each the first of the second part, in order; `None` where
    /// every rank is one.
    pub(super) fn cuts(&self, span: Span) -> Option<impl Iterator<Item = u32> + '_> {
        let node = self.lowest(span).filter(|node| !node.ordered)?;
        let children = self.some_children(node, span).iter().skip(1);
        Some(children.map(|child| child.range.first))
    }

    /// The lowest node that holds a range.
    fn lowest(&self, span: Span) -> Option<&Node> {
        let mut node = self.nodes.first()?;
        loop {
            let below = self.some_children(node, span);
            match below {
                [one] if one.range.holds(span) => node = one,
                _ => return Some(node),
            }
        }
    }

    /// The children of a node that a range touches.
    fn some_children(&self, node: &Node, span: Span) -> &[Node] {
        let children = self.nodes.get(node.children.clone()).unwrap_or(&[]);
        let start = children.partition_point(|child| child.range.last < span.first);
        let end = children.partition_point(|child| child.range.first <= span.last);
        children.get(start..end).unwrap_or(&[])
    }
}

/// What a range of values falls into at the highest level below a depth that tells them apart, and that level.
fn children(
    range: Span,
    depth: usize,
    levels: &[Level],
    codes: &[usize],
) -> Option<(usize, Vec<Node>)> {
    let codes = codes.get(range.first as usize..=range.last as usize)?;
    (0..depth).rev().find_map(|depth| {
        let level = levels.get(depth)?;
        let mut nodes: Vec<(u32, Node)> = Vec::new();
        for (rank, code) in (range.first..).zip(codes) {
            let label = level.label_of(*code as u32);
            match nodes.last_mut() {
                Some((last, node)) if *last == label => node.range.last = rank,
                _ => {
                    let name = level.labels.get(label as usize).cloned().unwrap_or_default();
                    let share = level.shares.get(label as usize).copied().unwrap_or(1.0);
                    let range = Span { first: rank, last: rank };
                    let (children, before) = (0..0, 0.0);
                    let node = Node { range, label: name, share, before, children, ordered: false };
                    nodes.push((label, node));
                }
            }
        }
        (nodes.len() > 1).then(|| (depth, nodes.into_iter().map(|(_, node)| node).collect()))
    })
}

fn last(count: usize) -> u32 {
    u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[&str]) -> Dictionary {
        let mut all = Dictionary::default();
        values.iter().for_each(|value| _ = all.add(value));
        all
    }

    fn group(taxonomy: &Taxonomy, first: u32, last: u32) -> (u32, u32, String, f64) {
        let (span, label) = taxonomy.group(Span { first, last });
        // Sums of shares are rounded.
        (span.first, span.last, label, (taxonomy.penalty(span) * 1e9).round() / 1e9)
    }

    fn part(of: f64, whole: f64) -> f64 {
        (of / whole * 1e9).round() / 1e9
    }

    #[test]
    fn numbers_are_ranges_in_their_order() {
        let values = values(&["100", "20", "", "7", "50"]);
        let found = Taxonomy::of(&values, &derive::derived("a", &values).unwrap());
        assert_eq!(
            (0..5).map(|rank| found.value(rank)).collect::<Vec<_>>(),
            ["", "7", "20", "50", "100"]
        );
        let expected = (2, 3, "20..50".to_owned(), part(30.0, 93.0));
        assert_eq!(group(&found, 2, 3), expected);
        assert_eq!(group(&found, 0, 2), (0, 4, "*".to_owned(), 1.0));
        assert_eq!(group(&found, 0, 0).2, "");
        assert!(found.cuts(Span { first: 1, last: 3 }).is_none());
        assert_eq!(found.cuts(Span { first: 0, last: 3 }).unwrap().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn codes_are_told_by_their_beginnings() {
        let values = values(&["10115", "10117", "20095", "20097", "20199"]);
        let found = Taxonomy::of(&values, &derive::derived("zip", &values).unwrap());
        assert_eq!(group(&found, 0, 1).2, "1011*");
        assert_eq!(group(&found, 2, 4).2, "20***");
        assert_eq!(group(&found, 1, 2).2, "*");
        assert_eq!(found.cuts(Span { first: 0, last: 4 }).unwrap().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn other_values_are_children_side_by_side() {
        let values = values(&["fr", "us", "de", "mx", "pl", "ca"]);
        let text = b"de;west;eu;*\nfr;west;eu;*\npl;east;eu;*\nus;am;am;*\nmx;am;am;*\nca;am;am;*\nbr;am;am;*\n";
        let hierarchy = Hierarchy::read(text, b';', "land", &values).unwrap();
        let found = Taxonomy::of(&values, &hierarchy);
        let order: Vec<_> = (0..6).map(|rank| found.value(rank)).collect();
        assert_eq!(order, ["ca", "mx", "us", "pl", "de", "fr"]);
        assert_eq!(group(&found, 4, 5), (4, 5, "west".to_owned(), part(2.0, 7.0)));
        assert_eq!(group(&found, 0, 1), (0, 1, "ca|mx".to_owned(), part(2.0, 7.0)));
        assert_eq!(group(&found, 3, 4), (3, 5, "eu".to_owned(), part(3.0, 7.0)));
        assert_eq!(group(&found, 2, 3), (0, 5, "*".to_owned(), 1.0));
        assert_eq!(found.cuts(Span { first: 0, last: 5 }).unwrap().collect::<Vec<_>>(), [3]);
        assert_eq!(found.cuts(Span { first: 3, last: 5 }).unwrap().collect::<Vec<_>>(), [4]);
    }
}
