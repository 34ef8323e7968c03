//! The time of a training step: its kernels against the ceilings of the device.

use nearside_architecture::Dtype;
use nearside_catalog::{Device, Precision};
use nearside_estimate::calibration::Kernels;
use nearside_estimate::demand::{Pass, training_kernels};
use nearside_estimate::lowering::Trained;
use nearside_estimate::optimizer;
use nearside_estimate::roofline::{Ceilings, run};
use nearside_estimate::tape::Work;
use nearside_units::{Bytes, Duration, Flops, Span};

use crate::memory::Run;
use crate::row::Reason;

/// How long one step of a program takes on a device.
pub(crate) fn time(program: &Run, device: &Device) -> Result<Span<Duration>, Reason> {
    if program.trained == Trained::Nothing {
        return Err("a step is one of training".to_owned());
    }
    let busy = |work: &Work| work.bytes > Bytes::ZERO || work.flops > Flops::ZERO;
    let mut kernels = training_kernels(&program.tape);
    kernels.push(optimizer::work(&program.tape, program.recipe.optimizer));
    let kernels = kernels.into_iter().filter(busy).map(|work| (work, 1)).collect();
    let ceilings = ceilings(device, program.recipe.compute, &Kernels::default())?;
    Ok(run(&[Pass { name: "step", repeats: 1.0, kernels }], &ceilings).time)
}

/// The ceilings of a device as the estimator takes them from its data sheet.
fn ceilings(device: &Device, dtype: Dtype, kernels: &Kernels) -> Result<Ceilings, Reason> {
    let precision = match dtype {
        Dtype::F16 => Precision::Fp16,
        Dtype::Bf16 => Precision::Bf16,
        Dtype::F8 => Precision::Fp8,
        _ => Precision::Fp32,
    };
    let unknown = |what: &str| format!("the {what} of the device is not known");
    let peak = device.best_peak(precision).value().ok_or_else(|| unknown("peak"))?;
    let wide = device.best_peak(Precision::Fp32).value().ok_or_else(|| unknown("32-bit peak"))?;
    let bandwidth = device.bandwidth().value().ok_or_else(|| unknown("bandwidth"))?.value;
    let measured = device.measured_16bit().value();
    Ok(Ceilings {
        arithmetic: kernels.arithmetic(&peak, measured.clone()),
        arithmetic_32bit: kernels.arithmetic(&wide, measured),
        bandwidth: kernels.bandwidth_share.value.map(|share| bandwidth * share),
        launch: kernels.training_gap.value,
        overhead: kernels.training_overhead.value,
    })
}
