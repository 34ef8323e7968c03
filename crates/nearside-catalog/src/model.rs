//! Models people use: names, published sizes, licences, and a `config.json` for each.
//!
//! A catalog model and a user's own `config.json` are read by the same reader
//! ([`nearside_architecture::header::config`]), so there is one mechanism and no second table of
//! shapes. `data/models.json` holds one entry per model, with its sources.

use std::sync::Arc;

use nearside_architecture::{Architecture, HeaderError, header};
use nearside_units::{Date, Kind};
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{Origin, RowPlace};

/// A model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name here, as in `llama-3.1-8b`.
    pub name: Arc<str>,
    /// Its names elsewhere, as in `meta-llama/Llama-3.1-8B`.
    pub aliases: Vec<Arc<str>>,
    /// Its name for people.
    pub title: Arc<str>,
    /// How many parameters its makers or its files state.
    pub published_parameters: Option<u64>,
    /// How many of them one token uses, as its makers state, for mixtures of experts.
    pub published_active_parameters: Option<u64>,
    /// Who states the numbers of parameters.
    pub parameters_source: Option<Arc<str>>,
    /// The licence of its weights.
    pub licence: Arc<str>,
    /// Who states the licence.
    pub licence_source: Arc<str>,
    /// Where the configuration came from.
    pub origin: Origin,
    config: Box<RawValue>,
}

/// Why the list of models cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}: {reason}")]
pub struct ModelsError {
    /// The file as the caller names it.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub reason: String,
}

impl Model {
    /// What it is made of, read from its configuration. A family that is not estimated yet has the
    /// published number of parameters.
    ///
    /// # Errors
    /// When the configuration makes no sense; positions are relative to [`Model::config`].
    pub fn architecture(&self) -> Result<Architecture, HeaderError> {
        Ok(match header::config::parse(self.config.get().as_bytes())? {
            Architecture::Other { family, parameters } => {
                Architecture::Other { family, parameters: parameters.or(self.published_parameters) }
            }
            decoder => decoder,
        })
    }

    /// The text of its `config.json`.
    #[must_use]
    pub fn config(&self) -> &str {
        self.config.get()
    }

    /// Every name it answers to, its own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.name).chain(self.aliases.iter().map(|alias| &**alias))
    }
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    aliases: Vec<String>,
    title: String,
    published_parameters: Option<u64>,
    published_active_parameters: Option<u64>,
    parameters_source: Option<String>,
    licence: String,
    licence_source: String,
    source: String,
    second_source: Option<String>,
    as_of: String,
    note: Option<String>,
    config: Box<RawValue>,
}

/// Reads a list of models; `file` is what messages call it. Configurations are read when they are
/// asked for.
///
/// # Errors
/// When it is not JSON, or an entry lacks a field; the error names the line.
pub fn parse_models(file: &str, json: &str) -> Result<Vec<Model>, ModelsError> {
    let file: Arc<str> = file.into();
    let error = |line: u64, error: &serde_json::Error| ModelsError {
        file: file.to_string(),
        line: line + error.line().saturating_sub(1) as u64,
        reason: error.to_string(),
    };
    let raw: Vec<&RawValue> = serde_json::from_str(json).map_err(|wrong| error(1, &wrong))?;
    // Raw values borrow from the text, so that their address tells their line.
    let (mut line, mut counted) = (1, 0);
    let mut models = Vec::with_capacity(raw.len());
    for raw in raw {
        let start = (raw.get().as_ptr() as usize).wrapping_sub(json.as_ptr() as usize);
        let between = json.as_bytes().get(counted..start).unwrap_or_default();
        line += between.iter().filter(|byte| **byte == b'\n').count() as u64;
        counted = start;
        let entry = serde_json::from_str(raw.get()).map_err(|wrong| error(line, &wrong))?;
        models.push(model(entry, RowPlace { file: Arc::clone(&file), line })?);
    }
    Ok(models)
}

