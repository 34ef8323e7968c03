//! `nearside config show | schema`: every value in force and where it came from; the schema of the
//! project file.

use schemars::JsonSchema;
use serde::Serialize;

use super::bill::BillAnswer;
use super::cache::{CacheAnswer, ResealAnswer};
use super::carbon::CarbonAnswer;
use super::catalog::{Doubt, Listing, RefreshAnswer};
use super::doctor::{CompareAnswer, DoctorAnswer, EmitAnswer, PowerAnswer};
use super::fit::{FitAnswer, FitList};
use super::iteration::IterationAnswer;
use super::ledger::{LedgerAccuracy, LedgerList, LedgerRun, LedgerVerification};
use super::logs::LogsAnswer;
use super::model::{
    BenchAnswer, BenchElsewhereAnswer, ChatAnswer, EnginesAnswer, GenerateAnswer, InspectAnswer,
    ListAnswer, ParityAnswer, PullAnswer, QuantizeAnswer, ServeAnswer, TrainAnswer,
};
use super::plan::PlanAnswer;
use super::privacy::anonymize::{AnonymizeAnswer, KAnonymityAnswer};
use super::privacy::{
    AccountAnswer, AuditCheckAnswer, AuditDocumentAnswer, AuditHeadAnswer, AuditListAnswer,
    AuditVerifyAnswer, EraseAnswer, PrivacyScanAnswer, ReleaseAnswer, RevealAnswer, RiskAnswer,
};
use super::privacy::{CertificatesAnswer, CertifyAnswer, VerifyAnswer};
use super::profile::ProfileAnswer;
use super::report::RunbookAnswer;
use super::resilience::ResilienceAnswer;
use super::roi::{CasesAnswer, InputsAnswer, RoiAnswer};
use super::run::RunAnswer;
use super::spec::{ClassesAnswer, SpecAnswer};
use super::why::WhyAnswer;
use crate::cli::{Config, SchemaName};
use crate::environment;
use crate::error::CommandError;
use crate::output::{Align, Answer, Form, NoAnswer, Outcome, Output, table};
use crate::wire;

/// The answer of `nearside config show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ConfigAnswer {
    /// The project file.
    file: String,
    /// The person's folder of configuration and catalog overlays.
    config_folder: Option<String>,
    /// Values that the project does not state.
    assumptions: Vec<AssumptionView>,
    /// The sites that a plan may use.
    sites: Vec<SiteView>,
}

/// A value that the project does not state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AssumptionView {
    /// Its key.
    pub(crate) key: String,
    /// The value taken.
    pub(crate) value: String,
    /// Why.
    pub(crate) why: String,
}

/// A site that a plan may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct SiteView {
    /// Its name.
    name: String,
    /// The highest class of data it may hold.
    clearance: String,
    /// Its country.
    country: Option<String>,
    /// Its accelerators.
    accelerators: Option<String>,
    /// Its price per hour, when rented.
    price: Option<String>,
}

pub(super) fn run(arguments: &Config, output: &Output) -> Result<Outcome, CommandError> {
    match arguments {
        Config::Schema { name } => output.text(&schema(*name)),
        Config::Show { path } => show(path, output)?,
    }
    Ok(Outcome::Done)
}

