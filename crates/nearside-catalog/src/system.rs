//! Machines that are sold as a whole, with their prices.

use std::sync::Arc;

use nearside_units::{Bytes, BytesPerSecond, Known, Money, Sourced, Watts};

use crate::part::priced;
use crate::table::{Cells, Row};
use crate::{CatalogError, Condition, Origin};

/// A whole machine that is sold as one.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// Its name in files.
    pub name: Arc<str>,
    /// Its name for people.
    pub title: Arc<str>,
    /// The name of its accelerators' device.
    pub device: Arc<str>,
    /// How many of them.
    pub devices: u32,
    /// Physical cores.
    pub cores: u32,
    /// Main memory; where the accelerator is a part of the processor, the memory of both.
    pub memory: Bytes,
    /// What it has of disk space; `None` where that is not stated.
    pub disk: Option<Bytes>,
    /// What its supply gives at most; `None` where that is not stated.
    pub power: Option<Watts>,
    /// Its wired network; `None` where that is not stated.
    pub network: Option<BytesPerSecond>,
    /// Whether somebody had it before.
    pub condition: Condition,
    /// Where the figures came from.
    pub origin: Origin,
    price: Option<Money>,
}

impl System {
    /// Its price.
    pub fn price(&self) -> Known<Sourced<Money>> {
        priced(self.price, &self.origin, &self.title)
    }
}

impl Row for System {
    type Key = (Arc<str>, Condition);
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "title",
        "device",
        "devices",
        "cores",
        "memory",
        "disk",
        "power",
        "network",
        "condition",
        "price",
    ];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let name = cells.required_text("name")?;
        Ok(Self {
            title: cells.text("title").unwrap_or_else(|| Arc::clone(&name)),
            name,
            device: cells.required_text("device")?,
            devices: cells.required("devices")?,
            cores: cells.required("cores")?,
            memory: cells.required("memory")?,
            disk: cells.optional("disk")?,
            power: cells.optional("power")?,
            network: cells.optional("network")?,
            condition: cells.optional("condition")?.unwrap_or(Condition::New),
            price: cells.optional("price")?,
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> Self::Key {
        (Arc::clone(&self.name), self.condition)
    }

    fn label(&self) -> String {
        format!("{} ({})", self.name, self.condition)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}
