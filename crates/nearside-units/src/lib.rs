//! Quantities, money, intervals, and where a number came from.
//!
//! The floor of the house: every crate speaks in these types, so a byte is never added to a watt
//! and an unknown price is never zero. Nothing here touches a file, a clock or the network.
//!
//! - A **quantity** ([`Bytes`], [`Flops`], [`Duration`], [`Watts`], [`Joules`], [`GramsCo2e`], ...)
//!   is finite and never negative; a **rate** ([`BytesPerSecond`], [`FlopsPerSecond`]) is positive,
//!   so that dividing by it always means something.
//! - [`Money`] is decimal and carries its currency.
//! - A [`Span`] is what we estimate, [`Known`] is what we may not know, [`Sourced`] says where a
//!   value came from.

mod air;
mod bandwidth;
mod bytes;
mod carbon;
mod display;
mod duration;
mod electricity;
mod energy;
mod flops;
mod known;
mod money;
mod parse;
mod quantity;
mod sourced;
mod span;

pub use air::{BtuPerHour, CubicMeters, CubicMetersPerHour, Kelvins, KelvinsPerMinute};
pub use bandwidth::BytesPerSecond;
pub use bytes::Bytes;
pub use carbon::{GramsCo2e, GramsPerKwh};
pub use display::{Range, significant};
pub use duration::{Duration, Frequency, HOURS_PER_MONTH, HOURS_PER_YEAR};
pub use electricity::{Amperes, Volts};
pub use energy::{Joules, Watts};
pub use flops::{Flops, FlopsPerSecond};
pub use known::{AtLeast, Known};
pub use money::{Currency, ExchangeRates, Money, MoneyError, PerGb, PerHour, PerKwh};
pub use parse::{Count, ParseError, Percent};
pub use quantity::QuantityError;
pub use sourced::{Basis, Date, Kind, Sourced};
pub use span::{Span, SpanError};
