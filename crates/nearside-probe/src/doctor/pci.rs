//! Devices on the PCI bus that could compute, with or without a driver.
//!
//! Source: PCI Code and ID Assignment Specification (class 03 display, 12 processing accelerators),
//! Linux `Documentation/ABI/testing/sysfs-bus-pci`.

use crate::root::Root;

const FOLDER: &str = "sys/bus/pci/devices";
/// Devices that are looked at.
const MAX_DEVICES: usize = 4096;

/// Who makes a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    Nvidia,
    Amd,
    Intel,
}

/// A display or processing device.
#[derive(Clone, Debug)]
pub(crate) struct PciDevice {
    /// Where on the bus, `0000:01:00.0`.
    pub(crate) address: String,
    pub(crate) vendor: Vendor,
    /// The kernel's driver that has it.
    pub(crate) driver: Option<String>,
}

/// Every display and processing device of the three vendors.
pub(crate) fn devices(root: Root<'_>) -> Vec<PciDevice> {
    let addresses = root.entries(FOLDER).value().unwrap_or_default();
    addresses.into_iter().take(MAX_DEVICES).filter_map(|address| device(root, address)).collect()
}

fn device(root: Root<'_>, address: String) -> Option<PciDevice> {
    let folder = format!("{FOLDER}/{address}");
    let text = |file: &str| root.value::<String>(&format!("{folder}/{file}")).value();
    let class = text("class")?;
    if !class.starts_with("0x03") && !class.starts_with("0x12") {
        return None;
    }
    let vendor = match text("vendor")?.as_str() {
        "0x10de" => Vendor::Nvidia,
        "0x1002" => Vendor::Amd,
        "0x8086" => Vendor::Intel,
        _ => return None,
    };
    let driver = root.link(&format!("{folder}/driver")).value();
    let driver = driver.and_then(|target| Some(target.rsplit('/').next()?.to_owned()));
    Some(PciDevice { address, vendor, driver })
}
