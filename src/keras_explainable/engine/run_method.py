"""Run a method on one batch."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_explainable.common.structures import map_structure
from keras_explainable.engine.batch_source import Batch
from keras_explainable.engine.results import Result
from keras_explainable.execution.compilation import accepts_parameter, call_method
from keras_explainable.types import Method, Model


def run_method(
    method: Method,
    params: dict[str, Any],
    network: Model,
    batch: Batch,
    report: Callable[[int, int], None],
    *,
    rows: int,
    return_stats: bool,
) -> Result:
    """Return logits, maps (B, ..., K) and, if wanted, stats.

    Logits and stats are those of the rows in use; the maps include padded rows.

    Args:
        method: Explaining method.
        params: Parameters of the method.
        network: Network to run.
        batch: Inputs of the network.
        report: Called with the number of rows done and their total.
        rows: The most rows that go through the network at once.
        return_stats: Whether ``Stats`` are wanted.
    """
    logits, maps, *stats = call_method(
        method,
        network,
        batch.inputs,
        batch.indices,
        params,
        results=2 + return_stats,
        rows=rows,
        ids=batch.ids,
        progress=report,
        return_stats=return_stats,
    )
    if not accepts_parameter(method, "progress"):
        report(batch.used, batch.used)
    taken = [map_structure(lambda part: part.taken(batch.used), x) for x in stats]
    return ops.convert_to_numpy(logits)[: batch.used], maps, *taken
