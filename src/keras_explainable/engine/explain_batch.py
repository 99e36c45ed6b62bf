"""One batch at a time: from inputs to maps as they are handed out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keras import ops

from keras_explainable import lowering
from keras_explainable.common.structures import Nested, map_structure
from keras_explainable.engine.batch_source import Batch
from keras_explainable.engine.map_memory import check_all, check_batch
from keras_explainable.engine.postprocessing import Postprocessing, postprocess, sized
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.engine.zero_maps import ZeroMaps
from keras_explainable.execution.compilation import accepts_parameter, call_method
from keras_explainable.inspection.targets import top_units
from keras_explainable.network import output_units
from keras_explainable.types import Method, Model, Tensor

#: Logits and maps, and `Stats` if they are asked for.
Result = tuple[Any, ...]


@dataclass
class Explainer:
    """All that is needed to explain a batch.

    Attributes:
        method: what explains.
        params: of it.
        model: what is explained.
        lowered: a copy of it that is to be used if it agrees.
        look_up: from what is given to the model's inputs.
        rows: the most that go through the network at once.
        best: how many of the best units to explain; 0 for those that are given.
        images: how many there are in all; None if it is not known.
        postprocessing: of the maps.
        resizing: of the maps.
        return_stats: whether `Stats` are wanted.
    """

    method: Method
    params: Mapping[str, Any]
    model: Model
    lowered: Model
    look_up: Callable[[Nested], Nested]
    rows: int
    best: int
    images: int | None
    postprocessing: Postprocessing | None
    resizing: Any
    return_stats: bool
    blanks: ZeroMaps = field(default_factory=ZeroMaps)
    network: Model = None  # The copy or the model: once the first inputs are there.

    def explain(self, batch: Batch, progress: Progress) -> Result:
        """Return logits, maps and stats of the rows that are used, as NumPy arrays.

        Args:
            batch: what is to be explained.
            progress: is told how far it has come.
        """
        report, inputs = progress.of_batch(batch.used), self.look_up(batch.inputs)
        first = self.network is None
        if first:
            self.network = lowering.checked_copy(
                self.lowered, self.model, inputs, self.rows
            )
        indices = self._indices(inputs, batch)
        if first:
            check_batch(inputs, self._count(indices))
        found, maps, *stats = call_method(
            self.method,
            self.network,
            inputs,
            indices,
            self.params,
            results=2 + self.return_stats,
            rows=self.rows,
            ids=batch.ids,
            progress=report,
            return_stats=self.return_stats,
        )
        if not accepts_parameter(self.method, "progress"):
            report(batch.used, batch.used)
        maps = self._finished(maps, inputs, batch.used)
        if first:
            check_all(maps, batch.used, self.images)
        self.blanks.look(self.network, inputs, indices, maps)
        stats = [
            map_structure(lambda part: part.taken(batch.used), tree) for tree in stats
        ]
        return ops.convert_to_numpy(found)[: batch.used], maps, *stats

    def _indices(self, inputs: Nested, batch: Batch) -> Tensor | None:
        if not self.best:
            return batch.indices
        return top_units(
            output_units.forward(self.network, inputs, self.rows), self.best
        )

    def _count(self, indices: Tensor | None) -> int:
        """Return how many units of each input are explained; 1 if it is not known."""
        if indices is not None:
            return int(indices.shape[1])
        return output_units.count_units(self.model) or 1

    def _finished(self, maps: Nested, inputs: Nested, used: int) -> Nested:
        maps = map_structure(lambda part: postprocess(part, self.postprocessing), maps)
        maps = sized(maps, self.resizing, inputs)
        return map_structure(lambda part: ops.convert_to_numpy(part)[:used], maps)
