//! A hub on this machine: it speaks what a client of models asks of the real one, keeps large files on another host,
//! and does what goes wrong on the way.
//!
//! Source of paths, headers and answers: `huggingface_hub` 2.4.0.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The commit of every repository.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Bytes that are written at a time.
const BLOCK: usize = 64 << 10;

/// What is wrong with large files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// So many milliseconds pass after every block.
    Slow(u64),
    /// The connection ends after so many bytes of each answer, for the first so many answers.
    Cut(usize, usize),
    /// Ranges are not known.
    NoRanges,
    /// One bit is another one.
    Wrong,
}

/// A repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repo {
    /// Small files, which git has.
    pub(crate) small: BTreeMap<&'static str, Vec<u8>>,
    /// Large ones, which are on the other host.
    pub(crate) large: BTreeMap<&'static str, Vec<u8>>,
    /// The token that opens its files, where they are not for everybody.
    pub(crate) gate: Option<&'static str>,
    /// Whether its list has names alone, as that of some mirrors.
    pub(crate) names_only: bool,
}

/// A hub.
pub(crate) struct Hub {
    /// Its address.
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    repos: BTreeMap<&'static str, Repo>,
    trouble: Mutex<Trouble>,
    store: String,
    /// Bytes of large files that were sent.
    sent: AtomicU64,
    /// Answers with large files.
    answers: AtomicUsize,
    /// What the hub was asked, and what the other host was asked.
    asked: [Mutex<Vec<String>>; 2],
}

