"""GGUF files without weights: real shapes, real tensor types, no data.

llama.cpp allocates by what a header says, so a file of the right length that was never written (a
sparse file of zeros) makes it reserve exactly what the published model would. The tensor types of a
mix such as Q4_K_M are llama.cpp's own choice: a dry run of its quantizer names them.

    files(folder) -> {name: path}     writes every file of MODELS that is not there yet
    header(path, target)              copies the header alone, for readers that need no data
"""

import ctypes
import dataclasses
import pathlib
import re
import tempfile

import gguf
import llama_cpp
import numpy

F32, F16 = gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16
FILE_TYPES = {"f16": 1, "q8_0": 7, "q3_k_m": 12, "q4_k_m": 15, "q5_k_m": 17, "q4_0": 2, "q6_k": 18}


@dataclasses.dataclass(frozen=True)
class Model:
    """A model's sizes, in elements."""

    architecture: str
    layers: int
    hidden: int
    heads: int
    key_value_heads: int
    intermediate: int
    vocabulary: int
    head_dim: int = 0
    context: int = 131072
    tied: bool = False
    input_bias: bool = False
    query_key_norm: bool = False
    sandwich: bool = False
    fused: bool = False
    rope_factors: str = ""
    window: int = 0
    experts: int = 0
    active: int = 0
    expert_intermediate: int = 0
    dense_layers: int = 0
    shared: int = 0
    query_rank: int = 0
    latent: int = 0
    rotary: int = 0
    value_dim: int = 0
    groups: int = 0
    groups_used: int = 0
    keys: tuple = ()

    @property
    def head(self):
        return self.head_dim or self.hidden // self.heads


LLAMA_1B = Model("llama", 16, 2048, 32, 8, 8192, 128256, head_dim=64, tied=True, rope_factors="rope_freqs")
LLAMA_8B = Model("llama", 32, 4096, 32, 8, 14336, 128256, rope_factors="rope_freqs")
QWEN2_7B = Model("qwen2", 28, 3584, 28, 4, 18944, 152064, context=32768, input_bias=True)
QWEN2_HALF = Model("qwen2", 24, 896, 14, 2, 4864, 151936, context=32768, input_bias=True, tied=True)
QWEN3_4B = Model("qwen3", 36, 2560, 32, 8, 9728, 151936, head_dim=128, context=40960, query_key_norm=True, tied=True)
GEMMA2_2B = Model("gemma2", 26, 2304, 8, 4, 9216, 256000, head_dim=256, context=8192, tied=True, sandwich=True,
                  window=4096, keys=(("attn_logit_softcapping", 50.0), ("final_logit_softcapping", 30.0)))
GEMMA3_1B = Model("gemma3", 26, 1152, 4, 1, 6912, 262144, head_dim=256, context=32768, tied=True, sandwich=True,
                  window=512, query_key_norm=True)
GEMMA3_4B = Model("gemma3", 34, 2560, 8, 4, 10240, 262208, head_dim=256, tied=True, sandwich=True, window=1024,
                  query_key_norm=True)
PHI3_MINI = Model("phi3", 32, 3072, 32, 32, 8192, 32064, context=4096, fused=True)
MIXTRAL = Model("llama", 32, 4096, 32, 8, 14336, 32000, context=32768, experts=8, active=2)
QWEN3_MOE = Model("qwen3moe", 48, 2048, 32, 4, 6144, 151936, head_dim=128, context=40960, query_key_norm=True,
                  experts=128, active=8, expert_intermediate=768)
DEEPSEEK2_LITE = Model("deepseek2", 27, 2048, 16, 1, 10944, 102400, context=163840, experts=64, active=6,
                       expert_intermediate=1408, dense_layers=1, shared=2, latent=512, rotary=64, head_dim=192,
                       value_dim=128)

DEEPSEEK3 = Model("deepseek2", 61, 7168, 128, 1, 18432, 129280, context=163840, experts=256, active=8,
                  expert_intermediate=2048, dense_layers=3, shared=1, latent=512, rotary=64, head_dim=192,
                  value_dim=128, query_rank=1536, groups=8, groups_used=4)


def shortened(model, layers):
    """The same model with fewer layers."""
    return dataclasses.replace(model, layers=layers)


