//! `nearside roi`: does buying a machine pay against renting one?

mod cases;
mod claims;
mod documents;
mod recorded;
mod text;
mod view;
mod waiting;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearside_catalog::{Catalog, Terms};
use nearside_economics::{Assumption, Case, Draws, FAR, Given, Input, NEAR, Roi as Sheet};
use nearside_units::{Basis, Currency, ExchangeRates, HOURS_PER_MONTH, Known, Money, Span};

pub(crate) use cases::CasesAnswer;
pub(crate) use view::{InputsAnswer, RoiAnswer};

use crate::cli::{Roi, RoiTerms};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::billed::of_bills;
use crate::wire::project::{Loaded, PROJECT_FILE};
use crate::wire::roi::{Question, lay, lay_project, machine, of_projects, offer, states};
use crate::wire::shared_work::SharedWork;

/// Alternatives that are shown unless all are asked for.
const SHOWN: usize = 5;
/// What the person who types states.
const TYPED: &str = "the command line";

/// A question with all that is needed to answer it.
struct Asked {
    title: String,
    exchange: ExchangeRates,
    case: Case,
    notes: Vec<String>,
}

pub(super) fn run(arguments: &Roi, output: &Output) -> Result<Outcome, CommandError> {
    if arguments.inputs {
        let answer = InputsAnswer::all();
        print(&answer, "nearside/roi-inputs/1", &[], output, || text::inputs(&answer));
        return Ok(Outcome::Done);
    }
    if arguments.terms == RoiTerms::Spot && arguments.against.is_empty() {
        return Err(CommandError::new(
            Fault::Usage,
            "--terms spot needs offers to be held against",
        )
        .hint(
            "--against 'aws/g5.*'; of a project, [sites] spot = true has interruptible ones beside",
        ));
    }
    if let Some(file) = &arguments.template {
        let currency = exchange(&arguments.currency, &[])?.currency();
        documents::write_template(file, currency, output)?;
        return Ok(Outcome::Done);
    }
    let catalog = wire::catalog(output)?;
    if let Some(file) = &arguments.cases {
        return cases::run(file, arguments, &catalog, output);
    }
    match answered(arguments, &catalog, output)? {
        Known::Value((answer, notes)) => {
            print(&answer, SCHEMA, &notes, output, || text::of(&answer, output.detail));
            Ok(outcome(&answer))
        }
        Known::Unknown(why) => Ok(no_answer(&why, output)),
    }
}

/// Writes the answer as JSON too, and says its first lines.
pub(super) fn written(
    arguments: &Roi,
    json: &Path,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let catalog = wire::catalog(output)?;
    match answered(arguments, &catalog, output)? {
        Known::Value((answer, notes)) => {
            let envelope = Answer { schema: SCHEMA, data: &answer, warnings: &notes, sources: &[] };
            documents::write_json(json, &envelope, output)?;
            print(&answer, SCHEMA, &notes, output, || text::lead(&answer));
            Ok(outcome(&answer))
        }
        Known::Unknown(why) => Ok(no_answer(&why, output)),
    }
}

const SCHEMA: &str = "nearside/roi/1";

fn outcome(answer: &RoiAnswer) -> Outcome {
    if answer.pays() { Outcome::Done } else { Outcome::Negative }
}

fn no_answer(why: &str, output: &Output) -> Outcome {
    let hint = "`nearside plan` tells where each stage can run";
    output.none(why, hint, environment::today());
    Outcome::Negative
}

