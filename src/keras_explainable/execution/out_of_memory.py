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
        run: Function of tensors (R, ...) or None, returning a structure of tensors
            (R, ...), where each row depends on the same row of the inputs only.
    """
    limit: int | None = None  # Rows that are known to fit.

    def run_in_chunks(*tensors: Tensor) -> Any:
        nonlocal limit
        rows = row_count(tensors)
        chunks: list[Any] = []
        done = 0
        while done < rows:
            size = rows if limit is None else min(limit, rows)
            try:
                chunks.append(_run_chunk(run, tensors, done, size))
            except Exception as error:
                if size == 1 or not backend.is_out_of_memory(error):
                    raise
                limit = size // 2
                warn(
                    f"The device is out of memory with {size} rows at once; continuing "
                    f"with {limit}. A `batch_size` of {limit} avoids the attempt."
                )
            else:
                done += size
        if len(chunks) == 1:
            return chunks[0]
        return map_structure(lambda *parts: ops.concatenate(parts), *chunks)

    return run_in_chunks


def _run_chunk(run: Callable[..., Any], tensors: Any, start: int, size: int) -> Any:
    """Return the results of ``run`` for up to ``size`` rows from ``start`` on."""
    rows = row_count(tensors)
    if size == rows:
        return run(*tensors)
    positions, used = next(padded_chunks(rows - start, size))
    chunk = (None if x is None else take_rows(x, positions + start) for x in tensors)
    count = int(used.sum())
    return map_structure(lambda x: x[:count], run(*chunk))
