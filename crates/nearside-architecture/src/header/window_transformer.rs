//! What a `config.json` says about an image classifier made of attention inside windows.

use crate::{HeaderError, Library, NormOrder, WindowTransformer};

use super::family::{MAX_HEADS, MAX_HIDDEN, MAX_LAYERS};
use super::vision::{MAX_KERNEL, Vision};

/// Most places along the side of a window.
const MAX_WINDOW: u64 = 1 << 6;
/// The widest feed-forward network, as a multiple of its stage's width.
const MAX_RATIO: u64 = 64;

impl Vision<'_> {
    /// Swin and Swin V2 of torchvision; `None` for what is not built.
    pub(super) fn window_transformer(&self) -> Result<Option<WindowTransformer>, HeaderError> {
        let fields = self.fields;
        let Some(activation) = self.activation("gelu")? else { return Ok(None) };
        let ratio: Option<f64> = fields.read("mlp_ratio", "a number")?;
        let ratio = ratio.unwrap_or(4.0);
        let whole = ratio.fract() == 0.0 && (1.0..=MAX_RATIO as f64).contains(&ratio);
        let built = self.library == Library::Torchvision
            && whole
            && fields.flag("use_absolute_embeddings")? != Some(true)
            && !self.positive("hidden_dropout_prob", 0.0)?
            && !self.positive("attention_probs_dropout_prob", 0.0)?;
        if !built {
            return Ok(None);
        }
        let number = |name: &str, most, default| {
            fields.number(name, 1..=most).map(|found| found.unwrap_or(default))
        };
        let hidden = number("embed_dim", MAX_HIDDEN, 96)?;
        Ok(Some(WindowTransformer {
            family: self.family.clone(),
            library: self.library,
            image: self.image()?,
            channels: self.channels()?,
            patch: number("patch_size", MAX_KERNEL, 4)?,
            hidden,
            stages: self.window_stages(hidden)?,
            window: number("window_size", MAX_WINDOW, 7)?,
            order: if self.family == "swin" { NormOrder::Before } else { NormOrder::After },
            input_bias: fields.flag("qkv_bias")? != Some(false),
            ratio: ratio as u64,
            activation,
            dropped: self.positive("drop_path_rate", 0.1)?,
            classes: self.classes()?,
            dtype: self.dtype()?,
        }))
    }

    /// Blocks and heads of every stage; heads divide the width, which doubles from stage to stage.
    fn window_stages(&self, hidden: u64) -> Result<Vec<[u64; 2]>, HeaderError> {
        let depths = self.numbers("depths", 1..=MAX_LAYERS)?.unwrap_or(vec![2, 2, 6, 2]);
        let heads = self.numbers("num_heads", 1..=MAX_HEADS)?.unwrap_or(vec![3, 6, 12, 24]);
        if depths.iter().sum::<u64>() > MAX_LAYERS || hidden << (depths.len() - 1) > MAX_HIDDEN {
            let expected = format!("at most {MAX_LAYERS} blocks, {MAX_HIDDEN} channels at the end");
            return Err(self.fields.wrong("depths", &expected));
        }
        let divides = |(stage, heads): (usize, &u64)| (hidden << stage).is_multiple_of(*heads);
        if depths.len() != heads.len() || !heads.iter().enumerate().all(divides) {
            let expected = format!("a divisor of the width for each of {} stages", depths.len());
            return Err(self.fields.wrong("num_heads", &expected));
        }
        Ok(depths.into_iter().zip(heads).map(|(depth, heads)| [depth, heads]).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::header::config;
    use crate::{Architecture, Neighbours, Operator, Shape};

    fn parsed(more: &str) -> Architecture {
        let text = format!("{{\"model_type\": \"swin\", \"num_labels\": 1000{more}}}");
        config::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_other_block_moves_its_windows_where_there_are_several() {
        let model = parsed(", \"library\": \"torchvision\"");
        let graph = model.graph(Shape::images(1, None)).unwrap();
        let moved: Vec<_> = graph
            .nodes
            .iter()
            .filter_map(|node| match &node.operator {
                Operator::WindowAttention(attention) => Some(attention.neighbours),
                _ => None,
            })
            .collect();
        let [all, some] = [Neighbours::All, Neighbours::Some];
        assert_eq!(moved, [all, some, all, some, all, some, all, some, all, some, all, all]);
        // torchvision's own count.
        assert_eq!(graph.parameter_count(), 28_288_354);
    }

    #[test]
    fn what_is_not_built_is_refused() {
        let refused = |more| matches!(parsed(more), Architecture::Other { .. });
        assert!(refused(""), "transformers' Swin");
        assert!(refused(", \"library\": \"torchvision\", \"mlp_ratio\": 3.5"));
        assert!(refused(", \"library\": \"torchvision\", \"hidden_dropout_prob\": 0.1"));
    }
}
