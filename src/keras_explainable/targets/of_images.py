"""Targets that carry data of each image: a mask, a label, a picture, an embedding."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.precision import widened
from keras_explainable.network.dense_arrays import as_array
from keras_explainable.targets.target import INPUTS, Target
from keras_explainable.types import Tensor

#: Losses of all images of a batch together, or of each class in them.
_OF_ALL = keras.losses.Dice, keras.losses.Tversky

Loss = str | Callable[[Tensor, Tensor], Tensor]


def region(masks: Any, channel: int, *, logits: bool = True) -> Target:
    """Return the target of a class within a region of each image's segmentation.

        score = sum over the region of f[h, w, channel]

    Args:
        masks: Weights of the pixels of the output, (N, H, W), such as the pixels that
            were assigned to the class; or boxes (N, 4) of integers, (top, left, bottom,
            right) in pixels of the output, without the last row and column.
        channel: Channel of the outputs (B, H, W, classes).
        logits: False for probabilities.

    Reference: Vinogradova et al., 2020, https://arxiv.org/abs/2002.11434
    """
    checks.integer("channel", channel, 0)
    masks = as_array("masks", masks)
    if np.ndim(masks) not in (2, 3):
        raise ValueError(
            "`masks` must be masks (N, H, W) or boxes (N, 4), one for each image; "
            f"received shape {np.shape(masks)}."
        )
    target = Target(partial(_region, channel=channel), masks, logits=logits)
    target.has_positions = True  # Boxes, too.
    return target


def loss(labels: Any, loss: Loss) -> Target:
    """Return the target of the loss of each image, given its label.

    It is that of ``Model.evaluate`` for the image alone: the mean over its positions,
    or their sum if that is the ``reduction`` of the loss. Steps that a mask of the
    outputs hides do not count, as in ``Model.fit``, nor do positions of the loss's
    ``ignore_class``.

    Args:
        labels: Labels (N, ...), as for ``model.fit``.
        loss: Name of a loss of Keras, such as "sparse_categorical_crossentropy", or a
            function of the labels and the outputs, or a ``keras.losses.Loss``.
    """
    function = partial(
        _loss,
        function=_loss_function(loss),
        ignored=_ignored_class(loss),
        sums=_sums(loss),
        of_classes=_takes_classes(loss),
    )
    return Target(function, labels)


def reconstruction(loss: Loss = "mean_squared_error") -> Target:
    """Return the target of how badly each input is reconstructed by an autoencoder.

    The input that the outputs are compared with is constant: derivatives are those by
    what the network sees. With ``preprocess`` of ``smooth``, it is preprocessed, too.

    Args:
        loss: As for ``loss``, of the inputs and the outputs.
    """
    return Target(partial(_loss, function=_loss_function(loss)), INPUTS)


def similarity(other: Any) -> Target:
    """Return the target of the cosine similarity with another sample's embedding.

    Args:
        other: Embeddings (N, units), one for each image: outputs of the model for other
            samples.
    """
    return Target(_similarity, other)


def _region(outputs: Tensor, masks: Tensor, channel: int) -> Tensor:
    if len(outputs.shape) != 4 or channel >= outputs.shape[-1]:
        raise ValueError(
            "`outputs` must have shape (B, H, W, classes), with more classes than "
            f"{channel}; received (B, {', '.join(map(str, outputs.shape[1:]))})"
        )
    scores = widened(outputs[..., channel])
    if len(masks.shape) == 2:
        masks = _inside(masks, scores)
    if tuple(masks.shape[1:]) != tuple(scores.shape[1:]):
        raise ValueError(
            f"`masks` must have the size of the outputs, {tuple(scores.shape[1:])}; "
            f"received {tuple(masks.shape[1:])}"
        )
    return ops.sum(scores * ops.cast(masks, scores.dtype), axis=(1, 2))


def _inside(boxes: Tensor, scores: Tensor) -> Tensor:
    """Return masks of boxes (B, 4), of the shape (B, H, W) of scores."""
    if boxes.shape[-1] != 4:
        raise ValueError(
            "boxes must be (top, left, bottom, right), (N, 4); received shape "
            f"{tuple(boxes.shape)}"
        )
    top, left, bottom, right = (boxes[:, i, None, None] for i in range(4))
    # Counted, as sizes may be unknown while a function is traced.
    ones = ops.cast(ops.ones_like(scores), boxes.dtype)
    row, column = (ops.cumsum(ones, axis=axis) - 1 for axis in (1, 2))
    rows = ops.logical_and(row >= top, row < bottom)
    return ops.logical_and(rows, ops.logical_and(column >= left, column < right))


def _loss_function(loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    found = keras.losses.get(loss)
    return found.call if isinstance(found, keras.losses.Loss) else found


def _takes_classes(loss: Loss) -> bool:
    """Return whether labels are numbers of classes."""
    found, kind = keras.losses.get(loss), keras.losses.SparseCategoricalCrossentropy
    is_function = found is keras.losses.sparse_categorical_crossentropy
    return is_function or isinstance(found, kind)


def _of_classes(labels: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return numbers of classes without a last axis of length 1, and outputs."""
    more = len(labels.shape) == len(outputs.shape) and labels.shape[-1] == 1
    return (labels[..., 0] if more else labels), outputs


