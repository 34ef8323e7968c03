//! How long estimates take in-process: every model of the catalog on 60 devices for every task, and
//! one full training estimate of the largest model, and one search for changes and limits.
//!
//! `cargo run --release -p nearside-estimate --example table`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nearside_architecture::Dtype;
use nearside_catalog::{Accelerators, Catalog, Economics, Machine, Place, Reach, Site, Terms};
use nearside_estimate::choice::{Choice, Ways, alternatives};
use nearside_estimate::limits::limits;
use nearside_estimate::{Calibration, estimate, techniques};
use nearside_policy::{Class, Clearance};
use nearside_units::{Basis, Bytes, BytesPerSecond, Known, Sourced, Span};
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, Batch, ModelRef, Recipe, Serving, Task, Training,
    Workload,
};

const DEVICES: usize = 60;
const SEQUENCE: u64 = 2048;
const REPEATS: usize = 51;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let catalog = Catalog::builtin()?;
    let models = models(&catalog)?;
    let sites = sites(&catalog);
    let calibration = Calibration::default();
    let start = Instant::now();
    let rows: Vec<_> = models
        .iter()
        .flat_map(|model| tasks().into_iter().map(move |task| (model, task)))
        .collect();
    let next = AtomicUsize::new(0);
    let (fitting, unknown) = std::thread::scope(|scope| {
        let work = || {
            let mut found = (0, 0);
            while let Some((model, task)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (fitting, unknown) = row(model, task.clone(), &sites, &calibration);
                found = (found.0 + fitting, found.1 + unknown);
            }
            found
        };
        let other = scope.spawn(work);
        let (mine, others) = (work(), other.join().unwrap_or_default());
        (mine.0 + others.0, mine.1 + others.1)
    });
    let cells = rows.len() * sites.len();
    let all = start.elapsed();
    let (models, devices) = (models.len(), sites.len());
    say(&format!(
        "{models} models x {devices} devices x {} tasks = {cells} choices",
        tasks().len()
    ));
    say(&format!("{fitting} fit, {unknown} not known: {:.2} s on two threads", all.as_secs_f64()));
    let largest = named(&catalog, "llama-3.1-405b", training())?;
    let one = median(&mut || {
        let estimate = estimate(&largest, &sites[0], &calibration);
        std::hint::black_box(estimate);
    });
    let millis = one.as_secs_f64() * 1e3;
    let asked = named(&catalog, "llama-3.1-8b", Training { batch: 4, ..training() })?;
    let device = catalog.device("rtx-4090")?.clone();
    let card = site(Accelerators { device: Arc::new(device), count: 1 });
    let all = median(&mut || {
        let before = estimate(&asked, &card, &calibration);
        let better = techniques(&asked, &before, &card, &calibration);
        std::hint::black_box((better, limits(&asked, &card, &calibration)));
    });
    let all = all.as_secs_f64() * 1e3;
    say(&format!("fine-tune llama-3.1-8b, changes and limits: {all:.1} ms, median of {REPEATS}"));
    say(&format!("fine-tune llama-3.1-405b, one estimate: {millis:.2} ms, median of {REPEATS}"));
    Ok(())
}

/// How many devices a model does a task on, and of how many it cannot be told.
fn row(
    model: &ModelRef,
    (task, weights): (Task, Dtype),
    sites: &[Site],
    calibration: &Calibration,
) -> (usize, usize) {
    let recipe = Recipe { weights, ..Recipe::default() };
    let workload = Workload { task, model: Some(model.clone()), recipe, image: None };
    let ways = alternatives(&workload);
    let mut ways = Ways::of(&ways);
    let (mut fitting, mut unknown) = (0, 0);
    for site in sites {
        match ways.choose(site, calibration) {
            Choice::Runs(_) => fitting += 1,
            Choice::OutOfReach(_) => {}
            Choice::NotKnown(_) => unknown += 1,
        }
    }
    (fitting, unknown)
}

#[allow(clippy::print_stdout, reason = "an example's answer")]
fn say(line: &str) {
    println!("{line}");
}

fn median(run: &mut dyn FnMut()) -> Duration {
    let mut times: Vec<_> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[REPEATS / 2]
}

fn models(catalog: &Catalog) -> Result<Vec<ModelRef>, Box<dyn std::error::Error>> {
    catalog
        .models()
        .map(|model| {
            let architecture = Arc::new(model.architecture()?);
            Ok(ModelRef { name: model.name.to_string(), architecture, stored: None })
        })
        .collect()
}

fn training() -> Training {
    Training { tokens: SEQUENCE * 100, sequence: SEQUENCE, batch: 1, accumulation: 1 }
}

/// The kinds of tasks, with the type of the weights.
fn tasks() -> [(Task, Dtype); 6] {
    let adapter =
        Adapter { rank: 16, targets: AdapterTargets::Linear, method: AdapterMethod::Lora };
    let half = SEQUENCE / 2;
    let batch = Batch { requests: 1, prompt: half, output: half, batch: 1 };
    let serving =
        Serving { requests: 10_000, prompt: half, output: half, concurrency: 4, hours: 730.0 };
    [
        (Task::Evaluation(batch), Dtype::Bf16),
        (Task::Inference(serving), Dtype::Bf16),
        (Task::Lora(training(), adapter), Dtype::Bf16),
        (Task::Qlora(training(), adapter), Dtype::Nf4),
        (Task::FineTune(training()), Dtype::Bf16),
        (Task::Pretrain(training()), Dtype::Bf16),
    ]
}

/// Fine-tuning a model of that name.
fn named(
    catalog: &Catalog,
    name: &str,
    training: Training,
) -> Result<Workload, Box<dyn std::error::Error>> {
    let model = catalog.model(name)?;
    let architecture = Arc::new(model.architecture()?);
    let model = ModelRef { name: model.name.to_string(), architecture, stored: None };
    let task = Task::FineTune(training);
    Ok(Workload { task, model: Some(model), recipe: Recipe::default(), image: None })
}

fn sites(catalog: &Catalog) -> Vec<Site> {
    let devices = catalog.devices().take(DEVICES);
    devices
        .map(|device| site(Accelerators { device: Arc::new(device.clone()), count: 1 }))
        .collect()
}

fn site(accelerators: Accelerators) -> Site {
    fn known<T>(value: T) -> Sourced<T> {
        Sourced::new(value, Basis::assumed("of a bench"))
    }
    let link = || known(BytesPerSecond::constant(1e9));
    let unstated = || Known::unknown("not stated");
    Site {
        name: Arc::clone(&accelerators.device.name),
        machine: Machine {
            processor: Known::unknown("not stated"),
            threads: Known::Value(known(16)),
            memory: Known::Value(known(Bytes::gib(64))),
            disk: Known::unknown("not stated"),
            accelerators: Some(accelerators),
            embodied: Known::unknown("not stated"),
        },
        economics: Economics::Rented {
            price: unstated(),
            terms: Terms::OnDemand,
            interruptions: Known::Value(known(Span::exact(0.0))),
        },
        place: Place {
            location: "bench".into(),
            region: None,
            country: Known::unknown("not stated"),
            pue: known(Span::exact(1.0)),
            intensity: Known::unknown("not stated"),
            intensity_steps: Vec::new(),
        },
        reach: Reach { uplink: link(), downlink: link() },
        startup: known(Span::exact(nearside_units::Duration::ZERO)),
        clearance: Clearance(Class::Internal),
    }
}
