"""The bytes of bitsandbytes' 4-bit linear layers and of PEFT's k-bit preparation.

Weights: half a byte per value and one float32 per 64 values. A product dequantises the weight into
a 16-bit copy that lives for the product only, forward and backward. Every other parameter becomes
float32; nothing but the adapters is trained.
"""
import torch
import torch.nn as nn

from live_bytes import device


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, packed, absmax, outputs, inputs):
        ctx.save_for_backward(packed, absmax)
        ctx.facts = (outputs, inputs, x.dtype)
        weight = torch.empty(outputs, inputs, dtype=torch.float16, device=x.device)
        return torch.nn.functional.linear(x, weight)

    @staticmethod
    def backward(ctx, gradient):
        outputs, inputs, dtype = ctx.facts
        weight = torch.empty(outputs, inputs, dtype=torch.float16, device=gradient.device)
        return torch.matmul(gradient.to(torch.float16), weight).to(dtype), None, None, None, None


class Linear4bit(nn.Linear):
    def __init__(self, dense):
        nn.Module.__init__(self)
        self.in_features, self.out_features = dense.in_features, dense.out_features
        count = dense.weight.numel()
        self.weight = nn.Parameter(torch.empty(count // 2, 1, dtype=torch.uint8, device=device()), requires_grad=False)
        self.register_buffer("absmax", torch.empty(count // 64, dtype=torch.float32, device=device()))
        self.bias = dense.bias

    def forward(self, x):
        dtype = x.dtype
        y = _Product.apply(x.to(torch.float16), self.weight, self.absmax, self.out_features, self.in_features)
        if self.bias is not None:
            y = y + self.bias.to(torch.float16)
        return y.to(dtype)


def quantise(model):
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear and name != "lm_head":
                setattr(module, name, Linear4bit(child))
    for module in model.modules():
        if isinstance(module, Linear4bit):
            if module.bias is not None:
                module.bias.data = module.bias.data.float()
            continue
        for parameter in module.parameters(recurse=False):
            if parameter.dtype != torch.float32:
                parameter.data = parameter.data.float()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
