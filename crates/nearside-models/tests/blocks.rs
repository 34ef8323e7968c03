//! Blocks, held bit by bit to what ggml makes of the same floats and reads out of the same bytes; `cargo xtask parity`
//! makes its answers anew.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::time::Instant;

use nearside_architecture::Dtype;
use nearside_models::block::{
    BlockError, check, dequantize, is_read, is_written, needs_importance, quantize,
};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The same numbers as in `bench/parity/blocks.py`.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 40
    }

    fn normal(&mut self) -> f64 {
        let four: u64 = (0..4).map(|_| self.next()).sum();
        (four as f64 - 2f64.powi(25)) / 2f64.powi(24)
    }

    fn value(&mut self, values: &str) -> f32 {
        let drawn = self.normal();
        let one_in = self.next() >> 18;
        let value = match values {
            "normal" => drawn,
            "large" => drawn * 2f64.powi(12),
            "huge" => drawn * 2f64.powi(104),
            "small" => drawn * 2f64.powi(-8),
            "tiny" => drawn * 2f64.powi(-30),
            "vanishing" => drawn * 2f64.powi(-140),
            "zeros" => 0.0,
            "constant" => 0.375,
            "positive" => drawn.abs() + 0.5,
            "negative" => -drawn.abs(),
            "sparse" => {
                if one_in < 3 {
                    drawn
                } else {
                    0.0
                }
            }
            "outliers" => drawn * if one_in == 0 { 32.0 } else { 0.031_25 },
            // "few"
            _ => (one_in as f64 % 5.0 - 2.0) / 4.0,
        };
        value as f32
    }

    fn weight(&mut self, kind: &str, column: usize) -> f32 {
        let drawn = (self.next() + 1) as f64 / 2f64.powi(24);
        let weight = match kind {
            "spread" => drawn * drawn * 16.0,
            _ if column.is_multiple_of(3) => 0.0,
            _ => drawn,
        };
        weight as f32
    }
}

fn cases(kind: &str) -> Vec<Value> {
    let lines = include_str!("blocks.jsonl").lines();
    let cases = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    cases.filter(|case| case["kind"] == kind).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..16])
}

fn digest_of(values: &[f32]) -> String {
    let quiet = |value: &f32| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
    digest(&values.iter().flat_map(|value| quiet(value).to_le_bytes()).collect::<Vec<_>>())
}

