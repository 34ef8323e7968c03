"""Reads one large bill with `nearside bill`, with DuckDB and with pandas, and prints time, speed and memory.

    cargo build --release
    python3 -m venv bench/.venv && bench/.venv/bin/pip install pandas duckdb
    bench/.venv/bin/python bench/bill.py --gigabytes 5

The file is made in a temporary folder and removed at the end; its rows have the columns of AWS Data Exports
(FOCUS 1.2) and are made from a seed, so that everybody gets the same ones. Each program computes the
totals in cash and amortised and those of months and services, and they are compared.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = """AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency
BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd
ChargePeriodStart CommitmentDiscountId CommitmentDiscountStatus ConsumedQuantity ConsumedUnit ContractedCost
ContractedUnitPrice EffectiveCost InvoiceId InvoiceIssuerName ListCost ListUnitPrice PricingCategory
PricingQuantity PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType
ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId
SubAccountName SubAccountType Tags x_Discounts x_Operation x_ServiceCode""".split()
MACHINES = [("g5.xlarge", 1.258), ("g5.12xlarge", 7.093), ("p4d.24xlarge", 21.958), ("m5a.xlarge", 0.208)]
OTHERS = [("Amazon Simple Storage Service", "AmazonS3"), ("AWS Lambda", "AWSLambda"), ("Amazon RDS", "AmazonRDS")]

DUCKDB = """
import duckdb, json, sys
duckdb.sql("SET threads TO 2")
duckdb.sql("SET enable_progress_bar TO false")
bill = "read_csv('%s', all_varchar=true)" % sys.argv[1]
cost = "sum(CAST(BilledCost AS DECIMAL(38,15))), sum(CASE WHEN ChargeCategory = 'Purchase' AND CommitmentDiscountId IS NOT NULL THEN 0 ELSE CAST(EffectiveCost AS DECIMAL(38,15)) END)"
rows = duckdb.sql(f"SELECT BillingPeriodStart[:7], ServiceName, {cost} FROM {bill} GROUP BY ALL").fetchall()
print(json.dumps([str(sum(row[2] for row in rows)), str(sum(row[3] for row in rows))]))
"""
PANDAS = """
import json, sys
import pandas
use = ["BilledCost", "EffectiveCost", "ChargeCategory", "CommitmentDiscountId", "BillingPeriodStart", "ServiceName"]
bill = pandas.read_csv(sys.argv[1], usecols=use)
ahead = (bill.ChargeCategory == "Purchase") & bill.CommitmentDiscountId.notna()
bill.loc[ahead, "EffectiveCost"] = 0
groups = bill.groupby([bill.BillingPeriodStart.str[:7], "ServiceName"])[["BilledCost", "EffectiveCost"]].sum()
print(json.dumps([str(groups.BilledCost.sum()), str(groups.EffectiveCost.sum())]))
"""


def block(rows, number, chance):
    """Rows as text; `number` makes every one of them different."""
    lines = []
    for at in range(rows):
        begin = datetime(2026, 9, 1) + timedelta(hours=(number + at) % (61 * 24))
        moment = "%Y-%m-%dT%H:%M:%SZ"
        row = dict.fromkeys(COLUMNS, "")
        row |= {
            "BillingAccountId": "111122223333", "BillingAccountName": "Payer", "BillingCurrency": "USD",
            "BillingPeriodStart": begin.strftime("%Y-%m-01T00:00:00Z"),
            "BillingPeriodEnd": "2026-10-01T00:00:00Z" if begin.month == 9 else "2026-11-01T00:00:00Z",
            "ChargeCategory": "Usage", "ChargePeriodStart": begin.strftime(moment),
            "ChargePeriodEnd": (begin + timedelta(hours=1)).strftime(moment), "ChargeFrequency": "Usage-Based",
            "ProviderName": "AWS", "PublisherName": "AWS", "InvoiceIssuerName": "Amazon Web Services, Inc.",
            "RegionId": "eu-central-1", "RegionName": "EU (Frankfurt)", "SubAccountId": str(444455550000 + at % 40),
            "Tags": '{"team": "team-%d", "environment": "production"}' % (at % 25), "PricingCategory": "Standard",
            "ResourceId": f"arn:aws:resource/{number + at:012d}", "InvoiceId": "EUINDE26-100000",
        }
        if chance.random() < 0.05:
            machine, price = chance.choice(MACHINES)
            row |= {"ServiceName": "Amazon Elastic Compute Cloud", "ServiceCategory": "Compute", "x_ServiceCode": "AmazonEC2",
                    "ConsumedQuantity": "1.0", "ConsumedUnit": "Hours", "PricingQuantity": "1.0", "PricingUnit": "Hours",
                    "SkuMeter": f"EUC1-BoxUsage:{machine}", "SkuPriceDetails": json.dumps({"InstanceType": machine})}
            cost = repr(price)
        else:
            service, code = chance.choice(OTHERS)
            row |= {"ServiceName": service, "ServiceCategory": "Other", "x_ServiceCode": code, "ConsumedUnit": "Requests",
                    "ConsumedQuantity": str(chance.randrange(1, 9000)), "SkuMeter": f"EUC1-Requests-Tier{at % 4}"}
            cost = f"{chance.randrange(1, 10**7)}E-10"
        for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"):
            row[name] = cost
        lines.append([row[name] for name in COLUMNS])
    return lines


def make(path, size):
    """Writes a bill of about that many bytes."""
    chance, number = random.Random(20261126), 0
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        while file.tell() < size:
            # The text of the resource is what differs: the same block again, renumbered, is quick to write.
            rows = block(20_000, number, chance)
            for _ in range(20):
                for at, row in enumerate(rows):
                    row[COLUMNS.index("ResourceId")] = f"arn:aws:resource/{number + at:012d}"
                writer.writerows(rows)
                number += len(rows)
                if file.tell() >= size:
                    break


def measured(name, arguments):
    """Seconds of the clock and of processors, the most memory in MiB, and what was printed."""
    begin = time.monotonic()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{name} failed")
    return time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--file", type=Path, help="a bill that is there, instead of making one")
    parser.add_argument("--only", help="one of the programs")
    parser.add_argument("--nearside", default=ROOT / "target/release/nearside")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.file or Path(folder, "bill.csv")
        if not arguments.file:
            make(path, arguments.gigabytes * 1e9)
        size = path.stat().st_size
        print(f"{size / 1e9:.2f} GB", flush=True)
        ours = [arguments.nearside, "bill", path, "--machine", "rtx-4090", "--json", "--quiet"]
        programs = [("nearside", ours), ("duckdb", [sys.executable, "-c", DUCKDB, path]), ("pandas", [sys.executable, "-c", PANDAS, path])]
        for name, command in programs:
            if arguments.only not in (None, name):
                continue
            seconds, busy, memory, out = measured(name, command)
            answer = json.loads(out)
            totals = [answer["data"][view]["amount"] for view in ("cash", "amortised")] if name == "nearside" else answer
            print(
                f"{name:10} {seconds:7.1f} s  {size / 1e6 / seconds:6.0f} MB/s  {busy:7.1f} CPU-s"
                f"  {size / 1e6 / busy:6.0f} MB/CPU-s  {memory:7.0f} MiB  {totals}",
                flush=True,
            )


if __name__ == "__main__":
    main()
