//! What breaks again and again: failures of stages by what they said, how often, and what came of them.
//!
//! Two failures are the same when a stage said the same but for numbers. What made it succeed is told by keys: the
//! same key ran later, so nothing that the stage depends on was changed; or another one did.

use std::collections::BTreeMap;

use nearside_units::Duration;

/// What is worth trying when a failure says one of these words (in small letters), the most telling first.
const REMEDIES: [(&str, &str); 12] = [
    (
        "out of memory",
        "ask `nearside fit` what makes it fit: a smaller batch, checkpointing, a quantized model",
    ),
    ("cannot allocate memory", "ask `nearside fit` what makes it fit, or close other programs"),
    (
        "no kernel image",
        "the framework was not built for this card: `nearside doctor` names a build that was",
    ),
    (
        "cuda driver version is insufficient",
        "a newer driver, or a build for this one: `nearside doctor`",
    ),
    ("no space left on device", "make room: `nearside cache prune`, `df -h`"),
    ("is full", "make room: `nearside cache prune`, `df -h`"),
    ("no module named", "rebuild the environment as written above"),
    ("no such program", "install it, or name the environment that has it"),
    ("permission denied", "look at the owner of the file or device, and at your groups (`id`)"),
    (
        "name resolution",
        "the network was away: run it again; `network` of the stage says whether it may be used",
    ),
    ("timed out", "the other side was slow or away: run it again"),
    (
        "signal 9",
        "killed from outside, most often for want of memory: `journalctl -k | grep -i oom`",
    ),
];

/// One try at a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The stage.
    pub stage: String,
    /// The key of everything that it depends on.
    pub key: String,
    /// When it began, since any moment that all have in common.
    pub began: Duration,
    /// What came of it.
    pub ended: Ended,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ran to its end.
    Well,
    /// It failed, and said so.
    Failed(String),
}

/// A failure that happened once or more.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The stage.
    pub stage: String,
    /// What it said the last time.
    pub said: String,
    /// How often.
    pub times: usize,
    /// When it last began and failed so, since the same moment.
    pub last: Duration,
    /// What came after the last time.
    pub afterwards: Afterwards,
    /// What is worth trying, where what it said tells.
    pub remedy: Option<&'static str>,
}

/// What came after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// The stage has not ended well since.
    Nothing,
    /// The very same ended well later: something passing was in the way.
    TheSame,
    /// It ended well after something that it depends on was changed.
    Changed,
}

/// Failures by stage and what was said, the most frequent first; attempts come in the order of recording.
///
/// ```
/// use nearside_economics::fault::{Afterwards, Attempt, Ended, faults};
/// use nearside_units::Duration;
/// let attempt = |hour: f64, key: &str, ended: Ended| Attempt {
///     stage: "train".to_owned(), key: key.to_owned(), began: Duration::hours(hour), ended };
/// let failed = |said: &str| Ended::Failed(said.to_owned());
/// let found = faults(&[
///     attempt(1.0, "a", failed("CUDA out of memory: 2.5 GiB")),
///     attempt(2.0, "a", failed("CUDA out of memory: 3.5 GiB")),
///     attempt(3.0, "b", Ended::Well),
/// ]);
/// assert_eq!((found.len(), found[0].times, found[0].afterwards), (1, 2, Afterwards::Changed));
/// assert_eq!(found[0].said, "CUDA out of memory: 3.5 GiB");
/// assert!(found[0].remedy.unwrap().contains("nearside fit"));
/// ```
#[must_use]
pub fn faults(attempts: &[Attempt]) -> Vec<Fault> {
    let mut found: BTreeMap<(&str, String), Fault> = BTreeMap::new();
    for (at, attempt) in attempts.iter().enumerate() {
        let Ended::Failed(said) = &attempt.ended else { continue };
        let times = found.get(&(&*attempt.stage, shape(said))).map_or(0, |fault| fault.times);
        let fault = Fault {
            stage: attempt.stage.clone(),
            said: said.clone(),
            times: times + 1,
            last: attempt.began,
            afterwards: afterwards(attempt, &attempts[at + 1..]),
            remedy: remedy(said),
        };
        found.insert((&attempt.stage, shape(said)), fault);
    }
    let mut all: Vec<Fault> = found.into_values().collect();
    all.sort_by(|one, other| {
        other.times.cmp(&one.times).then(other.last.as_seconds().total_cmp(&one.last.as_seconds()))
    });
    all
}

fn afterwards(failed: &Attempt, later: &[Attempt]) -> Afterwards {
    let well = later.iter().find(|it| it.stage == failed.stage && it.ended == Ended::Well);
    match well {
        None => Afterwards::Nothing,
        Some(well) if well.key == failed.key => Afterwards::TheSame,
        Some(_) => Afterwards::Changed,
    }
}

/// What was said without its numbers, which differ each time.
fn shape(said: &str) -> String {
    let mut shape = String::with_capacity(said.len());
    for letter in said.chars() {
        match letter.is_ascii_digit() {
            true if shape.ends_with('#') => {}
            true => shape.push('#'),
            false => shape.push(letter),
        }
    }
    shape
}

fn remedy(said: &str) -> Option<&'static str> {
    let said = said.to_lowercase();
    REMEDIES.iter().find(|(words, _)| said.contains(words)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(stage: &str, key: &str, said: Option<&str>) -> Attempt {
        let ended = said.map_or(Ended::Well, |said| Ended::Failed(said.to_owned()));
        Attempt { stage: stage.to_owned(), key: key.to_owned(), began: Duration::ZERO, ended }
    }

    #[test]
    fn what_came_after_is_told_by_keys() {
        let after = |later: &[Attempt]| {
            let mut all = vec![attempt("train", "a", Some("exit code 1: boom"))];
            all.extend_from_slice(later);
            faults(&all)[0].afterwards
        };
        assert_eq!(after(&[]), Afterwards::Nothing);
        assert_eq!(after(&[attempt("other", "a", None)]), Afterwards::Nothing);
        assert_eq!(after(&[attempt("train", "a", None)]), Afterwards::TheSame);
        assert_eq!(after(&[attempt("train", "b", None)]), Afterwards::Changed);
    }

    #[test]
    fn stages_and_words_tell_faults_apart_and_numbers_do_not() {
        let all = [
            attempt("train", "a", Some("exit code 1: step 12 of 90")),
            attempt("train", "a", Some("exit code 1: step 7 of 90")),
            attempt("train", "a", Some("signal 9")),
            attempt("judge", "a", Some("signal 9")),
        ];
        let found = faults(&all);
        let seen: Vec<_> = found
            .iter()
            .map(|fault| (&*fault.stage, fault.times, fault.remedy.is_some()))
            .collect();
        assert_eq!(seen, [("train", 2, false), ("judge", 1, true), ("train", 1, true)]);
    }

    #[test]
    fn remedies_are_found_in_what_programs_say() {
        for (said, told) in [
            ("exit code 1: ModuleNotFoundError: No module named 'torch'", "environment"),
            ("exit code 1: OSError: [Errno 28] No space left on device", "cache prune"),
            ("127: no such program", "install"),
            ("RuntimeError: CUDA error: no kernel image is available", "doctor"),
        ] {
            assert!(remedy(said).is_some_and(|remedy| remedy.contains(told)), "{said}");
        }
        assert_eq!(remedy("exit code 3"), None);
        assert!(REMEDIES.iter().all(|(words, _)| *words == words.to_lowercase()));
    }
}
