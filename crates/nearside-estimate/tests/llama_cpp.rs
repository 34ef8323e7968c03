//! Holds the reservations to llama.cpp's own log lines: `bench/accuracy/gguf.csv`, made by
//! `bench/accuracy/gguf_truth.py` with llama-cpp-python 0.3.36 on files whose headers lie in
//! `bench/accuracy/gguf/`.
//!
//! llama.cpp prints MiB with two digits, so no figure can be told apart below 0.005 MiB per buffer.
//! Run with `--nocapture` to see the error of every group of rows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nearside_architecture::header::gguf::{GgufHeader, Value, parse};
use nearside_architecture::{Architecture, Dtype};
use nearside_estimate::engine::llama_cpp::{
    Accelerator, Buffers, Family, FlashAttention, Loading, Mix, Model, Offload, Outputs,
    Reservation, Settings, Sharing, WindowCache, reserve,
};

/// Half of the last digit that llama.cpp prints, in bytes.
const ROUNDING: f64 = 0.005 * 1_048_576.0;

/// The most that rounding hides: one digit per buffer. A place has a buffer of weights, of the cache
/// (two where layers have windows), of compute and of output.
fn hidden_by_rounding(device: &str, metric: &str) -> f64 {
    let buffers = match metric {
        "kv_cache" => 2.0,
        "process" => 5.0,
        _ => 1.0,
    };
    let places = if device == "all" { 2.0 } else { 1.0 };
    // Each printed figure is rounded once more to whole bytes.
    buffers * places * (ROUNDING + 1.0)
}

fn headers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/accuracy/gguf")
}

fn model(name: &str) -> Model {
    let bytes = fs::read(headers().join(format!("{name}.gguf"))).unwrap();
    Model::from_header(&parse(&bytes, None).unwrap()).unwrap()
}

type Row = BTreeMap<String, String>;

fn rows(text: &str) -> Vec<Row> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells = line.split(',').map(str::to_owned);
        names.iter().map(|name| (*name).to_owned()).zip(cells).collect()
    };
    lines.map(row).collect()
}

fn file(row: &Row) -> String {
    format!("{}-{}", row["model"], row["quant"])
}

/// What the column `source` says under that name.
fn noted(row: &Row, name: &str) -> u64 {
    let note = row["source"].split([' ', ';']).find_map(|word| word.strip_prefix(name));
    note.unwrap().trim_start_matches('=').parse().unwrap()
}

fn settings(row: &Row, device: Option<Accelerator>) -> Settings {
    let number = |column: &str| row[column].parse::<u64>().unwrap();
    let types: Vec<Dtype> = row["kv_type"].split('/').map(|name| name.parse().unwrap()).collect();
    let layers = number("gpu_layers");
    Settings {
        context: number("context"),
        sequences: number("batch"),
        sharing: if noted(row, "kv_unified") == 1 { Sharing::Shared } else { Sharing::Separate },
        batch: noted(row, "n_batch"),
        micro_batch: number("sequence"),
        key_type: types[0],
        value_type: *types.last().unwrap(),
        flash_attention: match row["attention"].as_str() {
            "flash" => FlashAttention::On,
            _ => FlashAttention::Off,
        },
        outputs: match noted(row, "n_outputs_max") {
            0 => Outputs::EveryToken,
            outputs => Outputs::AtMost(outputs),
        },
        window_cache: match noted(row, "swa_full") {
            1 => WindowCache::Full,
            _ => WindowCache::Trimmed,
        },
        loading: Loading::Mapped,
        offload: device.map(|accelerator| Offload { accelerator, layers }),
    }
}

fn estimated(reservation: &Reservation, device: &str, metric: &str) -> f64 {
    let of = |buffers: &Buffers| match metric {
        "weights" => buffers.weights,
        "kv_cache" => buffers.cache,
        "compute" => buffers.compute,
        "output" => buffers.output,
        _ => buffers.total(),
    };
    let bytes = match device {
        "host" => of(&reservation.host),
        "device" => of(&reservation.device),
        _ => of(&reservation.host) + of(&reservation.device),
    };
    bytes.get() as f64
}

/// The error of a group of rows.
#[derive(Clone, Copy, Default)]
struct Group {
    count: u32,
    worst: f64,
    sum: f64,
}

/// Compares every row; prints the errors of groups and returns what rounding cannot explain.
fn compare(text: &str, device: impl Fn(&Row) -> Option<Accelerator>) -> Vec<String> {
    let mut models: BTreeMap<String, Model> = BTreeMap::new();
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut last: Option<(String, Settings, Reservation)> = None;
    for row in rows(text) {
        let (name, settings) = (file(&row), settings(&row, device(&row)));
        let model = models.entry(name.clone()).or_insert_with(|| model(&name));
        let reservation = match &last {
            Some((file, known, reservation)) if (file, known) == (&name, &settings) => *reservation,
            _ => reserve(model, &settings).unwrap(),
        };
        let estimate = estimated(&reservation, &row["device"], &row["metric"]);
        let truth: f64 = row["value"].parse().unwrap();
        let gap = (estimate - truth).abs();
        let place = if row["gpu_layers"] == "0" { "processor" } else { "offload" };
        let key = (format!("{place}, {}", row["device"]), row["metric"].clone());
        let group = groups.entry(key).or_default();
        group.count += 1;
        group.worst = group.worst.max(100.0 * gap / truth);
        group.sum += 100.0 * gap / truth;
        if gap > hidden_by_rounding(&row["device"], &row["metric"]) {
            let (device, metric) = (&row["device"], &row["metric"]);
            wrong.push(format!("{name} {device} {metric}: {estimate}, not {truth} {settings:?}"));
        }
        last = Some((name, settings, reservation));
    }
    println!("{:20} {:9} {:>5} {:>8} {:>8}", "rows", "metric", "count", "worst %", "mean %");
    for ((place, metric), Group { count, worst, sum }) in &groups {
        println!("{place:20} {metric:9} {count:5} {worst:8.4} {:8.4}", sum / f64::from(*count));
    }
    wrong
}

