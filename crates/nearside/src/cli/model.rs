//! `nearside model`: its arguments.

use std::num::NonZeroUsize;
use std::path::PathBuf;

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
    /// What a model is, whether it computes here, and what it needs
    Inspect(ModelInspect),
    /// Let a model answer, or write a text on
    Generate(ModelGenerate),
    /// Measure how fast a model reads and writes here, against what the memory allows
    Bench(ModelBench),
    /// Store a model in fewer bits, and say what that costs
    Quantize(Box<ModelQuantize>),
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

/// `nearside model inspect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model inspect model.gguf
  nearside model inspect Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M --context 32k
  nearside model inspect folder --on rtx-4090
  nearside model inspect model-00001-of-00003.gguf --tensors --json

Nothing is fetched, no weight is computed with, and pickles are never opened. What a file does not
say is told as not stated. The answer ends with 0 whether or not the model fits.")]
pub(crate) struct ModelInspect {
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here
    pub(crate) model: String,
    /// Tokens of a context that it is to have; 4096 or all it was made for, unless said
    #[arg(long, value_name = "N", value_parser = super::tokens)]
    pub(crate) context: Option<u64>,
    /// A device of the catalog instead of this machine
    #[arg(long, value_name = "DEVICE", conflicts_with = "site")]
    pub(crate) on: Option<String>,
    /// A recorded machine instead of this one
    #[arg(long, value_name = "FILE")]
    pub(crate) site: Option<PathBuf>,
    /// List every tensor
    #[arg(long)]
    pub(crate) tensors: bool,
}

/// `nearside model generate`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model generate Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M 'What is a mutex?'
  nearside model generate model.gguf --raw 'Once upon a time' --tokens 200 --temperature 0
  git diff | nearside model generate model.gguf --system 'Write a commit message.'

A model with a chat template is asked; --raw writes the prompt on. What the prompt says can never
become a control token. The same seed writes the same text with any number of threads.")]
pub(crate) struct ModelGenerate {
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here
    pub(crate) model: String,
    /// What it is asked; `-` or nothing reads it from a pipe
    pub(crate) prompt: Option<String>,
    /// What it is told beforehand
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    pub(crate) system: Option<String>,
    /// Write the prompt on as it is, without a chat template
    #[arg(long)]
    pub(crate) raw: bool,
    /// At most so many tokens are written
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) tokens: usize,
    /// How much chance there is; 0 for none
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    pub(crate) temperature: f32,
    /// Draw from so many of the best tokens; 0 for all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) top_k: usize,
    /// Draw from the fewest best tokens that have this probability together
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    pub(crate) top_p: f32,
    /// Draw from tokens that have at least this share of the best one's probability
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    pub(crate) min_p: f32,
    /// Make tokens less likely that were written lately; 1 for no
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) repeat_penalty: f32,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// End before this text; may be said several times
    #[arg(long, value_name = "TEXT")]
    pub(crate) stop: Vec<String>,
    /// Threads that compute; all processors unless said
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Do not keep how fast it was for the next estimates
    #[arg(long)]
    pub(crate) no_record: bool,
}

/// `nearside model bench`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model bench model.gguf
  nearside model bench model.gguf --threads 1 --prompt 1024 --new 128

Every token that is written reads all weights once: memory sets the limit. How fast it is read here
stands beside what share of that the model reaches, and what was expected beside what was measured.
On all processors both are kept, and the next estimates are better; `nearside ledger accuracy` shows them.")]
pub(crate) struct ModelBench {
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here
    pub(crate) model: String,
    /// Tokens of the prompt
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = positive)]
    pub(crate) prompt: usize,
    /// Tokens that are written
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    pub(crate) new: usize,
    /// Runs, after one that does not count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = positive)]
    pub(crate) runs: usize,
    /// Threads that compute; all processors unless said
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Do not keep how fast it was for the next estimates
    #[arg(long)]
    pub(crate) no_record: bool,
}

/// A number from 1 to a million.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        _ => Err("a whole number from 1 to 1,000,000".to_owned()),
    }
}

/// `nearside model quantize`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model quantize model-F16.gguf -o model-Q4_K_M.gguf --to Q4_K_M --text notes.txt
  nearside model quantize model-F16.gguf --to auto --dry-run
  nearside model quantize model-F16.gguf -o small.gguf --to IQ3_XXS --importance-from notes.txt
  nearside model quantize model-F16.gguf -o m.gguf --to Q4_K_M --keep 'blk.0.*=q8_0'

Types: F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q3_K_M, Q2_K, IQ4_XS and the others of llama.cpp
but IQ1, each tensor by its rules. --to auto, or several --to, makes all of them and keeps one: of those
whose perplexity of the text is within 1 % of the model's (without one: whose divergence from it
is at most ln 1.01) and that fit into this machine, the one of which a token reads the fewest bytes.

The file appears whole or not at all; a model larger than memory is no trouble.")]
pub(crate) struct ModelQuantize {
    /// A GGUF file
    pub(crate) model: PathBuf,
    /// The file to write
    #[arg(short, long, value_name = "OUT.gguf", required_unless_present = "dry_run")]
    pub(crate) output: Option<PathBuf>,
    /// The type; several, or auto, to choose among them
    #[arg(long, value_name = "TYPE", required = true, value_delimiter = ',')]
    pub(crate) to: Vec<String>,
    /// Another type for tensors of that name; * stands for anything
    #[arg(long, value_name = "NAME=TYPE")]
    pub(crate) keep: Vec<String>,
    /// Compare the models on this text
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<PathBuf>,
    /// The most tokens of the text to compare on
    #[arg(long, value_name = "N", default_value = "2048")]
    pub(crate) tokens: NonZeroUsize,
    /// Do not run the models: no perplexity, no speed
    #[arg(long, conflicts_with_all = ["text", "tokens"])]
    pub(crate) no_comparison: bool,
    /// Weights of importance: an imatrix file of this program or of llama.cpp
    #[arg(long, value_name = "FILE", conflicts_with = "importance_from")]
    pub(crate) importance: Option<PathBuf>,
    /// Find weights of importance by reading this text with the model
    #[arg(long, value_name = "TEXT")]
    pub(crate) importance_from: Option<PathBuf>,
    /// Keep the weights that were found, in this file
    #[arg(long, value_name = "FILE", requires = "importance_from")]
    pub(crate) importance_to: Option<PathBuf>,
    /// Quantize again what was quantized below 8 bits
    #[arg(long)]
    pub(crate) allow_requantize: bool,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
