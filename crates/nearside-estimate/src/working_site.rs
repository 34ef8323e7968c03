//! One workload on one site: memory against what is there, work against ceilings, and the energy,
//! cost and carbon that follow from the time.

pub(crate) mod own_engine;

use std::sync::Arc;

use nearside_catalog::{Accelerators, DeviceKind, Economics, Ownership, Precision, Site, Terms};
use nearside_units::{Basis, Bytes, Duration, Known, PerHour, Sourced, Span};
use nearside_workload::{Task, Workload};

use crate::calibration::{Calibration, Kernels, MemoryUse, ProcessorUse};
use crate::carbon::carbon;
use crate::communication::{Link, together};
use crate::demand::{Demand, Holder, Memory};
use crate::energy::{energy, power, service_energy};
use crate::estimate::{Cost, Device, Estimate, Fit, Period, Verdict};
use crate::input::Input;
use crate::measured::Traffic;
use crate::ownership::own_cost;
use crate::roofline::{Arithmetic, Bottleneck, Ceilings, Timed, run};

/// A site with the part of it that works.
#[derive(Clone)]
pub(crate) struct WorkingSite<'a> {
    pub(crate) site: &'a Site,
    pub(crate) device: Device,
    pub(crate) devices: u64,
    pub(crate) calibration: &'a Calibration,
}

