//! `nearside spec`: its arguments.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::FitTask;

/// `nearside spec`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside spec examples/support-assistant
  nearside spec examples/support-assistant examples/product-images --team 12
  nearside spec examples/support-assistant --accept some-loss --used
  nearside spec --class transformer --scale medium --task qlora
  nearside spec --class diffusion --scale large --tree
  nearside spec examples/support-assistant --tree=mermaid --html machine.html
  nearside spec --classes

A machine is enough when every stage surely fits it, one pass meets the deadline and the work of a month
fits the hours of a month. The comfortable one has a quarter of memory to spare and works twice as fast;
of the over-provisioned one at least half stays unused. Prices are those of the catalog; an unknown price is never the cheapest.")]
pub(crate) struct Spec {
    /// Project folders or files that share the machine
    #[arg(conflicts_with_all = ["class", "classes"])]
    pub(crate) paths: Vec<PathBuf>,
    /// A kind of model instead of a project
    #[arg(long, value_enum, requires = "scale")]
    pub(crate) class: Option<ModelClass>,
    /// How large the model is
    #[arg(long, value_enum, requires = "class")]
    pub(crate) scale: Option<Scale>,
    /// What to do with it
    #[arg(long, value_enum, requires = "class", default_value = "inference")]
    pub(crate) task: FitTask,
    /// The least machines for every kind of model, scale and task
    #[arg(long, conflicts_with = "class")]
    pub(crate) classes: bool,
    /// How many people work; each does as much as one of the project's team
    #[arg(long, value_name = "PEOPLE", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) team: Option<u64>,
    /// Which savings may be used: as-written, same-result, little-loss, some-loss, another-method
    #[arg(long, value_name = "HOW", default_value = "same-result")]
    pub(crate) accept: String,
    /// Whose accelerators
    #[arg(long, value_enum, default_value = "nvidia")]
    pub(crate) vendor: Vendor,
    /// Used parts as well
    #[arg(long)]
    pub(crate) used: bool,
    /// How long a machine may work in a month
    #[arg(long, value_name = "TIME", default_value = "584 h")]
    pub(crate) hours: String,
    /// Which questions decide the machine, as text or as a Mermaid flow chart
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text"
    )]
    pub(crate) tree: Option<TreeForm>,
    /// Write the answer as a page, too
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// The table of --classes as Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// A kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelClass {
    /// Convolutional networks: images in, classes or boxes out
    Cnn,
    /// Language models
    Transformer,
    /// Models that draw pictures
    Diffusion,
}

/// How large a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// For a phone or a laptop
    Small,
    /// For one good card
    Medium,
    /// The largest that people run themselves
    Large,
}

/// Whose accelerators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Vendor {
    /// NVIDIA's, which the estimates are measured on
    Nvidia,
    /// AMD's
    Amd,
    /// Intel's
    Intel,
    /// Apple's machines
    Apple,
    /// Anybody's
    Any,
}

/// How a decision tree is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TreeForm {
    /// Lines of text
    Text,
    /// A Mermaid flow chart
    Mermaid,
}
