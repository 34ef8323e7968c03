//! What `nearside roi` is asked: of projects, of cloud bills, or of what is stated alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearside_catalog::{Catalog, Terms};
use nearside_economics::{Case, Given};
use nearside_units::{Currency, ExchangeRates, Known, Money};

use super::{recorded, waiting};
use crate::cli::{Roi, RoiTerms};
use crate::error::{CommandError, Fault};
use crate::wire;
use crate::wire::billed::of_bills;
use crate::wire::project::{Loaded, PROJECT_FILE};
use crate::wire::roi::{Question, lay_project, machine, of_projects, offer, states};
use crate::wire::shared_work::SharedWork;

/// A question with all that is needed to answer it.
pub(super) struct Asked {
    pub(super) title: String,
    pub(super) exchange: ExchangeRates,
    pub(super) case: Case,
    pub(super) notes: Vec<String>,
}

/// What is asked: of projects, or of what is stated alone.
pub(super) fn asked(arguments: &Roi, catalog: &Catalog) -> Result<Known<Asked>, CommandError> {
    let mut paths: Vec<PathBuf> = arguments.paths.clone();
    let alone = !arguments.against.is_empty() && !arguments.recorded;
    if paths.is_empty() && !alone && Path::new(PROJECT_FILE).is_file() {
        paths.push(PathBuf::from("."));
    }
    if arguments.recorded && paths.is_empty() {
        return Err(CommandError::new(
            Fault::Usage,
            "there is no project here whose ledger to read",
        )
        .hint("name its folder: nearside roi path/to/project --recorded"));
    }
    if !arguments.bill.is_empty() {
        return billed(arguments, paths.first(), catalog);
    }
    if paths.is_empty() {
        let exchange = exchange(&arguments.currency, &arguments.rate)?;
        let case = Case { near: Given::new(), far: against(arguments, catalog, &exchange)? };
        if case.far.is_empty() {
            return Err(CommandError::new(Fault::Usage, "nothing to hold a machine against")
                .hint("name a project, or offers: --against 'aws/g5.xlarge@us-east-1'"));
        }
        let title = "as stated".to_owned();
        return Ok(Known::Value(Asked { title, exchange, case, notes: Vec::new() }));
    }
    let projects: Vec<Loaded> =
        paths.iter().map(|path| wire::project::load(path, &[])).collect::<Result<_, _>>()?;
    of_files(&projects, arguments, catalog)
}

/// Of cloud bills, with the machine of a project or a named one.
fn billed(
    arguments: &Roi,
    project: Option<&PathBuf>,
    catalog: &Catalog,
) -> Result<Known<Asked>, CommandError> {
    let loaded = project.map(|path| wire::project::load(path, &[])).transpose()?;
    let exchange = match &loaded {
        Some(loaded) => loaded.project.money.exchange.clone(),
        None => exchange(&arguments.currency, &arguments.rate)?,
    };
    let named = arguments.machine.as_deref().map(|device| (device, 1));
    let own = wire::sites::chosen(named, None, loaded.as_ref(), catalog)?;
    let Some(accelerators) = &own.site.machine.accelerators else {
        return Err(CommandError::new(Fault::Input, "the own machine has no accelerator")
            .hint("name one: --machine rtx-4090"));
    };
    let near = machine(&own.site, &exchange);
    let found = of_bills(&arguments.bill, accelerators, near, &exchange, catalog)?;
    let title = loaded.as_ref().map_or("as billed", |loaded| loaded.project.name.as_str());
    let mut question = match found {
        Known::Value(question) => question,
        Known::Unknown(why) => return Ok(Known::Unknown(why)),
    };
    loaded.iter().try_for_each(|loaded| lay_project(&mut question.case, loaded))?;
    let Question { case, notes } = question;
    Ok(Known::Value(Asked { title: title.to_owned(), exchange, case, notes }))
}

