//! Rows of published measurements whose settings are words: `source, model, task, hardware, settings,
//! metric, value, unit`. Those that say enough are translated; the others say what they leave open.

use crate::row::{Reason, Row};

/// Tokens that were written before and while a speed was measured, as a mean: half of the output.
const HALF: u64 = 2;

/// Whether a file with these heads has such rows.
pub(crate) fn are_these(heads: &[String]) -> bool {
    ["hardware", "settings", "task", "metric"].iter().all(|head| heads.iter().any(|it| it == head))
        && !heads.iter().any(|it| it == "runtime")
}

/// What measured which rows.
struct Group {
    /// A part of the source.
    source: &'static str,
    /// What to do with its rows.
    rule: fn(Row) -> Result<Row, Reason>,
}

/// Every source that is known.
const GROUPS: [Group; 16] = [
    Group { source: "fitcheck-llm", rule: fine_tuning },
    Group { source: "llmfit-core/data/community", rule: decoding },
    Group { source: "llama.cpp @", rule: llama_bench },
    Group { source: "llm-perf-bench", rule: four_bits },
    Group {
        source: "arXiv 2205.05198",
        rule: |row| match row.cell("metric") {
            "iteration_time" => open("pipeline and tensor parallel over many machines"),
            _ => open("the paper's own accounting by its formula, no measurement"),
        },
    },
    Group { source: "TensorRT", rule: |_| open("TensorRT is no runtime that is estimated") },
    Group {
        source: "llmfit issue",
        rule: |_| open("processor and graphics card are not named; layers ran on both"),
    },
    Group { source: "lilbee", rule: |_| open("the error of another estimator, no measurement") },
    Group {
        source: "peft README",
        rule: |_| open("sequence length, batch and optimizer are not stated"),
    },
    Group {
        source: "peft method_comparison",
        rule: |_| {
            open(
                "batches are padded to lengths that are not stated (at most 768 tokens), so the peak \
                  is that of an unknown batch",
            )
        },
    },
    Group {
        source: "benchmark-finetune-dpo",
        rule: |_| open("neither optimizer, adapter targets nor lengths of both answers are stated"),
    },
    Group {
        source: "benchmark-finetune-lora",
        rule: |_| open("ZeRO-2 over 8 devices; rank and targets of adapters are not stated"),
    },
    Group {
        source: "torchtune",
        rule: |row| match row.cell("settings").contains("cumulative") {
            true => open("torchtune's own modules and chunked loss are not lowered"),
            false => open("a compiled model; the source says that not all settings are listed"),
        },
    },
    Group { source: "MAMF", rule: |_| open("a ceiling of a device, not a workload") },
    Group { source: "mxnet", rule: |_| open("MXNet is no runtime that is estimated") },
    Group { source: "", rule: |_| open("the settings are words of a source that is not known") },
];

/// The row in the columns of this program, or with the reason why it is not.
pub(crate) fn translated(row: Row) -> Row {
    let source = row.cell("source").to_owned();
    let rule = GROUPS.iter().find(|group| source.contains(group.source)).map(|group| group.rule);
    match rule.map_or_else(|| open("no source"), |rule| rule(row.clone())) {
        Ok(row) => row.with("settings", "").with("hardware", ""),
        Err(reason) => row.refused(reason),
    }
}

fn open<T>(reason: &str) -> Result<T, Reason> {
    Err(reason.to_owned())
}

/// The word after `before`, up to a comma or blank.
fn after<'text>(text: &'text str, before: &str) -> Result<&'text str, Reason> {
    let (_, rest) =
        text.split_once(before).ok_or_else(|| format!("the settings lack {before:?}"))?;
    Ok(rest.split([',', ' ', ';']).next().unwrap_or(rest))
}