MODELS = {
    "llama-1b": (LLAMA_1B, ("q4_k_m", "q8_0", "f16")),
    "llama-8b": (LLAMA_8B, ("q4_k_m", "q8_0")),
    "llama-8b-6-layers": (shortened(LLAMA_8B, 6), ("q4_k_m", "q5_k_m", "q3_k_m", "q6_k")),
    "qwen2-0.5b": (QWEN2_HALF, ("q4_k_m", "q8_0")),
    "qwen2-7b": (QWEN2_7B, ("q4_k_m",)),
    "qwen3-4b": (QWEN3_4B, ("q4_k_m", "q8_0")),
    "gemma2-2b": (GEMMA2_2B, ("q4_k_m",)),
    "gemma3-1b": (GEMMA3_1B, ("q8_0",)),
    "gemma3-4b": (GEMMA3_4B, ("q4_k_m",)),
    "phi3-mini": (PHI3_MINI, ("q4_k_m", "q4_0")),
    "mixtral-4-layers": (shortened(MIXTRAL, 4), ("q4_k_m",)),
    "qwen3moe-4-layers": (shortened(QWEN3_MOE, 4), ("q4_k_m",)),
    "deepseek2-lite": (DEEPSEEK2_LITE, ("q4_k_m",)),
    "deepseek3-4-layers": (shortened(DEEPSEEK3, 4), ("q4_k_m",)),
}


