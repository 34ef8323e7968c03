//! How long the battery of an uninterruptible supply lasts.

use nearside_units::{Basis, Duration, Joules, Sourced, Span, Watts};

/// What comes out of a battery over what it is said to hold: losses of the inverter, and age.
#[must_use]
pub fn usable_charge() -> Sourced<Span<f64>> {
    let span = Span::new(0.7, 0.9, 0.95).unwrap_or(Span::exact(0.9));
    Sourced::new(span, Basis::assumed("losses of the inverter; an old battery holds less"))
}

/// How long a battery lasts: `t = Wh x 0.9 / W`. A battery that is drawn empty within minutes gives less.
///
/// ```
/// use nearside_economics::installation::battery_time;
/// use nearside_units::{Span, Watts};
/// let time = battery_time("1500 Wh".parse().unwrap(), Span::exact(Watts::constant(900.0)));
/// assert_eq!(time.likely().to_string(), "1.50 h");
/// ```
#[must_use]
pub fn battery_time(holds: Joules, power: Span<Watts>) -> Span<Duration> {
    let charge = usable_charge().value.map(|share| holds * share);
    charge.combine_inverse(power, |joules, watts| {
        // Drawing nothing, it lasts as long as anything lasts.
        let seconds = joules.as_joules() / watts.as_watts().max(f64::MIN_POSITIVE);
        Duration::from_seconds(seconds.min(f64::MAX)).unwrap_or(Duration::ZERO)
    })
}
