//! `nearside roi --cases FILE`: tables of paybacks for machines that a file describes, each against some
//! offers or stated prices, over hours of work a month.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nearside_catalog::{Catalog, Terms};
use nearside_economics::{Case, FAR, Given};
use nearside_units::{Basis, ExchangeRates};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::Table;
use super::{exchange, print, text};
use crate::cli::Roi;
use crate::error::{CommandError, Fault};
use crate::output::{Outcome, Output};
use crate::wire;
use crate::wire::roi::{lay, offer};

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Cases in order.
    case: Vec<CaseTable>,
}

/// One machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseTable {
    title: String,
    /// Inputs of the machine, as `--set` takes them.
    set: BTreeMap<String, String>,
    /// Machine-hours of work a month.
    hours: Vec<f64>,
    /// What it is held against.
    against: Vec<AgainstTable>,
}

/// An offer of the catalog, or a price that somebody published.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AgainstTable {
    Offer(String),
    Stated {
        name: String,
        /// Of a machine-hour.
        price: String,
        /// Who says so.
        source: String,
    },
}

/// Data of `roi --cases FILE --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CasesAnswer {
    /// ISO 4217 code of all money in this answer.
    pub(crate) currency: String,
    /// The cases.
    pub(crate) cases: Vec<CaseView>,
}

/// A case with its table.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CaseView {
    /// What it is about.
    pub(crate) title: String,
    /// Paybacks.
    pub(crate) table: Table,
}

pub(super) fn run(
    file: &Path,
    arguments: &Roi,
    catalog: &Catalog,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let text = wire::read_text(file)?;
    let read: File = toml::from_str(&text).map_err(|error| {
        let problem = crate::error::Problem {
            message: error.message().to_owned(),
            span: error.span(),
            hint: None,
        };
        CommandError::in_file(file.display().to_string(), &text, vec![problem])
    })?;
    let exchange = exchange(&arguments.currency, &arguments.rate)?;
    let says = file.display().to_string();
    let cases = read.case.iter().map(|case| case.answer(catalog, &exchange, &says));
    let answer = CasesAnswer {
        currency: exchange.currency().code().to_owned(),
        cases: cases.collect::<Result<_, _>>()?,
    };
    print(&answer, "nearside/roi-cases/1", &[], output, || {
        let table = |case: &CaseView| {
            format!("{}\n{}", case.title, text::of_hours(&case.table, &answer.currency))
        };
        answer.cases.iter().map(table).collect::<Vec<_>>().join("\n\n")
    });
    Ok(Outcome::Done)
}

impl CaseTable {
    fn answer(
        &self,
        catalog: &Catalog,
        exchange: &ExchangeRates,
        says: &str,
    ) -> Result<CaseView, CommandError> {
        let here = |error: CommandError| {
            let problems = error.problems.into_iter().map(|problem| crate::error::Problem {
                message: format!("{}: {}", self.title, problem.message),
                ..problem
            });
            CommandError { problems: problems.collect(), fault: Fault::Input, ..error }
        };
        let far = self.against.iter().map(|against| against.read(catalog, exchange));
        let far: Vec<(Arc<str>, Given)> = far.collect::<Result<_, _>>().map_err(here)?;
        let mut case = Case { near: Given::new(), far };
        let changes: Vec<String> =
            self.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
        lay(&mut case, &changes, exchange, says).map_err(here)?;
        let table = Table::of(&case, &self.hours, exchange.currency()).map_err(here)?;
        Ok(CaseView { title: self.title.clone(), table })
    }
}

impl AgainstTable {
    fn read(
        &self,
        catalog: &Catalog,
        exchange: &ExchangeRates,
    ) -> Result<(Arc<str>, Given), CommandError> {
        match self {
            Self::Offer(name) => {
                let found = catalog.offer(name);
                let found =
                    found.map_err(|error| CommandError::new(Fault::Input, error.to_string()))?;
                offer(found, Terms::OnDemand, exchange)
            }
            Self::Stated { name, price, source } => {
                let assumption = FAR.iter().find(|input| input.name == "price");
                let assumption = assumption
                    .ok_or_else(|| CommandError::new(Fault::Bug, "there is no input price"))?;
                let basis = Basis::published(source.as_str(), None);
                let input = assumption
                    .read(price, exchange, basis)
                    .map_err(|error| CommandError::new(Fault::Input, format!("{name}: {error}")))?;
                Ok((name.as_str().into(), Given::from([("price", input)])))
            }
        }
    }
}
