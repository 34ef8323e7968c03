//! The device that a row names.

use nearside_catalog::{Catalog, Device};
use nearside_units::Bytes;

use crate::row::{Reason, Row};

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
