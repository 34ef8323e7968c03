//! The estimate of a row's figure. Rows of one program share its replay.

use std::collections::BTreeMap;

use nearside_catalog::{Catalog, Device};
use nearside_estimate::calibration::Kernels;
use nearside_estimate::decode::{self, Token};
use nearside_estimate::engine::llama_cpp::Reservation;
use nearside_units::{Duration, Span};

use crate::interval;
use crate::memory::{Live, Run, Taken, outputs};
use crate::place;
use crate::row::{Reason, Row};
use crate::serving::{self, Place, Served};
use crate::step;
use crate::words::{Metric, Task};

/// What was estimated of one row.
#[derive(Clone, Debug)]
pub(crate) struct Estimated<'catalog> {
    /// Its figure in the unit's base, with the interval.
    pub(crate) figure: Span<f64>,
    /// What a speed was estimated from.
    pub(crate) speed: Option<Speed<'catalog>>,
}

/// A speed, and what it was estimated from: what was measured on a device says more of it.
#[derive(Clone, Debug)]
pub(crate) struct Speed<'catalog> {
    /// Where it was measured.
    pub(crate) device: &'catalog Device,
    /// Of what.
    pub(crate) of: Work,
    /// How long it was estimated to take.
    pub(crate) time: Span<Duration>,
}

/// What takes the time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Writing one token.
    Token(Token),
    /// One step of training.
    Step,
}

type Once<T> = BTreeMap<String, Result<T, Reason>>;

/// What estimates rows, and what it estimated already.
pub(crate) struct Estimator<'catalog> {
    catalog: &'catalog Catalog,
    live: Once<Live>,
    taken: Once<Taken>,
    served: Once<Served>,
    reserved: Once<Reservation>,
}

impl<'catalog> Estimator<'catalog> {
    pub(crate) const fn new(catalog: &'catalog Catalog) -> Self {
        Self {
            catalog,
            live: BTreeMap::new(),
            taken: BTreeMap::new(),
            served: BTreeMap::new(),
            reserved: BTreeMap::new(),
        }
    }

