//! This program's own engine (`nearside model generate`): how long a prompt and a token take on a processor, and what
//! memory holds meanwhile.
//!
//! ```text
//! token  = (weights / share(format) + cache / share(cache)) / read bandwidth + layers x gap
//! prompt = products / rate(format) + attention / rate + chunks x (weights as of a token)
//! ```
//!
//! A token reads every weight that it uses once, and the keys and values before it. Formats without a kernel are
//! unpacked to numbers for every product: their `weights / share` is never less than `weights / unpacking rate`. A prompt
//! is read in chunks of 512 tokens, for each of which weights are brought and unpacked once.
//!
//! Memory: the file is mapped, so that its pages count as they are read; the cache is as long as the context; the
//! activations of a chunk live at once.
//!
//! Every share and rate stands in [`crate::calibration::OwnEngine`]; runs that were measured on a site replace them for
//! their type of weights. Held to the engine by `nearside model bench`, which prints both.

use nearside_architecture::{Decoder, Dtype, FeedForward, Graph, Mixer, Operator, Shape};
use nearside_units::{Bytes, Duration, Flops, FlopsPerSecond, Sourced, Span};
use nearside_workload::{Recipe, Stored};

use super::llama_cpp::{Family, Mix, Model};
use crate::calibration::OwnEngine;
use crate::observation::decode::{DecodeModel, Decoded};

/// Tokens of a prompt that are read at once.
pub const CHUNK: u64 = 512;
/// Tokens whose keys lie side by side: a cache has room for a multiple of them.
const TOGETHER: u64 = 16;

/// How products take weights of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Blocks of four to six bits, multiplied as whole numbers.
    Blocks,
    /// Blocks of eight bits, the same way.
    Bytes,
    /// Floating-point numbers, multiplied as they are.
    Floats,
    /// Unpacked to numbers for every product.
    Unpacked,
}

impl Format {
    /// How weights of that type are taken.
    #[must_use]
    pub const fn of(dtype: Dtype) -> Self {
        match dtype {
            Dtype::Q4K | Dtype::Q5K | Dtype::Q6K | Dtype::Q4_0 => Self::Blocks,
            Dtype::Q8_0 => Self::Bytes,
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => Self::Floats,
            _ => Self::Unpacked,
        }
    }
}

/// What one prompt and its answer ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sequence {
    /// The type of most weights.
    pub dtype: Dtype,
    /// Weights that a token reads.
    pub weights: Bytes,
    /// How many they are.
    pub elements: u64,
    /// Keys and values that a token reads, of half of what is written.
    pub cache: Bytes,
    /// Layers, one after another.
    pub layers: u32,
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens that are written.
    pub written: u64,
    /// Products of the whole prompt with weights.
    pub products: Flops,
    /// Arithmetic of its attention.
    pub attention: Flops,
}

/// How long both parts of answering take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phases {
    /// Reading the whole prompt.
    pub prompt: Span<Duration>,
    /// Writing one token.
    pub token: Span<Duration>,
}

/// Memory of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// All weights of the file.
    pub weights: Bytes,
    /// Keys and values of the whole context.
    pub cache: Bytes,
    /// Activations of a chunk.
    pub activations: Bytes,
    /// Scores of the next token.
    pub scores: Bytes,
}

/// Whether the engine computes it: attention and feed-forward in every layer.
#[must_use]
pub fn computes(decoder: &Decoder) -> bool {
    decoder.layers.iter().all(|layer| {
        matches!(layer.mixer, Mixer::Grouped(_))
            && !matches!(layer.feed_forward, FeedForward::Absent)
    })
}

impl Sequence {
    /// What a prompt and an answer of so many tokens ask for.
    #[must_use]
    pub fn of(
        decoder: &Decoder,
        recipe: &Recipe,
        stored: Option<Stored>,
        [prompt, written]: [u64; 2],
    ) -> Self {
        // Two graphs: the first says what the prompt asks for, the second what there is when half is written.
        let graph = Graph::of(decoder, Shape::prompt(1, prompt.max(1)));
        let next = Graph::of(decoder, Shape::next_token(1, prompt + written / 2));
        let arithmetic = |of_attention: bool| {
            let nodes = graph.nodes.iter();
            let counts = |operator: &Operator| match of_attention {
                true => matches!(operator, Operator::Attention(_)),
                false => matches!(operator, Operator::Linear(_) | Operator::ExpertLinear { .. }),
            };
            let nodes = nodes.filter(|node| counts(&node.operator));
            nodes.map(|node| graph.flops(node)).fold(Flops::ZERO, |sum, flops| sum + flops)
        };
        let weights = Weights::of(decoder, &graph, recipe, stored);
        Self {
            dtype: stored.map_or(recipe.weights, |stored| stored.dtype),
            weights: weights.read,
            elements: weights.elements,
            cache: recipe.cache.bytes(next.cached_elements(prompt + written / 2)),
            layers: u32::try_from(decoder.layers.len()).unwrap_or(u32::MAX),
            prompt,
            written,
            products: arithmetic(false),
            attention: arithmetic(true),
        }
    }