impl WorkingSite<'_> {
    pub(crate) fn estimate(&self, workload: &Workload, demand: &Demand) -> Estimate {
        let mut inputs = Vec::new();
        let mut fit = self.fit(demand, &mut inputs);
        let timed = self.timed(workload, demand, &mut inputs);
        let timed = self.as_observed(timed, workload, &mut inputs);
        let timed = self.interrupted(timed, &mut inputs);
        let period = match &workload.task {
            Task::Inference(serving) => Period::Month { up: Duration::hours(serving.hours) },
            _ => Period::Run,
        };
        let loading = Span::exact(demand.load)
            .combine_inverse(self.calibration.kernels.load_rate.value, |bytes, rate| bytes / rate);
        let startup = self.site.startup.value + loading;
        inputs.push(Input::of("queue and boot", &self.site.startup));
        inputs.push(Input::of("loading weights from disk", &self.calibration.kernels.load_rate));
        let work = timed.as_ref().map(|timed| timed.time);
        let phases =
            demand.own_engine.and_then(|work| self.phases(&work.sequence, &mut Vec::new()).value());
        if let (Period::Month { up }, Known::Value(work)) = (period, &work) {
            overload(&mut fit, *work, up);
        }
        let capacity = || Bottleneck::MemoryCapacity;
        let bottleneck = match fit.verdict {
            Verdict::DoesNotFit if fit.needed.is_some() => Known::Value(capacity()),
            _ => timed.map(|timed| timed.bottleneck),
        };
        let mut estimate = Estimate {
            fit,
            period,
            startup,
            work,
            phases,
            bottleneck,
            energy: Known::unknown("not reached"),
            cost: Known::unknown("not reached"),
            carbon: Known::unknown("not reached"),
            inputs,
        };
        self.consequences(&mut estimate);
        estimate
    }

    pub(crate) fn fit(&self, demand: &Demand, inputs: &mut Vec<Input>) -> Fit {
        let (available, needed) = match self.device {
            Device::Accelerator => {
                (self.device_memory(inputs), self.reserved(&demand.memory, inputs))
            }
            Device::Processor => {
                (self.machine_memory(inputs), self.held_in_main_memory(&demand.memory, inputs))
            }
        };
        let (verdict, why) = match &available {
            Known::Unknown(why) => (Verdict::Unknown, Arc::clone(why)),
            Known::Value(available) => verdict(needed, *available),
        };
        let (verdict, why) = self.with_host(demand, verdict, why);
        let why = match &demand.sharing {
            Some(sharing) if self.devices > 1 => {
                format!("{sharing}, each of {} devices: {why}", self.devices).into()
            }
            Some(sharing) => format!("{sharing}: {why}").into(),
            None => why,
        };
        let memory = Some(demand.memory.clone());
        Fit {
            verdict,
            why,
            device: self.device,
            memory,
            needed: Some(needed),
            available,
            host: demand.host.memory,
        }
    }

    /// Live memory with which nothing fits any more; `None` where that is not known.
    pub(crate) fn room(&self) -> Option<Bytes> {
        let nothing = &mut Vec::new();
        match self.device {
            Device::Accelerator => {
                let available = self.device_memory(nothing);
                let context = self.calibration.memory.context.value.low();
                available.value().map(|available| available.high().saturating_sub(context))
            }
            Device::Processor => self.machine_memory(nothing).value().map(|memory| memory.high()),
        }
    }

    /// What waits in the machine's memory has to fit there.
    fn with_host(&self, demand: &Demand, verdict: Verdict, why: Arc<str>) -> (Verdict, Arc<str>) {
        let needed = demand.host.memory;
        if needed == Bytes::ZERO || verdict == Verdict::DoesNotFit {
            return (verdict, why);
        }
        match &self.site.machine.memory {
            Known::Unknown(unknown) => {
                let why = format!("{why}; {needed} of main memory as well: {unknown}");
                (Verdict::Unknown, why.into())
            }
            Known::Value(memory) if needed > memory.value => {
                let why = format!("needs {needed} of main memory, has {}", memory.value);
                (Verdict::DoesNotFit, why.into())
            }
            Known::Value(_) => (verdict, format!("{why}; {needed} of main memory as well").into()),
        }
    }

    fn accelerators(&self) -> Option<&Accelerators> {
        self.site.machine.accelerators.as_ref()
    }

    fn device_memory(&self, inputs: &mut Vec<Input>) -> Known<Span<Bytes>> {
        let memory = match self.accelerators() {
            Some(accelerators) => accelerators.device.memory(),
            None => Known::unknown("no accelerator"),
        };
        let shared = self.accelerators().map(|found| found.device.kind) == Some(DeviceKind::Soc);
        let usable = match shared {
            true => &self.calibration.memory.usable_shared,
            false => &self.calibration.memory.usable,
        };
        memory.map(|memory| {
            inputs.push(Input::of("device memory", &memory));
            inputs.push(Input::of("usable share of device memory", usable));
            usable.value.map(|share| memory.value.scaled(share))
        })
    }

    fn machine_memory(&self, inputs: &mut Vec<Input>) -> Known<Span<Bytes>> {
        self.site.machine.memory.as_ref().map(|memory| {
            inputs.push(Input::of("memory", memory));
            Span::exact(memory.value)
        })
    }

    /// What allocator and driver take. PyTorch gives back what it holds in reserve before it gives
    /// up, so that the least it can run with is what is live.
    fn reserved(&self, memory: &Memory, inputs: &mut Vec<Input>) -> Span<Bytes> {
        let MemoryUse { placement, buffers, context, .. } = &self.calibration.memory;
        inputs.push(Input::of("driver context", context));
        let held = match memory.holder {
            Holder::Stated | Holder::OwnEngine => Span::exact(memory.reserved),
            Holder::Engine => {
                inputs.push(Input::of("engine's buffers over their count", buffers));
                buffers.value.map(|share| memory.reserved.scaled(share))
            }
            Holder::Caching => {
                inputs.push(Input::of("reserved over replayed memory", placement));
                let held = placement.value.map(|share| memory.reserved.scaled(share));
                let least = memory.total().min(held.likely());
                Span::new(least, held.likely(), held.high()).unwrap_or(held)
            }
        };
        held + context.value
    }

    fn timed(&self, workload: &Workload, demand: &Demand, inputs: &mut Vec<Input>) -> Known<Timed> {
        if let Some(work) = &demand.own_engine {
            return self.own_engine_time(work, inputs);
        }
        if demand.passes.is_empty() {
            return self.core_time(demand, inputs);
        }
        let ceilings = match self.device {
            Device::Accelerator => self.device_ceilings(workload, inputs),
            Device::Processor => self.processor_ceilings(workload, inputs),
        };
        let timed = ceilings.map(|ceilings| {
            let timed = run(&demand.passes, &ceilings);
            if demand.exchanges.is_empty() {
                return timed;
            }
            let Kernels { exchange_rate, exchange_latency, .. } = &self.calibration.kernels;
            inputs.push(Input::of("exchange between devices", exchange_rate));
            inputs.push(Input::of("latency between devices", exchange_latency));
            let link = Link { rate: exchange_rate.value, latency: exchange_latency.value };
            let time =
                together(timed.time, &demand.exchanges, &link) + self.host_time(demand, inputs);
            let bottleneck = match time.likely() > timed.time.likely() * 2.0 {
                true => Bottleneck::Exchange,
                false => timed.bottleneck,
            };
            Timed { time, bottleneck }
        });
        if demand.host.passes.is_empty() {
            return timed;
        }
        // Layers follow each other, wherever they are.
        timed.zip(self.processor_ceilings(workload, inputs)).map(|(timed, ceilings)| {
            let host = run(&demand.host.passes, &ceilings);
            let slower = if host.time.likely() > timed.time.likely() { host } else { timed };
            Timed { time: timed.time + host.time, bottleneck: slower.bottleneck }
        })
    }

    /// What processors take for the part of the optimizer step that is theirs.
    fn host_time(&self, demand: &Demand, inputs: &mut Vec<Input>) -> Span<Duration> {
        if demand.host.traffic == Bytes::ZERO {
            return Span::exact(Duration::ZERO);
        }
        let bandwidth = &self.calibration.processor.bandwidth;
        inputs.push(Input::of("bandwidth of main memory", bandwidth));
        Span::exact(demand.host.traffic)
            .combine_inverse(bandwidth.value, |bytes, rate| bytes / rate)
    }

    /// Training as long as runs on this site took over their likely estimates, where there are any.
    fn as_observed(
        &self,
        timed: Known<Timed>,
        workload: &Workload,
        inputs: &mut Vec<Input>,
    ) -> Known<Timed> {
        let observed = self.calibration.observed_step.as_ref();
        let Some(factor) = observed.filter(|_| is_training(workload)) else { return timed };
        inputs.push(Input::of("measured over likely step time", factor));
        timed.map(|timed| {
            let likely = timed.time.likely();
            Timed { time: factor.value.map(|factor| likely * factor), ..timed }
        })
    }

    /// Work that may be taken away repeats what was not saved and starts again:
    /// `time x (1 + rate x (interval / 2 + startup))` (Young, CACM 17(9), 1974, first order).
    fn interrupted(&self, timed: Known<Timed>, inputs: &mut Vec<Input>) -> Known<Timed> {
        let Economics::Rented { interruptions, terms: Terms::Spot, .. } = &self.site.economics
        else {
            return timed;
        };
        let interval = &self.calibration.machine.checkpoint_interval;
        timed.zip(interruptions.clone()).map(|(timed, rate)| {
            inputs.push(Input::of("time between checkpoints", interval));
            inputs.push(Input::of("interruptions per hour", &rate));
            let lost = interval.value.map(|interval| interval * 0.5) + self.site.startup.value;
            let rework = rate.value.combine(lost, |rate, lost| 1.0 + rate * lost.as_hours());
            Timed { time: timed.time.combine(rework, |time, rework| time * rework), ..timed }
        })
    }

    /// Data work: core-seconds over threads.
    fn core_time(&self, demand: &Demand, inputs: &mut Vec<Input>) -> Known<Timed> {
        self.site.machine.threads.as_ref().map(|threads| {
            let share = &self.calibration.processor.thread_share;
            inputs.push(Input::of("hardware threads", threads));
            inputs.push(Input::of("scaling over threads", share));
            let cores = share.value.map(|share| (f64::from(threads.value) * share).max(1.0));
            let seconds = Span::exact(demand.core_seconds)
                .combine_inverse(cores, |seconds, cores| seconds / cores);
            let time = seconds.map(|time| Duration::from_seconds(time).unwrap_or(Duration::ZERO));
            Timed { time, bottleneck: Bottleneck::Processor }
        })
    }

    fn device_ceilings(&self, workload: &Workload, inputs: &mut Vec<Input>) -> Known<Ceilings> {
        let Some(accelerators) = self.accelerators() else {
            return Known::unknown("no accelerator");
        };
        let device = &accelerators.device;
        let Some(precision) = precision(workload) else {
            return Known::unknown("64-bit arithmetic is not estimated yet");
        };
        let peak = device.best_peak(precision);
        let Kernels { bandwidth_share, .. } = &self.calibration.kernels;
        let (gap, overhead) = self.rhythm(workload);
        peak.zip(device.bandwidth()).map(|(peak, bandwidth)| {
            inputs.push(Input::of("arithmetic peak", &peak));
            inputs.push(Input::of("memory bandwidth", &bandwidth));
            let (measured, kernels) = (device.measured_16bit().value(), &self.calibration.kernels);
            let [matrix, attention] = kernels.shares(&peak, measured.clone());
            let wide = device.best_peak(Precision::Fp32).value().unwrap_or_else(|| {
                let how =
                    Basis::assumed("the rate of 32-bit floats is not known: as fast as others");
                Sourced::new(peak.value, how)
            });
            inputs.push(Input::of("arithmetic peak of 32-bit floats", &wide));
            inputs.push(Input::of("matrix products reach of the peak", &matrix));
            inputs.push(Input::of("attention reaches of the peak", &attention));
            inputs.push(Input::of("kernels reach of the bandwidth", bandwidth_share));
            inputs.push(Input::of("gap between kernels", gap));
            inputs.push(Input::of("run over kernels", overhead));
            Ceilings {
                arithmetic: kernels.arithmetic(&peak, measured.clone()),
                arithmetic_32bit: kernels.arithmetic(&wide, measured),
                bandwidth: bandwidth_share.value.map(|share| bandwidth.value * share),
                launch: gap.value,
                overhead: overhead.value,
            }
        })
    }

    /// Gaps between kernels and what a run takes over its kernels.
    fn rhythm(&self, workload: &Workload) -> (&Sourced<Span<Duration>>, &Sourced<Span<f64>>) {
        let kernels = &self.calibration.kernels;
        match &workload.task {
            Task::Inference(_) | Task::Evaluation(_) => {
                (&kernels.answering_gap, &kernels.answering_overhead)
            }
            _ => (&kernels.training_gap, &kernels.training_overhead),
        }
    }

    /// What was measured here, or else what is assumed of so many threads.
    fn processor_ceilings(&self, workload: &Workload, inputs: &mut Vec<Input>) -> Known<Ceilings> {
        let (processor, here) = (&self.calibration.processor, &self.calibration.here);
        let precision = precision(workload).unwrap_or(Precision::Fp32);
        let products = match here.products(precision, processor, inputs) {
            Some(measured) => Known::Value(measured),
            None => self.threads_together(inputs, "arithmetic per thread", |use_of| {
                (&use_of.thread_flops, None)
            }),
        };
        let traffic = match here.traffic(traffic(workload), processor, inputs) {
            Some(measured) => Known::Value(measured),
            None => self.threads_together(inputs, "bandwidth per thread", |use_of| {
                (&use_of.thread_bandwidth, Some(&use_of.bandwidth))
            }),
        };
        let (_, overhead) = self.rhythm(workload);
        products.zip(traffic).map(|(products, bandwidth)| Ceilings {
            arithmetic: Arithmetic { matrix: products, attention: products },
            arithmetic_32bit: Arithmetic { matrix: products, attention: products },
            bandwidth,
            launch: Span::exact(Duration::ZERO),
            overhead: overhead.value,
        })
    }

    /// A rate of one thread times the threads, up to what the whole processor can do.
    fn threads_together<T>(
        &self,
        inputs: &mut Vec<Input>,
        what: &'static str,
        rates: impl Fn(&ProcessorUse) -> (&Sourced<Span<T>>, Option<&Sourced<Span<T>>>),
    ) -> Known<Span<T>>
    where
        T: Copy + PartialOrd + std::ops::Mul<f64, Output = T>,
        Span<T>: Into<crate::input::Quantity>,
    {
        let (one, limit) = rates(&self.calibration.processor);
        self.site.machine.threads.as_ref().map(|threads| {
            if !inputs.iter().any(|input| input.what == "hardware threads") {
                inputs.push(Input::of("hardware threads", threads));
            }
            inputs.push(Input::of(what, one));
            let sum = one.value.map(|rate| rate * f64::from(threads.value.max(1)));
            match limit {
                None => sum,
                Some(limit) => {
                    sum.combine(limit.value, |sum, limit| if sum < limit { sum } else { limit })
                }
            }
        })
    }

    /// Energy, cost and carbon follow from time.
    fn consequences(&self, estimate: &mut Estimate) {
        let site = self.site;
        let busy = match estimate.period {
            Period::Run => estimate.work.clone(),
            Period::Month { up } => {
                estimate.work.clone().map(|work| work.map(|time| if time < up { time } else { up }))
            }
        };
        let occupied = estimate.occupied();
        let power = power(site, self.device, self.devices, self.calibration);
        estimate.inputs.push(Input::of("PUE", &site.place.pue));
        if let Known::Value(power) = &power {
            let value = power.busy.into();
            let basis = Basis::derived("power of the parts, or what the machine is stated to draw");
            estimate.inputs.push(Input { what: "power at the wall", value, basis });
        }
        estimate.energy = power.zip(busy).map(|(power, busy)| match estimate.period {
            Period::Run => energy(power, busy, estimate.startup),
            Period::Month { up } => service_energy(power, busy, up),
        });
        let used = estimate.energy.clone().zip(occupied.clone());
        estimate.carbon =
            used.clone().and_then(|(energy, time)| carbon(site, energy, time, self.calibration));
        if let Known::Value(intensity) = &site.place.intensity {
            estimate.inputs.push(Input::of("grid intensity", intensity));
        }
        estimate.cost = match &site.economics {
            Economics::Owned(owned) => used.and_then(|(energy, time)| {
                estimate.inputs.extend(ownership_inputs(owned, self.calibration));
                own_cost(owned, energy, time, self.calibration)
            }),
            Economics::Rented { price, .. } => {
                price.as_ref().zip(occupied).and_then(|(price, time)| {
                    estimate.inputs.push(Input::of("price of an hour", price));
                    rented_cost(price.value, time)
                })
            }
        };
    }
}