def _sums(loss: Loss) -> bool:
    return isinstance(loss, keras.losses.Loss) and loss.reduction == "sum"


def _ignored_class(loss: Loss) -> int | None:
    """Return the label of positions that do not count; None if all do."""
    if not isinstance(loss, keras.losses.Loss):
        return None
    return loss.get_config().get("ignore_class")


def _loss(
    outputs: Tensor,
    labels: Tensor,
    function: Callable[[Tensor, Tensor], Tensor],
    ignored: int | None = None,
    sums: bool = False,
    of_classes: bool = False,
    mask: Tensor | None = None,
) -> Tensor:
    arranged = _of_classes if of_classes else _alike
    labels, outputs = arranged(labels, widened(outputs))
    if of_classes:
        values = _by_position(function, labels, outputs)
    else:
        values = _values(function, labels, outputs)
    axes = tuple(range(1, len(values.shape)))
    if not axes:
        return values
    weights = ops.ones_like(values)
    for counts in (mask, None if ignored is None else labels != ignored):
        if counts is not None and len(counts.shape) == len(values.shape) - 1:
            counts = counts[..., None]
        if counts is not None and len(counts.shape) == len(values.shape):
            weights = weights * ops.cast(counts, values.dtype)
    total = ops.sum(weights * values, axis=axes)
    return total if sums else total / ops.maximum(ops.sum(weights, axis=axes), 1)


def _by_position(
    function: Callable[[Tensor, Tensor], Tensor], labels: Tensor, outputs: Tensor
) -> Tensor:
    """Return the loss of each position, by its class.

    They are computed as rows, as Keras on PyTorch has no derivatives of maps.
    """
    rows = ops.reshape(labels, (-1,)), ops.reshape(outputs, (-1, outputs.shape[-1]))
    return ops.reshape(function(*rows), ops.shape(labels))


def _values(
    function: Callable[[Tensor, Tensor], Tensor], labels: Tensor, outputs: Tensor
) -> Tensor:
    """Return the loss of each image, or of each of its positions.

    A function of the user's may mix the images of a batch, as "dice" does. Keras gives
    it labels as floats.
    """
    if not _is_of_keras(function):
        return _by_row(function, ops.cast(labels, outputs.dtype), outputs)
    of_all = isinstance(getattr(function, "__self__", None), _OF_ALL)
    values = None if of_all else function(labels, outputs)
    alone = values is None or len(values.shape) == 0
    return _by_row(function, labels, outputs) if alone else values


def _is_of_keras(function: Callable[..., Tensor]) -> bool:
    return (getattr(function, "__module__", None) or "").startswith("keras.")


def _by_row(
    function: Callable[[Tensor, Tensor], Tensor], labels: Tensor, outputs: Tensor
) -> Tensor:
    """Return what a function returns for each image alone, without its axis of rows.

    It may return values of another kind, such as one for each class.
    """

    def of_one(pair: tuple[Tensor, Tensor]) -> Tensor:
        values = function(pair[0][None], pair[1][None])
        return values[0] if tuple(values.shape[:1]) == (1,) else values

    try:
        return ops.vectorized_map(of_one, (labels, outputs))
    except Exception:  # Such as a choice by values, which PyTorch does not vectorize.
        if outputs.shape[0] is None:
            raise
        rows = zip(ops.unstack(labels), ops.unstack(outputs), strict=True)
        return ops.stack([*map(of_one, rows)])


def _alike(labels: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return both with the same axes, if one has a last one of length 1 more."""
    if len(outputs.shape) == len(labels.shape) + 1 and outputs.shape[-1] == 1:
        return labels[..., None], outputs
    if len(labels.shape) == len(outputs.shape) + 1 and labels.shape[-1] == 1:
        return labels[..., 0], outputs
    return labels, outputs


def _similarity(outputs: Tensor, other: Tensor) -> Tensor:
    one, another = (
        x / ops.maximum(ops.norm(x, axis=-1, keepdims=True), 1e-12)
        for x in (widened(outputs), widened(other))
    )
    return ops.sum(one * another, axis=-1)
