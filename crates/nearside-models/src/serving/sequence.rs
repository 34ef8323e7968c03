//! A sequence that is being read and written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::ModelError;
use crate::grammar::GrammarError;
use crate::sampler::Sampler;
use crate::stop_text::StopText;
use crate::tokenizer::{Stream, Tokenizer, TokenizerError};

use super::request::{Done, Event, Finish, Pooling, Rule, Scored, Task, Writing};
use super::{Job, Listener};

/// A sequence that is being read and written.
pub(super) struct Sequence<'a> {
    /// The prompt, and what was written.
    pub(super) tokens: Vec<u32>,
    /// How many of them are the prompt.
    prompt: usize,
    /// How many of the prompt were not read again.
    cached: usize,
    pub(super) task: Work<'a>,
    listener: Listener,
    given_up: Arc<AtomicBool>,
    waited: Duration,
    began: Instant,
    /// When the first token was written.
    read: Option<Instant>,
    /// The order in which sequences came.
    pub(super) number: u64,
}

/// What is done with it.
pub(super) enum Work<'a> {
    Write(Box<Writer<'a>>),
    Embed { pooling: Pooling, sum: Vec<f32> },
}

/// A sequence that is being written.
pub(super) struct Writer<'a> {
    asked: Writing,
    sampler: Sampler,
    stream: Stream<'a>,
    text: StopText,
}

/// Why a sequence cannot go on.
pub(super) enum Broken {
    Grammar(GrammarError),
    Tokenizer(TokenizerError),
}

impl<'a> Sequence<'a> {
    /// A request that has got a slot, in which so many of its tokens are already.
    pub(super) fn new(job: Job, tokenizer: &'a Tokenizer, cached: usize, number: u64) -> Self {
        let Job { request, listener, given_up, since } = job;
        let task = match request.task {
            Task::Write(writing) => Work::Write(Box::new(Writer::new(*writing, tokenizer))),
            Task::Embed(pooling) => Work::Embed { pooling, sum: Vec::new() },
        };
        Self {
            prompt: request.prompt.len(),
            tokens: request.prompt,
            cached,
            task,
            listener,
            given_up,
            waited: since.elapsed(),
            began: Instant::now(),
            read: None,
            number,
        }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Whether its prompt is read.
    pub(super) const fn is_read(&self) -> bool {
        self.read.is_some()
    }

    /// Whether rows are wanted of every token.
    pub(super) const fn wants_all(&self) -> bool {
        match &self.task {
            Work::Write(writer) => writer.asked.scores.prompt.is_some() && self.read.is_none(),
            Work::Embed { pooling, .. } => matches!(pooling, Pooling::Mean),
        }
    }

    /// Tells its end.
    fn end(&mut self, finish: Finish) {
        let text = match &mut self.task {
            Work::Write(writer) => writer.rest(),
            Work::Embed { .. } => String::new(),
        };
        let now = Instant::now();
        let read = self.read.unwrap_or(now);
        (self.listener)(Event::Done(Done {
            finish,
            text,
            prompt: self.prompt,
            cached: self.cached,
            written: self.tokens.len() - self.prompt,
            waited: self.waited,
            reading: read - self.began,
            writing: now - read,
        }));
    }

    /// Tells why it cannot go on.
    pub(super) fn fail(&mut self, error: &ModelError) {
        (self.listener)(Event::Failed(error.to_string()));
    }

    /// Takes the vectors of the last ones of the first `seen` tokens; whether the sequence is at its end.
    pub(super) fn embed(&mut self, rows: &[f32], width: usize, seen: usize) -> bool {
        let Work::Embed { pooling, sum } = &mut self.task else { return true };
        let rows = rows.chunks_exact(width);
        match pooling {
            Pooling::Mean => rows.for_each(|row| {
                sum.resize(width, 0.0);
                sum.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
            }),
            Pooling::Last => *sum = rows.last().unwrap_or_default().to_vec(),
        }
        if seen < self.prompt {
            return false;
        }
        let mut vector = std::mem::take(sum);
        let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|number| *number = (f64::from(*number) / length) as f32);
        }
        self.read = Some(Instant::now());
        (self.listener)(Event::Embedding(vector));
        self.end(Finish::Stop);
        true
    }

    /// Takes the scores after tokens: rows for the last ones of the first `seen`, each of a whole vocabulary. Whether the
    /// sequence is at its end.
    pub(super) fn write(&mut self, rows: &[f32], vocabulary: usize, seen: usize) -> bool {
        let Work::Write(writer) = &mut self.task else { return true };
        if self.read.is_none()
            && let Some(best) = writer.asked.scores.prompt
        {
            let first = seen - rows.len() / vocabulary;
            let scored = prompt_scores(&self.tokens, rows, vocabulary, first, best);
            (self.listener)(Event::Prompt(scored));
        }
        if seen < self.tokens.len() {
            return false;
        }
        self.read.get_or_insert_with(Instant::now);
        let Some(row) = rows.chunks_exact(vocabulary).next_back() else { return true };
        let (prompt, written) = self.tokens.split_at(self.prompt);
        let finish = if writer.asked.new_tokens == 0 {
            Some(Finish::Length)
        } else {
            match writer.next(row, prompt, written) {
                Err(error) => {
                    (self.listener)(Event::Failed(error.to_string()));
                    return true;
                }
                Ok(None) => Some(Finish::Stop),
                Ok(Some((event, token))) => {
                    (self.listener)(event);
                    self.tokens.push(token);
                    writer.finish(self.tokens.len() - self.prompt)
                }
            }
        };
        finish.is_some_and(|finish| {
            self.end(finish);
            true
        })
    }
}

