"""How long does a run take that has nothing to do? `nearside run` beside `dvc repro`.

    cargo build --release && python bench/run.py [--quick]

Makes two projects in a temporary folder: a chain of 20 stages, for both tools, and 10,000 files with
2 GB of inputs (with --quick: 1,000 files, 0.2 GB), for nearside. Medians of whole processes in one
run, so that ratios hold on a noisy machine. Writes results/run.md. Exits with 1 when a target is
missed. DVC comes from bench/requirements.txt; without it only nearside is measured.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEARSIDE = ROOT / "target/release/nearside"
STAGES = 20
TARGETS = {"chain": 30.0, "inputs": 150.0, "ratio": 50.0}


def median(command, folder, rounds, environment=None):
    """Milliseconds of a whole process that must end well."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        times.append((time.perf_counter() - began) * 1e3)
        if done.returncode != 0:
            raise SystemExit(f"{command} exits {done.returncode}\n{done.stdout}{done.stderr}")
    return statistics.median(times), done.stdout


def chain(folder):
    """The same chain of copies for nearside and for DVC."""
    (folder / "data").mkdir(parents=True)
    (folder / "data/in.txt").write_text("words\n")
    toml = ['version = 1', 'name = "chain"', '[dataset.words]', 'path = "data/in.txt"', 'class = "public"']
    yaml = ["stages:"]
    before = "data/in.txt"
    for number in range(STAGES):
        after = f"out{number}.txt"
        command = f"cp {before} {after}"
        given = '"words"' if number == 0 else f'"{before}"'
        toml += [f"[stage.s{number}]", 'phase = "prepare"', f"inputs = [{given}]", f'outputs = ["{after}"]',
                 f'run = "{command}"']
        yaml += [f"  s{number}:", f"    cmd: {command}", f"    deps: [{before}]", f"    outs: [{after}]"]
        before = after
    (folder / "nearside.toml").write_text("\n".join(toml) + "\n")
    (folder / "dvc.yaml").write_text("\n".join(yaml) + "\n")


def many_inputs(folder, files, size):
    data = folder / "data"
    block = os.urandom(size)
    for number in range(files):
        place = data / f"{number % 100:02}" / f"{number}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(number.to_bytes(8, "little") + block)
    (folder / "nearside.toml").write_text(
        'version = 1\nname = "inputs"\n[dataset.all]\npath = "data"\nclass = "public"\n'
        '[stage.count]\nphase = "prepare"\ninputs = ["all"]\noutputs = ["count.txt"]\n'
        'run = "ls data | wc -l > count.txt"\n')


def main():
    quick = "--quick" in sys.argv
    dvc = shutil.which("dvc", path=str(ROOT / "bench/.venv/bin")) or shutil.which("dvc")
    rows = []
    with tempfile.TemporaryDirectory(prefix="nearside-bench-") as top:
        project = Path(top) / "chain"
        chain(project)
        run = [str(NEARSIDE), "run"]
        first, _ = median(run, project, 1)
        own, said = median(run, project, 31)
        assert said == f"{STAGES} stages are up to date\n", said
        rows.append((f"`nearside run`, {STAGES} stages, nothing to do", f"{own:.1f} ms", f"< {TARGETS['chain']:.0f} ms",
                     own < TARGETS["chain"]))
        rows.append((f"`nearside run`, {STAGES} stages, all to do", f"{first:.0f} ms", "-", True))
        if dvc:
            quiet = {**os.environ, "DVC_NO_ANALYTICS": "true"}
            for command in (["git", "init", "-q"], [dvc, "init", "-q"]):
                subprocess.run(command, cwd=project, env=quiet, check=True, capture_output=True)
            for number in range(STAGES):
                (project / f"out{number}.txt").unlink()
            all_to_do, _ = median([dvc, "repro"], project, 1, quiet)
            other, _ = median([dvc, "repro"], project, 7, quiet)
            rows.append((f"`dvc repro`, {STAGES} stages, nothing to do", f"{other:.0f} ms", "-", True))
            rows.append((f"`dvc repro`, {STAGES} stages, all to do", f"{all_to_do:.0f} ms", "-", True))
            ratio = other / own
            rows.append(("nothing to do: nearside is faster by", f"{ratio:.0f} times",
                         f"> {TARGETS['ratio']:.0f} times", ratio > TARGETS["ratio"]))
        inputs = Path(top) / "inputs"
        files = 1_000 if quick else 10_000
        many_inputs(inputs, files, 200_000)
        read, _ = median(run, inputs, 1)
        checked, _ = median(run, inputs, 15)
        size = files * 200_008 / 1e9
        rows.append((f"`nearside run`, {files:,} inputs of {size:.1f} GB, read for the first time", f"{read:.0f} ms", "-", True))
        rows.append((f"`nearside run`, {files:,} inputs of {size:.1f} GB, unchanged", f"{checked:.1f} ms",
                     f"< {TARGETS['inputs']:.0f} ms", checked < TARGETS["inputs"]))
    lines = ["| what | measured | target | ok |", "|---|---:|---:|---|"]
    lines += [f"| {what} | {figure} | {target} | {'yes' if ok else 'NO'} |" for what, figure, target, ok in rows]
    if not dvc:
        lines.append("\nDVC is not installed: `cargo xtask setup --bench`.")
    print("\n".join(lines))
    load = os.getloadavg()[0]
    (ROOT / "bench/results/run.md").write_text(
        "# Runs that have nothing to do\n\n"
        f"{os.cpu_count()} cores, load {load:.2f}. Made by `python bench/run.py`; medians of whole processes in one run.\n\n"
        + "\n".join(lines) + "\n")
    sys.exit(0 if all(ok for *_, ok in rows) else 1)


if __name__ == "__main__":
    main()