    /// The estimate of a row's figure.
    pub(crate) fn estimate(&mut self, row: &Row) -> Result<Estimated<'catalog>, Reason> {
        if let Some(reason) = &row.refused {
            return Err(reason.clone());
        }
        let metric = row.metric()?;
        match (metric, runtime(row)?) {
            (Metric::TokensPerSecond, Runtime::LlamaCpp) => self.written(row),
            (Metric::TokensPerSecond, Runtime::PyTorch) => {
                Err("the speed of writing is estimated for llama.cpp only".to_owned())
            }
            (Metric::Step, Runtime::PyTorch) => self.step(row),
            (_, Runtime::LlamaCpp) => self.served(row, metric),
            (_, Runtime::PyTorch) => self.replayed(row, metric),
        }
    }

    /// Memory of a PyTorch program.
    fn replayed(&mut self, row: &Row, metric: Metric) -> Result<Estimated<'catalog>, Reason> {
        let catalog = self.catalog;
        let none = || format!("{metric} is not a figure of a PyTorch program");
        if metric == Metric::KvCache {
            let context = row.number("context", row.number("sequence", 1)?)?;
            let bytes = Run::of(row, catalog)?.cache(context);
            return Ok(memory(interval::counted(bytes)));
        }
        if metric.is_taken() {
            let run = || Run::of(row, catalog).map(|run| run.taken(outputs(row)));
            let taken = self.taken.entry(key(row)).or_insert_with(run).clone()?;
            return taken.figure(metric, row).map(memory).ok_or_else(none);
        }
        let run = || Run::of(row, catalog).map(|run| run.live());
        let live = self.live.entry(key(row)).or_insert_with(run).clone()?;
        let none = || match metric {
            Metric::SavedActivations => "nothing is saved without a backward pass".to_owned(),
            _ => none(),
        };
        live.figure(metric).map(memory).ok_or_else(none)
    }

    /// A buffer of llama.cpp.
    fn served(&mut self, row: &Row, metric: Metric) -> Result<Estimated<'catalog>, Reason> {
        let place = Place::of(row, self.catalog)?;
        let model = self.model(row)?;
        let device = match place {
            Place::Device(device) => device.name.to_string(),
            _ => String::new(),
        };
        let same = row.clone().with("device", device);
        let key = format!("{} {}", key(&same), row.cell("source"));
        let reserve = || model.reserve(row, place);
        let reservation = self.reserved.entry(key).or_insert_with(reserve).clone()?;
        let figure = serving::figure(&reservation, metric, place);
        figure.map(memory).ok_or_else(|| format!("{metric} is not a figure of llama.cpp"))
    }

    /// Tokens per second of one stream.
    fn written(&mut self, row: &Row) -> Result<Estimated<'catalog>, Reason> {
        let device = self.device(row)?;
        let model = self.model(row)?;
        model.must_fit(row, device)?;
        let token = model.token(row)?;
        let bandwidth = device.bandwidth().value();
        let bandwidth = bandwidth.ok_or("the bandwidth of the device is not known")?.value;
        let prior = decode::prior(&Kernels::default(), bandwidth);
        let time = decode::time(&token, &prior, device);
        let figure = per_second(time).ok_or("nothing is read")?;
        Ok(Estimated { figure, speed: Some(Speed { device, of: Work::Token(token), time }) })
    }

    fn step(&self, row: &Row) -> Result<Estimated<'catalog>, Reason> {
        let device = self.device(row)?;
        if !matches!(row.task()?, Task::Training(_)) {
            return Err("a step is one of training".to_owned());
        }
        let time = step::time(&Run::of(row, self.catalog)?, device)?;
        let figure = time.map(Duration::as_seconds);
        Ok(Estimated { figure, speed: Some(Speed { device, of: Work::Step, time }) })
    }

    fn device(&self, row: &Row) -> Result<&'catalog Device, Reason> {
        place::device(row, self.catalog)?.ok_or_else(|| "no device is named".to_owned())
    }

    fn model(&mut self, row: &Row) -> Result<Served, Reason> {
        let key = format!("{} {}", row.cell("model"), row.cell("quant"));
        let catalog = self.catalog;
        self.served.entry(key).or_insert_with(|| Served::of(row, catalog)).clone()
    }
}

/// Tokens per second from the time of one.
pub(crate) fn per_second(time: Span<Duration>) -> Option<Span<f64>> {
    let each = |time: Duration| 1.0 / time.as_seconds();
    let span = Span::new(each(time.high()), each(time.likely()), each(time.low()));
    span.ok().filter(|span| span.high().is_finite())
}

const fn memory<'catalog>(figure: Span<f64>) -> Estimated<'catalog> {
    Estimated { figure, speed: None }
}

/// What rows of one program have in common.
fn key(row: &Row) -> String {
    format!("{} {}", row.file.display(), row.label())
}

/// What runs the model.
enum Runtime {
    /// PyTorch with transformers, torchvision, diffusers, PEFT.
    PyTorch,
    /// llama.cpp.
    LlamaCpp,
}

fn runtime(row: &Row) -> Result<Runtime, Reason> {
    let name = row.cell("runtime").to_ascii_lowercase();
    match name.as_str() {
        "" if row.cell("model").ends_with(".gguf") => Ok(Runtime::LlamaCpp),
        "" | "pytorch" | "torch" | "transformers" | "hf" | "diffusers" | "torchvision" | "peft" => {
            Ok(Runtime::PyTorch)
        }
        "llama.cpp" | "llamacpp" | "llama-cpp" | "llama_cpp" | "llama-cpp-python" | "ollama" => {
            Ok(Runtime::LlamaCpp)
        }
        _ => Err(format!("runtime {name:?} is not estimated")),
    }
}
