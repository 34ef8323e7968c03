//! What a configuration says about torchvision's other networks of convolutions: AlexNet, VGG
//! (arXiv 1409.1556), DenseNet (arXiv 1608.06993), SqueezeNet (arXiv 1602.07360), MNASNet
//! (arXiv 1807.11626), ShuffleNet V2 (arXiv 1807.11164) and RegNet (arXiv 2003.13678).
//!
//! Those of other libraries are refused: their modules keep other things alive.

use crate::convolutional::{
    Block, Border, Classifier, ClassifierLayer, ConvolutionalNetwork, Dropped, Groups, LastLayer,
    Padding, Pool, Pooling, Shortcut, Squeeze, Step, Sum, Unit,
};
use crate::{Activation, HeaderError, Library, Norm};

use super::family::{MAX_HIDDEN, MAX_LAYERS};
use super::inverted::{Inverted, apart, bare, rounded};
use super::vision::{HALVED, Vision, convolution, normed, plain};

/// A nonlinearity written over its input.
const ACTIVE: Option<Activation> = Some(Activation::ReluInPlace);
/// Most layers of a dense block.
const MAX_DENSE: u64 = 1 << 8;
/// A window of three without a border, every other one.
const OVERLAPPING: Pooling = Pooling { kernel: 3, stride: 2, padding: 0, border: Border::Dropped };
/// A window of two, every other one.
const PAIRS: Pooling = Pooling { kernel: 2, stride: 2, padding: 0, border: Border::Dropped };

type Network = Result<Option<ConvolutionalNetwork>, HeaderError>;

/// A convolution with a bias and a nonlinearity.
const fn biased(unit: Unit) -> Step {
    Step::Unit(Unit { bias: true, activation: ACTIVE, ..unit })
}

/// A convolution with batch norm and a nonlinearity.
const fn active(unit: Unit) -> Step {
    Step::Unit(normed(unit, ACTIVE))
}

/// Batch norm and a nonlinearity before a convolution.
const fn before(unit: Unit) -> [Step; 3] {
    [Step::Norm(Norm::Batch), Step::Activation(Activation::ReluInPlace), Step::Unit(unit)]
}

