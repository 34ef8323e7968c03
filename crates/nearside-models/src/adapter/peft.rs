//! A folder of PEFT: `adapter_config.json`, and `adapter_model.safetensors` with `NAME.lora_A.weight` and
//! `NAME.lora_B.weight` for every module that is changed.
//!
//! `scale = alpha / r`, or `alpha / sqrt(r)` with `use_rslora`; ranks and alphas of single modules are in
//! `rank_pattern` and `alpha_pattern`. Source: `peft/tuners/lora/` of PEFT 0.21. `fan_in_fan_out` is for modules that
//! store their weights the other way round, which no family here has; PEFT leaves it out of account then, and so do we.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nearside_architecture::Dtype;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::file::{TensorInfo, WriteError, write_safetensors_file};
use crate::matrix::Matrix;
use crate::stored::{self, Naming, StoredModel, StoredTensor};

use super::target::Target;
use super::{Adapter, AdapterError, LowRank};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
const PICKLE: &str = "adapter_model.bin";
/// What PEFT puts before the names of modules.
const PREFIX: &str = "base_model.model.";

/// The fields that are computed with.
#[derive(Deserialize)]
struct Fields {
    r: u64,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    rank_pattern: BTreeMap<String, u64>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
    base_model_name_or_path: Option<String>,
}

/// The halves of a change, with the name of the first that was found.
#[derive(Default)]
struct Halves<'a> {
    a: Option<&'a StoredTensor>,
    b: Option<&'a StoredTensor>,
    name: String,
}

pub(super) fn read(folder: &Path, targets: &[Target]) -> Result<Adapter, AdapterError> {
    let fields = configuration(folder)?;
    let path = folder.join(WEIGHTS);
    if !path.is_file() {
        let pickled = folder.join(PICKLE).is_file();
        let reason = match pickled {
            true => format!(
                "its weights are a pickle ({PICKLE}), which can run any program and is never opened; save them as safetensors"
            ),
            false => format!("there is no {WEIGHTS} in it"),
        };
        return Err(AdapterError::NoAdapter { path: folder.to_owned(), reason });
    }
    let tensors = stored::safetensors(&path)?;
    let mut modules: BTreeMap<&str, Halves<'_>> = BTreeMap::new();
    for (name, tensor) in &tensors {
        let (module, is_a) = half(name).ok_or_else(|| no_change(name))?;
        let halves = modules.entry(module).or_default();
        halves.name.clone_from(name);
        let half = if is_a { &mut halves.a } else { &mut halves.b };
        if half.replace(tensor).is_some() {
            return Err(AdapterError::Twice { name: name.clone() });
        }
    }
    let by_module: BTreeMap<String, &Target> = targets
        .iter()
        .flat_map(|target| target.modules().into_iter().map(move |name| (name, target)))
        .collect();
    let mut adapter =
        Adapter { base: fields.base_model_name_or_path.clone(), ..Adapter::default() };
    for (module, halves) in modules {
        let of_layers = module.find("layers.").and_then(|at| module.get(at..)).unwrap_or(module);
        let no_matrix = || AdapterError::NoMatrix { name: module.to_owned() };
        let target = by_module.get(of_layers).ok_or_else(no_matrix)?;
        let Halves { a: Some(a), b: Some(b), .. } = halves else {
            return Err(AdapterError::Half { name: halves.name });
        };
        let change = fields.change(module, a, b)?;
        adapter.add(target, change, || module.to_owned())?;
    }
    match adapter.changes.is_empty() {
        true => Err(AdapterError::NoAdapter { path, reason: "it changes nothing".to_owned() }),
        false => Ok(adapter),
    }
}

fn no_change(name: &str) -> AdapterError {
    AdapterError::NoChange { name: name.to_owned() }
}

/// The module that a tensor is a half of, and whether it is `A`. Files may have the adapter's name in it.
fn half(name: &str) -> Option<(&str, bool)> {
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    let name = name.strip_suffix(".weight")?;
    [(".lora_A", true), (".lora_B", false)].into_iter().find_map(|(word, is_a)| {
        let (module, rest) = name.rsplit_once(word)?;
        (rest.is_empty() || rest == ".default").then_some((module, is_a))
    })
}

