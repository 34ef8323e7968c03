//! What `nearside run` answers, for tables and JSON alike.

use nearside_run::{Ran, Refused, Standing, Tried};
use schemars::JsonSchema;
use serde::Serialize;

use super::rehearse::view::RehearsalView;

/// The answer of `nearside run`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RunAnswer {
    /// Whether nothing was done, only said.
    pub(super) dry_run: bool,
    /// The stages that were looked at, in the order in which they run.
    pub(super) stages: Vec<StageRun>,
    /// What was rehearsed, where it was no full run.
    pub(super) rehearsal: Option<RehearsalView>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct StageRun {
    /// Its name.
    pub(super) stage: String,
    /// How it ended, or would: `current`, `restored`, `done`, `failed`, `refused` where it did
    /// not keep its promise, `skipped`, `interrupted`;
    /// in a dry run `current`, `restore`, `run` or `undecided`.
    pub(super) result: &'static str,
    /// How long its commands ran, in seconds, where they did.
    pub(super) seconds: Option<f64>,
    /// The most memory that its commands held at once, in bytes, where they ran and it was seen.
    pub(super) peak_memory_bytes: Option<u64>,
    /// Time that its commands were on processors, in seconds, where they ran and it was seen.
    pub(super) processor_seconds: Option<f64>,
    /// Energy that the machine used meanwhile, in joules, where all of it is known.
    pub(super) energy_joules: Option<f64>,
    /// Energy of the parts of the machine that are known, in joules, where some are not.
    pub(super) energy_at_least_joules: Option<f64>,
    /// What its commands reached, where they ran: `open`, `none`, or `not cut` where the system refused
    /// to cut them off from the network, as was assumed to be wanted.
    pub(super) network: Option<&'static str>,
    /// Why it ended so.
    pub(super) why: Option<String>,
    /// The exit code of the command that failed.
    pub(super) exit_code: Option<u8>,
    /// What changed since it last ended well, where it ran or would run.
    pub(super) changed: Vec<String>,
    /// What became of its trials, where a rule decides which are run.
    pub(super) trials: Vec<TrialRun>,
    /// The file that holds what it printed.
    pub(super) log: Option<String>,
    /// The last lines that it printed, where it failed; what speaks against its promise, and where, where it
    /// was refused.
    pub(super) last_lines: Vec<String>,
}

/// One trial of a stage whose trials are stopped by a rule.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TrialRun {
    /// What sets it apart, as in `rank=8`.
    pub(super) trial: String,
    /// `done`, `stopped` while it ran, or `skipped`.
    pub(super) result: &'static str,
    /// Its figure, where it was run.
    pub(super) metric: Option<f64>,
    /// Why it was stopped or skipped.
    pub(super) why: Option<String>,
    /// Whether it is the best one.
    pub(super) best: bool,
}

impl TrialRun {
    pub(super) fn of(tried: Tried) -> Self {
        let result = match (&tried.figure, &tried.left_out) {
            (Some(_), None) => "done",
            (Some(_), Some(_)) => "stopped",
            (None, _) => "skipped",
        };
        let Tried { name, figure, left_out, best } = tried;
        Self { trial: name, result, metric: figure, why: left_out, best }
    }
}

impl StageRun {
    pub(super) fn named(stage: &str, result: &'static str) -> Self {
        Self {
            stage: stage.to_owned(),
            result,
            seconds: None,
            peak_memory_bytes: None,
            processor_seconds: None,
            energy_joules: None,
            energy_at_least_joules: None,
            network: None,
            why: None,
            exit_code: None,
            changed: Vec::new(),
            trials: Vec::new(),
            log: None,
            last_lines: Vec::new(),
        }
    }

    /// A stage that ended.
    pub(super) fn ended(stage: &str, ran: &Ran) -> Self {
        match ran {
            Ran::Current => Self::named(stage, "current"),
            Ran::Restored => Self::named(stage, "restored"),
            Ran::Interrupted => Self::named(stage, "interrupted"),
            Ran::Done(took) => {
                Self { seconds: Some(took.as_secs_f64()), ..Self::named(stage, "done") }
            }
            Ran::Skipped(why) => Self { why: Some(why.clone()), ..Self::named(stage, "skipped") },
            Ran::Refused(Refused { why, lines }) => Self {
                why: Some(why.clone()),
                last_lines: lines.clone(),
                ..Self::named(stage, "refused")
            },
            Ran::Failed { why, code, tail } => Self {
                why: Some(why.clone()),
                exit_code: *code,
                last_lines: tail.clone(),
                ..Self::named(stage, "failed")
            },
        }
    }

    /// A stage of a dry run.
    pub(super) fn standing(stage: &str, standing: &Standing) -> Self {
        match standing {
            Standing::Current => Self::named(stage, "current"),
            Standing::Kept => Self::named(stage, "restore"),
            Standing::Stale(changed) => Self {
                changed: changed.iter().map(ToString::to_string).collect(),
                ..Self::named(stage, "run")
            },
        }
    }
}
