//! Documents and charts: findings in, text out. Nothing is read, nothing is written, nothing is asked:
//! the same findings give the same bytes.

mod bars;
mod chart;
mod html;

pub use bars::{bars, columns, time_axis};
pub use chart::Stacked;
pub use html::{Page, Section, escaped};
