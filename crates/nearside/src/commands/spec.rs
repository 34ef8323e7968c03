//! `nearside spec`: the smallest machine for projects, or for a kind of model.

mod alternatives;
mod classes;
mod page;
mod text;
mod tree;
mod view;

use std::cell::RefCell;

use nearside_catalog::{Catalog, Condition};
use nearside_economics::requirements::{Comfort, Compute, Found, Question, Shelf, cheapest};
use nearside_estimate::calibration::PowerUse;
use nearside_estimate::{Accepted, Calibration};
use nearside_units::Duration;

pub(crate) use classes::ClassesAnswer;
pub(crate) use view::SpecAnswer;

use crate::cli::{Spec, TreeForm};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::document::put;
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::project::{Loaded, load};
use crate::wire::requirements::{self, Kind, Needed, Terms, Wanted};

/// A price is old after so many days.
const OLD_DAYS: i64 = 365;

pub(super) fn run(arguments: &Spec, output: &Output) -> Result<Outcome, CommandError> {
    let terms = terms(arguments)?;
    let catalog = wire::catalog(output)?;
    if arguments.markdown && !arguments.classes {
        let message = "--markdown is how --classes is written";
        return Err(
            CommandError::new(Fault::Usage, message).hint("nearside spec --classes --markdown")
        );
    }
    if arguments.classes {
        return classes::run(arguments, &terms, &catalog, output);
    }
    let projects = projects(arguments)?;
    let mut wanted = match kind(arguments) {
        Some(kind) => requirements::of_kind(kind, &terms, &catalog)?,
        None => requirements::of_projects(&projects, &terms, &catalog)?,
    };
    let market = Market::of(&wanted, arguments, &catalog)?;
    let found = Comfort::ALL.map(|comfort| (comfort, market.found(&wanted, comfort)));
    let alternatives = alternatives::of(&wanted, &found[0].1, &market, (&projects, &catalog))?;
    let tree = match arguments.tree.is_some() || arguments.html.is_some() {
        true => {
            let peak = alternatives.iter().find_map(|it| it.rented.as_deref());
            Some(tree::of_question(arguments, &terms, (&projects, peak), &catalog, output)?)
        }
        false => None,
    };
    wanted.notes.extend(old_prices(&found[0].1));
    let answer = SpecAnswer::of(
        &wanted,
        terms.accepted,
        &found,
        &alternatives,
        tree,
        market.shelf.currency(),
    );
    if let Some(file) = &arguments.html {
        let page = page::of(&answer, &wanted.notes, environment::today());
        put(file, page.as_bytes(), output)?;
    }
    print(arguments, &answer, &wanted.notes, output);
    Ok(if found[0].1.cheapest().is_some() { Outcome::Done } else { Outcome::Negative })
}

/// A sum of prices of different years is told.
fn old_prices(found: &Found) -> Option<String> {
    let parts = &found.cheapest()?.parts;
    let age = |part: &nearside_economics::requirements::Bought| {
        let date = part.price.as_ref().value()?.basis.as_of?;
        Some((date.days_until(environment::today()), date))
    };
    let old: Vec<_> = parts.iter().filter_map(age).filter(|(days, _)| *days > OLD_DAYS).collect();
    let (days, date) = old.iter().max_by_key(|(days, _)| *days)?;
    Some(format!(
        "{} of {} prices are older than a year, the oldest of {date} ({days} days): lay a parts.csv \
         of your own over them before you buy",
        old.len(),
        parts.len()
    ))
}

/// What there is to buy, and what work needs with it.
struct Market {
    /// New parts, and used ones where they are wanted.
    shelf: Shelf,
    /// New parts and used ones.
    all: Shelf,
    needed: RefCell<Needed>,
    power: PowerUse,
}

impl Market {
    fn of(wanted: &Wanted, arguments: &Spec, catalog: &Catalog) -> Result<Self, CommandError> {
        let both = [Condition::New, Condition::Used];
        let selling = |conditions: &[Condition]| {
            requirements::shelf(catalog, arguments.vendor, conditions, &wanted.rates)
        };
        let all = selling(&both);
        let shelf = if arguments.used { all.clone() } else { selling(&both[..1]) };
        let site = wire::sites::unbuilt(catalog)?;
        let needed = RefCell::new(Needed::of(&wanted.question, all.cores(), site));
        Ok(Self { shelf, all, needed, power: Calibration::default().power })
    }