/// The JSON Schema of the project file or of the data of an answer.
fn schema(name: SchemaName) -> String {
    let mut schema = match name {
        SchemaName::Project => nearside_workload::schema(),
        SchemaName::Plan => schemars::schema_for!(PlanAnswer).to_value(),
        SchemaName::Fit => schemars::schema_for!(FitAnswer).to_value(),
        SchemaName::FitList => schemars::schema_for!(FitList).to_value(),
        SchemaName::Run => schemars::schema_for!(RunAnswer).to_value(),
        SchemaName::Logs => schemars::schema_for!(LogsAnswer).to_value(),
        SchemaName::PrivacyAnonymizeTable => schemars::schema_for!(KAnonymityAnswer).to_value(),
        SchemaName::PrivacyAnonymize => schemars::schema_for!(AnonymizeAnswer).to_value(),
        SchemaName::LedgerList => schemars::schema_for!(LedgerList).to_value(),
        SchemaName::LedgerShow => schemars::schema_for!(LedgerRun).to_value(),
        SchemaName::LedgerAccuracy => schemars::schema_for!(LedgerAccuracy).to_value(),
        SchemaName::LedgerVerify => schemars::schema_for!(LedgerVerification).to_value(),
        SchemaName::Profile => schemars::schema_for!(ProfileAnswer).to_value(),
        SchemaName::Iteration => schemars::schema_for!(IterationAnswer).to_value(),
        SchemaName::Spec => schemars::schema_for!(SpecAnswer).to_value(),
        SchemaName::SpecClasses => schemars::schema_for!(ClassesAnswer).to_value(),
        SchemaName::Resilience => schemars::schema_for!(ResilienceAnswer).to_value(),
        SchemaName::Unknown => schemars::schema_for!(NoAnswer).to_value(),
        SchemaName::Roi => schemars::schema_for!(RoiAnswer).to_value(),
        SchemaName::RoiInputs => schemars::schema_for!(InputsAnswer).to_value(),
        SchemaName::RoiCases => schemars::schema_for!(CasesAnswer).to_value(),
        SchemaName::Carbon => schemars::schema_for!(CarbonAnswer).to_value(),
        SchemaName::Bill => schemars::schema_for!(BillAnswer).to_value(),
        SchemaName::CacheReseal => schemars::schema_for!(ResealAnswer).to_value(),
        SchemaName::Cache => schemars::schema_for!(CacheAnswer).to_value(),
        SchemaName::PrivacyAuditVerify => schemars::schema_for!(AuditVerifyAnswer).to_value(),
        SchemaName::PrivacyAuditHead => schemars::schema_for!(AuditHeadAnswer).to_value(),
        SchemaName::PrivacyAuditList => schemars::schema_for!(AuditListAnswer).to_value(),
        SchemaName::PrivacyAuditCheck => schemars::schema_for!(AuditCheckAnswer).to_value(),
        SchemaName::PrivacyAuditDocument => schemars::schema_for!(AuditDocumentAnswer).to_value(),
        SchemaName::PrivacyErase => schemars::schema_for!(EraseAnswer).to_value(),
        SchemaName::PrivacyRisk => schemars::schema_for!(RiskAnswer).to_value(),
        SchemaName::PrivacyRelease => schemars::schema_for!(ReleaseAnswer).to_value(),
        SchemaName::PrivacyAccount => schemars::schema_for!(AccountAnswer).to_value(),
        SchemaName::PrivacyReveal => schemars::schema_for!(RevealAnswer).to_value(),
        SchemaName::PrivacyScan => schemars::schema_for!(PrivacyScanAnswer).to_value(),
        SchemaName::Why => schemars::schema_for!(WhyAnswer).to_value(),
        SchemaName::PrivacyCertify => schemars::schema_for!(CertifyAnswer).to_value(),
        SchemaName::PrivacyVerify => schemars::schema_for!(VerifyAnswer).to_value(),
        SchemaName::PrivacyCertificates => schemars::schema_for!(CertificatesAnswer).to_value(),
        SchemaName::Doctor => schemars::schema_for!(DoctorAnswer).to_value(),
        SchemaName::DoctorEmit => schemars::schema_for!(EmitAnswer).to_value(),
        SchemaName::DoctorCompare => schemars::schema_for!(CompareAnswer).to_value(),
        SchemaName::DoctorPower => schemars::schema_for!(PowerAnswer).to_value(),
        SchemaName::Runbook => schemars::schema_for!(RunbookAnswer).to_value(),
        SchemaName::Config => schemars::schema_for!(ConfigAnswer).to_value(),
        SchemaName::CatalogList => schemars::schema_for!(Listing).to_value(),
        SchemaName::CatalogRefresh => schemars::schema_for!(RefreshAnswer).to_value(),
        SchemaName::ModelPull => schemars::schema_for!(PullAnswer).to_value(),
        SchemaName::ModelList => schemars::schema_for!(ListAnswer).to_value(),
        SchemaName::ModelInspect => schemars::schema_for!(InspectAnswer).to_value(),
        SchemaName::ModelGenerate => schemars::schema_for!(GenerateAnswer).to_value(),
        SchemaName::ModelChat => schemars::schema_for!(ChatAnswer).to_value(),
        SchemaName::ModelServe => schemars::schema_for!(ServeAnswer).to_value(),
        SchemaName::ModelBench => schemars::schema_for!(BenchAnswer).to_value(),
        SchemaName::ModelBenchElsewhere => schemars::schema_for!(BenchElsewhereAnswer).to_value(),
        SchemaName::ModelEngines => schemars::schema_for!(EnginesAnswer).to_value(),
        SchemaName::ModelParity => schemars::schema_for!(ParityAnswer).to_value(),
        SchemaName::ModelQuantize => schemars::schema_for!(QuantizeAnswer).to_value(),
        SchemaName::ModelTrain => schemars::schema_for!(TrainAnswer).to_value(),
        SchemaName::CatalogCheck => schemars::schema_for!(Vec<Doubt>).to_value(),
    };
    schema.sort_all_objects();
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

fn show(path: &std::path::Path, output: &Output) -> Result<(), CommandError> {
    let loaded = wire::project::load(path, &[])?;
    let catalog = wire::catalog(output)?;
    let sites = wire::sites::of_project(&loaded, &catalog)?;
    let answer = ConfigAnswer {
        file: loaded.file.display().to_string(),
        config_folder: environment::config_folder().map(|folder| folder.display().to_string()),
        assumptions: loaded.project.assumptions.iter().map(assumption).collect(),
        sites: sites.sites.iter().map(site_view).collect(),
    };
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/config/1",
            data: &answer,
            warnings: &sites.notes,
            sources: &[],
        };
        output.json(&answer, environment::today());
        return Ok(());
    }
    let folder = answer.config_folder.as_deref().unwrap_or("none");
    let text = format!(
        "project file    {}\nconfiguration   {folder}\n\nassumed, because the project file does not say\n{}\n\nsites\n{}",
        answer.file,
        assumptions_table(&answer.assumptions),
        sites_table(&answer.sites)
    );
    output.text(&text);
    for note in &sites.notes {
        output.warning(note);
    }
    Ok(())
}

