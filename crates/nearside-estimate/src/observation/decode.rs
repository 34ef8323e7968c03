//! The time of one decoded token: `t = bytes / (efficiency x bandwidth) + gaps x gap`.
//!
//! Two observations of different sizes give both numbers; one, or several of one size, scales the
//! efficiency and keeps the gap. Fitted by least squares of relative errors.
//! Source: decode speed against bandwidth on five devices (llmfit community runs): with two probes
//! per device the mean error falls from 24 % to 3-7 %.

use std::cmp::Ordering;

use nearside_units::{Bytes, BytesPerSecond, Duration, Span};

use super::held_out::{HeldOut, Judged, Ordered, kept_width, leave_one_out, without_each};

/// Sizes must differ so much that the two numbers can be told apart: the squared sine of the angle
/// between both columns of the fit. Two models must differ by about a quarter in size.
const TELLS_APART: f64 = 0.01;

/// One decoded token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decoded {
    /// Weights and cache that were read for it.
    pub read: Bytes,
    /// Kernels that were launched for it.
    pub gaps: u32,
    /// How long it took.
    pub time: Duration,
}

impl Ordered for Decoded {
    fn order(&self, other: &Self) -> Ordering {
        let sizes = (self.read, self.gaps).cmp(&(other.read, other.gaps));
        sizes.then(self.time.as_seconds().total_cmp(&other.time.as_seconds()))
    }
}

/// What a site does with a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecodeModel {
    /// The bandwidth that efficiency is counted against.
    pub bandwidth: BytesPerSecond,
    /// Share of the bandwidth that is reached.
    pub efficiency: Span<f64>,
    /// Time between kernels.
    pub gap: Span<Duration>,
}

impl DecodeModel {
    /// How long a token takes.
    ///
    /// ```
    /// use nearside_estimate::observation::decode::DecodeModel;
    /// use nearside_units::{Bytes, BytesPerSecond, Duration, Span};
    /// let model = DecodeModel {
    ///     bandwidth: BytesPerSecond::constant(100e9),
    ///     efficiency: Span::new(0.5, 0.8, 1.0).unwrap(),
    ///     gap: Span::exact(Duration::constant(1e-6)),
    /// };
    /// // 8 GB at 80 GB/s: 100 ms; 1000 gaps of 1 us: 1 ms.
    /// assert_eq!(model.time(Bytes::new(8_000_000_000), 1000).to_string(), "81.0-161 ms");
    /// ```
    #[must_use]
    pub fn time(&self, read: Bytes, gaps: u32) -> Span<Duration> {
        let rate = self.efficiency.map(|share| self.bandwidth * share);
        let traffic = Span::exact(read).combine_inverse(rate, |read, rate| read / rate);
        traffic + self.gap.map(|gap| gap * f64::from(gaps))
    }

    /// The model after these observations; without any it stays as it is.
    ///
    /// ```
    /// use nearside_estimate::observation::decode::{DecodeModel, Decoded};
    /// use nearside_units::{Bytes, BytesPerSecond, Duration, Span};
    /// let prior = DecodeModel {
    ///     bandwidth: BytesPerSecond::constant(100e9),
    ///     efficiency: Span::new(0.5, 0.8, 1.0).unwrap(),
    ///     gap: Span::exact(Duration::constant(1e-3)),
    /// };
    /// let token = |gigabytes: u64, seconds: f64| Decoded {
    ///     read: Bytes::new(gigabytes * 1_000_000_000),
    ///     gaps: 1,
    ///     time: Duration::constant(seconds),
    /// };
    /// // One: 5 GB in 101 ms; without the gap of 1 ms that is 50 GB/s, half the bandwidth.
    /// let one = prior.after(&[token(5, 0.101)]);
    /// assert!((one.efficiency.likely() - 0.5).abs() < 1e-9);
    /// // Two: 5 GB more take 50 ms more, so 100 GB/s; what is left is a gap of 5 ms.
    /// let two = prior.after(&[token(5, 0.055), token(10, 0.105)]);
    /// assert!((two.efficiency.likely() - 1.0).abs() < 1e-9);
    /// assert!((two.gap.likely().as_seconds() - 0.005).abs() < 1e-9);
    /// ```
    #[must_use]
    pub fn after(&self, observations: &[Decoded]) -> Self {
        let observations = sorted(observations);
        if observations.is_empty() {
            return *self;
        }
        let moved = self.moved(&observations);
        let errors: Vec<_> = without_each(&observations)
            .map(|(one, rest)| self.moved(&rest).log_error(&one))
            .collect();
        let widths = observations.iter().map(|one| half_width(moved.time(one.read, one.gaps)));
        let prior = widths.sum::<f64>() / observations.len() as f64;
        moved.narrowed(kept_width(prior, &errors))
    }