    /// The cheapest machine of a shelf. What has no price is looked at only where nothing else is enough.
    fn least(
        &self,
        question: &Question,
        comfort: Comfort,
        shelf: &Shelf,
        changed: impl Fn(Vec<Compute>) -> Vec<Compute>,
    ) -> Found {
        let sold = |priced: bool| {
            let sellers = shelf.sellers.iter().filter(|(_, seller)| !priced || seller.is_priced());
            let computes = changed(self.needed.borrow_mut().computes(sellers));
            cheapest(question, &comfort.margin(), shelf, &computes, &self.power)
        };
        match sold(true) {
            found @ Found::Cheapest(_) => found,
            _ => sold(false),
        }
    }

    /// The least machine, as comfortable as this.
    fn found(&self, wanted: &Wanted, comfort: Comfort) -> Found {
        self.least(&wanted.question, comfort, &self.shelf, |computes| computes)
    }
}

fn terms(arguments: &Spec) -> Result<Terms, CommandError> {
    let usage = |flag: &str, error: &dyn std::fmt::Display| {
        CommandError::new(Fault::Usage, format!("{flag}: {error}"))
    };
    let accepted: Accepted = arguments.accept.parse().map_err(|error| usage("--accept", &error))?;
    let hours: Duration = arguments
        .hours
        .parse()
        .map_err(|error| usage("--hours", &error).hint("--hours '584 h'"))?;
    if hours <= Duration::ZERO || hours > Duration::hours(nearside_units::HOURS_PER_MONTH) {
        let error = "a month has 730 hours, and a machine works some of them";
        return Err(usage("--hours", &error));
    }
    Ok(Terms { accepted, team: arguments.team, hours })
}

fn kind(arguments: &Spec) -> Option<Kind> {
    let (class, scale) = (arguments.class?, arguments.scale?);
    Some(Kind { class, scale, task: arguments.task })
}

/// The projects that are named; the one in this folder where nothing is.
fn projects(arguments: &Spec) -> Result<Vec<Loaded>, CommandError> {
    if arguments.class.is_some() {
        return Ok(Vec::new());
    }
    let here = [std::path::PathBuf::from(".")];
    let paths = if arguments.paths.is_empty() { &here[..] } else { &arguments.paths };
    let mut files: Vec<_> = paths.iter().map(|path| wire::project::file(path)).collect();
    files.iter_mut().for_each(|file| *file = file.canonicalize().unwrap_or_else(|_| file.clone()));
    files.sort();
    if let Some(twice) = files.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = format!("{} is named twice", twice[0].display());
        return Err(CommandError::new(Fault::Usage, message));
    }
    paths.iter().map(|path| load(path, &[])).collect::<Result<_, _>>().map_err(|error| {
        let nothing = arguments.paths.is_empty();
        match nothing {
            true => error.hint(
                "or ask about a kind of model: `nearside spec --class transformer --scale medium`",
            ),
            false => error,
        }
    })
}

fn print(arguments: &Spec, answer: &SpecAnswer, notes: &[String], output: &Output) {
    if output.form == Form::Json {
        let sources = answer.sources();
        let answer =
            Answer { schema: "nearside/spec/1", data: answer, warnings: notes, sources: &sources };
        return output.json(&answer, environment::today());
    }
    let tree = match (arguments.tree, &answer.tree) {
        (Some(TreeForm::Text), Some(tree)) => Some(&tree.text),
        (Some(TreeForm::Mermaid), Some(tree)) => Some(&tree.mermaid),
        _ => None,
    };
    match tree {
        // A chart is for another program.
        Some(tree) if arguments.tree == Some(TreeForm::Mermaid) => output.text(tree),
        tree => output.text(&text::of(answer, tree.map(String::as_str), output.detail)),
    }
    notes.iter().for_each(|note| output.warning(note));
    answer.hints().iter().for_each(|hint| output.hint(hint));
}
