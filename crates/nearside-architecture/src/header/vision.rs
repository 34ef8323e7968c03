//! What a `config.json` says about an image classifier.
//!
//! Field names and defaults follow the configuration classes of transformers. torchvision has no
//! such files: its models are written in the same words with `"library": "torchvision"`. What the
//! words do not cover (other nonlinearities, dilated convolutions) is refused, not guessed.

use std::ops::RangeInclusive;

use crate::convolutional::{
    Block, Border, Calls, Classifier, ConvolutionalNetwork, Dropped, Groups, LastLayer, Mixing,
    Padding, Pool, Pooling, Shortcut, Step, Sum, Unit,
};
use crate::{Activation, Architecture, Dtype, HeaderError, Library, Norm};

use super::config::MAX_IMAGE;
use super::family::{MAX_HIDDEN, MAX_LAYERS, MAX_VOCABULARY};
use super::json::Object;

/// Most stages of blocks that a network may have.
pub(super) const MAX_STAGES: usize = 64;
/// Most channels that an image may have.
pub(super) const MAX_CHANNELS: u64 = 1 << 12;
/// The largest side of a convolution's kernel or of a patch.
pub(super) const MAX_KERNEL: u64 = 1 << 10;

/// What the families are called.
const FAMILIES: &[&str] = &[
    "resnet",
    "convnext",
    "convnextv2",
    "regnet",
    "vgg",
    "alexnet",
    "densenet",
    "squeezenet",
    "mnasnet",
    "shufflenet_v2",
    "mobilenet_v2",
    "mobilenet_v3",
    "efficientnet",
    "efficientnet_v2",
    "vit",
    "deit",
    "clip_vision_model",
    "dinov2",
    "swin",
    "swinv2",
];

/// Reads an image classifier; `None` where the family is none, or says something that is not built.
pub(super) fn parse(fields: &Object<'_>) -> Result<Option<Architecture>, HeaderError> {
    let Some(family) = fields.string("model_type")? else { return Ok(None) };
    if !FAMILIES.contains(&family.as_str()) {
        return Ok(None);
    }
    let library = match fields.string("library")?.as_deref() {
        Some("torchvision") => Library::Torchvision,
        Some(_) => return Ok(None),
        None => Library::Transformers,
    };
    let vision = Vision { fields, library, family };
    let network = match vision.family.as_str() {
        "resnet" => vision.resnet()?,
        "convnext" => vision.convnext()?,
        "convnextv2" if vision.library == Library::Transformers => vision.convnext()?,
        "convnextv2" => None,
        "regnet" => vision.regnet()?,
        "vgg" => vision.vgg()?,
        "alexnet" => vision.alexnet()?,
        "densenet" => vision.densenet()?,
        "squeezenet" => vision.squeezenet()?,
        "mnasnet" => vision.mnasnet()?,
        "shufflenet_v2" => vision.shufflenet()?,
        "mobilenet_v2" => vision.mobilenet_v2()?,
        "mobilenet_v3" => vision.mobilenet_v3()?,
        "efficientnet" => vision.efficientnet()?,
        "efficientnet_v2" => vision.efficientnet_v2()?,
        "swin" | "swinv2" => {
            let model = vision.window_transformer()?;
            return Ok(model.map(Architecture::WindowTransformer));
        }
        _ => {
            let model = vision.image_transformer()?;
            return Ok(model.map(Architecture::ImageTransformer));
        }
    };
    Ok(network.map(Architecture::Convolutional))
}

/// The steps of a residual block.
#[derive(Clone, Copy)]
enum Residual {
    /// Two wide convolutions.
    Basic,
    /// Narrow, across places, wide again; the second one has the stride.
    Bottleneck,
    /// The same, and the first one has the stride.
    EarlyBottleneck,
}

/// The fields of an image classifier.
pub(super) struct Vision<'a> {
    pub(super) fields: &'a Object<'a>,
    pub(super) library: Library,
    pub(super) family: String,
}

