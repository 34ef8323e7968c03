//! What a `config.json` says about networks of inverted residual blocks: MobileNet V2
//! (arXiv 1801.04381) and V3 (arXiv 1905.02244), EfficientNet (arXiv 1905.11946) and its second
//! version (arXiv 2104.00298).
//!
//! transformers has MobileNet V2 and the first EfficientNet. The others exist in torchvision alone
//! and list their blocks.

use serde::Deserialize;

use crate::convolutional::{
    Block, Classifier, ClassifierLayer, ConvolutionalNetwork, Dropped, Groups, Padding, Pool,
    Shortcut, Squeeze, Step, Sum, Unit,
};
use crate::{Activation, HeaderError, Library};

use super::family::MAX_HIDDEN;
use super::vision::{MAX_STAGES, Vision, convolution, normed};

/// Most channels that a rate may blow a width up to.
const MOST: f64 = MAX_HIDDEN as f64;
/// The largest rate of widths, depths and expansions.
const MAX_RATE: f64 = 64.0;
/// Most blocks of one stage.
const MAX_REPEATS: u64 = 1 << 6;
/// The largest side of a kernel inside a block.
const MAX_KERNEL: u64 = 1 << 5;

/// A row of blocks as torchvision's models list them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kernel: u64,
    stride: u64,
    output: u64,
    /// Channels inside.
    expanded: Option<u64>,
    /// Channels inside, as a multiple of what comes in.
    expansion: Option<u64>,
    #[serde(default = "once")]
    repeats: u64,
    #[serde(default)]
    squeeze: bool,
    #[serde(default)]
    hardswish: bool,
    #[serde(default)]
    fused: bool,
}

const fn once() -> u64 {
    1
}

/// A block as its family's rules make it.
pub(super) struct Inverted {
    pub(super) input: u64,
    pub(super) inner: u64,
    pub(super) output: u64,
    pub(super) kernel: u64,
    pub(super) stride: u64,
    pub(super) activation: Activation,
    pub(super) squeeze: Option<Squeeze>,
}

impl Inverted {
    /// Wider, across places, perhaps weighed, narrow again.
    pub(super) fn steps(&self, padding: impl Fn(Unit) -> Unit) -> Vec<Step> {
        let active = Some(self.activation);
        let depthwise = normed(
            Unit { groups: Groups::Channels, ..convolution(self.inner, self.kernel, self.stride) },
            active,
        );
        let wider = (self.inner != self.input)
            .then(|| Step::Unit(padding(normed(convolution(self.inner, 1, 1), active))));
        wider
            .into_iter()
            .chain([Step::Unit(padding(depthwise))])
            .chain(self.squeeze.map(Step::Squeeze))
            .chain([Step::Unit(padding(normed(convolution(self.output, 1, 1), None)))])
            .collect()
    }

    pub(super) const fn keeps_shape(&self) -> bool {
        self.stride == 1 && self.input == self.output
    }
}

/// A number of channels that eight (or another divisor) divides, never a tenth less than asked for
/// (`_make_divisible` in torchvision, `make_divisible` and `round_filters` in transformers).
pub(super) fn rounded(channels: f64, divisor: u64) -> u64 {
    let divisor = divisor.max(1);
    let half = (channels + divisor as f64 / 2.0).clamp(0.0, MOST) as u64;
    let rounded = (half / divisor * divisor).max(divisor);
    if (rounded as f64) < 0.9 * channels { rounded + divisor } else { rounded }
}

