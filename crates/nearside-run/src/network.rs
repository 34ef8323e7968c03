//! What the commands of a job reach: what is wanted, and what comes of it on this machine.

use crate::{Job, RunError, Runner, sandbox};

/// What the commands of a job are to reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// What this machine reaches.
    #[default]
    Open,
    /// Nothing but themselves, where the system allows to cut them off.
    CutIfPossible,
    /// Nothing but themselves, or they do not run at all.
    Cut,
}

/// What the commands of a job reach here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What this machine reaches.
    Open,
    /// Nothing but themselves.
    Cut,
    /// What this machine reaches, because the system refused to cut them off; why.
    NotCut(String),
}

impl Runner {
    /// Complains about a job that this machine cannot run as it is to be run.
    pub(crate) fn can_run(&self, job: &Job) -> Result<(), RunError> {
        self.image(job)?;
        self.reach(job).map(drop)
    }

    /// What the commands of a job reach here. The system is asked once, and only where it matters.
    ///
    /// # Errors
    /// When they must be cut off and cannot be.
    pub fn reach(&self, job: &Job) -> Result<Reach, RunError> {
        if job.network == Network::Open {
            return Ok(Reach::Open);
        }
        if job.image.is_some() {
            // Its engine cuts it off, or does not run it.
            return Ok(Reach::Cut);
        }
        let sandbox = self.sandbox.get_or_init(|| sandbox::probe(&self.program));
        match (sandbox, job.network) {
            (Ok(()), _) => Ok(Reach::Cut),
            (Err(why), Network::Cut) => {
                Err(RunError::NoSandbox { stage: job.name.clone(), why: why.clone() })
            }
            (Err(why), _) => Ok(Reach::NotCut(why.clone())),
        }
    }
}
