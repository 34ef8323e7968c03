//! `nearside model`: its arguments.

use std::fmt::Display;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use nearside_models::{Precision, Sampling};

use crate::server::openai::Overflow;

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
    /// Talk with a model
    Chat(Box<ModelChat>),
    /// Answer over HTTP, as OpenAI's API does
    Serve(Box<ModelServe>),
    /// Measure how fast a model reads and writes here, against what the memory allows
    Bench(ModelBench),
    /// Other programs on this machine that compute models, and the models they have
    Engines(ModelEngines),
    /// Hold what another program computes against what is computed here
    Parity(ModelParity),
    /// Store a model in fewer bits, and say what that costs
    Quantize(Box<ModelQuantize>),
    /// Make a small model of one's own from texts, from nothing
    Train(ModelTrain),
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
    /// A PEFT folder or a GGUF adapter that changes the model
    #[arg(long, value_name = "PATH")]
    pub(crate) adapter: Option<PathBuf>,
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
  nearside model generate model.gguf 'What is a mutex?' --adapter tuned

A model with a chat template is asked; --raw writes the prompt on. What the prompt says can never
become a control token. The same seed writes the same text with any number of threads.")]
pub(crate) struct ModelGenerate {
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here; with --engine what
    /// that calls it
    pub(crate) model: String,
    /// A PEFT folder or a GGUF adapter that changes the model
    #[arg(long, value_name = "PATH", conflicts_with = "engine")]
    pub(crate) adapter: Option<PathBuf>,
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
    #[command(flatten)]
    pub(crate) choosing: Choosing,
    /// Threads that compute; all processors unless said
    #[arg(long, value_name = "N", conflicts_with = "engine")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
    /// Do not keep how fast it was for the next estimates
    #[arg(long)]
    pub(crate) no_record: bool,
}

/// Another program that computes instead of this one.
#[derive(Debug, Args)]
pub(crate) struct Elsewhere {
    /// Let another program compute: ollama, llama-server, vllm, lm-studio, or its address on this machine
    #[arg(long, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// A file with the token that it wants
    #[arg(long, value_name = "FILE", requires = "engine")]
    pub(crate) engine_token: Option<PathBuf>,
}

/// `nearside model engines`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model engines
  nearside model engines http://127.0.0.1:8081 --json
  nearside model chat llama3.2 --engine ollama
  nearside model bench my-model --engine http://127.0.0.1:8081

Ollama, llama-server, vLLM, LM Studio and `nearside model serve` are looked for where they listen
unless told otherwise (OLLAMA_HOST is heeded); others by their address. Only addresses of this
machine are asked, and no model that Ollama lets others compute.")]
pub(crate) struct ModelEngines {
    /// Look here instead: a name, or an address of this machine; may be said several times
    #[arg(value_name = "ENGINE")]
    pub(crate) engines: Vec<String>,
    /// A file with the token that they want
    #[arg(long, value_name = "FILE")]
    pub(crate) engine_token: Option<PathBuf>,
}

/// `nearside model parity`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model parity model.gguf --with llama-server
  nearside model parity model.gguf --with ollama=llama3.2 --with vllm=model --tokens 64
  nearside model parity model.gguf --with http://127.0.0.1:8081 --text notes.txt --within 0.05

Each of the other programs writes some texts on, always with its best token. The same tokens are
read here, and the logarithms of their probabilities are held against what the other program says
of them: files that are the same model differ by rounding, about 0.001 to 0.05. With --within the
answer ends with 1 where the mean difference is larger.")]
pub(crate) struct ModelParity {
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here
    pub(crate) model: String,
    /// Another program, and what it calls the model if it has several; may be said several times
    #[arg(long, value_name = "ENGINE[=NAME]", required = true)]
    pub(crate) with: Vec<String>,
    /// A file with the token that they want
    #[arg(long, value_name = "FILE")]
    pub(crate) engine_token: Option<PathBuf>,
    /// A text that is written on, instead of the six that are built in; may be said several times
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Vec<PathBuf>,
    /// Tokens that are written for each text
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive)]
    pub(crate) tokens: usize,
    /// The largest mean difference that is well
    #[arg(long, value_name = "X", value_parser = |text: &str| within::<f64>(text, 0.0, 100.0))]
    pub(crate) within: Option<f64>,
}

