#!/usr/bin/env python3
"""GGUF files that nearside makes of Hugging Face folders, beside those of llama.cpp's own converter.

    NEARSIDE_FOLDERS=DIR cargo test -p nearside-models --test decoders folders_for_the_other -- --ignored
    python bench/parity/folders.py LLAMA_CPP DIR

LLAMA_CPP is the source of llama.cpp (the sdist of llama-cpp-python 0.3.36 has it in `vendor/llama.cpp`); the environment
needs torch, transformers, numpy and sentencepiece. Every folder has `ours.gguf` in 32 bits. Prints what differs in keys and
tensors; tokenizers are told by name, for the converter knows published ones alone, and ours finds them by their patterns.
"""
import argparse
import pathlib
import sys

# Written by one side alone, and nothing that is computed with.
UNSAID = {"GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", "general.size_label", "general.quantization_version"}


def convert(converter, folder, target):
    sys.argv = ["convert", str(folder), "--outfile", str(target), "--outtype", "f32"]
    converter.main()


def fields(reader):
    return {name: field.contents() for name, field in reader.fields.items() if name not in UNSAID}


def close(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-6 * max(abs(one), abs(other))
    return one == other


def shown(value):
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def compare(numpy, ours, theirs):
    """Sentences about what differs."""
    left, right = fields(ours), fields(theirs)
    for key in sorted(left.keys() | right.keys()):
        if key not in left:
            yield f"only theirs: {key} = {shown(right[key])}"
        elif key not in right:
            yield f"only ours: {key} = {shown(left[key])}"
        elif not close(left[key], right[key]):
            yield f"{key}: ours {shown(left[key])}, theirs {shown(right[key])}"
    left, right = ({tensor.name: tensor for tensor in reader.tensors} for reader in (ours, theirs))
    for name in sorted(left.keys() | right.keys()):
        if name not in left or name not in right:
            yield f"tensor {name}: only {'ours' if name in left else 'theirs'}"
            continue
        one, other = left[name], right[name]
        if list(one.shape) != list(other.shape) or one.tensor_type != other.tensor_type:
            yield f"tensor {name}: ours {list(one.shape)} {one.tensor_type.name}, theirs {list(other.shape)} {other.tensor_type.name}"
        elif not numpy.array_equal(one.data, other.data):
            difference = numpy.abs(one.data.astype(numpy.float64) - other.data).max()
            yield f"tensor {name}: apart by {difference:.2g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("llama_cpp", type=pathlib.Path)
    parser.add_argument("folders", type=pathlib.Path)
    parser.add_argument("--pre", default="gpt-2", help="what the tokenizers' way of cutting words is called")
    arguments = parser.parse_args()
    sys.path[:0] = [str(arguments.llama_cpp / "gguf-py"), str(arguments.llama_cpp)]
    import numpy
    import gguf
    import convert_hf_to_gguf as converter
    from conversion import base

    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: arguments.pre
    for folder in sorted(path.parent for path in arguments.folders.glob("*/ours.gguf")):
        target = folder / "theirs.gguf"
        print(f"== {folder.name}", flush=True)
        try:
            convert(converter, folder, target)
        except BaseException as error:
            print(f"   the other converter does not: {type(error).__name__} {error}")
            continue
        differences = list(compare(numpy, gguf.GGUFReader(folder / "ours.gguf"), gguf.GGUFReader(target)))
        print("\n".join(f"   {line}" for line in differences) or "   equal")


if __name__ == "__main__":
    main()
