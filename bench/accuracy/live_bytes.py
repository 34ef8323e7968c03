"""Which tensors are alive at every moment of a training step or an inference?

`LiveBytes` watches every operator that the model, autograd and the optimizer run, and keeps the
set of storages that are alive. No byte is ever allocated: tensors live on PyTorch's device "meta",
or, where the program asks for autocast, which that device does not have, on a "cpu" under
FakeTensorMode; both give the same figures, the first four times as fast. (A fake "cuda" device
needs a driver.) Neither sizes nor lifetimes depend on the device's name; what does depend on it is
in `cuda_rules.py`. Sizes are rounded as the CUDA caching allocator rounds them (512 B).

Not seen: workspaces inside kernels (cuBLAS, cuDNN) and the CUDA context. AdamW's step counters,
which a GPU run keeps on the host, are counted: 512 B per trained tensor.
"""
import gc
import weakref
from contextlib import contextmanager, nullcontext

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from caching_allocator import CachingAllocator, rounded

CATEGORIES = ("param", "buffer", "grad", "optim", "input", "act")
# PyTorch's cuBLAS workspace (:4096:2:16:8), taken once from the caching allocator.
CUBLAS_WORKSPACE = 8_519_680


_place = ["cpu"]


def device():
    """The device of the tensors that are traced."""
    return _place[0]


def gradient_sized(arguments):
    return rounded(arguments[0].untyped_storage().nbytes())


# Temporaries that CUDA kernels take from the caching allocator inside one operator:
# softmax backward materialises gradient * output (found on a T4, exact on the rows held out).
KERNEL_TEMPORARIES = {"aten._softmax_backward_data.default": gradient_sized}


class Event:
    """One storage that begins or ends; `live` is the total after it."""

    __slots__ = ("sign", "size", "number", "phase", "operator", "shape", "dtype", "where", "live")

    def __init__(self, **facts):
        for name, value in facts.items():
            setattr(self, name, value)