/// Reads the configuration, and refuses what asks for something else than low-rank changes.
fn configuration(folder: &Path) -> Result<Fields, AdapterError> {
    let path = folder.join(CONFIG);
    if !path.is_file() {
        let (path, reason) = (folder.to_owned(), format!("there is no {CONFIG} in it"));
        return Err(AdapterError::NoAdapter { path, reason });
    }
    let bytes =
        fs::read(&path).map_err(|error| AdapterError::File { path: path.clone(), error })?;
    let no_adapter = |error: serde_json::Error| AdapterError::NoAdapter {
        path: path.clone(),
        reason: error.to_string(),
    };
    let all: Value = serde_json::from_slice(&bytes).map_err(no_adapter)?;
    let off = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    let initial = |value: &Value| {
        let changes_base = |name: &str| {
            ["pissa", "olora", "corda", "loftq", "lora_ga"]
                .iter()
                .any(|other| name.starts_with(other))
        };
        value.as_str().is_none_or(|name| !changes_base(&name.to_lowercase()))
    };
    let is = |expected: &'static str| move |value: &Value| value.as_str() == Some(expected);
    let none = |value: &Value| value.is_null() || value.as_str() == Some("none");
    let only = "and only matrices that are there are changed here";
    type Allowed<'a> = &'a dyn Fn(&Value) -> bool;
    let rules: [(&str, Allowed<'_>, &'static str); 10] = [
        ("peft_type", &is("LORA"), "LORA is read here"),
        ("use_dora", &off, "which divides by norms that are not computed here"),
        ("use_qalora", &off, "which is not computed here"),
        (
            "alora_invocation_tokens",
            &off,
            "and adapters that begin within a text are not computed here",
        ),
        ("bias", &none, "and biases are not changed here"),
        ("lora_bias", &off, "and biases are not changed here"),
        ("modules_to_save", &off, only),
        ("trainable_token_indices", &off, only),
        ("target_parameters", &off, only),
        (
            "init_lora_weights",
            &initial,
            "and the model that it changes is another one than was published",
        ),
    ];
    for (field, allowed, instead) in rules {
        let found = all.get(field).unwrap_or(&Value::Null);
        if !allowed(found) {
            let (field, found) = (field.to_owned(), found.to_string().chars().take(80).collect());
            return Err(AdapterError::Field { field, found, instead });
        }
    }
    serde_json::from_value(all).map_err(no_adapter)
}

impl Fields {
    fn change(
        &self,
        module: &str,
        a: &StoredTensor,
        b: &StoredTensor,
    ) -> Result<LowRank, AdapterError> {
        let rank = of_module("rank_pattern", &self.rank_pattern, module)?.unwrap_or(self.r);
        let alpha =
            of_module("alpha_pattern", &self.alpha_pattern, module)?.unwrap_or(self.lora_alpha);
        let divisor = if self.use_rslora { (rank as f64).sqrt() } else { rank as f64 };
        let wrong = || AdapterError::Halves {
            name: module.to_owned(),
            halves: [a.shape.clone(), b.shape.clone()],
            rank,
        };
        let ([found, width], [rows, other]) = (a.shape.as_slice(), b.shape.as_slice()) else {
            return Err(wrong());
        };
        if *found != rank || *other != rank || rank == 0 {
            return Err(wrong());
        }
        let [rows, width, rank] = [*rows, *width, rank].map(|size| size as usize);
        let (a, b) = (numbers(a, [rank, width]), numbers(b, [rows, rank]));
        let scale = (alpha / divisor) as f32;
        a.zip(b)
            .and_then(|(a, b)| LowRank::new([rows, width, rank], &a, &b, scale))
            .ok_or_else(wrong)
    }
}

fn numbers(tensor: &StoredTensor, [rows, width]: [usize; 2]) -> Option<Vec<f32>> {
    let matrix = Matrix::new(tensor.dtype, rows, width, tensor.bytes.clone())?;
    matrix.numbers().ok().filter(|numbers| numbers.iter().all(|number| number.is_finite()))
}

/// What a pattern says of a module: the name of one, or the end of names from a dot on. PEFT takes them as regular
/// expressions, of which only escaped dots and a `^` in front are read here.
fn of_module<T: Copy + PartialEq>(
    field: &str,
    patterns: &BTreeMap<String, T>,
    module: &str,
) -> Result<Option<T>, AdapterError> {
    let mut found = None;
    for (pattern, value) in patterns {
        let plain = pattern.replace("\\.", ".");
        let (plain, whole) = match plain.strip_prefix('^') {
            Some(plain) => (plain, true),
            None => (plain.as_str(), false),
        };
        if plain.contains(['\\', '*', '+', '?', '(', '[', '{', '|', '$', '^']) {
            return Err(AdapterError::Field {
                field: field.to_owned(),
                found: pattern.clone(),
                instead: "and only names of modules are read here",
            });
        }
        let ends = module.strip_suffix(plain).is_some_and(|rest| rest.ends_with('.') && !whole);
        if module == plain || ends {
            // Of several that are for it the first in the file counts, which is not known here.
            if found.is_some_and(|found| found != *value) {
                return Err(AdapterError::Field {
                    field: field.to_owned(),
                    found: pattern.clone(),
                    instead: "and only one value is for each module",
                });
            }
            found = Some(*value);
        }
    }
    Ok(found)
}

