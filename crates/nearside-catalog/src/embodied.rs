//! What making a part emitted, before it did any work.
//!
//! Published figures for one card differ by a factor of three, so every value is a span.

use std::sync::Arc;

use nearside_units::{Duration, GramsCo2e, Known, Sourced, Span};

use crate::table::{Cells, Row};
use crate::{Catalog, CatalogError, Device, DeviceKind, Origin};

/// Low and high ends of a figure that states none: the spread of published figures for GPUs.
const SPREAD: (f64, f64) = (0.4, 1.5);

/// The generic row that stands for a card without one of its own.
const ANY_CARD: &str = "gpu-card";

/// What making one item emitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Embodied {
    /// A device's name, or a generic item such as `server` or `desktop`.
    pub item: Arc<str>,
    /// Its name for people.
    pub title: Arc<str>,
    /// What is counted.
    pub boundary: Arc<str>,
    /// Over how long the source spreads it.
    pub lifetime: Option<Duration>,
    /// Where the figure came from.
    pub origin: Origin,
    emissions: Span<GramsCo2e>,
    spread_is_ours: bool,
}

impl Embodied {
    /// What making it emitted.
    #[must_use]
    pub fn emissions(&self) -> Sourced<Span<GramsCo2e>> {
        match self.spread_is_ours {
            true => {
                self.origin.derived(self.emissions, "low and high = x0.4 and x1.5 of the figure")
            }
            false => self.origin.sourced(self.emissions),
        }
    }
}

impl Row for Embodied {
    type Key = Arc<str>;
    const COLUMNS: &'static [&'static str] =
        &["item", "title", "kind", "low", "likely", "high", "boundary", "lifetime"];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let likely: GramsCo2e = cells.required("likely")?;
        let (low, high): (Option<GramsCo2e>, Option<GramsCo2e>) =
            (cells.optional("low")?, cells.optional("high")?);
        let ends = (low.unwrap_or(likely * SPREAD.0), high.unwrap_or(likely * SPREAD.1));
        let emissions = Span::new(ends.0, likely, ends.1);
        let item = cells.required_text("item")?;
        Ok(Self {
            title: cells.text("title").unwrap_or_else(|| Arc::clone(&item)),
            item,
            boundary: cells.text("boundary").unwrap_or_else(|| "not stated".into()),
            lifetime: cells.optional("lifetime")?,
            emissions: emissions.map_err(|reason| cells.wrong("likely", &reason))?,
            spread_is_ours: low.is_none() || high.is_none(),
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> Arc<str> {
        Arc::clone(&self.item)
    }

    fn label(&self) -> String {
        self.item.to_string()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Catalog {
    /// What making a device emitted. A card without a figure of its own takes that of any GPU card,
    /// and the basis says so.
    pub fn embodied(&self, device: &Device) -> Known<Sourced<Span<GramsCo2e>>> {
        if let Some(own) = self.embodied.rows.get(&device.name) {
            return Known::Value(own.emissions());
        }
        let any = self.embodied.rows.get(ANY_CARD).filter(|_| device.kind == DeviceKind::Gpu);
        let step = format!("no figure for {}: any GPU card", device.name);
        let borrowed = any.map(|row| row.origin.derived(row.emissions, &step));
        Known::from_option(borrowed, format!("no embodied emissions of {} are known", device.name))
    }

    /// What making a generic item (`server`, `desktop`, `laptop`, ...) emitted.
    pub fn embodied_item(&self, item: &str) -> Known<&Embodied> {
        let why = || format!("no embodied emissions of {item} are known");
        self.embodied.rows.get(item).map_or_else(|| Known::unknown(why()), Known::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_units::Kind;

    #[test]
    fn a_card_has_its_own_figure_or_says_that_it_borrows_one() {
        let catalog = Catalog::builtin().unwrap();
        let of = |name| catalog.embodied(catalog.device(name).unwrap());
        let own = of("h100-sxm").value().unwrap();
        assert!((own.value.likely().as_grams() - 575_100.0).abs() < 1.0);
        let borrowed = of("rtx-4090").value().unwrap();
        assert_eq!(borrowed.basis.kind, Kind::Derived);
        assert!(borrowed.basis.source.contains("no figure for rtx-4090: any GPU card"));
        assert!(of("apple-m3-max-40").value().is_none());
    }

    #[test]
    fn a_figure_without_ends_gets_a_spread_that_is_told() {
        let catalog = Catalog::builtin().unwrap();
        let desktop = catalog.embodied_item("desktop").value().unwrap().emissions();
        assert!(desktop.value.low() < desktop.value.likely());
        assert!(desktop.basis.source.contains("x0.4 and x1.5"));
        assert!(catalog.embodied_item("toaster").value().is_none());
    }
}
