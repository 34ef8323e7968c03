//! What a project emits: of its plan, of what it recorded, per unit of work, elsewhere, at other hours.
//!
//! `emissions = energy x intensity + made x time / time in use` (GHG Protocol Scope 2, location-based;
//! Software Carbon Intensity, ISO/IEC 21031). The formulas themselves are `nearside_estimate::carbon`.
//! Four accounts stay apart: the average by location is the one that is added up; marginal and
//! market-based figures are lines of their own, and offsets never lower anything.

mod footprint;
mod hours;
mod in_use;
mod moment;
mod offset;
mod recorded;
mod score;
mod uncertainty;
mod volume;

pub use footprint::{EnergyMethod, Footprint, Tally, Used, footprint};
pub use hours::{HourlySeries, SeriesError, StartHour, Window};
pub use in_use::{InUse, Spell, in_use};
pub use moment::Moment;
pub use offset::{Offset, OffsetKind, Statement, statement};
pub use recorded::{RecordedRun, RecordedStage, recorded};
pub use score::{Boundary, Per, Score, Scored, score, software_carbon_intensity};
pub use uncertainty::{Interval, Term, Widest, grid_is_old, grid_sigma, interval};
pub use volume::{Volume, volume};
