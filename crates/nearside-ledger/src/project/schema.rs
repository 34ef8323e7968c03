//! The tables of a project's ledger, as each version of the file made them.
//!
//! The text is written out, not made from the row types: a file of an older version must come out
//! the same whatever the row types become. A test holds the newest version against them.

use crate::file::{Layout, only_added};

/// `ledger.db`. The application id spells `nsld`.
pub(crate) const LAYOUT: Layout = Layout {
    application_id: 0x6e73_6c64,
    migrations: &[FIRST, PARTIAL_ENERGY, FAILURES, CERTIFICATES, ERASURES, AUDIT, RELEASES],
};

/// The SQL of triggers for a table whose rows are entries of the chain.
///
/// The one before an insertion also stops `INSERT OR REPLACE`, which would remove a row without
/// any other trigger.
macro_rules! chained {
    ($table:literal) => {
        concat!(
            only_added!($table),
            "CREATE TRIGGER ",
            $table,
            "_follow BEFORE INSERT ON ",
            $table,
            " WHEN NEW.entry IS NOT (SELECT max(number) FROM entries)",
            " BEGIN SELECT RAISE(ABORT, '",
            $table,
            " are only added as the newest entry'); END;\n",
        )
    };
}

const FIRST: &str = concat!(
    "
PRAGMA application_id = 1853058148;
CREATE TABLE entries (
    number INTEGER PRIMARY KEY,
    held_in TEXT NOT NULL,
    content BLOB NOT NULL,
    link BLOB NOT NULL,
    CONSTRAINT hashes_have_32_bytes CHECK (length(content) = 32 AND length(link) = 32)
) STRICT;
CREATE TRIGGER entries_follow BEFORE INSERT ON entries
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM entries)
    BEGIN SELECT RAISE(ABORT, 'entries are numbered in order'); END;
",
    only_added!("entries"),
    "
CREATE TABLE plans (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    id TEXT NOT NULL,
    at TEXT NOT NULL,
    project TEXT NOT NULL,
    objective TEXT NOT NULL,
    plan_json TEXT NOT NULL
) STRICT;
",
    chained!("plans"),
    "
CREATE TABLE runs (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    run TEXT NOT NULL,
    project TEXT NOT NULL,
    plan TEXT,
    stage TEXT NOT NULL,
    trial TEXT NOT NULL,
    site TEXT NOT NULL,
    cache_key TEXT NOT NULL,
    outcome TEXT NOT NULL,
    exit_code INTEGER,
    began TEXT NOT NULL,
    transfer_seconds REAL,
    queue_seconds REAL,
    boot_seconds REAL,
    run_seconds REAL,
    predicted_low_seconds REAL,
    predicted_likely_seconds REAL,
    predicted_high_seconds REAL,
    peak_memory_bytes INTEGER,
    predicted_memory_bytes INTEGER,
    energy_joules REAL,
    energy_method TEXT,
    cost_amount TEXT,
    cost_currency TEXT,
    operational_grams_co2e REAL,
    embodied_grams_co2e REAL,
    CONSTRAINT no_phase_takes_less_than_no_time CHECK (
        coalesce(transfer_seconds, 0) >= 0 AND coalesce(queue_seconds, 0) >= 0
        AND coalesce(boot_seconds, 0) >= 0 AND coalesce(run_seconds, 0) >= 0),
    CONSTRAINT predicted_seconds_are_all_or_none CHECK (
        (predicted_low_seconds IS NULL) = (predicted_likely_seconds IS NULL)
        AND (predicted_high_seconds IS NULL) = (predicted_likely_seconds IS NULL)),
    CONSTRAINT predicted_seconds_are_in_order CHECK (
        predicted_low_seconds >= 0 AND predicted_low_seconds <= predicted_likely_seconds
        AND predicted_likely_seconds <= predicted_high_seconds),
    CONSTRAINT energy_has_a_method CHECK ((energy_joules IS NULL) = (energy_method IS NULL)),
    CONSTRAINT cost_has_a_currency CHECK ((cost_amount IS NULL) = (cost_currency IS NULL))
) STRICT;
CREATE INDEX runs_of_a_stage ON runs (stage, entry);
",
    chained!("runs"),
    "
CREATE TABLE samples (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    run_entry INTEGER NOT NULL REFERENCES runs (entry),
    seconds REAL NOT NULL,
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    value REAL NOT NULL
) STRICT;
CREATE INDEX samples_of_a_run ON samples (run_entry, entry);
",
    chained!("samples"),
    "
