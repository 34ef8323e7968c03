//! The record of processing activities (GDPR article 30 (1)) and what an impact assessment has to hold
//! (article 35 (7)).

use std::collections::BTreeSet;

use nearside_policy::Class;
use nearside_privacy::artifact::Examined;
use nearside_units::Known;
use nearside_workload::Site;

use super::{AuditDocumentAnswer, Facts, Scanned, Section};

/// Points (a) to (g).
pub(super) fn record(facts: &Facts) -> AuditDocumentAnswer {
    let said = facts.record();
    let one = |stated: &Option<String>| stated.iter().cloned().collect::<Vec<_>>();
    let responsible = [&said.controller, &said.representative, &said.officer];
    let responsible: Vec<_> = responsible.into_iter().flatten().cloned().collect();
    let sections = vec![
        Section::stated("(a) Who is responsible", &responsible, "controller"),
        Section::stated("(b) Purposes", &said.purposes, "purposes"),
        Section::stated("(c) Whom the data is about", &said.people, "people"),
        Section::new("(c) Categories of data", categories(facts)),
        Section::new("(d) Recipients", recipients(facts)),
        Section::new("(e) Transfers to other countries", countries(facts)),
        Section::stated("(f) When data is erased", &one(&said.retention), "retention"),
        Section::new("(f) Erasures so far", erasures(facts)),
        Section::new("(g) Measures of security", measures(facts)),
    ];
    AuditDocumentAnswer {
        document: "gdpr-30",
        title: format!("Record of processing activities: {}", facts.loaded.project.name),
        source: "GDPR article 30 (1) (a) to (g)",
        sections,
    }
}

/// Points (a) to (d).
pub(super) fn assessment(facts: &Facts, scanned: &Scanned) -> AuditDocumentAnswer {
    let said = facts.record();
    let stages = facts.loaded.project.stages.iter().map(|stage| {
        let (name, reads) = (&stage.name.value, stage.reads);
        let outputs =
            stage.outputs.iter().map(|output| format!("{} ({})", output.path, output.class));
        let outputs = outputs.collect::<Vec<_>>().join(", ");
        let writes = if outputs.is_empty() { "nothing".to_owned() } else { outputs };
        format!("stage {name} ({}) reads {reads} data and writes {writes}", stage.phase)
    });
    let one = |stated: &Option<String>| stated.iter().cloned().collect::<Vec<_>>();
    let sections = vec![
        Section::new("(a) The processing", categories(facts).into_iter().chain(stages).collect()),
        Section::stated("(a) Purposes", &said.purposes, "purposes"),
        Section::stated("(b) Necessity and proportion", &one(&said.necessity), "necessity"),
        Section::stated("(b) Legal basis", &one(&said.legal_basis), "legal_basis"),
        Section::new("(c) Risks: what a scan finds", found(scanned)),
        Section::new("(c) Risks: where data goes", countries(facts)),
        Section::new("(d) Measures", measures(facts)),
        Section::new("(d) What proves a lower class", certificates(facts)),
    ];
    AuditDocumentAnswer {
        document: "gdpr-35",
        title: format!("Material for an impact assessment: {}", facts.loaded.project.name),
        source: "GDPR article 35 (7) (a) to (d); the assessment itself is a person's",
        sections,
    }
}

fn categories(facts: &Facts) -> Vec<String> {
    let datasets = facts.loaded.project.datasets.iter();
    let line = |dataset: &nearside_workload::Dataset| {
        let name = &dataset.name.value;
        format!("dataset {name} ({}): {} data", dataset.path, dataset.class)
    };
    or_none(datasets.map(line).collect(), "the project has no dataset")
}

