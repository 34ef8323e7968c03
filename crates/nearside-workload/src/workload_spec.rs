//! `workload = { ... }`: what a stage computes, with its model still a name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use nearside_architecture::Dtype;
use nearside_units::{Bytes, Duration, Flops, Known};

use crate::Located;
use crate::parallelism::{Choice, Offload, Parallelism, Sharding, Stream};
use crate::reader::{Reader, Section};
use crate::recipe::{AttentionKernel, Checkpointing, Optimizer, Recipe, VocabularyLoss};
use crate::scalar::Field;
use crate::suggest;
use crate::task::{
    Adapter, AdapterMethod, AdapterTargets, Batch, Custom, CustomDevice, ModelRef, Preparation,
    Serving, Task, Training, Workload,
};
use crate::workload_fields::{TASKS, Takes, cache_types, training_types, weight_types};

/// What a stage computes; its model is still a name.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadSpec {
    /// The task's name, known even where the task itself is not.
    pub task_name: &'static str,
    /// The task; unknown where the data it reads is of unknown size.
    pub task: Known<Task>,
    /// The `[model.NAME]` it works on.
    pub model: Option<String>,
    /// How it is computed.
    pub recipe: Recipe,
    /// The side of its images in pixels, where not the one that the model was made for.
    pub image: Option<u64>,
    /// The keys that the file states; the others are assumed.
    pub stated: BTreeSet<String>,
}

impl WorkloadSpec {
    /// The workload, once the model's name has been resolved. Unknown where the task is, or where
    /// it needs a model and there is none, or one that takes no such image.
    #[must_use]
    pub fn resolve(&self, model: Option<ModelRef>) -> Known<Workload> {
        let image = self.image;
        match (&self.model, &model) {
            (Some(name), None) => {
                return Known::unknown(format!("model \"{name}\" is not known"));
            }
            (Some(name), Some(found)) => {
                let taken = image.map_or(Ok(()), |side| found.architecture.takes_image(side));
                if let Err(error) = taken {
                    return Known::unknown(format!("image of model \"{name}\": {error}"));
                }
            }
            (None, _) => {}
        }
        self.task.clone().map(|task| Workload { task, model, recipe: self.recipe, image })
    }
}

/// A workload table with every placeholder filled in, and what it may refer to.
pub(crate) struct Source<'a> {
    /// Its full name, as in `stage.tune.workload`.
    pub(crate) path: String,
    /// Where the table stands.
    pub(crate) span: Range<usize>,
    /// Its keys.
    pub(crate) fields: &'a BTreeMap<Located<String>, Field>,
    /// The models of the project.
    pub(crate) models: &'a [&'a str],
    /// The size of everything that the stage reads.
    pub(crate) input_bytes: &'a Known<Bytes>,
}

/// Reads a workload; what is wrong with it is reported.
pub(crate) fn read(reader: &mut Reader, source: &Source<'_>) -> Option<WorkloadSpec> {
    let takes = task_of(reader, source)?;
    check_keys(reader, source, takes);
    let model = source.fields.get("model").filter(|_| takes.takes("model"));
    let model = model.map(|field| Located::new(field.value.to_string(), field.span.clone()));
    if let Some(model) = model.as_ref().filter(|name| !source.models.contains(&name.value.as_str()))
    {
        let near = suggest::nearest(&model.value, source.models.iter().copied());
        let hint = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "add a table [model.NAME] with its source".to_owned(),
        };
        reader.report(&model.span, format!("unknown model \"{}\"", model.value), Some(hint));
    }
    let mut keys = Keys { section: reader.section(source.path.clone()), fields: source.fields };
    let recipe = keys.recipe(takes);
    let image = source.fields.get("image").filter(|_| takes.takes("image"));
    let image = keys.section.count("image", image, 1..=MOST_PIXELS);
    Some(WorkloadSpec {
        task_name: takes.task,
        task: keys.task(takes.task, source.input_bytes),
        model: model.map(|name| name.value),
        recipe,
        image,
        stated: source.fields.keys().map(|key| key.value.clone()).collect(),
    })
}

