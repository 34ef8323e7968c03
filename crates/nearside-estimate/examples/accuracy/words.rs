//! What people write for a setting: synonyms, case, separators.

use std::fmt;
use std::str::FromStr;

use nearside_architecture::Dtype;
use nearside_catalog::Device;
use nearside_estimate::attention_kernel::on_device;
use nearside_estimate::lowering::Trained;
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, AttentionKernel, Checkpointing, Optimizer, Recipe,
};

use crate::row::{Reason, Row};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// Parameters, in pieces.
    Parameters,
    /// Bytes of weights.
    Weights,
    /// Bytes of optimizer states.
    Optimizer,
    /// Bytes that the forward pass leaves for the backward pass.
    SavedActivations,
    /// Bytes of live tensors at the worst moment.
    LivePeak,
    /// `torch.cuda.max_memory_allocated`.
    Allocated,
    /// `torch.cuda.max_memory_reserved`.
    Reserved,
    /// What the process takes of the device.
    Process,
    /// Keys and values.
    KvCache,
    /// An engine's compute buffer.
    Compute,
    /// An engine's output buffer.
    Output,
    /// Tokens written per second.
    TokensPerSecond,
    /// Seconds of a training step.
    Step,
}

impl Metric {
    /// Every metric: its name, then others that people write.
    const NAMES: [(Self, &'static [&'static str]); 13] = [
        (Self::Parameters, &["parameters", "params", "parameter_count"]),
        (Self::Weights, &["weights", "weight_bytes", "model"]),
        (Self::Optimizer, &["optimizer", "optimizer_states", "optim"]),
        (Self::SavedActivations, &["saved_activations", "saved", "activations", "act_saved"]),
        (Self::LivePeak, &["live_peak", "peak_live", "live", "peak", "active", "peak_active"]),
        (Self::Allocated, &["allocated", "peak_allocated", "max_allocated", "allocated_max"]),
        (Self::Reserved, &["reserved", "peak_reserved", "max_reserved", "reserved_max"]),
        (Self::Process, &["process", "process_memory", "device_memory"]),
        (Self::KvCache, &["kv_cache", "kv", "cache"]),
        (Self::Compute, &["compute", "compute_buffer"]),
        (Self::Output, &["output", "output_buffer"]),
        (Self::TokensPerSecond, &["tokens_per_s", "tokens_per_second", "tok/s", "decode"]),
        (Self::Step, &["step_s", "step_time", "step", "seconds_per_step"]),
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        let row = Self::NAMES.iter().find(|(metric, _)| *metric == self);
        row.and_then(|(_, names)| names.first()).copied().unwrap_or("")
    }

    /// Whether it is an amount of memory that must fit on a device.
    pub(crate) const fn must_fit(self) -> bool {
        matches!(self, Self::LivePeak | Self::Allocated | Self::Reserved | Self::Process)
    }

    /// Whether it is what an allocator takes, rather than what tensors do.
    pub(crate) const fn is_taken(self) -> bool {
        matches!(self, Self::Allocated | Self::Reserved | Self::Process)
    }

    /// Whether it is a speed, which other runs on the same device say something about.
    pub(crate) const fn is_speed(self) -> bool {
        matches!(self, Self::TokensPerSecond | Self::Step)
    }
}

