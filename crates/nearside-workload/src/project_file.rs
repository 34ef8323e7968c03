//! `nearside.toml` as it is written: tables and keys, no meaning yet. The doc comments become the
//! descriptions of the JSON Schema that editors show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::objective::Goal;
use crate::policy::{ProcessingRecord, Sandbox};
use crate::scalar::{CountSchema, Field, ScalarSchema};
use crate::site::Launcher;
use crate::stage::Phase;
use crate::stop::StopTable;
use crate::workload_fields::WorkloadTable;
use crate::{FORMAT_VERSION, Located, Network};

/// Tables with names chosen by the user, as in `[stage.NAME]`.
pub(crate) type Named<T> = BTreeMap<Located<String>, T>;

/// The entries of a table in the order they are written.
pub(crate) fn in_file_order<T>(table: &Named<T>) -> Vec<(&Located<String>, &T)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span.start);
    entries
}

/// The project file of nearside.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectFile {
    /// Version of the file format; this build reads 1.
    #[schemars(required, with = "i64", extend("const" = FORMAT_VERSION))]
    #[expect(dead_code, reason = "checked on the raw table, before any other key is looked at")]
    pub(crate) version: Option<Field>,
    /// Name of the project.
    pub(crate) name: Option<Located<String>>,
    /// Data that the stages read.
    #[serde(default)]
    pub(crate) dataset: Named<DatasetTable>,
    /// Models that the stages work on.
    #[serde(default)]
    pub(crate) model: Named<ModelTable>,
    /// What is to be done, step by step.
    #[serde(default)]
    pub(crate) stage: Named<StageTable>,
    /// Your own machines and clusters. `here` is the machine that nearside runs on.
    #[serde(default)]
    pub(crate) site: Named<SiteTable>,
    /// Which sites the plan may use.
    #[serde(default)]
    pub(crate) sites: SitesTable,
    /// The currency of the project, and what others are worth in it.
    #[serde(default)]
    pub(crate) money: MoneyTable,
    /// Who works on it.
    #[serde(default)]
    pub(crate) team: TeamTable,
    /// What is known for `nearside roi`.
    #[serde(default)]
    pub(crate) roi: RoiTable,
    /// Where data may be.
    #[serde(default)]
    pub(crate) policy: PolicyTable,
    /// What a good plan is.
    #[serde(default)]
    pub(crate) objective: ObjectiveTable,
}

/// Data that the stages read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetTable {
    /// File or folder, relative to the project.
    #[schemars(required)]
    pub(crate) path: Option<Located<String>>,
    /// Sensitivity; `internal` when not stated.
    #[schemars(extend("enum" = crate::classes()))]
    pub(crate) class: Option<Located<String>>,
    /// Size on disk, as in "2.4 GB".
    pub(crate) size: Option<Field>,
    /// The site where it lives; your first own site when not stated.
    pub(crate) at: Option<Located<String>>,
    /// What may be spent of the privacy of the people in it; without it, nothing is released.
    pub(crate) budget: Option<BudgetTable>,
}

/// What may be spent of people's privacy, in all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetTable {
    /// The most that all answers together may tell of one person: how many times as likely they may be with as
    /// without that person, as a logarithm. Below 1 is strong, above 10 is little.
    #[schemars(required, with = "Option<f64>")]
    pub(crate) epsilon: Option<Field>,
    /// The probability that more is told; 0 when not stated.
    #[schemars(with = "Option<f64>")]
    pub(crate) delta: Option<Field>,
    /// The most rows that one person has; 1 when not stated.
    #[schemars(with = "Option<u32>")]
    pub(crate) rows_per_person: Option<Field>,
    /// The column that says whose a row is; rows beyond the most of each are then left out.
    pub(crate) person: Option<Located<String>>,
}

/// A model that the stages work on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelTable {
    /// A catalog name, a folder, a GGUF or safetensors file, or a config.json.
    #[schemars(required)]
    pub(crate) source: Option<Located<String>>,
    /// The small model that a rehearsal uses instead.
    pub(crate) rehearsal: Option<Located<String>>,
}

