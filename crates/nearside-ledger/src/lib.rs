//! What was measured, kept for good: append-only tables in SQLite files.
//!
//! So far there is one file, [`MachineStore`]: what holds for a machine whatever the project, the
//! measured ceilings and the observations that calibrate estimates. Rows are boundary types, plain
//! text and numbers with their unit beside them; what they mean is the caller's business.
//!
//! The caller says where a file is: this crate reads no environment.

mod error;
mod file;
mod machine;
mod row;

pub use error::{CellError, LedgerError};
pub use machine::MachineStore;
pub use row::{CeilingRow, Figures, ObservationRow, RowError};
