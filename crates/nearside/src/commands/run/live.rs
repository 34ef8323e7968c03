//! The stages of a run as they stand now, drawn again and again on a terminal while the run goes on.

mod table;

use std::time::{Duration as Time, Instant};

use nearside_run::{Changed, Event, Ran, Runner};
use nearside_units::Duration;

use crate::output::Output;
use crate::wire::expected::Expected;
use crate::wire::journal::Journal;
use crate::wire::meters::Using;
use table::{Row, State, lines};

/// What is over sooner needs no picture.
const BEFORE: Time = Time::from_millis(200);
/// Time between two pictures, at least.
const PAUSE: Time = Time::from_millis(190);

/// The picture of a run.
pub(super) struct Live {
    stages: Vec<Stage>,
    began: Instant,
    /// When it was drawn last.
    drawn: Option<Instant>,
}

/// One stage.
struct Stage {
    name: String,
    state: State,
    /// Commands that it has, and that were started.
    trials: (usize, usize),
    began: Option<Instant>,
    /// How long it took, once it has ended.
    took: Option<Time>,
    expected: Asked,
    why: String,
}

/// Whether it was asked how long a stage will take.
#[derive(Clone, Copy)]
enum Asked {
    Not,
    Answered(Option<Expected>),
}

impl Live {
    /// A picture of the stages at some places, where nothing has happened yet.
    pub(super) fn of(runner: &Runner, places: &[usize]) -> Self {
        let stage = |place: &usize| {
            let job = &runner.jobs.jobs[*place];
            Stage {
                name: job.name.clone(),
                state: State::Waiting,
                trials: (job.trials.len(), 0),
                began: None,
                took: None,
                expected: Asked::Not,
                why: String::new(),
            }
        };
        Self { stages: places.iter().map(stage).collect(), began: Instant::now(), drawn: None }
    }

    /// Something happened.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        let (Event::Began { job, .. } | Event::Started { job, .. } | Event::Ended { job, .. }) =
            event
        else {
            return;
        };
        let stage = self.stages.iter_mut().find(|stage| stage.name == job.name);
        let Some(stage) = stage else { return };
        match event {
            Event::Began { changed, .. } => stage.begins(changed),
            Event::Started { .. } => stage.trials.1 += 1,
            Event::Ended { ran, .. } => stage.ends(ran),
            Event::Stopped { .. } | Event::Note { .. } | Event::Beat => {}
        }
    }

    /// Draws what is known now, if it is time to. What gave way to something else is back
    /// at once.
    pub(super) fn draw(&mut self, journal: &Journal<'_>, output: &Output) {
        let due = match self.drawn {
            None => self.began.elapsed() >= BEFORE,
            Some(drawn) => drawn.elapsed() >= PAUSE || !output.is_drawn(),
        };
        if due {
            self.draw_now(journal, output);
            self.drawn = Some(Instant::now());
        }
    }

    fn draw_now(&mut self, journal: &Journal<'_>, output: &Output) {
        let rows: Vec<_> = self.stages.iter_mut().map(|stage| stage.row(journal)).collect();
        output.draw(|size| lines(&rows, size));
    }

    /// The run has ended: what it came to is printed on stdout. Where that is not here, how every stage
    /// ended stays to be seen.
    pub(super) fn end(mut self, journal: &Journal<'_>, output: &Output) {
        if !output.is_drawn() {
            return;
        }
        if output.answers_here() {
            return output.erase();
        }
        self.draw_now(journal, output);
        output.leave();
    }
}

impl Stage {
    fn begins(&mut self, changed: &[Changed]) {
        (self.state, self.began) = (State::Running, Some(Instant::now()));
        // Only now is it known what it reads.
        self.expected = Asked::Not;
        self.why = super::report::reason(changed);
    }

    fn ends(&mut self, ran: &Ran) {
        self.took = self.began.map(|began| began.elapsed());
        let (state, why) = match ran {
            Ran::Current => (State::UpToDate, ""),
            Ran::Restored => (State::PutBack, ""),
            Ran::Done(took) => {
                self.took = Some(*took);
                (State::Done, "")
            }
            Ran::Failed { why, .. } => (State::Failed, why.as_str()),
            Ran::Refused(refused) => (State::Failed, refused.why.as_str()),
            Ran::Skipped(why) => (State::Skipped, why.as_str()),
            Ran::Interrupted => (State::Interrupted, ""),
        };
        (self.state, self.why) = (state, why.to_owned());
    }

    /// What is known of it now.
    fn row(&mut self, journal: &Journal<'_>) -> Row {
        let using = match self.began {
            Some(_) => journal.meters.using(&self.name),
            None => Using::default(),
        };
        let time = self.took.or_else(|| self.began.map(|began| began.elapsed()));
        let trial = match self.trials {
            (of, trial) if of > 1 && self.began.is_some() && self.state != State::Done => {
                Some((trial, of))
            }
            _ => None,
        };
        Row {
            stage: self.name.clone(),
            state: self.state,
            trial,
            time: time.and_then(|time| Duration::from_seconds(time.as_secs_f64()).ok()),
            expected: self.expected(journal),
            memory: using.memory,
            peak: using.peak,
            energy: using.energy,
            why: self.why.clone(),
        }
    }

    /// What is expected of it, which is asked once. What has ended is not waited for.
    fn expected(&mut self, journal: &Journal<'_>) -> Option<Expected> {
        if !matches!(self.state, State::Waiting | State::Running) {
            return None;
        }
        if let Asked::Answered(expected) = self.expected {
            return expected;
        }
        let expected = journal.expected(&self.name);
        self.expected = Asked::Answered(expected);
        expected
    }
}