    /// What a token reads, as if all of it came at the full bandwidth: what comes at a share of it counts for more.
    #[must_use]
    pub fn read(&self, own: &OwnEngine) -> Bytes {
        let counted = |bytes: Bytes, share: &Sourced<Span<f64>>| {
            bytes.get() as f64 / share.value.likely().max(f64::EPSILON)
        };
        let weights = counted(self.weights, own.share(Format::of(self.dtype)));
        Bytes::new((weights + counted(self.cache, &own.cache_share)) as u64)
    }

    /// A written token as an observation, when it took so long.
    #[must_use]
    pub fn observed(&self, own: &OwnEngine, time: Duration) -> Decoded {
        Decoded { read: self.read(own), gaps: self.layers, time }
    }

    /// How long writing a token takes, where so many weights per second are unpacked, if they have to be.
    #[must_use]
    pub fn token(
        &self,
        decode: &DecodeModel,
        own: &OwnEngine,
        unpacking: Option<Span<f64>>,
    ) -> Span<Duration> {
        let token = decode.time(self.read(own), self.layers);
        let Some(rate) = unpacking else { return token };
        let unpacking = Span::exact(self.elements as f64)
            .combine_inverse(rate, |elements, rate| seconds(elements / rate));
        token.combine(unpacking, Duration::max)
    }

