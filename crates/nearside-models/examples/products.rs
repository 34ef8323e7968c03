//! How fast products with weights are, for each format, by processor time: `cargo run --release -p nearside-models
//! --example products`. A first argument is how many rows a matrix has; the second one says whether it
//! stays in the caches (`cached`, `memory`), the third one names the only format. Beside the rate per second of
//! processor stands that of the clock, all threads together.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program that prints")]

use std::time::Instant;

use nearside_architecture::Dtype;
use nearside_models::block::quantize;
use nearside_models::kernel::{Input, Instructions, Weights, multiply};

const WIDTH: usize = 2048;
const DTYPES: [Dtype; 15] = [
    Dtype::Q4K,
    Dtype::Q5K,
    Dtype::Q6K,
    Dtype::Q8_0,
    Dtype::Q4_0,
    Dtype::Bf16,
    Dtype::F16,
    Dtype::F32,
    Dtype::Q2K,
    Dtype::Q3K,
    Dtype::Q5_0,
    Dtype::Iq4Nl,
    Dtype::Iq4Xs,
    Dtype::Iq3S,
    Dtype::Iq2S,
];
/// From here on they have no kernel of their own.
const WITH_KERNELS: usize = 8;
/// Rows that are made, and repeated.
const MADE: usize = 16;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows: usize = arguments.next().map_or(8192, |text| text.parse().unwrap());
    let cached = arguments.next().is_some_and(|text| text == "cached");
    let only = arguments.next();
    println!("{} on {} threads", Instructions::detected(), rayon::current_num_threads());
    for dtype in DTYPES {
        if only.as_ref().is_some_and(|only| *only != dtype.to_string()) {
            continue;
        }
        let has_kernel = DTYPES[..WITH_KERNELS].contains(&dtype);
        let bytes = if has_kernel { stored(dtype, rows) } else { quantized(dtype, rows) };
        // More than caches hold.
        let copies = if cached { 1 } else { (768 << 20) / bytes.len() };
        let matrices = vec![bytes; copies];
        for inputs in [1, 4, 7, 8, 16, 512] {
            let values: Vec<f32> =
                (0..WIDTH * inputs).map(|at| (at * 13 % 101) as f32 / 50.0 - 1.0).collect();
            let all = if has_kernel { 1 << 30 } else { 1 << 28 };
            let times = if inputs == 512 { 6 } else { all / matrices[0].len() / inputs };
            let times = times.max(2);
            let mut products = vec![0.0; rows * inputs];
            let (start, clock) = (seconds(), Instant::now());
            for bytes in matrices.iter().cycle().take(times) {
                let weights = Weights { dtype, rows, width: WIDTH, bytes };
                multiply(&[weights], &Input::new(&values, WIDTH), &mut [&mut products]).unwrap();
                std::hint::black_box(&products);
            }
            let (taken, clock) = (seconds() - start, clock.elapsed().as_secs_f64());
            let read = (matrices[0].len() * times) as f64 / 1e9;
            let operations = 2.0 * (rows * WIDTH * inputs * times) as f64 / 1e9;
            println!(
                "{dtype:>6} x {inputs:>3}: {:7.2} GB/s {:7.1} GFLOP/s; by the clock {:7.2} GB/s {:7.1} GFLOP/s",
                read / taken,
                operations / taken,
                read / clock,
                operations / clock
            );
        }
    }
}

/// Rows of weights about as large as those of models.
fn stored(dtype: Dtype, rows: usize) -> Vec<u8> {
    let (per_block, block_bytes) = dtype.block();
    let size = rows * WIDTH / per_block as usize * block_bytes as usize;
    let mut random = 1_u32;
    let mut bytes: Vec<u8> = (0..size)
        .map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        })
        .collect();
    // Numbers from 0.004 to 0.03, and scales of that size.
    let (every, places, number): (_, &[usize], &[u8]) = match dtype {
        Dtype::Q6K => (210, &[208], &[0x00, 0x20]),
        Dtype::Q4K | Dtype::Q5K => (block_bytes as usize, &[0, 2], &[0x00, 0x20]),
        Dtype::Q8_0 | Dtype::Q4_0 => (block_bytes as usize, &[0], &[0x00, 0x20]),
        Dtype::F32 => (4, &[2], &[0xa0, 0x3c]),
        Dtype::Bf16 => (2, &[0], &[0xa0, 0x3c]),
        _ => (2, &[0], &[0x00, 0x20]),
    };
    for block in bytes.chunks_exact_mut(every) {
        for place in places {
            block[*place..place + 2].copy_from_slice(number);
        }
    }
    bytes
}

/// Rows of weights that are quantized, the same ones again and again.
fn quantized(dtype: Dtype, rows: usize) -> Vec<u8> {
    let mut random = 1_u32;
    let values: Vec<f32> = (0..MADE * WIDTH)
        .map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((random >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.03
        })
        .collect();
    let importance = vec![1.0; WIDTH];
    quantize(dtype, &values, Some(&importance), WIDTH).unwrap().repeat(rows / MADE)
}

/// Processor time of all threads, in seconds.
fn seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
