//! What this program's own engine does on the processor of a site.

use nearside_catalog::Site;
use nearside_units::{Bytes, BytesPerSecond, FlopsPerSecond, Known, Sourced, Span};

use super::WorkingSite;
use crate::calibration::{Calibration, OwnEngine};
use crate::demand::{Holder, Memory, OwnWork};
use crate::engine::nearside::{Format, Phases, Sequence};
use crate::estimate::Device;
use crate::input::Input;
use crate::measured::MachineCeilings;
use crate::observation::decode::DecodeModel;
use crate::roofline::{Bottleneck, Timed};

impl WorkingSite<'_> {
    /// How long sequences take, one after another.
    pub(super) fn own_engine_time(&self, work: &OwnWork, inputs: &mut Vec<Input>) -> Known<Timed> {
        let OwnWork { sequence, sequences } = work;
        self.phases(sequence, inputs).map(|Phases { prompt, token }| {
            let written = token.map(|time| time * sequence.written as f64);
            let time = (prompt + written).map(|time| time * *sequences);
            let unpacked = Format::of(sequence.dtype) == Format::Unpacked;
            let computes = unpacked || prompt.likely() > written.likely();
            let bottleneck =
                if computes { Bottleneck::Compute } else { Bottleneck::MemoryBandwidth };
            Timed { time, bottleneck }
        })
    }

    /// How long a prompt and a token take: as runs here did with such weights, where there were any.
    pub(super) fn phases(&self, sequence: &Sequence, inputs: &mut Vec<Input>) -> Known<Phases> {
        let own = &self.calibration.own_engine;
        let observed = own.observed.get(&sequence.dtype);
        let bandwidth = self.read_bandwidth(inputs);
        let unpacking = self.unpacking(sequence, inputs);
        let products = self.prompt_products(sequence, inputs);
        let attention = self.prompt_attention(inputs);
        let rates = bandwidth.zip(unpacking).zip(products.zip(attention));
        rates.map(|((bandwidth, unpacking), (products, attention))| {
            let format = Format::of(sequence.dtype);
            let prior = sequence.token(&own_decode(own, format, bandwidth), own, unpacking);
            let token = match observed.and_then(|observed| observed.decode.as_ref()) {
                Some(learnt) => {
                    let DecodeModel { efficiency, gap, .. } = learnt.value;
                    let basis = || learnt.basis.clone();
                    let efficiency = Sourced::new(efficiency, basis());
                    inputs.push(Input::of("tokens reach of what is likely", &efficiency));
                    inputs.push(Input::of(
                        "a layer besides its traffic",
                        &Sourced::new(gap, basis()),
                    ));
                    sequence.token(&learnt.value, own, None)
                }
                None => {
                    inputs.push(Input::of("weights reach of that", own.share(format)));
                    inputs.push(Input::of("keys and values reach of that", &own.cache_share));
                    inputs.push(Input::of("a layer besides its traffic", &own.layer_gap));
                    prior
                }
            };
            let prompt = sequence.prompt(prior, products, attention);
            let prompt = match observed.and_then(|observed| observed.prompt.as_ref()) {
                Some(times) => {
                    inputs.push(Input::of("measured over likely time of prompts", times));
                    let likely = prompt.likely();
                    times.value.map(|times| likely * times)
                }
                None => prompt,
            };
            Phases { prompt, token }
        })
    }

    /// How fast main memory is read: as measured, or as assumed of so many threads.
    pub(super) fn read_bandwidth(&self, inputs: &mut Vec<Input>) -> Known<Span<BytesPerSecond>> {
        match &self.calibration.here.read {
            Some(measured) => {
                inputs.push(Input::of("memory read here", measured));
                Known::Value(measured.value)
            }
            None => self.threads_together(inputs, "bandwidth per thread", |processor| {
                (&processor.thread_bandwidth, Some(&processor.bandwidth))
            }),
        }
    }

    /// How fast weights are unpacked that have no kernel.
    fn unpacking(&self, sequence: &Sequence, inputs: &mut Vec<Input>) -> Known<Option<Span<f64>>> {
        if Format::of(sequence.dtype) != Format::Unpacked {
            return Known::Value(None);
        }
        let each = &self.calibration.own_engine.unpacking;
        inputs.push(Input::of("weights unpacked per second and thread", each));
        self.site.machine.threads.as_ref().map(|threads| {
            let threads = f64::from(threads.value.max(1));
            Some(each.value.map(|rate| rate * threads))
        })
    }

    /// How fast a prompt is multiplied with weights.
    fn prompt_products(
        &self,
        sequence: &Sequence,
        inputs: &mut Vec<Input>,
    ) -> Known<Span<FlopsPerSecond>> {
        let own = &self.calibration.own_engine;
        let MachineCeilings { matrix, integer, .. } = &self.calibration.here;
        match Format::of(sequence.dtype) {
            Format::Blocks | Format::Bytes => match integer {
                Some(measured) => {
                    inputs.push(Input::of("8-bit matrix products here", measured));
                    inputs.push(Input::of("prompts reach of those", &own.integer_share));
                    Known::Value(reached(measured, &own.integer_share))
                }
                None => self.threads_together(inputs, "8-bit arithmetic per thread", |processor| {
                    (&processor.thread_integers, None)
                }),
            },
            Format::Floats | Format::Unpacked => {
                inputs.push(Input::of("prompts reach of 32-bit products", &own.float_share));
                self.of_floats(matrix.as_ref(), &own.float_share, inputs)
            }
        }
    }

    fn prompt_attention(&self, inputs: &mut Vec<Input>) -> Known<Span<FlopsPerSecond>> {
        let share = &self.calibration.own_engine.attention_share;
        inputs.push(Input::of("attention reaches of 32-bit products", share));
        self.of_floats(self.calibration.here.matrix.as_ref(), share, inputs)
    }

    /// A share of 32-bit products: as measured, or as assumed of so many threads.
    fn of_floats(
        &self,
        measured: Option<&Sourced<Span<FlopsPerSecond>>>,
        share: &Sourced<Span<f64>>,
        inputs: &mut Vec<Input>,
    ) -> Known<Span<FlopsPerSecond>> {
        match measured {
            Some(measured) => {
                if !inputs.iter().any(|input| input.what == PRODUCTS) {
                    inputs.push(Input::of(PRODUCTS, measured));
                }
                Known::Value(reached(measured, share))
            }
            None => {
                let all = self.threads_together(inputs, "arithmetic per thread", |processor| {
                    (&processor.thread_flops, None)
                });
                all.map(|all| all.combine(share.value, |rate, share| rate * share))
            }
        }
    }

    /// What a process holds of main memory.
    pub(super) fn held_in_main_memory(
        &self,
        memory: &Memory,
        inputs: &mut Vec<Input>,
    ) -> Span<Bytes> {
        if memory.holder != Holder::OwnEngine {
            return Span::exact(memory.total());
        }
        let OwnEngine { resident, program, .. } = &self.calibration.own_engine;
        inputs.push(Input::of("held over counted memory", resident));
        inputs.push(Input::of("program and tokenizer", program));
        resident.value.map(|share| memory.reserved.scaled(share)) + program.value
    }
}