    /// How long reading the prompt takes: its arithmetic, and the weights of a token for every chunk.
    #[must_use]
    pub fn prompt(
        &self,
        token: Span<Duration>,
        products: Span<FlopsPerSecond>,
        attention: Span<FlopsPerSecond>,
    ) -> Span<Duration> {
        let chunks = self.prompt.div_ceil(CHUNK) as f64;
        let over = |flops: Flops, rate: Span<FlopsPerSecond>| {
            Span::exact(flops).combine_inverse(rate, |flops, rate| flops / rate)
        };
        over(self.products, products)
            + over(self.attention, attention)
            + token.map(|token| token * chunks)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_seconds(seconds).unwrap_or(Duration::ZERO)
}

/// Weights of a model.
struct Weights {
    /// All of them.
    all: Bytes,
    /// Those that a token reads.
    read: Bytes,
    elements: u64,
}

impl Weights {
    /// As the file has them; else as llama.cpp's quantizer makes them; else all in one type.
    fn of(decoder: &Decoder, graph: &Graph, recipe: &Recipe, stored: Option<Stored>) -> Self {
        let table = decoder.vocabulary.saturating_mul(decoder.hidden);
        let looked_up = if decoder.tied_embeddings { 0 } else { table };
        // The row of the table that a token looks up is no product.
        let shared = if decoder.tied_embeddings { table } else { 0 };
        let elements = (graph.active_parameter_count() + shared).saturating_sub(decoder.hidden);
        let all_elements = graph.parameter_count();
        let stored = stored.filter(|stored| stored.dtype == recipe.weights);
        if let Some(Stored { bytes, looked_up: table, .. }) = stored {
            let others = bytes.saturating_sub(table);
            let share = elements as f64 / all_elements.saturating_sub(looked_up).max(1) as f64;
            return Self { all: bytes, read: others.scaled(share.min(1.0)), elements };
        }
        let mixed = Mix::of(recipe.weights)
            .and_then(|mix| Model::from_decoder(decoder, Family::of(decoder), mix).ok());
        match mixed {
            Some(model) => Self { all: model.bytes(), read: model.traffic().bytes, elements },
            None => Self {
                all: recipe.weights.bytes(all_elements),
                read: recipe.weights.bytes(elements),
                elements,
            },
        }
    }
}

impl Held {
    /// What answering so many tokens with a context of so many holds.
    #[must_use]
    pub fn of(
        decoder: &Decoder,
        recipe: &Recipe,
        stored: Option<Stored>,
        [prompt, context]: [u64; 2],
    ) -> Self {
        let graph = Graph::of(decoder, Shape::prompt(1, 1));
        let chunk = prompt.clamp(1, CHUNK);
        let places = context.checked_next_multiple_of(TOGETHER).unwrap_or(context);
        Self {
            weights: Weights::of(decoder, &graph, recipe, stored).all,
            cache: recipe.cache.bytes(kept(decoder).saturating_mul(places)),
            activations: activations(decoder) * chunk,
            scores: Dtype::F32.bytes(decoder.vocabulary),
        }
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> Bytes {
        [self.weights, self.cache, self.activations, self.scores].into_iter().sum()
    }
}

/// Keys and values of a token, of layers with a window as of the others.
fn kept(decoder: &Decoder) -> u64 {
    let of_layer = |mixer: &Mixer| match mixer {
        Mixer::Grouped(attention) => 2 * attention.key_value_heads * attention.head_dim,
        _ => 0,
    };
    decoder.layers.iter().map(|layer| of_layer(&layer.mixer)).sum()
}

/// Activations of a token: three rows as wide as the stream, queries, keys, values and what attention makes of them,
/// what is inside of the feed-forward network twice, and once more as bytes with a scale for each 32 of them.
fn activations(decoder: &Decoder) -> Bytes {
    let widest = |width: fn(&nearside_architecture::Layer) -> u64| {
        decoder.layers.iter().map(width).max().unwrap_or(0)
    };
    let attention = widest(|layer| match &layer.mixer {
        Mixer::Grouped(of) => 2 * (of.heads + of.key_value_heads) * of.head_dim,
        _ => 0,
    });
    let inside = widest(|layer| match &layer.feed_forward {
        FeedForward::Dense(dense) => dense.intermediate,
        FeedForward::Experts(experts) => experts.expert.intermediate * experts.active,
        FeedForward::Absent => 0,
    });
    let numbers = 3 * decoder.hidden + attention + 2 * inside;
    Dtype::F32.bytes(numbers) + Dtype::Q8_0.bytes(inside.max(decoder.hidden))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_architecture::Architecture;
    use nearside_catalog::Catalog;

    fn decoder(name: &str) -> Decoder {
        let model = Catalog::builtin().unwrap().model(name).unwrap().architecture().unwrap();
        let Architecture::Decoder(decoder) = model else { panic!("{name} is no decoder") };
        decoder
    }

    fn recipe(weights: Dtype) -> Recipe {
        Recipe { weights, ..Recipe::default() }
    }

    #[test]
    fn a_token_reads_all_weights_but_those_that_are_looked_up() {
        let elements = |decoder: &Decoder| {
            let sequence = Sequence::of(decoder, &recipe(Dtype::F16), None, [1, 1]);
            // Norms are 32-bit numbers, which is next to nothing.
            let read = sequence.weights.get() as f64 / 2.0 / sequence.elements as f64;
            assert!((read - 1.0).abs() < 1e-3, "{read}");
            sequence.elements
        };
        // 8.03 billion, of which the table of words has 128,256 rows of 4096.
        assert_eq!(elements(&decoder("llama-3.1-8b")), 8_030_261_248 - 128_256 * 4096);
        // The smaller one shares the table with its output: all of it is read.
        assert_eq!(elements(&decoder("llama-3.2-1b")), 1_235_814_400);
    }

    #[test]
    fn a_token_of_a_mixture_reads_the_experts_that_it_uses() {
        let mixture = decoder("mixtral-8x7b");
        let sequence = Sequence::of(&mixture, &recipe(Dtype::F16), None, [1, 1]);
        let read = sequence.weights.get() as f64 / 2.0;
        assert!((read / 12.75e9 - 1.0).abs() < 0.01, "{read}");
        let held = Held::of(&mixture, &recipe(Dtype::F16), None, [1, 16]);
        assert!((held.weights.get() as f64 / 2.0 / 46.7e9 - 1.0).abs() < 0.01, "{held:?}");
    }

    #[test]
    fn the_bytes_of_a_file_are_those_that_are_read() {
        let llama = decoder("llama-3.1-8b");
        let looked_up = Bytes::new(430_000_000);
        let stored = Stored { dtype: Dtype::Q4K, bytes: Bytes::new(4_920_000_000), looked_up };
        let recipe = recipe(Dtype::Q4K);
        let read = Sequence::of(&llama, &recipe, Some(stored), [1, 1]).weights;
        let expected = stored.bytes.saturating_sub(looked_up).get();
        assert!(read.get().abs_diff(expected) < 100_000, "{read:?} {expected}");
        // What the quantizer of llama.cpp makes is about the same.
        let mixed = Sequence::of(&llama, &recipe, None, [1, 1]).weights.get() as f64;
        assert!((mixed / read.get() as f64 - 1.0).abs() < 0.03, "{mixed}");
    }

    #[test]
    fn keys_and_values_are_kept_in_half_precision_for_the_whole_context() {
        let llama = decoder("llama-3.2-1b");
        let held = Held::of(&llama, &recipe(Dtype::Q8_0), None, [512, 570]);
        // 16 layers, 8 heads of 64, keys and values, 2 bytes, for the next multiple of 16 tokens.
        assert_eq!(held.cache, Bytes::new(16 * 8 * 64 * 2 * 2 * 576));
        let longer = Held::of(&llama, &recipe(Dtype::Q8_0), None, [4096, 570]);
        assert_eq!(longer.activations, held.activations, "no more than a chunk at once");
    }

    #[test]
    fn a_prompt_takes_its_arithmetic_and_the_weights_once_a_chunk() {
        let llama = decoder("llama-3.2-1b");
        let time = |prompt: u64| {
            let sequence = Sequence::of(&llama, &recipe(Dtype::Q8_0), None, [prompt, 1]);
            let token = Span::exact(Duration::constant(0.1));
            let rate = Span::exact(FlopsPerSecond::constant(1e12));
            sequence.prompt(token, rate, rate).likely().as_seconds()
        };
        // 0.973e9 weights of layers for each token, twice; scores of the last token only.
        assert!((time(512) - 0.1 - 512.0 * 2.0 * 0.973e9 / 1e12).abs() < 0.04, "{}", time(512));
        assert!((time(1) - 0.1).abs() < 0.01, "{}", time(1));
        assert!(time(1024) > 2.0 * time(512), "attention grows with the square");
    }
}