/// The answer with what a reader should know, its documents written; or why there is none.
fn answered(
    arguments: &Roi,
    catalog: &Catalog,
    output: &Output,
) -> Result<Known<(RoiAnswer, Vec<String>)>, CommandError> {
    let mut asked = match asked(arguments, catalog)? {
        Known::Value(asked) => asked,
        Known::Unknown(why) => return Ok(Known::Unknown(why)),
    };
    lay(&mut asked.case, &arguments.set, &asked.exchange, TYPED)?;
    check_terms(arguments.terms, &asked.case)?;
    commit(arguments.terms, &mut asked.case.far, &asked.case.near);
    asked.case.far.extend(outsourced(arguments, &asked.exchange)?);
    let left_out = keep_cheapest(&mut asked, arguments)?;
    let sheet = sheet(&asked.case, asked.exchange.currency())?;
    let draws = Draws { count: arguments.draws as usize, seed: arguments.seed };
    let currency = asked.exchange.currency();
    let mut answer = RoiAnswer::of(&asked.title, currency.code(), &sheet, draws);
    answer.left_out = left_out;
    answer.table = table(arguments, &asked)?;
    answer.colocated = colocated(arguments, &asked)?;
    answer.claims = claims::of(&sheet, &arguments.claim, &asked.exchange)?;
    documents::write(arguments, (&asked.title, currency), &sheet, &asked.notes, output)?;
    Ok(Known::Value((answer, asked.notes)))
}

fn print<T: serde::Serialize>(
    answer: &T,
    schema: &str,
    notes: &[String],
    output: &Output,
    text: impl FnOnce() -> String,
) {
    if output.form == Form::Json {
        let answer = Answer { schema, data: answer, warnings: notes, sources: &[] };
        return output.json(&answer, environment::today());
    }
    output.text(&text());
    notes.iter().for_each(|note| output.warning(note));
}

/// The sheet; what is not stated is asked for, all of it at once.
fn sheet(case: &Case, currency: Currency) -> Result<Sheet, CommandError> {
    let [near, far] = case.not_stated();
    let missing: Vec<(&str, &Assumption)> = near
        .into_iter()
        .map(|input| ("", input))
        .chain(far.into_iter().map(|input| ("far.", input)))
        .collect();
    if missing.is_empty() {
        return Sheet::of(case).map_err(|error| CommandError::new(Fault::Bug, error.to_string()));
    }
    let names: Vec<String> = missing
        .iter()
        .map(|(prefix, input)| format!("{prefix}{} ({})", input.name, input.label))
        .collect();
    let example = |(prefix, input): &(&str, &Assumption)| {
        format!("--set {prefix}{}='{}'", input.name, input.unit.example(currency.code()))
    };
    let hint: Vec<String> = missing.iter().map(example).collect();
    Err(CommandError::new(Fault::Input, format!("not stated: {}", names.join(", ")))
        .hint(format!("{}; or in a project, [site.here] and [roi.here]", hint.join(" "))))
}

