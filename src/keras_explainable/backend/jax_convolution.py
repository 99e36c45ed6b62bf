"""Convolutions in JAX that are faster on a CPU than XLA's own.

On a CPU, XLA has fast code for dense kernels and slow code for depthwise, pointwise
and small ones. This module computes those as a sum over the kernel's taps of the
shifted input times a vector (depthwise) or a matrix.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from keras_explainable.backend.padding import Sizes, padding_amounts

#: Up to this number of output pixels, a product per tap beats XLA's convolution.
FEW_PIXELS = 64

#: From this number of taps on, JAX's own derivative of the sum is slow.
MANY_TAPS = 10


def convolution(
    inputs: Any, kernel: Any, strides: Sizes, padding: Any, dilation: Sizes
) -> Any:
    """Return the convolution of (B, ..., C) with (..., C / groups, outputs)."""
    *spatial, per_group, outputs = kernel.shape
    extents = [
        (size - 1) * step + 1 for size, step in zip(spatial, dilation, strict=True)
    ]
    amounts = padding_amounts(padding, inputs.shape[1:-1], spatial, strides, dilation)
    padded = jnp.pad(inputs, [(0, 0), *amounts, (0, 0)])
    sizes = zip(padded.shape[1:-1], extents, strides, strict=True)
    pixels = math.prod((size - extent) // step + 1 for size, extent, step in sizes)
    channels = inputs.shape[-1]
    if per_group == 1 and channels > 1:
        repeated = jnp.repeat(padded, outputs // channels, axis=-1)
        return _depthwise(repeated, kernel[..., 0, :], strides, dilation)
    if per_group == channels and (math.prod(spatial) == 1 or pixels <= FEW_PIXELS):
        return _sum_of_taps(jnp.matmul, padded, kernel, strides, dilation)
    return _general(padded, kernel, strides, dilation)


def _general(padded: Any, kernel: Any, strides: Sizes, dilation: Sizes) -> Any:
    letters = "DHW"[3 - len(strides) :]
    return lax.conv_general_dilated(
        padded,
        kernel,
        strides,
        "VALID",
        rhs_dilation=dilation,
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        feature_group_count=padded.shape[-1] // kernel.shape[-2],
    )


def _depthwise(padded: Any, kernel: Any, strides: Sizes, dilation: Sizes) -> Any:
    many_taps = math.prod(kernel.shape[:-1]) >= MANY_TAPS
    own_gradient = many_taps and math.prod(strides) == 1
    run = _depthwise_with_gradient if own_gradient else _depthwise_sum
    return run(padded, kernel, tuple(strides), tuple(dilation))


def _sum_of_taps(
    multiply: Callable[[Any, Any], Any],
    padded: Any,
    kernel: Any,
    strides: Sizes,
    dilation: Sizes,
) -> Any:
    spatial = kernel.shape[: len(strides)]
    total = None
    for tap in product(*map(range, spatial)):
        slices = [slice(None)]
        for axis, number in enumerate(tap):
            start = number * dilation[axis]
            reach = (spatial[axis] - 1) * dilation[axis]
            stop = padded.shape[axis + 1] - reach + start
            slices.append(slice(start, stop, strides[axis]))
        term = multiply(padded[tuple(slices)], kernel[tap])
        total = term if total is None else total + term
    return total


_depthwise_sum = partial(_sum_of_taps, jnp.multiply)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _depthwise_with_gradient(
    padded: Any, kernel: Any, strides: Sizes, dilation: Sizes
) -> Any:
    return _depthwise_sum(padded, kernel, strides, dilation)


def _forward(padded: Any, kernel: Any, strides: Sizes, dilation: Sizes) -> Any:
    return _depthwise_sum(padded, kernel, strides, dilation), kernel


def _backward(strides: Sizes, dilation: Sizes, kernel: Any, cotangent: Any) -> Any:
    """Return the derivative by the input, a convolution with the flipped kernel."""
    axes = tuple(range(len(strides)))
    reach = [(kernel.shape[axis] - 1) * dilation[axis] for axis in axes]
    padded = jnp.pad(cotangent, [(0, 0), *((size, size) for size in reach), (0, 0)])
    flipped = jnp.flip(kernel, axes)
    return _depthwise_sum(padded, flipped, strides, dilation), None


_depthwise_with_gradient.defvjp(_forward, _backward)
