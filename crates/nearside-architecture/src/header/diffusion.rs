//! What the `config.json` of a diffusers model says. Fields and defaults are those of the classes'
//! constructors; a model that uses what is not built stays [`Architecture::Other`].

use crate::{
    AddedCondition, Architecture, ClassTransformer, DenoisingTransformer, Dtype, FluxTransformer,
    HeaderError, JointTransformer, SpatialTransformer, Unet, UnetBlock, Vae,
};

use super::family::{MAX_HEAD_DIM, MAX_HEADS, MAX_HIDDEN, MAX_LAYERS, MAX_VOCABULARY};
use super::json::Object;

/// The most blocks on the way down; real ones have three or four.
pub(super) const MAX_BLOCKS: usize = 8;
/// The most residual networks of a block; real ones have two.
pub(super) const MAX_NETWORKS: u64 = 16;
/// The most layers of a transformer between networks; real ones have up to ten.
pub(super) const MAX_DEPTH: u64 = 64;
/// The largest side of an image that a model may be made for, in its own places.
pub(super) const MAX_SIDE: u64 = 1 << 13;

/// The model, if the class is one of diffusers that is known here.
pub(super) fn parse(fields: &Object<'_>) -> Result<Option<Architecture>, HeaderError> {
    let Some(class) = fields.string("_class_name")? else { return Ok(None) };
    match class.as_str() {
        "UNet2DConditionModel" => Reader { fields, class }.unet().map(Some),
        "AutoencoderKL" => Reader { fields, class }.vae().map(Some),
        "DiTTransformer2DModel" => Reader { fields, class }.dit().map(Some),
        "SD3Transformer2DModel" => Reader { fields, class }.joint().map(Some),
        "FluxTransformer2DModel" => Reader { fields, class }.flux().map(Some),
        _ => Ok(None),
    }
}

struct Reader<'a> {
    fields: &'a Object<'a>,
    class: String,
}

