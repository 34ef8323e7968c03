//! The device that a row names.

use nearside_catalog::{Catalog, ComputeCapability, Device};
use nearside_units::Bytes;

use crate::row::{Reason, Row};
use crate::words::FlashAttention;

/// From here on, devices of NVIDIA have flash attention (FlashAttention-2's requirement).
const FLASH: ComputeCapability = ComputeCapability { major: 8, minor: 0 };

/// The device of a row; nothing where it names none.
pub(crate) fn device<'catalog>(
    row: &Row,
    catalog: &'catalog Catalog,
) -> Result<Option<&'catalog Device>, Reason> {
    let name = row.cell("device");
    if matches!(name, "" | "-" | "host" | "device" | "all" | "cpu") {
        return Ok(None);
    }
    match catalog.device(name) {
        Ok(device) => Ok(Some(device)),
        Err(error) => {
            // As drivers and people write it: "1x NVIDIA GeForce RTX 2080 (8.0 GB)".
            let name = name.trim_start_matches("1x ");
            let (name, size) = name.split_once(" (").unwrap_or((name, ""));
            let gigabytes = size.split([' ', 'G']).next().and_then(|size| size.parse::<f64>().ok());
            let found = match gigabytes {
                Some(gigabytes) => {
                    let memory = Bytes::new((gigabytes * 1_073_741_824.0) as u64);
                    catalog.device_with_memory(name, memory)
                }
                None => catalog.device(name),
            };
            // The error speaks of the name as it was written.
            found.map(Some).map_err(|_shortened| error.to_string())
        }
    }
}

/// Whether a device has flash attention; where none is named it is taken to.
pub(crate) fn flash(device: Option<&Device>) -> FlashAttention {
    let capability = device.and_then(|device| device.compute_capability);
    match capability {
        Some(capability) if capability < FLASH => FlashAttention::Missing,
        _ => FlashAttention::There,
    }
}