impl Vision<'_> {
    /// The side of the images it was made for.
    pub(super) fn image(&self) -> Result<u64, HeaderError> {
        Ok(self.fields.number("image_size", 1..=MAX_IMAGE)?.unwrap_or(224))
    }

    /// Channels of an image.
    pub(super) fn channels(&self) -> Result<u64, HeaderError> {
        Ok(self.fields.number("num_channels", 1..=MAX_CHANNELS)?.unwrap_or(3))
    }

    /// Classes to choose from: as many as have names; two where nothing is said, as in
    /// transformers.
    pub(super) fn classes(&self) -> Result<u64, HeaderError> {
        if let Some(names) = self.fields.object("id2label")? {
            return Ok(names.count().max(1));
        }
        Ok(self.fields.number("num_labels", 1..=MAX_VOCABULARY)?.unwrap_or(2))
    }

    /// A list of numbers within bounds; `None` where it is not there.
    pub(super) fn numbers(
        &self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<Vec<u64>>, HeaderError> {
        let (low, high) = (bounds.start(), bounds.end());
        let expected =
            format!("at most {MAX_STAGES} whole numbers from {low} to {high}, at least one");
        let found: Option<Vec<u64>> = self.fields.read(name, &expected)?;
        let wrong = found.as_ref().is_some_and(|numbers| {
            numbers.is_empty()
                || numbers.len() > MAX_STAGES
                || numbers.iter().any(|number| !bounds.contains(number))
        });
        if wrong { Err(self.fields.wrong(name, &expected)) } else { Ok(found) }
    }

    /// Widths and depths of the stages.
    pub(super) fn stages(
        &self,
        widths: [u64; 4],
        depths: [u64; 4],
    ) -> Result<Vec<(u64, u64)>, HeaderError> {
        let widths = self.numbers("hidden_sizes", 1..=MAX_HIDDEN)?.unwrap_or(widths.to_vec());
        let depths = self.numbers("depths", 1..=MAX_LAYERS)?.unwrap_or(depths.to_vec());
        if widths.len() != depths.len() {
            let expected = format!("one number for each of {} widths", widths.len());
            return Err(self.fields.wrong("depths", &expected));
        }
        if depths.iter().sum::<u64>() > MAX_LAYERS {
            return Err(self
                .fields
                .wrong("depths", &format!("at most {MAX_LAYERS} blocks in all")));
        }
        Ok(widths.into_iter().zip(depths).collect())
    }

    /// The nonlinearity; `None` where it is another one than those that are built.
    pub(super) fn activation(&self, default: &str) -> Result<Option<Activation>, HeaderError> {
        let name = self.fields.string("hidden_act")?;
        Ok(match (name.as_deref().unwrap_or(default), self.library) {
            ("relu", Library::Torchvision) => Some(Activation::ReluInPlace),
            ("relu", Library::Transformers) => Some(Activation::Relu),
            ("silu" | "swish", Library::Torchvision) => Some(Activation::SiluInPlace),
            ("silu" | "swish", Library::Transformers) => Some(Activation::Silu),
            ("relu6", Library::Torchvision) => Some(Activation::Relu6InPlace),
            ("relu6", Library::Transformers) => Some(Activation::Relu6),
            ("quick_gelu", _) => Some(Activation::QuickGelu),
            ("gelu", _) => Some(Activation::Gelu),
            ("gelu_pytorch_tanh", _) => Some(Activation::GeluTanh),
            _ => None,
        })
    }

    /// Whether a rate is above zero.
    pub(super) fn positive(&self, name: &str, default: f64) -> Result<bool, HeaderError> {
        let rate: Option<f64> = self.fields.read(name, "a number")?;
        Ok(rate.unwrap_or(default) > 0.0)
    }

    /// ResNet (arXiv 1512.03385).
    fn resnet(&self) -> Result<Option<ConvolutionalNetwork>, HeaderError> {
        let fields = self.fields;
        let Some(activation) = self.activation("relu")? else { return Ok(None) };
        let first = fields.number("embedding_size", 1..=MAX_HIDDEN)?.unwrap_or(64);
        let halved_first = fields.flag("downsample_in_first_stage")? == Some(true);
        let kind = self.residual_kind()?;
        let cardinality = self.cardinality()?;
        let mut stages = Vec::new();
        let mut input = first;
        let depths = self.stages([256, 512, 1024, 2048], [3, 4, 6, 3])?;
        for (index, (output, depth)) in depths.into_iter().enumerate() {
            let halved = index > 0 || halved_first;
            let mut blocks = Vec::new();
            for layer in 0..depth {
                let stride = if halved && layer == 0 { 2 } else { 1 };
                blocks.push(self.residual(kind, activation, cardinality, (input, output, stride)));
                input = output;
            }
            stages.push(blocks);
        }
        let stem = normed(convolution(first, 7, 2), Some(activation));
        Ok(Some(ConvolutionalNetwork {
            stem: vec![Step::Unit(stem), Step::MaxPool(HALVED)],
            stages,
            ..self.network()?
        }))
    }

    /// Groups of channels in the middle of a bottleneck, and their width at the first stage
    /// (`groups` and `width_per_group` of torchvision's ResNet).
    fn cardinality(&self) -> Result<[u64; 2], HeaderError> {
        match self.library {
            Library::Torchvision => Ok([
                self.fields.number("groups", 1..=MAX_CHANNELS)?.unwrap_or(1),
                self.fields.number("width_per_group", 1..=MAX_CHANNELS)?.unwrap_or(64),
            ]),
            Library::Transformers => Ok([1, 64]),
        }
    }

    fn residual_kind(&self) -> Result<Residual, HeaderError> {
        let early = self.fields.flag("downsample_in_bottleneck")? == Some(true);
        match self.fields.string("layer_type")?.as_deref() {
            None | Some("bottleneck") if early => Ok(Residual::EarlyBottleneck),
            None | Some("bottleneck") => Ok(Residual::Bottleneck),
            Some("basic") => Ok(Residual::Basic),
            Some(_) => Err(self.fields.wrong("layer_type", "\"basic\" or \"bottleneck\"")),
        }
    }

    fn residual(
        &self,
        kind: Residual,
        activation: Activation,
        [groups, per_group]: [u64; 2],
        (input, output, stride): (u64, u64, u64),
    ) -> Block {
        let active = Some(activation);
        let inner = output / 4 * per_group / 64 * groups;
        let grouped = if groups == 1 { Groups::One } else { Groups::Many(groups) };
        let bottleneck = |first, second| {
            vec![
                normed(convolution(inner, 1, first), active),
                normed(Unit { groups: grouped, ..convolution(inner, 3, second) }, active),
                normed(convolution(output, 1, 1), None),
            ]
        };
        let units = match kind {
            Residual::Bottleneck => bottleneck(1, stride),
            Residual::EarlyBottleneck => bottleneck(stride, 1),
            Residual::Basic => vec![
                normed(convolution(output, 3, stride), self.basic(activation)),
                normed(convolution(output, 3, 1), None),
            ],
        };
        let shortcut = match input != output || stride != 1 {
            true => Shortcut::Projection(normed(convolution(output, 1, stride), None)),
            false => Shortcut::Identity(Sum::InPlace),
        };
        let steps = units.into_iter().map(Step::Unit).collect();
        Block { steps, shortcut, dropped: Dropped::Nothing, activation: active }
    }

    /// The first nonlinearity of a basic block, which transformers does not configure.
    const fn basic(&self, activation: Activation) -> Option<Activation> {
        match self.library {
            Library::Torchvision => Some(activation),
            Library::Transformers => Some(Activation::Relu),
        }
    }

    /// ConvNeXt (arXiv 2201.03545) and its second version (arXiv 2301.00808).
    fn convnext(&self) -> Result<Option<ConvolutionalNetwork>, HeaderError> {
        let fields = self.fields;
        let Some(activation) = self.activation("gelu")? else { return Ok(None) };
        let patch = fields.number("patch_size", 1..=MAX_KERNEL)?.unwrap_or(4);
        let responsive = self.family == "convnextv2";
        let scaled = !responsive && self.positive("layer_scale_init_value", 1e-6)?;
        let dropped = self.positive("drop_path_rate", 0.0)?;
        let sum = match self.library {
            Library::Torchvision => Sum::InPlace,
            Library::Transformers => Sum::Fresh,
        };
        let mut stages = Vec::new();
        let mut earlier = 0;
        let widths = self.stages([96, 192, 384, 768], [3, 3, 9, 3])?;
        let first = widths.first().map_or(1, |(width, _)| *width);
        for (index, (width, depth)) in widths.into_iter().enumerate() {
            let mut blocks = Vec::new();
            if index > 0 {
                let halved = Step::Unit(whole(width, 2));
                blocks.push(plain(vec![Step::Norm(Norm::Layer), halved]));
            }
            for _ in 0..depth {
                let depthwise =
                    Unit { groups: Groups::Channels, bias: true, ..convolution(width, 7, 1) };
                let mixing = Mixing { inner: 4 * width, activation, responsive, scaled };
                blocks.push(Block {
                    steps: vec![Step::Unit(depthwise), Step::Mixing(mixing)],
                    shortcut: Shortcut::Identity(sum),
                    // The rate grows from nothing at the first block.
                    dropped: match dropped && earlier > 0 {
                        true => Dropped::Images,
                        false => Dropped::Nothing,
                    },
                    activation: None,
                });
                earlier += 1;
            }
            stages.push(blocks);
        }
        let stem = Unit { norm: Some(Norm::Layer), ..whole(first, patch) };
        let network = self.network()?;
        let classifier = Classifier { norm: Some(Norm::Layer), ..network.classifier.clone() };
        Ok(Some(ConvolutionalNetwork {
            stem: vec![Step::Unit(stem)],
            stages,
            classifier,
            ..network
        }))
    }

    /// What all families say in the same words.
    pub(super) fn network(&self) -> Result<ConvolutionalNetwork, HeaderError> {
        let calls = match (self.library, self.family.as_str()) {
            (
                Library::Torchvision,
                "resnet" | "vgg" | "alexnet" | "densenet" | "squeezenet" | "mnasnet"
                | "shufflenet_v2",
            ) => Calls::Apart,
            _ => Calls::Together,
        };
        Ok(ConvolutionalNetwork {
            family: self.family.clone(),
            library: self.library,
            image: self.image()?,
            channels: self.channels()?,
            stem: Vec::new(),
            stem_held: self.library == Library::Transformers && self.family != "mobilenet_v2",
            stages: Vec::new(),
            tail: Vec::new(),
            classifier: Classifier {
                norm: None,
                layers: Vec::new(),
                last: LastLayer::Linear,
                classes: self.classes()?,
            },
            calls,
            pool: Pool::Mean,
            dtype: self.dtype()?,
        })
    }

    /// The type its weights are published in.
    pub(super) fn dtype(&self) -> Result<Option<Dtype>, HeaderError> {
        for name in ["dtype", "torch_dtype"] {
            if let Some(text) = self.fields.string(name)? {
                let wrong = |_| self.fields.wrong(name, "a number type such as bfloat16");
                return text.parse().map(Some).map_err(wrong);
            }
        }
        Ok(None)
    }
}

