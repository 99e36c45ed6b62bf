"""The batches of a data set, of which only the scores are kept."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.common.warnings import warn
from keras_explainable.engine import data_iterators
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.evaluation.evaluation import Evaluation
from keras_explainable.evaluation.merged_evaluations import merged_all
from keras_explainable.evaluation.scored_images import CHUNK, ScoredImages
from keras_explainable.metrics.data_arrays import checked_inputs


class StreamBatch(NamedTuple):
    """Inputs (n, ..., C), their labels (or None), ids, and masks (or None)."""

    inputs: NDArray[np.float32]
    labels: Any
    ids: NDArray[np.int64]
    masks: Any


def batches(
    x: Any, axes: int | None, ids: Any, masks: Any, units: Any = None
) -> Iterator[StreamBatch]:
    """Yield the batches of a data set; single samples in batches.

    Args:
        x: Data set, loader or generator.
        axes: Number of axes of a batch of inputs, if it is known.
        ids: Ids of all images, or None.
        masks: Masks or boxes of all images, or None.
        units: Units of all images in place of the labels, or None.

    Raises:
        ValueError: If there are fewer or more ids, masks or units than images.
    """
    all_rows = {"ids": ids, "masks": masks, "y": units}
    masks = None if masks is None else data_iterators.as_numpy(masks, "masks")
    start = 0
    for inputs, labels in _elements(x, axes):
        rows = slice(start, start + len(inputs))
        start = rows.stop
        own = None if ids is None else ids[rows]
        for name, given in all_rows.items():
            _check_count(name, given, start)
        numbers = checks.image_ids(own, len(inputs))
        numbers = numbers if ids is not None else numbers + rows.start
        some = None if masks is None else masks[rows]
        labels = labels if units is None else units[rows]
        yield StreamBatch(inputs, labels, numbers, some)
    if not start:
        raise ValueError("`x` must hold at least one input; received none.")
    for name, given in all_rows.items():
        if given is not None and len(given) != start:
            raise _wrong_count(name, given, f"{start}")


def _elements(x: Any, axes: int | None) -> Iterator[tuple[NDArray[np.float32], Any]]:
    first, found = data_iterators.peeked(data_iterators.elements(x))
    if first is not None and axes is not None and np.ndim(first[0]) == axes - 1:
        found = data_iterators.batched(found, CHUNK)
    for inputs, labels in found:
        yield checked_inputs(inputs, "`evaluate`"), labels


def evaluation_of(
    found: Iterator[StreamBatch],
    scored_images: Callable[[StreamBatch], ScoredImages],
    progress: Progress,
) -> Evaluation:
    """Return the scores of all batches, or those known when Ctrl-C was pressed.

    Args:
        found: The batches.
        scored_images: Function that checks a batch, and returns it to be scored.
        progress: Where images and scores are counted.
    """
    scores = list[Evaluation]()
    stopped = False
    try:
        for batch in progress.steps(found):
            scored = scored_images(batch)
            one, stopped = scored.scores_so_far(progress, scored.chunks())
            scores.append(one)
            if stopped:
                break
    except KeyboardInterrupt:
        if not scores:
            raise
        warn(f"Stopped after {sum(len(each.ids) for each in scores)} images.")
    return merged_all(scores)


def _check_count(name: str, given: Any, least: int) -> None:
    if given is not None and np.ndim(given) == 0:
        raise ValueError(
            f"`{name}` must have one row for each image of `x`; received {given!r}."
        )
    if given is not None and len(given) < least:
        raise _wrong_count(name, given, f"{least} or more")


def _wrong_count(name: str, given: Any, images: str) -> ValueError:
    return ValueError(
        f"`{name}` must be as many as the images of `x`, {images}; received "
        f"{len(given)}."
    )