fn model(entry: Entry, place: RowPlace) -> Result<Model, ModelsError> {
    let as_of: Date = entry.as_of.parse().map_err(|error| ModelsError {
        file: place.file.to_string(),
        line: place.line,
        reason: format!("model \"{}\", as_of: {error}", entry.name),
    })?;
    Ok(Model {
        name: entry.name.into(),
        aliases: entry.aliases.into_iter().map(Into::into).collect(),
        title: entry.title.into(),
        published_parameters: entry.published_parameters,
        published_active_parameters: entry.published_active_parameters,
        parameters_source: entry.parameters_source.map(Into::into),
        licence: entry.licence.into(),
        licence_source: entry.licence_source.into(),
        config: entry.config,
        origin: Origin {
            source: entry.source.into(),
            second_source: entry.second_source.map(Into::into),
            as_of,
            kind: Kind::Published,
            note: entry.note.map(Into::into),
            place,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nearside_architecture::{
        Decoder, Dense, FeedForward, Layer, Mixer, Norm, NormPlacement, Positions, QueryKeyNorm,
        Scoring,
    };

    use super::*;

    fn builtin() -> Vec<Model> {
        parse_models("data/models.json", include_str!("../data/models.json")).unwrap()
    }

    /// A count on its own, by the book, to compare the reader (and the operator graph) with.
    fn count(decoder: &Decoder) -> u64 {
        let table = decoder.vocabulary * decoder.hidden;
        let output = if decoder.tied_embeddings { 0 } else { table };
        let positions = match decoder.positions {
            Positions::Learned(rows) | Positions::LearnedByToken(rows) => rows * decoder.hidden,
            _ => 0,
        };
        let layers: u64 = decoder.layers.iter().map(|layer| count_layer(decoder, layer)).sum();
        let attached: u64 = decoder.attached.iter().map(|part| part.parameters).sum();
        let output = output + if decoder.output_bias { decoder.vocabulary } else { 0 };
        table + output + positions + layers + norm(decoder, decoder.hidden) + attached
    }

    fn norm(decoder: &Decoder, width: u64) -> u64 {
        if matches!(decoder.norm, Norm::Rms | Norm::RmsOffset | Norm::RmsWide) {
            width
        } else {
            2 * width
        }
    }

    fn count_layer(decoder: &Decoder, layer: &Layer) -> u64 {
        let lone = layer.mixer == Mixer::Absent || layer.feed_forward == FeedForward::Absent;
        let norms = match layer.norms {
            _ if lone => 1,
            NormPlacement::Sandwich => 4,
            NormPlacement::Shared => 1,
            NormPlacement::Before
            | NormPlacement::BeforeKept
            | NormPlacement::After
            | NormPlacement::Apart => 2,
        };
        norms * norm(decoder, decoder.hidden)
            + count_mixer(decoder.hidden, &layer.mixer)
            + count_feed_forward(decoder.hidden, &layer.feed_forward)
    }

    fn linear(input: u64, output: u64, bias: bool) -> u64 {
        input * output + if bias { output } else { 0 }
    }

    fn count_mixer(hidden: u64, mixer: &Mixer) -> u64 {
        match mixer {
            Mixer::Grouped(a) => {
                let (query, key) = (a.heads * a.head_dim, a.key_value_heads * a.head_dim);
                let norms = match a.query_key_norm {
                    None => 0,
                    Some(QueryKeyNorm::Head) => 2 * a.head_dim,
                    Some(QueryKeyNorm::Projection) => query + key,
                };
                let gated = if a.gated { 2 } else { 1 };
                linear(hidden, gated * query, a.input_bias)
                    + 2 * linear(hidden, key, a.input_bias)
                    + linear(query, hidden, a.output_bias)
                    + norms
                    + if a.sinks { a.heads } else { 0 }
            }
            Mixer::Latent(a) => {
                let query = a.heads * (a.plain_dim + a.rotary_dim);
                let query = match a.query_rank {
                    Some(rank) => hidden * rank + rank + rank * query,
                    None => hidden * query,
                };
                query
                    + hidden * (a.key_value_rank + a.rotary_dim)
                    + a.key_value_rank
                    + a.key_value_rank * a.heads * (a.plain_dim + a.value_dim)
                    + a.heads * a.value_dim * hidden
            }
            Mixer::Absent => 0,
            Mixer::ShortConvolution(s) => {
                linear(hidden, 3 * hidden, s.bias)
                    + linear(s.window, hidden, s.bias)
                    + linear(hidden, hidden, s.bias)
            }
            Mixer::DeltaRule(d) => {
                let (keys, values) = (d.key_heads * d.key_dim, d.value_heads * d.value_dim);
                hidden * (2 * keys + 3 * values + 2 * d.value_heads)
                    + d.window * (2 * keys + values)
                    + 2 * d.value_heads
                    + d.value_dim
            }
            Mixer::StateSpace(s) => {
                let convolved = s.inner() + 2 * s.groups * s.state;
                let convolution = linear(s.window, convolved, s.convolution_bias);
                let input = linear(hidden, s.inner() + convolved + s.heads, s.projection_bias);
                let output = linear(s.inner(), hidden, s.projection_bias);
                convolution + input + output + 3 * s.heads + s.inner()
            }
        }
    }

    fn count_dense(hidden: u64, dense: &Dense) -> u64 {
        let up = linear(hidden, dense.intermediate, dense.bias);
        let down = linear(dense.intermediate, hidden, dense.bias);
        if dense.gated { 2 * up + down } else { up + down }
    }

    fn count_feed_forward(hidden: u64, feed_forward: &FeedForward) -> u64 {
        match feed_forward {
            FeedForward::Absent => 0,
            FeedForward::Dense(dense) => count_dense(hidden, dense),
            FeedForward::Experts(e) => {
                e.count * count_dense(hidden, &e.expert)
                    + e.shared.as_ref().map_or(0, |shared| count_dense(hidden, shared))
                    + linear(hidden, e.count, e.router_bias && e.scoring == Scoring::Best)
                    + if e.shared_gate { hidden } else { 0 }
            }
        }
    }

    /// Published numbers that are not those of the weights, and by how much: Llama 2 counts its
    /// rotary buffers (64 values per layer), DeepSeek rounds to billions.
    const INEXACT: &[(&str, i64)] = &[
        ("llama-2-7b", 64 * 32),
        ("llama-2-13b", 64 * 40),
        ("llama-2-70b", 64 * 80),
        ("deepseek-v3", -26_404_352),
    ];

    #[test]
    fn every_decoder_has_as_many_parameters_as_published() {
        let mut decoders = 0;
        for model in builtin() {
            let architecture = model.architecture().unwrap();
            let (Architecture::Decoder(decoder), Some(published)) =
                (architecture, model.published_parameters)
            else {
                continue;
            };
            let counted = count(&decoder);
            let difference = published.cast_signed() - counted.cast_signed();
            let known = INEXACT.iter().find(|(name, _)| **name == *model.name);
            assert_eq!(difference, known.map_or(0, |row| row.1), "{}: {counted}", model.name);
            assert!(difference.unsigned_abs() * 200 < published, "{}", model.name);
            decoders += 1;
        }
        assert!(decoders >= 55, "{decoders}");
    }

    #[test]
    fn a_vision_tower_is_attached_and_not_in_the_layers() {
        let models = builtin();
        let model = models.iter().find(|model| &*model.name == "gemma-3-4b").unwrap();
        let Architecture::Decoder(mut decoder) = model.architecture().unwrap() else { panic!() };
        let names: Vec<_> = decoder.attached.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["vision tower", "vision projector"]);
        decoder.attached.clear();
        assert_eq!(count(&decoder), 3_880_263_168);
    }

    #[test]
    fn other_families_have_their_published_parameters() {
        for model in builtin() {
            if let Architecture::Other { family, parameters } = model.architecture().unwrap() {
                assert!(parameters.is_some_and(|count| count > 1_000_000), "{family}");
            }
        }
    }

    #[test]
    fn windows_are_where_they_should_be() {
        let models = builtin();
        let windows = |name: &str| {
            let model = models.iter().find(|model| &*model.name == name).unwrap();
            let Architecture::Decoder(decoder) = model.architecture().unwrap() else { panic!() };
            let window = |layer: &Layer| match &layer.mixer {
                Mixer::Grouped(attention) => attention.window,
                _ => None,
            };
            let windowed = decoder.layers.iter().filter_map(window);
            (decoder.layers.len(), windowed.clone().count(), windowed.max())
        };
        assert_eq!(windows("mistral-7b-v0.1"), (32, 32, Some(4096)));
        assert_eq!(windows("mistral-7b-v0.3"), (32, 0, None));
        assert_eq!(windows("gemma-2-9b"), (42, 21, Some(4096)));
        assert_eq!(windows("gemma-3-1b"), (26, 22, Some(512)));
        assert_eq!(windows("gemma-3-27b"), (62, 52, Some(1024)));
        assert_eq!(windows("phi-3-mini-4k"), (32, 32, Some(2047)));
        assert_eq!(windows("gpt-oss-20b"), (24, 12, Some(128)));
        assert_eq!(windows("qwen2.5-7b"), (28, 0, None));
    }

    #[test]
    fn names_are_unique_and_every_entry_is_sourced_and_dated() {
        let models = builtin();
        let mut seen = BTreeSet::new();
        let today = "2026-11-26".parse().unwrap();
        for model in &models {
            for name in model.names() {
                assert!(seen.insert(name.to_lowercase()), "{name} is there twice");
                assert!(!name.contains(char::is_whitespace), "{name}");
            }
            assert!(model.origin.as_of.days_until(today) >= 0, "{}", model.name);
            assert!(model.origin.source.len() > 3 && !model.licence.is_empty(), "{}", model.name);
            let sourced = model.published_parameters.is_none() || model.parameters_source.is_some();
            assert!(sourced, "{}", model.name);
        }
        assert_eq!(models[0].origin.place.line, 2);
        assert!(models.windows(2).all(|pair| pair[0].origin.place < pair[1].origin.place));
    }

    #[test]
    fn a_broken_entry_is_named_by_its_line() {
        let error = parse_models("models.json", "[\n  {\n    \"name\": 3\n  }\n]").unwrap_err();
        assert_eq!((error.line, error.file.as_str()), (3, "models.json"));
    }
}
