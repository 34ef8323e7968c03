"""Minimum memory as others publish it, beside what nearside says the same work needs.

    python3 bench/minimum.py [path of nearside]

Rows stand in bench/published_minimums.csv. Everything is asked of one device that is large enough, with one
sequence of 512 tokens (an image of the usual size for models that make images). What is published as "card" is
the size of a card that is said to be enough, "weights" leaves everything but the weights out, "estimate" is a
figure that its authors call one, "peak" was measured. The smallest card of the catalogue that nearside calls
enough stands in the last column.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target/release/nearside")
DEVICE = "b300"  # 268 GiB: holds every row
GIB = 2**30
CARDS = [4, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 80, 96, 141, 180, 268]


def fit(row):
    command = [PROGRAM, "fit", row["model"], "--task", row["task"], "--batch", "1", "--sequence", "512"]
    command += ["--on", DEVICE, "--accept-uncertain", "--json", *row["how"].split()]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    tasks = json.loads(answer.stdout)["data"]["tasks"]
    return tasks[0]["needed_bytes"]


def main():
    print("| model | work | published | what | nearside | over published | least card | source |")
    print("|---|---|---:|---|---:|---:|---:|---|")
    for row in csv.DictReader(open(ROOT / "bench/published_minimums.csv", encoding="utf-8")):
        needed = fit(row)
        unit = GIB if row["unit"] == "GiB" else 10**9
        published = float(row["published"]) * unit
        likely = needed["likely"]
        # A card keeps a little for itself: 95 % of it can be had.
        card = next((size for size in CARDS if needed["high"] <= size * GIB * 0.95), None)
        print(
            f"| {row['model']} | {row['task']} {row['how']} | {row['published']} {row['unit']} | {row['what']} "
            f"| {needed['low'] / GIB:.1f}-{needed['high'] / GIB:.1f} GiB | {likely / published:.2f} "
            f"| {card} GiB | {row['source']} |"
        )


main()
