//! Attention in llama.cpp's graph: projections, the write into the cache, the read of all of it.
//!
//! The graph is reserved for a full cache. Without flash attention values are cached transposed and
//! scores are stored; with it neither. Quantized caches rotate queries, keys and values by Hadamard
//! matrices first. Latent attention caches one vector per token and reads it as key and value.
//!
//! Source: `llm_graph_context::build_attn`, `build_attn_mha` in `llama-graph.cpp`, `get_k`, `get_v`,
//! `cpy_k`, `cpy_v` in `llama-kv-cache.cpp` and `models/deepseek2.cpp` of llama.cpp.

use nearside_architecture::{Dtype, GroupedAttention, LatentAttention, QueryKeyNorm};

use super::build::Builder;
use super::graph::{Id, Operation, Owner, packed, row_bytes};
use super::model::Family;
use super::plan::Scores;

/// The inputs of one kind of cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct CacheInputs {
    cells: u64,
    key_rows: Id,
    value_rows: Id,
    mask: Id,
    key_rotation: Option<Id>,
    value_rotation: Option<Id>,
}

/// The inputs of all caches.
#[derive(Clone, Copy, Debug)]
pub(super) struct AllCacheInputs {
    whole: CacheInputs,
    windowed: Option<CacheInputs>,
}

/// What is attended with, to and through.
struct Attended {
    query: Id,
    key: Id,
    value: Id,
    /// Whether scores pass through a cap.
    capped: bool,
    /// The matrix that widens latent values.
    widening: Option<Id>,
}

