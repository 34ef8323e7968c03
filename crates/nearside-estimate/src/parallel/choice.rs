//! Which way of sharing is tried when a workload does not fit one device: mildest first.

use nearside_workload::{Choice, Offload, Parallelism, Sharding, Stream, Task, Workload};

use super::used_devices;

/// Ways to share a workload among `devices`, mildest first: nothing for the user to change but a
/// setting of the trainer, then shared products, which the program must be written for. What leaves
/// one device with all of it is none.
#[must_use]
pub(crate) fn candidates(workload: &Workload, devices: u64) -> Vec<Parallelism> {
    let plain = Parallelism {
        choice: Choice::Automatic,
        sharding: Sharding::None,
        tensor: 1,
        pipeline: 1,
        stream: Stream::Whole,
        offload: Offload::None,
        host_layers: 0,
    };
    if devices < 2 || workload.recipe.parallelism.choice == Choice::Stated {
        return Vec::new();
    }
    let sharded = [Sharding::Zero1, Sharding::Zero2, Sharding::Fsdp]
        .map(|sharding| Parallelism { sharding, ..plain });
    let tensor = |ways: u64| Parallelism { tensor: ways, ..plain };
    let ways = (1..=devices.ilog2()).map(|power| 1 << power).filter(|ways| *ways <= devices);
    match &workload.task {
        Task::Pretrain(training)
        | Task::FineTune(training)
        | Task::Lora(training, _)
        | Task::Qlora(training, _) => {
            let all = sharded.into_iter().chain(ways.map(tensor));
            let shares = |way: &Parallelism| used_devices(way, devices, training.batch) > 1;
            all.filter(shares).collect()
        }
        Task::Inference(_) | Task::Evaluation(_) => ways.map(tensor).collect(),
        Task::Preparation(_) | Task::Custom(_) => Vec::new(),
    }
}
