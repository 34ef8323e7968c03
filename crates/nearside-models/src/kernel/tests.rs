//! The kernels against the numbers that the formats stand for, and against each other.
#![allow(clippy::unwrap_used, reason = "tests")]

use nearside_architecture::Dtype;
use proptest::prelude::*;

use super::lanes::CHOSEN;
use super::*;
use crate::block;

/// Formats with a kernel, and two without.
const DTYPES: [Dtype; 10] = [
    Dtype::Q4K,
    Dtype::Q5K,
    Dtype::Q6K,
    Dtype::Q8_0,
    Dtype::Q4_0,
    Dtype::Bf16,
    Dtype::F16,
    Dtype::F32,
    Dtype::Q3K,
    Dtype::Q5_1,
];

/// A matrix of weights and what it is multiplied with.
#[derive(Clone, Debug)]
struct Case {
    dtype: Dtype,
    rows: usize,
    width: usize,
    bytes: Vec<u8>,
    values: Vec<f32>,
}

impl Case {
    fn new(dtype: Dtype, rows: usize, blocks: usize, inputs: usize, seed: u64) -> Self {
        let per_block = dtype.block().0 as usize;
        let width = if per_block == 1 { 8 * blocks } else { per_block * blocks };
        let mut random = seed;
        let mut uniform = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let weights: Vec<f32> = (0..rows * width).map(|_| uniform() * uniform()).collect();
        let values = (0..inputs * width).map(|_| 3.0 * uniform() * uniform()).collect();
        let bytes = block::quantize(dtype, &weights, None, width).unwrap();
        Self { dtype, rows, width, bytes, values }
    }

    fn weights(&self) -> Weights<'_> {
        let Self { dtype, rows, width, bytes, .. } = self;
        Weights { dtype: *dtype, rows: *rows, width: *width, bytes }
    }

    fn inputs(&self) -> usize {
        self.values.len() / self.width
    }

    fn products(&self, instructions: Instructions) -> Vec<f32> {
        CHOSEN.set(instructions);
        let mut products = vec![f32::NAN; self.rows * self.inputs()];
        let input = Input::new(&self.values, self.width);
        multiply(&[self.weights()], &input, &mut [&mut products]).unwrap();
        products
    }

    /// Products of the numbers that the bytes stand for, and the sum of the products' sizes.
    fn exactly(&self) -> Vec<(f64, f64)> {
        let mut weights = vec![0.0; self.rows * self.width];
        block::dequantize(self.dtype, &self.bytes, &mut weights).unwrap();
        let pairs = self.values.chunks_exact(self.width).flat_map(|values| {
            weights.chunks_exact(self.width).map(move |weights| (values, weights))
        });
        let product = |(values, weights): (&[f32], &[f32])| {
            values.iter().zip(weights).fold((0.0, 0.0), |(sum, size), (value, weight)| {
                let product = f64::from(*value) * f64::from(*weight);
                (sum + product, size + product.abs())
            })
        };
        pairs.map(product).collect()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (0..DTYPES.len(), 1_usize..40, 1_usize..6, 1_usize..20, any::<u64>());
    sizes.prop_map(|(dtype, rows, blocks, inputs, seed)| {
        Case::new(DTYPES[dtype], rows, blocks, inputs, seed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_set_of_instructions_gives_the_same_bits(case in cases()) {
        let plain = case.products(Instructions::Plain);
        for instructions in [Instructions::Avx2, Instructions::Avx512] {
            if instructions.are_here() {
                let bits = |products: Vec<f32>| products.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                prop_assert_eq!(bits(case.products(instructions)), bits(plain.clone()));
            }
        }
    }

    #[test]
    fn products_are_those_of_the_numbers_that_the_bytes_stand_for(case in cases()) {
        // Activations have 8 bits where weights have a kernel for it: half a step of 1/127 of the largest of 32.
        let exact = matches!(case.dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::Q3K | Dtype::Q5_1);
        let tolerance = if exact { 1e-5 } else { 0.012 };
        for (product, (sum, size)) in case.products(Instructions::detected()).iter().zip(case.exactly()) {
            prop_assert!((f64::from(*product) - sum).abs() <= tolerance * size, "{product} {sum} {size}");
        }
    }
}

#[test]
fn what_is_no_number_stops_nothing() {
    for value in [f32::NAN, f32::INFINITY, f32::MAX, -f32::MAX, f32::MIN_POSITIVE] {
        for dtype in DTYPES {
            for inputs in [1, 9] {
                let mut case = Case::new(dtype, 3, 2, inputs, 1);
                case.values[1] = value;
                case.products(Instructions::detected());
                case.products(Instructions::Plain);
            }
        }
    }
}

#[test]
fn several_matrices_are_multiplied_at_once() {
    let cases = [Dtype::Q4K, Dtype::Q8_0, Dtype::F32].map(|dtype| {
        let blocks = if dtype == Dtype::F32 { 64 } else { 512 / dtype.block().0 as usize };
        Case::new(dtype, 700, blocks, 5, 7)
    });
    let input = Input::new(&cases[0].values, 512);
    let mut products = [(); 3].map(|()| vec![0.0; 3500]);
    let mut places = products.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>();
    let weights: Vec<_> = cases.iter().map(Case::weights).collect();
    multiply(&weights, &input, &mut places).unwrap();
    for (case, products) in cases.iter().zip(&products) {
        let same = Case { values: cases[0].values.clone(), ..case.clone() };
        assert_eq!(&same.products(Instructions::detected()), products);
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let case = Case::new(Dtype::Q4K, 3, 2, 1, 1);
    let mut place = [0.0; 3];
    let told = |weights: Weights<'_>, values: &[f32], place: &mut [f32]| {
        multiply(&[weights], &Input::new(values, values.len()), &mut [place])
            .unwrap_err()
            .to_string()
    };
    let weights = case.weights();
    assert_eq!(
        told(weights, &[0.0; 256], &mut place),
        "weights of q4_k are 512 wide, what they are multiplied with 256"
    );
    let short = Weights { bytes: &case.bytes[1..], ..weights };
    assert_eq!(told(short, &case.values, &mut place), "3 rows of 512 q4_k do not take 863 bytes");
    assert_eq!(
        told(weights, &case.values, &mut place[1..]),
        "products of 3 rows with 1 do not take 2 places"
    );
}
