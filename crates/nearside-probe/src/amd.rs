//! AMD accelerators, from the files of the `amdgpu` kernel driver.
//!
//! Source: Linux `Documentation/gpu/amdgpu/driver-misc.rst` (`mem_info_vram_*`, `product_name`,
//! `unique_id`) and `thermal.rst` (hwmon `power1_cap`, in microwatts).

use nearside_units::{Bytes, Known, Watts};

use crate::accelerator::{AcceleratorVendor, Accelerators, DetectedAccelerator};
use crate::root::Root;

const CARDS: &str = "sys/class/drm";
/// AMD's number on the PCI bus.
const PCI_VENDOR: &str = "0x1002";

/// Every card of the `amdgpu` driver that has memory of its own.
pub(crate) fn accelerators(root: Root<'_>) -> Accelerators {
    let devices =
        root.numbered(CARDS, "card").into_iter().map(|card| format!("{CARDS}/{card}/device"));
    let mut accelerators = Accelerators::default();
    for device in devices {
        let vendor: Known<String> = root.value(&format!("{device}/vendor"));
        if vendor.value().as_deref() != Some(PCI_VENDOR) {
            continue;
        }
        match root.has(&format!("{device}/mem_info_vram_total")) {
            true => accelerators.found.push(accelerator(root, &device)),
            false => accelerators.notes.push(format!(
                "AMD device at /{device}: the amdgpu driver shows no memory of its own"
            )),
        }
    }
    accelerators
}

fn accelerator(root: Root<'_>, device: &str) -> DetectedAccelerator {
    let bytes = |file| root.value::<u64>(&format!("{device}/{file}")).map(Bytes::new);
    let (total, used) = (bytes("mem_info_vram_total"), bytes("mem_info_vram_used"));
    DetectedAccelerator {
        vendor: AcceleratorVendor::Amd,
        name: name(root, device),
        memory_free: total.clone().zip(used).and_then(|(total, used)| {
            Known::from_option(total.checked_sub(used), "more memory used than there is")
        }),
        memory_total: total,
        power_limit: power_limit(root, device),
        driver_version: driver_version(root),
        compute_capability: Known::unknown("an NVIDIA notion"),
        uuid: root.value(&format!("{device}/unique_id")),
    }
}

/// The product name, which data-centre cards carry; for others the number on the PCI bus.
fn name(root: Root<'_>, device: &str) -> Known<String> {
    // The file holds an empty line where the card has no name.
    match root.text(&format!("{device}/product_name")).map(|name| name.trim().to_owned()) {
        Known::Value(name) if !name.is_empty() => Known::Value(name),
        _ => root
            .value::<String>(&format!("{device}/device"))
            .map(|number| format!("AMD device {number}")),
    }
}

fn power_limit(root: Root<'_>, device: &str) -> Known<Watts> {
    let folder = format!("{device}/hwmon");
    let monitors = root.numbered(&folder, "hwmon");
    let Some(monitor) = monitors.first() else {
        return Known::unknown(format!("/{folder}: no monitor"));
    };
    let cap = root.value::<f64>(&format!("{folder}/{monitor}/power1_cap"));
    cap.and_then(|microwatts| match Watts::from_watts(microwatts / 1e6) {
        Ok(watts) => Known::Value(watts),
        Err(error) => Known::unknown(error.to_string()),
    })
}

/// The version of a driver from AMD's packages; the kernel's own driver has none.
fn driver_version(root: Root<'_>) -> Known<String> {
    match root.value("sys/module/amdgpu/version") {
        Known::Value(version) => Known::Value(version),
        Known::Unknown(_) => {
            let kernel: Known<String> = root.value("proc/sys/kernel/osrelease");
            kernel.map(|release| format!("amdgpu of Linux {release}"))
        }
    }
}
