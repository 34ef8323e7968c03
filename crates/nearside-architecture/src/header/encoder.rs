//! What a Hugging Face `config.json` says about an encoder of text.
//!
//! Field names and defaults follow the configuration classes of transformers
//! (`models/{bert,roberta,distilbert,clip}/configuration_*.py`). A file that asks for what is not
//! modelled (a decoder with cross attention, other positions, an unknown activation) is not read
//! here, and so becomes [`Architecture::Other`].

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use crate::{
    Activation, Architecture, Dropouts, Encoder, EncoderHead, EncoderStyle, HeaderError, Local,
};

use super::config::stored;
use super::family::{
    MAX_HEADS, MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LAYERS, MAX_PARAMETERS, MAX_VOCABULARY,
};
use super::json::Object;

/// The most classes that a classifier may have.
const MAX_LABELS: u64 = 1 << 24;

/// How a family spells its fields.
struct Spelling {
    model_types: &'static [&'static str],
    style: EncoderStyle,
    hidden: &'static str,
    layers: &'static str,
    heads: &'static str,
    intermediate: &'static str,
    activation: (&'static str, &'static str),
    dropout: (&'static str, f64),
    attention_dropout: (&'static str, f64),
    classifier_dropout: (&'static str, Option<f64>),
    /// Rows of the tables of words, positions and types where the file is silent.
    tables: [u64; 3],
    /// Width, layers, heads and inner width where the file is silent.
    sizes: [u64; 4],
    /// Width of the tables where the file is silent; `None` is that of the stream.
    embedding: Option<u64>,
}

const BERT: Spelling = Spelling {
    model_types: &["bert"],
    style: EncoderStyle::Bert,
    hidden: "hidden_size",
    layers: "num_hidden_layers",
    heads: "num_attention_heads",
    intermediate: "intermediate_size",
    activation: ("hidden_act", "gelu"),
    dropout: ("hidden_dropout_prob", 0.1),
    attention_dropout: ("attention_probs_dropout_prob", 0.1),
    classifier_dropout: ("classifier_dropout", None),
    tables: [30_522, 512, 2],
    sizes: [768, 12, 12, 3072],
    embedding: None,
};

const SPELLINGS: &[Spelling] = &[
    BERT,
    Spelling {
        model_types: &["roberta", "xlm-roberta", "camembert"],
        style: EncoderStyle::Roberta,
        tables: [50_265, 512, 2],
        ..BERT
    },
    Spelling {
        model_types: &["electra"],
        style: EncoderStyle::Electra,
        sizes: [256, 12, 4, 1024],
        embedding: Some(128),
        ..BERT
    },
    Spelling {
        model_types: &["albert"],
        style: EncoderStyle::Albert,
        activation: ("hidden_act", "gelu_new"),
        dropout: ("hidden_dropout_prob", 0.0),
        attention_dropout: ("attention_probs_dropout_prob", 0.0),
        classifier_dropout: ("classifier_dropout_prob", Some(0.1)),
        tables: [30_000, 512, 2],
        sizes: [4096, 12, 64, 16_384],
        embedding: Some(128),
        ..BERT
    },
    Spelling {
        model_types: &["distilbert"],
        style: EncoderStyle::DistilBert,
        hidden: "dim",
        layers: "n_layers",
        heads: "n_heads",
        intermediate: "hidden_dim",
        activation: ("activation", "gelu"),
        dropout: ("dropout", 0.1),
        attention_dropout: ("attention_dropout", 0.1),
        classifier_dropout: ("seq_classif_dropout", Some(0.2)),
        tables: [30_522, 512, 0],
        sizes: [768, 6, 12, 3072],
        embedding: None,
    },
    Spelling {
        model_types: &["clip_text_model"],
        style: EncoderStyle::Clip,
        activation: ("hidden_act", "quick_gelu"),
        dropout: ("no_such_dropout", 0.0),
        attention_dropout: ("attention_dropout", 0.0),
        tables: [49_408, 77, 0],
        sizes: [512, 12, 8, 2048],
        ..BERT
    },
];

/// The encoder that a file describes, if it is one that we know.
pub(super) fn parse(outer: &Object<'_>) -> Result<Option<Architecture>, HeaderError> {
    let Some(name) = outer.string("model_type")? else { return Ok(None) };
    if name == "modernbert" {
        return Ok(modern(outer)?.map(Architecture::Encoder));
    }
    let Some(spelling) = SPELLINGS.iter().find(|row| row.model_types.contains(&name.as_str()))
    else {
        return Ok(None);
    };
    let decodes = outer.flag("is_decoder")? == Some(true);
    let placed = outer.string("position_embedding_type")?;
    // ALBERT's groups of layers: no published model has more than one.
    let grouped =
        ["num_hidden_groups", "inner_group_num"].into_iter().try_fold(1, |most, name| {
            outer.number(name, 1..=MAX_LAYERS).map(|found| found.unwrap_or(1).max(most))
        })?;
    if decodes || grouped > 1 || placed.is_some_and(|placed| placed != "absolute") {
        return Ok(None);
    }
    let reading = Reading { spelling, fields: outer };
    Ok(reading.encoder()?.map(Architecture::Encoder))
}

struct Reading<'a> {
    spelling: &'static Spelling,
    fields: &'a Object<'a>,
}

impl Reading<'_> {
    fn encoder(&self) -> Result<Option<Encoder>, HeaderError> {
        let Self { spelling, fields } = self;
        let size = |name: &str, most: u64, default: u64| {
            fields.number(name, 1..=most).map(|found| found.unwrap_or(default))
        };
        let [hidden, layers, heads, intermediate] = spelling.sizes;
        let [vocabulary, positions, types] = spelling.tables;
        let (Some(activation), Some(head)) = (self.activation()?, self.head()?) else {
            return Ok(None);
        };
        let hidden = size(spelling.hidden, MAX_HIDDEN, hidden)?;
        let encoder = Encoder {
            style: spelling.style,
            hidden,
            embedding: match spelling.embedding {
                Some(width) => size("embedding_size", MAX_HIDDEN, width)?,
                None => hidden,
            },
            vocabulary: size("vocab_size", MAX_VOCABULARY, vocabulary)?,
            positions: size("max_position_embeddings", MAX_VOCABULARY, positions)?,
            types: match types {
                0 => 0,
                types => size("type_vocab_size", MAX_VOCABULARY, types)?,
            },
            layers: size(spelling.layers, MAX_LAYERS, layers)?,
            heads: size(spelling.heads, MAX_HEADS, heads)?,
            intermediate: size(spelling.intermediate, MAX_INTERMEDIATE, intermediate)?,
            activation,
            dropouts: self.dropouts()?,
            head,
            dtype: stored(fields)?,
        };
        self.checked(encoder).map(Some)
    }

    /// Heads divide the width, and all sizes together can be counted.
    fn checked(&self, encoder: Encoder) -> Result<Encoder, HeaderError> {
        let Encoder { hidden, heads, intermediate, .. } = encoder;
        if !hidden.is_multiple_of(heads) {
            let expected = format!("a divisor of the hidden size {hidden}");
            return Err(self.fields.wrong(self.spelling.heads, &expected));
        }
        let wide = |sizes: [u64; 2]| u128::from(sizes[0]) * u128::from(sizes[1]);
        let layer = 4 * wide([hidden, hidden]) + 2 * wide([hidden, intermediate]);
        let rows = encoder.vocabulary + encoder.positions + encoder.types;
        let total = u128::from(encoder.layers) * layer + wide([rows, hidden]);
        if total > u128::from(MAX_PARAMETERS) {
            let expected = format!("all sizes together at most {MAX_PARAMETERS} parameters");
            return Err(self.fields.wrong(self.spelling.hidden, &expected));
        }
        Ok(encoder)
    }

    fn activation(&self) -> Result<Option<Activation>, HeaderError> {
        let (name, default) = self.spelling.activation;
        let found = self.fields.string(name)?;
        Ok(activation(found.as_deref().unwrap_or(default)))
    }

    fn dropouts(&self) -> Result<Dropouts, HeaderError> {
        let probability = |name: &str| self.fields.read::<f64>(name, "a probability");
        let (hidden, default) = self.spelling.dropout;
        let hidden = probability(hidden)?.unwrap_or(default);
        let (attention, default) = self.spelling.attention_dropout;
        let attention = probability(attention)?.unwrap_or(default);
        let (classifier, default) = self.spelling.classifier_dropout;
        let classifier = probability(classifier)?.or(default).unwrap_or(hidden);
        let drops = |probability: f64| probability > 0.0;
        Ok(Dropouts {
            hidden: drops(hidden),
            attention: drops(attention),
            classifier: drops(classifier),
        })
    }

    /// What the class that the file names ends in; nothing for heads that are not modelled.
    fn head(&self) -> Result<Option<EncoderHead>, HeaderError> {
        let class = class(self.fields)?;
        let Some(class) = class else { return Ok(Some(EncoderHead::Vectors)) };
        Ok(match class.split_once("For").map(|(_, head)| head) {
            Some("SequenceClassification") => Some(EncoderHead::Classes(labels(self.fields)?)),
            Some("MaskedLM") => Some(EncoderHead::Words),
            Some("TokenClassification") => Some(EncoderHead::Tokens(labels(self.fields)?)),
            None if class.ends_with("WithProjection") => {
                let width = self.fields.number("projection_dim", 1..=MAX_HIDDEN)?;
                Some(EncoderHead::Projection(width.unwrap_or(512)))
            }
            None if class.ends_with("Model") => Some(EncoderHead::Vectors),
            _ => None,
        })
    }
}

