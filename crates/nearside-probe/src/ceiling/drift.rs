//! Has a machine become slower? The newest measurement of a ceiling against those before it.
//!
//! With speeds `v` (of a time, `1/t`) and the half width of the runs `h = (p90 - p10) / (2 x median)`:
//!
//! `change = v_new / median(v_earlier)`, and `noise = max(sqrt(h_new^2 + h_earlier^2), s, 3 %)`,
//!
//! where `s` is how far earlier medians lie from each other, once there are three. Slower is below `1 - noise`,
//! faster above `1 + noise`. What was measured beside other programs tells nothing of the machine.

use super::Reached;
use super::name::CeilingName;

/// Fewer runs than this have no spread worth the name.
const LEAST_RUNS: usize = 3;
/// Two measurements of the same machine on the same day differ by as much.
const LEAST_NOISE: f64 = 0.03;
/// From so many earlier measurements on, their own scatter counts.
const ENOUGH_TO_SCATTER: usize = 3;
/// Standard deviations of a median absolute deviation, for normal errors.
const DEVIATIONS: f64 = 1.4826;

/// A measurement that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What it came to.
    pub reached: Reached,
    /// Of how many runs.
    pub runs: usize,
    /// Load of others that kept the machine busy meanwhile; none where it was quiet.
    pub beside: Option<f64>,
    /// How the clock was governed, where that was known.
    pub governor: Option<String>,
    /// The disk that it was measured on, where it is a ceiling of a disk and that was known.
    pub disk: Option<String>,
}

/// What became of a ceiling.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// As fast as before, within noise.
    Steady,
    /// Slower than noise explains.
    Slower,
    /// Faster than noise explains.
    Faster,
    /// Nobody can tell, for this reason.
    CannotTell(String),
}

/// The newest measurement against those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// What became of it.
    pub change: Change,
    /// Its speed over the median of earlier ones; none without any.
    pub times: Option<f64>,
    /// How far that may lie from 1 by chance.
    pub noise: f64,
    /// How many earlier ones it is held against.
    pub earlier: usize,
}

/// What may be behind a change, likeliest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What.
    pub what: String,
    /// What to look at.
    pub check: &'static str,
}

/// Holds the newest measurement of a ceiling against those before it, oldest first.
///
/// ```
/// use nearside_probe::ceiling::{Change, Kept, Reached, drift};
/// use nearside_units::{BytesPerSecond, Span};
/// let read = |gigabytes: f64| {
///     let span = Span::new(gigabytes * 0.98, gigabytes, gigabytes * 1.02).unwrap();
///     let reached = Reached::Bandwidth(span.map(|rate| BytesPerSecond::constant(rate * 1e9)));
///     Kept { reached, runs: 9, beside: None, governor: None, disk: None }
/// };
/// let found = drift(&read(18.0), &[read(20.0), read(20.2)]);
/// assert_eq!(found.change, Change::Slower);
/// assert_eq!((found.times.unwrap() * 1000.0).round(), 896.0); // 18.0 / 20.1
/// ```
#[must_use]
pub fn drift(newest: &Kept, earlier: &[Kept]) -> Drift {
    let earlier: Vec<&Kept> = earlier.iter().filter(|kept| kept.disk == newest.disk).collect();
    let quiet = earlier.iter().copied().filter(|kept| kept.beside.is_none());
    let alike: Vec<&Kept> = quiet.filter(|kept| same_kind(kept.reached, newest.reached)).collect();
    let speeds: Vec<f64> = alike.iter().map(|kept| kept.reached.speed()).collect();
    let widths: Vec<f64> = alike.iter().map(|kept| kept.reached.half_width()).collect();
    let before = median(speeds.clone());
    let times = before.map(|before| newest.reached.speed() / before);
    let width = newest.reached.half_width().hypot(median(widths).unwrap_or(0.0));
    let noise = width.max(before.map_or(0.0, |before| scatter(&speeds, before))).max(LEAST_NOISE);
    let change = match (times, unfit(newest, &earlier, &alike)) {
        (_, Some(why)) => Change::CannotTell(why),
        (Some(times), None) if times < 1.0 - noise => Change::Slower,
        (Some(times), None) if times > 1.0 + noise => Change::Faster,
        _ => Change::Steady,
    };
    Drift { change, times, noise, earlier: alike.len() }
}

/// Why nobody can tell.
fn unfit(newest: &Kept, earlier: &[&Kept], alike: &[&Kept]) -> Option<String> {
    let few = |kept: &Kept| kept.runs < LEAST_RUNS;
    if earlier.is_empty() {
        Some(match &newest.disk {
            Some(disk) => format!("{disk} was measured once"),
            None => "it was measured once".to_owned(),
        })
    } else if let Some(load) = newest.beside {
        Some(format!("other programs kept the machine busy (load {load:.2})"))
    } else if alike.is_empty() {
        Some("the machine was busy whenever it was measured before".to_owned())
    } else if few(newest) || alike.iter().all(|kept| few(kept)) {
        Some(format!("it was measured with fewer than {LEAST_RUNS} runs"))
    } else {
        None
    }
}

