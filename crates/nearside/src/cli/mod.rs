//! The command line: what may be written, nothing of what it does.

mod bill;
mod cache;
mod carbon;
mod catalog;
mod doctor;
mod iteration;
mod ledger;
mod model;
mod privacy;
mod profile;
mod report;
mod resilience;
mod roi;
mod schema_name;
mod spec;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use bill::Bill;
pub(crate) use cache::Cache;
pub(crate) use carbon::{Carbon, PerUnit};
pub(crate) use catalog::{Catalog, CatalogList, CatalogRefresh, CatalogTable, ListFormat};
pub(crate) use doctor::{Doctor, Moving, Power};
pub(crate) use iteration::Iteration;
pub(crate) use ledger::{Ledger, LedgerExport, LedgerForm, LedgerQuery};
pub(crate) use model::{
    Elsewhere, Model, ModelBench, ModelChat, ModelEngines, ModelGenerate, ModelInspect,
    ModelParity, ModelPull, ModelQuantize, ModelServe, ModelTrain, Pooling,
};
pub(crate) use privacy::{
    Account, Anonymize, Audit, AuditCheck, AuditDocument, AuditHead, AuditList, AuditProve,
    AuditVerify, Certify, DocumentName, Erase, Hiding, Method, OfProject, Privacy, PrivacyScan,
    Question, Release, Required, Reveal, Risk,
};
pub(crate) use profile::Profile;
pub(crate) use report::Report;
pub(crate) use resilience::Resilience;
pub(crate) use roi::{Roi, RoiTerms};
pub(crate) use schema_name::SchemaName;
pub(crate) use spec::{ModelClass, Scale, Spec, TreeForm, Vendor};

/// Where should each piece of ML work run: on a machine you own, or on one you rent?
#[derive(Debug, Parser)]
#[command(name = "nearside", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a negative finding: does not fit, over budget, checks failed
  2  wrong command line
  3  project file, configuration or input file invalid
  4  the outside world is missing: driver, cluster, network, disk
  5  interrupted or partly done
  70 a bug in nearside

Begin with:  nearside plan examples/support-assistant";

/// Switches that every command takes.
#[derive(Clone, Debug, Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an independent switch of the command line"
)]
pub(crate) struct Shared {
    /// Print one JSON object instead of tables
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Show where every figure came from
    #[arg(long, global = true)]
    pub(crate) explain: bool,
    /// Print the answer only, no warnings or hints
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// No progress display
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a nearside.toml from what is in a folder
    Init(Init),
    /// What is this machine, and what does it reach?
    Doctor(Box<Doctor>),
    /// Does a model fit, what limits it, what would make it fit? Which models run well?
    Fit(Box<Fit>),
    /// Which machine is the smallest for projects or for a kind of model?
    Spec(Box<Spec>),
    /// Where should every stage run, and why?
    Plan(Plan),
    /// What holds a command back, and what would removing it bring?
    Profile(Profile),
    /// Run the stages whose results are not there yet
    Run(Run),
    /// Why would a stage run again?
    Why(Why),
    /// What did a stage print?
    Logs(Logs),
    /// How long is the loop from an edit to its result, here and elsewhere?
    Iteration(Iteration),
    /// Does buying a machine pay against renting one?
    Roi(Box<Roi>),
    /// Write down whether a machine pays: a page, a spreadsheet, a table, JSON
    Report(Report),
    /// What would outages, price rises and missing sites do to the plan?
    Resilience(Resilience),
    /// What does the project emit, per unit of work, elsewhere, at other hours?
    Carbon(Carbon),
    /// What did the cloud cost, and what of it would a machine here have done?
    Bill(Bill),
    /// What is personal or secret, and keeping it at home
    #[command(subcommand)]
    Privacy(Privacy),
    /// What this project ran, when, and what came of it
    #[command(subcommand)]
    Ledger(Ledger),
    /// What is kept of earlier results, and removing what is not needed
    #[command(subcommand)]
    Cache(Cache),
    /// Open models: fetching them, which are here, storing them in fewer bits, making small ones
    #[command(subcommand)]
    Model(Model),
    /// The facts: devices, offers, regions, grids, prices, models
    #[command(subcommand)]
    Catalog(Catalog),
    /// The configuration in force
    #[command(subcommand)]
    Config(Config),
    /// Shell completions
    Completions(Completions),
}

/// `nearside init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Project folder
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Print the file instead of writing it
    #[arg(long)]
    pub(crate) stdout: bool,
    /// Write over an existing nearside.toml
    #[arg(long)]
    pub(crate) force: bool,
}

/// `nearside fit`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside fit llama-3.1-8b --on rtx-4090
  nearside fit llama-3.2-1b --task fine-tune --batch 4 --sequence 2048 --on t4
  nearside fit llama-3.1-8b --task fine-tune --on h100-sxm --count 8 --batch 8 --sharding fsdp
  nearside fit ./my-model/config.json --site workstation.toml --json

