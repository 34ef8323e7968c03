//! Asking the engine for one or several texts, and putting together what it tells.

use std::sync::Arc;

use nearside_models::serving::{Done, Event, Finish, Listener, Request, Scored, Ticket};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::error::ApiError;
use super::{Served, Shared};

/// Texts that are being written.
pub(super) struct Writing {
    served: Shared,
    events: UnboundedReceiver<(usize, Event)>,
    tickets: Vec<Ticket>,
    /// How many of them are not at their end.
    open: usize,
}

/// A text.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    /// The tokens of its prompt with their probabilities, where they were asked for.
    pub(super) prompt: Vec<Scored>,
    /// Its own, where they were asked for.
    pub(super) written: Vec<Scored>,
    pub(super) embedding: Vec<f32>,
    pub(super) done: Option<Done>,
}

impl Writing {
    /// Asks for texts. What the engine tells is never more than the tokens that were asked for.
    pub(super) fn submit(served: &Shared, requests: Vec<Request>) -> Result<Self, ApiError> {
        let (sender, events) = unbounded_channel();
        let open = requests.len();
        let heard = |(index, request)| {
            let sender = sender.clone();
            // Nobody listens any more to what was given up.
            let listener: Listener = Box::new(move |event| drop(sender.send((index, event))));
            (request, listener)
        };
        let requests = requests.into_iter().enumerate().map(heard).collect();
        let tickets = served.serving.submit(requests)?;
        Ok(Self { served: Arc::clone(served), events, tickets, open })
    }

    /// How many texts there are.
    pub(super) fn count(&self) -> usize {
        self.tickets.len()
    }

    /// What is told next and of which text; `None` when all are at their end.
    pub(super) fn poll(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<(usize, Event)>> {
        if self.open == 0 {
            return std::task::Poll::Ready(None);
        }
        self.events.poll_recv(context).map(|event| {
            let lost = || (0, Event::Failed("the engine has ended".to_owned()));
            let (index, event) = event.unwrap_or_else(lost);
            match &event {
                Event::Done(done) => {
                    self.served.metrics.done(done);
                    self.open -= 1;
                }
                // The others are given up with it.
                Event::Failed(_) => self.open = 0,
                _ => {}
            }
            Some((index, event))
        })
    }

    /// All texts, whole.
    pub(super) async fn collect(mut self) -> Result<Vec<Answer>, ApiError> {
        let mut answers: Vec<_> = (0..self.count()).map(|_index| Answer::default()).collect();
        while let Some((index, event)) = std::future::poll_fn(|context| self.poll(context)).await {
            let Some(answer) = answers.get_mut(index) else { continue };
            match event {
                Event::Prompt(scored) => answer.prompt.extend(scored),
                Event::Written { text, scored, .. } => {
                    answer.text.push_str(&text);
                    answer.written.extend(scored);
                }
                Event::Embedding(embedding) => answer.embedding = embedding,
                Event::Done(done) => {
                    answer.text.push_str(&done.text);
                    answer.done = Some(done);
                }
                Event::Failed(message) => return Err(ApiError::internal(message)),
            }
        }
        Ok(answers)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.open > 0 && !self.tickets.is_empty() {
            self.served.metrics.given_up();
        }
    }
}

/// Tokens that answers took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    prompt: usize,
    cached: usize,
    written: usize,
}

impl Usage {
    /// Counts the end of a text; its prompt counts unless it is another answer to the same.
    pub(super) const fn add(&mut self, done: &Done, own_prompt: OwnPrompt) {
        if matches!(own_prompt, OwnPrompt::Yes) {
            self.prompt += done.prompt;
            self.cached += done.cached;
        }
        self.written += done.written;
    }

    /// As the API tells it.
    pub(super) fn json(self) -> serde_json::Value {
        let Self { prompt, cached, written } = self;
        serde_json::json!({
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
            "prompt_tokens_details": { "cached_tokens": cached },
        })
    }
}

/// Whether a text is the first answer to its prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnPrompt {
    Yes,
    No,
}

impl OwnPrompt {
    /// Of a text, where every prompt gets so many answers.
    pub(super) const fn of(index: usize, choices: usize) -> Self {
        match index.checked_rem(choices) {
            Some(0) | None => Self::Yes,
            Some(_) => Self::No,
        }
    }
}

/// Why a text ended, in the API's words.
pub(super) const fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

/// Work that takes a processor for a while, apart from the thread that everybody's connections share.
pub(super) async fn apart<T: Send + 'static>(
    served: &Shared,
    work: impl FnOnce(&Shared) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let served: Arc<Served> = Arc::clone(served);
    let done = tokio::task::spawn_blocking(move || work(&served)).await;
    done.unwrap_or_else(|error| Err(ApiError::internal(error.to_string())))
}
