//! Which data may be held where: classes of data, clearances of places, jurisdictions, promises.
//!
//! The question is always the same: may a place with this [`Clearance`] in this [`Country`] hold
//! data of this [`Class`] under this [`Policy`]? [`Policy::decide`] answers with a [`Decision`] that
//! carries its reason.

mod class;
mod decision;
mod jurisdiction;
mod promise;

pub use class::{Class, Clearance, UnknownClass};
pub use decision::{Decision, Place, Policy, Refusal};
pub use jurisdiction::{Area, Country, UnknownArea};
pub use promise::{Promise, flow};
