#!/usr/bin/env python3
"""Compares nearside's planner with SkyPilot's optimizer on the very same problems, offline.

    python3 bench/skypilot.py [--only chain-8 ...] [--repeats 3] [--limit 120] [--solver FILE]

One road: generate a catalog -> SkyPilot optimizes a project over it -> the costs that SkyPilot
itself computed become a problem file -> nearside solves that file -> both optima must be equal.

SkyPilot runs in a process of its own for every instance, with a time limit, an empty home folder
and every internet connection refused. Its package is installed into `bench/.venv` when that is missing.
"""

import argparse
import csv
import datetime
import json
import os
import pathlib
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
VENV = BENCH / ".venv"
RESULTS = BENCH / "results"
MICROS = 1_000_000
SOLVER_RUNS = 21
ESTIMATED_HOURS = 1  # SkyPilot's own default

# ---------------------------------------------------------------- the project and its catalog


class Random:
    """A small linear congruential generator: the same instances on every machine."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % limit


# Made up so that it matters where data is: prices within a factor of a few, no cloud the cheapest
# for every task, and moving a task's outputs out of the first cloud costs about as much as that
# differs. Accelerator: memory in GB, price per hour in ten-thousandths of a dollar.
ACCELERATORS = {
    "T4": (16, 3500),
    "L4": (24, 6000),
    "A10": (24, 7500),
    "A10G": (24, 9000),
    "RTX4090": (24, 5500),
    "V100": (32, 15000),
    "A100": (40, 16000),
    "L40S": (48, 13000),
    "A100-80GB": (80, 20000),
    "H100": (80, 32000),
    "H200": (141, 40000),
}
COUNTS = (1, 2, 4)
GIGABYTES = (1, 2, 4, 8)  # what a task leaves behind, where it ran
INPUT_GIGABYTES = 4  # what the first task reads, in the first cloud
# Cloud: the accelerators it offers, and its regions with their zones.
CLOUDS = {
    "aws": (
        ("T4", "L4", "A10G", "V100", "L40S", "A100", "A100-80GB", "H100"),
        {
            "us-east-1": ("use1-az1", "use1-az2"),
            "us-west-2": ("usw2-az1",),
            "eu-west-1": ("euw1-az1",),
            "eu-central-1": ("euc1-az1",),
        },
    ),
    "lambda": (
        ("A10", "V100", "A100", "A100-80GB", "H100"),
        {"us-east-1": (None,), "us-west-1": (None,), "europe-central-1": (None,)},
    ),
    "runpod": (
        ("L4", "RTX4090", "A100-80GB", "H100", "H200"),
        {"US": ("US-GA-1",), "CA": ("CA-MTL-1",)},
    ),
}
# The columns of the eighth version of SkyPilot's catalogs; their order differs from cloud to cloud.
START = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB"
COLUMNS = {
    "aws": f"{START},GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch",
    "lambda": f"{START},Price,Region,GpuInfo,SpotPrice",
    "runpod": f"{START},SpotPrice,Price,Region,AvailabilityZone,GpuInfo",
}


def instance_type(cloud, accelerator, count):
    return {
        "aws": f"sim-{accelerator.lower()}.{count}x",
        "lambda": f"gpu_{count}x_{accelerator.lower()}",
        "runpod": f"{count}x_{accelerator}_SECURE",
    }[cloud]


def catalog_rows(cloud, random):
    accelerators, regions = CLOUDS[cloud]
    for accelerator in accelerators:
        memory, price = ACCELERATORS[accelerator]
        for count in COUNTS:
            for region, zones in regions.items():
                hourly = price * count * (70 + random.below(61)) // 100
                gpu = {
                    "Name": accelerator,
                    "Manufacturer": "NVIDIA",
                    "Count": float(count),
                    "MemoryInfo": {"SizeInMiB": memory * 1024},
                }
                for zone in zones:
                    yield {
                        "InstanceType": instance_type(cloud, accelerator, count),
                        "AcceleratorName": accelerator,
                        "AcceleratorCount": float(count),
                        "vCPUs": float(8 * count),
                        "MemoryGiB": float(32 * count),
                        "GpuInfo": str({"Gpus": [gpu], "TotalGpuMemoryInMiB": count * memory * 1024}),
                        "Price": f"{hourly / 10_000:.4f}",
                        "SpotPrice": "",
                        "Region": region,
                        "AvailabilityZone": zone,
                        "Arch": "x86_64",
                    }


def write_catalog(folder):
    """Places the generated catalogs where SkyPilot looks for them; the number of rows."""
    random, total = Random(1), 0
    for cloud, columns in COLUMNS.items():
        rows = list(catalog_rows(cloud, random))
        total += len(rows)
        write_csv(folder / cloud / "vms.csv", columns.split(","), rows)
    # Looked for by SkyPilot's AWS part, which would otherwise try to download them.
    write_csv(folder / "aws" / "images.csv", "Tag,Region,OS,OSVersion,ImageId,CreationDate,BaseImageId".split(","), [])
    write_csv(folder / "aws" / "instance_quota_mapping.csv", "InstanceType,OnDemandInstanceCode,SpotInstanceCode".split(","), [])
    offered = [
        {
            "AcceleratorName": accelerator,
            "Clouds": str([cloud for cloud, (offers, _) in CLOUDS.items() if accelerator in offers]),
        }
        for accelerator in ACCELERATORS
    ]
    write_csv(folder / "common" / "accelerators.csv", ["AcceleratorName", "Clouds"], offered)
    return total


def write_csv(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


# Name: tasks, and how many of the tasks just before it each task needs.
INSTANCES = {
    "chain-8": (8, 1),
    "chain-20": (20, 1),
    "chain-50": (50, 1),
    "dag-6": (6, 2),
    "dag-8": (8, 2),
}


def project(tasks, parents):
    """Per task the GB it leaves behind and its accelerator choices; and the edges."""
    random = Random(5)  # a seed where every optimum is in several clouds and not `alone`'s
    stages = []
    for _ in range(tasks):
        gigabytes = GIGABYTES[random.below(len(GIGABYTES))]
        choices = {name: COUNTS[random.below(len(COUNTS))] for name in ACCELERATORS}
        stages.append((gigabytes, choices))
    edges = [(u, v) for v in range(tasks) for u in range(max(0, v - parents), v)]
    return stages, edges


# ---------------------------------------------------------------- SkyPilot, in its own process


def refuse_network():
    """Nothing in the measured process may reach the internet."""
    import socket

    plain = socket.socket.connect

    def connect(self, address):
        if self.family != socket.AF_UNIX:
            raise OSError(f"no network in a benchmark: {address}")
        return plain(self, address)

    socket.socket.connect = connect


def cpu_seconds():
    """CPU time of this process and of the solvers that it has started."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))


