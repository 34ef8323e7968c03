//! What answering asks of a machine: reading prompts, writing tokens, and the memory of the engine
//! that does it. On a processor one request after another is answered by this program's own engine
//! ([`crate::engine::nearside`]), where it computes the model: from weights in blocks, and from the files of others
//! that are there. Else weights in blocks are llama.cpp's, whose buffers are known exactly
//! ([`crate::engine::llama_cpp`]); others are served by a PyTorch pass with a cache.

mod host_layers;
mod own_engine;

use nearside_architecture::{Answers, Architecture, Dtype, Graph, Shape};
use nearside_units::Bytes;
use nearside_workload::{AttentionKernel, Batch, Recipe, Serving, Workload};

use crate::communication::{Exchange, Overlap};
use crate::demand::{
    Demand, Holder, MOST_BYTES, Memory, NotEstimated, PROGRAM, Pass, architecture, bounded,
    counted, held, reserving,
};
use crate::engine::llama_cpp::{
    Accelerator, Buffers, Family, Mix, Model, Offload, Outputs, Settings, Sharing, reserve,
};
use crate::estimate::Device;
use crate::lowering::{Trained, lower};
use crate::parallel::training::HostShare;
use crate::parallel::{Groups, NotShared, tensor};
use crate::pictures;
use crate::tape::{Category, Kernel, Tape, Work};
use crate::timeline;

/// Tokens of a prompt that serving engines work on at once (llama.cpp's and vLLM's default chunk).
const PROMPT_CHUNK: u64 = 512;

pub(crate) fn of_evaluation(
    workload: &Workload,
    batch: &Batch,
    (place, devices): (Device, u64),
) -> Result<Demand, NotEstimated> {
    let rounds = batch.requests.div_ceil(batch.batch) as f64;
    if pictures::are_made(architecture(workload)?) {
        return pictures::demand(workload, Shape::images(batch.batch, workload.image), rounds);
    }
    let request = Request { prompt: batch.prompt, output: batch.output };
    let shape = match architecture(workload)?.answers() {
        Answers::Written => Shape::reading(batch.batch, batch.prompt, 1),
        Answers::Continued | Answers::AtOnce => Shape::prompt(batch.batch, batch.prompt),
    };
    let answering =
        Answering { prompts: shape, rounds, together: batch.batch, decoded: rounds, devices };
    answer(workload, request, &answering, place)
}

pub(crate) fn of_serving(
    workload: &Workload,
    serving: &Serving,
    (place, devices): (Device, u64),
) -> Result<Demand, NotEstimated> {
    if pictures::are_made(architecture(workload)?) {
        let rounds = serving.requests as f64 / serving.concurrency.max(1) as f64;
        return pictures::demand(
            workload,
            Shape::images(serving.concurrency, workload.image),
            rounds,
        );
    }
    let request = Request { prompt: serving.prompt, output: serving.output };
    let (together, requests) = (serving.concurrency, serving.requests as f64);
    let decoded = requests / together as f64;
    let whole = match architecture(workload)?.answers() {
        Answers::Continued => None,
        Answers::AtOnce => Some((Shape::prompt(together, serving.prompt), decoded)),
        Answers::Written => Some((Shape::reading(1, serving.prompt, 1), requests)),
    };
    if let Some((prompts, rounds)) = whole {
        let answering = Answering { prompts, rounds, together, decoded, devices };
        return answer(workload, request, &answering, place);
    }
    let chunk = serving.prompt.clamp(1, PROMPT_CHUNK);
    let chunks = serving.prompt.div_ceil(chunk) as f64 * serving.requests as f64;
    let answering = Answering {
        // A chunk sees on average half of the prompt before it.
        prompts: Shape { past: (serving.prompt - chunk) / 2, ..Shape::prompt(1, chunk) },
        rounds: chunks,
        together,
        decoded,
        devices,
    };
    answer(workload, request, &answering, place)
}