impl Builder<'_> {
    pub(super) fn cache_inputs(&mut self) -> AllCacheInputs {
        let whole = self.one_cache(self.plan.cells.whole);
        let windowed = self.plan.cells.windowed.map(|cells| self.one_cache(cells));
        AllCacheInputs { whole, windowed }
    }

    fn one_cache(&mut self, cells: u64) -> CacheInputs {
        let tokens = self.batch.tokens;
        let streams = self.plan.streams;
        let widest = self.plan.widest_value;
        let (value_rows, mask) = match self.plan.scores {
            Scores::Fused => (tokens, Dtype::F16),
            Scores::Stored => (tokens * widest, Dtype::F32),
        };
        let graph = &mut self.graph;
        let matrix = |graph: &mut super::graph::Graph, size: Option<u64>| {
            size.map(|size| graph.input(Dtype::F32, [size, size, 1, 1]))
        };
        CacheInputs {
            cells,
            key_rows: graph.input(Dtype::I64, [tokens, 1, 1, 1]),
            value_rows: graph.input(Dtype::I64, [value_rows, 1, 1, 1]),
            mask: graph.input(mask, [cells, tokens / streams, 1, streams]),
            key_rotation: matrix(graph, self.plan.rotations.0),
            value_rotation: matrix(graph, self.plan.rotations.1),
        }
    }

    pub(super) fn grouped_attention(
        &mut self,
        attention: &GroupedAttention,
        of: Id,
        positions: Id,
        caches: &AllCacheInputs,
        layer: usize,
    ) -> Id {
        let windowed = caches.windowed.filter(|_| self.plan.cells.is_windowed(layer));
        let inputs = windowed.unwrap_or(caches.whole);
        let (mut query, mut key, mut value) = self.projections(attention, of, layer);
        if attention.query_key_norm == Some(QueryKeyNorm::Head) {
            query = self.layer_norm(query, "attn_q_norm", layer);
            key = self.layer_norm(key, "attn_k_norm", layer);
        }
        query = self.rotated(query, positions, layer);
        key = self.rotated(key, positions, layer);
        if self.model.family.scales_queries() {
            query = self.graph.in_place(&[query]);
        }
        if let Some(rotation) = inputs.key_rotation {
            query = self.turned(query, rotation);
            key = self.turned(key, rotation);
        }
        if let Some(rotation) = inputs.value_rotation {
            value = self.turned(value, rotation);
        }
        self.graph.expand(query);
        // Families with windows keep keys before values.
        let order = if caches.windowed.is_some() { [key, value] } else { [value, key] };
        order.into_iter().for_each(|id| self.graph.expand(id));
        let (heads, width) = (attention.key_value_heads, attention.head_dim);
        let [keys, values] = [self.plan.key_type, self.plan.value_type]
            .map(|dtype| self.cache(dtype, heads * width, inputs.cells, layer));
        self.write_key(keys, key, inputs);
        self.write_value(values, value, inputs);
        let key = self.read(keys, [width, heads, inputs.cells], Scores::Fused);
        let value = self.read(values, [width, heads, inputs.cells], self.plan.scores);
        let capped = attention.soft_cap && self.model.family == Family::Gemma2;
        let mut mixed =
            self.attended(&Attended { query, key, value, capped, widening: None }, inputs);
        if let Some(rotation) = inputs.value_rotation {
            mixed = self.turned(mixed, rotation);
        }
        self.projected(mixed, "attn_output", layer)
    }

    /// Queries, keys and values by head.
    fn projections(&mut self, attention: &GroupedAttention, of: Id, layer: usize) -> (Id, Id, Id) {
        let tokens = self.batch.tokens;
        let width = attention.head_dim;
        let heads = [attention.heads, attention.key_value_heads, attention.key_value_heads];
        if self.has("attn_qkv.weight", layer) {
            let all = self.projected(of, "attn_qkv", layer);
            let [_, row, plane, _] = self.graph.tensor(all).strides;
            let head = row_bytes(Dtype::F32, width);
            let [query, key, value] = heads.map(|heads| {
                self.graph.view(all, [width, heads, tokens, 1], [4, head, row, plane])
            });
            return (query, key, value);
        }
        let names = ["attn_q", "attn_k", "attn_v"];
        let [query, key, value] = [0, 1, 2].map(|part: usize| {
            let flat = self.projected(of, names[part], layer);
            self.graph.reshaped(flat, [width, heads[part], tokens, 1])
        });
        (query, key, value)
    }

    pub(super) fn latent_attention(
        &mut self,
        attention: &LatentAttention,
        of: Id,
        positions: Id,
        caches: &AllCacheInputs,
        layer: usize,
    ) -> Id {
        let tokens = self.batch.tokens;
        let (plain, rotary) = (attention.plain_dim, attention.rotary_dim);
        let query = self.latent_query(attention, of, layer);
        let [_, head, token, all] = self.graph.tensor(query).strides;
        let compressed = self.projected(of, "attn_kv_a_mqa", layer);
        let [_, row, plane, _] = self.graph.tensor(compressed).strides;
        let latent = self.graph.view(
            compressed,
            [attention.key_value_rank, tokens, 1, 1],
            [4, row, plane, plane],
        );
        let strides = [4, row, row, row.saturating_mul(tokens)];
        let shared = self.graph.view(compressed, [rotary, 1, tokens, 1], strides);
        let shared = self.rotated(shared, positions, layer);
        let latent = self.layer_norm(latent, "attn_kv_a_norm", layer);
        let heads = attention.heads;
        let unrotated = self.graph.view(query, [plain, heads, tokens, 1], [4, head, token, all]);
        let rotated = self.graph.view(query, [rotary, heads, tokens, 1], [4, head, token, all]);
        let rotated = self.rotated(rotated, positions, layer);
        let unrotated = self.graph.exchanged(unrotated, 1, 2);
        let absorbed = self.projected(unrotated, "attn_k_b", layer);
        let absorbed = self.graph.exchanged(absorbed, 1, 2);
        let width = attention.key_value_rank + rotary;
        let query = self.joined(absorbed, rotated, [width, heads, tokens, 1]);
        let latent = self.graph.reshaped(latent, [attention.key_value_rank, 1, tokens, 1]);
        let key = self.joined(latent, shared, [width, 1, tokens, 1]);
        for id in [query, latent, key] {
            self.graph.expand(id);
        }
        let inputs = caches.whole;
        let cache = self.cache(self.plan.key_type, width, inputs.cells, layer);
        self.write_key(cache, key, inputs);
        let key = self.read(cache, [width, 1, inputs.cells], Scores::Fused);
        let (mut extents, strides) = (self.graph.extents(key), self.graph.tensor(key).strides);
        extents[0] = attention.key_value_rank;
        let value = self.graph.view(key, extents, strides);
        let widening = self.layer_weight("attn_v_b.weight", layer);
        let mixed = self.attended(&Attended { query, key, value, capped: false, widening }, inputs);
        self.projected(mixed, "attn_output", layer)
    }

    fn latent_query(&mut self, attention: &LatentAttention, of: Id, layer: usize) -> Id {
        let query = if self.has("attn_q_a.weight", layer) {
            let low = self.projected(of, "attn_q_a", layer);
            let low = self.layer_norm(low, "attn_q_a_norm", layer);
            self.projected(low, "attn_q_b", layer)
        } else {
            self.projected(of, "attn_q", layer)
        };
        let width = attention.plain_dim + attention.rotary_dim;
        self.graph.reshaped(query, [width, attention.heads, self.batch.tokens, 1])
    }

    fn joined(&mut self, first: Id, second: Id, extents: [u64; 4]) -> Id {
        self.graph.fresh(Operation::Fresh, Dtype::F32, extents, &[first, second])
    }

    /// A product with a rotation matrix, over pieces as wide as it.
    fn turned(&mut self, of: Id, rotation: Id) -> Id {
        let size = self.graph.extents(rotation)[0];
        let tensor = self.graph.tensor(of);
        let (extents, contiguous) = (tensor.extents, tensor.is_contiguous());
        let pieces = [size, tensor.elements() / size, 1, 1];
        let pieces = match contiguous {
            true => self.graph.reshaped(of, pieces),
            false => self.graph.fresh(Operation::Fresh, Dtype::F32, pieces, &[of]),
        };
        let turned = self.graph.product(rotation, pieces);
        self.graph.reshaped(turned, extents)
    }

    /// A layer's cache of keys or values.
    fn cache(&mut self, dtype: Dtype, width: u64, cells: u64, layer: usize) -> Id {
        let owner = Owner::Cache(self.plan.place(layer));
        self.graph.existing(dtype, [width, cells, self.plan.streams, 1], owner)
    }

    /// All streams of a cache as one matrix.
    fn flattened(&mut self, cache: Id) -> Id {
        let [width, cells, streams, _] = self.graph.extents(cache);
        match streams {
            1 => cache,
            _ => self.graph.reshaped(cache, [width, cells * streams, 1, 1]),
        }
    }

    /// A token's heads as one row.
    fn as_rows(&mut self, of: Id) -> Id {
        let [width, heads, tokens, _] = self.graph.extents(of);
        let [element, _, token, _] = self.graph.tensor(of).strides;
        let all = token.saturating_mul(tokens);
        self.graph.view(of, [width * heads, tokens, 1, 1], [element, token, all, all])
    }

    fn write_key(&mut self, cache: Id, key: Id, inputs: CacheInputs) {
        let rows = self.as_rows(key);
        let cache = self.flattened(cache);
        let written = self.graph.written(cache, rows, inputs.key_rows);
        self.graph.expand(written);
    }

    fn write_value(&mut self, cache: Id, value: Id, inputs: CacheInputs) {
        let (rows, cache) = match self.plan.scores {
            Scores::Fused => (self.as_rows(value), self.flattened(cache)),
            Scores::Stored => self.transposed_rows(cache, value),
        };
        let written = self.graph.written(cache, rows, inputs.value_rows);
        self.graph.expand(written);
    }

    /// Every element is a row of its own, for the cache is transposed.
    fn transposed_rows(&mut self, cache: Id, value: Id) -> (Id, Id) {
        let [width, heads, tokens, _] = self.graph.extents(value);
        let flat = [width * heads, tokens, 1, 1];
        let token = self.graph.tensor(value).strides[2];
        let rows = match token == packed(Dtype::F32, flat)[1] {
            true => self.graph.reshaped(value, flat),
            false => self.graph.fresh(Operation::Fresh, Dtype::F32, flat, &[value]),
        };
        let cells = self.graph.tensor(cache).elements();
        let cache = self.graph.reshaped(cache, [1, cells, 1, 1]);
        (self.graph.reshaped(rows, [1, width * heads * tokens, 1, 1]), cache)
    }

    /// The whole cache by head: `shape` is width, heads and cells.
    fn read(&mut self, cache: Id, shape: [u64; 3], scores: Scores) -> Id {
        let [width, heads, cells] = shape;
        let tensor = self.graph.tensor(cache);
        let (dtype, [all, ..]) = (tensor.dtype, tensor.extents);
        let (element, streams) = (tensor.strides[0], self.plan.streams);
        let stream = row_bytes(dtype, all * cells);
        match scores {
            Scores::Fused => {
                let strides = [element, row_bytes(dtype, width), row_bytes(dtype, all), stream];
                self.graph.view(cache, [width, heads, cells, streams], strides)
            }
            Scores::Stored => {
                let strides =
                    [element, row_bytes(dtype, cells * width), row_bytes(dtype, cells), stream];
                self.graph.view(cache, [cells, heads, width, streams], strides)
            }
        }
    }

    /// Scores, softmax and the weighted sum of values, in one kernel or step by step.
    fn attended(&mut self, attended: &Attended, inputs: CacheInputs) -> Id {
        let streams = self.plan.streams;
        let tensor = self.graph.tensor(attended.query);
        let [width, heads, tokens, _] = tensor.extents;
        let [element, head, token, _] = tensor.strides;
        let tokens = tokens / streams;
        let query = self.graph.view(
            attended.query,
            [width, heads, tokens, streams],
            [element, head, token, token.saturating_mul(tokens)],
        );
        let query = self.graph.exchanged(query, 1, 2);
        let key = self.graph.exchanged(attended.key, 1, 2);
        let value = self.graph.exchanged(attended.value, 1, 2);
        let result = match self.plan.scores {
            Scores::Fused => self.fused([query, key, value], attended.widening, inputs.mask),
            Scores::Stored => self.stored([query, key, value], attended, inputs.mask),
        };
        self.graph.expand(result);
        result
    }

    fn fused(&mut self, [query, key, value]: [Id; 3], widening: Option<Id>, mask: Id) -> Id {
        let [key, value] = [key, value].map(|id| match self.graph.tensor(id).dtype {
            Dtype::F32 => {
                let extents = self.graph.extents(id);
                self.graph.fresh(Operation::Fresh, Dtype::F16, extents, &[id])
            }
            _ => id,
        });
        let [_, tokens, heads, streams] = self.graph.extents(query);
        let extents = [self.graph.extents(value)[0], heads, tokens, streams];
        let sources = [query, key, value, mask];
        let mut mixed = self.graph.fresh(Operation::FlashAttention, Dtype::F32, extents, &sources);
        if let Some(widening) = widening {
            let turned = self.graph.exchanged(mixed, 1, 2);
            let widened = self.graph.product(widening, turned);
            let turned = self.graph.exchanged(widened, 1, 2);
            mixed = self.graph.alike(Operation::Fresh, &[turned]);
        }
        let [width, heads, tokens, streams] = self.graph.extents(mixed);
        self.graph.reshaped(mixed, [width * heads, tokens * streams, 1, 1])
    }

    fn stored(&mut self, [query, key, value]: [Id; 3], attended: &Attended, mask: Id) -> Id {
        let mut scores = self.graph.product(key, query);
        if attended.capped {
            for _ in 0..3 {
                scores = self.graph.in_place(&[scores]);
            }
        }
        let scores = self.graph.in_place(&[scores, mask]);
        // A latent value is a view of the key, which no cache transposes.
        let value = match attended.widening {
            Some(_) => {
                let turned = self.graph.exchanged(value, 0, 1);
                self.graph.alike(Operation::Fresh, &[turned])
            }
            None => value,
        };
        let mut mixed = self.graph.product(value, scores);
        if let Some(widening) = attended.widening {
            mixed = self.graph.product(widening, mixed);
        }
        let turned = self.graph.exchanged(mixed, 1, 2);
        let [width, heads, tokens, streams] = self.graph.extents(turned);
        let flat = [width * heads, tokens * streams, 1, 1];
        self.graph.fresh(Operation::Fresh, Dtype::F32, flat, &[turned])
    }
}
