"""Run a method on one batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_explainable.common.structures import Nested, map_structure
from keras_explainable.engine.batch_source import Batch
from keras_explainable.engine.results import Result
from keras_explainable.execution.compilation import accepts_parameter, call_method
from keras_explainable.types import Method, Model


@dataclass(frozen=True)
class MethodRun:
    """A method and its parameters, ready to be called on batches.

    Attributes:
        method: Explaining method.
        params: Parameters of the method.
        rows: The most rows that go through the network at once.
        return_stats: Whether ``Stats`` are wanted.
    """

    method: Method
    params: dict[str, Any]
    rows: int
    return_stats: bool

    def __call__(
        self, network: Model, batch: Batch, report: Callable[[int, int], None]
    ) -> Result:
        """Return logits, maps (B, ..., K) and, if wanted, stats.

        Logits and stats are those of the rows in use; the maps include padded rows.

        Args:
            network: Network to run.
            batch: Inputs of the network.
            report: Called with the number of rows done and their total.
        """
        logits, maps, *stats = call_method(
            self.method,
            network,
            batch.inputs,
            batch.indices,
            self.params,
            results=2 + self.return_stats,
            rows=self.rows,
            ids=batch.ids,
            progress=report,
            return_stats=self.return_stats,
        )
        if not accepts_parameter(self.method, "progress"):
            report(batch.used, batch.used)

        def in_use(nested: Nested) -> Nested:
            return map_structure(lambda part: part.taken(batch.used), nested)

        return ops.convert_to_numpy(logits)[: batch.used], maps, *map(in_use, stats)
