#!/usr/bin/env python3
"""Makes people.csv: six hundred people that do not exist, answering a survey about sick leave.

    python3 make.py > people.csv
"""
import random

chance = random.Random(20261128)
print("id,age,sex,zip,occupation,sick_days,back_pain")
for number in range(600):
    age = min(67, max(18, round(chance.gauss(41, 12))))
    sex = chance.choice("FM")
    area = chance.choices(["101", "104", "200", "803"], [4, 3, 2, 1])[0]
    occupation = chance.choices(["nurse", "teacher", "driver", "clerk", "carpenter"], [3, 3, 2, 4, 1])[0]
    heavy = occupation in ("nurse", "driver", "carpenter")
    pain = chance.random() < 0.1 + 0.006 * (age - 18) + 0.2 * heavy
    days = max(0, round(chance.gauss(4 + 0.1 * (age - 18) + 6 * pain, 3)))
    print(f"s{number:03},{age},{sex},{area}{chance.randrange(100):02},{occupation},{days},{'yes' if pain else 'no'}")
