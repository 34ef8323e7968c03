#!/usr/bin/env python3
"""What ggml makes of rows of floats in each block format, and what it reads out of any bytes.

    cargo xtask parity

Prints a JSON line for each case. `kind` "write": rows of a `shape` (rows, columns) with values of a distribution
`values`, with the weights `importance` or without, and the bytes that `ggml_quantize_chunk` makes of them: the first
ones, and the first half of their SHA-256. `read` is that half of the floats that it reads back. `kind` "read": blocks of
any bytes, and the same of the floats that it reads. A float that is no number counts as 0x7fc00000.

Inputs are not stored: `draw` makes the same ones in every language, of whole numbers and of powers of two. The test in
`crates/nearside-models/tests/blocks.rs` has it as well.
"""
import ctypes
import glob
import hashlib
import json
import os
import sysconfig

import numpy

# The package names its libraries by what is in them.
FOLDER = os.path.join(sysconfig.get_paths()["purelib"], "pywhispercpp.libs")
GGML = ctypes.CDLL(glob.glob(os.path.join(FOLDER, "libggml-base-*.so*"))[0])
GGML.ggml_quantize_chunk.restype = ctypes.c_size_t
GGML.ggml_quantize_chunk.argtypes = [
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_void_p,
]
# Number in ggml, elements and bytes of a block, and the function that reads it, where its name is another.
FORMATS = {
    "f16": (1, 1, 2, "ggml_fp16_to_fp32_row"),
    "bf16": (30, 1, 2, "ggml_bf16_to_fp32_row"),
    "q4_0": (2, 32, 18, None),
    "q4_1": (3, 32, 20, None),
    "q5_0": (6, 32, 22, None),
    "q5_1": (7, 32, 24, None),
    "q8_0": (8, 32, 34, None),
    "q2_k": (10, 256, 84, "dequantize_row_q2_K"),
    "q3_k": (11, 256, 110, "dequantize_row_q3_K"),
    "q4_k": (12, 256, 144, "dequantize_row_q4_K"),
    "q5_k": (13, 256, 176, "dequantize_row_q5_K"),
    "q6_k": (14, 256, 210, "dequantize_row_q6_K"),
    "q8_k": (15, 256, 292, "dequantize_row_q8_K"),
    "iq2_xxs": (16, 256, 66, None),
    "iq2_xs": (17, 256, 74, None),
    "iq3_xxs": (18, 256, 98, None),
    "iq1_s": (19, 256, 50, None),
    "iq4_nl": (20, 32, 18, None),
    "iq3_s": (21, 256, 110, None),
    "iq2_s": (22, 256, 82, None),
    "iq4_xs": (23, 256, 136, None),
    "iq1_m": (29, 256, 56, None),
    "tq1_0": (34, 256, 54, None),
    "tq2_0": (35, 256, 66, None),
    "mxfp4": (39, 32, 17, None),
    "nvfp4": (40, 64, 36, None),
}
ONLY_READ = {"q8_k", "iq1_s", "iq1_m"}
# Without weights they are not written.
ONLY_WEIGHTED = {"iq2_xxs", "iq2_xs"}
# Their bytes depend on the weights.
WEIGHTED = {"q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs"}
SEARCHED = {"iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s"}

# It stops on values that overflow in its search, and puts what follows a group of zeros in the wrong place of IQ3_S.
NOT_WRITTEN = {(name, "huge") for name in SEARCHED} | {("iq3_s", "sparse")}
VALUES = [
    "normal",
    "large",
    "huge",
    "small",
    "tiny",
    "vanishing",
    "zeros",
    "constant",
    "positive",
    "negative",
    "sparse",
    "outliers",
    "few",
]
SHAPES = [(3, 256), (2, 512), (1, 1024), (2, 768)]
MASK = (1 << 64) - 1


class Draw:
    """Whole numbers of 24 bits by a linear congruence."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
        return self.state >> 40


def normal(numbers):
    """Four uniform ones added up, of variance 1/3, between -2 and 2."""
    return (sum(numbers.next() for _ in range(4)) - (1 << 25)) / (1 << 24)


def value(values, numbers):
    drawn = normal(numbers)
    one_in = numbers.next() >> 18
    if values in ("normal", "any"):
        return drawn
    if values in SCALES:
        return drawn * SCALES[values]
    if values == "zeros":
        return 0.0
    if values == "constant":
        return 0.375
    if values == "positive":
        return abs(drawn) + 0.5
    if values == "negative":
        return -abs(drawn)
    if values == "sparse":
        return drawn if one_in < 3 else 0.0
    if values == "outliers":
        return drawn * (32.0 if one_in == 0 else 0.03125)
    # Few different ones, so that many are equally near.
    return (one_in % 5 - 2) / 4


SCALES = {"large": 2.0**12, "huge": 2.0**104, "small": 2.0**-8, "tiny": 2.0**-30, "vanishing": 2.0**-140}


def weight(kind, column, numbers):
    drawn = (numbers.next() + 1) / (1 << 24)
    if kind == "spread":
        return drawn * drawn * 16.0
    return drawn if column % 3 else 0.0


def floats(numbers):
    return numpy.array(numbers, dtype=numpy.float32)


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()[:32]


def read(name, data, count):
    _, _, _, function = FORMATS[name]
    out = numpy.empty(count, dtype=numpy.float32)
    reader = getattr(GGML, function or f"dequantize_row_{name}")
    reader(data.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(count))
    bits = out.view(numpy.uint32)
    bits[numpy.isnan(out)] = 0x7FC00000
    return digest(bits)


def write_case(name, values, importance, seed):
    number, elements, size, _ = FORMATS[name]
    rows, columns = SHAPES[seed % len(SHAPES)]
    numbers = Draw(seed)
    drawn = floats([value(values, numbers) for _ in range(rows * columns)])
    weights = None
    if importance:
        weights = floats([weight(importance, column, numbers) for column in range(columns)])
    out = numpy.zeros(rows * columns // elements * size, dtype=numpy.uint8)
    pointer = weights.ctypes.data if importance else None
    GGML.ggml_quantize_chunk(number, drawn.ctypes.data, out.ctypes.data, 0, rows, columns, pointer)
    case = {"kind": "write", "dtype": name, "values": values, "importance": importance, "seed": seed}
    case |= {"shape": [rows, columns], "begin": out[:16].tobytes().hex(), "sha256": digest(out)}
    return case | {"read": read(name, out, rows * columns)}


def read_case(name, seed):
    _, elements, size, _ = FORMATS[name]
    blocks = 4096 // elements
    numbers = Draw(seed)
    data = numpy.array([numbers.next() >> 16 for _ in range(blocks * size)], dtype=numpy.uint8)
    return {"kind": "read", "dtype": name, "seed": seed, "blocks": blocks, "read": read(name, data, blocks * elements)}


def main():
    seed = 0
    for name in FORMATS:
        for _ in range(2):
            seed += 1
            print(json.dumps(read_case(name, seed)))
        if name in ONLY_READ:
            continue
        for values in (values for values in VALUES if (name, values) not in NOT_WRITTEN):
            kinds = [None, "spread", "holes"] if name in WEIGHTED | SEARCHED else [None]
            for importance in kinds[1:] if name in ONLY_WEIGHTED else kinds:
                seed += 1
                print(json.dumps(write_case(name, values, importance, seed)))


if __name__ == "__main__":
    main()
