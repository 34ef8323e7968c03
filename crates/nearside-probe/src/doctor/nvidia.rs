//! NVIDIA devices as a doctor wants to know them.
//!
//! On this machine NVML is asked. A recorded machine keeps its answers in `nvml.txt` (lines of
//! `KEY VALUE`, a blank line before each device); without one, `proc/driver/nvidia` still names them.
//!
//! Source: NVML reference (watts in thousandths, temperatures in degrees Celsius; fields 144 and 145
//! are rows that wait to be remapped and rows that could not be).

use std::collections::BTreeMap;

use nearside_catalog::{Catalog, ComputeCapability};
use nearside_units::Known;
use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{
    EccCounter, MemoryError, TemperatureSensor, TemperatureThreshold,
};
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;

use crate::meter::ThrottleReasons;
use crate::nvidia::{MAX_DEVICES, known, load};
use crate::root::Root;

/// NVML's `NVML_FI_DEV_REMAPPED_PENDING` and `NVML_FI_DEV_REMAPPED_FAILURE`.
const REMAP_PENDING: FieldId = FieldId(144);
const REMAP_FAILURE: FieldId = FieldId(145);

/// The NVIDIA devices that a driver shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Nvidia {
    /// In the driver's order.
    pub(super) devices: Vec<NvidiaDevice>,
    /// Why something is missing.
    pub(super) notes: Vec<String>,
}

/// One device.
#[derive(Clone, Debug)]
pub(super) struct NvidiaDevice {
    /// Its number, as `CUDA_VISIBLE_DEVICES` counts with `CUDA_DEVICE_ORDER=PCI_BUS_ID`.
    pub(super) index: usize,
    /// Its name.
    pub(super) name: Known<String>,
    /// Which instructions it has.
    pub(super) capability: Known<ComputeCapability>,
    /// Degrees Celsius now.
    pub(super) temperature: Known<u32>,
    /// Degrees at which the hardware slows down.
    pub(super) slowdown_at: Known<u32>,
    /// What holds its clocks back now.
    pub(super) throttle: Known<ThrottleReasons>,
    /// The power limit in force, in thousandths of a watt.
    pub(super) power_limit: Known<u32>,
    /// The power limit that it came with.
    pub(super) power_limit_default: Known<u32>,
    /// Lanes of its link now.
    pub(super) link_width: Known<u32>,
    /// Lanes that device and slot could both use.
    pub(super) link_width_most: Known<u32>,
    /// Whether the driver stays loaded for it while nobody uses it.
    pub(super) persistence: Known<bool>,
    /// Whether its memory is checked.
    pub(super) ecc: Known<bool>,
    /// Errors since start that could not be corrected.
    pub(super) uncorrected_errors: Known<u64>,
    /// Whether rows of its memory wait for a reset to be replaced.
    pub(super) remap_pending: Known<bool>,
    /// Whether rows could not be replaced.
    pub(super) remap_failure: Known<bool>,
}

impl NvidiaDevice {
    /// `GPU 0 (NVIDIA H100 80GB HBM3)`.
    pub(super) fn label(&self) -> String {
        match self.name.as_ref().value() {
            Some(name) => format!("GPU {} ({name})", self.index),
            None => format!("GPU {}", self.index),
        }
    }

    /// Its compute capability: what the driver says, else what the catalog knows by its name.
    pub(super) fn compute_capability(&self, catalog: &Catalog) -> Known<ComputeCapability> {
        if self.capability.why().is_none() {
            return self.capability.clone();
        }
        self.name.clone().and_then(|name| {
            let found = catalog.device(&name).ok().and_then(|device| device.compute_capability);
            Known::from_option(found, format!("compute capability of {name} is not known"))
        })
    }
}

/// The compute capabilities of all devices; unknown when one is.
pub(super) fn capabilities(nvidia: &Nvidia, catalog: &Catalog) -> Known<Vec<ComputeCapability>> {
    let mut found = Vec::new();
    for device in &nvidia.devices {
        match device.compute_capability(catalog) {
            Known::Value(capability) => found.push(capability),
            Known::Unknown(why) => return Known::Unknown(why),
        }
    }
    Known::Value(found)
}

/// Devices from the files of a machine: recorded answers, else what the kernel module shows.
pub(super) fn from_files(root: Root<'_>) -> Nvidia {
    match root.text("nvml.txt") {
        Known::Value(text) => recorded(&text),
        Known::Unknown(_) => from_proc(root),
    }
}

/// `proc/driver/nvidia/gpus/0000:01:00.0/information` has lines such as `Model: NVIDIA L4`.
fn from_proc(root: Root<'_>) -> Nvidia {
    const FOLDER: &str = "proc/driver/nvidia/gpus";
    let addresses = root.entries(FOLDER).value().unwrap_or_default();
    let addresses = addresses.iter().take(MAX_DEVICES as usize).enumerate();
    let device = |(index, address): (usize, &String)| {
        let file = format!("{FOLDER}/{address}/information");
        let name = root.text(&file).and_then(|text| {
            let model = text.lines().find_map(|line| line.strip_prefix("Model:"));
            Known::from_option(model.map(|it| it.trim().to_owned()), format!("/{file}: no Model"))
        });
        let unasked = Known::unknown("NVML was not asked");
        described(index, name, |_| unasked.clone())
    };
    Nvidia { devices: addresses.map(device).collect(), notes: Vec::new() }
}

