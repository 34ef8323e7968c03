//! How fast a whole step of training is, by processor time, and how much memory it takes: `cargo run --release -p
//! nearside-models --example training`. A first argument is how many threads compute, a second one names the only model.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program that prints")]

use std::time::Instant;

use nearside_models::train::{AdamW, Batch, Memory, Network, Optimizer, Shape, measured_product};

/// A model, and the windows of a batch.
struct Case {
    name: &'static str,
    shape: Shape,
    windows: usize,
    steps: usize,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().map_or(1, |text| text.parse().unwrap());
    let only = arguments.next();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let is_wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    pool.install(|| {
        if is_wanted("products") {
            products();
        }
        for case in cases().iter().filter(|case| is_wanted(case.name)) {
            steps(case);
        }
    });
}

fn cases() -> [Case; 2] {
    let tiny = Shape::new(1024, 96, 3, 96).unwrap();
    let small = Shape { inner: 1536, ..Shape::new(8192, 512, 8, 256).unwrap() };
    [
        Case { name: "tiny", shape: tiny, windows: 4, steps: 100 },
        Case { name: "small", shape: small, windows: 4, steps: 4 },
    ]
}

/// The three products of a layer.
fn products() {
    for [rows, width, wide] in [
        [384, 96, 256],
        [384, 96, 1024],
        [1024, 128, 352],
        [1024, 512, 1536],
        [1024, 1536, 512],
        [512, 512, 8192],
    ] {
        let operations = 2.0 * (rows * width * wide) as f64;
        let times = (2e10 / operations) as usize + 1;
        let rates = ["x W^T", "dy W", "dy^T x"].map(|which| {
            measured_product(which, [rows, width, wide], 1);
            let start = seconds();
            measured_product(which, [rows, width, wide], times);
            format!("{which} {:.1}", operations * times as f64 / (seconds() - start) / 1e9)
        });
        println!("{rows} x {width} x {wide}: {} GFLOP/s per processor", rates.join(", "));
    }
}

fn steps(case: &Case) {
    let Case { name, shape, windows, steps } = case;
    let (decoder, numerics) = shape.decoder().unwrap();
    let vocabulary = shape.vocabulary as u32;
    let window = |seed: u32| -> Vec<u32> {
        let token = |at: u32| (at.wrapping_mul(7919) ^ (at * at + seed * 31)) % vocabulary;
        (0..=shape.context as u32).map(token).collect()
    };
    let windows: Vec<Vec<u32>> = (0..*windows as u32).map(window).collect();
    let batch = Batch::of_windows(windows.iter().map(Vec::as_slice)).unwrap();
    for memory in [Memory::Kept, Memory::Recomputed] {
        let mut network = Network::fresh(&decoder, &numerics, shape.context, 1).unwrap();
        let mut optimizer = Optimizer::new(AdamW::USUAL);
        let mut step = || {
            let loss = network.learn(&batch, memory).unwrap();
            optimizer.step(network.parameters_mut(), 1e-3);
            loss.mean()
        };
        let first = step();
        let (start, wall) = (seconds(), Instant::now());
        let mut last = first;
        for _ in 0..*steps {
            last = step();
        }
        let (taken, wall) = (seconds() - start, wall.elapsed().as_secs_f64());
        let tokens = (steps * batch.tokens().len()) as f64;
        println!(
            "{name}, {} numbers, {} tokens a step, {memory:?}: {:.0} tokens per processor second, {:.0} per second, \
             {:.1} GFLOP/s; loss {first:.3} to {last:.3}; activations {:.1} MB, weights with gradients and means {:.1} MB, peak {:.1} MB",
            shape.parameters(),
            batch.tokens().len(),
            tokens / taken,
            tokens / wall,
            6.0 * shape.parameters() as f64 * tokens / taken / 1e9,
            network.activation_bytes() as f64 / 1e6,
            (shape.parameters() * 8 + optimizer.bytes()) as f64 / 1e6,
            peak() / 1e6,
        );
    }
}

/// Seconds of processor that this process has used.
fn seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let ticks: f64 =
        after.split_whitespace().skip(11).take(2).map(|text| text.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

/// The most memory that this process had, in bytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}
