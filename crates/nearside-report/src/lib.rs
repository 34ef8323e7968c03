//! Documents and charts: findings in, bytes out. Nothing is read, nothing is written, nothing is asked:
//! the same findings give the same bytes.

mod bars;
mod chart;
mod comparison;
mod csv;
mod decision;
mod figure;
mod findings;
mod html;
mod markdown;
mod notes;
mod page;
mod template;
mod xlsx;

pub use bars::{bars, columns, time_axis};
pub use chart::{Pairs, Stacked};
pub use csv::csv;
pub use decision::Decision;
pub use figure::grouped;
pub use findings::{Drawn, Findings, ReportError};
pub use html::{Figure, Page, Section, escaped};
pub use page::page;
pub use template::template;
pub use xlsx::workbook;
