//! Downloads from a server on this machine that does what servers do wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use nearside_fetch::{
    Doing, Downloaded, Expected, FetchError, FileDigest, Progress, Secret, Source, Target,
    download, head, partial,
};
use sha2::Digest as _;

/// A server: what it was asked, and how many bytes of bodies it sent.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

/// What it answers: the bytes as they go over the wire.
type Answer = Box<dyn Fn(&str, usize) -> Vec<u8> + Send>;

impl Server {
    /// Answers requests by a function of the request and of how many there were before it.
    fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file?signature=opensesame", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let read = stream.read(&mut request).unwrap();
                let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
                let before = list.lock().unwrap().len();
                list.lock().unwrap().push(request.clone());
                let _ = stream.write_all(&answer(&request, before));
            }
        });
        Self { url, seen }
    }

    fn ranges(&self) -> Vec<Option<u64>> {
        self.seen.lock().unwrap().iter().map(|request| range(request)).collect()
    }
}

/// The first byte that a request wants.
fn range(request: &str) -> Option<u64> {
    let (_, rest) = request.split_once("range: bytes=")?;
    rest.split('-').next()?.parse().ok()
}

fn whole(content: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        content.len()
    );
    [head.as_bytes(), content].concat()
}

/// What a server that knows ranges answers.
fn ranged(request: &str, content: &[u8]) -> Vec<u8> {
    let Some(from) = range(request) else { return whole(content) };
    let rest = content.get(usize::try_from(from).unwrap()..).unwrap_or(&[]);
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {from}-{}/{}\r\n\
         connection: close\r\n\r\n",
        rest.len(),
        content.len() - 1,
        content.len()
    );
    [head.as_bytes(), rest].concat()
}

fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
}

fn leads_to(location: &str, headers: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 302 Found\r\nlocation: {location}\r\n{headers}\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n"
    )
    .into_bytes()
}

