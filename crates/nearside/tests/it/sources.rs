//! Every price that an example may be planned with has two sources, and so has every device.

use std::collections::BTreeSet;
use std::path::PathBuf;

use nearside_catalog::{Catalog, Offer, Origin};
use nearside_workload::Project;

use super::command::{list, nearside, root, text};
use super::readme::entries;

/// The folders of the examples that have a project file.
pub(crate) fn examples() -> Vec<PathBuf> {
    let mut folders = entries(&root().join("examples"));
    folders.retain(|folder| folder.join("nearside.toml").is_file());
    folders
}

/// The offers that the site patterns of a project match.
fn offers<'a>(project: &Project, catalog: &'a Catalog) -> Vec<&'a Offer> {
    let patterns = project.sites.used.iter().filter(|pattern| !pattern.is_name());
    let matching = |text: &str| catalog.offers_matching(text).expect("offers that exist");
    patterns.flat_map(|pattern| matching(&pattern.text)).collect()
}

fn project(folder: &std::path::Path) -> Project {
    let file = std::fs::read_to_string(folder.join("nearside.toml")).unwrap();
    Project::parse(&file).expect("an example without faults")
}

#[test]
fn what_the_examples_use_has_two_sources() {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    assert!(!examples().is_empty());
    let mut alone = BTreeSet::new();
    let mut check = |name: &str, origin: &Origin| {
        if origin.second_source.is_none() {
            alone.insert(format!("{name} ({})", origin.place));
        }
    };
    for folder in examples() {
        let project = project(&folder);
        let offers = offers(&project, &catalog);
        assert!(!offers.is_empty(), "{} rents nothing", folder.display());
        for offer in offers {
            check(&offer.key.to_string(), &offer.origin);
            if let Some(device) = catalog.device_of(offer).expect("a known device") {
                check(&device.name, &device.origin);
            }
        }
    }
    assert!(alone.is_empty(), "one source only:\n{alone:#?}");
}

#[test]
fn the_check_lists_every_row_without_a_second_source() {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let alone = |origin: &Origin| origin.second_source.is_none();
    let offers = catalog.offers().filter(|offer| alone(&offer.origin));
    let devices = catalog.devices().filter(|device| alone(&device.origin));
    let expected: BTreeSet<(String, String)> = offers
        .map(|offer| (offer.origin.place.to_string(), offer.key.to_string()))
        .chain(devices.map(|device| (device.origin.place.to_string(), device.name.to_string())))
        .collect();
    assert!(!expected.is_empty());
    let doubts = nearside(&["catalog", "check", "--json"]).exits(1).data();
    let one_source = list(&doubts).iter().filter(|doubt| doubt["problem"] == "has one source only");
    let field = |value: &serde_json::Value, key: &str| text(&value[key]).to_owned();
    let listed: BTreeSet<_> =
        one_source.map(|doubt| (field(doubt, "place"), field(doubt, "row"))).collect();
    let missing: Vec<_> = expected.difference(&listed).collect();
    assert!(missing.is_empty(), "not listed: {missing:#?}");
    let own = |(place, _): &&(String, String)| {
        place.starts_with("data/offers.csv") || place.starts_with("data/devices.csv")
    };
    assert_eq!(listed.iter().filter(own).count(), expected.len());
}
