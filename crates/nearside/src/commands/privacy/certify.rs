//! `nearside privacy certify`: proves that an artifact is of a class, and holds earlier proofs against what
//! is there now.

mod text;
mod view;

use std::path::{Path, PathBuf};

use nearside_policy::{Class, Expert, Ground, Hidden, Subject};
use nearside_privacy::artifact::Examined;
use nearside_privacy::tabular::Requirement;
use nearside_privacy::tabular::verify::Verification;
use nearside_privacy::{listing, rules};
use serde::Serialize;

use view::{CertificateView, KeyView};
pub(crate) use view::{CertificatesAnswer, CertifyAnswer, VerifyAnswer};

use super::table::{self, Left, Table};
use crate::cli::{Certify, Required};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::certificates::{Certificates, Claim, Held, closed};
use crate::wire::project::Loaded;

pub(super) fn run(arguments: &Certify, output: &Output) -> Result<Outcome, CommandError> {
    let loaded = wire::project::load(&arguments.project, &[])?;
    let record = wire::jobs::record(&loaded, arguments.rehearsal)?;
    let folder = match arguments.rehearsal {
        true => record.join("project"),
        false => wire::jobs::folder(&loaded)?,
    };
    let certificates = Certificates::of(&loaded, record)?;
    let reason = arguments.reason.clone().unwrap_or_default();
    if let Some(key) = &arguments.revoke {
        revoke(&certificates, key, &reason)?;
        return list(&certificates, output);
    }
    if arguments.rotate {
        let key = certificates.rotate()?;
        hint(output, &format!("from now on {key} signs; what the old key signed stays valid"));
        return list(&certificates, output);
    }
    let Some(path) = &arguments.artifact else { return list(&certificates, output) };
    let artifact = Named { path: path.clone(), name: name(path, &folder) };
    match arguments.verify {
        true => verify(&certificates, &artifact, arguments.class.into(), output),
        false => certify(&loaded, &certificates, &artifact, arguments, output),
    }
}

/// An artifact, and what the project calls it.
struct Named {
    path: PathBuf,
    name: String,
}

/// The path in the project, or the name where it lies elsewhere.
fn name(path: &Path, folder: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_not_there| path.to_path_buf());
    let (path, folder) = (real(path), real(folder));
    let inside = path.strip_prefix(folder).ok().filter(|inside| !inside.as_os_str().is_empty());
    let name = inside.map(Path::as_os_str).or(path.file_name());
    name.unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What an artifact is before anybody looked into it, the stage that made it, and who says so.
fn declared(loaded: &Loaded, name: &str) -> (Class, Option<String>, String) {
    let holds = |path: &str| Path::new(name).starts_with(path);
    let project = &loaded.project;
    if let Some(dataset) = project.datasets.iter().find(|dataset| holds(&dataset.path)) {
        return (dataset.class, None, format!("dataset {} is", dataset.name.value));
    }
    let made =
        |stage: &&nearside_workload::Stage| stage.outputs.iter().any(|output| holds(&output.path));
    match project.stages.iter().find(made) {
        Some(stage) => {
            let name = stage.name.value.clone();
            let why = format!("stage {name} reads such data");
            (stage.reads, Some(name), why)
        }
        None => (Class::Personal, None, "nobody says what it is".to_owned()),
    }
}

fn certify(
    loaded: &Loaded,
    certificates: &Certificates,
    artifact: &Named,
    arguments: &Certify,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let Named { path, name } = artifact;
    let examined = certificates.artifact(path.clone(), name).examine();
    let examined = examined.map_err(|error| closed(&error))?;
    let (said, stage, mut because) = declared(loaded, name);
    let from = said.max(examined.class());
    if from > said {
        because = "a scan found such data in it".to_owned();
    }
    let to = Class::from(arguments.class);
    let ground = ground(path, arguments, &examined, to)?;
    let held = match ground {
        // There is nothing to be lowered.
        _ if from <= to => None,
        None => None,
        Some(ground) => {
            let subject = Subject { name: name.clone(), digests: examined.digests };
            Some(certificates.certify(Claim { subject, stage, from, to, ground })?)
        }
    };
    let answer = CertifyAnswer {
        artifact: name.clone(),
        from: from.to_string(),
        because,
        to: to.to_string(),
        result: match (&held, from <= to) {
            (_, true) => "not needed",
            (Some(_), _) => "certified",
            (None, _) => "refused",
        },
        certificate: held.as_ref().map(CertificateView::of),
        against: view::Against::of(&examined, to),
    };
    print("nearside/privacy-certify/1", &answer, text::certified, output);
    if answer.result != "refused" {
        return Ok(Outcome::Done);
    }
    let next = match examined.secrets() {
        0 => "take it out; or decide yourself: --expert --reason TEXT --approver NAME",
        _ => "take the secrets out, and change them: nobody's decision lets them leave",
    };
    hint(output, next);
    Ok(Outcome::Negative)
}