/// What is asked: of projects, or of what is stated alone.
fn asked(arguments: &Roi, catalog: &Catalog) -> Result<Known<Asked>, CommandError> {
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
        let stated = arguments.set.iter().any(|set| set.contains("far.speed"));
        let notes = as_fast(&case).filter(|_| !stated).into_iter().collect();
        return Ok(Known::Value(Asked { title, exchange, case, notes }));
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
    let own = match (&arguments.machine, &loaded) {
        (Some(device), _) => wire::sites::of_device(device, 1, catalog)?,
        (None, Some(loaded)) => match wire::sites::near(loaded, catalog)? {
            Some(own) => own,
            None => wire::sites::here(catalog)?,
        },
        (None, None) => wire::sites::here(catalog)?,
    };
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
        notes.extend(as_fast(&case));
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

/// Whether some machine is only taken to be as fast as the own one.
fn as_fast(case: &Case) -> Option<String> {
    let count = case.far.iter().filter(|(_, given)| !given.contains_key("speed")).count();
    (count > 0).then(|| {
        format!(
            "{count} of the rented machines are taken to be as fast as the own one: state far.speed, the \
             hours there for an hour here"
        )
    })
}

/// What has to be stated on some terms, wherever it is stated.
fn check_terms(terms: RoiTerms, case: &Case) -> Result<(), CommandError> {
    let lacks = |name: &str| case.far.iter().any(|(_, given)| !given.contains_key(name));
    let usage =
        |message: &str, hint: &str| Err(CommandError::new(Fault::Usage, message).hint(hint));
    match terms {
        RoiTerms::Spot if lacks("interruptions") => usage(
            "how often interruptible machines are taken away is not stated",
            "--set far.interruptions='0.02..0.05..0.2' an hour; no public figure is safe",
        ),
        RoiTerms::Committed if lacks("discount") => usage(
            "what a commitment saves is not stated",
            "--set far.discount='35..45 %': without, all hours are paid at the list price",
        ),
        _ => Ok(()),
    }
}

/// A commitment pays all hours of as many machines.
fn commit(terms: RoiTerms, far: &mut [(Arc<str>, Given)], near: &Given) {
    if terms != RoiTerms::Committed {
        return;
    }
    let machines = near.get("machines").map_or(1.0, |machines| machines.span.likely());
    for (_, given) in far {
        given.entry("committed").or_insert_with(|| Input {
            span: Span::exact(machines * HOURS_PER_MONTH),
            basis: Basis::derived("a commitment pays all hours"),
        });
    }
}

/// An input of a table that is written as a flag of its own.
fn flag(
    inputs: &'static [Assumption],
    name: &'static str,
    text: &str,
    exchange: &ExchangeRates,
) -> Result<Input, String> {
    let input = inputs.iter().find(|input| input.name == name);
    let input = input.ok_or_else(|| format!("there is no input {name}"))?;
    input.read(text, exchange, Basis::published(TYPED, None))
}

/// A service that does the work.
fn outsourced(
    arguments: &Roi,
    exchange: &ExchangeRates,
) -> Result<Option<(Arc<str>, Given)>, CommandError> {
    let Some(text) = &arguments.outsource else { return Ok(None) };
    let hourly = text.trim_end().ends_with("/h");
    let name = if hourly { "price" } else { "fee" };
    let input = flag(FAR, name, text, exchange)
        .map_err(|error| CommandError::new(Fault::Usage, format!("--outsource: {error}")))?;
    let free = Input { span: Span::exact(0.0), basis: Basis::derived("the fee covers it") };
    let mut given = Given::from([("price", free)]);
    given.insert(name, input);
    Ok(Some((Arc::from("outsourced"), given)))
}

/// The own machine where somebody else houses it: the fee stands for space, electricity and cooling.
fn colocated(arguments: &Roi, asked: &Asked) -> Result<Option<view::HereView>, CommandError> {
    let Some(text) = &arguments.colocate else { return Ok(None) };
    let fee = flag(NEAR, "room", text, &asked.exchange)
        .map_err(|error| CommandError::new(Fault::Usage, format!("--colocate: {error}")))?;
    let mut case = asked.case.clone();
    let free = Input { span: Span::exact(0.0), basis: Basis::derived("the fee covers it") };
    case.near.insert("room", fee);
    case.near.insert("tariff", free.clone());
    case.near.insert("night_tariff", free);
    let roi = sheet(&case, asked.exchange.currency())?;
    Ok(Some(view::here(&roi, &roi.sheet.values())))
}

/// Currency and rates without a project.
fn exchange(code: &str, rates: &[String]) -> Result<ExchangeRates, CommandError> {
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

/// Keeps the alternatives that cost least a month; gives how many were left out.
fn keep_cheapest(asked: &mut Asked, arguments: &Roi) -> Result<usize, CommandError> {
    let all = sheet(&asked.case, asked.exchange.currency())?;
    let values = all.sheet.values();
    let month = |place: usize| values.of(all.far[place].month).number().unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..all.far.len()).collect();
    order.sort_by(|one, other| month(*one).total_cmp(&month(*other)));
    let shown = if arguments.all { order.len() } else { SHOWN.min(order.len()) };
    let left_out = order.len() - shown;
    asked.case.far = order[..shown].iter().map(|place| asked.case.far[*place].clone()).collect();
    Ok(left_out)
}

/// Paybacks over hours of work a month.
fn table(arguments: &Roi, asked: &Asked) -> Result<Option<view::Table>, CommandError> {
    if arguments.hours.is_empty() {
        return Ok(None);
    }
    view::Table::of(&asked.case, &arguments.hours, asked.exchange.currency()).map(Some)
}