class Stopwatch:
    """Wall and CPU seconds between `with` and its end."""

    def __enter__(self):
        self.started = (time.perf_counter(), cpu_seconds())
        return self

    def __exit__(self, *_):
        wall, cpu = self.started
        self.wall, self.cpu = time.perf_counter() - wall, cpu_seconds() - cpu

    def report(self):
        return {"wall_s": round(self.wall, 4), "cpu_s": round(self.cpu, 4)}


def optimize(name, answer):
    """Runs SkyPilot's optimizer on one instance; leaves problem, plan and times in `answer`."""
    refuse_network()
    with Stopwatch() as importing:
        import sky
        from sky import check, clouds, optimizer

    enabled = [clouds.AWS(), clouds.Lambda(), clouds.RunPod()]
    check.get_cached_enabled_clouds_or_refresh = lambda *_, **__: enabled

    stages, edges = project(*INSTANCES[name])
    with sky.Dag() as dag:
        tasks = []
        for index, (gigabytes, choices) in enumerate(stages):
            task = sky.Task(name=f"t{index}")
            task.set_resources({sky.Resources(accelerators={a: n}) for a, n in choices.items()})
            task.set_outputs(f"out-{index}", gigabytes)
            tasks.append(task)
        tasks[0].set_inputs("s3://nearside-bench", INPUT_GIGABYTES)
        for u, v in edges:
            tasks[u] >> tasks[v]

    record = {"importing": importing.report()}

    def watch(method):
        """Keeps what the method is given, before it starts, and how long it takes."""
        inner = getattr(optimizer.Optimizer, method)

        def watched(*arguments):
            costs = next(a for a in arguments if isinstance(a, dict))
            with Stopwatch() as extracting:
                record["problem"] = extract(optimizer.Optimizer, clouds, tasks, edges, costs)
            record["extracting"] = extracting
            record["method"] = method.removeprefix("_optimize_by_")
            save(answer, record)  # still there if the solver is stopped at the limit
            with Stopwatch() as solving:
                plan, objective = inner(*arguments)
            record["solving"] = solving.report()
            record["objective"] = objective
            return plan, objective

        setattr(optimizer.Optimizer, method, staticmethod(watched))

    watch("_optimize_by_dp")
    watch("_optimize_by_ilp")
    with Stopwatch() as whole:
        optimizer.Optimizer.optimize(dag, minimize=sky.OptimizeTarget.COST, quiet=True)
    # The extraction is ours, so it is not counted.
    extracting = record["extracting"]
    whole.wall -= extracting.wall
    whole.cpu -= extracting.cpu
    record["optimizing"] = whole.report()
    positions = [[candidate[:3] for candidate in stage] for stage in record["problem"]["stages"]]
    record["plan"] = [p.index(key(task.best_resources)) for p, task in zip(positions, tasks)]
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    record["peak_mb"] = round(max(usages) * 1024 / 1e6)
    record["versions"] = versions()
    save(answer, record)


