//! `nearside catalog refresh`: prices from a list that a provider publishes, or from SkyPilot's catalog, laid over
//! the tables of the program; and what that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use nearside_catalog::{
    Catalog, ListFile, Offer, OfferKey, PriceList, SkyPilotFile, Terms, offers_table,
};
use nearside_units::{Known, PerHour};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::{CatalogRefresh, ListFormat};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Align, Answer, Form, Outcome, Output, table};

/// Bytes of one list, at most: the largest that is published has some gigabytes.
const MOST_BYTES: u64 = 16 << 30;
/// Bytes of a table that is read whole.
const MOST_TABLE: u64 = 256 << 20;
/// Pages that are read of one list.
const MOST_PAGES: usize = 10_000;
/// Changes that are shown.
const SHOWN: usize = 20;

/// Data of `catalog refresh --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RefreshAnswer {
    /// Offers of the list that the catalog can say something about.
    offers: usize,
    /// Offers that were not there before.
    new: Vec<String>,
    /// Offers whose price is another one.
    changed: Vec<ChangeView>,
    /// Offers of the same regions that the list does not have; they stay.
    missing: Vec<String>,
    /// Machines that were left out, and why.
    left_out: BTreeMap<String, String>,
    /// The file that was written; none in a dry run.
    written: Option<String>,
}

/// A price that changed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ChangeView {
    /// The offer.
    offer: String,
    /// On which terms.
    terms: String,
    /// What an hour cost.
    before: String,
    /// What it costs.
    now: String,
    /// The change as a share of before, where both are in one currency.
    share: Option<f64>,
}

pub(super) fn run(
    arguments: &CatalogRefresh,
    catalog: &Catalog,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let list = read(arguments, catalog, output)?;
    if list.offers.is_empty() {
        let message = format!("{} has no offer that the catalog knows", arguments.from);
        return Err(CommandError::new(Fault::Input, message)
            .hint("a list of Linux machines, of a provider whose machines the catalog has"));
    }
    let mut answer = compare(catalog, list);
    if !arguments.dry_run {
        answer.1.written = Some(write(catalog, answer.0)?);
    }
    let answer = answer.1;
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/catalog-refresh/1",
            data: &answer,
            warnings: &[],
            sources: &[],
        };
        output.json(&answer, environment::today());
    } else {
        output.text(&text(&answer));
    }
    Ok(Outcome::Done)
}

/// The list, all pages of it.
fn read(
    arguments: &CatalogRefresh,
    catalog: &Catalog,
    output: &Output,
) -> Result<PriceList, CommandError> {
    let mut all = PriceList::default();
    let mut from = arguments.from.clone();
    for page in 1..=MOST_PAGES {
        output.progress(&format!("reading {from}"));
        let list = read_page(arguments, &from, catalog)?;
        all.offers.extend(list.offers);
        all.left_out.extend(list.left_out);
        let Some(next) = list.next else { return Ok(all) };
        if !nearside_fetch::is_address(&arguments.from) {
            output.warning(&format!("{from} is page {page} of a list: the rest is at {next}"));
            return Ok(all);
        }
        // A list goes on where it began: it cannot send anybody elsewhere.
        if nearside_fetch::host(&next) != nearside_fetch::host(&arguments.from) {
            let message = format!("{from} goes on at another place: {next}");
            return Err(CommandError::new(Fault::Input, message));
        }
        from = next;
    }
    Err(CommandError::new(
        Fault::Input,
        format!("{} has more than {MOST_PAGES} pages", arguments.from),
    ))
}