/// A month of service must hold the work of its requests.
fn overload(fit: &mut Fit, work: Span<Duration>, up: Duration) {
    if matches!(fit.verdict, Verdict::DoesNotFit | Verdict::Unknown) || work.high() <= up {
        return;
    }
    let text = |work: Duration| format!("requests take {work} a month, it is up {up}");
    match work.low() > up {
        true => (fit.verdict, fit.why) = (Verdict::DoesNotFit, text(work.low()).into()),
        false => (fit.verdict, fit.why) = (Verdict::Uncertain, text(work.high()).into()),
    }
}

/// Compares what is needed with what is there.
pub(crate) fn verdict(needed: Span<Bytes>, available: Span<Bytes>) -> (Verdict, Arc<str>) {
    let (need, have) = (needed.likely(), available.likely());
    if needed.high() <= available.low() {
        let margin = have.saturating_sub(need);
        (Verdict::Fits, format!("needs {need} of {have}, {margin} to spare").into())
    } else if needed.low() > available.high() {
        let missing = needed.low().saturating_sub(available.high());
        (Verdict::DoesNotFit, format!("needs {need}, has {have}: at least {missing} short").into())
    } else {
        (Verdict::Uncertain, format!("needs {needed}, has {available}: too close to tell").into())
    }
}

