//! Towers that read images for a decoder: counted, not estimated yet.

use super::config::{Config, MAX_IMAGE};
use super::family::{MAX_HEAD_DIM, MAX_HIDDEN, MAX_LAYERS, MAX_VOCABULARY};
use super::json::Object;
use crate::{Attached, HeaderError};

impl Config<'_> {
    /// What reads images.
    pub(super) fn vision(&self, text_hidden: u64) -> Result<Vec<Attached>, HeaderError> {
        match self.outer.object("vision_config")? {
            None => Ok(Vec::new()),
            Some(vision) if vision.mentions("depth") => merging_tower(&vision),
            Some(vision) => siglip_tower(&vision, text_hidden),
        }
    }
}

/// A SigLIP tower and the projector behind it (Gemma 3).
fn siglip_tower(vision: &Object<'_>, text_hidden: u64) -> Result<Vec<Attached>, HeaderError> {
    let size = |name: &str, high| vision.required(&[name], 1..=high);
    let (hidden, inner) =
        (size("hidden_size", MAX_HIDDEN)?, size("intermediate_size", MAX_HIDDEN)?);
    let layers = size("num_hidden_layers", MAX_LAYERS)?;
    let (image, patch) = (size("image_size", MAX_IMAGE)?, size("patch_size", MAX_HEAD_DIM)?);
    if patch > image {
        return Err(vision.wrong("patch_size", &format!("at most the image size {image}")));
    }
    let linear = |input: u64, output: u64| input * output + output;
    let norm = 2 * hidden;
    let layer = 4 * linear(hidden, hidden) + linear(hidden, inner) + linear(inner, hidden);
    let patches = (image / patch) * (image / patch);
    let tower =
        linear(3 * patch * patch, hidden) + patches * hidden + layers * (layer + 2 * norm) + norm;
    let projector = hidden * text_hidden + hidden;
    Ok(vec![part("vision tower", tower), part("vision projector", projector)])
}

/// A tower that merges neighbouring patches at its end (`Qwen3_5VisionModel`).
fn merging_tower(vision: &Object<'_>) -> Result<Vec<Attached>, HeaderError> {
    let or = |name: &str, high, default| {
        vision.number(name, 1..=high).map(|found| found.unwrap_or(default))
    };
    let (hidden, inner) =
        (or("hidden_size", MAX_HIDDEN, 1152)?, or("intermediate_size", MAX_HIDDEN, 4304)?);
    let layers = or("depth", MAX_LAYERS, 27)?;
    let patch = or("patch_size", MAX_HEAD_DIM, 16)?;
    let frames = or("temporal_patch_size", MAX_HEAD_DIM, 2)?;
    let positions = or("num_position_embeddings", MAX_VOCABULARY, 2304)?;
    let side = or("spatial_merge_size", MAX_HEAD_DIM, 2)?;
    let output = or("out_hidden_size", MAX_HIDDEN, 3584)?;
    let channels = or("in_channels", MAX_HEAD_DIM, 3)?;
    let wide = |number: u64| u128::from(number);
    let linear = |input: u128, output: u128| input * output + output;
    let (hidden, inner) = (wide(hidden), wide(inner));
    let norm = 2 * hidden;
    let layer = linear(hidden, 3 * hidden)
        + linear(hidden, hidden)
        + linear(hidden, inner)
        + linear(inner, hidden)
        + 2 * norm;
    let pixels = wide(channels) * wide(frames) * wide(patch) * wide(patch);
    let tower = linear(pixels, hidden) + wide(positions) * hidden + wide(layers) * layer;
    let merged = hidden * wide(side) * wide(side);
    let merger = norm + linear(merged, merged) + linear(merged, wide(output));
    let counted = |count: u128| {
        u64::try_from(count).ok().filter(|count| *count <= super::family::MAX_PARAMETERS)
    };
    match (counted(tower), counted(merger)) {
        (Some(tower), Some(merger)) => {
            Ok(vec![part("vision tower", tower), part("vision merger", merger)])
        }
        _ => Err(vision.wrong("hidden_size", "a smaller tower")),
    }
}

fn part(name: &str, parameters: u64) -> Attached {
    Attached { name: name.to_owned(), parameters }
}