impl FromStr for Metric {
    type Err = Reason;
    fn from_str(text: &str) -> Result<Self, Reason> {
        let word = text.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        let found = Self::NAMES.iter().find(|(_, names)| names.contains(&word.as_str()));
        found.map(|(metric, _)| *metric).ok_or_else(|| format!("{text} is not estimated"))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Lower case, words joined by `-`.
fn word(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace(['_', ' '], "-")
}

/// What is done with the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Task {
    /// Training of all weights or of adapters.
    Training(Trained),
    /// One pass that keeps the cache and the last logits.
    Prefill,
    /// One token after another; of an autoencoder: latents to a picture.
    Decode,
    /// Of an autoencoder: a picture to latents.
    Encode,
    /// One pass.
    Infer,
}

impl Row {
    /// What is done with the model.
    pub(crate) fn task(&self) -> Result<Task, Reason> {
        let text = self.cell("task");
        let task = word(text);
        let task = task.strip_prefix("train-").unwrap_or(&task);
        Ok(match task {
            "full" | "train" | "training" | "full-train" | "finetune" | "fine-tune"
            | "fine-tuning" | "full-fine-tune" | "full-finetune" | "full-fine-tuning"
            | "full-finetuning" | "pretrain" | "pretraining" => Task::Training(Trained::Everything),
            "lora" | "qlora" | "adapter" | "adapters" => {
                Task::Training(Trained::Adapters(Adapter {
                    rank: self.number("lora_rank", 16)?,
                    targets: targets(self.cell("lora_targets"))?,
                    method: AdapterMethod::Lora,
                }))
            }
            "prefill" | "prompt" => Task::Prefill,
            "decode" | "generate" | "generation" | "infer-decode" => Task::Decode,
            "encode" => Task::Encode,
            "" | "infer" | "inference" | "forward" | "serve" | "serving" => Task::Infer,
            _ => return Err(format!("task {text:?} is not known")),
        })
    }

