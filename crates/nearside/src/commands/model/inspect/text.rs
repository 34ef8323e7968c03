//! What is known of a model, for people.

use nearside_units::Bytes;

use super::{
    AdapterView, InspectAnswer, NeedsView, SizesView, TemplateView, TensorView, TokenizerView,
    TypeView,
};
use crate::output::{Align, table};
use crate::view::Figure;

fn adapter_text(adapter: &AdapterView) -> String {
    let AdapterView { base, matrices, ranks, parameters } = adapter;
    let ranks: Vec<_> = ranks.iter().map(usize::to_string).collect();
    let made_for = base.as_ref().map_or_else(String::new, |base| format!(", made for {base}"));
    let parameters = grouped(*parameters as u64);
    format!("{matrices} matrices by rank {}, {parameters} parameters{made_for}", ranks.join(", "))
}

pub(super) fn text(answer: &InspectAnswer) -> String {
    let mut lines = Vec::new();
    let mut line = |what: &str, value: String| lines.push(format!("{what:<14}{value}"));
    let unknown = || "not stated".to_owned();
    line("model", answer.name.clone().unwrap_or_else(unknown));
    line("file", format!("{} ({}, {})", answer.path, answer.format, Bytes::new(answer.bytes).si()));
    line("family", answer.family.clone().unwrap_or_else(unknown));
    line("licence", answer.licence.clone().unwrap_or_else(unknown));
    let bits = answer
        .bits_per_weight
        .map_or_else(String::new, |bits| format!(", {bits:.2} bits per weight"));
    line("parameters", format!("{}{bits}", grouped(answer.parameters)));
    if let Some(sizes) = &answer.sizes {
        line("sizes", sizes_text(sizes));
        line(
            "context",
            sizes.context.map_or_else(unknown, |context| format!("{} tokens", grouped(context))),
        );
    }
    line(
        "tokenizer",
        match &answer.tokenizer {
            Figure::Value(TokenizerView { size, ends, .. }) => {
                let ends = match ends.as_slice() {
                    [] => "none of them ends an answer".to_owned(),
                    ends => format!("ends with {}", ends.join(", ")),
                };
                format!("{} tokens; {ends}", grouped(u64::from(*size)))
            }
            Figure::Unknown { unknown } => unknown.clone(),
        },
    );
    line(
        "chat template",
        match &answer.chat_template {
            Figure::Value(TemplateView { sample }) => format!("{sample:?}"),
            Figure::Unknown { unknown } => unknown.clone(),
        },
    );
    line(
        "computes here",
        answer.not_computed.as_ref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}")),
    );
    if let Some(adapter) = &answer.adapter {
        line("adapter", adapter_text(adapter));
    }
    line("needs", needs_text(&answer.needs));
    line("speed", speed_text(&answer.needs));
    let mut shown = format!("{}\n\n{}", lines.join("\n"), types(answer));
    if let Some(tensors) = &answer.tensors {
        shown = format!("{shown}\n\n{}", all(tensors));
    }
    shown
}

/// What each type takes.
fn types(answer: &InspectAnswer) -> String {
    let mut rows: Vec<_> = answer.types.iter().collect();
    rows.sort_by_key(|(_, of_type)| std::cmp::Reverse(of_type.bytes));
    let row = |(name, of_type): (&String, &TypeView)| {
        let share = 100.0 * of_type.bytes as f64 / answer.bytes.max(1) as f64;
        let size = Bytes::new(of_type.bytes).si();
        vec![name.clone(), of_type.tensors.to_string(), size, format!("{share:.1}")]
    };
    let heads = [
        ("type", Align::Left),
        ("tensors", Align::Right),
        ("size", Align::Right),
        ("share [%]", Align::Right),
    ];
    table(&heads, rows.into_iter().map(row).collect())
}

fn all(tensors: &[TensorView]) -> String {
    let heads = [
        ("tensor", Align::Left),
        ("type", Align::Left),
        ("shape", Align::Right),
        ("size", Align::Right),
    ];
    let row = |tensor: &TensorView| {
        let shape: Vec<_> = tensor.shape.iter().map(u64::to_string).collect();
        let size = Bytes::new(tensor.bytes).si();
        vec![tensor.name.clone(), tensor.r#type.clone(), shape.join(" x "), size]
    };
    table(&heads, tensors.iter().map(row).collect())
}

fn sizes_text(sizes: &SizesView) -> String {
    let mut words = vec![format!("{} layers, {} wide", sizes.layers, sizes.hidden)];
    if let (Some(heads), Some(keys), Some(width)) =
        (sizes.heads, sizes.key_value_heads, sizes.head_dim)
    {
        words.push(format!("{heads} heads and {keys} of keys, {width} wide"));
    }
    words.extend(sizes.feed_forward.map(|inner| format!("{inner} inside")));
    if let (Some(experts), Some(active)) = (sizes.experts, sizes.active_experts) {
        words.push(format!("{experts} experts, {active} for each token"));
    }
    words.extend(sizes.sliding_window.map(|window| format!("window of {window}")));
    words.join("; ")
}

fn needs_text(needs: &NeedsView) -> String {
    let gib = |bytes: f64| format!("{:.2}", bytes / f64::from(1 << 30));
    let memory = needs.memory_bytes.as_ref().map_or_else(
        || "memory not estimated".to_owned(),
        |range| format!("{} GiB", span(gib(range.low), gib(range.high))),
    );
    let cache = needs.cache_bytes_per_1000_tokens.map_or_else(String::new, |bytes| {
        format!(" ({} for keys and values of each 1,000 tokens)", Bytes::new(bytes).si())
    });
    let place = if needs.site == "here" { "here".to_owned() } else { format!("on {}", needs.site) };
    let verdict = match needs.verdict.as_str() {
        "unknown" => "whether it fits is not known".to_owned(),
        verdict => format!("{verdict} {place}"),
    };
    format!("{memory} at {} tokens{cache}: {verdict}", grouped(needs.context))
}

fn speed_text(needs: &NeedsView) -> String {
    match &needs.tokens_per_second {
        Figure::Value(range) => {
            let [low, high] = [range.low, range.high].map(|rate| format!("{rate:.1}"));
            format!("{} tokens/s expected when it writes", span(low, high))
        }
        Figure::Unknown { unknown } => format!("not estimated: {unknown}"),
    }
}

/// Both ends of a range, or the one that both are.
fn span(low: String, high: String) -> String {
    if low == high { low } else { format!("{low}-{high}") }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
