"""Reading and writing tokens: nearside and llama.cpp on the same files, by turns in one run.

    CMAKE_ARGS=-DGGML_NATIVE=ON pip install llama-cpp-python==0.3.36 gguf==0.19.0 numpy   (in a virtual environment)
    cargo build --release --locked
    python3 bench/models.py FOLDER [--threads N] [--rounds N] [--types Q4_K,Q8_0]

FOLDER keeps the files (0.7 and 1.2 GB): the shape of Llama 3.2 1B (16 layers, 2048 wide, 8192 inside, 32 and 8 heads,
32,000 words, an output of its own), weights at random. Both read 512 tokens and write 64, one after the other, so that
what else the machine does falls on both; figures are medians of rounds, per second and per second of processor.
Where llama.cpp is built with AMX and the machine does not let it (a crash), build it with CFLAGS and CXXFLAGS of
"-mno-amx-int8 -mno-amx-tile -mno-amx-bf16".
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS, WIDTH, INNER, HEADS, KEY_HEADS, WORDS = 16, 2048, 8192, 32, 8, 32000
PROMPT, NEW = 512, 64
# Of a type: weights and bytes of a block, and the bytes of its scales (place, half-precision number or byte).
BLOCKS = {
    "Q4_K": (256, 144, {0: 0.004, 2: 0.03}, {4: 8, 12: 4}),
    "Q5_K": (256, 176, {0: 0.002, 2: 0.03}, {4: 8, 12: 4}),
    "Q6_K": (256, 210, {208: 0.0011}, {192: 16}),
    "Q8_0": (32, 34, {0: 0.0003}, {}),
    "Q4_0": (32, 18, {0: 0.004}, {}),
}


def make(path, kind):
    """Writes the file."""
    import gguf
    import numpy as np

    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    words = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    words += [f"\u2581w{index}" for index in range(WORDS - len(words))]
    writer.add_vocab_size(WORDS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([-float(index) for index in range(WORDS)])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (WORDS - 259))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)

    def matrix(name, rows, width, kind):
        per_block, size, halves, small = BLOCKS[kind]
        blocks = random.integers(0, 256, (rows * width // per_block, size), dtype=np.uint8)
        for place, count in small.items():
            blocks[:, place : place + count] = 0x11 if place == 12 else 1
        for place, number in halves.items():
            blocks[:, place : place + 2] = np.frombuffer(np.float16(number).tobytes(), np.uint8)
        stored = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=stored)

    def ones(name):
        writer.add_tensor(name, np.ones(WIDTH, np.float32))

    ends = "Q6_K" if kind.endswith("_K") else kind
    keys = WIDTH // HEADS * KEY_HEADS
    matrix("token_embd.weight", WORDS, WIDTH, ends)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        ones(block + "attn_norm.weight")
        ones(block + "ffn_norm.weight")
        for name, rows, width in [
            ("attn_q", WIDTH, WIDTH),
            ("attn_k", keys, WIDTH),
            ("attn_v", keys, WIDTH),
            ("attn_output", WIDTH, WIDTH),
            ("ffn_gate", INNER, WIDTH),
            ("ffn_up", INNER, WIDTH),
            ("ffn_down", WIDTH, INNER),
        ]:
            matrix(f"{block}{name}.weight", rows, width, kind)
    ones("output_norm.weight")
    matrix("output.weight", WORDS, WIDTH, ends)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama(path, threads):
    """Reads and writes with llama.cpp, in this process: prints what it took."""
    import resource
    import time

    import llama_cpp

    model = llama_cpp.Llama(
        path, n_threads=threads, n_threads_batch=threads, n_ctx=1024, n_batch=PROMPT, verbose=False
    )
    prompt = [(index * 7919 + 13) % (WORDS - 1) for index in range(PROMPT)]

    def timed(work):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        begun, processor = time.perf_counter(), usage.ru_utime + usage.ru_stime
        work()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime - processor

    def write():
        for token in prompt[:NEW]:
            model.eval([token])

    for _ in range(2):
        model.reset()
        read_time, written_time = timed(lambda: model.eval(prompt)), timed(write)
    print(json.dumps({"read": read_time, "written": written_time}))


def of_llama(path, threads):
    out = subprocess.run(
        [sys.executable, __file__, "--llama", str(path), "--threads", str(threads)],
        capture_output=True, text=True,
    )
    if out.returncode != 0:
        sys.exit(f"llama.cpp failed ({out.returncode}): {out.stderr[-500:]}")
    times = json.loads(out.stdout.splitlines()[-1])
    return {
        "read": PROMPT / times["read"][0], "read/cpu": PROMPT / times["read"][1],
        "written": NEW / times["written"][0], "written/cpu": NEW / times["written"][1],
    }


def of_nearside(path, threads):
    out = subprocess.run(
        [ROOT / "target/release/nearside", "model", "bench", path, "--prompt", str(PROMPT), "--new", str(NEW),
         "--runs", "1", "--threads", str(threads), "--json"],
        capture_output=True, text=True, check=True,
    )
    data = json.loads(out.stdout)["data"]
    return {
        "read": data["prefill"]["likely"], "read/cpu": data["prefill_per_processor_second"],
        "written": data["decode"]["likely"], "written/cpu": data["decode_per_processor_second"],
        "share of memory": data["share_of_memory_read"],
        "resident/file": data["resident_bytes"] / os.path.getsize(path),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--types", default="Q4_K,Q8_0")
    parser.add_argument("--llama")
    arguments = parser.parse_args()
    if arguments.llama:
        return llama(arguments.llama, arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for kind in arguments.types.split(","):
        path = arguments.folder / f"1b-{kind}.gguf"
        if not path.exists():
            make(path, kind)
        rounds = [(of_nearside(path, arguments.threads), of_llama(path, arguments.threads))
                  for _ in range(arguments.rounds)]
        print(f"\n{kind}, {arguments.threads} threads, {os.path.getsize(path) / 1e9:.3f} GB, "
              f"{arguments.rounds} rounds")
        print(f"{'':18} {'nearside':>9} {'llama.cpp':>9} {'ratio':>6}")
        for name in ["read", "read/cpu", "written", "written/cpu"]:
            ours, theirs = ([side[name] for side in sides] for sides in zip(*rounds))
            ratio = statistics.median(mine / other for mine, other in zip(ours, theirs))
            print(f"{name + ', tokens/s':22} {statistics.median(ours):7.1f} {statistics.median(theirs):9.1f} {ratio:6.2f}")
        for name in ["share of memory", "resident/file"]:
            print(f"{name:22} {statistics.median(ours[name] for ours, _ in rounds):7.2f}")


if __name__ == "__main__":
    main()