    /// How well these observations predict each other.
    #[must_use]
    pub fn held_out(&self, observations: &[Decoded]) -> Option<HeldOut> {
        leave_one_out(&sorted(observations), |one, rest| {
            let time = self.after(rest).time(one.read, one.gaps);
            Judged {
                error: time.likely() / one.time - 1.0,
                inside: time.low() <= one.time && one.time <= time.high(),
            }
        })
    }

    /// The middle that fits best, with the relative width that was there.
    fn moved(&self, observations: &[Decoded]) -> Self {
        let Some((pace, gap)) = self.fitted(observations) else { return *self };
        let efficiency = 1.0 / (pace * self.bandwidth.as_bytes_per_second());
        let known = (efficiency.is_finite() && efficiency > 0.0)
            .then(|| Duration::from_seconds(gap).ok())
            .flatten();
        let Some(gap) = known else { return *self };
        let scale = efficiency / self.efficiency.likely();
        let gap = match self.gap.likely() {
            // A gap that was thought to be nothing has no relative width.
            Duration::ZERO => Span::exact(gap),
            likely => self.gap.map(|end| end * (gap / likely)),
        };
        Self { efficiency: self.efficiency.map(|share| share * scale), gap, ..*self }
    }

    /// Seconds per byte and seconds per gap.
    fn fitted(&self, observations: &[Decoded]) -> Option<(f64, f64)> {
        let usable: Vec<_> = observations.iter().filter_map(Columns::of).collect();
        if usable.is_empty() {
            return None;
        }
        let sum = |term: fn(&Columns) -> f64| usable.iter().map(term).sum::<f64>();
        let bytes = sum(|one| one.bytes);
        let bytes_squared = sum(|one| one.bytes * one.bytes);
        let gaps_squared = sum(|one| one.gaps * one.gaps);
        let both = sum(|one| one.bytes * one.gaps);
        let gaps = sum(|one| one.gaps);
        let determinant = bytes_squared * gaps_squared - both * both;
        if determinant > TELLS_APART * bytes_squared * gaps_squared {
            let pace = (bytes * gaps_squared - gaps * both) / determinant;
            let gap = (gaps * bytes_squared - bytes * both) / determinant;
            match (pace > 0.0, gap >= 0.0) {
                (true, true) => return Some((pace, gap)),
                (true, false) => return Some((bytes / bytes_squared, 0.0)),
                (false, _) => {}
            }
        }
        let gap = self.gap.likely().as_seconds();
        let pace = (bytes - gap * both) / bytes_squared;
        if pace > 0.0 {
            return Some((pace, gap));
        }
        // The gap alone takes longer than what was measured: both are scaled alike.
        let pace = 1.0 / (self.efficiency.likely() * self.bandwidth.as_bytes_per_second());
        let predicted = |one: &Columns| pace * one.bytes + gap * one.gaps;
        let total: f64 = usable.iter().map(predicted).sum();
        let squared: f64 = usable.iter().map(|one| predicted(one).powi(2)).sum();
        Some((pace * total / squared, gap * total / squared))
    }

    /// Logarithm of measured over predicted time.
    fn log_error(&self, one: &Decoded) -> f64 {
        (one.time / self.time(one.read, one.gaps).likely()).ln()
    }

    /// The same middle with part of the width.
    fn narrowed(&self, part: f64) -> Self {
        let efficiency = narrowed(self.efficiency, part, |share| share, |share| share);
        let gap = match self.gap.likely() {
            Duration::ZERO => self.gap,
            _ => narrowed(self.gap, part, Duration::as_seconds, |seconds| {
                Duration::from_seconds(seconds).unwrap_or(Duration::ZERO)
            }),
        };
        Self { efficiency, gap, ..*self }
    }
}

/// Both ends moved towards the middle by a part of their ratio to it.
pub(crate) fn narrowed<T: Copy + PartialOrd>(
    span: Span<T>,
    part: f64,
    number: impl Fn(T) -> f64,
    value: impl Fn(f64) -> T,
) -> Span<T> {
    let likely = number(span.likely());
    let end = |end: T| value(likely * (number(end) / likely).powf(part));
    Span::new(end(span.low()), span.likely(), end(span.high())).unwrap_or(span)
}

/// Half the logarithm of high over low.
pub(crate) fn half_width(time: Span<Duration>) -> f64 {
    let ratio = time.high() / time.low();
    if ratio.is_finite() { ratio.ln() / 2.0 } else { 0.0 }
}

/// An observation as the columns of a fit of relative errors.
struct Columns {
    bytes: f64,
    gaps: f64,
}

impl Columns {
    /// Nothing for an observation that says nothing: no bytes, or no time.
    fn of(one: &Decoded) -> Option<Self> {
        let time = one.time.as_seconds();
        let columns =
            Self { bytes: one.read.get() as f64 / time, gaps: f64::from(one.gaps) / time };
        (columns.bytes.is_finite() && columns.bytes > 0.0).then_some(columns)
    }
}

