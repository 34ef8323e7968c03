//! The time of a training step: its kernels against the ceilings of the device.

use std::collections::BTreeMap;

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
    // Products in different types have ceilings of their own.
    let mut by_type: BTreeMap<Dtype, Vec<(Work, u32)>> = BTreeMap::new();
    for work in kernels.into_iter().filter(busy) {
        by_type.entry(work.dtype).or_default().push((work, 1));
    }
    let mut total = Span::exact(Duration::ZERO);
    for (dtype, kernels) in by_type {
        let ceilings = ceilings(device, dtype, &Kernels::default())?;
        let pass = Pass { name: "step", repeats: 1.0, kernels };
        total = total + run(&[pass], &ceilings).time;
    }
    Ok(total)
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
    let [matrix, attention] = kernels.shares(&peak, device.measured_16bit().value());
    let bandwidth = device.bandwidth().value().ok_or_else(|| unknown("bandwidth"))?.value;
    Ok(Ceilings {
        matrix: matrix.value.map(|share| peak.value * share),
        attention: attention.value.map(|share| peak.value * share),
        bandwidth: kernels.bandwidth_share.value.map(|share| bandwidth * share),
        launch: kernels.training_gap.value,
        overhead: kernels.training_overhead.value,
    })
}
