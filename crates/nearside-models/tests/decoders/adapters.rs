//! Adapters: beside the weights, added to them, and in either form they compute the same, which is what PEFT computes.
//!
//! `adapters.jsonl` is written by `bench/parity/adapters.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nearside_models::file::{WriteError, write_safetensors_file};
use nearside_models::quantize::{Mix, Plan, QuantizeError, Recipe, Requantize, Source};
use nearside_models::{Adapter, AdapterError, DecoderModel, LowRank, Part, Place, StoredModel};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Folder, cases, info, numbers};
use crate::converted::differ;
use crate::folders::{convert, write};
use crate::{error_of, forward, room};

/// The largest difference from another order of sums, as a part of the largest score of a row.
const ORDER: f64 = 2e-5;
/// Modules of a layer.
const MODULES: [(&str, Part); 9] = [
    ("self_attn.q_proj", Part::Query),
    ("self_attn.k_proj", Part::Key),
    ("self_attn.v_proj", Part::Value),
    ("self_attn.qkv_proj", Part::Packed),
    ("self_attn.o_proj", Part::AttentionOutput),
    ("mlp.gate_proj", Part::Gate),
    ("mlp.up_proj", Part::Up),
    ("mlp.gate_up_proj", Part::PackedUp),
    ("mlp.down_proj", Part::Down),
];
const SHARED: [(&str, Part); 3] =
    [("gate_proj", Part::SharedGate), ("up_proj", Part::SharedUp), ("down_proj", Part::SharedDown)];
const OF_EXPERT: [(&str, Part); 6] = [
    ("gate_proj", Part::ExpertGates),
    ("w1", Part::ExpertGates),
    ("up_proj", Part::ExpertUps),
    ("w3", Part::ExpertUps),
    ("down_proj", Part::ExpertDowns),
    ("w2", Part::ExpertDowns),
];

/// Where a tensor of a case stands, if an adapter may change it.
fn place(name: &str) -> Option<Place> {
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (layer, module) = (layer.parse().unwrap(), rest.strip_suffix(".weight")?);
    let find = |list: &[(&str, Part)], name: &str| {
        list.iter().find(|(of, _)| *of == name).map(|(_, part)| *part)
    };
    let of = |part, expert| Some(Place { layer, part, expert });
    if let Some(part) = find(&MODULES, module) {
        return of(part, None);
    }
    if let Some(part) =
        module.strip_prefix("mlp.shared_expert.").and_then(|name| find(&SHARED, name))
    {
        return of(part, None);
    }
    let (_, of_expert) = module.split_once(".experts.")?;
    let (expert, name) = of_expert.split_once('.')?;
    of(find(&OF_EXPERT, name)?, Some(expert.parse().unwrap()))
}

/// An adapter of every matrix of a case but those of the last expert, at random; ranks differ by layer.
fn adapter(case: &Case, base: &StoredModel) -> Adapter {
    let changes = (0u64..).zip(&case.tensors).filter_map(|(seed, (name, shape, ..))| {
        let place = place(name).filter(|place| place.expert != Some(3))?;
        let (rows, width) = (shape[0], shape[1]);
        let rank = 2 + place.layer as u64;
        let draw = |seed, shape: [u64; 2]| {
            let spread = 1.0 / (shape[1] as f64).sqrt();
            numbers(seed, &(String::new(), shape.to_vec(), 0.0, spread))
        };
        let (a, b) = (draw(2000 + seed, [rank, width]), draw(3000 + seed, [rows, rank]));
        let shape = [rows, width, rank].map(|size| size as usize);
        Some((place, LowRank::new(shape, &a, &b, 0.5).unwrap()))
    });
    Adapter::new(changes.collect::<Vec<_>>(), base).unwrap()
}

fn adapted(case: &Case, stored: &StoredModel, adapter: &Adapter) -> Vec<f32> {
    let model = DecoderModel::load_adapted(stored, case.text().len(), adapter).unwrap();
    forward(&model, &mut room(&model, case.text().len()), &case.text())
}

