//! The hub, as this person knows it: where it is, who we are there, and the cache of what was fetched.
//!
//! Names of variables, and what they mean, are those of `huggingface_hub`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use nearside_models::hub::{Cache, Endpoint, Locations, PUBLIC_HUB};

use crate::environment;
use crate::error::{CommandError, Fault};

/// Bytes of a file with a token.
const MOST_TOKEN: u64 = 8 << 10;

/// The cache of models.
pub(crate) fn cache() -> Result<Cache, CommandError> {
    let folder = locations().hub().ok_or_else(|| {
        CommandError::new(Fault::World, "there is no folder of yours to keep models in")
            .hint("set HOME or HF_HUB_CACHE")
    })?;
    Ok(Cache::at(&folder))
}

/// The hub.
pub(crate) fn endpoint() -> Result<Endpoint, CommandError> {
    let url = text("HF_ENDPOINT").unwrap_or_else(|| PUBLIC_HUB.to_owned());
    let offline = is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE");
    let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
    let token = match token {
        Some(token) => Some(token),
        // Who logged in and does not want to be known says so.
        None if offline || is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") => None,
        None => locations().token_file().and_then(|file| token_of(&file)),
    };
    Endpoint::new(&url, token.as_deref(), offline).map_err(|error| {
        CommandError::new(Fault::Input, error.to_string())
            .hint("HF_ENDPOINT is the address of a hub, HF_TOKEN a token for it")
    })
}

fn locations() -> Locations {
    let set = environment::variable;
    Locations {
        hub_cache: set("HF_HUB_CACHE").or_else(|| set("HUGGINGFACE_HUB_CACHE")),
        hf_home: set("HF_HOME"),
        token_path: set("HF_TOKEN_PATH"),
        cache_home: set("XDG_CACHE_HOME"),
        home: set("HOME"),
    }
}

/// The token in a file, if it can be read.
fn token_of(file: &Path) -> Option<String> {
    let mut token = String::new();
    File::open(file).ok()?.take(MOST_TOKEN).read_to_string(&mut token).ok()?;
    Some(token)
}

fn text(name: &str) -> Option<String> {
    environment::variable(name)?.into_string().ok()
}

fn is_true(name: &str) -> bool {
    text(name)
        .is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
}
