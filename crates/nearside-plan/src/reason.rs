//! Why is a stage where it is, and why is it nowhere else?

use std::fmt;
use std::sync::Arc;

use crate::amount::{Amount, Objective};
use crate::problem::Obstacle;

/// Why a choice was not taken. Everything else in the plan is held fixed.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// It may not be taken.
    Obstacles(Vec<Obstacle>),
    /// A figure that the objective or a limit needs is unknown.
    Unknown {
        /// The figure.
        figure: Objective,
        /// Why it is unknown.
        why: Arc<str>,
    },
    /// Its data cannot move to or from where the neighbouring stages are.
    Blocked(Arc<str>),
    /// The plan would break a numeric limit, by this much.
    Breaks {
        /// By how much the limit would be exceeded.
        by: Amount,
    },
    /// The plan would be dearer, later or emit more, by this much of the objective.
    Worse {
        /// The difference.
        by: Amount,
    },
    /// The plan would be equally good.
    Tie,
    /// The plan would be better. Only where the plan's proof is a gap.
    Better {
        /// The difference.
        by: Amount,
    },
}

/// A choice that was not taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The position of the choice.
    pub choice: usize,
    /// Why not.
    pub why: Why,
}

/// Why a choice was taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// No other choice may be taken.
    OnlyEligible,
    /// No plan exists with this stage at another site.
    OnlySite,
    /// No other choice of this stage has a smaller figure of its own.
    Best {
        /// The objective.
        objective: Objective,
        /// By how much the best plan with this stage at another site is worse; `None` when that
        /// plan was not sought or does not exist.
        by: Option<Amount>,
    },
    /// Another choice has a smaller figure, but its transfers, and the waits it causes, weigh more.
    AvoidsTransfer {
        /// That choice.
        instead_of: usize,
        /// How much smaller its own figure is.
        alone: Amount,
        /// How much worse the whole plan would be.
        together: Amount,
    },
    /// Another choice has a smaller figure, but its data cannot move.
    KeepsDataMoving {
        /// That choice.
        instead_of: usize,
        /// Why the data cannot move.
        why: Arc<str>,
    },
    /// Another choice has a smaller figure, but the plan would break a limit.
    MeetsLimit {
        /// That choice.
        instead_of: usize,
        /// By how much the limit would be exceeded.
        by: Amount,
    },
    /// Another choice would do as well; the tie was decided by the other figures, or the order.
    Tie {
        /// That choice.
        with: usize,
    },
}

fn limit(by: &Amount) -> &'static str {
    match by.of() {
        Objective::Cost => "budget",
        Objective::Time => "deadline",
        Objective::Carbon => "carbon budget",
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hard(why) | Self::Limit { why, .. } => formatter.write_str(why),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Obstacles(obstacles) => {
                for (index, obstacle) in obstacles.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(formatter, "{separator}{obstacle}")?;
                }
                Ok(())
            }
            Self::Unknown { figure, why } => write!(formatter, "{figure} unknown: {why}"),
            Self::Blocked(why) => write!(formatter, "its data cannot move: {why}"),
            Self::Breaks { by } => write!(formatter, "would break the {} by {by}", limit(by)),
            Self::Worse { by } => write!(formatter, "{} by {by}", by.of().more()),
            Self::Tie => formatter.write_str("equally good"),
            Self::Better { by } => {
                write!(formatter, "better by {by}, but the search was cut short before it")
            }
        }
    }
}

impl fmt::Display for Reason {
    /// A phrase that follows the name of the chosen site; other choices are meant, not named.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyEligible => formatter.write_str("the only choice allowed"),
            Self::OnlySite => formatter.write_str("the only site with which a plan exists"),
            Self::Best { objective, by: None } => formatter.write_str(objective.best()),
            Self::Best { objective, by: Some(by) } => {
                write!(formatter, "{} by {by}", objective.best())
            }
            Self::AvoidsTransfer { alone, together, .. } => write!(
                formatter,
                "another is {alone} less by itself, but with transfers and waits {together} more"
            ),
            Self::KeepsDataMoving { why, .. } => {
                write!(formatter, "the data cannot move to the best one by itself: {why}")
            }
            Self::MeetsLimit { by, .. } => {
                write!(
                    formatter,
                    "keeps the {}: the best one by itself breaks it by {by}",
                    limit(by)
                )
            }
            Self::Tie { .. } => {
                formatter.write_str("as good as another, and better or equal otherwise")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::{Micros, Milliseconds};

    #[test]
    fn reasons_read_as_plain_english() {
        let money = Amount::Cost(Micros::new(12_340_000));
        let time = Amount::Time(Milliseconds::new(5_400_000));
        let best = Reason::Best { objective: Objective::Cost, by: Some(money) };
        assert_eq!(best.to_string(), "cheapest by 12.34");
        assert_eq!(Why::Worse { by: money }.to_string(), "dearer by 12.34");
        assert_eq!(Why::Breaks { by: time }.to_string(), "would break the deadline by 1.50 h");
        let why = Why::Unknown { figure: Objective::Carbon, why: "no grid figure".into() };
        assert_eq!(why.to_string(), "carbon unknown: no grid figure");
        let obstacles = ["does not fit", "too secret"].map(|why| Obstacle::Hard(why.to_owned()));
        assert_eq!(Why::Obstacles(obstacles.to_vec()).to_string(), "does not fit; too secret");
    }
}
