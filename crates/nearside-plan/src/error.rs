//! What can be wrong with a problem before anything is placed.

use thiserror::Error;

/// Why a problem cannot be solved as it was posed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProblemError {
    /// There is nothing to place.
    #[error("the problem has no stages")]
    Empty,
    /// A stage has nowhere to go.
    #[error("stage `{stage}` has no choices")]
    NoChoices {
        /// Its name.
        stage: String,
    },
    /// An edge names a stage that does not exist.
    #[error("edge {edge} goes from stage {from} to stage {to}, but there are {stages} stages")]
    EdgeOutOfRange {
        /// Position of the edge.
        edge: usize,
        /// Where it starts.
        from: usize,
        /// Where it ends.
        to: usize,
        /// How many stages there are.
        stages: usize,
    },
    /// An edge goes backwards: the stages are not in topological order.
    #[error(
        "edge {edge} goes from stage {from} back to stage {to}: stages must be listed in order"
    )]
    EdgeNotForward {
        /// Position of the edge.
        edge: usize,
        /// Where it starts.
        from: usize,
        /// Where it ends.
        to: usize,
    },
    /// The table of routes is not locations times locations long.
    #[error("the table of routes has {found} entries; {locations} locations need {expected}")]
    RoutesSize {
        /// How many locations it claims.
        locations: usize,
        /// How many entries that takes.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A choice is in a place the table of routes does not know.
    #[error("stage `{stage}` at `{site}` is in location {location}; there are {locations}")]
    LocationOutOfRange {
        /// Name of the stage.
        stage: String,
        /// Site of the choice.
        site: String,
        /// The location it names.
        location: usize,
        /// How many there are.
        locations: usize,
    },
    /// An obstacle names a limit the problem does not have.
    #[error("stage `{stage}` at `{site}` breaks limit {limit}; there are {limits} named limits")]
    LimitOutOfRange {
        /// Name of the stage.
        stage: String,
        /// Site of the choice.
        site: String,
        /// The limit it names.
        limit: usize,
        /// How many there are.
        limits: usize,
    },
    /// The figures are so large that their sum could not be held exactly.
    #[error("the figures for {what} could add up to more than 2^57")]
    Overflow {
        /// Cost, carbon or time.
        what: &'static str,
    },
    /// A Pareto front was asked for along no axis.
    #[error("a Pareto front needs at least one of cost, time and carbon")]
    NoAxes,
    /// The search reached its cap before it found a plan or proved that there is none.
    #[error("no plan found, and none excluded, within {labels} partial plans per stage")]
    SearchCapped {
        /// The cap that was reached.
        labels: usize,
    },
}