/// One step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageTable {
    /// The lifecycle phase it belongs to.
    #[schemars(required, extend("enum" = Phase::names().collect::<Vec<_>>()))]
    pub(crate) phase: Option<Located<String>>,
    /// The command; `{name}` stands for the value of a matrix axis.
    pub(crate) run: Option<Located<String>>,
    /// What it reads: names of datasets, or outputs of other stages. `[]` says that it reads
    /// nothing; without the key it is taken to read everything before it.
    pub(crate) inputs: Option<Vec<Located<String>>>,
    /// Files or folders it writes, relative to the project.
    #[serde(default)]
    pub(crate) outputs: Vec<Located<String>>,
    /// How large its outputs are, as in "2 GB".
    #[serde(default)]
    pub(crate) sizes: Named<Field>,
    /// The lower class that an output is promised to have; checked before anything moves.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>",
               extend("additionalProperties" = { "type": "string", "enum": crate::classes() }))]
    pub(crate) promises: Named<Located<String>>,
    /// Stages that must be done first.
    #[serde(default)]
    pub(crate) after: Vec<Located<String>>,
    /// How often it runs, as in "12/month"; once a month when not stated.
    pub(crate) repeat: Option<Field>,
    /// Values to try; every combination is a trial.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Vec<ScalarSchema>>")]
    pub(crate) matrix: Named<Vec<Field>>,
    /// When the trials need not all be run, by a figure that each writes.
    pub(crate) stop: Option<Located<StopTable>>,
    /// What has to be computed.
    pub(crate) workload: Option<Located<WorkloadTable>>,
    /// The only sites it may run on: names or patterns.
    pub(crate) sites: Option<Vec<Located<String>>>,
    /// The container image it runs in.
    pub(crate) image: Option<Located<String>>,
    /// What its commands reach: "none" is only what they start themselves, "open" is everything.
    /// "none" when not stated and what it reads is personal or special, else "open".
    #[schemars(extend("enum" = Network::names().collect::<Vec<_>>()))]
    pub(crate) network: Option<Located<String>>,
}

/// A machine or cluster of your own, or one that you rent by yourself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SiteTable {
    /// A recorded machine file.
    pub(crate) machine: Option<Located<String>>,
    /// The processor by its full name.
    pub(crate) processor: Option<Located<String>>,
    /// Processor cores.
    #[schemars(with = "Option<CountSchema>")]
    pub(crate) cores: Option<Field>,
    /// Processor threads.
    #[schemars(with = "Option<CountSchema>")]
    pub(crate) threads: Option<Field>,
    /// Main memory, as in "64 GiB".
    pub(crate) memory: Option<Field>,
    /// Disk, as in "2 TB".
    pub(crate) disk: Option<Field>,
    /// Accelerators; a catalog name and how many.
    pub(crate) accelerators: Option<Vec<AcceleratorsTable>>,
    /// What it cost, as in "3500 EUR".
    pub(crate) price: Option<Field>,
    /// When it was bought, as in "2026-03".
    pub(crate) bought: Option<Field>,
    /// How long it will be used, as in "4 years".
    pub(crate) life: Option<Field>,
    /// What it is rented for, as in "1.20 EUR/h", instead of a price.
    pub(crate) rent: Option<Field>,
    /// What it draws and what power costs.
    pub(crate) power: PowerTable,
    /// Where it stands.
    pub(crate) location: LocationTable,
    /// Power of the building over power of the machine, 1 or more.
    #[schemars(with = "Option<f64>")]
    pub(crate) pue: Option<Field>,
    /// Network towards the world, as in "40 Mbit/s".
    pub(crate) uplink: Option<Field>,
    /// Network from the world, as in "250 Mbit/s".
    pub(crate) downlink: Option<Field>,
    /// What starts work there.
    #[schemars(extend("enum" = Launcher::names().collect::<Vec<_>>()))]
    pub(crate) launcher: Option<Located<String>>,
    /// The highest class of data it may hold.
    #[schemars(extend("enum" = crate::classes()))]
    pub(crate) clearance: Option<Located<String>>,
}