impl Reader<'_> {
    fn other(&self) -> Architecture {
        Architecture::Other { family: self.class.clone(), parameters: None }
    }

    fn number(&self, name: &str, default: u64, most: u64) -> Result<u64, HeaderError> {
        Ok(self.fields.number(name, 1..=most)?.unwrap_or(default))
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, HeaderError> {
        Ok(self.fields.flag(name)?.unwrap_or(default))
    }

    /// A list of so many numbers, or one number for all of them.
    fn each(&self, name: &str, count: usize, most: u64) -> Result<Option<Vec<u64>>, HeaderError> {
        let Some(raw) = self.fields.raw(name) else { return Ok(None) };
        let expected = || format!("a whole number from 1 to {most}, or a list of {count} of them");
        let found: Vec<u64> = match raw.get().starts_with('[') {
            true => self.fields.read(name, &expected())?.unwrap_or_default(),
            false => vec![self.number(name, 1, most)?; count],
        };
        match found.len() == count && found.iter().all(|number| (1..=most).contains(number)) {
            true => Ok(Some(found)),
            false => Err(self.fields.wrong(name, &expected())),
        }
    }

    /// Widths of blocks.
    fn widths(&self, name: &str, default: &[u64]) -> Result<Vec<u64>, HeaderError> {
        let expected = format!("a list of 1 to {MAX_BLOCKS} numbers from 1 to {MAX_HIDDEN}");
        let found: Vec<u64> =
            self.fields.read(name, &expected)?.unwrap_or_else(|| default.to_vec());
        let valid = (1..=MAX_BLOCKS).contains(&found.len())
            && found.iter().all(|width| (1..=MAX_HIDDEN).contains(width));
        match valid {
            true => Ok(found),
            false => Err(self.fields.wrong(name, &expected)),
        }
    }

    fn classes(&self, name: &str, default: &[&str]) -> Result<Vec<String>, HeaderError> {
        let found: Option<Vec<String>> = self.fields.read(name, "a list of class names")?;
        Ok(found.unwrap_or_else(|| default.iter().map(|class| (*class).to_owned()).collect()))
    }

    fn groups(&self, widths: &[u64]) -> Result<u64, HeaderError> {
        let groups = self.number("norm_num_groups", 32, MAX_HIDDEN)?;
        match widths.iter().all(|width| width.is_multiple_of(groups)) {
            true => Ok(groups),
            false => Err(self.fields.wrong("norm_num_groups", "a divisor of every block's width")),
        }
    }

    fn dtype(&self) -> Result<Option<Dtype>, HeaderError> {
        let name = self.fields.string("torch_dtype")?;
        Ok(name.and_then(|name| name.parse().ok()))
    }

    /// Whether every named field is absent, false, zero or the given text: what is not built.
    fn plain(&self, expected: &[(&str, &str)]) -> bool {
        expected.iter().all(|(name, plain)| {
            self.fields.raw(name).is_none_or(|raw| {
                let text = raw.get();
                text == *plain || text.trim_matches('"') == *plain
            })
        })
    }

    fn unet(&self) -> Result<Architecture, HeaderError> {
        if !self.plain(UNET_PLAIN) {
            return Ok(self.other());
        }
        let widths = self.widths("block_out_channels", &[320, 640, 1280, 1280])?;
        let down = self.classes("down_block_types", UNET_DOWN)?;
        let up = self.classes("up_block_types", UNET_UP)?;
        let known = |class: &String| UNET_BLOCKS.contains(&class.as_str());
        if !down.iter().chain(&up).all(known) {
            return Ok(self.other());
        }
        if down.len() != widths.len() || up.len() != widths.len() {
            let expected = format!("{} class names, one per block", widths.len());
            return Err(self.fields.wrong("down_block_types", &expected));
        }
        let networks = self.each("layers_per_block", widths.len(), MAX_NETWORKS)?;
        let networks = networks.unwrap_or_else(|| vec![2; widths.len()]);
        let transformers = self.transformers(&widths)?;
        let block = |index: usize, class: &String, more: u64| UnetBlock {
            width: widths[index],
            networks: networks[index] + more,
            transformer: class.starts_with("CrossAttn").then(|| transformers[index]),
        };
        let last = widths.len() - 1;
        let side = self.number("sample_size", 64, MAX_SIDE)?;
        Ok(Architecture::Unet(Unet {
            input: self.number("in_channels", 4, MAX_HIDDEN)?,
            output: self.number("out_channels", 4, MAX_HIDDEN)?,
            side,
            text: self.number("cross_attention_dim", 1280, MAX_HIDDEN)?,
            groups: self.groups(&widths)?,
            added: self.added()?,
            linear_projection: self.flag("use_linear_projection", false)?,
            down: down.iter().enumerate().map(|(index, class)| block(index, class, 0)).collect(),
            middle: transformers[last],
            up: up.iter().enumerate().map(|(index, class)| block(last - index, class, 1)).collect(),
            dtype: self.dtype()?,
        }))
    }

    /// Heads and layers of every block. `attention_head_dim` is a number of heads, by the name that
    /// the class keeps for the sake of old files (`UNet2DConditionModel.__init__`).
    fn transformers(&self, widths: &[u64]) -> Result<Vec<SpatialTransformer>, HeaderError> {
        let count = widths.len();
        let name = match self.fields.raw("num_attention_heads") {
            Some(_) => "num_attention_heads",
            None => "attention_head_dim",
        };
        let heads = self.each(name, count, MAX_HEADS)?.unwrap_or_else(|| vec![8; count]);
        if !widths.iter().zip(&heads).all(|(width, heads)| width.is_multiple_of(*heads)) {
            return Err(self.fields.wrong(name, "divisors of the blocks' widths"));
        }
        let layers = self.each("transformer_layers_per_block", count, MAX_DEPTH)?;
        let layers = layers.unwrap_or_else(|| vec![1; count]);
        let transformer = |(heads, layers)| SpatialTransformer { heads, layers };
        Ok(heads.into_iter().zip(layers).map(transformer).collect())
    }

    fn added(&self) -> Result<Option<AddedCondition>, HeaderError> {
        match self.fields.raw("addition_embed_type") {
            None => Ok(None),
            Some(_) => Ok(Some(AddedCondition {
                frequencies: self.fields.required(&["addition_time_embed_dim"], 1..=MAX_HIDDEN)?,
                width: self
                    .fields
                    .required(&["projection_class_embeddings_input_dim"], 1..=MAX_HIDDEN)?,
            })),
        }
    }
}