CREATE TABLE spend (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    run TEXT,
    basis TEXT NOT NULL,
    provider TEXT NOT NULL,
    publisher TEXT,
    invoice_issuer TEXT,
    invoice_id TEXT,
    billing_account_id TEXT,
    billing_account_name TEXT,
    billing_period_start TEXT,
    billing_period_end TEXT,
    charge_category TEXT NOT NULL,
    charge_description TEXT,
    charge_period_start TEXT NOT NULL,
    charge_period_end TEXT NOT NULL,
    service_category TEXT NOT NULL,
    service_name TEXT NOT NULL,
    billed_amount TEXT NOT NULL,
    list_amount TEXT,
    contracted_amount TEXT,
    effective_amount TEXT,
    currency TEXT NOT NULL,
    pricing_quantity TEXT,
    pricing_unit TEXT,
    pricing_category TEXT,
    list_unit_amount TEXT,
    region_id TEXT,
    resource_id TEXT,
    sku_id TEXT,
    CONSTRAINT periods_do_not_end_before_they_begin CHECK (
        charge_period_start <= charge_period_end AND billing_period_start <= billing_period_end)
) STRICT;
",
    chained!("spend"),
    "
CREATE TABLE movements (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    at TEXT NOT NULL,
    run TEXT,
    path TEXT NOT NULL,
    from_site TEXT NOT NULL,
    to_site TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,
    class TEXT NOT NULL,
    certificate TEXT
) STRICT;
",
    chained!("movements"),
    "
CREATE TABLE artifacts (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    run_entry INTEGER NOT NULL REFERENCES runs (entry),
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    class TEXT NOT NULL
) STRICT;
CREATE INDEX artifacts_of_a_run ON artifacts (run_entry, entry);
",
    chained!("artifacts"),
);

/// Energy of which a part is not known has columns of its own: a sum over `energy_joules` is one of
/// whole figures.
const PARTIAL_ENERGY: &str = "
ALTER TABLE runs ADD COLUMN energy_at_least_joules REAL
    CONSTRAINT energy_is_all_or_at_least CHECK (
        energy_at_least_joules IS NULL OR energy_joules IS NULL);
ALTER TABLE runs ADD COLUMN energy_known_parts TEXT
    CONSTRAINT partial_energy_names_its_parts CHECK (
        (energy_at_least_joules IS NULL) = (energy_known_parts IS NULL));
";

/// Why runs failed: what is common among them is worth a remedy.
const FAILURES: &str = "
ALTER TABLE runs ADD COLUMN failure TEXT
    CONSTRAINT only_what_failed_has_a_failure CHECK (failure IS NULL OR outcome = 'failed');
";

/// What lowers the class of artifacts, and the public keys that it is signed with.
const CERTIFICATES: &str = concat!(
    "
CREATE TABLE keys (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    at TEXT NOT NULL,
    public_key TEXT NOT NULL,
    event TEXT NOT NULL,
    reason TEXT,
    CONSTRAINT what_is_revoked_has_a_reason CHECK ((event = 'revoked') = (reason IS NOT NULL))
) STRICT;
",
    chained!("keys"),
    "
CREATE TABLE certificates (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    at TEXT NOT NULL,
    stage TEXT,
    path TEXT NOT NULL,
    blake3 TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    from_class TEXT NOT NULL,
    to_class TEXT NOT NULL,
    ground TEXT NOT NULL,
    rules_digest TEXT NOT NULL,
    public_key TEXT NOT NULL,
    envelope_json TEXT NOT NULL
) STRICT;
CREATE INDEX certificates_of_an_artifact ON certificates (blake3, entry);
",
    chained!("certificates"),
);

/// What was taken out for good: digests alone stay of it.
const ERASURES: &str = concat!(
    "
CREATE TABLE erasures (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT,
    results INTEGER NOT NULL,
    outputs INTEGER NOT NULL,
    logs INTEGER NOT NULL,
    vault_values INTEGER NOT NULL,
    digests_json TEXT NOT NULL
) STRICT;
",
    chained!("erasures"),
);

