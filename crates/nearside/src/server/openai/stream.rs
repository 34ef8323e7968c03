//! An answer as it is written: server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use http_body::Frame;
use nearside_models::serving::Event;
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep};

use super::answers::Writing;
use super::error::ApiError;

/// How long nothing comes until a comment says that more will: doors in between close what is silent.
const SILENCE: Duration = Duration::from_secs(10);

/// What becomes of the events of texts: chunks.
pub(super) trait Chunks: Send + Unpin + 'static {
    /// Chunks before the first event.
    fn first(&mut self) -> Vec<Value>;
    /// Chunks of an event.
    fn chunks(&mut self, index: usize, event: Event) -> Vec<Value>;
    /// The chunk that says what all texts took, when they are at their end.
    fn usage(&self) -> Value;
}

/// How an answer that is sent as it is written ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With the last text.
    Plain,
    /// With what all texts took.
    Usage,
}

/// An answer that is sent as it is written. Nothing is made before there is room to send it; when the client goes away
/// it is dropped, and the texts are given up.
struct Sent<C> {
    writing: Writing,
    chunks: C,
    end: End,
    ready: VecDeque<Bytes>,
    ended: bool,
    silence: Pin<Box<Sleep>>,
}

/// The answer that sends chunks of texts.
pub(super) fn answer(writing: Writing, mut chunks: impl Chunks, end: End) -> Response {
    let silence = Box::pin(sleep(SILENCE));
    let first = chunks.first();
    let mut sent = Sent { writing, chunks, end, ready: VecDeque::new(), ended: false, silence };
    sent.put(first);
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::new(sent)).into_response()
}

impl<C: Chunks> Sent<C> {
    fn put(&mut self, chunks: Vec<Value>) {
        let line = |chunk: Value| Bytes::from(format!("data: {chunk}\n\n"));
        self.ready.extend(chunks.into_iter().map(line));
    }
}

impl<C: Chunks> http_body::Body for Sent<C> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let sent = &mut *self;
        loop {
            if let Some(line) = sent.ready.pop_front() {
                sent.silence.as_mut().reset(Instant::now() + SILENCE);
                return Poll::Ready(Some(Ok(Frame::data(line))));
            }
            if sent.ended {
                return Poll::Ready(None);
            }
            match sent.writing.poll(context) {
                Poll::Ready(Some((_, Event::Failed(message)))) => {
                    sent.put(vec![ApiError::internal(message).json()]);
                    sent.ended = true;
                }
                Poll::Ready(Some((index, event))) => {
                    let chunks = sent.chunks.chunks(index, event);
                    sent.put(chunks);
                }
                Poll::Ready(None) => {
                    if sent.end == End::Usage {
                        let usage = sent.chunks.usage();
                        sent.put(vec![usage]);
                    }
                    sent.ready.push_back(Bytes::from_static(b"data: [DONE]\n\n"));
                    sent.ended = true;
                }
                Poll::Pending => {
                    if sent.silence.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    sent.ready.push_back(Bytes::from_static(b": it goes on\n\n"));
                }
            }
        }
    }
}
