//! Estimates on sites made by hand: what fits, how long, what it costs and emits.

use std::sync::Arc;

use nearside_architecture::{Architecture, Dtype};
use nearside_catalog::{
    Accelerators, Catalog, Economics, Machine, Ownership, Place, Reach, Site, Terms,
};
use nearside_estimate::tape::Category;
use nearside_estimate::{Calibration, Device, Estimate, Period, Verdict, estimate, techniques};
use nearside_policy::{Class, Clearance};
use nearside_units::{
    Basis, Bytes, BytesPerSecond, Duration, Flops, GramsCo2e, GramsPerKwh, Known, PerHour, PerKwh,
    Sourced, Span, Watts,
};
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, Batch, Checkpointing, Choice, Custom, CustomDevice,
    ModelRef, Offload, Parallelism, Preparation, Recipe, Serving, Sharding, Stored, Stream, Task,
    Training, Workload,
};

fn sourced<T>(value: T) -> Sourced<T> {
    Sourced::new(value, Basis::assumed("test"))
}

fn known<T>(value: T) -> Known<Sourced<T>> {
    Known::Value(sourced(value))
}

/// A machine with so many devices of a kind, rented at 2 EUR/h, on a grid of 100 g/kWh.
fn rented(device: Option<(&str, u32)>) -> Site {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let accelerators = device.map(|(name, count)| Accelerators {
        device: Arc::new(catalog.device(name).expect("a known device").clone()),
        count,
    });
    let link = || sourced(BytesPerSecond::constant(1e9));
    Site {
        name: "test".into(),
        machine: Machine {
            processor: Known::unknown("test"),
            threads: known(16),
            memory: known(Bytes::gib(64)),
            disk: Known::unknown("test"),
            accelerators,
            embodied: known(Span::exact(GramsCo2e::constant(1e6))),
        },
        economics: Economics::Rented {
            price: known("2 EUR/h".parse::<PerHour>().expect("a price")),
            terms: Terms::OnDemand,
            interruptions: known(Span::exact(0.0)),
        },
        place: Place {
            location: "test".into(),
            region: None,
            country: Known::unknown("test"),
            pue: sourced(Span::exact(1.5)),
            intensity: known(GramsPerKwh::constant(100.0)),
            intensity_steps: Vec::new(),
        },
        reach: Reach { uplink: link(), downlink: link() },
        startup: sourced(Span::exact(Duration::hours(0.5))),
        clearance: Clearance(Class::Internal),
    }
}

/// The same machine bought for 4,000 EUR for four years, 500 W at work and 100 W idle.
fn owned(device: Option<(&str, u32)>) -> Site {
    let economics = Economics::Owned(Ownership {
        price: known("4000 EUR".parse().expect("money")),
        life: sourced("4 years".parse().expect("a time")),
        tariff: known("0.30 EUR/kWh".parse::<PerKwh>().expect("a tariff")),
        load: known(Watts::constant(500.0)),
        idle: known(Watts::constant(100.0)),
    });
    let startup = sourced(Span::exact(Duration::ZERO));
    Site { economics, startup, ..rented(device) }
}

fn model(name: &str) -> Option<ModelRef> {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let model = catalog.model(name).expect("a known model");
    let architecture = Arc::new(model.architecture().expect("a readable config"));
    Some(ModelRef { name: name.to_owned(), architecture, stored: None })
}

fn preparation(gigabytes: u64, core_seconds_per_gb: f64, memory: Bytes) -> Workload {
    let bytes = Bytes::new(gigabytes * 1_000_000_000);
    let task = Task::Preparation(Preparation { bytes, core_seconds_per_gb, memory });
    Workload { task, model: None, recipe: Recipe::default(), image: None }
}

fn lora(batch: u64) -> Workload {
    let training = Training { tokens: 1_000_000, sequence: 1024, batch, accumulation: 1 };
    let adapter =
        Adapter { rank: 16, targets: AdapterTargets::Linear, method: AdapterMethod::Lora };
    let model = model("llama-3.2-1b");
    Workload { task: Task::Lora(training, adapter), model, recipe: Recipe::default(), image: None }
}