impl<'a> Writer<'a> {
    fn new(mut asked: Writing, tokenizer: &'a Tokenizer) -> Self {
        let text = StopText::new(std::mem::take(&mut asked.stops));
        let sampler = Sampler::new(asked.sampling);
        let stream = tokenizer.stream(asked.skip);
        Self { asked, sampler, stream, text }
    }

    /// Chooses the next token after a row of scores; `None` when the text is at its end.
    fn next(
        &mut self,
        row: &[f32],
        prompt: &[u32],
        written: &[u32],
    ) -> Result<Option<(Event, u32)>, Broken> {
        let mut scores = row.to_vec();
        for bias in &self.asked.bias {
            if let Some(score) = scores.get_mut(bias.token as usize) {
                *score += bias.added;
            }
        }
        if let Rule::Grammar(grammar) = &mut self.asked.rule {
            grammar.rule_out(&mut scores)?;
        }
        let tokenizer = self.stream.tokenizer();
        let is_end = |token| tokenizer.special().ends.contains(&token);
        if !self.asked.ends {
            (0..).zip(&mut scores).filter(|(token, _)| is_end(*token)).for_each(|(_, score)| {
                *score = f32::NEG_INFINITY;
            });
        }
        let token = self.sampler.choose(&scores, prompt, written);
        if is_end(token) {
            return Ok(None);
        }
        if let Rule::Grammar(grammar) = &mut self.asked.rule {
            grammar.accept(token)?;
        }
        let piece = self.stream.push(token)?;
        let text = self.text.add(&piece);
        if let Rule::After(words, _) = &self.asked.rule
            && self.text.written().ends_with(words)
            && let Rule::After(_, grammar) = std::mem::take(&mut self.asked.rule)
        {
            self.asked.rule = Rule::Grammar(grammar);
        }
        let scored = self.asked.scores.written.map(|best| scored(token, row, best));
        Ok(Some((Event::Written { text, token, scored }, token)))
    }

    /// Whether so many tokens are the whole text.
    fn finish(&self, written: usize) -> Option<Finish> {
        let complete = matches!(&self.asked.rule, Rule::Grammar(grammar) if grammar.is_complete());
        if self.text.is_ended() || complete {
            Some(Finish::Stop)
        } else {
            (written >= self.asked.new_tokens).then_some(Finish::Length)
        }
    }

    /// What was held back.
    fn rest(&mut self) -> String {
        let rest = self.stream.finish();
        let mut text = self.text.add(&rest);
        text.push_str(&self.text.finish());
        text
    }
}

/// Probabilities of the tokens of a prompt, from the rows after tokens from `first` on: each row is about the token
/// after it. The first token of all has none.
fn prompt_scores(
    tokens: &[u32],
    rows: &[f32],
    vocabulary: usize,
    first: usize,
    best: usize,
) -> Vec<Scored> {
    let beginning = tokens.first().filter(|_token| first == 0);
    let beginning =
        beginning.map(|token| Scored { token: *token, log_probability: None, best: Vec::new() });
    let following = tokens.get(first + 1..).unwrap_or_default();
    let rows = rows.chunks_exact(vocabulary).zip(following);
    beginning.into_iter().chain(rows.map(|(row, token)| scored(*token, row, best))).collect()
}

/// How probable a token was, and the best ones.
fn scored(token: u32, row: &[f32], best: usize) -> Scored {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|score| f64::from(score - most).exp()).sum();
    let log = |score: f32| (f64::from(score - most) - sum.ln()) as f32;
    let mut words: Vec<(u32, f32)> = Vec::new();
    if best > 0 {
        words = (0..).zip(row.iter().copied()).collect();
        let by_score = |left: &(u32, f32), right: &(u32, f32)| {
            right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))
        };
        if best < words.len() {
            words.select_nth_unstable_by(best, by_score);
            words.truncate(best);
        }
        words.sort_unstable_by(by_score);
        words.iter_mut().for_each(|(_, score)| *score = log(*score));
    }
    let log_probability = row.get(token as usize).map(|score| log(*score));
    Scored { token, log_probability, best: words }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Grammar(error) => error.fmt(formatter),
            Self::Tokenizer(error) => error.fmt(formatter),
        }
    }
}

impl From<GrammarError> for Broken {
    fn from(error: GrammarError) -> Self {
        Self::Grammar(error)
    }
}

impl From<TokenizerError> for Broken {
    fn from(error: TokenizerError) -> Self {
        Self::Tokenizer(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_scores() {
        // Probabilities 1/7, 2/7 and 4/7.
        let row = [5.0, 5.0 + 2f32.ln(), 5.0 + 4f32.ln()];
        let scored = scored(0, &row, 2);
        let close = |log: f32, share: f64| (f64::from(log).exp() - share).abs() < 1e-6;
        assert!(close(scored.log_probability.unwrap(), 1.0 / 7.0), "{scored:?}");
        assert_eq!(scored.best.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [2, 1]);
        assert!(close(scored.best[0].1, 4.0 / 7.0), "{scored:?}");
    }

    #[test]
    fn each_row_is_about_the_token_after_it() {
        let rows = [0.0, 0.0, 0.0, 9.0];
        let told = prompt_scores(&[0, 1, 1], &rows, 2, 0, 0);
        assert_eq!(told.len(), 3);
        assert_eq!(told[0].log_probability, None);
        assert!((told[1].log_probability.unwrap() - 0.5f32.ln()).abs() < 1e-6);
        assert!(told[2].log_probability.unwrap() > -1e-3);
        // A later part has no first token, and the row after the last one is about none.
        assert_eq!(prompt_scores(&[0, 1, 1], &rows, 2, 1, 0).len(), 1);
    }
}
