"""What does CUDA allocate that the same program on a CPU does not, and the other way round?

`apply()` patches PyTorch so that a trace on the fake CPU takes CUDA's road:

- softmax: half to float32 is one kernel, without a float32 copy of the scores;
- dropout: keeps a mask of one byte per element (native_dropout), not noise in the input's type;
- autocast: layer_norm, group_norm, softmax, losses, interpolation and others run in float32
  (ATen/autocast_mode.h, AT_FORALL_FP32 and AT_FORALL_FP32_SET_OPT_DTYPE), which CPU autocast
  leaves in low precision; cat does not cast;
- scaled_dot_product_attention: the flash kernel (16-bit, no mask, head size up to 256) writes its
  output in the query's layout, the memory-efficient kernel (float32, a mask, larger heads) writes
  (batch, sequence, head, size); both keep query, key, value, output and one float32 per row of
  scores, and with dropout no scores.

Left out, because together they move a peak by less than 0.1 %: the flash backward's per-head
gradients of repeated keys, the accumulators of the memory-efficient backward, contiguous copies
inside normalisations, random-number states.
"""
import warnings

import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_map

FP32 = ["exp", "log", "reciprocal", "rsqrt", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar", "softplus",
        "layer_norm", "native_layer_norm", "group_norm", "cosine_similarity", "nll_loss", "nll_loss2d", "kl_div",
        "l1_loss", "smooth_l1_loss", "huber_loss", "mse_loss", "binary_cross_entropy_with_logits", "logsumexp",
        "upsample_nearest1d", "upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_linear1d",
        "upsample_bilinear2d", "_upsample_bilinear2d_aa", "upsample_bicubic2d"]
FP32_RESULT = ["prod", "prod.dim_int", "softmax.int", "log_softmax.int", "cumprod", "cumsum", "linalg_vector_norm",
               "sum", "sum.dim_IntList"]
UNCAST = ["cat"]
NARROW = ["einsum"]
LOW = (torch.float16, torch.bfloat16)
_kept = []
# The reference row of Llama under autocast was made with an attention function that autocast does
# not know, so that query, key and output stay float32; PyTorch's own attention is cast.
uncast_attention = False


def _overload(name):
    base, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, base), overload or "default")


def _guard():
    return torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU))


def _fp32(operator):
    def cast(value):
        return value.float() if isinstance(value, torch.Tensor) and value.dtype in LOW else value

    def kernel(*args, **kwargs):
        with _guard():
            args, kwargs = tree_map(cast, (args, kwargs))
            return operator(*args, **kwargs)
    return kernel


def _fp32_result(operator):
    softmax = "softmax" in operator.__name__

    def kernel(*args, **kwargs):
        with _guard():
            dtype = args[2] if softmax and len(args) > 2 else kwargs.get("dtype")
            if args[0].dtype in LOW and dtype is None:
                if softmax and args[0].dtype == torch.float16:
                    fused = torch._softmax if operator.__name__.startswith("softmax") else torch._log_softmax
                    return fused(args[0], args[1] % args[0].dim(), True)
                args, kwargs = (args[:2] if softmax else args), {**kwargs, "dtype": torch.float32}
            return operator(*args, **kwargs)
    return kernel


def _narrow(operator):
    def cast(value):
        low = torch.get_autocast_dtype("cpu")
        return value.to(low) if isinstance(value, torch.Tensor) and value.dtype == torch.float32 else value

    def kernel(*args, **kwargs):
        args, kwargs = tree_map(cast, (args, kwargs))
        with _guard():
            return operator(*args, **kwargs)
    return kernel


def _uncast(operator):
    def kernel(*args, **kwargs):
        with _guard():
            return operator(*args, **kwargs)
    return kernel


def cuda_autocast():
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for names, make in ((FP32, _fp32), (FP32_RESULT, _fp32_result), (UNCAST, _uncast),
                            (NARROW, _narrow)):
            for name in names:
                library.impl(name, make(_overload(name)), "AutocastCPU")
    _kept.append(library)  # the registration ends when the object does


def cuda_softmax():
    original = F.softmax

    def softmax(x, dim=None, _stacklevel=3, dtype=None):
        if x.dtype == torch.float16 and dtype == torch.float32:
            return torch._softmax(x, dim % x.dim(), True)
        return original(x, dim, _stacklevel, dtype)
    F.softmax = softmax


