"""PyTorch: eager, with the weights hidden from autograd."""

import gc
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import torch
from keras.ops import convert_to_tensor as convert
from torch.nn import functional

from keras_explainable.backend import shared, torch_pooling
from keras_explainable.backend.padding import Padding, padding_amounts

TRACING_ERRORS: tuple[type[Exception], ...] = ()  # Nothing is traced.

COMPILING_OUTLASTS_A_RUN = False  # Nothing is compiled.

RUNS_EAGERLY = True

ROWS_ON_CPU = (16, 8)

#: From this number of values on, a CPU is faster row by row, within its caches.
ROW_BY_ROW_SIZE = 2**20


@contextmanager
def state_kept(values: Sequence[tuple[Any, Any]] = ()) -> Iterator[None]:
    """Also keep PyTorch's own generators, from which unseeded dropout draws.

    Tensors made here may be differentiated, even under ``torch.inference_mode``.
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    own = torch.random.fork_rng(devices), torch.inference_mode(False)
    with own[0], own[1], shared.state_kept(values):
        yield


def _detached(x: Any) -> Any:
    """Return ``x`` without its history; a copy if it was made in inference mode."""
    return x.clone() if x.is_inference() else x.detach()


def vjp(function: Callable[[Any], Any], inputs: Any) -> tuple[Any, Any, Any]:
    with state_kept(), torch.enable_grad():
        leaves = keras.tree.map_structure(_detached, inputs)
        inputs = keras.tree.map_structure(torch.Tensor.requires_grad_, leaves)
        outputs, others = function(inputs)

    def pullback(cotangent: Any) -> Any:
        if not outputs.requires_grad:  # The outputs do not depend on the inputs.
            return keras.tree.map_structure(torch.zeros_like, inputs)
        leaves = keras.tree.flatten(inputs)
        gradients = torch.autograd.grad(
            outputs, leaves, cotangent, retain_graph=True, materialize_grads=True
        )
        return keras.tree.pack_sequence_as(inputs, gradients)

    return outputs.detach(), pullback, keras.tree.map_structure(torch.detach, others)


stack_units = shared.stack_unrolled


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.no_grad()(function)


def compiled(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    reference = weakref.ref(model)

    @torch.no_grad()
    def call(*tensors: Any) -> Any:
        # Keras walks structures by closures in reference cycles, which hold tensors and
        # their graphs. Free those of the last step before they reach an old generation.
        gc.collect(1)
        model = reference()
        weights = getattr(model, "variables", ())
        with torch.inference_mode(False):
            frozen = [(weight, _detached(weight.value)) for weight in weights]
        with state_kept(frozen):
            return function(model, *tensors)

    return call


fused = shared.unchanged  # PyTorch runs it as it is.


def weighted_sums(
    function: Callable[..., Any], weights: Any, values: Sequence[Any]
) -> list[Any]:
    weights = torch.as_tensor(weights, device=values[0].device)
    if not _by_rows(*values):
        return [_weighted_sum(weights, x) for x in function(*values)]
    sums: list[Any] = []
    rows = [x.reshape(*weights.shape, *x.shape[1:]) for x in values]
    for row_weights, *row in zip(weights.tolist(), *rows, strict=True):
        new = function(*row)
        sums = sums or [*map(torch.zeros_like, new)]
        for total, x in zip(sums, new, strict=True):
            for group, weight in enumerate(row_weights):
                total[group].add_(x[group], alpha=weight)
    return sums


def power_sums(weights: Any, x: Any) -> list[Any]:
    weights = torch.as_tensor(weights, device=x.device)
    if not _by_rows(x):
        return [_weighted_sum(weights, power) for power in (x, torch.square(x))]
    rows = x.reshape(*weights.shape, *x.shape[1:])
    sums, squares = torch.zeros_like(rows[0]), torch.zeros_like(rows[0])
    for row_weights, row in zip(weights.tolist(), rows, strict=True):
        for group, (weight, values) in enumerate(zip(row_weights, row, strict=True)):
            sums[group].add_(values, alpha=weight)
            squares[group].addcmul_(values, values, value=weight)
    return [sums, squares]


def _by_rows(*values: Any) -> bool:
    large = max(x.numel() for x in values) >= ROW_BY_ROW_SIZE
    return large and all(x.device.type == "cpu" for x in values)


def _weighted_sum(weights: Any, x: Any) -> Any:
    rows = x.reshape(*weights.shape, -1)
    sums = torch.einsum("rg,rgn->gn", weights.to(x.dtype), rows)
    return sums.reshape(-1, *x.shape[1:])


def value_counts(weights: Any, numbers: Any, count: int) -> list[Any]:
    weights = torch.as_tensor(weights, device=numbers.device)
    indicators = ((numbers == value).to(torch.float32) for value in range(count))
    return [_weighted_sum(weights, x) for x in indicators]


def convolution_is_faster(layer: Any) -> bool:
    """Keras copies inputs and kernels to another layout; this takes views of them."""
    return len(layer.strides) == 2


def kernel_layout(kernel: Any) -> Any:
    """Return (H, W, I, O) as (O, H, W, I), which PyTorch reads as channels-last."""
    return np.ascontiguousarray(kernel.transpose(3, 0, 1, 2))


def convolution(
    inputs: Any, kernel: Any, bias: Any, limit: float | None, *geometry: Any
) -> Any:
    strides, padding, dilation = geometry
    kernel, inputs = convert(kernel).permute(0, 3, 1, 2), inputs.permute(0, 3, 1, 2)
    amounts = padding_amounts(
        padding, inputs.shape[2:], kernel.shape[2:], strides, dilation
    )
    if kernel.shape[1] == 1 and set(dilation) == {1}:
        kernel, amounts = _with_even_padding(kernel, amounts)
    inputs, even = _pad_if_uneven(inputs, amounts)
    bias = None if bias is None else convert(bias)
    groups = inputs.shape[1] // kernel.shape[1]
    outputs = functional.conv2d(inputs, kernel, bias, strides, even, dilation, groups)
    return relu(outputs, limit).permute(0, 2, 3, 1)


max_pool_is_faster = torch_pooling.max_pool_is_faster
max_pool = torch_pooling.max_pool
max_pool_and_counts = torch_pooling.max_pool_and_counts


def _with_even_padding(kernel: Any, amounts: Padding) -> tuple[Any, Padding]:
    """Return a kernel with zeros on the sides of less padding, and even padding.

    PyTorch copies the inputs to pad them unevenly; padding a small kernel costs less.
    """
    (above, left), (below, right) = zip(*amounts, strict=True)
    width = max(right - left, 0), max(left - right, 0)
    height = max(below - above, 0), max(above - below, 0)
    kernel = functional.pad(kernel, (*width, *height))
    return kernel, [(max(sides), max(sides)) for sides in amounts]


def _pad_if_uneven(inputs: Any, amounts: Padding) -> tuple[Any, Any]:
    """Return the inputs, padded if uneven, and the even padding that remains."""
    (top, bottom), (left, right) = amounts
    if top == bottom and left == right:
        return inputs, (top, left)
    return functional.pad(inputs, (left, right, top, bottom)), (0, 0)


def affine(x: Any, scale: Any, shift: Any) -> Any:
    return torch.addcmul(convert(shift), x, convert(scale))


def relu(x: Any, limit: float | None) -> Any:
    """Works in place to save memory and time, as nothing else reads ``x``."""
    return x if limit is None else _ReLU.apply(x, limit)


class _ReLU(torch.autograd.Function):
    """Works in place unseen by autograd, which would copy a view that changes."""

    @staticmethod
    def forward(ctx: Any, x: Any, limit: float) -> Any:
        outputs = x.detach().clamp_(0.0, limit)
        ctx.save_for_backward(outputs)
        ctx.limit = limit
        return outputs

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        (outputs,) = ctx.saved_tensors
        if ctx.limit == math.inf:
            return torch.ops.aten.threshold_backward(gradient, outputs, 0.0), None
        return torch.ops.aten.hardtanh_backward(gradient, outputs, 0.0, ctx.limit), None


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    device = keras.ops.zeros(()).device  # The device on which Keras puts tensors.
    noise = torch.empty((len(keys), *shape), device=device)
    generator = torch.Generator(device)
    for row, (high, low) in zip(noise, keys.tolist(), strict=True):
        row.normal_(generator=generator.manual_seed((high << 32 | low) - (1 << 63)))
    return noise


COPIES_ON_WRITE = False  # Parameters change in place.


def host_buffer(variable: Any) -> Any:
    return variable.value.detach().cpu().contiguous().numpy()


def is_out_of_memory(error: Exception) -> bool:
    refused = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return refused or isinstance(error, torch.OutOfMemoryError | MemoryError)


def free_memory() -> int | None:
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None


def is_symbolic(x: Any) -> bool:
    return False


def block_until_ready(x: Any) -> None:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