fn on(workload: &Workload, site: &Site) -> Estimate {
    estimate(workload, site, &Calibration::default())
}

fn likely<T: Copy + PartialOrd>(span: &Known<Span<T>>) -> T {
    span.as_ref().value().expect("a known figure").likely()
}

#[test]
fn data_work_is_core_seconds_over_threads() {
    // 10 GB x 1,280 s/GB over 16 threads that bring 80 %: 1,000 s.
    let estimate = on(&preparation(10, 1280.0, Bytes::gib(8)), &rented(None));
    assert_eq!(estimate.fit.verdict, Verdict::Fits);
    assert!((likely(&estimate.work).as_seconds() - 1000.0).abs() < 1e-6);
    assert_eq!(estimate.fit.device, Device::Processor);
}

#[test]
fn memory_that_was_measured_decides_what_fits() {
    let site = rented(None);
    let fit = on(&preparation(10, 1280.0, Bytes::gib(4000)), &site).fit;
    assert_eq!(fit.verdict, Verdict::DoesNotFit);
    // It was estimated far too large: a thousandth was seen.
    let measured = fit.clone().corrected(Span::new(0.0009, 0.001, 0.0011).unwrap());
    assert_eq!(measured.verdict, Verdict::Fits, "{measured:?}");
    let needed = measured.needed.expect("a need").likely();
    let expected = fit.needed.expect("a need").likely().scaled(0.001);
    assert_eq!(needed, expected);
    let more = measured.corrected(Span::exact(10_000.0));
    assert_eq!(more.verdict, Verdict::DoesNotFit);
}

#[test]
fn a_rented_hour_costs_its_price_startup_included() {
    let estimate = on(&preparation(10, 1280.0, Bytes::gib(8)), &rented(None));
    let cost = estimate.cost.value().expect("a cost");
    // Half an hour of startup and 1,000 s of work at 2 EUR/h.
    let expected = 2.0 * (0.5 + 1000.0 / 3600.0);
    assert!((cost.marginal.likely().as_f64() - expected).abs() < 1e-6);
    assert_eq!(cost.marginal, cost.full);
}

#[test]
fn an_unknown_price_is_not_zero() {
    let mut site = rented(None);
    site.economics = Economics::Rented {
        price: Known::unknown("not published"),
        terms: Terms::OnDemand,
        interruptions: known(Span::exact(0.0)),
    };
    let estimate = on(&preparation(1, 100.0, Bytes::gib(1)), &site);
    assert_eq!(estimate.cost.why(), Some("not published"));
    assert!(estimate.carbon.value().is_some(), "carbon does not need the price");
}

#[test]
fn interruptions_make_work_longer_and_an_unknown_rate_makes_it_unknown() {
    let spot = |interruptions| {
        let price = known("2 EUR/h".parse::<PerHour>().expect("a price"));
        let economics = Economics::Rented { price, terms: Terms::Spot, interruptions };
        Site { economics, ..rented(None) }
    };
    let workload = preparation(10, 1280.0, Bytes::gib(8));
    let steady = likely(&on(&workload, &rented(None)).work).as_hours();
    // One interruption in ten hours, each losing a quarter of an hour and half an hour of startup.
    let tenth = on(&workload, &spot(known(Span::exact(0.1))));
    assert!((likely(&tenth.work).as_hours() / steady - (1.0 + 0.1 * 0.75)).abs() < 1e-9);
    let unknown = on(&workload, &spot(Known::unknown("no rate is published")));
    assert_eq!(unknown.cost.why(), Some("no rate is published"));
}