/// Sites that may hold people's data, and those that received any.
fn recipients(facts: &Facts) -> Vec<String> {
    let project = &facts.loaded.project;
    let cleared = project.sites.own.iter().filter_map(|site| {
        let clearance = project.clearance(&site.name, site.ownership());
        let may = clearance.0 >= Class::Personal;
        may.then(|| format!("site {} ({}) may hold {} data", site.name, place(site), clearance.0))
    });
    let sent = facts.sent().map(|row| {
        format!("{}: {} ({}, {} B) went to {}", row.at, row.path, row.class, row.bytes, row.to_site)
    });
    or_none(cleared.chain(sent).collect(), "no site but this machine may hold data about people")
}

fn place(site: &Site) -> String {
    match &site.location.country {
        Known::Value(country) => format!("in {country}"),
        Known::Unknown(_) => "in a country that is not stated".to_owned(),
    }
}

fn countries(facts: &Facts) -> Vec<String> {
    let project = &facts.loaded.project;
    let areas = &project.policy.rules.jurisdiction;
    let rule = match areas.as_slice() {
        [] => "nothing is said about where data has to stay: write policy.jurisdiction".to_owned(),
        areas => {
            let areas = areas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("data that is not public has to stay in {areas}")
        }
    };
    let sites: BTreeSet<&str> = facts.sent().map(|row| row.to_site.as_str()).collect();
    let of_site = |name: &&str| {
        let site = project.sites.own.iter().find(|site| site.name == **name);
        let place = site.map_or_else(|| "a rented site".to_owned(), place);
        format!("data went to {name}, {place}")
    };
    let sent = or_none(sites.iter().map(of_site).collect(), "no data went to another site");
    std::iter::once(rule).chain(sent).collect()
}

fn erasures(facts: &Facts) -> Vec<String> {
    let line = |row: &nearside_ledger::ErasureRow| {
        let reason = row.reason.as_deref().unwrap_or("no reason was stated");
        let whom = if row.scope == "dataset" { row.name.as_str() } else { "a person" };
        format!(
            "{}: {whom} ({reason}): {} results, {} outputs, {} logs, {} values of the vault",
            row.at, row.results, row.outputs, row.logs, row.vault_values
        )
    };
    or_none(facts.erasures.iter().map(line).collect(), "none is recorded")
}

fn measures(facts: &Facts) -> Vec<String> {
    let own = [
        "stages that read people's data run without a network where the system allows it (policy.sandbox)",
        "what is kept of them, results and logs, is sealed on the disk (age, X25519 and ChaCha20-Poly1305)",
        "what a stage promises to be of a lower class is scanned before anything else reads it",
        "decisions and movements are recorded in a chain of hashes with signed heads (privacy audit verify)",
    ];
    let denied =
        facts.decisions.iter().filter(|row| row.decision != nearside_ledger::DecisionWord::Allow);
    let decided = format!(
        "{} decisions are recorded, {} of which did not let data go on",
        facts.decisions.len(),
        denied.count()
    );
    let own = own.into_iter().map(str::to_owned).chain([decided]);
    own.chain(facts.record().measures.iter().cloned()).collect()
}

fn certificates(facts: &Facts) -> Vec<String> {
    let line = |row: &nearside_ledger::CertificateRow| {
        let (path, from, to) = (&row.path, &row.from_class, &row.to_class);
        format!("{}: {path} from {from} to {to}, by {}", row.at, row.ground)
    };
    or_none(facts.certificates.iter().map(line).collect(), "no certificate was made")
}

fn found(scanned: &Scanned) -> Vec<String> {
    let line = |(name, examined): (&String, &Examined)| {
        let kinds = examined.counts.iter().map(|(kind, count)| format!("{count} {}", kind.name()));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let kinds = if kinds.is_empty() { "nothing".to_owned() } else { kinds };
        match examined.unreadable {
            0 => format!("{name}: {kinds}"),
            count => format!("{name}: {kinds}; {count} contents could not be judged"),
        }
    };
    scanned.found.iter().map(line).chain(scanned.unseen()).collect()
}

fn or_none(lines: Vec<String>, none: &str) -> Vec<String> {
    if lines.is_empty() { vec![none.to_owned()] } else { lines }
}
