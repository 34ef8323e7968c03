//! Which sizes of images a model can work on, other than the one it was made for.
//!
//! Convolutions take any; a pipeline of diffusers wants sides that divide by 16 (`check_inputs` of
//! Stable Diffusion 3 and Flux; 8 of the older ones); a classifier with a learned position for every
//! patch takes no other size than its own.

use thiserror::Error;

use crate::Architecture;

/// The smallest and the largest side, in pixels.
const SIDES: std::ops::RangeInclusive<u64> = 32..=16_384;
/// Pixels of a side that a latent image is made in steps of.
const LATENT_STEP: u64 = 16;

/// Why a model does not take an image of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoSuchImage {
    /// It neither reads nor makes images.
    #[error("it takes no image")]
    None,
    /// It only takes those of the size it was made for.
    #[error("it takes images of the size that it was made for, no others")]
    OwnSize,
    /// Out of bounds.
    #[error("an image of {0} pixels is not from {min} to {max}", min = SIDES.start(), max = SIDES.end())]
    Bounds(u64),
    /// Its latent image would have a broken side.
    #[error("{0} pixels do not divide by {LATENT_STEP}, as the sides of its pictures must")]
    Step(u64),
}

impl Architecture {
    /// Whether it works on images with such a side, in pixels.
    ///
    /// ```
    /// use nearside_architecture::{Architecture, NoSuchImage, header::config};
    /// let unet = config::parse(br#"{ "_class_name": "UNet2DConditionModel", "cross_attention_dim": 768 }"#)?;
    /// assert_eq!(unet.takes_image(768), Ok(()));
    /// assert_eq!(unet.takes_image(500), Err(NoSuchImage::Step(500)));
    /// assert_eq!(unet.takes_image(0), Err(NoSuchImage::Bounds(0)));
    /// # Ok::<(), nearside_architecture::HeaderError>(())
    /// ```
    ///
    /// # Errors
    /// When it takes no image, or none of that size.
    pub fn takes_image(&self, side: u64) -> Result<(), NoSuchImage> {
        let bounded = || match SIDES.contains(&side) {
            true => Ok(()),
            false => Err(NoSuchImage::Bounds(side)),
        };
        match self {
            Self::Decoder(_)
            | Self::Encoder(_)
            | Self::TextToText(_)
            | Self::Speech(_)
            | Self::Other { .. } => Err(NoSuchImage::None),
            Self::Convolutional(_) => bounded(),
            Self::Unet(_) | Self::DenoisingTransformer(_) | Self::Vae(_) | Self::Pipeline(_) => {
                bounded()?;
                match side % LATENT_STEP {
                    0 => Ok(()),
                    _ => Err(NoSuchImage::Step(side)),
                }
            }
            _ => Err(NoSuchImage::OwnSize),
        }
    }
}
