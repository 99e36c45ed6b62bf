"""The amount of padding around the input of a convolution or pooling."""

import math
from collections.abc import Sequence
from typing import Any

Padding = list[tuple[int, int]]
Sizes = Sequence[int]


def padding_amounts(
    padding: Any, sizes: Sizes, window: Sizes, strides: Sizes, dilation: Sizes
) -> Padding:
    """Return the padding (before, after) of each spatial axis.

    Args:
        padding: "valid", "same", or (before, after) for each spatial axis.
        sizes: Spatial sizes of the input.
        window: Spatial sizes of the kernel, before dilation.
        strides: Steps from one output to the next, one for each spatial axis.
        dilation: Steps from one kernel tap to the next, one for each spatial axis.
    """
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding == "same":
        return [*map(_same, sizes, window, strides, dilation)]
    return [(before, after) for before, after in padding]


def _same(size: int, window: int, stride: int, dilation: int) -> tuple[int, int]:
    extent = (window - 1) * dilation + 1
    total = max((math.ceil(size / stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2