fn task_of(reader: &mut Reader, source: &Source<'_>) -> Option<&'static Takes> {
    let names = || TASKS.iter().map(|takes| takes.task);
    let Some(field) = source.fields.get("task") else {
        let hint = format!("add task = one of {}", names().collect::<Vec<_>>().join(", "));
        reader.report(&source.span, format!("{} has no task", source.path), Some(hint));
        return None;
    };
    let name = field.value.to_string();
    let takes = Takes::of(&name);
    if takes.is_none() {
        reader.unknown("task", &Located::new(name, field.span.clone()), names());
    }
    takes
}

/// Reports keys that the task does not take, and keys that it lacks.
fn check_keys(reader: &mut Reader, source: &Source<'_>, takes: &Takes) {
    for key in source.fields.keys() {
        let name = key.value.as_str();
        if name == "task" || takes.takes(name) {
            continue;
        }
        let hint = match suggest::nearest(name, takes.keys()) {
            Some(near) => format!("did you mean \"{near}\"? {}", takes.sentence()),
            None => takes.sentence(),
        };
        let message = format!("unknown key \"{name}\" for task {}", takes.task);
        reader.report(&key.span, message, Some(hint));
    }
    let lacking: Vec<&str> =
        takes.required().filter(|key| !source.fields.contains_key(*key)).collect();
    if !lacking.is_empty() {
        let message = format!("task {} needs {}", takes.task, lacking.join(", "));
        reader.report(&source.span, message, Some(takes.sentence()));
    }
}

/// The most of each that a machine of any kind could be asked for; keeps products within 64 bits.
const MOST_TOKENS: u64 = 1_000_000_000_000_000;
const MOST_AT_ONCE: u64 = 1_000_000;
const LONGEST_SEQUENCE: u64 = 100_000_000;
const MOST_DEVICES: u64 = 1024;
/// The architecture knows closer bounds.
const MOST_PIXELS: u64 = 65_536;
const MOST_LAYERS: u64 = 65_536;
const HIGHEST_RANK: u64 = 65_536;
const HOURS_PER_MONTH: f64 = nearside_units::HOURS_PER_MONTH;

/// Reads the keys of one workload.
struct Keys<'r, 'a> {
    section: Section<'r>,
    fields: &'a BTreeMap<Located<String>, Field>,
}

impl Keys<'_, '_> {
    /// A count that the task needs; its absence has been reported.
    fn count(&mut self, key: &str, bounds: RangeInclusive<u64>) -> u64 {
        let least = *bounds.start();
        self.section.count(key, self.fields.get(key), bounds).unwrap_or(least)
    }

    fn count_or_one(&mut self, key: &str, why: &str) -> u64 {
        let count = self.section.count(key, self.fields.get(key), 1..=MOST_AT_ONCE);
        self.section.or_assume(key, count, 1, why)
    }

    fn text(&self, key: &str) -> Option<Located<String>> {
        let field = self.fields.get(key)?;
        Some(Located::new(field.value.to_string(), field.span.clone()))
    }

    fn dtype(&mut self, key: &str, allowed: &[&'static str], why: &str) -> Dtype {
        let stated = self.text(key).and_then(|text| {
            let dtype = text.value.parse::<Dtype>().ok();
            let fits = dtype.filter(|dtype| allowed.contains(&dtype.name()));
            if fits.is_none() {
                let fact = format!("\"{}\" cannot be used here", text.value);
                let hint = suggest::hint(&text.value, allowed.iter().copied(), "number types");
                self.section.error(&text.span, key, &fact, &hint.unwrap_or_default());
            }
            fits
        });
        self.section.or_assume(key, stated, Dtype::Bf16, why)
    }

    fn recipe(&mut self, takes: &Takes) -> Recipe {
        if takes.takes("precision") {
            let parallelism = self.parallelism(takes);
            return Recipe { parallelism, ..self.training_recipe(takes.task) };
        }
        if !takes.takes("weights") {
            return Recipe::default();
        }
        let weights = self.dtype("weights", &weight_types(), "what most models are published in");
        let cache = self.dtype("cache", &cache_types(), "what engines do unless told otherwise");
        let computes = [Dtype::F64, Dtype::F32, Dtype::F16, Dtype::Bf16];
        let compute = if computes.contains(&weights) { weights } else { Dtype::Bf16 };
        let parallelism = self.parallelism(takes);
        Recipe { weights, compute, cache, parallelism, ..Recipe::default() }
    }

    /// Stated as soon as one of its keys is; otherwise what fits is chosen.
    fn parallelism(&mut self, takes: &Takes) -> Parallelism {
        let keys = ["sharding", "tensor", "pipeline", "stream", "offload", "host_layers"];
        let stated = keys.iter().any(|key| takes.takes(key) && self.fields.contains_key(*key));
        if !stated {
            return Parallelism::default();
        }
        let sharding = self.text("sharding");
        let sharding = self.section.choice("sharding", sharding.as_ref(), Sharding::names());
        let stream = self.text("stream");
        let stream = self.section.choice("stream", stream.as_ref(), Stream::names());
        let offload = self.text("offload");
        let offload = self.section.choice("offload", offload.as_ref(), Offload::names());
        let host_layers = self.fields.get("host_layers");
        let host_layers = self.section.count("host_layers", host_layers, 0..=MOST_LAYERS);
        let host_layers = host_layers.unwrap_or(0);
        let mut devices = |key: &str| {
            self.section.count(key, self.fields.get(key), 1..=MOST_DEVICES).unwrap_or(1)
        };
        Parallelism {
            choice: Choice::Stated,
            tensor: devices("tensor"),
            pipeline: devices("pipeline"),
            sharding: sharding.unwrap_or(Sharding::None),
            stream: stream.unwrap_or(Stream::Whole),
            offload: offload.unwrap_or(Offload::None),
            host_layers,
        }
    }

    fn training_recipe(&mut self, task: &str) -> Recipe {
        let why = "what today's accelerators train in without loss scaling";
        let precision = self.dtype("precision", &training_types(), why);
        let optimizer = self.text("optimizer");
        let optimizer = self.section.choice("optimizer", optimizer.as_ref(), Optimizer::names());
        let why = "the default of the usual trainers";
        let optimizer = self.section.or_assume("optimizer", optimizer, Optimizer::AdamW, why);
        let attention = self.text("attention");
        let attention =
            self.section.choice("attention", attention.as_ref(), AttentionKernel::names());
        let why = "the default of today's libraries";
        let attention = self.section.or_assume("attention", attention, AttentionKernel::Fused, why);
        let keeps = self.text("checkpointing");
        let keeps = self.section.choice("checkpointing", keeps.as_ref(), Checkpointing::names());
        let why = "nothing is recomputed unless told so";
        let keeps = self.section.or_assume("checkpointing", keeps, Checkpointing::None, why);
        Recipe {
            weights: if task == "qlora" { Dtype::Nf4 } else { precision },
            compute: precision,
            cache: precision,
            optimizer,
            attention,
            checkpointing: keeps,
            loss: self.loss(),
            parallelism: Parallelism::default(),
        }
    }

    fn loss(&mut self) -> VocabularyLoss {
        let word = self.text("loss");
        let loss = self.section.choice("loss", word.as_ref(), VocabularyLoss::names());
        let misread = word.is_some() && loss.is_none();
        let why = "the scores of all tokens at once, as libraries do unless told otherwise";
        let loss = self.section.or_assume("loss", loss, VocabularyLoss::Whole, why);
        let chunk = self.section.count("chunk", self.fields.get("chunk"), 1..=LONGEST_SEQUENCE);
        match (loss, self.fields.get("chunk")) {
            (VocabularyLoss::Chunked { tokens }, _) => {
                let why = "scores stay below a gigabyte, products stay large";
                let tokens = self.section.or_assume("chunk", chunk, tokens, why);
                VocabularyLoss::Chunked { tokens }
            }
            (VocabularyLoss::Whole, Some(field)) if !misread => {
                let fact = "only a chunked loss has chunks";
                self.section.error(&field.span, "chunk", fact, "add loss = \"chunked\"");
                VocabularyLoss::Whole
            }
            (VocabularyLoss::Whole, _) => VocabularyLoss::Whole,
        }
    }

    fn task(&mut self, task: &str, input_bytes: &Known<Bytes>) -> Known<Task> {
        Known::Value(match task {
            "pretrain" => Task::Pretrain(self.training()),
            "fine-tune" => Task::FineTune(self.training()),
            "lora" => Task::Lora(self.training(), self.adapter()),
            "qlora" => Task::Qlora(self.training(), self.adapter()),
            "inference" => Task::Inference(self.serving()),
            "evaluation" => Task::Evaluation(self.batch()),
            "preparation" => return self.preparation(input_bytes).map(Task::Preparation),
            _ => Task::Custom(self.custom()),
        })
    }

    fn training(&mut self) -> Training {
        let training = Training {
            tokens: self.count("tokens", 1..=MOST_TOKENS),
            sequence: self.count("sequence", 1..=LONGEST_SEQUENCE),
            batch: self.count("batch", 1..=MOST_AT_ONCE),
            accumulation: self.count_or_one("accumulation", "every batch is one optimizer step"),
        };
        let one_batch = training.batch.saturating_mul(training.sequence);
        if let Some(field) = self.fields.get("tokens").filter(|_| training.tokens < one_batch) {
            let fact = format!(
                "{} is less than one batch of {} x {} tokens",
                training.tokens, training.batch, training.sequence
            );
            self.section.error(&field.span, "tokens", &fact, "write millions as in \"20M\"");
        }
        training
    }

    fn adapter(&mut self) -> Adapter {
        let targets = self.text("targets");
        let targets = self.section.choice("targets", targets.as_ref(), AdapterTargets::names());
        let method = self.text("adapter");
        let method = self.section.choice("adapter", method.as_ref(), AdapterMethod::names());
        let why = "adapters on every linear layer match full fine-tuning best (QLoRA, section 4)";
        Adapter {
            rank: self.count("rank", 1..=HIGHEST_RANK),
            targets: self.section.or_assume("targets", targets, AdapterTargets::Linear, why),
            method: self.section.or_assume(
                "adapter",
                method,
                AdapterMethod::Lora,
                "what peft does unless told otherwise",
            ),
        }
    }

    fn serving(&mut self) -> Serving {
        Serving {
            requests: self.count("requests", 0..=MOST_TOKENS),
            prompt: self.count("prompt", 1..=LONGEST_SEQUENCE),
            output: self.count("output", 0..=LONGEST_SEQUENCE),
            concurrency: self.count_or_one("concurrency", "requests are answered one by one"),
            hours: self.hours(),
        }
    }

    fn hours(&mut self) -> f64 {
        let field = self.fields.get("hours");
        let stated: Option<Duration> = self.section.quantity("hours", field, "730 h");
        if let (Some(hours), Some(field)) = (stated, field)
            && hours.as_hours() > HOURS_PER_MONTH
        {
            let fact = format!("a month has {HOURS_PER_MONTH} h, not {}", hours.as_hours());
            self.section.error(&field.span, "hours", &fact, "as in hours = \"730 h\"");
        }
        let all = Duration::hours(HOURS_PER_MONTH);
        let hours = stated.map(|hours| format!("{} h", hours.as_hours()));
        let why = "a service is up all month unless told otherwise";
        self.section.or_assume("hours", hours, format!("{HOURS_PER_MONTH} h"), why);
        stated.unwrap_or(all).as_hours()
    }

    fn batch(&mut self) -> Batch {
        Batch {
            requests: self.count("requests", 1..=MOST_TOKENS),
            prompt: self.count("prompt", 1..=LONGEST_SEQUENCE),
            output: self.count("output", 0..=LONGEST_SEQUENCE),
            batch: self.count_or_one("batch", "requests are answered one by one"),
        }
    }

    fn preparation(&mut self, input_bytes: &Known<Bytes>) -> Known<Preparation> {
        let key = "core_seconds_per_gb";
        let seconds = self.section.number(key, self.fields.get(key), 0.0..=1e9);
        let memory: Option<Bytes> =
            self.section.quantity("memory", self.fields.get("memory"), "8 GiB");
        let why = "enough for most tools that stream their data";
        let memory = self.section.or_assume("memory", memory, Bytes::gib(8), why);
        let bytes: Option<Bytes> = self.section.quantity("bytes", self.fields.get("bytes"), "2 GB");
        let bytes = match (bytes, input_bytes) {
            (Some(bytes), _) => Known::Value(bytes),
            (None, Known::Value(sum)) => {
                let why = "the size of everything that the stage reads";
                Known::Value(self.section.or_assume("bytes", None, *sum, why))
            }
            (None, unknown) => unknown.clone(),
        };
        bytes.map(|bytes| Preparation {
            bytes,
            core_seconds_per_gb: seconds.unwrap_or_default(),
            memory,
        })
    }

    fn custom(&mut self) -> Custom {
        let fields = self.fields;
        let device = self.text("device");
        let device = self.section.choice("device", device.as_ref(), CustomDevice::names());
        let flops = self.section.quantity("flops", fields.get("flops"), "3 PFLOP");
        let bytes = self.section.quantity("bytes", fields.get("bytes"), "2 TB");
        let memory = self.section.quantity("memory", fields.get("memory"), "8 GiB");
        Custom {
            flops: flops.unwrap_or(Flops::ZERO),
            bytes: bytes.unwrap_or(Bytes::ZERO),
            memory: memory.unwrap_or(Bytes::ZERO),
            device: device.unwrap_or(CustomDevice::Processor),
        }
    }
}
