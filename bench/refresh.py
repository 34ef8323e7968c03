"""How long does a price list of Amazon EC2 take, and how much memory? Makes one in the published shape, of as many
megabytes as asked for, reads it with `nearside catalog refresh --dry-run`, and removes it.

    python3 bench/refresh.py --megabytes 500
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def product(sku, instance, system, tenancy):
    return json.dumps({
        "sku": sku,
        "productFamily": "Compute Instance",
        "attributes": {
            "servicecode": "AmazonEC2", "location": "EU (Ireland)", "locationType": "AWS Region",
            "instanceType": instance, "currentGeneration": "Yes", "instanceFamily": "GPU instance", "vcpu": "4",
            "physicalProcessor": "AMD EPYC 7R32", "memory": "16 GiB", "storage": "1 x 250 NVMe SSD",
            "networkPerformance": "Up to 10 Gigabit", "processorArchitecture": "64-bit", "tenancy": tenancy,
            "operatingSystem": system, "licenseModel": "No License required", "usagetype": "EU-BoxUsage:" + instance,
            "operation": "RunInstances", "capacitystatus": "Used", "gpu": "1", "regionCode": "eu-west-1",
            "preInstalledSw": "NA", "servicename": "Amazon Elastic Compute Cloud",
        },
    })


def term(sku, price):
    code = sku + ".JRTCKXETXF"
    return json.dumps({code: {
        "offerTermCode": "JRTCKXETXF", "sku": sku, "effectiveDate": "2026-10-01T00:00:00Z",
        "priceDimensions": {code + ".6YS6EN2CT7": {
            "rateCode": code + ".6YS6EN2CT7", "description": f"${price} per On Demand Linux Instance Hour",
            "beginRange": "0", "endRange": "Inf", "unit": "Hrs", "pricePerUnit": {"USD": price}, "appliesTo": []}},
        "termAttributes": {},
    }})


def write(path, megabytes):
    """Two thirds products, a third terms, as in the real list; a few of them of machines that are known."""
    instances = ["g5.xlarge", "g6.xlarge", "t3.micro", "m5.large", "r5.24xlarge", "c6g.medium"]
    systems = ["Linux", "Windows", "RHEL", "SUSE"]
    tenancies = ["Shared", "Dedicated", "Host"]
    with open(path, "w") as file:
        file.write('{"formatVersion":"v1.0","offerCode":"AmazonEC2","publicationDate":"2026-10-30T00:00:00Z","products":{')
        count = 0
        while file.tell() < megabytes * 1e6 * 0.62:
            sku = f"SKU{count:012d}"
            one = product(sku, instances[count % 6], systems[count // 6 % 4], tenancies[count // 24 % 3])
            file.write(("," if count else "") + f'"{sku}":' + one)
            count += 1
        file.write('},"terms":{"OnDemand":{')
        for at in range(count):
            sku = f"SKU{at:012d}"
            file.write(("," if at else "") + f'"{sku}":' + term(sku, f"{0.1 + at % 97 / 50:.10f}"))
        file.write('}},"attributesList":{}}')
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    wanted = parser.parse_args()
    program = ROOT / "target/release/nearside"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "index.json")
        products = write(path, wanted.megabytes)
        size = os.path.getsize(path) / 1e6
        environment = {**os.environ, "NEARSIDE_CONFIG_DIR": os.path.join(folder, "configuration")}
        began = time.perf_counter()
        done = subprocess.run([program, "catalog", "refresh", "--dry-run", "--from", path, "--json", "-q"],
                              capture_output=True, text=True, env=environment, check=True)
        took = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        found = json.loads(done.stdout)["data"]
        print(f"{size:.0f} MB, {products} products: {took:.1f} s, {size / took:.0f} MB/s, peak {peak:.0f} MiB, "
              f"{found['offers']} offers, {len(found['changed'])} changed")


if __name__ == "__main__":
    main()
