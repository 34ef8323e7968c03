#!/usr/bin/env python3
"""Adult, k = 10, eight quasi-identifiers: `privacy anonymize --k` beside anjana, in one run.

    python3 -m venv peer && peer/bin/pip install anjana==1.2.3
    cargo build --release --locked
    peer/bin/python bench/tables.py FOLDER [--anjana-300k]

FOLDER holds adult.csv and ARX's adult_hierarchy_*.csv (repository arx-deidentifier/arx, data/). 30k is the table as it
is. 300k are ten times as many rows drawn with replacement, and in each quasi-identifier 8 % of the cells replaced by
other values of the column (seeded). Seconds are of a whole process for nearside (reading, searching, writing, reading
again, searching what is left), and of the call alone for anjana, both on the wall and of the processor.
"""
import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

# Another script of this folder has the name of a module of Python's.
sys.path.pop(0)
import numpy
import pandas
from anjana.anonymity import k_anonymity

QUASI = ["sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation"]


def read(folder):
    with open(f"{folder}/adult.csv", encoding="utf-8") as file:
        heads, *rows = csv.reader(file, delimiter=";")
    return heads, rows


def ten_times(heads, rows):
    chance = random.Random(20261128)
    places = [heads.index(name) for name in QUASI]
    values = {place: sorted({row[place] for row in rows}) for place in places}
    made = []
    for _ in range(10 * len(rows)):
        row = list(chance.choice(rows))
        for place in places:
            if chance.random() < 0.08:
                row[place] = chance.choice(values[place])
        made.append(row)
    return made


def processor():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def nearside(folder, file, method, suppress):
    with tempfile.TemporaryDirectory() as made:
        wall, cpu = time.perf_counter(), processor()
        run = subprocess.run(
            ["target/release/nearside", "privacy", "anonymize", file, "-o", f"{made}/out.csv", "--k", "10",
             "--quasi", ",".join(QUASI), "--hierarchies", folder, "--method", method, "--suppress", f"{suppress}%",
             "--target", "salary-class", "--json", "-q"],
            check=True, capture_output=True, text=True)
        wall, cpu = time.perf_counter() - wall, processor() - cpu
    found = json.loads(run.stdout)["data"]
    utility = found["utility"]
    return (wall, cpu, found["kept"]["rows"], found["kept"]["classes"], utility["discernibility"],
            utility["penalty"], utility["auc"])


def anjana(folder, heads, rows, suppress):
    table = pandas.DataFrame(rows, columns=heads)
    hierarchies = {}
    for name in QUASI:
        with open(f"{folder}/adult_hierarchy_{name}.csv", encoding="utf-8") as file:
            levels = list(zip(*csv.reader(file, delimiter=";")))
        hierarchies[name] = {level: numpy.array(labels) for level, labels in enumerate(levels)}
    wall, cpu = time.perf_counter(), time.process_time()
    made = k_anonymity(table, [], QUASI, 10, suppress, hierarchies)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sizes = made.groupby(QUASI).size().to_numpy(dtype=float)
    out = len(rows) - len(made)
    return wall, cpu, len(made), len(sizes), float((sizes ** 2).sum() + out * len(rows)), None, None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("--anjana-300k", action="store_true", help="takes some minutes")
    arguments = arguments.parse_args()
    heads, rows = read(arguments.folder)
    tables = {"30k": rows, "300k": ten_times(heads, rows)}
    print("engine             rows  left out at most  wall s   cpu s     kept  classes  discernibility  penalty    AUC before, after")
    for size, table in tables.items():
        with tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False) as file:
            csv.writer(file, delimiter=";", lineterminator="\n").writerows([heads, *table])
        for suppress in (0, 5, 20):
            engines = {
                "nearside lattice": lambda: nearside(arguments.folder, file.name, "lattice", suppress),
                "nearside mondrian": lambda: nearside(arguments.folder, file.name, "mondrian", suppress),
            }
            if size == "30k" or arguments.anjana_300k:
                engines["anjana"] = lambda: anjana(arguments.folder, heads, table, suppress)
            for engine, run in engines.items():
                wall, cpu, kept, classes, squares, penalty, auc = run()
                more = "" if penalty is None else f"  {penalty:7.3f}  {auc['original']:.3f}  {auc['anonymized']:.3f}"
                print(f"{engine:17}  {size:>4}  {suppress:14} %  {wall:6.2f}  {cpu:6.2f}  {kept:7}  {classes:7}"
                      f"  {squares:14.3e}{more}", flush=True)
        os.unlink(file.name)


main()