#[test]
fn several_devices_share_what_one_cannot_hold_as_mildly_as_they_can() {
    let training = Training { tokens: 1_000_000, sequence: 2048, batch: 8, accumulation: 1 };
    let tune = |name: &str, device: (&str, u32)| {
        let task = Task::FineTune(training);
        let workload =
            Workload { task, model: model(name), recipe: Recipe::default(), image: None };
        on(&workload, &rented(Some(device))).fit
    };
    for (name, device, plan) in [
        ("llama-3.2-3b", ("h100-sxm", 8), "needs"),
        ("llama-3.1-8b", ("h100-sxm", 8), "ZeRO-1, each of 8 devices: needs"),
        ("llama-3.1-8b", ("a100-sxm-40gb", 8), "FSDP, each of 8 devices: needs"),
    ] {
        let fit = tune(name, device);
        assert_eq!(fit.verdict, Verdict::Fits, "{name}: {}", fit.why);
        assert!(fit.why.starts_with(plan), "{name}: {}", fit.why);
    }
    let fit = tune("llama-3.1-70b", ("rtx-4090", 8));
    assert_eq!(fit.verdict, Verdict::DoesNotFit);
    assert!(fit.why.ends_with("on one device; no way of sharing it fits"), "{}", fit.why);
}

#[test]
fn answering_shares_products_where_weights_do_not_fit() {
    let task = Task::Evaluation(Batch { requests: 10, prompt: 512, output: 512, batch: 1 });
    let workload =
        Workload { task, model: model("llama-3.1-70b"), recipe: Recipe::default(), image: None };
    let one = on(&workload, &rented(Some(("h100-sxm", 1)))).fit;
    assert_eq!(one.verdict, Verdict::DoesNotFit);
    let four = on(&workload, &rented(Some(("h100-sxm", 4)))).fit;
    assert_eq!(four.verdict, Verdict::Fits, "{}", four.why);
    assert!(four.why.starts_with("tensor parallel over"), "{}", four.why);
}

#[test]
fn a_stated_way_is_taken_as_stated() {
    let training = Training { tokens: 1_000_000, sequence: 2048, batch: 8, accumulation: 4 };
    let stated = |parallelism: Parallelism| {
        let parallelism = Parallelism { choice: Choice::Stated, ..parallelism };
        let recipe = Recipe { parallelism, ..Recipe::default() };
        let task = Task::FineTune(training);
        let workload = Workload { task, model: model("llama-3.1-8b"), recipe, image: None };
        on(&workload, &rented(Some(("h100-sxm", 8))))
    };
    let plain = Parallelism::default();
    let alone = stated(plain);
    assert_ne!(alone.fit.verdict, Verdict::Fits, "{}", alone.fit.why);
    let needed = |way: Parallelism| stated(way).fit.needed.unwrap().likely();
    for tensor in [2, 4, 8] {
        let whole = needed(Parallelism { tensor, ..plain });
        let split = needed(Parallelism { tensor, stream: Stream::Split, ..plain });
        let sharded = needed(Parallelism { tensor, sharding: Sharding::Fsdp, ..plain });
        assert!(whole < needed(plain) && split < whole, "{tensor}: {whole} {split}");
        assert!(sharded < whole || tensor == 8, "{tensor}: {sharded} {whole}");
    }
    let staged = stated(Parallelism { pipeline: 4, ..plain }).fit;
    assert!(staged.why.starts_with("pipeline of 4 stages"), "{}", staged.why);
    let offloaded = stated(Parallelism { offload: Offload::Optimizer, ..plain }).fit;
    // 8 devices update 8 copies of 32 GB of states and gradients: more than 64 GiB.
    assert_eq!(offloaded.verdict, Verdict::DoesNotFit, "{}", offloaded.why);
    assert!(offloaded.why.contains("of main memory, has 64"), "{}", offloaded.why);
    let refused = stated(Parallelism { tensor: 16, ..plain }).fit;
    assert_eq!(&*refused.why, "the stated parallelism needs 16 devices, there are 8");
    let refused = stated(Parallelism { offload: Offload::Parameters, ..plain }).fit;
    assert!(refused.why.contains("need sharding"), "{}", refused.why);
}

