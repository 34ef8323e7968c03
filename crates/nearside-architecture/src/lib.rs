//! A model as a graph of typed operators.
//!
//! One mechanism for every family: a [`Decoder`] (read from a header) becomes a [`Graph`] of
//! operators for a given batch and sequence, and parameters, arithmetic, bytes moved and what must
//! be kept for the backward pass all follow from the operators. Headers are parsed from bytes;
//! callers open files.

pub mod convolutional;
mod decoder;
mod denoising_transformer;
mod dtype;
mod encoder;
mod error;
mod graph;
pub mod header;
mod image_size;
mod image_transformer;
mod operator;
mod pipeline;
mod speech;
mod text_to_text;
mod unet;
mod vae;
mod window_transformer;

pub use convolutional::{ConvolutionalNetwork, Library};
pub use decoder::{
    Attached, Decoder, DeltaRule, Dense, Dropout, Experts, FeedForward, Gating, GroupedAttention,
    LatentAttention, Layer, Mixer, Norm, NormPlacement, Packing, Positions, QueryKeyNorm, Rotation,
    Scales, Scoring, ShortConvolution, StateSpace, Turning,
};
pub use denoising_transformer::{
    ClassTransformer, DenoisingTransformer, FluxTransformer, JointTransformer,
};
pub use dtype::Dtype;
pub use encoder::{Dropouts, Encoder, EncoderHead, EncoderStyle, Local};
pub use error::{HeaderError, Position};
pub use graph::{Builder, Graph, Held, Loss, Node, Shape, Value, ValueId};
pub use image_size::NoSuchImage;
pub use image_transformer::{ImageHead, ImagePositions, ImageTransformer};
pub use operator::{
    Activation, AttentionShape, CausalConvolution, ClassicAttention, Convolution, DeltaScan,
    DistanceBias, GateOrder, GatedNorm, Likeness, Linear, Neighbours, Operator, Parameter,
    Projection, Sight, Softmax, StateScan, WindowAttention, WindowBias, WindowBiasForm,
};
pub use pipeline::{Component, PicturePass, Pipeline};
pub use speech::Speech;
pub use text_to_text::TextToText;
pub use unet::{AddedCondition, SpatialTransformer, Unet, UnetBlock};
pub use vae::{Coding, Vae};
pub use window_transformer::{NormOrder, WindowTransformer};

/// What a model is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Architecture {
    /// A decoder-only transformer.
    Decoder(Decoder),
    /// An encoder of text.
    Encoder(Encoder),
    /// An encoder of text with a decoder behind it, or without (T5).
    TextToText(TextToText),
    /// An encoder of sound with a decoder of text behind it (Whisper).
    Speech(Speech),
    /// An image classifier made of convolutions.
    Convolutional(ConvolutionalNetwork),
    /// An image classifier made of attention.
    ImageTransformer(ImageTransformer),
    /// An image classifier made of attention inside windows.
    WindowTransformer(WindowTransformer),
    /// A U-Net that predicts noise in a latent image.
    Unet(Unet),
    /// A transformer that predicts noise in a latent image.
    DenoisingTransformer(DenoisingTransformer),
    /// An autoencoder between pictures and latent images.
    Vae(Vae),
    /// Several models that make one picture.
    Pipeline(Pipeline),
    /// A family that loads but is not estimated yet.
    Other {
        /// The family as its file names it, as in `whisper`.
        family: String,
        /// Its parameters, where the file or the catalog states them.
        parameters: Option<u64>,
    },
}

/// How a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It continues what it reads, token by token.
    Continued,
    /// With what one pass makes.
    AtOnce,
    /// It reads once, then writes token by token.
    Written,
}

impl Architecture {
    /// How it answers.
    #[must_use]
    pub const fn answers(&self) -> Answers {
        match self {
            Self::Encoder(_)
            | Self::Convolutional(_)
            | Self::ImageTransformer(_)
            | Self::WindowTransformer(_) => Answers::AtOnce,
            Self::TextToText(model) if model.decoder_layers.is_none() => Answers::AtOnce,
            Self::TextToText(_) | Self::Speech(_) => Answers::Written,
            _ => Answers::Continued,
        }
    }

    /// The longest sequence that it was made for, in tokens; `None` where nobody says or there is none.
    #[must_use]
    pub const fn context(&self) -> Option<u64> {
        match self {
            Self::Decoder(decoder) => decoder.context,
            Self::Encoder(encoder) => Some(encoder.context()),
            _ => None,
        }
    }

    /// The model at work on a batch; `None` where its family has no graph.
    #[must_use]
    pub fn graph(&self, shape: Shape) -> Option<Graph> {
        match self {
            Self::Decoder(decoder) => Some(Graph::of(decoder, shape)),
            Self::Encoder(encoder) => Some(Graph::of_encoder(encoder, shape)),
            Self::TextToText(model) => Some(Graph::of_text_to_text(model, shape)),
            Self::Speech(model) => Some(Graph::of_speech(model, shape)),
            Self::Convolutional(network) => Some(network.graph(shape)),
            Self::ImageTransformer(model) => Some(model.graph(shape)),
            Self::WindowTransformer(model) => Some(model.graph(shape)),
            Self::Unet(unet) => Some(Graph::of_unet(unet, shape)),
            Self::DenoisingTransformer(transformer) => {
                Some(Graph::of_denoising_transformer(transformer, shape))
            }
            Self::Vae(vae) => Some(Graph::of_vae(vae, Coding::Decode, shape)),
            Self::Pipeline(pipeline) => pipeline.denoising(shape),
            Self::Other { .. } => None,
        }
    }
}
