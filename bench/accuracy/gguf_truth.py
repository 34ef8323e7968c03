#!/usr/bin/env python3
"""Records what llama.cpp reserves for GGUF files of many families, shapes and settings.

    python3 bench/accuracy/gguf_truth.py --work FOLDER [--only llama-1b] [--remote | --like-cuda]

Makes the files (gguf_models.py: real shapes and tensor types, no data), loads each with llama.cpp in
a process of its own, creates a context for every setting, and keeps the engine's own log lines: model, KV, compute and
output buffer of every device. Rows go to gguf.csv beside this file, headers to gguf/. Nothing is
computed: llama.cpp reserves every buffer at its worst case before the first token.

`--remote` also runs partial offload, to a second device: llama.cpp's RPC backend on loopback, which
needs the package built with it (CMAKE_ARGS=-DGGML_RPC=on). `--like-cuda` runs partial offload only, with that
backend changed by gguf_like_cuda.patch, and writes gguf_like_cuda.csv. Files lie in FOLDER as sparse files,
key-value caches are real: up to 6 GiB of memory. Weights are not repacked (use_extra_bufts), which depends on the
processor.

Columns that a serving run fills in: `batch` is n_seq_max, `sequence` is n_ubatch, `context` n_ctx,
`attention` flash or eager; `device` is where the bytes lie: host, device, or all. What has no column
of its own stands in `source`.
"""

import argparse
import csv
import ctypes
import dataclasses
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
LIMIT_SECONDS = 540
MARK = "=== next context ===\n"
COLUMNS = ("model,task,dtype,autocast,attention,checkpointing,optimizer,batch,sequence,image,context,kv_type,"
           "gpu_layers,lora_rank,lora_targets,quant,runtime,device,metric,value,unit,source").split(",")
METRICS = {"model": "weights", "KV": "kv_cache", "compute": "compute", "output": "output"}
TYPES = {"f16": 1, "q4_0": 2, "q8_0": 8, "bf16": 30, "f32": 0}


@dataclasses.dataclass(frozen=True)
class Case:
    """One load of one file."""

    model: str
    context: int = 4096
    batch: int = 2048
    micro_batch: int = 512
    sequences: int = 1
    unified: bool = False
    flash: bool = True
    key_type: str = "f16"
    value_type: str = "f16"
    outputs: int = 0
    full_window: bool = False
    gpu_layers: int = 0


# Small enough that their tensors can be sent to the second device.
REMOTE = {"llama-8b-6-layers-q4_k_m": 6, "llama-1b-q8_0": 16, "qwen2-0.5b-q8_0": 24, "gemma3-1b-q8_0": 26,
          "qwen3moe-4-layers-q4_k_m": 4}


