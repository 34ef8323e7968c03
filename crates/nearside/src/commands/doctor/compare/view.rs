//! The answer of `nearside doctor --compare` as data: what text and JSON both show.

use std::path::Path;

use nearside_workload::EnvironmentLock;
use nearside_workload::environment_lock::{Difference, Effect, NotCompared, compare};
use schemars::JsonSchema;
use serde::Serialize;

use crate::wire::environment_lock::digest;

/// The answer of `nearside doctor --compare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct CompareAnswer {
    /// The file that this machine is compared with.
    pub(super) file: String,
    /// What follows for results.
    pub(super) verdict: Verdict,
    /// Of what can change a result here.
    pub(super) digest_here: String,
    /// The same of the file.
    pub(super) digest_there: String,
    /// Everything that is not the same, what could change a result first.
    pub(super) differences: Vec<DifferenceView>,
    /// What is not known on one side.
    pub(super) not_compared: Vec<NotComparedView>,
}

/// What follows for results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Nothing that was found could change one.
    SameResults,
    /// Something could change one.
    OtherResults,
    /// Something that could change one is not known.
    CannotTell,
}

/// A part that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct DifferenceView {
    /// What it is.
    pub(super) part: String,
    /// How it is here.
    pub(super) here: String,
    /// How it is there.
    pub(super) there: String,
    /// What the difference can change.
    pub(super) changes: Changes,
    /// How.
    pub(super) why: String,
}

/// What a difference can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Changes {
    /// What comes out.
    Result,
    /// How long it takes, or whether there is room.
    Speed,
    /// Nothing that a stage would see.
    Nothing,
}

/// A part that is not known on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct NotComparedView {
    /// What it is.
    pub(super) part: String,
    /// Why it is not known.
    pub(super) why: String,
    /// What a difference could change.
    pub(super) changes: Changes,
}

impl From<Effect> for Changes {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Result => Self::Result,
            Effect::Speed => Self::Speed,
            Effect::Nothing => Self::Nothing,
        }
    }
}

impl CompareAnswer {
    pub(super) fn of(file: &Path, here: &EnvironmentLock, there: &EnvironmentLock) -> Self {
        let (differences, not_compared) = compare(here, there);
        let difference = |one: Difference| DifferenceView {
            part: one.name,
            here: one.here,
            there: one.there,
            changes: one.effect.into(),
            why: one.why.to_owned(),
        };
        let unknown = |one: NotCompared| NotComparedView {
            part: one.name,
            why: one.why,
            changes: one.effect.into(),
        };
        let differences: Vec<_> = differences.into_iter().map(difference).collect();
        let not_compared: Vec<_> = not_compared.into_iter().map(unknown).collect();
        let verdict = if differences.iter().any(|one| one.changes == Changes::Result) {
            Verdict::OtherResults
        } else if not_compared.iter().any(|one| one.changes == Changes::Result) {
            Verdict::CannotTell
        } else {
            Verdict::SameResults
        };
        Self {
            file: file.display().to_string(),
            verdict,
            digest_here: digest(here).to_string(),
            digest_there: digest(there).to_string(),
            differences,
            not_compared,
        }
    }
}