fn read_page(
    arguments: &CatalogRefresh,
    from: &str,
    catalog: &Catalog,
) -> Result<PriceList, CommandError> {
    let mut reader = BufReader::with_capacity(1 << 20, open(from)?);
    let format = match arguments.format {
        Some(format) => format,
        None => format_of(&mut reader, from)?,
    };
    // What an address gives is of today; a file is as old as it is.
    let as_of = match nearside_fetch::is_address(from) {
        true => environment::today(),
        false => crate::wire::modified(Path::new(from)),
    };
    let file = ListFile { name: from, as_of };
    match format {
        ListFormat::Aws => Ok(catalog.read_aws_prices(reader, &file)?),
        ListFormat::Azure => Ok(catalog.read_azure_prices(reader, &file)?),
        ListFormat::Skypilot => {
            let mut text = String::new();
            let read = reader.take(MOST_TABLE).read_to_string(&mut text);
            read.map_err(|error| broken(from, &error))?;
            let provider = provider(arguments, from)?;
            let file =
                SkyPilotFile { provider: &provider, file: from, text: &text, as_of: file.as_of };
            let import = catalog.read_skypilot(&file)?;
            let left_out = import.skipped.into_iter().map(|why| match why.rsplit_once(": ") {
                Some((place, why)) => (place.to_owned(), why.to_owned()),
                None => (why, String::new()),
            });
            Ok(PriceList { offers: import.offers, left_out: left_out.collect(), next: None })
        }
    }
}

fn broken(from: &str, error: &std::io::Error) -> CommandError {
    CommandError::new(Fault::World, format!("cannot read {from}: {error}"))
}

fn open(from: &str) -> Result<Box<dyn Read>, CommandError> {
    if nearside_fetch::is_address(from) {
        let body = nearside_fetch::get(from, MOST_BYTES);
        let body = body.map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
        return Ok(Box::new(body));
    }
    match File::open(from) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(CommandError::new(Fault::Input, format!("there is no file {from}")))
        }
        Err(error) => Err(broken(from, &error)),
    }
}

/// What the first bytes look like.
fn format_of(
    reader: &mut BufReader<Box<dyn Read>>,
    from: &str,
) -> Result<ListFormat, CommandError> {
    use std::io::BufRead as _;
    let begin = reader.fill_buf().map_err(|error| broken(from, &error))?;
    let begin = String::from_utf8_lossy(&begin[..begin.len().min(4096)]).into_owned();
    let has = |word: &str| begin.contains(word);
    match begin.trim_start().starts_with('{') {
        true if has("\"Items\"") || has("\"BillingCurrency\"") => Ok(ListFormat::Azure),
        true if has("\"formatVersion\"") || has("\"offerCode\"") => Ok(ListFormat::Aws),
        false if has("InstanceType") => Ok(ListFormat::Skypilot),
        _ => Err(CommandError::new(Fault::Input, format!("{from} looks like no price list"))
            .hint("--format aws, azure or skypilot")),
    }
}

/// Whose machines a table of SkyPilot has: as stated, or by its folder (`.../aws/vms.csv`).
fn provider(arguments: &CatalogRefresh, from: &str) -> Result<String, CommandError> {
    let stated = arguments.provider.clone();
    let folder = || Some(Path::new(from).parent()?.file_name()?.to_str()?.to_owned());
    stated.or_else(folder).ok_or_else(|| {
        CommandError::new(Fault::Usage, format!("whose machines are in {from}?"))
            .hint("--provider aws")
    })
}

/// What the list changes; and its offers with what is known of them besides.
fn compare(catalog: &Catalog, list: PriceList) -> (Vec<Offer>, RefreshAnswer) {
    let before: BTreeMap<&OfferKey, &Offer> =
        catalog.offers().map(|offer| (&offer.key, offer)).collect();
    let mut offers: BTreeMap<OfferKey, Offer> = BTreeMap::new();
    for offer in list.offers {
        let merged = match offers.remove(&offer.key) {
            Some(other) => other.with_prices_of(&offer),
            None => offer,
        };
        offers.insert(merged.key.clone(), merged);
    }
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    for offer in offers.values_mut() {
        let Some(known) = before.get(&offer.key) else {
            new.push(offer.key.to_string());
            continue;
        };
        for terms in [Terms::OnDemand, Terms::Spot] {
            changed.extend(change(known, offer, terms));
        }
        // A list of hours on demand says nothing about others: what was known of them stays.
        *offer = known.with_prices_of(offer);
    }
    let places: BTreeSet<(String, String)> =
        offers.keys().map(|key| (key.provider.to_string(), key.region.to_string())).collect();
    let missing = before.keys().filter(|key| {
        places.contains(&(key.provider.to_string(), key.region.to_string()))
            && !offers.contains_key(**key)
    });
    let answer = RefreshAnswer {
        offers: offers.len(),
        new,
        changed,
        missing: missing.map(ToString::to_string).collect(),
        left_out: list.left_out,
        written: None,
    };
    (offers.into_values().collect(), answer)
}