    /// Precision, optimizer, kernels of that device, checkpointing.
    pub(crate) fn recipe(&self, device: Option<&Device>) -> Result<Recipe, Reason> {
        let stored = dtype(self.cell("dtype"))?.unwrap_or(Dtype::Bf16);
        let compute = autocast(self.cell("autocast"))?.unwrap_or(stored);
        let weights = packed(self.cell("quant"), &word(self.cell("task")))?.unwrap_or(stored);
        let cache = match self.cell("kv_type") {
            "" | "-" => compute,
            name => dtype(name)?.unwrap_or(compute),
        };
        Ok(Recipe {
            weights,
            compute,
            cache,
            optimizer: optimizer(self.cell("optimizer"))?,
            attention: on_device(attention(self.cell("attention"))?, device),
            checkpointing: checkpointing(self.cell("checkpointing"))?,
            ..Recipe::default()
        })
    }
}

/// A number type; nothing for an empty cell.
pub(crate) fn dtype(text: &str) -> Result<Option<Dtype>, Reason> {
    match text.trim() {
        "" | "-" => Ok(None),
        name => name.parse().map(Some),
    }
}

fn autocast(text: &str) -> Result<Option<Dtype>, Reason> {
    match word(text).as_str() {
        "" | "-" | "none" | "no" | "off" | "false" | "0" => Ok(None),
        // torch.autocast's own default.
        "amp" | "true" | "yes" | "on" | "1" => Ok(Some(Dtype::Bf16)),
        name => name.parse().map(Some),
    }
}

/// The packed type of frozen weights; bitsandbytes' own default for QLoRA.
fn packed(quant: &str, task: &str) -> Result<Option<Dtype>, Reason> {
    match (word(quant).as_str(), task) {
        ("" | "-" | "none" | "false" | "0", "qlora" | "train-qlora") => Ok(Some(Dtype::Nf4)),
        ("" | "-" | "none" | "false" | "0", _) => Ok(None),
        ("nf4" | "4bit" | "4-bit" | "bnb-4bit" | "bnb-nf4", _) => Ok(Some(Dtype::Nf4)),
        ("nf4-double" | "nf4-dq" | "nf4+dq" | "double" | "nf4-double-quant", _) => {
            Ok(Some(Dtype::Nf4Double))
        }
        _ => Err(format!("weights packed as {quant:?} are not estimated under PyTorch")),
    }
}

fn optimizer(text: &str) -> Result<Optimizer, Reason> {
    Ok(match word(text).as_str() {
        // PyTorch's default on CUDA devices is all tensors at once.
        "" | "-" | "none" | "adam" | "adamw" | "adamw-torch" | "adamw-foreach" => {
            Optimizer::AdamWForeach
        }
        "adamw-fused" | "adamw-torch-fused" | "fused" => Optimizer::AdamW,
        "adamw-plain" | "adamw-loop" | "adamw-for-loop" => Optimizer::AdamWPlain,
        "adamw8bit" | "adamw-8bit" | "adam8bit" | "adamw-bnb-8bit" => Optimizer::AdamW8Bit,
        "paged-adamw-8bit" | "paged-adamw8bit" => Optimizer::PagedAdamW8Bit,
        "sgd" => Optimizer::Sgd,
        "sgd-mom" | "sgd-momentum" | "momentum" => Optimizer::SgdMomentum,
        "adafactor" => Optimizer::Adafactor,
        _ => return Err(format!("optimizer {text:?} is not known")),
    })
}

fn attention(text: &str) -> Result<AttentionKernel, Reason> {
    Ok(match word(text).as_str() {
        "" | "-" | "none" | "fused" | "flash" | "flash-attention" | "flash-attention-2" | "fa2"
        | "sdpa" | "gt-gqa" => AttentionKernel::Fused,
        "efficient" | "mem-efficient" | "memory-efficient" => AttentionKernel::Efficient,
        "masked" => AttentionKernel::Masked,
        "eager" | "math" => AttentionKernel::Eager,
        _ => return Err(format!("attention {text:?} is not known")),
    })
}

fn checkpointing(text: &str) -> Result<Checkpointing, Reason> {
    Ok(match word(text).as_str() {
        "" | "-" | "none" | "0" | "false" | "no" | "off" => Checkpointing::None,
        "full" | "1" | "true" | "yes" | "on" | "block" | "blocks" => Checkpointing::Full,
        "attention" | "selective" => Checkpointing::Attention,
        _ => return Err(format!("checkpointing {text:?} is not known")),
    })
}

/// Which matrices get adapters; projections may be named one by one.
fn targets(text: &str) -> Result<AdapterTargets, Reason> {
    match word(text).as_str() {
        "" | "-" | "all" | "all-linear" | "linear" => return Ok(AdapterTargets::Linear),
        "qkvo" | "attention" | "attn" => return Ok(AdapterTargets::Attention),
        "qv" | "query-value" => return Ok(AdapterTargets::QueryValue),
        _ => {}
    }
    let letters = text.split(['+', ',', ' ', ';', '/', '|', '[', ']', '\'', '"']);
    let mut names: Vec<String> = letters
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .map(|name| name.strip_suffix("_proj").unwrap_or(&name).to_owned())
        .collect();
    names.sort();
    names.dedup();
    match names.join(" ").as_str() {
        "k o q v" => Ok(AdapterTargets::Attention),
        "q v" => Ok(AdapterTargets::QueryValue),
        "down gate k o q up v" => Ok(AdapterTargets::Linear),
        _ => Err(format!("adapters on {text:?} are not estimated")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_may_write_what_they_write() {
        assert_eq!(targets("q_proj + v_proj"), Ok(AdapterTargets::QueryValue));
        assert_eq!(targets("v_proj,k_proj,q_proj,o_proj"), Ok(AdapterTargets::Attention));
        assert_eq!(targets("['q_proj', 'v_proj']"), Ok(AdapterTargets::QueryValue));
        assert!(targets("gate_proj").is_err());
        assert_eq!(optimizer("AdamW_8bit"), Ok(Optimizer::AdamW8Bit));
        assert_eq!(optimizer("adamw"), Ok(Optimizer::AdamWForeach));
        assert_eq!(autocast("amp"), Ok(Some(Dtype::Bf16)));
        assert_eq!(autocast("FP16"), Ok(Some(Dtype::F16)));
        assert_eq!(checkpointing("True"), Ok(Checkpointing::Full));
        assert_eq!(attention("gt_gqa"), Ok(AttentionKernel::Fused));
        assert_eq!("peak_reserved".parse(), Ok(Metric::Reserved));
        assert_eq!(dtype("bfloat16"), Ok(Some(Dtype::Bf16)));
    }
}
