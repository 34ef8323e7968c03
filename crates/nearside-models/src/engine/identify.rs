//! Who answers at an address. Each program has something that no other one answers; statuses alone tell nothing, for some
//! answer 200 to what they do not know.
//!
//! Sources: llama.cpp `tools/server/README.md` (`/props`), Ollama `docs/api.md` (`/api/version`, `/api/tags`, `/api/ps`), LM
//! Studio's REST API v0 (`/api/v0/models`), vLLM's OpenAI-compatible server (`owned_by`, `/version`).

use std::io::Read as _;

use nearside_fetch::Secret;
use serde_json::Value;

use super::error::EngineError;
use super::{Engine, EngineModel, GLANCE, Program, ask};

pub(super) fn identify(address: String, token: Option<Secret>) -> Result<Engine, EngineError> {
    let place = Place { address: &address, token: token.as_ref() };
    // The first question also says whether anybody is there.
    let listed = match place.json("/v1/models") {
        Err(error @ (EngineError::Silent { .. } | EngineError::Token { .. })) => return Err(error),
        listed => listed.ok(),
    };
    let listed = listed.as_ref().and_then(|listed| listed["data"].as_array());
    let (program, version, models) = place
        .ollama()
        .or_else(|| place.llama_server(listed?))
        .or_else(|| place.lm_studio())
        .or_else(|| place.vllm(listed?))
        .or_else(|| {
            let models = listed?;
            let ours = models.iter().any(|model| model["owned_by"] == "nearside");
            let program = if ours { Program::Nearside } else { Program::Other };
            Some((program, None, each(models, of_openai)))
        })
        .ok_or_else(|| EngineError::Unknown { address: address.clone() })?;
    Ok(Engine { program, address, version, models, token })
}

type Found = (Program, Option<String>, Vec<EngineModel>);

/// Where somebody is asked.
struct Place<'a> {
    address: &'a str,
    token: Option<&'a Secret>,
}

impl Place<'_> {
    fn json(&self, path: &str) -> Result<Value, EngineError> {
        let mut answer = ask(self.address, path, self.token, None, GLANCE)?;
        let mut text = String::new();
        let unread =
            |reason: String| EngineError::Unread { address: self.address.to_owned(), reason };
        answer.body.read_to_string(&mut text).map_err(|error| unread(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| unread(error.to_string()))
    }

    fn ollama(&self) -> Option<Found> {
        let version = text(&self.json("/api/version").ok()?["version"])?;
        let tags = self.json("/api/tags").ok()?;
        let running = self.json("/api/ps").unwrap_or_default();
        let running = running["models"].as_array();
        let mut models = each(tags["models"].as_array()?, |model| EngineModel {
            name: text(&model["name"]).unwrap_or_default(),
            stored_as: text(&model["details"]["quantization_level"]),
            bytes: model["size"].as_u64(),
            ..EngineModel::default()
        });
        for model in &mut models {
            let running = running.map(|running| {
                running.iter().find(|running| running["name"] == model.name.as_str())
            });
            model.is_loaded = running.as_ref().map(Option::is_some);
            model.context =
                running.flatten().and_then(|running| running["context_length"].as_u64());
        }
        Some((Program::Ollama, Some(version), models))
    }

    fn llama_server(&self, listed: &[Value]) -> Option<Found> {
        let properties = self.json("/props").ok()?;
        let context = properties.get("default_generation_settings")?["n_ctx"].as_u64();
        let models = each(listed, |model| EngineModel {
            name: text(&model["id"]).unwrap_or_default(),
            stored_as: text(&model["meta"]["ftype"])
                .or_else(|| text(&properties["model_ftype"]))
                // Where the file itself does not say.
                .map(|stored| stored.trim_start_matches("(guessed) ").to_owned()),
            bytes: model["meta"]["size"].as_u64(),
            context: context.or_else(|| model["meta"]["n_ctx"].as_u64()),
            is_loaded: Some(true),
        });
        Some((Program::LlamaServer, text(&properties["build_info"]), models))
    }

    fn lm_studio(&self) -> Option<Found> {
        let listed = self.json("/api/v0/models").ok()?;
        let listed = listed["data"].as_array()?;
        let is_of_text = |model: &&Value| model["type"] != "embeddings";
        let models = listed.iter().filter(is_of_text).map(|model| EngineModel {
            name: text(&model["id"]).unwrap_or_default(),
            stored_as: text(&model["quantization"]),
            bytes: None,
            context: model["loaded_context_length"]
                .as_u64()
                .or_else(|| model["max_context_length"].as_u64()),
            is_loaded: text(&model["state"]).map(|state| state == "loaded"),
        });
        Some((Program::LmStudio, None, models.collect()))
    }

    fn vllm(&self, listed: &[Value]) -> Option<Found> {
        let is_of_vllm = |model: &Value| model["owned_by"] == "vllm";
        listed.iter().any(is_of_vllm).then(|| {
            let version = self.json("/version").ok();
            let version = version.and_then(|version| text(&version["version"]));
            (Program::Vllm, version, each(listed, of_openai))
        })
    }
}

fn each(models: &[Value], one: impl Fn(&Value) -> EngineModel) -> Vec<EngineModel> {
    models.iter().map(one).filter(|model| !model.name.is_empty()).collect()
}

fn of_openai(model: &Value) -> EngineModel {
    EngineModel {
        name: text(&model["id"]).unwrap_or_default(),
        context: model["max_model_len"].as_u64(),
        is_loaded: model["max_model_len"].is_u64().then_some(true),
        ..EngineModel::default()
    }
}

/// A text that says something.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
