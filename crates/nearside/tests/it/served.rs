//! A server of this program at work, and a client that says exactly what it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nearside_architecture::Dtype;
use serde_json::Value;

use crate::command::{Folder, command};
use crate::tiny_model;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that listens on this machine; it ends with the test.
pub(crate) struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In small letters.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A server of a tiny model that is called `tiny`; its file is `tiny.gguf` in the folder.
pub(crate) fn tiny(name: &str, more: &[&str]) -> (Folder, Server) {
    let folder = Folder::new(name);
    let path = folder.path().join("tiny.gguf");
    tiny_model::write(&path, Dtype::Q8_0);
    let path = path.display().to_string();
    let arguments = ["model", "serve", &path, "--listen", "127.0.0.1:0", "--name", "tiny"];
    let server = Server::start(command(&[&arguments, more].concat()));
    (folder, server)
}

impl Server {
    /// Starts a command that prints its address first.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // An object is told over several lines.
        while stdout.read_line(&mut first).unwrap() > 0
            && first.starts_with('{')
            && !first.ends_with("\n}\n")
        {}
        if first.is_empty() {
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("no address: {stderr}");
        }
        let address = first.trim().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
        Self { child, address }
    }

    /// A connection with a request on it, of which nothing was read.
    pub(crate) fn ask(&self, method: &str, path: &str, head: &[&str], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !head.iter().any(|line| line.starts_with("host:")) {
            request.push_str("host: localhost\r\n");
        }
        head.iter().for_each(|line| request.extend([line, "\r\n"]));
        let length = body.len();
        request.push_str(&format!("content-length: {length}\r\n\r\n{body}"));
        // A server that refuses may close before all was sent.
        let _ = stream.write_all(request.as_bytes());
        stream
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        Reply::read(self.ask("GET", path, &[], ""))
    }

    /// Sends JSON.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        Reply::read(self.ask("POST", path, &["content-type: application/json"], &body.to_string()))
    }

    /// What a counter of `/metrics` says.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}:\n{text}")).parse().unwrap()
    }

    /// Memory that it has, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Asks it to end; its exit code and what it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reply {
    /// Reads an answer to its end.
    #[track_caller]
    pub(crate) fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        // What was refused early may end with a reset.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).expect("an answer in UTF-8");
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.contains("transfer-encoding: chunked");
        let body = if chunked { dechunked(body) } else { body.to_owned() };
        Self { status, head, body }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The answer of a request that was followed.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()
    }

    /// The code of an error, and the field that it is about.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> (String, String) {
        assert_eq!(self.status, status, "{}", self.body);
        let error = &self.json()["error"];
        assert!(!error["message"].as_str().unwrap().is_empty());
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("code"), text("param"))
    }

    /// The chunks of an answer that was sent as it was written; they end with `[DONE]`.
    #[track_caller]
    pub(crate) fn chunks(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        assert!(self.head.contains("text/event-stream"), "{}", self.head);
        let lines = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        let mut lines: Vec<_> = lines.collect();
        assert_eq!(lines.pop(), Some("[DONE]"), "{}", self.body);
        lines.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The content of chunks.
fn dechunked(mut body: &str) -> String {
    let mut content = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let Some(chunk) = rest.get(..size).filter(|_chunk| size > 0) else { break };
        content.push_str(chunk);
        body = rest[size..].trim_start_matches("\r\n");
    }
    content
}