fn change(before: &Offer, now: &Offer, terms: Terms) -> Option<ChangeView> {
    let price = |offer: &Offer| match offer.price(terms) {
        Known::Value(price) => Some(price.value),
        Known::Unknown(_) => None,
    };
    let (old, new) = (price(before), price(now)?);
    if old == Some(new) {
        return None;
    }
    let share = old.filter(|old| old.money().currency() == new.money().currency());
    let shown = |price: PerHour| format!("{:#}/h", price.money());
    Some(ChangeView {
        offer: now.key.to_string(),
        terms: terms.to_string(),
        before: old.map_or("unknown".to_owned(), shown),
        now: shown(new),
        share: share.map(|old| new.money().as_f64() / old.money().as_f64() - 1.0),
    })
}

/// Writes the offers over those of earlier lists, one table for each provider.
fn write(catalog: &Catalog, offers: Vec<Offer>) -> Result<String, CommandError> {
    let folder = environment::config_folder().ok_or_else(|| {
        CommandError::new(Fault::World, "there is no configuration folder to write to")
            .hint("set NEARSIDE_CONFIG_DIR")
    })?;
    let folder = folder.join("catalog").join("refreshed");
    let mut by_provider: BTreeMap<String, BTreeMap<OfferKey, Offer>> = BTreeMap::new();
    for offer in offers {
        let of = by_provider.entry(offer.key.provider.to_string()).or_default();
        of.insert(offer.key.clone(), offer);
    }
    let mut written = PathBuf::new();
    for (provider, mut offers) in by_provider {
        let file = folder.join(&provider).join("offers.csv");
        let name = file.display().to_string();
        for earlier in catalog.offers().filter(|offer| *offer.origin.place.file == *name) {
            offers.entry(earlier.key.clone()).or_insert_with(|| earlier.clone());
        }
        let table = offers_table(offers.values())
            .map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?;
        let failed = |error: &dyn std::fmt::Display| {
            CommandError::new(Fault::World, format!("cannot write {name}: {error}"))
        };
        let parent = file.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).map_err(|error| failed(&error))?;
        nearside_store::atomic::write(&file, table.as_bytes()).map_err(|error| failed(&error))?;
        written = file;
    }
    Ok(written.display().to_string())
}

fn text(answer: &RefreshAnswer) -> String {
    let mut text = format!(
        "{} offers: {} new, {} prices changed, {} of the same regions not in the list",
        answer.offers,
        answer.new.len(),
        answer.changed.len(),
        answer.missing.len()
    );
    let mut changes: Vec<&ChangeView> = answer.changed.iter().collect();
    let size = |change: &ChangeView| change.share.map_or(f64::INFINITY, f64::abs);
    changes.sort_by(|one, other| size(other).total_cmp(&size(one)));
    if !changes.is_empty() {
        let heads = [
            ("offer", Align::Left),
            ("terms", Align::Left),
            ("before", Align::Right),
            ("now", Align::Right),
            ("change", Align::Right),
        ];
        let row = |change: &&ChangeView| {
            let share = change.share.map_or("-".to_owned(), |it| format!("{:+.1} %", it * 100.0));
            vec![
                change.offer.clone(),
                change.terms.clone(),
                change.before.clone(),
                change.now.clone(),
                share,
            ]
        };
        text += &format!("\n\n{}", table(&heads, changes.iter().take(SHOWN).map(row).collect()));
        if changes.len() > SHOWN {
            text += &format!("\n{} smaller changes: --json", changes.len() - SHOWN);
        }
    }
    for (what, why) in answer.left_out.iter().take(5) {
        text += &format!("\nleft out: {what}: {why}");
    }
    if answer.left_out.len() > 5 {
        text += &format!("\nleft out: {} more: --json", answer.left_out.len() - 5);
    }
    match &answer.written {
        Some(file) => text += &format!("\n\nwritten to {file}; remove it to go back"),
        None => text += "\n\nnothing was written",
    }
    text
}