/// How many labels there are; two where the file is silent.
fn labels(fields: &Object<'_>) -> Result<u64, HeaderError> {
    if let Some(count) = fields.number("num_labels", 1..=MAX_LABELS)? {
        return Ok(count);
    }
    let named: Option<BTreeMap<String, IgnoredAny>> =
        fields.read("id2label", "an object of names")?;
    Ok(named.map_or(2, |named| named.len().max(1) as u64))
}

const MODERN: Spelling = Spelling { model_types: &["modernbert"], ..BERT };

/// ModernBERT without biases and dropouts, which no published model has.
fn modern(fields: &Object<'_>) -> Result<Option<Encoder>, HeaderError> {
    let size = |name: &str, most: u64, default: u64| {
        fields.number(name, 1..=most).map(|found| found.unwrap_or(default))
    };
    for name in ["attention_bias", "mlp_bias", "norm_bias", "classifier_bias"] {
        if fields.flag(name)? == Some(true) {
            return Ok(None);
        }
    }
    for name in ["attention_dropout", "embedding_dropout", "mlp_dropout", "classifier_dropout"] {
        let dropout: Option<f64> = fields.read(name, "a probability")?;
        if dropout.is_some_and(|dropout| dropout > 0.0) {
            return Ok(None);
        }
    }
    let named = fields.string("hidden_activation")?;
    let scored = fields.string("classifier_activation")?;
    let same = scored.as_deref().unwrap_or("gelu") == named.as_deref().unwrap_or("gelu");
    let activation = activation(named.as_deref().unwrap_or("gelu")).filter(|_| same);
    let untied = fields.flag("tie_word_embeddings")? == Some(false)
        || fields.flag("decoder_bias")? == Some(false);
    let reading = Reading { spelling: &MODERN, fields };
    let (Some(activation), Some(head)) = (activation, reading.head()?) else { return Ok(None) };
    let layers = size("num_hidden_layers", MAX_LAYERS, 22)?;
    let types: Option<Vec<String>> = fields.read("layer_types", "a list of names")?;
    let every = match &types {
        None => Some(size("global_attn_every_n_layers", MAX_LAYERS, 3)?),
        Some(types) => (1..=layers).find(|every| alternates(types, *every)),
    };
    let Some(every) = every.filter(|_| !(untied && head == EncoderHead::Words)) else {
        return Ok(None);
    };
    let reach = size("local_attention", MAX_VOCABULARY, 128)? / 2;
    let mean = fields.string("classifier_pooling")?.as_deref() == Some("mean");
    let hidden = size("hidden_size", MAX_HIDDEN, 768)?;
    let encoder = Encoder {
        style: EncoderStyle::Modern(Local { reach, every, mean }),
        hidden,
        embedding: hidden,
        vocabulary: size("vocab_size", MAX_VOCABULARY, 50_368)?,
        positions: 0,
        types: 0,
        layers,
        heads: size("num_attention_heads", MAX_HEADS, 12)?,
        intermediate: size("intermediate_size", MAX_INTERMEDIATE, 1152)?,
        activation,
        dropouts: Dropouts { hidden: false, attention: false, classifier: false },
        head,
        dtype: stored(fields)?,
    };
    reading.checked(encoder).map(Some)
}