const fn is_training(workload: &Workload) -> bool {
    matches!(
        workload.task,
        Task::Pretrain(_) | Task::FineTune(_) | Task::Lora(..) | Task::Qlora(..)
    )
}

/// Answering reads weights; training reads and writes.
const fn traffic(workload: &Workload) -> Traffic {
    if is_training(workload) { Traffic::Update } else { Traffic::Read }
}

/// The number format that arithmetic runs in.
fn precision(workload: &Workload) -> Option<Precision> {
    use nearside_architecture::Dtype;
    match workload.recipe.compute {
        Dtype::F64 => None,
        Dtype::F32 => Some(Precision::Fp32),
        Dtype::F16 => Some(Precision::Fp16),
        Dtype::F8 => Some(Precision::Fp8),
        _ => Some(Precision::Bf16),
    }
}

/// What the cost of an own machine was computed from.
fn ownership_inputs(owned: &Ownership, calibration: &Calibration) -> Vec<Input> {
    let machine = &calibration.machine;
    let tariff = owned.tariff.as_ref().value();
    let price = owned.price.as_ref().value();
    let stated = [
        tariff.map(|tariff| Input::of("electricity tariff", tariff)),
        price.map(|price| Input::of("purchase price", price)),
        Some(Input::of("life", &owned.life)),
        Some(Input::of("share of its life in use", &machine.own_use)),
        Some(Input::of("wear over purchase price", &machine.wear_share)),
        Some(Input::of("yearly maintenance", &machine.maintenance)),
    ];
    stated.into_iter().flatten().collect()
}

fn rented_cost(price: PerHour, time: Span<Duration>) -> Known<Cost> {
    match time.try_map(|time| price.times(time)) {
        Ok(cost) => Known::Value(Cost { marginal: cost, full: cost }),
        Err(error) => Known::unknown(error.to_string()),
    }
}
