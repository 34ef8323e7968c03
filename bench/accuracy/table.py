#!/usr/bin/env python3
"""Runs many traces in one process and keeps them in `traces.csv`, one row per figure.

    python table.py LIST [--rows traces.csv] [--events FOLDER]

LIST has one configuration per line, as arguments of `trace.py`; a name before `|` names the file of
its events. A configuration that `traces.csv` already has is not run again.
"""
import argparse
import csv
import gc
import os
import shlex
import sys
import traceback
from importlib.metadata import version

import families
import trace

COLUMNS = ("model task dtype autocast attention checkpointing optimizer batch sequence image context kv_type "
           "gpu_layers lora_rank lora_targets quant runtime device metric value unit source").split()
SETTINGS = COLUMNS[:COLUMNS.index("metric")]
REPLAY = ("allocated", "reserved")
METRICS = (("parameters", "parameters", "count"), ("weights", "weights", "bytes"), ("optimizer", "optimizer", "bytes"),
           ("saved_activations", "saved_activations", "bytes"), ("peak", "live_peak", "bytes"),
           ("allocated", "allocated", "bytes"), ("reserved", "reserved", "bytes"))
CONVOLUTIONAL = ("resnet", "mobilenet", "efficientnet", "convnext", "regnet", "densenet", "vgg", "wide_resnet", "resnext",
                 "shufflenet", "mnasnet", "squeezenet", "alexnet")
VERSIONS = " ".join(f"{p} {version(p)}" for p in ("torch", "torchvision", "transformers", "peft", "diffusers"))
SOURCE = f"bench/accuracy/trace.py; {VERSIONS.replace('+cu128', '')}"


def cells(s):
    """The settings of a row; empty where a setting has no meaning."""
    trained = s.task in families.TRAINED
    adapted = s.task in ("lora", "qlora")
    config = families.configuration(s.model)
    image = config is None or "_class_name" in config or "image_size" in config
    attention = "" if s.model.startswith(CONVOLUTIONAL) else s.attention
    row = dict(model=s.model, task=s.task, dtype=s.dtype, autocast=s.autocast, attention=attention,
               checkpointing=s.checkpointing if trained else "", optimizer=s.optimizer if trained else "",
               batch=s.batch, sequence=s.sequence or "", image=s.image if image else "", context=s.context or "",
               lora_rank=s.lora_rank if adapted else "", lora_targets=s.lora_targets if adapted else "",
               quant=s.quant, runtime="pytorch", device=s.device)
    return {column: str(row.get(column, "")) for column in SETTINGS}


def rows(settings, out):
    for field, metric, unit in METRICS:
        if field == "optimizer" and settings.task not in families.TRAINED:
            continue
        if field == "saved_activations" and settings.task in ("infer", "decode", "encode"):
            continue
        source = SOURCE
        if field == "peak":
            source += f"; peak at {out['peak_at']}"
        if field in REPLAY:
            source += "; replay of the caching allocator with an 8.125 MiB cuBLAS workspace"
        yield {**cells(settings), "metric": metric, "value": out[field], "unit": unit, "source": source}


def done(path):
    if not os.path.exists(path):
        return set()
    with open(path, newline="") as file:
        return {tuple(row[c] for c in SETTINGS) for row in csv.DictReader(file)}


def append(path, lines):
    new = not os.path.exists(path)
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(lines)


def one(line, options, known):
    name, _, words = line.rpartition("|")
    settings = trace.with_defaults(trace.parser().parse_args(shlex.split(words)))
    if name and options.events:
        settings.events = os.path.join(options.events, f"{name.strip()}.txt")
    key = tuple(cells(settings).values())
    if not settings.events and (settings.layers or key in known):
        return
    out = trace.run(settings)
    gc.collect()
    if not settings.layers and key not in known and options.rows:
        append(options.rows, rows(settings, out))
        known.add(key)
    gib = out["peak"] / 2**30
    print(f"{words.strip()}: {gib:.3f} GiB at {out['peak_at']}, {out['seconds']} s", flush=True)
    if settings.events:
        totals = ", ".join(f"{k} {out[k]}" for k in ("weights", "optimizer", "saved_activations", "peak", "peak_at",
                                                     "allocated", "reserved"))
        with open(os.path.join(options.events, "INDEX.md"), "a") as index:
            index.write(f"| {name.strip()}.txt | `trace.py {words.strip()}` | {totals} |\n")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("list")
    p.add_argument("--rows", default=str(families.HERE / "traces.csv"))
    p.add_argument("--events")
    options = p.parse_args()
    trace.prepare("cuda")
    known = done(options.rows)
    with open(options.list) as file:
        for line in file:
            if not line.strip() or line.startswith("#"):
                continue
            try:
                one(line.strip(), options, known)
            except Exception as error:  # one program that cannot be traced must not end the list
                print(f"FAILED {line.strip()}: {error!r:.300}", file=sys.stderr, flush=True)
                traceback.print_exc(limit=-4)


if __name__ == "__main__":
    main()