def tensors(model):
    """Name -> shape (innermost first) and whether it is a matrix, in the order of a converted file."""
    out = {"token_embd.weight": (model.hidden, model.vocabulary), "output_norm.weight": (model.hidden,)}
    if not model.tied:
        out["output.weight"] = (model.hidden, model.vocabulary)
    if model.rope_factors:
        out[f"{model.rope_factors}.weight"] = (model.head // 2,)
    for layer in range(model.layers):
        block = {"attn_norm.weight": (model.hidden,), "ffn_norm.weight": (model.hidden,)}
        block |= latent_attention(model) if model.latent else attention(model)
        block |= feed_forward(model, layer)
        if model.sandwich:
            block |= {"post_attention_norm.weight": (model.hidden,), "post_ffw_norm.weight": (model.hidden,)}
        out |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    return out


def attention(model):
    query, other = model.head * model.heads, model.head * model.key_value_heads
    if model.fused:
        out = {"attn_qkv.weight": (model.hidden, query + 2 * other)}
    else:
        widths = {"attn_q": query, "attn_k": other, "attn_v": other}
        out = {f"{name}.weight": (model.hidden, width) for name, width in widths.items()}
        if model.input_bias:
            out |= {f"{name}.bias": (width,) for name, width in widths.items()}
    if model.query_key_norm:
        out |= {"attn_q_norm.weight": (model.head,), "attn_k_norm.weight": (model.head,)}
    return out | {"attn_output.weight": (query, model.hidden)}


def latent_attention(model):
    plain = model.head - model.rotary
    query = model.heads * model.head
    out = {"attn_q.weight": (model.hidden, query)}
    if model.query_rank:
        out = {"attn_q_a.weight": (model.hidden, model.query_rank), "attn_q_a_norm.weight": (model.query_rank,),
               "attn_q_b.weight": (model.query_rank, query)}
    return out | {
        "attn_kv_a_mqa.weight": (model.hidden, model.latent + model.rotary),
        "attn_kv_a_norm.weight": (model.latent,),
        "attn_k_b.weight": (plain, model.latent, model.heads),
        "attn_v_b.weight": (model.latent, model.value_dim, model.heads),
        "attn_output.weight": (model.heads * model.value_dim, model.hidden),
    }


def feed_forward(model, layer):
    if not model.experts or layer < model.dense_layers:
        wide = 2 * model.intermediate if model.fused else model.intermediate
        out = {"ffn_up.weight": (model.hidden, wide), "ffn_down.weight": (model.intermediate, model.hidden)}
        return out if model.fused else out | {"ffn_gate.weight": (model.hidden, model.intermediate)}
    width = model.expert_intermediate or model.intermediate
    out = {
        "ffn_gate_inp.weight": (model.hidden, model.experts),
        "ffn_gate_exps.weight": (model.hidden, width, model.experts),
        "ffn_up_exps.weight": (model.hidden, width, model.experts),
        "ffn_down_exps.weight": (width, model.hidden, model.experts),
    }
    if model.groups:
        out["exp_probs_b.bias"] = (model.experts,)
    if model.shared:
        wide = width * model.shared
        out |= {"ffn_gate_shexp.weight": (model.hidden, wide), "ffn_up_shexp.weight": (model.hidden, wide),
                "ffn_down_shexp.weight": (wide, model.hidden)}
    return out


def keys(writer, model):
    """The keys that llama.cpp asks for; no tokenizer, only the number of its tokens."""
    writer.add_string("tokenizer.ggml.model", "no_vocab")
    writer.add_vocab_size(model.vocabulary)
    writer.add_context_length(model.context)
    writer.add_embedding_length(model.hidden)
    writer.add_block_count(model.layers)
    writer.add_feed_forward_length(model.intermediate)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.key_value_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(model.rotary or model.head)
    if model.latent:
        writer.add_key_length(model.latent + model.rotary)
        writer.add_value_length(model.latent)
        writer.add_key_length_mla(model.head)
        writer.add_value_length_mla(model.value_dim)
        writer.add_kv_lora_rank(model.latent)
        writer.add_leading_dense_block_count(model.dense_layers)
        writer.add_expert_weights_scale(2.5 if model.groups else 1.0)
        if model.query_rank:
            writer.add_q_lora_rank(model.query_rank)
    else:
        writer.add_key_length(model.head)
        writer.add_value_length(model.head)
    if model.window:
        writer.add_sliding_window(model.window)
    if model.experts:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(model.active)
        if model.expert_intermediate:
            writer.add_expert_feed_forward_length(model.expert_intermediate)
        if model.shared:
            writer.add_expert_shared_count(model.shared)
        if model.groups:
            writer.add_expert_group_count(model.groups)
            writer.add_expert_group_used_count(model.groups_used)
            writer.add_expert_weights_norm(True)
            writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    for key, value in model.keys:
        writer.add_float32(f"{model.architecture}.{key}", value)


def write(path, model, types):
    """Writes a header and makes the file as long as its tensors would be."""
    writer = gguf.GGUFWriter(path, model.architecture)
    keys(writer, model)
    length = 0
    for name, shape in tensors(model).items():
        kind = types.get(name, F32)
        block, size = gguf.GGML_QUANT_SIZES[kind]
        elements = 1
        for extent in shape:
            elements *= extent
        size = elements // block * size
        rows = gguf.quant_shape_to_byte_shape(tuple(reversed(shape)), kind)
        writer.add_tensor_info(name, rows,
                               numpy.dtype(numpy.uint8), size, raw_dtype=kind)
        length += -(-size // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    begin = -(-path.stat().st_size // 32) * 32
    with path.open("r+b") as file:
        file.truncate(begin + length)


def mixed_types(model, file_type):
    """Tensor -> type, as llama.cpp's quantizer would store this model."""
    matrices = {name: F16 for name, shape in tensors(model).items()
                if len(shape) > 1 and not name.endswith("ffn_gate_inp.weight")}
    if file_type == "f16":
        return matrices
    lines = []
    receive = llama_cpp.llama_log_callback(lambda level, text, data: lines.append(text.decode()))
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "source.gguf"
        write(source, model, matrices)
        settings = llama_cpp.llama_model_quantize_default_params()
        settings.ftype, settings.dry_run, settings.nthread = FILE_TYPES[file_type], True, 1
        llama_cpp.llama_log_set(receive, ctypes.c_void_p())
        failed = llama_cpp.llama_model_quantize(str(source).encode(), b"unwritten.gguf", ctypes.byref(settings))
        llama_cpp.llama_log_set(llama_cpp.llama_log_callback(0), ctypes.c_void_p())
    if failed:
        raise RuntimeError("".join(lines[-5:]))
    found = re.findall(r"\] +(\S+) +- \[[^]]*\], type = +\S+, size = [^(\n]*\((\w+)\)", "".join(lines))
    chosen = {name: gguf.GGMLQuantizationType[kind.upper()] for name, kind in found}
    return matrices | chosen


def files(folder):
    """Writes the files that are not there yet."""
    out = {}
    for name, (model, file_types) in MODELS.items():
        for file_type in file_types:
            path = pathlib.Path(folder) / f"{name}-{file_type}.gguf"
            if not path.exists():
                write(path, model, mixed_types(model, file_type))
            out[path.stem] = path
    return out


def header(path, target):
    """Copies what stands before the first tensor."""
    begin = gguf.GGUFReader(path).data_offset
    with path.open("rb") as file:
        target.write_bytes(file.read(begin))
