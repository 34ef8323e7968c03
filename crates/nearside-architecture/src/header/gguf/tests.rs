//! Files written byte by byte, whole and broken.

use super::*;
use crate::{FeedForward, Mixer};

/// Writes GGUF files for tests.
#[derive(Clone, Default)]
pub(in crate::header) struct Writer {
    keys: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    data: u64,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl Writer {
    pub(in crate::header) fn key(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.keys.push([&text(key)[..], &kind.to_le_bytes(), value].concat());
        self
    }

    pub(in crate::header) fn number(self, key: &str, value: u32) -> Self {
        self.key(key, 4, &value.to_le_bytes())
    }

    pub(in crate::header) fn text(self, key: &str, value: &str) -> Self {
        self.key(key, 8, &text(value))
    }

    fn at(mut self, name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Self {
        let dimensions: Vec<u8> = [
            (dimensions.len() as u32).to_le_bytes().to_vec(),
            dimensions.iter().flat_map(|size| size.to_le_bytes()).collect(),
        ]
        .concat();
        let offset = offset.to_le_bytes();
        self.tensors.push([&text(name)[..], &dimensions, &kind.to_le_bytes(), &offset].concat());
        self
    }

    /// A tensor behind the last one.
    pub(in crate::header) fn tensor(mut self, name: &str, dimensions: &[u64], kind: u32) -> Self {
        let offset = self.data;
        let (elements, bytes) = stored(kind).unwrap().block();
        self.data += dimensions.iter().product::<u64>() / elements * bytes;
        self.data = self.data.next_multiple_of(DEFAULT_ALIGNMENT);
        self.at(name, dimensions, kind, offset)
    }

    /// The header's bytes and the length of the file.
    pub(in crate::header) fn finish(&self) -> (Vec<u8>, u64) {
        let counts = [self.tensors.len() as u64, self.keys.len() as u64];
        let counts: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        let mut bytes = [&MAGIC[..], &3u32.to_le_bytes(), &counts].concat();
        bytes.extend(self.keys.concat());
        bytes.extend(self.tensors.concat());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        let length = bytes.len() as u64 + self.data;
        (bytes, length)
    }

    fn read(&self) -> Result<GgufHeader, HeaderError> {
        let (bytes, length) = self.finish();
        parse(&bytes, Some(length))
    }

    fn fails(&self, expected: &str) {
        let error = self.read().unwrap_err().to_string();
        assert!(error.contains(expected), "{error} does not say {expected}");
    }

    fn decoder(&self) -> crate::Decoder {
        match self.read().and_then(|header| header.decoder()) {
            Ok(Architecture::Decoder(decoder)) => decoder,
            other => panic!("{other:?}"),
        }
    }
}

/// A list of tokens: an array of texts.
fn tokens(words: &[&str]) -> Vec<u8> {
    let words: Vec<u8> = words.iter().flat_map(|word| text(word)).collect();
    [&8u32.to_le_bytes()[..], &3u64.to_le_bytes(), &words].concat()
}

/// A small model with every kind of value.
pub(in crate::header) fn llama() -> Writer {
    Writer::default()
        .text("general.architecture", "llama")
        .number("llama.block_count", 2)
        .number("llama.embedding_length", 256)
        .number("llama.feed_forward_length", 512)
        .number("llama.context_length", 2048)
        .number("llama.attention.head_count", 4)
        .number("llama.attention.head_count_kv", 2)
        .key("llama.rope.freq_base", 6, &10_000f32.to_le_bytes())
        .key("a.bool", 7, &[1])
        .key("a.f64", 12, &1f64.to_le_bytes())
        .key("a.i64", 11, &(-1i64).to_le_bytes())
        .key("tokenizer.ggml.tokens", 9, &tokens(&["a", "b", "c"]))
        .tensor("token_embd.weight", &[256, 1000], 14)
        .tensor("blk.0.attn_q.weight", &[256, 256], 12)
        .tensor("output_norm.weight", &[256], 0)
        .tensor("output.weight", &[256, 1000], 14)
}

#[test]
fn a_header_is_read_whole() {
    let header = llama().read().unwrap();
    assert_eq!((header.values.len(), header.tensors.len()), (12, 4));
    assert_eq!(header.values["tokenizer.ggml.tokens"].value, Value::Array { length: 3 });
    assert_eq!(header.values["a.i64"].value, Value::Signed(-1));
    assert_eq!(header.parameters(), 2 * 256_000 + 65_536 + 256);
    let q6 = Bytes::new(2 * 256_000 / 256 * 210);
    assert_eq!(header.weights_by_dtype()[&Dtype::Q6K], q6);
    assert!(header.bits_per_weight().is_some_and(|bits| bits > 4.5 && bits < 6.6));
    assert_eq!(header.header_length % 32, 0);
}

#[test]
fn a_decoder_follows_from_keys_and_tensors() {
    let decoder = llama().decoder();
    assert_eq!((decoder.hidden, decoder.vocabulary, decoder.layers.len()), (256, 1000, 2));
    assert_eq!((decoder.context, decoder.dtype), (Some(2048), Some(Dtype::Q6K)));
    assert!(!decoder.tied_embeddings);
    let Mixer::Grouped(attention) = &decoder.layers[0].mixer else { panic!() };
    assert_eq!((attention.heads, attention.key_value_heads, attention.head_dim), (4, 2, 64));
    assert!(!attention.input_bias);
    let biased = llama().tensor("blk.0.attn_q.bias", &[256], 0).decoder();
    let Mixer::Grouped(attention) = &biased.layers[1].mixer else { panic!() };
    assert!(attention.input_bias);
}

#[test]
fn without_an_output_matrix_the_embedding_is_tied() {
    let mut writer = llama();
    writer.tensors.pop();
    assert!(writer.decoder().tied_embeddings);
}

#[test]
fn one_part_of_a_split_model_does_not_decide_what_is_tied() {
    let mut writer = llama();
    let output = writer.tensors.pop().unwrap();
    let first = writer.number("split.no", 0).number("split.count", 2);
    let first = first.number("split.tensors.count", 4);
    assert!(!first.decoder().tied_embeddings);
    let mut header = first.read().unwrap();
    assert!(!header.is_complete());
    let second = Writer { tensors: vec![output], data: 1 << 20, ..Writer::default() };
    header.join(&second.read().unwrap()).unwrap();
    assert!(header.is_complete());
    assert!(header.join(&second.read().unwrap()).is_err());
}

#[test]
fn experts_and_windows_are_read() {
    let moe = llama()
        .number("llama.expert_count", 8)
        .number("llama.expert_used_count", 2)
        .number("llama.attention.sliding_window", 64);
    let decoder = moe.decoder();
    let FeedForward::Experts(experts) = &decoder.layers[1].feed_forward else { panic!() };
    assert_eq!((experts.count, experts.active, experts.expert.intermediate), (8, 2, 512));
    let Mixer::Grouped(attention) = &decoder.layers[0].mixer else { panic!() };
    assert_eq!(attention.window, Some(64));
}

#[test]
fn latent_attention_is_read_from_old_and_new_files() {
    let base = |keys: &[(&str, u32)]| {
        let sizes = [
            ("block_count", 3),
            ("embedding_length", 256),
            ("feed_forward_length", 512),
            ("attention.head_count", 4),
            ("attention.kv_lora_rank", 128),
            ("rope.dimension_count", 16),
            ("expert_count", 4),
            ("expert_used_count", 2),
            ("expert_shared_count", 1),
            ("expert_feed_forward_length", 64),
            ("leading_dense_block_count", 1),
            ("vocab_size", 100),
        ];
        let writer = Writer::default().text("general.architecture", "deepseek2");
        let all = sizes.iter().chain(keys);
        all.fold(writer, |writer, (key, value)| writer.number(&format!("deepseek2.{key}"), *value))
            .decoder()
    };
    let old = base(&[("attention.key_length", 48), ("attention.value_length", 32)]);
    let new = base(&[
        ("attention.key_length", 144),
        ("attention.value_length", 128),
        ("attention.key_length_mla", 48),
        ("attention.value_length_mla", 32),
    ]);
    assert_eq!(old, new);
    let Mixer::Latent(attention) = &old.layers[0].mixer else { panic!() };
    assert_eq!((attention.plain_dim, attention.value_dim, attention.query_rank), (32, 32, None));
    assert!(matches!(old.layers[0].feed_forward, FeedForward::Dense(_)));
    assert!(matches!(old.layers[1].feed_forward, FeedForward::Experts(_)));
}

#[test]
fn other_architectures_keep_their_name_and_parameters() {
    let writer = Writer::default().text("general.architecture", "mamba").tensor("a", &[256], 0);
    let expected = Architecture::Other { family: "mamba".to_owned(), parameters: Some(256) };
    assert_eq!(writer.read().unwrap().decoder(), Ok(expected));
}

#[test]
fn every_truncation_says_how_much_more_to_read() {
    let (bytes, length) = llama().finish();
    let mut end = 0;
    // A caller that always reads as many bytes as the error asks for gets through.
    for _ in 0..1000 {
        match parse(&bytes[..end], Some(length)) {
            Ok(header) => {
                assert_eq!(header, llama().read().unwrap());
                return;
            }
            Err(error) => end += usize::try_from(error.missing().unwrap()).unwrap(),
        }
        assert!(end <= bytes.len());
    }
    panic!("it asks forever");
}

#[test]
fn nonsense_is_named() {
    llama().number("llama.block_count", 3).fails("key \"llama.block_count\" is there twice");
    llama().key("x", 13, &[]).fails("unknown value type 13");
    llama().number(ALIGNMENT, 3).fails("expected a power of two");
    llama().number("", 3).fails("a key of 0 bytes");
    llama().tensor("output.weight", &[32], 0).fails("\"output.weight\": is there twice");
    llama().at("x", &[256], 0, 0).fails("\"x\": overlaps");
    llama().at("x", &[256], 0, 33).fails("no multiple of the alignment 32");
    llama().at("x", &[256], 0, 1 << 40).fails("the file has");
    llama().at("x", &[255], 12, 1 << 40).fails("no whole number of bytes");
    llama().at("x", &[0], 0, 1 << 40).fails("no whole number of bytes");
    llama().at("x", &[1 << 40, 1 << 40], 0, 1 << 40).fails("no whole number of bytes");
    llama().at("x", &[1 << 60], 0, u64::MAX - 31).fails("beyond 2^64");
    llama().at("x", &[1; 9], 0, 1 << 40).fails("9 dimensions, at most 8");
    llama().at("x", &[256], 4, 1 << 40).fails("unknown type 4");
    let deep: Vec<u8> =
        (0..5).flat_map(|_| [&9u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat()).collect();
    llama().key("x", 9, &deep).fails("arrays 4 deep");
}

#[test]
fn hostile_counts_are_refused_before_anything_is_allocated() {
    let (bytes, length) = llama().finish();
    for (place, expected) in [(8, "tensors, at most"), (16, "keys, at most")] {
        let mut bytes = bytes.clone();
        bytes[place..place + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        let error = parse(&bytes, Some(length)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for kind in [0u32, 8, 9, 12] {
        let array = [&kind.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        let error = llama().key("x", 9, &array).read().unwrap_err();
        assert!(error.missing().is_some(), "{error}");
    }
}

#[test]
fn other_files_and_versions_are_refused() {
    let (good, length) = llama().finish();
    let with = |place: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[place..place + value.len()].copy_from_slice(value);
        parse(&bytes, Some(length)).unwrap_err().to_string()
    };
    assert!(with(0, b"GGML").contains("does not begin with GGUF"));
    assert!(with(4, &1u32.to_le_bytes()).contains("version 1, only 2 and 3"));
    assert!(with(4, &3u32.to_be_bytes()).contains("big-endian"));
}

#[test]
fn sizes_that_make_no_sense_are_named_with_their_byte() {
    let mut writer = llama();
    writer.keys.remove(5);
    let writer = writer.number("llama.attention.head_count", 3);
    let error = writer.read().unwrap().decoder().unwrap_err();
    assert!(error.to_string().contains("a divisor of 3 attention heads, found"), "{error}");
    assert!(matches!(error.position(), Position::Byte(offset) if offset > 24));
}