/// fitcheck-llm: LoRA and QLoRA on a T4, as in "QLoRA nf4 r=32 qkvo, bs 4, seq 1024, fp16 compute,
/// AdamW fp32 states, grad ckpt non-reentrant, eager attention".
fn fine_tuning(row: Row) -> Result<Row, Reason> {
    let settings = row.cell("settings").to_owned();
    let task = row.cell("task").trim_start_matches("train-").to_owned();
    let attention = match () {
        () if settings.contains("eager attention") => "eager",
        () if settings.contains("SDPA") => "fused",
        () => return open("the attention kernel is not stated"),
    };
    let rank = after(&settings, "r=")?;
    let targets = settings.split_once("r=").and_then(|(_, rest)| rest.split([' ', ',']).nth(1));
    let quant = if settings.contains("nf4") { "nf4" } else { "" };
    let checkpointing = if settings.contains("grad ckpt") { "full" } else { "none" };
    let dtype = match settings.contains("fp16") {
        true => "float16",
        false => return open("the type of the products is not stated"),
    };
    let device = device(row.cell("hardware"));
    let (batch, sequence) = (after(&settings, "bs ")?, after(&settings, "seq ")?);
    Ok(row
        .with("task", task)
        .with("dtype", dtype)
        .with("attention", attention)
        .with("checkpointing", checkpointing)
        .with("optimizer", "adamw-foreach")
        .with("lora_rank", rank)
        .with("lora_targets", targets.unwrap_or(""))
        .with("quant", quant)
        .with("batch", batch)
        .with("sequence", sequence)
        .with("runtime", "pytorch")
        .with("device", device))
}

/// llmfit's community runs: "llama.cpp, single stream, 300 output tokens, 3 runs (min 28.95 ...)".
fn decoding(row: Row) -> Result<Row, Reason> {
    let settings = row.cell("settings").to_owned();
    if !settings.starts_with("llama.cpp, single stream") {
        return open("the engine, or how many streams ran, is not stated");
    }
    let tokens = settings.split(',').find_map(|part| part.trim().strip_suffix(" output tokens"));
    let tokens: u64 = tokens.and_then(|tokens| tokens.parse().ok()).unwrap_or(0);
    let name = row.cell("model").trim_end_matches(".gguf").to_owned();
    let (model, quant) = name.rsplit_once('-').ok_or("the model's name has no quantization")?;
    let device = device(row.cell("hardware"));
    Ok(llama_cpp(row, model, quant, &device).with("context", (tokens / HALF).to_string()))
}

/// llama-bench: "Llama-2-7B Q4_0", "llama-bench tg128".
fn llama_bench(row: Row) -> Result<Row, Reason> {
    let settings = row.cell("settings").to_owned();
    let Some((_, tokens)) = settings.split_once("tg") else {
        return open("the speed of reading prompts is not estimated for llama.cpp");
    };
    let tokens: u64 = tokens.trim().parse().unwrap_or(0);
    let name = row.cell("model").to_owned();
    let (model, quant) = name.rsplit_once(' ').ok_or("the model's name has no quantization")?;
    let device = device(row.cell("hardware"));
    Ok(llama_cpp(row, model, quant, &device).with("context", (tokens / HALF).to_string()))
}

fn llama_cpp(row: Row, model: &str, quant: &str, device: &str) -> Row {
    row.with("model", model)
        .with("quant", quant)
        .with("device", device)
        .with("task", "decode")
        .with("metric", "tokens_per_s")
        .with("runtime", "llama.cpp")
        .with("batch", "1")
}

/// "Llama2-7B 4-bit": under llama.cpp these are several types of different sizes.
fn four_bits(row: Row) -> Result<Row, Reason> {
    match row.cell("settings").starts_with("llama.cpp") {
        true => open("which of llama.cpp's 4-bit types was used is not stated"),
        false => open("neither MLC nor ExLlamaV2 is an engine that is estimated"),
    }
}

/// "1x NVIDIA GeForce RTX 2080 (8.0 GB)", "Apple M3 Pro 36GB", "1x Tesla T4 16GB".
fn device(hardware: &str) -> String {
    let name = hardware.trim_start_matches("1x ");
    let name = name.split_once(" (").map_or(name, |(name, _)| name);
    let is_size =
        |word: &str| word.strip_suffix("GB").is_some_and(|number| number.parse::<f64>().is_ok());
    match name.rsplit_once(' ') {
        Some((name, size)) if is_size(size) => name.to_owned(),
        _ => name.to_owned(),
    }
}
