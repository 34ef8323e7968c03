#!/usr/bin/env python3
"""How many bytes does one PyTorch program hold, and when? Without a GPU.

Builds the model from its configuration with weights that have no bytes, runs two training
steps (or one inference), and prints the bytes of weights, optimizer, saved activations and the
peak, with the operator at the peak; then the same program's requests replayed through the CUDA
caching allocator (`allocated`, `reserved`). With `--events FILE`, every storage that begins or ends
in the second step, in order.

    python trace.py --model llama-3.2-1b --task full --attention fused --layers 2 --events out.txt

The rules of CUDA are in `cuda_rules.py`; `--rules cpu` leaves out all of them but the softmax, as
the rows of `trace_results.csv` were made.
"""
import argparse
import gc
import json
import sys
import time
import warnings
from contextlib import nullcontext

import torch

warnings.filterwarnings("ignore")

import cuda_rules
import families
from live_bytes import infer, tracing, train

DTYPES = ("float32", "bfloat16", "float16")
OPTIMIZERS = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-4, fused=True),
    "adamw-plain": lambda p: torch.optim.AdamW(p, lr=1e-4, foreach=False),
    "adamw-foreach": lambda p: torch.optim.AdamW(p, lr=1e-4, foreach=True),
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-4, foreach=False),
    "sgd-momentum": lambda p: torch.optim.SGD(p, lr=1e-4, momentum=0.9, foreach=False),
}


def parser():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--model", required=True)
    p.add_argument("--task", default="full", choices=("full", "lora", "qlora", "prefill", "infer", "decode", "encode"))
    p.add_argument("--dtype", default="bfloat16", choices=DTYPES)
    p.add_argument("--autocast", default="", choices=("", "bfloat16", "float16"))
    p.add_argument("--attention", default="fused", choices=("eager", "masked", "fused"))
    p.add_argument("--checkpointing", default="none", choices=("none", "full", "attention"))
    p.add_argument("--optimizer", default="adamw-foreach", choices=tuple(OPTIMIZERS))
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--sequence", type=int, default=0, help="tokens (2048 for a decoder, 77 for text)")
    p.add_argument("--context", type=int, default=0, help="T5: tokens written")
    p.add_argument("--image", type=int, default=224, help="pixels of a side")
    p.add_argument("--lora-rank", type=int, default=16)
    p.add_argument("--lora-targets", default="all-linear", help="all-linear or q_proj+k_proj+...")
    p.add_argument("--quant", default="", choices=("", "nf4"))
    p.add_argument("--device", default="", choices=("", "t4"), help="t4: fused attention repeats the key heads")
    p.add_argument("--keep-outputs", action="store_true",
                   help="hold the model's outputs (logits) until the step ends, as `out = model(...); out.loss.backward()` does")
    p.add_argument("--layers", type=int, default=0, help="shorten the model")
    p.add_argument("--rules", default="cuda", choices=("cuda", "cpu"))
    p.add_argument("--reference", action="store_true", help="as trace_results.csv: image inference ends in the loss, attention outside autocast")
    p.add_argument("--events", help="file for the events of the second step; - for standard output")
    return p


def run(settings):
    """One trace; the patches of `cuda_rules` must have been applied."""
    began = time.time()
    cuda_rules.uncast_attention = settings.reference
    cuda_rules.packed_sequences(settings.attention != "fused")
    with tracing("cpu" if settings.autocast or settings.rules == "cpu" else "meta",
                 record=bool(settings.events)) as live:
        recording, live.recording = live.recording, False
        program = families.build(settings)
        model = program.model
        trained = settings.task in families.TRAINED
        model.train(trained)
        gc.collect()
        live.watch_module(model)
        live.compact()  # a loader fills the weights tensor by tensor
        for tensor in program.inputs:
            live.track(tensor, "input", True)
        live.take_workspace()
        if recording:
            live.name_modules(model)
        live.recording = recording
        cast = (lambda: torch.autocast("cpu", getattr(torch, settings.autocast))) if settings.autocast else nullcontext
        if trained:
            weights = [p for p in model.parameters() if p.requires_grad]
            optimizer = OPTIMIZERS[settings.optimizer](weights)

            def loss():
                with cast():
                    kept = program.loss()
                    loss_alone = kept if isinstance(kept, torch.Tensor) else kept.loss
                    return loss_alone, kept if settings.keep_outputs else None
            out = train(live, model, optimizer, loss)
        else:
            def forward():
                with cast():
                    return program.forward()
            out = infer(live, forward)
        out["parameters"] = sum(p.numel() * (2 if p.dtype == torch.uint8 else 1) for p in model.parameters())
        if settings.events:
            with (open(settings.events, "w") if settings.events != "-" else nullcontext(sys.stdout)) as file:
                file.write("# " + " ".join(f"{k}={v}" for k, v in vars(settings).items() if v and k != "events") + "\n")
                file.write("# " + json.dumps(out) + "\n")
                live.dump(file)
    out["seconds"] = round(time.time() - began, 1)
    return out


def prepare(rules):
    """Patches for the whole process: one process traces under one set of rules."""
    if rules == "cuda":
        cuda_rules.apply()
    else:
        cuda_rules.cuda_softmax()
    cuda_rules.register_with_transformers()
    gc.collect()
    gc.freeze()  # the libraries' own objects need not be searched at every collection


def with_defaults(settings):
    if not settings.sequence:
        config = families.configuration(settings.model) or {}
        text = config.get("_class_name") or config.get("model_type") == "clip_text_model"
        settings.sequence = 0 if not config or "image_size" in config or text else 2048
        if config.get("model_type") == "clip_text_model":
            settings.sequence = 77
    return settings


if __name__ == "__main__":
    chosen = with_defaults(parser().parse_args())
    prepare(chosen.rules)
    print(json.dumps(run(chosen)))