pub(crate) fn assumption(assumption: &nearside_workload::Assumption) -> AssumptionView {
    AssumptionView {
        key: assumption.what.clone(),
        value: assumption.value.clone(),
        why: assumption.why.clone(),
    }
}

/// Values that the project does not state, as a table.
pub(crate) fn assumptions_table(assumptions: &[AssumptionView]) -> String {
    let heads = [("key", Align::Left), ("value", Align::Left), ("why", Align::Left)];
    let row = |one: &AssumptionView| vec![one.key.clone(), one.value.clone(), one.why.clone()];
    table(&heads, assumptions.iter().map(row).collect())
}

fn site_view(site: &nearside_catalog::Site) -> SiteView {
    let accelerators = site.machine.accelerators.as_ref();
    let price = match &site.economics {
        nearside_catalog::Economics::Rented { price, .. } => price.as_ref().value(),
        nearside_catalog::Economics::Owned(_) => None,
    };
    SiteView {
        name: site.name.to_string(),
        clearance: site.clearance.0.to_string(),
        country: site.place.country.as_ref().value().map(ToString::to_string),
        accelerators: accelerators.map(|found| format!("{}x {}", found.count, found.device.name)),
        price: price.map(|price| price.value.to_string()),
    }
}

fn sites_table(sites: &[SiteView]) -> String {
    let heads = [
        ("site", Align::Left),
        ("holds up to", Align::Left),
        ("in", Align::Left),
        ("accelerators", Align::Left),
        ("price", Align::Right),
    ];
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |site: &SiteView| {
        vec![
            site.name.clone(),
            site.clearance.clone(),
            dash(&site.country),
            dash(&site.accelerators),
            dash(&site.price),
        ]
    };
    table(&heads, sites.iter().map(row).collect())
}
