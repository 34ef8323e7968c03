//! What a `config.json` says about an image classifier made of attention.

use crate::{HeaderError, ImageTransformer};

use super::family::{MAX_HEADS, MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LAYERS};
use super::vision::{MAX_KERNEL, Vision};

/// Most patches along the side of an image.
const MAX_GRID: u64 = 1 << 10;

impl Vision<'_> {
    /// ViT and DeiT; `None` where it has a nonlinearity that is not built.
    pub(super) fn image_transformer(&self) -> Result<Option<ImageTransformer>, HeaderError> {
        let fields = self.fields;
        let Some(activation) = self.activation("gelu")? else { return Ok(None) };
        let number = |name: &str, most, default| {
            fields.number(name, 1..=most).map(|found| found.unwrap_or(default))
        };
        let hidden = number("hidden_size", MAX_HIDDEN, 768)?;
        let heads = number("num_attention_heads", MAX_HEADS, 12)?;
        if !hidden.is_multiple_of(heads) {
            let expected = format!("a divisor of the hidden size {hidden}");
            return Err(fields.wrong("num_attention_heads", &expected));
        }
        let (image, patch) = (self.image()?, number("patch_size", MAX_KERNEL, 16)?);
        if image / patch > MAX_GRID {
            let expected = format!("at most {MAX_GRID} patches along a side of {image}");
            return Err(fields.wrong("patch_size", &expected));
        }
        Ok(Some(ImageTransformer {
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
            intermediate: number("intermediate_size", MAX_INTERMEDIATE, 3072)?,
            activation,
            dropout: self.positive("hidden_dropout_prob", 0.0)?,
            classes: self.classes()?,
            dtype: self.dtype()?,
        }))
    }
}
