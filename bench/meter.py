#!/usr/bin/env python3
"""What does measuring cost? nearside's meter beside CodeCarbon, in one run on one machine.

    python3 bench/meter.py [--seconds 20] [--repeats 5] [--venv FOLDER]

First the meter's own example: its share of a core while it follows 50 threads at 10 looks per second, and its
time to start, against the promised bounds. Then both tools beside each other:

- start: from asking for a measurement until it runs. For CodeCarbon with the import of its package, which a
  program that is measured has to wait for, and apart from that;
- overhead: processor time that the tool takes per second while the work does nothing, after its start;
- stop: from asking for the end until the figures are there.

CodeCarbon runs offline (`OfflineEmissionsTracker`), without files and without logs, in a process of its own for
every run. Its package is installed into a private virtual environment when that is missing; that alone
needs the internet. Prints a table and keeps it in `bench/results/meter.md`; exit code 1 when a bound of the
meter is missed.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
PACKAGE = "codecarbon==3.3.2"

# Runs in a fresh interpreter: times of import, constructor and start, then processor time while nothing happens.
TRACKER = """
import json, sys, time
seconds, period = float(sys.argv[1]), float(sys.argv[2])
begin = time.perf_counter()
from codecarbon import OfflineEmissionsTracker
imported = time.perf_counter()
tracker = OfflineEmissionsTracker(
    country_iso_code="FRA", save_to_file=False, log_level="critical", measure_power_secs=period,
    allow_multiple_runs=True)
constructed = time.perf_counter()
tracker.start()
started = time.perf_counter()
used = time.process_time()
time.sleep(seconds)
used = time.process_time() - used
stopping = time.perf_counter()
tracker.stop()
print(json.dumps({
    "import_ms": (imported - begin) * 1e3,
    "start_ms": (started - imported) * 1e3,
    "own_cpu_s": used,
    "wall_s": seconds,
    "stop_ms": (time.perf_counter() - stopping) * 1e3,
}))
"""


def run(command, **options):
    """Standard output of a command that must succeed."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def python_with_codecarbon(folder):
    """The interpreter of a virtual environment that has CodeCarbon."""
    python = folder / "bin" / "python"
    if not python.exists():
        run([sys.executable, "-m", "venv", str(folder)])
    found = subprocess.run([python, "-c", "import codecarbon"], capture_output=True)
    if found.returncode != 0:
        run([python, "-m", "pip", "install", "--quiet", PACKAGE])
    return python


def example():
    """The built example."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    run(["cargo", "build", "--release", "--quiet", "-p", "nearside-probe", "--example", "meter"], cwd=ROOT)
    return target / "release" / "examples" / "meter"


def median(runs, key):
    return statistics.median(figures[key] for figures in runs)


def row(name, runs, imports):
    start = median(runs, "start_ms")
    whole = start + (median(runs, "import_ms") if imports else 0)
    share = statistics.median(figures["own_cpu_s"] / figures["wall_s"] for figures in runs)
    stop = median(runs, "stop_ms")
    return f"| {name} | {whole:,.2f} ms | {start:,.2f} ms | {share * 100:.3f} % | {stop:,.2f} ms |", whole


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--seconds", type=float, default=20, help="length of each measured run")
    arguments.add_argument("--repeats", type=int, default=5, help="runs of each tool")
    default = pathlib.Path(tempfile.gettempdir()) / "nearside-bench-codecarbon"
    arguments.add_argument("--venv", type=pathlib.Path, default=default, help="where CodeCarbon is or goes")
    options = arguments.parse_args()

    meter, python = example(), python_with_codecarbon(options.venv)
    own = run([meter, str(options.seconds)]).rstrip()
    print(own, flush=True)

    seconds = str(options.seconds)
    near = [json.loads(run([meter, "--overhead", "sleep", seconds])) for _ in range(options.repeats)]
    lines = ["| tool | start, whole | start, without import | of a core, running | stop |", "|---|---|---|---|---|"]
    line, near_start = row("nearside, 10 looks/s", near, imports=False)
    lines.append(line)
    ratios = []
    for period in (15, 1, 0.1):
        command = [python, "-c", TRACKER, seconds, str(period)]
        runs = [json.loads(run(command, stderr=subprocess.DEVNULL)) for _ in range(options.repeats)]
        line, start = row(f"CodeCarbon {PACKAGE.split('==')[1]}, every {period} s", runs, imports=True)
        lines.append(line)
        ratios.append(start / near_start)
    print("\n".join(lines))

    load = os.getloadavg()[0]
    title = f"`python3 bench/meter.py --seconds {seconds}`, {os.cpu_count()} cores, load {load:.1f}; "
    title += f"medians of {options.repeats} runs"
    faster = f"CodeCarbon's start takes {min(ratios):,.0f} to {max(ratios):,.0f} times as long."
    results = BENCH / "results"
    results.mkdir(exist_ok=True)
    unlike = "They do not do the same: nearside follows every thread of every process; CodeCarbon, as it is set here, "
    unlike += "estimates the power of the whole machine, by default every 15 s."
    page = ["# Meter", "", title, "", *lines, "", faster, unlike, "", "```", own, "```", ""]
    (results / "meter.md").write_text("\n".join(page))
    print(faster)
    # The row of a thousand threads is no promise.
    bound = [line for line in own.splitlines() if " x " in line and "20 x 50" not in line or line.startswith("start")]
    missed = [line for line in bound if " NO" in line]
    print("\n".join(f"missed: {line}" for line in missed) or "all bounds hold")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
