"""Makes pairs of a question and its answer from clean tickets, one JSON object per line."""
import csv
import json
import sys

source, _, target = sys.argv[1:4]
with open(source, newline="") as file, open(target, "w") as pairs:
    for row in csv.DictReader(file):
        pairs.write(json.dumps({"question": row["text"], "answer": row["reply"], "topic": row["topic"]}) + "\n")
