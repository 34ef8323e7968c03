//! `nearside model serve`, with a tiny model and clients that say what they like.

use std::io::Read as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nearside_architecture::Dtype;
use serde_json::{Value, json};

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, nearside, number, root, text};
use crate::served::{Reply, Server, tiny as server};
use crate::tiny_model;

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";

/// A question, with what is said besides.
fn question(content: &str, more: Value) -> Value {
    let mut body = json!({
        "model": "tiny",
        "messages": [{ "role": "user", "content": content }],
        "max_tokens": 12,
        "temperature": 0,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// A text to be written on, with what is said besides.
fn prompt(text: impl Into<Value>, more: Value) -> Value {
    let mut body =
        json!({ "model": "tiny", "prompt": text.into(), "max_tokens": 12, "temperature": 0 });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn a_conversation_is_answered_at_once_or_as_it_is_written() {
    let (_folder, server) = server("serve-chat", &[]);
    let whole = server.post(CHAT, &question("the", json!({ "ignore_eos": true }))).ok();
    let choice = &whole["choices"][0];
    let content = text(&choice["message"]["content"]);
    assert!(!content.is_empty());
    assert_eq!(
        (text(&choice["finish_reason"]), &whole["object"]),
        ("length", &json!("chat.completion"))
    );
    assert_eq!(whole["usage"]["completion_tokens"], 12);
    let asked =
        json!({ "ignore_eos": true, "stream": true, "stream_options": { "include_usage": true } });
    let chunks = server.post(CHAT, &question("the", asked)).chunks();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let pieces = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    assert_eq!(pieces.collect::<String>(), content);
    let (usage, end) = (&chunks[chunks.len() - 1], &chunks[chunks.len() - 2]);
    assert_eq!(end["choices"][0]["finish_reason"], "length");
    // The same question was read before: all but its last token is taken from there.
    let usage = &usage["usage"];
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    assert_eq!(cached + 1, usage["prompt_tokens"].as_u64().unwrap());
    assert_eq!(usage["completion_tokens"], 12);
}

#[test]
fn what_is_written_is_what_generate_writes_whoever_else_is_served() {
    let (folder, server) = server("serve-same", &["--parallel", "3"]);
    let path = folder.path().join("tiny.gguf").display().to_string();
    let generated = |prompt: &str| {
        let arguments = ["model", "generate", &path, prompt, "--raw", "--tokens", "24"];
        let data = nearside(&[&arguments[..], &["--temperature", "0", "--json"]].concat());
        text(&data.exits(0).data()["text"]).to_owned()
    };
    let prompts: Vec<String> = (0..9).map(|index| "the ing ".repeat(index + 1)).collect();
    let written: Vec<String> = thread::scope(|scope| {
        let ask = |prompt: &String| {
            let body = self::prompt(prompt.as_str(), json!({ "max_tokens": 24 }));
            let server = &server;
            scope.spawn(move || {
                text(&server.post(COMPLETIONS, &body).ok()["choices"][0]["text"]).to_owned()
            })
        };
        let threads: Vec<_> = prompts.iter().map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (prompt, written) in prompts.iter().zip(&written) {
        assert_eq!(*written, generated(prompt), "{prompt}");
    }
}

#[test]
fn an_echo_tells_how_probable_a_text_is() {
    let (_folder, server) = server("serve-echo", &[]);
    let asked = json!({ "echo": true, "logprobs": 2, "max_tokens": 1 });
    let told = server.post(COMPLETIONS, &prompt("the the ing", asked)).ok();
    let choice = &told["choices"][0];
    assert!(text(&choice["text"]).starts_with("the the ing"), "{choice}");
    let scores = &choice["logprobs"];
    let logs = list(&scores["token_logprobs"]);
    let tokens = number(&told["usage"]["prompt_tokens"]) as usize;
    assert_eq!((logs.len(), &logs[0]), (tokens + 1, &Value::Null));
    assert!(logs[1..].iter().all(|log| number(log) < 0.0), "{logs:?}");
    assert_eq!(list(&scores["tokens"]).len(), tokens + 1);
    // The beginning of the text is not shown, so that the first word stands at its beginning.
    let offsets: Vec<_> = list(&scores["text_offset"]).iter().map(number).collect();
    assert_eq!((offsets.len(), offsets[0] as usize, offsets[1] as usize), (tokens + 1, 0, 0));
    assert_eq!(offsets[tokens] as usize, "the the ing".len());
    // The token that was written is the best one of its place, for nothing was left to chance.
    let best = scores["top_logprobs"][tokens].as_object().unwrap();
    let most = best.values().map(number).fold(f64::NEG_INFINITY, f64::max);
    assert!((number(&logs[tokens]) - most).abs() < 1e-6);
    // As text and as tokens, alone and among others, scores are the same.
    let again = json!({ "echo": true, "logprobs": 2, "max_tokens": 0 });
    let both = server.post(COMPLETIONS, &prompt(json!(["the the ing", "s"]), again)).ok();
    assert_eq!(list(&both["choices"]).len(), 2);
    assert_eq!(
        both["choices"][0]["logprobs"]["token_logprobs"],
        Value::Array(logs[..tokens].to_vec())
    );
    assert_eq!(both["choices"][0]["text"], "the the ing");
}

#[test]
fn several_answers_differ_and_a_seed_gives_the_same_again() {
    let (_folder, server) = server("serve-choices", &[]);
    let ask = |seed: u64| {
        let asked = json!({ "n": 3, "temperature": 1.5, "seed": seed });
        let told = server.post(COMPLETIONS, &prompt("the", asked)).ok();
        let texts = list(&told["choices"]).iter().map(|choice| text(&choice["text"]).to_owned());
        texts.collect::<Vec<_>>()
    };
    let texts = ask(5);
    assert_eq!(texts.len(), 3);
    assert!(texts[0] != texts[1] && texts[1] != texts[2], "{texts:?}");
    assert_eq!(texts, ask(5));
    assert_ne!(texts, ask(6));
}

#[test]
fn a_schema_is_followed_however_silly_the_model() {
    let (_folder, server) = server("serve-schema", &[]);
    let schema = json!({
        "type": "object",
        "properties": {
            "zeal": { "enum": ["high", "low"] },
            "age": { "type": "integer", "minimum": 10, "maximum": 99 },
        },
        "required": ["zeal", "age"],
        "additionalProperties": false,
    });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": schema } });
    for seed in 0..4 {
        let asked = json!({
            "response_format": format, "max_tokens": 120, "temperature": 1, "seed": seed,
        });
        let told = server.post(CHAT, &question("the", asked)).ok();
        let content = text(&told["choices"][0]["message"]["content"]);
        let value: Value =
            serde_json::from_str(content).unwrap_or_else(|_error| panic!("{content}"));
        assert!((10.0..100.0).contains(&number(&value["age"])), "{content}");
        assert!(content.find("zeal").unwrap() < content.find("age").unwrap(), "{content}");
        assert_eq!(told["choices"][0]["finish_reason"], "stop");
    }
    let wrong =
        json!({ "type": "json_schema", "json_schema": { "schema": { "type": "nothing" } } });
    let refused = server.post(CHAT, &question("the", json!({ "response_format": wrong })));
    assert_eq!(refused.refused(400).1, "response_format");
}

#[test]
fn embeddings_are_vectors_of_length_one() {
    let (_folder, server) = server("serve-embeddings", &[]);
    let ask = |input: Value, more: Value| {
        let mut body = json!({ "model": "tiny", "input": input });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/v1/embeddings", &body)
    };
    let told = ask(json!(["the", "the ing", "the"]), json!({})).ok();
    let vector = |index: usize| -> Vec<f64> {
        list(&told["data"][index]["embedding"]).iter().map(number).collect()
    };
    let product =
        |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
    assert_eq!(vector(0).len(), 64);
    assert!((product(&vector(0), &vector(0)) - 1.0).abs() < 1e-5);
    assert_eq!(vector(0), vector(2));
    assert!(product(&vector(0), &vector(1)) < 0.9999);
    let coded = ask(json!("the"), json!({ "encoding_format": "base64" })).ok();
    assert_eq!(text(&coded["data"][0]["embedding"]).len(), (64usize * 4).div_ceil(3) * 4);
    assert_eq!(ask(json!("the"), json!({ "dimensions": 8 })).refused(400).1, "dimensions");
    assert_eq!(ask(json!(""), json!({})).status, 200);
    assert_eq!(ask(json!([]), json!({})).refused(400).1, "input");
}

#[test]
fn what_cannot_be_followed_is_told_with_its_field() {
    let (_folder, server) = server("serve-errors", &["--context", "64"]);
    for (body, status, code, param) in [
        (question("a", json!({ "model": "other" })), 404, "model_not_found", "model"),
        (question("a", json!({ "temperature": 3 })), 400, "", "temperature"),
        (question("a", json!({ "messages": [] })), 400, "", "messages"),
        (question("a", json!({ "n": 0 })), 400, "", "n"),
        (question("a", json!({ "top_logprobs": 3 })), 400, "", "top_logprobs"),
        (question("a", json!({ "logit_bias": { "x": 1 } })), 400, "", "logit_bias"),
        (question("a", json!({ "tools": [{ "type": "function" }] })), 400, "", "tools[0].function"),
        (question("a", json!({ "max_tokens": 500 })), 400, "context_length_exceeded", ""),
        (question(&"the ".repeat(200), json!({})), 400, "context_length_exceeded", ""),
    ] {
        let reply = server.post(CHAT, &body);
        assert_eq!(reply.refused(status), (code.to_owned(), param.to_owned()), "{body}");
    }
    let long = server.post(CHAT, &question(&"the ".repeat(200), json!({})));
    let message = text(&long.json()["error"]["message"]).to_owned();
    assert!(message.contains("a context of 64") && message.contains("of the prompt"), "{message}");
    for body in ["", "{", "[1]", "{\"model\": 1}", "\u{0}", &"[".repeat(200_000)] {
        let reply = Reply::read(server.ask("POST", CHAT, &[], body));
        reply.refused(400);
    }
    assert_eq!(server.get("/v1/nothing").refused(404).0, "not_found");
    assert_eq!(server.get(CHAT).refused(405).0, "method_not_allowed");
    let huge = Reply::read(server.ask("POST", CHAT, &[], &" ".repeat(17 << 20)));
    assert_eq!(huge.status, 413);
    // A prompt of a megabyte is read, counted and refused.
    let long = server.post(CHAT, &question(&"the ing ".repeat(1 << 17), json!({})));
    assert_eq!(long.refused(400).0, "context_length_exceeded");
    // What nobody knows is told.
    let reply = server.post(CHAT, &question("a", json!({ "user": "x", "metadata": {} })));
    assert!(reply.head.contains("x-nearside-ignored: user, metadata"), "{}", reply.head);
    reply.ok();
}

#[test]
fn the_oldest_messages_are_left_out_where_that_is_allowed_and_that_is_told() {
    let arguments = ["--context", "96", "--overflow", "drop-oldest"];
    let (_folder, server) = server("serve-overflow", &arguments);
    let message =
        |role: &str, words: usize| json!({ "role": role, "content": "the ".repeat(words) });
    let messages = json!([
        message("system", 2),
        message("user", 30),
        message("assistant", 30),
        message("user", 3),
    ]);
    let reply = server.post(CHAT, &question("", json!({ "messages": messages })));
    assert!(reply.head.contains("x-nearside-dropped-tokens: "), "{}", reply.head);
    let told = reply.ok();
    assert!(number(&told["nearside"]["dropped_tokens"]) > 60.0, "{told}");
    let alone = json!([message("user", 300)]);
    let reply = server.post(CHAT, &question("", json!({ "messages": alone })));
    assert_eq!(reply.refused(400).0, "context_length_exceeded");
}

#[test]
fn only_those_who_know_the_token_are_let_in() {
    let folder = Folder::new("serve-token-file");
    let file = folder.write("token", "s3cret\n");
    let (_folder, server) = server("serve-token", &["--token-file", &file]);
    let ask = |head: &[&str]| Reply::read(server.ask("GET", "/v1/models", head, ""));
    let reply = ask(&[]);
    assert_eq!(reply.refused(401).0, "invalid_api_key");
    assert!(reply.head.contains("www-authenticate: bearer"), "{}", reply.head);
    assert_eq!(ask(&["authorization: Bearer wrong"]).status, 401);
    let models = ask(&["authorization: Bearer s3cret"]).ok();
    assert_eq!(models["data"][0]["id"], "tiny");
    assert_eq!(server.get("/health").ok()["status"], "ok");
    let page = ["authorization: Bearer s3cret", "origin: https://evil.example"];
    assert_eq!(ask(&page).refused(403).0, "origin_not_allowed");
    let named = ["authorization: Bearer s3cret", "host: evil.example"];
    assert_eq!(ask(&named).refused(403).0, "host_not_allowed");
}

#[test]
fn pages_of_a_site_that_may_ask_are_answered_as_browsers_want_it() {
    let file = Folder::new("serve-origin-token").write("token", "s3cret");
    let arguments = ["--token-file", &file, "--origin", "https://ours.example"];
    let (_folder, server) = server("serve-origin", &arguments);
    // A browser asks first, without what has to be known.
    let asks = ["origin: https://ours.example", "access-control-request-method: POST"];
    let reply = Reply::read(server.ask("OPTIONS", CHAT, &asks, ""));
    assert_eq!(reply.status, 204);
    for line in ["allow-origin: https://ours.example", "allow-headers: authorization, content-type"]
    {
        assert!(reply.head.contains(&format!("access-control-{line}")), "{}", reply.head);
    }
    let head = ["origin: https://ours.example", "authorization: Bearer s3cret"];
    let reply =
        Reply::read(server.ask("POST", CHAT, &head, &question("the", json!({})).to_string()));
    assert!(
        reply.head.contains("access-control-allow-origin: https://ours.example"),
        "{}",
        reply.head
    );
    reply.ok();
    let other = Reply::read(server.ask("OPTIONS", CHAT, &["origin: https://evil.example"], ""));
    assert_eq!(other.status, 403);
    assert!(!other.head.contains("access-control-allow-origin"), "{}", other.head);
}

#[test]
fn sixty_four_streams_are_served_and_those_that_leave_or_linger_harm_nobody() {
    let arguments = ["--parallel", "16", "--context", "256", "--queue", "64"];
    let (_folder, server) = server("serve-streams", &arguments);
    let body = question("the", json!({ "stream": true, "max_tokens": 100, "ignore_eos": true }));
    let body = body.to_string();
    let before = server.resident();
    thread::scope(|scope| {
        let streams: Vec<_> = (0..64)
            .map(|index| {
                let (server, body) = (&server, &body);
                scope.spawn(move || {
                    let mut stream = server.ask("POST", CHAT, &[], body);
                    match index % 4 {
                        // One that goes away in the middle.
                        0 => {
                            let mut some = [0; 400];
                            stream.read_exact(&mut some).unwrap();
                            None
                        }
                        // One that takes its time.
                        1 => {
                            thread::sleep(Duration::from_millis(1500));
                            Some(Reply::read(stream))
                        }
                        _ => Some(Reply::read(stream)),
                    }
                })
            })
            .collect();
        let mut texts: Vec<String> = Vec::new();
        for reply in streams.into_iter().filter_map(|thread| thread.join().unwrap()) {
            let chunks = reply.chunks();
            let pieces =
                chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
            texts.push(pieces.collect());
        }
        assert_eq!(texts.len(), 48);
        texts.dedup();
        assert_eq!(texts.len(), 1, "the same question has one answer");
    });
    let start = Instant::now();
    while server.metric("nearside_running") + server.metric("nearside_waiting") > 0.0 {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", server.get("/metrics").body);
        thread::sleep(Duration::from_millis(50));
    }
    assert!(server.metric("nearside_given_up_total") >= 8.0);
    // Keys and values of sixteen sequences are less than this; nothing else stays.
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown}");
}

#[test]
fn what_does_not_fit_the_queue_is_refused_and_may_be_asked_again() {
    let (_folder, server) = server("serve-queue", &["--parallel", "1", "--queue", "1"]);
    let body = question("the", json!({ "stream": true, "max_tokens": 200, "ignore_eos": true }));
    let body = body.to_string();
    let mut streams: Vec<_> = (0..8).map(|_| server.ask("POST", CHAT, &[], &body)).collect();
    let replies: Vec<_> = streams.drain(..).map(Reply::read).collect();
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert!(!refused.is_empty() && refused.len() < 8, "{}", refused.len());
    assert!(refused[0].head.contains("retry-after: 1"), "{}", refused[0].head);
    server.post(CHAT, &question("the", json!({}))).ok();
}

#[test]
fn the_end_is_told_with_what_was_served() {
    let (_folder, server) = server("serve-end", &[]);
    server.post(CHAT, &question("the", json!({ "ignore_eos": true }))).ok();
    let (code, stderr) = server.end();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("1 requests") && stderr.contains("12 written"), "{stderr}");
}

#[test]
fn doors_are_not_opened_to_everybody_by_mistake() {
    let folder = Folder::new("serve-doors");
    let path = folder.path().join("tiny.gguf");
    tiny_model::write(&path, Dtype::Q8_0);
    let path = path.display().to_string();
    let run = nearside(&["model", "serve", &path, "--listen", "0.0.0.0:0"]).exits(2);
    assert!(run.stderr.contains("--open"), "{}", run.stderr);
    let empty = folder.write("empty", "\n");
    let arguments = ["model", "serve", &path, "--token-file", &empty];
    let run = Run::of(command(&arguments), &arguments).exits(3);
    assert!(run.stderr.contains("has no token"), "{}", run.stderr);
    let arguments = ["model", "serve", &path, "--listen", "127.0.0.1:0", "--json"];
    let server = Server::start({
        let mut command = command(&arguments);
        command.env("NEARSIDE_SERVE_TOKEN", "s3cret");
        command
    });
    let told: Value = serde_json::from_str(&server.address).unwrap();
    check_schema("model-serve", &told["data"]);
    assert_eq!(told["data"]["token"], true);
    assert_eq!(told["data"]["context"], 256);
}

#[test]
fn a_tool_is_called_where_it_has_to_be() {
    let (_folder, server) = server("serve-tools", &["--context", "2048"]);
    let parameters = json!({
        "type": "object",
        "properties": { "zeal": { "enum": ["high", "low"] } },
        "required": ["zeal"],
        "additionalProperties": false,
    });
    let tool = |name: &str| {
        let function =
            json!({ "name": name, "description": "Tells it.", "parameters": parameters });
        json!({ "type": "function", "function": function })
    };
    let tools = json!([tool("first"), tool("second")]);
    let named = json!({ "type": "function", "function": { "name": "second" } });
    let ask = |more: Value| {
        let mut asked = json!({ "tools": tools, "max_tokens": 400, "temperature": 1, "seed": 3 });
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post(CHAT, &question("the", asked))
    };
    let told = ask(json!({ "tool_choice": named, "parallel_tool_calls": false })).ok();
    let choice = &told["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &Value::Null)
    );
    let calls = list(&choice["message"]["tool_calls"]);
    assert_eq!((calls.len(), text(&calls[0]["function"]["name"])), (1, "second"));
    let arguments: Value = serde_json::from_str(text(&calls[0]["function"]["arguments"])).unwrap();
    assert!(["high", "low"].contains(&text(&arguments["zeal"])), "{arguments}");
    let asked = json!({ "tool_choice": named, "parallel_tool_calls": false, "stream": true });
    let chunks = ask(asked).chunks();
    let called =
        chunks.iter().find_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array());
    assert_eq!(called.unwrap()[0]["function"]["name"], "second");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    // The model, left alone, writes what it likes.
    let free = ask(json!({ "tool_choice": "none" })).ok();
    assert_eq!(free["choices"][0]["message"]["tool_calls"], Value::Null);
    let both = json!({ "tool_choice": "required", "response_format": { "type": "json_object" } });
    assert_eq!(ask(both).refused(400).1, "response_format");
    assert_eq!(
        ask(json!({ "tool_choice": { "function": { "name": "third" } } })).refused(400).1,
        "tool_choice"
    );
}

#[test]
fn real_clients_find_what_they_expect() {
    let (_folder, server) = {
        let file = Folder::new("serve-clients-token").write("token", "s3cret");
        server("serve-clients", &["--context", "2048", "--token-file", &file])
    };
    let url = format!("http://{}/v1", server.address);
    let run = |mut command: Command, lines: usize| {
        let output = command.args([&url, "s3cret", "tiny"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}{errors}");
        assert_eq!(told.lines().filter(|line| line.ends_with(" agrees")).count(), lines, "{told}");
    };
    let scripts = root().join("crates/nearside/tests/clients");
    let python = root().join("target/engines/clients/bin/python");
    if python.exists() {
        let mut command = Command::new(python);
        command.arg(scripts.join("clients.py"));
        run(command, 4);
    } else {
        eprintln!(
            "SKIPPED: no openai, litellm and langchain for Python; cargo xtask setup installs them"
        );
    }
    let modules = root().join("target/engines/clients-node");
    if modules.join("node_modules/openai").exists() {
        let mut command = Command::new("node");
        command.arg(scripts.join("client.mjs")).arg(modules);
        run(command, 1);
    } else {
        eprintln!("SKIPPED: no openai for Node; cargo xtask setup installs it");
    }
}
