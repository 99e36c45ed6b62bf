"""The units with the largest outputs, asked for by a text such as "top3"."""

import re
from typing import Any

from keras import ops

from keras_explainable.types import Tensor


def top_count(y: Any) -> int:
    """Return how many top units the text ``y`` asks for; 0 if it is not a text."""
    if not isinstance(y, str):
        return 0
    found = re.fullmatch("top([1-9][0-9]{0,6})", "top1" if y == "predicted" else y)
    if found is None:
        raise ValueError(
            "`y` must be units, a function, 'predicted' or a text such as 'top3'; "
            f"received {y!r}."
        )
    return int(found[1])


def top_units(outputs: Tensor, count: int) -> Tensor:
    """Return the units with the largest outputs, shape (B, count), largest first."""
    if count > outputs.shape[-1]:
        raise ValueError(
            f"`y` must ask for at most {outputs.shape[-1]} units, as the model has no "
            f"more; received 'top{count}'."
        )
    return ops.cast(ops.top_k(outputs, count)[1], "int32")
