//! The 18 identifiers of HIPAA Safe Harbor (45 CFR 164.514 (b)(2)) and payment card numbers (PCI DSS 4.0,
//! requirement 3): found, not found, or cannot tell.

use nearside_privacy::artifact::Examined;
use nearside_privacy::rules;
use nearside_privacy::scan::Entity;

use super::{AuditDocumentAnswer, Facts, Scanned, Section};

/// An identifier, the kinds of finding that are one, and what a scan of text cannot see of it.
type Identifier = (&'static str, &'static [Entity], Option<&'static str>);

const ADDRESSES: &[Entity] = &[Entity::Address, Entity::Postcode, Entity::Geo];
const IDENTIFIERS: [Identifier; 18] = [
    (
        "(A) Names",
        &[Entity::Person],
        Some("names that no list has and nothing announces, in free text"),
    ),
    ("(B) Places smaller than a state", ADDRESSES, Some("cities and counties in running text")),
    (
        "(C) Dates but years, ages above 89",
        &[Entity::DateOfBirth],
        Some("other dates than of birth, and ages"),
    ),
    ("(D) Telephone numbers", &[Entity::Phone], None),
    ("(E) Fax numbers", &[], Some("they are telephone numbers: see (D)")),
    ("(F) Mail addresses", &[Entity::Email], None),
    ("(G) Social security numbers", &[Entity::UsSsn, Entity::UsItin], None),
    ("(H) Medical record numbers", &[Entity::Mrn], Some("numbers without a word that says so")),
    (
        "(I) Health plan numbers",
        &[Entity::AuMedicare, Entity::UkNhs],
        Some("numbers without a word that says so"),
    ),
    (
        "(J) Account numbers",
        &[Entity::BankAccount, Entity::Iban, Entity::CreditCard, Entity::Aba],
        None,
    ),
    (
        "(K) Certificates and licences",
        &[Entity::DriverLicence, Entity::Dea, Entity::UsNpi],
        Some("other licences"),
    ),
    ("(L) Vehicles and their plates", &[Entity::Vin, Entity::LicencePlate], None),
    (
        "(M) Devices and their serial numbers",
        &[Entity::Imei, Entity::Mac],
        Some("serial numbers of other devices"),
    ),
    ("(N) Web addresses", &[], Some("addresses of pages are not looked for")),
    ("(O) IP addresses", &[Entity::Ip], None),
    (
        "(P) Biometric identifiers",
        &[],
        Some("fingerprints and voices cannot be told from other data"),
    ),
    ("(Q) Photographs of faces", &[], Some("pictures are not looked at")),
    (
        "(R) Any other unique number or code",
        &[Entity::Username, Entity::Passport, Entity::Crypto],
        Some("codes that only their issuer knows"),
    ),
];

/// A section for each identifier.
pub(super) fn hipaa(facts: &Facts, scanned: &Scanned) -> AuditDocumentAnswer {
    let mut sections: Vec<Section> =
        IDENTIFIERS.iter().map(|identifier| section(identifier, scanned)).collect();
    sections.push(Section::new("What was looked at, and what that is worth", worth(scanned)));
    AuditDocumentAnswer {
        document: "hipaa",
        title: format!("Identifiers of Safe Harbor: {}", facts.loaded.project.name),
        source: "45 CFR 164.514 (b)(2)(i); whether its other condition holds, no actual knowledge, is for a person to say",
        sections,
    }
}

fn section(identifier: &Identifier, scanned: &Scanned) -> Section {
    let (title, kinds, unseen) = *identifier;
    let mut lines = counted(kinds, scanned);
    let why = scanned.unseen();
    let finding = match (lines.is_empty(), unseen.is_some() || !why.is_empty()) {
        (false, _) => "found",
        (true, true) => "cannot tell",
        (true, false) => "not found",
    };
    if !kinds.is_empty() {
        let names = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
        lines.push(format!("looked for: {names}"));
    }
    lines.extend(unseen.map(|unseen| format!("cannot be told: {unseen}")));
    lines.extend(why);
    Section { title: title.to_owned(), finding: Some(finding), lines }
}

/// How many of some kinds are in each thing that was looked at, and where the first are.
fn counted(kinds: &[Entity], scanned: &Scanned) -> Vec<String> {
    let line = |(name, examined): (&String, &Examined)| {
        let of_kind = |kind: &&Entity| kinds.contains(kind);
        let count: u64 =
            examined.counts.iter().filter(|(kind, _)| of_kind(kind)).map(|(_, count)| count).sum();
        let first = examined.places.iter().find(|place| kinds.contains(&place.finding.entity));
        let first = first.map_or(String::new(), |place| {
            format!(", the first in {} line {}", place.name, place.finding.line)
        });
        (count > 0).then(|| format!("{name}: {count}{first}"))
    };
    scanned.found.iter().filter_map(line).collect()
}

fn worth(scanned: &Scanned) -> Vec<String> {
    let names = scanned.found.keys().cloned().collect::<Vec<_>>().join(", ");
    let names =
        if names.is_empty() { "nothing: no dataset or output is here".to_owned() } else { names };
    let recall = rules::scan().recall;
    vec![
        format!("looked at: {names}"),
        format!(
            "of what is there, {} of {} were found in a measurement: {}",
            recall.found, recall.of, recall.source
        ),
        "not found means that the rules found none, not that there is none".to_owned(),
    ]
}

/// Payment card numbers, and what else must not be stored with them.
pub(super) fn pci(facts: &Facts, scanned: &Scanned) -> AuditDocumentAnswer {
    let cards = counted(&[Entity::CreditCard], scanned);
    let why = scanned.unseen();
    let finding = match (cards.is_empty(), why.is_empty()) {
        (false, _) => "found",
        (true, true) => "not found",
        (true, false) => "cannot tell",
    };
    let section = |title: &str, finding, lines: Vec<String>| Section {
        title: title.to_owned(),
        finding: Some(finding),
        lines,
    };
    let looked =
        "looked for: numbers of 13 to 19 digits of a known issuer with a right check digit";
    let looked = std::iter::once(looked.to_owned()).chain(why);
    let sent =
        facts.sent().map(|row| format!("{} went to {} ({})", row.path, row.to_site, row.class));
    let sent: Vec<String> = sent.collect();
    let sections = vec![
        section("Card numbers (3.2, 3.5)", finding, cards.into_iter().chain(looked).collect()),
        section("Codes and magnetic stripes (3.3)", "cannot tell", vec![
            "verification codes and track data have no form that tells them from other numbers".to_owned(),
        ]),
        section("Whether numbers are unreadable where they lie (3.5)", "cannot tell", vec![
            "what a scan finds can be read; what nearside keeps of stages on people's data is sealed".to_owned(),
            "of other places where the data lies nothing is known".to_owned(),
        ]),
        section(
            "Where data went (3.2)",
            if sent.is_empty() { "not found" } else { "found" },
            if sent.is_empty() { vec!["no data went to another site".to_owned()] } else { sent },
        ),
        Section::new("What was looked at, and what that is worth", worth(scanned)),
    ];
    AuditDocumentAnswer {
        document: "pci",
        title: format!("Card numbers: {}", facts.loaded.project.name),
        source: "PCI DSS 4.0, requirement 3",
        sections,
    }
}