/// How tokens are chosen.
#[derive(Debug, Args)]
pub(crate) struct Choosing {
    /// How much chance there is; 0 for none
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = |text: &str| within::<f32>(text, 0.0, 2.0))]
    pub(crate) temperature: f32,
    /// Draw from so many of the best tokens; 0 for all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) top_k: usize,
    /// Draw from the fewest best tokens that have this probability together
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = |text: &str| within::<f32>(text, 0.0, 1.0))]
    pub(crate) top_p: f32,
    /// Draw from tokens that have at least this share of the best one's probability
    #[arg(long, value_name = "P", default_value_t = 0.05, value_parser = |text: &str| within::<f32>(text, 0.0, 1.0))]
    pub(crate) min_p: f32,
    /// Make tokens less likely that were written lately; 1 for no
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = |text: &str| within::<f32>(text, 1.0, 10.0))]
    pub(crate) repeat_penalty: f32,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// End before this text; may be said several times
    #[arg(long, value_name = "TEXT")]
    pub(crate) stop: Vec<String>,
}

impl Choosing {
    /// As the sampler takes it.
    pub(crate) fn sampling(&self) -> Sampling {
        let Self { temperature, top_k, top_p, min_p, repeat_penalty, seed, .. } = *self;
        Sampling { temperature, top_k, top_p, min_p, repeat_penalty, seed, ..Sampling::default() }
    }
}

/// `nearside model chat`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model chat Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M
  nearside model chat model.gguf --system 'Answer in one sentence.'
  nearside model chat model.gguf --json < questions.txt > conversation.json

Every line is a question; /help says what else there is. Nothing is forgotten unasked: when the
conversation is as long as there is room for, that is said.")]
pub(crate) struct ModelChat {
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here; with --engine what
    /// that calls it
    pub(crate) model: String,
    /// A PEFT folder or a GGUF adapter that changes the model
    #[arg(long, value_name = "PATH", conflicts_with = "engine")]
    pub(crate) adapter: Option<PathBuf>,
    /// What it is told beforehand
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Tokens of the conversation; what the model was made for unless memory is short
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) context: Option<usize>,
    /// How keys and values of what was read are kept
    #[arg(long, value_enum, value_name = "TYPE", default_value_t, conflicts_with = "engine")]
    pub(crate) cache_type: CacheType,
    /// At most so many tokens are written for each answer
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) tokens: Option<usize>,
    #[command(flatten)]
    pub(crate) choosing: Choosing,
    /// Threads that compute; all processors unless said
    #[arg(long, value_name = "N", conflicts_with = "engine")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
}

/// `nearside model serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model serve model.gguf
  nearside model serve model.gguf --parallel 16 --context 8192 --name assistant
  NEARSIDE_SERVE_TOKEN=secret nearside model serve model.gguf --listen 0.0.0.0:8080

Chat, completions (with echo and logprobs), embeddings and models below /v1, as OpenAI's API has
them: answers as they are written, tools, JSON schemas. Beside them /metrics for Prometheus and
/health. Sequences are written together, and what prompts have in common is read once.

A prompt that is too long is refused, unless --overflow says otherwise. Ctrl-C takes no more
requests and answers those that are there; a second one ends at once.")]
pub(crate) struct ModelServe {
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here
    pub(crate) model: String,
    /// A PEFT folder or a GGUF adapter that changes the model
    #[arg(long, value_name = "PATH")]
    pub(crate) adapter: Option<PathBuf>,
    /// Where it listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// What the model is called; may be said several times
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,
    /// Sequences that are written at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: u16,
    /// Tokens of a sequence, prompt and answer; what the model was made for unless memory is short
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) context: Option<usize>,
    /// How keys and values of what was read are kept
    #[arg(long, value_enum, value_name = "TYPE", default_value_t)]
    pub(crate) cache_type: CacheType,
    /// Requests that wait for their turn; further ones are refused
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) queue: usize,
    /// Connections that are open at once; further ones wait
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = positive)]
    pub(crate) connections: usize,
    /// A file with the token that clients have to send; NEARSIDE_SERVE_TOKEN has it otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Let everybody in who reaches an address that is not of this machine alone
    #[arg(long)]
    pub(crate) open: bool,
    /// Let pages of this site ask, named by scheme and host; may be said several times
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Vec<String>,
    /// What happens to a conversation that is too long
    #[arg(long, value_enum, default_value_t = Overflow::Refuse)]
    pub(crate) overflow: Overflow,
    /// How the vectors of a text's tokens become one
    #[arg(long, value_enum, default_value_t = Pooling::Mean)]
    pub(crate) pooling: Pooling,
    /// Threads that compute; all processors unless said
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// How keys and values of what was read are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CacheType {
    /// In 16 bits
    #[default]
    F16,
    /// In 8 bits and a scale for each 32: little more than half the memory
    #[value(name = "q8_0")]
    Q8,
    /// In 32 bits
    F32,
}

