//! Heat and power of devices, now.

use nearside_units::{Known, Watts};

use super::check::{Check, Rule, Section};
use super::nvidia::{Nvidia, NvidiaDevice};

const TEMPERATURE: Rule = Rule {
    id: "temperature",
    section: Section::Power,
    says: "the device is more than 5 degrees below where its hardware slows down",
    source: "NVML reference (NVML_TEMPERATURE_THRESHOLD_SLOWDOWN), a threshold of each device",
};
const THROTTLING: Rule = Rule {
    id: "throttling",
    section: Section::Power,
    says: "neither heat nor the power brake hold the clocks back",
    source: "NVML reference (clocks event reasons 0x8, 0x20, 0x40, 0x80); 0x4, its power limit, is normal at full load",
};
const POWER_LIMIT: Rule = Rule {
    id: "power-limit",
    section: Section::Power,
    says: "the power limit is the one that the device came with, unless somebody lowered it on purpose",
    source: "NVML reference (enforced and default power limit)",
};

pub(super) const RULES: &[&Rule] = &[&TEMPERATURE, &THROTTLING, &POWER_LIMIT];

/// Degrees below the threshold at which it is told.
const MARGIN: u32 = 5;
/// A limit lowered to less than this share of the default costs speed that people wonder about.
const LOWERED: f64 = 0.9;

pub(super) fn checks(nvidia: &Nvidia) -> Vec<Check> {
    if nvidia.devices.is_empty() {
        return RULES.iter().map(|rule| rule.not_applicable("no NVIDIA device")).collect();
    }
    let of = |device: &NvidiaDevice| {
        let label = device.label();
        [temperature(device), throttling(device), power_limit(device)]
            .map(|check| check.about(label.clone()))
    };
    nvidia.devices.iter().flat_map(of).collect()
}

fn temperature(device: &NvidiaDevice) -> Check {
    match device.temperature.clone().zip(device.slowdown_at.clone()) {
        Known::Unknown(why) => TEMPERATURE.unknown(&*why),
        Known::Value((now, limit)) => {
            let seen = format!("NVML: {now} C, slows down at {limit} C");
            match now + MARGIN >= limit {
                false => TEMPERATURE.ok(format!("{now} C, it slows down at {limit} C")).seen(seen),
                true => TEMPERATURE
                    .warning(format!("it is {now} C hot and slows down at {limit} C"))
                    .seen(seen)
                    .fix("# clean filters and fans, leave a slot free beside the card, lower the room's temperature")
                    .fix(format!("nvidia-smi -q -i {} -d TEMPERATURE", device.index)),
            }
        }
    }
}

fn throttling(device: &NvidiaDevice) -> Check {
    match device.throttle {
        Known::Unknown(ref why) => THROTTLING.unknown(&**why),
        Known::Value(reasons) => {
            let seen = format!("NVML: clocks event reasons {:#x}", reasons.0);
            let look = format!("nvidia-smi -q -i {} -d PERFORMANCE", device.index);
            match (reasons.heat(), reasons.power_brake()) {
                (true, _) => THROTTLING
                    .fault("heat holds its clocks back now")
                    .seen(seen)
                    .fix("# better cooling, or less power:")
                    .fix(format!(
                        "sudo nvidia-smi -i {} -pl WATTS  # three quarters cost little speed",
                        device.index
                    )),
                (false, true) => THROTTLING
                    .fault("the power brake holds its clocks back: the supply asks for less")
                    .seen(seen)
                    .fix("# look at the power cables and at what the supply can give")
                    .fix(look),
                (false, false) => {
                    THROTTLING.ok("neither heat nor the supply hold it back").seen(seen)
                }
            }
        }
    }
}

fn power_limit(device: &NvidiaDevice) -> Check {
    match device.power_limit.clone().zip(device.power_limit_default.clone()) {
        Known::Unknown(why) => POWER_LIMIT.unknown(&*why),
        Known::Value((now, default)) => {
            let (share, watts) = (f64::from(now) / f64::from(default.max(1)), |milliwatts: u32| {
                Watts::from_watts(f64::from(milliwatts) / 1e3)
                    .map_or_else(|_| "-".to_owned(), |it| it.to_string())
            });
            let seen = format!("NVML: {} in force, {} by default", watts(now), watts(default));
            match share < LOWERED {
                true => POWER_LIMIT
                    .warning(format!(
                        "its power limit is {}, it came with {}",
                        watts(now),
                        watts(default)
                    ))
                    .seen(seen)
                    .fix(format!("sudo nvidia-smi -i {} -pl {}", device.index, default / 1000)),
                false => POWER_LIMIT.ok(format!("its power limit is {}", watts(now))).seen(seen),
            }
        }
    }
}
