//! What a `model_index.json` of diffusers says: which models a pipeline is made of. Each has a
//! folder of its own with a `config.json`; one file may also hold all of them, as a field each.

use crate::{Architecture, Component, HeaderError, Pipeline};

use super::config;
use super::json::Object;

/// The most models of a pipeline; real ones have up to seven.
pub const MAX_COMPONENTS: usize = 32;

/// Parts of a pipeline without weights.
const WEIGHTLESS: &[&str] = &["scheduler", "tokenizer", "feature_extractor", "image_processor"];

/// Reads a `model_index.json`; `folder` answers the `config.json` of a component by its name.
///
/// ```
/// use nearside_architecture::header::pipeline;
/// let index = br#"{ "_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "PNDM"],
///     "unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": [null, null] }"#;
/// let unet = br#"{ "_class_name": "UNet2DConditionModel", "cross_attention_dim": 768 }"#;
/// let folder = |name: &str| (name == "unet").then(|| unet.to_vec());
/// let pipeline = pipeline::parse(index, folder).unwrap();
/// assert_eq!(pipeline.components.len(), 1);
/// assert!(pipeline.denoiser().is_some());
/// ```
///
/// # Errors
/// When it is not JSON, names too many components, or a component's own file makes no sense.
/// Positions in a component's file are relative to that file.
pub fn parse(
    index: &[u8],
    folder: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<Pipeline, HeaderError> {
    config::bounded(index)?;
    let fields = Object::parse(index)?;
    let class = fields.string("_class_name")?.ok_or_else(|| fields.missing(&["_class_name"]))?;
    let mut components = Vec::new();
    for name in names(&fields) {
        match place(&fields, name) {
            None => {}
            Some(Place::Here(text)) => components.push(component(name, text.as_bytes())?),
            Some(Place::Folder { class }) => match folder(name) {
                Some(bytes) => components.push(component(name, &bytes)?),
                None => components.push(Component {
                    name: name.to_owned(),
                    architecture: Architecture::Other { family: class, parameters: None },
                }),
            },
        }
    }
    match components.len() <= MAX_COMPONENTS {
        true => Ok(Pipeline { class, components }),
        false => Err(fields.wrong("_class_name", &format!("at most {MAX_COMPONENTS} models"))),
    }
}

/// The models of a `model_index.json` that have a folder of their own with a `config.json`.
///
/// # Errors
/// When it is not JSON, or names too many.
pub fn components(index: &[u8]) -> Result<Vec<String>, HeaderError> {
    config::bounded(index)?;
    let fields = Object::parse(index)?;
    let apart = |name: &&str| matches!(place(&fields, name), Some(Place::Folder { .. }));
    let found: Vec<_> = names(&fields).filter(apart).map(str::to_owned).collect();
    match found.len() <= MAX_COMPONENTS {
        true => Ok(found),
        false => Err(fields.wrong("_class_name", &format!("at most {MAX_COMPONENTS} models"))),
    }
}

/// Where a model of a pipeline is described.
enum Place<'a> {
    /// In the same file.
    Here(&'a str),
    /// In a folder of its name.
    Folder { class: String },
}

/// `None` for what is no model, or not there.
fn place<'a>(fields: &'a Object<'_>, name: &str) -> Option<Place<'a>> {
    let raw = fields.raw(name)?.get();
    if raw.starts_with('{') {
        return Some(Place::Here(raw));
    }
    match serde_json::from_str::<[Option<String>; 2]>(raw) {
        Ok([_, Some(class)]) => Some(Place::Folder { class }),
        _ => None,
    }
}

/// A pipeline in one file, if the class is one.
pub(super) fn in_one_file(fields: &Object<'_>) -> Result<Option<Architecture>, HeaderError> {
    let is_pipeline =
        fields.string("_class_name")?.is_some_and(|class| class.ends_with("Pipeline"));
    if !is_pipeline {
        return Ok(None);
    }
    Ok(Some(Architecture::Pipeline(parse(fields.text().as_bytes(), |_| None)?)))
}

fn component(name: &str, bytes: &[u8]) -> Result<Component, HeaderError> {
    config::bounded(bytes)?;
    let architecture = config::model(&Object::parse(bytes)?)?;
    Ok(Component { name: name.to_owned(), architecture })
}

/// The names of fields that may be models.
fn names<'a>(fields: &'a Object<'_>) -> impl Iterator<Item = &'a str> {
    let has_weights = |name: &&str| {
        !name.starts_with('_') && !WEIGHTLESS.iter().any(|part| name.starts_with(part))
    };
    fields.names().filter(has_weights)
}
