"""Scores an adapter on pairs: python3 evaluate.py ADAPTER PAIRS -o TARGET."""
import json
import os
import sys

import words

adapter, pairs, _, target = sys.argv[1:5]
weights = json.load(open(os.path.join(adapter, "adapter.json")))
rows = words.load(pairs)
right = sum(words.best(weights, row["question"]) == row["topic"] for row in rows)
json.dump({"right": right, "of": len(rows)}, open(target, "w"))
print(f"{right} of {len(rows)} right")