impl CacheType {
    /// As the engine calls it.
    pub(crate) const fn precision(self) -> Precision {
        match self {
            Self::F16 => Precision::Half,
            Self::Q8 => Precision::Byte,
            Self::F32 => Precision::Single,
        }
    }
}

/// How vectors of tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pooling {
    /// Their mean
    Mean,
    /// That of the last one
    Last,
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
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here; with --engine what
    /// that calls it
    pub(crate) model: String,
    /// A PEFT folder or a GGUF adapter that changes the model
    #[arg(long, value_name = "PATH", conflicts_with = "engine")]
    pub(crate) adapter: Option<PathBuf>,
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
    #[arg(long, value_name = "N", conflicts_with = "engine")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
    /// Do not keep how fast it was for the next estimates
    #[arg(long)]
    pub(crate) no_record: bool,
}

/// A number of a range.
fn within<T: FromStr + PartialOrd + Display + Copy>(
    text: &str,
    low: T,
    high: T,
) -> Result<T, String> {
    match text.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("a number from {low} to {high}")),
    }
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
  nearside model quantize HuggingFaceTB/SmolLM2-135M -o smol-BF16.gguf --to BF16
  nearside model quantize base -o tuned-Q8_0.gguf --to Q8_0 --adapter tuned
  nearside model quantize model-F16.gguf --to auto --dry-run
  nearside model quantize model-F16.gguf -o small.gguf --to IQ3_XXS --importance-from notes.txt
  nearside model quantize model-F16.gguf -o m.gguf --to Q4_K_M --keep 'blk.0.*=q8_0'

Types: F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q3_K_M, Q2_K, IQ4_XS and the others of llama.cpp
but IQ1, each tensor by its rules. --to auto, or several --to, makes all of them and keeps one: of those
whose perplexity of the text is within 1 % of the model's (without one: whose divergence from it
is at most ln 1.01) and that fit into this machine, the one of which a token reads the fewest bytes.

A folder of safetensors becomes the file that llama.cpp's converter makes of it: Llama, Mistral,
Mixtral, Qwen 2 and 3 with and without experts, Gemma 1 to 3, Phi 3. What such a file cannot say is
refused before anything is written.

The file appears whole or not at all; a model larger than memory is no trouble.")]
pub(crate) struct ModelQuantize {
    /// A .gguf file, a folder with config.json and safetensors, or a model of the hub that is here
    pub(crate) model: String,
    /// A PEFT folder or a GGUF adapter that is added to the model first
    #[arg(long, value_name = "PATH")]
    pub(crate) adapter: Option<PathBuf>,
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

/// `nearside model train`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside model train README.md docs/ --output tiny
  nearside model train notes.txt -o tiny --steps 2000 --hidden 192 --layers 6
  nearside model generate tiny --raw 'The '

A tokenizer and a model in the shape of Llama are learned from the texts and from nothing else: a
small one takes two minutes of processor time, says sentences of their kind, and knows no more. The
last tenth of every text is held out, and what the model loses by it told. Of folders, .md and .txt
files are read, those of folders in them too.

The folder has the form of Hugging Face's (config.json, model.safetensors, tokenizer.json), and all
of nearside model reads it. It appears whole or not at all. Ctrl-C ends training: the model
is written as it is then, and the exit code is 5. The same seed makes the same files on any number
of threads.")]
pub(crate) struct ModelTrain {
    /// Text files, or folders with .md and .txt files
    #[arg(value_name = "TEXT", required = true)]
    pub(crate) texts: Vec<PathBuf>,
    /// The folder to write
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: PathBuf,
    /// Steps
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = positive)]
    pub(crate) steps: usize,
    /// Tokens that the tokenizer has at most
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = positive)]
    pub(crate) vocabulary: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = positive)]
    pub(crate) layers: usize,
    /// Width: a multiple of 32, of 64 from 512 on
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = positive)]
    pub(crate) hidden: usize,
    /// Tokens of a sequence, and the longest text that the model reads
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = positive)]
    pub(crate) context: usize,
    /// Sequences of a step
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = positive)]
    pub(crate) batch: usize,
    /// The largest rate of learning
    #[arg(long, value_name = "X", default_value_t = 3e-3, value_parser = rate)]
    pub(crate) learning_rate: f64,
    /// Less memory for a third more time: what blocks make is made twice instead of kept
    #[arg(long)]
    pub(crate) checkpointing: bool,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Threads that compute; all processors unless said
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Replace a model that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// A rate above zero, at most one.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if 0.0 < rate && rate <= 1.0 => Ok(rate),
        _ => Err("a number above 0, at most 1".to_owned()),
    }
}
