//! What could make a workload fit: changes to its recipe, each re-estimated, with what they cost.

use nearside_architecture::Dtype;
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, AttentionKernel, Checkpointing, Recipe, Task, Training,
    Workload,
};

/// A change that needs less memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Technique {
    /// What to do, as in `gradient checkpointing`.
    pub name: String,
    /// What it costs besides time.
    pub price: &'static str,
    /// The workload with the change.
    pub workload: Workload,
}

/// Changes worth trying, mildest first; the last ones combine several.
#[must_use]
pub fn techniques(workload: &Workload) -> Vec<Technique> {
    let mut found = Vec::new();
    let mut offer = |name: &str, price: &'static str, workload: Workload| {
        found.push(Technique { name: name.to_owned(), price, workload });
    };
    if let Some(training) = training(&workload.task) {
        let fused = with_recipe(workload, |recipe| recipe.attention = AttentionKernel::Fused);
        if workload.recipe.attention != AttentionKernel::Fused {
            offer("fused attention", "nothing, if padding is avoided", fused.clone());
        }
        let checkpointed = with_recipe(&fused, |recipe| recipe.checkpointing = Checkpointing::Full);
        if workload.recipe.checkpointing != Checkpointing::Full {
            offer("gradient checkpointing", "a second forward pass", checkpointed.clone());
        }
        let small = one_at_a_time(&checkpointed, training);
        if training.batch > 1 {
            offer("checkpointing, batch 1 with accumulation", "smaller kernels", small.clone());
        }
        for technique in adapters(&small) {
            found.push(technique);
        }
    } else if workload.model.is_some() {
        for dtype in [Dtype::Q8_0, Dtype::Q4K] {
            if dtype.bits() < workload.recipe.weights.bits() {
                let smaller = with_recipe(workload, |recipe| recipe.weights = dtype);
                offer(&format!("{dtype} weights"), "some accuracy", smaller);
            }
        }
    }
    found
}

const fn training(task: &Task) -> Option<Training> {
    match task {
        Task::Pretrain(training)
        | Task::FineTune(training)
        | Task::Lora(training, _)
        | Task::Qlora(training, _) => Some(*training),
        Task::Inference(_) | Task::Evaluation(_) | Task::Preparation(_) | Task::Custom(_) => None,
    }
}

fn with_recipe(workload: &Workload, change: impl FnOnce(&mut Recipe)) -> Workload {
    let mut changed = workload.clone();
    change(&mut changed.recipe);
    changed
}

/// The same effective batch, one sequence at a time.
fn one_at_a_time(workload: &Workload, training: Training) -> Workload {
    let small =
        Training { batch: 1, accumulation: training.accumulation * training.batch, ..training };
    let task = match &workload.task {
        Task::Pretrain(_) => Task::Pretrain(small),
        Task::FineTune(_) => Task::FineTune(small),
        Task::Lora(_, adapter) => Task::Lora(small, *adapter),
        Task::Qlora(_, adapter) => Task::Qlora(small, *adapter),
        other => other.clone(),
    };
    Workload { task, ..workload.clone() }
}

/// Fewer trained weights, then weights in fewer bits.
fn adapters(workload: &Workload) -> Vec<Technique> {
    let adapter =
        Adapter { rank: 16, targets: AdapterTargets::Linear, method: AdapterMethod::Lora };
    let lora = |training: Training| Technique {
        name: "LoRA (rank 16), checkpointing, batch 1".to_owned(),
        price: "trains adapters only",
        workload: Workload { task: Task::Lora(training, adapter), ..workload.clone() },
    };
    let qlora = |training: Training, adapter: Adapter| Technique {
        name: "QLoRA (4-bit weights), checkpointing, batch 1".to_owned(),
        price: "some accuracy, slower kernels",
        workload: Workload {
            task: Task::Qlora(training, adapter),
            ..with_recipe(workload, |recipe| recipe.weights = Dtype::Nf4)
        },
    };
    match &workload.task {
        Task::FineTune(training) => vec![lora(*training), qlora(*training, adapter)],
        Task::Lora(training, adapter) => vec![qlora(*training, *adapter)],
        _ => Vec::new(),
    }
}