def cases(names, remote):
    """Every case, file by file."""
    for name in names:
        yield from settings(name)
        if remote and name in REMOTE:
            layers = REMOTE[name]
            for gpu_layers in sorted({1, 2, layers // 2 + 1, layers, layers + 1}):
                yield Case(name, gpu_layers=gpu_layers)
                yield Case(name, context=8192, flash=False, gpu_layers=gpu_layers)
            yield Case(name, sequences=4, outputs=4, gpu_layers=layers + 1)
            yield Case(name, key_type="q8_0", value_type="q8_0", gpu_layers=layers // 2 + 1)


def device_cases(names):
    """Every case of a device that takes over long batches."""
    for name in (name for name in REMOTE if name in names):
        layers = REMOTE[name]
        for gpu_layers in sorted({0, 1, 2, layers // 2 + 1, layers, layers + 1}):
            case = Case(name, gpu_layers=gpu_layers)
            yield case
            yield dataclasses.replace(case, context=8192, flash=False)
            yield dataclasses.replace(case, sequences=4, outputs=4)
            yield dataclasses.replace(case, key_type="q8_0", value_type="q8_0")
            yield dataclasses.replace(case, micro_batch=16)


def settings(name):
    """The cases of one file without a second device."""
    yield from (Case(name, context=context) for context in (512, 4096, 32768))
    yield from (Case(name, context=context, flash=False) for context in (512, 4096, 16384))
    yield from (Case(name, micro_batch=size, context=8192) for size in (64, 128, 2048))
    yield Case(name, micro_batch=1024, context=8192, flash=False)
    yield from (Case(name, key_type=kind, value_type=kind, context=16384) for kind in ("q8_0", "q4_0"))
    if not name.startswith("deepseek"):  # one type for keys and values
        yield Case(name, key_type="q8_0", flash=False)
    yield from (Case(name, sequences=count, outputs=count, context=16384) for count in (1, 4))
    yield Case(name, sequences=3, context=5000, unified=False)
    yield Case(name, sequences=4, unified=True, outputs=4, context=16384)
    if name.startswith("gemma"):
        yield Case(name, full_window=True, context=8192)
    if name == "llama-1b-q4_k_m":
        for context, size, flash in itertools.product((1024, 2048, 8192), (256, 512), (True, False)):
            yield Case(name, context=context, micro_batch=size, flash=flash)


def together(every):
    """Cases in groups that share a load of the same file."""
    groups = {}
    for case in every:
        groups.setdefault((case.model, case.gpu_layers), {})[case] = None
    return [list(group) for group in groups.values()]


def reserve(path, cases_here, endpoint):
    """Loads a file once, creates a context for each case and prints the log: runs in its own process."""
    import llama_cpp

    debug = 1
    receive = llama_cpp.llama_log_callback(
        lambda level, text, data: sys.stdout.buffer.write(text) if level != debug else None)
    llama_cpp.llama_log_set(receive, ctypes.c_void_p())
    if endpoint:
        add_device(llama_cpp, endpoint)
    settings = llama_cpp.llama_model_default_params()
    settings.n_gpu_layers, settings.use_extra_bufts = cases_here[0].gpu_layers, False
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), settings)
    for case in cases_here if model else ():
        sys.stdout.buffer.write(MARK.encode())
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = case.context, case.batch, case.micro_batch
        settings.n_seq_max, settings.n_outputs_max = case.sequences, case.outputs
        settings.type_k, settings.type_v = TYPES[case.key_type], TYPES[case.value_type]
        settings.flash_attn_type = int(case.flash)
        settings.kv_unified, settings.swa_full = case.unified, case.full_window
        context = llama_cpp.llama_init_from_model(model, settings)
        if context:
            llama_cpp.llama_free(context)
        sys.stdout.flush()
    os._exit(0 if model else 1)


def library(llama_cpp, name):
    """One of the libraries that the package brings."""
    folder = os.environ.get("LLAMA_CPP_LIB_PATH") or pathlib.Path(llama_cpp.__file__).parent / "lib"
    return ctypes.CDLL(str(pathlib.Path(folder) / name))


def add_device(llama_cpp, endpoint):
    """Makes the server's device known, as llama.cpp's own tools do for --rpc."""
    remote, base = library(llama_cpp, "libggml-rpc.so"), library(llama_cpp, "libggml.so")
    remote.ggml_backend_rpc_add_server.restype = ctypes.c_void_p
    base.ggml_backend_register.argtypes = [ctypes.c_void_p]
    base.ggml_backend_register(remote.ggml_backend_rpc_add_server(endpoint.encode()))


def serve(endpoint):
    """A second device: the processor, behind a socket."""
    import llama_cpp

    remote, base = library(llama_cpp, "libggml-rpc.so"), library(llama_cpp, "libggml.so")
    base.ggml_backend_dev_by_type.restype = ctypes.c_void_p
    devices = (ctypes.c_void_p * 1)(base.ggml_backend_dev_by_type(0))
    remote.ggml_backend_rpc_start_server.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t,
                                                     ctypes.c_size_t, ctypes.c_void_p]
    remote.ggml_backend_rpc_start_server(endpoint.encode(), None, 1, 1, devices)


def buffers(log):
    """(device, metric) -> bytes, from the engine's log lines."""
    out = {}
    pattern = r"(\S+)\s+(model|KV|compute|output) buffer size\s*=\s*([\d.]+) MiB"
    for name, kind, size in re.findall(pattern, log):
        place = "device" if name.startswith("RPC") else "host"
        key = (place, METRICS[kind])
        out[key] = out.get(key, 0) + round(float(size) * MIB)
    return out


def rows(case, found, version):
    """The rows of one case: every buffer by place, and sums."""
    stem, _, quant = case.model.rpartition("-")
    shared = {
        "model": stem, "task": "serve", "quant": quant, "runtime": "llama.cpp", "unit": "bytes",
        "attention": "flash" if case.flash else "eager", "batch": case.sequences, "sequence": case.micro_batch,
        "context": case.context, "gpu_layers": case.gpu_layers,
        "kv_type": case.key_type if case.key_type == case.value_type else f"{case.key_type}/{case.value_type}",
        "source": f"{version}; n_batch={case.batch} n_outputs_max={case.outputs} kv_unified={int(case.unified)} "
                  f"swa_full={int(case.full_window)}",
    }
    for (place, metric), value in sorted(found.items()):
        yield shared | {"device": place, "metric": metric, "value": value}
    for metric in ("weights", "kv_cache"):
        value = sum(value for (_, other), value in found.items() if other == metric)
        yield shared | {"device": "all", "metric": metric, "value": value}
    yield shared | {"device": "all", "metric": "process", "value": sum(found.values())}


def measure(path, group, endpoint):
    """Runs the cases that share a load; (case, buffers, log) each."""
    arguments = [sys.executable, __file__, "--reserve", json.dumps([dataclasses.asdict(case) for case in group])]
    arguments += ["--file", str(path)] + (["--endpoint", endpoint] if endpoint else [])
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    loaded, *logs = done.stdout.split(MARK)
    for case, log in itertools.zip_longest(group, logs, fillvalue=""):
        complete = "compute buffer size" in log
        yield case, buffers(loaded + log) if complete else {}, log or done.stderr


def start_server():
    """Starts the second device; returns its process and endpoint."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    server = subprocess.Popen([sys.executable, __file__, "--serve", endpoint], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    time.sleep(3)
    return server, endpoint


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, help="folder for the sparse files")
    parser.add_argument("--only", action="append", help="names of files that begin so")
    parser.add_argument("--remote", action="store_true", help="also partial offload")
    parser.add_argument("--like-cuda", action="store_true", help="only partial offload, to a changed device")
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    for hidden in ("--reserve", "--file", "--endpoint", "--serve"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)
    if options.reserve:
        return reserve(options.file, [Case(**case) for case in json.loads(options.reserve)], options.endpoint)
    return record(options)


def record(options):
    """Makes the files, runs every case and writes the rows."""
    import gguf_models
    import llama_cpp

    version = f"llama-cpp-python {llama_cpp.__version__}"
    options.work.mkdir(parents=True, exist_ok=True)
    headers = options.out / "gguf"
    headers.mkdir(parents=True, exist_ok=True)
    paths = gguf_models.files(options.work)
    if options.only:
        paths = {name: path for name, path in paths.items() if name.startswith(tuple(options.only))}
    for name, path in paths.items():
        gguf_models.header(path, headers / f"{name}.gguf")
    every, name = cases(paths, options.remote), "gguf.csv"
    if options.like_cuda:
        every, name, version = device_cases(paths), "gguf_like_cuda.csv", f"{version} with gguf_like_cuda.patch"
    server, endpoint = start_server() if options.remote or options.like_cuda else (None, None)
    try:
        with (options.out / name).open("w", newline="") as file:
            table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            table.writeheader()
            for group in together(every):
                has_device = options.like_cuda or group[0].gpu_layers
                for case, found, log in measure(paths[group[0].model], group, endpoint if has_device else None):
                    if not found:
                        print(f"no context: {case}\n{log[-400:]}", file=sys.stderr)
                    table.writerows(rows(case, found, version) if found else ())
                file.flush()
    finally:
        if server:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
