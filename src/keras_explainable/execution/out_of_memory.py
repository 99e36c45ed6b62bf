"""Running a function on fewer rows at once when the device is out of memory."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import map_structure, row_count, take_rows
from keras_explainable.common.warnings import warn
from keras_explainable.execution.chunks import padded_chunks
from keras_explainable.types import Tensor


def retry_with_fewer_rows(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``run(*tensors)``, halving the rows for good when memory runs out.

    Args:
        run: a function of tensors (R, ...), or None, to a structure of tensors
            (R, ...), each row by itself.
    """
    most: int | None = None  # Rows that are known to fit.

    def run_in_chunks(*tensors: Tensor) -> Any:
        nonlocal most
        rows = row_count(tensors)
        parts: list[Any] = []
        done = 0
        while done < rows:
            size = rows if most is None else min(most, rows)
            try:
                parts.append(_part(run, tensors, done, size))
            except Exception as error:
                if size == 1 or not backend.is_out_of_memory(error):
                    raise
                most = size // 2
                warn(
                    f"The device is out of memory with {size} rows at once; going on "
                    f"with {most}. A `batch_size` of {most} avoids the attempt."
                )
            else:
                done += size
        return parts[0] if len(parts) == 1 else _joined(parts)

    return run_in_chunks


def _part(run: Callable[..., Any], tensors: Any, start: int, size: int) -> Any:
    """Return what ``run`` makes of rows from ``start`` on, ``size`` at the most."""
    rows = row_count(tensors)
    if size == rows:
        return run(*tensors)
    positions, used = next(padded_chunks(rows - start, size))
    some = (None if x is None else take_rows(x, positions + start) for x in tensors)
    count = int(used.sum())
    return map_structure(lambda x: x[:count], run(*some))


def _joined(parts: list[Any]) -> Any:
    return map_structure(lambda *rows: ops.concatenate(rows), *parts)
