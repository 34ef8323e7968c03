//! Which attention kernel a device has for what a recipe asks for.
//!
//! `PyTorch` takes flash attention where it is told to take a fused kernel, but FlashAttention-2 needs
//! compute capability 8.0 (`check_flash_attention_hardware_support` in
//! `aten/src/ATen/native/transformers/cuda/sdp_utils.cpp`). Before that the memory-efficient kernel
//! answers, which wants key-value heads repeated.

use nearside_architecture::Architecture;
use nearside_catalog::{ComputeCapability, Device, Site};
use nearside_workload::{AttentionKernel, Recipe, Task, Workload};

use crate::engine::llama_cpp::Mix;

/// From here on, devices of NVIDIA have flash attention.
const FLASH: ComputeCapability = ComputeCapability { major: 8, minor: 0 };

/// The kernel that a device runs for the one that is asked for. Where no device is named, and on
/// those of other vendors, it is the one that is asked for.
///
/// ```
/// use nearside_catalog::Catalog;
/// use nearside_estimate::attention_kernel::on_device;
/// use nearside_workload::AttentionKernel::{Eager, Efficient, Fused};
/// let catalog = Catalog::builtin()?;
/// assert_eq!(on_device(Fused, Some(catalog.device("t4")?)), Efficient);
/// assert_eq!(on_device(Fused, Some(catalog.device("a10")?)), Fused);
/// assert_eq!(on_device(Eager, Some(catalog.device("t4")?)), Eager);
/// # Ok::<(), nearside_catalog::CatalogError>(())
/// ```
#[must_use]
pub fn on_device(asked: AttentionKernel, device: Option<&Device>) -> AttentionKernel {
    let capability = device.and_then(|device| device.compute_capability);
    match (asked, capability) {
        (AttentionKernel::Fused, Some(capability)) if capability < FLASH => {
            AttentionKernel::Efficient
        }
        _ => asked,
    }
}

/// The workload as the accelerators of a site would run it.
#[must_use]
pub fn on_site(workload: &Workload, site: &Site) -> Workload {
    if !runs_in_pytorch(workload) {
        return workload.clone();
    }
    let device = site.machine.accelerators.as_ref().map(|accelerators| &*accelerators.device);
    let attention = on_device(workload.recipe.attention, device);
    Workload { recipe: Recipe { attention, ..workload.recipe }, ..workload.clone() }
}

/// Whether a model attends, and with kernels of `PyTorch`: llama.cpp, which answers from weights in
/// blocks, has flash attention of its own for every device.
fn runs_in_pytorch(workload: &Workload) -> bool {
    let attends = workload.model.as_ref().is_some_and(|model| {
        !matches!(*model.architecture, Architecture::Convolutional(_) | Architecture::Other { .. })
    });
    let answers = matches!(workload.task, Task::Inference(_) | Task::Evaluation(_));
    let in_blocks = Mix::of(workload.recipe.weights).is_some_and(|mix| !mix.dtype().is_float());
    attends && !(answers && in_blocks)
}
