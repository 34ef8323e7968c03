//! `nearside roi`: does buying a machine pay against renting one?

mod cases;
mod claims;
mod documents;
mod question;
mod recorded;
mod terms;
mod text;
mod view;
mod waiting;

use std::path::Path;

use nearside_catalog::Catalog;
use nearside_economics::{Assumption, Case, Draws, Input, NEAR, Roi as Sheet};
use nearside_units::{Basis, Currency, Known, Span};

pub(crate) use cases::CasesAnswer;
pub(super) use documents::write_page;
pub(crate) use view::{InputsAnswer, RoiAnswer};

use crate::cli::{Roi, RoiTerms};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::roi::lay;
use question::{Asked, asked, exchange};
use terms::{as_fast, check_terms, commit, flag, outsourced};

/// Alternatives that are shown unless all are asked for.
const SHOWN: usize = 5;
/// What the person who types states.
const TYPED: &str = "the command line";

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
    asked.notes.extend(as_fast(&asked.case));
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
