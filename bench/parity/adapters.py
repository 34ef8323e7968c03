#!/usr/bin/env python3
"""What transformers and PEFT compute with adapters of the tiny decoders in `decoders.py`.

    cargo xtask parity

Prints a JSON line for each case: the `base` by its name in `decoders.jsonl`, the `config` as PEFT saves it, the `tensors`
as PEFT names them, each with its shape, and the middle and the spread of its numbers; and rows of `logits` of the base's
text at some `positions` of it. Numbers are made as those of the base are.
"""
import json
import pathlib
import tempfile

import decoders
import torch
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM

KEPT = pathlib.Path("crates/nearside-models/tests/decoders.jsonl")
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# Base, and what is asked of PEFT.
CASES = [
    ("llama", {"r": 4, "lora_alpha": 8, "target_modules": ALL}),
    ("llama, biased", {"r": 8, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"], "use_rslora": True}),
    (
        "qwen3",
        {
            "r": 4,
            "lora_alpha": 6,
            "target_modules": ALL,
            "rank_pattern": {"layers.1.self_attn.q_proj": 2, "down_proj": 3},
            "alpha_pattern": {r"model\.layers\.0\.mlp\.up_proj": 12, "k_proj": 2},
        },
    ),
    ("gemma2", {"r": 4, "lora_alpha": 4, "target_modules": "all-linear"}),
    ("phi3", {"r": 4, "lora_alpha": 8, "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]}),
    ("mixtral", {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "o_proj"], "layers_to_transform": [0, 2]}),
]
# Fields of a saved configuration that say what is computed.
FIELDS = {
    "peft_type", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "target_modules", "fan_in_fan_out",
    "bias", "lora_bias", "use_dora", "modules_to_save", "init_lora_weights", "layers_to_transform", "target_parameters",
    "trainable_token_indices", "base_model_name_or_path", "use_qalora", "alora_invocation_tokens",
}


def base(kept, folder):
    """The model of a kept case."""
    (folder / "config.json").write_text(json.dumps(kept["config"]))
    weights = {
        name: decoders.numbers(seed, shape, middle, spread)
        for seed, (name, shape, middle, spread) in enumerate(kept["tensors"])
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def saved(model, folder):
    """Names, shapes and distributions of what PEFT saves."""
    model.save_pretrained(folder)
    with safe_open(folder / "adapter_model.safetensors", "numpy") as file:
        shapes = {name: list(file.get_slice(name).get_shape()) for name in sorted(file.keys())}
    return [[name, shape, 0.0, round(1.0 / shape[-1] ** 0.5, 4)] for name, shape in shapes.items()]


def case(kept, asked):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model = base(kept, folder)
        plain = decoders.scores(model, kept["prompt"] + kept["greedy"])
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **asked)).eval()
        tensors = saved(model, folder / "adapter")
        parameters = dict(model.named_parameters())
        for seed, (name, shape, middle, spread) in enumerate(tensors):
            numbers = torch.from_numpy(decoders.numbers(1000 + seed, shape, middle, spread))
            parameters[name.replace(".weight", ".default.weight")].data.copy_(numbers)
        config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
        config = {field: value for field, value in config.items() if field in FIELDS}
        config["base_model_name_or_path"] = kept["name"]
        if isinstance(config["target_modules"], list):
            config["target_modules"].sort()
        whole = decoders.scores(model, kept["prompt"] + kept["greedy"])
        if (whole - plain).abs().max() < 0.1 * plain.abs().max():
            raise SystemExit(f"{kept['name']}: the adapter changes next to nothing")
        positions = kept["positions"][::3]
        logits = [[float(f"{value:.7g}") for value in whole[position].tolist()] for position in positions]
    return {"base": kept["name"], "config": config, "tensors": tensors, "positions": positions, "logits": logits}


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    kept = {case["name"]: case for case in map(json.loads, KEPT.read_text().splitlines())}
    for name, asked in CASES:
        print(json.dumps(case(kept[name], asked), separators=(",", ":")), flush=True)


if __name__ == "__main__":
    main()