#[test]
fn the_bytes_of_a_file_beat_the_type_of_its_weights() {
    let serving = |stored| Workload {
        task: Task::Inference(Serving {
            requests: 10,
            prompt: 100,
            output: 100,
            concurrency: 1,
            hours: 10.0,
        }),
        model: model("llama-3.2-1b").map(|model| ModelRef { stored, ..model }),
        recipe: Recipe { weights: Dtype::Q4K, ..Recipe::default() },
        image: None,
    };
    let weights = |workload: &Workload| {
        let estimate = on(workload, &rented(Some(("t4", 1))));
        estimate.fit.memory.expect("memory").by_category[&Category::Weights]
    };
    // Twice the file, twice the weights on the device: part of them stays in main memory.
    let stored =
        Stored { dtype: Dtype::Q4K, bytes: Bytes::new(807_690_624), looked_up: Bytes::ZERO };
    let larger = Stored { bytes: stored.bytes * 2, ..stored };
    let (once, twice) = (weights(&serving(Some(stored))), weights(&serving(Some(larger))));
    assert!((twice.get() as f64 / once.get() as f64 - 2.0).abs() < 1e-6);
    // Without a file its Q4_K_M mix is counted tensor by tensor.
    let counted = weights(&serving(None)).get() as f64;
    assert!((counted / once.get() as f64 - 1.0).abs() < 0.02, "{counted} {once}");
    let other = Stored { dtype: Dtype::Q8_0, ..stored };
    assert_eq!(weights(&serving(Some(other))), weights(&serving(None)));
}

#[test]
fn an_own_machine_costs_electricity_and_wear_or_its_full_price() {
    let estimate = on(&preparation(10, 1280.0, Bytes::gib(8)), &owned(None));
    let energy = likely(&estimate.energy).as_kwh();
    let cost = estimate.cost.value().expect("a cost");
    let hours = 1000.0 / 3600.0;
    let hours_in_use = 4.0 * 8760.0 * 0.25;
    let marginal = energy * 0.30 + 4000.0 * 0.1 * hours / hours_in_use;
    let full = energy * 0.30 + 4000.0 * (1.0 + 0.05 * 4.0) * hours / hours_in_use;
    assert!((cost.marginal.likely().as_f64() - marginal).abs() < 1e-6);
    assert!((cost.full.likely().as_f64() - full).abs() < 1e-6);
}

#[test]
fn carbon_is_energy_times_grid_and_a_share_of_making_the_machine() {
    let estimate = on(&preparation(10, 1280.0, Bytes::gib(8)), &rented(None));
    let carbon = estimate.carbon.clone().value().expect("emissions");
    let energy = likely(&estimate.energy).as_kwh();
    assert!((carbon.operational.likely().as_grams() - energy * 100.0).abs() < 1e-6);
    // 1 t over 5 years at 70 % use, for the hours the site is held.
    let held = 0.5 + 1000.0 / 3600.0;
    let share = 1e6 * held / (5.0 * 8760.0 * 0.7);
    assert!((likely(&carbon.embodied).as_grams() - share).abs() < 1e-6);
}

#[test]
fn accelerated_work_needs_an_accelerator() {
    let custom = Custom {
        flops: Flops::constant(1e15),
        bytes: Bytes::gib(1),
        memory: Bytes::gib(1),
        device: CustomDevice::Accelerator,
    };
    let workload = Workload {
        task: Task::Custom(custom),
        model: None,
        recipe: Recipe::default(),
        image: None,
    };
    assert_eq!(on(&workload, &rented(None)).fit.verdict, Verdict::DoesNotFit);
    let estimate = on(&workload, &rented(Some(("rtx-4090", 1))));
    assert_eq!(estimate.fit.verdict, Verdict::Fits);
    assert_eq!(estimate.period, Period::Run);
}

#[test]
fn families_without_a_graph_are_not_estimated() {
    let architecture = Architecture::Other { family: "speecht5".to_owned(), parameters: None };
    let unknown =
        ModelRef { name: "unknown".to_owned(), architecture: architecture.into(), stored: None };
    let workload = Workload { model: Some(unknown), ..lora(1) };
    let estimate = on(&workload, &rented(Some(("t4", 1))));
    assert_eq!(estimate.fit.verdict, Verdict::Unknown);
    assert!(estimate.fit.why.contains("not estimated yet"), "{}", estimate.fit.why);
    assert!(estimate.cost.value().is_none());
}

