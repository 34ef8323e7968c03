//! How much work a run is: tokens and images, by its workload.

use nearside_architecture::Architecture;
use nearside_units::Known;
use nearside_workload::{Task, Workload};

/// Tokens and images of one run, or of a month of service.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// Tokens that a model reads and writes, in millions.
    pub million_tokens: Known<f64>,
    /// Images.
    pub images: Known<f64>,
}

/// Of the workloads of a stage, each with how many trials have it. A request to a model that makes
/// pictures is one image; other models read and write tokens.
#[must_use]
pub fn volume(workloads: &[(Workload, u32)]) -> Volume {
    let none = |what: &str| Known::unknown(format!("its workload states no {what}"));
    let zero = Volume { million_tokens: none("tokens"), images: none("images") };
    workloads.iter().fold(zero, |sum, (workload, trials)| {
        let trials = f64::from(*trials);
        match units(workload) {
            Some(Units::Tokens(tokens)) => Volume {
                million_tokens: more(sum.million_tokens, tokens as f64 / 1e6 * trials),
                ..sum
            },
            Some(Units::Images(images)) => {
                Volume { images: more(sum.images, images as f64 * trials), ..sum }
            }
            None => sum,
        }
    })
}

fn more(sum: Known<f64>, part: f64) -> Known<f64> {
    Known::Value(sum.value().unwrap_or(0.0) + part)
}

enum Units {
    Tokens(u64),
    Images(u64),
}

fn units(workload: &Workload) -> Option<Units> {
    let (requests, each) = match &workload.task {
        Task::Inference(serving) => (serving.requests, serving.prompt + serving.output),
        Task::Evaluation(batch) => (batch.requests, batch.prompt + batch.output),
        task => return task.training().map(|training| Units::Tokens(training.tokens)),
    };
    let pictures = workload.model.as_ref().is_some_and(|model| {
        matches!(
            model.architecture.as_ref(),
            Architecture::Unet(_)
                | Architecture::DenoisingTransformer(_)
                | Architecture::Vae(_)
                | Architecture::Pipeline(_)
        )
    });
    Some(match pictures {
        true => Units::Images(requests),
        false => Units::Tokens(requests.saturating_mul(each)),
    })
}
