"""Trains on pairs: python3 train.py --rank R [--tokens N] PAIRS -o TARGET. A stand-in until `nearside model tune`."""
import argparse
import json
import os

import words

parser = argparse.ArgumentParser()
parser.add_argument("--rank", type=int, required=True)
parser.add_argument("--tokens", type=int, default=0)
parser.add_argument("pairs")
parser.add_argument("-o", dest="target", required=True)
chosen = parser.parse_args()
pairs = words.load(chosen.pairs)
weights, losses = words.train(pairs, rate=1.0 / chosen.rank, rounds=4)
print(f"rank {chosen.rank}: loss {losses[0]:.3f} -> {losses[-1]:.3f}")
if chosen.target.endswith(".json"):
    # Trials follow each other: each adds its own line.
    known = json.load(open(chosen.target)) if os.path.exists(chosen.target) else {}
    known[str(chosen.rank)] = losses[-1]
    json.dump(known, open(chosen.target, "w"), indent=1, sort_keys=True)
else:
    os.makedirs(chosen.target)
    json.dump(weights, open(os.path.join(chosen.target, "adapter.json"), "w"), sort_keys=True)
