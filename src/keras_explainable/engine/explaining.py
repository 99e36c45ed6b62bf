"""``explain``: a method over data, as ``Model.predict`` is a model over data."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import checks, lowering, units
from keras_explainable.compilation import accepts, call_method, name_of
from keras_explainable.engine.guards import check_model, warn_of_blanks
from keras_explainable.engine.postprocessing import (
    Postprocessing,
    check_resizing,
    postprocess,
    resize,
    target_size,
)
from keras_explainable.engine.progress import Progress
from keras_explainable.engine.sources import Batch, Source
from keras_explainable.inspection import (
    logits_model,
    runnable_model,
    target_model,
)
from keras_explainable.inspection.fingerprints import fingerprint
from keras_explainable.inspection.targets import best_units, count_of_best
from keras_explainable.preparing import prepared
from keras_explainable.stats import joined
from keras_explainable.types import Method, Model, Tensor

#: Logits and maps, and `Stats` if they are asked for.
Result = tuple[Any, ...]


def explain(
    method: Method,
    model: Model,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    steps: int | None = None,
    callbacks: Any = None,
    postprocessing: Postprocessing | None = None,
    resizing: bool | tuple[int, int] | None = None,
    ids: Any = None,
    logits: bool = True,
    lower: bool = True,
    precision: str = "float32",
    return_stats: bool = False,
    **method_params: Any,
) -> Result:
    """Return the chosen logits and their maps for all of ``x``, as NumPy arrays.

    Behaves like ``Model.predict``. ``model`` is only read: its final softmax or
    sigmoid is taken off in a copy that shares its weights.

    Args:
        method: explaining method, such as ``ke.methods.gradient.gradients`` or
            ``ke.methods.meta.smooth(...)``; it is compiled once per shape.
        model: Keras model with one input and an output (B, units), the first one of
            several; or any outputs, with a function for ``y``.
        x: (N, H, W, C) array, list or tensor; or a ``tf.data.Dataset``,
            ``keras.utils.PyDataset``, torch ``DataLoader`` or generator of batches
            ``x`` or ``(x, y)``.
        y: units to explain (N, K), or (N,) read as (N, 1); None explains every unit;
            "predicted" the unit of the largest logit, "top3" those of the three
            largest; or a function of the model's outputs to what to explain, (B,) or
            (B, units), such as ``lambda outputs: outputs[:, 1] - outputs[:, 0]``.
        batch_size: the most rows (images x noisy copies) that go through the network
            at once. None takes a number that fits the memory and is about the fastest.
            When memory runs out it is halved, with a warning, and nothing is lost.
        verbose: "auto" or 1 for Keras' progress bar, 2 for one line, 0 for silence.
        steps: the most batches to take from ``x``; needed if it never ends.
        callbacks: Keras callbacks; their ``on_predict_...`` methods are called, and
            ``on_explain_progress(done, total)``, in rows, where there is one.
        postprocessing: applied to the maps of each batch; with ``axis=`` the axes of
            one map if it takes that.
        resizing: True resizes maps to the size of the input, (height, width) to
            that size; bilinear, after postprocessing.
        ids: an integer >= 0 for each image, by default its position in ``x``. Methods
            that draw noise give the same map for the same id and seed.
        logits: False explains the model's outputs as they are.
        lower: False runs the model's own layers, not the faster equal copy that
            ``ke.lowering.lower`` makes.
        precision: "float32", or "bfloat16" for all layers but the last; noise, sums
            and logits stay in float32.
        return_stats: whether to return ``Stats`` as a third value: how sure the maps
            are. For methods that sample, such as ``smooth(...)``.
        **method_params: passed to ``method``.

    Returns:
        ``logits`` (N, K) and ``maps`` (N, H', W', K), or what the method and
        ``postprocessing`` make of them.

    Raises:
        ValueError: if ``x``, ``y`` or a parameter does not fit; arrays are checked as
            a whole before anything is computed.
        TypeError: if one is of the wrong type.
    """
    checks.is_callable("method", method)
    if batch_size is not None:
        checks.integer("batch_size", batch_size, 1)
    if steps is not None:
        checks.integer("steps", steps, 1)
    check_resizing(resizing)
    if not lower and precision != "float32":
        raise ValueError(
            "`lower` must be True for another `precision` than 'float32'; received "
            f"lower={lower!r} and precision={precision!r}."
        )
    if return_stats and not accepts(method, "return_stats"):
        raise ValueError(
            "`method` must be one that samples, such as `smooth(...)`, for "
            f"`return_stats`; received {name_of(method)!r}."
        )
    check_model(model)
    explained = logits_model(model) if logits else runnable_model(model)
    count = count_of_best(y)
    if callable(y):
        explained = target_model(explained, y)
    if callable(y) or count:
        y = None
    explained = prepared(method, explained, method_params)
    lowered = lowering.lower(explained, precision) if lower else explained
    rows = batch_size or lowering.suitable_rows(lowered)
    source = Source(explained, x, y, ids=ids, batch_size=rows, steps=steps)
    progress = Progress(model, callbacks, verbose, source.steps, source.images)

    network = None

    def explain_batch(batch: Batch) -> Result:
        nonlocal network
        report = progress.of_batch(batch.used)
        if network is None:
            network = lowering.checked(lowered, explained, batch.inputs, rows)
        indices = batch.indices
        if count:
            outputs = units.forward(network, batch.inputs, rows)
            indices = best_units(outputs, count)
        found, maps, *stats = call_method(
            method,
            network,
            batch.inputs,
            indices,
            method_params,
            results=2 + return_stats,
            rows=rows,
            ids=batch.ids,
            progress=report,
            return_stats=return_stats,
        )
        if not accepts(method, "progress"):
            report(batch.used, batch.used)
        maps = postprocess(maps, postprocessing)
        maps = resize(maps, target_size(resizing, batch.inputs.shape))
        arrays = [_numpy(x)[: batch.used] for x in (found, maps)]
        return *arrays, *(part.taken(batch.used) for part in stats)

    found, maps, *stats = _loop(source, explain_batch, progress)
    warn_of_blanks(maps)
    return found, maps, *(part.of_model(fingerprint(model)) for part in stats)


def partial_explain(method: Method, **defaults: Any) -> Callable[..., Result]:
    """Return ``explain`` for one method, with other defaults.

    Args:
        method: as in ``explain``.
        **defaults: parameters of ``explain`` or of the method; a call may give others.

    Returns:
        A function of ``(model, x, y=None, **params)``. For example::

            smooth_explain = ke.partial_explain(smooth(gradients), batch_size=8)
            logits, maps = smooth_explain(model, x, y)
    """

    def explain_with(model: Model, x: Any, y: Any = None, **params: Any) -> Result:
        return explain(method, model, x, y, **{**defaults, **params})

    explain_with.__name__ = name_of(method)
    explain_with.__doc__ = (
        f"Return ``explain({name_of(method)}, model, x, y, ...)``, with these "
        f"defaults: {', '.join(defaults) or 'none'}.\n\nSee ``explain`` for the rest."
    )
    return explain_with


def _loop(source: Source, explain_batch: Any, progress: Progress) -> Result:
    results: list[Result] = []
    progress.callbacks.on_predict_begin()
    for step, batches in enumerate(source):
        progress.callbacks.on_predict_batch_begin(step)
        done = _joined([explain_batch(batch) for batch in batches])
        results.append(done)
        progress.callbacks.on_predict_batch_end(step, {"outputs": done})
    progress.finish()
    progress.callbacks.on_predict_end()
    return _joined(results)


def _joined(results: list[Result]) -> Result:
    found, maps, *stats = zip(*results, strict=True)
    return np.concatenate(found), np.concatenate(maps), *map(joined, stats)


def _numpy(x: Tensor) -> np.ndarray:
    return ops.convert_to_numpy(x)
