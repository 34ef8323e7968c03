//! A run of an open model with this program's own engine: what is expected of it on this machine's processor, what it
//! used, and both side by side, recorded.

use std::path::Path;

use nearside_architecture::Architecture;
use nearside_estimate::engine::nearside::{Phases, Sequence};
use nearside_estimate::{Calibration, Estimate, estimate};
use nearside_models::StoredModel;
use nearside_probe::meter::{Meter, Settings, Subject};
use nearside_units::{Bytes, Duration, Joules, Known, Span};
use nearside_workload::{Batch, Recipe, Task, Workload};

use super::calibration::Measured as OnMachine;
use super::ceilings::fingerprint;
use super::energy_so_far::EnergySoFar;
use super::observed::{self, Compared, Details, Metric};
use super::sites::Own;
use crate::environment;
use crate::error::CommandError;
use crate::output::Output;
use crate::wire;

/// A run that is to be measured.
pub(crate) struct ModelRun {
    /// The machine, in words.
    machine: String,
    /// What runs, in words.
    workload: String,
    sequence: Option<Sequence>,
    /// With what earlier runs taught.
    expected: Estimate,
    /// As if nothing had run.
    before_runs: Estimate,
}

/// What a run used. What could not be seen is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Used {
    /// Reading the prompt.
    pub(crate) prompt: Option<Duration>,
    /// Writing a token.
    pub(crate) token: Option<Duration>,
    /// The most memory that the process held.
    pub(crate) memory: Option<Bytes>,
    /// Time on processors.
    pub(crate) on: Option<Duration>,
    /// Time that threads waited for a processor.
    pub(crate) queued: Option<Duration>,
    /// Energy of the machine.
    pub(crate) energy: Option<Joules>,
}

impl ModelRun {
    /// A prompt and an answer of so many tokens, on all processors of this machine.
    pub(crate) fn new(
        path: &Path,
        stored: &StoredModel,
        [prompt, written]: [u64; 2],
        output: &Output,
    ) -> Result<Self, CommandError> {
        let catalog = wire::catalog(output)?;
        let Own { mut site, .. } = wire::sites::here(&catalog)?;
        let machine = fingerprint(&site.machine);
        let measured = OnMachine::on(&site.machine)?;
        // The engine is one for processors, whatever else there is.
        site.machine.accelerators = None;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let model = wire::models::of_stored(&name, stored);
        let recipe = match model.stored {
            Some(of) => Recipe { weights: of.dtype, ..Recipe::default() },
            None => Recipe::default(),
        };
        let sequence = match &stored.architecture {
            Architecture::Decoder(decoder) => {
                Some(Sequence::of(decoder, &recipe, model.stored, [prompt, written]))
            }
            _ => None,
        };
        let parameters = nearside_units::Count::new(stored.parameters());
        let workload = format!("{name}, {parameters} parameters in {}", recipe.weights);
        let batch = Batch { requests: 1, prompt, output: written, batch: 1 };
        let task = Task::Evaluation(batch);
        let asked = Workload { task, model: Some(model), recipe, image: None };
        let estimated = |calibration: &Calibration| estimate(&asked, &site, calibration);
        let before_runs = estimated(&measured.before_runs());
        let expected = estimated(&measured.calibration(&site));
        Ok(Self { machine, workload, sequence, expected, before_runs })
    }

    /// How long a prompt and a token are expected to take.
    pub(crate) fn phases(&self) -> Option<Phases> {
        self.expected.phases
    }

    /// What was expected beside what was measured.
    pub(crate) fn compared(&self, used: &Used) -> Vec<Compared> {
        let seconds = |of: fn(&Phases) -> Span<Duration>| {
            move |estimate: &Estimate| {
                let span = of(estimate.phases.as_ref()?);
                Some(span.map(Duration::as_seconds))
            }
        };
        let memory = |estimate: &Estimate| {
            let needed = estimate.fit.needed?;
            Some(needed.map(|bytes| bytes.get() as f64))
        };
        let energy = |estimate: &Estimate| {
            let energy = estimate.energy.as_ref().value()?;
            Some(energy.map(Joules::as_joules))
        };
        let time = |time: Option<Duration>| time.map(Duration::as_seconds);
        let found = [
            self.one(Metric::Prompt, seconds(|phases| phases.prompt), time(used.prompt)),
            self.one(Metric::Token, seconds(|phases| phases.token), time(used.token)),
            self.one(Metric::Memory, memory, used.memory.map(|bytes| bytes.get() as f64)),
            self.one(Metric::Energy, energy, used.energy.map(Joules::as_joules)),
        ];
        found.into_iter().flatten().collect()
    }

    fn one(
        &self,
        metric: Metric,
        of: impl Fn(&Estimate) -> Option<Span<f64>>,
        measured: Option<f64>,
    ) -> Option<Compared> {
        let (expected, before_runs) = (of(&self.expected)?, of(&self.before_runs)?);
        Some(Compared { metric, expected, before_runs, measured: measured? })
    }

    /// Keeps what was measured beside what was expected; what hinders that is told and hinders nothing else.
    pub(crate) fn record(&self, compared: &[Compared], used: &Used, output: &Output) -> bool {
        let Some(sequence) = &self.sequence else { return false };
        let details = Details::of(sequence, used.queued_share());
        let today = environment::today();
        let rows = compared.iter();
        let rows = rows.filter_map(|one| one.row(&self.machine, &self.workload, &details, today));
        let rows: Vec<_> = rows.collect();
        match observed::record(&rows) {
            Ok(()) => !rows.is_empty(),
            Err(error) => {
                for problem in error.problems {
                    output.warning(&format!("not recorded: {}", problem.message));
                }
                false
            }
        }
    }
}

impl Used {
    /// Time that threads waited for a processor over the time that they were on one.
    pub(crate) fn queued_share(&self) -> Option<f64> {
        let on = self.on.filter(|on| *on > Duration::ZERO)?;
        Some(self.queued? / on)
    }

    /// Whether others kept the processors busy meanwhile.
    pub(crate) fn is_busy(&self) -> bool {
        observed::is_busy(self.queued_share())
    }
}

/// A meter on this process.
pub(crate) struct Watch(Option<Meter>);

impl Watch {
    /// Of all that it uses, the machine's energy among it.
    pub(crate) fn of_all() -> Self {
        Self::with(Settings::default())
    }

    /// Of its time on processors.
    pub(crate) fn of_processors() -> Self {
        Self::with(Settings { accelerators: None, ..Settings::default() })
    }

    fn with(settings: Settings) -> Self {
        let subject = Subject::Running(std::process::id());
        Self(Meter::start(Path::new("/"), subject, settings).ok())
    }

    /// What it used since the meter began; of memory the most that it ever held.
    pub(crate) fn stop(self) -> Used {
        let Some(Ok(measured)) = self.0.map(Meter::stop) else { return Used::default() };
        let known = |time: &Known<Duration>| time.as_ref().value().copied();
        let peak = measured.peak_memory.as_ref().value().copied();
        let energy = match EnergySoFar::of(&measured.energy) {
            Some(EnergySoFar::All(energy)) => Some(energy),
            _ => None,
        };
        Used {
            memory: peak.filter(|peak| *peak > Bytes::ZERO),
            on: known(&measured.cpu_on),
            queued: known(&measured.cpu_queued),
            energy,
            ..Used::default()
        }
    }
}
