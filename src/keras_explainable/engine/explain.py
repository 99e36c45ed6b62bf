"""``explain``: a method over data, as ``Model.predict`` is a model over data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_explainable import lowering
from keras_explainable.common import checks
from keras_explainable.common.structures import map_structure
from keras_explainable.engine.batch_source import Source
from keras_explainable.engine.explain_batch import Explainer, Result
from keras_explainable.engine.model_checks import check_model
from keras_explainable.engine.postprocessing import Postprocessing, check_resizing
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.execution.compilation import accepts_parameter, display_name
from keras_explainable.execution.model_preparation import prepared_model
from keras_explainable.inspection import (
    embedded_model,
    logits_model,
    runnable_model,
)
from keras_explainable.inspection.model_fingerprint import fingerprint
from keras_explainable.inspection.targets import targeted_model, top_count
from keras_explainable.sampling.stats import Stats, concatenated
from keras_explainable.types import Method, Model


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
        model: Keras model with an output (B, units), the first one of several; or any
            outputs, with a function for ``y``.
        x: (N, H, W, C) array, list or tensor, of several inputs a dictionary by name or
            a list; or a list of images of different sizes; or a ``tf.data.Dataset``,
            ``keras.utils.PyDataset``, torch ``DataLoader`` or generator of batches
            ``x`` or ``(x, y)``, or of single ones. Tokens for an ``Embedding`` are
            replaced by the vectors that it looks up.
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
        ``postprocessing`` make of them. Maps of several inputs come in the structure
        that the model has (and so do ``Stats``), maps of different sizes in a list.

    Raises:
        ValueError: if ``x``, ``y`` or a parameter does not fit, arrays being checked
            as a whole before anything is computed; or if the maps would not fit the
            memory.
        TypeError: if one is of the wrong type.
    """
    switches = {"logits": logits, "lower": lower, "return_stats": return_stats}
    _check_options(method, batch_size, steps, precision, **switches)
    check_resizing(resizing)
    if postprocessing is not None:
        checks.is_callable("postprocessing", postprocessing)
    check_model(model)
    asked, best = _asked(model, y, logits), top_count(y)
    embedded, look_up = embedded_model(asked)
    explained = prepared_model(method, embedded, method_params)
    lowered = lowering.lower(explained, precision) if lower else explained
    rows = batch_size or lowering.suitable_rows(lowered)
    units_of_x = None if callable(y) or best else y
    source = Source(asked, x, units_of_x, ids=ids, batch_size=rows, steps=steps)
    progress = Progress(model, callbacks, verbose, source.steps, source.images)
    explainer = Explainer(
        method=method,
        params=method_params,
        model=explained,
        lowered=lowered,
        look_up=look_up,
        rows=rows,
        best=best,
        images=source.images,
        postprocessing=postprocessing,
        resizing=resizing,
        return_stats=return_stats,
    )
    found, maps, *stats = _loop(source, explainer, progress)
    explainer.blanks.warn()
    return found, maps, *(map_structure(_of_model(model), tree) for tree in stats)


def _check_options(
    method: Method, batch_size: Any, steps: Any, precision: str, **switches: bool
) -> None:
    checks.is_callable("method", method)
    for name, value in switches.items():
        checks.boolean(name, value)
    if batch_size is not None:
        checks.integer("batch_size", batch_size, 1)
    if steps is not None:
        checks.integer("steps", steps, 1)
    if not switches["lower"] and precision != "float32":
        raise ValueError(
            "`lower` must be True for another `precision` than 'float32'; received "
            f"lower=False and precision={precision!r}."
        )
    if switches["return_stats"] and not accepts_parameter(method, "return_stats"):
        raise ValueError(
            "`method` must be one that samples, such as `smooth(...)`, for "
            f"`return_stats`; received {display_name(method)!r}."
        )


def _asked(model: Model, y: Any, logits: bool) -> Model:
    """Return the model of what is asked for."""
    asked = logits_model(model) if logits else runnable_model(model)
    return targeted_model(asked, y, like=model) if callable(y) else asked


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

    explain_with.__name__ = display_name(method)
    explain_with.__doc__ = (
        f"Return ``explain({display_name(method)}, model, x, y, ...)``, with these "
        f"defaults: {', '.join(defaults) or 'none'}.\n\nSee ``explain`` for the rest."
    )
    return explain_with


def _loop(source: Source, explainer: Explainer, progress: Progress) -> Result:
    results: list[Result] = []
    progress.callbacks.on_predict_begin()
    for step, batches in enumerate(source):
        progress.callbacks.on_predict_batch_begin(step)
        done = _joined([explainer.explain(batch, progress) for batch in batches])
        results.append(done)
        progress.callbacks.on_predict_batch_end(step, {"outputs": done})
    progress.finish()
    progress.callbacks.on_predict_end()
    return _joined(results)


def _joined(results: list[Result]) -> Result:
    found, maps, *stats = zip(*results, strict=True)
    joined_stats = (
        map_structure(lambda *parts: concatenated(parts), *trees) for trees in stats
    )
    return np.concatenate(found), map_structure(_joined_maps, *maps), *joined_stats


def _joined_maps(*parts: Any) -> Any:
    """Return maps of all images (N, ...), or a list of them if they differ in size."""
    if len({np.shape(part)[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    return [image for part in parts for image in part]


def _of_model(model: Model) -> Callable[[Stats], Stats]:
    known = fingerprint(model)
    return lambda stats: stats.of_model(known)
