//! `nearside bill`: what a cloud bill says, how long accelerators ran, and what a machine of one's own
//! would have done of it.

mod remarks;
mod text;
mod view;

use std::path::Path;
use std::sync::Arc;

use nearside_catalog::{Accelerators, Catalog};
use nearside_economics::bill::{Capacity, RelativeSpeed, absorbed};
use nearside_units::{Duration, Known};

pub(crate) use view::BillAnswer;
use view::{NearView, SpeedView};

use crate::cli::Bill;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::view::Figure;
use crate::wire;
use crate::wire::bill::ReadBill;
use crate::wire::project::Loaded;
use crate::wire::sites::Own;

/// Work that may wait for longer than a year waits for ever.
const LONGEST_DELAY: Duration = Duration::hours(366.0 * 24.0);

pub(super) fn run(arguments: &Bill, output: &Output) -> Result<Outcome, CommandError> {
    let delay_hours = delay(&arguments.delay)?;
    let stated = arguments.speed.map(stated_speed).transpose()?;
    let loaded = project(arguments.project.as_deref())?;
    let catalog = wire::catalog(output)?;
    output.watched("reading the bill");
    let rates = loaded.as_ref().map(|loaded| &loaded.project.money.exchange);
    let read = wire::bill::read(&arguments.files, &catalog, rates)?;
    let mut warnings = remarks::of(&read);
    let near = near(arguments, loaded.as_ref(), &catalog)?;
    let near = match near {
        Known::Value(machine) => {
            let asked = Asked { machine, delay_hours, stated };
            asked.answer(&read, &catalog, &mut warnings)?
        }
        Known::Unknown(why) => Figure::Unknown { unknown: why.to_string() },
    };
    let answer = BillAnswer::of(&read, near);
    let sources = sources(loaded.as_ref());
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/bill/1",
            data: &answer,
            warnings: &warnings,
            sources: &sources,
        };
        output.json(&answer, environment::today());
    } else {
        output.text(&text::of(&answer, arguments.all));
        warnings.iter().for_each(|warning| output.warning(warning));
        if let Some(hint) = remarks::hint(&read, loaded.is_some()) {
            output.hint(&hint);
        }
    }
    Ok(Outcome::Done)
}

fn sources(loaded: Option<&Loaded>) -> Vec<String> {
    let project = loaded.map(|loaded| format!("exchange rates of {}", loaded.file.display()));
    project.into_iter().collect()
}

/// The project that was named, or the one in this folder, if there is one.
fn project(stated: Option<&Path>) -> Result<Option<Loaded>, CommandError> {
    let here = Path::new(".");
    match stated {
        Some(path) => wire::project::load(path, &[]).map(Some),
        None if wire::project::file(here).is_file() => wire::project::load(here, &[]).map(Some),
        None => Ok(None),
    }
}

fn delay(text: &str) -> Result<u32, CommandError> {
    let wrong = |message: String| {
        CommandError::new(Fault::Usage, format!("--delay: {message}")).hint("--delay '8 h'")
    };
    let delay: Duration =
        text.parse().map_err(|error: nearside_units::ParseError| wrong(error.to_string()))?;
    let hours = delay.as_hours();
    match delay <= LONGEST_DELAY && (hours - hours.round()).abs() < 1e-9 {
        true => Ok(hours.round() as u32),
        false => Err(wrong(format!("{delay} is no number of whole hours within a year"))),
    }
}

fn stated_speed(ratio: f64) -> Result<RelativeSpeed, CommandError> {
    RelativeSpeed::new(ratio).ok_or_else(|| {
        CommandError::new(Fault::Usage, format!("--speed: {ratio} is not from 0.001 to 1000"))
            .hint("--speed 0.5")
    })
}

/// A near machine with its devices.
struct Machine {
    name: String,
    accelerators: Accelerators,
    notes: Vec<String>,
}

/// The near machine that was asked for, where it has accelerators.
fn near(
    arguments: &Bill,
    loaded: Option<&Loaded>,
    catalog: &Catalog,
) -> Result<Known<Machine>, CommandError> {
    let named = arguments.machine.as_deref().map(|device| (device, arguments.count));
    let own = wire::sites::chosen(named, arguments.site.as_deref(), loaded, catalog)?;
    let Own { site, notes, .. } = own;
    let machine = site.machine.accelerators.map(|accelerators| Machine {
        name: site.name.to_string(),
        accelerators,
        notes,
    });
    let why = "the near machine has no accelerator; name one with --machine DEVICE or --site FILE";
    Ok(Known::from_option(machine, why))
}

/// What is asked of a near machine.
struct Asked {
    machine: Machine,
    delay_hours: u32,
    stated: Option<RelativeSpeed>,
}

impl Asked {
    fn answer(
        self,
        read: &ReadBill,
        catalog: &Catalog,
        warnings: &mut Vec<String>,
    ) -> Result<Figure<NearView>, CommandError> {
        let usage = read.bill.usage();
        let Some(span) = read.bill.span().filter(|_| usage.kinds().next().is_some()) else {
            let unknown = "the bill shows no time on accelerators".to_owned();
            return Ok(Figure::Unknown { unknown });
        };
        warnings.extend(self.machine.notes.iter().cloned());
        let near = &self.machine.accelerators.device;
        let (speeds, notes) = wire::bill::speeds(near, usage, self.stated, catalog);
        warnings.extend(notes);
        let capacity = Capacity {
            devices: self.machine.accelerators.count,
            speeds: speeds.iter().map(|(far, known)| (Arc::clone(far), known.speed)).collect(),
            delay_hours: self.delay_hours,
            span,
        };
        let found = absorbed(usage, &capacity, &read.rates)
            .map_err(|error| CommandError::new(Fault::Input, error.to_string()))?;
        let speeds = speeds.iter().map(|(far, known)| SpeedView::of(far, known)).collect();
        Ok(Figure::Value(NearView::of(
            &self.machine.name,
            &self.machine.accelerators,
            &capacity,
            &found,
            speeds,
        )))
    }
}
