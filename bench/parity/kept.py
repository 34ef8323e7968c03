#!/usr/bin/env python3
"""Tables made by chance, and what pycanon says that each keeps: k, distinct l and t.

    cargo xtask parity

Prints a JSON line for each of 500 tables: `rows` (quasi-identifiers, then the sensitive value), `k`, `l`, `t`. The
sensitive column is one of words in half of them (t with equal distances) and of numbers in the others (t with ordered
ones). Seeded: it prints the same every time.
"""
import json
import random
import warnings

import pandas
from pycanon import anonymity

warnings.filterwarnings("ignore")
chance = random.Random(20261128)
for number in range(500):
    width, rows = chance.randint(1, 3), chance.randint(4, 24)
    names = [f"q{column}" for column in range(width)]
    numbers = number % 2 == 1
    values = [str(value) for value in chance.sample(range(-5, 200), chance.randint(2, 6))]
    values = values if numbers else ["w" + value for value in values]
    kinds = [chance.randint(1, 3) for _ in names]
    table = [
        [f"c{chance.randrange(kind)}" for kind in kinds] + [chance.choice(values)] for _ in range(rows)
    ]
    # Distances of a column of one value are not defined there.
    if len({row[-1] for row in table}) == 1:
        table[0][-1] = next(value for value in values if value != table[0][-1])
    frame = pandas.DataFrame(table, columns=[*names, "s"])
    if numbers:
        frame["s"] = frame["s"].astype(int)
    kept = {
        "k": int(anonymity.k_anonymity(frame, names)),
        "l": int(anonymity.l_diversity(frame, names, ["s"])),
        "t": float(anonymity.t_closeness(frame, names, ["s"])),
    }
    print(json.dumps({"rows": table, **kept}, separators=(",", ":")))