fn scores(case: &Case, stored: &StoredModel) -> Vec<f32> {
    adapted(case, stored, &Adapter::default())
}

/// Cases that are made into GGUF files.
fn convertible() -> impl Iterator<Item = Case> {
    let names = [
        "llama",
        "llama, biased",
        "qwen2",
        "qwen3",
        "gemma2",
        "gemma3",
        "phi3",
        "mixtral",
        "qwen2_moe",
        "qwen3_moe",
    ];
    let wanted = move |case: &Case| names.contains(&case.name.as_str());
    cases().into_iter().filter(wanted).map(Case::scaled_by_width)
}

#[test]
fn an_adapter_computes_the_same_beside_the_weights_and_added_to_them() {
    let mut wrong = Vec::new();
    for case in convertible() {
        let folder = Folder::new();
        write(&case, &folder.0);
        let stored = StoredModel::open(&folder.0).unwrap();
        let adapter = adapter(&case, &stored);
        let beside = adapted(&case, &stored, &adapter);
        let mut source = Source::of(&stored).unwrap();
        source.adapt(&adapter, &stored).unwrap();
        let merged = convert(&source, Mix::F32, &folder.0.join("merged.gguf"));
        // The same from a file that has its rows in another order.
        let plain = convert(&Source::of(&stored).unwrap(), Mix::F32, &folder.0.join("plain.gguf"));
        let mut source = Source::of(&plain).unwrap();
        source.adapt(&adapter, &plain).unwrap();
        let again = convert(&source, Mix::F32, &folder.0.join("again.gguf"));
        let found = [
            differ(&case, &scores(&case, &merged), &beside),
            differ(&case, &adapted(&case, &plain, &adapter), &beside),
            differ(&case, &scores(&case, &again), &beside),
        ];
        let changed = differ(&case, &scores(&case, &stored), &beside);
        let [merged, gguf, again] = found;
        println!("{:20} {merged:.0e} {gguf:.0e} {again:.0e}, of {changed:.0e}", case.name);
        if found.iter().any(|found| *found > ORDER) || changed < 0.1 {
            wrong.push(case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn what_is_written_in_either_form_is_read_as_it_was() {
    for case in convertible() {
        let folder = Folder::new();
        write(&case, &folder.0);
        let stored = StoredModel::open(&folder.0).unwrap();
        let plain = convert(&Source::of(&stored).unwrap(), Mix::F32, &folder.0.join("plain.gguf"));
        let adapter = adapter(&case, &stored);
        for (number, base) in [&stored, &plain].into_iter().enumerate() {
            let peft = folder.0.join(format!("peft-{number}"));
            adapter.write_peft(&peft, base).unwrap();
            let gguf = folder.0.join(format!("adapter-{number}.gguf"));
            adapter.write_gguf(&gguf, base).unwrap();
            for other in [&stored, &plain] {
                assert_eq!(Adapter::open(&peft, other).unwrap(), adapter, "{}", case.name);
                let read = Adapter::open(&gguf, other).unwrap();
                for (place, change) in adapter.iter() {
                    assert_same(read.of(place).unwrap(), change, &case.name);
                }
            }
        }
    }
}

/// The same product; a file has one alpha for all, so numbers may have been scaled.
fn assert_same(read: &LowRank, change: &LowRank, name: &str) {
    let [mut one, mut other] = [read, change].map(|it| {
        let [rows, width] = it.shape();
        vec![0.0f32; rows * width]
    });
    for (sums, change) in [(&mut one, read), (&mut other, change)] {
        change.add_to(sums, 0);
    }
    let near = |(one, other): (&f32, &f32)| (one - other).abs() < 1e-6;
    assert!(one.len() == other.len() && one.iter().zip(&other).all(near), "{name}");
}

/// What PEFT computes.
#[derive(Deserialize)]
struct Reference {
    base: String,
    config: Value,
    tensors: Vec<(String, Vec<u64>, f64, f64)>,
    positions: Vec<usize>,
    logits: Vec<Vec<f64>>,
}

fn references() -> Vec<Reference> {
    let lines = include_str!("../adapters.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Reference {
    fn case(&self) -> Case {
        cases().into_iter().find(|case| case.name == self.base).unwrap()
    }

    fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("adapter_config.json"), self.config.to_string()).unwrap();
        let infos: Vec<_> =
            self.tensors.iter().map(|(name, shape, ..)| info(name, shape)).collect();
        let path = folder.join("adapter_model.safetensors");
        write_safetensors_file(&path, &BTreeMap::new(), &infos, |index, out| {
            let numbers = numbers(1000 + index as u64, &self.tensors[index]);
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            out.write_all(&bytes).map_err(WriteError::from)
        })
        .unwrap();
    }
}

#[test]
fn adapters_compute_what_peft_does() {
    let references = references();
    assert_eq!(references.len(), 6);
    for reference in references {
        let mut case = reference.case();
        let folder = Folder::new();
        case.write(&folder.0);
        let stored = StoredModel::open(&folder.0).unwrap();
        reference.write(&folder.0.join("adapter"));
        let adapter = Adapter::open(&folder.0.join("adapter"), &stored).unwrap();
        assert_eq!(adapter.base.as_deref(), Some(reference.base.as_str()));
        let model = DecoderModel::load_adapted(&stored, case.text().len(), &adapter).unwrap();
        let scores = forward(&model, &mut room(&model, case.text().len()), &case.text());
        case.positions = reference.positions;
        case.logits = reference.logits;
        let found = error_of(&case, &model, &scores);
        println!("{:20} {found:.1e}", case.name);
        assert!(found < ORDER, "{}: {found:.1e}", case.name);
    }
}

/// Why an adapter of the first reference is refused after something was done to it.
fn refused(spoil: impl FnOnce(&mut Reference)) -> String {
    let mut reference = references().swap_remove(0);
    spoil(&mut reference);
    let folder = Folder::new();
    reference.write(&folder.0);
    let base = references().swap_remove(0).case().stored();
    Adapter::open(&folder.0, &base).unwrap_err().to_string()
}

#[test]
fn what_is_no_plain_adapter_is_refused_by_its_name() {
    let field = |name: &'static str, value: Value| refused(|it| it.config[name] = value);
    for (name, value) in [
        ("peft_type", json!("IA3")),
        ("use_dora", json!(true)),
        ("bias", json!("lora_only")),
        ("modules_to_save", json!(["lm_head"])),
        ("target_parameters", json!(["mlp.experts.gate_up_proj"])),
        ("init_lora_weights", json!("pissa_niter_4")),
    ] {
        let told = field(name, value.clone());
        assert!(told.contains(name) && told.contains(&value.to_string()), "{told}");
    }
    let name = "model.layers.0.mlp.up_proj";
    let rank = field("rank_pattern", json!({ "layers.0.mlp.up_proj": 3 }));
    assert!(rank.contains(name) && rank.contains("rank 3"), "{rank}");
    let at = |it: &Reference, half: &str| {
        it.tensors
            .iter()
            .position(|(of, ..)| *of == format!("base_model.model.{name}.lora_{half}.weight"))
            .unwrap()
    };
    let half = refused(|it| {
        let at = at(it, "A");
        it.tensors.remove(at);
    });
    assert!(half.contains(name) && half.contains("other half"), "{half}");
    let shape = refused(|it| {
        let at = at(it, "B");
        it.tensors[at].1[0] = 95;
    });
    assert!(
        shape.contains(name) && shape.contains("[95, 64]") && shape.contains("[96, 64]"),
        "{shape}"
    );
    let unknown = refused(|it| {
        for half in ["A", "B"] {
            let at = at(it, half);
            it.tensors[at].0 = it.tensors[at].0.replace("layers.0", "layers.9");
        }
    });
    assert!(unknown.contains("model.layers.9.mlp.up_proj"), "{unknown}");
    let saved = refused(|it| {
        it.tensors.push(("base_model.model.lm_head.weight".to_owned(), vec![128, 64], 0.0, 1.0));
    });
    assert!(saved.contains("lm_head"), "{saved}");
}

#[test]
fn what_is_no_adapter_at_all_is_told() {
    let case = cases().swap_remove(0);
    let folder = Folder::new();
    write(&case, &folder.0);
    let stored = StoredModel::open(&folder.0).unwrap();
    let told = |path: &Path| Adapter::open(path, &stored).unwrap_err().to_string();
    let base = told(&folder.0);
    assert!(base.contains("adapter_config.json"), "{base}");
    let made = folder.0.join("made.gguf");
    let plain = convert(&Source::of(&stored).unwrap(), Mix::F32, &made);
    assert!(told(&made).contains("general.type is model"), "{}", told(&made));
    fs::write(folder.0.join("adapter_config.json"), references()[0].config.to_string()).unwrap();
    fs::write(folder.0.join("adapter_model.bin"), "").unwrap();
    assert!(told(&folder.0).contains("pickle"), "{}", told(&folder.0));
    // For another family.
    let other = cases().into_iter().find(|case| case.name == "qwen3").unwrap();
    let place = folder.0.join("other");
    fs::create_dir(&place).unwrap();
    write(&other, &place);
    let other_stored = StoredModel::open(&place).unwrap();
    let path = folder.0.join("other.gguf");
    adapter(&other, &other_stored).write_gguf(&path, &other_stored).unwrap();
    let told = Adapter::open(&path, &plain).unwrap_err();
    assert!(
        matches!(told, AdapterError::NoAdapter { .. }) && told.to_string().contains("qwen3"),
        "{told}"
    );
}

#[test]
fn what_was_quantized_and_is_changed_is_quantized_again_and_that_has_to_be_asked_for() {
    let case = cases().swap_remove(0);
    let folder = Folder::new();
    write(&case, &folder.0);
    let stored = StoredModel::open(&folder.0).unwrap();
    let small = convert(&Source::of(&stored).unwrap(), Mix::Q4_0, &folder.0.join("small.gguf"));
    let mut source = Source::of(&small).unwrap();
    let plan = |source: &Source| {
        let recipe = Recipe { mix: Mix::Q4_0, keeps: Vec::new(), requantize: Requantize::Refused };
        Plan::new(source, &recipe, false).map(|_plan| ())
    };
    plan(&source).unwrap();
    source.adapt(&adapter(&case, &stored), &small).unwrap();
    assert!(matches!(plan(&source), Err(QuantizeError::Requantized { .. })));
}

/// Not a test: models and adapters with what is computed here, in the folder that `NEARSIDE_FOLDERS` names.
#[test]
#[ignore = "writes files to be opened by hand in llama.cpp"]
fn adapters_for_other_programs() {
    let place = std::env::var("NEARSIDE_FOLDERS").unwrap();
    for reference in references() {
        let case = reference.case().scaled_by_width();
        let folder = Path::new(&place).join(case.name.replace([',', ' '], "-"));
        fs::create_dir_all(&folder).unwrap();
        write(&case, &folder);
        reference.write(&folder.join("adapter"));
        let stored = StoredModel::open(&folder).unwrap();
        let adapter = Adapter::open(&folder.join("adapter"), &stored).unwrap();
        adapter.write_gguf(&folder.join("adapter.gguf"), &stored).unwrap();
        convert(&Source::of(&stored).unwrap(), Mix::F32, &folder.join("ours.gguf"));
        let text = json!({ "text": case.text(), "scores": adapted(&case, &stored, &adapter) });
        fs::write(folder.join("scores.json"), text.to_string()).unwrap();
    }
}