#[test]
fn every_buffer_is_what_the_engine_reserves() {
    let remote = |row: &Row| (row["gpu_layers"] != "0").then_some(Accelerator::Remote);
    let wrong = compare(include_str!("../../../bench/accuracy/gguf.csv"), remote);
    assert!(wrong.is_empty(), "{} rows: {:#?}", wrong.len(), wrong.first());
}

/// A second device that rounds sizes and takes over long batches as the source of llama.cpp's CUDA
/// backend says: the RPC backend, changed by `bench/accuracy/gguf_like_cuda.patch`. It shows that the
/// schedule and the allocator are followed, not that a GPU behaves so.
#[test]
fn a_device_that_takes_over_long_batches_is_followed() {
    let cuda = |_: &Row| Some(Accelerator::Cuda);
    let wrong = compare(include_str!("../../../bench/accuracy/gguf_like_cuda.csv"), cuda);
    assert!(wrong.is_empty(), "{} rows: {:#?}", wrong.len(), wrong.first());
}

#[test]
fn the_types_of_a_mix_are_those_that_the_quantizer_chose() {
    for entry in fs::read_dir(headers()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (_, mix) = name.rsplit_once('-').unwrap();
        let header = parse(&fs::read(&path).unwrap(), None).unwrap();
        let Architecture::Decoder(decoder) = header.decoder().unwrap() else { panic!("{name}") };
        let read = Model::from_header(&header).unwrap();
        let made = Model::from_decoder(&decoder, family(&header), mix.parse::<Mix>().unwrap());
        let settings = Settings { loading: Loading::Copied, ..Settings::default() };
        let [read, made] = [read, made.unwrap()].map(|model| reserve(&model, &settings).unwrap());
        // Files of Llama 3 also have the factors of its rotary positions.
        let factors = if name.starts_with("llama") { 256 } else { 0 };
        let gap = read.host.weights.get() - made.host.weights.get();
        assert!(gap <= factors, "{name}: {gap} bytes");
        assert_eq!(read.host.compute, made.host.compute, "{name}");
    }
}

fn family(header: &GgufHeader) -> Family {
    match &header.values["general.architecture"].value {
        Value::Text(name) => Family::named(name).unwrap(),
        _ => panic!("no architecture"),
    }
}

/// Settings of every size, on every model and device: an answer or an error, and never less for more.
#[test]
fn extreme_settings_are_answered_or_refused() {
    for entry in fs::read_dir(headers()).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        if !["llama-8b-6", "gemma3-1b", "qwen3moe", "deepseek"]
            .iter()
            .any(|it| name.starts_with(it))
        {
            continue;
        }
        let model = model(&name);
        let mut last = None;
        for context in [1, 257, 5000, 1 << 20, 1 << 30, u64::MAX] {
            for (sequences, layers) in [(1, 0), (3, 2), (256, u64::MAX), (u64::MAX, 1)] {
                let offload = Some(Offload { accelerator: Accelerator::Cuda, layers });
                let settings = Settings { context, sequences, offload, ..Settings::default() };
                let Ok(reservation) = reserve(&model, &settings) else { continue };
                if sequences == 1 {
                    let total = reservation.total();
                    assert!(last.is_none_or(|last| total >= last), "{name} {context}");
                    last = Some(total);
                }
            }
        }
        assert!(last.is_some(), "{name}");
    }
}

#[test]
fn a_file_for_another_graph_is_refused() {
    let bytes = fs::read(headers().join("deepseek2-lite-q4_k_m.gguf")).unwrap();
    let mut header = parse(&bytes, None).unwrap();
    header.tensors.remove("blk.3.attn_k_b.weight");
    let error = Model::from_header(&header).unwrap_err().to_string();
    assert!(error.contains("reads tensor \"blk.3.attn_k_b.weight\""), "{error}");
}

#[test]
fn contradictions_are_named() {
    let model = model("llama-8b-6-layers-q4_k_m");
    let settings = Settings {
        value_type: Dtype::Q8_0,
        flash_attention: FlashAttention::Off,
        ..Settings::default()
    };
    let error = reserve(&model, &settings).unwrap_err().to_string();
    assert_eq!(error, "values cached as q8_0 need flash attention");
    let latent = self::model("deepseek2-lite-q4_k_m");
    let settings = Settings { key_type: Dtype::Q8_0, ..Settings::default() };
    let error = reserve(&latent, &settings).unwrap_err().to_string();
    assert!(error.ends_with("in one type, not as q8_0 and f16"), "{error}");
    let error = reserve(&model, &Settings { sequences: 0, ..Settings::default() }).unwrap_err();
    assert_eq!(error.to_string(), "sequences: 0 is not from 1 to 256");
}