def key(resources):
    return [str(resources.cloud).lower(), resources.region, resources.instance_type]


def extract(optimizer, clouds, tasks, edges, costs):
    """SkyPilot's own numbers, in micros: candidates of every task, egress of every edge.

    Its egress depends on the two clouds alone and is no straight line (the first GB is free), so
    it is asked for every edge and pair of clouds.
    """
    cloud_of = {"aws": clouds.AWS(), "lambda": clouds.Lambda(), "runpod": clouds.RunPod()}
    micros = lambda dollars: round(dollars * MICROS)
    egress = lambda source, target, gigabytes: micros(
        optimizer._egress_cost(source, target, gigabytes)
    )
    stages = []
    for task in tasks:
        ingress = {name: 0 for name in cloud_of}
        if task.get_inputs() is not None:
            source, size = task.get_inputs_cloud(), task.get_estimated_inputs_size_gigabytes()
            ingress = {name: egress(source, cloud, size) for name, cloud in cloud_of.items()}
        stage = []
        for resources, cost in costs[task].items():
            expected = resources.get_cost(ESTIMATED_HOURS * 3600)
            assert abs(cost - expected) < 1e-9, (resources, cost, expected)
            cloud, region, instance = key(resources)
            stage.append([cloud, region, instance, micros(cost) + ingress[cloud]])
        stages.append(sorted(stage))
    moved = []
    for u, v in edges:
        size = tasks[u].get_estimated_outputs_size_gigabytes()
        pairs = [(a, b) for a in cloud_of for b in cloud_of]
        charged = {f"{a} {b}": egress(cloud_of[a], cloud_of[b], size) for a, b in pairs}
        moved.append([u, v, charged])
    return {"stages": stages, "edges": moved}


def versions():
    from importlib import metadata

    found = {name: metadata.version(name) for name in ("skypilot", "pandas", "PuLP", "numpy")}
    return {"python": platform.python_version(), **found}


def save(path, record):
    plain = {name: value for name, value in record.items() if not isinstance(value, Stopwatch)}
    path.write_text(json.dumps(plain))


# ---------------------------------------------------------------- nearside