Without a model, the open models of the catalog that run well there:
  nearside fit
  nearside fit --on rtx-4090 --size 1B..9B --licence apache
  nearside fit --task qlora --site workstation.toml --limit 5")]
pub(crate) struct Fit {
    /// A model of the catalog, a folder, or a config.json, model_index.json, .gguf or .safetensors
    /// file; without one, which models run well
    pub(crate) model: Option<String>,
    /// What to do with it
    #[arg(long, value_enum)]
    pub(crate) task: Option<FitTask>,
    /// A device of the catalog instead of this machine
    #[arg(long, value_name = "DEVICE", conflicts_with = "site")]
    pub(crate) on: Option<String>,
    /// How many of that device
    #[arg(long, default_value_t = 1, requires = "on", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) count: u32,
    /// A recorded machine instead of this one
    #[arg(long, value_name = "FILE")]
    pub(crate) site: Option<PathBuf>,
    /// Sequences per pass, or requests at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub(crate) batch: u64,
    /// Tokens per sequence, or prompt and answer together
    #[arg(long, default_value_t = 2048, value_parser = tokens)]
    pub(crate) sequence: u64,
    /// Side of images in pixels, instead of the one that the model was made for
    #[arg(long, value_name = "PIXELS", requires = "model")]
    pub(crate) image: Option<u64>,
    /// Rank of adapters
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub(crate) rank: u64,
    /// Type of the weights, as in bf16, q4_k, nf4
    #[arg(long, value_name = "TYPE")]
    pub(crate) weights: Option<String>,
    /// adamw, adamw-8bit, paged-adamw-8bit, adafactor, sgd and others
    #[arg(long)]
    pub(crate) optimizer: Option<String>,
    /// fused, efficient, masked, eager
    #[arg(long, value_name = "KERNEL")]
    pub(crate) attention: Option<String>,
    /// What the backward pass recomputes: full (every block; what the bare option means), attention
    /// (Megatron's selective), none
    #[arg(long, value_name = "WHAT", num_args = 0..=1, default_missing_value = "full")]
    pub(crate) checkpointing: Option<String>,
    /// whole, or chunked: the scores over the vocabulary of some tokens at a time
    #[arg(long, value_name = "HOW")]
    pub(crate) loss: Option<String>,
    /// Tokens at a time of a chunked loss
    #[arg(long, value_name = "TOKENS", requires = "loss", value_parser = tokens)]
    pub(crate) chunk: Option<u64>,
    /// lora, dora
    #[arg(long, value_name = "METHOD")]
    pub(crate) adapter: Option<String>,
    /// What data-parallel devices do not keep twice: none, zero1, zero2, zero3, fsdp
    #[arg(long, value_name = "WAY", help_heading = "Several devices")]
    pub(crate) sharding: Option<String>,
    /// Devices that share every matrix product
    #[arg(long, value_name = "DEVICES", help_heading = "Several devices", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) tensor: Option<u64>,
    /// Stages of consecutive blocks
    #[arg(long, value_name = "STAGES", help_heading = "Several devices", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) pipeline: Option<u64>,
    /// Activations between shared products: whole, split (sequence parallelism)
    #[arg(long, value_name = "WAY", help_heading = "Several devices")]
    pub(crate) stream: Option<String>,
    /// What waits in main memory: none, optimizer, parameters
    #[arg(long, value_name = "WHAT", help_heading = "Several devices")]
    pub(crate) offload: Option<String>,
    /// Inference: the first layers that stay in main memory, with the processor (what llama.cpp's
    /// --n-gpu-layers leaves)
    #[arg(long, value_name = "LAYERS", value_parser = clap::value_parser!(u64).range(0..=65_536))]
    pub(crate) host_layers: Option<u64>,
    /// Take UNCERTAIN for an answer: exit 0
    #[arg(long)]
    pub(crate) accept_uncertain: bool,
    /// Without a model: parameters, as in 1B..9B, ..4B or 30B..
    #[arg(long, value_name = "MIN..MAX", value_parser = size, conflicts_with = "model")]
    pub(crate) size: Option<Size>,
    /// Without a model: licences that contain this
    #[arg(long, value_name = "TEXT", conflicts_with = "model")]
    pub(crate) licence: Option<String>,
    /// Without a model: how many to show
    #[arg(long, value_name = "N", default_value_t = 12, conflicts_with = "model")]
    pub(crate) limit: usize,
}

/// A range of numbers of parameters, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

/// Reads a range of numbers of parameters, as in `1B..9B`, `..4B` or `30B..`.
fn size(text: &str) -> Result<Size, String> {
    let (least, most) =
        text.split_once("..").ok_or_else(|| "write MIN..MAX, as in 1B..9B".to_owned())?;
    let end = |text: &str, open: u64| match text.trim() {
        "" => Ok(open),
        count => count
            .parse::<nearside_units::Count>()
            .map(nearside_units::Count::get)
            .map_err(|error| error.to_string()),
    };
    let size = Size { least: end(least, 0)?, most: end(most, u64::MAX)? };
    match size.least <= size.most {
        true => Ok(size),
        false => Err(format!("{least} is more than {most}")),
    }
}

