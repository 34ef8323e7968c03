//! The estimate of one row's figure, in its base unit.

use std::path::Path;

use nearside_architecture::{Dtype, Shape};
use nearside_catalog::Catalog;
use nearside_estimate::allocator::caching::{self, Segments};
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::timeline::{Outputs, Passes, Program, TrainingStep, inference, training};
use nearside_units::Bytes;

use crate::row::{Reason, Row};

/// cuBLAS's default workspace before Hopper: two buffers of 4 MiB and eight of 16 KiB
/// (`CUBLAS_WORKSPACE_CONFIG`, ATen/cuda/CUDABlas.cpp).
const CUBLAS_WORKSPACE: Bytes = Bytes::new(8_519_680);

/// The estimate of one row's figure.
pub(crate) fn figure(row: &Row, catalog: &Catalog, folder: &Path) -> Result<f64, Reason> {
    let architecture = row.architecture(catalog, folder)?;
    let trained = row.trained()?;
    let recipe = row.recipe()?;
    let batch = row.number("batch", 1)?;
    let sequence = row.number("sequence", 1)?;
    let image = match row.cell("image") {
        "" => None,
        _ => Some(row.number("image", 0)?),
    };
    let shape = match trained {
        Trained::Nothing => Shape::prompt(batch, sequence),
        _ => Shape::training(batch, sequence),
    };
    let graph = architecture.graph(Shape { image, ..shape }).ok_or("the family has no graph")?;
    let tape = lower(&graph, &recipe, trained);
    let measured = matches!(row.cell("metric"), "allocated" | "reserved" | "process");
    // A program on a device keeps its outputs in a variable and has called cuBLAS.
    let program = match measured {
        true => Program { workspace: CUBLAS_WORKSPACE, outputs: Outputs::Held },
        false => Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped },
    };
    let step = TrainingStep { optimizer: recipe.optimizer, passes: Passes::One };
    let replayed = match trained {
        Trained::Nothing => inference(&tape, &program),
        _ => training(&tape, &program, &step),
    };
    let segments = Segments::Fixed;
    let bytes = |bytes: Bytes| bytes.get() as f64;
    let taken = || caching::replay(&replayed.events, replayed.steady, segments);
    match row.cell("metric") {
        "parameters" => Ok(graph.parameter_count() as f64),
        "weights" => Ok(bytes(tape.weight_bytes())),
        "optimizer" => Ok(bytes(replayed.optimizer)),
        "saved_activations" => Ok(bytes(replayed.saved)),
        "live_peak" => Ok(bytes(replayed.peak.total())),
        "allocated" => Ok(bytes(taken().allocated)),
        "reserved" => Ok(bytes(taken().reserved)),
        "step_s" => {
            let mut sums = std::collections::BTreeMap::<String, (f64, f64, u32)>::new();
            let busy = |w: &&nearside_estimate::tape::Work| {
                w.bytes > Bytes::ZERO || w.flops.as_flops() > 0.0
            };
            for work in nearside_estimate::demand::training_kernels(&tape).iter().filter(busy) {
                let entry = sums.entry(format!("{:?}{}", work.kernel, work.dtype)).or_default();
                entry.0 += work.flops.as_flops() / 1e12;
                entry.1 += work.bytes.get() as f64 / 1e9;
                entry.2 += 1;
            }
            println!(
                "STEP {} {} {} {} {} {sums:?}",
                row.cell("model"),
                row.cell("attention"),
                row.cell("quant"),
                row.cell("value"),
                batch * sequence
            );
            Err("later".to_owned())
        }
        "kv_cache" => {
            let dtype: Dtype = match row.cell("kv_type") {
                "" => recipe.cache,
                name => name.parse()?,
            };
            let context = row.number("context", sequence)?;
            Ok(bytes(dtype.bytes(graph.cached_elements(context))))
        }
        metric => Err(format!("metric {metric:?} is not estimated yet")),
    }
}
