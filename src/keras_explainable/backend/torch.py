"""PyTorch: eager, with the weights out of autograd's sight."""

import math
import weakref
from collections.abc import Callable
from typing import Any

import keras
import torch
from keras.ops import convert_to_tensor as convert
from torch.nn import functional

TRACING_ERRORS: tuple[type[Exception], ...] = ()  # Nothing is traced.


#: Rows at once that are about fastest on a CPU (`benchmarks/compare.py --rows`).
ROWS_ON_CPU = 8


def vjp(function: Callable[[Any], Any], inputs: Any) -> tuple[Any, Callable[..., Any]]:
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        outputs = function(inputs)

    def pullback(cotangent: Any) -> Any:
        if not outputs.requires_grad:  # The outputs do not depend on the inputs.
            return torch.zeros_like(inputs)
        (gradient,) = torch.autograd.grad(
            outputs,
            inputs,
            cotangent,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return gradient

    return outputs.detach(), pullback


def stack_units(function: Callable[[Any], Any], count: int) -> Any:
    return torch.stack([function(unit) for unit in range(count)], dim=-1)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.no_grad()(function)


def compiled(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    reference = weakref.ref(model)

    @torch.no_grad()
    def call(*tensors: Any) -> Any:
        model = reference()
        weights = getattr(model, "variables", ())
        frozen = [(weight, weight.value.detach()) for weight in weights]
        with keras.StatelessScope(frozen):
            return function(model, *tensors)

    return call


def is_faster(layer: Any) -> bool:
    """Keras copies inputs and kernels to other layouts; here they are only viewed."""
    return len(layer.strides) == 2


def kernel_layout(kernel: Any) -> Any:
    """Return (H, W, I, O) as (O, H, W, I), which torch reads as channels-last."""
    return kernel.transpose(3, 0, 1, 2)


def convolution(
    inputs: Any,
    kernel: Any,
    bias: Any,
    limit: float | None,
    strides: Any,
    padding: Any,
    dilation: Any,
) -> Any:
    kernel, inputs = convert(kernel).permute(0, 3, 1, 2), inputs.permute(0, 3, 1, 2)
    inputs, pads = _padded(inputs, kernel.shape[2:], strides, padding, dilation)
    bias = None if bias is None else convert(bias)
    groups = inputs.shape[1] // kernel.shape[1]
    outputs = functional.conv2d(inputs, kernel, bias, strides, pads, dilation, groups)
    # Before it is viewed: in place on a view, autograd copies.
    return relu(outputs, limit).permute(0, 2, 3, 1)


def pools_faster(layer: Any) -> bool:
    """Keras copies the inputs to channels-first, and all that follow stay there."""
    return len(layer.strides) == 2


def pool(inputs: Any, size: Any, strides: Any, padding: str) -> Any:
    inputs = inputs.permute(0, 3, 1, 2)
    inputs, pads = _padded(inputs, size, strides, padding, (1, 1), -math.inf)
    return functional.max_pool2d(inputs, size, strides, pads).permute(0, 2, 3, 1)


def _padded(
    inputs: Any,
    window: Any,
    strides: Any,
    padding: Any,
    dilation: Any,
    value: float = 0.0,
) -> tuple[Any, Any]:
    """Return what is left for the operation to pad, alike on both sides."""
    if padding == "valid":
        return inputs, (0, 0)
    if padding == "same":
        parts = zip(inputs.shape[2:], window, strides, dilation, strict=True)
        padding = [_same(*part) for part in parts]
    (top, bottom), (left, right) = padding
    if top == bottom and left == right:
        return inputs, (top, left)
    return functional.pad(inputs, (left, right, top, bottom), value=value), (0, 0)


def _same(length: int, window: int, stride: int, dilation: int) -> tuple[int, int]:
    wide = (window - 1) * dilation + 1
    total = max((math.ceil(length / stride) - 1) * stride + wide - length, 0)
    return total // 2, total - total // 2


def affine(x: Any, scale: Any, shift: Any) -> Any:
    return torch.addcmul(convert(shift), x, convert(scale))


def relu(x: Any, limit: float | None) -> Any:
    """In place, which saves memory and time: nothing else reads ``x``."""
    if limit is None:
        return x
    return functional.hardtanh_(x, 0.0, 6.0) if limit == 6 else x.relu_()


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    device = keras.ops.zeros(()).device  # Where Keras puts its tensors.
    noise = torch.empty((len(keys), *shape), device=device)
    generator = torch.Generator(device)
    for row, (high, low) in zip(noise, keys.tolist(), strict=True):
        row.normal_(generator=generator.manual_seed((high << 32 | low) - (1 << 63)))
    return noise


#: Parameters are changed in place.
COPIES_ON_WRITE = False


def memory(variable: Any) -> Any:
    return variable.value.detach().cpu().contiguous().numpy()


def is_out_of_memory(error: Exception) -> bool:
    refused = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return refused or isinstance(error, torch.OutOfMemoryError | MemoryError)


def free_memory() -> int | None:
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None


def is_symbolic(x: Any) -> bool:
    return False


def wait(x: Any) -> None:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