fn read(dtype: Dtype, bytes: &[u8], elements: usize) -> Vec<f32> {
    let mut values = vec![0.0; elements];
    dequantize(dtype, bytes, &mut values).unwrap();
    values
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn dtype(case: &Value) -> Dtype {
    text(case, "dtype").parse().unwrap()
}

/// What is not as ggml has it.
fn written_otherwise(case: &Value) -> Option<String> {
    let dtype = dtype(case);
    let (rows, columns) = (number(&case["shape"][0]), number(&case["shape"][1]));
    let mut draw = Draw(case["seed"].as_u64().unwrap());
    let values: Vec<f32> = (0..rows * columns).map(|_| draw.value(text(case, "values"))).collect();
    let importance: Option<Vec<f32>> = case["importance"]
        .as_str()
        .map(|kind| (0..columns).map(|column| draw.weight(kind, column)).collect());
    let bytes = quantize(dtype, &values, importance.as_deref(), columns).unwrap();
    if digest(&bytes) != text(case, "sha256") {
        return Some(format!("{case}: begins {}", hex(&bytes[..16])));
    }
    let read = digest_of(&read(dtype, &bytes, values.len()));
    (read != text(case, "read")).then(|| format!("{case}: reads back otherwise"))
}

#[test]
fn what_ggml_writes_is_written_bit_by_bit() {
    let cases = cases("write");
    let otherwise: Vec<_> = cases.iter().filter_map(written_otherwise).collect();
    assert!(
        otherwise.is_empty(),
        "{} of {}:\n{}",
        otherwise.len(),
        cases.len(),
        otherwise.join("\n")
    );
    let written = Dtype::all().filter(|dtype| is_written(*dtype) && *dtype != Dtype::F32);
    for format in written {
        assert!(cases.iter().any(|case| dtype(case) == format), "no case of {format}");
    }
}

#[test]
fn what_ggml_reads_out_of_any_bytes_is_read_bit_by_bit() {
    let cases = cases("read");
    for case in &cases {
        let (dtype, blocks) = (dtype(case), number(&case["blocks"]));
        let mut draw = Draw(case["seed"].as_u64().unwrap());
        let (elements, size) = dtype.block();
        let bytes: Vec<u8> =
            (0..blocks * size as usize).map(|_| (draw.next() >> 16) as u8).collect();
        let values = read(dtype, &bytes, blocks * elements as usize);
        assert_eq!(digest_of(&values), text(case, "read"), "{case}");
    }
    let exact = [Dtype::F64, Dtype::F32, Dtype::I64, Dtype::I32, Dtype::I16, Dtype::I8];
    for format in Dtype::all().filter(|dtype| is_read(*dtype) && !exact.contains(dtype)) {
        assert!(cases.iter().any(|case| dtype(case) == format), "no case of {format}");
    }
}

#[test]
fn numbers_that_stand_alone_are_read_exactly() {
    let bytes = [1.5f64.to_le_bytes(), (-0.1f64).to_le_bytes()].concat();
    assert_eq!(read(Dtype::F64, &bytes, 2), [1.5, -0.1]);
    assert_eq!(read(Dtype::I64, &(-7i64).to_le_bytes(), 1), [-7.0]);
    assert_eq!(read(Dtype::I32, &70_000i32.to_le_bytes(), 1), [70_000.0]);
    assert_eq!(read(Dtype::I16, &(-300i16).to_le_bytes(), 1), [-300.0]);
    assert_eq!(read(Dtype::I8, &[0xff, 0x7f], 2), [-1.0, 127.0]);
    let floats = [0.1f32, f32::MIN_POSITIVE, -3e38];
    assert_eq!(read(Dtype::F32, &quantize(Dtype::F32, &floats, None, 3).unwrap(), 3), floats);
}

#[test]
fn what_cannot_be_stored_is_told() {
    let mut values = vec![1.0; 768];
    values[300] = f32::INFINITY;
    let error = quantize(Dtype::Q4K, &values, None, 256).unwrap_err();
    assert_eq!(error.to_string(), "element 300 is inf, numbers in blocks have to be finite");
    values[300] = f32::NAN;
    assert!(quantize(Dtype::F16, &values, None, 256).unwrap_err().to_string().contains("is NaN"));
    values[300] = 0.0;
    let tell = |dtype, importance: Option<&[f32]>, row| {
        quantize(dtype, &values, importance, row).unwrap_err().to_string()
    };
    assert!(
        tell(Dtype::Q4K, None, 384)
            .contains("384 values are no whole number of q4_k blocks of 256")
    );
    assert!(tell(Dtype::Q4_0, None, 32 * 7).contains("no whole number of rows of 224"));
    assert!(tell(Dtype::Q4_0, None, 0).contains("rows of 0"));
    assert!(tell(Dtype::Iq1S, None, 256).contains("is read but not written"));
    assert!(tell(Dtype::Iq2Xxs, None, 256).contains("only with weights"));
    assert!(tell(Dtype::Q4K, Some(&[1.0; 255]), 256).contains("255 weights"));
    let mut weights = [1.0; 256];
    weights[9] = -1.0;
    assert!(tell(Dtype::Q4K, Some(&weights), 256).contains("column 9 is -1"));
    let short = dequantize(Dtype::Q8_0, &[0; 33], &mut [0.0; 32]);
    assert_eq!(short, Err(BlockError::Bytes { dtype: Dtype::Q8_0, expected: 34, found: 33 }));
    assert!(dequantize(Dtype::Nf4, &[0; 36], &mut [0.0; 64]).is_err());
}

#[test]
fn a_scale_that_is_too_large_is_found() {
    let mut values = vec![1.0; 1 << 17];
    values[100_001] = 1e30;
    for dtype in [Dtype::Q8_0, Dtype::Q4_0, Dtype::F16] {
        let bytes = quantize(dtype, &values, None, 256).unwrap();
        let error = check(dtype, &bytes).unwrap_err().to_string();
        let first = if dtype == Dtype::F16 { 100_001 } else { 100_000 };
        assert!(error.starts_with(&format!("element {first} is ")), "{dtype}: {error}");
        let before = bytes.len() / 2;
        assert_eq!(check(dtype, &bytes[..before]), Ok(()));
        assert!(check(dtype, &bytes[..1]).is_err());
    }
    assert!(check(Dtype::Nf4Double, &[0; 9000]).is_err());
}

#[test]
fn a_group_of_zeros_leaves_the_others_where_they_are() {
    let mut draw = Draw(3);
    let mut values: Vec<f32> = (0..256).map(|_| draw.value("normal")).collect();
    values[32..64].fill(0.0);
    for dtype in Dtype::all().filter(|dtype| is_written(*dtype)) {
        let back = read(dtype, &quantize(dtype, &values, Some(&[1.0; 256]), 256).unwrap(), 256);
        let products = values.iter().zip(&back).map(|(value, back)| value * back).sum::<f32>();
        let squares = |values: &[f32]| values.iter().map(|value| value * value).sum::<f32>();
        let alike = products / (squares(&values) * squares(&back)).sqrt();
        assert!(alike > 0.75, "{dtype}: {alike}");
    }
}

#[test]
fn a_matrix_on_many_threads_is_its_rows() {
    let mut draw = Draw(7);
    let values: Vec<f32> = (0..300 * 512).map(|_| draw.value("normal")).collect();
    let whole = quantize(Dtype::Q5K, &values, None, 512).unwrap();
    let rows = values.chunks(512).map(|row| quantize(Dtype::Q5K, row, None, 512).unwrap());
    assert_eq!(whole, rows.collect::<Vec<_>>().concat());
    let parts = whole.chunks(176).flat_map(|block| read(Dtype::Q5K, block, 256));
    assert_eq!(read(Dtype::Q5K, &whole, values.len()), parts.collect::<Vec<_>>());
}

#[test]
#[ignore = "measures: RAYON_NUM_THREADS=1 cargo test --release -p nearside-models --test blocks -- --ignored --nocapture"]
fn speed() {
    let mut draw = Draw(1);
    let values: Vec<f32> = (0..64 * 4096).map(|_| draw.value("normal")).collect();
    let weights: Vec<f32> = (0..4096).map(|column| draw.weight("spread", column)).collect();
    let millions = |run: &mut dyn FnMut()| {
        let times = (0..20).map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        });
        values.len() as f64 / 1e6 / times.fold(f64::MAX, f64::min)
    };
    println!("millions of parameters per second: written, written with weights, read");
    for dtype in Dtype::all().filter(|dtype| is_written(*dtype)) {
        let bytes = quantize(dtype, &values, Some(&weights), 4096).unwrap();
        let mut back = vec![0.0; values.len()];
        let plain = match needs_importance(dtype) {
            true => f64::NAN,
            false => millions(&mut || drop(quantize(dtype, &values, None, 4096))),
        };
        let weighted =
            millions(&mut || drop(quantize(dtype, &values, Some(&weights), 4096).unwrap()));
        let read = millions(&mut || dequantize(dtype, &bytes, &mut back).unwrap());
        println!("{dtype:8} {plain:8.1} {weighted:8.1} {read:8.1}");
    }
}

