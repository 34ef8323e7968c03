//! Who answers at an address, by documents as their makers show them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use nearside_models::engine::{Engine, EngineError, Program};

/// A program that answers so to some paths, and with a 200 and an error to all others, as LM Studio does; its address.
fn answering(paths: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
            let asked = first.split(' ').nth(1).unwrap();
            let known = paths.iter().find(|(path, _)| *path == asked);
            let body = known.map_or("{\"error\":\"Unexpected endpoint\"}", |(_, body)| body);
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}");
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        }
    });
    address
}

/// As its documentation shows them.
#[test]
fn ollama_is_known_by_its_tags() {
    let address = answering(&[
        (
            "/v1/models",
            "{\"object\":\"list\",\"data\":[{\"id\":\"llama3.2:latest\",\"owned_by\":\"library\"}]}",
        ),
        ("/api/version", "{\"version\":\"0.12.11\"}"),
        (
            "/api/tags",
            "{\"models\":[{\"name\":\"llama3.2:latest\",\"size\":2019393189,\"details\":{\"format\":\"gguf\",\
             \"parameter_size\":\"3.2B\",\"quantization_level\":\"Q4_K_M\"}},{\"name\":\"phi:2\",\"size\":1},\
                 {\"name\":\"gpt-oss:120b-cloud\",\"remote_model\":\"gpt-oss:120b\",\"remote_host\":\"https://ollama.com:443\"}]}",
        ),
        ("/api/ps", "{\"models\":[{\"name\":\"llama3.2:latest\",\"context_length\":4096}]}"),
    ]);
    let engine = Engine::at(&format!("{address}/v1/"), None).unwrap();
    assert_eq!((engine.program, engine.version.as_deref()), (Program::Ollama, Some("0.12.11")));
    let model = engine.model("llama3.2").unwrap();
    assert_eq!(model.stored_as.as_deref(), Some("Q4_K_M"));
    assert_eq!(
        (model.bytes, model.context, model.is_loaded),
        (Some(2_019_393_189), Some(4096), Some(true))
    );
    assert_eq!(engine.model("phi:2").unwrap().is_loaded, Some(false));
    let error = engine.model("phi").unwrap_err().to_string();
    assert!(
        error.ends_with("no model phi: it has llama3.2:latest, phi:2, gpt-oss:120b-cloud"),
        "{error}"
    );
}

/// What Ollama hands on to its maker would leave this machine.
#[test]
fn a_model_that_somebody_else_computes_is_not_asked() {
    let address = answering(&[
        ("/api/version", "{\"version\":\"0.12.11\"}"),
        (
            "/api/tags",
            "{\"models\":[{\"name\":\"big:cloud\",\"remote_model\":\"big\",\"remote_host\":\"https://ollama.com:443\"}]}",
        ),
    ]);
    let error = Engine::at(&address, None).unwrap().model("big:cloud").unwrap_err();
    assert!(
        matches!(&error, EngineError::Remote { host, .. } if host.contains("ollama.com")),
        "{error}"
    );
}

/// Its list is for everybody, its properties are not; one that hands on questions has no context of its own.
#[test]
fn llama_server_is_known_without_its_properties() {
    let listed =
        "{\"data\":[{\"id\":\"m\",\"owned_by\":\"llamacpp\",\"status\":{\"value\":\"unloaded\"}}]}";
    for properties in ["{}", "{\"role\":\"router\",\"default_generation_settings\":{\"n_ctx\":0}}"]
    {
        let paths: &'static [_] =
            Box::leak(Box::new([("/v1/models", listed), ("/props", properties)]));
        let engine = Engine::at(&answering(paths), None).unwrap();
        assert_eq!(engine.program, Program::LlamaServer);
        assert_eq!((engine.models[0].context, engine.models[0].is_loaded), (None, Some(false)));
    }
}

#[test]
fn lm_studio_is_known_by_its_own_list() {
    let address = answering(&[
        (
            "/v1/models",
            "{\"object\":\"list\",\"data\":[{\"id\":\"granite\",\"owned_by\":\"organization_owner\"}]}",
        ),
        (
            "/api/v0/models",
            "{\"object\":\"list\",\"data\":[{\"id\":\"granite\",\"type\":\"llm\",\"quantization\":\"Q4_K_M\",\
             \"state\":\"not-loaded\",\"max_context_length\":131072},{\"id\":\"nomic\",\"type\":\"embeddings\"}]}",
        ),
    ]);
    let engine = Engine::at(&address, None).unwrap();
    assert_eq!((engine.program, engine.models.len()), (Program::LmStudio, 1));
    assert_eq!(engine.models[0].is_loaded, Some(false));
}

#[test]
fn who_is_not_known_is_told_so_and_nobody_far_is_asked() {
    assert!(matches!(Engine::at(&answering(&[]), None), Err(EngineError::Unknown { .. })));
    let listed = answering(&[("/v1/models", "{\"data\":[{\"id\":\"m\"}]}")]);
    assert_eq!(Engine::at(&listed, None).unwrap().program, Program::Other);
    for far in [
        "http://example.org",
        "https://127.0.0.1",
        "http://127.0.0.1@example.org",
        "ftp://localhost",
    ] {
        assert!(matches!(Engine::at(far, None), Err(EngineError::NotHere { .. })), "{far}");
    }
}
