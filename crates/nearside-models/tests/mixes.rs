//! Which types the tensors of a mix get, beside what llama.cpp gives them.
//!
//! `mixes.jsonl` is what `llama_model_quantize` of llama-cpp-python 0.3.36 wrote for models of random numbers: the types
//! of all tensors in the order of the file, `7*q4_k` for seven of one type in a row.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use nearside_architecture::Dtype;
use nearside_models::quantize::rules::{Asked, Traits, types};
use nearside_models::quantize::{Keep, Mix};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Case {
    layers: usize,
    queries_per_key: u64,
    experts: u64,
    tied: bool,
    width: u64,
    inner: u64,
    mix: String,
    types: String,
}

impl Case {
    /// Names and shapes in the order of the file.
    fn tensors(&self) -> Vec<(String, Vec<u64>)> {
        let (width, inner) = (self.width, self.inner);
        let mut tensors = vec![];
        if !self.tied {
            tensors.push(("output.weight".to_owned(), vec![1000, width]));
        }
        tensors.push(("output_norm.weight".to_owned(), vec![width]));
        tensors.push(("token_embd.weight".to_owned(), vec![1000, width]));
        let keys = width / self.queries_per_key;
        let experts = if self.experts > 0 { vec![self.experts] } else { vec![] };
        let feed = |rows: u64, columns: u64| [experts.clone(), vec![rows, columns]].concat();
        let end = if self.experts > 0 { "_exps" } else { "" };
        for layer in 0..self.layers {
            let mut of_layer = vec![
                ("attn_k".to_owned(), vec![keys, width]),
                ("attn_norm".to_owned(), vec![width]),
                ("attn_output".to_owned(), vec![width, width]),
                ("attn_q".to_owned(), vec![width, width]),
                ("attn_v".to_owned(), vec![keys, width]),
                (format!("ffn_down{end}"), feed(width, inner)),
                (format!("ffn_gate{end}"), feed(inner, width)),
                ("ffn_norm".to_owned(), vec![width]),
                (format!("ffn_up{end}"), feed(inner, width)),
            ];
            if self.experts > 0 {
                of_layer.push(("ffn_gate_inp".to_owned(), vec![self.experts, width]));
            }
            of_layer.sort();
            let named = |(name, shape)| (format!("blk.{layer}.{name}.weight"), shape);
            tensors.extend(of_layer.into_iter().map(named));
        }
        tensors
    }

    fn chosen(&self, keeps: &[Keep]) -> Vec<(String, Dtype)> {
        let tensors = self.tensors();
        let float = |name: &str| name.contains("norm") || name.contains("gate_inp");
        let asked: Vec<_> = tensors
            .iter()
            .map(|(name, shape)| Asked {
                name,
                shape,
                otherwise: if float(name) { Dtype::F32 } else { Dtype::F16 },
            })
            .collect();
        let traits = Traits {
            architecture: "llama".to_owned(),
            layers: self.layers,
            queries_per_key: self.queries_per_key,
            experts: self.experts,
            has_importance: false,
        };
        let chosen = types(self.mix.parse::<Mix>().unwrap(), &traits, &asked, keeps);
        let names = tensors.iter().map(|(name, _)| name.clone());
        names.zip(chosen.into_iter().map(|chosen| chosen.dtype)).collect()
    }
}

fn cases() -> Vec<Case> {
    let lines = include_str!("mixes.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_tensor_gets_the_type_that_llama_cpp_gives_it() {
    let cases = cases();
    for case in &cases {
        let runs = case.types.split(' ').map(|run| run.split_once('*').unwrap());
        let expect: Vec<Dtype> = runs
            .flat_map(|(count, dtype)| vec![dtype.parse().unwrap(); count.parse().unwrap()])
            .collect();
        let chosen = case.chosen(&[]);
        assert_eq!(chosen.len(), expect.len(), "{} {}", case.mix, case.layers);
        for ((name, found), expect) in chosen.iter().zip(expect) {
            assert_eq!(*found, expect, "{} {} {name}", case.mix, case.layers);
        }
    }
    assert!(cases.len() > 90, "{}", cases.len());
}

#[test]
fn a_stated_type_is_that_of_its_tensors_alone() {
    let case = cases().into_iter().find(|case| case.mix == "Q4_K_M" && !case.tied).unwrap();
    let keep = "*.ffn_gate.weight=q8_0".parse().unwrap();
    for (plain, stated) in case.chosen(&[]).into_iter().zip(case.chosen(&[keep])) {
        match plain.0.contains("ffn_gate") {
            true => assert_eq!(stated.1, Dtype::Q8_0, "{}", plain.0),
            false => assert_eq!(stated, plain),
        }
    }
}