class LiveBytes(TorchDispatchMode):
    def __init__(self, *, record=False, workspace=True):
        super().__init__()
        self.sizes, self.category, self.number = {}, {}, {}
        self.totals = dict.fromkeys(CATEGORIES, 0)
        self.live = self.peak = self.count = 0
        self.peak_at, self.peak_by_category, self.phase = "", {}, "load"
        self.allocator, self.blocks = CachingAllocator(), {}
        self.recording, self.events, self.final_category = record, [], {}
        self.operator, self.modules = "", []
        self.with_workspace = workspace

    def _free(self, key):
        size = self.sizes.pop(key, 0)
        self.live -= size
        number = self.number.pop(key, None)
        category = self.category.pop(key, "act")
        self.totals[category] -= size
        if self.recording:
            self.final_category[number] = category
        block = self.blocks.pop(key, None)
        if block is not None:
            self.allocator.free(block)
        if self.recording and size:
            self._event("-", size, number, "", "")

    def _event(self, sign, size, number, shape, dtype):
        self.events.append(Event(
            sign=sign, size=size, number=number, phase=self.phase, operator=self.operator,
            shape=shape, dtype=dtype, where=self._where(), live=self.live))

    def _where(self):
        node = torch._C._current_autograd_node()
        module = self.modules[-1] if self.modules else ""
        return f"{node.name()}@{module}" if node is not None else module

    def track(self, tensor, category="act", force=False):
        if not isinstance(tensor, torch.Tensor) or (tensor.device.type != device() and category != "optim"):
            return
        storage = tensor.untyped_storage()
        key = id(storage)
        size = rounded(storage.nbytes())
        if key not in self.sizes:
            self.count += 1
            self.sizes[key], self.category[key], self.number[key] = size, category, self.count
            self.live += size
            self.totals[category] += size
            weakref.finalize(storage, self._free, key).atexit = False
            if size:
                self.blocks[key] = self.allocator.malloc(size)
            if self.recording and size:
                self._event("+", size, self.count, list(tensor.shape),
                            str(tensor.dtype).removeprefix("torch."))
        else:
            if self.sizes[key] != size:
                self.live += size - self.sizes[key]
                self.totals[self.category[key]] += size - self.sizes[key]
                self.sizes[key] = size
            if force:
                self.totals[self.category[key]] -= size
                self.totals[category] += size
                self.category[key] = category

    def by_category(self):
        return dict(self.totals)

    def sample(self, operator):
        if self.live > self.peak:
            self.peak, self.peak_at = self.live, f"{self.phase}:{operator}"
            self.peak_by_category = self.by_category()

    def reset_peak(self):
        self.peak = 0
        self.allocator.peak_allocated = self.allocator.allocated
        self.sample("reset")

    def compact(self):
        """As if what is alive had been loaded tensor by tensor, with an empty cache around it."""
        self.allocator = CachingAllocator()
        self.blocks = {key: self.allocator.malloc(size) for key, size in self.sizes.items() if size}

    def take_workspace(self):
        if self.with_workspace:
            self.allocator.malloc(CUBLAS_WORKSPACE)

    def temporary(self, size, operator):
        """Bytes that live only inside a kernel."""
        self.allocator.free(self.allocator.malloc(size))
        self.live += size
        self.sample(operator)
        if self.recording:
            self.count += 1
            self.final_category[self.count] = "kernel"
            self._event("+", size, self.count, [size], "uint8")
        self.live -= size
        if self.recording:
            self._event("-", size, self.count, "", "")

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.operator = str(function)
        out = function(*args, **(kwargs or {}))
        self.operator = str(function)
        for tensor in tree_iter(out):
            self.track(tensor)
        if (temporary := KERNEL_TEMPORARIES.get(self.operator)) is not None:
            self.temporary(temporary(args), self.operator)
        self.sample(self.operator)
        return out

    def watch_module(self, model):
        for parameter in model.parameters():
            self.track(parameter.data, "param", True)
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(
                    lambda p: self.track(p.grad, "grad", True))
        for buffer in model.buffers():
            self.track(buffer, "buffer", True)
        self.sample("module")

    def watch_optimizer(self, optimizer):
        for state in optimizer.state.values():
            for value in state.values():
                self.track(value, "optim", True)

    def name_modules(self, model):
        """Keep the path of the module that runs, for the event dump only."""
        names = {module: name or "model" for name, module in model.named_modules()}

        def enter(module, _arguments):
            self.modules.append(names.get(module, type(module).__name__))

        def leave(_module, _arguments, _out):
            self.modules.pop()

        for module in model.modules():
            module.register_forward_pre_hook(enter)
            module.register_forward_hook(leave, always_call=True)

    def dump(self, file):
        """One line per event: see the heading that it writes."""
        file.write("# sign+bytes\tcategory\tphase\toperator\tshape\tdtype\t#storage\tlive after\twhere\n")
        category = dict(self.final_category)
        category.update({self.number[key]: self.category[key] for key in self.number})
        born = {e.number: e for e in self.events if e.sign == "+"}
        phase = None
        for e in self.events:
            if e.phase != phase:
                phase = e.phase
                file.write(f"## {phase}\n")
            first = born.get(e.number, e)
            shape = "x".join(map(str, first.shape)) if first.shape != "" else "-"
            operator = e.operator if e.sign == "+" else f"(born {first.operator})" if first is not e else "(born before)"
            file.write(f"{e.sign}{e.size}\t{category.get(e.number, 'act')}\t{e.phase}\t{operator}\t{shape or 'scalar'}"
                       f"\t{first.dtype or '-'}\t#{e.number}\t{e.live}\t{e.where}\n")


@contextmanager
def tracing(place, **options):
    """A LiveBytes over tensors without bytes, on the device "meta" or on a fake "cpu"."""
    _place[0] = place
    with FakeTensorMode(allow_non_fake_inputs=True) if place == "cpu" else nullcontext():
        live = LiveBytes(**options)
        with live:
            yield live


def train(live, model, optimizer, loss_of, steps=2):
    """Two steps: in the second the optimizer's state is resident, which is the steady peak."""
    out = {}
    for step in range(steps):
        live.reset_peak()
        if step + 1 < steps:
            recording, live.recording = live.recording, False
        else:
            live.recording = recording
        live.phase = "forward"
        loss, kept = loss_of()
        gc.collect()
        out["saved_activations"] = live.by_category()["act"]
        live.phase = "backward"
        loss.backward()
        del loss
        live.phase = "optimizer"
        optimizer.step()
        live.watch_optimizer(optimizer)
        optimizer.zero_grad(set_to_none=True)
        del kept
    gc.collect()
    live.phase = "end"
    end = live.by_category()
    out.update(peak=live.peak, peak_at=live.peak_at, weights=end["param"], optimizer=end["optim"],
               buffers=end["buffer"], gradients_at_peak=live.peak_by_category.get("grad", 0),
               allocated=live.allocator.peak_allocated, reserved=live.allocator.peak_reserved)
    return out


def infer(live, run):
    live.reset_peak()
    live.phase = "forward"
    with torch.no_grad():
        kept = run()
    totals = live.by_category()
    out = dict(peak=live.peak, peak_at=live.peak_at, weights=totals["param"], optimizer=0,
               buffers=totals["buffer"], gradients_at_peak=0, saved_activations=totals["act"],
               allocated=live.allocator.peak_allocated, reserved=live.allocator.peak_reserved)
    del kept
    return out