/// On what ground it is lowered, if there is one.
fn ground(
    path: &Path,
    arguments: &Certify,
    examined: &Examined,
    to: Class,
) -> Result<Option<Ground>, CommandError> {
    if let Some(requirement) = arguments.required.requirement() {
        let hidden = hidden(path, &arguments.required, &requirement)?;
        let clean = examined.secrets() == 0
            && examined.unreadable == 0
            && (examined.is_clean(to) || nothing_beside(path, &arguments.required, to)?);
        // What was judged is what was scanned.
        if listing::digests(path).map_err(|error| closed(&error))? != examined.digests {
            let message = format!("{} changed while it was looked into", path.display());
            return Err(CommandError::new(Fault::World, message));
        }
        return Ok(clean.then_some(Ground::Hidden(hidden)));
    }
    let ground = match (arguments.expert, &arguments.reason, &arguments.approver) {
        (true, Some(reason), Some(approver)) => {
            let count = |(entity, count): (&nearside_privacy::scan::Entity, &u64)| {
                (entity.name().to_owned(), *count)
            };
            let decided = Expert {
                reason: reason.clone(),
                approver: approver.clone(),
                despite: examined.counts.iter().map(count).collect(),
                unreadable: examined.unreadable,
            };
            (examined.secrets() == 0).then_some(Ground::Expert(decided))
        }
        _ => examined.is_clean(to).then(|| Ground::ScanClean(rules::scan())),
    };
    Ok(ground)
}

/// Whether a search finds nothing beside the quasi-identifiers: their values hide among others.
fn nothing_beside(path: &Path, required: &Required, to: Class) -> Result<bool, CommandError> {
    let table = Table::open(path, &environment::temporary_folder())?;
    let above = Class::ALL.into_iter().find(|class| *class > to).unwrap_or(to);
    let left = Left::beside(&required.quasi, &mut table.reader()?, above);
    Ok(left.map_err(|error| table::failed(error.into()))?.is_empty())
}

/// What the rows of a table keep, told from the table alone.
fn hidden(
    path: &Path,
    required: &Required,
    requirement: &Requirement,
) -> Result<Hidden, CommandError> {
    let Required { quasi, sensitive, .. } = required;
    let table = Table::open(path, &environment::temporary_folder())?;
    let verification = Verification {
        dialect: table.dialect,
        quasi,
        sensitive: sensitive.as_deref(),
        threads: table::threads(),
    };
    let verified = verification.table(table.reader()?).map_err(table::failed)?;
    if !verified.keeps(requirement) {
        let k = verified.k;
        let message = format!(
            "{} does not keep {requirement}: its smallest class has {k} of its {} rows",
            path.display(),
            verified.rows
        );
        let hint = "nearside privacy anonymize --k makes one that does";
        return Err(CommandError::new(Fault::Input, message).hint(hint));
    }
    Ok(Hidden {
        scan: rules::scan(),
        quasi: quasi.clone(),
        sensitive: sensitive.clone(),
        keeps: requirement.to_string(),
        k: verified.k,
        rows: verified.rows,
        classes: verified.classes,
    })
}

fn verify(
    certificates: &Certificates,
    artifact: &Named,
    class: Class,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let digests = listing::digests(&artifact.path).map_err(|error| closed(&error))?;
    let of_content = certificates.of_content(digests.blake3)?;
    let good = of_content.iter().find(|held| held.holds(&digests, class).is_ok());
    let named = || -> Result<Option<Held>, CommandError> {
        let of_name = |held: &Held| held.row.path == artifact.name;
        Ok(certificates.all()?.into_iter().rev().find(of_name))
    };
    // What comes nearest tells why there is none.
    let other = if good.is_none() && of_content.is_empty() { named()? } else { None };
    let shown = good.or(of_content.first()).or(other.as_ref());
    let why_not = match shown {
        None => Some("there is no certificate for it".to_owned()),
        Some(held) => held.holds(&digests, class).err(),
    };
    let answer = VerifyAnswer {
        artifact: artifact.name.clone(),
        class: class.to_string(),
        valid: why_not.is_none(),
        why_not,
        blake3: digests.blake3.to_string(),
        sha256: digests.sha256.to_string(),
        certificate: shown.map(CertificateView::of),
    };
    print("nearside/privacy-verify/1", &answer, text::verified, output);
    if answer.valid {
        return Ok(Outcome::Done);
    }
    hint(output, &format!("nearside privacy certify {}", artifact.path.display()));
    Ok(Outcome::Negative)
}

fn list(certificates: &Certificates, output: &Output) -> Result<Outcome, CommandError> {
    let ring = certificates.keyring()?;
    let answer = CertificatesAnswer {
        certificates: certificates.all()?.iter().map(CertificateView::of).collect(),
        keys: ring.keys().map(|(key, revoked)| KeyView::of(key, revoked)).collect(),
    };
    print("nearside/privacy-certificates/1", &answer, text::listed, output);
    Ok(Outcome::Done)
}

/// Revokes a key by its digits, or by the first of them where only one begins so.
fn revoke(certificates: &Certificates, key: &str, reason: &str) -> Result<(), CommandError> {
    const LEAST: usize = 8;
    let ring = certificates.keyring()?;
    let begins = |known: &nearside_policy::Hash| known.to_string().starts_with(key);
    let mut found = ring.keys().map(|(known, _)| known).filter(begins);
    match (found.next(), found.next()) {
        (Some(known), None) if key.len() >= LEAST => certificates.revoke(known, reason),
        _ => Err(CommandError::new(Fault::Usage, format!("no single key begins with \"{key}\""))
            .hint("nearside privacy certify --list shows them; write at least eight digits")),
    }
}

/// What a person may do next; programs find all of it in the answer.
fn hint(output: &Output, text: &str) {
    if output.form == Form::Text {
        output.hint(text);
    }
}

fn print<T: Serialize>(schema: &str, answer: &T, text: impl FnOnce(&T) -> String, output: &Output) {
    if output.form == Form::Json {
        let answer = Answer { schema, data: answer, warnings: &[], sources: &[] };
        return output.json(&answer, environment::today());
    }
    output.text(&text(answer));
}
