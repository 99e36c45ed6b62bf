"""How many zeros a convolution or pooling puts around its input."""

import math
from collections.abc import Sequence
from typing import Any

Padding = list[tuple[int, int]]


def padding_amounts(
    padding: Any,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> Padding:
    """Return (before, after) for each axis.

    Args:
        padding: "valid", "same", or (before, after) for each axis.
        sizes: of the input, without batch and channels; the others are for each of
            these axes.
        window: of the kernel, not dilated.
        strides: from one output to the next.
        dilation: from one tap of the kernel to the next.
    """
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding == "same":
        return [*map(_same, sizes, window, strides, dilation)]
    return [(before, after) for before, after in padding]


def _same(size: int, window: int, stride: int, dilation: int) -> tuple[int, int]:
    wide = (window - 1) * dilation + 1
    total = max((math.ceil(size / stride) - 1) * stride + wide - size, 0)
    return total // 2, total - total // 2
