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
    let listed = place.probe("/v1/models")?;
    let listed = listed.as_ref().and_then(|listed| listed["data"].as_array());
    let found = match place.ollama()? {
        Some(found) => Some(found),
        None => match listed {
            Some(listed) => place.llama_server(listed)?,
            None => None,
        },
    };
    let found = match found {
        Some(found) => Some(found),
        None => place.lm_studio()?,
    };
    let others = || {
        let models = listed?;
        let is_of = |owner: &str| models.iter().any(|model| model["owned_by"] == owner);
        let (program, version) = match (is_of("vllm"), is_of("nearside")) {
            (true, _) => (Program::Vllm, place.version()),
            (false, true) => (Program::Nearside, None),
            (false, false) => (Program::Other, None),
        };
        Some((program, version, each(models, of_openai)))
    };
    let found = found.or_else(others);
    let (program, version, models) =
        found.ok_or_else(|| EngineError::Unknown { address: address.clone() })?;
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

    /// A document, if there is one: who does not know a path may answer anything. That a token is wanted, or that nobody
    /// answers any more, is an error.
    fn probe(&self, path: &str) -> Result<Option<Value>, EngineError> {
        match self.json(path) {
            Ok(document) => Ok(Some(document)),
            Err(error @ (EngineError::Silent { .. } | EngineError::Token { .. })) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn ollama(&self) -> Result<Option<Found>, EngineError> {
        let version = self.probe("/api/version")?.and_then(|told| text(&told["version"]));
        let Some(version) = version else { return Ok(None) };
        let Some(tags) = self.probe("/api/tags")? else { return Ok(None) };
        let Some(tags) = tags["models"].as_array() else { return Ok(None) };
        let running = self.probe("/api/ps")?.unwrap_or_default();
        let running = running["models"].as_array();
        let mut models = each(tags, |model| EngineModel {
            name: text(&model["name"]).unwrap_or_default(),
            stored_as: text(&model["details"]["quantization_level"]),
            bytes: model["size"].as_u64(),
            // What Ollama lets its maker's machines compute.
            remote: text(&model["remote_host"]).or_else(|| text(&model["remote_model"])),
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
        Ok(Some((Program::Ollama, Some(version), models)))
    }

    fn llama_server(&self, listed: &[Value]) -> Result<Option<Found>, EngineError> {
        let properties = self.probe("/props")?.unwrap_or_default();
        let is_ours = listed.iter().any(|model| model["owned_by"] == "llamacpp");
        let Some(settings) =
            properties.get("default_generation_settings").or(is_ours.then_some(&Value::Null))
        else {
            return Ok(None);
        };
        // One that hands out questions to others has no context of its own.
        let context = settings["n_ctx"].as_u64().filter(|context| *context > 0);
        let models = each(listed, |model| EngineModel {
            name: text(&model["id"]).unwrap_or_default(),
            stored_as: text(&model["meta"]["ftype"])
                .or_else(|| text(&properties["model_ftype"]))
                // Where the file itself does not say.
                .map(|stored| stored.trim_start_matches("(guessed) ").to_owned()),
            bytes: model["meta"]["size"].as_u64(),
            context: context.or_else(|| model["meta"]["n_ctx"].as_u64()),
            is_loaded: Some(text(&model["status"]["value"]).is_none_or(|state| state == "loaded")),
            remote: None,
        });
        Ok(Some((Program::LlamaServer, text(&properties["build_info"]), models)))
    }

    fn lm_studio(&self) -> Result<Option<Found>, EngineError> {
        let listed = self.probe("/api/v0/models")?.unwrap_or_default();
        let Some(listed) = listed["data"].as_array() else { return Ok(None) };
        let is_of_text = |model: &&Value| model["type"] != "embeddings";
        let models = listed.iter().filter(is_of_text).map(|model| EngineModel {
            name: text(&model["id"]).unwrap_or_default(),
            stored_as: text(&model["quantization"]),
            context: model["loaded_context_length"].as_u64(),
            is_loaded: text(&model["state"]).map(|state| state == "loaded"),
            ..EngineModel::default()
        });
        Ok(Some((Program::LmStudio, None, models.collect())))
    }

    fn version(&self) -> Option<String> {
        text(&self.json("/version").ok()?["version"])
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

/// A text that says something, and nothing to a terminal.
fn text(value: &Value) -> Option<String> {
    let is_plain = |text: &&str| !text.is_empty() && !text.contains(char::is_control);
    value.as_str().filter(is_plain).map(str::to_owned)
}