#[derive(Clone, Copy)]
struct Request {
    prompt: u64,
    output: u64,
}

/// How requests are put through the model.
struct Answering {
    /// One prompt pass.
    prompts: Shape,
    /// How many prompt passes.
    rounds: f64,
    /// Requests whose tokens are written together, and whose cache is held.
    together: u64,
    /// How many groups of requests are written.
    decoded: f64,
    /// Devices that share the model.
    devices: u64,
}

fn answer(
    workload: &Workload,
    request: Request,
    answering: &Answering,
    place: Device,
) -> Result<Demand, NotEstimated> {
    match own_engine::answers(workload, answering.together, place) {
        Some(decoder) => {
            let tokens = [request.prompt, request.output];
            own_engine::demand(workload, decoder, answering.decoded, tokens)
        }
        None => of_another_engine(workload, request, answering, place),
    }
}

fn of_another_engine(
    workload: &Workload,
    request: Request,
    answering: &Answering,
    place: Device,
) -> Result<Demand, NotEstimated> {
    let architecture = architecture(workload)?;
    let recipe = &workload.recipe;
    let Groups { tensor: ways, .. } = Groups::of(&recipe.parallelism, answering.devices.max(1))?;
    let share = |shape| -> Result<tensor::Share, NotEstimated> {
        let shape = Shape { image: workload.image, ..shape };
        let graph = bounded(architecture, shape, recipe)?;
        Ok(tensor::share(&graph, ways, recipe.parallelism.stream)?)
    };
    let prompts = share(answering.prompts)?;
    let graph = &prompts.graph;
    let tape = lower(graph, recipe, Trained::Nothing);
    let answers = architecture.answers();
    let packed = packed(architecture, recipe).filter(|_| ways == 1);
    if recipe.parallelism.host_layers > 0 && packed.is_none() {
        return Err(NotShared::HostLayers.into());
    }
    if answers == Answers::AtOnce {
        return Ok(at_once(workload, &tape, answering.rounds));
    }
    // Half of what is written is there on average.
    let next = match answers {
        Answers::Written => Shape {
            past: (request.output / 2).max(1),
            ..Shape::reading(answering.together, request.prompt, 1)
        },
        _ => Shape::next_token(answering.together, request.prompt + request.output / 2),
    };
    let writes = share(next)?;
    let next_graph = &writes.graph;
    // One new token is read by every engine with a fused kernel.
    let next_recipe = Recipe { attention: AttentionKernel::Fused, ..*recipe };
    let next_tape = lower(next_graph, &next_recipe, Trained::Nothing);
    let forward = |tape: &Tape| counted(tape.steps.iter().map(|step| step.forward));
    // A state is read and written again.
    let read = recipe.cache.bytes(next_graph.cached_elements(next.past))
        + next_graph.state_bytes(recipe.compute) * 2;
    let cached = Work { bytes: read, ..Work::NONE };
    let (memory, host, mut writing) = match &packed {
        Some(model) => {
            let (memory, host) = engine_memory(model, workload, request, answering, place, &tape)?;
            let read = model.traffic().bytes;
            (memory, host, unpacked_once(forward(&next_tape), read))
        }
        None => {
            let memory = pass_memory(workload, [&tape, &next_tape], graph, request, answering)?;
            (memory, Buffers::default(), forward(&next_tape))
        }
    };
    writing.push((cached, 1));
    let written = answering.decoded * request.output as f64;
    let mut demand = Demand {
        load: memory.by_category.get(&Category::Weights).copied().unwrap_or(Bytes::ZERO),
        memory,
        passes: vec![
            Pass { name: "read prompts", repeats: answering.rounds, kernels: forward(&tape) },
            Pass { name: "write tokens", repeats: written, kernels: writing },
        ],
        exchanges: exchanges(&prompts, recipe, ways, answering.rounds)
            .chain(exchanges(&writes, recipe, ways, written))
            .collect(),
        host: HostShare::default(),
        sharing: recipe.parallelism.words(),
        core_seconds: 0.0,
        own_engine: None,
    };
    let layers = recipe.parallelism.host_layers;
    if let (Some(model), 1.., Device::Accelerator) = (&packed, layers, place) {
        let Answering { prompts, rounds, .. } = *answering;
        let reading = host_layers::Reading { tokens: prompts.batch * prompts.tokens, rounds };
        host_layers::leave(&mut demand, model, layers, host, reading);
    }
    Ok(demand)
}