#[test]
fn a_service_that_cannot_keep_up_does_not_fit() {
    let serving = |requests| Workload {
        task: Task::Inference(Serving {
            requests,
            prompt: 500,
            output: 500,
            concurrency: 4,
            hours: 100.0,
        }),
        model: model("llama-3.2-1b"),
        recipe: Recipe { weights: Dtype::Q4K, ..Recipe::default() },
        image: None,
    };
    let site = rented(Some(("t4", 1)));
    assert_eq!(on(&serving(100), &site).fit.verdict, Verdict::Fits);
    let busy = on(&serving(1_000_000_000), &site);
    assert_eq!(busy.fit.verdict, Verdict::DoesNotFit);
    assert!(busy.fit.why.contains("requests take"), "{}", busy.fit.why);
}

#[test]
fn several_devices_share_a_batch() {
    let one = on(&lora(8), &rented(Some(("a100-sxm-80gb", 1))));
    let eight = on(&lora(8), &rented(Some(("a100-sxm-80gb", 8))));
    assert!(likely(&eight.work) < likely(&one.work));
    let needs = |estimate: &Estimate| estimate.fit.needed.expect("a need").likely();
    assert!(needs(&eight) < needs(&one));
}

#[test]
fn larger_batches_never_need_less_and_larger_cards_never_fit_worse() {
    let order = |verdict: Verdict| match verdict {
        Verdict::Fits => 2,
        Verdict::Uncertain => 1,
        Verdict::DoesNotFit | Verdict::Unknown => 0,
    };
    let cards = ["rtx-3060-12gb", "t4", "rtx-4090", "l40s", "a100-sxm-80gb", "h200-sxm"];
    let mut needed_before = [Bytes::ZERO; 6];
    for batch in [1, 2, 3, 4, 8, 16, 32] {
        let mut verdict_before = 0;
        for (card, needed_before) in cards.into_iter().zip(&mut needed_before) {
            let estimate = on(&lora(batch), &rented(Some((card, 1))));
            let verdict = order(estimate.fit.verdict);
            assert!(verdict >= verdict_before, "batch {batch} on {card}");
            verdict_before = verdict;
            let needed = estimate.fit.needed.expect("a need").high();
            assert!(needed >= *needed_before, "batch {batch} on {card}");
            *needed_before = needed;
        }
    }
}

#[test]
fn every_technique_needs_less_memory() {
    let site = rented(Some(("t4", 1)));
    let before = on(&lora(8), &site);
    let found = techniques(&lora(8), &before, &site, &Calibration::default());
    assert!(!found.is_empty());
    for technique in found {
        let after = technique.estimate.fit.needed.map(Span::high);
        assert!(after < before.fit.needed.map(Span::high), "{}", technique.name());
        if technique.devices.is_some() {
            continue;
        }
        let again = on(&technique.workload, &site);
        assert_eq!(again, technique.estimate, "{}", technique.name());
    }
}

/// A model that is too large for one card: its layers are left to the processor, or it takes more cards.
#[test]
fn what_one_card_cannot_hold_is_left_to_the_processor_or_to_more_cards() {
    let site = rented(Some(("rtx-4090", 1)));
    let task = Task::Evaluation(Batch { requests: 1, prompt: 1024, output: 1024, batch: 1 });
    let recipe = Recipe { weights: Dtype::Q4K, ..Recipe::default() };
    let model = model("llama-3.1-70b");
    let asked = Workload { task, model, recipe, image: None };
    let before = on(&asked, &site);
    assert_eq!(before.fit.verdict, Verdict::DoesNotFit);
    let found = techniques(&asked, &before, &site, &Calibration::default());
    let with_host = |layers: u64| {
        let mut changed = asked.clone();
        changed.recipe.parallelism =
            Parallelism { choice: Choice::Stated, host_layers: layers, ..Parallelism::default() };
        on(&changed, &site)
    };
    let host = found.iter().find(|technique| technique.workload.recipe.parallelism.host_layers > 0);
    let host = host.expect("layers in main memory");
    let fewest = host.workload.recipe.parallelism.host_layers;
    assert_eq!(host.steps.last().unwrap().name, format!("{fewest} of 80 layers in main memory"));
    assert_eq!(with_host(fewest).fit.verdict, Verdict::Fits);
    assert_ne!(with_host(fewest - 1).fit.verdict, Verdict::Fits);
    assert!(host.time_ratio.unwrap() > 1.0);
    // Every further layer takes its time.
    assert!(likely(&with_host(fewest + 20).work) > likely(&with_host(fewest).work));
    let more = found.last().unwrap();
    assert_eq!(more.devices, Some(2));
    assert_eq!(more.estimate, on(&more.workload, &rented(Some(("rtx-4090", 2)))));
    // llama.cpp knows no such weights.
    let parallelism = Parallelism { host_layers: 3, ..Parallelism::default() };
    let refused = Recipe { weights: Dtype::Nf4, parallelism, ..recipe };
    let refused = Workload { recipe: refused, ..asked };
    assert_eq!(on(&refused, &site).fit.verdict, Verdict::Unknown);
}

