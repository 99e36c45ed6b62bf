"""``attention_maps``: the probabilities of all attention in a model."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.structures import Nested, flatten, row_count
from keras_explainable.engine.batch_source import BatchSource
from keras_explainable.engine.model_checks import check_model
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.execution.compilation import compiled
from keras_explainable.inspection.exposed_attention import (
    expose_attention,
    exposed_attention,
)
from keras_explainable.inspection.wrapped_model import required_rows_of
from keras_explainable.network.attention_products import as_heads
from keras_explainable.network.torch_modules import modes_kept
from keras_explainable.types import Model, Tensor


def attention_maps(
    model: Model,
    x: Any,
    layers: str | Sequence[str] | None = None,
    batch_size: int = 32,
    verbose: str | int = "auto",
) -> dict[str, np.ndarray]:
    """Return the probabilities of attention of all layers and heads.

        p = softmax(q k / sqrt(d)),   outputs = p v

    Attention is that of Keras' layers (``MultiHeadAttention``, ``GroupQueryAttention``,
    ``Attention``, ``AdditiveAttention`` and what is derived from them), also within
    layers of the user's, and any softmax whose probabilities weigh, in a matrix
    product, values that depend on the input. Where probabilities are never formed, as
    by flash attention, a copy of the model forms them.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        x: Inputs, as for ``explain``.
        layers: Names of layers, among the keys of the result; or of layers that have
            them inside. None returns all.
        batch_size: Number of rows that go through the network at once.
        verbose: As for ``ke.explain``.

    Returns:
        For each attention, in the order of execution, an array (N, heads, queries,
        keys). Each row adds up to 1 over the keys; keys that a mask hides have 0. The
        name is that of the layer, or of the softmax between operations; inner layers
        are named such as "block/attention", and further calls "attention:1". Attention
        within windows has one more axis, (N, windows, heads, queries, keys).

    Raises:
        ValueError: If the model has no attention or no such layer, or if inner layers
            are not known.

    Example::

        maps = ke.attention_maps(model, x)
        maps["attention_11"][0, :, 0]  # what the class token takes, for each head
    """
    check_model(model)
    checks.integer("batch_size", batch_size, 1)
    exposed = expose_attention(model, layers, every=True)
    found = exposed_attention(exposed)
    rows = required_rows_of(exposed) or batch_size
    run, parts = compiled(_probabilities, exposed), list[list[np.ndarray]]()
    source = BatchSource(model, x, batch_size=rows, labelled=False)
    progress = Progress(model, None, verbose, source.steps, source.images)
    with modes_kept(model):
        for batch in itertools.chain.from_iterable(progress.steps(source)):
            report = progress.of_batch(batch.used)
            values = map(ops.convert_to_numpy, run(batch.inputs))
            parts.append([value[: batch.used] for value in values])
            report(batch.used, batch.used)
    joined = map(np.concatenate, zip(*parts, strict=True))
    return {each.name: x for each, x in zip(found, joined, strict=True)}


def _probabilities(model: Model, inputs: Nested) -> list[Tensor]:
    found, rows = exposed_attention(model), row_count(inputs)
    outputs = flatten(model(inputs, training=False))
    values = outputs[len(outputs) - len(found) :]
    return [as_heads(x, each, rows) for x, each in zip(values, found, strict=True)]
