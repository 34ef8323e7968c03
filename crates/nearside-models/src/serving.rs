//! Many sequences written at once by one model: continuous batching with a prefix cache.
//!
//! ```text
//! submit(Request) -> waiting -> slot -> passes (parts of prompts and next tokens of all slots together) -> Events
//! ```
//!
//! A slot has the keys and values of one sequence. When a sequence is done its slot keeps them, and a request that
//! begins with the same tokens goes on from there (`slot`). Every pass takes the next token of each sequence that is
//! being written, and parts of prompts beside them (`pass`): weights are read once for all.
//!
//! Invariants: a request has at most one slot, and events in the order of its text; the text does not depend on what
//! else is being written; a request whose [`Ticket`] is dropped takes no part in the pass after the next.

mod pass;
mod request;
mod sequence;
mod slot;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use crate::decoder::DecoderModel;
use crate::error::ModelError;
use crate::kernel::Precision;
use crate::tokenizer::Tokenizer;

use pass::Passes;
pub use request::{
    Bias, Done, Event, Finish, Pooling, Refused, Request, Rule, Scored, Task, WantedScores, Writing,
};

/// How long the engine sleeps before it looks whether something that waits has been given up.
const LOOK: Duration = Duration::from_millis(200);
/// Requests that are looked at before every pass, whether one of them can have a slot.
const LOOKED_AT: usize = 256;

/// How much is served at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sequences that are written at once, at least one.
    pub slots: usize,
    /// Tokens of a sequence, prompt and answer together.
    pub context: usize,
    /// Requests that wait for a slot until further ones are refused; those that come together are taken together.
    pub waiting: usize,
    /// How keys and values are kept.
    pub precision: Precision,
}

/// A model that serves, on a thread of its own and the threads of a pool.
#[derive(Debug)]
pub struct Serving {
    shared: Arc<Shared>,
    vocabulary: usize,
    limits: Limits,
    thread: Option<JoinHandle<()>>,
}

/// How busy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Sequences that are being read or written.
    pub running: usize,
    /// Requests that wait for a slot.
    pub waiting: usize,
}

/// The right to an answer: when it is dropped, the answer is given up.
#[derive(Debug)]
pub struct Ticket {
    given_up: Arc<AtomicBool>,
}

/// What is told of a request, in the engine's threads; it must not block.
pub type Listener = Box<dyn FnMut(Event) + Send>;

/// A request and who listens.
struct Job {
    request: Request,
    listener: Listener,
    given_up: Arc<AtomicBool>,
    since: Instant,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    woken: Condvar,
    running: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Serving {
    /// Begins to serve.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        model: Arc<DecoderModel>,
        tokenizer: Arc<Tokenizer>,
        pool: ThreadPool,
        limits: Limits,
    ) -> Result<Self, std::io::Error> {
        let shared = Arc::new(Shared::default());
        let vocabulary = model.vocabulary();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("serving".to_owned()).spawn(move || {
            let closing = Closing(&theirs);
            let mut passes = Passes::new(&model, &tokenizer, limits);
            pool.install(|| closing.0.serve(&mut passes));
        })?;
        Ok(Self { shared, vocabulary, limits, thread: Some(thread) })
    }

    /// Takes requests together, or none of them; what becomes of each is told to its listener.
    ///
    /// # Errors
    /// When one asks for something that there is not, or too much waits already.
    pub fn submit(&self, requests: Vec<(Request, Listener)>) -> Result<Vec<Ticket>, Refused> {
        requests.iter().try_for_each(|(request, _)| self.check(request))?;
        let mut queue = self.shared.queue();
        if queue.closed {
            return Err(Refused::Closed);
        }
        let waiting = queue.jobs.len();
        let free = self.limits.slots.saturating_sub(self.shared.running.load(Ordering::Relaxed));
        if waiting >= self.limits.waiting + free {
            return Err(Refused::Busy { waiting });
        }
        let mut tickets = Vec::with_capacity(requests.len());
        for (request, listener) in requests {
            let given_up = Arc::new(AtomicBool::new(false));
            tickets.push(Ticket { given_up: Arc::clone(&given_up) });
            queue.jobs.push_back(Job { request, listener, given_up, since: Instant::now() });
        }
        drop(queue);
        self.shared.woken.notify_one();
        Ok(tickets)
    }

    fn check(&self, request: &Request) -> Result<(), Refused> {
        let Request { prompt, task } = request;
        if prompt.is_empty() {
            return Err(Refused::Empty);
        }
        let vocabulary = self.vocabulary;
        if let Some(token) = prompt.iter().find(|token| **token as usize >= vocabulary) {
            return Err(ModelError::Token { token: *token, vocabulary }.into());
        }
        let new_tokens = match task {
            Task::Write(writing) => writing.new_tokens,
            Task::Embed(_) => 0,
        };
        let tokens = prompt.len().saturating_add(new_tokens);
        let context = self.limits.context;
        if tokens > context { Err(ModelError::Context { tokens, context }.into()) } else { Ok(()) }
    }

    /// How busy it is now.
    #[must_use]
    pub fn load(&self) -> Load {
        let waiting = self.shared.queue().jobs.len();
        Load { running: self.shared.running.load(Ordering::Relaxed), waiting }
    }

    /// Whether it still takes requests.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.shared.queue().closed
    }

    /// How much it serves at once.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }
}

impl Drop for Serving {
    /// Gives up what is being written.
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.woken.notify_one();
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

/// Takes no more requests, however its thread ends: those that wait would wait for ever.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.closed = true;
        queue.jobs.clear();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in there can be half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes passes until nothing is to be served any more.
    fn serve(&self, passes: &mut Passes<'_>) {
        loop {
            while let Some(job) = self.take(passes) {
                passes.admit(job);
                self.running.store(passes.running(), Ordering::Relaxed);
            }
            if !self.goes_on(passes.is_idle()) {
                return;
            }
            passes.pass();
            self.running.store(passes.running(), Ordering::Relaxed);
        }
    }

    /// The first of the requests that wait and can have a slot now; those that were given up are forgotten.
    fn take(&self, passes: &Passes<'_>) -> Option<Job> {
        let mut queue = self.queue();
        queue.jobs.retain(|job| !job.given_up.load(Ordering::Relaxed));
        if passes.free() == 0 {
            return None;
        }
        let first =
            queue.jobs.iter().take(LOOKED_AT).position(|job| !passes.holds_back(&job.request));
        first.and_then(|at| queue.jobs.remove(at))
    }

    /// Whether anything is to be served; waits for it where nothing is being done.
    fn goes_on(&self, idle: bool) -> bool {
        let mut queue = self.queue();
        while !queue.closed && idle && queue.jobs.is_empty() {
            let woken = self.woken.wait_timeout(queue, LOOK);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        !queue.closed
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}
