//! `nearside catalog list | show | check | refresh`: the facts, each with its source and date.

mod refresh;

use std::collections::BTreeMap;

use clap::ValueEnum as _;
use nearside_catalog::{Catalog, Origin, Precision, Terms};
use nearside_units::{Date, Duration, Known};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use refresh::RefreshAnswer;

use crate::cli::{self, CatalogList, CatalogTable};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::view::or_dash;
use crate::wire;

/// Rows of a table of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Listing {
    /// Which table.
    table: String,
    /// The names of its columns.
    columns: Vec<String>,
    /// Its rows.
    rows: Vec<Vec<String>>,
}

/// One row with its sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// What it is.
    kind: String,
    /// Its fields by name.
    fields: Vec<(String, String)>,
}

/// What is doubtful about a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Doubt {
    /// The file and line.
    place: String,
    /// The row.
    row: String,
    /// What is doubtful.
    problem: String,
}

pub(super) fn run(arguments: &cli::Catalog, output: &Output) -> Result<Outcome, CommandError> {
    let catalog = wire::catalog(output)?;
    match arguments {
        cli::Catalog::List(list) => print_listing(&listing(&catalog, list)?, output),
        cli::Catalog::Show { name } => print_entry(&entry(&catalog, name)?, output),
        cli::Catalog::Refresh(wanted) => return refresh::run(wanted, &catalog, output),
        cli::Catalog::Check { table, older_than, today } => {
            let age = (older_than.as_str(), today.as_deref());
            return check(&catalog, *table, age, output);
        }
    }
    Ok(Outcome::Done)
}

fn listing(catalog: &Catalog, list: &CatalogList) -> Result<Listing, CommandError> {
    let filter = list.filter.as_deref();
    let (name, columns, rows): (_, &[&str], Vec<Vec<String>>) = match list.table {
        CatalogTable::Devices => (
            "devices",
            &["name", "title", "memory", "bandwidth", "bf16", "power", "as of"],
            catalog.devices().map(device_row).collect(),
        ),
        CatalogTable::Offers => (
            "offers",
            &["offer", "device", "vcpus", "memory", "on demand", "spot", "as of"],
            offers(catalog, filter)?,
        ),
        CatalogTable::Regions => (
            "regions",
            &["region", "title", "country", "pue", "grid", "as of"],
            catalog.regions().map(|region| region_row(catalog, region)).collect(),
        ),
        CatalogTable::Grids => (
            "grids",
            &["place", "title", "intensity", "as of", "source"],
            catalog.grids().map(grid_row).collect(),
        ),
        CatalogTable::Models => (
            "models",
            &["name", "parameters", "licence", "as of"],
            catalog.models().map(model_row).collect(),
        ),
        CatalogTable::Parts => (
            "parts",
            &["name", "title", "kind", "condition", "price", "as of"],
            catalog.parts().map(part_row).collect(),
        ),
        CatalogTable::Systems => (
            "systems",
            &["name", "title", "accelerators", "cores", "memory", "condition", "price", "as of"],
            catalog.systems().map(system_row).collect(),
        ),
    };
    let pattern = |text: &str| list.table == CatalogTable::Offers && text.contains(['*', '/']);
    let keeps = |row: &Vec<String>| match filter {
        Some(filter) if !pattern(filter) => {
            row.iter().take(2).any(|cell| cell.to_lowercase().contains(&filter.to_lowercase()))
        }
        _ => true,
    };
    Ok(Listing {
        table: name.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        rows: rows.into_iter().filter(keeps).collect(),
    })
}

fn part_row(part: &nearside_catalog::Part) -> Vec<String> {
    vec![
        part.name.to_string(),
        part.title.to_string(),
        part.kind.name().to_owned(),
        part.condition.to_string(),
        or_dash(&part.price().map(|price| price.value)),
        part.origin.as_of.to_string(),
    ]
}

fn system_row(system: &nearside_catalog::System) -> Vec<String> {
    vec![
        system.name.to_string(),
        system.title.to_string(),
        format!("{}x {}", system.devices, system.device),
        system.cores.to_string(),
        system.memory.to_string(),
        system.condition.to_string(),
        or_dash(&system.price().map(|price| price.value)),
        system.origin.as_of.to_string(),
    ]
}