impl Vision<'_> {
    /// Whether the network is torchvision's, which alone is built.
    fn of_torchvision(&self) -> bool {
        self.library == Library::Torchvision
    }

    /// Two wide layers before the classes.
    fn with_wide_layers(
        &self,
        stem: Vec<Step>,
        grid: u64,
        layers: Vec<ClassifierLayer>,
    ) -> Result<ConvolutionalNetwork, HeaderError> {
        let network = self.network()?;
        let classifier = Classifier { layers, ..network.classifier.clone() };
        Ok(ConvolutionalNetwork { stem, pool: Pool::Grid(grid), classifier, ..network })
    }

    /// AlexNet, as torchvision has it.
    pub(super) fn alexnet(&self) -> Network {
        let wide = ClassifierLayer::Linear(4096, Activation::ReluInPlace);
        let inside = |output, kernel| biased(convolution(output, kernel, 1));
        let first = Unit { padding: Padding::Inside(2), ..convolution(64, 11, 4) };
        let pool = Step::MaxPool(OVERLAPPING);
        let stem = vec![
            biased(first),
            pool.clone(),
            inside(192, 5),
            pool.clone(),
            inside(384, 3),
            inside(256, 3),
            inside(256, 3),
            pool,
        ];
        let layers = vec![ClassifierLayer::Dropout, wide, ClassifierLayer::Dropout, wide];
        self.of_torchvision().then(|| self.with_wide_layers(stem, 6, layers)).transpose()
    }

    /// VGG 11 to 19, with batch norm and without.
    pub(super) fn vgg(&self) -> Network {
        if !self.of_torchvision() {
            return Ok(None);
        }
        let norm = self.fields.flag("batch_norm")? == Some(true);
        let norm = norm.then_some(Norm::Batch);
        let usual = [64, 128, 256, 512, 512];
        let widths = self.numbers("hidden_sizes", 1..=MAX_HIDDEN)?.unwrap_or(usual.to_vec());
        let depths = self.numbers("depths", 1..=MAX_LAYERS)?.unwrap_or(vec![2, 2, 3, 3, 3]);
        if widths.len() != depths.len() || depths.iter().sum::<u64>() > MAX_LAYERS {
            let expected = format!("one number for each of {} widths", widths.len());
            return Err(self.fields.wrong("depths", &expected));
        }
        let mut stem = Vec::new();
        for (width, depth) in widths.into_iter().zip(depths) {
            let unit = Unit { norm, ..convolution(width, 3, 1) };
            stem.extend((0..depth).map(|_| biased(unit.clone())));
            stem.push(Step::MaxPool(PAIRS));
        }
        let wide = ClassifierLayer::Linear(4096, Activation::ReluInPlace);
        let layers = vec![wide, ClassifierLayer::Dropout, wide, ClassifierLayer::Dropout];
        self.with_wide_layers(stem, 7, layers).map(Some)
    }

    /// DenseNet.
    pub(super) fn densenet(&self) -> Network {
        if !self.of_torchvision() {
            return Ok(None);
        }
        let number = |name: &str, default| {
            self.fields.number(name, 1..=MAX_HIDDEN).map(|found| found.unwrap_or(default))
        };
        let (growth, first) = (number("growth_rate", 32)?, number("embedding_size", 64)?);
        let narrow = number("bottleneck_size", 4)?.saturating_mul(growth).min(MAX_HIDDEN);
        let depths = self.numbers("depths", 1..=MAX_DENSE)?.unwrap_or(vec![6, 12, 24, 16]);
        let mut stages = Vec::new();
        let mut width = first;
        let count = depths.len();
        for (index, depth) in depths.into_iter().enumerate() {
            let layer = || {
                before(convolution(narrow, 1, 1))
                    .into_iter()
                    .chain(before(convolution(growth, 3, 1)))
                    .collect::<Vec<_>>()
            };
            let layers = (0..depth).map(|_| layer()).collect();
            stages.push(vec![plain(vec![Step::Dense(layers)])]);
            width += depth * growth;
            if index + 1 < count {
                width /= 2;
                let mut steps = before(convolution(width, 1, 1)).to_vec();
                steps.push(Step::AveragePool(PAIRS));
                stages.push(vec![plain(steps)]);
            }
        }
        Ok(Some(ConvolutionalNetwork {
            stem: vec![active(convolution(first, 7, 2)), Step::MaxPool(HALVED)],
            stages,
            tail: vec![Step::Norm(Norm::Batch), Step::Activation(Activation::ReluInPlace)],
            ..self.network()?
        }))
    }

    /// SqueezeNet 1.0 and 1.1.
    pub(super) fn squeezenet(&self) -> Network {
        if !self.of_torchvision() {
            return Ok(None);
        }
        let (first, pooled) = match self.fields.string("version")?.as_deref() {
            Some("1.0") => (convolution(96, 7, 2), [2, 6]),
            Some("1.1") => (convolution(64, 3, 2), [1, 3]),
            _ => return Err(self.fields.wrong("version", "\"1.0\" or \"1.1\"")),
        };
        let pool = Step::MaxPool(Pooling { border: Border::Kept, ..OVERLAPPING });
        let first = Unit { padding: Padding::Inside(0), ..first };
        let mut stages = Vec::new();
        let fires = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256)];
        for (index, (narrow, wide)) in fires.into_iter().chain([(64, 256)]).enumerate() {
            let branch = |kernel| vec![biased(convolution(wide, kernel, 1))];
            let fire =
                vec![biased(convolution(narrow, 1, 1)), Step::Branches(vec![branch(1), branch(3)])];
            stages.push(vec![plain(fire)]);
            if pooled.contains(&index) {
                stages.push(vec![plain(vec![pool.clone()])]);
            }
        }
        let network = self.network()?;
        let classes = network.classifier.classes;
        let classifier = Classifier { last: LastLayer::Channels, ..network.classifier.clone() };
        Ok(Some(ConvolutionalNetwork {
            stem: vec![biased(first), pool],
            stages,
            tail: vec![Step::Dropout, biased(convolution(classes, 1, 1))],
            classifier,
            ..network
        }))
    }

    /// MNASNet.
    pub(super) fn mnasnet(&self) -> Network {
        /// Kernel, first stride, expansion and blocks of each stage.
        const STAGES: [[u64; 4]; 6] =
            [[3, 2, 3, 3], [5, 2, 3, 3], [5, 2, 6, 3], [3, 1, 6, 2], [5, 2, 6, 4], [3, 1, 6, 1]];
        if !self.of_torchvision() {
            return Ok(None);
        }
        let rate = self.rate("depth_multiplier", 1.0)?;
        let widths = [32.0, 16.0, 24.0, 40.0, 80.0, 96.0, 192.0, 320.0];
        let widths = widths.map(|width| rounded(width * rate, 8));
        let depthwise = Unit { groups: Groups::Channels, ..convolution(widths[0], 3, 1) };
        let stem = vec![
            active(convolution(widths[0], 3, 2)),
            active(depthwise),
            Step::Unit(normed(convolution(widths[1], 1, 1), None)),
        ];
        let mut input = widths[1];
        let mut stages = Vec::new();
        for ([kernel, stride, expansion, depth], output) in STAGES.into_iter().zip(&widths[2..]) {
            let mut blocks = Vec::new();
            for layer in 0..depth {
                let block = Inverted {
                    input,
                    inner: input * expansion,
                    output: *output,
                    kernel,
                    stride: if layer == 0 { stride } else { 1 },
                    activation: Activation::ReluInPlace,
                    squeeze: None,
                };
                let shortcut = match block.keeps_shape() {
                    true => Shortcut::Identity(Sum::FreshSteps),
                    false => Shortcut::None,
                };
                blocks.push(bare(apart(block.steps(|unit| unit)), shortcut));
                input = *output;
            }
            stages.push(blocks);
        }
        let network = self.network()?;
        let layers = vec![ClassifierLayer::Dropout];
        let classifier = Classifier { layers, ..network.classifier.clone() };
        let tail = vec![active(convolution(1280, 1, 1))];
        Ok(Some(ConvolutionalNetwork { stem, stages, tail, classifier, ..network }))
    }

    /// ShuffleNet V2.
    pub(super) fn shufflenet(&self) -> Network {
        if !self.of_torchvision() {
            return Ok(None);
        }
        let widths = self.numbers("hidden_sizes", 2..=MAX_HIDDEN)?;
        let widths = widths.unwrap_or(vec![24, 116, 232, 464, 1024]);
        let depths = self.numbers("depths", 1..=MAX_LAYERS)?.unwrap_or(vec![4, 8, 4]);
        let ([first, middle @ .., last], true) =
            (widths.as_slice(), widths.len() == depths.len() + 2)
        else {
            let expected = format!("{} numbers: two fewer than widths", widths.len() - 2);
            return Err(self.fields.wrong("depths", &expected));
        };
        if depths.iter().sum::<u64>() > MAX_LAYERS {
            return Err(self.fields.wrong("depths", &format!("{MAX_LAYERS} blocks in all")));
        }
        let mut input = *first;
        let mut stages = Vec::new();
        for (output, depth) in middle.iter().zip(depths) {
            let half = output / 2;
            let across = |width, stride| {
                let unit = Unit { groups: Groups::Channels, ..convolution(width, 3, stride) };
                Step::Unit(normed(unit, None))
            };
            let point = || active(convolution(half, 1, 1));
            let mut blocks = Vec::new();
            for layer in 0..depth {
                let stride = if layer == 0 { 2 } else { 1 };
                let changed = vec![point(), across(half, stride), point()];
                let both = match layer {
                    0 => Step::Branches(vec![vec![across(input, 2), point()], changed]),
                    _ => Step::Halves(changed),
                };
                blocks.push(plain(vec![both, Step::Shuffle]));
            }
            input = *output;
            stages.push(blocks);
        }
        Ok(Some(ConvolutionalNetwork {
            stem: vec![active(convolution(*first, 3, 2)), Step::MaxPool(HALVED)],
            stages,
            tail: vec![active(convolution(*last, 1, 1))],
            ..self.network()?
        }))
    }

    /// RegNet, with squeeze and excitation (`y`) and without (`x`).
    pub(super) fn regnet(&self) -> Network {
        if !self.of_torchvision() {
            return Ok(None);
        }
        let weighed = match self.fields.string("layer_type")?.as_deref() {
            Some("x") => false,
            None | Some("y") => true,
            Some(_) => return Err(self.fields.wrong("layer_type", "\"x\" or \"y\"")),
        };
        let first = self.fields.number("embedding_size", 1..=MAX_HIDDEN)?.unwrap_or(32);
        let per_group = self.fields.required(&["groups_width"], 1..=MAX_HIDDEN)?;
        let mut input = first;
        let mut stages = Vec::new();
        for (output, depth) in self.stages([128, 192, 512, 1088], [2, 6, 12, 2])? {
            let groups = Groups::Many(output / per_group.min(output));
            let mut blocks = Vec::new();
            for layer in 0..depth {
                let stride = if layer == 0 { 2 } else { 1 };
                let middle = Unit { groups, ..convolution(output, 3, stride) };
                let squeeze = Squeeze {
                    inner: ((input as f64 / 4.0).round_ties_even() as u64).max(1),
                    activation: Activation::Relu,
                    gate: Activation::Sigmoid,
                };
                let mut steps = vec![active(convolution(output, 1, 1)), active(middle)];
                steps.extend(weighed.then_some(Step::Squeeze(squeeze)));
                steps.push(Step::Unit(normed(convolution(output, 1, 1), None)));
                let shortcut = match input == output && stride == 1 {
                    true => Shortcut::Identity(Sum::Fresh),
                    false => {
                        Shortcut::EarlyProjection(normed(convolution(output, 1, stride), None))
                    }
                };
                let dropped = Dropped::Nothing;
                blocks.push(Block { steps, shortcut, dropped, activation: ACTIVE });
                input = output;
            }
            stages.push(blocks);
        }
        let stem = vec![active(convolution(first, 3, 2))];
        Ok(Some(ConvolutionalNetwork { stem, stages, ..self.network()? }))
    }
}
