//! `nearside model`: its arguments.

use clap::{Args, Subcommand};

/// `nearside model`
#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Fetch a model from the hub, or what is missing of it
    Pull(ModelPull),
    /// The models that are here
    #[command(after_help = "\
The folder is the one that huggingface_hub uses: HF_HUB_CACHE, or hub in HF_HOME, or
~/.cache/huggingface/hub.")]
    List,
}

/// `nearside model pull`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model pull HuggingFaceTB/SmolLM2-135M
  nearside model pull Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M
  nearside model pull openai-community/gpt2 --revision 607a30d783dfa663caf39e06633721c8d4cfcd7e
  nearside model pull https://huggingface.co/org/name/blob/main/model.gguf --dry-run

What is fetched: safetensors with configuration, tokenizer and licence, or one GGUF with all its
parts; never pickles. It is checked to the last byte and lies in the cache of huggingface_hub:
Python finds it, and what Python fetched is not fetched again. Ctrl-C keeps what came; the next
pull goes on from there.

HF_TOKEN is for models that are private or ask for terms to be accepted, HF_ENDPOINT for another
hub, HF_HUB_CACHE for another folder; HF_HUB_OFFLINE=1 asks nobody and looks into the cache.")]
pub(crate) struct ModelPull {
    /// ORG/NAME, ORG/NAME:QUANTIZATION, ORG/NAME/FILE, or an address of the hub
    pub(crate) reference: String,
    /// A branch, a tag or a commit
    #[arg(long, value_name = "REV")]
    pub(crate) revision: Option<String>,
    /// Say what would be fetched, and fetch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