impl Reader<'_> {
    fn vae(&self) -> Result<Architecture, HeaderError> {
        let widths = self.widths("block_out_channels", &[64])?;
        let down = self.classes("down_block_types", &["DownEncoderBlock2D"])?;
        let up = self.classes("up_block_types", &["UpDecoderBlock2D"])?;
        let built = self.plain(VAE_PLAIN)
            && down.iter().all(|class| class == "DownEncoderBlock2D")
            && up.iter().all(|class| class == "UpDecoderBlock2D");
        if !built {
            return Ok(self.other());
        }
        if down.len() != widths.len() || up.len() != widths.len() {
            let expected = format!("{} class names, one per block", widths.len());
            return Err(self.fields.wrong("down_block_types", &expected));
        }
        Ok(Architecture::Vae(Vae {
            input: self.number("in_channels", 3, MAX_HIDDEN)?,
            output: self.number("out_channels", 3, MAX_HIDDEN)?,
            latent: self.number("latent_channels", 4, MAX_HIDDEN)?,
            side: self.number("sample_size", 32, MAX_SIDE)?,
            networks: self.number("layers_per_block", 1, MAX_NETWORKS)?,
            groups: self.groups(&widths)?,
            after_encoder: self.flag("use_quant_conv", true)?,
            before_decoder: self.flag("use_post_quant_conv", true)?,
            dtype: self.dtype()?,
            widths,
        }))
    }

    fn heads(&self, heads: u64, head_dim: u64) -> Result<[u64; 2], HeaderError> {
        Ok([
            self.number("num_attention_heads", heads, MAX_HEADS)?,
            self.number("attention_head_dim", head_dim, MAX_HEAD_DIM)?,
        ])
    }

    fn dit(&self) -> Result<Architecture, HeaderError> {
        if !self.plain(DIT_PLAIN) {
            return Ok(self.other());
        }
        let [heads, head_dim] = self.heads(16, 72)?;
        let input = self.number("in_channels", 4, MAX_HIDDEN)?;
        Ok(Architecture::DenoisingTransformer(DenoisingTransformer::Class(ClassTransformer {
            layers: self.number("num_layers", 28, MAX_LAYERS)?,
            heads,
            head_dim,
            input,
            output: self.number("out_channels", input, MAX_HIDDEN)?,
            patch: self.number("patch_size", 2, MAX_PATCH)?,
            side: self.number("sample_size", 32, MAX_SIDE)?,
            classes: self.number("num_embeds_ada_norm", 1000, MAX_VOCABULARY)?,
            dtype: self.dtype()?,
        })))
    }

    fn joint(&self) -> Result<Architecture, HeaderError> {
        let [heads, head_dim] = self.heads(18, 64)?;
        let caption = self.number("caption_projection_dim", 1152, MAX_HIDDEN)?;
        let head_norms = match self.fields.string("qk_norm")?.as_deref() {
            None | Some("") => false,
            Some("rms_norm") => true,
            Some(_) => return Ok(self.other()),
        };
        if caption != heads * head_dim {
            return Ok(self.other());
        }
        let expected = format!("a list of at most {MAX_LAYERS} numbers of blocks");
        let dual: Vec<u64> =
            self.fields.read("dual_attention_layers", &expected)?.unwrap_or_default();
        if dual.len() as u64 > MAX_LAYERS {
            return Err(self.fields.wrong("dual_attention_layers", &expected));
        }
        let input = self.number("in_channels", 16, MAX_HIDDEN)?;
        Ok(Architecture::DenoisingTransformer(DenoisingTransformer::Joint(JointTransformer {
            layers: self.number("num_layers", 18, MAX_LAYERS)?,
            heads,
            head_dim,
            input,
            output: self.number("out_channels", 16, MAX_HIDDEN)?,
            patch: self.number("patch_size", 2, MAX_PATCH)?,
            side: self.number("sample_size", 128, MAX_SIDE)?,
            positions: self.number("pos_embed_max_size", 96, MAX_SIDE)?,
            text: self.number("joint_attention_dim", 4096, MAX_HIDDEN)?,
            pooled: self.number("pooled_projection_dim", 2048, MAX_HIDDEN)?,
            head_norms,
            dual,
            dtype: self.dtype()?,
        })))
    }

    fn flux(&self) -> Result<Architecture, HeaderError> {
        if !self.plain(&[("patch_size", "1")]) {
            return Ok(self.other());
        }
        let [heads, head_dim] = self.heads(24, 128)?;
        let input = self.number("in_channels", 64, MAX_HIDDEN)?;
        Ok(Architecture::DenoisingTransformer(DenoisingTransformer::Flux(FluxTransformer {
            double: self.number("num_layers", 19, MAX_LAYERS)?,
            single: self.number("num_single_layers", 38, MAX_LAYERS)?,
            heads,
            head_dim,
            input,
            output: self.number("out_channels", input, MAX_HIDDEN)?,
            text: self.number("joint_attention_dim", 4096, MAX_HIDDEN)?,
            pooled: self.number("pooled_projection_dim", 768, MAX_HIDDEN)?,
            guidance: self.flag("guidance_embeds", false)?,
            dtype: self.dtype()?,
        })))
    }
}

/// The largest side of a patch.
const MAX_PATCH: u64 = 64;

const VAE_PLAIN: &[(&str, &str)] = &[("act_fn", "silu"), ("mid_block_add_attention", "true")];

const DIT_PLAIN: &[(&str, &str)] = &[
    ("dropout", "0.0"),
    ("attention_bias", "true"),
    ("activation_fn", "gelu-approximate"),
    ("norm_type", "ada_norm_zero"),
    ("norm_elementwise_affine", "false"),
    ("upcast_attention", "false"),
];