def problem_lines(problem):
    """The extracted problem in the format of nearside-plan's example `solve`.

    nearside wants a rate per location pair and bytes per edge. Every pair of clouds that charges
    for an edge charges the same, so a dollar per GB times as many GB as dollars is that charge.
    """
    places = sorted({(cloud, region) for stage in problem["stages"] for cloud, region, *_ in stage})
    paying = {pair for *_, charged in problem["edges"] for pair, cost in charged.items() if cost}
    yield f"locations {len(places)}"
    for a, (source, _) in enumerate(places):
        for b, (target, _) in enumerate(places):
            if f"{source} {target}" in paying:
                yield f"route {a} {b} {MICROS}"
    for index, stage in enumerate(problem["stages"]):
        yield f"stage t{index}"
        for cloud, region, _, cost in stage:
            yield f"choice {cloud}/{region} {places.index((cloud, region))} {cost}"
    for u, v, charged in problem["edges"]:
        amounts = {charged[pair] for pair in paying}
        assert len(amounts) <= 1, f"edge {u} -> {v} needs more than one rate: {charged}"
        yield f"edge {u} {v} {max(amounts, default=0) * 1000}"


def cost_of(problem, plan):
    """What a plan comes to in micros, with the extracted numbers alone."""
    chosen = [stage[choice] for stage, choice in zip(problem["stages"], plan)]
    stages = sum(choice[3] for choice in chosen)
    edges = sum(charged[f"{chosen[u][0]} {chosen[v][0]}"] for u, v, charged in problem["edges"])
    return stages + edges


def alone(problem):
    """The plan that takes every task's cheapest candidate and never looks at the edges."""
    return [min(range(len(s)), key=lambda i: s[i][3]) for s in problem["stages"]]


