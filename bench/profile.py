#!/usr/bin/env python3
"""Does `nearside profile` name the bottleneck of programs that its rules were not made for?

    cargo build --release -p nearside
    python3 bench/profile.py [--hogs N] [--folder DIR]

Ordinary programs (Python, gzip, dd, shell) whose bottleneck is known from how they are written, each profiled for some
seconds; with --hogs, beside N processes that compute. With the machine to itself every verdict has to be right; beside
others no wrong one may be sure (`high`). The programs that are part of nearside itself are tried by
`nearside profile --self-test [--hogs N]`. Prints a table and keeps it in `bench/results/profile.md`, or
`bench/results/profile-hogs.md`; exit code 1 when a verdict is wrong that may not be.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parent
NEARSIDE = BENCH.parent / "target/release/nearside"

COMPUTE = "def f(n):\n    s = 0\n    for i in range(n): s += i\n"
SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.1); self.send_response(200); self.end_headers(); self.wfile.write(b'x' * 1000)
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print(server.server_port, flush=True); server.serve_forever()
"""


def python(text):
    return [sys.executable, "-c", text]


def shell(text):
    return ["sh", "-c", text]


def cases(port, cores):
    """Name, what holds it back, and the command."""
    one = "single-thread" if cores > 1 else "cpu"
    get = f"urllib.request.urlopen('http://127.0.0.1:{port}/').read()"
    return [
        ("python, one thread", one, python(COMPUTE + "f(40_000_000)")),
        ("python, four threads and one interpreter lock", "lock", python(
            COMPUTE + "import threading\nts = [threading.Thread(target=f, args=(12_000_000,)) for _ in range(4)]\n"
            "[t.start() for t in ts]; [t.join() for t in ts]")),
        ("python, a process for each core and two more", "cpu", python(
            COMPUTE + f"import multiprocessing as m\nm.Pool({cores + 2}).map(f, [12_000_000] * {2 * cores + 4})")),
        ("python, asyncio.sleep", "idle", python("import asyncio\nasyncio.run(asyncio.sleep(3))")),
        ("python, sleeping with a heart beat beside it", "idle", python(
            "import threading, time\ndef beat():\n    while True: time.sleep(0.05)\n"
            "threading.Thread(target=beat, daemon=True).start(); time.sleep(3)")),
        ("python, copies of memory", one, python("a = bytearray(100_000_000)\nfor i in range(60): b = bytes(a)")),
        ("python, a lock held over a sleep", "lock", python(
            "import threading, time\nl = threading.Lock()\ndef f():\n    for i in range(150):\n        with l: time.sleep(0.005)\n"
            "ts = [threading.Thread(target=f) for _ in range(4)]\n[t.start() for t in ts]; [t.join() for t in ts]")),
        ("python, a busy producer and idle workers", one, python(
            "import queue, threading\nq = queue.Queue()\ndef w():\n    while q.get() is not None: pass\n"
            "ts = [threading.Thread(target=w) for _ in range(4)]; [t.start() for t in ts]\n"
            "for i in range(20):\n    s = 0\n    for j in range(1_500_000): s += j\n    q.put(s)\n[q.put(None) for _ in ts]")),
        ("python, one request after the other", "network", python(
            f"import urllib.request\nfor i in range(30): {get}")),
        ("python, requests by a pool of threads", "network", python(
            "import urllib.request, concurrent.futures as c\np = c.ThreadPoolExecutor(4)\n"
            f"list(p.map(lambda i: {get}, range(120)))")),
        ("shell, sleeping", "idle", shell("for i in 1 2 3 4 5 6; do sleep 0.5; done")),
        ("shell, a thousand short programs", one, shell("i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i+1)); done")),
        ("shell, waiting for its input", "input", shell("cat >/dev/null")),
        ("gzip", one, shell("gzip -9 -c big > /dev/null")),
        ("gzip in a pipeline", one, shell("head -c 100000000 big | gzip -9 | cat > /dev/null")),
        ("gzip, one more than there are cores", "cpu", shell(
            f"for i in $(seq {cores + 1}); do head -c 60000000 big | gzip -6 > /dev/null & done; wait")),
        ("dd, synced writes", "disk", shell("dd if=/dev/zero of=out bs=4k count=3000 oflag=dsync")),
        ("dd, reads past the cache", "disk", shell("for i in 1 2 3; do dd if=big of=/dev/null bs=64k iflag=direct; done")),
        ("dd, writes and a sync at the end", "disk", shell(
            "for i in 1 2 3 4 5; do dd if=/dev/zero of=out bs=1M count=200 conv=fsync; done")),
    ]


def profiled(command, folder):
    """The answer; its input is a pipe that somebody is slow to write to."""
    slow = subprocess.Popen(["sleep", "3"], stdout=subprocess.PIPE)
    run = subprocess.run([NEARSIDE, "profile", "--json", "--", *command], cwd=folder, stdin=slow.stdout,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    slow.kill(), slow.wait()
    return json.loads(run.stdout)["data"]["found"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hogs", type=int, default=0)
    parser.add_argument("--folder", default=str(BENCH.parent / "target"))
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    server = subprocess.Popen(python(SERVER), stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    hogs = [subprocess.Popen(python("while True: pass")) for _ in range(arguments.hogs)]
    rows, wrong = [], 0
    try:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            pathlib.Path(folder, "big").write_bytes(os.urandom(250_000_000))
            for name, truth, command in cases(port, cores):
                found = profiled(command, folder)
                is_right = found["bottleneck"] == truth
                wrong += not is_right and (arguments.hogs == 0 or found["confidence"] == "high")
                judged = "right" if is_right else "**wrong**"
                rows.append(f"| {name} | {truth} | {found['bottleneck']} | {found['confidence']} | {judged} |")
                print(rows[-1], flush=True)
    finally:
        for process in [server, *hogs]:
            process.kill()
    right = sum("| right |" in row for row in rows)
    beside = f" --hogs {arguments.hogs}" if arguments.hogs else ""
    text = [
        "# Verdicts on programs that the rules were not made for", "",
        f"`python3 bench/profile.py{beside}`, {cores} cores; {right} of {len(rows)} right, {wrong} wrong that may not be", "",
        "| program | held back by | found | confidence | judged |", "|---|---|---|---|---|", *rows, "",
    ]
    name = "profile-hogs.md" if arguments.hogs else "profile.md"
    (BENCH / "results" / name).write_text("\n".join(text))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
