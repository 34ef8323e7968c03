#!/usr/bin/env python3
"""Megabytes a second and core of `privacy scan` and of Presidio without a model, in one run.

    python3 -m venv peer && peer/bin/pip install presidio-analyzer==2.2.366
    cargo build --release -p nearside-privacy --example speed
    peer/bin/python bench/scan.py [--labelled FILE] [--seconds N]

Corpora: dense (text full of personal data: `bench/pii/generate.py`, or a labelled file), sparse (this
repository's documents), and code (its Rust sources). Presidio gets its no-op language engine and default recognizers, and documents of
20 kB, the size at which it is fastest. Time is processor time of one thread.
"""
import argparse
import glob
import json
import resource
import subprocess
import sys
import tempfile
import time

# Another script of this folder has the name of a module of Python's.
sys.path.pop(0)
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NoOpNlpEngine

DOCUMENT = 20_000


def corpora(labelled):
    if labelled:
        with open(labelled, encoding="utf-8") as file:
            dense = "\n".join(json.loads(line)["text"] for line in file)
    else:
        made = subprocess.run(
            [sys.executable, "bench/pii/generate.py", "--seed", "7", "--documents", "3000"],
            check=True, capture_output=True, text=True).stdout
        dense = "\n".join(json.loads(line)["text"] for line in made.splitlines())
    read = lambda pattern: "".join(
        open(path, encoding="utf-8").read() for path in sorted(glob.glob(pattern, recursive=True)))
    return {"dense": dense, "sparse": read("docs/**/*.md") + read("*.md"), "code": read("crates/**/*.rs")}


def presidio(text, seconds):
    engine = AnalyzerEngine(nlp_engine=NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "no_op"}]), supported_languages=["en"])
    engine.analyze("warm up 4111111111111111", "en")
    start, done = time.process_time(), 0
    while time.process_time() - start < seconds and done < len(text):
        engine.analyze(text[done:done + DOCUMENT], "en")
        done += DOCUMENT
    used = time.process_time() - start
    return len(text[:done].encode()) / 1e6 / used


def nearside(text):
    # Repeated to some tens of megabytes, so that the start counts for little.
    data = text.encode()
    data *= max(1, 40_000_000 // len(data))
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        rates = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(["target/release/examples/speed", file.name, "--repeat", "1"],
                           check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            rates.append(len(data) / 1e6 / used)
        return max(rates)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--labelled")
    arguments.add_argument("--seconds", type=float, default=20)
    options = arguments.parse_args()
    print(f"{'corpus':8} {'presidio MB/s':>14} {'nearside MB/s':>14} {'ratio':>7}")
    for name, text in corpora(options.labelled).items():
        peer, ours = presidio(text, options.seconds), nearside(text)
        print(f"{name:8} {peer:14.4f} {ours:14.1f} {ours / peer:7.0f}")


if __name__ == "__main__":
    main()
