//! Whether estimates would have said the right thing of a device: the measured need against a device
//! that is a tenth too small, just right, and a tenth larger.

use nearside_units::Span;

use crate::score::Scored;

/// Sizes of the device over the measured need.
pub(crate) const SIZES: [f64; 3] = [0.9, 1.0, 1.1];

/// How often each was said of a device of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdicts {
    /// It fits.
    pub(crate) fits: usize,
    /// Too close to tell.
    pub(crate) uncertain: usize,
    /// It does not.
    pub(crate) does_not: usize,
}

/// What would have been said, by the size of the device.
pub(crate) fn verdicts(scored: &[Scored]) -> [(f64, Verdicts); 3] {
    SIZES.map(|size| {
        let mut verdicts = Verdicts::default();
        for one in scored.iter().filter(|one| one.metric.must_fit()) {
            *count(&mut verdicts, one.estimate, one.value * size) += 1;
        }
        (size, verdicts)
    })
}

/// The estimator's rule: it fits when the most that may be needed is there.
fn count(verdicts: &mut Verdicts, needed: Span<f64>, there: f64) -> &mut usize {
    match () {
        () if needed.high() <= there => &mut verdicts.fits,
        () if needed.low() > there => &mut verdicts.does_not,
        () => &mut verdicts.uncertain,
    }
}