/// What devices that share a model send each other in so many passes.
fn exchanges<'a>(
    share: &'a tensor::Share,
    recipe: &'a Recipe,
    members: u64,
    repeats: f64,
) -> impl Iterator<Item = Exchange> + 'a {
    share.forward.iter().map(move |(collective, elements)| Exchange {
        collective: *collective,
        bytes: recipe.compute.bytes(*elements),
        members,
        repeats,
        overlap: Overlap::Exposed,
    })
}

/// Answers that one pass makes.
fn at_once(workload: &Workload, tape: &Tape, rounds: f64) -> Demand {
    let mut memory = held(tape, timeline::inference_heard(tape, &PROGRAM, reserving()));
    replace_weights(&mut memory, stored(workload));
    Demand {
        load: memory.by_category.get(&Category::Weights).copied().unwrap_or(Bytes::ZERO),
        memory,
        passes: vec![Pass {
            name: "encode",
            repeats: rounds,
            kernels: counted(tape.steps.iter().map(|step| step.forward)),
        }],
        exchanges: Vec::new(),
        host: HostShare::default(),
        sharing: None,
        core_seconds: 0.0,
        own_engine: None,
    }
}

/// The weights of a file instead of those that a recipe gives.
fn replace_weights(memory: &mut Memory, stored: Option<Bytes>) {
    if let Some(stored) = stored {
        let weights = memory.by_category.insert(Category::Weights, stored);
        let others = memory.reserved.saturating_sub(weights.unwrap_or(Bytes::ZERO));
        memory.reserved = others + stored;
    }
}

/// The model as llama.cpp would load it, where its weights are in blocks or it is told to leave layers
/// to the processor, and its graph is known.
fn packed(architecture: &Architecture, recipe: &Recipe) -> Option<Model> {
    let Architecture::Decoder(decoder) = architecture else { return None };
    let asked = recipe.parallelism.host_layers > 0;
    let mix = Mix::of(recipe.weights).filter(|mix| asked || !mix.dtype().is_float())?;
    Model::from_decoder(decoder, Family::of(decoder), mix).ok()
}

/// The kernels of a token whose products read the mixed weights of a file instead of one type.
fn unpacked_once(kernels: Vec<(Work, u32)>, weights: Bytes) -> Vec<(Work, u32)> {
    let without = |(work, count): (Work, u32)| match work.kernel {
        Kernel::Matrix => (Work { bytes: Bytes::new(1), ..work }, count),
        _ => (work, count),
    };
    let mut kernels: Vec<_> = kernels.into_iter().map(without).collect();
    kernels.push((Work { bytes: weights, ..Work::NONE }, 1));
    kernels
}

