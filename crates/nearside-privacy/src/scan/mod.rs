//! What in a text is personal or secret: where it stands, what it is, and why.
//!
//! A stream is cut into segments (`segment.rs`); each is passed over once (`scanner.rs`), and every
//! word, run of digits and sign is handed to the rules that may know it. Rules push hits; of
//! overlapping ones the surest stays ([`finding`]). Words around a value, heads of columns and keys
//! ([`cue`]) speak for and against it; heads of tables within text (`embedded/`) do too.

pub mod checksum;
pub mod cue;
pub mod entity;
pub mod finding;
pub mod folded;

mod account_name;
mod code;
mod credential;
mod date;
mod dwelling;
mod embedded;
mod gazetteer;
mod introduction;
mod labelled;
mod name_table;
mod network;
mod number;
mod number_kind;
mod password;
mod person;
mod phone;
mod place;
mod position;
mod scanner;
mod secret;
mod segment;
mod stream;
mod table;
mod unescape;
mod view;

#[cfg(test)]
mod check;

pub use entity::{Entity, Group};
pub use finding::{Finding, Proof};
pub use stream::{Options, Scanned, scan, scan_under_heads};
pub use table::Column;