/// What was decided, and signed hashes of all that was recorded.
const AUDIT: &str = concat!(
    "
CREATE TABLE decisions (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    at TEXT NOT NULL,
    stage TEXT,
    path TEXT NOT NULL,
    blake3 TEXT NOT NULL,
    class TEXT NOT NULL,
    destination TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL,
    policy_digest TEXT NOT NULL,
    findings_json TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_about_content ON decisions (blake3, entry);
",
    chained!("decisions"),
    "
CREATE TABLE heads (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    at TEXT NOT NULL,
    size INTEGER NOT NULL,
    root TEXT NOT NULL,
    public_key TEXT NOT NULL,
    note TEXT NOT NULL,
    CONSTRAINT a_head_stands_for_all_before_it CHECK (size = entry - 1)
) STRICT;
",
    chained!("heads"),
);

/// Questions about people that were answered with noise, or refused.
const RELEASES: &str = concat!(
    "
CREATE TABLE releases (
    entry INTEGER PRIMARY KEY REFERENCES entries (number),
    at TEXT NOT NULL,
    dataset TEXT NOT NULL,
    blake3 TEXT NOT NULL,
    query_json TEXT NOT NULL,
    decision TEXT NOT NULL,
    epsilon REAL,
    rho REAL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX releases_of_a_dataset ON releases (dataset, entry);
",
    chained!("releases"),
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Place, plan, run};
    use crate::project::{Outcome, RunRow, Table};
    use rusqlite::Connection;

    #[test]
    fn the_newest_version_has_the_columns_of_the_row_types() {
        let connection = Connection::open_in_memory().unwrap();
        LAYOUT.migrations.iter().for_each(|step| connection.execute_batch(step).unwrap());
        let mut columns = connection
            .prepare("SELECT name, type, \"notnull\" FROM pragma_table_info(?1) WHERE pk = 0")
            .unwrap();
        for table in Table::ALL {
            let found: Vec<(String, String, bool)> = columns
                .query_map([table.name()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            let described: Vec<(String, String, bool)> = table
                .columns()
                .iter()
                .map(|column| {
                    (column.name.to_owned(), column.kind.sql().to_owned(), !column.nullable)
                })
                .collect();
            assert_eq!(found, described, "{}", table.name());
        }
    }

    /// A run, a file that it made and a reading, as the first version wrote them.
    const OF_THE_FIRST_VERSION: &str = "
PRAGMA user_version = 1;
INSERT INTO entries VALUES (1, 'runs',
    X'A7837161F56BC794C0D2D5F9ABFBDAC9685557784843EA069760E52260EBB4A0',
    X'138FED4D25B068A119C9A7BC75320A0FB7E91B50BA2B7B9408A48F0329057ABC');
INSERT INTO runs VALUES (1, '2026-11-26T23:23:34.510Z/13310', 'loud', NULL, 'loud', '', 'here',
    'dc3883703e5ea056005bf352804bc884ba62d7ca1ad0c474f0ccb1e76ae897f6', 'ran', 0,
    '2026-11-26T23:23:34.533Z', NULL, NULL, NULL, 3.092137019, NULL, NULL, NULL, 12726272, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO entries VALUES (2, 'artifacts',
    X'1BD227C59D7963651DDFD47E3398E3E8433800F79E8FC8C6263E63E28DA7A89D',
    X'512000C9ABB4721271948DC9DAE2CB92E47D0866467DB1FB1FA7E96E757C39D8');
INSERT INTO artifacts VALUES (2, 1, 'x',
    '366e4307dee015d96cf5815e2bc5f6dcd8ec954bb31551356872d75980d0bc76', 2, 'public');
INSERT INTO entries VALUES (3, 'samples',
    X'DE574EE9C8D9ADD3CCF514501DB2DF4B93DACCC17CCCF3A7F52EF4626C03327E',
    X'D412DF5EC453035A31CC90C3246449DCB40D0F8AC4AF441D33C3D5637903B165');
INSERT INTO samples VALUES (3, 1, 0.0, 'memory', 'B', 327680.0);
";

    #[test]
    fn what_the_first_version_wrote_is_as_it_was_and_goes_on() {
        let place = Place::new("first-version");
        std::fs::create_dir_all(&place.0).unwrap();
        let old = Connection::open(place.file()).unwrap();
        old.execute_batch(FIRST).unwrap();
        old.execute_batch(OF_THE_FIRST_VERSION).unwrap();
        drop(old);
        let mut ledger = place.ledger();
        let head = "3:d412df5ec453035a31cc90c3246449dcb40d0f8ac4af441d33c3d5637903b165";
        let noted = head.parse().unwrap();
        assert!(ledger.verify(Some(&noted)).unwrap().is_sound());
        let row = RunRow {
            energy_joules: None,
            energy_method: None,
            energy_at_least_joules: Some(41.5),
            energy_known_parts: Some("processor measured".to_owned()),
            ..run("tune", Outcome::Ran)
        };
        assert_eq!(ledger.add(&plan("p1")).unwrap(), 4);
        ledger.add(&row).unwrap();
        assert!(ledger.verify(Some(&noted)).unwrap().is_sound());
        let rows: Vec<RunRow> = ledger.all().unwrap().into_iter().map(|found| found.row).collect();
        assert_eq!((rows[0].energy_at_least_joules, &rows[1]), (None, &row));
    }

    #[test]
    fn the_file_says_whose_it_is() {
        let connection = Connection::open_in_memory().unwrap();
        LAYOUT.migrations.iter().for_each(|step| connection.execute_batch(step).unwrap());
        let id: i32 =
            connection.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
        assert_eq!(id, LAYOUT.application_id);
    }
}
