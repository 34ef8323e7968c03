//! The scores as a page for people: `docs/accuracy.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_units::Span;

use crate::bounds;
use crate::fit::verdicts;
use crate::row::Row;
use crate::score::{After, Group, Key, Scored, Scores, after, before, groups, holds, percent};
use crate::words::Metric;

/// Groups with more rows show those that are off most.
const MANY: usize = 120;
/// So many of them.
const MOST_OFF: usize = 10;

const INTRODUCTION: &str = "\
# How close the estimates are

Estimates beside figures that others measured or that real programs left behind, row by row. Made by
`cargo xtask accuracy`; do not edit. `cargo xtask accuracy --rows FILE.csv [--json]` scores any other
file with these columns; a cell may be empty or missing where it does not matter:

`model` (a name of the catalog, or a `config.json`, `model_index.json` or `.gguf` file), `task`, `dtype`,
`autocast`, `attention`, `checkpointing`, `optimizer`, `batch`, `sequence` or `image`, `context`, `kv_type`,
`gpu_layers`, `lora_rank`, `lora_targets`, `quant`, `runtime`, `device`, `metric`, `value`, `unit`.

An error is estimate over figure, less one. An interval is meant to hold nine figures of ten; a figure
outside of it is marked **miss**. Width is that of the interval over the estimate.

";

const CONSTANTS: &str = "\
## Where constants come from

No number was fitted to a row on this page. Rules were found with rows in view: the replay's on the families that
`nearside-estimate/tests/trace*.rs` name (the rows of `trace_results` are among them), and the order of the driver's
addresses on those of the T4 (docs/decisions/0013). The rows called traces were made apart from the rules; two of them
then showed that a window as long as the sequence needs its mask, which was put right.

| what | value | from |
|---|---|---|
| live tensors | none | the model's operators and PyTorch's rules, event by event |
| cuBLAS workspace | 8.125 MiB | `CUBLAS_WORKSPACE_CONFIG` (ATen/cuda/CUDABlas.cpp) |
| addresses of new segments | from the top down | as `mmap` does; of the orders tried, the one closest to the T4 rows |
| interval of weights and states | -0.1..+0.1 % | some who count round up to blocks of 512 bytes |
| interval of live tensors | -0.5..+0.5 % | golden tests hold each family's peak to half a percent |
| interval of allocated | -0.2..+1.5 % | workspaces of other libraries are not modelled (cublasLt, some 10 MiB) |
| interval of reserved | -5..+8 % | holes depend on the driver's addresses and on what ran before |
| llama.cpp's buffers | none | its graphs, scheduler and allocator; the log prints two digits of a MiB |
| share of the bandwidth when writing | 0.72-0.85-0.95 | Llama 3 8B on eight other devices, 2024 (`nearside-estimate/src/decode.rs`) |
| gap between kernels when writing | 0.77-1.73-3.46 us, 26 kernels a layer | the same |
| unpacking before compute capability 7.0 | 12-15-18 instructions a weight | Tesla P40 (llama.cpp pull request 4766) |
| step: products, attention, gaps, overhead | `nearside-estimate/src/calibration.rs` | data sheet times shares with their bases; products as measured on the device where the catalog knows (T4: 24 of 65 TFLOP/s at its power limit, NVIDIA developer forum 264462) |

After probes: the first two rows of a device in their file give its share of the bandwidth and the gap
(one factor over the estimate, where both are of one size or make no sense together); of steps, the first
row gives one factor. Devices with fewer than four rows are left out.

";