fn device_row(device: &nearside_catalog::Device) -> Vec<String> {
    vec![
        device.name.to_string(),
        device.title.to_string(),
        or_dash(&device.memory().map(|memory| memory.value)),
        or_dash(&device.bandwidth().map(|bandwidth| bandwidth.value)),
        or_dash(&device.peak(Precision::Bf16).map(|peak| peak.value)),
        or_dash(&device.power().map(|power| power.value)),
        device.origin.as_of.to_string(),
    ]
}

fn offers(catalog: &Catalog, filter: Option<&str>) -> Result<Vec<Vec<String>>, CommandError> {
    let row = |offer: &nearside_catalog::Offer| {
        let device = offer.device.as_ref().map(|device| match offer.devices {
            1 => device.to_string(),
            count => format!("{count}x {device}"),
        });
        vec![
            offer.key.to_string(),
            device.unwrap_or_else(|| "-".to_owned()),
            or_dash(&offer.vcpus().map(|vcpus| vcpus.value)),
            or_dash(&offer.memory().map(|memory| memory.value)),
            or_dash(&offer.price(Terms::OnDemand).map(|price| price.value)),
            or_dash(&offer.price(Terms::Spot).map(|price| price.value)),
            offer.origin.as_of.to_string(),
        ]
    };
    match filter {
        Some(pattern) if pattern.contains(['*', '/']) => {
            Ok(catalog.offers_matching(pattern)?.into_iter().map(row).collect())
        }
        _ => Ok(catalog.offers().map(row).collect()),
    }
}

fn region_row(catalog: &Catalog, region: &nearside_catalog::Region) -> Vec<String> {
    let countries: Vec<_> = region.countries.iter().map(ToString::to_string).collect();
    let intensity = catalog.intensity(region).ok();
    vec![
        format!("{}/{}", region.provider, region.name),
        region.title.to_string(),
        if countries.is_empty() { "-".to_owned() } else { countries.join("|") },
        or_dash(&region.pue().map(|pue| pue.value.factor())),
        intensity.map_or("-".to_owned(), |intensity| intensity.value.value.to_string()),
        region.origin.as_of.to_string(),
    ]
}

fn grid_row(grid: &nearside_catalog::Grid) -> Vec<String> {
    let country = grid.country.map_or("world".to_owned(), |country| country.to_string());
    vec![
        grid.subdivision.as_deref().map_or(country, str::to_owned),
        grid.title.to_string(),
        grid.intensity.to_string(),
        grid.origin.as_of.to_string(),
        grid.origin.source.to_string(),
    ]
}

fn model_row(model: &nearside_catalog::Model) -> Vec<String> {
    let parameters = model.published_parameters.map(nearside_units::Count::new);
    vec![
        model.name.to_string(),
        parameters.map_or("-".to_owned(), |count| count.to_string()),
        model.licence.to_string(),
        model.origin.as_of.to_string(),
    ]
}

fn print_listing(listing: &Listing, output: &Output) {
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/catalog-list/1",
            data: listing,
            warnings: &[],
            sources: &[],
        };
        return output.json(&answer, environment::today());
    }
    let heads: Vec<_> = listing.columns.iter().map(|head| (head.as_str(), Align::Left)).collect();
    output.text(&table(&heads, listing.rows.clone()));
    if listing.rows.is_empty() {
        output.hint(&format!("`nearside catalog list {}` lists every row", listing.table));
    }
}

fn entry(catalog: &Catalog, name: &str) -> Result<Entry, CommandError> {
    if let Some((provider, rest)) = name.split_once('/') {
        if let Ok(region) = catalog.region(provider, rest) {
            return Ok(region_entry(catalog, region));
        }
        return Ok(offer_entry(catalog.offer(name)?));
    }
    let parts: Vec<_> = catalog.parts().filter(|part| &*part.name == name).collect();
    if let Some(system) = catalog.systems().find(|system| &*system.name == name) {
        return Ok(system_entry(system));
    }
    match (catalog.device(name), catalog.model(name)) {
        // A card has the name of its device, which says more.
        (Err(_), Err(_)) if !parts.is_empty() => Ok(part_entry(&parts)),
        (Ok(device), _) => Ok(device_entry(device)),
        (_, Ok(model)) => Ok(model_entry(model)),
        (Err(error), Err(_)) => Err(CommandError::new(Fault::Input, error.to_string())
            .hint("`nearside catalog list devices` (or models, parts, systems, offers, regions) lists the names")),
    }
}

