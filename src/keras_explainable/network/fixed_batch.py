"""Graphs whose operations work with one batch size only.

Most models with ``batch_shape=(2, ...)`` do not mind another number of rows. Those that
do have a stateful layer, or a size that was computed from the number of rows. The code
of others has that number in it, as ``ops.reshape(x, (2, -1))`` has.
"""

from collections.abc import Callable
from typing import Any

import keras

from keras_explainable.common.structures import (
    Nested,
    flatten,
    map_structure,
    row_count,
)

Steps = Any


def required_rows(symbols: Any, steps: Steps, outputs: Any) -> int | None:
    """Return the number of rows that steps need; None if any number suits them.

    Args:
        symbols: Symbolic inputs of the steps.
        steps: Steps of a graph, in order of execution.
        outputs: Its symbolic outputs.
    """
    sizes = [symbol.shape[0] for symbol in flatten(symbols)]
    if None in sizes:
        first = [*flatten(outputs)[0].shape]
        return first[0] if len(first) > 1 and steps else None
    free = {id(x): _of_any_rows(x) for x in flatten(symbols)}
    return None if _suits_any_rows(steps, free) else int(sizes[0])


def _suits_any_rows(steps: Steps, free: dict[int, Any]) -> bool:
    """Whether all values have as many rows as the inputs, whatever their number."""
    for step in steps:
        try:
            new = step.reading(free)
            outputs = new.operation.compute_output_spec(*new.args, **new.kwargs)
        except Exception:  # An operation may raise anything for an unknown size.
            return False
        written = zip(flatten(step.outputs), flatten(outputs), strict=True)
        free |= {id(old): each for old, each in written}
        if getattr(step.operation, "stateful", False):
            return False
        if any(len(x.shape) and x.shape[0] is not None for x in flatten(outputs)):
            return False
    return True


def _of_any_rows(symbol: Any) -> keras.KerasTensor:
    return keras.KerasTensor((None, *symbol.shape[1:]), dtype=symbol.dtype)


def run_in_batches(
    run: Callable[[Nested, dict[int, Any]], Any],
    rows: int,
    inputs: Nested,
    offsets: Any,
) -> Any:
    """Return ``run(inputs, offsets)``, computed for exactly ``rows`` rows at a time.

    Args:
        run: Function of tensors with that number of rows, to a structure of such.
        rows: The number of rows that it takes.
        inputs: Tensors (R, ...), for any R.
        offsets: A dictionary of tensors (R, ...).
    """
    total = row_count(inputs)
    if total == rows:
        return run(inputs, offsets)
    padded = map_structure(lambda x: _padded(x, -total % rows), (inputs, dict(offsets)))
    chunks = [
        map_structure(lambda x, at=start: x[at : at + rows], padded)
        for start in range(0, total, rows)
    ]
    pieces = [run(*chunk) for chunk in chunks]
    return map_structure(lambda *parts: keras.ops.concatenate(parts)[:total], *pieces)


def _padded(x: Any, count: int) -> Any:
    """Return ``x`` with its last row once more, ``count`` times."""
    return keras.ops.concatenate([x, *[x[-1:]] * count]) if count else x