impl Vision<'_> {
    pub(super) fn rate(&self, name: &str, default: f64) -> Result<f64, HeaderError> {
        let expected = format!("a number above 0, at most {MAX_RATE}");
        let found: f64 = self.fields.read(name, &expected)?.unwrap_or(default);
        let known = found > 0.0 && found <= MAX_RATE;
        if known { Ok(found) } else { Err(self.fields.wrong(name, &expected)) }
    }

    fn rows(&self) -> Result<Vec<Row>, HeaderError> {
        let expected = format!("at most {MAX_STAGES} rows of blocks with positive numbers");
        let rows: Option<Vec<Row>> = self.fields.read("blocks", &expected)?;
        let Some(rows) = rows else { return Err(self.fields.missing(&["blocks"])) };
        let within = |number: u64, most: u64| (1..=most).contains(&number);
        let known = |row: &Row| {
            within(row.kernel, MAX_KERNEL)
                && within(row.stride, 2)
                && within(row.output, MAX_HIDDEN)
                && within(row.repeats, MAX_REPEATS)
                && row.expanded.is_none_or(|width| within(width, MAX_HIDDEN))
                && row.expansion.is_none_or(|rate| within(rate, MAX_RATE as u64))
        };
        let fine = !rows.is_empty() && rows.len() <= MAX_STAGES && rows.iter().all(known);
        if fine { Ok(rows) } else { Err(self.fields.wrong("blocks", &expected)) }
    }

    fn first_channels(&self, default: u64) -> Result<u64, HeaderError> {
        Ok(self.fields.number("embedding_size", 1..=MAX_HIDDEN)?.unwrap_or(default))
    }

    /// MobileNet V2.
    pub(super) fn mobilenet_v2(&self) -> Result<Option<ConvolutionalNetwork>, HeaderError> {
        let fields = self.fields;
        let Some(activation) = self.activation("relu6")? else { return Ok(None) };
        let usual = |name: &str, usual: u64| {
            fields.number(name, 1..=MAX_HIDDEN).map(|found| found.is_none_or(|it| it == usual))
        };
        // Dilated convolutions and other stems are not built.
        let known = usual("output_stride", 32)?
            && usual("min_depth", 8)?
            && fields.flag("first_layer_is_expansion")? != Some(false);
        if !known {
            return Ok(None);
        }
        let divisor = fields.number("depth_divisible_by", 1..=MAX_HIDDEN)?.unwrap_or(8);
        let multiplier = self.rate("depth_multiplier", 1.0)?;
        let expansion = self.rate("expand_ratio", 6.0)?;
        let width = |channels: u64| rounded((channels as f64 * multiplier).round(), divisor);
        let same =
            self.library == Library::Transformers && fields.flag("tf_padding")? != Some(false);
        let padding = |unit: Unit| match same {
            true => Unit { padding: Padding::Same, ..unit },
            false => unit,
        };
        let mut input = width(32);
        let stem = padding(normed(convolution(input, 3, 2), Some(activation)));
        let mut stages = Vec::new();
        for (index, (channels, repeats, stride)) in MOBILENET_V2.into_iter().enumerate() {
            for layer in 0..repeats {
                let output = width(channels);
                let inner = match index {
                    0 => input,
                    _ => rounded((input as f64 * expansion).round(), divisor),
                };
                let stride = if layer == 0 { stride } else { 1 };
                let block =
                    Inverted { input, inner, output, kernel: 3, stride, activation, squeeze: None };
                let kept = block.keeps_shape() && index > 0;
                let shortcut = if kept { Shortcut::Identity(Sum::Fresh) } else { Shortcut::None };
                let steps = match self.library {
                    Library::Torchvision => apart(block.steps(padding)),
                    Library::Transformers => block.steps(padding),
                };
                stages.push(vec![bare(steps, shortcut)]);
                input = output;
            }
        }
        let fine = multiplier >= 1.0 || fields.flag("finegrained_output")? == Some(false);
        let last = if fine { width(1280) } else { 1280 };
        let tail = padding(normed(convolution(last, 1, 1), Some(activation)));
        let network = self.network()?;
        let layers = vec![ClassifierLayer::Dropout];
        let classifier = Classifier { layers, ..network.classifier.clone() };
        Ok(Some(ConvolutionalNetwork {
            stem: vec![Step::Unit(stem)],
            stages,
            tail: vec![Step::Unit(tail)],
            classifier,
            ..network
        }))
    }

    /// MobileNet V3, of torchvision.
    pub(super) fn mobilenet_v3(&self) -> Result<Option<ConvolutionalNetwork>, HeaderError> {
        if self.library != Library::Torchvision {
            return Ok(None);
        }
        let hardswish = Activation::HardswishInPlace;
        let mut input = self.first_channels(16)?;
        let stem = normed(convolution(input, 3, 2), Some(hardswish));
        let mut stages = Vec::new();
        for row in self.rows()? {
            let inner = row.expanded.unwrap_or(input);
            let squeeze = row.squeeze.then(|| Squeeze {
                inner: rounded((inner / 4) as f64, 8),
                activation: Activation::Relu,
                gate: Activation::Hardsigmoid,
            });
            let activation = if row.hardswish { hardswish } else { Activation::ReluInPlace };
            let Row { kernel, stride, output, .. } = row;
            let block = Inverted { input, inner, output, kernel, stride, activation, squeeze };
            let shortcut = match block.keeps_shape() {
                true => Shortcut::Identity(Sum::InPlace),
                false => Shortcut::None,
            };
            stages.push(vec![bare(block.steps(|unit| unit), shortcut)]);
            input = output;
        }
        let tail = normed(convolution(6 * input, 1, 1), Some(hardswish));
        let width = self.fields.required(&["classifier_width"], 1..=MAX_HIDDEN)?;
        let network = self.network()?;
        let layers = vec![ClassifierLayer::Linear(width, hardswish), ClassifierLayer::Dropout];
        let classifier = Classifier { layers, ..network.classifier.clone() };
        Ok(Some(ConvolutionalNetwork {
            stem: vec![Step::Unit(stem)],
            stages,
            tail: vec![Step::Unit(tail)],
            classifier,
            ..network
        }))
    }

    /// EfficientNet B0 to B7: rates of one list of widths and depths.
    pub(super) fn efficientnet(&self) -> Result<Option<ConvolutionalNetwork>, HeaderError> {
        // The lists have defaults that no published model departs from.
        const LISTS: &[&str] = &["kernel_sizes", "in_channels", "out_channels", "strides"];
        const MORE: &[&str] = &["num_block_repeats", "expand_ratios", "squeeze_expansion_ratio"];
        let Some(activation) = self.activation("swish")? else { return Ok(None) };
        let usual = [
            [3, 3, 5, 3, 5, 5, 3],
            [32, 16, 24, 40, 80, 112, 192],
            [16, 24, 40, 80, 112, 192, 320],
            [1, 2, 2, 2, 1, 2, 1],
            [1, 2, 2, 3, 3, 4, 1],
            [1, 6, 6, 6, 6, 6, 6],
        ];
        for (name, usual) in LISTS.iter().chain(MORE).zip(usual) {
            if self.numbers(name, 1..=MAX_HIDDEN)?.is_some_and(|found| found != usual) {
                return Ok(None);
            }
        }
        let quarter: Option<f64> = self.fields.read(MORE[2], "a number")?;
        let pooling = self.fields.string("pooling_type")?;
        if quarter.is_some_and(|rate| (rate - 0.25).abs() > f64::EPSILON)
            || pooling.is_some_and(|kind| kind != "mean")
        {
            return Ok(None);
        }
        let divisor = self.fields.number("depth_divisor", 1..=MAX_HIDDEN)?.unwrap_or(8);
        let wide = self.rate("width_coefficient", 2.0)?;
        let deep = self.rate("depth_coefficient", 3.1)?;
        let width = |channels: u64| rounded(channels as f64 * wide, divisor);
        let row = |index: usize| Row {
            kernel: usual[0][index],
            stride: usual[3][index],
            output: width(usual[2][index]),
            expanded: None,
            expansion: Some(usual[5][index]),
            repeats: (usual[4][index] as f64 * deep).ceil() as u64,
            squeeze: true,
            hardswish: false,
            fused: false,
        };
        let rows = (0..7).map(row).collect();
        let last = match self.library {
            Library::Torchvision => 4 * width(320),
            Library::Transformers => width(1280),
        };
        self.efficient(activation, width(32), rows, last).map(Some)
    }

    /// The second version, of torchvision.
    pub(super) fn efficientnet_v2(&self) -> Result<Option<ConvolutionalNetwork>, HeaderError> {
        if self.library != Library::Torchvision {
            return Ok(None);
        }
        let last = self.fields.number("tail_width", 1..=MAX_HIDDEN)?.unwrap_or(1280);
        let (first, rows) = (self.first_channels(24)?, self.rows()?);
        self.efficient(Activation::SiluInPlace, first, rows, last).map(Some)
    }

    fn efficient(
        &self,
        activation: Activation,
        first: u64,
        rows: Vec<Row>,
        last: u64,
    ) -> Result<ConvolutionalNetwork, HeaderError> {
        let same = self.library == Library::Transformers;
        let padding = |unit: Unit| match same && unit.stride > 1 {
            true => Unit { padding: Padding::Same, ..unit },
            false => unit,
        };
        let dropped = self.positive("drop_connect_rate", 0.2)?;
        let mut stages: Vec<Vec<Block>> = Vec::new();
        let mut input = first;
        for row in rows {
            let mut blocks = Vec::new();
            for layer in 0..row.repeats {
                let stride = if layer == 0 { row.stride } else { 1 };
                let number = blocks.len() + stages.iter().map(Vec::len).sum::<usize>();
                let mut block = self.efficient_block(
                    &Row { stride, ..row.clone() },
                    activation,
                    input,
                    padding,
                );
                // transformers never adds the input of a stage's first block.
                if same && layer == 0 {
                    block.shortcut = Shortcut::None;
                }
                if block.shortcut != Shortcut::None && dropped && number > 0 {
                    block.dropped = if same { Dropped::Elements } else { Dropped::Images };
                }
                blocks.push(block);
                input = row.output;
            }
            stages.push(blocks);
        }
        let tail = normed(convolution(last, 1, 1), Some(activation));
        let network = self.network()?;
        Ok(ConvolutionalNetwork {
            stem: vec![Step::Unit(padding(normed(convolution(first, 3, 2), Some(activation))))],
            stages,
            tail: vec![Step::Unit(tail)],
            pool: if same { Pool::Average } else { Pool::Mean },
            classifier: Classifier {
                layers: vec![ClassifierLayer::Dropout],
                ..network.classifier.clone()
            },
            ..network
        })
    }

    fn efficient_block(
        &self,
        row: &Row,
        activation: Activation,
        input: u64,
        padding: impl Fn(Unit) -> Unit,
    ) -> Block {
        let Row { kernel, stride, output, fused, .. } = *row;
        let inner = match self.library {
            Library::Torchvision => rounded((input * row.expansion.unwrap_or(1)) as f64, 8),
            Library::Transformers => input * row.expansion.unwrap_or(1),
        };
        let squeeze = Squeeze { inner: (input / 4).max(1), activation, gate: Activation::Sigmoid };
        let squeeze = row.squeeze.then_some(squeeze);
        let block = Inverted { input, inner, output, kernel, stride, activation, squeeze };
        let steps = match fused {
            false => block.steps(padding),
            true if inner == input => {
                vec![Step::Unit(normed(convolution(output, kernel, stride), Some(activation)))]
            }
            true => vec![
                Step::Unit(normed(convolution(inner, kernel, stride), Some(activation))),
                Step::Unit(normed(convolution(output, 1, 1), None)),
            ],
        };
        let sum = match self.library {
            Library::Torchvision => Sum::InPlace,
            Library::Transformers => Sum::FreshSteps,
        };
        let shortcut = match block.keeps_shape() {
            true => Shortcut::Identity(sum),
            false => Shortcut::None,
        };
        bare(steps, shortcut)
    }
}

/// Output channels, repeats and first stride of each stage (table 2 of arXiv 1801.04381).
const MOBILENET_V2: [(u64, u64, u64); 7] =
    [(16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1)];

/// The norm of the last convolution as a step of its own.
pub(super) fn apart(mut steps: Vec<Step>) -> Vec<Step> {
    if let Some(Step::Unit(Unit { norm: norm @ Some(_), .. })) = steps.last_mut()
        && let Some(norm) = norm.take()
    {
        steps.push(Step::Norm(norm));
    }
    steps
}

pub(super) const fn bare(steps: Vec<Step>, shortcut: Shortcut) -> Block {
    Block { steps, shortcut, dropped: Dropped::Nothing, activation: None }
}