/// The whole page.
pub(crate) fn page(scores: &Scores, command: &str) -> String {
    let mut page = INTRODUCTION.to_owned();
    let groups = groups(&scores.scored);
    let scored = scores.scored.len();
    let all = scored + scores.not_scored.len();
    let _ = writeln!(page, "`{command}` scored {scored} of {all} figures.\n");
    summary(&mut page, &groups);
    fit(&mut page, &scores.scored);
    page.push_str(CONSTANTS);
    not_scored(&mut page, &scores.not_scored);
    page.push_str("## Every row\n\n");
    for (key, rows) in &groups {
        table(&mut page, key, rows);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn summary(page: &mut String, groups: &[(Key, Vec<&Scored>)]) {
    page.push_str("## Summary\n\n");
    page.push_str(
        "| figures | metric | rows | mean | worst | held by a test | in the interval | width |\n",
    );
    page.push_str("|---|---|---:|---:|---:|---|---:|---:|\n");
    for ((file, metric), rows) in groups {
        let bound = bounds::of(file, *metric).map_or_else(
            || "-".to_owned(),
            |bound| format!("mean {} %, worst {} %", bound.mean, bound.worst),
        );
        if let Some(group) = Group::of(&before(rows)) {
            line(page, file, metric.name(), &group, &bound);
        }
        if let Some(group) = Group::of(&after(rows)) {
            line(page, file, &format!("{metric} after probes"), &group, "-");
        }
    }
    page.push('\n');
}

fn line(page: &mut String, file: &str, metric: &str, group: &Group, bound: &str) {
    let Group { rows, mean, worst, coverage, width } = group;
    let _ = writeln!(
        page,
        "| {file} | {metric} | {rows} | {mean:.2} % | {worst:.2} % | {bound} | {:.0} % | {width:.2} % |",
        coverage * 100.0
    );
}

fn fit(page: &mut String, scored: &[Scored]) {
    page.push_str("## Would it have fitted?\n\n");
    page.push_str("The verdict on a device whose memory is the measured need times a factor.\n\n");
    page.push_str("| memory over need | fits | uncertain | does not fit |\n|---|---:|---:|---:|\n");
    for (size, said) in verdicts(scored) {
        let (fits, uncertain, does_not) = (said.fits, said.uncertain, said.does_not);
        let _ = writeln!(page, "| {size:.1} | {fits} | {uncertain} | {does_not} |");
    }
    page.push('\n');
}

/// Rows by reason and source; those of one model and source in one line.
fn not_scored(page: &mut String, rows: &[(Row, String)]) {
    page.push_str("## Not scored\n\n");
    if rows.is_empty() {
        page.push_str("Nothing.\n\n");
        return;
    }
    let mut reasons: BTreeMap<(&str, &str, String), usize> = BTreeMap::new();
    for (row, reason) in rows {
        let source = match row.cell("source") {
            "" => row.file.file_name().and_then(|name| name.to_str()).unwrap_or(""),
            source => source.split("; ").next().unwrap_or(source),
        };
        let what = format!("{} {}", row.cell("model"), row.cell("metric"));
        *reasons.entry((reason, source, what)).or_default() += 1;
    }
    let mut lines: BTreeMap<(&str, &str), (usize, Vec<String>)> = BTreeMap::new();
    for ((reason, source, what), count) in reasons {
        let line = lines.entry((reason, source)).or_default();
        line.0 += count;
        line.1.push(if count > 1 { format!("{what} ({count})") } else { what });
    }
    page.push_str("| why | source | rows | figures |\n|---|---|---:|---|\n");
    for ((reason, source), (count, figures)) in lines {
        let (reason, source) = (plain(reason), plain(source));
        let _ =
            writeln!(page, "| {reason} | {source} | {count} | {} |", plain(&figures.join("; ")));
    }
    page.push('\n');
}

fn table(page: &mut String, (file, metric): &Key, rows: &[&Scored]) {
    let _ = writeln!(page, "### {file}: {metric}\n");
    let mut rows = rows.to_vec();
    if rows.len() > MANY {
        rows.sort_by(|left, right| right.error().abs().total_cmp(&left.error().abs()));
        let _ = writeln!(page, "{MOST_OFF} of {} rows: those that are off most.\n", rows.len());
        rows.truncate(MOST_OFF);
    }
    let speed = metric.is_speed();
    page.push_str("| row | figure | estimate | interval | error |");
    page.push_str(if speed { " after probes | interval | error |\n" } else { "\n" });
    page.push_str("|---|---:|---:|---:|---:|");
    page.push_str(if speed { "---:|---:|---:|\n" } else { "\n" });
    for one in rows {
        let label = plain(&one.row.label());
        let _ = write!(page, "| {label} | {} |", shown(*metric, one.value));
        cells(page, *metric, one.estimate, one.value);
        match one.after {
            After::Estimate(estimate) => cells(page, *metric, estimate, one.value),
            After::Probe => page.push_str(" probe | | |"),
            After::Nothing if speed => page.push_str(" | | |"),
            After::Nothing => {}
        }
        page.push('\n');
    }
    page.push('\n');
}

fn cells(page: &mut String, metric: Metric, estimate: Span<f64>, value: f64) {
    let [low, likely, high] =
        [estimate.low(), estimate.likely(), estimate.high()].map(|figure| shown(metric, figure));
    let miss = if holds(estimate, value) { "" } else { " **miss**" };
    let error = percent(estimate.likely(), value);
    let _ = write!(page, " {likely} | {low}-{high} | {error:+.2} %{miss} |");
}

/// A figure in the unit of its metric.
fn shown(metric: Metric, figure: f64) -> String {
    match metric {
        Metric::Parameters => format!("{figure:.0}"),
        Metric::TokensPerSecond => format!("{figure:.2} tok/s"),
        Metric::Step => format!("{figure:.3} s"),
        _ => format!("{:.1} MiB", figure / 1_048_576.0),
    }
}

/// Text that a cell of a table can hold.
fn plain(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}
