//! Pipelines: several models that make one picture, one after the other, all of them loaded.
//!
//! Text encoders read the prompt, a denoiser works step by step, an autoencoder makes the picture.
//! Each component is a model of its own with its own file; memory while answering is that of all
//! components and of the pass that needs most besides, which often is the decoder's.

use crate::{Architecture, Coding, DenoisingTransformer, Graph, Shape};

/// Models that make one picture together.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Its class, as in `StableDiffusionPipeline`.
    pub class: String,
    /// Its models, in the order of its file.
    pub components: Vec<Component>,
}

/// A model of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its name in the pipeline, as in `text_encoder_2`.
    pub name: String,
    /// What it is made of.
    pub architecture: Architecture,
}

/// A pass of a model that makes pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PicturePass {
    /// Which model runs, as in `unet`.
    pub component: String,
    /// The model at work, and the weights of all others.
    pub graph: Graph,
    /// How often it runs per batch of pictures.
    pub repeats: u64,
}

/// Denoising steps of the older pipelines (`num_inference_steps` of diffusers).
const STEPS: u64 = 50;
/// The same of those that follow straight paths (Stable Diffusion 3, Flux).
const STRAIGHT_STEPS: u64 = 28;
/// Tokens that CLIP reads.
const CLIP_TOKENS: u64 = 77;
/// Tokens that T5 reads for Stable Diffusion 3.
const SD3_TOKENS: u64 = 256;
/// Tokens that T5 reads for Flux.
const FLUX_TOKENS: u64 = 512;

impl Pipeline {
    /// The model that predicts noise.
    #[must_use]
    pub fn denoiser(&self) -> Option<&Component> {
        let denoises = |component: &&Component| {
            matches!(
                component.architecture,
                Architecture::Unet(_) | Architecture::DenoisingTransformer(_)
            )
        };
        self.components.iter().find(denoises)
    }

    /// The denoiser at work, as it is trained, beside the weights of everything else; `None` where
    /// a component has no graph.
    #[must_use]
    pub fn denoising(&self, shape: Shape) -> Option<Graph> {
        let denoiser = self.denoiser()?;
        Some(denoiser.architecture.graph(shape)?.beside(self.others(denoiser)?))
    }

    /// Its passes for a batch of [`Shape::batch`] pictures; `None` where a component has no graph.
    #[must_use]
    pub fn passes(&self, shape: Shape) -> Option<Vec<PicturePass>> {
        self.components.iter().map(|component| self.pass(component, shape)).collect()
    }

    fn pass(&self, component: &Component, shape: Shape) -> Option<PicturePass> {
        let (graph, repeats) = match &component.architecture {
            Architecture::Vae(vae) => (Graph::of_vae(vae, Coding::Decode, shape), 1),
            denoiser @ Architecture::Unet(_) => {
                (denoiser.graph(Shape { batch: 2 * shape.batch, ..shape })?, STEPS)
            }
            denoiser @ Architecture::DenoisingTransformer(transformer) => {
                let copies = if guided_twice(transformer) { 2 } else { 1 };
                let shape = Shape { batch: copies * shape.batch, ..shape };
                (denoiser.graph(shape)?, steps(transformer))
            }
            encoder => {
                let tokens = self.tokens(&component.name);
                (encoder.graph(Shape::prompt(shape.batch, tokens))?, 1)
            }
        };
        let graph = graph.beside(self.others(component)?);
        Some(PicturePass { component: component.name.clone(), graph, repeats })
    }

    /// How many tokens a text encoder reads.
    fn tokens(&self, name: &str) -> u64 {
        match name {
            "text_encoder_3" => SD3_TOKENS,
            "text_encoder_2" if self.class.starts_with("Flux") => FLUX_TOKENS,
            _ => CLIP_TOKENS,
        }
    }

    /// Elements of every tensor of all components but one.
    fn others(&self, one: &Component) -> Option<Vec<u64>> {
        let mut elements = Vec::new();
        for other in self.components.iter().filter(|other| other.name != one.name) {
            let graph = other.architecture.graph(Shape::images(1, None))?;
            elements.extend(graph.parameters().map(|(_, parameter)| parameter.elements));
        }
        Some(elements)
    }
}

/// Whether a picture is denoised twice, with the text and without it.
const fn guided_twice(transformer: &DenoisingTransformer) -> bool {
    !matches!(transformer, DenoisingTransformer::Flux(_))
}

const fn steps(transformer: &DenoisingTransformer) -> u64 {
    match transformer {
        DenoisingTransformer::Class(_) => STEPS,
        DenoisingTransformer::Joint(_) | DenoisingTransformer::Flux(_) => STRAIGHT_STEPS,
    }
}

impl Architecture {
    /// The passes of a model that makes pictures: one step of a bare denoiser, one decoding of a
    /// bare autoencoder. `None` for all others.
    #[must_use]
    pub fn picture_passes(&self, shape: Shape) -> Option<Vec<PicturePass>> {
        let repeats = match self {
            Self::Pipeline(pipeline) => return pipeline.passes(shape),
            Self::Unet(_) => STEPS,
            Self::DenoisingTransformer(transformer) => steps(transformer),
            Self::Vae(_) => 1,
            _ => return None,
        };
        let graph = self.graph(shape)?;
        Some(vec![PicturePass { component: "model".to_owned(), graph, repeats }])
    }
}
