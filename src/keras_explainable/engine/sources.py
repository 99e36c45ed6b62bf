"""Data as Keras' ``predict`` takes it, cut into batches of one fixed size."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_explainable import checks, units
from keras_explainable.batching import padded_chunks
from keras_explainable.noise import PADDING
from keras_explainable.types import Model, Tensor


class Batch(NamedTuple):
    """Inputs (B, ...), units (B, K) or None, ids (B,), and how many rows are used."""

    inputs: Tensor
    indices: Tensor | None
    ids: np.ndarray
    used: int


class Source:
    """Batches of at most ``batch_size`` rows, smaller ones padded to the largest.

    Arrays are checked as a whole before anything is computed; what a data set yields
    is checked as it comes.

    Attributes:
        steps: number of batches that the data comes in; None if it is not known.
        images: number of images; None if it is not known.
    """

    def __init__(
        self,
        model: Model,
        x: Any,
        y: Any = None,
        *,
        ids: Any = None,
        batch_size: int = 32,
        steps: int | None = None,
    ):
        self.model, self.batch_size = model, batch_size
        self.ids = None if ids is None else np.asarray(ids)
        if _is_stream(x):
            _refuse_targets(y)
            self._elements, known = _stream(x), _length(x)
            self.images = None
        else:
            x, y = self._checked_arrays(x, y)
            self.ids = checks.image_ids(ids, len(x))
            self._elements, known = self._slices(x, y), -(-len(x) // batch_size)
            self.images = min(len(x), (steps or known) * batch_size)
        self.steps = steps if known is None else min(steps or known, known)

    def __iter__(self) -> Iterator[list[Batch]]:
        """Yield each element of the data as a list of batches."""
        position, size = 0, 0
        for x, y in itertools.islice(self._elements, self.steps):
            inputs, indices = self._checked(x, y)
            size = min(self.batch_size, max(size, len(inputs)))
            ids = self._ids_from(position, len(inputs))
            yield list(_padded(inputs, indices, ids, size))
            position += len(inputs)
        if not position:
            raise ValueError("`x` must hold at least one input; received none.")

    def _checked_arrays(self, x: Any, y: Any) -> tuple[Any, Any]:
        x = _numpy("x", x)
        units.check_shape(self.model, x.shape)
        units.check_finite(x)
        if y is not None:
            y = _numpy("y", y)
            units.as_indices(y, len(x), units.count_units(self.model))
        return x, y

    def _checked(self, x: Any, y: Any) -> tuple[Tensor, Tensor | None]:
        inputs = units.as_inputs(self.model, _numpy("x", x))
        if y is None:
            return inputs, None
        count = units.count_units(self.model)
        return inputs, units.as_indices(_numpy("y", y), len(inputs), count)

    def _slices(self, x: Any, y: Any) -> Iterator[tuple[Any, Any]]:
        for start in range(0, len(x), self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield x[rows], None if y is None else y[rows]

    def _ids_from(self, position: int, count: int) -> np.ndarray:
        if self.ids is None:
            return np.arange(position, position + count)
        return checks.image_ids(self.ids[position : position + count], count)


def _padded(inputs: Any, indices: Any, ids: np.ndarray, size: int) -> Iterator[Batch]:
    for positions, used in padded_chunks(len(inputs), size):
        yield Batch(
            ops.take(inputs, positions, axis=0),
            None if indices is None else ops.take(indices, positions, axis=0),
            np.where(used, ids[positions], PADDING),
            int(used.sum()),
        )


def _is_stream(x: Any) -> bool:
    """Whether ``x`` yields batches: no array, list or tensor, which are one."""
    if isinstance(x, keras.utils.PyDataset):
        return True
    is_array = isinstance(x, list | tuple) or hasattr(x, "shape") or np.isscalar(x)
    return hasattr(x, "__iter__") and not is_array


def _stream(x: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(x, keras.utils.PyDataset):
        steps = itertools.count() if x.num_batches is None else range(x.num_batches)
        return (_unpacked(x[step]) for step in steps)
    return map(_unpacked, x)


def _length(x: Any) -> int | None:
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches
    try:
        return len(x)
    except TypeError:  # A generator, or a data set of unknown or infinite length.
        return None


def _unpacked(element: Any) -> tuple[Any, Any]:
    """Return (x, y) of ``x``, ``(x,)``, ``(x, y)`` or ``(x, y, weights)``."""
    if isinstance(element, tuple | list):
        return (*element, None)[:2]
    return element, None


def _refuse_targets(y: Any) -> None:
    if y is not None:
        raise ValueError(
            "`y` must be None when `x` is a data set, which yields (x, y) itself; "
            f"received {type(y).__name__}."
        )


def _numpy(name: str, x: Any) -> Any:
    """Return any framework's tensor, array or list as a NumPy array."""
    if ops.is_tensor(x):
        return ops.convert_to_numpy(x)
    if hasattr(x, "detach"):  # A torch tensor under another backend.
        x = x.detach().cpu()
    return units.as_array(name, x)