/// The largest of three neighbours, every other one.
pub(super) const HALVED: Pooling =
    Pooling { kernel: 3, stride: 2, padding: 1, border: Border::Dropped };

/// A convolution alone, with as many zeros around as keep the side.
pub(super) const fn convolution(output: u64, kernel: u64, stride: u64) -> Unit {
    Unit {
        output,
        kernel,
        stride,
        padding: Padding::Inside((kernel - 1) / 2),
        groups: Groups::One,
        bias: false,
        norm: None,
        activation: None,
    }
}

/// A convolution with batch norm and what follows it.
pub(super) const fn normed(unit: Unit, activation: Option<Activation>) -> Unit {
    Unit { norm: Some(Norm::Batch), activation, ..unit }
}

/// A convolution of neighbouring patches.
pub(super) const fn whole(output: u64, patch: u64) -> Unit {
    Unit { padding: Padding::Inside(0), bias: true, ..convolution(output, patch, patch) }
}

/// Steps without a shortcut.
pub(super) const fn plain(steps: Vec<Step>) -> Block {
    Block { steps, shortcut: Shortcut::None, dropped: Dropped::Nothing, activation: None }
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;

    fn network(text: &str) -> ConvolutionalNetwork {
        match config::parse(text.as_bytes()).unwrap() {
            Architecture::Convolutional(network) => network,
            other => panic!("{other:?}"),
        }
    }

    fn refused(text: &str) -> bool {
        matches!(config::parse(text.as_bytes()).unwrap(), Architecture::Other { .. })
    }

    fn fails(text: &str, complaint: &str) {
        let error = config::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
    }

    #[test]
    fn a_silent_configuration_has_the_defaults_of_transformers() {
        let resnet = network(r#"{"model_type": "resnet"}"#);
        let depths: Vec<_> = resnet.stages.iter().map(Vec::len).collect();
        assert_eq!(depths, [3, 4, 6, 3]);
        assert_eq!((resnet.library, resnet.classifier.classes), (Library::Transformers, 2));
        let convnext = network(r#"{"model_type": "convnext"}"#);
        let blocks: usize = convnext.stages.iter().map(Vec::len).sum();
        assert_eq!(blocks, 3 + 3 + 9 + 3 + 3);
    }

    #[test]
    fn classes_are_as_many_as_have_names() {
        let text = r#"{"model_type": "resnet", "id2label": {"0": "cat", "1": "dog", "2": "owl"}}"#;
        assert_eq!(network(text).classifier.classes, 3);
    }

    #[test]
    fn what_is_not_built_is_refused() {
        assert!(refused(r#"{"model_type": "resnet", "hidden_act": "mish"}"#));
        assert!(refused(r#"{"model_type": "resnet", "library": "timm"}"#));
        assert!(refused(r#"{"model_type": "mobilenet_v2", "output_stride": 8}"#));
        assert!(refused(r#"{"model_type": "mobilenet_v3"}"#));
        assert!(refused(
            r#"{"model_type": "efficientnet", "kernel_sizes": [3, 3, 3, 3, 3, 3, 3]}"#
        ));
    }

    #[test]
    fn senseless_fields_are_named() {
        fails(r#"{"model_type": "resnet", "depths": [3, 4]}"#, "one number for each of 4 widths");
        fails(r#"{"model_type": "resnet", "depths": []}"#, "at least one");
        fails(r#"{"model_type": "convnext", "depths": [900, 900, 900, 900000]}"#, "depths");
        fails(
            r#"{"model_type": "vit", "num_attention_heads": 7}"#,
            "a divisor of the hidden size 768",
        );
        fails(r#"{"model_type": "vit", "image_size": 65536, "patch_size": 1}"#, "patch_size");
        fails(r#"{"model_type": "mobilenet_v3", "library": "torchvision"}"#, "blocks");
        fails(r#"{"model_type": "efficientnet", "width_coefficient": -1}"#, "a number above 0");
    }
}