/// How far a value is from what is read back, in parts of the greatest distance from 0.
fn error(dtype: Dtype, values: &[f32]) -> f32 {
    let back = read(dtype, &quantize(dtype, values, None, values.len()).unwrap(), values.len());
    values.iter().zip(&back).map(|(value, back)| (value - back).abs()).fold(0.0, f32::max)
}

proptest! {
    #[test]
    fn a_value_is_within_half_a_step(values in prop::collection::vec(-100f32..100.0, 64)) {
        let far = |values: &[f32]| values.iter().fold(0.0f32, |far, value| far.max(value.abs()));
        for block in values.chunks(32) {
            let (far, least) = (far(block), block.iter().copied().fold(f32::MAX, f32::min));
            let span = block.iter().copied().fold(f32::MIN, f32::max) - least;
            // A scale is rounded to 11 bits, and multiplied by up to the greatest level; a minimum as well.
            let rounding = far / 1024.0;
            let half = |steps: f32| 0.5 / steps + 1.0 / 1024.0;
            prop_assert!(error(Dtype::Q8_0, block) <= far * half(127.0));
            // The lowest level is the farthest value; at the other end the last step is lost.
            prop_assert!(error(Dtype::Q4_0, block) <= far * 1.01 / 8.0 + rounding);
            prop_assert!(error(Dtype::Q5_0, block) <= far * 1.01 / 16.0 + rounding);
            prop_assert!(error(Dtype::Q4_1, block) <= span * half(15.0) + rounding);
            prop_assert!(error(Dtype::Q5_1, block) <= span * half(31.0) + rounding);
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 292 * 2)) {
        for dtype in Dtype::all().filter(|dtype| is_read(*dtype)) {
            let (elements, size) = dtype.block();
            let blocks = bytes.len() / size as usize;
            let mut values = vec![0.0; blocks * elements as usize];
            prop_assert!(dequantize(dtype, &bytes[..blocks * size as usize], &mut values).is_ok());
        }
    }

    #[test]
    fn any_finite_floats_are_written(bits in prop::collection::vec(any::<u32>(), 256)) {
        let finite = |bits| Some(f32::from_bits(bits)).filter(|value| value.is_finite());
        let values: Vec<f32> = bits.into_iter().map(|bits| finite(bits).unwrap_or(0.0)).collect();
        let weights: Vec<f32> = values.iter().map(|value| value.abs()).collect();
        for dtype in Dtype::all().filter(|dtype| is_written(*dtype)) {
            let without = quantize(dtype, &values, None, 256);
            prop_assert_eq!(without.is_err(), needs_importance(dtype));
            prop_assert!(quantize(dtype, &values, Some(&weights), 256).is_ok());
        }
    }
}