impl Hub {
    pub(crate) fn new(repos: Vec<(&'static str, Repo)>) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (hub, store) = (listen(), listen());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{}", port(&hub));
        let state = Arc::new(State {
            repos: repos.into_iter().collect(),
            trouble: Mutex::new(Trouble::None),
            store: format!("http://localhost:{}", port(&store)),
            sent: AtomicU64::new(0),
            answers: AtomicUsize::new(0),
            asked: [Mutex::default(), Mutex::default()],
        });
        serve(hub, &state, 0, State::hub);
        serve(store, &state, 1, State::large);
        Self { url, state }
    }

    pub(crate) fn trouble(&self, trouble: Trouble) {
        *self.state.trouble.lock().unwrap() = trouble;
        self.state.answers.store(0, Ordering::SeqCst);
    }

    /// Bytes of large files that were sent since this was last asked.
    pub(crate) fn sent(&self) -> u64 {
        self.state.sent.swap(0, Ordering::SeqCst)
    }

    /// The same, and it is not forgotten.
    pub(crate) fn sent_so_far(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// What the hub itself was asked, in small letters.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.asked[0].lock().unwrap().clone()
    }

    /// What the host of large files was asked, in small letters.
    pub(crate) fn asked_elsewhere(&self) -> Vec<String> {
        self.state.asked[1].lock().unwrap().clone()
    }
}

/// Git's name of a file.
fn git_blob(content: &[u8]) -> String {
    let begin = format!("blob {}\0", content.len());
    hex(&Sha1::new_with_prefix(begin).chain_update(content).finalize())
}

pub(crate) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

type Answering = fn(&State, &str, &mut TcpStream) -> std::io::Result<()>;

fn serve(listener: TcpListener, state: &Arc<State>, which: usize, answer: Answering) {
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, state) = (stream.unwrap(), Arc::clone(&state));
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut block = [0; 4096];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut block) {
                        Ok(read @ 1..) => request.extend_from_slice(&block[..read]),
                        _ => return,
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                state.asked[which].lock().unwrap().push(request.to_lowercase());
                // Who hangs up in the middle is not waited for.
                let _ = answer(&state, &request, &mut stream);
            });
        }
    });
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let lines = request.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn write(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

impl State {
    /// What the hub itself answers.
    fn hub(&self, request: &str, stream: &mut TcpStream) -> std::io::Result<()> {
        let path = request.split(' ').nth(1).unwrap_or("");
        let path = path.split('?').next().unwrap_or(path);
        if let Some(rest) = path.strip_prefix("/api/models/") {
            let mut parts = rest.splitn(4, '/');
            let name = format!("{}/{}", parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let (what, revision) = (parts.next().unwrap_or(""), parts.next().unwrap_or("main"));
            let Some(repo) = self.repos.get(name.as_str()) else {
                return write(stream, "401 Unauthorized", "x-error-code: RepoNotFound\r\n", b"");
            };
            if !["main", COMMIT].contains(&revision) {
                return write(stream, "404 Not Found", "x-error-code: RevisionNotFound\r\n", b"");
            }
            let answer = if what == "tree" { repo.tree() } else { repo.listing(&name) };
            let json = "content-type: application/json\r\n";
            return write(stream, "200 OK", json, answer.to_string().as_bytes());
        }
        let parts: Vec<&str> = path.trim_start_matches('/').splitn(5, '/').collect();
        let [organization, name, "resolve", _, file] = parts[..] else {
            return write(stream, "404 Not Found", "", b"");
        };
        match self.repos.get(format!("{organization}/{name}").as_str()) {
            Some(repo) => self.file(repo, file, request, stream),
            None => write(stream, "401 Unauthorized", "x-error-code: RepoNotFound\r\n", b""),
        }
    }

    /// A file, or where it is.
    fn file(
        &self,
        repo: &Repo,
        file: &str,
        request: &str,
        stream: &mut TcpStream,
    ) -> std::io::Result<()> {
        let token = header(request, "authorization").and_then(|it| it.strip_prefix("Bearer "));
        if repo.gate.is_some_and(|gate| token != Some(gate)) {
            return write(stream, "403 Forbidden", "x-error-code: GatedRepo\r\n", b"");
        }
        if let Some(content) = repo.large.get(file) {
            let (etag, size) = (sha256(content), content.len());
            let headers = format!(
                "x-repo-commit: {COMMIT}\r\nx-linked-etag: \"{etag}\"\r\nx-linked-size: {size}\r\n\
                 location: {}/{etag}?signature=opensesame\r\n",
                self.store
            );
            return write(stream, "302 Found", &headers, b"");
        }
        let Some(content) = repo.small.get(file) else {
            return write(stream, "404 Not Found", "x-error-code: EntryNotFound\r\n", b"");
        };
        let etag = git_blob(content);
        let headers = format!("x-repo-commit: {COMMIT}\r\netag: \"{etag}\"\r\n");
        let body: &[u8] = if request.starts_with("HEAD") { &[] } else { content };
        if body.is_empty() {
            // A head tells how long the file is that it does not bring.
            let size = content.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n{headers}\r\n"
            );
            return stream.write_all(head.as_bytes());
        }
        write(stream, "200 OK", &headers, body)
    }

    /// What the host of large files answers.
    fn large(&self, request: &str, stream: &mut TcpStream) -> std::io::Result<()> {
        let path = request.split(' ').nth(1).unwrap_or("");
        let etag = path.trim_start_matches('/').split('?').next().unwrap_or("");
        let mut all = self.repos.values().flat_map(|repo| repo.large.values());
        let Some(content) = all.find(|content| sha256(content) == etag) else {
            return write(stream, "404 Not Found", "", b"");
        };
        let trouble = *self.trouble.lock().unwrap();
        let number = self.answers.fetch_add(1, Ordering::SeqCst);
        let from = header(request, "range").filter(|_| trouble != Trouble::NoRanges);
        let from =
            from.and_then(|range| range.strip_prefix("bytes=")?.trim_end_matches('-').parse().ok());
        let mut body = content[from.unwrap_or(0)..].to_vec();
        let status = match from {
            None => "200 OK\r\n".to_owned(),
            Some(from) => format!(
                "206 Partial Content\r\ncontent-range: bytes {from}-{}/{}\r\n",
                content.len() - 1,
                content.len()
            ),
        };
        let length = body.len();
        match trouble {
            Trouble::Wrong => body[length / 2] ^= 1,
            Trouble::Cut(at, times) if number < times => body.truncate(at),
            _ => {}
        }
        let head =
            format!("HTTP/1.1 {status}content-length: {length}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        for block in body.chunks(BLOCK) {
            stream.write_all(block)?;
            self.sent.fetch_add(block.len() as u64, Ordering::SeqCst);
            if let Trouble::Slow(pause) = trouble {
                std::thread::sleep(Duration::from_millis(pause));
            }
        }
        Ok(())
    }
}

impl Repo {
    /// `/api/models/ORG/NAME/revision/REV?blobs=true`
    fn listing(&self, name: &str) -> Value {
        let small = self.small.iter().map(|(path, content)| {
            json!({"rfilename": path, "size": content.len(), "blobId": git_blob(content)})
        });
        let large = self.large.iter().map(|(path, content)| {
            let lfs = json!({"sha256": sha256(content), "size": content.len(), "pointerSize": 130});
            json!({"rfilename": path, "size": content.len(), "blobId": git_blob(b"pointer"), "lfs": lfs})
        });
        let mut siblings: Vec<Value> = small.chain(large).collect();
        if self.names_only {
            for sibling in &mut siblings {
                *sibling = json!({"rfilename": sibling["rfilename"]});
            }
        }
        json!({
            "_id": "1", "id": name, "modelId": name, "private": false, "sha": COMMIT, "tags": [],
            "downloads": 1, "likes": 1, "gated": self.gate.is_some(), "siblings": siblings
        })
    }

    /// `/api/models/ORG/NAME/tree/REV?recursive=true`
    fn tree(&self) -> Value {
        let small = self.small.iter().map(|(path, content)| {
            json!({"type": "file", "path": path, "size": content.len(), "oid": git_blob(content)})
        });
        let large = self.large.iter().map(|(path, content)| {
            let lfs = json!({"oid": sha256(content), "size": content.len(), "pointerSize": 130});
            let oid = git_blob(b"pointer");
            json!({"type": "file", "path": path, "size": content.len(), "oid": oid, "lfs": lfs})
        });
        small.chain(large).collect()
    }
}
