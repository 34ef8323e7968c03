//! What tests are made of: a place for a file, one row of each kind, somebody who tampers.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rusqlite::Connection;

use crate::project::{
    ArtifactRow, CertificateRow, ChargeCategory, DecisionRow, DecisionWord, ErasureEvent,
    ErasureRow, HeadRow, KeyEvent, KeyRow, MovementRow, Outcome, PlanRow, ProjectLedger,
    ReleaseRow, ReleaseWord, RunRow, SampleRow, SpendBasis, SpendRow,
};
use crate::timestamp::Timestamp;

/// A folder of its own for each test, gone when the test is.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("nearside-{name}-{}", std::process::id()));
        let _not_there = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("ledger.db")
    }

    pub(crate) fn ledger(&self) -> ProjectLedger {
        ProjectLedger::open(&self.file()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn plan(id: &str) -> PlanRow {
    PlanRow {
        id: id.to_owned(),
        at: moment("2026-11-23T09:59:00Z"),
        project: "support-assistant".to_owned(),
        objective: "cost, at most 400 EUR/month".to_owned(),
        plan_json: "{\"placements\":[]}".to_owned(),
    }
}

pub(crate) fn run(stage: &str, outcome: Outcome) -> RunRow {
    RunRow {
        run: "r1".to_owned(),
        project: "support-assistant".to_owned(),
        plan: Some("p1".to_owned()),
        stage: stage.to_owned(),
        trial: String::new(),
        site: "here".to_owned(),
        cache_key: "00ff".to_owned(),
        outcome,
        exit_code: Some(0),
        began: moment("2026-11-23T10:00:00Z"),
        transfer_seconds: Some(0.0),
        queue_seconds: Some(0.5),
        boot_seconds: None,
        run_seconds: Some(7200.0),
        predicted_low_seconds: Some(5000.0),
        predicted_likely_seconds: Some(7000.0),
        predicted_high_seconds: Some(9000.0),
        peak_memory_bytes: Some(17_179_869_184),
        predicted_memory_bytes: Some(16_000_000_000),
        energy_joules: Some(1.8e6),
        energy_method: Some("sampled".to_owned()),
        cost_amount: Some("0.155".parse().unwrap()),
        cost_currency: Some("EUR".parse().unwrap()),
        operational_grams_co2e: Some(180.0),
        embodied_grams_co2e: None,
        energy_at_least_joules: None,
        energy_known_parts: None,
        failure: None,
    }
}

pub(crate) fn sample(run_entry: u64, seconds: f64) -> SampleRow {
    SampleRow {
        run_entry,
        seconds,
        name: "memory".to_owned(),
        unit: "B".to_owned(),
        value: 1e9 + seconds,
    }
}

pub(crate) fn artifact(run_entry: u64, path: &str) -> ArtifactRow {
    ArtifactRow {
        run_entry,
        path: path.to_owned(),
        digest: "abcd".to_owned(),
        bytes: 12,
        class: "internal".to_owned(),
    }
}

pub(crate) fn movement(path: &str) -> MovementRow {
    MovementRow {
        at: moment("2026-11-23T09:59:30Z"),
        run: Some("r1".to_owned()),
        path: path.to_owned(),
        from_site: "here".to_owned(),
        to_site: "lab".to_owned(),
        bytes: 48_122,
        digest: "0f3a".to_owned(),
        class: "internal".to_owned(),
        certificate: None,
    }
}

pub(crate) fn spend(billed: &str) -> SpendRow {
    SpendRow {
        run: Some("r1".to_owned()),
        basis: SpendBasis::Computed,
        provider: "Lambda".to_owned(),
        publisher: None,
        invoice_issuer: Some("Lambda".to_owned()),
        invoice_id: None,
        billing_account_id: None,
        billing_account_name: None,
        billing_period_start: None,
        billing_period_end: None,
        charge_category: ChargeCategory::Usage,
        charge_description: Some("1x A10, on demand, \"us-east-1\"".to_owned()),
        charge_period_start: moment("2026-11-23T10:00:00Z"),
        charge_period_end: moment("2026-11-23T12:00:00Z"),
        service_category: "Compute".to_owned(),
        service_name: "On-Demand Cloud".to_owned(),
        billed_amount: billed.parse().unwrap(),
        list_amount: Some("1.50".parse().unwrap()),
        contracted_amount: None,
        effective_amount: None,
        currency: "USD".parse().unwrap(),
        pricing_quantity: Some("2".parse().unwrap()),
        pricing_unit: Some("Hours".to_owned()),
        pricing_category: Some("Standard".to_owned()),
        list_unit_amount: Some("0.75".parse().unwrap()),
        region_id: Some("us-east-1".to_owned()),
        resource_id: None,
        sku_id: None,
    }
}

pub(crate) fn key() -> KeyRow {
    KeyRow {
        at: moment("2026-11-23T12:00:00Z"),
        public_key: "3d40".to_owned(),
        event: KeyEvent::Used,
        reason: None,
    }
}

pub(crate) fn certificate(blake3: &str) -> CertificateRow {
    CertificateRow {
        at: moment("2026-11-23T12:00:01Z"),
        stage: Some("anonymize".to_owned()),
        path: "build/tickets.clean.csv".to_owned(),
        blake3: blake3.to_owned(),
        sha256: "ba78".to_owned(),
        from_class: "personal".to_owned(),
        to_class: "internal".to_owned(),
        ground: "scan-clean".to_owned(),
        rules_digest: "0c0d".to_owned(),
        public_key: "3d40".to_owned(),
        envelope_json: "{}".to_owned(),
    }
}

pub(crate) fn erasure() -> ErasureRow {
    ErasureRow {
        at: moment("2026-11-23T12:00:02Z"),
        event: ErasureEvent::Done,
        scope: "dataset".to_owned(),
        name: "tickets".to_owned(),
        reason: Some("asked for".to_owned()),
        results: 2,
        outputs: 1,
        logs: 1,
        vault_values: 0,
        digests_json: "[\"ab\"]".to_owned(),
    }
}

pub(crate) fn release() -> ReleaseRow {
    ReleaseRow {
        at: moment("2026-11-23T12:00:05Z"),
        dataset: "tickets".to_owned(),
        blake3: "ab".to_owned(),
        query_json: "{\"count\":{}}".to_owned(),
        decision: ReleaseWord::Released,
        epsilon: Some(0.5),
        rho: None,
        reason: "epsilon = 2.5 is left".to_owned(),
    }
}

pub(crate) fn decision() -> DecisionRow {
    DecisionRow {
        at: moment("2026-11-23T12:00:03Z"),
        stage: Some("anonymize".to_owned()),
        path: "build/tickets.clean.csv".to_owned(),
        blake3: "ab".to_owned(),
        class: "internal".to_owned(),
        destination: "here".to_owned(),
        decision: DecisionWord::Allow,
        reason: "a certificate says so".to_owned(),
        policy_digest: "cd".to_owned(),
        findings_json: "{}".to_owned(),
    }
}

pub(crate) fn head(size: u64) -> HeadRow {
    HeadRow {
        at: moment("2026-11-23T12:00:04Z"),
        size,
        root: "ef".to_owned(),
        public_key: "3d40".to_owned(),
        note: "nearside/test\n".to_owned(),
    }
}

/// How many entries [`fill`] adds.
pub(crate) const FILLED: u64 = 18;

/// Fills a ledger with entries, some of each kind; run 2 has samples and an artifact.
pub(crate) fn fill(ledger: &mut ProjectLedger) {
    ledger.add(&plan("p1")).unwrap();
    let filled = ledger.append(|to| {
        let tune = to.add(&run("tune", Outcome::Ran))?;
        for seconds in [0.0, 1.0, 2.0, 3.0] {
            to.add(&sample(tune, seconds))?;
        }
        to.add(&artifact(tune, "model.gguf"))
    });
    assert_eq!(filled.unwrap(), 7);
    ledger.add(&movement("build/tickets.clean.csv")).unwrap();
    ledger.add(&spend("1.50")).unwrap();
    ledger.add(&spend("-0.25")).unwrap();
    ledger.add(&run("evaluate", Outcome::Failed)).unwrap();
    ledger.add(&key()).unwrap();
    ledger.add(&certificate("ab")).unwrap();
    ledger.add(&erasure()).unwrap();
    ledger.add(&decision()).unwrap();
    ledger.add(&head(15)).unwrap();
    ledger.add(&release()).unwrap();
    assert_eq!(ledger.add(&plan("p2")).unwrap(), FILLED);
}

/// A file as [`fill`] leaves it; made once, because whoever commits waits for the disk.
pub(crate) fn put_filled(path: &Path) {
    static FILLED: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = FILLED.get_or_init(|| {
        let place = Place::new("filled");
        fill(&mut place.ledger());
        std::fs::read(place.file()).unwrap()
    });
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Changes a file behind the ledger's back, as somebody could who knows its tables: takes its
/// guards away, changes something, and puts them back.
pub(crate) fn tamper(path: &Path, change: impl FnOnce(&Connection)) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.pragma_update(None, "synchronous", "off").unwrap();
    // A rule of a table may refuse the new value; somebody who tampers lifts it.
    connection.pragma_update(None, "ignore_check_constraints", true).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    let guards: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (name, _) in &guards {
        connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    change(&connection);
    for (_, sql) in &guards {
        connection.execute_batch(sql).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}
