//! `nearside cache reseal`: a new key for what is kept of people's data.
//!
//! First everything is sealed for both keys, then the new one takes the place of the old one, then everything
//! is sealed for the new one alone: whenever it is ended, the key that is there opens all of it, and it is
//! done by doing it again.

use std::path::{Path, PathBuf};

use nearside_privacy::sealing_key;
use nearside_privacy::vault::Vault;
use nearside_run::Runner;
use nearside_store::atomic;
use nearside_store::sealed::{Identity, Recipient};
use schemars::JsonSchema;
use serde::Serialize;

use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::certificates::no_key;
use crate::wire::jobs::failed;
use crate::wire::keys::{self, Purpose};

/// The answer of `nearside cache reseal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ResealAnswer {
    /// The public half of the new key.
    recipient: String,
    /// The file that it is in.
    key_file: String,
    /// Files that are sealed with it now.
    resealed: u64,
    /// Files that are sealed for other keys, and stay so.
    left: u64,
}

/// Everything of a project that may be sealed.
struct Kept {
    runners: Vec<Runner>,
    vaults: Vec<Vault>,
}

pub(super) fn run(path: &Path, output: &Output) -> Result<Outcome, CommandError> {
    let loaded = wire::project::load(path, &[])?;
    let file = keys::file(&loaded, Purpose::Sealing)?.ok_or_else(|| {
        CommandError::new(Fault::World, "there is no folder of yours to keep a key in")
            .hint("set HOME or NEARSIDE_CONFIG_DIR")
    })?;
    let records = [false, true].map(|rehearsal| wire::jobs::record(&loaded, rehearsal));
    let vaults = records.into_iter().map(|record| Ok(Vault::at(record?.join("vault"))));
    let kept = Kept {
        runners: vec![wire::jobs::runner(&loaded)?, wire::rehearsal::runner(&loaded)?],
        vaults: vaults.collect::<Result<_, CommandError>>()?,
    };
    let answer = reseal(&kept, &file)?;
    report(&answer, output);
    Ok(if answer.left == 0 { Outcome::Done } else { Outcome::Partly })
}

fn reseal(kept: &Kept, file: &Path) -> Result<ResealAnswer, CommandError> {
    let beside: PathBuf = file.with_added_extension("new");
    let open = |file: &Path| sealing_key::open(file).map_err(|error| no_key(&error));
    let (old, new) = (open(file)?, open(&beside)?);
    kept.rewrap(&old, &[old.recipient(), new.recipient()])?;
    let replaced = atomic::replace(&beside, file);
    replaced.map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
    let (resealed, left) = kept.rewrap(&new, &[new.recipient()])?;
    let (recipient, key_file) = (new.recipient().to_string(), file.display().to_string());
    Ok(ResealAnswer { recipient, key_file, resealed, left })
}

impl Kept {
    fn rewrap(&self, with: &Identity, to: &[Recipient]) -> Result<(u64, u64), CommandError> {
        let (mut handed, mut left) = (0, 0);
        let mut add = |(one, other): (u64, u64)| {
            handed += one;
            left += other;
        };
        for runner in &self.runners {
            add(runner.rewrap(with, to).map_err(failed)?);
        }
        for vault in &self.vaults {
            let wrapped = vault.rewrap(with, to);
            add(wrapped.map_err(|error| CommandError::new(Fault::World, error.to_string()))?);
        }
        Ok((handed, left))
    }
}

fn report(answer: &ResealAnswer, output: &Output) {
    if output.form == Form::Json {
        let schema = "nearside/cache-reseal/1";
        let answer = Answer { schema, data: answer, warnings: &[], sources: &[] };
        return output.json(&answer, environment::today());
    }
    let files = if answer.resealed == 1 { "file is" } else { "files are" };
    output
        .text(&format!("{} {files} sealed with a new key, {}", answer.resealed, answer.recipient));
    if answer.left > 0 {
        output.warning(&format!("{} are sealed for other keys and stay so", answer.left));
    }
    output.hint(&format!("keep a copy of {} in a safe place", answer.key_file));
}
