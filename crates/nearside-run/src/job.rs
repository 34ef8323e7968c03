//! A stage as it is executed, and the stages of a project in their order.

use std::path::{Component, Path};

use nearside_store::AtRest;

use crate::{Network, RunError, Stop};

/// A stage as it is executed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Job {
    /// Its name, which also names its files in the record.
    pub name: String,
    /// What it executes, one after the other; the same outputs belong to all.
    pub trials: Vec<Trial>,
    /// What it reads: paths relative to the project's folder.
    pub inputs: Vec<String>,
    /// What it writes: paths relative to the project's folder.
    pub outputs: Vec<String>,
    /// What is set in the environment of its commands; its results depend on it.
    pub variables: Vec<(String, String)>,
    /// The image of the container that it runs in.
    pub image: Option<String>,
    /// What its commands reach.
    pub network: Network,
    /// How what is kept of it lies on the disk: its results, and what it printed.
    pub at_rest: AtRest,
    /// When its trials need not all be run.
    pub stop: Option<Stop>,
    /// The jobs that come before it, by their place.
    pub waits_for: Vec<usize>,
}

/// One command of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// What sets it apart from the others, as in `rank=8`; empty where there is one.
    pub name: String,
    /// What a shell executes.
    pub command: String,
    /// The file that it writes the figure to which trials are stopped by.
    pub metric: Option<String>,
}

/// The stages of a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Jobs {
    /// In the order of the file.
    pub jobs: Vec<Job>,
    /// Places in `jobs`, each after those that it waits for.
    pub order: Vec<usize>,
}

impl Jobs {
    /// The place of a job by its name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.jobs.iter().position(|job| job.name == name)
    }

    /// A job and everything that waits for it, in order.
    #[must_use]
    pub fn from(&self, first: usize) -> Vec<usize> {
        let mut reached = vec![first];
        for place in &self.order {
            let waits = self.jobs[*place].waits_for.iter().any(|before| reached.contains(before));
            if waits && !reached.contains(place) {
                reached.push(*place);
            }
        }
        let reached = |place: &&usize| reached.contains(place);
        self.order.iter().filter(reached).copied().collect()
    }
}

impl Job {
    /// Complains about a job that cannot be executed.
    pub(crate) fn check(&self) -> Result<(), RunError> {
        let stage = self.name.clone();
        match self.outputs.iter().find(|path| !is_inside(path)) {
            Some(path) => Err(RunError::Outside { stage, path: path.clone() }),
            None => Ok(()),
        }
    }
}

/// Whether a path names something below the folder that it is relative to.
fn is_inside(path: &str) -> bool {
    let normal = |component: Component<'_>| matches!(component, Component::Normal(_));
    let mut components = Path::new(path).components().filter(|part| *part != Component::CurDir);
    let first = components.next();
    first.is_some_and(normal) && components.all(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_stay_inside() {
        for (path, inside) in [
            ("build/x", true),
            ("./x", true),
            ("x", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a/../../x", false),
            ("/tmp/x", false),
        ] {
            assert_eq!(is_inside(path), inside, "{path}");
        }
    }

    #[test]
    fn what_waits_for_a_job_comes_after_it() {
        let job = |waits_for: &[usize]| Job { waits_for: waits_for.to_vec(), ..Job::default() };
        let jobs = vec![job(&[2]), job(&[]), job(&[]), job(&[0, 1])];
        let jobs = Jobs { jobs, order: vec![1, 2, 0, 3] };
        assert_eq!(jobs.from(2), [2, 0, 3]);
        assert_eq!(jobs.from(1), [1, 3]);
    }
}