const UNET_BLOCKS: &[&str] =
    &["CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"];
const UNET_DOWN: &[&str] =
    &["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"];
const UNET_UP: &[&str] =
    &["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"];

/// Options of a U-Net that are not built, and the value that leaves them out.
const UNET_PLAIN: &[(&str, &str)] = &[
    ("center_input_sample", "false"),
    ("mid_block_type", "UNetMidBlock2DCrossAttn"),
    ("only_cross_attention", "false"),
    ("downsample_padding", "1"),
    ("dropout", "0.0"),
    ("act_fn", "silu"),
    ("encoder_hid_dim", ""),
    ("encoder_hid_dim_type", ""),
    ("dual_cross_attention", "false"),
    ("reverse_transformer_layers_per_block", ""),
    ("class_embed_type", ""),
    ("addition_embed_type", "text_time"),
    ("num_class_embeds", ""),
    ("resnet_time_scale_shift", "default"),
    ("resnet_skip_time_act", "false"),
    ("time_embedding_type", "positional"),
    ("time_embedding_dim", ""),
    ("time_embedding_act_fn", ""),
    ("timestep_post_act", ""),
    ("time_cond_proj_dim", ""),
    ("conv_in_kernel", "3"),
    ("conv_out_kernel", "3"),
    ("attention_type", "default"),
    ("class_embeddings_concat", "false"),
    ("mid_block_only_cross_attention", ""),
    ("cross_attention_norm", ""),
];

#[cfg(test)]
mod tests {
    use crate::header::config;
    use crate::{Architecture, Shape, UnetBlock};

    fn parsed(text: &str) -> Architecture {
        config::parse(text.as_bytes()).unwrap()
    }

    fn unet(fields: &str) -> Architecture {
        parsed(&format!("{{ \"_class_name\": \"UNet2DConditionModel\"{fields} }}"))
    }

    #[test]
    fn lists_and_single_numbers_mean_the_same() {
        let list = ", \"block_out_channels\": [64, 64, 64, 64], \"layers_per_block\": [2, 2, 2, 2],
            \"attention_head_dim\": [8, 8, 8, 8], \"transformer_layers_per_block\": [1, 1, 1, 1]";
        let single = ", \"block_out_channels\": [64, 64, 64, 64], \"attention_head_dim\": 8";
        assert_eq!(unet(list), unet(single));
    }

    #[test]
    fn the_way_up_mirrors_the_way_down_with_one_network_more() {
        let fields = ", \"block_out_channels\": [32, 64],
            \"down_block_types\": [\"DownBlock2D\", \"CrossAttnDownBlock2D\"],
            \"up_block_types\": [\"CrossAttnUpBlock2D\", \"UpBlock2D\"], \"attention_head_dim\": [2, 4]";
        let Architecture::Unet(unet) = unet(fields) else { unreachable!() };
        assert_eq!(unet.up[1], UnetBlock { width: 32, networks: 3, transformer: None });
        assert_eq!(unet.up[0].transformer.map(|transformer| transformer.heads), Some(4));
        assert_eq!(unet.up[0].transformer, unet.down[1].transformer);
    }

    #[test]
    fn what_is_not_built_is_not_guessed() {
        for field in ["\"class_embed_type\": \"timestep\"", "\"only_cross_attention\": true"] {
            let found = unet(&format!(", {field}"));
            assert!(matches!(found, Architecture::Other { .. }), "{field}");
        }
        let other = "{ \"_class_name\": \"SD3Transformer2DModel\", \"qk_norm\": \"layer_norm\" }";
        assert!(matches!(parsed(other), Architecture::Other { .. }));
    }

    #[test]
    fn impossible_widths_are_named() {
        let text =
            "{ \"_class_name\": \"UNet2DConditionModel\", \"block_out_channels\": [65, 65] }";
        assert!(config::parse(text.as_bytes()).is_err());
        let text = "{ \"_class_name\": \"AutoencoderKL\", \"layers_per_block\": 1000000 }";
        let error = config::parse(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("layers_per_block"), "{error}");
    }

    #[test]
    fn an_autoencoder_holds_both_ways() {
        let vae = parsed("{ \"_class_name\": \"AutoencoderKL\", \"block_out_channels\": [64] }");
        let Architecture::Vae(vae) = vae else { unreachable!() };
        let count = |coding| {
            crate::Graph::of_vae(&vae, coding, Shape::images(1, Some(64))).parameter_count()
        };
        assert_eq!(count(crate::Coding::Encode), count(crate::Coding::Decode));
    }
}