fn sorted(observations: &[Decoded]) -> Vec<Decoded> {
    let mut sorted = observations.to_vec();
    sorted.retain(|one| Columns::of(one).is_some());
    sorted.sort_by(Ordered::order);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prior() -> DecodeModel {
        DecodeModel {
            bandwidth: BytesPerSecond::constant(1e12),
            efficiency: Span::new(0.5, 0.8, 0.95).unwrap(),
            gap: Span::new(1.0, 1.5, 3.0)
                .unwrap()
                .map(|micros| Duration::from_seconds(micros * 1e-6).unwrap()),
        }
    }

    fn planted(efficiency: f64, gap: f64, megabytes: u64) -> Decoded {
        let (read, gaps) = (Bytes::new(megabytes * 1_000_000), 700);
        let seconds = read.get() as f64 / (efficiency * 1e12) + gap * f64::from(gaps);
        Decoded { read, gaps, time: Duration::from_seconds(seconds).unwrap() }
    }

    fn width(model: &DecodeModel) -> f64 {
        (model.efficiency.high() / model.efficiency.low()).ln()
    }

    #[test]
    fn measured_decoding_is_predicted_better_with_two_probes() {
        // RTX 2080 as fitted by others: 0.84 of 448 GB/s and 1.29 ms a token; 3 % of noise.
        let prior = DecodeModel { bandwidth: BytesPerSecond::constant(448e9), ..prior() };
        let token = |gigabytes: f64, noise: f64| Decoded {
            read: Bytes::new((gigabytes * 1e9) as u64),
            gaps: 800,
            time: Duration::from_seconds((gigabytes / (0.84 * 448.0) + 1.29e-3) * noise).unwrap(),
        };
        let runs = [token(1.0, 1.03), token(2.0, 0.97), token(4.4, 1.02), token(4.9, 0.98)];
        let held_out = prior.held_out(&runs).unwrap();
        assert!(held_out.mean_error < 0.06, "{held_out:?}");
        assert!(held_out.coverage() > 0.7, "{held_out:?}");
        let after = prior.after(&runs);
        assert!((after.efficiency.likely() - 0.84).abs() < 0.05, "{after:?}");
        assert!(width(&after) < width(&prior) * 0.7, "{after:?}");
    }

    #[test]
    fn nonsense_is_left_out() {
        let nothing = Decoded { read: Bytes::ZERO, gaps: 1, time: Duration::constant(1.0) };
        let at_once = Decoded { read: Bytes::new(1), gaps: 1, time: Duration::ZERO };
        assert_eq!(prior().after(&[nothing, at_once]), prior());
        assert_eq!(prior().held_out(&[nothing, at_once]), None);
    }

    #[test]
    fn faster_than_the_gap_scales_both() {
        let fast = Decoded { read: Bytes::mib(1), gaps: 700, time: Duration::constant(1e-4) };
        let after = prior().after(&[fast]);
        let time = after.time(fast.read, fast.gaps).likely();
        assert!((time / fast.time - 1.0).abs() < 1e-9, "{time}");
        assert!(after.gap.likely() < prior().gap.likely());
    }

    proptest! {
        #[test]
        fn planted_values_come_back(efficiency in 0.2f64..1.2, micros in 0.2f64..8.0,
                                    small in 200u64..2_000, times in 3u64..20) {
            let gap = micros * 1e-6;
            let runs = [planted(efficiency, gap, small), planted(efficiency, gap, small * times)];
            let (u, v): (Vec<_>, Vec<_>) =
                runs.iter().map(|run| Columns::of(run).unwrap()).map(|c| (c.bytes, c.gaps)).unzip();
            let (uu, vv, uv) = (u[0]*u[0]+u[1]*u[1], v[0]*v[0]+v[1]*v[1], u[0]*v[0]+u[1]*v[1]);
            prop_assume!(uu * vv - uv * uv > TELLS_APART * uu * vv);
            let after = prior().after(&runs);
            prop_assert!((after.efficiency.likely() / efficiency - 1.0).abs() < 1e-6);
            prop_assert!((after.gap.likely().as_seconds() / gap - 1.0).abs() < 1e-6);
        }

        #[test]
        fn evidence_never_widens_and_order_does_not_matter(
            runs in prop::collection::vec((100u64..20_000, 0.3f64..3.0), 0..8), swap in 0usize..8,
        ) {
            let runs: Vec<_> = runs
                .iter()
                .map(|(megabytes, noise)| {
                    let run = planted(0.7, 2e-6, *megabytes);
                    Decoded { time: run.time * *noise, ..run }
                })
                .collect();
            let after = prior().after(&runs);
            prop_assert!(width(&after) <= width(&prior()) + 1e-9);
            let mut turned = runs.clone();
            turned.rotate_left(swap.min(runs.len()));
            turned.reverse();
            prop_assert_eq!(prior().after(&turned), after);
            prop_assert_eq!(prior().held_out(&turned), prior().held_out(&runs));
        }
    }
}
