//! A row of a file of published or measured figures, read into the words of a workload.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use nearside_architecture::{Architecture, Dtype, header};
use nearside_catalog::Catalog;
use nearside_estimate::lowering::Trained;
use nearside_workload::{
    Adapter, AdapterTargets, AttentionKernel, Checkpointing, Optimizer, Parallelism, Recipe,
};

/// A row as it is written: column to cell.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    cells: BTreeMap<String, String>,
}

/// Why a row is not scored.
pub(crate) type Reason = String;

impl Row {
    /// Reads every row of a CSV file.
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>, Box<dyn Error>> {
        let mut reader =
            csv::Reader::from_path(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let heads = reader.headers()?.clone();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record?;
            let cells = heads.iter().zip(&record);
            let cells = cells.map(|(head, cell)| (head.to_owned(), cell.trim().to_owned()));
            rows.push(Self { cells: cells.collect() });
        }
        Ok(rows)
    }

    /// A cell, empty where there is none.
    pub(crate) fn cell(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// A whole number, or `default` where the cell is empty.
    pub(crate) fn number(&self, column: &str, default: u64) -> Result<u64, Reason> {
        match self.cell(column) {
            "" => Ok(default),
            cell => cell.parse().map_err(|_| format!("{column} {cell:?} is no whole number")),
        }
    }

    /// The measured value in bytes, seconds or tokens per second.
    pub(crate) fn value(&self) -> Result<f64, Reason> {
        let value: f64 = self
            .cell("value")
            .parse()
            .map_err(|_| format!("value {:?} is no number", self.cell("value")))?;
        let factor = match self.cell("unit") {
            "" | "B" | "bytes" | "count" | "s" | "tok/s" | "tokens/s" | "tokens" => 1.0,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            "MB" => 1e6,
            "GB" => 1e9,
            "ms" => 1e-3,
            unit => return Err(format!("unit {unit:?} is not known")),
        };
        match value * factor {
            value if value > 0.0 && value.is_finite() => Ok(value),
            _ => Err("the value is not positive".to_owned()),
        }
    }

    /// What the row is about, without its figure.
    pub(crate) fn label(&self) -> String {
        let words = [
            "model",
            "task",
            "dtype",
            "autocast",
            "attention",
            "checkpointing",
            "optimizer",
            "batch",
            "sequence",
            "image",
            "context",
            "kv_type",
            "gpu_layers",
            "lora_rank",
            "quant",
            "runtime",
            "device",
        ];
        let said = words.iter().map(|word| self.cell(word)).filter(|cell| !cell.is_empty());
        said.collect::<Vec<_>>().join(" ")
    }

    /// The model, by its name in the catalog or from a file relative to `folder`.
    pub(crate) fn architecture(
        &self,
        catalog: &Catalog,
        folder: &Path,
    ) -> Result<Architecture, Reason> {
        let name = self.cell("model");
        let path = folder.join(name);
        if !path.is_file() {
            let model = catalog.model(name).map_err(|error| error.to_string())?;
            return model.architecture().map_err(|error| error.to_string());
        }
        let bytes = std::fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        header::config::parse(&bytes).map_err(|error| error.in_file(name))
    }

    /// Which weights are trained.
    pub(crate) fn trained(&self) -> Result<Trained, Reason> {
        match self.cell("task") {
            "full" | "train" | "fine-tune" | "pretrain" => Ok(Trained::Everything),
            "lora" | "qlora" => Ok(Trained::Adapters(Adapter {
                rank: self.number("lora_rank", 16)?,
                targets: self.targets()?,
                method: nearside_workload::AdapterMethod::Lora,
            })),
            "prefill" | "infer" | "decode" | "encode" => Ok(Trained::Nothing),
            task => Err(format!("task {task:?} is not known")),
        }
    }

    fn targets(&self) -> Result<AdapterTargets, Reason> {
        match self.cell("lora_targets") {
            "" | "all-linear" | "linear" => Ok(AdapterTargets::Linear),
            "qkvo" | "attention" | "q_proj+k_proj+v_proj+o_proj" => Ok(AdapterTargets::Attention),
            "qv" | "query-value" | "q_proj+v_proj" => Ok(AdapterTargets::QueryValue),
            targets => Err(format!("adapter targets {targets:?} are not known")),
        }
    }

    /// Precision, optimizer, kernels, checkpointing.
    pub(crate) fn recipe(&self) -> Result<Recipe, Reason> {
        let dtype = |text: &str| text.parse::<Dtype>();
        let stored = match self.cell("dtype") {
            "" => Dtype::Bf16,
            name => dtype(name)?,
        };
        let (weights, compute) = match (self.cell("autocast"), self.cell("quant")) {
            (_, packed @ ("nf4" | "nf4-double")) => (dtype(packed)?, stored),
            ("" | "none" | "0" | "false", _) => (stored, stored),
            (autocast, _) => (stored, dtype(autocast)?),
        };
        Ok(Recipe {
            weights,
            compute,
            cache: compute,
            loss: nearside_workload::VocabularyLoss::Whole,
            optimizer: self.optimizer()?,
            attention: self.attention()?,
            checkpointing: match self.cell("checkpointing") {
                "" | "none" | "0" => Checkpointing::None,
                "full" | "1" => Checkpointing::Full,
                other => return Err(format!("checkpointing {other:?} is not known")),
            },
            parallelism: Parallelism::default(),
        })
    }

    fn optimizer(&self) -> Result<Optimizer, Reason> {
        match self.cell("optimizer") {
            "" | "-" | "none" => Ok(Optimizer::AdamWForeach),
            "adamw_foreach" => Ok(Optimizer::AdamWForeach),
            "sgd_mom" => Ok(Optimizer::SgdMomentum),
            name => name.parse(),
        }
    }

    /// Devices before compute capability 8.0 have no flash attention.
    fn attention(&self) -> Result<AttentionKernel, Reason> {
        let kernel = match self.cell("attention") {
            "" | "-" | "none" => AttentionKernel::Fused,
            "sdpa" => AttentionKernel::Masked,
            name => name.parse()?,
        };
        let old = matches!(self.cell("device"), "t4" | "tesla-t4");
        Ok(if old && kernel == AttentionKernel::Fused {
            AttentionKernel::Efficient
        } else {
            kernel
        })
    }
}