/// How fast the processors of a site read main memory: as measured, or as assumed of so many threads.
#[must_use]
pub fn read_bandwidth(site: &Site, calibration: &Calibration) -> Known<Span<BytesPerSecond>> {
    let working = WorkingSite { site, device: Device::Processor, devices: 1, calibration };
    working.read_bandwidth(&mut Vec::new())
}

/// How long a sequence takes on the processors of a site.
#[must_use]
pub fn own_engine_phases(
    site: &Site,
    calibration: &Calibration,
    sequence: &Sequence,
) -> Known<Phases> {
    let working = WorkingSite { site, device: Device::Processor, devices: 1, calibration };
    working.phases(sequence, &mut Vec::new())
}

/// What a measured product of 32-bit numbers is called.
const PRODUCTS: &str = "32-bit matrix products here";

fn reached(
    measured: &Sourced<Span<FlopsPerSecond>>,
    share: &Sourced<Span<f64>>,
) -> Span<FlopsPerSecond> {
    measured.value.combine(share.value, |rate, share| rate * share)
}

/// What is thought of tokens with such weights before any was measured, counted in [`Sequence::read`]: the width of the
/// bandwidth is part of the efficiency.
pub(crate) fn own_decode(
    own: &OwnEngine,
    format: Format,
    bandwidth: Span<BytesPerSecond>,
) -> DecodeModel {
    let share = own.share(format).value;
    let likely = bandwidth.likely();
    let relative = bandwidth.map(|rate| rate / likely);
    let efficiency = relative.combine(share, |rate, other| rate * other / share.likely());
    DecodeModel { bandwidth: likely, efficiency, gap: own.layer_gap.value }
}
