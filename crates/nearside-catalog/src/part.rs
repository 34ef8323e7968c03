//! What machines are built from: processors, boards, memory, disks, supplies, cases, coolers and cards
//! with their prices.
//!
//! A part without a price keeps its place: an unknown price is never the cheapest. One price for each
//! part, the newest: memory cost four times as much in 2026 as a year before.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nearside_units::{Bytes, BytesPerSecond, Known, Money, ParseError, Sourced, Watts};

use crate::table::{Cells, Row};
use crate::{CatalogError, Origin};

/// Whether somebody had it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// From the maker.
    New,
    /// From its last owner.
    Used,
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::New => "new",
            Self::Used => "used",
        })
    }
}

impl FromStr for Condition {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "new" => Ok(Self::New),
            "used" => Ok(Self::Used),
            _ => Err(ParseError::Malformed { text: text.to_owned(), expected: "new or used" }),
        }
    }
}

/// A part that can be bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name in files, such as `amd-ryzen-5-7600`; that of its device for a card.
    pub name: Arc<str>,
    /// Its name for people.
    pub title: Arc<str>,
    /// Whether somebody had it before.
    pub condition: Condition,
    /// What it is, with what matters of it.
    pub kind: PartKind,
    /// Where the figures came from.
    pub origin: Origin,
    price: Option<Money>,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    /// A processor.
    Processor {
        /// What it is put into, such as `AM5`.
        socket: Arc<str>,
        /// Physical cores; threads are at least as many.
        cores: u32,
        /// Highest power drawn by design.
        power: Watts,
    },
    /// A board.
    Board(Board),
    /// Modules of memory that are sold together.
    Memory {
        /// Generation, such as `DDR5`.
        generation: Arc<str>,
        /// Of all modules.
        capacity: Bytes,
        /// How many.
        modules: u32,
    },
    /// A disk.
    Disk {
        /// Of the whole disk.
        capacity: Bytes,
        /// Whether it is solid state.
        solid_state: bool,
    },
    /// A power supply.
    Supply {
        /// What it gives at most, on the side of the parts.
        power: Watts,
        /// Revision of ATX that it follows, such as 3.1.
        atx: f64,
    },
    /// A case.
    Case {
        /// Whether it takes extended boards and two thick cards.
        large: bool,
    },
    /// A cooler for the processor.
    Cooler,
    /// A card with an accelerator.
    Card {
        /// The name of its device.
        device: Arc<str>,
    },
}

impl PartKind {
    /// Its name in the column `kind`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Processor { .. } => "processor",
            Self::Board(_) => "board",
            Self::Memory { .. } => "memory",
            Self::Disk { .. } => "disk",
            Self::Supply { .. } => "supply",
            Self::Case { .. } => "case",
            Self::Cooler => "cooler",
            Self::Card { .. } => "card",
        }
    }
}

/// What a board takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// For which processors.
    pub socket: Arc<str>,
    /// For which memory.
    pub generation: Arc<str>,
    /// How much of it.
    pub most_memory: Bytes,
    /// For how many modules.
    pub memory_slots: u32,
    /// For how many accelerators, at eight lanes or more each.
    pub cards: u32,
    /// Whether it is larger than ATX.
    pub extended: bool,
    /// The fastest wired network that it has.
    pub network: BytesPerSecond,
}

impl Part {
    /// Its price, without tax where the source has none.
    pub fn price(&self) -> Known<Sourced<Money>> {
        priced(self.price, &self.origin, &self.title)
    }
}

/// A price with its basis, or that there is none.
pub(crate) fn priced(price: Option<Money>, origin: &Origin, title: &str) -> Known<Sourced<Money>> {
    let price = price.map(|price| origin.sourced(price));
    Known::from_option(price, format!("no price of {title} is known"))
}