fn of_files(
    projects: &[Loaded],
    arguments: &Roi,
    catalog: &Catalog,
) -> Result<Known<Asked>, CommandError> {
    let Some(first) = projects.first() else {
        return Err(CommandError::new(Fault::Usage, "no project is named"));
    };
    let exchange = first.project.money.exchange.clone();
    let titles: Vec<&str> = projects.iter().map(|loaded| loaded.project.name.as_str()).collect();
    let title = titles.join(" and ");
    let stated = arguments.recorded
        || arguments.set.iter().any(|set| set.trim_start().starts_with("hours="));
    let posed = SharedWork::of(projects, catalog)?;
    // With its hours stated the machine need not be one that the stages have estimates for.
    let question = match of_projects(&posed, &first.project.team, &exchange) {
        Known::Value(question) => question,
        Known::Unknown(_) if stated && !arguments.against.is_empty() => Question {
            case: Case { near: machine(&posed.here, &exchange), far: Vec::new() },
            notes: posed.notes.clone(),
        },
        Known::Unknown(why) => return Ok(Known::Unknown(why)),
    };
    let Question { mut case, mut notes } = question;
    notes.extend(projects.iter().filter_map(undated));
    if let [only] = projects {
        case.near.extend(waiting::measured(only, &posed, exchange.currency()).unwrap_or_default());
    }
    if arguments.recorded {
        let (hours, more) = recorded::hours(projects)?;
        case.near.insert("hours", hours);
        notes.extend(more);
    }
    if !arguments.against.is_empty() {
        let named = against(arguments, catalog, &exchange)?;
        // What a project says of an offer, such as how fast its stages are there, stays.
        let merged = named.into_iter().map(|(name, given)| {
            let known = case.far.iter().find(|(other, _)| *other == name);
            known.cloned().unwrap_or((name, given))
        });
        case.far = merged.collect();
    }
    // They share the machine of the first, and its currency.
    lay_project(&mut case, first)?;
    notes.extend(projects.iter().skip(1).filter(|loaded| states(loaded)).map(|loaded| {
        format!(
            "[roi] of {} is left out: the machine is that of {}",
            loaded.project.name, first.project.name
        )
    }));
    Ok(Known::Value(Asked { title, exchange, case, notes }))
}

/// Rates of currencies change: those without a day are told.
fn undated(loaded: &Loaded) -> Option<String> {
    let money = &loaded.project.money;
    (money.exchange.converts() && money.as_of.why().is_some()).then(|| {
        format!(
            "of which day the exchange rates of {} are is not stated: as_of = \"2026-11-20\" in [money]",
            loaded.project.name
        )
    })
}

/// The offers that are named.
fn against(
    arguments: &Roi,
    catalog: &Catalog,
    exchange: &ExchangeRates,
) -> Result<Vec<(Arc<str>, Given)>, CommandError> {
    let terms = match arguments.terms {
        RoiTerms::Spot => Terms::Spot,
        RoiTerms::OnDemand | RoiTerms::Committed => Terms::OnDemand,
    };
    let mut found = Vec::new();
    for pattern in &arguments.against {
        let offers = catalog
            .offers_matching(pattern)
            .map_err(|error| CommandError::new(Fault::Usage, error.to_string()))?;
        // A pattern means those that can be held against it; a name means that one.
        let several = offers.len() > 1;
        let accelerated = offers.iter().any(|one| one.device.is_some());
        let wanted = offers.iter().filter(|one| one.device.is_some() || !accelerated);
        let mut failed = None;
        let before = found.len();
        for one in wanted {
            match offer(one, terms, exchange) {
                Ok(known) => found.push(known),
                Err(error) if several => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = failed.filter(|_| found.len() == before) {
            return Err(error);
        }
    }
    // What two patterns name is there once.
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found.dedup_by(|one, other| one.0 == other.0);
    Ok(found)
}

/// Currency and rates without a project.
pub(super) fn exchange(code: &str, rates: &[String]) -> Result<ExchangeRates, CommandError> {
    let usage = |error: &dyn std::fmt::Display| {
        CommandError::new(Fault::Usage, error.to_string()).hint("--rate EUR='1.09 USD'")
    };
    let to: Currency = code.parse().map_err(|error| usage(&error))?;
    let mut found = BTreeMap::new();
    for rate in rates {
        let (from, money) =
            rate.split_once('=').ok_or_else(|| usage(&format!("\"{rate}\" is no CODE=MONEY")))?;
        let from: Currency = from.trim().parse().map_err(|error| usage(&error))?;
        let money: Money = money.trim().parse().map_err(|error| usage(&error))?;
        if money.currency() != to || money.as_f64() <= 0.0 {
            return Err(usage(&format!("{money:#} is no amount of {to} that {from} is worth")));
        }
        found.insert(from, money.amount());
    }
    Ok(ExchangeRates::new(to, found))
}
