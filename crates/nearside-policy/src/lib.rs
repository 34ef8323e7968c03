//! Which data may be held where: classes of data, clearances of places, jurisdictions, promises.
//!
//! The question is always the same: may a place with this [`Clearance`] in this [`Country`] hold
//! data of this [`Class`] under this [`Policy`]? [`Policy::decide`] answers with a [`Decision`] that
//! carries its reason.
//!
//! A stage may promise a lower class for what it makes ([`Promise`]); a [`Certificate`] is the proof that
//! it is so, believed once its signature is ([`Proven`]). What is to leave goes through the [`Gate`],
//! which alone makes a [`Cleared`].

mod certificate;
mod checkpoint;
mod class;
mod decision;
mod envelope;
mod gate;
mod jurisdiction;
mod promise;
mod statement;
mod subject;

pub use certificate::{Certificate, Expert, Ground, Hidden, Maker, Recall, Scan, Unfit};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use class::{Class, Clearance, UnknownClass};
pub use decision::{Decision, Place, Policy, Refusal};
pub use envelope::{
    Distrust, EnvelopeError, PAYLOAD_TYPE, Proven, Signature, Signer, Trust, pre_authentication,
};
pub use gate::{
    Cleared, Denial, Destination, Encryption, Gate, Inspect, Inspection, Leave, Origin, Owner,
    Stopped, Transform, class,
};
pub use jurisdiction::{Area, Country, UnknownArea};
pub use promise::{Promise, flow};
pub use statement::{PREDICATE, STATEMENT, StatementError};
pub use subject::{Digests, Hash, NoHash, Subject};
