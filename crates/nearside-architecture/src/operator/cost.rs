//! What an operator owns and costs: its parameters and its arithmetic.

use nearside_units::Flops;

use super::{Likeness, Operator, Parameter, WindowAttention, WindowBias, WindowBiasForm};
use crate::Norm;

impl Operator {
    /// The parameters it owns, in the order a framework registers them.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        match self {
            Self::Embedding { rows, width }
            | Self::PositionTable { rows, width }
            | Self::FixedTable { rows, width }
            | Self::Lookup { rows, width } => {
                vec![Parameter::dense(rows * width, true)]
            }
            Self::Norm {
                kind:
                    Norm::Rms
                    | Norm::RmsOffset
                    | Norm::RmsWide
                    | Norm::NarrowRms
                    | Norm::MixedRms
                    | Norm::LayerScale
                    | Norm::WideLayer,
                width,
            } => {
                vec![Parameter::dense(*width, false)]
            }
            Self::Norm { kind: Norm::Plain | Norm::PlainWide, .. } => Vec::new(),
            Self::Norm { kind: Norm::Layer | Norm::Group(_) | Norm::Batch, width } => {
                vec![Parameter::dense(*width, false); 2]
            }
            Self::Convolution(convolution) => convolution.parameters(),
            Self::DistanceBias(bias) => vec![Parameter::dense(bias.buckets * bias.heads, true)],
            Self::LearnedScale { width } => vec![Parameter::dense(*width, false)],
            Self::Response { width } => vec![Parameter::dense(*width, false); 2],
            Self::Linear(linear) => linear.parameters(),
            Self::ExpertLinear { count, linear } => {
                let experts = |one: Parameter| vec![one; usize::try_from(*count).unwrap_or(0)];
                linear.parameters().into_iter().flat_map(experts).collect()
            }
            Self::Idle(parameters) => {
                parameters.iter().map(|elements| Parameter::dense(*elements, true)).collect()
            }
            Self::LearnedTokens { count, width } => {
                vec![Parameter::dense(*width, false); usize::try_from(*count).unwrap_or(0)]
            }
            Self::LearnedPositions { rows, width } => vec![Parameter::dense(rows * width, false)],
            Self::MultiheadAttention(attention) => attention.parameters(),
            Self::CausalConvolution(convolution) => convolution.parameters(),
            Self::StateScan(scan) => scan.parameters(),
            Self::DeltaScan(scan) => scan.parameters(),
            Self::GatedNorm(norm) => vec![Parameter::dense(norm.width, false)],
            Self::Sinks { heads } => vec![Parameter::dense(*heads, false)],
            Self::WindowBias(bias) => bias.parameters(),
            Self::WindowAttention(attention) => attention.parameters(),
            // What computes with what it reads.
            #[rustfmt::skip]
            Self::RotaryTable | Self::Mask | Self::PaddingMask
            | Self::Dispatch | Self::Combine | Self::Heads | Self::Rotary | Self::HalvesRotary |
            Self::WideningRotary | Self::Widen | Self::Alike | Self::NearMask | Self::TokenMean |
            Self::HalfRotaryTable | Self::ClampedGate | Self::Attention(_) | Self::Route { .. } |
            Self::Activation(_) | Self::Multiply | Self::Add | Self::Scale | Self::Last |
            Self::Dropout | Self::Concatenate | Self::Split | Self::Copy | Self::MaxPool |
            Self::Mean | Self::Resample | Self::Slices | Self::Gate | Self::Cached |
            Self::JoinHeads | Self::FillHeads | Self::ComplexRotary | Self::InterleavedRotary |
            Self::WideRotaryTable | Self::PartialRotary { .. } | Self::Counting { .. } |
            Self::Indices | Self::ClassicAttention(_) | Self::SharedEmbedding | Self::NoBias |
            Self::AsWeights | Self::Recall | Self::SoftCap | Self::AddInPlace |
            Self::StochasticDepth(_) | Self::Transpose | Self::Pad | Self::Waves | Self::Shift |
            Self::Slice | Self::FixedPositions { .. } | Self::AxisTable | Self::PairRotary |
            Self::AveragePool | Self::Windows | Self::Roll |
            Self::MergePlaces | Self::Return | Self::Shuffle => Vec::new(),
        }
    }

    /// Arithmetic of one forward pass that produces `rows` rows of `width`.
    /// A multiply-add is two operations; pointwise work counts a few operations per element.
    #[must_use]
    pub fn flops(&self, rows: u64, width: u64) -> Flops {
        let elements = rows as f64 * width as f64;
        let operations = match self {
            Self::Linear(linear) | Self::ExpertLinear { linear, .. } => {
                2.0 * rows as f64 * linear.input as f64 * linear.output as f64
            }
            Self::Convolution(convolution) => {
                let seen = convolution.input / convolution.groups.max(1) * convolution.window;
                2.0 * elements * seen as f64
            }
            Self::Attention(attention) => attention.operations(),
            Self::WindowAttention(attention) => attention.shape.operations(),
            Self::ClassicAttention(attention) => attention.shape.operations(),
            Self::CausalConvolution(convolution) => 2.0 * elements * convolution.window as f64,
            Self::StateScan(scan) => scan.operations(),
            Self::DeltaScan(scan) => scan.operations(),
            Self::GatedNorm(_) => 10.0 * elements,
            Self::Norm { .. } | Self::Response { .. } => 5.0 * elements,
            Self::Rotary
            | Self::PartialRotary { .. }
            | Self::PairRotary
            | Self::ComplexRotary
            | Self::HalvesRotary
            | Self::WideningRotary
            | Self::InterleavedRotary => 3.0 * elements,
            Self::ClampedGate => 6.0 * elements,
            Self::Activation(_)
            | Self::Gate
            | Self::SoftCap
            | Self::RotaryTable
            | Self::AxisTable
            | Self::WideRotaryTable
            | Self::HalfRotaryTable
            | Self::Waves => 4.0 * elements,
            Self::Multiply
            | Self::Add
            | Self::Scale
            | Self::LearnedScale { .. }
            | Self::Dropout
            | Self::Shift
            | Self::FixedPositions { .. }
            | Self::Resample
            | Self::Mean
            | Self::TokenMean
            | Self::MaxPool
            | Self::Combine
            | Self::AddInPlace
            | Self::StochasticDepth(_)
            | Self::AveragePool
            | Self::LearnedPositions { .. }
            | Self::PositionTable { .. } => elements,
            Self::MultiheadAttention(attention) => {
                let wide = (attention.heads * attention.key_dim) as f64;
                let scores = attention.pairs() as f64 * attention.sequences as f64;
                8.0 * attention.rows() as f64 * wide * wide + 4.0 * scores * wide
            }
            Self::Route { .. } => 5.0 * elements,
            // What moves or views what it reads.
            #[rustfmt::skip]
            Self::Embedding { .. } | Self::Dispatch | Self::Mask | Self::PaddingMask |
            Self::Last | Self::Heads | Self::Concatenate | Self::Split | Self::Slices |
            Self::Counting { .. } | Self::Indices | Self::Lookup { .. } | Self::SharedEmbedding
            | Self::FixedTable { .. } | Self::DistanceBias(_) | Self::NoBias | Self::AsWeights |
            Self::Recall | Self::Copy | Self::Transpose | Self::LearnedTokens { .. } |
            Self::Widen | Self::Alike | Self::NearMask | Self::Sinks { .. } |
            Self::Slice | Self::Idle(_) | Self::Cached | Self::JoinHeads | Self::FillHeads |
            Self::Pad | Self::WindowBias(_) | Self::Windows | Self::Roll |
            Self::MergePlaces | Self::Return | Self::Shuffle => 0.0,
        };
        Flops::from_flops(operations).unwrap_or(Flops::ZERO)
    }
}

impl WindowBias {
    /// Distances of two places of a window.
    #[must_use]
    pub const fn distances(&self) -> u64 {
        (2 * self.side).saturating_sub(1) * (2 * self.side).saturating_sub(1)
    }

    /// Pairs of places of a window.
    #[must_use]
    pub const fn pairs(&self) -> u64 {
        self.side * self.side * self.side * self.side
    }

    fn parameters(&self) -> Vec<Parameter> {
        match self.form {
            WindowBiasForm::Table => vec![Parameter::dense(self.distances() * self.heads, true)],
            WindowBiasForm::Network(inner) => vec![
                Parameter::dense(2 * inner, true),
                Parameter::dense(inner, false),
                Parameter::dense(inner * self.heads, true),
            ],
        }
    }
}

impl WindowAttention {
    fn parameters(&self) -> Vec<Parameter> {
        match self.likeness {
            Likeness::Product => Vec::new(),
            Likeness::Angle => vec![Parameter::dense(self.shape.heads, false)],
        }
    }
}