/// How far speeds lie from their median, as a share of it; nothing where they are too few to tell.
fn scatter(speeds: &[f64], median_speed: f64) -> f64 {
    if speeds.len() < ENOUGH_TO_SCATTER {
        return 0.0;
    }
    let away = speeds.iter().map(|speed| (speed / median_speed - 1.0).abs()).collect();
    median(away).map_or(0.0, |away| away * DEVIATIONS)
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = numbers.get(middle)?;
    match numbers.len() % 2 {
        0 => numbers.get(middle.checked_sub(1)?).map(|lower| f64::midpoint(*lower, *upper)),
        _ => Some(*upper),
    }
}

const fn same_kind(one: Reached, other: Reached) -> bool {
    matches!(
        (one, other),
        (Reached::Arithmetic(_), Reached::Arithmetic(_))
            | (Reached::Bandwidth(_), Reached::Bandwidth(_))
            | (Reached::Time(_), Reached::Time(_))
    )
}

impl Reached {
    /// Low, likely and high in the base unit.
    const fn ends(self) -> [f64; 3] {
        match self {
            Self::Arithmetic(span) => [
                span.low().as_flops_per_second(),
                span.likely().as_flops_per_second(),
                span.high().as_flops_per_second(),
            ],
            Self::Bandwidth(span) => [
                span.low().as_bytes_per_second(),
                span.likely().as_bytes_per_second(),
                span.high().as_bytes_per_second(),
            ],
            Self::Time(span) => {
                [span.low().as_seconds(), span.likely().as_seconds(), span.high().as_seconds()]
            }
        }
    }

    /// How fast it is: more is better whatever was measured.
    fn speed(self) -> f64 {
        let [_, likely, _] = self.ends();
        match self {
            Self::Time(_) => 1.0 / likely.max(f64::MIN_POSITIVE),
            _ => likely,
        }
    }

    /// Half of the range of its runs, as a share of the median.
    fn half_width(self) -> f64 {
        let [low, likely, high] = self.ends();
        (high - low) / 2.0 / likely.max(f64::MIN_POSITIVE)
    }
}

