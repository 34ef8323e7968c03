//! The keys of a workload table, per task: one table behind reading, error messages and schema.

use std::borrow::Cow;
use std::collections::BTreeMap;

use nearside_architecture::Dtype;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Located;
use crate::parallelism::{Offload, Sharding, Stream};
use crate::recipe::{AttentionKernel, Checkpointing, Optimizer, VocabularyLoss};
use crate::scalar::Field;
use crate::task::{AdapterMethod, AdapterTargets, CustomDevice};

/// A workload as it is written; which keys it may have depends on its task.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct WorkloadTable(pub(crate) BTreeMap<Located<String>, Field>);

/// The keys that one task takes, in groups that tasks share.
pub(crate) struct Takes {
    /// The task's name.
    pub(crate) task: &'static str,
    /// Keys it cannot do without.
    required: &'static [&'static [&'static str]],
    /// Keys with a default.
    optional: &'static [&'static [&'static str]],
}

const TRAINING: &[&str] = &["model", "tokens", "sequence", "batch"];
const ANSWERING: &[&str] = &["model", "requests", "prompt", "output"];
const ACCUMULATION: &[&str] = &["accumulation"];
const ADAPTER: &[&str] = &["targets", "adapter"];
const RECIPE: &[&str] = &[
    "precision",
    "optimizer",
    "attention",
    "checkpointing",
    "loss",
    "chunk",
    "sharding",
    "tensor",
    "pipeline",
    "stream",
    "offload",
    "image",
];
const STORAGE: &[&str] = &["weights", "cache", "tensor", "host_layers", "image"];

/// Every task with its keys, `task` itself aside.
pub(crate) const TASKS: [Takes; 8] = [
    Takes { task: "pretrain", required: &[TRAINING], optional: &[ACCUMULATION, RECIPE] },
    Takes { task: "fine-tune", required: &[TRAINING], optional: &[ACCUMULATION, RECIPE] },
    Takes {
        task: "lora",
        required: &[TRAINING, &["rank"]],
        optional: &[ACCUMULATION, ADAPTER, RECIPE],
    },
    Takes {
        task: "qlora",
        required: &[TRAINING, &["rank"]],
        optional: &[ACCUMULATION, ADAPTER, RECIPE],
    },
    Takes {
        task: "inference",
        required: &[ANSWERING],
        optional: &[&["concurrency", "hours"], STORAGE],
    },
    Takes { task: "evaluation", required: &[ANSWERING], optional: &[&["batch"], STORAGE] },
    Takes {
        task: "preparation",
        required: &[&["core_seconds_per_gb"]],
        optional: &[&["bytes", "memory"]],
    },
    Takes { task: "custom", required: &[&["flops", "bytes", "memory", "device"]], optional: &[] },
];

impl Takes {
    /// The keys of a task by its name.
    pub(crate) fn of(task: &str) -> Option<&'static Self> {
        TASKS.iter().find(|takes| takes.task == task)
    }

    /// Keys it cannot do without.
    pub(crate) fn required(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().copied().flatten().copied()
    }

    /// Every key it takes.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.required().chain(self.optional.iter().copied().flatten().copied())
    }

    /// Whether it takes a key.
    pub(crate) fn takes(&self, key: &str) -> bool {
        self.keys().any(|known| known == key)
    }

    /// Every key in a sentence.
    pub(crate) fn sentence(&self) -> String {
        format!("{} takes {}", self.task, self.keys().collect::<Vec<_>>().join(", "))
    }
}

/// Types that training can be computed in.
pub(crate) fn training_types() -> Vec<&'static str> {
    [Dtype::Bf16, Dtype::F16, Dtype::F32, Dtype::F64].map(Dtype::name).to_vec()
}

/// Types that weights can be stored in for answering.
pub(crate) fn weight_types() -> Vec<&'static str> {
    let not_for_weights = [Dtype::I64, Dtype::I32, Dtype::I16, Dtype::U8, Dtype::Bool];
    Dtype::all().filter(|dtype| !not_for_weights.contains(dtype)).map(Dtype::name).collect()
}

