"""A process that has loaded a model once and explains batches of images."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_explainable.common.precision import storable
from keras_explainable.distributed.image_batch import ImageBatch, Prepare
from keras_explainable.distributed.noise_ids import noise_ids
from keras_explainable.distributed.output_folder import OutputFolder, check_different
from keras_explainable.distributed.repetition_parts import PART
from keras_explainable.distributed.result_columns import (
    FAILURE,
    PREDICTIONS,
    Row,
    blank,
    columns_of,
    rows_of,
    rows_of_columns,
)
from keras_explainable.distributed.shipped_model import ShippedModel
from keras_explainable.engine.explainer import explainer
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.output_units import first_output, forward
from keras_explainable.types import Model

#: The side of a blank image for a model that takes images of any size.
_ANY_SIDE = 32


@dataclasses.dataclass(frozen=True)
class Columns:
    """Names of the columns of the data set, as ``explain`` takes them."""

    id: str
    image: str
    unit: str | None = None


@dataclasses.dataclass(frozen=True)
class ExplainedRows:
    """Function from images of one shape to their rows in the result.

    Attributes:
        method: Explaining method or shortcut.
        params: Parameters of the method and of ``ke.explain``.
    """

    method: Any
    params: Mapping[str, Any]

    def __call__(self, model: Model, x: np.ndarray, y: Any, ids: Any) -> list[Row]:
        """Return a row for each image."""
        given = {"ids": ids, "verbose": 0, **self.params}
        return list(rows_of(explainer(self.method)(model, x, y, **given)))


@dataclasses.dataclass(frozen=True)
class Task:
    """What to compute for each image.

    Attributes:
        parts: Functions of a model, images, units and ids to rows. Each computes a part
            of what there is to compute for an image.
        y: What is explained, unless a column holds the units.
        columns: Where the images are.
        prepare: Function to an image.
    """

    parts: Sequence[Callable[..., list[Row]]]
    y: Any
    columns: Columns
    prepare: Prepare


class ImageWorker:
    """Explains batches of a Ray data set; Ray keeps one in each process.

    Args:
        model: The model, which is loaded once.
        task: What to compute.
        folder: Where the results are stored; None to return them.
    """

    def __init__(
        self, model: ShippedModel, task: Task, folder: OutputFolder | None = None
    ) -> None:
        self.model, self.task, self.folder = model.load(), task, folder
        self._blanks: dict[int, Row] = {}

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        """Return the columns of the result, or of what was stored.

        Raises:
            ValueError: If ids repeat. What is wrong with an image is in its row.
        """
        numbers = batch.get(PART, np.zeros(len(batch[self.task.columns.id]), int))
        found: list[Row] = []
        for part in np.unique(numbers).tolist():
            rows = {name: each[numbers == part] for name, each in batch.items()}
            found += self._explained(rows, part)
        columns = columns_of(found)
        return self.folder.store(columns) if self.folder else columns

    def _explained(self, batch: dict[str, np.ndarray], part: int) -> Iterator[Row]:
        """Yield the row of each image, in the order of the batch."""
        columns = self.task.columns
        ids, numbers = batch[columns.id].tolist(), noise_ids(batch[columns.id])
        check_different(ids)
        images = ImageBatch(batch[columns.image], self.task.prepare, self.model)
        units = None if columns.unit is None else _stacked(batch[columns.unit])
        rows: dict[int, Row] = {}
        for places, x in images.groups():
            y = self.task.y if units is None else units[places]
            found = self._rows(x, y, numbers[places], part)
            self._blanks[part] = blank(found[0])
            rows |= zip(places, found, strict=True)
        for place, (id_, failure) in enumerate(zip(ids, images.failures, strict=True)):
            row = self._blank(part, units) if failure else rows[place]
            own = {PART: part} if PART in batch else {}
            yield {columns.id: id_, **own, **row, FAILURE: failure}

    def _blank(self, part: int, units: Any) -> Row:
        """Return a row with columns like those of other images."""
        if part not in self._blanks:
            shape = [side or _ANY_SIDE for side in self.model.input_shape[1:]]
            x, ids = np.zeros((1, *shape), "float32"), np.zeros(1, "int64")
            y = self.task.y if units is None else units[:1]
            self._blanks[part] = blank(self._rows(x, y, ids, part)[0])
        return self._blanks[part]

    def _rows(self, x: np.ndarray, y: Any, ids: Any, part: int) -> list[Row]:
        """Return what a part computes of images, and their predictions."""
        found = self.task.parts[part](self.model, x, y, ids)
        inputs = as_inputs(self.model, x)
        outputs = forward(self.model, inputs, len(x), output=first_output)
        values = storable(ops.convert_to_numpy(outputs))
        predictions = rows_of_columns({PREDICTIONS: values})
        return [own | row for own, row in zip(predictions, found, strict=True)]


def _stacked(units: np.ndarray) -> np.ndarray:
    """Return units of several images as one array, whatever Ray has made of lists."""
    return np.stack([np.asarray(each) for each in units])