/// What may be behind a ceiling that became slower: what is known to have changed comes first.
#[must_use]
pub fn causes(name: CeilingName, newest: &Kept, before: &Kept) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let (Some(now), Some(then)) = (&newest.governor, &before.governor)
        && now != then
    {
        causes.push(Cause {
            what: format!("the clock is governed by {now} now, by {then} before"),
            check: "cpupower frequency-info; a laptop on battery does so by itself",
        });
    }
    let usual: &[(&str, &str)] = match name {
        CeilingName::MatrixFloat32 | CeilingName::MatrixInt8 => &[
            (
                "heat: dust, a fan that stands, a warm room",
                "sensors, while it computes; clean filters and fans",
            ),
            (
                "a power limit, or a laptop on battery",
                "the firmware's power settings; the power cable",
            ),
        ],
        CeilingName::MemoryRead | CeilingName::MemoryCopy | CeilingName::MemoryTriad => &[
            ("a memory module that is missing or clocked lower", "dmidecode -t memory (as root)"),
            (
                "heat: dust, a fan that stands, a warm room",
                "sensors, while it computes; clean filters and fans",
            ),
        ],
        CeilingName::DiskWrite | CeilingName::DiskRead => {
            &[("a disk that is nearly full, or worn", "df -h; smartctl -a (as root)")]
        }
        CeilingName::LoopbackRate | CeilingName::LoopbackLatency => {
            &[("a newer kernel, or its mitigations", "uname -r; lscpu | grep -i vulnerab")]
        }
    };
    causes.extend(usual.iter().map(|(what, check)| Cause { what: (*what).to_owned(), check }));
    causes
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_units::{BytesPerSecond, Duration, Span};
    use proptest::prelude::*;

    /// So many gigabytes per second, with runs that lie so far apart.
    fn read(gigabytes: f64, width: f64) -> Kept {
        let ends = [1.0 - width, 1.0, 1.0 + width].map(|part| part * gigabytes * 1e9);
        let span = Span::new(ends[0], ends[1], ends[2]).unwrap();
        let reached = Reached::Bandwidth(span.map(BytesPerSecond::constant));
        Kept { reached, runs: 9, beside: None, governor: None, disk: None }
    }

    fn trip(microseconds: f64) -> Kept {
        let span = Span::exact(Duration::constant(microseconds * 1e-6));
        Kept { reached: Reached::Time(span), ..read(1.0, 0.0) }
    }

    fn cannot_tell(found: &Drift) -> &str {
        match &found.change {
            Change::CannotTell(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn noise_alone_is_steady() {
        let earlier = [read(20.0, 0.02), read(20.4, 0.02), read(19.7, 0.02)];
        assert_eq!(drift(&read(19.9, 0.02), &earlier).change, Change::Steady);
        // Runs that lie far apart tell little.
        assert_eq!(drift(&read(18.0, 0.15), &earlier).change, Change::Steady);
    }

    #[test]
    fn a_tenth_beyond_the_spread_is_a_change() {
        let earlier = [read(20.0, 0.02), read(20.2, 0.02)];
        let slower = drift(&read(18.0, 0.02), &earlier);
        assert_eq!((&slower.change, slower.earlier), (&Change::Slower, 2));
        assert_eq!(drift(&read(22.5, 0.02), &earlier).change, Change::Faster);
    }

    #[test]
    fn a_longer_trip_is_slower() {
        assert_eq!(drift(&trip(30.0), &[trip(20.0)]).change, Change::Slower);
        assert_eq!(drift(&trip(15.0), &[trip(20.0)]).change, Change::Faster);
    }

    #[test]
    fn earlier_measurements_that_lie_apart_are_noise_too() {
        let earlier = [read(16.0, 0.01), read(20.0, 0.01), read(24.0, 0.01)];
        assert_eq!(drift(&read(18.0, 0.01), &earlier).change, Change::Steady);
    }

    #[test]
    fn other_programs_excuse() {
        let earlier = [read(20.0, 0.02)];
        let busy = Kept { beside: Some(1.5), ..read(11.0, 0.02) };
        let found = drift(&busy, &earlier);
        assert!(cannot_tell(&found).contains("load 1.50"));
        assert_eq!(found.times.map(|times| (times * 100.0).round()), Some(55.0));
        // One that was busy before is left out; were all, nothing is left to compare with.
        let quiet = read(20.1, 0.02);
        assert_eq!(drift(&quiet, &[read(20.0, 0.02), busy.clone()]).change, Change::Steady);
        assert!(cannot_tell(&drift(&quiet, &[busy])).contains("busy whenever"));
    }

    #[test]
    fn one_measurement_or_few_runs_tell_nothing() {
        assert!(cannot_tell(&drift(&read(20.0, 0.02), &[])).contains("once"));
        let few = Kept { runs: 2, ..read(10.0, 0.02) };
        assert!(cannot_tell(&drift(&few, &[read(20.0, 0.02)])).contains("runs"));
        assert!(cannot_tell(&drift(&read(20.0, 0.02), &[few])).contains("runs"));
    }

    #[test]
    fn another_disk_tells_nothing_of_this_one() {
        let on =
            |disk: &str, gigabytes| Kept { disk: Some(disk.to_owned()), ..read(gigabytes, 0.02) };
        let other = drift(&on("/dev/sdb1", 0.2), &[on("/dev/sda1", 3.0), read(3.0, 0.02)]);
        assert_eq!((cannot_tell(&other), other.earlier), ("/dev/sdb1 was measured once", 0));
        let all = [on("/dev/sdb1", 0.3), on("/dev/sda1", 3.0)];
        let found = drift(&on("/dev/sdb1", 0.2), &all);
        assert_eq!((found.change, found.earlier), (Change::Slower, 1));
    }

    #[test]
    fn what_is_known_to_have_changed_comes_first() {
        let governed = |by: &str| Kept { governor: Some(by.to_owned()), ..read(20.0, 0.02) };
        let (now, then) = (governed("powersave"), governed("performance"));
        let found = causes(CeilingName::MatrixFloat32, &now, &then);
        assert!(found[0].what.contains("powersave now, by performance before"), "{found:?}");
        let same = causes(CeilingName::MatrixFloat32, &then, &then);
        assert!(same[0].what.contains("dust"), "{same:?}");
    }

    proptest! {
        /// The unit that something was measured in, and the order of what was before, change nothing.
        #[test]
        fn scale_and_order_do_not_matter(
            mut earlier in proptest::collection::vec(5.0f64..50.0, 1..8), now in 5.0f64..50.0, scale in 0.1f64..10.0,
        ) {
            let kept = |times: f64, speeds: &[f64]| {
                speeds.iter().map(|speed| read(speed * times, 0.02)).collect::<Vec<_>>()
            };
            let found = drift(&read(now, 0.02), &kept(1.0, &earlier));
            earlier.reverse();
            let other = drift(&read(now * scale, 0.02), &kept(scale, &earlier));
            let border = (found.times.unwrap() - 1.0).abs() - found.noise;
            prop_assume!(border.abs() > 1e-9);
            prop_assert_eq!(found.change, other.change);
        }
    }
}
