"""Metrics that perturb the inputs: from a function of batches to one of all data."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable import lowering
from keras_explainable.common import checks
from keras_explainable.common.structures import flatten
from keras_explainable.engine.batch_source import Batch, BatchSource
from keras_explainable.engine.data_iterators import as_numpy
from keras_explainable.engine.model_checks import check_model
from keras_explainable.engine.prepared_network import PreparedNetwork
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.execution.method_checks import (
    check_parameters,
    keyword_parameters,
)
from keras_explainable.metrics.map_arrays import Floats, as_maps
from keras_explainable.metrics.map_batch import MapBatch
from keras_explainable.network import output_units
from keras_explainable.network.model_inputs import map_shape, shape_text
from keras_explainable.network.torch_modules import modes_kept
from keras_explainable.targets.target import as_target
from keras_explainable.types import Model

Metric = Callable[..., Any]


def perturbing_metric(logits: bool | None) -> Callable[[Callable[..., Floats]], Metric]:
    """Return the decorator that makes a metric of a function of batches.

    The function takes a ``MapBatch`` and the parameters of the metric, and returns
    scores (N, ...).

    Args:
        logits: Default of the metric's parameter of this name; None for metrics that
            compare values of maps with outputs: what ``ke.explain`` explains.
    """
    default = logits

    def metric_of(function: Callable[..., Floats]) -> Metric:
        @wraps(function)
        def metric(
            model: Model,
            x: Any,
            maps: Any,
            y: Any = None,
            *,
            logits: bool | None = default,
            batch_size: int | None = None,
            ids: Any = None,
            seed: int = 0,
            verbose: str | int = "auto",
            **params: Any,
        ) -> Floats:
            check_parameters(function.__name__, params, keyword_parameters(metric), ())
            signature.bind(model, x, maps, y, **params)  # Some may be missing.
            options: dict[str, Any] = {
                "logits": logits,
                "batch_size": batch_size,
                "ids": ids,
            }
            options |= {"seed": seed, "verbose": verbose}
            of_batch = partial(function, **params)
            return scores_of_data(of_batch, model, x, maps, y, **options)

        signature = _signature(metric, function)
        metric.__signature__ = signature  # type: ignore[attr-defined]
        metric.compares_values = default is None  # type: ignore[attr-defined]
        return metric

    return metric_of


def _signature(metric: Metric, function: Metric) -> inspect.Signature:
    """Return the signature of the metric, with the function's own parameters first."""
    of_metric = inspect.signature(metric, follow_wrapped=False)
    *common, _ = of_metric.parameters.values()
    _, *own = inspect.signature(function).parameters.values()
    data = [each for each in common if each.kind is each.POSITIONAL_OR_KEYWORD]
    parameters = [*data, *own, *common[len(data) :]]
    return of_metric.replace(parameters=parameters)


def scores_of_data(
    function: Callable[[MapBatch], Floats],
    model: Model,
    x: Any,
    maps: Any,
    y: Any,
    *,
    logits: bool | None,
    batch_size: int | None,
    ids: Any,
    seed: int,
    verbose: Any,
) -> Floats:
    """Return ``function`` of all batches of the inputs with their maps, (N, ...).

    The other arguments and the errors are those of ``ke.metrics.deletion``.
    """
    if logits is not None:
        checks.boolean("logits", logits)
    checks.integer("seed", seed, 0)
    if batch_size is not None:
        checks.integer("batch_size", batch_size, 1)
    check_model(model)
    known = _map_rows(maps)
    network = _prepared(model, x, y, logits)
    rows = network.required_rows or batch_size
    rows = rows or lowering.suitable_rows(network.lowered)
    source = _source(network, x, y, ids, rows)
    _check_count(len(known), source.images)
    progress = Progress(model, None, verbose, source.steps, source.images)
    found, done = list[Floats](), 0
    with network.errors(), modes_kept(model):
        for batch in (each for step in progress.steps(source) for each in step):
            done = batch.position + batch.used
            report = progress.of_batch(batch.used)
            of_batch = _map_batch(network, batch, known[:done], rows, seed, report)
            with network.in_user_form():
                found.append(function(of_batch))
    _check_count(len(known), done)
    return np.concatenate(found)


def _prepared(model: Model, x: Any, y: Any, logits: bool | None) -> PreparedNetwork:
    target = as_target(y, logits)
    target = target and target.with_inputs(x)
    options: dict[str, Any] = {"logits": logits, "lower": True}
    options |= {"precision": "float32", "derivatives": "corrected"}
    network = PreparedNetwork(model, y, target, _scores_only, {}, **options)
    symbols = flatten(getattr(network.model, "inputs", None) or [None])
    if len(symbols) > 1:
        raise ValueError(
            "`model` must have one input for metrics that perturb it; received one "
            f"with {len(symbols)}."
        )
    return network


def _source(
    network: PreparedNetwork, x: Any, y: Any, ids: Any, rows: int
) -> BatchSource:
    target = network.target
    labelled = target is None and not network.top
    source = BatchSource(
        network.target_model,
        x,
        y if labelled else None,
        ids=ids,
        batch_size=1 if target and target.data else rows,
        labelled=labelled,
    )
    if target and source.images is not None:
        target.check_rows(source.images)
    return source


def _scores_only(model: Model, inputs: Any, indices: Any = None) -> Any:
    """Stand for a method that needs no other network than one for scores."""


def _map_rows(maps: Any) -> Sequence[NDArray[Any]]:
    """Return the map (..., K) of each image, also of images of different sizes."""
    if isinstance(maps, list | tuple) and len({*map(np.shape, maps)}) > 1:
        return [as_maps(as_numpy(one, "maps")[None])[0] for one in maps]
    rows: Sequence[NDArray[Any]] = as_maps(maps)  # type: ignore[assignment]
    return rows


def _map_batch(
    network: PreparedNetwork,
    batch: Batch,
    maps: Sequence[NDArray[Any]],
    rows: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> MapBatch:
    """Return a batch with its maps, the last of those given."""
    ready, batch = network.ready(batch, rows)
    _check_count(len(maps), batch.position + batch.used)
    indices = batch.indices
    if indices is None:
        count = output_units.forward(ready, batch.inputs, rows).shape[-1]
        indices = output_units.as_indices(None, len(batch.ids), count)
    wanted = (*map_shape(batch.inputs.shape), indices.shape[-1])
    own = [*maps[batch.position :]]
    if wrong := [one.shape for one in own if one.shape != wanted]:
        raise ValueError(
            "`maps` must have the size of the inputs, and a map for each unit of `y`: "
            f"{shape_text(wanted)} for each image; received {shape_text(wrong[0])}."
        )
    return MapBatch(
        ready,
        batch.inputs,
        indices,
        batch.ids,
        np.stack(own).astype("float64"),
        rows,
        seed,
        progress,
    )


def _check_count(maps: int, images: int | None) -> None:
    if images is not None and maps != images:
        raise ValueError(
            f"`maps` must have a map for each of the {images} images; received {maps}."
        )