/// Whether each so many layers one sees everything.
fn alternates(types: &[String], every: u64) -> bool {
    let expected = |index: u64| match index.is_multiple_of(every) {
        true => "full_attention",
        false => "sliding_attention",
    };
    (0..).zip(types).all(|(index, name)| name == expected(index))
}

/// The class that a file names first.
pub(super) fn class(fields: &Object<'_>) -> Result<Option<String>, HeaderError> {
    let classes: Option<Vec<String>> = fields.read("architectures", "a list of class names")?;
    Ok(classes.and_then(|classes| classes.into_iter().next()))
}

/// The nonlinearity behind a name of transformers' table (`ACT2FN`), if it is modelled.
pub(super) fn activation(name: &str) -> Option<Activation> {
    Some(match name {
        "relu" => Activation::Relu,
        "relu2" => Activation::ReluSquared,
        "silu" | "swish" => Activation::Silu,
        "gelu" => Activation::Gelu,
        "gelu_new" => Activation::GeluWritten,
        "gelu_pytorch_tanh" => Activation::GeluTanh,
        "quick_gelu" => Activation::QuickGelu,
        "tanh" => Activation::Tanh,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::config;

    fn encoder(text: &str) -> Encoder {
        match config::parse(text.as_bytes()) {
            Ok(Architecture::Encoder(encoder)) => encoder,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_class_says_what_it_ends_in() {
        let head = |class: &str| {
            let text = format!("{{\"model_type\": \"bert\", \"architectures\": [\"{class}\"]}}");
            encoder(&text).head
        };
        assert_eq!(head("BertForSequenceClassification"), EncoderHead::Classes(2));
        assert_eq!(head("BertForMaskedLM"), EncoderHead::Words);
        assert_eq!(head("BertModel"), EncoderHead::Vectors);
        assert_eq!(encoder("{\"model_type\": \"distilbert\"}").head, EncoderHead::Vectors);
        let labelled = "{\"model_type\": \"roberta\",
            \"architectures\": [\"RobertaForSequenceClassification\"],
            \"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}}";
        assert_eq!(encoder(labelled).head, EncoderHead::Classes(3));
        let projected = "{\"model_type\": \"clip_text_model\",
            \"architectures\": [\"CLIPTextModelWithProjection\"], \"projection_dim\": 1280}";
        assert_eq!(encoder(projected).head, EncoderHead::Projection(1280));
    }

    #[test]
    fn what_is_not_modelled_is_not_guessed() {
        for fields in [
            "\"is_decoder\": true",
            "\"position_embedding_type\": \"relative_key\"",
            "\"hidden_act\": \"mish\"",
            "\"architectures\": [\"BertForQuestionAnswering\"]",
        ] {
            let text = format!("{{\"model_type\": \"bert\", {fields}}}");
            let found = config::parse(text.as_bytes());
            assert!(matches!(found, Ok(Architecture::Other { .. })), "{fields}: {found:?}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        let fails = |fields: &str, expected: &str| {
            let text = format!("{{\"model_type\": \"bert\", {fields}}}");
            let error = config::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} does not say {expected}");
        };
        fails("\"num_attention_heads\": 5", "a divisor of the hidden size 768, found 5");
        fails("\"hidden_size\": 0", "a whole number from 1");
        fails("\"hidden_dropout_prob\": \"much\"", "a probability");
        let huge =
            "\"hidden_size\": 1048576, \"num_hidden_layers\": 4096, \"num_attention_heads\": 1";
        fails(huge, "all sizes together");
    }
}
