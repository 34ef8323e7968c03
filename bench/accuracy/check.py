#!/usr/bin/env python3
"""Does trace.py still give the reference rows (crates/nearside-estimate/tests/data/trace_results.csv)?

    python check.py decoders            # under the rules of CUDA
    python check.py images              # the reference has the CPU's rules here
    python check.py decoders llama-3.2-1b

Prints the difference of every row in bytes; ends with 1 when a peak or what is saved differs by more
than 0.001 %.
"""
import csv
import sys

import families
import trace

ROWS = families.HERE.parent.parent / "crates/nearside-estimate/tests/data/trace_results.csv"
ATTENTION = {"eager": "eager", "sdpa": "masked", "gt_gqa": "fused"}
OPTIMIZER = {"adamw": "adamw-plain", "adamw_foreach": "adamw-foreach", "sgd": "sgd", "sgd_mom": "sgd-momentum"}


def arguments(row):
    decoder = row["model"].startswith("llama")
    dtype, _, autocast = row["dtype"].partition("+")
    words = ["--model", row["model"], "--task", row["task"], "--dtype", dtype, "--batch", row["batch"],
             "--checkpointing", "full" if row["ckpt"] == "1" else "none", "--reference"]
    if autocast:
        words += ["--autocast", "bfloat16"]
    if row["opt"] in OPTIMIZER:
        words += ["--optimizer", OPTIMIZER[row["opt"]]]
    if decoder:
        return words + ["--attention", ATTENTION[row["attn"]], "--sequence", row["seq"]]
    scale = 8 if row["model"].startswith("unet") else 1
    return words + ["--rules", "cpu", "--image", str(int(row["seq"]) * scale)]


def main():
    decoders, only = sys.argv[1] == "decoders", sys.argv[2:]
    trace.prepare("cuda" if decoders else "cpu")
    wrong = 0
    with open(ROWS, newline="") as file:
        for row in csv.DictReader(file):
            if row["model"].startswith("llama") != decoders or (only and row["model"] not in only):
                continue
            words = arguments(row)
            out = trace.run(trace.with_defaults(trace.parser().parse_args(words)))
            saved = out["saved_activations"] - int(row["act_saved"]) if row["task"] != "infer" else 0
            peak = out["peak"] - int(row["peak"])
            far = max(abs(saved), abs(peak)) > 1e-5 * int(row["peak"])
            wrong += far
            print("DIFFERS" if far else "same", f"peak {peak:+d} saved {saved:+d}", " ".join(words), flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
