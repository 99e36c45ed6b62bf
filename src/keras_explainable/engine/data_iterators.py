"""Iterate over data sets, loaders and generators."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common.structures import flatten, map_structure
from keras_explainable.network.dense_arrays import as_array, check_dense

#: What TensorFlow says is the size of an endless data set.
_INFINITE = -1

#: ``x`` and ``y``, which may be None.
Element = tuple[Any, Any]


def is_stream(x: Any) -> bool:
    """Whether ``x`` yields data, unlike arrays, lists, dictionaries and tensors."""
    if isinstance(x, keras.utils.PyDataset):
        return True
    is_array = isinstance(x, list | tuple | dict | str) or hasattr(x, "shape")
    return hasattr(x, "__iter__") and not is_array and not np.isscalar(x)


def elements(x: Any) -> Iterator[Element]:
    """Return an iterator over the pairs (x, y) of a stream."""
    if isinstance(x, keras.utils.PyDataset):
        return map(_unpacked, _read(x))
    return map(_unpacked, x)


def _read(data: keras.utils.PyDataset) -> Iterator[Any]:
    """Yield the batches in order, read ahead by one thread for each worker.

    Threads are used even if it asks for processes, which may not be able to start.
    """
    count = data.num_batches
    steps = iter(itertools.count() if count is None else range(count))
    if data.workers < 2:
        yield from map(data.__getitem__, steps)
        return
    pool = ThreadPoolExecutor(data.workers)
    ahead = (pool.submit(data.__getitem__, step) for step in steps)
    try:
        waiting = deque(itertools.islice(ahead, data.workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(itertools.islice(ahead, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def length_of(x: Any) -> int | None:
    """Return the number of elements of a stream; None if it is not known."""
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches
    try:
        return len(x)
    except TypeError:  # A generator, or a data set of unknown or infinite length.
        return None


def is_endless(x: Any) -> bool:
    """Return whether a stream says that it never ends, as a repeated data set does."""
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is None
    count = getattr(x, "cardinality", None)  # Of TensorFlow's data sets.
    return callable(count) and int(count()) == _INFINITE


def batched(samples: Iterable[Element], size: int) -> Iterator[Element]:
    """Yield single samples (x, y) as batches of at most ``size`` of the same shape."""
    arrays = (
        (numpy_of(x), None if y is None else as_numpy(y, "y")) for x, y in samples
    )
    for _, alike in itertools.groupby(arrays, _shapes):
        while chunk := list(itertools.islice(alike, size)):
            xs, ys = zip(*chunk, strict=True)
            stacked = map_structure(lambda *rows: np.stack(rows), *xs)
            yield stacked, None if ys[0] is None else np.stack(ys)


def _shapes(sample: Element) -> list[tuple[int, ...]]:
    return [np.shape(part) for part in flatten(sample[0])]


def peeked(found: Iterator[Any]) -> tuple[Any, Iterator[Any]]:
    """Return the first element (or None), and an iterator over all elements."""
    first = list(itertools.islice(found, 1))
    return (first[0] if first else None), itertools.chain(first, found)


def numpy_of(x: Any) -> Any:
    """Return an input, or each input of a dictionary, as a NumPy array."""
    if isinstance(x, dict):
        return {name: as_numpy(part) for name, part in x.items()}
    return as_numpy(x)


def as_numpy(x: Any, name: str = "x") -> Any:
    """Return a tensor of any framework, array, image or list as a NumPy array."""
    check_dense(name, x)
    if ops.is_tensor(x):
        x = ops.convert_to_numpy(x)
    elif hasattr(x, "detach"):  # A torch tensor under another backend.
        x = x.detach().cpu()
    return as_array(name, x)


def _unpacked(element: Any) -> Element:
    """Return (x, y) of ``x``, ``(x,)``, ``(x, y)`` or ``(x, y, weights)``."""
    if isinstance(element, tuple | list):
        return (*element, None)[:2]
    return element, None