fn content() -> Vec<u8> {
    (0..700_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn expected(content: &[u8]) -> Expected {
    let digest = FileDigest::Sha256(sha2::Sha256::digest(content).into());
    Expected { length: content.len() as u64, digest }
}

/// A folder with the file that is to be.
struct Place {
    _folder: tempfile::TempDir,
    file: PathBuf,
    lock: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, lock) = (folder.path().join("file"), folder.path().join("file.lock"));
        Self { _folder: folder, file, lock }
    }

    fn fetch(&self, url: &str, expected: &Expected) -> Result<Downloaded, FetchError> {
        self.fetch_while(url, expected, &mut |_| ControlFlow::Continue(()))
    }

    fn fetch_while(
        &self,
        url: &str,
        expected: &Expected,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Downloaded, FetchError> {
        let target = Target { file: &self.file, lock: &self.lock };
        download(&Source { url, token: None }, &target, expected, progress)
    }

    fn has(&self, content: &[u8]) {
        assert!(fs::read(&self.file).unwrap() == content, "the file is another one");
        assert!(!partial(&self.file).exists());
    }

    fn has_nothing(&self) {
        assert!(!self.file.exists() && !partial(&self.file).exists());
    }
}

#[test]
fn a_file_is_there_whole_and_only_asked_for_once() {
    let server = Server::new(Box::new(|request, _| ranged(request, &content())));
    let place = Place::new();
    let told = place.fetch(&server.url, &expected(&content())).unwrap();
    assert_eq!(told, Downloaded { transferred: 700_000, resumed: 0 });
    place.has(&content());
    let again = place.fetch(&server.url, &expected(&content())).unwrap();
    assert_eq!(again, Downloaded { transferred: 0, resumed: 0 });
    assert_eq!(server.ranges(), [None]);
    assert!(server.seen.lock().unwrap()[0].contains("accept-encoding: identity"));
}

#[test]
fn a_lost_connection_goes_on_where_it_was() {
    let server = Server::new(Box::new(|request, before| {
        let mut answer = ranged(request, &content());
        if before < 2 {
            answer.truncate(200_000);
        }
        answer
    }));
    let place = Place::new();
    let told = place.fetch(&server.url, &expected(&content())).unwrap();
    assert_eq!(told.transferred, 700_000, "no byte twice");
    place.has(&content());
    let ranges = server.ranges();
    assert_eq!(ranges.len(), 3);
    assert!(ranges[0].is_none() && ranges[1] < ranges[2] && ranges[1] > Some(190_000));
}

#[test]
fn what_an_earlier_attempt_left_is_not_fetched_again() {
    let server = Server::new(Box::new(|request, _| ranged(request, &content())));
    let place = Place::new();
    fs::write(partial(&place.file), &content()[..500_000]).unwrap();
    let told = place.fetch(&server.url, &expected(&content())).unwrap();
    assert_eq!(told, Downloaded { transferred: 200_000, resumed: 500_000 });
    assert_eq!(server.ranges(), [Some(500_000)]);
    place.has(&content());
}

#[test]
fn a_server_without_ranges_starts_over() {
    let server = Server::new(Box::new(|_, _| whole(&content())));
    let place = Place::new();
    fs::write(partial(&place.file), &content()[..500_000]).unwrap();
    let told = place.fetch(&server.url, &expected(&content())).unwrap();
    assert_eq!(told.transferred, 700_000);
    place.has(&content());
}

#[test]
fn a_range_that_is_not_the_one_asked_for_is_not_taken() {
    let server = Server::new(Box::new(|request, before| match before {
        // Says 206 and sends something else: the whole, from its beginning.
        0 => ranged("range: bytes=0-", &content()),
        _ => ranged(request, &content()),
    }));
    let place = Place::new();
    fs::write(partial(&place.file), &content()[..500_000]).unwrap();
    place.fetch(&server.url, &expected(&content())).unwrap();
    assert_eq!(server.ranges(), [Some(500_000), None]);
    place.has(&content());
}

#[test]
fn a_range_that_the_server_does_not_have_starts_over() {
    let server = Server::new(Box::new(|request, before| match before {
        0 => status("416 Range Not Satisfiable"),
        _ => ranged(request, &content()),
    }));
    let place = Place::new();
    fs::write(partial(&place.file), &content()[..500_000]).unwrap();
    place.fetch(&server.url, &expected(&content())).unwrap();
    assert_eq!(server.ranges(), [Some(500_000), None]);
    place.has(&content());
}

#[test]
fn what_has_another_digest_is_deleted_and_told() {
    let wrong = || {
        let mut wrong = content();
        wrong[600_000] ^= 1;
        wrong
    };
    let server = Server::new(Box::new(move |request, _| ranged(request, &wrong())));
    let place = Place::new();
    let error = place.fetch(&server.url, &expected(&content())).unwrap_err();
    assert!(matches!(error, FetchError::Digest { .. }), "{error}");
    let digest = expected(&content()).digest.to_string();
    assert!(error.to_string().contains(&digest) && !error.to_string().contains("opensesame"));
    place.has_nothing();
}

#[test]
fn a_broken_rest_of_an_earlier_attempt_is_fetched_anew() {
    let server = Server::new(Box::new(|request, _| ranged(request, &content())));
    for left in [vec![0; 500_000], vec![0; 700_000], vec![0; 900_000]] {
        let place = Place::new();
        fs::write(partial(&place.file), left).unwrap();
        place.fetch(&server.url, &expected(&content())).unwrap();
        place.has(&content());
    }
}

#[test]
fn another_length_is_told_before_anything_comes() {
    let server = Server::new(Box::new(|request, _| ranged(request, &content()[1..])));
    let place = Place::new();
    let error = place.fetch(&server.url, &expected(&content())).unwrap_err();
    assert!(matches!(error, FetchError::Length { found: 699_999, .. }), "{error}");
    place.has_nothing();
}

#[test]
fn what_never_ends_is_cut() {
    let server = Server::new(Box::new(|_, _| {
        let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        [&head[..], &content(), &content()].concat()
    }));
    let place = Place::new();
    let error = place.fetch(&server.url, &expected(&content())).unwrap_err();
    assert!(matches!(error, FetchError::Length { .. }), "{error}");
    place.has_nothing();
}

#[test]
fn an_interrupted_download_keeps_what_came() {
    let server = Server::new(Box::new(|request, _| ranged(request, &content())));
    let place = Place::new();
    let error =
        place.fetch_while(&server.url, &expected(&content()), &mut |progress| match progress.done
            > 100_000
        {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
    assert!(matches!(error, Err(FetchError::Interrupted { .. })));
    let kept = fs::metadata(partial(&place.file)).unwrap().len();
    assert!(kept > 100_000, "{kept}");
    let told = place.fetch(&server.url, &expected(&content())).unwrap();
    assert_eq!(told, Downloaded { transferred: 700_000 - kept, resumed: kept });
    place.has(&content());
}

#[test]
fn a_server_that_brings_nothing_is_given_up() {
    let server = Server::new(Box::new(|_, _| Vec::new()));
    let place = Place::new();
    let mut retries = 0;
    let error = place.fetch_while(&server.url, &expected(&content()), &mut |progress| {
        retries += u32::from(progress.doing == Doing::Retrying);
        ControlFlow::Continue(())
    });
    assert!(matches!(error, Err(FetchError::Unreachable { .. })));
    assert!(retries > 4);
    assert_eq!(server.ranges().len(), 5);
}

#[test]
fn a_busy_server_is_waited_for_as_it_asks() {
    let server = Server::new(Box::new(|request, before| match before {
        0 => status("429 Too Many\r\nretry-after: 2"),
        _ => ranged(request, &content()),
    }));
    let (place, begin) = (Place::new(), std::time::Instant::now());
    place.fetch(&server.url, &expected(&content())).unwrap();
    assert!(begin.elapsed().as_millis() >= 1900, "{:?}", begin.elapsed());
    place.has(&content());
}

#[test]
fn what_is_not_there_is_told_at_once() {
    let server = Server::new(Box::new(|_, _| {
        b"HTTP/1.1 403 No\r\nx-error-code: GatedRepo\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_vec()
    }));
    let place = Place::new();
    let error = place.fetch(&server.url, &expected(&content())).unwrap_err();
    let FetchError::Status { status: 403, word: Some(word), .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(word, "GatedRepo");
    assert_eq!(server.ranges().len(), 1);
}

#[test]
fn two_at_once_make_one_file() {
    let server = Server::new(Box::new(|request, _| ranged(request, &content())));
    let place = Place::new();
    let expected = expected(&content());
    let told: Vec<_> = std::thread::scope(|scope| {
        let both: Vec<_> =
            (0..2).map(|_| scope.spawn(|| place.fetch(&server.url, &expected).unwrap())).collect();
        both.into_iter().map(|one| one.join().unwrap().transferred).collect()
    });
    assert_eq!(told.iter().sum::<u64>(), 700_000, "{told:?}");
    place.has(&content());
}

#[test]
fn a_token_stays_with_its_host() {
    let store = Server::new(Box::new(|request, _| ranged(request, &content())));
    let elsewhere = store.url.clone();
    let hub = Server::new(Box::new(move |request, _| match request.contains("/file") {
        true => leads_to("/moved", "etag: \"abc\""),
        false => leads_to(
            &elsewhere,
            "x-linked-etag: \"def\"\r\nx-linked-size: 700000\r\nx-repo-commit: 123",
        ),
    }));
    let secret = Secret::new("hf_word", &hub.url).unwrap();
    let place = Place::new();
    let source = Source { url: &hub.url, token: Some(&secret) };
    let target = Target { file: &place.file, lock: &place.lock };
    download(&source, &target, &expected(&content()), &mut |_| ControlFlow::Continue(())).unwrap();
    place.has(&content());
    let said = |server: &Server| server.seen.lock().unwrap().join("\n");
    assert_eq!(said(&hub).matches("authorization: bearer hf_word").count(), 2);
    assert!(!said(&store).contains("hf_word") && !said(&store).contains("authorization"));

    let head = head(&hub.url, Some(&secret)).unwrap();
    assert_eq!(head.status, 302);
    assert_eq!(head.location.as_deref(), Some(store.url.as_str()));
    assert_eq!(head.linked_etag.as_deref(), Some("def"));
    assert_eq!((head.linked_size, head.commit.as_deref()), (Some(700_000), Some("123")));
    assert_eq!(store.ranges().len(), 1, "a head is not followed to another host");
}

#[test]
fn nobody_is_led_to_where_is_not_spoken_to() {
    let server = Server::new(Box::new(|_, _| leads_to("http://example.org/", "x-nothing: 1")));
    let place = Place::new();
    let error = place.fetch(&server.url, &expected(&content())).unwrap_err();
    assert!(matches!(error, FetchError::Address { .. }), "{error}");
}