def solve(solver, path):
    """nearside's answer, its time inside, and wall and CPU time of its whole process: medians."""
    walls, cpus, inside = [], [], []
    for _ in range(SOLVER_RUNS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        run = subprocess.run([solver, path], capture_output=True, text=True, check=True)
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        answer = dict(line.split(" ", 1) for line in run.stdout.splitlines())
        inside.append(float(answer["microseconds"]) / 1e6)
    return {
        "objective_micros": int(answer["objective"]),
        "proof": answer["proof"],
        "plan": [int(choice) for choice in answer["choices"].split()],
        "solving_s": round(statistics.median(inside), 7),
        "process": {
            "wall_s": round(statistics.median(walls), 6),
            "cpu_s": round(statistics.median(cpus), 6),
        },
    }


# ---------------------------------------------------------------- one comparison


def run_skypilot(name, home, limit):
    """What SkyPilot left behind, and whether it had to be stopped at the limit."""
    answer = home / f"{name}.json"
    answer.unlink(missing_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        "TMPDIR": str(home),
    }
    command = [VENV / "bin" / "python", __file__, "--child", name, "--answer", answer]
    with (home / f"{name}.log").open("w") as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=home, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its own group: the ILP solver is in it
            process.wait()
            code = None
        wall = time.perf_counter() - start
    if code not in (0, None):
        raise SystemExit(f"SkyPilot failed on {name}:\n{(home / f'{name}.log').read_text()}")
    record = json.loads(answer.read_text()) if answer.exists() else {}
    return {**record, "process_wall_s": round(wall, 3), "over_limit": code is None}


def middle(runs, *path):
    """The median over runs of a nested figure; None when a run did not get that far."""
    values = []
    for run in runs:
        for part in path:
            run = run.get(part) if run else None
        values.append(run)
    return None if None in values else statistics.median(values)


def compare(name, home, solver, options):
    runs = []
    for _ in range(options.repeats):
        runs.append(run_skypilot(name, home, options.limit))
        if runs[-1]["over_limit"]:
            break
    last = runs[-1]
    tasks, parents = INSTANCES[name]
    result = {"instance": name, "tasks": tasks, "parents": parents, "runs": len(runs)}
    result["over_limit"] = last["over_limit"]
    if "problem" not in last:
        return result
    problem = last["problem"]
    assert all(run["problem"] == problem for run in runs), "the extraction is not deterministic"
    path = home / f"{name}.txt"
    path.write_text("\n".join(problem_lines(problem)) + "\n")
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        (options.keep / path.name).write_text(path.read_text())
    nearside = solve(solver, path)
    assert nearside["proof"] == "Exact", nearside
    assert cost_of(problem, nearside["plan"]) == nearside["objective_micros"], "nearside's plan"
    result["edges"] = len(problem["edges"])
    result["candidates"] = max(map(len, problem["stages"]))
    result["clouds_in_plan"] = len({s[c][0] for s, c in zip(problem["stages"], nearside["plan"])})
    result["without_edges_micros"] = cost_of(problem, alone(problem))
    result["nearside"] = nearside
    result["skypilot"] = {
        "method": last["method"],
        "process_wall_s": middle(runs, "process_wall_s"),
        "importing": {unit: middle(runs, "importing", unit) for unit in ("wall_s", "cpu_s")},
        "optimizing": {unit: middle(runs, "optimizing", unit) for unit in ("wall_s", "cpu_s")},
        "solving": {unit: middle(runs, "solving", unit) for unit in ("wall_s", "cpu_s")},
    }
    if last["over_limit"]:
        return result
    result["versions"] = last["versions"]
    skypilot = result["skypilot"]
    skypilot["peak_mb"] = middle(runs, "peak_mb")
    skypilot["objective"] = last["objective"]
    skypilot["plan"] = last["plan"]
    skypilot["same_plan"] = last["plan"] == nearside["plan"]
    # Every term was rounded to a micro, by half of one at most.
    tolerance = (tasks + len(problem["edges"])) / 2 + 1
    for run in runs:
        again = cost_of(problem, run["plan"])
        theirs = run["objective"] * MICROS
        assert abs(again - theirs) <= tolerance, f"{name}: extracted {again}, SkyPilot {theirs}"
        ours = nearside["objective_micros"]
        assert abs(ours - theirs) <= tolerance, f"{name}: nearside {ours}, SkyPilot {theirs}"
    skypilot["plan_with_extracted_costs_micros"] = again
    result["difference_micros"] = round(nearside["objective_micros"] - theirs, 3)
    inside, process = nearside["solving_s"], nearside["process"]
    result["ratios"] = ratios(skypilot, nearside)
    return result


def ratios(skypilot, nearside):
    """SkyPilot's CPU time over nearside's wall time: waiting for a busy machine counts against us."""
    return {
        "solver": round(skypilot["solving"]["cpu_s"] / nearside["solving_s"]),
        "optimize_to_process": round(
            skypilot["optimizing"]["cpu_s"] / nearside["process"]["wall_s"]
        ),
    }


# ---------------------------------------------------------------- setting up and reporting


def prepare_environment():
    """Installs SkyPilot into `bench/.venv`, unless it is there."""
    requirements = BENCH / "requirements.txt"
    if not (VENV / "bin" / "sky").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        pip = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", requirements]
        subprocess.run(pip, check=True)


def build_solver():
    command = "cargo build --release --quiet -p nearside-plan --example solve".split()
    subprocess.run(command, cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return (ROOT / target / "release" / "examples" / "solve").resolve()


def seconds(value):
    if value is None:
        return "-"
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.0f} us"


def markdown(report):
    out = ["# nearside and SkyPilot on the same placement problems", ""]
    names = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    out += [f"{report['date']}, {names}.", f"Made by `{report['command']}`; medians of {report['repeats']} runs of SkyPilot and {SOLVER_RUNS} of nearside.", ""]
    out += [f"One generated catalog of {report['catalog_rows']} rows in three clouds; load when it ended: {report['load']} on {report['cores']} cores.", ""]
    answers = ("instance", "tasks x candidates", "each task alone", "SkyPilot", "nearside", "apart")
    out += table(answers, map(answer_row, report["results"]))
    out += [
        "- *each task alone*: dollars when every task takes its cheapest candidate, plus the transfers that follow; *SkyPilot*, *nearside*: the optimum that each found, in dollars.",
        "- *apart*: nearside's optimum minus SkyPilot's in dollars; the run fails if it is more than rounding every term to a millionth can explain.",
        "",
    ]
    times = (
        "instance", "SkyPilot: process", "`optimize`, wall / CPU", "solver, wall / CPU",
        "nearside: process", "solver", "solver / solver", "`optimize` / process",
    )
    stopped = f"over {report['limit_s']} s"
    out += table(times, (time_row(result, stopped) for result in report["results"]))
    out += [
        "- *process*: start to end, import included. *`optimize`*: that call alone, filtering of the catalog included. *solver*: dynamic program (chains) or integer program in CBC (dag), nothing else.",
        "- The ratios are SkyPilot's CPU time over nearside's wall time, so that waiting for a busy machine counts against nearside.",
        "- nearside reads candidates that SkyPilot has already filtered, so *solver / solver* compares like with like and *`optimize` / process* does not quite.",
        "- nearside's solver also finds a reason and the best alternative for every task, one more solution of the whole problem each; SkyPilot's finds neither.",
        "",
    ]
    return "\n".join(out)


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def dollars(micros):
    return f"{micros / MICROS:.4f}"


def answer_row(result):
    if "nearside" not in result:
        return [result["instance"], str(result["tasks"]), "-", "-", "-", "-"]
    known = not result["over_limit"]
    return [
        result["instance"],
        f"{result['tasks']} x {result['candidates']}",
        dollars(result["without_edges_micros"]),
        f"{result['skypilot']['objective']:.4f}" if known else "not known",
        dollars(result["nearside"]["objective_micros"]),
        f"{result['difference_micros'] / MICROS:.6f}" if known else "-",
    ]


def time_row(result, stopped):
    if "nearside" not in result:
        return [result["instance"], stopped] + ["-"] * 6
    theirs, ours = result["skypilot"], result["nearside"]
    own = [seconds(ours["process"]["wall_s"]), seconds(ours["solving_s"])]
    if result["over_limit"]:
        return [result["instance"], stopped, stopped, stopped, *own, "-", "-"]
    both = lambda part: f"{seconds(theirs[part]['wall_s'])} / {seconds(theirs[part]['cpu_s'])}"
    times = result["ratios"]
    return [
        result["instance"],
        seconds(theirs["process_wall_s"]),
        both("optimizing"),
        both("solving"),
        *own,
        f"{times['solver']:,}",
        f"{times['optimize_to_process']:,}",
    ]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=INSTANCES, default=list(INSTANCES))
    parser.add_argument("--repeats", type=int, default=3, help="SkyPilot runs per instance")
    parser.add_argument("--limit", type=int, default=120, help="seconds per SkyPilot run")
    parser.add_argument("--solver", type=pathlib.Path, help="a built example `solve`")
    parser.add_argument("--keep", type=pathlib.Path, help="folder to keep the problem files in")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--child", choices=INSTANCES, help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    if options.child:
        return optimize(options.child, options.answer)
    prepare_environment()
    solver = options.solver.resolve() if options.solver else build_solver()
    results = []
    with tempfile.TemporaryDirectory(prefix="nearside-bench-") as folder:
        home = pathlib.Path(folder)
        rows = write_catalog(home / ".sky" / "catalogs" / "v8")
        for name in options.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            results.append(compare(name, home, solver, options))
    found = [result.pop("versions") for result in results if "versions" in result]
    report = {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python3 bench/skypilot.py", *sys.argv[1:]]),
        "versions": found[0] if found else {},
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "catalog_rows": rows,
        "limit_s": options.limit,
        "repeats": options.repeats,
        "results": results,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "skypilot.json").write_text(json.dumps(report, indent=1) + "\n")
    (options.results / "skypilot.md").write_text(markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
