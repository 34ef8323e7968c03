//! Arithmetic: floating-point operations and how many a device does per second.

use std::ops::Div;

use crate::Duration;
use crate::quantity::{additive, quantity};

quantity! {
    /// A number of floating-point operations (a multiply-add is two).
    Flops, "number of operations", checked, from_flops, as_flops,
    units: [("FLOP", 1.0), ("kFLOP", 1e3), ("MFLOP", 1e6), ("GFLOP", 1e9), ("TFLOP", 1e12),
            ("PFLOP", 1e15), ("EFLOP", 1e18), ("ZFLOP", 1e21)],
    shown: ["FLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "ZFLOP"]
}
additive!(Flops);

quantity! {
    /// Floating-point operations per second; always positive. Integer operations of quantized
    /// arithmetic are counted in the same unit.
    FlopsPerSecond, "speed of arithmetic", checked_rate, from_flops_per_second, as_flops_per_second,
    units: [("FLOP/s", 1.0), ("MFLOP/s", 1e6), ("GFLOP/s", 1e9), ("TFLOP/s", 1e12),
            ("TOP/s", 1e12), ("PFLOP/s", 1e15)],
    shown: ["FLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s"]
}

impl Div<FlopsPerSecond> for Flops {
    type Output = Duration;
    fn div(self, rate: FlopsPerSecond) -> Duration {
        Duration::of(self.as_flops() / rate.as_flops_per_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_over_speed_is_time() {
        let time = "165.2 TFLOP".parse::<Flops>().unwrap()
            / "165.2 TFLOP/s".parse::<FlopsPerSecond>().unwrap();
        assert!((time.as_seconds() - 1.0).abs() < 1e-12);
    }
}
