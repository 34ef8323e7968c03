"""Serving: how much sixteen streams get at once beside one, and how long others wait while a long prompt is read.

    cargo build --release --locked
    python3 bench/serving.py MODEL.gguf [--streams 16] [--rounds 3] [--new 64]

Needs nothing but Python. `bench/models.py FOLDER` makes a MODEL of the shape of Llama 3.2 1B. One stream and sixteen take
turns in one run; every stream has a prompt of its own, and figures are medians of rounds, with the processor's seconds of
the server beside them.
"""

import argparse
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Server:
    def __init__(self, model, streams):
        command = [ROOT / "target/release/nearside", "model", "serve", model, "--listen", "127.0.0.1:0"]
        command += ["--name", "m", "--parallel", str(streams), "--context", "2048"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip().split("/")[2]

    def stream(self, prompt, new):
        """Writes on; the times at which tokens came."""
        connection = http.client.HTTPConnection(self.address)
        body = {"model": "m", "prompt": prompt, "max_tokens": new, "temperature": 0, "stream": True, "ignore_eos": True}
        # Every token is told, also one whose text is held back.
        body["logprobs"] = 0
        connection.request("POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"})
        answer, times = connection.getresponse(), []
        assert answer.status == 200, answer.read()
        for line in answer:
            if line.startswith(b"data: {"):
                times.append(time.perf_counter())
        return times[:new]

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.terminate()
        self.process.wait()


def together(server, streams, new, salt):
    """So many streams at once: tokens per second after the first of each, and per second of processor."""
    times = [None] * streams

    def one(index):
        times[index] = server.stream(f"{salt} {index} tells of ", new)

    before = server.cpu()
    threads = [threading.Thread(target=one, args=(index,)) for index in range(streams)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    cpu = server.cpu() - before
    first, last = max(own[0] for own in times), max(own[-1] for own in times)
    written = sum(sum(at > first for at in own) for own in times)
    return written / (last - first), streams * new / cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new", type=int, default=64)
    asked = parser.parse_args()
    server = Server(asked.model, asked.streams)
    try:
        together(server, 1, 8, "warm")
        one, many = [], []
        for turn in range(asked.rounds):
            one.append(together(server, 1, asked.new, f"one {turn}"))
            many.append(together(server, asked.streams, asked.new, f"many {turn}"))
        median = lambda rounds, place: statistics.median(round[place] for round in rounds)
        print(f"| streams | tokens/s | tokens per second of processor |\n|---|---|---|")
        print(f"| 1 | {median(one, 0):.1f} | {median(one, 1):.1f} |")
        print(f"| {asked.streams} | {median(many, 0):.1f} | {median(many, 1):.1f} |")
        print(f"\nratio {median(many, 0) / median(one, 0):.2f} in time, {median(many, 1) / median(one, 1):.2f} per second of processor")
    finally:
        server.close()


main()
