//! What a `config.json` says about an image classifier made of attention.

use crate::{Activation, HeaderError, ImageHead, ImagePositions, ImageTransformer, Library};

use super::family::{MAX_HEADS, MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LAYERS};
use super::vision::{MAX_KERNEL, Vision};

/// Most patches along the side of an image.
const MAX_GRID: u64 = 1 << 10;
/// The widest feed-forward network, as a multiple of the stream.
const MAX_RATIO: u64 = 64;

impl Vision<'_> {
    /// Whether a tower of images is transformers' own without what is not built: classes, dropout.
    fn is_plain_tower(&self) -> Result<bool, HeaderError> {
        let classes: Option<Vec<String>> = self.fields.read("architectures", "a list of names")?;
        let classifies = |class: &String| class.contains("ForImageClassification");
        let dropped = self.positive("attention_dropout", 0.0)?
            || self.positive("attention_probs_dropout_prob", 0.0)?
            || self.positive("drop_path_rate", 0.0)?;
        let own = self.library == Library::Transformers;
        Ok(own && !dropped && !classes.is_some_and(|classes| classes.iter().any(classifies)))
    }

    /// ViT, DeiT, the image tower of CLIP and DINOv2; `None` where it has a nonlinearity that is not built.
    pub(super) fn image_transformer(&self) -> Result<Option<ImageTransformer>, HeaderError> {
        let fields = self.fields;
        let (clip, dino) = (self.family == "clip_vision_model", self.family == "dinov2");
        if (clip || dino) && !self.is_plain_tower()? {
            return Ok(None);
        }
        let usual = if clip { "quick_gelu" } else { "gelu" };
        let gated = dino && fields.flag("use_swiglu_ffn")? == Some(true);
        let activation = match gated {
            true => Some(Activation::Silu),
            false => self.activation(usual)?,
        };
        let Some(activation) = activation else { return Ok(None) };
        let number = |name: &str, most, default| {
            fields.number(name, 1..=most).map(|found| found.unwrap_or(default))
        };
        let hidden = number("hidden_size", MAX_HIDDEN, 768)?;
        let heads = number("num_attention_heads", MAX_HEADS, 12)?;
        if !hidden.is_multiple_of(heads) {
            let expected = format!("a divisor of the hidden size {hidden}");
            return Err(fields.wrong("num_attention_heads", &expected));
        }
        let (image, patch) =
            (self.image()?, number("patch_size", MAX_KERNEL, if clip { 32 } else { 16 })?);
        if image / patch > MAX_GRID {
            let expected = format!("at most {MAX_GRID} patches along a side of {image}");
            return Err(fields.wrong("patch_size", &expected));
        }
        let usual = if dino { 4 * hidden } else { 3072 };
        let inner = match (dino, fields.number("mlp_ratio", 1..=MAX_RATIO)?) {
            (true, Some(ratio)) => ratio * hidden,
            _ => number("intermediate_size", MAX_INTERMEDIATE, usual)?,
        };
        // A gated network keeps two thirds of the width, as a multiple of eight.
        let intermediate = if gated { (inner * 2 / 3).next_multiple_of(8) } else { inner };
        Ok(Some(ImageTransformer {
            patch_bias: !clip,
            positions: match self.family.as_str() {
                "clip_vision_model" => ImagePositions::Table,
                "dinov2" => ImagePositions::Interpolated((image / patch) * (image / patch) + 1),
                _ => ImagePositions::Learned,
            },
            first_norm: clip,
            scaled: dino,
            gated,
            idle: match dino && fields.flag("use_mask_token")? != Some(false) {
                true => vec![hidden],
                false => Vec::new(),
            },
            family: self.family.clone(),
            library: self.library,
            image,
            channels: self.channels()?,
            patch,
            tokens: if self.family == "deit" { 2 } else { 1 },
            hidden,
            layers: number("num_hidden_layers", MAX_LAYERS, 12)?,
            heads,
            input_bias: fields.flag("qkv_bias")? != Some(false),
            intermediate,
            activation,
            dropout: self.positive("hidden_dropout_prob", 0.0)?,
            head: match self.family.as_str() {
                "clip_vision_model" => ImageHead::First,
                "dinov2" => ImageHead::FirstOfAll,
                _ => ImageHead::Classes(self.classes()?),
            },
            dtype: self.dtype()?,
        }))
    }
}