/// Fields in the order they are shown.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn put(&mut self, name: &str, value: impl ToString) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    fn known<T: ToString>(&mut self, name: &str, value: Known<T>) {
        let text = match value {
            Known::Value(value) => value.to_string(),
            Known::Unknown(why) => format!("unknown: {why}"),
        };
        self.put(name, text);
    }

    fn origin(mut self, kind: &str, origin: &Origin) -> Entry {
        self.put("as of", origin.as_of);
        self.put("evidence", origin.kind);
        self.put("source", &origin.source);
        let second = origin.second_source.as_deref();
        self.put("second source", second.unwrap_or("none"));
        if let Some(note) = &origin.note {
            self.put("note", note);
        }
        Entry { kind: kind.to_owned(), fields: self.0 }
    }
}

fn device_entry(device: &nearside_catalog::Device) -> Entry {
    let mut fields = Fields(Vec::new());
    fields.put("device", &device.name);
    fields.put("title", &device.title);
    fields.put("also called", device.aliases.join(", "));
    fields.known("memory", device.memory().map(|memory| memory.value));
    fields.known("bandwidth", device.bandwidth().map(|bandwidth| bandwidth.value));
    for precision in Precision::ALL {
        let peak = device.peak(precision).map(|peak| peak.value);
        fields.known(&format!("dense {precision}"), peak);
    }
    fields.known("measured 16-bit", device.measured_16bit().map(|rate| rate.value));
    fields.known("power", device.power().map(|power| power.value));
    fields.known("list price", device.list_price().map(|price| price.value));
    fields.origin("device", &device.origin)
}

/// A part, new and used.
fn part_entry(parts: &[&nearside_catalog::Part]) -> Entry {
    let mut fields = Fields(Vec::new());
    let Some(first) = parts.first() else {
        return Entry { kind: "part".to_owned(), fields: fields.0 };
    };
    fields.put("part", &first.name);
    fields.put("title", &first.title);
    fields.put("kind", first.kind.name());
    for part in parts {
        fields.known(&format!("price, {}", part.condition), part.price().map(|price| price.value));
    }
    fields.origin("part", &first.origin)
}

fn system_entry(system: &nearside_catalog::System) -> Entry {
    let mut fields = Fields(Vec::new());
    fields.put("system", &system.name);
    fields.put("title", &system.title);
    fields.put("accelerators", format!("{}x {}", system.devices, system.device));
    fields.put("cores", system.cores);
    fields.put("memory", system.memory);
    fields.put("disk", system.disk.map_or("not stated".to_owned(), |disk| disk.si()));
    fields.put("condition", system.condition);
    fields.known("price", system.price().map(|price| price.value));
    fields.origin("system", &system.origin)
}

fn offer_entry(offer: &nearside_catalog::Offer) -> Entry {
    let mut fields = Fields(Vec::new());
    fields.put("offer", &offer.key);
    fields.put("device", offer.device.as_deref().unwrap_or("none"));
    fields.put("devices", offer.devices);
    fields.known("virtual CPUs", offer.vcpus().map(|vcpus| vcpus.value));
    fields.known("memory", offer.memory().map(|memory| memory.value));
    fields.known("network", offer.network().map(|network| network.value));
    fields.known("on demand", offer.price(Terms::OnDemand).map(|price| price.value));
    fields.known("spot", offer.price(Terms::Spot).map(|price| price.value));
    fields.origin("offer", &offer.origin)
}

fn region_entry(catalog: &Catalog, region: &nearside_catalog::Region) -> Entry {
    let mut fields = Fields(Vec::new());
    fields.put("region", format!("{}/{}", region.provider, region.name));
    fields.put("title", &region.title);
    fields.known("country", region.country());
    fields.known("PUE", region.pue().map(|pue| pue.value.factor()));
    if let Ok(intensity) = catalog.intensity(region) {
        fields.put("grid", intensity.value.value);
        fields.put("grid, basis", intensity.value.basis);
        fields.put("grid, counts", intensity.accounting);
    }
    fields.origin("region", &region.origin)
}