/// Like accelerators of one machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceleratorsTable {
    /// The catalog name of the device.
    pub(crate) device: Located<String>,
    /// How many; 1 when not stated.
    #[schemars(with = "Option<CountSchema>")]
    pub(crate) count: Option<Field>,
}

/// What a machine draws and what power costs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PowerTable {
    /// Draw of the whole machine under load, as in "550 W".
    pub(crate) load: Option<Field>,
    /// Draw of the whole machine when idle, as in "100 W".
    pub(crate) idle: Option<Field>,
    /// Price of power, as in "0.31 EUR/kWh".
    pub(crate) tariff: Option<Field>,
}

/// Where a machine stands.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LocationTable {
    /// Country code, as in "DE".
    pub(crate) country: Option<Located<String>>,
    /// State or province code, as in "CA".
    pub(crate) subdivision: Option<Located<String>>,
    /// The provider that runs the place.
    pub(crate) provider: Option<Located<String>>,
    /// The provider's region.
    pub(crate) region: Option<Located<String>>,
}

/// Which sites the plan may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SitesTable {
    /// Names of own sites and patterns such as "aws/*".
    #[serde(rename = "use")]
    pub(crate) used: Option<Vec<Located<String>>>,
    /// Whether rented machines may be interruptible ones.
    pub(crate) spot: Option<bool>,
    /// Names and patterns that are never used.
    pub(crate) never: Vec<Located<String>>,
}

/// The currency of the project, and what others are worth in it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MoneyTable {
    /// Currency code, as in "EUR".
    pub(crate) currency: Option<Located<String>>,
    /// What one unit of another currency is worth, as in USD = "0.92 EUR".
    pub(crate) rates: Named<Field>,
    /// The day of the rates, as in "2026-07-20".
    pub(crate) as_of: Option<Field>,
}

/// Inputs of `nearside roi` by their names (`nearside roi --inputs`): a value, `low..high` or `low..likely..high`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RoiTable {
    /// Of the own machine and the team, as in maintenance = "3..5..10 %".
    pub(crate) here: Named<Field>,
    /// Of all that it is held against, as in discount = "20 %".
    pub(crate) far: Named<Field>,
}

/// Who works on it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TeamTable {
    /// How many people.
    #[schemars(with = "Option<CountSchema>")]
    pub(crate) people: Option<Field>,
    /// What an hour of one costs, as in "60 EUR/h".
    pub(crate) wage: Option<Field>,
}

/// Where data may be: per class, the sites that may hold it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PolicyTable {
    /// The sites that may hold internal data.
    pub(crate) internal: Option<Vec<Located<String>>>,
    /// The sites that may hold personal data.
    pub(crate) personal: Option<Vec<Located<String>>>,
    /// The sites that may hold special categories of data.
    pub(crate) special: Option<Vec<Located<String>>>,
    /// Countries or areas that data which is not public must stay in, as in ["EU"].
    pub(crate) jurisdiction: Vec<Located<String>>,
    /// Whether stages that read data about people may run where the system refuses to cut them off the
    /// network; `where-possible` when not stated.
    #[schemars(extend("enum" = Sandbox::names().collect::<Vec<_>>()))]
    pub(crate) sandbox: Option<Located<String>>,
    /// What nobody can find out: who is responsible, what for, how long. For the documents of `privacy audit`.
    pub(crate) record: ProcessingRecord,
}

/// What a good plan is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ObjectiveTable {
    /// What to make small.
    #[schemars(extend("enum" = Goal::names().collect::<Vec<_>>()))]
    pub(crate) minimize: Option<Located<String>>,
    /// The longest that one pass may take, as in "48 h".
    pub(crate) deadline: Option<Field>,
    /// The most that a month may cost, as in "400 EUR/month".
    pub(crate) budget: Option<Field>,
    /// The most that a month may emit, as in "20 kgCO2e/month".
    pub(crate) carbon: Option<Field>,
}
