"""Data in every form that ``Model.predict`` takes, in batches of one fixed size."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.structures import (
    Nested,
    flatten,
    map_structure,
    row_count,
    take_rows,
)
from keras_explainable.engine import data_iterators
from keras_explainable.engine.data_iterators import Element, as_numpy
from keras_explainable.execution.chunks import padded_chunks
from keras_explainable.network import output_units
from keras_explainable.network.dense_arrays import check_dense
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.model_inputs import (
    check_inputs,
    for_each_input,
    input_names,
    symbolic_inputs,
    takes_list,
)
from keras_explainable.sampling.noise import PADDING
from keras_explainable.types import Model, Tensor


class Batch(NamedTuple):
    """Inputs (B, ...), units (B, K) or None, ids (B,), and the number of rows used.

    The first of them is at ``position`` in the data.
    """

    inputs: Nested
    indices: Tensor | None
    ids: np.ndarray
    used: int
    position: int


class BatchSource:
    """Batches of at most ``batch_size`` rows; smaller ones are padded to the largest.

    Arrays are checked as a whole before anything is computed. The elements of a data
    set are checked one by one.

    Labels that come with a data set are units to explain if it is ``labelled``.

    Attributes:
        steps: Number of elements of the data; None if it is not known.
        images: Number of images; None if it is not known.
        of_one_size: Whether the images are, as far as is known before they are read.
        by_name: Whether inputs are given in a dictionary, as far as they were read.
    """

    def __init__(
        self,
        model: Model,
        x: Any,
        y: Any = None,
        *,
        ids: Any = None,
        batch_size: int = 32,
        one_by_one: bool = False,
        steps: int | None = None,
        labelled: bool = True,
    ):
        """Args: as in ``explain``.

        ``one_by_one`` says whether each image is a batch of its own, although a step
        has ``batch_size`` of them; ``labelled`` whether a data set's ``y`` are the
        units.
        """
        self.model, self._images_of_step = model, batch_size
        self.batch_size = 1 if one_by_one else batch_size
        self.ids = None if ids is None else np.asarray(ids)
        self.images: int | None = None
        self.of_one_size, self.by_name = True, isinstance(x, dict)
        check_dense("x", x)
        if data_iterators.is_stream(x):
            _refuse_targets(y)
            if steps is None and data_iterators.is_endless(x):
                raise ValueError(
                    "`steps` must be given for a data set that never ends, such as "
                    "a repeated one: the number of its batches; received None."
                )
            # There is nothing to choose from one unit: labels are what it predicts.
            labelled = labelled and output_units.count_units(model) != 1
            self._elements, known = self._stream(x, labelled)
        else:
            pieces = [self._checked_arrays(*piece) for piece in self._pieces(x, y)]
            self.of_one_size = len(pieces) == 1
            slices = [part for piece in pieces for part in self._slices(*piece)]
            self._elements, known = iter(slices), len(slices)
            self.images = sum(row_count(part) for part, _ in slices[:steps])
            self.ids = checks.image_ids(ids, sum(row_count(part) for part, _ in slices))
        self.steps = steps if known is None else min(steps or known, known)

    def __iter__(self) -> Iterator[list[Batch]]:
        """Yield each element of the data as a list of batches."""
        position, sizes = 0, dict[Any, int]()
        for x, y in itertools.islice(self._elements, self.steps):
            inputs, indices = self._checked(x, y)
            count = row_count(inputs)
            shapes = tuple(tuple(part.shape[1:]) for part in flatten(inputs))
            sizes[shapes] = min(self.batch_size, max(sizes.get(shapes, 0), count))
            ids = self._ids_from(position, count)
            yield list(_padded(inputs, indices, ids, sizes[shapes], position))
            position += count
        if not position:
            raise ValueError("`x` must hold at least one input; received none.")

    def _stream(self, x: Any, labelled: bool) -> tuple[Iterator[Element], int | None]:
        """Return the batches of a stream and their number; batch single samples."""
        known = data_iterators.length_of(x)
        pairs = data_iterators.elements(x)
        pairs = pairs if labelled else ((each, None) for each, _ in pairs)
        first, found = data_iterators.peeked(pairs)
        if first is None or not self._is_sample(first[0]):
            return found, known
        size, batches = self.batch_size, known and -(-known // self.batch_size)
        symbols = flatten(symbolic_inputs(self.model))
        if any(x is None or None in x.shape[1:] for x in symbols):
            batches = None  # Each batch has samples of one size.
        return data_iterators.batched(found, size), batches

    def _is_sample(self, x: Any) -> bool:
        """Whether ``x`` is a single sample, without a batch axis."""

        def lacks_axis(symbol: Any, part: Any) -> bool:
            check_dense("x", part)
            return symbol is not None and np.ndim(part) == len(symbol.shape) - 1

        return all(flatten(for_each_input(self.model, lacks_axis, x)))

    def _pieces(self, x: Any, y: Any) -> Iterator[Element]:
        """Yield the data whole, or a list of images in runs of the same shape."""
        single = input_names(self.model)[1:] == [] and not takes_list(self.model)
        shapes = [*map(_shape, x)] if single and isinstance(x, list | tuple) else []
        if len({*shapes}) < 2 or min(map(len, shapes)) < 2:
            yield x, y
            return
        y, _ = self._units(y, len(x))
        start = 0
        for _, run in itertools.groupby(shapes):
            rows = slice(start, start + len(list(run)))
            yield x[rows], None if y is None else y[rows]
            start = rows.stop

    def _checked_arrays(self, x: Any, y: Any) -> Element:
        x = for_each_input(self.model, lambda _, part: as_numpy(part), x)
        check_inputs(self.model, x)
        return x, self._units(y, row_count(x))[0]

    def _checked(self, x: Any, y: Any) -> tuple[Nested, Tensor | None]:
        _refuse_several_labels(y)
        self.by_name = self.by_name or isinstance(x, dict)
        numpy = for_each_input(self.model, lambda _, part: as_numpy(part), x)
        inputs = as_inputs(self.model, numpy)
        return inputs, self._units(y, row_count(inputs))[1]

    def _units(self, y: Any, count: int) -> tuple[Any, Tensor | None]:
        """Return the units of ``count`` inputs, checked, as NumPy array and tensor."""
        if y is None:
            return None, None
        y = as_numpy(y, "y")
        known = output_units.count_units(self.model)
        return y, output_units.as_indices(y, count, known)

    def _slices(self, x: Nested, y: Any) -> Iterator[Element]:
        for start in range(0, row_count(x), self._images_of_step):
            rows = slice(start, start + self._images_of_step)
            some = map_structure(lambda part, at=rows: part[at], x)
            yield some, None if y is None else y[rows]

    def _ids_from(self, position: int, count: int) -> np.ndarray:
        if self.ids is None:
            return np.arange(position, position + count)
        return checks.image_ids(self.ids[position : position + count], count)


def _padded(
    inputs: Nested, indices: Any, ids: np.ndarray, size: int, start: int
) -> Iterator[Batch]:
    for positions, used in padded_chunks(row_count(inputs), size):
        yield Batch(
            take_rows(inputs, positions),
            None if indices is None else ops.take(indices, positions, axis=0),
            np.where(used, ids[positions], PADDING),
            int(used.sum()),
            start + int(positions[0]),
        )


def _shape(x: Any) -> tuple[int, ...]:
    """Return the shape of an image; () if ``x`` is not an image."""
    try:
        return np.shape(as_numpy(x))
    except (TypeError, ValueError):
        return ()


def _refuse_several_labels(y: Any) -> None:
    several = isinstance(y, tuple) and any(hasattr(part, "shape") for part in y)
    if several or isinstance(y, dict):
        raise ValueError(
            "`y` must be the units of one output; received labels of several in a "
            f"{type(y).__name__}. Pass `y='predicted'`, or a target such as "
            "`ke.targets.output(...)`, or data without labels."
        )


def _refuse_targets(y: Any) -> None:
    if y is not None:
        raise ValueError(
            "`y` must be None if `x` is a data set, which yields (x, y) itself; "
            f"received {type(y).__name__}."
        )