def cuda_dropout():
    def dropout(x, p=0.5, training=True, inplace=False):
        if not training or p == 0.0 or x.numel() == 0:
            return x
        return torch.ops.aten.native_dropout(x, p, True)[0]
    F.dropout = dropout


class FlashAttention(torch.autograd.Function):
    """Bytes of the flash kernel; keys and values of fewer heads are not repeated."""

    @staticmethod
    def forward(ctx, query, key, value):
        batch, heads, length, _ = query.shape
        out = torch.empty_like(query.transpose(1, 2)).transpose(1, 2)
        rows = torch.empty(batch, heads, length, dtype=torch.float32, device=query.device)
        ctx.save_for_backward(query, key, value, out, rows)
        return out

    @staticmethod
    def backward(ctx, gradient):
        query, key, value, _out, _rows = ctx.saved_tensors
        accumulator = torch.empty(query.shape, dtype=torch.float32, device=query.device)
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


class EfficientAttention(torch.autograd.Function):
    """Bytes of the memory-efficient kernel."""

    @staticmethod
    def forward(ctx, query, key, value, bias):
        batch, heads, length, _ = query.shape
        out = query.new_empty(batch, length, heads, value.shape[-1]).transpose(1, 2)
        rows = torch.empty(batch, heads, (length + 31) // 32 * 32, dtype=torch.float32, device=query.device)
        ctx.save_for_backward(query, key, value, bias, out, rows)
        return out

    @staticmethod
    def backward(ctx, gradient):
        query, key, value, bias, _out, _rows = ctx.saved_tensors

        def like(x):
            return x.new_empty(x.shape[0], x.shape[2], x.shape[1], x.shape[3]).transpose(1, 2)
        of_bias = torch.empty(query.shape[:3] + key.shape[2:3], dtype=query.dtype,
                              device=query.device) if ctx.needs_input_grad[3] else None
        return like(query), like(key), like(value), of_bias


def attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    """torch.nn.functional.scaled_dot_product_attention with the bytes of CUDA's kernels."""
    if torch.is_autocast_enabled("cpu") and not uncast_attention:
        low = torch.get_autocast_dtype("cpu")
        query, key, value = query.to(low), key.to(low), value.to(low)
        if attn_mask is not None and attn_mask.is_floating_point():
            attn_mask = attn_mask.to(low)
    if attn_mask is None and query.dtype in LOW and query.shape[-1] <= 256 and query.shape[-1] == value.shape[-1]:
        return FlashAttention.apply(query, key, value)
    if key.shape[1] != query.shape[1]:
        if attn_mask is not None:
            raise ValueError("CUDA has no fused kernel for a mask with fewer key heads")
        # float32 with grouped heads: no kernel of PyTorch's own; bytes of a flash kernel
        return FlashAttention.apply(query, key, value)
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            allowed, hidden = (torch.scalar_tensor(v, dtype=query.dtype, device=query.device) for v in (0.0, float("-inf")))
            attn_mask = torch.where(attn_mask, allowed, hidden)
            del allowed, hidden
        attn_mask = attn_mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    return EfficientAttention.apply(query, key, value, attn_mask)


def repeated_attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, **_rest):
    """Fused attention as a Turing card runs it: keys and values are repeated for every head."""
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    out = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, 0.0, True, scale=scaling)[0]
    return out.transpose(1, 2).contiguous(), None


def register_with_transformers():
    """Attention names: `nearside` is SDPA as CUDA runs it (no mask unless a window or padding
    needs one), `nearside_repeated` the same on a T4."""
    from transformers import masking_utils
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS["nearside"] = sdpa_attention_forward
    masking_utils.ALL_MASK_ATTENTION_FUNCTIONS._global_mapping["nearside"] = masking_utils.sdpa_mask
    ALL_ATTENTION_FUNCTIONS["nearside_repeated"] = repeated_attention


def packed_sequences(detected):
    """Without bytes transformers cannot read the positions, takes them for packed and makes a mask:
    that is what the rows called `masked` stand for, and what all others must not do."""
    from transformers import masking_utils

    def packed(positions):
        return (torch.diff(positions, prepend=positions[:, :1] - 1, dim=-1) != 1).cumsum(-1)
    masking_utils.find_packed_sequence_indices = packed if detected else lambda _positions: None
    masking_utils.is_tracing = lambda _tensor=None: True  # a padding mask cannot be read either: it is kept


def apply():
    cuda_softmax()
    cuda_dropout()
    cuda_autocast()
    F.scaled_dot_product_attention = attention
    torch.backends.mha.set_fastpath_enabled(False)