fn model_entry(model: &nearside_catalog::Model) -> Entry {
    let mut fields = Fields(Vec::new());
    fields.put("model", &model.name);
    fields.put("title", &model.title);
    fields.put("also called", model.aliases.join(", "));
    let parameters =
        model.published_parameters.map_or("unknown".to_owned(), |count| count.to_string());
    fields.put("published parameters", parameters);
    fields.put("licence", &model.licence);
    fields.put("config", model.config());
    fields.origin("model", &model.origin)
}

fn print_entry(entry: &Entry, output: &Output) {
    if output.form == Form::Json {
        let fields: serde_json::Map<_, _> = entry
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), serde_json::Value::String(value.clone())))
            .collect();
        let data = serde_json::json!({ "kind": entry.kind, "fields": fields });
        let answer =
            Answer { schema: "nearside/catalog-show/1", data, warnings: &[], sources: &[] };
        return output.json(&answer, environment::today());
    }
    let width = entry.fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<_> =
        entry.fields.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
    output.text(&lines.join("\n"));
}

fn check(
    catalog: &Catalog,
    table: Option<CatalogTable>,
    (older_than, today): (&str, Option<&str>),
    output: &Output,
) -> Result<Outcome, CommandError> {
    let usage =
        |error: nearside_units::ParseError| CommandError::new(Fault::Usage, error.to_string());
    let age: Duration = older_than.parse().map_err(usage)?;
    let today = match today {
        Some(date) => date.parse::<Date>().map_err(usage)?,
        None => environment::today(),
    };
    let wanted = table.and_then(|table| table.to_possible_value());
    let wanted = wanted.map(|value| value.get_name().to_owned());
    let days = (age.as_hours() / 24.0).round() as i64;
    let doubts: Vec<_> = catalog
        .check(today, days)
        .into_iter()
        .filter(|finding| wanted.as_deref().is_none_or(|name| finding.place.table() == name))
        .map(|finding| Doubt {
            place: finding.place.to_string(),
            row: finding.row.to_string(),
            problem: finding.problem.to_string(),
        })
        .collect();
    let outcome = if doubts.is_empty() { Outcome::Done } else { Outcome::Negative };
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/catalog-check/1",
            data: &doubts,
            warnings: &[],
            sources: &[],
        };
        output.json(&answer, today);
        return Ok(outcome);
    }
    output.text(&doubts_text(&doubts));
    Ok(outcome)
}

/// Doubts as a table, and how many there are of each kind.
fn doubts_text(doubts: &[Doubt]) -> String {
    if doubts.is_empty() {
        return "no row is doubtful".to_owned();
    }
    let heads = [("row", Align::Left), ("is doubtful: it", Align::Left), ("at", Align::Left)];
    let row = |doubt: &Doubt| vec![doubt.row.clone(), doubt.problem.clone(), doubt.place.clone()];
    let rows: Vec<_> = doubts.iter().map(row).collect();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for doubt in doubts {
        let age = doubt.problem.contains("days old");
        *kinds.entry(if age { "is old" } else { &doubt.problem }).or_default() += 1;
    }
    let counts: Vec<_> = kinds.iter().map(|(kind, count)| counted(*count, kind)).collect();
    let findings = match rows.len() {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    format!("{}\n\n{findings}: {}", table(&heads, rows), counts.join(", "))
}

/// `1 row has one source only`, `2 rows have one source only`.
fn counted(count: usize, kind: &str) -> String {
    let verbs = [("is ", "are "), ("has ", "have ")];
    let several = verbs.iter().find_map(|(one, many)| Some((many, kind.strip_prefix(one)?)));
    match (count, several) {
        (1, _) => format!("1 row {kind}"),
        (count, Some((many, rest))) => format!("{count} rows {many}{rest}"),
        (count, None) => format!("{count} rows: {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_verbs_agree_in_number() {
        assert_eq!(counted(1, "is old"), "1 row is old");
        assert_eq!(counted(2, "is old"), "2 rows are old");
        assert_eq!(counted(1, "has one source only"), "1 row has one source only");
        assert_eq!(counted(3, "has one source only"), "3 rows have one source only");
        assert_eq!(doubts_text(&[]), "no row is doubtful");
    }
}