/// Types that a key-value cache can be stored in.
pub(crate) fn cache_types() -> Vec<&'static str> {
    use Dtype::{Bf16, F8, F16, F32, I8, Int8, Iq4Nl, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
    [F32, F16, Bf16, F8, I8, Int8, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0, Iq4Nl].map(Dtype::name).to_vec()
}

impl JsonSchema for WorkloadTable {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Workload".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let tasks: Vec<Value> = TASKS.iter().map(task_schema).collect();
        json_schema!({ "type": "object", "oneOf": tasks })
    }
}

fn task_schema(takes: &Takes) -> Value {
    let mut properties = Map::new();
    properties.insert("task".to_owned(), json!({ "const": takes.task }));
    for key in takes.keys() {
        properties.insert(key.to_owned(), key_schema(key));
    }
    let required: Vec<&str> = std::iter::once("task").chain(takes.required()).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The shape and meaning of a key; any may also be a placeholder such as `"{rank}"`.
fn key_schema(key: &str) -> Value {
    let one_of = |names: Vec<&str>| json!({ "anyOf": [{ "enum": names }, { "type": "string", "pattern": r"\{.+\}" }] });
    let (mut schema, description) = match key {
        "model" => (json!({ "type": "string" }), "name of a [model.NAME] table"),
        "precision" => (one_of(training_types()), "type of weights and arithmetic"),
        "weights" => (one_of(weight_types()), "type that weights are stored in"),
        "cache" => (one_of(cache_types()), "type of the key-value cache"),
        "optimizer" => (one_of(Optimizer::names().collect()), "the optimizer"),
        "attention" => (one_of(AttentionKernel::names().collect()), "how attention is computed"),
        "checkpointing" => (one_of(Checkpointing::names().collect()), "what is recomputed"),
        "loss" => (one_of(VocabularyLoss::names().collect()), "how the loss is computed"),
        "adapter" => {
            (one_of(AdapterMethod::names().collect()), "how adapters change what they stand beside")
        }
        "sharding" => {
            (one_of(Sharding::names().collect()), "what data-parallel devices do not keep twice")
        }
        "stream" => (one_of(Stream::names().collect()), "activations between shared products"),
        "offload" => (one_of(Offload::names().collect()), "what waits in the machine's memory"),
        "targets" => (one_of(AdapterTargets::names().collect()), "what gets an adapter"),
        "device" => (one_of(CustomDevice::names().collect()), "where it runs"),
        "bytes" => (json!({ "type": "string" }), "data read or moved in one run, as in 2 GB"),
        "memory" => (json!({ "type": "string" }), "memory needed, as in 8 GiB"),
        "flops" => (json!({ "type": "string" }), "arithmetic in one run, as in 3 PFLOP"),
        "hours" => (json!({ "type": "string" }), "hours up per month, at most 730 h"),
        "core_seconds_per_gb" => {
            (json!({ "type": ["number", "string"] }), "seconds one core needs per gigabyte")
        }
        _ => (json!({ "type": ["integer", "string"] }), count_meaning(key)),
    };
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), description.into());
    }
    schema
}

fn count_meaning(key: &str) -> &'static str {
    match key {
        "tokens" => "tokens seen in one run, epochs included, as in 20M",
        "sequence" => "tokens per sequence",
        "batch" => "sequences or requests worked on at once",
        "accumulation" => "forward passes per optimizer step",
        "tensor" => "devices that share every matrix product",
        "pipeline" => "stages of consecutive blocks",
        "chunk" => "tokens whose loss is computed together, where the loss is chunked",
        "host_layers" => "first layers that stay in main memory, as llama.cpp computes them there",
        "image" => "side of its images in pixels, where not the one that the model was made for",
        "rank" => "rank of the update",
        "requests" => "requests: per month of a service, in one run of an evaluation",
        "prompt" => "tokens read per request",
        "output" => "tokens written per request",
        "concurrency" => "requests in flight at once",
        _ => "",
    }
}