impl Row for Part {
    type Key = (Arc<str>, Condition);
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "title",
        "kind",
        "device",
        "socket",
        "memory",
        "cores",
        "capacity",
        "modules",
        "slots",
        "cards",
        "power",
        "form",
        "network",
        "atx",
        "condition",
        "price",
    ];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let name = cells.required_text("name")?;
        Ok(Self {
            title: cells.text("title").unwrap_or_else(|| Arc::clone(&name)),
            name,
            condition: cells.optional("condition")?.unwrap_or(Condition::New),
            kind: kind(cells)?,
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

fn kind(cells: &Cells<'_>) -> Result<PartKind, CatalogError> {
    Ok(match cells.cell("kind") {
        "processor" => PartKind::Processor {
            socket: cells.required_text("socket")?,
            cores: cells.required("cores")?,
            power: cells.required("power")?,
        },
        "board" => PartKind::Board(Board {
            socket: cells.required_text("socket")?,
            generation: cells.required_text("memory")?,
            most_memory: cells.required("capacity")?,
            memory_slots: cells.required("slots")?,
            cards: cells.required("cards")?,
            extended: cells.cell("form") == "EATX",
            network: cells.required("network")?,
        }),
        "memory" => PartKind::Memory {
            generation: cells.required_text("memory")?,
            capacity: cells.required("capacity")?,
            modules: cells.required("modules")?,
        },
        "disk" => PartKind::Disk {
            capacity: cells.required("capacity")?,
            solid_state: cells.cell("form") == "NVMe",
        },
        "supply" => {
            PartKind::Supply { power: cells.required("power")?, atx: cells.required("atx")? }
        }
        "case" => PartKind::Case { large: cells.cell("form") == "ATX Full Tower" },
        "cooler" => PartKind::Cooler,
        "card" => PartKind::Card { device: cells.required_text("device")? },
        _ => {
            let kinds = "processor, board, memory, disk, supply, case, cooler or card is expected";
            return Err(cells.wrong("kind", &kinds));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Catalog, Overlay};

    fn overlaid(file: &str, text: &str) -> Result<Catalog, CatalogError> {
        let overlay = Overlay::new(file, text, "2026-11-01".parse().unwrap());
        Catalog::builtin().unwrap().with_overlay(&overlay)
    }

    #[test]
    fn every_card_and_system_has_a_device_of_the_catalog() {
        let catalog = Catalog::builtin().unwrap();
        let cards = catalog.parts().filter_map(|part| match &part.kind {
            PartKind::Card { device } => Some(device),
            _ => None,
        });
        let systems = catalog.systems().map(|system| &system.device);
        let devices: Vec<_> = cards.chain(systems).collect();
        assert!(devices.len() > 20);
        for device in devices {
            assert_eq!(&catalog.device(device).unwrap().name, device);
        }
    }

    #[test]
    fn there_is_a_machine_to_build_for_every_socket_that_has_a_board() {
        let catalog = Catalog::builtin().unwrap();
        let boards = catalog.parts().filter(|part| matches!(part.kind, PartKind::Board(_)));
        for part in boards {
            let PartKind::Board(board) = &part.kind else { continue };
            let fits = |part: &Part| match &part.kind {
                PartKind::Processor { socket, .. } => *socket == board.socket,
                _ => false,
            };
            assert!(catalog.parts().any(fits), "{}", part.title);
            let memory = |part: &Part| match &part.kind {
                PartKind::Memory { generation, .. } => {
                    *generation == board.generation && part.price().value().is_some()
                }
                _ => false,
            };
            assert!(catalog.parts().any(memory), "{}", part.title);
        }
    }

    #[test]
    fn a_used_card_stands_beside_a_new_one_and_a_price_of_ones_own_wins() {
        let text = "name,kind,device,condition,price\nrtx-3090,card,rtx-3090,used,650 USD\n";
        let catalog = overlaid("parts.csv", text).unwrap();
        let of = |condition| {
            let mut cards = catalog.parts().filter(|part| &*part.name == "rtx-3090");
            let card = cards.find(|part| part.condition == condition).unwrap();
            card.price().value().unwrap().value.to_string()
        };
        assert_eq!(of(Condition::Used), "650.00 USD");
        assert_ne!(of(Condition::New), of(Condition::Used));
    }

    #[test]
    fn what_a_part_of_its_kind_must_state_is_asked_for() {
        let text = "name,kind,power\nsupply-x,supply,750 W\n";
        let error = overlaid("parts.csv", text).unwrap_err().to_string();
        assert!(error.contains("\"atx\" is missing"), "{error}");
        let error = overlaid("parts.csv", "name,kind\nx,screw\n").unwrap_err().to_string();
        assert!(error.contains("processor, board"), "{error}");
    }
}
