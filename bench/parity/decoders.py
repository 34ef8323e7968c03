#!/usr/bin/env python3
"""What transformers computes with tiny decoders of every family that is computed here.

    cargo xtask parity

Prints a JSON line for each case: its `config`, as a `config.json` has it; `tensors`, each with its name in the published
safetensors, its shape, and the middle and the spread of its numbers; a `prompt`, the `greedy` continuation of it, and
rows of `logits` of the whole text at some `positions` of it.

Weights are not stored: `numbers` makes the same ones in every language, of whole numbers. The tests in
`crates/nearside-models/tests/decoders.rs` have it as well. Everything is in single precision. A prompt is one after which
no step of the continuation is nearly a tie, so that roundings cannot change it.
"""
import json
import pathlib
import tempfile

import numpy
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoModelForCausalLM

MASK = (1 << 64) - 1
WORDS = 128
STEPS = 64
# Part of the largest score by which the best one has to lead.
LEAD = 4e-3
ATTEMPTS = 200

PLAIN = {
    "vocab_size": WORDS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
LLAMA = PLAIN | {"model_type": "llama", "hidden_act": "silu"}
QWEN2 = PLAIN | {"model_type": "qwen2", "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1e6}
# Windows that are off.
QWEN2 |= {"use_sliding_window": False, "sliding_window": 8, "max_window_layers": 1}
QWEN3 = PLAIN | {"model_type": "qwen3", "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "head_dim": 32}
MIXTURE = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "decoder_sparse_step": 1}
GLM = PLAIN | {"hidden_act": "silu", "attention_bias": True, "partial_rotary_factor": 0.5, "head_dim": 32}
QWEN2_MOE = QWEN2 | MIXTURE | {"model_type": "qwen2_moe", "norm_topk_prob": False, "mlp_only_layers": []}
QWEN2_MOE |= {"shared_expert_intermediate_size": 64}
GEMMA = PLAIN | {"head_dim": 32, "rms_norm_eps": 1e-6, "tie_word_embeddings": True}
GEMMA |= {"hidden_activation": "gelu_pytorch_tanh"}
GEMMA2 = GEMMA | {"model_type": "gemma2", "num_hidden_layers": 4, "sliding_window": 16, "query_pre_attn_scalar": 24}
GEMMA2 |= {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 0.5}
GEMMA3 = GEMMA | {"model_type": "gemma3_text", "num_hidden_layers": 4, "sliding_window": 16, "query_pre_attn_scalar": 24}
PHI3 = PLAIN | {"model_type": "phi3", "hidden_act": "silu", "pad_token_id": 0, "sliding_window": None}
LONG = PHI3 | {"num_attention_heads": 2, "num_key_value_heads": 1, "partial_rotary_factor": 0.75}
LONG |= {"max_position_embeddings": 512, "original_max_position_embeddings": 96}
LONG["rope_scaling"] = {
    "type": "longrope",
    "short_factor": [1.0 + 0.05 * pair for pair in range(12)],
    "long_factor": [1.0 + 0.5 * pair for pair in range(12)],
}
WHOLE = {"layer_types": ["full_attention"] * 3}
YARN = {"factor": 4.0, "original_max_position_embeddings": 32}
# Only blocks that see all tokens are stretched.
OLMO3 = PLAIN | {"model_type": "olmo3", "hidden_act": "silu", "num_hidden_layers": 4, "sliding_window": 16}
OLMO3 |= {"rope_theta": 5e5, "rope_scaling": YARN | {"rope_type": "yarn"}}

# Name, configuration, length of the prompt.
CASES = [
    ("llama", LLAMA | {"num_key_value_heads": 4}, 40),
    ("llama, tied", LLAMA | {"tie_word_embeddings": True, "head_dim": 32}, 40),
    (
        "llama, stretched",
        LLAMA
        | {
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            }
        },
        40,
    ),
    ("llama, biased", LLAMA | {"attention_bias": True}, 40),
    ("mistral", PLAIN | {"model_type": "mistral", "hidden_act": "silu", "head_dim": 32, "sliding_window": 16}, 40),
    ("qwen2", QWEN2, 40),
    ("qwen2, windows", QWEN2 | {"use_sliding_window": True, "sliding_window": 16}, 40),
    ("qwen2, yarn", QWEN2 | {"rope_theta": 1e4, "rope_scaling": YARN | {"type": "yarn"}}, 40),
    ("qwen3", QWEN3, 40),
    (
        "qwen3, yarn by its new name",
        {key: value for key, value in QWEN3.items() if key != "rope_theta"}
        | {"rope_parameters": YARN | {"rope_type": "yarn", "rope_theta": 1e4, "beta_fast": 8.0, "beta_slow": 2.0}},
        40,
    ),
    ("qwen2_moe", QWEN2_MOE, 40),
    ("qwen2_moe, a dense block", QWEN2_MOE | {"mlp_only_layers": [1]}, 40),
    ("qwen3_moe", QWEN3 | MIXTURE | {"model_type": "qwen3_moe", "norm_topk_prob": True, "mlp_only_layers": []}, 40),
    (
        "mixtral",
        PLAIN
        | {
            "model_type": "mixtral",
            "hidden_act": "silu",
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "sliding_window": None,
        },
        40,
    ),
    ("gemma", GEMMA | {"model_type": "gemma", "num_key_value_heads": 1}, 40),
    ("gemma2", GEMMA2, 40),
    (
        "gemma3",
        GEMMA3
        | {
            "sliding_window_pattern": 2,
            "rope_theta": 1e6,
            "rope_local_base_freq": 1e4,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        },
        40,
    ),
    (
        "gemma3, ropes by layer",
        {key: value for key, value in GEMMA3.items() if key != "rope_theta"}
        | {
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5e5},
                "sliding_attention": {"rope_type": "default", "rope_theta": 2e4},
            },
        },
        40,
    ),
    ("phi3", PHI3, 40),
    ("phi3, short", LONG, 30),
    ("phi3, long", LONG, 110),
    ("glm", GLM | {"model_type": "glm"}, 40),
    ("exaone4", PLAIN | {"model_type": "exaone4", "hidden_act": "silu", "sliding_window": None} | WHOLE, 40),
    ("seed_oss", PLAIN | {"model_type": "seed_oss", "hidden_act": "silu", "attention_bias": True, "head_dim": 32}, 40),
    ("arcee", PLAIN | {"model_type": "arcee", "hidden_act": "relu2"}, 40),
    ("olmo3", OLMO3, 40),
    (
        "olmoe",
        PLAIN | {"model_type": "olmoe", "hidden_act": "silu", "num_experts": 6, "num_experts_per_tok": 2},
        40,
    ),
    ("olmo2", PLAIN | {"model_type": "olmo2", "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 5e5}, 40),
]


class Draw:
    """Whole numbers of 24 bits by a linear congruence."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
        return self.state >> 40


def numbers(seed, shape, middle, spread):
    """Uniform ones around a middle, of 64-bit floats rounded once."""
    draw = Draw(seed)
    count = int(numpy.prod(shape))
    drawn = numpy.array([draw.next() for _ in range(count)], dtype=numpy.float64)
    values = (drawn - 8388608.0) / 8388608.0 * spread + middle
    return values.astype(numpy.float32).reshape(shape)


def distribution(name, shape, config):
    """Middle and spread: large enough that every part matters, norms that are not one, biases that are not zero."""
    if name.endswith("bias"):
        return 0.0, 0.5
    if len(shape) == 1:
        # What Gemma stores is added to one.
        return (0.0 if config["model_type"].startswith("gemma") else 1.0), 0.5
    if "embed_tokens" in name:
        # A tied one alone would answer every word with itself.
        return 0.0, 0.0625 if config["tie_word_embeddings"] else 1.0
    return 0.0, round(2.5 / shape[-1] ** 0.5, 4)


def published(config, folder):
    """Names and shapes of the tensors as the family publishes them."""
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    model.save_pretrained(folder / "made")
    with safe_open(folder / "made" / "model.safetensors", "numpy") as file:
        shapes = {name: list(file.get_slice(name).get_shape()) for name in sorted(file.keys())}
    return [[name, shape, *distribution(name, shape, config)] for name, shape in shapes.items()]


def scores(model, text):
    with torch.no_grad():
        return model(torch.tensor([text]), use_cache=False).logits[0]


def continued(model, prompt):
    """The greedy continuation, or nothing where a step of it is nearly a tie."""
    text = list(prompt)
    for _ in range(STEPS):
        row = scores(model, text)[-1]
        first, second = torch.topk(row, 2).values
        if first - second < LEAD * row.abs().max():
            return None
        text.append(int(row.argmax()))
    return text[len(prompt) :]


def case(name, config, length):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "config.json").write_text(json.dumps(config))
        tensors = published(config, folder)
        weights = {
            tensor: numbers(seed, shape, middle, spread)
            for seed, (tensor, shape, middle, spread) in enumerate(tensors)
        }
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        model.eval()
        for seed in range(ATTEMPTS):
            draw = Draw(seed)
            prompt = [draw.next() % WORDS for _ in range(length)]
            greedy = continued(model, prompt)
            if greedy:
                break
        else:
            raise SystemExit(f"{name}: no prompt without a tie")
        whole = scores(model, prompt + greedy)
        positions = sorted({0, 1, 2, length - 1, *range(7, length + STEPS, 12), length + STEPS - 1})
        logits = [[float(f"{value:.7g}") for value in whole[position].tolist()] for position in positions]
    return {
        "name": name,
        "config": config,
        "tensors": tensors,
        "prompt": prompt,
        "greedy": greedy,
        "positions": positions,
        "logits": logits,
    }


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for name, config, length in CASES:
        print(json.dumps(case(name, config, length), separators=(",", ":")), flush=True)


if __name__ == "__main__":
    main()
