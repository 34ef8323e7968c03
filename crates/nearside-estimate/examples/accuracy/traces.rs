//! Rows of `trace_results.csv`: one traced program each, with several figures in bytes.
//!
//! Its words: `sdpa` is a masked batch, `gt_gqa` fused attention without repeated heads, `adamw` runs
//! tensor by tensor, LoRA is of rank 16 on every linear layer, `float32+amp` casts to bfloat16, and
//! `seq` is the side of an image for models of images and that of a latent image for U-Nets.

use crate::row::Row;

/// Pixels of a picture per element of its latent image, along a side.
const LATENT: u64 = 8;

/// Its columns, and the metrics that they are.
const FIGURES: [(&str, &str); 4] = [
    ("param", "weights"),
    ("optim", "optimizer"),
    ("act_saved", "saved_activations"),
    ("peak", "live_peak"),
];

/// Whether a file with these heads has such rows.
pub(crate) fn are_these(heads: &[String]) -> bool {
    ["attn", "ckpt", "act_saved", "peak"].iter().all(|head| heads.iter().any(|it| it == head))
}

/// One row per figure; those that are nothing are left out.
pub(crate) fn translated(trace: &Row) -> Vec<Row> {
    let (dtype, autocast) = match trace.cell("dtype").split_once('+') {
        Some((dtype, _)) => (dtype.to_owned(), "bfloat16"),
        None => (trace.cell("dtype").to_owned(), ""),
    };
    let attention = match trace.cell("attn") {
        // Images are never padded. The traces ran a processor's kernel, which only torchvision's
        // `MultiheadAttention` tells from a device's: `masked` stands for it there.
        "sdpa" if trace.cell("model").starts_with("unet") => "fused",
        "sdpa" => "masked",
        "-" => "",
        kernel => kernel,
    };
    let optimizer = match trace.cell("opt") {
        "adamw" => "adamw_plain",
        optimizer => optimizer,
    };
    let side = trace.number("seq", 0).unwrap_or(0);
    let (sequence, image) = match trace.cell("model") {
        name if name.starts_with("unet") => (String::new(), (side * LATENT).to_string()),
        name if is_of_images(name) => (String::new(), side.to_string()),
        _ => (side.to_string(), String::new()),
    };
    let row = trace
        .clone()
        .with("dtype", dtype)
        .with("autocast", autocast)
        .with("attention", attention)
        .with("checkpointing", trace.cell("ckpt"))
        .with("optimizer", optimizer.replace('-', "_").trim_matches('_'))
        .with("sequence", sequence)
        .with("image", image)
        .with("runtime", "pytorch")
        .with("unit", "bytes");
    let figures = FIGURES.iter().filter(|(column, _)| !matches!(trace.cell(column), "" | "0"));
    // A forward pass keeps its last logits and its cache, which a trace does not call saved.
    let trains = !matches!(trace.cell("task"), "prefill" | "infer");
    let figures = figures.filter(|(column, _)| trains || *column != "act_saved");
    figures
        .map(|(column, metric)| {
            row.clone().with("metric", *metric).with("value", trace.cell(column))
        })
        .collect()
}

fn is_of_images(name: &str) -> bool {
    ["resnet", "mobilenet", "efficientnet", "convnext", "vit", "unet"]
        .iter()
        .any(|it| name.starts_with(it))
}
