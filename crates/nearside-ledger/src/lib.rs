//! What was measured and done, kept for good: append-only tables in SQLite files.
//!
//! [`ProjectLedger`] is the record of a project: its plans, runs with their samples and artifacts,
//! spend, data movements, decisions and certificates, in one hash chain that [`ProjectLedger::verify`] walks, and in the tree
//! of [`merkle`], of which signed heads and proofs are made. [`MachineStore`]
//! is what holds for a machine whatever the project: the measured ceilings and the observations that
//! calibrate estimates.
//!
//! [`TableFile`] reads tables that others wrote, CSV and Parquet, row by row: cloud bills.
//!
//! Rows are boundary types, plain text and numbers with their unit beside them; what they mean is
//! the caller's business. The caller says where a file is and what time it is: this crate reads no
//! environment and no clock.
//!
//! ```
//! use nearside_ledger::{MovementRow, ProjectLedger};
//! # let folder = std::env::temp_dir().join(format!("nearside-ledger-{}", std::process::id()));
//! # let path = folder.join("ledger.db");
//! let mut ledger = ProjectLedger::open(&path)?;
//! let entry = ledger.add(&MovementRow {
//!     at: "2026-11-23T10:00:00Z".parse()?,
//!     run: None,
//!     path: "build/tickets.clean.csv".to_owned(),
//!     from_site: "here".to_owned(),
//!     to_site: "lab".to_owned(),
//!     bytes: 48_122,
//!     digest: "0f3a".to_owned(),
//!     class: "internal".to_owned(),
//!     certificate: Some("c-17".to_owned()),
//! })?;
//! let found = ledger.verify(None)?;
//! assert!(found.is_sound());
//! assert_eq!((entry, found.entries), (1, 1));
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod amount;
mod column;
mod error;
#[cfg(test)]
mod example;
mod file;
mod import;
mod machine;
pub mod merkle;
mod project;
mod row;
mod timestamp;

pub use amount::Amount;
pub use column::{Column, Kind};
pub use error::{CellError, LedgerError};
pub use import::{ImportError, TableFile, TableRow};
pub use machine::MachineStore;
pub use project::{
    Appender, ArtifactRow, CellValue, CertificateRow, ChargeCategory, ClockStep, DecisionRow,
    DecisionWord, ErasureEvent, ErasureRow, Fault, Head, HeadRow, KeyEvent, KeyRow, MovementRow,
    Outcome, PlanRow, ProjectLedger, Record, Recorded, ReleaseRow, ReleaseWord, Row, RunDetails,
    RunFilter, RunRow, SampleRow, SpendBasis, SpendRow, Table, Verification,
};
pub use row::{CeilingRow, Figures, ObservationRow, RowError};
pub use timestamp::Timestamp;
