"""Answers one question with an adapter, as a smoke test. A stand-in until `nearside model serve`."""
import json
import os
import sys

import words

weights = json.load(open(os.path.join(sys.argv[1], "adapter.json")))
question = "My invoice shows the wrong amount."
print(f"{question} -> {words.best(weights, question)}")