#[test]
fn larger_images_need_more() {
    let answer = Task::Evaluation(Batch { requests: 1, prompt: 1, output: 1, batch: 1 });
    let sided = |name: &str, image| Workload {
        task: answer.clone(),
        model: model(name),
        recipe: Recipe::default(),
        image,
    };
    let needs = |name: &str, image| {
        on(&sided(name, image), &rented(Some(("rtx-4090", 1)))).fit.needed.expect("a need").likely()
    };
    assert!(needs("resnet50", Some(448)) > needs("resnet50", None));
    assert_eq!(needs("resnet50", Some(224)), needs("resnet50", None));
    assert!(needs("stable-diffusion-1.5", Some(1024)) > needs("stable-diffusion-1.5", None));
    let trained = |image| {
        let training = Training { tokens: 100, sequence: 1, batch: 8, accumulation: 1 };
        let workload = Workload { task: Task::FineTune(training), ..sided("resnet50", image) };
        on(&workload, &rented(Some(("rtx-4090", 1)))).fit.needed.expect("a need").likely()
    };
    assert!(trained(Some(448)) > trained(None));
}

#[test]
fn checkpointing_trades_time_for_memory() {
    let plain = lora(4);
    let recipe = Recipe { checkpointing: Checkpointing::Full, ..Recipe::default() };
    let checkpointed = Workload { recipe, ..lora(4) };
    let site = rented(Some(("h100-sxm", 1)));
    let (plain, checkpointed) = (on(&plain, &site), on(&checkpointed, &site));
    assert!(likely(&checkpointed.work) > likely(&plain.work));
    assert!(checkpointed.fit.needed.map(Span::likely) < plain.fit.needed.map(Span::likely));
}

#[test]
fn sizes_beyond_counting_are_not_estimated() {
    let site = rented(Some(("h200-sxm", 8)));
    for (batch, sequence) in [(1_000_000, 100_000_000), (u64::MAX / 2, 3), (1, u64::MAX / 4)] {
        let training = Training { tokens: u64::MAX, sequence, batch, accumulation: 1 };
        let task = Task::FineTune(training);
        let estimate = on(&Workload { task, ..lora(1) }, &site);
        assert_eq!(estimate.fit.verdict, Verdict::Unknown, "{batch} x {sequence}");
        assert!(estimate.fit.why.contains("more than can be estimated"));
    }
}

#[test]
fn idle_devices_draw_less_than_busy_ones() {
    // Evaluation uses one device; seven more wait.
    let work = |count| {
        let task = Task::Evaluation(nearside_workload::Batch {
            requests: 100,
            prompt: 500,
            output: 100,
            batch: 1,
        });
        let workload = Workload { task, ..lora(1) };
        likely(&on(&workload, &rented(Some(("a100-sxm-80gb", count)))).energy).as_joules()
    };
    assert!(work(8) < 6.0 * work(1), "{} {}", work(8), work(1));
    assert!(work(8) > work(1));
}

#[test]
fn the_same_arguments_give_the_same_estimate() {
    let site = rented(Some(("l4", 1)));
    assert_eq!(on(&lora(2), &site), on(&lora(2), &site));
}