/// Longest sequence that is read.
const LONGEST_SEQUENCE: u64 = 1 << 24;

/// Reads a number of tokens, as in `2048` or `4k`.
fn tokens(text: &str) -> Result<u64, String> {
    let count: nearside_units::Count =
        text.parse().map_err(|error: nearside_units::ParseError| error.to_string())?;
    match count.get() {
        count @ 2..=LONGEST_SEQUENCE => Ok(count),
        count => Err(format!("{count} is not from 2 to {LONGEST_SEQUENCE}")),
    }
}

/// What to do with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FitTask {
    /// Answer requests
    Inference,
    /// Train adapters
    Lora,
    /// Train adapters beside 4-bit weights
    Qlora,
    /// Train every weight from published ones
    FineTune,
    /// Train every weight from scratch
    Pretrain,
}

impl FitTask {
    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Lora => "lora",
            Self::Qlora => "qlora",
            Self::FineTune => "fine-tune",
            Self::Pretrain => "pretrain",
        }
    }
}

/// `nearside plan`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside plan examples/support-assistant
  nearside plan --pareto
  nearside plan --what-if objective.minimize=carbon --what-if money.rates.USD='1.00 EUR'")]
pub(crate) struct Plan {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Every placement that nothing beats in cost, time and carbon at once
    #[arg(long, conflicts_with = "what_if")]
    pub(crate) pareto: bool,
    /// Plan as if the project file said so, and compare
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) what_if: Vec<String>,
    /// Hold deadline and budget against the high end of every estimate
    #[arg(long)]
    pub(crate) cautious: bool,
    /// Show every site that lost, not only the nearest
    #[arg(long)]
    pub(crate) all: bool,
    /// Show one stage in full
    #[arg(long, value_name = "NAME")]
    pub(crate) stage: Option<String>,
}

/// `nearside run`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside run
  nearside run --dry-run
  nearside run --rehearse
  nearside run --from train
  nearside run --only evaluate --force

A stage runs when its command, the content of its inputs, the code that it names (and what Python
files import), a program that it starts or a variable that it reads has changed; otherwise its result
is taken from .nearside/cache. Results appear when a stage has ended well, whole or not at all. What
stages print is in .nearside/logs; where they read people's data, that and what is kept of their results is
sealed with a key of yours (nearside logs STAGE shows it). Commands find the models of the project in their environment, as
NEARSIDE_MODEL_BASE for the model \"base\". A rehearsal leaves the project's results alone: its own are
in .nearside/rehearsal/project, and it ends with what the full run will take. Ctrl-C ends everything; the next run goes on from there.")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an independent switch of the command line"
)]
pub(crate) struct Run {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// This stage alone; the exit code is that of its command
    #[arg(long, value_name = "STAGE", conflicts_with = "from")]
    pub(crate) only: Option<String>,
    /// This stage and all that wait for it
    #[arg(long, value_name = "STAGE")]
    pub(crate) from: Option<String>,
    /// Run stages though their results are there
    #[arg(long)]
    pub(crate) force: bool,
    /// Try everything here first, on samples of the data and with each model's rehearsal model
    #[arg(long)]
    pub(crate) rehearse: bool,
    /// Records of each dataset that a rehearsal takes; files, where it is a folder
    #[arg(long, value_name = "N", requires = "rehearse", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sample: u32,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show what stages print, on stderr, while they print it
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) follow: bool,
    /// Run again whenever something changes, until Ctrl-C
    #[arg(long, conflicts_with_all = ["dry_run", "force"])]
    pub(crate) watch: bool,
    /// Open a shell where this stage would run, with all that it reads; what it writes is thrown away
    #[arg(long, value_name = "STAGE", conflicts_with_all = ["only", "from", "force", "dry_run", "watch"])]
    pub(crate) shell: Option<String>,
    /// Go on with other stages when one fails
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// How many stages may run at once, as far as memory and processors allow
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: u16,
}

/// `nearside why`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside why train
  nearside why train examples/support-assistant")]
pub(crate) struct Why {
    /// The stage
    pub(crate) stage: String,
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
}

/// `nearside logs`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside logs train
  nearside logs anonymize examples/support-assistant --rehearsal")]
pub(crate) struct Logs {
    /// The stage
    pub(crate) stage: String,
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// What it printed in a rehearsal
    #[arg(long)]
    pub(crate) rehearsal: bool,
}

/// `nearside config`
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Every value in force and where it came from
    Show {
        /// Project folder or file
        #[arg(default_value = ".")]
        path: PathBuf,
    },
    /// The JSON Schema of the project file, or of the data of an answer
    Schema {
        /// Which
        #[arg(value_enum, default_value_t = SchemaName::Project)]
        name: SchemaName,
    },
}

/// `nearside completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