pub(super) fn write(
    adapter: &Adapter,
    folder: &Path,
    base: &StoredModel,
    targets: &[Target],
) -> Result<(), AdapterError> {
    let Some((_, first)) = adapter.iter().next() else {
        let (path, reason) = (folder.to_owned(), "it changes nothing".to_owned());
        return Err(AdapterError::NoAdapter { path, reason });
    };
    let prefix = match &base.naming {
        Naming::HuggingFace { prefix } => prefix.clone(),
        Naming::Gguf => "model.".to_owned(),
    };
    let alpha = |change: &LowRank| f64::from(change.scale()) * change.rank() as f64;
    let (rank, usual) = (first.rank(), alpha(first));
    let (mut infos, mut data) = (Vec::new(), Vec::new());
    let (mut ranks, mut alphas, mut ends) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for target in targets {
        let Some(change) = adapter.of(target.place) else { continue };
        let mut modules = target.modules().into_iter();
        let module = modules.find(|module| named_in(base, &prefix, module));
        let module = module.ok_or_else(|| AdapterError::NoMatrix {
            name: target.modules().into_iter().next().unwrap_or_default(),
        })?;
        let module = format!("{prefix}{module}");
        ends.insert(module.rsplit('.').next().unwrap_or_default().to_owned());
        if change.rank() != rank {
            ranks.insert(module.clone(), change.rank());
        }
        if alpha(change).total_cmp(&usual).is_ne() {
            alphas.insert(module.clone(), alpha(change));
        }
        let [rows, width] = change.shape();
        for (half, numbers, shape) in
            [("A", change.a(), [change.rank(), width]), ("B", change.b(), [rows, change.rank()])]
        {
            let name = format!("{PREFIX}{module}.lora_{half}.weight");
            let shape = shape.map(|size| size as u64).to_vec();
            infos.push(TensorInfo { name, dtype: Dtype::F32, shape });
            data.push(numbers);
        }
    }
    let configuration = json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "inference_mode": true,
        "base_model_name_or_path": adapter.base, "target_modules": ends,
        "r": rank, "lora_alpha": usual, "rank_pattern": ranks, "alpha_pattern": alphas,
        "use_rslora": false, "use_dora": false, "fan_in_fan_out": false, "bias": "none",
        "lora_dropout": 0.0, "init_lora_weights": true, "modules_to_save": null,
    });
    let in_folder = |name: &str| folder.join(name);
    let failed = |path: PathBuf| move |error| AdapterError::File { path, error };
    fs::create_dir_all(folder).map_err(failed(folder.to_owned()))?;
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    write_safetensors_file(&in_folder(WEIGHTS), &metadata, &infos, |index, out| {
        let numbers = data.get(index).into_iter().flatten();
        let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        out.write_all(&bytes).map_err(WriteError::from)
    })?;
    let text = format!("{configuration:#}\n");
    let path = in_folder(CONFIG);
    nearside_store::atomic::write(&path, text.as_bytes()).map_err(WriteError::from)?;
    Ok(())
}

/// Whether a module is called so in the model's own files; where those are GGUF, every name will do.
fn named_in(base: &StoredModel, prefix: &str, module: &str) -> bool {
    base.gguf.is_some() || base.tensors.contains_key(&format!("{prefix}{module}.weight"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_a_half_by_its_name() {
        let name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
        assert_eq!(half(name), Some(("model.layers.0.self_attn.q_proj", true)));
        assert_eq!(half("layers.1.x.lora_B.default.weight"), Some(("layers.1.x", false)));
        assert_eq!(half("base_model.model.lm_head.weight"), None);
        assert_eq!(half("layers.1.x.lora_magnitude_vector.weight"), None);
    }

    #[test]
    fn a_pattern_is_a_name_or_the_end_of_names() {
        let module = "model.layers.11.self_attn.q_proj";
        let check = |pattern: &str, expect: Option<u64>| {
            let patterns = BTreeMap::from([(pattern.to_owned(), 7)]);
            assert_eq!(
                of_module("rank_pattern", &patterns, module).ok().flatten(),
                expect,
                "{pattern}"
            );
        };
        check("q_proj", Some(7));
        check("layers.11.self_attn.q_proj", Some(7));
        check(r"model\.layers\.11\.self_attn\.q_proj", Some(7));
        check("^model.layers.11.self_attn.q_proj", Some(7));
        check("^q_proj", None);
        check("1.self_attn.q_proj", None);
        check("proj", None);
        let patterns = BTreeMap::from([(".*q_proj".to_owned(), 7)]);
        let told = of_module("rank_pattern", &patterns, module).unwrap_err().to_string();
        assert!(told.contains(".*q_proj"), "{told}");
    }
}