/// llama.cpp's buffers on the accelerator, or all of them where there is none; and those in main
/// memory.
fn engine_memory(
    model: &Model,
    workload: &Workload,
    request: Request,
    answering: &Answering,
    place: Device,
    tape: &Tape,
) -> Result<(Memory, Buffers), NotEstimated> {
    let context = request.prompt + request.output;
    let tokens = u128::from(context) * u128::from(answering.together);
    let too_large = || NotEstimated::TooLarge { tokens };
    let narrow = |dtype: Dtype| if dtype == Dtype::Bf16 { Dtype::F16 } else { dtype };
    let cache = narrow(workload.recipe.cache);
    let settings = Settings {
        context: context.checked_mul(answering.together).ok_or_else(too_large)?,
        sequences: answering.together,
        sharing: Sharing::Separate,
        key_type: cache,
        value_type: cache,
        outputs: Outputs::AtMost(answering.together),
        offload: match place {
            Device::Accelerator => {
                // The output layer is one more.
                let layers = model.layers() + 1;
                let layers = layers.saturating_sub(workload.recipe.parallelism.host_layers);
                Some(Offload { accelerator: Accelerator::Cuda, layers })
            }
            Device::Processor => None,
        },
        ..Settings::default()
    };
    let reservation = reserve(model, &settings)?;
    let all = model.bytes().get().max(1);
    // A file of its own mix: the same share of its bytes lies here.
    let as_stored = |buffers: Buffers| {
        let share = buffers.weights.get() as f64 / all as f64;
        let weights = stored(workload).map_or(buffers.weights, |stored| stored.scaled(share));
        Buffers { weights, ..buffers }
    };
    let host = as_stored(reservation.host);
    let Buffers { weights, cache, compute, output } = match place {
        Device::Accelerator => as_stored(reservation.device),
        Device::Processor => host,
    };
    let by_category = [
        (Category::Weights, weights),
        (Category::Cache, cache),
        (Category::Activations, compute),
        (Category::Logits, output),
    ];
    let by_category: std::collections::BTreeMap<_, _> =
        by_category.into_iter().filter(|(_, bytes)| *bytes > Bytes::ZERO).collect();
    let parameters = tape.weights().map(|weight| tape.of(weight).elements).sum();
    let memory = Memory {
        reserved: by_category.values().copied().sum(),
        by_category,
        holder: Holder::Engine,
        place: "loading".to_owned(),
        parameters,
        trained: 0,
    };
    Ok((memory, host))
}

/// All tensors of the model's file, where it is of the type that is asked for.
fn stored(workload: &Workload) -> Option<Bytes> {
    let stored = workload.model.as_ref()?.stored?;
    (stored.dtype == workload.recipe.weights).then_some(stored.bytes)
}

/// The larger of a pass over a prompt and a pass that writes tokens, with the whole cache.
fn pass_memory(
    workload: &Workload,
    [reading, writing]: [&Tape; 2],
    graph: &Graph,
    request: Request,
    answering: &Answering,
) -> Result<Memory, NotEstimated> {
    let context = match architecture(workload)?.answers() {
        Answers::Written => request.output,
        _ => request.prompt + request.output,
    };
    let batch = answering.prompts.batch.max(1);
    let together = u128::from(answering.together);
    let cached = u128::from(graph.cached_elements(context) / batch) * together;
    let cached = u64::try_from(cached).ok().filter(|cached| u128::from(*cached) * 8 < MOST_BYTES);
    let too_large = || NotEstimated::TooLarge { tokens: u128::from(context) * together };
    let Recipe { cache, compute, .. } = workload.recipe;
    let state = u128::from(graph.state_bytes(compute).get() / batch) * together;
    let state = u64::try_from(state).ok().filter(|state| u128::from(*state) < MOST_BYTES);
    let state = Bytes::new(state.ok_or_else(too_large)?);
    let cache = cache.bytes(cached.ok_or_else(too_large)?) + state;
    let weights = stored(workload).unwrap_or_else(|| reading.loaded_bytes());
    let of = |tape: &Tape| {
        let replayed = timeline::inference_heard(tape, &PROGRAM, reserving());
        let mut memory = held(tape, replayed);
        let pass = memory.by_category.insert(Category::Cache, cache).unwrap_or(Bytes::ZERO);
        memory.reserved += cache.saturating_sub(pass);
        // Whatever a pass uses, all weights are there.
        replace_weights(&mut memory, Some(weights));
        memory
    };
    let (reading, writing) = (of(reading), of(writing));
    Ok(if writing.reserved > reading.reserved { writing } else { reading })
}