/// A driver's answers as they were written down.
fn recorded(text: &str) -> Nvidia {
    let pairs = |block: &str| -> BTreeMap<String, String> {
        let lines = block.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once(' '));
        pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
    };
    let mut nvidia = Nvidia::default();
    for (index, block) in
        text.split("\n\n").skip(1).map(pairs).take(MAX_DEVICES as usize).enumerate()
    {
        if block.contains_key("GPU_IS_LOST") {
            nvidia.notes.push(format!("GPU {index}: device fell off the bus"));
            continue;
        }
        let answer = |key: &str| match block.get(key).map(String::as_str) {
            None => Known::unknown(format!("/nvml.txt: no {key}")),
            Some("NOT_SUPPORTED") => Known::unknown(format!("NVML, {key}: not supported")),
            Some(value) => Known::Value(value.to_owned()),
        };
        nvidia.devices.push(described(index, answer("name"), answer));
    }
    nvidia
}

/// A device of answers in words.
fn described(
    index: usize,
    name: Known<String>,
    answer: impl Fn(&str) -> Known<String>,
) -> NvidiaDevice {
    fn parsed<T: std::str::FromStr>(key: &str, answer: Known<String>) -> Known<T> {
        answer.and_then(|text| {
            Known::from_option(text.parse().ok(), format!("{key}: {text:?} not expected"))
        })
    }
    let number = |key: &str| parsed::<u32>(key, answer(key));
    let switch = |key: &str| answer(key).map(|text| text == "yes");
    NvidiaDevice {
        index,
        name,
        capability: parsed("compute_capability", answer("compute_capability")),
        temperature: number("temperature"),
        slowdown_at: number("temperature_slowdown"),
        throttle: parsed("throttle", answer("throttle")).map(ThrottleReasons),
        power_limit: number("power_limit"),
        power_limit_default: number("power_limit_default"),
        link_width: number("link_width"),
        link_width_most: number("link_width_most"),
        persistence: switch("persistence"),
        ecc: switch("ecc"),
        uncorrected_errors: parsed("ecc_uncorrected", answer("ecc_uncorrected")),
        remap_pending: switch("remap_pending"),
        remap_failure: switch("remap_failure"),
    }
}

/// Devices of this machine, asked through NVML.
pub(super) fn asked() -> Nvidia {
    let library = match load() {
        Ok(library) => library,
        Err(note) => return Nvidia { devices: Vec::new(), notes: vec![note] },
    };
    let count = match library.device_count() {
        Ok(count) => count.min(MAX_DEVICES),
        Err(error) => return Nvidia { devices: Vec::new(), notes: vec![error.to_string()] },
    };
    let mut nvidia = Nvidia::default();
    for index in 0..count {
        match library.device_by_index(index) {
            Ok(device) => nvidia.devices.push(device_of(index as usize, &device)),
            Err(error) => nvidia.notes.push(format!("GPU {index}: {error}")),
        }
    }
    nvidia
}

fn device_of(index: usize, device: &Device<'_>) -> NvidiaDevice {
    let capability = device.cuda_compute_capability().and_then(|found| {
        let part = |part: i32| u8::try_from(part).map_err(|_negative| NvmlError::Unknown);
        Ok(ComputeCapability { major: part(found.major)?, minor: part(found.minor)? })
    });
    let field = |what, field| known(what, field_value(device, field)).map(|value| value != 0);
    let errors = device.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile);
    NvidiaDevice {
        index,
        name: known("name", device.name()),
        capability: known("compute capability", capability),
        temperature: known("temperature", device.temperature(TemperatureSensor::Gpu)),
        slowdown_at: known(
            "temperature of slowdown",
            device.temperature_threshold(TemperatureThreshold::Slowdown),
        ),
        throttle: known("clocks event reasons", device.current_throttle_reasons())
            .map(|reasons| ThrottleReasons(reasons.bits())),
        power_limit: known("power limit", device.enforced_power_limit()),
        power_limit_default: known("default power limit", device.power_management_limit_default()),
        link_width: known("PCIe lanes", device.current_pcie_link_width()),
        link_width_most: known("most PCIe lanes", device.max_pcie_link_width()),
        persistence: known("persistence mode", device.is_in_persistent_mode()),
        ecc: known("ECC", device.is_ecc_enabled()).map(|state| state.currently_enabled),
        uncorrected_errors: known("memory errors", errors),
        remap_pending: field("rows to remap", REMAP_PENDING),
        remap_failure: field("rows not remapped", REMAP_FAILURE),
    }
}

fn field_value(device: &Device<'_>, field: FieldId) -> Result<u64, NvmlError> {
    let value = device.field_values_for(&[field])?.pop().ok_or(NvmlError::Unknown)??.value?;
    match value {
        SampleValue::U32(value) => Ok(u64::from(value)),
        SampleValue::U64(value) => Ok(value),
        _ => Err(NvmlError::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_answers_are_read_and_lost_devices_told() {
        let text = "# a comment\ndriver_version 580.126.09\n\nname NVIDIA L4\nthrottle 32\n\
            temperature 61\npower_limit NOT_SUPPORTED\npersistence no\n\nGPU_IS_LOST yes\n";
        let nvidia = recorded(text);
        let device = &nvidia.devices[0];
        assert_eq!(device.label(), "GPU 0 (NVIDIA L4)");
        assert!(device.throttle.clone().value().unwrap().heat());
        assert_eq!(device.temperature, Known::Value(61));
        assert_eq!(device.power_limit.why(), Some("NVML, power_limit: not supported"));
        assert_eq!(device.persistence, Known::Value(false));
        assert_eq!(nvidia.notes, ["GPU 1: device fell off the bus"]);
        let catalog = Catalog::builtin().unwrap();
        assert_eq!(device.compute_capability(&catalog).value().unwrap().to_string(), "8.9");
    }
}
